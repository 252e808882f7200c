"use strict";
// The page of a report.  Everything that it shows comes out of the JSON in #data and is written as text: nothing is parsed as HTML.
const data = JSON.parse(document.getElementById("data").textContent);
const PHASES = new Set(["init", "restore", "invoke", "shutdown"]);
const BAD = new Set(["failed", "error", "crashed", "interrupted"]);
const byId = (id) => document.getElementById(id);

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== null).map((child) => (child instanceof Node ? child : String(child))));
  return node;
}

function draw(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  if (text !== undefined) node.textContent = text;
  return node;
}

function span(us) {
  if (us < 1000) return us + " µs";
  if (us < 1e6) return (us / 1000).toFixed(us < 1e4 ? 2 : 1) + " ms";
  const seconds = us / 1e6;
  if (seconds < 120) return seconds.toFixed(2).replace(/\.?0+$/, "") + " s";
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  if (seconds < 172800) return (seconds / 3600).toFixed(1).replace(/\.0$/, "") + " h";
  return Math.round(seconds / 86400) + " days";
}

const count = (number, what) => number + " " + what + (number === 1 ? "" : "s");
const sum = (test, name) => test.environments.reduce((total, env) => total + env[name], 0);
const slowest = (test) => test.environments.reduce((most, env) => Math.max(most, env.slowest_init_us), 0);
const inits = (test) => test.environments.flatMap((env) => env.phases.filter((phase) => phase.kind === "init").map((phase) => [env, phase]));

// -- the head of the page ----------------------------------------------------------------------------

function figures() {
  const totals = data.totals;
  byId("title").textContent = "Lambda lifecycle: " + data.title;
  document.title = "Lambda lifecycle: " + data.title;
  const rows = [
    [totals.tests, "tests with environments"], [totals.failed, "of them failed"], [totals.environments, "environments"],
    [totals.cold, "cold starts"], [totals.warm, "warm invokes"], [span(totals.slowest_init_us), "slowest init"],
    [totals.leftovers, "left running"], [totals.changes, "state changes"],
  ];
  byId("figures").append(...rows.map(([value, name]) => make("li", {}, make("b", {}, value), make("span", {}, name))));
  byId("footer").textContent = data.footer;
}

function highlight(title, entries, none) {
  const list = entries.length
    ? make("ol", {}, ...entries.slice(0, 5).map(([index, text, more]) => {
        const button = make("button", { type: "button" }, text);
        button.addEventListener("click", () => jump(index));
        return make("li", {}, button, more ? make("div", { class: "note" }, more) : null);
      }))
    : make("p", { class: "note" }, none);
  const rest = entries.length > 5 ? make("p", { class: "note" }, entries.length - 5 + " more") : null;
  return make("section", {}, make("h2", {}, title), list, rest);
}

function highlights() {
  const slow = data.tests.flatMap((test, index) => inits(test).map(([env, phase]) => [index, env, phase, test]));
  slow.sort((one, other) => other[2].us - one[2].us);
  const leaks = new Map();
  data.tests.forEach((test, index) => test.environments.forEach((env) => env.phases.forEach((phase) => phase.happenings.forEach((what) => {
    if (what.kind !== "leftover" && what.kind !== "state") return;
    const leak = leaks.get(what.text) || [index, what.text, test.id, 0];
    leak[3] += 1;
    leaks.set(what.text, leak);
  }))));
  const failed = data.tests.map((test, index) => [index, test]).filter(([, test]) => BAD.has(test.outcome));
  byId("highlights").append(
    highlight("Slowest inits", slow.map(([index, env, phase, test]) => [index, span(phase.us) + " " + env.function, phase.text.split("\n").slice(1).concat(test.id).join(" · ")]), "No init ran."),
    highlight("Left for later invokes", [...leaks.values()].map(([index, text, id, times]) => [index, text, times > 1 ? times + " times, first in " + id : id]), "Nothing was left running, and no state change was recorded."),
    highlight("Failed tests", failed.map(([index, test]) => [index, test.id, test.error.split("\n").slice(0, 2).join(" ")]), "None."),
  );
}

// -- the list of tests -------------------------------------------------------------------------------

