/* A card for each model. The best has a crown and the word. */
import { $, chip, define, el, put, setText } from "./dom.js";
import { bytes, count, duration, number, percent, short, signed, value, version } from "./format.js";
import { RANGE_S, isClassification, look, loss, metric, store, unit } from "./store.js";

const cards = new Map();
let order = "";

function row(key, name, node) {
    return el("div", { class: "fact" }, el("dt", null, define(key, name)), el("dd", null, node));
}

function build(name) {
    const text = () => el("span", { class: "num" });
    const c = {
        best: el("span", { class: "best", hidden: true }, el("span", { "aria-hidden": "true" }, "♛ "), "best"),
        note: el("span", { class: "badge", hidden: true }),
        cls: el("code", { class: "muted" }), loss: el("b", { class: "big num" }), interval: el("span", { class: "muted num" }),
        change: el("span", { class: "change num" }), skill: text(), bias: text(), pr_auc: text(), recall: text(), precision: text(), alerts: text(), version: el("code"), age: text(),
        learned: text(), bytes: text(), coverage: text(), bar: el("i"),
    };

    c.coverage_row = row("coverage", "coverage", c.coverage);
    c.error = el("div", { class: "model-error" }, el("div", { class: "big-row" }, define(metric() ?? "mae", c.loss), define("change", c.change)), define("interval", c.interval));
    c.error.hidden = !metric();
    const scores = !metric() ? [] : [row("skill", "skill", c.skill), ...(isClassification()
        ? [row("pr_auc", "PR-AUC", c.pr_auc), row("recall", "recall", c.recall), row("precision", "precision", c.precision), row("alerts", "alerts", c.alerts)]
        : [row("bias", "bias", c.bias)])];

    c.root = el("article", { class: "card model", "data-model": name },
        el("div", { class: "model-head" }, chip(look(name)),
            el("h3", null, el("a", { href: `#/model/${encodeURIComponent(name)}` }, name)), c.best, c.note),
        c.cls, c.error,
        el("dl", { class: "facts" }, scores, row("learned", "learned", c.learned), row("bytes", "size", c.bytes),
            c.coverage_row, row("version", "version", c.version), row("age", "age", c.age)),
        el("div", { class: "due", "aria-hidden": "true" }, c.bar));
    return c;
}

/* The score now against a fifth of the range ago. */
function change(name, now) {
    const values = store.curve.series[`${metric()}.${name}`] || [];
    const from = store.tick.time_ms - RANGE_S[store.range] * 200;
    const first = values.findIndex((v, i) => v !== null && v !== undefined && store.curve.time[i] >= from);

    return first < 0 || !Number.isFinite(now) ? null : { by: now - values[first], over_ms: store.tick.time_ms - store.curve.time[first] };
}

function fillRates(c, w) {
    setText(c.pr_auc, percent(w?.pr_auc, 1));
    setText(c.recall, percent(w?.recall));
    setText(c.precision, percent(w?.precision));
    setText(c.alerts, count(w?.alerts));
}

function fill(c, m) {
    const age = m.published_ms ? store.tick.time_ms - m.published_ms : null;
    const score = loss(m);
    const moved = change(m.name, score);
    const small = moved === null || Math.abs(moved.by) < 0.005 * (score || 1);
    const best = store.tick.verdict?.kind === "best" && store.tick.verdict.model === m.name;

    c.best.hidden = !best;
    c.root.classList.toggle("is-best", best);
    const note = m.is_baseline ? "baseline" : !m.caught_up ? "catching up" : !m.serving ? "not serving" : "";

    c.note.hidden = !note;
    setText(c.note, note);
    setText(c.cls, m.class);
    setText(c.loss, value(score, unit()));
    setText(c.interval, score === null ? "no labels yet"
        : `95 %: ${number(m.window.low)} to ${value(m.window.high, unit())} · ${count(m.window.n)} newest`);
    setText(c.change, moved === null ? "" : small ? "= steady"
        : `${moved.by < 0 ? "▼" : "▲"} ${value(Math.abs(moved.by), unit())} in ${duration(moved.over_ms)}`);
    c.change.dataset.way = small || moved === null ? "" : moved.by < 0 ? "down" : "up";
    setText(c.skill, m.is_baseline ? "0 %" : percent(m.skill));
    if (isClassification())
        fillRates(c, m.window);
    else
        setText(c.bias, signed(m.window?.bias, unit()));
    setText(c.learned, short(m.learned));
    setText(c.bytes, bytes(m.bytes));
    setText(c.version, version(m.served_version || m.version));
    c.version.title = m.served_version || m.version || "";
    setText(c.age, duration(age));
    setText(c.coverage, percent(m.interval_coverage, 1));
    c.coverage_row.hidden = m.interval_coverage === null || m.interval_coverage === undefined;
    c.bar.style.width = `${age === null ? 0 : Math.max(0, Math.min(100, age / 10 / (store.task.refresh_seconds || 30)))}%`;
}

export function drawModels() {
    const { tick } = store;

    if (!tick)
        return;
    const names = [metric(), ...store.models].join("\n");

    if (names !== order) {
        order = names;
        cards.clear();
        for (const name of store.models)
            cards.set(name, build(name));
        put($("models"), [...cards.values()].map((c) => c.root));
    }
    for (const m of tick.models)
        fill(cards.get(m.name), m);
}
