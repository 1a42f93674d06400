// The horizon as a line of the image: tilt `angle_deg` and `offset_px`, the signed distance from the line to the
// image centre, positive when the centre is in the sky. Points are {x, y} in px, pixel centres at integers.

const radians = (degrees) => (degrees * Math.PI) / 180;

export const centre = (size) => ({ x: (size.width - 1) / 2, y: (size.height - 1) / 2 });

/** Unit normal towards the sky. */
export function normal(line) {
  const a = radians(line.angle_deg);
  return { x: Math.sin(a), y: -Math.cos(a) };
}

/** Signed distance of a point, positive in the sky. */
export function distance(line, point, size) {
  const n = normal(line), c = centre(size);
  return n.x * (point.x - c.x) + n.y * (point.y - c.y) + line.offset_px;
}

/** The point `s` px along the line from its foot point, `t` px towards the sky. */
export function pointAt(line, s, t, size) {
  const n = normal(line), c = centre(size), across = t - line.offset_px;
  return { x: c.x + across * n.x - s * n.y, y: c.y + across * n.y + s * n.x };
}

/** How far along the line a point lies. */
export function along(line, point, size) {
  const n = normal(line), c = centre(size);
  return (point.y - c.y) * n.x - (point.x - c.x) * n.y;
}

/** Where the line enters and leaves the picture, in px along it; null where it misses it. */
export function span(line, size) {
  const n = normal(line), half = centre(size);
  let low = -Infinity, high = Infinity;
  const sides = [[-line.offset_px * n.x, -n.y, half.x], [-line.offset_px * n.y, n.x, half.y]];
  for (const [foot, step, reach] of sides) {
    if (Math.abs(step) < 1e-12) {
      if (Math.abs(foot) > reach) return null;
      continue;
    }
    const a = (-reach - foot) / step, b = (reach - foot) / step;
    low = Math.max(low, Math.min(a, b));
    high = Math.min(high, Math.max(a, b));
  }
  return low < high ? [low, high] : null;
}

/** The line through two points, its sky on the side that `sky` (a vector) points to. */
export function through(p, q, sky, size) {
  const length = Math.hypot(q.x - p.x, q.y - p.y);
  let n = { x: (q.y - p.y) / length, y: (p.x - q.x) / length };
  if (n.x * sky.x + n.y * sky.y < 0) n = { x: -n.x, y: -n.y };
  const c = centre(size);
  return {
    angle_deg: (Math.atan2(n.x, -n.y) * 180) / Math.PI,
    offset_px: n.x * (c.x - p.x) + n.y * (c.y - p.y),
  };
}

/** The same line with the sky on its other side. */
export function inverted(line) {
  const angle = line.angle_deg > 0 ? line.angle_deg - 180 : line.angle_deg + 180;
  return { angle_deg: angle, offset_px: -line.offset_px };
}

/** Two points to drag the line by, well inside the picture. */
export function handlesOf(line, size) {
  const ends = span(line, size);
  if (!ends) return [];
  return [0.2, 0.8].map((share) => pointAt(line, ends[0] + share * (ends[1] - ends[0]), 0, size));
}

/** The nearest points on the line to where the handles were. */
export function onto(line, handles, size) {
  return handles.map((p) => pointAt(line, along(line, p, size), 0, size));
}
