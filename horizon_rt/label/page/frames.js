// The frames and what was said of each: at once on the page, soon on the disk.

import * as api from "./api.js";

export class Frames {
  #undoable = [];

  /** `changed(number)` is called after every change, `failed(text, number)` when one could not be saved. */
  constructor(changed, failed) {
    this.list = [];
    this.changed = changed;
    this.failed = failed;
  }

  /** Take over new frames; what was said here is newer than what the server may have answered. */
  merge(list) {
    this.list = list.map((frame, i) => this.list[i] ?? frame);
  }

  /** Say something of a frame; it can be undone. */
  say(number, status, line = null) {
    const { status: earlier, line: earlierLine } = this.list[number];
    const was = { number, status: earlier, line: earlierLine };
    this.#undoable.push(was);
    this.#send(number, status, line, was);
  }

  /** Improve on what was said last, as one change with it. */
  amend(number, status, line) {
    const { status: earlier, line: earlierLine } = this.list[number];
    this.#send(number, status, line, { number, status: earlier, line: earlierLine });
  }

  /** Take the last change back; the number of its frame, or null. */
  undo() {
    const last = this.#undoable.pop();
    if (!last) return null;
    this.amend(last.number, last.status, last.line);
    return last.number;
  }

  /** The last frame before this one that has a line; −1 for none. */
  lineBefore(number) {
    return this.list.findLastIndex((frame, i) => i < number && frame.status === "line");
  }

  /** The next frame to do after this one, else the first; −1 for none. */
  toDo(number = -1) {
    const open = (frame) => frame.status === "open";
    const next = this.list.findIndex((frame, i) => i > number && open(frame));
    return next >= 0 ? next : this.list.findIndex(open);
  }

  #send(number, status, line, was) {
    this.#put(number, status, line);
    api.mark(number, status, line ?? undefined).catch((error) => {
      this.#undoable = this.#undoable.filter((entry) => entry !== was);
      this.#put(number, was.status, was.line);
      this.failed(error.message, number);
    });
  }

  #put(number, status, line) {
    this.list[number] = { ...this.list[number], status, line };
    this.changed(number);
  }
}
