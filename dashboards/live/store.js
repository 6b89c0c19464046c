/* All that the page knows. Every list in it is bounded: what a tick adds, an older one makes room for.
 * Whoever shows something listens: "snapshot", "tick", "history", "connection", "view". */
const CURVE_MAX = 600;
const LATEST_MAX = 20;
const MARKS_MAX = 200;
const SHOWN_MAX = 8;
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 3], [4, 2, 1, 2]];

export const RANGE_S = { "5m": 300, "1h": 3600, "12h": 43200, "7d": 604800 };

export const store = {
    task: null,
    snapshot: null,     // the last one, without what ticks carry on
    tick: null,
    checks: [],
    curve: emptyCurve(),
    latest: [],
    alerts: [],         // of a classification: the newest that were predicted positive, or are
    marks: [],
    models: [],         // names in their order, the baseline last
    hidden: new Set(),  // models that are off the charts
    connection: "connecting", // "live", "lost"
    problem: null,      // {what, since_ms}: what the monitor answers instead of figures
    arrived: 0,         // performance.now() of the newest tick
    range: "5m",
    axis: "wall",
    paused: false,
};

function emptyCurve() {
    return { step: 1, time: [], event: [], series: {}, gaps: [] };
}

// ---- Listeners ----

const listeners = new Map();

export function on(names, listener) {
    for (const name of names.split(" "))
        listeners.set(name, [...(listeners.get(name) || []), listener]);
}

export function tell(name, detail) {
    for (const listener of listeners.get(name) || [])
        listener(detail);
}

// ---- What comes in ----

/* A list that is too long for a tick comes a few at a time: what a tick does not name is kept. */
function merge(before, now, of, key) {
    if (!before || !now || now.length >= (of ?? now.length))
        return now || [];
    const fresh = new Map(now.map((n) => [n[key], n]));
    const kept = before.map((b) => {
        const found = fresh.get(b[key]);

        fresh.delete(b[key]);
        return found || b;
    });

    return [...kept, ...fresh.values()];
}

function takeTick(tick) {
    const before = store.tick;

    tick.models = merge(before?.models, tick.models, tick.models_of, "name")
        .sort((a, b) => Number(a.is_baseline) - Number(b.is_baseline));
    tick.services = merge(before?.services, tick.services, tick.services_of, "instance");
    store.tick = tick;
    store.checks = tick.checks || store.checks;
    store.arrived = performance.now();
    const names = tick.models.map((m) => m.name);

    if (names.join("\n") !== store.models.join("\n")) {
        store.models = names;
        store.hidden = new Set(tooMany(tick.models));
    }
}

/* Of more models than a chart can show, those that are off at first: all but the baseline and the best few. */
function tooMany(models) {
    if (models.length <= SHOWN_MAX)
        return [];
    return models.filter((m) => !m.is_baseline).sort((a, b) => (loss(a) ?? Infinity) - (loss(b) ?? Infinity))
        .slice(SHOWN_MAX - 1).map((m) => m.name);
}

function addMarks(marks) {
    const have = new Set(store.marks.map((m) => m.id));
    const fresh = marks.filter((m) => !have.has(m.id));

    if (fresh.length)
        store.marks = [...store.marks, ...fresh].sort((a, b) => a.time_ms - b.time_ms).slice(-MARKS_MAX);
    return fresh;
}

function addLatest(rows) {
    const have = new Set(store.latest.map((r) => r.key));

    store.latest = [...rows.filter((r) => !have.has(r.key)), ...store.latest].slice(0, LATEST_MAX);
    if (isClassification())
        addAlerts(rows);
}

/* Where a positive one is rare, the newest requests are hardly ever worth a look: those that are. */
function addAlerts(rows) {
    const have = new Set(store.alerts.map((r) => r.key));
    const found = rows.filter((r) => !have.has(r.key) && outcome(r, leader()) !== "quiet");

    store.alerts = [...found, ...store.alerts].slice(0, LATEST_MAX);
}

export function setSnapshot(snapshot) {
    const other = !store.task || store.snapshot.incarnation !== snapshot.incarnation;

    store.task = snapshot.task;
    store.snapshot = snapshot;
    store.checks = snapshot.checks || [];
    if (other) {
        store.curve = emptyCurve();
        store.marks = [];
        store.tick = null;
    }
    store.latest = (snapshot.latest || []).slice(0, LATEST_MAX);
    addMarks(snapshot.marks || []);
    store.problem = null;
    if (snapshot.tick) {
        takeTick(snapshot.tick);
    }
    if (other)
        store.alerts = [];
    if (isClassification())
        addAlerts(store.latest);
    tell("snapshot");
}

export function addTick(tick) {
    if (store.tick && tick.time_ms < store.tick.time_ms)
        return;
    store.problem = null;
    takeTick(tick);
    addLatest(tick.latest || []);
    const fresh = addMarks(tick.marks || []);

    appendPoint(tick);
    tell("tick", fresh);
}

