// The server's interface. Changes are sent one after the other, so that the last one wins.

async function request(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The program has ended. Start it again to go on; what was saved is there.");
  }
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(value.error ?? `The server answered ${answer.status}.`);
  return value;
}

let last = Promise.resolve();

export const session = () => request("GET", "api/session");
export const imageUrl = (number) => `api/frames/${number}/image`;
export const thumbnailUrl = (number) => `api/frames/${number}/thumbnail`;
export const snap = (number, line, reach_px) =>
  request("POST", `api/frames/${number}/snap`, { line, reach_px });
export const carry = (number, from) =>
  last.then(() => request("POST", `api/frames/${number}/carry`, { from }));

export function mark(number, status, line) {
  const sent = last.then(() => request("PUT", `api/frames/${number}/mark`, { status, line }));
  last = sent.catch(() => {});
  return sent;
}
