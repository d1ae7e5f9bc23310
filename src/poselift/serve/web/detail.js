/* One result: to look at, to save, to lift again. */

let shown = {};  // the job beside the list

async function showDetail() {
  const brief = jobs.find(job => job.id === selected);
  if (selected && (brief?.state !== shown.state || shown.id !== selected)) {
    const id = selected;
    try {
      const job = await ask("GET", `/api/jobs/${id}`);
      if (id === selected) fillDetail(job);
    } catch (error) {
      if (error.status !== 404) throw error;
      choose(undefined);
    }
  }
  if (!selected) shown = {};
  $("detail").hidden = !selected;
  $("welcome").hidden = Boolean(selected);
  if (brief && shown.id === brief.id) fillGoing(brief);
}

function fillDetail(job) {
  shown = job;
  $("name").textContent = job.name;
  const over = ["done", "failed", "stopped"].includes(job.state);
  const took = job.ended_s && job.started_s ? ` · lifted in ${lasting(job.ended_s - job.started_s)}` : "";
  $("facts").textContent = `${size(job.bytes)}${job.state === "done" ? took : ""}`;
  $("errors").replaceChildren(...job.errors.map(error => make("p", { className: "error", textContent: error.message })));
  for (const [id, on] of [["again", over], ["stop-job", !over && job.state !== "uploading"], ["everything", job.everything], ["open", job.page]]) {
    $(id).hidden = !on;
  }
  $("everything").href = job.everything ?? "#";
  $("open").href = job.page ?? "#";
  $("remove").hidden = job.state === "uploading";
  const viewer = $("viewer");
  viewer.hidden = !job.page;
  if (job.page && viewer.dataset.of !== job.id) { viewer.src = job.page; viewer.dataset.of = job.id; }
  if (!job.page) { viewer.removeAttribute("src"); delete viewer.dataset.of; }
  fillFiles(job);
  $("said").hidden = !job.messages.length;
  $("said").open = job.state === "failed";
  $("messages").replaceChildren(...job.messages.map(text => make("li", { textContent: text })));
  $("command").textContent = job.command;
}

function fillGoing(job) {
  $("going").hidden = !["waiting", "running", "uploading"].includes(job.state);
  $("step").textContent = job.state === "running" ? step(job) : state(job);
  const part = share(job.progress);
  if (part === undefined) $("bar").removeAttribute("value"); else $("bar").value = part;
  const since = job.started_s ? Date.now() / 1000 - job.started_s : 0;
  $("left").textContent = job.state === "running" ? `since ${lasting(since)}` : "";
}

const ORDER = [".html", ".glb", ".bvh", ".vrma", ".trc", ".mot", ".c3d", "_angles.csv", ".csv", ".parquet", ".json", ".npz"];

function ending(name) {
  return name.match(/(_angles\.csv|_keypoints\.npz|\.(bvh|trc)\.json|\.[^.]+)$/)[0];
}

/** A row for each format, with a button for each person; notes stand beside the file that they belong to. */
function fillFiles(job) {
  const rows = new Map();
  for (const file of job.files) {
    const kind = ending(file.name);
    if (!rows.has(kind)) rows.set(kind, { what: file.what, files: [] });
    rows.get(kind).files.push(file);
  }
  const several = job.files.some(file => file.person !== null);
  const who = file => file.person === null ? (several ? "Everybody" : "Save") : `Person ${file.person}`;
  const order = kind => (ORDER.indexOf(kind) + 99) % 99;  // others at the end
  const kinds = [...rows.keys()].filter(kind => !/\..+\.json$/.test(kind)).sort((a, b) => order(a) - order(b));
  const link = (file, className, ...content) => make("a",
    { className, href: file.url, download: file.name, title: `Save ${file.name}` }, ...content);
  const buttons = (file, kind) => {
    const notes = rows.get(`${kind}.json`)?.files.find(other => other.person === file.person);
    return make("span", { className: "pair" }, link(file, "button save", who(file), make("small", { textContent: size(file.bytes) })),
      ...(notes ? [link(notes, "notes", "notes")] : []));
  };
  $("saves").hidden = !job.files.length;
  $("files-of").replaceChildren(...kinds.map(kind => make("li", {},
    make("span", {}, make("code", { textContent: kind.replace("_", "") }), rows.get(kind).what),
    make("div", {}, ...rows.get(kind).files.map(file => buttons(file, kind))))));
}

let doomed;  // the job that the dialog asks about

function askToRemove() {
  doomed = shown;
  const over = ["done", "failed", "stopped"].includes(doomed.state);
  $("sure-text").textContent = over
    ? `Remove ${doomed.name} with all its results? They cannot be brought back.`
    : `Stop lifting ${doomed.name}, and remove it?`;
  $("sure").returnValue = "no";
  $("sure").showModal();
}

/** Remove what the dialog asked about, where the answer was yes. Its events come late: when it is open again, or two at once. */
async function answered() {
  if ($("sure").open || $("sure").returnValue !== "yes") return;
  $("sure").returnValue = "no";
  const job = doomed;
  if (selected === job.id) choose(undefined);  // before it is gone: nothing asks for it any more
  try {
    await ask("DELETE", job.url);
  } catch (error) {
    if (!selected) choose(job.id);
    throw error;
  }
  await look();
  $("files").focus();
}

function liftAgain() {
  files = [];
  again = shown;
  showForm();
  setOptions(again.options);
  markFlags(again.errors);
  $("form").scrollIntoView({ block: "start" });
  document.querySelector("[name=who]:checked").focus();
}
