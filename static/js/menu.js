// The menu of a card, which does by choice what dragging does by hand; fetched when it is first opened.

import { columns, move, nameOf, remove } from "kanbanai/cards";
import { icon, toast } from "kanbanai/toast";

/** Opens the menu beside its button; `open` opens a card. */
export function show(card, opener, open) {
  const sheet = document.createElement("div");
  sheet.className = "menu";
  sheet.popover = "auto";
  sheet.anchor = opener;
  const item = (words, name, act, mark) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "menu-item";
    if (name) button.append(icon(name));
    const label = document.createElement("span");
    label.className = "grow truncate";
    label.textContent = words;
    button.append(label);
    if (mark) {
      const cap = document.createElement("kbd");
      cap.className = "kbd";
      cap.textContent = mark;
      button.append(cap);
    }
    button.addEventListener("click", () => {
      sheet.hidePopover();
      act();
    });
    sheet.append(button);
    return button;
  };
  item("Open", "arrow-right", () => open(card.dataset.card), "↵");
  const title = document.createElement("div");
  title.className = "menu-title";
  title.textContent = "Move to";
  sheet.append(title);
  columns().forEach((column, index) => {
    const here = column === card.closest(".column");
    const button = item(nameOf(column), "", () => move(card, column, 0), index < 9 ? `m ${index + 1}` : "");
    if (here) button.disabled = true;
  });
  sheet.append(document.createElement("hr"));
  item("Delete card", "trash", () => remove(card.dataset.card).catch((error) => toast(error.message, { variant: "bad" })))
    .classList.add("is-danger");
  sheet.addEventListener("toggle", (event) => {
    if (event.newState === "closed") {
      sheet.remove();
      opener.focus({ preventScroll: true });
    }
  });
  document.body.append(sheet);
  sheet.showPopover();
}
