// ---- 2D: keypoints over the video, or alone ---------------------------------------------------------------------------

// Returns the scale of the picture in a pane, and where its pixel (0, 0) is.
function inPane(width, height) {
  const [left, top, across, down] = picture.box, scale = Math.min(width / across, height / down);
  return {scale, x0: (width - across * scale) / 2 - left * scale, y0: (height - down * scale) / 2 - top * scale};
}

function drawPicture(frame) {
  if (!picture) return;
  const {context, width, height} = fresh($("picture")), {scale, x0, y0} = inPane(width, height);
  if (picture.whole && !video) {
    const [left, top, across, down] = picture.box;
    context.lineWidth = 1;
    context.strokeStyle = rgb(colors.line);
    context.strokeRect(x0 + left * scale + .5, y0 + top * scale + .5, across * scale - 1, down * scale - 1);
  }
  const toPane = ([x, y]) => [x0 + x * scale, y0 + y * scale];
  for (const person of people) {
    const strength = chosen === null || chosen === person.index ? 1 : .3;
    const top = person.keypoints && drawKeypoints(context, person.keypoints, frame, toPane, strength, Math.min(width, height));
    if (top && people.length > 1) plate(context, [top[0], Math.max(10, top[1] - 18)], person.label, personColor(person.index));
    if (layers.drawn && data.camera) drawBack(context, person, frame, toPane, strength);
  }
  sayMisses(frame);
}

// Returns the highest point of the figure.
function drawKeypoints(context, keypoints, frame, toPane, strength, pane) {
  const count = keypoints.joints.length, size = Math.max(2, pane / 160), {xy, confidence} = keypoints;
  const points = keypoints.joints.map((_, j) => {
    const i = frame * count + j;
    return [...toPane([xy[2 * i], xy[2 * i + 1]]), strength * (confidence ? .25 + .75 * Math.min(1, confidence[i]) : 1)];
  });
  const tones = video ? onVideo : colors, halo = video ? [0, 0, 0] : colors.pane;
  keypoints.bones.forEach(([a, b], i) => {
    const [from, to] = [points[a], points[b]], alpha = Math.min(from[2], to[2]);
    if (isNaN(from[0]) || isNaN(to[0])) return;
    line(context, from, to, size + 2.5, rgb(halo, .5 * alpha));
    line(context, from, to, size, rgb(tones[keypoints.sides.bones[i]], alpha));
  });
  let top = null;
  points.forEach((point, j) => {
    if (isNaN(point[0])) return;
    if (!top || point[1] < top[1]) top = point;
    dot(context, point, size + 1, rgb(halo, .6 * point[2]));
    dot(context, point, size, rgb(tones[keypoints.sides.joints[j]], point[2]));
  });
  return top;
}

// Distances in pixels between the keypoints and the 3D joints of the same names, as the camera sees them.
function misses(person, frame) {
  const {keypoints} = person, count = keypoints.joints.length, joints = jointsAt(data, person, frame), found = [];
  keypoints.joints.forEach((name, k) => {
    const j = person.joints.indexOf(name), i = frame * count + k, seen = j >= 0 && throughCamera(joints[j]);
    const miss = seen ? Math.hypot(seen[0] - keypoints.xy[2 * i], seen[1] - keypoints.xy[2 * i + 1]) : NaN;
    if (!isNaN(miss)) found.push(miss);
  });
  return found;
}

function sayMisses(frame) {
  let said = "";
  if (layers.drawn && data.camera) {
    const who = people.filter(({index, keypoints}) => keypoints && (chosen === null || chosen === index));
    const all = who.flatMap(person => misses(person, frame)).sort((a, b) => a - b);
    said = `white: 3D joints${all.length ? `, ${Math.round(all[all.length >> 1])} px off` : ""}`;
  }
  if ($("miss").textContent !== said) $("miss").textContent = said;
}

// The 3D joints as the camera sees them: thin, so that what is beneath stays visible.
function drawBack(context, person, frame, toPane, strength) {
  const points = jointsAt(data, person, frame).map(joint => {
    const seen = throughCamera(joint);
    return seen && toPane(seen);
  });
  const [left, top, across, down] = picture.box, corner = toPane([left, top]), end = toPane([left + across, top + down]);
  context.save();
  context.beginPath();
  context.rect(...corner, end[0] - corner[0], end[1] - corner[1]);
  context.clip();
  const alpha = strength * (person.invented[frame] ? .35 : 1);
  for (const [width, style] of [[3.5, rgb([0, 0, 0], .45 * alpha)], [1.5, rgb([255, 255, 255], alpha)]]) {
    context.beginPath();
    for (const [a, b] of person.bones) {
      if (!points[a] || !points[b]) continue;
      context.moveTo(...points[a]);
      context.lineTo(...points[b]);
    }
    context.lineWidth = width;
    context.strokeStyle = style;
    context.stroke();
  }
  context.restore();
}

// ---- The camera: where a joint is in its axes, and at which pixel -----------------------------------------------------

function cameraAxes([x, y, z]) {
  const {R, t} = data.camera, from = [x, y + data.level, z];
  return R.map((row, i) => row[0] * from[0] + row[1] * from[1] + row[2] * from[2] + t[i]);
}

// The lens: OpenCV's model, or that of the Human3.6M studio (poselift/geometry/camera.py).
function bend(x, y) {
  const {lens} = data.camera;
  if (!lens) return [x, y];
  if (lens.radial) {
    [x, y] = [x, y].map(value => Math.max(-1, Math.min(1, value)));
    const r2 = x * x + y * y, [a, b, c] = lens.radial, [tx, ty] = lens.tangential;
    const scale = 1 + r2 * (a + r2 * (b + r2 * c)) + x * tx + y * ty;
    return [x * scale + tx * r2, y * scale + ty * r2];
  }
  const [k1, k2, p1, p2, k3 = 0] = lens, r2 = x * x + y * y, radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3));
  return [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y)];
}

// Returns [x, y, depth in metres] in pixels; null behind the camera.
function throughCamera(point) {
  const [x, y, z] = cameraAxes(point), {K} = data.camera;
  if (z < .05) return null;
  const [u, v] = bend(x / z, y / z);
  return [K[0][0] * u + K[0][1] * v + K[0][2], K[1][1] * v + K[1][2], z];
}
