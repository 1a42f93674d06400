// The line of the frame in hand. What is not saved yet is a draft: the tracker's line, or one that was carried.

import { along, handlesOf, inverted, normal, onto, pointAt, through } from "./line.js";

const UPRIGHT = { x: 0, y: -1 };

export class Editor {
  constructor() {
    this.load(null);
  }

  /** Begin with a frame as the server knows it; null for none. */
  load(frame) {
    this.size = frame ? { width: frame.width, height: frame.height } : { width: 1, height: 1 };
    this.proposal = frame?.proposal ?? null;
    this.first = this.cursor = null;
    this.saved = frame?.status === "line";
    this.origin = "tracker";
    const proposed = this.proposal && "angle_deg" in this.proposal ? this.proposal : null;
    const open = frame?.status === "open" && proposed;
    this.#set(this.saved ? frame.line : open ? pick(proposed) : null);
  }

  /** A line that was carried here, not saved yet. */
  carry(line) {
    this.first = null;
    this.saved = false;
    this.origin = "carried";
    this.#set(line);
  }

  /** Place a point; true once two of them have made a line. */
  place(point) {
    if (!this.first) {
      this.first = point;
      return false;
    }
    if (Math.hypot(point.x - this.first.x, point.y - this.first.y) < 2) return false;
    const line = through(this.first, point, this.#sky(), this.size);
    const handles = [this.first, point];
    this.first = this.cursor = null;
    this.#set(line, handles);
    return true;
  }

  /** Move a handle by some image px; the other stays. */
  dragHandle(which, dx, dy) {
    const handles = this.handles.map((p, i) => (i === which ? { x: p.x + dx, y: p.y + dy } : p));
    if (Math.hypot(handles[0].x - handles[1].x, handles[0].y - handles[1].y) < 2) return;
    this.#set(through(...handles, this.#sky(), this.size), handles);
  }

  /** Shift the line by some image px. */
  shift(dx, dy) {
    const n = normal(this.line), across = dx * n.x + dy * n.y;
    this.#set({ ...this.line, offset_px: this.line.offset_px - across }, this.handles);
  }

  /** Shift the line by some image px across itself, upwards for positive ones (rightwards if it is vertical). */
  nudge(px) {
    const n = normal(this.line), up = Math.abs(n.y) < 1e-6 ? Math.sign(n.x) : -Math.sign(n.y);
    this.#set({ ...this.line, offset_px: this.line.offset_px - up * px }, this.handles);
  }

  /** Turn the line about the middle of its handles, clockwise for positive degrees. */
  turn(degrees) {
    const [p, q] = this.handles;
    const pivot = { x: (p.x + q.x) / 2, y: (p.y + q.y) / 2 };
    const s = along(this.line, pivot, this.size);
    const next = { ...this.line, angle_deg: wrapped(this.line.angle_deg + degrees) };
    const n = normal(next), moved = pointAt(this.line, s, 0, this.size);
    const c = { x: (this.size.width - 1) / 2, y: (this.size.height - 1) / 2 };
    next.offset_px = n.x * (c.x - moved.x) + n.y * (c.y - moved.y);
    this.#set(next, this.handles);
  }

  /** Put the sky on the other side. */
  invert() {
    this.#set(inverted(this.line), this.handles);
  }

  /** Take the edge that the server found beside the line, with the handles where they are. */
  snap(line) {
    this.origin = "edge";
    this.#set(line, this.handles);
  }

  /** The sky's direction that a new line takes over: of the line before, else of the tracker's, else up. */
  #sky() {
    if (this.line) return normal(this.line);
    return this.proposal && "angle_deg" in this.proposal ? normal(this.proposal) : UPRIGHT;
  }

  #set(line, handles) {
    this.line = line;
    this.handles = !line ? [] : handles ? onto(line, handles, this.size) : handlesOf(line, this.size);
  }
}

const wrapped = (degrees) => degrees - 360 * Math.round(degrees / 360);
const pick = ({ angle_deg, offset_px }) => ({ angle_deg, offset_px });
