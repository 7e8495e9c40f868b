// Keeps a page as the server sees it. Asks once per page every few seconds, and changes only what differs: whoever
// scrolls, selects, types or has a menu open is left alone. The server's side is pages/kit/live.py.
"use strict";

/** What the reader holds: it stays as it is, and is sent again next time. */
function isHeld(node) {
  const selection = document.getSelection();
  if (!selection.isCollapsed && selection.containsNode(node, true)) return true;
  if (node.nodeType !== Node.ELEMENT_NODE) return false;
  return node.matches("details[open], dialog[open]") || node.contains(document.activeElement);
}

function holdsAny(list) {
  return isHeld(list) || list.querySelector("details[open], :checked") !== null;
}

/** Makes `old` read like `fresh` with as few changes as will do. False where something was held and differs still. */
function patch(old, fresh) {
  if (old.isEqualNode(fresh) || old.dataset?.keep !== undefined) return true;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return replace(old, fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (isHeld(old)) return false;
    old.nodeValue = fresh.nodeValue;
    return true;
  }
  if (old.childNodes.length !== fresh.childNodes.length) return replace(old, fresh);
  const children = [...fresh.childNodes];
  let isDone = true;
  for (const [index, child] of [...old.childNodes].entries()) isDone = patch(child, children[index]) && isDone;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "data-tag" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  return isDone;
}

function replace(old, fresh) {
  if (isHeld(old)) return false;
  old.replaceWith(fresh);
  return true;
}

/** Patches a row or part, and notes the server's tag for it only when it is all there. */
function update(old, fresh) {
  const tag = fresh.dataset.tag;
  if (!patch(old, fresh)) isWhole = false;
  else if (old.isConnected) old.dataset.tag = tag;
}

/** Rows by key: changed ones patched, new ones put in, gone ones taken out, in the server's order. What is held stays:
 * a row that is gone is marked until it is let go, and nothing changes its place in a list where one reads. */
function updateList(list, order, fresh) {
  const rows = new Map([...list.children].map((row) => [row.dataset.key, row]));
  for (const row of fresh) {
    const old = rows.get(row.dataset.key);
    if (old) update(old, row);
    if (!old?.isConnected) rows.set(row.dataset.key, row);
  }
  const isStill = isHeld(list) || list.querySelector("details[open]") !== null;
  const wanted = new Set(order);
  for (const row of [...list.children]) {
    const isGone = !wanted.has(row.dataset.key);
    row.toggleAttribute("data-gone", isGone);
    if (isGone && !holdsAny(row)) row.remove();
  }
  let last = null;
  for (const key of order) {
    const row = rows.get(key);
    let place = last ? last.nextElementSibling : list.firstElementChild;
    while (place?.hasAttribute("data-gone")) place = place.nextElementSibling;
    if (row?.isConnected && row !== place && !isStill && list.moveBefore) list.moveBefore(row, place);
    else if (row && row !== place && !(row.isConnected && isStill)) list.insertBefore(row, place);
    last = row ?? last;
  }
  if ([...list.children].map((row) => row.dataset.key).join(" ") !== order.join(" ")) isWhole = false;
}

/** Rows by place, for a log whose newest line comes first: what is read at the top stays where it is. */
function updateLog(list, order, fresh) {
  const rows = new Map([...list.children].map((row) => [row.dataset.key, row.cloneNode(true)]));
  for (const row of fresh) rows.set(row.dataset.key, row);
  order.forEach((key, index) => {
    const old = list.children[index];
    const row = rows.get(key);
    if (!row) return;
    if (old) update(old, row);
    else list.append(row);
  });
  while (list.children.length > order.length) list.lastElementChild.remove();
}

/** Whether the page shows all that the server said last. */
let isWhole = true;

