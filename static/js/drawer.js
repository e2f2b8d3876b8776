// The card beside the board: opening, tabs, width, and edits of the brief.

import { change, find, move, remove } from "kanbanai/cards";
import { morph } from "kanbanai/fragments";
import { page, parse, send } from "kanbanai/http";
import { toast } from "kanbanai/toast";

const board = document.getElementById("content");
const shell = document.getElementById("drawer");
const listeners = [];
let showing;

export const opened = () => document.getElementById("drawer-card");
export const onOpen = (run) => listeners.push(run);

const boardUrl = board.dataset.boardUrl;
const cardUrl = (id, tab) => `${boardUrl}/cards/${id}${tab && tab !== "brief" ? `?tab=${tab}` : ""}`;
const drawerUrl = (id, query) => `${boardUrl}/cards/${id}/drawer?${new URLSearchParams(query)}`;

function ready() {
  const card = opened();
  if (showing !== card?.dataset.card) dispatchEvent(new Event("drawer"));
  showing = card?.dataset.card;
  shell.hidden = !card;
  for (const one of document.querySelectorAll(".card.is-open")) one.classList.remove("is-open");
  if (!card) return;
  find(card.dataset.card)?.classList.add("is-open");
  if (!shell.querySelector(".drawer-grip")) grip();
  for (const run of listeners) run(card);
  globalThis.htmx?.process(card);
}

// The newest question is answered; what is being opened goes before drawing the same anew.
let asked = 0;
let opening = 0;
export const isOpening = () => opening > 0;

export async function open(id, { tab, attempt, push = true } = {}) {
  const query = { ...(tab ? { tab } : {}), ...(attempt ? { attempt } : {}), ...modes() };
  const mine = ++asked;
  opening += 1;
  try {
    const { text } = await page(drawerUrl(id, query));
    if (mine !== asked) return;
    const entering = shell.hidden;
    shell.replaceChildren(parse(text));
    shell.classList.toggle("is-entering", entering);
    const shown = opened().dataset.tab;
    if (push) history.pushState({ card: id, tab: shown }, "", cardUrl(id, shown));
    ready();
    if (entering) shell.querySelector(`#tab-${shown}`)?.focus({ preventScroll: true });
  } catch (error) {
    toast(error.status === 404 ? "That card is gone." : error.message, { variant: "bad" });
  } finally {
    opening -= 1;
  }
}

const WIDE = 760;
const share = () => Math.max(380, (board.clientWidth * (Number(localStorage.getItem("drawer-width")) || 46)) / 100);

/** Side by side where there is room for it, unless somebody chose. */
const modes = () => {
  const room = innerWidth > 1000 ? shell.clientWidth || share() : innerWidth;
  return { mode: localStorage.getItem("diff-mode") ?? (room >= WIDE ? "split" : "unified") };
};

const isWriting = () => shell.querySelector("[data-description-form]:not([hidden])");

/** Fetches the drawer again and morphs it, so that an open text or a scroll place stays. */
export async function refresh() {
  const card = opened();
  if (!card || opening || isWriting()) return;
  const { card: id, tab, attempt } = card.dataset;
  const mine = ++asked;
  const { text } = await page(drawerUrl(id, { tab, ...(attempt ? { attempt } : {}), ...modes() })).catch(() => ({}));
  const now = opened();
  // Meanwhile another card, a newer answer or a text being written may have come.
  if (!text || mine !== asked || now?.dataset.card !== id || now.dataset.tab !== tab || isWriting()) return;
  morph(now, parse(text).firstElementChild);
  ready();
}

export function close({ push = true } = {}) {
  const id = opened()?.dataset.card;
  if (!id) return false;
  asked += 1;
  shell.replaceChildren();
  shell.classList.remove("is-full");
  if (push) history.pushState({}, "", boardUrl);
  ready();
  find(id)?.focus({ preventScroll: true });
  return true;
}

export function tab(name) {
  const card = opened();
  if (!card) return false;
  const { card: id, project, attempt } = card.dataset;
  // Where one was is kept with the account; it is no matter if that fails.
  send("PUT", `/api/v1/projects/${project}/panel-states`, { [id]: { tab: name } }).catch(() => {});
  return open(id, { tab: name, attempt });
}

export const full = () => (opened() ? void shell.classList.toggle("is-full") : false);

addEventListener("popstate", () => {
  const found = location.pathname.match(/\/cards\/([^/]+)$/);
  if (found) open(found[1], { tab: new URLSearchParams(location.search).get("tab"), push: false });
  else close({ push: false });
});

// Width, kept for this browser -------------------------------------------------------------------

