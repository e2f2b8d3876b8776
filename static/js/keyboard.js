// One table of keys. Pages add what the actions do; the help sheet and the page on which people choose
// keys of their own are drawn from the same table.

import { toast } from "kanbanai/toast";

const go = (name) => () => {
  const link = document.querySelector(`.rail [href$="${name}"], .bottom-tabs [href$="${name}"]`);
  if (link) location.assign(link.href);
};

export const TABLE = [
  { keys: "?", action: "help", group: "Anywhere", says: "Show this sheet" },
  { keys: "/", action: "filter", group: "Anywhere", says: "Filter" },
  { keys: "c", action: "new", group: "Anywhere", says: "New card" },
  { keys: "g i", action: "inbox", group: "Anywhere", says: "Inbox" },
  { keys: "g b", action: "board", group: "Anywhere", says: "Board or projects" },
  { keys: "g d", action: "dashboard", group: "Anywhere", says: "Mission Control" },
  { keys: "g s", action: "settings", group: "Anywhere", says: "Settings" },
  { keys: "j", also: ["ArrowDown"], action: "down", group: "Board", says: "Next card" },
  { keys: "k", also: ["ArrowUp"], action: "up", group: "Board", says: "Previous card" },
  { keys: "h", also: ["ArrowLeft"], action: "left", group: "Board", says: "Column to the left" },
  { keys: "l", also: ["ArrowRight"], action: "right", group: "Board", says: "Column to the right" },
  { keys: "Enter", action: "open", group: "Board", says: "Open the card" },
  { keys: "Escape", action: "close", group: "Board", says: "Close" },
  { keys: "x", action: "select", group: "Board", says: "Select the card" },
  { keys: "m 1–9", action: "move", group: "Board", says: "Move to the column of that number" },
  { keys: "Shift J", also: ["Shift K"], action: "shift", group: "Board", says: "Move the card down or up" },
  { keys: "r", action: "run", group: "Card", says: "Run or retry" },
  { keys: ".", action: "stop", group: "Card", says: "Stop the agent" },
  { keys: "y", action: "allow", group: "Card", says: "Allow what the agent asks" },
  { keys: "n", action: "deny", group: "Card", says: "Deny it, with a reason" },
  { keys: "f", action: "full", group: "Card", says: "Full screen" },
  { keys: "v b", action: "tab-brief", group: "Card", says: "Brief" },
  { keys: "v r", action: "tab-run", group: "Card", says: "Run" },
  { keys: "v c", action: "tab-changes", group: "Card", says: "Changes" },
  { keys: "v h", action: "tab-history", group: "Card", says: "History" },
  { keys: "]", action: "next-file", group: "Changes", says: "Next file" },
  { keys: "[", action: "previous-file", group: "Changes", says: "Previous file" },
  { keys: "Space", action: "viewed", group: "Changes", says: "Tick the file as viewed" },
  { keys: "Ctrl Enter", action: "send", group: "Writing", says: "Send or save" },
];

// What a person chose instead stands on the page: {action: keys}.
const own = JSON.parse(document.documentElement.dataset.keys || "{}");
for (const row of TABLE) row.keys = own[row.action] ?? row.keys;

const actions = new Map([
  ["help", help],
  ["inbox", go("/inbox")],
  ["dashboard", go("/dashboard")],
  ["settings", () => document.querySelector('.rail [href*="/settings"], [href$="/profile"]')?.click()],
  ["board", () => document.querySelector('.rail [href*="/boards/"], .rail [href$="/projects"]')?.click()],
  ["filter", () => document.querySelector('[data-shortcut="filter"]')?.focus()],
  ["new", () => document.querySelector('[data-shortcut="new"]')?.click()],
]);

/** Says what an action does on this page; returning false lets the browser have the key. */
export function on(action, run) {
  actions.set(action, run);
}

const HINT_AFTER = 600;
let first = "";
let timer;

const writing = (target) =>
  target.isContentEditable ||
  (target.matches("input, textarea, select") && !target.matches("[type=checkbox], [type=radio]"));

/** One pressed key as it is written down: `a`, `A`, `Space`, `mod+k`, `alt+Enter`. */
export function pressed(event) {
  const key = event.key === " " ? "Space" : event.key;
  return `${event.ctrlKey || event.metaKey ? "mod+" : ""}${event.altKey ? "alt+" : ""}${key}`;
}

const plain = (keys) => keys.replace(/^Ctrl /, "mod+").replace(/^Shift /, "");

/** True when the keys of an action are this one key. */
export const isFor = (action, event) =>
  TABLE.some((row) => row.action === action && plain(row.keys) === pressed(event));

function find(keys) {
  return TABLE.find((row) => plain(row.keys) === keys || row.also?.some((one) => plain(one) === keys));
}

function run(action, event) {
  const act = actions.get(action);
  if (!act || act(event) === false) return;
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || /^(Shift|Control|Alt|Meta)$/.test(event.key)) return;
  if (writing(event.target)) {
    if (event.key === "Escape" && event.target.matches('[data-shortcut="filter"]')) event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]") && !isFor("help", event)) return;
  if (event.target.closest?.("[popover]:popover-open")) return;
  const key = pressed(event);
  const digits = TABLE.find((row) => row.action === "move").keys.split(" ")[0];
  if (first) {
    const started = first;
    first = "";
    clearTimeout(timer);
    if (started === digits && /^[1-9]$/.test(key)) {
      actions.get("move")?.(Number(key));
      event.preventDefault();
      return;
    }
    const row = find(`${started} ${key}`);
    if (row) return run(row.action, event);
  }
  const row = find(key);
  const choices = TABLE.filter((one) => plain(one.keys).startsWith(`${key} `));
  if (!row && choices.length) {
    first = key;
    timer = setTimeout(() => {
      toast(choices.map((one) => `${one.keys.slice(key.length + 1)}  ${one.says}`).join(" · "));
      timer = setTimeout(() => (first = ""), 3000);
    }, HINT_AFTER);
    return;
  }
  if (/^(Enter|Space)$/.test(key) && event.target.closest("a, button, summary, input, [role=tab]")) return;
  if (row && row.action !== "send") run(row.action, event);
});

async function help() {
  const { show } = await import("kanbanai/help");
  show(TABLE);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-help]")) help();
});
