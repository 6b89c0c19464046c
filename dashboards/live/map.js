/* The map: no tiles, no names, only where requests come from. Below lies their density so far, on a
 * log scale, so that any city draws itself; above it move those under way, at elapsed / predicted on the
 * straight line, and rings of those just ended, coloured by the error. */
import { $, define, el, put, setText } from "./dom.js";
import { colour } from "./chart_card.js";
import { count, number } from "./format.js";
import { isClassification, leader, model, noun, nouns, on, store, unit } from "./store.js";

const MOVING_MAX = 1200;
const RINGS_MAX = 400;
const RING_MS = 8000;
const FRAME_MS = 33;
const SAME = 0.15;         // an error within this part of the truth is no error worth a colour
const CLICK_PX = 8;

const still = matchMedia("(prefers-reduced-motion: reduce)");
let view = null;           // {canvas, ctx, base, w, h, box, cells, most, moving: Map, rings}
let visible = false;
let last_frame = 0;
let clock = { event: 0, at: 0, speed: 1 };

// ---- What is known ----

function takeCells(map) {
    view.width = map.width;
    view.height = map.height;
    view.whole = map.box;
    view.cells = new Float64Array(map.width * map.height);
    for (const [index, n] of map.cells)
        view.cells[index] = n;
    view.box = null;
    view.base = null;
}

/* The part of the box that holds nearly all requests: a few far ones must not shrink the city. */
function cropped() {
    const { cells, width, height, whole } = view;
    const columns = new Float64Array(width);
    const rows = new Float64Array(height);

    cells.forEach((n, i) => {
        columns[i % width] += n;
        rows[Math.floor(i / width)] += n;
    });
    const ends = (sums) => {
        const all = sums.reduce((a, b) => a + b, 0);
        let [low, high] = [0, sums.length - 1];

        for (let run = 0; low < high && (run += sums[low]) < all * 0.004;)
            low++;
        for (let run = 0; high > low && (run += sums[high]) < all * 0.004;)
            high--;
        return all ? [Math.max(0, low - 2), Math.min(sums.length, high + 3)] : [0, sums.length];
    };
    const [x0, x1] = ends(columns);
    const [y0, y1] = ends(rows);
    const dx = (whole[2] - whole[0]) / width;
    const dy = (whole[3] - whole[1]) / height;

    return [whole[0] + x0 * dx, whole[1] + y0 * dy, whole[0] + x1 * dx, whole[1] + y1 * dy];
}

function addMoving(trip) {
    view.moving.set(trip.key, trip);
    while (view.moving.size > MOVING_MAX)
        view.moving.delete(view.moving.keys().next().value);
}

function addStarted(trip) {
    if (!trip.from)
        return;
    const { cells, width, height, whole } = view;
    const x = Math.floor((trip.from[0] - whole[0]) / (whole[2] - whole[0]) * width);
    const y = Math.floor((trip.from[1] - whole[1]) / (whole[3] - whole[1]) * height);

    if (x >= 0 && x < width && y >= 0 && y < height)
        cells[y * width + x] += 1;
    addMoving(trip);
}

function addEnded(trip) {
    view.moving.delete(trip.key);
    if (!trip.at)
        return; // it began before the monitor did: nobody knows where
    view.rings.push({ ...trip, since: performance.now() });
    if (view.rings.length > RINGS_MAX)
        view.rings.shift();
}

/* The events' clock goes on between two ticks. */
function setClock(tick) {
    clock = { event: tick.event_ms ?? tick.time_ms, at: performance.now(), speed: tick.event_ms === null ? 1 : tick.speed || 1, events: tick.event_ms !== null };
}

const now = () => clock.event + Math.min(2500, performance.now() - clock.at) * clock.speed;

// ---- Where it is on the canvas ----

function layOut() {
    const { canvas } = view;
    const ratio = Math.min(2, devicePixelRatio || 1);
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];

    if (!w || (view.w === w && view.h === h && view.box))
        return;
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
    Object.assign(view, { w, h, ratio, base: null });
    const box = cropped();
    const degrees = view.whole.every((v, i) => Math.abs(v) <= (i % 2 ? 90 : 180));
    const shrink = degrees ? Math.cos((box[1] + box[3]) / 2 * Math.PI / 180) : 1;
    const scale = Math.min((w - 16) / ((box[2] - box[0]) * shrink), (h - 16) / (box[3] - box[1]));

    view.box = box;
    view.scale_x = scale * shrink;
    view.scale_y = scale;
    view.left = (w - (box[2] - box[0]) * view.scale_x) / 2;
    view.top = (h - (box[3] - box[1]) * view.scale_y) / 2;
}