/* The same names as `series` of /api/history. */
function pointOf(tick) {
    const values = {
        "lag.p50": tick.lag_ms?.p50, "lag.p95": tick.lag_ms?.p95, "lag.p99": tick.lag_ms?.p99,
        in_progress: tick.counts?.in_progress, backlog: tick.backlog,
    };

    for (const name of ["requests", "predictions", "labels", "learned"])
        values[`rate.${name}`] = tick.rates?.[name];
    for (const m of tick.models) {
        if (metric())
            values[`${metric()}.${m.name}`] = loss(m);
        if (isClassification())
            values[`pr_auc.${m.name}`] = m.window?.pr_auc;
        values[`skill.${m.name}`] = m.skill;
    }
    return values;
}

function appendPoint(tick) {
    const c = store.curve;
    const last = c.time.at(-1);

    if (last !== undefined && tick.time_ms - last < c.step * 1000 * 0.9)
        return;
    const point = pointOf(tick);

    for (const name of Object.keys(point))
        if (!c.series[name])
            c.series[name] = new Array(c.time.length).fill(null);
    c.time.push(tick.time_ms);
    c.event.push(tick.event_ms);
    for (const [name, values] of Object.entries(c.series))
        values.push(point[name] ?? null);
    trim(c);
}

function trim(c) {
    const oldest = c.time.at(-1) - RANGE_S[store.range] * 1000;
    let drop = Math.max(0, c.time.length - CURVE_MAX);

    while (drop < c.time.length && c.time[drop] < oldest)
        drop++;
    if (!drop)
        return;
    c.time.splice(0, drop);
    c.event.splice(0, drop);
    for (const values of Object.values(c.series))
        values.splice(0, drop);
    c.gaps = c.gaps.filter((g) => g[1] > c.time[0]);
}

const outages = () => store.marks.filter((m) => m.kind === "outage" && m.until_ms).map((m) => [m.time_ms, m.until_ms]);

/* Times without points: as the monitor says, and where this page finds a hole in what it got. */
function gapsOf(c, told) {
    const gaps = told.map((g) => [...g]); // may overlap: what is hatched twice is no darker
    const hole = Math.max(5000, 3 * c.step * 1000);

    for (let i = 1; i < c.time.length; i++) {
        const [from, to] = [c.time[i - 1], c.time[i]];

        if (to - from > hole && !gaps.some((g) => g[0] < to && g[1] > from))
            gaps.push([from, to]);
    }
    return gaps.sort((a, b) => a[0] - b[0]);
}

export function setHistory(history) {
    const c = {
        step: history.step_s, time: history.time_ms, event: history.event_ms || [],
        series: history.series, gaps: [],
    };

    addMarks(history.marks || []);
    c.gaps = gapsOf(c, [...(history.gaps || []), ...outages()]);
    store.curve = c;
    tell("history");
}

export function setConnection(connection, problem = null) {
    const changed = connection !== store.connection || problem !== store.problem?.what;

    store.connection = connection;
    if (problem)
        store.problem = { what: problem, since_ms: store.problem?.since_ms ?? Date.now() };
    else if (connection === "live")
        store.problem = null;
    if (changed)
        tell("connection");
}

// ---- What everybody asks ----

/* Colour and line of a model, by its place in the file. */
export function look(name) {
    const i = store.models.indexOf(name);

    if (name === store.snapshot?.baseline)
        return { class: "mb", variable: "--mb", dash: [4, 3] };
    const place = i < 0 ? 0 : i % 6;

    return { class: `m${place}`, variable: `--m${place}`, dash: DASHES[(Math.floor(i / 6) + place) % 6] };
}

export const model = (name) => store.tick?.models.find((m) => m.name === name) ?? null;
export const noun = () => store.task?.noun || "request";
export const nouns = () => `${noun()}s`;
export const unit = () => store.task?.unit || "";
export const isClassification = () => store.task?.kind === "binary_classification" && store.task.metric === "log_loss";

/* What the models' scores are: null where there are none for this kind of task. */
export const metric = () => (store.task?.kind === "regression" ? "mae" : isClassification() ? "log_loss" : null);
export const METRIC_NAMES = { mae: "MAE", log_loss: "log loss" };

/* The score by which models are compared, over the window: the less the better. */
export const loss = (m) => m?.window?.[metric()] ?? null;
export const threshold = () => store.task?.threshold ?? 0.5;

/* Of a labelled row, by a model: "caught", "false alarm", "missed", or "quiet". */
export function outcome(row, name) {
    const p = row.values?.[name];

    if (Number.isFinite(p) && p >= threshold())
        return row.label ? "caught" : "false alarm";
    return row.label ? "missed" : "quiet";
}

export const usesEvents = () => store.axis === "event" && store.curve.event.some((e) => e !== null);
export const few = () => store.tick?.state === "few";

let led = null;

/* The model that the page stands by: the best one; where none is named the last that was, or the one with the least error. */
export function leader() {
    const verdict = store.tick?.verdict;

    if (verdict?.model)
        led = verdict.model;
    if (led && store.models.includes(led))
        return led;
    const ranked = (store.tick?.models || []).filter((m) => !m.is_baseline)
        .sort((a, b) => (loss(a) ?? Infinity) - (loss(b) ?? Infinity));

    led = ranked[0]?.window?.[metric()] === undefined ? null : ranked[0].name;
    return ranked[0]?.name ?? null;
}
