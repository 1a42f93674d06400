// The page put together: the frames, the one in hand, and what buttons, keys and pointers do.

import * as api from "./api.js";
import { drawLoupe, drawStage } from "./draw.js";
import { Editor } from "./editor.js";
import { Film } from "./film.js";
import { Frames } from "./frames.js";
import * as keys from "./keys.js";
import { distance, span } from "./line.js";
import { picture } from "./pictures.js";
import * as pointer from "./pointer.js";
import { readout, showCounts, showSwitch, toast } from "./status.js";
import { View } from "./view.js";

const POLL_MS = 1000, REACH = { least: 4, most: 40, stage: 7 };
const get = (id) => document.getElementById(id);
const stage = get("stage"), canvas = get("picture"), loupe = get("loupe");
const view = new View(), editor = new Editor();
const film = new Film(get("film"), (number) => show(number));
const options = { autoSnap: false, autoCarry: false, loupe: true, ...JSON.parse(localStorage.getItem("options") ?? "{}") };
const frames = new Frames(changed, failed);
let current = -1, image = null, hover = null, visit = 0, painting = false, complete = false;

function paint() {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    view.resize({ width: stage.clientWidth, height: stage.clientHeight }, current < 0 ? view.image : editor.size);
    drawStage(canvas, view, editor, image);
    canvas.ariaBusy = String(!image);
    canvas.dataset.view = JSON.stringify([view.scale, view.left, view.top]);
    const focus = image && options.loupe && hover && loupeFocus();
    loupe.hidden = !focus;
    if (focus) drawLoupe(loupe, view, editor, image, focus, view.toStage(focus));
    readout(frames.list[current], editor, current, frames.list.length);
    stage.classList.toggle("over-line", Boolean(hover?.what));
  });
}

/** What the loupe shows: the handle that is dragged, else what lies under the pointer. */
function loupeFocus() {
  if (hover.what.startsWith("handle")) return editor.handles[Number(hover.what.slice(-1))];
  if (hover.touch && !hover.what) return null;
  return view.toImage(hover.point);
}

async function show(number) {
  if (number < 0 || number >= frames.list.length) return;
  const turn = ++visit;
  current = number;
  image = null;
  editor.load(frames.list[number]);
  view.fitted = true;
  refresh();
  film.reveal(number);
  try {
    const loaded = await picture(number);
    if (turn !== visit) return;
    image = loaded;
    paint();
    if (number + 1 < frames.list.length) picture(number + 1).catch(() => {});
    await begin(turn);
  } catch (error) {
    if (turn === visit) toast(error.message || "This picture cannot be shown.");
  }
}

/** The line that a frame to do starts from. */
async function begin(turn) {
  if (frames.list[current].status !== "open") return;
  if (options.autoCarry && frames.lineBefore(current) >= 0) await carry(turn);
  if (options.autoSnap && editor.line && turn === visit && !editor.saved) await snap({ quiet: true });
}

function refresh() {
  film.update(frames.list, current);
  showCounts(frames.list);
  for (const id of ["autoSnap", "autoCarry", "loupe"]) showSwitch(id, options[id]);
  paint();
}

/** A frame has another status. */
function changed(number) {
  if (number === current) editor.saved = frames.list[number].status === "line";
  refresh();
}

function failed(text, number) {
  if (number === current) editor.load(frames.list[number]);
  refresh();
  toast(text);
}

/** Save the line in hand, and once more on the edge beside it if that is wished for. */
async function saveLine({ snapped = options.autoSnap } = {}) {
  if (!span(editor.line, editor.size)) {
    editor.load(frames.list[current]);
    toast("The line does not cross the picture.");
    paint();
    return;
  }
  frames.say(current, "line", editor.line);
  if (snapped) await snap({ quiet: true, amend: true });
}

/** Move the line onto the edge; `amend` makes it one change with the one before. */
async function snap({ quiet = false, amend = false } = {}) {
  if (!editor.line || editor.first) return;
  const turn = visit, line = editor.line;
  const reach = Math.min(REACH.most, Math.max(REACH.least, REACH.stage / view.scale));
  try {
    const answer = await api.snap(current, line, reach);
    if (turn !== visit || editor.line !== line) return;
    if (answer.found) editor.snap(answer.line);
    if (answer.found && editor.saved) frames[amend ? "amend" : "say"](current, "line", editor.line);
    if (!answer.found && !quiet) toast("No clear edge beside the line; it stays where it is.");
    else if (!quiet) toast("On the edge.");
  } catch (error) {
    toast(error.message);
  }
  paint();
}

async function carry(turn = visit) {
  const from = frames.lineBefore(current);
  if (from < 0) return toast("No frame before this one has a line.");
  const begun = editor.first;
  try {
    const answer = await api.carry(current, from);
    if (turn !== visit || editor.first !== begun) return; // somebody draws already
    if (span(answer.line, editor.size)) editor.carry(answer.line);
    else toast("Carried here, the line leaves the picture.");
  } catch (error) {
    toast(error.message);
  }
  paint();
}

