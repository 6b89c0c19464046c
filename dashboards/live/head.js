/* The top of the page: the header's clock, the verdict, the tiles, and what is wrong. */
import { $, chip, define, el, put, setText } from "./dom.js";
import { NONE, count, duration, millis, moment, number, percent, short, time } from "./format.js";
import { look, noun, nouns, on, store } from "./store.js";

const SPARK = 60; // points, one a tick

// ---- Header ----

function drawLive() {
    const ago = (performance.now() - store.arrived) / 1000;
    const text = store.connection === "connecting" ? "connecting"
        : store.connection === "lost" ? "reconnecting"
            : store.paused ? `paused ${ago > 2 ? "" : "· still receiving"}`.trim()
                : `updated ${ago < 1 ? ago.toFixed(1) : Math.round(ago)} s ago`;

    setText($("live-text"), text);
}

function drawClock() {
    const { tick } = store;
    const clock = $("clock");

    clock.hidden = !tick?.event_ms;
    if (!clock.hidden) {
        if (!clock.firstChild)
            clock.append(define("clock", "clock"), " ", el("b", { class: "num" }));
        const speed = tick.speed && tick.speed !== 1 ? ` × ${number(tick.speed)}` : "";

        setText(clock.lastChild, moment(tick.event_ms, true) + speed);
    }
}

function drawName() {
    const name = store.task?.name;

    setText($("name"), name ? `oxbow · ${name}` : "oxbow");
    document.title = name ? `${name} · oxbow` : "oxbow";
    if (store.snapshot)
        setText($("foot"), `oxbow ${store.snapshot.version} · ${store.task.bus} · ${store.task.views} · up since ` +
            `${moment(store.snapshot.started_ms)} · incarnation ${(store.snapshot.incarnation || NONE).slice(0, 8)}`);
}

// ---- Verdict ----

let spoken = "";

function verdictNodes(verdict) {
    const at = verdict.model && verdict.text.indexOf(verdict.model);

    if (verdict.kind !== "best" || at < 0)
        return [verdict.text];
    return [verdict.text.slice(0, at), chip(look(verdict.model)), el("b", null, verdict.model),
        verdict.text.slice(at + verdict.model.length)];
}

/* What it says in the states that have no verdict. */
function waitingText(tick) {
    if (tick.state === "starting")
        return "Starting: the parts of the loop are coming up.";
    if (tick.state === "empty") {
        const left = tick.first_label_ms ? tick.first_label_ms - tick.time_ms : null;
        const when = left === null ? "" : left > 0 ? `; the first is expected in about ${duration(Math.ceil(left / 60000) * 60000)}`
            : "; the first is due";

        return `No labels yet${when}. Predictions are already flowing.`;
    }
    return null;
}

export function drawVerdict() {
    const { tick } = store;
    const place = $("verdict");

    if (!tick)
        return;
    const waiting = waitingText(tick);
    const text = waiting || tick.verdict?.text || "";

    place.dataset.kind = waiting ? tick.state : tick.verdict?.kind || "none";
    if (place.dataset.text !== text) {
        place.dataset.text = text;
        put(place, waiting ? [waiting] : verdictNodes(tick.verdict || { text: "" }));
    }
    const said = waiting ? tick.state : `${tick.verdict?.kind} ${tick.verdict?.model}`;

    if (said !== spoken) {
        if (spoken)
            setText($("speak"), text);
        spoken = said;
    }
}

/* More comes than this page looks at: said, with how much of it counts. */
function drawSampled() {
    const parts = Object.entries(store.tick?.sampled || {}).filter(([, part]) => part < 0.995);
    const place = $("sampled");

    place.hidden = !parts.length;
    if (!parts.length)
        return;
    if (!place.firstChild)
        place.append(define("sampled", "Sampled"), el("span"));
    setText(place.lastChild, `: this page looks at ${parts.map(([name, part]) => `${percent(part, part < 0.1 ? 1 : 0)} of the ${name}`).join(", ")}. Counts and rates are exact.`);
}

// ---- Tiles ----

const sparks = new Map();

function spark(key) {
    return sparks.get(key) || sparks.set(key, []).get(key);
}

