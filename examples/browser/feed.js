// The input of person-scale weights from 2D keypoints, as poselift.prepare.feed computes it (docs/onnx.md).
// A clip is frames of joints [x, y, score], in the joints of the weights and at their frame rate; score 0: not seen.

// Scores divided by the median of the positive ones, and cut at 1.
export function calibrate(clip) {
  const found = clip.flat().map((joint) => joint[2]).filter((score) => score > 0).sort((a, b) => a - b);
  const half = found.length >> 1;
  const median = found.length % 2 ? found[half] : (found[half - 1] + found[half]) / 2;
  return clip.map((joints) => joints.map(([x, y, s]) => [x, y, found.length ? Math.min(s / median, 1) : 0]));
}

// Frames of the windows that together give every frame once: K = out.length frames each, from place out[0] on.
export function windowStarts(frames, out) {
  const starts = [];
  for (let first = 0; first < frames; first += out.length) starts.push(first - out[0]);
  return starts;
}

// One window of a calibrated clip, held at the clip's ends, as T * J * channels numbers.
export function feedWindow(clip, start, { inFrames, root, channels }) {
  const joints = clip[0].length, size = clip.length;
  const xy = [], seen = [], score = [];
  for (let t = 0; t < inFrames; t++) {
    const frame = clip[Math.min(Math.max(start + t, 0), size - 1)], inside = start + t >= 0 && start + t < size;
    xy.push(frame.map((joint) => [joint[0], joint[1]]));
    score.push(frame.map((joint) => (inside ? joint[2] : 0)));
    seen.push(score[t].map((value) => value > 0));
  }
  // Joints that are not seen: on the line between the sightings around, at the nearest one beyond them.
  const known = [...Array(joints).keys()].map((j) => seen.some((row) => row[j]));
  for (let j = 0; j < joints; j++) {
    if (!known[j]) continue;
    for (let t = 0; t < inFrames; t++) {
      if (seen[t][j]) continue;
      let before = t, after = t;
      while (before >= 0 && !seen[before][j]) before--;
      while (after < inFrames && !seen[after][j]) after++;
      if (before < 0) before = after;
      if (after >= inFrames) after = before;
      const share = after > before ? (t - before) / (after - before) : 0;
      xy[t][j] = [0, 1].map((i) => xy[before][j][i] + (xy[after][j][i] - xy[before][j][i]) * share);
    }
  }
  // A joint that is never seen in the window stands at the mean of those that are, frame by frame.
  const count = known.filter(Boolean).length;
  for (const frame of xy) {
    const mean = [0, 1].map((i) => frame.reduce((sum, p, j) => sum + (known[j] ? p[i] : 0), 0) / Math.max(count, 1));
    frame.forEach((_, j) => { if (!known[j]) frame[j] = mean; });
  }
  // The person's place: the root's mean over the frames that show the person; the size: the root mean square
  // distance of seen joints from the root of their frame.
  const place = [0, 0];
  let shown = 0, spread = 0, sightings = 0;
  xy.forEach((frame, t) => {
    if (seen[t].some(Boolean)) { shown++; place[0] += frame[root][0]; place[1] += frame[root][1]; }
    frame.forEach((p, j) => {
      if (!seen[t][j]) return;
      sightings++;
      spread += (p[0] - frame[root][0]) ** 2 + (p[1] - frame[root][1]) ** 2;
    });
  });
  const scale = Math.sqrt(Math.max(spread / Math.max(sightings, 1), 1e-12));
  const input = new Float32Array(inFrames * joints * channels);
  xy.forEach((frame, t) => frame.forEach((p, j) => {
    const origin = j === root ? place.map((sum) => sum / Math.max(shown, 1)) : frame[root];
    const values = [(p[0] - origin[0]) / scale, (p[1] - origin[1]) / scale, score[t][j]];
    values.slice(0, channels).forEach((value, i) => { input[(t * joints + j) * channels + i] = value; });
  }));
  return input;
}
