/* What every chart has around it: title with definition, a place for the legend, "show as table" with
 * its files, a word where there is nothing to draw, and to be drawn only while it can be seen. */
import { csv, define, download, el, put, setText, table } from "./dom.js";
import { NONE } from "./format.js";

let made = 0;
const cards = new Set();

const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
        const card = entry.target.card;

        card.visible = entry.isIntersecting;
        if (card.visible)
            card.comeIntoSight();
    }
}, { rootMargin: "80px" });

/* Colours come from the style sheet, so that a theme is one place. */
let colours = new Map();

export function colour(name) {
    if (!colours.has(name))
        colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    return colours.get(name);
}

export function forgetColours() {
    colours = new Map();
}

export function drawAll() {
    for (const card of cards)
        card.update();
}

/* Options: id, title, def, span, height (px), data() -> {heads, rows} of what is shown. */
export class ChartCard {
    constructor(parent, options) {
        this.options = options;
        this.visible = false;
        this.stale = true;
        this.shows_table = false;
        this.id = `chart-${options.id || ++made}`;
        this.build(parent);
        cards.add(this);
        seen.observe(this.root);
    }

    build(parent) {
        const o = this.options;

        this.title = el("h3", { id: `${this.id}-title` }, define(o.def, o.title));
        this.legend = el("div", { class: "legend" });
        this.toggle = el("button", {
            type: "button", class: "quiet", "aria-label": `${o.title}: show as table`,
            onclick: () => this.showTable(!this.shows_table),
        }, "table");
        this.canvas = el("canvas", { "aria-hidden": "true" });
        this.word = el("p", { class: "word muted", hidden: true });
        this.plot = el("div", {
            class: "plot", role: "img", tabindex: "0", "aria-labelledby": `${this.id}-title`,
        }, this.canvas, this.word);
        this.text = el("div", { class: "as-table", hidden: true });
        this.root = el("figure", { class: `card chart ${o.span || ""}`, id: this.id, vars: { "--height": `${o.height}px` } },
            el("figcaption", null, this.title, this.toggle, this.legend), this.plot, this.text);
        this.root.card = this.canvas.card = this;
        parent.append(this.root);
    }

    /* Takes it off the page, for good. */
    remove() {
        cards.delete(this);
        seen.unobserve(this.root);
        this.chart?.destroy();
        this.root.remove();
    }

    /* New data: drawn at once when it can be seen, else when it comes into sight. */
    update() {
        this.stale = true;
        if (this.visible)
            this.draw();
    }

    comeIntoSight() {
        if (this.stale)
            this.draw();
    }

    draw() {
        this.stale = false;
        if (this.shows_table)
            this.drawTable();
        else
            this.drawPlot();
    }

    /* What is written where there is nothing to draw; null draws. */
    say(text) {
        this.word.hidden = !text;
        this.canvas.hidden = Boolean(text);
        setText(this.word, text || "");
    }

    showTable(yes) {
        this.shows_table = yes;
        setText(this.toggle, yes ? "chart" : "table");
        this.toggle.setAttribute("aria-label", `${this.options.title}: show as ${yes ? "chart" : "table"}`);
        this.plot.hidden = yes;
        this.text.hidden = !yes;
        if (!yes)
            put(this.text);
        this.draw();
    }

    drawTable() {
        if (this.text.contains(document.activeElement) || this.text.matches(":hover"))
            return; // not under somebody's eyes
        const { heads, rows } = this.options.data();
        const name = `${this.options.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
        const shown = rows.map((r) => r.map((c) => (c === null || c === undefined ? NONE : String(c))));
        const file = (kind) => el("button", {
            type: "button", class: "quiet",
            onclick: () => (kind === "csv" ? download(`${name}.csv`, "text/csv", csv(heads, rows))
                : download(`${name}.json`, "application/json", JSON.stringify(
                    rows.map((r) => Object.fromEntries(heads.map((h, i) => [h, r[i]]))), null, 1))),
        }, kind.toUpperCase());

        put(this.text, el("p", { class: "files" }, file("csv"), file("json")),
            rows.length ? table(this.options.title, heads, shown) : el("p", { class: "muted" }, "nothing to show yet"));
    }
}
