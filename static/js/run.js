// The transcript of an attempt: what is new arrives at the end, what changed is morphed in place,
// and the reader's place is never taken away.

import { cardUrl } from "kanbanai/cards";
import { open, opened, refresh } from "kanbanai/drawer";
import { batched, fetchNodes, morph } from "kanbanai/fragments";
import { once, send } from "kanbanai/http";
import { toast } from "kanbanai/toast";

const NEAR_END = 80;
const NEWEST = 400;
const shell = document.getElementById("drawer");
const run = () => document.getElementById("run");
const items = () => document.getElementById("items");
const transcript = () => document.getElementById("transcript");

let stream;

export const attemptShown = () => opened()?.dataset.attempt || "";
const lastSeq = () => Number(run()?.dataset.lastSeq ?? 0);

const atEnd = () => {
  const box = transcript();
  return !box || box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END;
};

function toEnd() {
  const box = transcript();
  if (box) box.scrollTop = box.scrollHeight;
  offerJump(false);
}

function offerJump(shown) {
  const jump = shell.querySelector("[data-jump]");
  if (jump) jump.hidden = !shown;
}

/** Puts the fragments in the order of their numbers, and says whether any was new. */
function take(nodes) {
  const list = items();
  let fresh = false;
  for (const node of nodes) {
    const old = document.getElementById(node.id);
    if (old) {
      morph(old, node);
      continue;
    }
    fresh = true;
    // A number (`seq`) grows whenever an item changes; its position never does.
    const position = Number(node.dataset.position);
    const after = [...list.children].findLast((one) => Number(one.dataset.position) < position);
    if (after) after.after(node);
    else list.prepend(node);
  }
  return fresh;
}

const pull = batched(async (ids) => {
  const here = run();
  if (!here?.dataset.items) return;
  const attempt = here.dataset.attempt;
  const known = ids.filter((id) => id !== "*" && document.getElementById(`item-${id}`));
  const query = new URLSearchParams({ after: lastSeq(), ...(known.length ? { ids: known.join(",") } : {}) });
  const { nodes, headers } = await fetchNodes(`${here.dataset.items}?${query}`);
  if (run()?.dataset.attempt !== attempt) return;
  const stuck = atEnd();
  const fresh = take(nodes);
  const newest = Math.max(lastSeq(), Number(headers.get("X-Last-Seq") ?? 0), ...nodes.map((node) => Number(node.dataset.seq) || 0));
  run().dataset.lastSeq = newest;
  if (stuck) {
    while (items().children.length > NEWEST) items().firstElementChild.remove();
    toEnd();
  } else if (fresh) offerJump(true);
}, 80);

/** Draws the run anew; who read its end still does. */
export async function redraw() {
  const stuck = atEnd();
  await refresh();
  if (stuck) toEnd();
}

const soon = batched(redraw, 150);
// Numbers tick often; the head and the foot of the run need not follow each of them.
const later = batched(redraw, 3000);

export function message({ type, payload }) {
  if ((payload.attemptId ?? payload.attempt?.id) !== attemptShown()) return;
  if (/^attempt_(status|approval|plan|started)$/.test(type)) return soon("*");
  if (!run()) return;
  if (type === "conversation_item") {
    pull(payload.item?.id ?? "*");
    const line = shell.querySelector("[data-live-line]");
    if (line && payload.item?.tool) line.textContent = payload.item.tool.action ?? payload.item.tool.name;
  } else if (type !== "attempt_log" && type !== "conversation_delta") later("*");
}

export function begin(live) {
  stream = live;
  shown();
}

/** Called whenever the drawer shows another card, tab or attempt. */
export function shown() {
  const attempt = run() ? attemptShown() : "";
  if (!stream) return;
  for (const other of [...stream.watched.keys()]) if (other !== attempt) stream.unwatch(other);
  if (attempt && !stream.watched.has(attempt)) {
    stream.watch(attempt, lastSeq);
    toEnd();
  }
  transcript()?.addEventListener("scroll", () => atEnd() && offerJump(false), { passive: true });
}

async function older(button) {
  const here = run();
  button.disabled = true;
  const first = Number(items().firstElementChild?.dataset.position ?? 0);
  const { nodes } = await fetchNodes(`${here.dataset.items}?before=${first}&limit=100`);
  const box = transcript();
  const from = box.scrollHeight - box.scrollTop;
  take(nodes);
  box.scrollTop = box.scrollHeight - from;
  button.disabled = false;
  if (nodes.length < 100) button.remove();
}

async function guarded(button, act) {
  button?.setAttribute("aria-busy", "true");
  try {
    await act();
  } catch (error) {
    toast(error.message, { variant: "bad" });
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

export function start(agent) {
  const card = opened()?.dataset.card;
  if (!card) return false;
  const button = shell.querySelector("[data-start]");
  return guarded(button, async () => {
    const made = await send("POST", `${cardUrl(card)}/attempts`, agent ? { agent } : {}, { once: once() });
    await open(card, { tab: "run", attempt: (made.attempt ?? made).id });
  });
}

export function stop() {
  const attempt = attemptShown();
  if (!attempt) return false;
  return guarded(shell.querySelector("[data-stop]"), async () => {
    await send("PATCH", `/api/v1/attempts/${attempt}`, { status: "stopped" });
    await refresh();
  });
}

/** Answers the approval in focus, else the first; denial without words asks for them first. */
export function answer(decision) {
  const focused = document.activeElement?.closest?.(".approval") ?? shell.querySelector(".approval");
  if (!focused) return false;
  const reason = focused.querySelector('[name="feedback"]');
  if (decision === "deny" && reason && !reason.value && document.activeElement !== reason) {
    reason.focus();
    return undefined;
  }
  return decide(focused, decision);
}

function decide(approval, decision, button) {
  const feedback = approval.querySelector('[name="feedback"]')?.value.trim();
  return guarded(button, async () => {
    await send(
      "POST",
      `/api/v1/attempts/${approval.dataset.attempt}/approvals/${approval.dataset.approval}`,
      { decision, ...(feedback ? { feedback } : {}) },
      { once: once() },
    );
    approval.remove();
    await refresh();
  });
}

shell.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);
  const starter = on("[data-start]");
  if (starter) start(starter.dataset.agent);
  else if (on("[data-stop]")) stop();
  else if (on("[data-jump]")) toEnd();
  else if (on("[data-older]")) guarded(null, () => older(on("[data-older]")));
});

shell.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-approval-form]")) {
    event.preventDefault();
    // Enter in the reason denies; only the buttons allow.
    const typed = document.activeElement?.name === "feedback";
    decide(form.closest(".approval"), typed ? "deny" : event.submitter?.value ?? "deny", event.submitter);
  } else if (form.matches("[data-composer]")) {
    event.preventDefault();
    const text = form.elements.prompt;
    if (!text.value.trim()) return;
    guarded(event.submitter ?? form.querySelector("[type=submit]"), async () => {
      await send("POST", `/api/v1/attempts/${attemptShown()}/messages`, { prompt: text.value }, { once: once() });
      text.value = "";
      await refresh();
      toEnd();
    });
  }
});

shell.addEventListener("keydown", (event) => {
  if (!event.target.matches("[data-composer] textarea") || event.isComposing) return;
  if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
});
