"use strict";
// Buttons that post to operations of the API, news, keys, theme. Pages are read without this script.
(() => {
  const said = document.getElementById("said");
  const tell = (text, bad) => { said.textContent = text; said.className = bad ? "bad" : ""; };
  const csrf = () => document.querySelector('meta[name="csrf"]').content;

  async function post(path, body, method) {
    const answer = await fetch(path, {
      method: method || "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf(), "Idempotency-Key": crypto.randomUUID() },
      body,
    });
    let found = {};
    try { found = await answer.json(); } catch { /* an answer without a body */ }
    if (!answer.ok) throw Object.assign(new Error(found.message || `refused with ${answer.status}`), { code: found.code });
    return found;
  }

  async function isStale(button) {
    // What was shown must be what would happen now: the same page again, and its digest.
    const answer = await fetch(location.href, { headers: { "Cache-Control": "no-cache" } });
    const found = /data-digest="([0-9a-f]{12})"/.exec(await answer.text());
    return !found || found[1] !== button.dataset.digest;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "theme") return theme();
    if (button.dataset.copy) {
      await navigator.clipboard.writeText(button.dataset.copy).then(() => tell("Copied."), () => tell(button.dataset.copy));
      return;
    }
    if (button.dataset.download) return download(button);
    if (!button.dataset.post) return;
    button.disabled = true;
    try {
      if (button.dataset.digest && await isStale(button)) {
        tell("The world has changed meanwhile: this is what it would do now. Look, and send again.", true);
        setTimeout(() => location.reload(), 1500);
        return;
      }
      const done = await post(button.dataset.post, button.dataset.body || "{}", button.dataset.method);
      tell(done.message || "Done.");
      if (done.approval) location.assign(`/desk/approval?id=${done.approval}`);
      else if (button.dataset.shows) show(done);
      else if (button.dataset.then) location.assign(button.dataset.then);
      else news();
    } catch (problem) {
      tell(problem.message, true);
      if (problem.code === "effect_changed") {
        tell("The world has changed meanwhile: this is what it would do now. Look, and send again.", true);
        setTimeout(() => location.reload(), 1500);
      }
    } finally {
      button.disabled = false;
    }
  });

  function rowsOf(text) {
    // CSV with quoted cells, as columns and rows; empty lines say nothing.
    const rows = [[""]];
    let quoted = false;
    for (let at = text.charCodeAt(0) === 0xfeff ? 1 : 0; at < text.length; at += 1) {
      const one = text[at];
      const row = rows.at(-1);
      if (quoted && one === '"' && text[at + 1] === '"') { row[row.length - 1] += '"'; at += 1; }
      else if (one === '"') quoted = !quoted;
      else if (!quoted && one === ",") row.push("");
      else if (!quoted && one === "\n") rows.push([""]);
      else if (quoted || one !== "\r") row[row.length - 1] += one;
    }
    const [columns, ...rest] = rows.filter((row) => row.length > 1 || row[0]);
    return { columns: columns || [], rows: rest };
  }

  async function valueOf(one) {
    if (one.type === "checkbox") return one.checked;
    if (one.type === "file") return rowsOf(await one.files[0].text());
    if (one.dataset.kind === "names") return one.value.split(",").map((name) => name.trim()).filter(Boolean);
    if (one.dataset.kind === "choice" && (one.value === "yes" || one.value === "no")) return one.value === "yes";
    return "number" in one.dataset || one.dataset.kind === "number" ? Number(one.value) : one.value;
  }

  function show(found) {
    // What a change answered, as text.
    const list = document.createElement("dl");
    for (const [key, value] of Object.entries(found)) {
      list.append(Object.assign(document.createElement("dt"), { textContent: key.replaceAll("_", " ") }));
      list.append(Object.assign(document.createElement("dd"), { textContent: typeof value === "object" ? JSON.stringify(value) : String(value) }));
    }
    const place = document.getElementById("answer");
    place.replaceChildren(list);
    place.focus();
  }

  // Forms that post what is typed into them as JSON.
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-post]");
    if (!form) return;
    event.preventDefault();
    const isTry = event.submitter && event.submitter.dataset.try;
    let path = form.dataset.post;
    const body = {};
    try {
      for (const one of [...form.elements].filter((field) => field.name && field.value !== "")) {
        if (one.dataset.path) path = path.replace(`{${one.dataset.path}}`, encodeURIComponent(one.value));
        else body[one.name] = await valueOf(one);
      }
      const done = await post(path + (isTry ? "?dry_run=true" : ""), JSON.stringify(body), form.dataset.method);
      tell(isTry ? "This is what it would do." : done.message || "Done.");
      if (done.approval) location.assign(`/desk/approval?id=${done.approval}`);
      else if (isTry || !form.dataset.then) show(done);
      else location.assign(form.dataset.then);
    } catch (problem) {
      tell(problem.message, true);
    }
  });
  async function download(button) {
    // All parts of a list as one file of CSV; the first line names the columns.
    const parts = [];
    let after = "";
    button.disabled = true;
    try {
      do {
        const answer = await fetch(button.dataset.download + (after && `&after=${after}`), { headers: { Accept: "text/csv" } });
        if (!answer.ok) throw new Error((await answer.json()).message);
        const text = await answer.text();
        parts.push(after ? text.slice(text.indexOf("\n") + 1) : text);
        after = answer.headers.get("Next-After") || "";
      } while (after);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(parts, { type: "text/csv" }));
      link.download = button.dataset.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      tell(`${button.dataset.name} is saved.`);
    } catch (problem) {
      tell(problem.message, true);
    } finally {
      button.disabled = false;
    }
  }

  const form = document.getElementById("sign-in");
  if (form) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const body = JSON.stringify({ name: form.elements.name.value, password: form.elements.password.value, code: form.elements.code.value });
      try {
        await post("/login", body);
        location.assign(form.dataset.next);
      } catch (problem) {
        tell(problem.message, true);
        form.elements.password.focus();
      }
    });
  }

  function theme() {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* only this page, then */ }
    document.dispatchEvent(new Event("theme"));
  }

  // News: at most once a second, and never under the fingers of somebody who types or has opened something.
  let due = null;
  function news() {
    if (due) return;
    due = setTimeout(() => {
      due = null;
      for (const id of ["frame", "live"]) {
        const part = document.getElementById(id);
        if (part && !part.querySelector("details[open]") && !part.contains(document.activeElement)) htmx.trigger(part, "news");
      }
    }, 1000);
  }

  if (document.getElementById("frame")) {
    const stream = new EventSource("/desk/events");
    const set = (selector, text) => { const found = document.querySelector(selector); if (found) found.textContent = text; };
    let last = "";
    let alive = "not live";
    const show = () => {
      set("#frame .live", alive);
      document.body.classList.toggle("stale", alive !== "live");
      if (last) set("#frame time", last);
    };
    stream.addEventListener("clock", (event) => {
      const was = alive;
      last = event.data;
      alive = "live";
      show();
      if (was.startsWith("not live since")) news();
    });
    stream.addEventListener("news", news);
    stream.addEventListener("error", () => { alive = last ? `not live since ${last}` : "not live"; show(); });
    document.addEventListener("htmx:after:swap", show);
    addEventListener("pagehide", () => stream.close());
  }

  // Keys: g and a letter go to a page, / to the search, t shows the table instead of the chart.
  const pages = { o: "/desk", c: "/desk/clients", n: "/desk/network", l: "/desk/connections", r: "/desk/reports", e: "/desk/envelopes", v: "/desk/overrides", p: "/desk/approvals", b: "/desk/backstop", s: "/desk/controls", a: "/desk/alarms",
    d: "/desk/deliveries", u: "/desk/audit", h: "/desk/health" };
  let went = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key === "g") { went = Date.now(); return; }
    if (Date.now() - went < 1500 && pages[event.key]) { location.assign(pages[event.key]); return; }
    if (event.key === "/") {
      const find = document.getElementById("find");
      if (find) { event.preventDefault(); find.focus(); find.select(); }
    }
    if (event.key === "t") document.dispatchEvent(new Event("table"));
    if (event.key === "?") tell("/ search; g then o overview, n network, c clients, l connections, r reports, e envelopes, v overrides, p approvals, b backstop, s controls, a alarms, d deliveries, u audit, h health; t chart or table");
  });
})();
