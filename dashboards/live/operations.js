/* What keeps it running: services, the ledger, dead letters, drift. Details are asked for when their part
 * is opened, and every 15 s while it is. */
import { $, define, el, put, table } from "./dom.js";
import { get } from "./feed.js";
import { NONE, bytes, count, duration, exact, moment, number, rate, time } from "./format.js";
import { on, store } from "./store.js";

const EVERY_MS = 15000;
const STATES = { up: ["✓", "ok"], done: ["✓", "ok"], restarted: ["↻", "warn"], silent: ["!", "warn"], down: ["✕", "bad"] };
const KINDS = {
    "error-drift": ["◆", "bad"], "feature-drift": ["◆", "warn"], generation: ["●", ""], config: ["●", ""], outage: ["▒", "warn"], restart: ["↻", ""],
};

const parts = [];

function state(word) {
    const [icon, kind] = STATES[word] || ["?", ""];

    return el("span", { class: `state ${kind}` }, el("span", { "aria-hidden": "true" }, `${icon} `), word);
}

// ---- The bodies ----

function services() {
    const { tick } = store;

    return table("Services", ["service", "state", "doing", "since", define("memory", "memory"), "rate"], (tick.services || []).map((s) => [
        s.instance, state(s.state), s.doing || NONE, `${time(s.since_ms)} · ${duration(tick.time_ms - s.since_ms)}`, bytes(s.rss_bytes), rate(s.rate),
    ]));
}

function ledger(audit) {
    const broken = audit.equations.some((e) => !e.holds && !e.hidden);
    const head = el("p", null, el("span", { class: `state ${audit.state === "balanced" ? "ok" : broken ? "bad" : ""}` }, audit.text || audit.state),
        el("span", { class: "muted" }, ` ${audit.time_ms ? `at ${time(audit.time_ms)}` : ""}${audit.in_flight ? ` · ${audit.in_flight}` : ""}`));

    return [head, audit.equations.length ? table("The ledger's equations", ["", "of", "equation", "figures", ""], audit.equations.map((e) => [
        e.id, e.subject || NONE, e.words, el("code", null, e.figures),
        e.hidden ? el("span", { class: "muted" }, "not visible here") : e.holds ? el("span", { class: "state ok" }, "✓ holds") : el("span", { class: "state bad" }, "✕ broken"),
    ])) : null];
}

function deadLetters(dead) {
    if (!dead.reasons.length)
        return el("p", { class: "muted" }, "None: every message could be read.");
    return table("Dead letters by reason", ["reason", "count", "where", "last", "example"], dead.reasons.map((r) => [
        r.reason, count(r.count), `${r.service}, ${r.topic}`, time(r.last_ms),
        el("span", { class: "example" }, el("code", null, r.example ? `${r.example.key ?? NONE} ${r.example.value}` : NONE)),
    ]));
}

function driftLog() {
    if (!store.marks.length)
        return el("p", { class: "muted" }, "Nothing has happened yet.");
    return table("Log of drift and change", ["when", "what", "", "event time"], [...store.marks].reverse().map((m) => {
        const [icon, kind] = KINDS[m.kind] || ["●", ""];

        return [moment(m.time_ms), el("span", { class: `state ${kind}` }, el("span", { "aria-hidden": "true" }, `${icon} `), m.kind.replace("-", " ")), m.text, moment(m.event_ms, true)];
    }));
}

