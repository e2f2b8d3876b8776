// Cards on the board: their order, their moves, the one that is chosen, the filter.

import { glide, place } from "kanbanai/fragments";
import { once, send } from "kanbanai/http";
import { toast } from "kanbanai/toast";

const PENDING_AFTER = 300;
const root = document.getElementById("content");

export const project = root.dataset.project;
export const canEdit = root.dataset.canEdit === "true";
export const columns = () => [...document.querySelectorAll("#board > .column")];
export const cardsIn = (column) => column.querySelector("[data-cards]");
export const find = (id) => document.getElementById(`card-${id}`);
export const nameOf = (column) => column.querySelector(".column-head h2").textContent;
export const cardUrl = (id) => `/api/v1/projects/${project}/cards/${id}`;

// The card in somebody's hand, and when one was last let go.
export const dragging = { card: null };

export function say(words) {
  document.getElementById("announce").textContent = words;
}

export function count(column) {
  const badge = column.querySelector("[data-count-of]");
  if (!badge) return;
  const number = cardsIn(column).querySelectorAll(".card").length + Number(column.dataset.more || 0);
  badge.textContent = column.dataset.limit ? `${number}/${column.dataset.limit}` : number;
  const tab = document.querySelector(`.column-tabs [href="#${column.id}"] .num`);
  if (tab) tab.textContent = number;
}

/** Puts a card at a place among the cards of a column. */
export function put(card, column, position) {
  const others = [...cardsIn(column).querySelectorAll(".card")].filter((one) => one !== card);
  const from = card.closest(".column");
  place(cardsIn(column), card, others[position] ?? null);
  card.dataset.column = column.dataset.column;
  card.dataset.position = position;
  for (const one of new Set([from, column])) if (one) count(one);
}

/** Moves a card here at once, then on the server; a refusal takes it back and says why. */
export async function move(card, column, position, { from, already = false } = {}) {
  const start = from ?? { column: card.closest(".column"), next: card.nextElementSibling };
  if (!already) glide([card], () => put(card, column, position));
  else for (const one of [start.column, column]) count(one);
  const pending = setTimeout(() => card.classList.add("is-pending"), PENDING_AFTER);
  try {
    await send(
      "PATCH",
      `${cardUrl(card.dataset.card)}/move`,
      { columnId: column.dataset.column, position },
      { once: once(), keepalive: true },
    );
    say(`${card.querySelector(".key").textContent} is in ${nameOf(column)}, place ${position + 1}`);
  } catch (error) {
    glide([card], () => place(cardsIn(start.column), card, start.next));
    for (const one of [start.column, column]) count(one);
    toast(error.message, { variant: "bad" });
    say(`Not moved. ${error.message}`);
  } finally {
    clearTimeout(pending);
    card.classList.remove("is-pending");
  }
}

export async function change(id, fields) {
  return send("PATCH", cardUrl(id), fields, { once: once() });
}

export async function remove(id) {
  if (!confirm("Delete this card with its attempts and transcripts?")) return false;
  await send("DELETE", cardUrl(id));
  return true;
}

// The chosen card ---------------------------------------------------------------------------

let chosen = null;

export const current = () =>
  document.activeElement?.closest?.(".card") ?? (chosen?.isConnected ? chosen : null);

export function choose(card) {
  chosen = card;
  card?.focus({ preventScroll: true });
  card?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

const seen = (column) => [...cardsIn(column).querySelectorAll(".card:not([hidden])")];

export function step(rows, aside) {
  const card = current();
  const all = columns().filter((one) => !one.classList.contains("is-folded"));
  if (!card) return choose(all.flatMap(seen)[0]);
  if (rows) {
    const list = seen(card.closest(".column"));
    return choose(list[list.indexOf(card) + rows] ?? card);
  }
  const row = seen(card.closest(".column")).indexOf(card);
  for (let at = all.indexOf(card.closest(".column")) + aside; all[at]; at += aside) {
    const list = seen(all[at]);
    if (list.length) return choose(list[Math.min(row, list.length - 1)]);
  }
}

// The filter ----------------------------------------------------------------------------------

export function filter(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  for (const card of document.querySelectorAll(".card")) {
    const text = `${card.textContent} ${[...card.querySelectorAll("[title]")].map((one) => one.title).join(" ")}`;
    card.hidden = !wanted.every((word) => text.toLowerCase().includes(word));
  }
  const url = new URL(location.href);
  if (words) url.searchParams.set("q", words);
  else url.searchParams.delete("q");
  history.replaceState(history.state, "", url);
}
