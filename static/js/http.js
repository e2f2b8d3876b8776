// Requests to our own server: JSON in, JSON out, and one kind of error with words for people.

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || "The server did not answer");
    this.status = status;
    this.problem = problem;
  }
}

const headers = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}");

export async function send(method, url, body, options = {}) {
  // A form's data is sent as it is: it may hold files.
  const plain = body === undefined || body instanceof FormData;
  let answer;
  try {
    answer = await fetch(url, {
      method,
      credentials: "same-origin",
      keepalive: Boolean(options.keepalive),
      headers: {
        Accept: "application/json",
        ...(plain ? {} : { "Content-Type": "application/json" }),
        ...(options.once ? { "Idempotency-Key": options.once } : {}),
        ...headers(),
      },
      body: plain ? body : JSON.stringify(body),
    });
  } catch {
    throw new Refusal(0, { title: "No connection", detail: "The server cannot be reached." });
  }
  const text = await answer.text();
  let parsed = {};
  try {
    parsed = text ? JSON.parse(text) : {};
  } catch {
    parsed = { detail: `The server answered ${answer.status}.` };
  }
  if (!answer.ok) {
    if (!parsed.detail && parsed.errors?.[0]) parsed.detail = parsed.errors[0].detail;
    throw new Refusal(answer.status, parsed);
  }
  return parsed.data ?? parsed;
}

export async function page(url) {
  const answer = await fetch(url, {
    credentials: "same-origin",
    headers: { Accept: "text/html", "HX-Request": "true" },
  });
  if (answer.redirected && new URL(answer.url).pathname !== new URL(url, location).pathname) {
    location.assign(answer.url);
    return new Promise(() => {});
  }
  if (!answer.ok) throw new Refusal(answer.status, { detail: `The server answered ${answer.status}.` });
  return { text: await answer.text(), headers: answer.headers };
}

export const once = () => crypto.randomUUID();

export function parse(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content;
}
