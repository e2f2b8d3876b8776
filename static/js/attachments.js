// Files of a card: chosen or dropped onto their section, taken off again.

import { refresh } from "kanbanai/drawer";
import { send } from "kanbanai/http";
import { toast } from "kanbanai/toast";

const shell = document.getElementById("drawer");
const sectionOf = (node) => node.closest?.("[data-attachments]");

async function upload(section, files) {
  section.setAttribute("aria-busy", "true");
  try {
    for (const file of files) {
      const body = new FormData();
      body.append("file", file);
      await send("POST", section.dataset.attachments, body);
    }
  } catch (error) {
    toast(error.message, { variant: "bad" });
  } finally {
    section.removeAttribute("aria-busy");
  }
  await refresh();
}

shell.addEventListener("change", (event) => {
  if (!event.target.matches("[data-attach]")) return;
  const files = [...event.target.files];
  event.target.value = "";
  upload(sectionOf(event.target), files);
});

shell.addEventListener("dragover", (event) => {
  if (sectionOf(event.target)?.querySelector("[data-attach]")) event.preventDefault();
});

shell.addEventListener("drop", (event) => {
  const section = sectionOf(event.target);
  if (!section?.querySelector("[data-attach]") || !event.dataTransfer.files.length) return;
  event.preventDefault();
  upload(section, [...event.dataTransfer.files]);
});

shell.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-detach]");
  if (!button || !confirm(`Remove ${button.dataset.name}?`)) return;
  try {
    await send("DELETE", button.dataset.detach);
  } catch (error) {
    toast(error.message, { variant: "bad" });
  }
  await refresh();
});
