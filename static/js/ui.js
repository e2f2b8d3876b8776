// What every page needs: menus, dialogs, copying, ages and the answers of forms.

import "kanbanai/theme";
import { isFor } from "kanbanai/keyboard";
import { toast } from "kanbanai/toast";

const dialog = document.getElementById("dialog");

// Menus open beside the button that opened them, inside the window.
document.addEventListener(
  "toggle",
  (event) => {
    const menu = event.target;
    if (!menu.matches?.(".menu") || event.newState !== "open") return;
    const opener = menu.anchor ?? document.querySelector(`[popovertarget="${menu.id}"]`);
    if (!opener) return;
    const at = opener.getBoundingClientRect();
    const box = menu.getBoundingClientRect();
    const below = at.bottom + box.height + 8 < innerHeight;
    menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.width - 8))}px`;
    menu.style.top = below ? `${at.bottom}px` : `${Math.max(8, at.top - box.height - 8)}px`;
    menu.querySelector(".menu-item")?.focus({ preventScroll: true });
  },
  true,
);

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".menu");
  if (!menu || !/^Arrow(Up|Down)$/.test(event.key)) return;
  event.preventDefault();
  const items = [...menu.querySelectorAll(".menu-item:not(:disabled)")];
  const step = event.key === "ArrowDown" ? 1 : -1;
  items.at((items.indexOf(document.activeElement) + step) % items.length)?.focus();
});

document.addEventListener("click", async (event) => {
  const on = (selector) => event.target.closest(selector);
  const item = on(".menu-item");
  if (item) item.closest(".menu")?.hidePopover();
  if (on("[data-close-dialog]")) dialog.close();
  if (event.target === dialog) closeGently();
  const copy = on("[data-copy], [data-copy-text]");
  if (copy) {
    event.preventDefault();
    const source = copy.dataset.copyText ?? document.querySelector(copy.dataset.copy).textContent;
    await navigator.clipboard.writeText(source.trim());
    toast("Copied", { variant: "ok" });
  }
});

function closeGently() {
  const form = dialog.querySelector("[data-dirty]");
  const typed = form && [...new FormData(form)].some(([name, value]) => name === "title" && value);
  if (!typed) dialog.close();
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset?.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) {
    const form = event.target.form;
    form.requestSubmit(form.querySelector('[value="role"]') ?? undefined);
  }
});

document.addEventListener("keydown", (event) => {
  if (!isFor("send", event)) return;
  const form = event.target.closest?.("form");
  if (form && event.target.matches("textarea, input")) {
    event.preventDefault();
    form.requestSubmit();
  }
});

// htmx: what lands in the dialog opens it; what the server refuses is said.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== dialog || dialog.open) return;
  dialog.showModal();
  dialog.querySelector("[autofocus]")?.focus();
});
dialog.addEventListener("close", () => dialog.replaceChildren());
document.addEventListener("closeDialog", () => dialog.close());
document.addEventListener("toast", (event) => toast(event.detail.text ?? event.detail.value, event.detail));
document.addEventListener("htmx:sendError", () => toast("The server cannot be reached.", { variant: "bad" }));
document.addEventListener("htmx:responseError", (event) => {
  let words = "The server could not do that.";
  try {
    const { xhr } = event.detail;
    const isPlain = xhr.getResponseHeader("Content-Type")?.startsWith("text/plain");
    words = isPlain ? xhr.responseText : (JSON.parse(xhr.responseText).detail ?? words);
  } catch {
    // The answer was a page; the general words stand.
  }
  toast(words, { variant: "bad" });
});

// A form that adds one thing after another is empty again when the server has taken it.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && detail.elt.matches("[data-clear]")) detail.elt.reset();
});

// On a phone the index of settings is a line that scrolls.
document
  .querySelector(".settings-index [aria-current]")
  ?.scrollIntoView({ block: "nearest", inline: "center" });

// Ages and stopwatches.
const UNITS = [
  [86400, "d"],
  [3600, "h"],
  [60, "m"],
];

function age(seconds) {
  for (const [size, unit] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)}${unit}`;
  return "now";
}

function length(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.floor(seconds);
  const pad = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${pad(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${pad(Math.floor((whole % 3600) / 60))}m`;
}

function tick() {
  const now = Date.now();
  for (const clock of document.querySelectorAll("[data-elapsed]")) {
    const until = clock.dataset.until ? Date.parse(clock.dataset.until) : now;
    clock.textContent = length(Math.max(0, (until - Date.parse(clock.dataset.elapsed)) / 1000));
  }
}

function freshen() {
  for (const time of document.querySelectorAll("[data-ago]")) {
    const short = age((Date.now() - Date.parse(time.dateTime)) / 1000);
    const long = short === "now" ? "just now" : `${short} ago`;
    time.textContent = time.dataset.ago ? long : short;
  }
}

setInterval(() => document.hidden || tick(), 1000);
setInterval(freshen, 30000);
tick();