const rows = data.tests.map((test, index) => {
  const leaks = sum(test, "leftovers") + sum(test, "changes");
  const button = make("button", { type: "button", class: "row", "aria-expanded": "false" },
    make("span", { class: BAD.has(test.outcome) ? "bad" : "good" }, test.outcome), make("span", { class: "id" }, test.id),
    make("span", { class: "num" }, sum(test, "cold") + " cold, " + sum(test, "warm") + " warm"),
    make("span", { class: "num" }, "init " + span(slowest(test))),
    make("span", { class: "num" }, leaks ? leaks + " left" : ""),
    make("span", { class: "num" }, test.seconds.toFixed(2) + " s"));
  const item = make("li", {}, button);
  button.addEventListener("click", () => toggle(index));
  return { test, item, button, panel: null };
});

function toggle(index, open) {
  const row = rows[index];
  const wanted = open === undefined ? row.button.getAttribute("aria-expanded") !== "true" : open;
  if (wanted && !row.panel) {
    row.panel = panel(row.test);
    row.item.append(row.panel);
    hideOtherPhases(row.panel);
  }
  if (row.panel) row.panel.hidden = !wanted;
  row.button.setAttribute("aria-expanded", String(wanted));
}

function jump(index) {
  if (rows[index].item.hidden) { byId("filters").reset(); filter(); }
  toggle(index, true);
  rows[index].item.scrollIntoView({ block: "start" });
  rows[index].button.focus({ preventScroll: true });
}

function filter() {
  const text = byId("f-text").value.toLowerCase(), handler = byId("f-handler").value, phase = byId("f-phase").value;
  let shown = 0;
  for (const { test, item } of rows) {
    const fits = test.id.toLowerCase().includes(text)
      && (!handler || test.environments.some((env) => env.function === handler))
      && (!phase || test.environments.some((env) => env.phases.some((one) => one.kind === phase)))
      && (!byId("f-cold").checked || sum(test, "cold") > 0)
      && (!byId("f-failed").checked || BAD.has(test.outcome))
      && (!byId("f-leaks").checked || sum(test, "leftovers") + sum(test, "changes") > 0);
    item.hidden = !fits;
    shown += fits;
  }
  byId("shown").textContent = shown + " of " + count(rows.length, "test");
  hideOtherPhases(document);
}

function hideOtherPhases(within) {
  const phase = byId("f-phase").value;
  for (const one of within.querySelectorAll("tr[data-phase]")) one.hidden = Boolean(phase) && one.dataset.phase !== phase;
}

function order() {
  const by = { init: (row) => -slowest(row.test), seconds: (row) => -row.test.seconds }[byId("f-order").value];
  byId("tests").append(...(by ? [...rows].sort((one, other) => by(one) - by(other)) : rows).map((row) => row.item));
}

// -- one test ----------------------------------------------------------------------------------------

function panel(test) {
  const where = test.worker ? "ran in worker " + test.worker : "";
  const node = make("div", { class: "panel" }, where ? make("div", { class: "note" }, where) : null,
    test.error ? make("pre", { class: "error" }, test.error) : null);
  if (!test.environments.length) node.append(make("p", {}, "Nothing is known about environments of this test: its process ended before it did."));
  test.environments.forEach((env) => node.append(environment(env)));
  return node;
}

function environment(env) {
  const time = env.virtual ? "virtual time (lambda_clock)" : "real time";
  const left = env.left_out ? make("p", { class: "note" }, count(env.left_out, "event") + " left out: only the first and the last are kept.") : null;
  return make("section", {}, make("h3", {}, env.function),
    make("div", { class: "note" }, [env.facts, "made at " + env.made_at, time].join(" · ")),
    env.phases.length ? chart(env) : make("p", {}, "No phase has run."), left, table(env));
}

function table(env) {
  const body = [];
  for (const phase of env.phases) {
    const head = phase.kind === "between" ? null : title(phase);
    if (head) body.push(line(phase, phase.at, head, BAD.has(phase.status) || phase.status === "timeout"));
    for (const what of phase.happenings) body.push(line(phase, what.at, "  " + what.text + (what.us ? " (" + span(what.us) + ")" : ""), what.bad));
  }
  const rows = make("tbody", {}, ...body);
  return make("details", {}, make("summary", {}, "All " + count(body.length, "line") + " as text"), make("table", {}, rows));
}

function line(phase, at, text, bad) {
  return make("tr", { "data-phase": phase.kind, class: bad ? "bad" : null }, make("td", { class: "at" }, "+" + span(at)), make("td", { class: "text" }, text));
}

function title(phase) {
  const name = phase.kind === "invoke" ? (phase.cold ? "Invoke (cold)" : "Invoke (warm)") : phase.kind[0].toUpperCase() + phase.kind.slice(1);
  return [name + ": " + (phase.status || "not ended") + ", " + span(phase.us), phase.text].filter(Boolean).join("\n");
}