function drawSpark(canvas, values) {
    const ratio = devicePixelRatio || 1;
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];

    if (!w)
        return;
    if (canvas.width !== Math.round(w * ratio)) {
        canvas.width = Math.round(w * ratio);
        canvas.height = Math.round(h * ratio);
    }
    const ctx = canvas.getContext("2d");
    const known = values.filter((v) => typeof v === "number");
    const [least, most] = [Math.min(...known), Math.max(...known)];
    const room = Math.max(0, 0.3 * Math.abs(most) - (most - least)) / 2 || (most === least ? 1 : 0);
    const [low, top] = [least - room, most + room]; // what hardly moves is drawn flat

    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, w, h);
    if (known.length < 2)
        return;
    ctx.strokeStyle = getComputedStyle(canvas).color;
    ctx.lineWidth = 1.25;
    ctx.beginPath();
    values.forEach((v, i) => {
        const x = w - (values.length - 1 - i) * (w / (SPARK - 1));
        const y = 2 + (h - 4) * (1 - (v - low) / (top - low || 1));

        if (typeof v === "number")
            ctx.lineTo(x, y);
    });
    ctx.stroke();
}

/* The tiles: what each is called, says, and adds in small print. */
const TILES = [
    { key: "in-progress", title: () => "in progress", at: (t) => t.counts.in_progress,
        text: (t) => short(t.counts.in_progress), note: (t) => `${count(t.counts.requests)} ${nouns()} so far` },
    { key: "completed", title: () => "completed a minute", at: (t) => t.rates.outcomes,
        text: (t) => short(Math.round((t.rates.outcomes ?? NaN) * 60)), note: (t) => `${count(t.counts.labelled)} labels learned from` },
    { key: "lag", title: () => "prediction lag, p50", at: (t) => t.lag_ms.p50,
        text: (t) => millis(t.lag_ms.p50), note: (t) => `p95 ${millis(t.lag_ms.p95)} · p99 ${millis(t.lag_ms.p99)}` },
    { key: "waiting", title: () => "labels waiting", at: (t) => t.counts.waiting,
        text: (t) => short(t.counts.waiting), note: (t) => `backlog ${count(t.backlog)}` },
    { key: "dead-letters", title: () => "dead letters", at: (t) => t.counts.dead_letters,
        text: (t) => short(t.counts.dead_letters), note: (t) => `${count(t.counts.bad_labels)} bad labels`,
        state: (t) => (t.counts.dead_letters ? "warn" : null), to: "#dead-letters" },
    { key: "audit", title: () => "audit", at: () => null, text: (t) => t.audit.state, icon: auditIcon,
        note: (t) => (t.audit.time_ms && t.audit.state !== "never" ? `at ${time(t.audit.time_ms)}` : "not yet looked at"),
        state: (t) => ({ balanced: "ok", broken: "bad" })[t.audit.state], to: "#audit" },
];

function auditIcon(t) {
    return { balanced: "✓", broken: "✕" }[t.audit.state] || "?";
}

let tiles = null;

function makeTiles() {
    tiles = TILES.map((t) => {
        const parts = { title: define(t.key, t.title()), text: el("b", { class: "tile-value" }), note: el("span", { class: "tile-note" }) };

        parts.canvas = t.at(store.tick) === null && t.key === "audit" ? null : el("canvas", { class: "spark", "aria-hidden": "true" });
        parts.root = el("div", { class: `tile tile-${t.key}` }, el("div", { class: "tile-title" }, parts.title),
            el("div", { class: "tile-row" }, parts.text, parts.canvas),
            t.to ? el("a", { class: "tile-note", href: t.to }, parts.note) : parts.note);
        return parts;
    });
    put($("tiles"), tiles.map((t) => t.root));
}

export function skeletonTiles() {
    put($("tiles"), TILES.map((t) => el("div", { class: "tile" }, el("div", { class: "tile-title" }, t.title()),
        el("div", { class: "tile-row" }, el("span", { class: "bone tile-value" }, " ")))));
}

/* What was before this page was opened, out of the curves. */
const BEFORE = { "in-progress": "in_progress", completed: "rate.labels", lag: "lag.p50" };

export function fillSparks() {
    for (const [key, name] of Object.entries(BEFORE))
        if (store.curve.step === 1 && store.curve.series[name])
            sparks.set(key, store.curve.series[name].slice(-SPARK));
}

export function noteSparks() {
    for (const t of TILES) {
        const values = spark(t.key);

        values.push(t.at(store.tick));
        if (values.length > SPARK)
            values.shift();
    }
}

export function drawTiles() {
    const { tick } = store;

    if (!tick)
        return;
    if (!tiles)
        makeTiles();
    TILES.forEach((t, i) => {
        const parts = tiles[i];
        const icon = t.icon ? `${t.icon(tick)} ` : "";

        setText(parts.text, icon + t.text(tick));
        setText(parts.note, t.note(tick));
        parts.root.dataset.state = t.state?.(tick) || "";
        if (parts.canvas)
            drawSpark(parts.canvas, spark(t.key));
    });
}

