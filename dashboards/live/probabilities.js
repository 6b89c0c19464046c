/* What a classification has in place of signed errors: how the probabilities lie, by class, and whether
 * they mean what they say. And its words for a label. */
import { FreeChart } from "./bar_chart.js";
import { percent, number } from "./format.js";
import { look, store, threshold } from "./store.js";

const FEW = 30; // a bin of fewer is hollow

/* A label as text: 1 is the positive one, whatever it is called. */
export function labelText(label) {
    return label ? `■ ${store.task.positive ?? "positive"}` : "□ other";
}

/* A straight rule across the plot, with a word at its end. */
function rule(ctx, from, to, colour, dash) {
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.setLineDash(dash);
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(...from);
    ctx.lineTo(...to);
    ctx.stroke();
    ctx.restore();
}

function thresholdRule(colour, font) {
    return {
        id: "threshold",
        afterDatasetsDraw({ ctx, scales, chartArea }) {
            const x = Math.round(scales.x.getPixelForValue(threshold())) + 0.5;
            const right = x < (chartArea.left + chartArea.right) / 2;

            rule(ctx, [x, chartArea.top], [x, chartArea.bottom], colour("--text"), [4, 3]);
            ctx.save();
            ctx.fillStyle = colour("--muted");
            ctx.font = `11px ${font.family}`;
            ctx.textAlign = right ? "left" : "right";
            ctx.fillText(`threshold ${number(threshold())}`, x + (right ? 5 : -5), chartArea.top + 9);
            ctx.restore();
        },
    };
}

const diagonal = (colour) => ({
    id: "diagonal",
    beforeDatasetsDraw({ ctx, scales }) {
        const at = (v) => [scales.x.getPixelForValue(v), scales.y.getPixelForValue(v)];

        rule(ctx, at(0), at(1), colour("--muted"), [2, 3]);
    },
});

/* Both axes' looks; x runs from 0 to 1. */
function options({ font, colour, yAxis }, y) {
    const axis = yAxis((v) => percent(v));

    axis.ticks.color = colour("--muted");
    axis.grid.color = colour("--grid");
    return {
        animation: false, parsing: false, responsive: true, maintainAspectRatio: false, events: [], layout: { padding: { top: 8, right: 12 } },
        elements: { point: { radius: 0 } }, plugins: { legend: { display: false }, tooltip: { enabled: false } },
        scales: {
            x: {
                type: "linear", min: 0, max: 1, grid: { display: false, drawBorder: false },
                ticks: { font, color: colour("--muted"), maxRotation: 0, stepSize: 0.2, callback: (v) => number(Number(v.toFixed(2))) },
            },
            y: Object.assign(axis, y),
        },
    };
}

// ---- How the probabilities lie ----

const edgesOf = (scores) => [0, ...scores.bounds, 1];

function histogram(tools, data, name) {
    const found = data?.scores?.models?.[name];
    const { colour } = tools;

    if (!found || ![...found.positive, ...found.negative].some((n) => n))
        return null;
    const edges = edgesOf(data.scores);
    const line = (counts, style) => {
        const all = counts.reduce((a, b) => a + b, 0) || 1;
        const points = counts.map((n, i) => ({ x: edges[i], y: n / all }));

        return { data: [...points, { x: 1, y: points.at(-1).y }], stepped: "before", borderWidth: 1.5, ...style };
    };
    const mine = colour(look(name).variable);

    return {
        type: "line", plugins: [thresholdRule(colour, tools.font)],
        data: {
            datasets: [line(found.negative, { borderColor: colour("--text"), borderDash: [4, 3] }),
                line(found.positive, { borderColor: mine, backgroundColor: `${mine}55`, fill: "origin" })],
        },
        options: options(tools, { min: 0 }),
    };
}

function histogramRows(data, name) {
    const found = data?.scores?.models?.[name];
    const edges = found ? edgesOf(data.scores) : [];

    return found ? found.positive.map((n, i) => [edges[i], edges[i + 1], n, found.negative[i]]) : [];
}

// ---- What they mean ----

const filled = (bins) => (bins || []).filter((b) => b.n > 0 && b.mean !== null && b.rate !== null);

function curve(tools, data) {
    const { colour } = tools;
    const datasets = store.models.filter((m) => !store.hidden.has(m) && filled(data?.reliability?.[m]).length).map((m) => {
        const bins = filled(data.reliability[m]);
        const mine = colour(look(m).variable);

        return {
            data: bins.map((b) => ({ x: b.mean, y: b.rate })), borderColor: mine, borderDash: look(m).dash, borderWidth: 1.5, clip: 6,
            pointRadius: 3, pointBorderColor: mine, pointBackgroundColor: bins.map((b) => (b.n < FEW ? colour("--surface") : mine)),
        };
    });

    return datasets.length ? { type: "line", plugins: [diagonal(colour)], data: { datasets }, options: options(tools, { min: 0, max: 1, grace: 0 }) } : null;
}

const curveRows = (data) => store.models.flatMap((m) => (data?.reliability?.[m] || []).map((b, i) => [m, i + 1, b.n, b.mean, b.rate]));

/* The two charts. data() is the breakdown, or null; name() the model that the bars are of. */
export function probabilityCharts(parent, data, name) {
    return [
        new FreeChart(parent, {
            id: "scores", title: "Probabilities by class", def: "scores", span: "span4", height: 190, config: (tools) => histogram(tools, data(), name()),
            data: () => ({ heads: ["from", "to", store.task.positive ?? "positive", "other"], rows: histogramRows(data(), name()) }),
        }),
        new FreeChart(parent, {
            id: "reliability", title: "What a probability is worth", def: "reliability", span: "span4", height: 190, config: (tools) => curve(tools, data()),
            data: () => ({ heads: ["model", "bin", "requests", "mean probability", "part that is positive"], rows: curveRows(data()) }),
        }),
    ];
}
