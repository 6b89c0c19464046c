/* Lines over time, by Chart.js, all on one x axis: the range and the clock that the header says. The
 * pointer over one of them, or the arrow keys in it, read all of them at the same moment. */
import { ChartCard, colour } from "./chart_card.js";
import { chip, el, put, setText } from "./dom.js";
import { NONE, date, number, tickTime, time } from "./format.js";
import { RANGE_S, few, store, tell, usesEvents } from "./store.js";

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800];
const Y_WIDTH = 52;
const RULES_MAX = 8;       // of more marks only the heads are drawn: the lines are what it is about
const charts = new Set();
let at = null; // the index in the curve that is read, null: the newest
let pointer = null; // {chart, x}: where the pointer rests; null: on none of them, or the keys took over

// ---- The x axis that they share ----

export function xAxis() {
    const c = store.curve;
    const event = usesEvents();
    const x = event ? c.event : c.time;
    const last = x.findLast((v) => v !== null) ?? Date.now();
    const first = x.find((v) => v !== null) ?? last;
    const speed = event ? store.tick?.speed || 1 : 1;
    const span = RANGE_S[store.range] * 1000 * speed;

    return { x, event, max: last, min: Math.min(Math.max(last - span, first), last - 30000 * speed) };
}

/* Round moments, in the reader's zone on the wall's axis. */
function timeTicks(min, max, room, event) {
    const fit = (max - min) / Math.max(2, room);
    const step = (STEPS_S.find((s) => s * 1000 >= fit) || 604800) * 1000;
    const shift = event ? 0 : new Date(max).getTimezoneOffset() * 60000;
    const ticks = [];

    for (let t = Math.ceil((min - shift) / step) * step + shift; t <= max; t += step)
        ticks.push({ value: t, label: tickTime(t, step, event) });
    return ticks;
}

/* A wall moment on the axis that is shown. */
function onAxis(wall, event) {
    if (!event)
        return wall;
    const c = store.curve;
    let i = c.time.findIndex((t) => t >= wall);

    if (i < 0)
        i = c.time.length - 1;
    return c.event[i] ?? null;
}

// ---- What is drawn besides the lines ----

function hatch(ctx, left, right, top, bottom) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, right - left, bottom - top);
    ctx.clip();
    ctx.strokeStyle = colour("--hatch");
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (let x = left - (bottom - top); x < right; x += 6) {
        ctx.moveTo(x, bottom);
        ctx.lineTo(x + bottom - top, top);
    }
    ctx.stroke();
    ctx.restore();
}

function rule(ctx, x, area, kind, many) {
    const drift = kind === "error-drift" || kind === "feature-drift";

    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour(kind === "error-drift" ? "--bad" : kind === "feature-drift" ? "--warn" : "--muted");
    ctx.globalAlpha = drift ? 0.4 : 0.6;
    ctx.lineWidth = 1;
    if (!drift)
        ctx.setLineDash([3, 3]);
    ctx.beginPath();
    ctx.moveTo(Math.round(x) + 0.5, area.top);
    ctx.lineTo(Math.round(x) + 0.5, drift && many ? area.top + 12 : area.bottom);
    ctx.stroke();
    if (drift) {
        ctx.globalAlpha = 1;
        ctx.beginPath();
        ctx.moveTo(x, area.top - 4);
        ctx.lineTo(x + 4, area.top);
        ctx.lineTo(x, area.top + 4);
        ctx.lineTo(x - 4, area.top);
        ctx.fill();
    }
    ctx.restore();
}

/* Heads that would lie on one another are one. */
function apart(list, scale) {
    const last = {};

    return list.filter((m) => {
        const x = scale.getPixelForValue(m.x);
        const near = x - (last[m.kind] ?? -9) < 7;

        if (!near)
            last[m.kind] = x;
        return !near;
    });
}