// ---- Connection and alarms ----

function strip(kind, icon, ...words) {
    return el("div", { class: `strip ${kind}` }, el("span", { class: "icon", "aria-hidden": "true" }, icon), el("span", null, words));
}

function drawConnection() {
    const place = $("connection");
    const lost = store.connection === "lost";

    document.body.dataset.connection = store.connection;
    place.hidden = !lost && !store.problem;
    if (place.hidden)
        return;
    if (store.problem)
        put(place, el("span", { class: "icon", "aria-hidden": "true" }, "!"), el("span", null,
            el("b", null, store.problem.what), ` — since ${time(store.problem.since_ms)}. Type `,
            el("code", null, "oxbow status"), " to see what is up."));
    else
        put(place, el("span", { class: "icon", "aria-hidden": "true" }, "⟳"), el("span", null, el("b", null, "Reconnecting"),
            store.tick ? `, data from ${time(store.tick.time_ms)}` : ""));
}

/* {id, node} of everything that is wrong now. */
function alarmsNow(tick) {
    const found = [];
    const add = (id, node) => found.push({ id, node });

    if (tick.audit?.state === "broken")
        add("audit", strip("broken", "✕", el("b", null, "The audit is broken. "), tick.audit.text, " — ", el("a", { href: "#audit" }, "see it"),
            ", or type ", el("code", null, "oxbow audit"), "."));
    for (const s of tick.services || [])
        if (s.state === "down" || s.state === "silent")
            add(`${s.instance} ${s.state}`, strip(s.state === "down" ? "bad" : "warn", s.state === "down" ? "✕" : "!", el("b", null, `${s.instance} is ${s.state}`),
                ` since ${time(s.since_ms)} (${duration(tick.time_ms - s.since_ms)}). Its log says why; `, el("code", null, "oxbow up"), " starts it again."));
    for (const f of tick.drift?.features || [])
        if (f.drifting)
            add(`drift ${f.name}`, strip("warn", "◆", el("b", null, `${f.name} drifts`), `: PSI ${number(f.psi)}, KS ${number(f.ks)} — `,
                el("a", { href: "#drift" }, "see it"), "."));
    if (tick.drift?.skew?.differing)
        add("skew", strip("bad", "✕", el("b", null, "Training and serving differ"), `: ${count(tick.drift.skew.differing)} of `,
            `${count(tick.drift.skew.compared)} feature values were learned otherwise than they were served.`));
    return found;
}

let alarms = "";

function drawAlarms(fresh) {
    const now = store.tick ? alarmsNow(store.tick) : [];
    const text = now.map((a) => a.node.textContent).join("\n");
    const before = alarms.split("\n");

    if (text !== alarms && !$("alarms").contains(document.activeElement))
        put($("alarms"), now.map((a) => a.node));
    const news = [...text.split("\n").filter((t) => t && !before.some((b) => b.slice(0, 20) === t.slice(0, 20))),
        ...(fresh || []).filter((m) => m.kind.endsWith("drift")).map((m) => m.text)];

    alarms = text;
    if (news.length)
        setText($("speak"), news.join(". "));
}

// ---- Starting ----

export function drawStarting() {
    const { tick } = store;
    const place = $("starting");

    document.body.dataset.state = tick?.state || "starting";
    place.hidden = !tick || tick.state !== "starting";
    if (place.hidden)
        return;
    const next = store.checks.findIndex((c) => !c.ok);
    const key = JSON.stringify(store.checks);

    if (place.dataset.key === key)
        return;
    place.dataset.key = key;
    put(place, el("h2", null, "Starting"), el("ol", { class: "checks" }, store.checks.map((c, i) =>
        el("li", { class: c.ok ? "done" : i === next ? "now" : "later" },
            el("span", { class: "icon", "aria-hidden": "true" }, c.ok ? "✓" : i === next ? "…" : "·"),
            el("span", null, el("b", null, c.name), el("span", { class: "sr" }, c.ok ? ": there" : ": waiting for it"),
                el("span", { class: "muted" }, ` ${c.detail || ""}`))))),
    el("p", { class: "muted" }, `The first ${noun()} brings this page to life.`));
}

export function startHead() {
    on("clock connection", () => {
        drawLive();
        drawConnection();
    });
    on("tick", (fresh) => drawAlarms(fresh));
    on("snapshot", () => {
        drawName();
        drawAlarms();
    });
    setInterval(() => document.hidden || drawLive(), 200);
}

export function drawHead() {
    drawLive();
    drawClock();
    drawVerdict();
    drawSampled();
    drawTiles();
    drawStarting();
}
