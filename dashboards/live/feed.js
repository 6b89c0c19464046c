/* Where the figures come from: the stream, the curves, and what happens when neither comes.
 * A hidden tab holds no stream; when it is looked at again it gets all that it missed. */
import { addTick, setConnection, setHistory, setSnapshot, store, tell } from "./store.js";

const LATE_MS = 5000;      // no tick for so long: the connection counts as lost
const DEAD_MS = 20000;     // for so long: the stream is opened anew
const RETRY_MAX_MS = 10000;

let source = null;
let retry_ms = 1000;
let retry = null;
let cut_off = false;
let heard = performance.now();
let asked = 0;

/* JSON of an answer; its text is thrown where the monitor says no. */
export async function get(path) {
    const answer = await fetch(path, { headers: { Accept: "application/json" } });

    if (answer.status === 401) {
        location.assign("/login");
        throw new Error("not logged in");
    }
    const body = await answer.json().catch(() => ({ error: `the answer to ${path} is no JSON` }));
    if (!answer.ok)
        throw Object.assign(new Error(body.error || `status ${answer.status}`), { status: answer.status });
    return body;
}

export async function refill() {
    const mine = ++asked;

    try {
        const history = await get(`/api/history?range=${store.range}&axis=${store.axis}`);

        if (mine === asked)
            setHistory(history);
    } catch (error) {
        if (error.status)
            setConnection(store.connection, error.message);
    }
}

function alive() {
    heard = performance.now();
    retry_ms = 1000;
    setConnection("live");
    if (cut_off) {
        cut_off = false;
        refill();
    }
}

function lost() {
    if (document.hidden)
        return;
    cut_off = true;
    setConnection("lost", store.problem?.what);
}

/* The stream is refused, not cut: what does the monitor say? */
async function askWhy() {
    try {
        setSnapshot(await get("/api/snapshot"));
    } catch (error) {
        if (error.status)
            setConnection("lost", error.message);
    }
}

function again() {
    clearTimeout(retry);
    retry = setTimeout(open, retry_ms);
    retry_ms = Math.min(RETRY_MAX_MS, retry_ms * 2);
}

function open() {
    close();
    if (document.hidden)
        return;
    source = new EventSource("/api/stream");
    source.addEventListener("snapshot", (event) => {
        setSnapshot(JSON.parse(event.data));
        alive();
        refill();
    });
    source.addEventListener("tick", (event) => {
        addTick(JSON.parse(event.data));
        alive();
    });
    source.addEventListener("error", () => {
        lost();
        if (source?.readyState === EventSource.CLOSED) {
            askWhy();
            again();
        }
    });
}

function close() {
    clearTimeout(retry);
    source?.close();
    source = null;
}

function watch() {
    if (document.hidden)
        return;
    const silent = performance.now() - heard;

    if (silent > LATE_MS && store.connection === "live")
        lost();
    if (silent > DEAD_MS) {
        heard = performance.now();
        open();
    }
    tell("clock");
}

/* The wider ranges are averages: the monitor has them, this page only the newest second. */
function refresh() {
    if (!document.hidden && store.range !== "5m" && store.connection === "live" && !store.paused)
        refill();
}

export function startFeed() {
    document.addEventListener("visibilitychange", () => {
        if (document.hidden) {
            close();
        } else {
            heard = performance.now();
            open();
        }
    });
    setInterval(watch, 1000);
    setInterval(refresh, 30000);
    open();
}
