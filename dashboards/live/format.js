/* Numbers, times and sizes as text. What is not known is an en dash. */

export const NONE = "–";

const grouped = [0, 1, 2, 3].map((d) =>
    new Intl.NumberFormat("en-US", { minimumFractionDigits: d, maximumFractionDigits: d }));
const known = (v) => typeof v === "number" && Number.isFinite(v);

export function fixed(v, digits) {
    return known(v) ? grouped[digits].format(v).replace("-", "−") : NONE;
}

export const count = (v) => fixed(v, 0);

/* About three digits: 1,240; 214; 21.4; 2.14; 0.0321; 3.2e-6. */
export function number(v) {
    if (!known(v))
        return NONE;
    const a = Math.abs(v);

    if (a >= 100 || Number.isInteger(v))
        return fixed(v, 0);
    if (a >= 10)
        return fixed(v, 1);
    if (a >= 1)
        return fixed(v, 2);
    return (a >= 1e-4 ? String(Number(v.toPrecision(3))) : v.toExponential(1)).replace("-", "−");
}

/* All that a double says, for the drawer. */
export function exact(v) {
    return known(v) ? String(Number(v.toPrecision(9))).replace("-", "−") : v === null || v === undefined ? NONE : String(v);
}

/* A large count in a small place: 1.24 M. */
export function short(v) {
    if (!known(v))
        return NONE;
    if (Math.abs(v) >= 1e9)
        return `${number(v / 1e9)} G`;
    if (Math.abs(v) >= 1e6)
        return `${number(v / 1e6)} M`;
    return Math.abs(v) >= 1e5 ? `${number(v / 1e3)} k` : count(v);
}

export const withUnit = (text, unit) => (text === NONE || !unit ? text : `${text} ${unit}`);
export const value = (v, unit) => withUnit(number(v), unit);
export const signed = (v, unit) => (known(v) && v > 0 ? "+" : "") + value(v, unit);
export const percent = (v, digits = 0) => (known(v) ? `${fixed(v * 100, digits)} %` : NONE);

export function rate(v) {
    return known(v) ? `${v >= 10 || v === 0 ? short(Math.round(v)) : number(v)}/s` : NONE;
}

export function bytes(v) {
    if (!known(v))
        return NONE;
    if (v < 1024)
        return `${v} B`;
    if (v < 1 << 20)
        return `${number(v / 1024)} KB`;
    return v < 2 ** 30 ? `${number(v / 2 ** 20)} MB` : `${number(v / 2 ** 30)} GB`;
}

export function millis(v) {
    if (!known(v))
        return NONE;
    if (v >= 60000)
        return duration(v);
    if (v >= 1000)
        return `${number(v / 1000)} s`;
    if (v === 0)
        return "0 ms";
    return v < 0.1 ? "<0.1 ms" : `${fixed(v, v < 0.995 ? 2 : v < 9.95 ? 1 : 0)} ms`;
}

/* 42 s, 3 min, 2 h 5 min, 3 d 4 h. */
export function duration(ms) {
    if (!known(ms))
        return NONE;
    const s = Math.max(0, Math.round(ms / 1000));

    if (s < 60)
        return `${s} s`;
    if (s < 3600)
        return s < 600 && s % 60 >= 10 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.round(s / 60)} min`;
    if (s < 86400)
        return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.round((s % 86400) / 3600)} h`;
}

const two = (n) => String(n).padStart(2, "0");

/* Event clocks carry no zone: they are shown as they are, which is UTC to us. */
export function clockParts(ms, utc) {
    const d = new Date(ms);

    return utc
        ? { y: d.getUTCFullYear(), mo: d.getUTCMonth() + 1, d: d.getUTCDate(), h: d.getUTCHours(), mi: d.getUTCMinutes(), s: d.getUTCSeconds() }
        : { y: d.getFullYear(), mo: d.getMonth() + 1, d: d.getDate(), h: d.getHours(), mi: d.getMinutes(), s: d.getSeconds() };
}

export function time(ms, utc = false) {
    if (!known(ms))
        return NONE;
    const p = clockParts(ms, utc);

    return `${two(p.h)}:${two(p.mi)}:${two(p.s)}`;
}

export function date(ms, utc = false) {
    if (!known(ms))
        return NONE;
    const p = clockParts(ms, utc);

    return `${p.y}-${two(p.mo)}-${two(p.d)}`;
}

export const moment = (ms, utc = false) => (known(ms) ? `${date(ms, utc)} ${time(ms, utc)}` : NONE);

/* The label of a tick on a time axis whose ticks are `step` ms apart. */
export function tickTime(ms, step, utc) {
    const p = clockParts(ms, utc);

    if (step >= 86400000 || (p.h === 0 && p.mi === 0 && p.s === 0 && step >= 3600000))
        return `${two(p.mo)}-${two(p.d)}`;
    return step >= 60000 ? `${two(p.h)}:${two(p.mi)}` : `${two(p.h)}:${two(p.mi)}:${two(p.s)}`;
}

/* The generation's beginning is enough to see it change. */
export function version(text) {
    const dash = text ? text.lastIndexOf("-") : -1;

    return dash > 6 ? `${text.slice(0, 6)}…${text.slice(dash)}` : text || NONE;
}
