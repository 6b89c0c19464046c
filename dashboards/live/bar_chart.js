/* Bars with whiskers for one model, and the histogram of errors for all of them. Their tips are
 * Chart.js's; by keyboard and for screen readers there is the table. */
import { ChartCard, colour } from "./chart_card.js";
import { number } from "./format.js";
import { look } from "./store.js";

const charts = new Set();
const FEW = 30; // bars of fewer rows are hollow

function font() {
    return { family: getComputedStyle(document.body).fontFamily, size: 11 };
}

function tooltip(callbacks) {
    return {
        animation: false, displayColors: false, padding: 8, cornerRadius: 6, titleFont: { ...font(), size: 12 },
        bodyFont: { ...font(), size: 12 }, callbacks,
    };
}

function yAxis(format) {
    return {
        beginAtZero: true, grace: "6%", grid: { drawBorder: false, drawTicks: false },
        afterFit: (s) => { s.width = 48; },
        ticks: { font: font(), padding: 6, maxTicksLimit: 5, includeBounds: false, callback: (v) => format(v) },
    };
}

/* The axis follows the bars that are no guess. */
function top(values) {
    const known = values.filter((v) => v !== null && v !== undefined);

    return known.length ? Math.max(...known) * 1.06 : undefined;
}

const whiskers = {
    id: "whiskers",
    afterDatasetsDraw(chart) {
        const { ctx, scales } = chart;
        const bars = chart.canvas.card.bars || [];
        const elements = chart.getDatasetMeta(0).data;
        const area = chart.chartArea;

        ctx.save();
        ctx.beginPath();
        ctx.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
        ctx.clip();
        ctx.lineWidth = 1;
        bars.forEach((b, i) => {
            const box = elements[i];

            if (!box || b.mae === null)
                return;
            const [low, high] = [b.low, b.high].map((v) => scales.y.getPixelForValue(v));
            const x = Math.round(box.x) + 0.5;

            ctx.strokeStyle = colour("--text");
            ctx.globalAlpha = 0.75;
            ctx.beginPath();
            if (b.low !== null && b.high !== null) {
                ctx.moveTo(x, low);
                ctx.lineTo(x, high);
                for (const y of [low, high]) {
                    ctx.moveTo(x - 2.5, y);
                    ctx.lineTo(x + 2.5, y);
                }
            }
            ctx.stroke();
            drawBaseline(ctx, chart, box, i);
        });
        ctx.restore();
    },
};

/* The baseline's value over the same requests: a short grey line. */
function drawBaseline(ctx, chart, box, i) {
    const base = chart.canvas.card.baseline?.[i];

    if (!base || base.mae === null)
        return;
    const y = chart.scales.y.getPixelForValue(base.mae);

    ctx.strokeStyle = colour("--mb");
    ctx.globalAlpha = 1;
    ctx.lineWidth = 2;
    ctx.beginPath();
    ctx.moveTo(box.x - box.width / 2 - 1, y);
    ctx.lineTo(box.x + box.width / 2 + 1, y);
    ctx.stroke();
    ctx.lineWidth = 1;
}

/* Options, besides ChartCard's: bars() -> {labels, model, bars, baseline} or null, format(v), axis (its title). */
export class BarChart extends ChartCard {
    constructor(parent, options) {
        options.data = () => this.asRows();
        super(parent, options);
        charts.add(this);
    }

    drawPlot() {
        const given = this.options.bars();
        const some = given && given.bars.some((b) => b.n > 0);

        this.say(some ? null : "nothing to draw yet");
        if (!some)
            return;
        this.bars = given.bars;
        this.baseline = given.baseline;
        if (!this.chart)
            this.make();
        const fill = colour(look(given.model).variable);

        this.chart.data.labels = given.labels;
        this.chart.data.datasets = [{
            data: given.bars.map((b) => b.mae), borderColor: fill, borderWidth: 1.5, borderSkipped: false,
            backgroundColor: given.bars.map((b) => (b.n < FEW ? "transparent" : `${fill}66`)),
            maxBarThickness: 36, categoryPercentage: 0.86, barPercentage: 0.9,
        }];
        this.chart.options.scales.y.max = top([...given.bars.map((b) => (b.n < FEW ? null : b.high)),
            ...(given.baseline || []).map((b) => (b.n < FEW ? null : b.mae))]);
        this.chart.update("none");
    }

    make() {
        const o = this.options;

        this.chart = new globalThis.Chart(this.canvas, {
            type: "bar", data: { labels: [], datasets: [] }, plugins: [whiskers],
            options: {
                animation: false, responsive: true, maintainAspectRatio: false, layout: { padding: { top: 8, right: 8 } },
                plugins: {
                    legend: { display: false },
                    tooltip: tooltip({
                        title: (items) => `${o.axis} ${items[0].label}`,
                        label: (item) => this.tell(item.dataIndex),
                    }),
                },
                scales: {
                    x: {
                        grid: { display: false, drawBorder: false },
                        ticks: { font: font(), maxRotation: 0, autoSkipPadding: 10, padding: 2 },
                    },
                    y: yAxis(number),
                },
            },
        });
        this.paint();
    }

    tell(i) {
        const b = this.bars[i];
        const base = this.baseline?.[i];

        return [`MAE ${this.options.format(b.mae)} of ${b.n}`,
            b.low === null ? "" : `95 %: ${this.options.format(b.low)} to ${this.options.format(b.high)}`,
            base?.mae ? `baseline ${this.options.format(base.mae)}` : ""].filter(Boolean);
    }

    paint() {
        if (!this.chart)
            return;
        const { x, y } = this.chart.options.scales;

        x.ticks.color = y.ticks.color = colour("--muted");
        y.grid.color = colour("--grid");
    }

    asRows() {
        const given = this.options.bars();

        return {
            heads: [this.options.axis, "requests", "MAE", "95 % low", "95 % high", "baseline MAE"],
            rows: given ? given.labels.map((l, i) => {
                const b = given.bars[i];

                return [l, b.n, b.mae, b.low, b.high, given.baseline?.[i]?.mae ?? null];
            }) : [],
        };
    }
}

/* Options, besides ChartCard's: config() -> {type, data, options of scales...} built anew with each update.
 * For the two charts that are neither bars of one model nor lines over time. */
export class FreeChart extends ChartCard {
    constructor(parent, options) {
        super(parent, options);
        charts.add(this);
    }

    drawPlot() {
        const config = this.options.config({ font: font(), colour, yAxis, tooltip });

        this.say(config ? null : "nothing to draw yet");
        if (!config)
            return;
        if (!this.chart) {
            this.chart = new globalThis.Chart(this.canvas, config);
            return;
        }
        this.chart.data.labels = config.data.labels;
        this.chart.data.datasets = config.data.datasets;
        this.chart.options = config.options;
        this.chart.update("none");
    }

    paint() {
        this.stale = true;
    }
}

export function paintBarCharts() {
    for (const chart of charts)
        chart.paint();
}
