/* Why a model said what it said: the contributions as a waterfall, the path of a tree, the neighbours. */
import { define, el, put, svg, table } from "./dom.js";
import { get } from "./feed.js";
import { exact, number, signed, value, version } from "./format.js";
import { labelText } from "./probabilities.js";
import { isClassification, unit } from "./store.js";

const ROW = 24;
const MANY = 12; // contributions; the rest is one bar

/* The largest first, the small ones together, from the base to the prediction. */
function steps(why) {
    const sorted = [...why.contributions].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
    const shown = sorted.slice(0, sorted.length > MANY ? MANY - 1 : MANY);
    const rest = sorted.slice(shown.length);
    let sum = why.base;
    const list = shown.map((c) => ({ name: c.name, value: c.value, from: sum, to: (sum += c.contribution) }));

    if (rest.length)
        list.push({ name: `${rest.length} more`, value: null, from: sum, to: (sum += rest.reduce((a, c) => a + c.contribution, 0)) });
    return list;
}

const logOdds = (p) => Math.log(p / (1 - p));

function waterfall(why) {
    const list = steps(why);
    const odds = why.scale === "log_odds"; // that is what adds up; the prediction is a probability all the same
    const end = odds ? logOdds(why.prediction) : why.prediction;
    const all = [why.base, end, ...list.flatMap((s) => [s.from, s.to]), 0];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const at = (v) => 2 + 96 * ((v - low) / (high - low || 1));
    const bar = (from, to, kind, y) => svg("rect", {
        x: `${Math.min(at(from), at(to))}%`, width: `${Math.max(0.4, Math.abs(at(to) - at(from)))}%`, y: y + 5, height: ROW - 10, rx: 2, class: kind,
    });
    const row = (name, said, from, to, kind) => el("li", null, el("span", { class: "why-name" }, name),
        svg("svg", { height: ROW, class: "why-bar", "aria-hidden": "true" }, svg("line", { x1: `${at(0)}%`, x2: `${at(0)}%`, y1: 0, y2: ROW, class: "zero" }), bar(from, to, kind, 0)),
        el("span", { class: "num right" }, said));

    return el("ul", { class: "waterfall" },
        row(why.base_name || "base", value(why.base, unit()), 0, why.base, "base"),
        list.map((s) => row([s.name, s.value === null || s.value === undefined ? null : el("span", { class: "muted", "data-tip": exact(s.value) }, ` = ${typeof s.value === "number" ? number(s.value) : s.value}`)],
            signed(s.to - s.from, unit()), s.from, s.to, s.to >= s.from ? "more" : "less")),
        row(el("b", null, define("published", "prediction")), el("b", null, odds ? signed(end) : value(why.prediction, unit())), 0, end, "sum"),
        odds ? el("li", { class: "why-note muted" }, `Log odds, which add up; ${signed(end)} of them is a probability of ${number(why.prediction)}.`) : null);
}

function path(why) {
    return [el("h4", null, "Path"), table("The path through the tree", ["feature", why.contributions.some((c) => c.scaled !== null && c.scaled !== c.value) ? "test, of the scaled value" : "test", "mean after it"], why.path.map((s) => [
        s.feature, `${s.went === "left" ? "≤" : ">"} ${exact(s.threshold)}`, value(s.mean, unit()),
    ]))];
}

function neighbours(why) {
    return [el("h4", null, "Neighbours"), table("The neighbours", ["", "distance", "true answer", "weight"], why.neighbours.map((n, i) => [
        `${i + 1}`, number(n.distance), isClassification() ? labelText(n.label) : value(n.label, unit()), number(n.weight),
    ]))];
}

function explained(why) {
    if (!why.available)
        return el("p", { class: "muted" }, `No explanation: ${why.reason}.`);
    const clipped = why.served !== null && Math.abs(why.served - why.prediction) > 1e-9 * Math.max(1, Math.abs(why.prediction));

    return [
        el("p", { class: "muted" }, "By version ", el("code", { title: why.version }, version(why.version)), ` (${why.class}).`,
            clipped ? ` Served as ${value(why.served, unit())}, after clipping.` : ""),
        waterfall(why), why.path ? path(why) : null, why.neighbours ? neighbours(why) : null,
    ];
}

/* Fills `place` with the reasons for `model`'s prediction of `key`. */
export async function drawWhy(place, key, model) {
    put(place, el("p", { class: "muted" }, "asking…"));
    const mine = (place.dataset.asked = `${key} ${model}`);

    try {
        const why = await get(`/api/explain?key=${encodeURIComponent(key)}&model=${encodeURIComponent(model)}`);

        if (place.dataset.asked === mine)
            put(place, explained(why));
    } catch (error) {
        if (place.dataset.asked === mine)
            put(place, el("p", { class: "muted" }, error.message));
    }
}