function apply(page, fragment) {
  isWhole = true;
  for (const template of fragment.querySelectorAll("template")) {
    if (!template.dataset.list) {
      for (const part of [...template.content.children]) {
        const old = page.querySelector(`[data-part="${part.dataset.part}"]`);
        if (old) update(old, part);
      }
      continue;
    }
    const list = page.querySelector(`[data-list="${template.dataset.list}"]`);
    const order = template.dataset.order.split(" ").filter(Boolean);
    const isReadFromTheTop = list.dataset.log !== undefined && list.getBoundingClientRect().top >= 0;
    // A line that is held keeps its words, so it must stay the line of those words.
    (isReadFromTheTop && !holdsAny(list) ? updateLog : updateList)(list, order, [...template.content.children]);
  }
  htmx.process(page);
  tellTimes();
}

function tags(page) {
  const told = (elements, name) => [...elements].map((one) => `${one.dataset[name]}=${one.dataset.tag}`).join(",");
  const lists = [...page.querySelectorAll("[data-list]")].map((one) => `${one.dataset.list}:${told(one.children, "key")}`);
  return [...lists, `parts:${told(page.querySelectorAll("[data-part]"), "part")}`].join(";");
}

htmx.defineExtension("live", {
  onEvent(name, event) {
    const page = event.target;
    if (name !== "htmx:configRequest" || !page.matches("[data-live]")) return;
    event.detail.headers["X-Live-Version"] = page.dataset.version;
    event.detail.headers["X-Live-Tags"] = tags(page);
  },
  isInlineSwap: (style) => style === "live",
  handleSwap(style, target, fragment) {
    if (style !== "live") return false;
    apply(target, fragment);
    return true;
  },
});

/** How far the server's clock is ahead of ours, in milliseconds: a screen on a wall may have any time. */
let ahead = 0;

/** Times that the server tells to the second read as how long ago they are. */
function tellTimes() {
  const now = Date.now() + ahead;
  for (const time of document.querySelectorAll("time[data-ago]")) {
    if (isHeld(time)) continue;
    const seconds = Math.max(0, Math.round((now - Date.parse(time.dateTime)) / 1000));
    const words = ago(seconds);
    if (time.textContent !== words) time.textContent = words;
  }
}

function ago(seconds) {
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

// An address says only what was asked for.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (!detail.elt.matches("form[method=get]")) return;
  for (const name of [...new Set(detail.parameters.keys?.() ?? Object.keys(detail.parameters))]) {
    if (!detail.parameters[name]) delete detail.parameters[name];
  }
});

const away = document.getElementById("away");
let failures = 0;
/** The page that waits for an answer: another may take its place meanwhile. */
let asking = null;
let lastAsked = 0;
const GIVEN_UP_MS = 10_000; // past htmx's own timeout: whatever became of that answer, the page asks again

function look() {
  const page = document.querySelector("[data-live]");
  const pause = page ? Number(page.dataset.live) * Math.min(1 + failures, 5) : 0;
  const waited = Date.now() - lastAsked;
  if (!page || document.hidden || waited < pause - 50 || (asking === page && waited < GIVEN_UP_MS)) return;
  asking = page;
  lastAsked = Date.now();
  htmx.trigger(page, "look");
}

function say(words) {
  if (away.textContent !== words) away.textContent = words;
  away.hidden = !words;
}

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (!detail.elt.matches("[data-live]")) return;
  if (!detail.elt.isConnected) return; // a search has put another in its place
  asking = null;
  const told = Date.parse(detail.xhr.getResponseHeader("Date")) - Date.now();
  if (Math.abs(told - ahead) > 2000) ahead = told; // the header has whole seconds
  const status = detail.xhr.status;
  if (status === 200 || status === 204) {
    failures = 0;
    // What was held is asked for again, even where nothing else happens.
    if (status === 204) isWhole = true;
    detail.elt.dataset.version = (isWhole && detail.xhr.getResponseHeader("X-Live-Version")) || "unknown";
    say("");
  } else if (status === 401 || status === 403 || status === 404) {
    failures = 60;
    say(status === 401 ? "You are signed out: load the page again to sign in." : "This is no longer here for you.");
  } else {
    failures += 1;
    if (failures > 1) say("No answer from the server. What you see may be old; trying again…");
  }
});

if (document.querySelector("[data-live]")) {
  setInterval(look, 250);
  setInterval(tellTimes, 1000);
  document.addEventListener("visibilitychange", look);
  tellTimes();
}
