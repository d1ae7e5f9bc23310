// ---- 3D: floor, camera, trails, people, painted from back to front -------------------------------------------------------

const NEAREST = .1;  // metres before the eye

// Lines of the floor, faded towards the edge; one stroke for each of a few shades.
function drawFloor(context, project) {
  const step = [.5, 1, 2, 5, 10, 20, 50, 100].find(step => space.radius < 9 * step) || 1000;
  const reach = step * Math.ceil((space.radius + 1) / step);
  const [x0, z0] = space.middle.map(value => Math.round(value / step) * step), shades = Array.from({length: 8}, () => []);
  const half = step / 2, count = Math.round(2 * reach / half), knots = [];  // two to a square's side
  for (let i = 0; i <= count; i++) for (let k = 0; k <= count; k++) {
    knots.push(i % 2 && k % 2 ? null : project(x0 - reach + i * half, 0, z0 - reach + k * half));
  }
  const piece = (i, k, di, dk) => {
    const fade = 1 - Math.hypot((i + di / 2) * half - reach, (k + dk / 2) * half - reach) / reach;
    if (fade > 0) shades[Math.min(7, Math.floor(fade * 8))].push(knots[i * (count + 1) + k], knots[(i + di) * (count + 1) + k + dk]);
  };
  for (let i = 0; i <= count; i += 2) for (let k = 0; k < count; k++) {
    piece(i, k, 0, 1);
    piece(k, i, 1, 0);
  }
  context.lineCap = "butt";
  context.lineWidth = 1;
  shades.forEach((pieces, i) => {
    context.beginPath();
    for (let n = 0; n < pieces.length; n += 2) {
      const a = pieces[n], b = pieces[n + 1];
      if (Math.min(a[2], b[2]) < NEAREST) continue;
      context.moveTo(a[0], a[1]);
      context.lineTo(b[0], b[1]);
    }
    context.strokeStyle = rgb(colors.grid, (i + .5) / 8);
    context.stroke();
  });
  context.lineCap = "round";
  return step;
}

function polyline(context, points, width, style) {
  context.beginPath();
  let down = false;
  for (const point of points) {
    if (!point || point[2] < NEAREST) { down = false; continue; }
    if (down) context.lineTo(point[0], point[1]);
    else context.moveTo(point[0], point[1]);
    down = true;
  }
  context.lineWidth = width;
  context.strokeStyle = style;
  context.stroke();
}

// In one stroke, so that overlaps do not darken.
function drawShadow(context, shadows, bones, alpha) {
  context.beginPath();
  for (const [a, b] of bones) {
    if (Math.min(shadows[a][2], shadows[b][2]) < NEAREST) continue;
    context.moveTo(shadows[a][0], shadows[a][1]);
    context.lineTo(shadows[b][0], shadows[b][1]);
  }
  context.lineWidth = .06 * shadows[0][3];
  context.strokeStyle = rgb(colors.shade, .2 * alpha);
  context.stroke();
}

// A level disc, as a polygon.
function disc(context, project, [x, y, z], radius) {
  context.beginPath();
  for (let i = 0; i < 16; i++) {
    const point = project(x + radius * Math.cos(i * Math.PI / 8), y, z + radius * Math.sin(i * Math.PI / 8));
    if (point[2] < NEAREST) return;
    context.lineTo(point[0], point[1]);
  }
  context.closePath();
}

// ---- The camera: its frustum with the picture in it, or only its direction where its place is not known -----------------

function drawCamera(context, project) {
  if (eye.through) return;
  if (data.camera) return drawFrustum(context, project);
  const away = 1 - Math.cos(eye.yaw) * Math.cos(eye.pitch), alpha = Math.min(1, 4 * away);
  const near = -space.radius - .3, y = -space.height / 2;
  const corners = [[-.12, -.08], [.12, -.08], [.12, .08], [-.12, .08]].map(([x, dy]) => project(x, y + dy, near));
  if (alpha >= .02) drawPyramid(context, project(0, y, near - .2), corners, rgb(colors.grid, alpha));
}

function drawPyramid(context, tip, corners, style) {
  if ([tip, ...corners].some(corner => corner[2] < NEAREST)) return;
  corners.forEach((corner, i) => {
    line(context, tip, corner, 1.2, style);
    line(context, corner, corners[(i + 1) % 4], 1.2, style);
  });
}

function drawFrustum(context, project) {
  const {R, t, K, size} = data.camera, [width, height] = size, reach = .8;
  const inRoom = (x, y, z) => {  // camera's axes to the room's
    const [a, b, c] = [x - t[0], y - t[1], z - t[2]];
    const point = [0, 1, 2].map(i => R[0][i] * a + R[1][i] * b + R[2][i] * c);
    return project(point[0], point[1] - data.level, point[2]);
  };
  const corner = (u, v) => inRoom((u - K[0][2]) / K[0][0] * reach, (v - K[1][2]) / K[1][1] * reach, reach);
  const tip = inRoom(0, 0, 0), corners = [corner(0, 0), corner(width, 0), corner(width, height), corner(0, height)];
  if ([tip, ...corners].some(point => point[2] < NEAREST)) return;
  if (video && video.readyState > 1) {  // small and far: a parallelogram is near enough
    const [a, b, , d] = corners;
    context.save();
    context.globalAlpha = .85;
    context.transform((b[0] - a[0]) / width, (b[1] - a[1]) / width, (d[0] - a[0]) / height, (d[1] - a[1]) / height, a[0], a[1]);
    context.drawImage(video, 0, 0, width, height);
    context.restore();
  }
  drawPyramid(context, tip, corners, rgb(colors.soft));
}

