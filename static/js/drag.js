// Dragging cards between columns, by mouse after 5 px and by touch after a short press.

import "sortablejs";
import { cardsIn, columns, count, dragging, move } from "kanbanai/cards";

const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
// Of more cards than these none glides: each is measured at every movement of the pointer.
const GLIDING = 100;

function glide() {
  const many = document.querySelectorAll(".card").length > GLIDING;
  for (const column of columns()) globalThis.Sortable.get(cardsIn(column))?.option("animation", calm || many ? 0 : 140);
}

function target(list) {
  for (const column of columns()) column.classList.toggle("is-target", cardsIn(column) === list);
}

function arm(column) {
  globalThis.Sortable.create(cardsIn(column), {
    group: "cards",
    draggable: ".card",
    filter: "button",
    preventOnFilter: false,
    easing: "cubic-bezier(0.2, 0.7, 0.3, 1)",
    delay: 150,
    delayOnTouchOnly: true,
    touchStartThreshold: 5,
    fallbackTolerance: 5,
    forceFallback: true,
    fallbackOnBody: true,
    scrollSensitivity: 60,
    onStart({ item }) {
      dragging.card = item;
      dragging.from = { column: item.closest(".column"), next: item.nextElementSibling };
      document.body.classList.add("is-dragging");
      glide();
    },
    onMove({ to }) {
      target(to);
    },
    onEnd({ item, to, from, newDraggableIndex, oldDraggableIndex }) {
      document.body.classList.remove("is-dragging");
      target(null);
      const start = dragging.from;
      dragging.card = null;
      dragging.ended = Date.now();
      if (to === from && newDraggableIndex === oldDraggableIndex) return;
      const column = to.closest(".column");
      const visible = [...cardsIn(column).querySelectorAll(".card")];
      item.dataset.column = column.dataset.column;
      move(item, column, visible.indexOf(item), { from: start, already: true });
      count(start.column);
    },
  });
  column.dataset.armed = "";
}

export function armAll() {
  for (const column of columns()) if (!("armed" in column.dataset)) arm(column);
}
