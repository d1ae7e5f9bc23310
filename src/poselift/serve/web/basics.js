"use strict";
window.onerror = message => { document.body.dataset.error = message; };
window.onunhandledrejection = event => { document.body.dataset.error = String(event.reason); };

const $ = id => document.getElementById(id);

/** A new element; text is never taken for HTML. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** An answer of the server: its content, or an error with the messages in it. */
async function ask(method, url) {
  let answer;
  try {
    answer = await fetch(url, { method });
  } catch {
    throw Object.assign(new Error("The server does not answer."), { offline: true });
  }
  const content = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(said(content.errors)), { status: answer.status });
  return content;
}

const said = errors => errors.map(error => error.message).join("\n");

function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let unit = 0;
  while (bytes >= 1000 && unit < 3) { bytes /= 1000; unit++; }
  return `${unit && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

function lasting(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

const when = seconds => new Date(seconds * 1000).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
