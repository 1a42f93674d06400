// Image px to CSS px of the stage and back. The image pixel (i, j) covers i − ½ … i + ½, so that pixel centres are
// integers.

const MOST = 40; // CSS px for an image px

export class View {
  constructor() {
    Object.assign(this, { scale: 1, left: 0, top: 0, fitted: true });
    this.image = { width: 1, height: 1 };
    this.stage = { width: 1, height: 1 };
  }

  /** The scale at which the whole picture shows. */
  get fitScale() {
    return Math.min(this.stage.width / this.image.width, this.stage.height / this.image.height);
  }

  resize(stage, image) {
    const changed = image.width !== this.image.width || image.height !== this.image.height;
    this.stage = stage;
    this.image = image;
    if (this.fitted || changed) this.fit();
    else this.#settle();
  }

  fit() {
    this.scale = this.fitScale;
    this.fitted = true;
    this.#settle();
  }

  toStage(point) {
    return { x: (point.x + 0.5) * this.scale + this.left, y: (point.y + 0.5) * this.scale + this.top };
  }

  toImage(point) {
    return { x: (point.x - this.left) / this.scale - 0.5, y: (point.y - this.top) / this.scale - 0.5 };
  }

  /** Zoom by a factor; what lies under the point stays there. */
  zoom(factor, at = { x: this.stage.width / 2, y: this.stage.height / 2 }) {
    const held = this.toImage(at);
    this.scale = Math.min(Math.max(this.scale * factor, this.fitScale), Math.max(MOST, this.fitScale));
    this.fitted = this.scale <= this.fitScale;
    this.left = at.x - (held.x + 0.5) * this.scale;
    this.top = at.y - (held.y + 0.5) * this.scale;
    this.#settle();
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.#settle();
  }

  /** A side that fits is centred, one that does not leaves no gap. */
  #settle() {
    const place = (start, stage, length) =>
      length <= stage ? (stage - length) / 2 : Math.min(0, Math.max(stage - length, start));
    this.left = place(this.left, this.stage.width, this.image.width * this.scale);
    this.top = place(this.top, this.stage.height, this.image.height * this.scale);
  }
}
