// Fetches the page again and replaces the sections that changed; counts down; says
// when the data is old. Without this file everything but that works.
"use strict";
(function () {
  const main = document.getElementById("main");
  const stale = document.getElementById("stale");
  if (!main || !stale) return;

  // The estate's clock may run faster than ours (the demo's does): rate is how fast.
  let serverAt = Date.parse(main.dataset.now), seenAt = performance.now(), rate = 1;
  let lastGood = performance.now(), lastWall = new Date(serverAt), tag = "", failing = "", stopped = false;
  const now = () => serverAt + (performance.now() - seenAt) * rate;

  function span(ms) {
    const s = Math.max(0, Math.round(ms / 1000)), pad = (n) => String(n).padStart(2, "0");
    if (s < 60) return s + " s";
    if (s < 3600) return Math.floor(s / 60) + " min " + pad(s % 60) + " s";
    if (s < 172800) return Math.floor(s / 3600) + " h " + pad(Math.floor(s / 60) % 60) + " min";
    return Math.floor(s / 86400) + " d " + Math.floor(s / 3600) % 24 + " h";
  }

  function tick() {
    const t = now();
    for (const e of document.querySelectorAll("[data-until]")) {
      const left = Date.parse(e.dataset.until) - t;
      const text = left > 0 ? span(left) : "due";
      if (e.textContent !== text) e.textContent = text;
    }
    for (const e of document.querySelectorAll("[data-since]")) {
      e.textContent = span(t - Date.parse(e.dataset.since));
    }
    age();
  }

  // age says in large letters that what is shown may be wrong.
  function age() {
    const poll = Number(main.dataset.poll) || 0;
    const old = performance.now() - lastGood;
    const isOld = poll > 0 && !document.hidden && (failing !== "" && old > 2000 || old > Math.max(20000, 3000 * poll));
    if (isOld) {
      stale.textContent = "STALE: no news for " + span(old) + ", since " + lastWall.toISOString().slice(11, 19) + " UTC. " +
        (failing || "The server does not answer.") + " What you see below may be wrong.";
    }
    stale.hidden = !isOld;
    document.body.classList.toggle("old", isOld);
  }

  // The function key stays in the address, where the host wants it for a page;
  // what we fetch carries it in a header instead.
  function target() {
    const u = new URL(location.href), head = {};
    const code = u.searchParams.get("code");
    if (code) {
      u.searchParams.delete("code");
      head["x-functions-key"] = code;
    }
    u.hash = "";
    if (tag) head["If-None-Match"] = tag;
    return [u, head];
  }

  async function fetchOnce() {
    const [u, head] = target();
    // The version depends on the address as it was opened, key left out or not.
    const r = await fetch(u, { headers: head, cache: "no-store", credentials: "same-origin", redirect: "error", signal: AbortSignal.timeout(15000) });
    if (r.status === 401 || r.status === 403) {
      stopped = true;
      throw new Error("The server no longer lets you in (" + r.status + "). Load the page again.");
    }
    if (r.status !== 200 && r.status !== 304) throw new Error("The server answers " + r.status + ".");
    const at = Date.parse(r.headers.get("X-Status-At") || "");
    if (r.status === 200) {
      const text = await r.text();
      tag = r.headers.get("ETag") || "";
      swap(new DOMParser().parseFromString(text, "text/html"));
    }
    if (!Number.isNaN(at)) follow(at);
    lastGood = performance.now();
    lastWall = new Date(now());
    failing = "";
  }

  function follow(at) {
    const t = performance.now(), real = t - seenAt;
    if (real > 1500 && at > serverAt) {
      const r = (at - serverAt) / real;
      rate = Math.abs(r - 1) < 0.3 ? 1 : Math.min(r, 500);
    }
    if (at > serverAt) { serverAt = at; seenAt = t; }
    const shown = document.querySelector("#asof time");
    if (shown) shown.textContent = new Date(at).toISOString().slice(11, 19);
  }

  // swap takes over what changed: sections by their id, in the new order. Open
  // details, focus and what is being typed stay as they are.
  function swap(next) {
    const fresh = next.getElementById("main");
    if (!fresh || fresh.children.length === 0) return;
    keepKey(fresh);
    if (document.title !== next.title) document.title = next.title;
    main.dataset.poll = fresh.dataset.poll;
    const open = new Set([...main.querySelectorAll("details[open][id]")].map((d) => d.id));
    for (const d of fresh.querySelectorAll("details[id]")) if (open.has(d.id)) d.open = true;
    const have = new Map([...main.children].map((e) => [e.id, e]));
    const parts = [...fresh.children].map((e) => document.importNode(e, true));
    let place = main.firstElementChild;
    for (const part of parts) {
      const old = part.id ? have.get(part.id) : null;
      if (old) have.delete(part.id);
      let keep = part;
      if (old && (old.contains(document.activeElement) && document.activeElement.matches("input,select") || same(old, part))) keep = old;
      else if (old) {
        const focus = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
        if (old === place) place = old.nextElementSibling;
        if (part.hasAttribute("aria-live")) { inside(old, part); keep = old; } else old.remove();
        main.insertBefore(keep, place);
        if (focus) { const again = [...keep.querySelectorAll("a")].find((a) => a.getAttribute("href") === focus); if (again) again.focus({ preventScroll: true }); }
        continue;
      }
      if (keep === place) place = place.nextElementSibling;
      else main.insertBefore(keep, place);
    }
    while (place) { const e = place; place = place.nextElementSibling; if (e.id !== "told") e.remove(); }
  }

  // What was fetched without the key has links without it.
  function keepKey(part) {
    const code = new URL(location.href).searchParams.get("code");
    if (!code) return;
    for (const [kind, attr] of [["a[href]", "href"], ["form[method=post]", "action"]]) {
      for (const e of part.querySelectorAll(kind)) {
        const u = new URL(e.getAttribute(attr), location.href);
        if (u.origin !== location.origin) continue;
        u.searchParams.set("code", code);
        u.searchParams.sort();
        e.setAttribute(attr, e.getAttribute(attr).split("?")[0] + u.search);
      }
    }
    for (const f of part.querySelectorAll("form[method=get]")) {
      const i = document.createElement("input");
      i.type = "hidden"; i.name = "code"; i.value = code;
      f.append(i);
    }
  }

  const same = (a, b) => strip(a) === strip(b);
  function strip(e) {
    const c = e.cloneNode(true);
    for (const x of c.querySelectorAll("[data-until],[data-since]")) x.textContent = "";
    return c.outerHTML;
  }
  // A live region speaks only when it stays and its content changes.
  function inside(old, part) {
    old.className = part.className;
    old.replaceChildren(...part.childNodes);
  }

  let timer = 0;
  function plan(ms) { clearTimeout(timer); timer = setTimeout(loop, ms); }
  async function loop() {
    const poll = Number(main.dataset.poll) || 0;
    if (!poll || stopped || document.hidden) return;
    try { await fetchOnce(); } catch (e) {
      failing = e.name === "TypeError" || e.name === "TimeoutError" ? "The server cannot be reached." : e.message;
    }
    age();
    plan(failing ? 3000 : 1000 * (Number(main.dataset.poll) || poll));
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) plan(50); });
  addEventListener("online", () => plan(50));

  // Orders: the button waits for the typed name, and is pressed once.
  for (const form of document.querySelectorAll("form[data-name]")) {
    const name = form.elements.namedItem("name"), go = form.querySelector("button.go"), user = form.elements.namedItem("user");
    const check = () => { go.disabled = name.value.trim() !== form.dataset.name; };
    name.addEventListener("input", check);
    form.addEventListener("submit", () => {
      if (user) try { sessionStorage.setItem("user", user.value); } catch { /* private mode */ }
      setTimeout(() => { go.disabled = true; }, 0);
    });
    if (user && !user.value) try { user.value = sessionStorage.getItem("user") || ""; } catch { /* private mode */ }
    addEventListener("pageshow", check);
    check();
  }

  setInterval(tick, 1000);
  if (Number(main.dataset.poll)) plan(1000 * Number(main.dataset.poll));
})();