const marks = {
    id: "marks",
    beforeDatasetsDraw(chart) {
        const { ctx, chartArea: area, scales } = chart;
        const event = usesEvents();
        const pixel = (t) => Math.max(area.left, Math.min(area.right, scales.x.getPixelForValue(t)));

        if (chart.canvas.card.options.zero && scales.y.min < 0) {
            ctx.fillStyle = colour("--tint");
            const zero = scales.y.getPixelForValue(0);

            ctx.fillRect(area.left, zero, area.right - area.left, area.bottom - zero);
        }
        let done = area.left; // what is hatched already

        for (const [from, to] of store.curve.gaps) {
            const [a, b] = [onAxis(from, event), onAxis(to, event)];

            if (a === null || b === null || b <= scales.x.min || a >= scales.x.max || pixel(b) <= done)
                continue;
            hatch(ctx, Math.max(done, pixel(a)), Math.max(pixel(b), pixel(a) + 2), area.top, area.bottom);
            done = pixel(b);
        }
        const shown = (chart.canvas.card.options.marks ? store.marks : []).filter((m) => m.kind !== "outage")
            .map((m) => ({ kind: m.kind, x: event ? m.event_ms ?? onAxis(m.time_ms, true) : m.time_ms }))
            .filter((m) => m.x !== null && m.x >= scales.x.min && m.x <= scales.x.max);

        for (const mark of apart(shown, scales.x))
            rule(ctx, scales.x.getPixelForValue(mark.x), area, mark.kind, shown.length > RULES_MAX);
    },
    /* A triangle where a line leaves the plot at its top. */
    afterDatasetsDraw(chart) {
        const { ctx, chartArea: area, scales } = chart;

        for (const set of chart.data.datasets) {
            let before = -9;

            ctx.fillStyle = set.borderColor;
            for (const p of set.data) {
                const x = p.y > scales.y.max ? scales.x.getPixelForValue(p.x) : -9;

                if (x < area.left || x - before < 7)
                    continue;
                before = x;
                ctx.beginPath();
                ctx.moveTo(x, area.top);
                ctx.lineTo(x + 3.5, area.top + 6);
                ctx.lineTo(x - 3.5, area.top + 6);
                ctx.fill();
            }
        }
    },
};

// ---- Reading a moment ----

function readAt(index) {
    at = index === null || index >= store.curve.time.length ? null : Math.max(0, index);
    for (const chart of charts)
        if (chart.visible && !chart.shows_table)
            chart.read();
    tell("read", at);
}

function endReading() {
    pointer = null;
    readAt(null);
}

