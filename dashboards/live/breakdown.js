/* Where the errors are: by sign and size, by hour, true answer, weekday, feature; and by the minute of
 * prediction, with how complete each minute is. Of a classification: how the probabilities lie, by class, and
 * what they are worth. Asked for every 15 s, and only while it can be seen. */
import { BarChart, FreeChart } from "./bar_chart.js";
import { $, chip, el, put } from "./dom.js";
import { get } from "./feed.js";
import { count, number, percent, time, value } from "./format.js";
import { probabilityCharts } from "./probabilities.js";
import { METRIC_NAMES, isClassification, leader, look, metric, noun, on, store, unit } from "./store.js";

const EVERY_MS = 15000;

let data = null;
let asked = -Infinity;
let seen = false;
let chosen = null;      // a model that the reader chose
let charts = [];
let features = "";

let shown = null;       // the model of all bars
let drawn = "recall";   // of a classification: the figure of all bars

const lossFigure = () => ({ key: metric(), name: METRIC_NAMES[metric()], loss: true, format: (v) => value(v, unit()) });

/* Of a classification the reader chooses one, the tips and tables have them all. */
function figure() {
    if (!isClassification())
        return lossFigure();
    const all = [{ key: "recall", name: "recall", format: (v) => percent(v), tick: (v) => percent(v), top: 1 },
        { key: "alerts", name: "alerts", format: count }, lossFigure()];
    const mine = all.find((f) => f.key === drawn);

    return { ...mine, more: all.filter((f) => f !== mine) };
}

function slice(part) {
    const name = shown;
    const of = part?.(data);

    if (!of || !name || !of.models[name])
        return null;
    return { labels: of.labels, model: name, bars: of.models[name], baseline: name === store.snapshot.baseline ? null : of.models[store.snapshot.baseline] };
}

// ---- The two that are not bars of one model ----

function histogram({ font, colour, yAxis }) {
    if (!data || !Object.values(data.errors).some((c) => c.some((n) => n)))
        return null;
    const bounds = data.error_bounds;
    const width = bounds[1] - bounds[0];
    const edges = [bounds[0] - width, ...bounds, bounds.at(-1) + width];
    const datasets = store.models.filter((m) => data.errors[m] && !store.hidden.has(m)).map((m) => {
        const all = data.errors[m].reduce((a, b) => a + b, 0) || 1;
        const points = data.errors[m].map((n, i) => ({ x: edges[i], y: n / all }));

        return {
            data: [...points, { x: edges.at(-1), y: points.at(-1).y }], stepped: "before", borderColor: colour(look(m).variable),
            borderDash: look(m).dash, borderWidth: 1.5,
        };
    });

    return {
        type: "line", data: { datasets },
        options: {
            animation: false, parsing: false, responsive: true, maintainAspectRatio: false, events: [], layout: { padding: { top: 8, right: 12 } },
            elements: { point: { radius: 0 } }, plugins: { legend: { display: false }, tooltip: { enabled: false } },
            scales: {
                x: {
                    type: "linear", min: edges[0], max: edges.at(-1), grid: { color: (c) => (c.tick?.value === 0 ? colour("--muted") : "transparent"), drawBorder: false },
                    ticks: { font, color: colour("--muted"), maxRotation: 0, maxTicksLimit: 7, callback: (v) => (v > 0 ? `+${number(v)}` : number(v)) },
                },
                y: withColours(yAxis((v) => percent(v)), colour),
            },
        },
    };
}

function withColours(axis, colour) {
    axis.ticks.color = colour("--muted");
    axis.grid.color = colour("--grid");
    return axis;
}

function cohorts({ font, colour, yAxis }) {
    const list = data?.cohorts || [];

    if (!list.length)
        return null;
    const lines = store.models.filter((m) => !store.hidden.has(m)).map((m) => ({
        type: "line", data: list.map((c) => c[metric()]?.[m] ?? null), borderColor: colour(look(m).variable), borderDash: look(m).dash,
        borderWidth: 1.75, pointRadius: 0, yAxisID: "y",
    }));
    const bars = { type: "bar", data: list.map((c) => c.completeness), backgroundColor: `${colour("--mb")}40`, yAxisID: "part", categoryPercentage: 0.96, barPercentage: 0.94 };
    const part = withColours(yAxis((v) => percent(v)), colour);

    return {
        type: "bar", data: { labels: list.map((c) => time(c.from_ms).slice(0, 5)), datasets: [...lines, bars] },
        options: {
            animation: false, responsive: true, maintainAspectRatio: false, events: [], layout: { padding: { top: 8, right: 4 } },
            plugins: { legend: { display: false }, tooltip: { enabled: false } },
            scales: {
                x: { grid: { display: false, drawBorder: false }, ticks: { font, color: colour("--muted"), maxRotation: 0, autoSkipPadding: 12 } },
                y: withColours(yAxis((v) => number(v)), colour),
                part: Object.assign(part, { position: "right", min: 0, max: 1, grid: { display: false, drawBorder: false }, grace: 0 }),
            },
        },
    };
}

