/* The drawer: one model or one request, at an address of its own (#/model/NAME, #/request/KEY), so
 * that it can be linked to, and the browser's back button closes it. */
import { $, chip, define, el, put, svg, table } from "./dom.js";
import { get } from "./feed.js";
import { NONE, bytes, count, duration, exact, millis, moment, number, signed, time, value, version } from "./format.js";
import { METRIC_NAMES, isClassification, leader, look, metric, noun, store, threshold, unit } from "./store.js";
import { labelText } from "./probabilities.js";
import { drawWhy } from "./why.js";

let opener = null;
let shown = "";

function frame(title, kind, body) {
    put($("drawer"), el("div", { class: "drawer-head" }, el("p", { class: "muted" }, kind),
        el("button", { type: "button", class: "close", "aria-label": "Close", onclick: close }, "✕"),
        el("h2", { id: "drawer-title" }, title)), el("div", { class: "drawer-body" }, body));
}

function facts(pairs) {
    return el("dl", { class: "facts" }, pairs.filter((p) => p).map(([name, text, key]) =>
        el("div", { class: "fact" }, el("dt", null, key ? define(key, name) : name), el("dd", { class: "num" }, text))));
}

const block = (title, ...body) => el("section", null, el("h3", null, title), body);

// ---- A model ----

/* A line of one figure over the versions, oldest left. */
function sparkline(versions, of, title) {
    const list = [...versions].reverse().map(of).filter((v) => typeof v === "number");
    const [low, high] = [Math.min(...list), Math.max(...list)];

    if (list.length < 2)
        return null;
    const points = list.map((v, i) => `${(2 + 296 * i / (list.length - 1)).toFixed(1)},${(44 - 40 * ((v - low) / (high - low || 1))).toFixed(1)}`);

    return el("figure", { class: "mini" }, el("figcaption", null, title),
        svg("svg", { viewBox: "0 0 300 48", preserveAspectRatio: "none", role: "img", "aria-label": `${title}: from ${number(list[0])} to ${number(list.at(-1))}` },
            svg("polyline", { points: points.join(" "), class: "mini-line" })),
        el("span", { class: "muted num" }, `${number(list[0])} → ${number(list.at(-1))}`));
}

function json(title, v) {
    return el("pre", { class: "code", tabindex: "0", role: "region", "aria-label": title }, JSON.stringify(v, null, 1));
}

function parameters(m) {
    try {
        return JSON.parse(m.parameters);
    } catch {
        return m.parameters;
    }
}

function modelBody(m) {
    const now = m.versions[0] || {};
    const score = metric();
    const name = METRIC_NAMES[score];

    return [
        facts([["class", el("code", null, m.class)], ["learned", count(now.learned), "learned"], ["size", bytes(now.bytes), "bytes"],
            ...(score ? [[`${name}, all`, value(now[score], unit()), `${score}-all`], [`${name}, window`, value(now[`${score}_window`], unit()), `${score}-window`],
                [`${name}, served`, value(now[`${score}_served`], unit()), `${score}-served`]] : [])]),
        el("div", { class: "minis" }, score ? sparkline(m.versions, (v) => v[`${score}_window`], `${name[0].toUpperCase()}${name.slice(1)} over the versions${unit() ? `, ${unit()}` : ""}`) : null,
            sparkline(m.versions, (v) => v.bytes / 1024, "Size over the versions, KB")),
        block("Pipeline", json("Pipeline, as JSON", m.pipeline)),
        m.parameters ? block("Parameters", json("Parameters, as JSON", parameters(m))) : null,
        m.state ? block("State", json("State, as JSON", m.state)) : null,
        block("Versions, newest first", table("Versions", ["version", "published", "learned", "size", ...(score ? ["window", "served"] : []), ""], m.versions.map((v) => [
            el("code", { title: `${v.version}, from ${v.parent || "nothing"}` }, version(v.version)), time(v.time_ms), count(v.learned), bytes(v.bytes),
            ...(score ? [number(v[`${score}_window`]), number(v[`${score}_served`])] : []), v.serving ? el("span", { class: "state ok" }, "✓ serving") : "",
        ]))),
    ];
}

// ---- A request ----

