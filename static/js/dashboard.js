// Pages that are one live fragment: told that something changed, they fetch it and morph it in.

import { morph } from "kanbanai/fragments";
import { page, parse } from "kanbanai/http";
import { Stream } from "kanbanai/stream";
import { toast } from "kanbanai/toast";

const LEAST = 2000;
const holder = document.querySelector("[data-live-fragment]");
const id = holder.dataset.liveFragment;
let timer;
let last = 0;

async function fetchAgain() {
  timer = undefined;
  last = Date.now();
  try {
    const { text } = await page(location.pathname + location.search);
    const fresh = parse(text).querySelector(`#${id}`);
    if (fresh) morph(document.getElementById(id), fresh);
  } catch (error) {
    toast(error.message, { variant: "bad" });
  }
}

function soon() {
  timer ??= setTimeout(fetchAgain, Math.max(100, LEAST - (Date.now() - last)));
}

const stream = new Stream(holder.dataset.socket, { versioned: false });
let isFirst = true;
stream.addEventListener("message", ({ detail }) => {
  if (detail.type === "hello" || detail.type === "pong" || detail.type === "heartbeat") return;
  // The page is as fresh as the first overview.
  if (isFirst && detail.type === "dashboard_overview") isFirst = false;
  else soon();
});
holder.addEventListener("click", (event) => {
  if (event.target.closest("[data-retry]")) fetchAgain();
});
