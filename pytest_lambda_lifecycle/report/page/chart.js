// -- the timeline of one environment: phases from left to right, a lane for each participant -----------

const LANE = 26, TOP = 22;
const LANES = ["platform", "runtime", "function", "log", "http", "aws"];
const NAMES = { platform: "platform", runtime: "runtime", function: "function", log: "log lines", http: "HTTP calls", aws: "AWS calls" };

function laneOf(what) {
  return what.kind === "log" && what.lane === "function" ? "log" : what.lane;
}

function lanesOf(env) {
  const used = new Set(["platform", "function"]);
  env.phases.forEach((phase) => phase.happenings.forEach((what) => used.add(laneOf(what))));
  const extensions = [...used].filter((lane) => lane.startsWith("ext:")).sort();
  const known = LANES.filter((lane) => used.has(lane));
  const before = known.filter((lane) => lane !== "http" && lane !== "aws");
  return [...before, ...extensions, ...known.filter((lane) => lane === "http" || lane === "aws")];
}

// A phase is as wide as the logarithm of its duration, so that an invoke of 1 ms stands beside an init of 3 s.
function layout(env) {
  let x = 4, end = null;
  const places = [];
  for (const phase of env.phases) {
    const idle = end === null ? 0 : phase.at - end;
    const gap = end === null ? 0 : idle >= 1e6 ? 78 : 10;
    if (gap) places.push({ idle, x, width: gap });
    const marks = phase.happenings.filter((what) => what.us === null).length;
    const width = Math.max(phase.kind === "between" ? 20 : 98 + 34 * Math.log10(1 + phase.us / 1000), Math.min(12 * marks + 12, 900));
    places.push({ phase, x: x + gap, width });
    x += gap + width;
    end = Math.max(end === null ? 0 : end, phase.at + phase.us);
  }
  return { places, width: x + 8 };
}

function chart(env) {
  const lanes = lanesOf(env), { places, width } = layout(env), height = TOP + lanes.length * LANE + 4;
  const svg = draw("svg", { width, height, viewBox: "0 0 " + width + " " + height, role: "group", "aria-label": "Timeline of " + env.function + ": use the arrow keys" });
  const detail = make("pre", { class: "detail", "aria-live": "polite" });
  const items = [];
  lanes.forEach((lane, index) => svg.append(draw("line", { class: "grid", x1: 0, x2: width, y1: TOP + (index + 1) * LANE, y2: TOP + (index + 1) * LANE })));
  for (const place of places) {
    if (place.phase) drawPhase(svg, lanes, place, items);
    else drawIdle(svg, place, height);
  }
  keyboard(svg, items, detail);
  const failed = items.find(([, , bad]) => bad);
  detail.textContent = failed ? failed[1] : "Point at a phase, a span or a mark, or reach the timeline with Tab and use the arrow keys.";
  const labels = make("div", { class: "lanes", "aria-hidden": "true" }, ...lanes.map((lane) => make("div", { title: lane }, NAMES[lane] || lane.slice(4))));
  return make("div", {}, make("div", { class: "chart" }, labels, make("div", { class: "scroll" }, svg)), detail);
}

function drawIdle(svg, { idle, x, width }, height) {
  svg.append(draw("rect", { class: "idle", x: x + 2, y: TOP, width: width - 4, height: height - TOP }));
  if (width > 20) svg.append(draw("text", { class: "axis", x: x + 6, y: 14 }, "idle " + span(idle)));
}

function drawPhase(svg, lanes, { phase, x, width }, items) {
  const inner = width - 8, spans = phase.happenings.filter((what) => what.us !== null);
  const failed = phase.status === "error" || phase.status === "timeout" || phase.status === "failure";
  if (PHASES.has(phase.kind)) {
    svg.append(draw("text", { class: "axis", x: x + 4, y: 14 }, "+" + span(phase.at)));
    const name = phase.kind + " " + span(phase.us);
    bar(svg, items, x + 2, TOP + 3, width - 4, failed ? "k-bad" : "k-" + phase.kind, title(phase), (failed ? "✗ " : "") + name, failed);
  }
  // Moments come in time; in a phase that took no time they stand side by side, in their order.
  const at = (us, order, of) => x + 4 + inner * (phase.us ? Math.min(1, Math.max(0, (us - phase.at) / phase.us)) : order / Math.max(1, of));
  spans.forEach((what, index) => {
    const y = TOP + lanes.indexOf(laneOf(what)) * LANE + 3;
    const left = at(what.at, index, spans.length), right = phase.us ? at(what.at + what.us) : at(0, index + 1, spans.length);
    const kind = what.bad ? "k-bad" : what.lane === "http" || what.lane === "aws" ? "k-call" : what.lane.startsWith("ext:") ? "k-extension" : "k-" + phase.kind;
    bar(svg, items, left, y, Math.max(4, right - left), kind, what.text + "\n" + span(what.us) + ", at +" + span(what.at), what.kind === "log" ? "" : what.text);
  });
  const marks = phase.happenings.filter((what) => what.us === null), last = new Map();
  marks.forEach((what, index) => {
    const lane = laneOf(what);
    const wanted = at(what.at, index + 0.5, marks.length);
    const place = Math.min(Math.max(wanted, (last.get(lane) || 0) + 11), Math.max(x + width - 6, wanted));
    last.set(lane, place);
    mark(svg, items, place, TOP + lanes.indexOf(lane) * LANE + LANE / 2, what);
  });
}

