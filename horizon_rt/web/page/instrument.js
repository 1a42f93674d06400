// An artificial horizon: sky and ground by roll and pitch, a ladder of pitch, the band of two sigma.
import { fitted, style } from "./canvas.js";

const FIELD_DEG = 60; // from the top of the instrument to its bottom

export function drawInstrument(canvas, row) {
  const { context, width, height } = fitted(canvas);
  const known = row.roll_deg != null && row.pitch_deg != null;
  const scale = height / FIELD_DEG;
  context.fillStyle = known ? style("--sky") : style("--raised");
  context.fillRect(0, 0, width, height);
  context.save();
  context.translate(width / 2, height / 2);
  if (known) {
    context.rotate((-row.roll_deg * Math.PI) / 180);
    context.translate(0, row.pitch_deg * scale);
    drawWorld(context, 2 * Math.max(width, height), scale, row);
  }
  context.restore();
  drawWings(context, width, height);
}

function drawWorld(context, far, scale, row) {
  context.fillStyle = style("--earth");
  context.fillRect(-far, 0, 2 * far, 2 * far);
  const spread = 2 * (row.pitch_sd_deg ?? 0) * scale;
  const turn = Math.tan((2 * (row.roll_sd_deg ?? 0) * Math.PI) / 180);
  context.fillStyle = "rgb(255 255 255 / 30%)";
  context.beginPath();
  for (const [x, side] of [[-far, -1], [0, -1], [far, -1], [far, 1], [0, 1], [-far, 1]])
    context.lineTo(x, side * Math.hypot(spread, Math.min(turn, 5) * x));
  context.fill();
  context.strokeStyle = context.fillStyle = "#fff";
  context.lineWidth = 2;
  line(context, -far, 0, far, 0);
  context.lineWidth = 1.2;
  context.font = "11px system-ui";
  context.textBaseline = "middle";
  for (let degrees = -90; degrees <= 90; degrees += 10) {
    if (degrees === 0) continue;
    line(context, -28, -degrees * scale, 28, -degrees * scale);
    context.fillText(String(degrees), 33, -degrees * scale);
  }
}

function drawWings(context, width, height) {
  const [x, y] = [width / 2, height / 2];
  context.strokeStyle = "#ffcf33";
  context.lineWidth = 3.5;
  line(context, x - 0.32 * width, y, x - 0.12 * width, y);
  line(context, x + 0.12 * width, y, x + 0.32 * width, y);
  context.fillStyle = "#ffcf33";
  context.beginPath();
  context.arc(x, y, 4, 0, 7);
  context.fill();
}

function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}
