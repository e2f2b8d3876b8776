// The page on which a person chooses their own keys: a button for each action hears what is pressed.

import { send } from "kanbanai/http";
import { pressed, TABLE } from "kanbanai/keyboard";
import { toast } from "kanbanai/toast";

const ADDRESS = "/api/v1/settings/keyboard-shortcuts";
const SECOND_KEY = 900;
const root = document.querySelector("[data-shortcuts]");
const element = (tag, className, text = "") =>
  Object.assign(document.createElement(tag), { className, textContent: text });

/** Draws the groups with the keys that hold now. */
function draw() {
  root.replaceChildren();
  for (const [name, rows] of Map.groupBy(TABLE, (row) => row.group)) {
    const panel = element("div", "panel");
    const list = element("ul", "list");
    for (const row of rows) {
      const item = element("li", "list-row");
      const hears = element("button", "button", row.keys);
      hears.type = "button";
      hears.setAttribute("aria-label", `${row.says}: ${row.keys}. Change`);
      hears.addEventListener("click", () => listen(hears, row));
      const back = element("button", "button button-ghost", "Default");
      back.type = "button";
      back.addEventListener("click", () => save({ [row.action]: null }));
      item.append(element("span", "grow", row.says), hears, back);
      list.append(item);
    }
    panel.append(list);
    root.append(element("h3", "", name), panel);
  }
}

function listen(button, row) {
  button.textContent = "Press keys…";
  const heard = [];
  let timer;
  const stop = () => {
    clearTimeout(timer);
    document.removeEventListener("keydown", hear, true);
    button.removeEventListener("blur", cancel);
  };
  const cancel = () => {
    stop();
    button.textContent = row.keys;
  };
  const done = () => {
    stop();
    const keys = row.action === "move" ? [heard[0], "1–9"] : heard;
    save({ [row.action]: keys.join(" ") });
  };
  function hear(event) {
    if (/^(Shift|Control|Alt|Meta|Tab)$/.test(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    heard.push(pressed(event));
    button.textContent = heard.join(" ");
    if (heard.length > 1 || row.action === "move") done();
    else timer = setTimeout(done, SECOND_KEY);
  }
  document.addEventListener("keydown", hear, true);
  button.addEventListener("blur", cancel);
}

async function save(shortcuts) {
  try {
    const kept = await send("PUT", ADDRESS, { shortcuts });
    for (const row of TABLE) row.keys = kept.shortcuts[row.action];
    toast("Saved", { variant: "ok" });
  } catch (problem) {
    toast(problem.message, { variant: "bad" });
  }
  draw();
}

draw();