const px = (x) => view.left + (x - view.box[0]) * view.scale_x;
const py = (y) => view.top + (view.box[3] - y) * view.scale_y;

/* How far along it is, 0 to 1, and whether its time is over. */
function along(trip) {
    const elapsed = (now() - (clock.events ? trip.event_ms ?? trip.time_ms : trip.time_ms)) / 1000;
    const part = trip.predicted > 0 ? elapsed / trip.predicted : 1;

    return { part: Math.max(0, Math.min(1, part)), overdue: part > 1, gone: part > 3 && elapsed - trip.predicted > 20 * clock.speed };
}

function position(trip) {
    const { part, overdue, gone } = along(trip);
    const to = trip.to || trip.from;

    return { x: px(trip.from[0] + (to[0] - trip.from[0]) * part), y: py(trip.from[1] + (to[1] - trip.from[1]) * part), overdue, gone };
}

// ---- Drawing ----

function drawBase() {
    const { cells, width, height, whole, w, h, ratio } = view;
    const base = document.createElement("canvas");

    base.width = Math.round(w * ratio);
    base.height = Math.round(h * ratio);
    const ctx = base.getContext("2d");
    const most = Math.log1p(cells.reduce((a, b) => Math.max(a, b), 1));
    const cw = (whole[2] - whole[0]) / width * view.scale_x;
    const ch = (whole[3] - whole[1]) / height * view.scale_y;
    const rgb = colour("--density");
    const seam = Math.min(0.5, 0.1 * Math.min(cw, ch));

    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    cells.forEach((n, i) => {
        if (!n)
            return;
        const x = px(whole[0]) + (i % width) * cw;
        const y = py(whole[1]) - (Math.floor(i / width) + 1) * ch;

        ctx.fillStyle = `rgba(${rgb}, ${(0.06 + 0.5 * Math.log1p(n) / most).toFixed(3)})`;
        ctx.fillRect(x, y, Math.max(1, cw - seam), Math.max(1, ch - seam));
    });
    view.base = base;
    view.base_at = performance.now();
}

/* The radius is the absolute error; the scale is twice the baseline's, so that it stays; 1 of a probability. */
function radius(error) {
    const scale = isClassification() ? 1 : 2 * (model(store.snapshot.baseline)?.window?.mae || 500);

    return 2 + 11 * Math.sqrt(Math.min(1, Math.abs(error) / scale));
}

function ringColour(ring) {
    if (ring.error === null || Math.abs(ring.error) <= SAME * (isClassification() ? 1 : Math.abs(ring.label)))
        return colour("--even");
    return colour(ring.error > 0 ? "--over" : "--under");
}

function drawRings(ctx, at) {
    view.rings = view.rings.filter((r) => at - r.since < RING_MS);
    for (const ring of view.rings) {
        ctx.globalAlpha = 1 - (at - ring.since) / RING_MS;
        ctx.strokeStyle = ringColour(ring);
        ctx.lineWidth = 1.75;
        ctx.beginPath();
        ctx.arc(px(ring.at[0]), py(ring.at[1]), radius(ring.error || 0), 0, 7);
        ctx.stroke();
    }
    ctx.globalAlpha = 1;
}

function drawMoving(ctx, at) {
    ctx.fillStyle = colour("--taxi");
    for (const trip of view.moving.values()) {
        const p = position(trip);

        if (p.gone) {
            view.moving.delete(trip.key);
            continue;
        }
        const pulse = p.overdue && !still.matches ? 0.45 + 0.4 * Math.sin(at / 220) : p.overdue ? 0.5 : 0.9;

        ctx.globalAlpha = pulse;
        ctx.beginPath();
        ctx.arc(p.x, p.y, 1.5, 0, 7);
        ctx.fill();
    }
    ctx.globalAlpha = 1;
}

function draw(at) {
    layOut();
    if (!view.box)
        return;
    if (!view.base || at - view.base_at > 5000)
        drawBase();
    const { ctx, ratio, w, h } = view;

    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, view.canvas.width, view.canvas.height);
    ctx.drawImage(view.base, 0, 0);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, 0, w, h);
    ctx.clip();
    if (store.task.map.moves)
        drawMoving(ctx, at);
    drawRings(ctx, at);
    ctx.restore();
}

