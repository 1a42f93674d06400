// Mouse, pen and fingers on the stage: a click places a point, a drag moves a handle, the line or the view.

const CLICK_PX = 5, GRIP = { mouse: 13, pen: 16, touch: 28 }, WHEEL = 0.0016;

const between = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/**
 * Listen on `element`. `actions` has `hit(point, grip)`, which names what lies there ("handle 0", "line" or ""),
 * `click(point)`, `drag(what, from, to)`, `drop(what)`, `pan(dx, dy)`, `zoom(factor, point)`, `hover(point or
 * null, touch)`; points are CSS px of the element.
 */
export function listen(element, actions) {
  const pointers = new Map();
  let drag = null;

  const position = (event) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  element.addEventListener("pointerdown", (event) => {
    const at = position(event);
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at);
    if (pointers.size > 1) {
      if (drag?.moved && drag.what) actions.drop(drag.what);
      drag = null;
      return;
    }
    const what = event.button === 0 ? actions.hit(at, GRIP[event.pointerType] ?? GRIP.mouse) : "";
    drag = { what, start: at, last: at, moved: false, button: event.button };
    actions.hover(at, event.pointerType === "touch", what);
  });

  element.addEventListener("pointermove", (event) => {
    const at = position(event), before = pointers.get(event.pointerId);
    if (pointers.size === 2 && before) pinch(event.pointerId, before, at);
    else if (drag) move(at);
    if (before) pointers.set(event.pointerId, at);
    if (pointers.size < 2) actions.hover(at, event.pointerType === "touch", drag?.what ?? "");
  });

  const end = (event) => {
    if (!pointers.delete(event.pointerId) || !drag) return;
    const { what, moved, start, button } = drag;
    drag = null;
    if (event.type === "pointercancel") {
      if (moved && what) actions.drop(what);
    } else if (!moved && button === 0) actions.click(start);
    else if (what) actions.drop(what);
    if (event.pointerType === "touch") actions.hover(null, true, "");
  };
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
  element.addEventListener("pointerleave", () => actions.hover(null, false, ""));
  element.addEventListener("contextmenu", (event) => event.preventDefault());
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      actions.zoom(Math.exp(-event.deltaY * lines * WHEEL * (event.ctrlKey ? 5 : 1)), position(event));
    },
    { passive: false },
  );

  function move(at) {
    if (!drag.moved && between(at, drag.start) < CLICK_PX) return;
    drag.moved = true;
    if (drag.what) actions.drag(drag.what, drag.last, at);
    else actions.pan(at.x - drag.last.x, at.y - drag.last.y);
    drag.last = at;
  }

  function pinch(id, before, at) {
    const [other] = [...pointers].filter(([key]) => key !== id).map(([, point]) => point);
    const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
    actions.pan((at.x - before.x) / 2, (at.y - before.y) / 2);
    actions.zoom(between(at, other) / Math.max(1, between(before, other)), middle);
  }
}
