/* What the tests ask of the page, as expressions' helpers. Evaluated in the page, not part of it. */
(() => {
    const parse = (text) => {
        const n = text.match(/[\d.]+/g)?.map(Number) || [0, 0, 0, 0];

        return { r: n[0], g: n[1], b: n[2], a: n.length > 3 ? n[3] : 1 };
    };
    const over = (top, below) => ({
        r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1,
    });
    const light = ({ r, g, b }) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);

    function behind(node) {
        const layers = [];

        for (let n = node; n; n = n.parentElement) {
            const colour = parse(getComputedStyle(n).backgroundColor);

            if (colour.a > 0)
                layers.push(colour);
            if (colour.a === 1)
                break;
        }
        return layers.reverse().reduce((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 });
    }

    /* Texts whose contrast is under 4.5 : 1. */
    globalThis.pale = () => {
        const found = [];
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);

        for (let t = walk.nextNode(); t; t = walk.nextNode()) {
            const node = t.parentElement;

            if (!t.data.trim() || !node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) || node.closest(".bone, .sr, noscript"))
                continue;
            const ground = behind(node);
            const style = getComputedStyle(node);
            const ink = over(parse(node.closest("svg") ? style.fill : style.color), ground);
            const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
            const ratio = (a + 0.05) / (b + 0.05);

            if (ratio < 4.5)
                found.push(`${ratio.toFixed(2)} ${node.tagName}.${node.getAttribute("class") || ""} "${t.data.trim().slice(0, 30)}"`);
        }
        return found;
    };

    /* Every part once into sight, so that it is drawn. */
    globalThis.tour = async () => {
        for (let y = 0; y < document.documentElement.scrollHeight; y += 500) {
            scrollTo(0, y);
            await new Promise((done) => setTimeout(done, 60));
        }
        scrollTo(0, 0);
    };

    /* Whether a canvas has anything on it. */
    globalThis.inked = (selector) => {
        const canvas = document.querySelector(selector);
        const copy = document.createElement("canvas"); // reading the page's own again and again would slow it, and warn

        if (!canvas?.width || !canvas.height)
            return false;
        copy.width = canvas.width;
        copy.height = canvas.height;
        const ctx = copy.getContext("2d", { willReadFrequently: true });

        ctx.drawImage(canvas, 0, 0);
        const data = ctx.getImageData(0, 0, copy.width, copy.height).data;

        return data.some((v, i) => i % 4 === 3 && v);
    };
    return true;
})();