function accept() {
  if (current < 0) return;
  if (editor.first) return toast("Click the second point, or press Esc.");
  const frame = frames.list[current];
  if (editor.line && !editor.saved) saveLine({ snapped: false });
  else if (frame.status === "open" && !editor.line) {
    if (frame.proposal.view === "horizon") return toast("Draw the line, or press N for no horizon.");
    frames.say(current, "none");
  }
  forward();
}

function forward() {
  const number = frames.toDo(current);
  if (number >= 0) show(number);
  else toast(complete ? "Every frame is done. Close the page when you like." : "More frames are on their way.");
}

function decide(status) {
  if (current < 0) return;
  frames.say(current, status);
  editor.load(frames.list[current]);
  if (status === "open") refresh();
  else forward();
}

function undo() {
  if (editor.first) return actions.cancel();
  const number = frames.undo();
  if (number === null) return toast("Nothing to undo.");
  return show(number);
}

/** Change the line by `change` and save it. */
function adjust(change) {
  if (!editor.line || editor.first) return;
  change();
  saveLine({ snapped: false });
  paint();
}

function option(id) {
  options[id] = !options[id];
  localStorage.setItem("options", JSON.stringify(options));
  refresh();
}

function zoom(factor, at) {
  view.zoom(factor, at ?? (hover ? hover.point : undefined));
  paint();
}

function theme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
}

const nudge = (event) => (event?.shiftKey ? 2 : 0.25);
const tilt = (event) => (event?.shiftKey ? 0.5 : 0.05);
const actions = {
  accept,
  none: () => decide("none"),
  skip: () => decide("skipped"),
  clear: () => decide("open"),
  undo,
  snap: () => snap(),
  autoSnap: () => (option("autoSnap"), options.autoSnap && snap({ quiet: true })),
  carry: () => carry(),
  autoCarry: () => option("autoCarry"),
  invert: () => adjust(() => editor.invert()),
  nudgeUp: (event) => adjust(() => editor.nudge(nudge(event))),
  nudgeDown: (event) => adjust(() => editor.nudge(-nudge(event))),
  turnLeft: (event) => adjust(() => editor.turn(-tilt(event))),
  turnRight: (event) => adjust(() => editor.turn(tilt(event))),
  cancel: () => ((editor.first = editor.cursor = null), paint()),
  previous: () => show(current - 1),
  next: () => show(current + 1),
  nextOpen: forward,
  zoomIn: () => zoom(1.5),
  zoomOut: () => zoom(1 / 1.5),
  fit: () => (view.fit(), paint()),
  loupe: () => option("loupe"),
  theme,
  help: () => (get("help").open ? get("help").close() : get("help").showModal()),
};

pointer.listen(canvas, {
  hit(at, grip) {
    if (!editor.line || editor.first) return "";
    const spots = editor.handles.map((p) => view.toStage(p)).map((p) => Math.hypot(p.x - at.x, p.y - at.y));
    const nearest = spots[0] <= spots[1] ? 0 : 1;
    if (spots[nearest] <= grip) return `handle ${nearest}`;
    const off = Math.abs(distance(editor.line, view.toImage(at), editor.size)) * view.scale;
    return off <= grip / 2 ? "line" : "";
  },
  click(at) {
    if (image && editor.place(view.toImage(at))) saveLine();
    paint();
  },
  drag(what, from, to) {
    const dx = (to.x - from.x) / view.scale, dy = (to.y - from.y) / view.scale;
    if (what === "line") editor.shift(dx, dy);
    else editor.dragHandle(Number(what.slice(-1)), dx, dy);
    paint();
  },
  drop: () => saveLine(),
  pan: (dx, dy) => (view.pan(dx, dy), paint()),
  zoom,
  hover(point, touch, what) {
    hover = point && { point, touch, what };
    if (editor.first) editor.cursor = point && view.toImage(point);
    paint();
  },
});

keys.listen(actions);
keys.writeHelp(get("shortcuts"));
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (!button) return;
  actions[button.dataset.do](event);
  button.blur();
});
new ResizeObserver(paint).observe(stage);

async function poll() {
  try {
    const session = await api.session();
    get("name").textContent = document.title = session.name;
    get("source").textContent = session.source;
    frames.merge(session.frames);
    complete = session.complete;
    get("waiting").hidden = frames.list.length > 0;
    get("failure").hidden = !session.failure;
    get("failure").textContent = session.failure;
    const share = session.expected ? ` ${Math.min(100, Math.round((100 * session.seen) / session.expected))} %` : "";
    get("taking").textContent = session.complete || session.failure ? "" : `taking frames${share}`;
    if (current < 0 && frames.list.length) await show(Math.max(0, frames.toDo()));
    else refresh();
    if (!session.complete && !session.failure) setTimeout(poll, POLL_MS);
  } catch (error) {
    toast(error.message);
  }
}
poll();
