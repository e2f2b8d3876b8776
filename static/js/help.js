// The sheet of all keys, fetched when somebody first asks for it.

/** Draws the sheet of all keys. */
export function show(table) {
  const dialog = document.getElementById("dialog");
  const groups = Map.groupBy(table, (row) => row.group);
  const body = document.createElement("div");
  body.className = "dialog-body shortcuts";
  for (const [name, rows] of groups) {
    const section = document.createElement("section");
    const title = document.createElement("h3");
    title.textContent = name;
    const list = document.createElement("dl");
    for (const row of rows) {
      const line = document.createElement("div");
      const says = document.createElement("dt");
      says.textContent = row.says;
      const keys = document.createElement("dd");
      for (const key of row.keys.split(" ")) {
        const cap = document.createElement("kbd");
        cap.className = "kbd";
        cap.textContent = key === "Escape" ? "Esc" : key;
        keys.append(cap, " ");
      }
      line.append(says, keys);
      list.append(line);
    }
    section.append(title, list);
    body.append(section);
  }
  const head = document.createElement("header");
  head.className = "dialog-head";
  const title = document.createElement("h2");
  title.textContent = "Shortcuts";
  const shut = document.createElement("button");
  shut.className = "button";
  shut.type = "button";
  shut.textContent = "Close";
  shut.dataset.closeDialog = "";
  head.append(title, shut);
  dialog.replaceChildren(head, body);
  dialog.showModal();
}
