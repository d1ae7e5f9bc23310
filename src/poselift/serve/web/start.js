/* Everything is put together. */

async function start() {
  server = await ask("GET", "/api");
  fillChoices();
  $("takes").textContent = `mp4, mov, webm, …; json, csv, npz, …; up to ${size(server.limits.upload_bytes)} each`;
  setOptions({});
  watchDrops();
  $("files").onchange = event => pick(event.target.files);
  $("form").onsubmit = send;
  $("cancel").onclick = clearForm;
  for (const radio of document.querySelectorAll("[name=who]")) radio.onchange = showWho;
  $("shown").onclick = pointAt;
  $("moment").oninput = event => {
    const player = $("video");
    player.currentTime = (player.duration || 0) * event.target.value / 1000;
    $("spot").hidden = true;
  };
  $("older").onclick = () => { shownMost = 200; look(); };
  $("again").onclick = liftAgain;
  $("stop-job").onclick = async () => { await ask("POST", `${shown.url}/stop`); await look(); };
  $("remove").onclick = askToRemove;
  $("sure").onclose = answered;
  addEventListener("hashchange", () => choose(location.hash.slice(1) || undefined));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  await look();
  document.body.dataset.ready = "true";
}

start().catch(error => {
  $("offline").hidden = false;
  document.body.dataset.error = String(error);
});
