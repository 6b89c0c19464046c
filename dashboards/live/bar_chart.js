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
        const { figure } = chart.canvas.card.options;
        const bars = (figure.loss && chart.canvas.card.bars) || [];
        const elements = chart.getDatasetMeta(0).data;
        const area = chart.chartArea;

        ctx.save();
        ctx.beginPath();
        ctx.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
        ctx.clip();
        ctx.lineWidth = 1;
        bars.forEach((b, i) => {
            const box = elements[i];

            if (!box || b[figure.key] === null)
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
            drawBaseline(ctx, chart, box, chart.canvas.card.baseline?.[i]?.[figure.key]);
        });
        ctx.restore();
    },
};

/* The baseline's value over the same requests: a short grey line. */
function drawBaseline(ctx, chart, box, base) {
    if (base === null || base === undefined)
        return;
    const y = chart.scales.y.getPixelForValue(base);

    ctx.strokeStyle = colour("--mb");
    ctx.globalAlpha = 1;
    ctx.lineWidth = 2;
    ctx.beginPath();
    ctx.moveTo(box.x - box.width / 2 - 1, y);
    ctx.lineTo(box.x + box.width / 2 + 1, y);
    ctx.stroke();
    ctx.lineWidth = 1;
}

/* Options, besides ChartCard's: bars() -> {labels, model, bars, baseline} or null, axis (its title), figure: what is
 * drawn of a bar, {key, name, format(v), tick(v), loss, top, more}. A loss has whiskers and the baseline's mark; top
 * is the most that the axis shows; more: other figures, for the tip and the table. */
export class BarChart extends ChartCard {
    constructor(parent, options) {
        options.data = () => this.asRows();
        super(parent, options);
        charts.add(this);
    }

    remove() {
        charts.delete(this);
        super.remove();
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
        const { key, loss, top: most } = this.options.figure;

        this.chart.data.labels = given.labels;
        this.chart.data.datasets = [{
            data: given.bars.map((b) => b[key]), borderColor: fill, borderWidth: 1.5, borderSkipped: false,
            backgroundColor: given.bars.map((b) => (b.n < FEW ? "transparent" : `${fill}66`)),
            maxBarThickness: 36, categoryPercentage: 0.86, barPercentage: 0.9,
        }];
        this.chart.options.scales.y.max = most ?? (!loss ? undefined : top([...given.bars.map((b) => (b.n < FEW ? null : b.high)),
            ...(given.baseline || []).map((b) => (b.n < FEW ? null : b[key]))]));
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
                    y: yAxis(o.figure.tick || number),
                },
            },
        });
        this.paint();
    }

    tell(i) {
        const b = this.bars[i];
        const { key, name, format, loss, more = [] } = this.options.figure;
        const base = loss && this.baseline?.[i]?.[key];

        return [`${name} ${format(b[key])} of ${b.n}`,
            !loss || b.low === null ? "" : `95 %: ${format(b.low)} to ${format(b.high)}`,
            base ? `baseline ${format(base)}` : "", ...more.map((f) => `${f.name} ${f.format(b[f.key])}`)].filter(Boolean);
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
        const { figure } = this.options;
        const of = [figure, ...(figure.more || [])].find((f) => f.loss);
        const rest = [figure, ...(figure.more || [])].filter((f) => !f.loss);

        return {
            heads: [this.options.axis, "requests", of.name, "95 % low", "95 % high", `baseline ${of.name}`, ...rest.map((f) => f.name)],
            rows: given ? given.labels.map((l, i) => {
                const b = given.bars[i];

                return [l, b.n, b[of.key], b.low, b.high, given.baseline?.[i]?.[of.key] ?? null, ...rest.map((f) => b[f.key])];
            }) : [],
        };
    }
}

/* Options, besides ChartCard's: config() -> {type, data, options of scales...} built anew with each update.
 * For the two charts that are neither bars of one model nor lines over time. */
export class FreeChart extends ChartCard {
    remove() {
        charts.delete(this);
        super.remove();
    }

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
