// ---- Time: the video is the clock; without one, the screen is ------------------------------------------------------------

let video = null, playing = false, current = 0, clock = 0, last = 0, asked = false;

function refresh() {
  if (!asked) requestAnimationFrame(draw);
  asked = true;
}

function draw(now) {
  asked = false;
  if (playing && !video) {
    clock = (clock + (now - last) / 1000 * fps * Number($("speed").value)) % frames;
    show(Math.floor(clock));
  } else if (playing && !video.requestVideoFrameCallback) show(Math.floor(video.currentTime * fps + .01));
  last = now;
  drawPicture(current);
  drawSpace(current);
  drawCurves(current);
  if (playing) refresh();
}

const time = seconds => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;

// What is invented or filled in now, and of whom.
function doubts() {
  const words = [];
  for (const person of chosen === null ? people : [people[chosen]]) {
    const said = within(person.gaps, current) ? "gap: nobody seen, invented" : within(person.unseen, current) ? "nobody seen, filled in" : "";
    if (said) words.push(people.length > 1 ? said.replace("nobody", `${person.name} not`) : said);
  }
  return words.join("; ");
}

function show(frame) {
  current = Math.max(0, Math.min(frames - 1, frame));
  $("bar").value = current;
  const said = doubts();
  if ($("state").textContent !== said) $("state").textContent = said;
  $("bar").setAttribute("aria-valuetext", `frame ${current + 1}, ${time(current / fps)}${said && ", " + said}`);
  $("clock").innerHTML = `${time(current / fps)} <span>/ ${time(frames / fps)} · frame ${current + 1} of ${frames}</span>`;
  document.body.dataset.frame = current;
}

function seek(frame) {
  show(frame);
  clock = current;
  // Half a frame in, so that rounding never shows the picture before.
  if (video) video.currentTime = (current + .5) / fps;
  refresh();
}

function setPlaying(on) {
  playing = on && frames > 1;
  $("play").textContent = playing ? "Pause" : "Play";
  last = performance.now();
  clock = current;
  if (video && playing) video.play().catch(() => setPlaying(false));
  else if (video) {
    video.pause();
    seek(current);  // the picture may have run ahead
  }
  refresh();
}

function setSpeed() {
  if (video) video.playbackRate = Number($("speed").value);
}

function step(by) {
  if (playing) setPlaying(false);
  seek(current + by);
}

function onFrame(_, {mediaTime}) {
  if (!video) return;
  if (playing) show(Math.round(mediaTime * fps));
  else refresh();
  video.requestVideoFrameCallback(onFrame);
}

function openVideo() {
  const base64 = $("video-data").textContent;
  if (!base64) return;
  video = $("video");
  video.hidden = false;
  video.onerror = () => {
    video.hidden = true;
    video = null;
    $("notice").textContent = "This browser cannot play the embedded video.";
    setPlaying(playing);
  };
  video.onseeked = () => {
    document.body.dataset.seeked = current;
    refresh();  // the picture in the camera
  };
  video.onloadeddata = refresh;
  video.src = URL.createObjectURL(new Blob([bytes(base64)], {type: "video/mp4"}));
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
}

// A row of the time line for each person: what is filled in, and what is a gap.
function openMarks() {
  for (const person of people) {
    const row = document.createElement("div");
    for (const [spans, name] of [[person.unseen, "unseen"], [person.gaps, "gap"]]) {
      for (const [first, end] of spans) {
        const mark = document.createElement("i");
        mark.className = name;
        mark.style.left = `${100 * first / frames}%`;
        mark.style.width = `${100 * (end + 1 - first) / frames}%`;
        row.append(mark);
      }
    }
    row.title = `${person.name}: yellow is filled in, red is invented`;
    $("marks").append(row);
  }
  $("marks").hidden = people.every(person => !person.unseen.length && !person.gaps.length);
}
