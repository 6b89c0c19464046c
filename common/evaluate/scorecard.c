/* A model's scores, over all and over windows: see scorecard.h. */
#include "evaluate/scorecard.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

#define SAMPLES_MIN 256 /* that a window has room for to begin with */

struct sample {
    double at;
    double y;
    double predicted;
};

/* The oldest first, in a ring that grows. */
struct window {
    struct sample *sample;
    size_t cap;
    size_t first;
    size_t n;
    struct metric_set *metrics; /* of what was in it when it was last looked at */
    bool is_current;
};

struct scorecard {
    struct scorecard_options options;
    char *names; /* of the metrics; NULL: the usual ones */
    struct metric_set *all;
    struct window window[SCORECARD_SPANS]; /* SCORECARD_ALL: unused */
    double now;                            /* of the latest answer */
};

/* Windows */

static void grow(struct window *w)
{
    size_t cap = w->cap ? 2 * w->cap : SAMPLES_MIN;
    struct sample *sample = mem_zalloc(cap, sizeof(*sample));

    for (size_t i = 0; i < w->n; i++)
        sample[i] = w->sample[(w->first + i) % w->cap];
    free(w->sample);
    w->sample = sample;
    w->cap = cap;
    w->first = 0;
}

static void push(struct window *w, const struct sample *sample)
{
    if (w->n == w->cap)
        grow(w);
    w->sample[(w->first + w->n++) % w->cap] = *sample;
    w->is_current = false;
}

static void pop(struct window *w)
{
    w->first = (w->first + 1) % w->cap;
    w->n--;
    w->is_current = false;
}

static struct metric_set *make(const struct scorecard *s, struct err *err)
{
    struct metric_set *set = metric_set_new(s->options.kind, s->names, err);

    if (set && s->options.threshold > 0)
        metric_set_threshold(set, s->options.threshold);
    return set;
}

static void look(const struct scorecard *s, struct window *w)
{
    struct err err;

    metric_set_free(w->metrics);
    w->metrics = make(s, &err);
    assert(w->metrics); /* the names were good before */
    metric_set_ranked(w->metrics, w->n ? w->n : 1);
    for (size_t i = 0; i < w->n; i++) {
        const struct sample *sample = &w->sample[(w->first + i) % w->cap];

        metric_set_update(w->metrics, sample->y, sample->predicted);
    }
    w->is_current = true;
}

/* Public functions */

struct scorecard *scorecard_new(const struct scorecard_options *options, struct err *err)
{
    struct scorecard *s = mem_zalloc(1, sizeof(*s));

    s->options = *options;
    s->options.metrics = NULL; /* it is the caller's */
    s->names = options->metrics ? mem_strdup(options->metrics) : NULL;
    s->now = (double)-INFINITY;
    s->all = make(s, err);
    if (s->all)
        return s;
    scorecard_free(s);
    return NULL;
}

void scorecard_free(struct scorecard *s)
{
    if (!s)
        return;
    metric_set_free(s->all);
    for (size_t i = 0; i < SCORECARD_SPANS; i++) {
        free(s->window[i].sample);
        metric_set_free(s->window[i].metrics);
    }
    free(s->names);
    free(s);
}

void scorecard_update(struct scorecard *s, double y, double predicted, double at, double second)
{
    struct window *last = &s->window[SCORECARD_WINDOW];
    struct window *timed = &s->window[SCORECARD_TIME_WINDOW];

    metric_set_update(s->all, y, predicted);
    s->now = at > s->now ? at : s->now;

    const struct sample sample = {s->now, y, predicted};
    if (s->options.window && isfinite(predicted)) {
        if (last->n == s->options.window)
            pop(last);
        push(last, &sample);
    }
    if (s->options.window_seconds > 0) {
        if (isfinite(predicted))
            push(timed, &sample);
        while (timed->n &&
               timed->sample[timed->first].at <= s->now - s->options.window_seconds * second)
            pop(timed);
    }
}

void scorecard_update_interval(struct scorecard *s, double y, const struct issued *said)
{
    metric_set_update_interval(s->all, y, said);
}

const struct metric_set *scorecard_of(struct scorecard *s, enum scorecard_span span)
{
    if (span == SCORECARD_ALL)
        return s->all;
    if (span == SCORECARD_WINDOW ? s->options.window == 0 : !(s->options.window_seconds > 0))
        return NULL;
    if (!s->window[span].is_current)
        look(s, &s->window[span]);
    return s->window[span].metrics;
}

void scorecard_compare(struct scorecard *s, struct scorecard *baseline,
                       const struct metric_set *ret_metrics[SCORECARD_SPANS],
                       double ret_skill[SCORECARD_SPANS])
{
    for (size_t i = 0; i < SCORECARD_SPANS; i++) {
        const struct metric_set *set = scorecard_of(s, (enum scorecard_span)i);

        ret_metrics[i] = set;
        ret_skill[i] = set ? 1 - metric_set_loss(set) /
                                     metric_set_loss(scorecard_of(baseline, (enum scorecard_span)i))
                           : (double)NAN;
    }
}