function timeline(t) {
    const steps = [["requested", t.requested_ms], ["predicted", t.predicted_ms], ["ended", t.ended_ms], ["learned", t.learned_ms]];

    return el("ol", { class: "timeline" }, steps.map(([name, at], i) => {
        const before = i ? steps[i - 1][1] : null;
        const took = at && before ? at - before : null;

        return el("li", { class: at ? "done" : "later" }, el("b", null, name), el("span", { class: "num" }, at ? time(at) : "not yet"),
            el("span", { class: "muted num" }, took === null ? "" : `+ ${took < 60000 ? millis(took) : duration(took)}`));
    }));
}

function predictions(r, choose, chosen) {
    return table("Predictions", ["model", "predicted", "error", "version", ""], Object.entries(r.predictions).map(([name, p]) => [
        el("span", { class: "with-chip" }, chip(look(name)), ` ${name}`), [value(p.value, unit()), p.interval ? el("span", { class: "muted" }, " ", define("expected", `${number(p.interval[0])} to ${number(p.interval[1])}`)) : null,
            isClassification() && p.value >= threshold() ? el("b", null, " alert") : null], signed(p.error, unit()), el("code", { title: p.version }, version(p.version)),
        el("button", { type: "button", class: "quiet why", "aria-pressed": String(name === chosen), "aria-label": `why? ${name}`, onclick: (e) => choose(name, e.target) }, "why?"),
    ]));
}

function requestBody(r) {
    const place = el("div", { class: "why-place" });
    const models = Object.keys(r.predictions);
    const first = models.includes(leader()) ? leader() : models[0];
    const choose = (name, button) => {
        for (const b of place.closest(".drawer-body").querySelectorAll(".why"))
            b.setAttribute("aria-pressed", String(b === button));
        put(title, `Why ${name} said so`);
        drawWhy(place, r.key, name);
    };
    const title = el("h3", null, first ? `Why ${first} said so` : "Why");

    if (first)
        drawWhy(place, r.key, first);
    return [
        facts([[store.task.label || "label", r.label === null ? "not yet known" : isClassification() ? labelText(r.label) : value(r.label, unit()), "truth"],
            isClassification() && ["threshold", number(threshold()), "alerts"]]),
        timeline(r.timeline || {}),
        block("Predictions", predictions(r, choose, first)),
        el("section", null, title, place),
        block("Features", table("Features", ["feature", "value"], Object.entries(r.features || {}).map(([k, v]) => [k, exact(v)]))),
        block("Message", json("Message, as JSON", r.request)), r.outcome ? block("Outcome", json("Outcome, as JSON", r.outcome)) : null,
    ];
}

// ---- Opening and closing ----

function parse() {
    const [, kind, name] = location.hash.match(/^#\/(model|request)\/(.+)$/) || [];

    try {
        return kind ? { kind, name: decodeURIComponent(name) } : null;
    } catch {
        return null;
    }
}

async function fill(route) {
    const drawer = $("drawer");
    const kind = route.kind === "model" ? "model" : noun();

    frame(route.name, kind, el("p", null, el("span", { class: "bone wide" }, " ")));
    drawer.hidden = false;
    document.body.classList.add("has-drawer");
    drawer.focus();
    try {
        const data = await get(route.kind === "model" ? `/api/models/${encodeURIComponent(route.name)}` : `/api/requests/${encodeURIComponent(route.name)}`);

        if (shown === location.hash)
            frame(route.name, kind, route.kind === "model" ? modelBody(data) : requestBody(data));
    } catch (error) {
        frame(route.name, kind, [el("p", null, error.message),
            el("p", { class: "muted" }, route.kind === "model" ? `Models: ${store.models.join(", ") || NONE}.` : `Only the newest are kept for this page; ${moment(Date.now())}.`)]);
    }
    if (drawer.contains(document.activeElement) || document.activeElement === document.body)
        drawer.focus();
}

function close() {
    history.pushState(null, "", location.pathname + location.search);
    follow();
}

/* Does what the address says. */
export function follow() {
    const route = parse();
    const drawer = $("drawer");

    if (!route) {
        if (!drawer.hidden) {
            drawer.hidden = true;
            put(drawer);
            document.body.classList.remove("has-drawer");
            opener?.focus?.();
            opener = null;
        }
        shown = "";
        return;
    }
    if (shown === location.hash || !store.task)
        return;
    if (drawer.hidden)
        opener = document.activeElement;
    shown = location.hash;
    fill(route);
}

export function startDrawer() {
    addEventListener("hashchange", follow);
    addEventListener("popstate", follow);
    document.addEventListener("keydown", (e) => {
        if (e.key === "Escape" && !$("drawer").hidden && !e.defaultPrevented)
            close();
    });
}
