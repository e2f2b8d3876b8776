// The board page: it follows the board's events, and carries out what a person does to it.

import * as cards from "kanbanai/cards";
import * as changes from "kanbanai/changes";
import * as drawer from "kanbanai/drawer";
import { batched, fetchNodes, glide, morph } from "kanbanai/fragments";
import { once, page, parse, send } from "kanbanai/http";
import { on } from "kanbanai/keyboard";
import * as run from "kanbanai/run";
import { Stream } from "kanbanai/stream";
import { toast } from "kanbanai/toast";

const root = document.getElementById("content");
const board = root.dataset.board;

// Following -----------------------------------------------------------------------------------

const fetchCards = batched(async (ids) => {
  const { nodes } = await fetchNodes(`${root.dataset.fragments}?ids=${ids}`);
  const shown = new Map(nodes.map((one) => [one.dataset.card, one]));
  const moving = ids.map(cards.find).filter(Boolean);
  glide(moving, () => {
    for (const id of ids) if (!shown.has(id)) drop(id);
    // In the order of their places, so that each finds the cards before it already there.
    const ordered = [...shown.values()].sort((a, b) => a.dataset.position - b.dataset.position);
    for (const fresh of ordered) settle(fresh);
  });
  for (const column of cards.columns()) cards.count(column);
  filterAgain();
}, 60, 0);

function settle(fresh) {
  const column = document.getElementById(`col-${fresh.dataset.column}`);
  const old = cards.find(fresh.dataset.card);
  if (old === cards.dragging.card && old) return;
  if (!column) return drop(fresh.dataset.card);
  const position = Number(fresh.dataset.position);
  const classes = ["is-open", "is-pending", "is-selected"].filter((name) => old?.classList.contains(name));
  if (old) morph(old, fresh);
  else cards.cardsIn(column).append(fresh);
  const card = cards.find(fresh.dataset.card);
  card.classList.add(...classes);
  if (drawer.opened()?.dataset.card === fresh.dataset.card) seen(card);
  const isHere = [...cards.cardsIn(column).querySelectorAll(".card")].indexOf(card) === position;
  if (!isHere || !old) cards.put(card, column, position);
}

/** What is open is seen. */
const seen = (card) => card?.querySelector(".unread")?.remove();

function drop(id) {
  const card = cards.find(id);
  const column = card?.closest(".column");
  card?.remove();
  if (column) cards.count(column);
  if (drawer.opened()?.dataset.card === id) {
    drawer.close();
    toast("The card was deleted.");
  }
}

const rebuild = batched(async () => {
  const { text } = await page(`${root.dataset.boardUrl}${location.search}`);
  const fresh = parse(text).querySelector("#board");
  if (!fresh) return location.reload();
  morph(document.getElementById("board"), fresh);
  drag?.armAll();
  filterAgain();
  await run.redraw();
}, 200);

const cardOf = (payload) => payload.card?.id ?? payload.cardId ?? payload.id;

function message({ detail }) {
  const { type, payload } = detail;
  if (type === "presence") return people(payload.users);
  if (type === "state" || type === "resync" || type === "columns_changed") return rebuild("*");
  if (type === "card_deleted") return drop(cardOf(payload));
  if (type.startsWith("attachment_") && drawer.opened()?.dataset.card === payload.cardId) return refreshChanges("*");
  if (!/^(card|attempt|git|conversation)_/.test(type)) return;
  const id = cardOf(payload);
  if (id && !/^(conversation_|attempt_log)/.test(type)) {
    fetchCards(id);
    if (drawer.opened()?.dataset.card === id && type.startsWith("card_")) run.redraw();
  }
  if (payload.attemptId ?? payload.attempt) {
    if (type === "attempt_started") follow(payload);
    run.message(detail);
    const isNew = drawer.opened()?.dataset.card === id && !run.attemptShown();
    if (isNew) run.redraw();
  }
  if (type.startsWith("git_") && drawer.opened()?.dataset.tab === "changes") refreshChanges("*");
}

/** An open card shows its newest attempt, but not to somebody who reviews an older one. */
function follow(payload) {
  const { cardId, attemptId } = payload;
  // What is being opened was asked for before this attempt was there.
  if (drawer.isOpening()) return setTimeout(follow, 50, payload);
  const card = drawer.opened();
  if (card?.dataset.card !== cardId || card.dataset.tab === "changes" || !card.dataset.attempt) return;
  card.dataset.attempt = attemptId;
  run.redraw();
}

const refreshChanges = batched(() => drawer.refresh(), 800);

function people(users) {
  const avatars = users.map(({ displayName: name, cardId, typing }) => {
    const avatar = document.createElement("span");
    avatar.className = `avatar${typing ? " is-typing" : ""}`;
    avatar.textContent = name.replace(/(?<=\S)\S+|\s/g, "").slice(0, 2);
    const title = cardId && cards.find(cardId)?.querySelector(".card-title")?.textContent.trim();
    avatar.title = name + (title ? `: ${title}` : "");
    return avatar;
  });
  document.getElementById("people").replaceChildren(...avatars);
}

const look = () => stream.send("view", { cardId: drawer.opened()?.dataset.card });

// Doing ---------------------------------------------------------------------------------------------

