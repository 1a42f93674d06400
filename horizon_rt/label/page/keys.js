// The keyboard: one table serves the shortcuts and the help.

export const GROUPS = [
  ["Decide", [
    ["accept", ["Enter", " "], "Enter", "accept what is shown, go to the next frame to do"],
    ["none", ["n"], "N", "no horizon in this frame"],
    ["skip", ["k"], "K", "skip: leave the frame out of the dataset"],
    ["clear", ["Delete", "Backspace"], "Del", "forget what was said of this frame"],
    ["undo", ["z", "u"], "Z", "undo the last change"],
  ]],
  ["Draw", [
    ["snap", ["s"], "S", "move the line onto the edge beside it"],
    ["autoSnap", ["S"], "Shift S", "do so with every line"],
    ["carry", ["c"], "C", "carry the line of the labelled frame before"],
    ["autoCarry", ["C"], "Shift C", "begin every frame with it"],
    ["invert", ["i"], "I", "the sky is on the other side"],
    ["nudgeUp", ["ArrowUp"], "↑ ↓", "shift the line by ¼ px (Shift: 2 px)"],
    ["nudgeDown", ["ArrowDown"], "", ""],
    ["turnLeft", ["[", ",", "{", "<"], "[ ]", "tilt the line by 0.05° (Shift: 0.5°)"],
    ["turnRight", ["]", ".", "}", ">"], "", ""],
    ["cancel", ["Escape"], "Esc", "drop the first point"],
  ]],
  ["Look", [
    ["previous", ["ArrowLeft"], "← →", "previous and next frame"],
    ["next", ["ArrowRight"], "", ""],
    ["nextOpen", ["o"], "O", "next frame to do"],
    ["zoomIn", ["+", "="], "+ −", "zoom; also with the wheel"],
    ["zoomOut", ["-", "_"], "", ""],
    ["fit", ["0"], "0", "whole picture"],
    ["loupe", ["l"], "L", "loupe on or off"],
    ["theme", ["t"], "T", "light or dark"],
    ["help", ["?", "h"], "?", "this help"],
  ]],
];

/** Call actions[name](event) for the keys of the table. */
export function listen(actions) {
  const names = new Map(GROUPS.flatMap(([, rows]) => rows.flatMap(([name, keys]) => keys.map((k) => [k, name]))));
  document.addEventListener("keydown", (event) => {
    const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (!undo && (event.ctrlKey || event.metaKey || event.altKey)) return;
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    const name = undo ? "undo" : (names.get(event.key) ?? names.get(event.key.toLowerCase()));
    if (!name) return;
    event.preventDefault(); // Enter and Space must not press the button that has the focus, too
    if (!event.repeat || !["accept", "none", "skip", "undo", "clear"].includes(name)) actions[name](event);
  });
}

/** The table as rows of a definition list. */
export function writeHelp(element) {
  for (const [title, rows] of GROUPS) {
    const section = document.createElement("section");
    section.append(Object.assign(document.createElement("h3"), { textContent: title }));
    const list = document.createElement("dl");
    for (const [, , shown, text] of rows.filter(([, , label]) => label)) {
      const term = document.createElement("dt");
      for (const key of shown.split(" ")) term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
      list.append(term, Object.assign(document.createElement("dd"), { textContent: text }));
    }
    section.append(list);
    element.append(section);
  }
}
