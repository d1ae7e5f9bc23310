// ---- Controls ---------------------------------------------------------------------------------------------------------

let chosen = null;  // index of a person; null for everybody
const layers = {errors: true, drawn: true, trails: true};

function say(words) {
  $("notice").textContent = words;
}

function choose(index) {
  chosen = index !== null && index < people.length ? index : null;
  document.querySelectorAll("#people button").forEach((button, i) => button.setAttribute("aria-pressed", String(i === chosen)));
  show(current);
  refresh();
}

function toggle(what, on = !layers[what]) {
  layers[what] = on;
  $(what).setAttribute("aria-pressed", String(on));
  refresh();
}

function openPeople() {
  $("people").hidden = people.length < 2;
  if (people.length < 2) return;
  for (const person of people) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = person.label;
    button.title = person.name + (person.doubt && ", " + person.doubt);
    button.style.setProperty("--color", rgb(personColor(person.index)));
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-label", person.name);
    button.onclick = () => choose(chosen === person.index ? null : person.index);
    $("people").append(button);
  }
}

const KEYS = {
  " ": () => setPlaying(!playing), "+": () => turn(0, 0, 1.15), "=": () => turn(0, 0, 1.15), "-": () => turn(0, 0, 1 / 1.15),
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), PageUp: () => step(-Math.round(fps)), PageDown: () => step(Math.round(fps)),
  Home: () => step(-frames), End: () => step(frames), f: fit, c: cameraView, v: () => { choose(null); resetView(); }, e: () => toggle("errors"),
  r: () => toggle("drawn"), t: () => toggle("trails"), s: () => saveSnapshot(), "0": () => choose(null), Escape: () => choose(null),
};
const TURNS = {ArrowLeft: [-.15, 0], ArrowRight: [.15, 0], ArrowUp: [0, -.15], ArrowDown: [0, .15]};

function onKey(event) {
  const {key, shiftKey, target} = event;
  if (event.ctrlKey || event.metaKey || event.altKey || target.tagName === "SELECT") return;
  if (key === " " && target.tagName === "BUTTON" && target !== $("play")) return;  // it presses the button
  const number = /^[1-9]$/.test(key) ? Number(key) - 1 : -1;
  if (shiftKey && key in TURNS) turn(...TURNS[key]);
  else if (number >= 0 && people.length > 1) choose(chosen === number ? null : number);
  else if (Object.hasOwn(KEYS, key)) KEYS[key]();
  else return;
  event.preventDefault();
}

function openControls() {
  $("play").onclick = () => setPlaying(!playing);
  $("bar").oninput = event => seek(Number(event.target.value));
  $("speed").onchange = setSpeed;
  for (const what of Object.keys(layers)) $(what).onclick = () => toggle(what);
  $("errors").hidden = !people.some(person => person.radius);
  $("drawn").hidden = !(data.camera && picture);
  $("trails").hidden = !data.placed;
  $("fit").onclick = fit;
  $("reset").onclick = cameraView;
  $("snapshot").onclick = saveSnapshot;
  $("compare").onclick = () => other ? endComparing() : $("file").click();
  $("file").onchange = event => {
    if (event.target.files.length) openOther(event.target.files[0]);
    event.target.value = "";
  };
  addEventListener("dragover", event => event.preventDefault());
  addEventListener("drop", event => {
    event.preventDefault();
    if (event.dataTransfer.files.length) openOther(event.dataTransfer.files[0]);
  });
  $("angle").onchange = event => showAngle(event.target.value);
  for (const type of ["pointerdown", "pointermove"]) $("curves").addEventListener(type, event => {
    if (type === "pointerdown") $("curves").setPointerCapture(event.pointerId);
    if (event.buttons & 1) seekCurve(event);
  });
  const canvas = $("space");
  for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) canvas.addEventListener(type, onPointer);
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    turn(0, 0, Math.exp(-event.deltaY * (event.deltaMode ? .03 : .0012)));
  }, {passive: false});
  canvas.addEventListener("contextmenu", event => event.preventDefault());
  canvas.addEventListener("dblclick", KEYS.v);
  addEventListener("keydown", onKey);
}

// ---- Start ------------------------------------------------------------------------------------------------------------

// #frame=120&yaw=30&pitch=10&zoom=1.2&person=2&angle=elbow_flex&view=camera&errors=0&theme=dark&play=1&bare=1
function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1)), number = (name, or) => wanted.has(name) ? Number(wanted.get(name)) || 0 : or;
  if (wanted.has("theme")) document.documentElement.dataset.theme = wanted.get("theme");
  document.body.classList.toggle("bare", wanted.get("bare") === "1");
  readColors();
  const who = people.findIndex(person => person.label === wanted.get("person"));
  choose(people.length > 1 && who >= 0 ? who : null);
  const degrees = Math.PI / 180;
  eye.yaw = eye.pitch = 0;
  turn(number("yaw", home.yaw / degrees) * degrees, number("pitch", home.pitch / degrees) * degrees);
  fit();
  turn(0, 0, number("zoom", 1) || 1);
  if (wanted.get("view") === "camera") cameraView();
  for (const what of Object.keys(layers)) if (wanted.has(what)) toggle(what, wanted.get(what) === "1");
  if (wanted.has("angle") && [...$("angle").options].some(option => option.value === wanted.get("angle"))) showAngle(wanted.get("angle"));
  seek(Math.round(number("frame", 0)));
  if (wanted.get("play") === "1") setPlaying(true);
}

async function start() {
  data = await readResult(JSON.parse($("data").textContent));
  ({people, fps, frames, picture} = data);
  people.forEach(person => {
    person.label = String(person.number ?? person.index + 1);
    person.name = `person ${person.label}`;
  });
  if (data.placed) home = {...home, yaw: .4, pitch: .25};
  $("title").textContent = data.title;
  const doubt = people.length === 1 && people[0].doubt, count = people.length > 1 ? `${people.length} people · ` : "";
  $("facts").textContent = `${count}${frames} frames · ${Number(fps.toFixed(2))} fps · ${time(frames / fps)}${doubt ? ` · ${doubt}` : ""}`;
  $("pane-name").textContent = data.placed ? "3D, where they are" : people.length > 1 ? "3D, side by side: their places are not known" : "3D skeleton";
  $("bar").max = frames - 1;
  $("bar").disabled = $("play").disabled = frames < 2;
  $("picture-pane").hidden = !picture;
  openMarks();
  openPeople();
  openControls();
  openCurves();
  openVideo();
  const keypoints = people.some(person => person.keypoints);
  $("picture-name").textContent = video ? (keypoints ? "Video and 2D keypoints" : "Video") : "2D keypoints";
  addEventListener("hashchange", readAddress);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColors(); refresh(); });
  for (const canvas of [$("picture"), $("space"), $("curves")]) new ResizeObserver(refresh).observe(canvas);
  new ResizeObserver(() => { if (eye.fitted && !eye.through) fit(); }).observe($("space"));
  readAddress();
  document.body.dataset.ready = "true";
}

start().catch(error => {
  document.body.dataset.error = error.message;
  $("title").textContent = "This page cannot be shown: it needs a browser of 2024 or later.";
  throw error;
});
