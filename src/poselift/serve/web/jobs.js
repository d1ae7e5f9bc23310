/* The list of results. */

let jobs = [], shownMost = 30, selected = location.hash.slice(1) || undefined, looking;

function share(progress) {
  return progress && progress.total ? progress.done / progress.total : undefined;
}

function step(job) {
  if (!job.progress) return "starting";
  const part = share(job.progress);
  if (part >= 1 && job.progress.step.startsWith("lifting")) return "placing, writing the results";
  return part === undefined ? job.progress.step : `${job.progress.step}, ${Math.round(100 * part)} %`;
}

function state(job) {
  switch (job.state) {
    case "waiting": return job.place ? `waits, ${job.place} before it` : "waits";
    case "running": return step(job);
    case "failed": return said(job.errors);
    case "stopped": return "stopped";
    case "uploading": return "coming in";
    default: return `${job.people > 1 ? `${job.people} people` : "1 person"} · ${when(job.ended_s)}`;
  }
}

function bar(part) {
  const shown = make("progress", { max: 1 });
  if (part !== undefined) shown.value = part;
  return shown;
}

function showJobs() {
  const active = document.activeElement?.dataset?.id;
  const rows = uploads.map(upload => {
    const badge = make("span", { className: `badge ${upload.error ? "failed" : "uploading"}`, textContent: upload.error ? "not sent" : "sending" });
    const row = make("button", { type: "button", className: "job", title: upload.error ? "Press to clear" : "Press to break off" },
      make("span", { className: "name", textContent: upload.file.name }), badge,
      make("span", { className: "what", textContent: upload.error ?? `${size(upload.done)} of ${size(upload.file.size)} · press to break off` }),
      ...(upload.error ? [] : [bar(upload.done / upload.file.size)]));
    row.onclick = () => {
      if (upload.request && !upload.error) upload.request.abort();
      else { uploads = uploads.filter(other => other !== upload); showJobs(); }
    };
    return make("li", {}, row);
  });
  const sending = uploads.some(upload => !upload.error);
  for (const job of jobs.filter(job => !(sending && job.state === "uploading"))) {
    const row = make("button", { type: "button", className: "job", title: job.name },
      make("span", { className: "name", textContent: job.name }),
      make("span", { className: `badge ${job.state}`, textContent: job.state }),
      make("span", { className: "what", textContent: state(job) }),
      ...(job.state === "running" ? [bar(share(job.progress))] : []));
    row.dataset.id = job.id;
    row.setAttribute("aria-current", String(job.id === selected));
    row.onclick = () => choose(job.id, true);
    rows.push(make("li", {}, row));
  }
  $("jobs").replaceChildren(...rows);
  $("none").hidden = rows.length > 0;
  if (active) document.querySelector(`[data-id="${active}"]`)?.focus({ preventScroll: true });
}

/** Ask for the jobs, now and then again: often while something goes on. */
async function look() {
  clearTimeout(looking);
  try {
    const answer = await ask("GET", `/api/jobs?limit=${shownMost}`);
    jobs = answer.jobs;
    $("offline").hidden = true;
    $("older").hidden = !answer.more || shownMost >= 200;
    showJobs();
    await showDetail();
  } catch (error) {
    if (!error.offline) throw error;
    $("offline").hidden = false;
  } finally {
    clearTimeout(looking);
    const busy = jobs.some(job => ["uploading", "waiting", "running"].includes(job.state));
    looking = setTimeout(look, document.hidden ? 10000 : busy ? 700 : 4000);
  }
}

/** Show a job beside the list. */
function choose(id, move = false) {
  selected = id;
  history.replaceState(null, "", id ? `#${id}` : location.pathname);
  showJobs();
  showDetail().then(() => {
    if (move && !$("detail").hidden) $("detail").scrollIntoView({ block: "nearest" });
    if (move && innerWidth <= 860) { $("detail").scrollIntoView({ block: "start" }); $("detail").focus({ preventScroll: true }); }
  });
}