function featureDrift(drift) {
    const side = (s) => (s ? `${exact(s.mean)} (${count(s.n)}${s.missing ? `, ${count(s.missing)} missing` : ""})` : NONE);

    const full = drift.reference.rows >= drift.reference.of;

    return [
        el("p", { class: "muted" }, full ? "" : "Learning what is usual. ", `Reference: ${count(drift.reference.rows)} of ${count(drift.reference.of)} rows, since ${moment(drift.reference.since_ms)}. `,
            `Window: ${count(drift.window.rows)} rows. `, define("skew", "Skew"), `: ${count(drift.skew.differing)} of ${count(drift.skew.compared)} differ. `,
            el("button", { type: "button", onclick: reset }, "Begin a new reference")),
        table("Drift of the features", ["feature", define("psi", "PSI"), define("ks", "KS"), "state", "mean in the reference", "mean now"], drift.features.map((f) => [
            f.name, number(f.psi), number(f.ks), f.drifting ? el("span", { class: "state warn" }, "◆ drifts") : f.silent ? el("span", { class: "muted" }, "no alarm, by the task file") : f.psi === null ? el("span", { class: "muted" }, "learning") : el("span", { class: "state ok" }, "✓ ok"), side(f.reference), side(f.window),
        ])),
        drift.errors?.length ? table("Drift of the models' errors", ["model", "detector", define("alarms", "alarms"), "last"], drift.errors.map((e) => [e.model, e.detector, count(e.alarms), time(e.last_ms)])) : null,
    ];
}

async function reset(event) {
    event.target.disabled = true;
    const answer = await fetch("/api/drift/reset", { method: "POST", headers: { "X-Oxbow": "1" } }).catch(() => null);

    event.target.disabled = false;
    event.target.textContent = answer?.ok ? "A new reference has begun" : "That failed; try again";
}

// ---- The parts ----

function summaries() {
    const { tick } = store;
    const bad = (tick.services || []).filter((s) => !["up", "done"].includes(s.state));
    const drifting = (tick.drift?.features || []).filter((f) => f.drifting);

    return {
        health: (tick.services || []).length ? bad.length ? bad.map((s) => `${s.instance} ${s.state}`).join(", ") : `${tick.services.length} up` : "none yet",
        audit: tick.audit?.state || NONE,
        "dead-letters": count(tick.counts?.dead_letters),
        log: `${count(tick.counts?.alarms)} alarms`,
        drift: tick.drift?.state === "learning" ? "learning what is usual" : drifting.length ? `${drifting.map((f) => f.name).join(", ")} drifting` : "none",
    };
}

function part(id, title, path, draw, open) {
    const p = { id, path, draw, asked: -Infinity, data: null };

    p.summary = el("span", { class: "muted" });
    p.body = el("div", { class: "fold-body" });
    p.root = el("details", { class: "card fold", id, open }, el("summary", null, el("h3", null, title), p.summary), p.body);
    p.root.addEventListener("toggle", () => refresh(p));
    parts.push(p);
    return p.root;
}

async function refresh(p) {
    if (!p.root.open || document.hidden)
        return;
    if (p.path && performance.now() - p.asked > EVERY_MS && store.connection === "live") {
        p.asked = performance.now();
        try {
            p.data = await get(p.path);
        } catch (error) {
            put(p.body, el("p", { class: "muted" }, error.message));
            return;
        }
        p.key = null;
    }
    drawPart(p);
}

function drawPart(p) {
    if (!p.root.open || (p.path && !p.data) || !store.tick || p.body.contains(document.activeElement) || p.body.matches(":hover") && p.key)
        return;
    const key = p.path ? p.asked : p.id === "log" ? store.marks.map((m) => m.id).join() : store.tick.time_ms;

    if (p.key !== key) {
        p.key = key;
        put(p.body, p.draw(p.data));
    }
}

export function startOperations() {
    put($("operations"),
        part("health", "Services", null, services, true),
        part("audit", "Ledger", "/api/audit", ledger),
        part("dead-letters", "Dead letters", "/api/dead-letters", deadLetters),
        part("drift", "Feature drift", "/api/drift", featureDrift),
        part("log", "Drift and change", null, driftLog));
    on("tick", () => parts.forEach((p) => !store.paused && refresh(p)));
}

/* A link to a part opens it. */
export function openPart(id) {
    const p = parts.find((q) => q.id === id);

    if (!p)
        return false;
    p.root.open = true;
    p.root.scrollIntoView({ block: "start" });
    p.root.querySelector("summary").focus({ preventScroll: true });
    return true;
}

export function drawOperations() {
    if (!store.tick)
        return;
    const texts = summaries();

    for (const p of parts) {
        if (p.summary.textContent !== texts[p.id])
            p.summary.textContent = texts[p.id];
        drawPart(p);
    }
}