const board_ = document.getElementById("board");
board_.addEventListener("click", (event) => {
  const on_ = (selector) => event.target.closest(selector);
  const card = on_(".card");
  const opener = on_("[data-card-menu]");
  if (opener) return openMenu(card, opener);
  const fold = on_("[data-fold]");
  if (fold) return folding(fold.closest(".column"));
  const quick = on_("[data-quick-open]");
  if (quick) return quickAdd(quick.closest(".column"));
  if (!card || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  if (Date.now() - (cards.dragging.ended ?? 0) < 50) return;
  cards.choose(card);
  drawer.open(card.dataset.card, { tab: defaultTab(card) });
});

async function openMenu(card, opener) {
  const menu = await import("kanbanai/menu");
  menu.show(card, opener, (id) => drawer.open(id));
}

function defaultTab(card) {
  const { status } = card.dataset;
  if (/^(queued|running|waiting|paused|stopping|failed|interrupted)/.test(status)) return "run";
  if (/^(succeeded|completed|review)/.test(status)) return "changes";
  return "brief";
}

const foldKey = `folded:${board}`;
const folded = new Set(JSON.parse(localStorage.getItem(foldKey) ?? "[]"));

function folding(column, keep = true) {
  const isFolded = column.classList.toggle("is-folded");
  column.querySelector("[data-fold]").setAttribute("aria-expanded", String(!isFolded));
  if (!keep) return;
  folded[isFolded ? "add" : "delete"](column.dataset.column);
  localStorage.setItem(foldKey, JSON.stringify([...folded]));
}

function quickAdd(column) {
  const form = column.querySelector("[data-quick-add]");
  form.hidden = false;
  form.elements.title.focus();
}

board_.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-quick-add]")) return;
  event.preventDefault();
  const title = form.elements.title.value.trim();
  if (!title) return;
  const column = form.closest(".column");
  form.elements.title.value = "";
  try {
    await send(
      "POST",
      `/api/v1/projects/${cards.project}/cards`,
      { title, columnId: column.dataset.column },
      { once: once() },
    );
  } catch (error) {
    form.elements.title.value = title;
    toast(error.message, { variant: "bad" });
  }
  form.elements.title.focus();
});
board_.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("[data-quick-add]");
  if (!form || event.isComposing) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "Escape") {
    form.hidden = true;
    form.closest(".column").querySelector("[data-quick-open]").focus();
  }
});

const search = document.getElementById("filter");
function filterAgain() {
  if (search?.value) cards.filter(search.value);
}
search?.addEventListener("input", () => cards.filter(search.value));

// Keys ----------------------------------------------------------------------------------------------

const inChanges = () => drawer.opened()?.dataset.tab === "changes";
const onCard = (act) => () => {
  const card = cards.current();
  return card ? act(card) : false;
};

on("down", () => cards.step(1, 0));
on("up", () => cards.step(-1, 0));
on("left", () => cards.step(0, -1));
on("right", () => cards.step(0, 1));
on("open", onCard((card) => void drawer.open(card.dataset.card, { tab: defaultTab(card) })));
on("close", () => drawer.close());
on("full", () => drawer.full());
on("select", onCard((card) => void card.classList.toggle("is-selected")));
for (const name of ["brief", "run", "changes", "history"]) on(`tab-${name}`, () => drawer.tab(name));
on("run", () => void run.start(document.querySelector("#drawer [data-start]")?.dataset.agent));
on("stop", () => run.stop());
on("allow", () => run.answer("allow_once"));
on("deny", () => run.answer("deny"));
on("next-file", () => inChanges() && changes.step(1));
on("previous-file", () => inChanges() && changes.step(-1));
on("viewed", () => (inChanges() ? changes.viewed() : false));
if (cards.canEdit) {
  on("move", (number) => {
    const column = cards.columns()[number - 1];
    const chosen = [...document.querySelectorAll(".card.is-selected")];
    const moving = chosen.length ? chosen : [cards.current()].filter(Boolean);
    if (!column) return;
    for (const card of moving) {
      card.classList.remove("is-selected");
      cards.move(card, column, 0);
    }
    moving[0]?.focus();
  });
  on("shift", (event) => {
    const card = cards.current();
    if (!card) return false;
    const column = card.closest(".column");
    const list = [...cards.cardsIn(column).querySelectorAll(".card")];
    const to = list.indexOf(card) + (event.key === "K" ? -1 : 1);
    if (to >= 0 && to < list.length) cards.move(card, column, to);
    card.focus();
  });
}

// Beginning -------------------------------------------------------------------------------------------

for (const column of cards.columns()) if (folded.has(column.dataset.column)) folding(column, false);
// What drags is fetched when somebody points at the board: most of it is a library.
let drag;
const arm = async () => {
  drag = await import("kanbanai/drag");
  drag.armAll();
};
if (cards.canEdit) board_.addEventListener("pointerover", arm, { once: true });
filterAgain();
drawer.onOpen((card) => seen(cards.find(card.dataset.card)));
drawer.onOpen(run.shown);
drawer.onOpen(() => import("kanbanai/attachments"));
drawer.onOpen(changes.shown);
drawer.begin();
const stream = new Stream(`/api/v1/ws?boardId=${board}&changes=delta&detail=summary`, {
  version: Number(root.dataset.version),
});
stream.addEventListener("message", message);
stream.addEventListener("open", look);
addEventListener("drawer", look);
let typed = 0;
document.getElementById("drawer").addEventListener("input", () => {
  if (Date.now() - typed < 3000) return;
  typed = Date.now();
  stream.send("typing");
});
run.begin(stream);

const tabs = document.querySelector(".column-tabs");
const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = tabs.querySelector(`[href="#${target.id}"]`);
      if (isIntersecting) link?.setAttribute("aria-current", "true");
      else link?.removeAttribute("aria-current");
    }
  },
  { root: board_, threshold: 0.6 },
);
for (const column of cards.columns()) watcher.observe(column);
