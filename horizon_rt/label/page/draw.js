// Everything on the stage: the picture, the line with its band, handles and sky side, and the loupe.

import { normal, pointAt, span } from "./line.js";

const SAVED = "#3ee07f", DRAFT = "#5cc8ff", CARRIED = "#ffc24d", SHADOW = "rgb(0 0 0 / 65%)";
const PIXELS_FROM = 3; // CSS px per image px, from which pixels show as squares
const LOUPE_PX = 140, LOUPE_MAGNIFIES = 4, LOUPE_LEAST = 8;
const radians = (degrees) => (degrees * Math.PI) / 180;

export const colourOf = (editor) =>
  editor.saved ? SAVED : editor.origin === "carried" ? CARRIED : DRAFT;

/** Give a canvas the device pixels of its CSS size; its context then draws in CSS px. */
export function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

export function drawStage(canvas, view, editor, picture) {
  const context = prepare(canvas, view.stage.width, view.stage.height);
  if (picture) drawPicture(context, view, picture);
  const { line, size } = editor;
  if (editor.first) drawFirst(context, view, editor);
  else if (line && span(line, size)) {
    if (!editor.saved && editor.origin === "tracker") drawBand(context, view, editor);
    stroke(context, ends(view, line, size), colourOf(editor), 1.6, editor.saved ? [] : [9, 6]);
    drawSky(context, view, editor);
    for (const handle of editor.handles) drawHandle(context, view.toStage(handle), colourOf(editor), editor.saved);
  }
}

function drawPicture(context, view, picture) {
  context.imageSmoothingEnabled = view.scale < PIXELS_FROM;
  context.imageSmoothingQuality = "high";
  const { width, height } = view.image;
  context.drawImage(picture, view.left, view.top, width * view.scale, height * view.scale);
}

/** Both ends of the line in CSS px, as far as the picture reaches, pixel borders included. */
function ends(view, line, size) {
  const grown = { width: size.width + 1, height: size.height + 1 };
  return span(line, grown).map((s) => view.toStage(pointAt(line, s, 0, size)));
}

function path(context, points) {
  context.beginPath();
  points.forEach((p, i) => (i ? context.lineTo(p.x, p.y) : context.moveTo(p.x, p.y)));
}

/** A line that can be seen on bright and on dark ground. */
function stroke(context, points, colour, width = 1.6, dash = []) {
  context.save();
  context.lineJoin = context.lineCap = dash.length ? "butt" : "round";
  context.setLineDash(dash);
  for (const [w, shade] of [[width + 1.8, SHADOW], [width, colour]]) {
    path(context, points);
    context.lineWidth = w;
    context.strokeStyle = shade;
    context.stroke();
  }
  context.restore();
}

/** One standard deviation: of the distance, and of the tilt about the foot point. */
function drawBand(context, view, editor) {
  const { line, size, proposal } = editor;
  const [low, high] = span(line, size);
  const edge = (sign) =>
    Array.from({ length: 33 }, (_, i) => {
      const s = low + ((high - low) * i) / 32;
      const sd = Math.hypot(proposal.offset_sd_px, radians(proposal.angle_sd_deg) * s);
      return view.toStage(pointAt(line, s, sign * sd, size));
    });
  path(context, [...edge(1), ...edge(-1).reverse()]);
  context.fillStyle = "rgb(92 200 255 / 28%)";
  context.fill();
}

/** A short arrow that points into the sky. */
function drawSky(context, view, editor) {
  const [low, high] = span(editor.line, editor.size);
  const foot = view.toStage(pointAt(editor.line, (low + high) / 2, 0, editor.size));
  const n = normal(editor.line);
  const tip = { x: foot.x + 30 * n.x, y: foot.y + 30 * n.y };
  const wing = (side) => ({ x: tip.x - 8 * n.x + side * 5 * n.y, y: tip.y - 8 * n.y - side * 5 * n.x });
  stroke(context, [{ x: foot.x + 8 * n.x, y: foot.y + 8 * n.y }, tip], colourOf(editor), 2);
  stroke(context, [wing(1), tip, wing(-1)], colourOf(editor), 2);
  context.font = "600 12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 3;
  context.strokeStyle = SHADOW;
  const at = { x: tip.x + 14 * n.x, y: tip.y + 12 * n.y };
  context.strokeText("sky", at.x, at.y);
  context.fillStyle = "#fff";
  context.fillText("sky", at.x, at.y);
}

function drawHandle(context, at, colour, filled) {
  context.beginPath();
  context.arc(at.x, at.y, 8, 0, 2 * Math.PI);
  context.lineWidth = 4;
  context.strokeStyle = SHADOW;
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = filled ? "#fff" : colour;
  context.stroke();
  context.beginPath();
  context.arc(at.x, at.y, 1.6, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
}

function drawFirst(context, view, editor) {
  const from = view.toStage(editor.first);
  if (editor.cursor) stroke(context, [from, view.toStage(editor.cursor)], "#fff");
  drawHandle(context, from, "#fff", true);
}

/** The picture around `focus` (image px), magnified, beside `near` (CSS px of the stage). */
export function drawLoupe(canvas, view, editor, picture, focus, near) {
  const context = prepare(canvas, LOUPE_PX, LOUPE_PX);
  const scale = Math.max(LOUPE_LEAST, LOUPE_MAGNIFIES * view.scale), half = LOUPE_PX / 2;
  const lens = {
    toStage: (p) => ({ x: half + (p.x - focus.x) * scale, y: half + (p.y - focus.y) * scale }),
  };
  context.imageSmoothingEnabled = false;
  const { width, height } = view.image, corner = lens.toStage({ x: -0.5, y: -0.5 });
  context.drawImage(picture, corner.x, corner.y, width * scale, height * scale);
  if (editor.line && !editor.first) stroke(context, ends(lens, editor.line, editor.size), colourOf(editor), 1.2);
  for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    const arm = (length) => ({ x: half + length * x, y: half + length * y });
    stroke(context, [arm(5), arm(14)], "#fff", 1);
  }
  const beside = (at, room) => (at + 28 + LOUPE_PX <= room ? at + 28 : Math.max(0, at - 28 - LOUPE_PX));
  const above = near.y - 36 - LOUPE_PX >= 0 ? near.y - 36 - LOUPE_PX : near.y + 36;
  canvas.style.translate = `${beside(near.x, view.stage.width)}px ${above}px`;
}
