// ---- Data -----------------------------------------------------------------------------------------------------------

function bytes(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64), array = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) array[i] = text.charCodeAt(i);
  return array;
}

// int16 multiples of a unit, as differences from frame to frame, column by column, low bytes before high ones, deflated.
// The lowest number marks an unseen joint. Returns them frame by frame.
async function unpack(packed) {
  if (!packed) return null;
  const stream = new Blob([bytes(packed.data)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = raw.length / 2, length = packed.shape[0], columns = count / length, values = new Float32Array(count);
  for (let c = 0, i = 0; c < columns; c++) {
    for (let t = 0, whole = 0; t < length; t++, i++) {
      whole = (whole + (raw[i] | raw[count + i] << 8)) << 16 >> 16;
      values[t * columns + c] = whole === -32768 ? NaN : whole * packed.unit;
    }
  }
  return values;
}

const side = name => name.startsWith("left_") ? "left" : name.startsWith("right_") ? "right" : "middle";

// A bone between the two sides (hip to hip) belongs to neither.
function sides(figure) {
  const joints = figure.joints.map(side);
  return {joints, bones: figure.bones.map(([a, b]) => {
    const pair = [joints[a], joints[b]];
    return pair.includes("left") && pair.includes("right") ? "middle" : joints[b];
  })};
}

async function readKeypoints(keypoints) {
  if (!keypoints) return null;
  const [xy, confidence] = await Promise.all([unpack(keypoints.xy), unpack(keypoints.confidence)]);
  return {...keypoints, xy, confidence, sides: sides(keypoints)};
}

async function readAngles(angles) {
  return angles && {names: angles.names, degrees: await unpack(angles.degrees)};
}

// Lengths are in metres, in axes with x right, y down, z away from the camera.
async function readPerson(packed, index) {
  const names = ["xyz", "path", "observed", "radius", "up", "contact"];
  const arrays = await Promise.all(names.map(name => unpack(packed[name])));
  const person = {...packed, ...Object.fromEntries(names.map((name, i) => [name, arrays[i]])), index};
  person.count = person.joints.length;
  person.sides = sides(person);
  [person.keypoints, person.angles] = await Promise.all([readKeypoints(packed.keypoints), readAngles(packed.angles)]);
  return person;
}

// A result: what one page shows. `placed` people are where they are; others stand side by side.
async function readResult(packed) {
  const result = {...packed, people: await Promise.all(packed.people.map(readPerson))};
  result.people.forEach((person, i) => {
    person.aside = result.placed ? 0 : 1.4 * (i - (result.people.length - 1) / 2);
    person.invented = new Uint8Array(result.frames);
    for (const [first, end] of person.gaps) person.invented.fill(1, first, end + 1);
    person.floor = result.placed ? null : floorHeights(person, result.frames, result.fps);
  });
  result.level = result.placed && !result.world ? lowest(result) : 0;
  return result;
}

const within = (spans, frame) => spans.some(([first, last]) => first <= frame && frame <= last);

// Poses are relative to the pelvis. Standing each on its lowest joint lets a crouching person sink, not float;
// a mean over a fifth of a second keeps the body from trembling with its feet.
function floorHeights({xyz, count}, frames, fps) {
  const sums = new Float64Array(frames + 1), reach = Math.round(fps / 10), mean = new Float32Array(frames);
  for (let t = 0; t < frames; t++) {
    let lowest = -Infinity;
    for (let j = 0; j < count; j++) lowest = Math.max(lowest, xyz[3 * (t * count + j) + 1]);
    sums[t + 1] = sums[t] + lowest;
  }
  for (let t = 0; t < frames; t++) {
    const near = Math.min(reach, t, frames - 1 - t);
    mean[t] = (sums[t + near + 1] - sums[t - near]) / (2 * near + 1);
  }
  return mean;
}

// Where people are placed before a camera, but no floor is known: the level of the lowest joint of all.
function lowest({people, frames}) {
  let level = -Infinity;
  for (const {xyz, path, count} of people) {
    for (let t = 0; t < frames; t++) {
      for (let j = 0; j < count; j++) level = Math.max(level, xyz[3 * (t * count + j) + 1] + path[3 * t + 1]);
    }
  }
  return level;
}

// Where the root of a person is, its height counted from the floor.
function root(result, person, frame) {
  if (!result.placed) return [person.aside, -person.floor[frame], 0];
  const i = 3 * frame;
  return [person.path[i], person.path[i + 1] - result.level, person.path[i + 2]];
}

// All joints of a person in a frame, their heights counted from the floor.
function jointsAt(result, person, frame, [x, y, z] = root(result, person, frame)) {
  const joints = [];
  for (let i = 3 * frame * person.count, end = i + 3 * person.count; i < end; i += 3) {
    joints.push([person.xyz[i] + x, person.xyz[i + 1] + y, person.xyz[i + 2] + z]);
  }
  return joints;
}

// At most about so many frames of a person, those in gaps left out if there are others.
function samples({frames}, {invented}, count) {
  const every = Math.max(1, Math.floor(frames / count)), all = Array.from({length: Math.ceil(frames / every)}, (_, i) => i * every);
  const seen = all.filter(t => !invented[t]);
  return seen.length ? seen : all;
}

// Room that people take in the whole clip: its middle on the floor, its height, and the radius around the middle.
function room(result, people) {
  const low = [Infinity, Infinity], high = [-Infinity, -Infinity], places = [];
  let height = .5, radius = .3;
  for (const person of people) for (const t of samples(result, person, 300)) {
    for (const [x, y, z] of jointsAt(result, person, t)) {
      height = Math.max(height, -y);
      [low[0], low[1], high[0], high[1]] = [Math.min(low[0], x), Math.min(low[1], z), Math.max(high[0], x), Math.max(high[1], z)];
      places.push([x, z]);
    }
  }
  // The camera's view of somebody who is not placed stays straight: the pelvis is in the middle.
  const middle = result.placed ? low.map((value, axis) => (value + high[axis]) / 2) : [people.length > 1 ? 0 : people[0].aside, 0];
  for (const [x, z] of places) radius = Math.max(radius, Math.hypot(x - middle[0], z - middle[1]));
  return {height, radius, middle};
}

let data, people, fps, frames, picture;  // of this page
let space;  // the room that is shown
