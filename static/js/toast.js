// Short notices at the edge of the page. They are announced politely and leave by themselves.

const ICONS = { ok: "check", bad: "alert", warn: "alert", info: "info" };
const STAY = 5000;

export function icon(name, size = "") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `icon ${size}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${document.documentElement.dataset.sprite}#${name}`);
  svg.append(use);
  return svg;
}

function leave(notice) {
  notice.classList.add("is-leaving");
  setTimeout(() => notice.remove(), 200);
}

function stay(notice, length = STAY) {
  let timer = setTimeout(() => leave(notice), length);
  notice.addEventListener("pointerenter", () => clearTimeout(timer));
  notice.addEventListener("pointerleave", () => {
    timer = setTimeout(() => leave(notice), 1500);
  });
}

export function toast(text, { variant = "info", href, action, run } = {}) {
  const shelf = document.getElementById("toasts");
  const notice = document.createElement("div");
  notice.className = `toast notice-${variant}`;
  const words = document.createElement("div");
  words.className = "grow";
  words.textContent = text;
  notice.append(icon(ICONS[variant] ?? "info"), words);
  if (action) {
    const verb = document.createElement(href ? "a" : "button");
    verb.className = "link";
    verb.textContent = action;
    if (href) verb.href = href;
    else verb.addEventListener("click", () => (run?.(), leave(notice)));
    notice.append(verb);
  }
  shelf.append(notice);
  // A popover lies above dialogs, so a refusal is seen where it happened.
  if (shelf.matches(":popover-open")) shelf.hidePopover();
  shelf.showPopover();
  stay(notice, variant === "bad" ? STAY * 1.6 : STAY);
}

export function refuse(error) {
  toast(error.message, { variant: "bad" });
}

for (const notice of document.querySelectorAll("[data-toast]")) stay(notice);
document.getElementById("toasts")?.showPopover();
