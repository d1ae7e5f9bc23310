// ---- The eye: turned, moved, zoomed; seen in perspective ---------------------------------------------------------------

const HALF_ANGLE = Math.tan(15 * Math.PI / 180);  // of the view, vertically
let home = {yaw: 0, pitch: 0};
// `fitted`: who fills the pane, until somebody zooms or moves.
const eye = {...home, zoom: 1, pan: [0, 0, 0], through: false, fitted: null};

// Returns (x, y, z), y counted from the floor -> [screen x, screen y, depth, pixels per metre].
function projector(width, height) {
  if (eye.through) return throughLens(width, height);
  const focal = height / 2 / HALF_ANGLE;
  const distance = Math.max(space.height * .6 / HALF_ANGLE, space.radius * 1.15 * focal / (width / 2)) + space.radius;
  const [cy, sy, cp, sp] = [Math.cos(eye.yaw), Math.sin(eye.yaw), Math.cos(eye.pitch), Math.sin(eye.pitch)];
  const [mx, my, mz] = [space.middle[0] + eye.pan[0], eye.pan[1] - space.height / 2, space.middle[1] + eye.pan[2]];
  const project = (x, y, z) => {
    const across = (x - mx) * cy - (z - mz) * sy, away = (x - mx) * sy + (z - mz) * cy, down = y - my;
    const depth = down * sp + away * cp + distance, scale = eye.zoom * focal / depth;
    return [width / 2 + across * scale, height / 2 + (down * cp - away * sp) * scale, depth, scale];
  };
  return {project, distance, perMetre: eye.zoom * focal / distance};
}

// What the camera saw, in the same place of the pane as the picture is of its own.
function throughLens(width, height) {
  const {scale, x0, y0} = inPane(width, height), focal = data.camera.K[0][0] * scale;
  const project = (...point) => {
    const seen = throughCamera(point);
    return seen ? [x0 + seen[0] * scale, y0 + seen[1] * scale, seen[2], focal / seen[2]] : [0, 0, 0, 0];
  };
  const distance = Math.max(1, cameraAxes([space.middle[0], -space.height / 2, space.middle[1]])[2]);
  return {project, distance, perMetre: focal / distance};
}

function turn(yaw, pitch, zoom = 1) {
  eye.through = false;
  eye.yaw = (eye.yaw + yaw) % (2 * Math.PI);
  eye.pitch = Math.max(-1.55, Math.min(1.55, eye.pitch + pitch));
  if (zoom !== 1) eye.fitted = null;
  eye.zoom = Math.max(.1, Math.min(12, eye.zoom * zoom));
  refresh();
}

// Moves what is shown by pixels, in the plane of the screen.
function pan(dx, dy) {
  Object.assign(eye, {through: false, fitted: null});
  const {clientWidth, clientHeight} = $("space"), {perMetre} = projector(clientWidth, clientHeight);
  const [cy, sy, cp, sp] = [Math.cos(eye.yaw), Math.sin(eye.yaw), Math.cos(eye.pitch), Math.sin(eye.pitch)];
  const across = dx / perMetre, down = dy / perMetre;
  eye.pan = eye.pan.map((value, i) => value - [across * cy - down * sp * sy, down * cp, -across * sy - down * sp * cy][i]);
  refresh();
}

const rooms = new Map();  // by who is in them

// Fits the chosen person, or everybody, in the whole clip into the pane; the direction stays.
function fit() {
  const who = chosen === null ? people : [people[chosen]];
  const key = who.map(person => person.index).join();
  if (!rooms.has(key)) rooms.set(key, room(data, who));
  space = rooms.get(key);
  Object.assign(eye, {zoom: 1, pan: [0, 0, 0], through: false, fitted: who});
  if (data.placed) tighten(who);
  refresh();
}

const floorBelow = ({path}, frame) => [path[3 * frame], 0, path[3 * frame + 2]];

// Zooms and moves until what is seen of people fills the pane.
function tighten(who) {
  const {clientWidth: width, clientHeight: height} = $("space");
  if (!width || !height) return;
  const {project} = projector(width, height), low = [Infinity, Infinity], high = [-Infinity, -Infinity];
  for (const person of who) for (const t of samples(data, person, 60)) for (const point of [...jointsAt(data, person, t), floorBelow(person, t)]) {
    project(...point).slice(0, 2).forEach((value, axis) => {
      low[axis] = Math.min(low[axis], value);
      high[axis] = Math.max(high[axis], value);
    });
  }
  pan(width / 2 - (low[0] + high[0]) / 2, height / 2 - (low[1] + high[1]) / 2 + 6);
  const room = [Math.max(40, width - 60), Math.max(40, height - 70)].map((size, axis) => size / Math.max(1, high[axis] - low[axis]));
  Object.assign(eye, {zoom: Math.min(12, ...room), fitted: who});
}

function resetView() {
  Object.assign(eye, home);
  fit();
}

// The camera's own view: through its lens where it is known, else from its direction.
function cameraView() {
  Object.assign(eye, {yaw: 0, pitch: 0});
  fit();
  Object.assign(eye, {yaw: 0, pitch: 0, through: Boolean(data.camera && picture)});
  refresh();
}

const fingers = new Map();
let moved = 0;
function onPointer(event) {
  const canvas = $("space"), before = fingers.get(event.pointerId);
  if (event.type === "pointerdown") {
    canvas.setPointerCapture(event.pointerId);
    moved = 0;
  } else if (event.type !== "pointermove") {
    if (event.type === "pointerup" && fingers.size === 1 && moved < 5) tap(event.offsetX, event.offsetY);
    return void fingers.delete(event.pointerId);
  } else if (!before) return;
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 0;
  };
  const old = spread();
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  if (!before) return;
  const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
  moved += Math.hypot(dx, dy);
  if (moved < 5) return;  // a tap may tremble
  if (fingers.size > 1) {
    turn(0, 0, old ? spread() / old : 1);
    pan(dx / 2, dy / 2);
  } else if (event.shiftKey || event.buttons & 6) pan(dx, dy);
  else turn(dx * .008, dy * .008);
}
