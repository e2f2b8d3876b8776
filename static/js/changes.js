// Reviewing: loading files when they are opened, ticking them off, committing, merging.

import { open, opened, refresh, tab } from "kanbanai/drawer";
import { fetchNodes } from "kanbanai/fragments";
import { once, send } from "kanbanai/http";
import { toast } from "kanbanai/toast";

const shell = document.getElementById("drawer");
const changes = () => document.getElementById("changes");
const files = () => [...shell.querySelectorAll(".file-diff")];
const attemptUrl = (rest) => `/api/v1/attempts/${changes().dataset.attempt}/${rest}`;
const keyOf = () => `viewed:${changes().dataset.attempt}`;
const ticked = () => new Set(JSON.parse(localStorage.getItem(keyOf()) ?? "[]"));
const tickOf = (file) => file.parentElement.querySelector("[data-viewed]");
const mark = (file) => `${file.dataset.path} ${file.querySelector(".diff-stat")?.textContent.trim()}`;

let at = -1;

/** Ticks expire by themselves: they are kept for a path with its numbers, which change with it. */
export function shown() {
  at = -1;
  if (!changes()) return;
  const seen = ticked();
  for (const file of files()) {
    const tick = tickOf(file);
    if (tick && seen.has(mark(file))) {
      tick.checked = true;
      file.open = false;
    }
  }
  tally();
}

function tally() {
  const all = files();
  const seen = all.filter((file) => tickOf(file)?.checked);
  const words = document.getElementById("viewed-count");
  if (words) words.textContent = all.length ? `${seen.length} of ${all.length} viewed` : "";
  for (const file of all) {
    shell
      .querySelector(`.file-link[href="#${file.id}"]`)
      ?.classList.toggle("is-viewed", tickOf(file)?.checked);
  }
}

function keep(file, on) {
  const seen = ticked();
  seen[on ? "add" : "delete"](mark(file));
  localStorage.setItem(keyOf(), JSON.stringify([...seen]));
  file.open = !on;
  tally();
}

export function step(by) {
  const all = files();
  if (!all.length) return false;
  at = Math.max(0, Math.min(all.length - 1, at + by));
  go(all[at]);
}

function go(file) {
  for (const one of files()) one.classList.toggle("is-current", one === file);
  for (const link of shell.querySelectorAll(".file-link")) {
    link.classList.toggle("is-current", link.getAttribute("href") === `#${file.id}`);
  }
  at = files().indexOf(file);
  file.scrollIntoView({ block: "start" });
  file.querySelector("summary").focus({ preventScroll: true });
}

export function viewed() {
  const file = files()[at];
  if (!file) return false;
  const tick = tickOf(file);
  tick.checked = !tick.checked;
  keep(file, tick.checked);
}

async function reload(query) {
  const card = opened();
  for (const [name, value] of Object.entries(query)) if (name === "mode") localStorage.setItem("diff-mode", value);
  if (!query.scope) return open(card.dataset.card, { tab: "changes", attempt: card.dataset.attempt, push: false });
  const here = changes();
  const { nodes } = await fetchNodes(`${here.dataset.url}?mode=${here.dataset.mode}&scope=${query.scope}`);
  here.replaceWith(...nodes);
  shown();
}

async function guarded(button, act) {
  button?.setAttribute("aria-busy", "true");
  try {
    await act();
  } catch (error) {
    toast(error.message, { variant: "bad" });
    if (error.status === 409 && error.problem.files) conflict(error);
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

function conflict(error) {
  const slot = document.getElementById("conflict-slot");
  const panel = document.createElement("div");
  panel.className = "notice notice-warn";
  panel.setAttribute("role", "alert");
  const body = document.createElement("div");
  body.className = "stack";
  const title = document.createElement("strong");
  title.textContent = error.message;
  const list = document.createElement("ul");
  list.className = "conflict-files";
  for (const path of error.problem.files) {
    const line = document.createElement("li");
    const code = document.createElement("code");
    code.textContent = path;
    line.append(code);
    list.append(line);
  }
  const ask = document.createElement("button");
  ask.type = "button";
  ask.className = "button";
  ask.dataset.askConflict = "";
  ask.textContent = "Ask the agent to resolve it";
  body.append(title, list, ask);
  panel.append(document.createElement("span"), body);
  slot.replaceChildren(panel);
  panel.scrollIntoView({ block: "nearest" });
}

async function askToResolve() {
  const base = changes().querySelector("[data-base]")?.dataset.base ?? "the base branch";
  await tab("run");
  const prompt = document.getElementById("prompt");
  if (prompt) prompt.value = `Bring your branch up to date with ${base} and resolve the conflicts.`;
  prompt?.focus();
}

shell.addEventListener(
  "toggle",
  async (event) => {
    const file = event.target;
    if (!file.matches?.(".file-diff[data-lazy]") || !file.open) return;
    const url = file.dataset.lazy;
    delete file.dataset.lazy;
    const note = file.querySelector("[data-lazy-note]");
    if (note) note.textContent = "Loading…";
    try {
      const { nodes } = await fetchNodes(url);
      const fresh = nodes[0];
      const diff = fresh.querySelector(".file-diff");
      diff.open = true;
      delete diff.dataset.lazy;
      file.parentElement.replaceWith(fresh);
    } catch (error) {
      file.dataset.lazy = url;
      if (note) note.textContent = error.message;
    }
  },
  true,
);

shell.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);
  if (!changes()) return;
  const link = on(".file-link");
  if (link) {
    event.preventDefault();
    const file = document.querySelector(link.getAttribute("href"));
    file.open = true;
    go(file);
  }
  const mode = on("[data-mode-pick]");
  if (mode) guarded(mode, () => reload({ mode: mode.dataset.modePick }));
  if (on("[data-ask-conflict]")) askToResolve();
  const merge = on("[data-merge]");
  if (merge && confirm(`Merge this branch into ${merge.dataset.base}?`)) {
    guarded(merge, async () => {
      await send("POST", attemptUrl("git/merge"), {}, { once: once() });
      toast(`Merged into ${merge.dataset.base}`, { variant: "ok" });
      await refresh();
    });
  }
});

shell.addEventListener("change", (event) => {
  if (event.target.matches("[data-viewed]")) keep(event.target.closest(".file-box").querySelector(".file-diff"), event.target.checked);
  if (event.target.matches("[data-scope-select]")) guarded(null, () => reload({ scope: event.target.value }));
});

shell.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-commit]")) return;
  event.preventDefault();
  const { subject, body } = event.target.elements;
  guarded(event.submitter, async () => {
    const made = await send(
      "POST",
      attemptUrl("git/commit"),
      { subject: subject.value, ...(body.value ? { body: body.value } : {}) },
      { once: once() },
    );
    toast(`Committed ${made.shortSha ?? ""}`.trim(), { variant: "ok" });
    await refresh();
  });
});
