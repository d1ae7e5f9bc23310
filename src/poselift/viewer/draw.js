// ---- Colors and canvases --------------------------------------------------------------------------------------------

let colors = {}, onVideo = {};
const PEOPLE_COLORS = ["#7c5cff", "#0f9f8a", "#d63a6b", "#b07d00", "#b23ac2", "#3a66d6", "#3f9142", "#a06a44", "#7d8794"];
const personColor = index => PEOPLE_COLORS[index % PEOPLE_COLORS.length].match(/\w\w/g).map(part => parseInt(part, 16));

function palette(scheme) {
  const probe = document.createElement("i"), found = {};
  probe.style.colorScheme = scheme;
  document.body.append(probe);
  for (const name of ["pane", "grid", "line", "shade", "left", "right", "middle", "text", "soft", "gap", "unseen", "other"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  }
  probe.remove();
  return found;
}

function readColors() {
  colors = palette("");
  onVideo = palette("dark");  // the bright set: pictures are rarely white
}
const rgb = (color, alpha = 1) => `rgba(${color.join(",")},${alpha})`;
const mix = (a, b, share) => a.map((value, i) => Math.round(value + (b[i] - value) * share));

// A cleared canvas at the screen's resolution, in CSS pixels.
function fresh(canvas) {
  const scale = devicePixelRatio || 1, {clientWidth: width, clientHeight: height} = canvas;
  const pixels = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) [canvas.width, canvas.height] = pixels;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.lineCap = context.lineJoin = "round";
  return {context, width, height};
}

function line(context, a, b, width, style) {
  context.beginPath();
  context.moveTo(a[0], a[1]);
  context.lineTo(b[0], b[1]);
  context.lineWidth = width;
  context.strokeStyle = style;
  context.stroke();
}

function dot(context, a, radius, style) {
  context.beginPath();
  context.arc(a[0], a[1], radius, 0, 2 * Math.PI);
  context.fillStyle = style;
  context.fill();
}

// A word on a plate, its middle at a place, or as near as the canvas lets it.
function plate(context, [x, y], text, color) {
  const width = context.canvas.clientWidth;
  context.font = "600 12px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif";
  const half = context.measureText(text).width / 2 + 5;
  x = Math.max(half, Math.min(width - half, x));
  context.beginPath();
  context.roundRect(x - half, y - 9, 2 * half, 18, 6);
  context.fillStyle = rgb(color, .88);
  context.fill();
  context.fillStyle = "#fff";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y + .5);
}