function width(share) {
  const kept = Math.max(32, Math.min(70, share));
  shell.style.setProperty("--drawer", `${kept}%`);
  localStorage.setItem("drawer-width", kept);
  shell.querySelector(".drawer-grip")?.setAttribute("aria-valuenow", Math.round(kept));
}

function grip() {
  const bar = document.createElement("div");
  bar.className = "drawer-grip";
  bar.tabIndex = 0;
  bar.setAttribute("role", "separator");
  bar.setAttribute("aria-orientation", "vertical");
  bar.setAttribute("aria-label", "Width of the card");
  const limits = { now: Math.round((shell.clientWidth / board.clientWidth) * 100), min: 32, max: 70 };
  for (const [name, value] of Object.entries(limits)) bar.setAttribute(`aria-value${name}`, value);
  const share = (x) => (1 - (x - board.getBoundingClientRect().left) / board.clientWidth) * 100;
  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    bar.classList.add("is-active");
    bar.onpointermove = (moved) => width(share(moved.clientX));
  });
  bar.addEventListener("pointerup", () => {
    bar.onpointermove = null;
    bar.classList.remove("is-active");
  });
  bar.addEventListener("keydown", (event) => {
    const turn = { ArrowLeft: 2, ArrowRight: -2 }[event.key];
    if (!turn) return;
    event.preventDefault();
    event.stopPropagation();
    width((shell.clientWidth / board.clientWidth) * 100 + turn);
  });
  shell.prepend(bar);
}

const kept = Number(localStorage.getItem("drawer-width"));
if (kept) width(kept);

// What is clicked and edited ------------------------------------------------------------------------

async function save(fields) {
  try {
    await change(opened().dataset.card, fields);
    await refresh();
  } catch (error) {
    toast(error.message, { variant: "bad" });
    refresh();
  }
}

shell.addEventListener("click", async (event) => {
  const on = (selector) => event.target.closest(selector);
  const card = opened();
  if (!card) return;
  const wanted = on("[data-tab]");
  if (wanted && wanted !== card) return tab(wanted.dataset.tab);
  if (on("[data-drawer-close]")) return close();
  if (on("[data-drawer-full]")) return full();
  const pick = on("[data-attempt-pick]");
  if (pick) return open(card.dataset.card, { tab: "run", attempt: pick.dataset.attemptPick });
  const link = on("a[data-open]");
  if (link && !event.metaKey && !event.ctrlKey) {
    event.preventDefault();
    return open(link.dataset.card, { tab: "brief" });
  }
  const to = on("[data-move-to]");
  if (to) {
    const shown = find(card.dataset.card);
    const column = document.getElementById(`col-${to.dataset.moveTo}`);
    if (shown && column) move(shown, column, 0);
  }
  if (on("[data-delete-card]")) {
    try {
      if (await remove(card.dataset.card)) close();
    } catch (error) {
      toast(error.message, { variant: "bad" });
    }
  }
  const form = shell.querySelector("[data-description-form]");
  const shown = shell.querySelector("[data-description]");
  if (on("[data-edit-description]") || on("[data-edit-cancel]")) {
    form.hidden = !form.hidden;
    shown.hidden = !form.hidden;
    if (!form.hidden) form.elements.description.focus();
  }
});

shell.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-description-form]")) return;
  event.preventDefault();
  event.target.hidden = true;
  shell.querySelector("[data-description]").hidden = false;
  save({ prompt: event.target.elements.description.value });
});

shell.addEventListener("change", (event) => {
  const field = event.target.dataset.edit;
  if (!field || field === "title") return;
  const value = event.target.value;
  save({ [field]: field === "labels" ? value.split(",").map((one) => one.trim()).filter(Boolean) : value || null });
});

shell.addEventListener("focusin", (event) => {
  if (event.target.dataset.edit === "title") event.target.dataset.was = event.target.textContent;
});
shell.addEventListener("focusout", (event) => {
  const title = event.target;
  if (title.dataset.edit !== "title") return;
  const text = title.textContent.replace(/\s+/g, " ").trim();
  if (!text) title.textContent = title.dataset.was;
  else if (text !== title.dataset.was) save({ title: text });
});
shell.addEventListener("keydown", (event) => {
  if (event.target.dataset.edit !== "title" || event.isComposing) return;
  if (event.key === "Escape") event.target.textContent = event.target.dataset.was;
  if (event.key === "Enter" || event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    event.target.blur();
  }
});

shell.addEventListener("keydown", (event) => {
  const here = event.target.closest("[role=tab]");
  const turn = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!here || !turn) return;
  event.preventDefault();
  event.stopPropagation();
  const all = [...shell.querySelectorAll(".drawer-tabs [role=tab]")];
  all.at((all.indexOf(here) + turn) % all.length).focus();
});

export function begin() {
  ready();
}
