/* The page: what the controls do, and when what is drawn. Figures come in at any pace; the page is drawn
 * at most four times a second, and not at all while it is paused. */
import { drawBreakdown, startBreakdown } from "./breakdown.js";
import { paintBarCharts } from "./bar_chart.js";
import { drawAll, forgetColours } from "./chart_card.js";
import { drawCurves, startCurves } from "./curves.js";
import { $, el, put, startTips } from "./dom.js";
import { follow, startDrawer } from "./drawer.js";
import { refill, startFeed } from "./feed.js";
import { drawHead, fillSparks, noteSparks, skeletonTiles, startHead } from "./head.js";
import { drawLatest } from "./latest.js";
import { drawMap, repaintMap, startMap } from "./map.js";
import { drawModels } from "./models.js";
import { drawOperations, openPart, startOperations } from "./operations.js";
import { on, store } from "./store.js";
import { paintTimeCharts } from "./time_chart.js";

const DRAW_MS = 250;
const THEMES = ["auto", "light", "dark"];

// ---- Drawing ----

let wanted = 0;
let drawn = -Infinity;

function drawPage() {
    wanted = 0;
    drawn = performance.now();
    if (!store.task)
        return;
    drawHead();
    drawMap();
    drawCurves();
    drawModels();
    drawLatest();
    drawOperations();
}

/* Soon, and not more often than DRAW_MS. A hidden page is drawn when it is looked at again. */
function draw() {
    if (wanted || store.paused)
        return;
    wanted = setTimeout(() => requestAnimationFrame(drawPage), Math.max(0, DRAW_MS - (performance.now() - drawn)));
}

// ---- Controls ----

function choose(group, name) {
    for (const input of document.querySelectorAll(`input[name="${group}"]`)) {
        input.checked = input.value === store[name];
        input.addEventListener("change", () => {
            store[name] = input.value;
            links();
            refill();
        });
    }
}

function pause() {
    store.paused = !store.paused;
    $("pause").setAttribute("aria-pressed", String(store.paused));
    $("pause").textContent = store.paused ? "Resume" : "Pause";
    document.body.toggleAttribute("data-paused", store.paused);
    if (!store.paused) {
        refill();
        draw();
    }
}

function themeNow() {
    return document.documentElement.dataset.theme || "auto";
}

function repaint() {
    forgetColours();
    paintTimeCharts();
    paintBarCharts();
    repaintMap();
    drawAll();
    draw();
}

function nameTheme() {
    const [icon, name] = { auto: ["◐", "Auto"], light: ["☀", "Light"], dark: ["☾", "Dark"] }[themeNow()];

    put($("theme"), el("span", { "aria-hidden": "true" }, `${icon} `), name, el("span", { class: "sr" }, " theme"));
}

function nextTheme() {
    const next = THEMES[(THEMES.indexOf(themeNow()) + 1) % THEMES.length];

    if (next === "auto")
        delete document.documentElement.dataset.theme;
    else
        document.documentElement.dataset.theme = next;
    try {
        localStorage.setItem("oxbow.theme", next);
    } catch {
        /* Storage is refused: it holds until the page is closed. */
    }
    nameTheme();
    repaint();
}

/* The files of what is shown, in the range and on the clock that are chosen. */
function links() {
    const files = [["history", "Curves"], ["latest", "Latest"], ["models", "Models"]];

    put($("export").querySelector("ul"), files.flatMap(([what, title]) => ["csv", "json"].map((format) => el("li", null,
        el("a", { href: `/api/export?what=${what}&format=${format}${what === "history" ? `&range=${store.range}&axis=${store.axis}` : ""}`, download: "" },
            `${title}${what === "history" ? `, ${store.range}` : ""}: ${format.toUpperCase()}`)))));
}

function startControls() {
    choose("range", "range");
    choose("axis", "axis");
    links();
    nameTheme();
    $("pause").addEventListener("click", pause);
    $("theme").addEventListener("click", nextTheme);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    document.addEventListener("click", (e) => {
        if (!$("export").contains(e.target))
            $("export").open = false;
    });
    $("export").addEventListener("keydown", (e) => {
        if (e.key === "Escape" && $("export").open) {
            $("export").open = false;
            $("export").firstElementChild.focus();
            e.preventDefault();
        }
    });
    addEventListener("hashchange", () => openPart(location.hash.slice(1)));
}

// ---- Go ----

skeletonTiles();
startTips();
startControls();
startHead();
startCurves();
startMap();
startBreakdown();
startOperations();
startDrawer();
on("tick", noteSparks);
on("history", fillSparks);
on("tick snapshot history connection view", draw);
on("view", drawBreakdown);
on("snapshot", () => {
    drawBreakdown();
    follow();
});
startFeed();
