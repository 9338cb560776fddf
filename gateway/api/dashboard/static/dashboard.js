"use strict";
// Runs in the head, so that the chosen theme is there before the first paint.
const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* storage is off */ } };
const recall = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const root = document.documentElement;
if (recall("theme")) root.dataset.theme = recall("theme");

function themeSwitch() {
  const button = document.getElementById("theme");
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; remember("theme", root.dataset.theme); label(); });
  button.hidden = false;
  label();
}

// The gateway says when the ledger has changed; then the parts of the page that change are read again and replaced. The reader's
// place, filters and open details stay: while the reader is in such a part, it waits.
function liveUpdates() {
  const part = document.querySelector("[data-live]");
  if (!part) return;
  const button = document.getElementById("pause"), told = document.getElementById("live");
  const say = (text) => { if (told.textContent !== text) told.textContent = text; };
  let source = null, retry = 0, stale = false, reading = false, rest = 0, paused = recall("paused") === "yes";
  const busy = () => paused || document.hidden || reading || performance.now() < rest || part.contains(document.activeElement) || part.querySelector("details[open]")
    || (!getSelection().isCollapsed && part.contains(getSelection().anchorNode));
  const refresh = async () => {
    stale = busy();
    if (stale) return;
    reading = true;
    const began = performance.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
      reading = false;
      if (!answer.ok || !fresh) say("Not updating: sign in again");
      else if (busy()) stale = true;
      else { part.replaceChildren(...fresh.childNodes); part.dataset.revision = fresh.dataset.revision; }
    } catch { reading = false; stale = true; }
    // A large ledger takes longer to read: at most a tenth of the time is spent on that. What changes meanwhile is shown after it.
    const pause = 9 * (performance.now() - began);
    rest = performance.now() + pause;
    setTimeout(() => { if (stale) refresh(); }, pause + 10);
  };
  const disconnect = () => { clearTimeout(retry); if (source) source.close(); source = null; };
  const connect = () => {
    disconnect();
    if (paused) return say("Updates are paused");
    if (document.hidden) return; // a browser has six connections for all pages of a host
    source = new EventSource(`/dashboard/live?revision=${encodeURIComponent(part.dataset.revision)}`);
    source.addEventListener("open", () => say("Live"));
    source.addEventListener("change", () => { stale = true; refresh(); });
    source.addEventListener("tick", () => { if (stale || "tick" in part.dataset) refresh(); });
    source.addEventListener("error", () => {
      say("Not connected");
      if (source && source.readyState === EventSource.CLOSED) retry = setTimeout(connect, 10000);
    });
  };
  const label = () => { button.textContent = paused ? "Resume" : "Pause"; button.setAttribute("aria-pressed", String(paused)); };
  button.addEventListener("click", () => { paused = !paused; remember("paused", paused ? "yes" : "no"); label(); connect(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden) disconnect(); else connect(); });
  for (const left of ["focusout", "toggle"]) part.addEventListener(left, () => setTimeout(() => { if (stale) refresh(); }), true);
  button.hidden = false;
  label();
  connect();
}

function filterForms() {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const select of document.querySelectorAll("[data-zone]")) {
    if (own && own !== "UTC" && ![...select.options].some((option) => option.value === own)) select.add(new Option(own, own));
  }
  for (const form of document.querySelectorAll("[data-submit]")) {
    // Without the empty fields the address says only what was chosen.
    form.addEventListener("formdata", (event) => {
      for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
    });
    form.addEventListener("change", () => form.requestSubmit());
  }
  for (const button of document.querySelectorAll("[data-confirm]")) {
    button.addEventListener("click", (event) => { if (!confirm(button.dataset.confirm)) event.preventDefault(); });
  }
}

function tryIt() {
  const form = document.getElementById("try");
  if (!form) return;
  const answers = document.getElementById("answers");
  const headers = () => ({ "content-type": "application/json", ...(form.elements.key ? { authorization: `Bearer ${form.elements.key.value}` } : {}) });
  // Without credentials a 401 is an answer: otherwise the browser opens a password dialog for its Basic challenge.
  const call = (path, body) => fetch(path, { method: body ? "POST" : "GET", headers: headers(), body, credentials: "omit" });
  const made = (tag, text, className) => Object.assign(document.createElement(tag), { textContent: text, className: className || "" });
  const list = async () => {
    if (document.getElementById("models").children.length || (form.elements.key && !form.elements.key.value)) return;
    const found = await (await call("/v1/models")).json();
    for (const model of found.data || []) document.getElementById("models").append(new Option(model.id, model.id));
  };
  const panel = (model) => {
    const section = made("section", "", "answer");
    section.append(made("h2", model), made("p", "", "note"), made("pre", ""));
    answers.append(section);
    return section;
  };
  const failed = async (section, answer) => {
    const found = await answer.json().catch(() => ({}));
    section.children[1].textContent = `${answer.status}: ${found.error ? found.error.message : answer.statusText}`;
    section.children[1].className = "warning";
  };
  const decide = async (model, messages) => {
    const section = panel(`Decision for ${model}`);
    const answer = await call("/v1/route", JSON.stringify({ model, messages }));
    if (!answer.ok) return failed(section, answer);
    const plan = await answer.json();
    section.children[0].textContent = `${model} chooses ${plan.model}`;
    section.children[1].textContent = plan.reasoning;
    section.children[2].textContent = (plan.candidates || []).slice(0, 12).map((each) =>
      `${each.provider}/${each.model}` + (each.quality == null ? "" : `: quality ${each.quality.toFixed(2)}, $${each.cost == null ? "?" : each.cost.toFixed(6)}`)).join("\n");
  };
  const ask = async (model, messages) => {
    const section = panel(model);
    const body = JSON.stringify({ model, messages, stream: true, stream_options: { include_usage: true } });
    const answer = await call("/v1/chat/completions", body);
    if (!answer.ok) return failed(section, answer);
    section.children[0].textContent = `${model}: ${answer.headers.get("x-gateway-model") || ""}`;
    section.children[1].textContent = answer.headers.get("x-gateway-reason") || "";
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const lines = (rest + piece.value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line.startsWith("data: {")) continue;
        const event = JSON.parse(line.slice(6));
        if (event.error) { section.children[1].textContent = event.error.message; section.children[1].className = "warning"; }
        for (const choice of event.choices || []) section.children[2].append((choice.delta && choice.delta.content) || "");
        if (event.usage && event.usage.cost != null) section.append(made("p", `Cost $${event.usage.cost}, baseline $${(event.usage.cost_details || {}).baseline_cost ?? "unknown"}`, "note"));
      }
    }
    const link = made("a", "This request in the ledger");
    link.href = `/dashboard/requests/${encodeURIComponent(answer.headers.get("x-request-id") || "")}`;
    section.append(link);
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    answers.replaceChildren();
    const messages = [{ role: "user", content: form.elements.prompt.value }];
    const models = [form.elements.first.value, form.elements.second.value].map((name) => name.trim()).filter(Boolean);
    const act = event.submitter && event.submitter.value === "route" ? decide : ask;
    await Promise.all(models.map((model) => act(model, messages).catch((error) => { answers.append(made("p", `The gateway cannot be reached: ${error.message}`, "warning")); })));
  });
  form.addEventListener("focusin", () => list().catch(() => {}), { once: !form.elements.key });
}

document.addEventListener("DOMContentLoaded", () => { if (document.getElementById("theme")) themeSwitch(); liveUpdates(); filterForms(); tryIt(); });
