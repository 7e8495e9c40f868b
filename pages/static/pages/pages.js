// What scripts add to pages that work without them: copying, and a menu that closes by itself.
"use strict";

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
