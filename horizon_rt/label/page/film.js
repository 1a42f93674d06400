// The strip of frames with what was said of each.

import { thumbnailUrl } from "./api.js";

const NAMES = { open: "to do", line: "horizon drawn", none: "no horizon", skipped: "skipped" };

/** Fills `list` (an ol); `choose(number)` is called for a frame that is picked. */
export class Film {
  constructor(list, choose) {
    this.list = list;
    this.buttons = [];
    list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) choose(Number(button.dataset.number));
    });
  }

  update(frames, number) {
    while (this.buttons.length < frames.length) this.#add(this.buttons.length, frames);
    frames.forEach((frame, i) => this.#show(i, frame, i === number));
  }

  reveal(number) {
    const button = this.buttons[number];
    if (!button) return;
    const left = button.parentElement.offsetLeft - (this.list.clientWidth - button.offsetWidth) / 2;
    this.list.scrollTo({ left, behavior: "instant" });
  }

  #add(number, frames) {
    const item = document.createElement("li"), button = document.createElement("button");
    const image = document.createElement("img");
    Object.assign(image, { loading: "lazy", alt: "", src: thumbnailUrl(number), draggable: false });
    image.style.aspectRatio = `${frames[number].width} / ${frames[number].height}`;
    button.dataset.number = number;
    button.type = "button";
    button.append(image, Object.assign(document.createElement("span"), { className: "mark" }));
    item.append(button);
    this.list.append(item);
    this.buttons.push(button);
  }

  #show(number, frame, current) {
    const button = this.buttons[number];
    if (button.dataset.status !== frame.status) {
      button.dataset.status = frame.status;
      button.title = `${frame.file}: ${NAMES[frame.status]}`;
      button.setAttribute("aria-label", `Frame ${number + 1}, ${NAMES[frame.status]}`);
    }
    if (current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}
