/* The newest requests with their true answer: every model's prediction as a dot, the truth as a tick,
 * the error of the best as a bar, its interval as a band. Of a classification the alerts and what was missed, or all: probabilities
 * with the threshold as a rule, the truth as a square at 0 or 1, and what came of it as a word. The list stands still while somebody points at it or is in it. */
import { $, define, el, put, setText, svg } from "./dom.js";
import { NONE, fixed, number, time, value, withUnit } from "./format.js";
import { labelText } from "./probabilities.js";
import { isClassification, leader, look, metric, noun, nouns, outcome, store, threshold, unit } from "./store.js";

const ROWS = 20;
const SAME = 0.15;

let rows = null;
let body = null;
let frozen = false;
let all = false;        // of a classification: the quiet ones, too
let built = null;       // what the table's heads are for

const WAYS = { caught: ["✓", "ok"], "false alarm": ["!", "over"], missed: ["✕", "under"], quiet: ["", "even"] };

/* Alerts, or all. */
function chooser() {
    const choice = (text, value) => el("label", null,
        el("input", { type: "radio", name: "latest-choice", checked: all === value, onchange: () => { all = value; drawLatest(); } }), el("span", null, text));

    return el("fieldset", { class: "segments chips" }, el("legend", { class: "sr" }, "Which of them"), choice("Alerts and misses", false), choice("All", true));
}

