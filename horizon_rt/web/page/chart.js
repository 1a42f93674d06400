// An angle over the last seconds, with the band of two sigma.
import { fitted, style } from "./canvas.js";

const LEAST_DEG = 10; // of the axis
const LEFT = 40;

export function drawChart(canvas, title, history, key, sigma, seconds) {
  const { context, width, height } = fitted(canvas);
  const points = history.map(({ at, row }) => [at, row[key], row[sigma] ?? 0]);
  const known = points.filter(([, value]) => value != null);
  const [low, high] = range(known);
  const now = points.at(-1)?.[0] ?? 0;
  const x = (at) => LEFT + ((at - now + seconds) / seconds) * (width - LEFT - 8);
  const y = (value) => 24 + ((high - value) / (high - low)) * (height - 32);
  drawAxis(context, low, high, width, y);
  context.fillStyle = style("--soft");
  context.fillText(`${title}, last ${seconds} s`, LEFT, 12);
  for (const run of runs(points)) {
    context.fillStyle = style("--band");
    context.beginPath();
    for (const [at, value, sd] of run) context.lineTo(x(at), y(Math.min(value + 2 * sd, high)));
    for (const [at, value, sd] of [...run].reverse()) context.lineTo(x(at), y(Math.max(value - 2 * sd, low)));
    context.fill();
    context.strokeStyle = style("--curve");
    context.lineWidth = 2;
    context.beginPath();
    for (const [at, value] of run) context.lineTo(x(at), y(value));
    context.stroke();
  }
}

function range(points) {
  const values = points.map(([, value]) => value);
  const [least, most] = [Math.min(...values, 0), Math.max(...values, 0)];
  const room = Math.max(0, LEAST_DEG - (most - least)) / 2 + 1;
  return [least - room, most + room];
}

// Stretches without a gap: the band of a lost track is not drawn through.
function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (point[1] != null) found.at(-1).push(point);
    else if (found.at(-1).length) found.push([]);
  }
  return found;
}

function drawAxis(context, low, high, width, y) {
  const step = [1, 2, 5, 10, 20, 45, 90, 180].find((size) => (high - low) / size <= 6) ?? 180;
  context.font = "11px system-ui";
  context.textBaseline = "middle";
  context.strokeStyle = style("--edge");
  context.fillStyle = style("--soft");
  context.lineWidth = 1;
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
    context.beginPath();
    context.moveTo(LEFT, y(value));
    context.lineTo(width - 8, y(value));
    context.stroke();
    context.fillText(`${value}°`, 6, y(value));
  }
}
