// Server-rendered pieces, fetched in one request for many and morphed into the page.

import { page, parse } from "kanbanai/http";

const calm = matchMedia("(prefers-reduced-motion: reduce)");

// Typed and not yet sent. What saves itself (`data-edit`) is the server's again at once.
const isDraft = ({ value, defaultValue = value, dataset }) => value !== defaultValue && !dataset.edit;

/** Changes `old` into `fresh`, keeping focus, scroll and typed text; older versions are ignored. */
export function morph(old, fresh, options = {}) {
  const versionOf = (node) => Number(node.dataset?.version ?? Infinity);
  if (versionOf(fresh) < versionOf(old) && old.dataset?.version) return old;
  return globalThis.Idiomorph.morph(old, fresh, {
    morphStyle: "outerHTML",
    ignoreActiveValue: true,
    callbacks: {
      // What somebody writes in is theirs until they leave it.
      beforeNodeMorphed: (node) => !(node.isContentEditable && node.contains(document.activeElement)),
      beforeAttributeUpdated: (name, node) =>
        !(name === "open" && node.tagName === "DETAILS") &&
        !(name === "hidden" && node.matches("[data-keep]")) &&
        !(name === "value" && isDraft(node)),
      ...options.callbacks,
    },
  });
}

const pause = (milliseconds) => new Promise((resume) => setTimeout(resume, milliseconds));

/** Calls `flush` with all keys that came meanwhile: `first` after a silence, else `wait` after the last. */
export function batched(flush, wait = 60, first = wait) {
  let keys = new Set();
  let isBusy = false;
  return async (key) => {
    keys.add(key);
    if (isBusy) return;
    isBusy = true;
    await pause(first);
    while (keys.size) {
      const all = [...keys];
      keys = new Set();
      await Promise.resolve(all).then(flush).catch(() => {});
      await pause(wait);
    }
    isBusy = false;
  };
}

export async function fetchNodes(url) {
  const { text, headers } = await page(url);
  return { nodes: [...parse(text).children], headers };
}

/** Lets elements glide from where they were to where `change` puts them. */
export function glide(elements, change) {
  const before = calm.matches ? [] : elements.map((one) => [one, one.getBoundingClientRect()]);
  change();
  for (const [one, from] of before) {
    if (!one.isConnected || !from.height) continue;
    const to = one.getBoundingClientRect();
    const x = from.left - to.left;
    const y = from.top - to.top;
    if (Math.abs(x) + Math.abs(y) < 2) continue;
    one.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }], {
      duration: 170,
      easing: "cubic-bezier(0.2, 0.7, 0.3, 1)",
    });
  }
}

/** Puts an element before another without losing focus where the browser can. */
export function place(parent, one, before) {
  if (one.parentElement === parent && one.nextElementSibling === before) return;
  const focused = one.contains(document.activeElement) ? document.activeElement : null;
  if (one.isConnected && parent.moveBefore) parent.moveBefore(one, before);
  else parent.insertBefore(one, before);
  if (focused && focused !== document.activeElement) focused.focus({ preventScroll: true });
}
