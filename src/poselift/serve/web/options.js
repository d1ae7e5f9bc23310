/* The options of the form. */

let server;  // what GET /api said

const fields = () => [...document.querySelectorAll("[data-option]")];

function fillChoices() {
  const words = {
    lifter: name => name === "auto" ? "automatic" : name,
    rig: name => name === "poselift" ? "any program" : name,
    skeleton: name => name,
  };
  for (const option of server.options.filter(option => option.choices.length)) {
    const select = $(option.name);
    if (option.name === "skeleton") select.append(make("option", { value: "", textContent: "found" }));
    select.append(...option.choices.map(value => make("option", { value, textContent: words[option.name](value) })));
  }
}

/** The options that are set, as parameters; a comma between digits is a decimal point. */
function chosen() {
  const parameters = new URLSearchParams(), who = document.querySelector("[name=who]:checked").value;
  parameters.set("people", who === "one" ? $("person").value.trim() : who);
  for (const field of fields()) {
    const first = field.tagName === "SELECT" && field.selectedIndex === 0;
    let value = field.type === "checkbox" ? (field.checked ? "true" : "") : field.value.trim();
    if (field.inputMode === "decimal") value = value.replace(/(\d),(?=\d)/g, "$1.").replaceAll(",", " ");
    if (value && !first) parameters.set(field.dataset.option, value);
  }
  return parameters;
}

/** Put the options of a job into the form. */
function setOptions(options) {
  const people = String(options.people ?? "all"), who = ["all", "largest"].includes(people) ? people : "one";
  document.querySelector(`[name=who][value=${who}]`).checked = true;
  $("person").value = who === "one" ? people : "";
  for (const field of fields()) {
    const value = options[field.dataset.option];
    if (field.type === "checkbox") field.checked = value === true;
    else if (field.tagName === "SELECT") { if (value === undefined) field.selectedIndex = 0; else field.value = value; }
    else field.value = value === undefined ? "" : Array.isArray(value) ? value.join(field.id === "image_size" ? "x" : " ") : value;
  }
  $("more").open = fields().some(field => field.id !== "height" && options[field.dataset.option] !== undefined);
  showWho();
}

/** Mark the fields whose flags an error names. */
function markFlags(errors) {
  const flags = new Set(errors.flatMap(error => error.flags));
  for (const field of fields()) {
    const label = document.querySelector(`label[for=${field.id}] kbd`) ?? field.parentElement.querySelector("kbd");
    const named = label && flags.has(label.textContent);
    field.classList.toggle("wrong", Boolean(named));
    if (named && $("more").contains(field)) $("more").open = true;
  }
}

function showWho() {
  $("one").hidden = document.querySelector("[name=who]:checked").value !== "one";
  if ($("one").hidden) $("video").removeAttribute("src");
  else showPreview();
}

/** Show the video that is to be lifted, where the browser can play it, to point at a person. */
function showPreview() {
  const video = files.find(file => isVideo(file.name));
  $("preview").hidden = true;
  $("spot").hidden = true;
  $("one-hint").textContent = again ? "The numbers are those of the result." : "";
  if (!video || again) return;
  const player = $("video");
  URL.revokeObjectURL(player.src);
  player.onloadeddata = () => {
    $("preview").hidden = false;
    $("one-hint").textContent = "Click on the person.";
  };
  player.onerror = () => { $("one-hint").textContent = "This browser cannot play the video; type where the person is."; };
  player.src = URL.createObjectURL(video);
  $("moment").value = 0;
}

function pointAt(event) {
  const player = $("video"), box = player.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
  const at = player.currentTime ? `@${player.currentTime.toFixed(2)}` : "";
  $("person").value = `${Math.round(x * player.videoWidth)},${Math.round(y * player.videoHeight)}${at}`;
  $("spot").style.left = `${x * 100}%`;
  $("spot").style.top = `${y * 100}%`;
  $("spot").hidden = false;
}
