/* The verdict's sentence. */
#include "monitor/verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *verdict_kind_name(enum verdict_kind kind)
{
    static const char *const names[] = {
        [VERDICT_FEW] = "few", [VERDICT_NONE] = "none", [VERDICT_BEST] = "best"};

    return names[kind];
}

/* "214 s", "0.031": three digits where they say something. */
static void put_number(struct buf *text, double v, const struct verdict_words *words)
{
    if (fabs(v) >= 100)
        buf_printf(text, "%.0f", v);
    else
        buf_printf(text, "%.3g", v);
    if (words->unit)
        buf_printf(text, " %s", words->unit);
}

/* "214 s off on average", "log loss 0.031". */
static void put_loss(struct buf *text, double v, const struct verdict_words *words)
{
    if (words->is_classes)
        buf_text(text, "log loss ");
    put_number(text, v, words);
    if (!words->is_classes)
        buf_text(text, " off on average");
}

/* What the baseline does. */
static const char *guessing(const struct verdict_words *words)
{
    return words->is_classes ? "always saying how often it happens" : "guessing the mean";
}

static void put_last(struct buf *text, size_t n, const struct verdict_words *words)
{
    buf_printf(text, "last %zu %s%s", n, words->noun, n == 1 ? "" : "s");
}

static size_t least(const struct verdict_model *models, size_t n)
{
    size_t best = n;

    for (size_t i = 0; i < n; i++)
        if (models[i].score.n && (best == n || models[i].score.loss < models[best].score.loss))
            best = i;
    return best;
}

/* The rival of least loss whose interval reaches down to that of `best`; `n`: there is none. */
static size_t rival(const struct verdict_model *models, size_t n, size_t best)
{
    size_t found = n;

    for (size_t i = 0; i < n; i++) {
        const struct errors_score *s = &models[i].score;

        if (i == best || !s->n)
            continue;
        if (!(s->low > models[best].score.high) &&
            (found == n || s->loss < models[found].score.loss))
            found = i;
    }
    return found;
}

static void say_best(const struct verdict_model *models, size_t n, size_t best,
                     const struct verdict_words *words, struct buf *text)
{
    const struct errors_score *s = &models[best].score;

    buf_printf(text, "%s is best: ", models[best].name);
    put_loss(text, s->loss, words);
    for (size_t i = 0; i < n; i++)
        if (models[i].is_baseline && models[i].score.loss > 0)
            buf_printf(text, ", %.0f %% better than %s", 100 * (1 - s->loss / models[i].score.loss),
                       guessing(words));
    buf_text(text, " (");
    put_last(text, s->n, words);
    buf_byte(text, ')');
}

static void say_none(const struct verdict_model *models, size_t best, size_t other,
                     const struct verdict_words *words, struct buf *text)
{
    const struct errors_score *s = &models[best].score;

    if (models[best].is_baseline) {
        buf_printf(text, "no clear winner: no model is better than %s, which %s ", guessing(words),
                   words->is_classes ? "has" : "is");
        put_loss(text, s->loss, words);
        buf_text(text, " (");
    } else if (models[other].is_baseline) {
        buf_printf(text, "no clear winner: %s (", models[best].name);
        put_loss(text, s->loss, words);
        buf_printf(text, ") is hardly better than %s (", guessing(words));
    } else {
        buf_printf(text, "no clear winner: %s (", models[best].name);
        put_loss(text, s->loss, words);
        buf_printf(text, ") and %s (", models[other].name);
        put_number(text, models[other].score.loss, words);
        buf_text(text, ") are too close to call (");
    }
    put_last(text, s->n, words);
    buf_byte(text, ')');
}

struct verdict verdict_make(const struct verdict_model *models, size_t n,
                            const struct verdict_words *words, struct buf *text)
{
    struct verdict v = {.kind = VERDICT_FEW, .model = least(models, n)};
    size_t rows = v.model < n ? models[v.model].score.n : 0;

    for (size_t i = 0; i < n; i++)
        if (models[i].is_baseline && models[i].score.n > rows)
            rows = models[i].score.n;
    if (v.model == n) {
        buf_printf(text, "no %s has a label yet", words->noun);
        return v;
    }
    if (rows < VERDICT_MIN_ROWS || models[v.model].score.n < VERDICT_MIN_ROWS) {
        buf_printf(text, "%zu %s%s with a label so far: too few to name a winner", rows,
                   words->noun, rows == 1 ? "" : "s");
        return v;
    }
    size_t other = rival(models, n, v.model);
    if (other == n && !models[v.model].is_baseline) {
        v.kind = VERDICT_BEST;
        say_best(models, n, v.model, words, text);
    } else {
        v.kind = VERDICT_NONE;
        say_none(models, v.model, other, words, text);
    }
    return v;
}