function build() {
    const classes = isClassification();

    built = metric();
    body = el("tbody");
    rows = [];
    put($("latest-choice"), classes ? chooser() : null);
    const event = el("th", { scope: "col", class: "hide-small" }, "event time");
    const scale = el("th", { scope: "col", class: "dots" });
    const card = $("latest");

    put(card, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table of the latest ${nouns()}` },
        el("table", { class: classes ? "latest classes" : "latest" }, el("caption", { class: "sr" }, `The newest ${nouns()} with their true answer`),
            el("thead", null, el("tr", null, el("th", { scope: "col" }, noun()), event,
                el("th", { scope: "col", class: "right hide-small" }, define("size", "size")),
                el("th", { scope: "col", class: "right" }, define("truth", "truth")),
                scale, el("th", { scope: "col", class: "right" }, classes ? define("outcome", "outcome") : define("error", "error")))), body)));
    card.scale = scale;
}

function listen() {
    const card = $("latest");

    card.addEventListener("pointerenter", () => freeze(true));
    card.addEventListener("pointerleave", () => freeze(card.contains(document.activeElement)));
    card.addEventListener("focusin", () => freeze(true));
    card.addEventListener("focusout", () => freeze(card.matches(":hover")));
}

function freeze(yes) {
    frozen = yes;
    $("latest").classList.toggle("frozen", yes);
    if (!yes)
        drawLatest();
}

function makeRow() {
    const r = {
        link: el("a"), time: el("td", { class: "num hide-small muted" }), size: el("td", { class: "num right hide-small" }), truth: el("td", { class: "num right" }),
        plot: svg("svg", { class: "dotplot", height: 20, role: "img" }), error: el("td", { class: "num right" }),
    };

    r.dots = el("td", { class: "dots" }, r.plot);
    r.root = el("tr", null, el("th", { scope: "row" }, r.link), r.time, r.size, r.truth, r.dots, r.error);
    return r;
}

/* 0 to a little above nearly all that is shown; what is beyond sits at the end. A probability has 0 to 1. */
function scaleOf(list) {
    if (isClassification())
        return { low: 0, high: 1, digits: 2, at: (v) => `${(2 + 96 * Math.max(0, Math.min(1, v))).toFixed(2)}%` };
    const all = list.flatMap((t) => [t.label, ...Object.values(t.values)]).filter(Number.isFinite).sort((a, b) => a - b);
    const high = (all[Math.floor((all.length - 1) * 0.97)] || 1) * 1.08;
    const low = Math.min(0, all[0] ?? 0);

    return { low, high, digits: high >= 100 ? 0 : high >= 10 ? 1 : high >= 1 ? 2 : 3, at: (v) => `${(1 + 98 * Math.max(0, Math.min(1, (v - low) / (high - low)))).toFixed(2)}%` };
}

const range = (interval) => (interval ? ` (${number(interval[0])} to ${number(interval[1])})` : "");

function fill(r, trip, scale, best) {
    const error = best && trip.values[best] !== undefined && trip.values[best] !== null ? trip.values[best] - trip.label : null;
    const classes = isClassification();
    const came = classes ? outcome(trip, best) : null;
    const way = classes ? WAYS[came][1] : error === null || Math.abs(error) <= SAME * Math.abs(trip.label) ? "even" : error > 0 ? "over" : "under";
    const truth = scale.at(trip.label);

    setText(r.link, trip.key);
    r.link.setAttribute("href", `#/request/${encodeURIComponent(trip.key)}`);
    setText(r.time, time(trip.event_ms ?? trip.time_ms, trip.event_ms !== null));
    setText(r.size, number(trip.size));
    setText(r.truth, classes ? labelText(trip.label) : withUnit(fixed(trip.label, scale.digits), unit()));
    setText(r.error, classes ? `${WAYS[came][0]} ${came}`.trim() : withUnit((error > 0 ? "+" : "") + fixed(error, scale.digits), unit()));
    r.error.dataset.way = way;
    r.plot.setAttribute("aria-label", Object.entries(trip.values).map(([m, v]) => `${m} ${number(v)}${range(trip.intervals?.[m])}`).join(", "));
    put(r.plot, trip.intervals?.[best] ? expected(trip.intervals[best], scale) : null, svg("line", { x1: "1%", x2: "99%", y1: 10, y2: 10, class: "rail" }),
        error === null ? null : svg("line", { x1: truth, x2: scale.at(trip.values[best]), y1: 10, y2: 10, class: `miss ${way}` }),
        store.models.filter((m) => Number.isFinite(trip.values[m]) && !store.hidden.has(m)).map((m) =>
            svg("circle", { cx: scale.at(trip.values[m]), cy: 10, r: m === best ? 4.5 : 3.25, class: `dot-${look(m).class}` })),
        classes ? truthMarks(trip.label, scale) : svg("line", { x1: truth, x2: truth, y1: 2, y2: 18, class: "truth" }));
}

/* Where the best model expects the truth to be. */
function expected(interval, scale) {
    const [low, high] = interval.map((v) => parseFloat(scale.at(v)));

    return svg("rect", { x: `${low}%`, width: `${(high - low).toFixed(2)}%`, y: 4, height: 12, rx: 2, class: "expected" });
}

/* The threshold, and the truth: a filled square at 1, a hollow one at 0. */
function truthMarks(label, scale) {
    const at = scale.at(threshold());

    return [svg("line", { x1: at, x2: at, y1: -4, y2: 24, class: "threshold" }),
        svg("svg", { x: scale.at(label), y: 5, width: 10, height: 10, overflow: "visible" },
            svg("rect", { x: -5, y: 0, width: 10, height: 10, rx: 1.5, class: label ? "class-yes" : "class-no" }))];
}

/* The axis of probabilities: the threshold, and what does not come too near to it. */
function drawProbabilities(place, scale) {
    const wide = place.clientWidth > 300;
    const t = threshold();
    const ticks = (wide ? [0, 0.25, 0.5, 0.75, 1] : [0, 1]).filter((v) => Math.abs(v - t) > (wide ? 0.14 : 0.2));
    const end = (v) => (v < 0.1 ? "start" : v > 0.9 ? "end" : "middle");

    put(place, svg("svg", { class: "dotplot", height: 16, role: "group", "aria-label": `probabilities, from 0 to 1, with the threshold at ${number(t)}` },
        ticks.map((v) => svg("text", { x: scale.at(v), y: 12, "text-anchor": end(v) }, number(v))),
        svg("text", { x: scale.at(t), y: 12, "text-anchor": end(t), class: "at-threshold", "data-def": "probability", tabindex: "0" }, wide ? `threshold ${number(t)}` : number(t))));
}

function drawScale(place, scale) {
    const step = [1, 2, 5].flatMap((f) => Array.from({ length: 14 }, (_, e) => f * 10 ** (e - 6))).sort((a, b) => a - b)
        .find((s) => (scale.high - scale.low) / s <= Math.min(6, place.clientWidth / 75)) || scale.high;
    const ticks = [];

    for (let v = Math.ceil(scale.low / step) * step; v <= scale.high; v += step)
        ticks.push(Number(v.toPrecision(6)));
    put(place, svg("svg", { class: "dotplot", height: 16, role: "img", "aria-label": `predictions, from ${number(scale.low)} to ${value(scale.high, unit())}` },
        ticks.map((v, i) => svg("text", { x: scale.at(v), y: 12, "text-anchor": i === 0 ? "start" : "middle" }, i === 0 ? value(v, unit()) : number(v)))));
}

export function drawLatest() {
    $("latest-section").hidden = !store.task;
    if (!store.task)
        return;
    if (!rows)
        listen();
    if (!rows || built !== metric())
        build();
    if (frozen && rows.length)
        return;
    const classes = isClassification();
    const list = (classes && !all ? store.alerts : store.latest).slice(0, ROWS);
    const best = metric() ? leader() : null;
    const scale = scaleOf(list);

    $("latest-title").textContent = classes && !all ? "Latest alerts" : `Latest ${nouns()}`;
    (classes ? drawProbabilities : drawScale)($("latest").scale, scale);
    while (rows.length < list.length) {
        rows.push(makeRow());
        body.append(rows.at(-1).root);
    }
    while (rows.length > list.length)
        rows.pop().root.remove();
    body.dataset.empty = list.length ? "" : classes && store.latest.length ? "No alert so far, and nothing positive missed, among what this page has seen." : `No ${noun()} has its true answer yet ${NONE} predictions go out meanwhile.`;
    list.forEach((trip, i) => fill(rows[i], trip, scale, best));
}
