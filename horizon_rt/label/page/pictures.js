// The pictures of the frames, the last few kept, decoded before they are shown.

import { imageUrl } from "./api.js";

const KEPT = 8;
const pictures = new Map();

/** A decoded picture; the same promise for the same frame while it is kept. */
export function picture(number) {
  const known = pictures.get(number);
  if (known) {
    pictures.delete(number);
    pictures.set(number, known);
    return known;
  }
  const image = new Image();
  image.src = imageUrl(number);
  const loading = image.decode().then(() => image);
  loading.catch(() => pictures.delete(number));
  pictures.set(number, loading);
  if (pictures.size > KEPT) pictures.delete(pictures.keys().next().value);
  return loading;
}
