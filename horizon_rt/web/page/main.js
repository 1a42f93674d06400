// Telemetry comes as server-sent events, pictures as MJPEG; both are opened anew where they break off.
import { drawChart } from "./chart.js";
import { drawInstrument } from "./instrument.js";

const SECONDS = 60;
const byId = (id) => document.getElementById(id);
const history = [];
let latest = null;
let drawn = true;

const degrees = (value, sigma) =>
  value == null ? "–" : `${value.toFixed(1)}° ± ${(sigma ?? 0).toFixed(1)}°`;

function show(message) {
  latest = message;
  drawn = false;
  byId("source").textContent = message.source;
  document.title = `${message.source} – horizon-rt`;
  byId("reconnects").textContent = message.reconnects;
  const silent = message.source_state !== "receiving";
  byId("silent").hidden = !silent;
  const age = message.age_s == null ? "" : `, no picture for ${message.age_s.toFixed(0)} s`;
  byId("silent").textContent = silent ? message.source_state + age : "";
  if (silent) setState("lost", message.source_state);
  showRecording(message);
  const row = message.row;
  if (!row) return;
  if (!silent) setState(row.state, row.state);
  byId("roll").textContent = degrees(row.roll_deg, row.roll_sd_deg);
  byId("pitch").textContent = degrees(row.pitch_deg, row.pitch_sd_deg);
  byId("seen").textContent = row.view;
  byId("latency").textContent = row.latency_ms == null ? "–" : `${row.latency_ms.toFixed(0)} ms`;
  byId("age").textContent = `${message.picture_age_ms.toFixed(0)} ms`;
  history.push({ at: performance.now() / 1000, frame: row.frame, row });
  const since = history.at(-1).at - SECONDS;
  while (history[0].at < since) history.shift();
  const before = history.findLast((one) => one.at < history.at(-1).at - 1) ?? history[0];
  const seconds = history.at(-1).at - before.at;
  if (seconds > 0.5) byId("fps").textContent = ((row.frame - before.frame) / seconds).toFixed(0);
}

function showRecording({ recording, recording_failure: failure }) {
  const button = byId("record");
  button.hidden = recording == null;
  button.setAttribute("aria-pressed", Boolean(recording));
  button.textContent = recording ? (failure ? `Not recording: ${failure}` : "Stop recording") : "Record";
}

async function switchRecording() {
  const on = byId("record").getAttribute("aria-pressed") !== "true";
  const answer = await fetch("recording", { method: "POST", body: JSON.stringify({ on }) });
  if (answer.ok) showRecording(await answer.json());
}

function setState(kind, text) {
  byId("state").dataset.state = kind;
  byId("state").textContent = text;
}

function draw() {
  if (!drawn) {
    drawn = true;
    const row = latest?.source_state === "receiving" ? latest.row : null;
    drawInstrument(byId("instrument"), row ?? {});
    drawChart(byId("rolls"), "Roll", history, "roll_deg", "roll_sd_deg", SECONDS);
    drawChart(byId("pitches"), "Pitch", history, "pitch_deg", "pitch_sd_deg", SECONDS);
  }
  requestAnimationFrame(draw);
}

function openTelemetry() {
  const events = new EventSource("telemetry");
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.onerror = () => {
    setState("lost", "no connection");
    if (events.readyState === EventSource.CLOSED) setTimeout(openTelemetry, 1000);
  };
}

function openPicture() {
  byId("picture").src = `picture.mjpg?${Date.now()}`;
}

byId("picture").onerror = () => setTimeout(openPicture, 1000);
byId("record").onclick = switchRecording;
byId("theme").onclick = () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  drawn = false;
};
addEventListener("resize", () => (drawn = false));
openTelemetry();
openPicture();
draw();
