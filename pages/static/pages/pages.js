// What scripts add to pages that work without them: copying, and a menu that closes by itself.
"use strict";

document.documentElement.classList.add("scripted");

/** Puts the element's text on the clipboard, and leaves it selected. */
async function copy(element) {
  const selection = window.getSelection();
  selection.selectAllChildren(element);
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(element.textContent);
  } else if (!document.execCommand("copy")) {
    // Without https the newer way is missing; where the older fails too, the text is selected for Ctrl-C.
    throw new Error("no clipboard");
  }
}

for (const button of document.querySelectorAll("button[data-copies]")) {
  const source = document.getElementById(button.dataset.copies);
  const status = document.getElementById(`${button.dataset.copies}-copied`);
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await copy(source);
      status.textContent = "Copied.";
    } catch {
      status.textContent = "Press Ctrl-C to copy the selected text.";
    }
  });
}

for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
}

for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// An action's own small page, shown as a dialog on the page that one is on.
const dialog = document.getElementById("dialog");

async function openAction(link) {
  const reply = await fetch(link.href, { headers: { "HX-Request": "true" } });
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  const action = page.getElementById("action");
  if (!action || reply.redirected) throw new Error("not an action");
  dialog.replaceChildren(document.adoptNode(action));
  const next = dialog.querySelector("input[name=next]");
  if (next && link.dataset.dialog !== "leave") next.value = location.pathname + location.search;
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    openAction(link).catch(() => location.assign(link.href));
  }
  if (event.target === dialog || event.target.closest("#dialog [data-cancel]")) {
    event.preventDefault();
    dialog.close();
  }
});

// Selected rows: the box in a column's head selects all of the page, and the bar below acts on them.
function countSelected() {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  const boxes = [...bar.elements].filter((box) => box.type === "checkbox" && box.checked);
  const isAll = boxes.some((box) => box.name === "all");
  bar.hidden = !boxes.length;
  bar.querySelector("output").textContent = isAll ? "All selected" : `${boxes.length} selected`;
}

document.addEventListener("change", ({ target }) => {
  const name = target.dataset?.all;
  if (name) {
    for (const box of document.querySelectorAll(`input[type=checkbox][form=bulk][name="${CSS.escape(name)}"]`)) box.checked = target.checked;
  }
  countSelected();
});
// Rows come and go, and a browser that goes back puts the marks back.
for (const event of ["htmx:afterSettle", "pageshow"]) window.addEventListener(event, countSelected);
countSelected();
