/* Building elements, and the tooltip that defines a number. No section builds HTML out of text: what
 * comes from the stream is only ever set as text. */
import { definition } from "./definitions.js";

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
        if (value === null || value === undefined || value === false)
            continue;
        if (name === "class")
            node.setAttribute("class", value);
        else if (name.startsWith("on"))
            node.addEventListener(name.slice(2), value);
        else if (name === "vars")
            for (const [key, text] of Object.entries(value))
                node.style.setProperty(key, text);
        else
            node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
    return node;
}

/* el("p", {class: "x", onclick: f, vars: {"--a": 1}}, "text", child, [more]) */
export function el(tag, attributes, ...children) {
    return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

export const $ = (id) => document.getElementById(id);

/* Sets text only where it differs: an untouched text node costs no layout. */
export function setText(node, text) {
    if (node.textContent !== text)
        node.textContent = text;
}

/* Replaces the children of `node`. */
export function put(node, ...children) {
    node.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
    return node;
}

/* A term with its definition, on hover and on focus. */
export function define(key, text, tag = "dfn") {
    return el(tag, { "data-def": key, tabindex: "0" }, text);
}

/* A colour chip with the model's line style, so that colour is never the only sign. */
export function chip(look) {
    return svg("svg", { class: "chip", width: 18, height: 10, "aria-hidden": "true" },
        svg("line", {
            x1: 0, y1: 5, x2: 18, y2: 5, class: look.class, "stroke-width": 3,
            "stroke-dasharray": look.dash.length ? look.dash.join(" ") : null,
        }));
}

/* A table of `rows` (arrays of text or nodes) under `heads`; the first column heads its row. */
export function table(caption, heads, rows, attributes) {
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        el("table", attributes,
            el("caption", { class: "sr" }, caption),
            el("thead", null, el("tr", null, heads.map((h) => (h === "" ? el("td") : el("th", { scope: "col" }, h))))),
            el("tbody", null, rows.map((r) => el("tr", null, r.map((c, i) =>
                i === 0 ? el("th", { scope: "row" }, c) : el("td", null, c)))))));
}

/* Saves `text` as a file: built here, so that it holds exactly what is shown. */
export function download(name, type, text) {
    const url = URL.createObjectURL(new Blob([text], { type }));
    const link = el("a", { href: url, download: name });

    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/* RFC 4180. */
export function csv(heads, rows) {
    const cell = (v) => {
        const text = v === null || v === undefined || Number.isNaN(v) ? "" : String(v);

        return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };

    return [heads, ...rows].map((r) => r.map(cell).join(",")).join("\r\n") + "\r\n";
}

// ---- The tooltip ----

function place(tip, target) {
    const box = target.getBoundingClientRect();
    const width = tip.offsetWidth;
    const height = tip.offsetHeight;
    const below = box.bottom + 6 + height < innerHeight;

    tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
    tip.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - height - 6)}px`;
}

export function startTips() {
    const tip = $("tip");
    let shown = null;
    const hide = () => {
        shown?.removeAttribute("aria-describedby");
        shown = null;
        tip.hidden = true;
    };
    const show = (event) => {
        const target = event.target.closest?.("[data-def], [data-tip]");

        if (target === shown)
            return;
        hide();
        const text = target && (target.dataset.tip || definition(target.dataset.def));
        if (!text)
            return;
        shown = target;
        tip.textContent = text;
        tip.hidden = false;
        target.setAttribute("aria-describedby", "tip");
        place(tip, target);
    };

    document.addEventListener("mouseover", show);
    document.addEventListener("focusin", show);
    document.addEventListener("focusout", hide);
    document.addEventListener("scroll", hide, { passive: true, capture: true });
    document.addEventListener("keydown", (e) => e.key === "Escape" && hide());
}