function bar(svg, items, x, y, width, kind, text, label, failed) {
  const group = draw("g", { role: "img", tabindex: -1, "aria-label": text });
  group.append(draw("rect", { class: "shape " + kind, x, y, width, height: LANE - 6, rx: 3 }));
  const room = Math.floor((width - 8) / 6);
  if (label && room > 3) {
    const clip = draw("svg", { x, y, width: width - 3, height: LANE - 6, "aria-hidden": "true" });  // a letter may be wider than expected
    clip.append(draw("text", { x: 5, y: 14 }, label.length > room ? label.slice(0, room - 1) + "…" : label));
    group.append(clip);
  }
  svg.append(group);
  items.push([group, text, failed]);
}

function mark(svg, items, x, y, what) {
  const group = draw("g", { role: "img", tabindex: -1, "aria-label": what.kind + ": " + what.text });
  const kind = what.bad ? "k-bad" : what.kind === "state" ? "k-state" : "k-mark";
  group.append(what.kind === "log"
    ? draw("circle", { class: "shape " + kind, cx: x, cy: y, r: 4.5 })
    : draw("path", { class: "shape " + kind, d: "M" + x + " " + (y - 6.5) + "l6 6.5l-6 6.5l-6 -6.5z" }));
  svg.append(group);
  items.push([group, what.kind.replaceAll("_", " ") + ", at +" + span(what.at) + "\n" + what.text]);
}

function keyboard(svg, items, detail) {
  let current = 0;
  const show = (index) => {
    items[current][0].classList.remove("on");
    current = index;
    items[current][0].classList.add("on");
    detail.textContent = items[index][1];
  };
  items.forEach(([group], index) => {
    group.addEventListener("pointerenter", () => show(index));
    group.addEventListener("click", () => group.focus());
    group.addEventListener("focus", () => show(index));
  });
  if (items.length) items[0][0].setAttribute("tabindex", "0");
  svg.addEventListener("keydown", (event) => {
    const to = { ArrowRight: current + 1, ArrowDown: current + 1, ArrowLeft: current - 1, ArrowUp: current - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined || to < 0 || to >= items.length) return;
    event.preventDefault();
    items[current][0].setAttribute("tabindex", "-1");
    items[to][0].setAttribute("tabindex", "0");
    items[to][0].focus();
  });
}

// -- begin -------------------------------------------------------------------------------------------

function legend() {
  return make("div", { class: "legend" }, ...["init", "restore", "invoke", "shutdown"].map((name) => make("span", {}, make("i", { class: name }), name)),
    make("span", {}, "○ log line"), make("span", {}, "◇ event (purple: state change; red: failure or leak)"),
    make("span", {}, "widths: the logarithm of a phase's duration; idle time is compressed"));
}

function begin() {
  figures();
  highlights();
  byId("filters").before(legend());
  const handlers = [...new Set(data.tests.flatMap((test) => test.environments.map((env) => env.function)))].sort();
  byId("f-handler").append(...handlers.map((handler) => make("option", { value: handler }, handler)));
  byId("filters").addEventListener("input", filter);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("f-order").addEventListener("change", order);
  byId("theme").addEventListener("click", () => {
    const next = { system: "dark", dark: "light", light: "system" }[document.documentElement.dataset.theme || "system"];
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    byId("theme").textContent = "Colours: " + next;
    byId("theme").setAttribute("aria-label", "Colours: " + next);
  });
  order();
  filter();
  byId("tests").classList.toggle("many", rows.length > 200); // what is out of sight is not laid out
  if (!rows.length) byId("tests").append(make("li", {}, make("p", {}, data.nothing)));
  if (rows.length === 1) toggle(0, true);
}

begin();