// ---- All of them ----

function bar(id, title, def, axis, span, part) {
    return new BarChart($("breakdown"), { id, title, def, axis, span, height: 190, figure: figure(), bars: () => slice(part) });
}

const titled = (text) => (unit() ? `${text}, ${unit()}` : text);

function errorCharts() {
    return [
        new FreeChart($("breakdown"), {
            id: "errors", title: titled("Signed errors"), def: "errors", span: "span4", height: 190, config: histogram,
            data: () => ({
                heads: ["from", "to", ...store.models],
                rows: data ? data.errors[store.models[0]].map((_, i) => [data.error_bounds[i - 1] ?? null, data.error_bounds[i] ?? null, ...store.models.map((m) => data.errors[m]?.[i])]) : [],
            }),
        }),
        bar("by-label", titled(`MAE by ${store.task.label || "true answer"}`), "label", store.task.label || "label", "span4", (d) => d?.label),
    ];
}

function build() {
    const list = Object.keys(data?.features || {});
    const { name } = figure();
    const by = (what) => titled(`${name[0].toUpperCase()}${name.slice(1)} by ${what}`);

    for (const chart of charts)
        chart.remove();
    charts = [
        ...(isClassification() ? probabilityCharts($("breakdown"), () => data, () => shown) : errorCharts()),
        bar("by-hour", by("hour of day"), "hour", "hour", "span4", (d) => d?.hour),
        bar("by-weekday", by("weekday"), "weekday", "weekday", "span4", (d) => d?.weekday),
        ...list.map((f) => bar(`by-${f}`, by(f), "feature", f, "span4", (d) => d?.features?.[f])),
        new FreeChart($("breakdown"), {
            id: "cohorts", title: titled("By minute of prediction"), def: "cohorts", span: list.length === 1 ? "span4" : "span8", height: 190, config: cohorts,
            data: () => ({
                heads: ["from", "predicted", "labelled", "completeness", ...store.models],
                rows: (data?.cohorts || []).map((c) => [time(c.from_ms), c.predicted, c.labelled, c.completeness, ...store.models.map((m) => c[metric()]?.[m] ?? null)]),
            }),
        }),
    ];
}

/* Radio buttons in one frame; `show` makes what is written on each. */
function segments(name, legend, values, checked, show, take) {
    return el("fieldset", { class: "segments chips" }, el("legend", { class: "sr" }, legend), values.map((v) => el("label", null,
        el("input", { type: "radio", name, value: v, checked: v === checked, onchange: () => { take(v); drawBreakdown(); } }),
        el("span", null, show(v)))));
}

let chooser_key = "";

function chooser() {
    const name = shown;
    const key = `${store.models.join("\n")} ${name} ${metric()} ${drawn}`;

    if (key === chooser_key || !name)
        return;
    chooser_key = key;
    const had = $("breakdown-model").contains(document.activeElement) ? document.activeElement.name : null;

    put($("breakdown-model"), isClassification() ? segments("breakdown-figure", "Figure of the bars", ["recall", "alerts", metric()], drawn,
        (f) => METRIC_NAMES[f] || f, (f) => { drawn = f; }) : null,
    segments("breakdown-model", "Model of the bars", store.models, name, (m) => [chip(look(m)), ` ${m}`], (m) => { chosen = m; }));
    if (had)
        $("breakdown-model").querySelector(`[name="${had}"]:checked`).focus();
}

async function ask() {
    if (!seen || document.hidden || store.paused || !metric() || performance.now() - asked < EVERY_MS)
        return;
    asked = performance.now();
    try {
        data = await get("/api/breakdown");
    } catch {
        return; // the connection's strip says it
    }
    drawBreakdown();
}

export function startBreakdown() {
    new IntersectionObserver(([entry]) => {
        seen = entry.isIntersecting;
        ask();
    }, { rootMargin: "200px" }).observe($("breakdown-section"));
    on("tick snapshot", ask);
}

export function drawBreakdown() {
    $("breakdown-section").hidden = !metric();
    if (!store.task || !metric())
        return;
    const key = [store.task.name, metric(), figure().key, unit(), noun(), ...Object.keys(data?.features || {})].join("\n");

    if (key !== features || !charts.length) {
        features = key;
        build();
    }
    shown = chosen && store.models.includes(chosen) ? chosen : leader();
    chooser();
    for (const chart of charts)
        chart.update();
}
