// The look of the page: a choice shows at once, the form keeps it; the side bar is kept with the account.

import { send } from "kanbanai/http";

const root = document.documentElement;

for (const form of document.querySelectorAll("[data-appearance]")) {
  form.addEventListener("change", () => {
    const choice = new FormData(form);
    root.dataset.theme = choice.get("theme") ?? "dark";
    root.dataset.contrast = choice.has("highContrast") ? "high" : "normal";
  });
}

const app = document.getElementById("app");
if (app) {
  app.querySelector("[data-rail-toggle]")?.addEventListener("click", () => {
    const narrow = app.classList.toggle("is-narrow");
    send("PUT", "/api/v1/user/settings", { sidebarExpanded: !narrow }).catch(() => {});
  });
}
