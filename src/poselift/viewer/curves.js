// ---- Joint angles under the time line, linked to the figure --------------------------------------------------------------

const LONGEST_WHOLE_S = 60, WINDOW_S = 20;  // longer clips show a window around now
const JOINT_OF_ANGLE = {
  hip: "hip", knee: "knee", ankle: "ankle", arm: "shoulder", shoulder: "shoulder", elbow: "elbow",
  neck: "neck", pelvis: "pelvis", lumbar: "spine", trunk: "thorax",
};
const ANGLE_OF_JOINT = {
  hip: "hip_flexion", knee: "knee_angle", ankle: "ankle_angle", heel: "ankle_angle", big_toe: "ankle_angle",
  small_toe: "ankle_angle", shoulder: "shoulder_elevation", elbow: "elbow_flex", wrist: "elbow_flex", pelvis: "pelvis_heading",
  spine: "lumbar_extension", thorax: "trunk_lean", neck: "neck_flexion", head: "neck_flexion", nose: "neck_flexion",
  head_top: "neck_flexion",
};
let angle = "";  // the base of the angles that are shown: knee_angle of knee_angle_r and knee_angle_l

const baseOf = name => name.replace(/_[rl]$/, "");
const sideOf = name => name.endsWith("_r") ? "right" : name.endsWith("_l") ? "left" : "middle";

// The columns of the shown angle in what is known of a person.
const columnsOf = angles => angles ? angles.names.flatMap((name, i) => baseOf(name) === angle ? [i] : []) : [];

function anglesNow({angles, joints}, frame) {
  return columnsOf(angles).map(i => {
    const part = JOINT_OF_ANGLE[angle.split("_")[0]], name = sideOf(angles.names[i]);
    return {value: angles.degrees[frame * angles.names.length + i], name, j: joints.indexOf(name === "middle" ? part : `${name}_${part}`)};
  });
}

// First and last frame of the curves.
function curveSpan() {
  if (frames / fps <= LONGEST_WHOLE_S) return [0, frames - 1];
  const length = Math.round(WINDOW_S * fps), first = Math.max(0, Math.min(frames - 1 - length, current - Math.round(length / 2)));
  return [first, first + length];
}

let ranges = new Map();
function rangeOf({angles, index}) {
  const key = `${index} ${angle}`;
  if (!ranges.has(key)) {
    let low = Infinity, high = -Infinity;
    for (const i of columnsOf(angles)) {
      for (let t = 0; t < frames; t++) {
        const value = angles.degrees[t * angles.names.length + i];
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    const middle = (low + high) / 2, half = Math.max(10, (high - low) / 2 * 1.08);
    ranges.set(key, isFinite(low) ? [middle - half, middle + half] : null);
  }
  return ranges.get(key);
}

function curve(context, {angles}, column, length, toX, toY, style, dash = []) {
  context.beginPath();
  let down = false;
  for (const t of length) {
    const value = angles.degrees[t * angles.names.length + column];
    if (isNaN(value)) { down = false; continue; }
    if (down) context.lineTo(toX(t), toY(value));
    else context.moveTo(toX(t), toY(value));
    down = true;
  }
  context.setLineDash(dash);
  context.lineWidth = 1.6;
  context.strokeStyle = style;
  context.stroke();
  context.setLineDash([]);
}

function drawCurves(frame) {
  if ($("curves").hidden) return;
  const {context, width, height} = fresh($("curves")), person = people[chosen ?? 0], range = person.angles && rangeOf(person);
  const [first, last] = curveSpan(), inset = 8, span = Math.max(1, last - first);
  const toX = t => inset + (t - first) / span * (width - 2 * inset);
  for (const [spans, color] of [[person.unseen, colors.unseen], [person.gaps, colors.gap]]) {
    for (const [from, to] of spans) {
      const [a, b] = [Math.max(inset, toX(from - .5)), Math.min(width - inset, toX(to + .5))];
      context.fillStyle = rgb(color, .15);
      if (b > a) context.fillRect(a, 0, b - a, height);
    }
  }
  if (range) {
    const toY = value => height - 4 - (value - range[0]) / (range[1] - range[0]) * (height - 8);
    const every = Math.max(1, Math.floor(span / (2 * width))), times = [];
    for (let t = first; t <= last; t += every) times.push(t);
    context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    context.fillStyle = rgb(colors.soft);
    context.textBaseline = "middle";
    context.textAlign = "left";
    const step = [5, 10, 20, 30, 45, 90, 180].find(value => (range[1] - range[0]) / value < 5) || 360;
    for (let value = Math.ceil(range[0] / step) * step; value <= range[1]; value += step) {
      line(context, [inset, toY(value)], [width - inset, toY(value)], 1, rgb(colors.line));
      context.fillText(`${value}°`, inset + 2, Math.max(7, toY(value) - 6));
    }
    const twin = other && twinOf(person);
    if (twin && twin.angles) for (const i of columnsOf(twin.angles)) {
      const own = columnsOf(person.angles).find(k => person.angles.names[k] === twin.angles.names[i]);
      if (own !== undefined) curve(context, {angles: {names: ["x"], degrees: onOurClock(twin, i)}}, 0, times, toX, toY, rgb(colors.other, .9), [4, 3]);
    }
    for (const i of columnsOf(person.angles)) curve(context, person, i, times, toX, toY, rgb(colors[sideOf(person.angles.names[i])]));
    for (const {value, name} of anglesNow(person, frame)) {
      if (!isNaN(value)) dot(context, [toX(frame), toY(value)], 3.5, rgb(colors[name]));
    }
  }
  line(context, [toX(frame), 0], [toX(frame), height], 1, rgb(colors.text, .7));
  const values = anglesNow(person, frame).map(({value, name}) => `${name === "middle" ? "" : name + " "}${isNaN(value) ? "–" : Math.round(value) + "°"}`);
  const said = (people.length > 1 ? `${person.name}: ` : "") + values.join(", ");
  if ($("values").textContent !== said) $("values").textContent = said;
}

function seekCurve(event) {
  const [first, last] = curveSpan(), width = $("curves").clientWidth - 16;
  seek(Math.round(first + (event.offsetX - 8) / width * (last - first)));
}

function showAngle(base) {
  angle = base;
  $("angle").value = base;
  refresh();
}

function openCurves() {
  const names = [...new Set(people.flatMap(({angles}) => angles ? angles.names.map(baseOf) : []))];
  $("curves").hidden = $("curve-head").hidden = !names.length || frames < 2;
  for (const name of names) $("angle").add(new Option(name.replaceAll("_", " "), name));
  if (names.length) showAngle(names.includes("knee_angle") ? "knee_angle" : names[0]);
}

// A tap on a joint chooses its person and its angle; a tap beside everybody chooses everybody.
function tap(x, y) {
  let best = null;
  lastPoints.forEach((points, i) => points.forEach((point, j) => {
    const distance = point[2] > 0 ? Math.hypot(point[0] - x, point[1] - y) : Infinity;
    if (distance < 18 && (!best || distance < best.distance)) best = {distance, i, j};
  }));
  if (!best) return choose(null);
  const base = ANGLE_OF_JOINT[people[best.i].joints[best.j].replace(/^(left|right)_/, "")];
  if (base && [...$("angle").options].some(option => option.value === base)) showAngle(base);
  if (people.length > 1) choose(best.i);
}
