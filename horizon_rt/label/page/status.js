// Words and numbers around the picture.

const get = (id) => document.getElementById(id);
const TOAST_MS = 3500;
const DRAFTS = {
  tracker: ["Tracker's line, to accept", "draft"],
  edge: ["On the edge, to accept", "draft"],
  carried: ["Carried, to accept", "carried"],
};
let fading = 0;

/** A short message at the foot of the picture. */
export function toast(text) {
  const box = get("toast");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => box.classList.remove("shown"), TOAST_MS);
}

/** The progress bar and how many are done. */
export function showCounts(frames) {
  const count = (status) => frames.filter((frame) => frame.status === status).length;
  const done = frames.length - count("open");
  get("done").textContent = frames.length ? `${done} of ${frames.length}` : "";
  for (const status of ["line", "none", "skipped"])
    get("progress").querySelector(`.${status}`).style.flexGrow = count(status);
  get("progress").querySelector(".open").style.flexGrow = count("open");
  get("progress").title = `${count("line")} drawn, ${count("none")} without a horizon, ${count("skipped")} skipped`;
}

export function showSwitch(id, on) {
  document.querySelector(`[data-do="${id}"]`)?.setAttribute("aria-pressed", String(on));
}

/** Which frame this is, what is shown, and its numbers. */
export function readout(frame, editor, number, count) {
  if (!frame) return;
  get("frame").textContent = `${number + 1} / ${count}`;
  get("file").textContent = frame.file;
  const [text, kind] = state(frame, editor);
  get("state").textContent = text;
  get("state").dataset.kind = kind;
  get("numbers").textContent = editor.line && !editor.first ? numbers(editor) : "";
  get("picture").dataset.number = number;
  get("picture").dataset.status = frame.status;
}

function state(frame, editor) {
  if (editor.first) return ["Click the second point", "draft"];
  if (editor.line && !editor.saved) return DRAFTS[editor.origin];
  if (frame.status === "none") return ["No horizon", "none"];
  if (frame.status === "skipped") return ["Skipped", "skipped"];
  if (editor.saved) return ["Saved", "line"];
  const view = { sky: "sky only", ground: "ground only" }[frame.proposal.view];
  return [`Tracker sees ${view ?? "no horizon"}, to accept`, "none"];
}

function numbers({ line, saved, origin, proposal }) {
  const sd = !saved && origin === "tracker" ? ` ± ${proposal.angle_sd_deg.toFixed(2)}` : "";
  return `tilt ${line.angle_deg.toFixed(2)}${sd}°`;
}
