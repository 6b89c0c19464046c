/* The charts over time: error, skill, lag, throughput. */
import { $ } from "./dom.js";
import { duration, millis, number, percent, rate, value } from "./format.js";
import { isClassification, look, metric, store, unit } from "./store.js";
import { TimeChart } from "./time_chart.js";

const FLOW = [
    ["requests", 0], ["predictions", 1], ["labels", 2], ["learned", 3],
].map(([name, i]) => ({ key: `rate.${name}`, name, look: { class: `m${i}`, variable: `--m${i}`, dash: [[], [6, 3], [2, 2], [8, 3, 2, 3]][i] } }));
const LAG = ["p50", "p95", "p99"].map((name, i) => ({
    key: `lag.${name}`, name, look: { class: `m${[0, 1, 5][i]}`, variable: `--m${[0, 1, 5][i]}`, dash: [[], [6, 3], [2, 2]][i] },
}));
const HEALTH = [
    { key: "in_progress", name: "in progress", look: { class: "m0", variable: "--m0", dash: [] } },
    { key: "backlog", name: "backlog", look: { class: "m5", variable: "--m5", dash: [6, 3] } },
];

function models(kind) {
    return store.models.filter((name) => kind !== "skill" || name !== store.snapshot.baseline)
        .map((name) => ({ key: `${kind}.${name}`, name, model: name, look: look(name) }));
}

/* Why there is no error to draw, in the words of the state. */
function noErrors() {
    const { tick } = store;

    if (tick?.state === "starting")
        return "waiting for the loop to start";
    if (tick?.state === "empty") {
        const left = tick.first_label_ms ? tick.first_label_ms - tick.time_ms : 0;

        return `no labels yet${left > 0 ? `; first expected in about ${duration(Math.ceil(left / 60000) * 60000)}` : ""}`;
    }
    return store.models.some((m) => store.curve.series[`${metric()}.${m}`]?.some((v) => v !== null)) ? null : "no labels in this time";
}

let flow = [];
let scores = [];        // of the kind of task; until one is known, those of a regression
let classifies = false;

function skill(height) {
    return new TimeChart($("curves"), {
        id: "skill", title: "Skill against the baseline", def: "skill", height, marks: true, zero: true, lowest: -1,
        lines: () => models("skill"), format: (v) => percent(v), empty: noErrors,
    });
}

function regressionCurves() {
    return [new TimeChart($("curves"), {
        id: "error", title: "Error over time", def: "mae", height: 250, marks: true, clip: true, min: 0,
        lines: () => models("mae"), format: (v) => value(v, unit()), tick: number, empty: noErrors,
    }), skill(150)];
}

/* In both, the baseline's line is what always saying the share of positives comes to. */
function classificationCurves() {
    return [new TimeChart($("curves"), {
        id: "log_loss", title: "Log loss over time", def: "log_loss", height: 180, marks: true, clip: true, min: 0,
        lines: () => models("log_loss"), format: number, tick: number, empty: noErrors,
    }), new TimeChart($("curves"), {
        id: "pr_auc", title: "PR-AUC over time", def: "pr_auc", height: 130, marks: true, min: 0,
        lines: () => models("pr_auc"), format: (v) => percent(v), empty: noErrors,
    }), skill(110)];
}

export function startCurves() {
    scores = regressionCurves();
    flow = [
        new TimeChart($("flow"), { id: "lag", title: "Prediction lag", def: "lag", span: "span4", height: 190, log: true, floor: 0.1, lines: () => LAG, format: millis, tick: (v) => (v < 1 ? `${v} ms` : millis(v).replace(".0", "")) }),
        new TimeChart($("flow"), { id: "throughput", title: "Throughput", def: "throughput", span: "span4", height: 190, min: 0, lines: () => FLOW, format: rate, tick: number }),
        new TimeChart($("flow"), { id: "in-progress", title: "In progress and backlog", def: "in-progress", span: "span4", height: 190, min: 0, lines: () => HEALTH, format: number }),
    ];
}

export function drawCurves() {
    if (classifies !== isClassification()) {
        classifies = isClassification();
        for (const chart of scores)
            chart.remove();
        scores = classifies ? classificationCurves() : regressionCurves();
    }
    $("curves").hidden = !metric();
    document.body.classList.toggle("no-errors", !metric());
    for (const chart of metric() ? [...scores, ...flow] : flow)
        chart.update();
}
