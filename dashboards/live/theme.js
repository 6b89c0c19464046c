/* Runs before the first paint, so that a chosen theme does not flash. */
(function () {
    var chosen = null;
    try {
        chosen = localStorage.getItem("oxbow.theme");
    } catch (e) {
        /* Storage is refused: the system's theme it is. */
    }
    if (chosen === "light" || chosen === "dark")
        document.documentElement.dataset.theme = chosen;
})();
