// ---- Another result beside this one: its page, dropped or opened; nothing leaves the browser ------------------------------

let other = null;

async function openOther(file) {
  try {
    const page = new DOMParser().parseFromString(await file.text(), "text/html"), packed = page.getElementById("data");
    const found = packed && JSON.parse(packed.textContent);
    if (!found || found.version !== data.version) throw new Error("it is not a page of this version of poselift");
    compareWith(await readResult(found));
  } catch (error) {
    say(`${file.name} cannot be compared: ${error.message}. Open the .html file of another result.`);
  }
}

function compareWith(result) {
  other = result;
  const shifted = result.start - data.start;
  say(`Dashed: ${result.title}${Math.abs(shifted) > .5 / fps ? `, which starts ${Math.abs(shifted).toFixed(2)} s ${shifted > 0 ? "later" : "earlier"}` : ""}`);
  $("compare").textContent = "End comparing";
  refresh();
}

function endComparing() {
  other = null;
  say("");
  $("compare").textContent = "Compare";
  refresh();
}

// The person of the other result with the same number, else in the same place.
function twinOf(person) {
  return other.people.find(({number}) => number !== null && number === person.number) ||
    (other.people.length > 1 && people.length > 1 ? null : other.people[Math.min(person.index, other.people.length - 1)]);
}

// The other result's frame at the time of ours; null where it has none.
function otherFrame(frame) {
  const found = Math.round((data.start + frame / fps - other.start) * other.fps);
  return found >= 0 && found < other.frames ? found : null;
}

function onOurClock(twin, column) {
  const values = new Float32Array(frames).fill(NaN);
  for (let t = 0; t < frames; t++) {
    const found = otherFrame(t);
    if (found !== null) values[t] = twin.angles.degrees[found * twin.angles.names.length + column];
  }
  return values;
}

// Mean distance in metres of the joints that both have, as they are drawn; null without any.
function apart(person, joints, twin, twins) {
  let sum = 0, count = 0;
  person.joints.forEach((name, j) => {
    const k = twin.joints.indexOf(name);
    if (k < 0) return;
    sum += Math.hypot(...joints[j].map((value, axis) => value - twins[k][axis]));
    count++;
  });
  return count ? sum / count : null;
}

// Drawn where it is if both are placed, else with the root where ours is.
function drawOther(context, project, frame) {
  const words = [], found = other && otherFrame(frame);
  if (other && found !== null) for (const person of people) {
    const twin = twinOf(person);
    if (!twin || (chosen !== null && chosen !== person.index)) continue;
    const at = data.placed && other.placed ? undefined : root(data, person, frame);
    const joints = jointsAt(other, twin, found, at), points = joints.map(joint => project(...joint));
    context.setLineDash([6, 4]);
    for (const [a, b] of twin.bones) {
      if (Math.min(points[a][2], points[b][2]) > NEAREST) line(context, points[a], points[b], 2, rgb(colors.other));
    }
    context.setLineDash([]);
    const distance = apart(person, jointsAt(data, person, frame), twin, joints);
    if (distance !== null) words.push(`${people.length > 1 ? person.name + " " : ""}${Math.round(1000 * distance)} mm`);
  }
  const said = words.length ? `apart: ${words.join(", ")}` : "";
  if ($("apart").textContent !== said) $("apart").textContent = said;
}

// ---- A picture of what is shown --------------------------------------------------------------------------------------------

// Returns a canvas with both panes side by side, or one above the other as on the page, and a line of words.
function snapshot() {
  draw(performance.now());
  const panes = [$("picture"), $("space")].filter(canvas => canvas.clientWidth && canvas.width), scale = devicePixelRatio || 1;
  const boxes = panes.map(canvas => canvas.getBoundingClientRect());
  const left = Math.min(...boxes.map(box => box.left)), top = Math.min(...boxes.map(box => box.top)), words = 30;
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  canvas.width = Math.round((Math.max(...boxes.map(box => box.right)) - left) * scale);
  canvas.height = Math.round((Math.max(...boxes.map(box => box.bottom)) - top + words) * scale);
  context.fillStyle = rgb(colors.pane);
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  panes.forEach((pane, i) => {
    const {width, height} = boxes[i], [x, y] = [boxes[i].left - left, boxes[i].top - top];
    if (pane.id === "picture" && video && video.readyState > 1) {
      const fitted = Math.min(width / video.videoWidth, height / video.videoHeight);
      const [w, h] = [video.videoWidth * fitted, video.videoHeight * fitted];
      context.drawImage(video, x + (width - w) / 2, y + (height - h) / 2, w, h);
    }
    context.drawImage(pane, x, y, width, height);
  });
  context.font = "14px system-ui, 'DejaVu Sans', sans-serif";
  context.fillStyle = rgb(colors.text);
  context.textBaseline = "middle";
  context.fillText(`${data.title} · ${time(current / fps)} · frame ${current + 1} of ${frames}${doubts() && " · " + doubts()}`, 10, canvas.height / scale - words / 2);
  return canvas;
}

function saveSnapshot() {
  snapshot().toBlob(blob => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${data.title.replace(/[^\p{L}\p{N}._-]+/gu, "_")}_frame${current + 1}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}