// ---- People -----------------------------------------------------------------------------------------------------------

// The way of the root on the floor: all of it, stronger up to now; what is invented is left out.
function drawTrail(context, project, person, frame, strength) {
  const every = Math.max(1, Math.ceil(frames / 300)), color = personColor(person.index), before = [], after = [];
  const at = t => person.invented[t] ? null : project(...floorBelow(person, t));
  for (let t = 0; t < frames; t += every) (t <= frame ? before : after).push(at(t));
  before.push(at(frame));
  after.unshift(at(frame));
  polyline(context, after, 2, rgb(color, .3 * strength));
  polyline(context, before, 2.5, rgb(color, .85 * strength));
}

const STEP_M = .25;  // feet higher than this stand on something

// Feet that stand still, as far as the lifter says, light up on the floor, or on the wall or stair they stand on.
function drawContacts(context, project, person, joints, frame, strength) {
  if (!person.contact) return;
  person.contacts.forEach((j, i) => {
    const share = person.contact[frame * person.contacts.length + i];
    if (j < 0 || share <= .5) return;
    const [x, y, z] = joints[j], color = colors[person.sides.joints[j]];
    for (const [radius, alpha] of [[.11, .25], [.055, .75]]) {
      disc(context, project, [x, y < -STEP_M ? y : 0, z], radius);
      context.fillStyle = rgb(color, alpha * share * strength);
      context.fill();
    }
  });
}

let lastPoints = [];  // of each person on the screen, for taps

function drawSpace(frame) {
  const {context, width, height} = fresh($("space"));
  if (!width || !height || !data) return;
  const {project, distance} = projector(width, height), shapes = [];
  const step = drawFloor(context, project);
  drawCamera(context, project);
  lastPoints = [];
  for (const person of people) {
    const strength = chosen === null || chosen === person.index ? 1 : .25;
    const share = strength * (person.invented[frame] ? .6 : 1);  // a gap is invented
    const joints = jointsAt(data, person, frame), points = joints.map(p => project(...p));
    lastPoints.push(points);
    if (data.placed && layers.trails) drawTrail(context, project, person, frame, strength);
    drawShadow(context, joints.map(p => project(p[0], 0, p[2])), person.bones, share);
    drawContacts(context, project, person, joints, frame, share);
    if (person.up && !data.placed) {  // from the floor below the pelvis, in the direction that the lifter holds to be up
      const tip = [0, 1, 2].map(axis => .5 * person.up[3 * frame + axis]);
      line(context, project(person.aside, 0, 0), project(person.aside + tip[0], tip[1], tip[2]), 2, rgb(colors.grid));
    }
    if (person.radius && layers.errors) points.forEach((point, j) => {  // each joint lies within its disc as often as not
      const radius = person.radius[frame * person.count + j] * point[3];
      if (point[2] > NEAREST) dot(context, point, radius, rgb(colors[person.sides.joints[j]], .13 * share));
    });
    // What was not seen is a guess, and faded: a joint's share of color is what was observed of it.
    const known = j => share * (!person.observed || person.observed[frame * person.count + j] > 0 ? 1 : .35);
    person.bones.forEach((bone, i) => shapes.push(
      {bone, points, person, known, name: person.sides.bones[i], depth: (points[bone[0]][2] + points[bone[1]][2]) / 2}));
  }
  const far = depth => Math.max(0, Math.min(1, (depth - distance + space.radius) / (2 * space.radius)));
  const tone = (name, depth, share) => rgb(mix(colors[name], colors.pane, 1 - share * (1 - .45 * far(depth))));
  for (const {bone, points, person, known, name, depth} of shapes.sort((a, b) => b.depth - a.depth)) {
    const [a, b] = bone.map(j => points[j]), thick = Math.max(2.5, .017 * (a[3] + b[3]));
    if (Math.min(a[2], b[2]) < NEAREST) continue;
    line(context, a, b, thick + Math.min(3, .5 * thick), rgb(colors.pane));  // a rim parts bones that cross
    line(context, a, b, thick, tone(name, depth, Math.min(...bone.map(known))));
    const j = bone[1];  // each joint but the root ends one bone
    dot(context, points[j], Math.max(1.8, .024 * points[j][3]), tone(person.sides.joints[j], points[j][2], known(j)));
  }
  drawOther(context, project, frame);
  drawWords(context, frame);
  const said = `squares of ${step} m`;
  if ($("scale").textContent !== said) $("scale").textContent = said;
}

// Numbers of people above their heads, and the angle that the curves show at its joints.
function drawWords(context, frame) {
  people.forEach((person, i) => {
    const points = lastPoints[i].filter(point => point[2] > NEAREST);
    if (!points.length) return;
    if (people.length > 1) {
      const top = points.reduce((a, b) => b[1] < a[1] ? b : a);
      plate(context, [top[0], Math.max(10, top[1] - 16)], person.label, personColor(person.index));
    }
    if (person.index !== (chosen ?? 0)) return;
    const angles = anglesNow(person, frame).filter(({value, j}) => j >= 0 && !isNaN(value) && lastPoints[i][j][2] > NEAREST);
    const middle = angles.reduce((sum, {j}) => sum + lastPoints[i][j][0], 0) / angles.length;
    for (const {value, j, name} of angles) {  // the plates of two sides stand apart
      const [x, y] = lastPoints[i][j], out = x < middle || (x === middle && name === "right") ? -26 : 26;
      plate(context, [x + out, y], `${Math.round(value)}°`, colors[name]);
    }
  });
}
