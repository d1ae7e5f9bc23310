/* The files that are to be lifted, and those that are on their way. */

let files = [];
let again;  // the job that is lifted once more, instead of files
let uploads = [];

const isVideo = name => server.video_endings.some(ending => name.toLowerCase().endsWith(ending));

function formError(message = "") {
  $("form-error").textContent = message;
  $("form-error").hidden = !message;
}

/** Add files, and say why some are not taken. */
function pick(more) {
  const problems = [];
  for (const file of more) {
    if (file.size > server.limits.upload_bytes) {
      problems.push(`${file.name} has ${size(file.size)}; files of up to ${size(server.limits.upload_bytes)} are taken (--upload-limit)`);
    } else if (!file.size) {
      problems.push(`${file.name} is empty, or a folder. A folder with a file for each frame is lifted by \`poselift lift FOLDER\`.`);
    } else {
      files.push(file);
    }
  }
  again = undefined;
  showForm();
  formError(problems.join("\n"));
  $("options").hidden = !files.length && !problems.length;
  if (files.length) $("send").focus();
}

function showForm() {
  $("form-title").textContent = again ? `Lift ${again.name} again` : "Lift a video";
  $("drop").hidden = Boolean(again);
  $("form").classList.toggle("small", files.length > 0);
  $("options").hidden = !files.length && !again;
  $("picked").replaceChildren(...files.map((file, place) => make("li", {},
    make("span", { className: "name", textContent: file.name, title: file.name }),
    make("span", { className: "soft", textContent: size(file.size) }),
    make("button", { type: "button", textContent: "×", ariaLabel: `Leave out ${file.name}`, onclick: () => {
      files.splice(place, 1);
      showForm();
    } }))));
  $("send").textContent = files.length > 1 ? `Lift ${files.length} files` : "Lift";
  formError();
  showWho();
}

function clearForm() {
  files = [];
  again = undefined;
  $("files").value = "";
  markFlags([]);
  showForm();
}

async function send(event) {
  event.preventDefault();
  const parameters = chosen();
  if (!parameters.get("people")) { formError("Say who: click on the person, or type a number."); return; }
  if (again) {
    try {
      const job = await ask("POST", `${again.url}/again?${parameters}`);
      clearForm();
      choose(job.id);
      await look();
    } catch (error) { formError(error.message); }
    return;
  }
  const sent = files.map(file => ({ file, parameters, done: 0 }));
  uploads.push(...sent);
  clearForm();
  showJobs();
  if (uploads.length === sent.length) uploadNext();
}

/** Send the files one after the other, so that each has the whole line. */
function uploadNext() {
  const upload = uploads.find(upload => !upload.error);
  if (!upload) return;
  const request = upload.request = new XMLHttpRequest(), first = !selected;
  upload.parameters.set("name", upload.file.name);
  request.open("POST", `/api/jobs?${upload.parameters}`);
  request.responseType = "json";
  request.upload.onprogress = event => { upload.done = event.loaded; showJobs(); };
  const leave = error => {
    upload.error = error;
    if (!error) uploads = uploads.filter(other => other !== upload);
    showJobs();
    look();
    uploadNext();
  };
  request.onload = () => {
    const answer = request.response;
    if (request.status === 201) { if (first && !selected) choose(answer.id); leave(); }
    else leave(answer?.errors ? said(answer.errors) : `the server answered with ${request.status}`);
  };
  request.onerror = () => leave("The upload was broken off: the server does not answer, or refused the file.");
  request.onabort = () => leave();
  request.send(upload.file);
}

function watchDrops() {
  let inside = 0;
  const dragging = on => document.body.classList.toggle("dragging", on);
  addEventListener("dragenter", event => { event.preventDefault(); inside++; dragging(true); });
  addEventListener("dragleave", () => { inside--; dragging(inside > 0); });
  addEventListener("dragover", event => event.preventDefault());
  addEventListener("drop", event => {
    event.preventDefault();
    inside = 0;
    dragging(false);
    if (event.dataTransfer.files.length) pick(event.dataTransfer.files);
  });
  addEventListener("beforeunload", event => { if (uploads.some(upload => !upload.error)) event.preventDefault(); });
}