function frame(at) {
    if (!view || !visible || document.hidden || still.matches) {
        last_frame = 0;
        return;
    }
    requestAnimationFrame(frame);
    if (at - last_frame < FRAME_MS || store.paused || store.connection === "lost")
        return;
    last_frame = at;
    draw(performance.now());
}

function run() {
    if (view && visible && !document.hidden && !still.matches)
        requestAnimationFrame(frame);
}

// ---- Around it ----

function hit(event) {
    const box = view.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let best = null;
    const look = (key, dx, dy) => {
        const distance = Math.hypot(dx - x, dy - y);

        if (distance <= CLICK_PX && (!best || distance < best.distance))
            best = { key, distance };
    };

    if (!view.box)
        return null;
    for (const trip of view.moving.values()) {
        const p = position(trip);

        look(trip.key, p.x, p.y);
    }
    for (const ring of view.rings) {
        const [rx, ry] = [px(ring.at[0]), py(ring.at[1])];
        const distance = Math.abs(Math.hypot(rx - x, ry - y) - radius(ring.error || 0));

        if (distance <= CLICK_PX / 2 && (!best || distance < best.distance))
            best = { key: ring.key, distance };
        look(ring.key, rx, ry);
    }
    return best?.key ?? null;
}

function legend() {
    const dot = (name) => el("i", { class: `ring ${name}`, "aria-hidden": "true" });

    return el("p", { class: "map-legend" },
        store.task.map.moves ? el("span", null, el("i", { class: "taxi", "aria-hidden": "true" }), define("map", "estimated position")) : null,
        el("span", null, dot("over"), isClassification() ? "likelier said than it was" : "less than predicted"),
        el("span", null, dot("even"), isClassification() ? "within 0.15" : "within 15 %"),
        el("span", null, dot("under"), isClassification() ? "less likely" : "more"),
        el("span", { class: "muted" }, "size: the error"));
}

function build() {
    const canvas = el("canvas", { class: "map", role: "img", tabindex: "0", "aria-label": `Map of ${nouns()}: density of where they begin, those under way, those just ended` });

    view = { canvas, ctx: canvas.getContext("2d"), moving: new Map(), rings: [] };
    view.note = el("span", { class: "muted num" });
    canvas.addEventListener("click", (e) => {
        const key = hit(e);

        if (key)
            location.hash = `#/request/${encodeURIComponent(key)}`;
    });
    canvas.addEventListener("pointermove", (e) => canvas.classList.toggle("over", hit(e) !== null));
    put($("map-card"), el("div", { class: "card-head" }, el("h3", { id: "map-title" }, define("map", "Map")), view.note), canvas, legend());
    new IntersectionObserver(([entry]) => {
        visible = entry.isIntersecting;
        run();
    }).observe(canvas);
}

function note() {
    const tick = store.tick;
    const of = tick.counts.in_progress;
    const shown = Math.min(view.moving.size, of);

    setText(view.note, !store.task.map.moves ? "" : shown < of ? `${count(shown)} of ${count(of)} under way, a sample` : `${count(of)} under way`);
    const best = leader();

    view.canvas.title = view.rings.length && best
        ? `${noun()}s that just ended: ${number(view.rings.at(-1).error)} ${unit()} off by ${best}` : "";
}

export function startMap() {
    on("snapshot", () => {
        const card = $("map-card");
        const map = store.snapshot.map;

        card.hidden = !map;
        document.body.classList.toggle("no-map", !map);
        if (!map)
            return;
        if (!view)
            build();
        takeCells(map);
        view.moving.clear();
        for (const trip of map.moving || [])
            addMoving(trip);
        if (store.tick)
            setClock(store.tick);
        run();
    });
    on("tick", () => {
        if (!view || !store.task.map)
            return;
        const before = now();

        setClock(store.tick);
        if (clock.event < before && before - clock.event < 3000 * clock.speed)
            clock.event = before - (before - clock.event) / 2; // no jump backwards
        for (const trip of store.tick.started || [])
            addStarted(trip);
        for (const trip of store.tick.ended || [])
            addEnded(trip);
    });
    document.addEventListener("visibilitychange", run);
    still.addEventListener("change", run);
}

/* Once a tick: the words around it, and the picture where nothing moves by itself. */
export function drawMap() {
    if (!view || !store.task?.map || !store.tick)
        return;
    note();
    if (still.matches && visible)
        draw(performance.now());
}

export function repaintMap() {
    if (view)
        view.base = null;
}