function nearest(x, wanted) {
    let [low, high] = [0, x.length - 1];

    while (low < high) {
        const middle = (low + high) >> 1;

        if ((x[middle] ?? -Infinity) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && wanted - x[low - 1] < x[low] - wanted ? low - 1 : low;
}

/* Options, besides ChartCard's: lines() -> [{key, name, look, scale, model}], format(v), log, zero, marks,
 * min (of the y axis), clip (an outlier may leave the plot), lowest (the y axis never goes below), floor (what is
 * less is drawn there), empty() -> a word instead of lines. */
export class TimeChart extends ChartCard {
    constructor(parent, options) {
        options.data = () => this.asRows();
        super(parent, options);
        this.pools = new Map();
        this.cross = el("div", { class: "cross", hidden: true }, el("span"));
        this.plot.append(this.cross);
        this.listen();
        charts.add(this);
    }

    remove() {
        charts.delete(this);
        if (pointer?.chart === this)
            pointer = null;
        super.remove();
    }

    listen() {
        this.plot.addEventListener("pointermove", (e) => {
            pointer = { chart: this, x: e.clientX };
            this.point();
        });
        this.plot.addEventListener("pointerleave", () => endReading());
        this.plot.addEventListener("blur", () => endReading());
        this.plot.addEventListener("keydown", (e) => {
            const n = store.curve.time.length;
            const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[e.key];

            if (step)
                readAt(Math.min(n - 1, (at ?? n - 1) + step));
            else if (e.key === "Home" || e.key === "End")
                readAt(e.key === "Home" ? 0 : n - 1);
            else if (e.key === "Escape" && at !== null)
                endReading();
            else
                return;
            pointer = null;
            e.preventDefault();
            e.stopPropagation();
        });
    }

    /* Reads the moment under the pointer: when it moves, and when the lines move under it. */
    point() {
        if (!this.chart || !store.curve.time.length)
            return;
        const { x } = xAxis();
        const scale = this.chart.scales.x;
        const wanted = scale.getValueForPixel(pointer.x - this.plot.getBoundingClientRect().left);

        readAt(nearest(x, wanted));
    }

    // ---- Drawing ----

    points(key, x, scale) {
        const values = store.curve.series[key] || [];
        const pool = this.pools.get(key) || this.pools.set(key, []).get(key);
        const shown = [];
        const gap = 3 * store.curve.step * 1000;
        const c = store.curve.time;

        for (let i = 0; i < x.length; i++) {
            if (i && c[i] - c[i - 1] > Math.max(5000, gap))
                shown.push({ x: (x[i - 1] + x[i]) / 2, y: NaN });
            const p = pool[i] || (pool[i] = { x: 0, y: 0 });

            p.x = x[i];
            p.y = values[i] === null || values[i] === undefined ? NaN : Math.max(values[i] * scale, this.options.floor ?? -Infinity);
            shown.push(p);
        }
        return shown;
    }

    drawTable() {
        this.drawLegend();
        this.read();
        super.drawTable();
    }

    drawPlot() {
        const axis = xAxis();
        const lines = this.options.lines().filter((l) => !store.hidden.has(l.model));
        const word = this.options.empty?.() || (axis.x.length < 2 ? "nothing to draw yet" : null);

        this.say(word);
        this.drawLegend();
        if (word)
            return;
        if (!this.chart)
            this.make();
        this.chart.data.datasets = lines.map((l) => ({
            data: this.points(l.key, axis.x, l.scale || 1), borderColor: colour(l.look.variable),
            borderDash: few() && l.model ? [1, 4] : l.look.dash, borderWidth: l.look.variable === "--mb" ? 1.5 : 1.75,
        }));
        this.scale(axis);
        this.chart.update("none");
        if (pointer?.chart === this)
            this.point();
        else
            this.read();
    }

    /* What is read may have changed while it could not be seen. */
    comeIntoSight() {
        super.comeIntoSight();
        this.read();
    }

    scale(axis) {
        const { x, y } = this.chart.options.scales;
        const room = Math.floor(this.plot.clientWidth / 88);

        x.min = axis.min;
        x.max = axis.max;
        x.afterBuildTicks = (s) => {
            s.ticks = timeTicks(axis.min, axis.max, room, axis.event);
        };
        if (this.options.clip)
            y.max = this.clippedTop();
        if (this.options.lowest !== undefined)
            y.min = this.chart.data.datasets.some((s) => s.data.some((p) => p.y < this.options.lowest)) ? this.options.lowest : undefined;
    }

    /* The 99th percentile of all that is shown, and a little. */
    clippedTop() {
        const all = this.chart.data.datasets.flatMap((s) => s.data.map((p) => p.y)).filter(Number.isFinite).sort((a, b) => a - b);

        if (all.length < 20)
            return undefined;
        const [top, high] = [all.at(-1), all[Math.floor(all.length * 0.99)]];

        return top > high * 1.25 ? high * 1.15 : undefined;
    }

    make() {
        const o = this.options;
        const font = { family: getComputedStyle(document.body).fontFamily, size: 11 };

        this.chart = new globalThis.Chart(this.canvas, {
            type: "line", data: { datasets: [] }, plugins: [marks],
            options: {
                animation: false, parsing: false, normalized: true, responsive: true, maintainAspectRatio: false,
                events: [], layout: { padding: { top: 8, right: 12, bottom: 0 } },
                elements: { point: { radius: 0 }, line: { tension: 0, borderJoinStyle: "round" } },
                plugins: { legend: { display: false }, tooltip: { enabled: false }, decimation: { enabled: false } },
                scales: {
                    x: {
                        type: "linear", grid: { display: false, drawBorder: false },
                        ticks: { font, maxRotation: 0, autoSkip: false, callback: (v, i, all) => all[i].label, padding: 4 },
                    },
                    y: {
                        type: o.log ? "logarithmic" : "linear", min: o.min, grace: o.log ? 0 : "8%",
                        beginAtZero: !o.log, afterFit: (s) => { s.width = Y_WIDTH; },
                        grid: { drawBorder: false, drawTicks: false },
                        ticks: { font, padding: 6, maxTicksLimit: o.log ? 20 : 6, includeBounds: Boolean(o.log), callback: (v) => this.yLabel(v) },
                    },
                },
            },
        });
        this.paint();
    }

    yLabel(v) {
        if (!this.options.log)
            return (this.options.tick || this.options.format)(v);
        const tenth = Math.log10(v);

        return Math.abs(tenth - Math.round(tenth)) < 1e-6 ? (this.options.tick || this.options.format)(v) : "";
    }

    /* The theme's colours. */
    paint() {
        if (!this.chart)
            return;
        const { x, y } = this.chart.options.scales;

        x.ticks.color = y.ticks.color = colour("--muted");
        y.grid.color = (c) => (c.tick?.value === 0 && this.options.zero ? colour("--muted")
            : this.options.log && !c.tick?.label ? "transparent" : colour("--grid"));
    }

    // ---- The legend, which also says the values ----

    drawLegend() {
        const lines = this.options.lines();
        const key = lines.map((l) => `${l.key} ${l.look.variable} ${store.hidden.has(l.model)}`).join("\n");

        if (key === this.legend_key)
            return;
        this.legend_key = key;
        this.figures = lines.map(() => el("b", null, ""));
        put(this.legend, lines.map((l, i) => (l.model
            ? el("button", {
                type: "button", class: "item", "aria-pressed": String(!store.hidden.has(l.model)),
                "data-model": l.model, onclick: () => this.hide(l.model),
            }, chip(l.look), el("span", null, l.name), this.figures[i])
            : el("span", { class: "item" }, chip(l.look), el("span", null, l.name), this.figures[i]))));
    }

    hide(model) {
        if (!store.hidden.delete(model))
            store.hidden.add(model);
        tell("view");
        this.legend.querySelector(`[data-model="${CSS.escape(model)}"]`)?.focus();
    }

    read() {
        const c = store.curve;
        const i = at ?? c.time.length - 1;

        this.options.lines().forEach((l, n) => {
            const v = c.series[l.key]?.[i];

            if (this.figures?.[n])
                setText(this.figures[n], v === null || v === undefined ? NONE : this.options.format(v * (l.scale || 1)));
        });
        this.cross.hidden = at === null || !this.chart;
        if (!this.cross.hidden)
            this.placeCross(c, i);
    }

    placeCross(c, i) {
        const { x, event, min } = xAxis();
        const { chartArea: area, scales } = this.chart;
        const pixel = scales.x.getPixelForValue(x[i]);
        const mark = this.options.marks && store.marks.find((m) =>
            Math.abs(scales.x.getPixelForValue(event ? m.event_ms ?? -1 : m.time_ms) - pixel) < 5);
        const day = store.range === "7d" || x.at(-1) - min > 86400000 ? `${date(x[i], event)} ` : "";

        this.cross.style.left = `${pixel}px`;
        this.cross.style.top = `${area.top}px`;
        this.cross.style.height = `${area.bottom - area.top}px`;
        this.cross.classList.toggle("left", pixel > (area.left + area.right) / 2);
        setText(this.cross.firstChild, mark ? `${day}${time(x[i], event)} · ${mark.text}` : day + time(x[i], event));
        this.cross.hidden = x[i] < min;
    }

    asRows() {
        const lines = this.options.lines();
        const c = store.curve;
        const event = usesEvents();
        const rows = [];

        for (let i = c.time.length - 1; i >= 0; i--)
            rows.push([`${date(event ? c.event[i] : c.time[i], event)} ${time(event ? c.event[i] : c.time[i], event)}`,
                ...lines.map((l) => {
                    const v = c.series[l.key]?.[i];

                    return v === null || v === undefined ? null : Number((v * (l.scale || 1)).toPrecision(6));
                })]);
        return { heads: [event ? "event time" : "time", ...lines.map((l) => l.name)], rows };
    }
}

export function paintTimeCharts() {
    for (const chart of charts)
        chart.paint();
}
