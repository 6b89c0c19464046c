/* Curves in three tiers: a ring of times for each tier, and beside it a ring of values a series. */
#include "monitor/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "monitor/text.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define GAP_STEPS 3

const struct curves_tier CURVES_TIER[CURVES_TIERS] = {
    {SECOND, HOUR}, {10 * SECOND, 12 * HOUR}, {MINUTE, 168 * HOUR}};

struct series {
    char *name;
    float *value[CURVES_TIERS]; /* rings, as the tier's times */
    double sum[CURVES_TIERS];   /* of the point that is being made; tier 0 has none */
    uint32_t count[CURVES_TIERS];
};

struct tier {
    size_t size;
    int64_t *time_ms;
    int64_t *event_ms;
    uint64_t n;          /* points ever added */
    int64_t open_ms;     /* start of the point that is being made; TIME_UNKNOWN: none */
    int64_t open_events; /* event time of its first second */
};

struct curves {
    struct tier tier[CURVES_TIERS];
    struct series *series;
    size_t n_series;
};

/* ---- Lifecycle and series ---- */

struct curves *curves_new(void)
{
    struct curves *c = mem_zalloc(1, sizeof(*c));

    for (int t = 0; t < CURVES_TIERS; t++) {
        struct tier *tier = &c->tier[t];

        tier->size = (size_t)(CURVES_TIER[t].kept_ms / CURVES_TIER[t].step_ms);
        tier->time_ms = mem_zalloc(tier->size, sizeof(*tier->time_ms));
        tier->event_ms = mem_zalloc(tier->size, sizeof(*tier->event_ms));
        tier->open_ms = TIME_UNKNOWN;
    }
    c->series = mem_zalloc(CURVES_MAX_SERIES, sizeof(*c->series));
    return c;
}

void curves_free(struct curves *c)
{
    if (!c)
        return;
    for (int t = 0; t < CURVES_TIERS; t++) {
        free(c->tier[t].time_ms);
        free(c->tier[t].event_ms);
        for (size_t i = 0; i < c->n_series; i++)
            free(c->series[i].value[t]);
    }
    for (size_t i = 0; i < c->n_series; i++)
        free(c->series[i].name);
    free(c->series);
    free(c);
}

int curves_series(struct curves *c, const char *name)
{
    for (size_t i = 0; i < c->n_series; i++)
        if (strcmp(c->series[i].name, name) == 0)
            return (int)i;
    if (c->n_series == CURVES_MAX_SERIES)
        return -1;

    struct series *s = &c->series[c->n_series];
    s->name = mem_strdup(name);
    for (int t = 0; t < CURVES_TIERS; t++) {
        s->value[t] = mem_alloc(c->tier[t].size * sizeof(float));
        for (size_t i = 0; i < c->tier[t].size; i++)
            s->value[t][i] = NAN;
    }
    return (int)c->n_series++;
}

size_t curves_n_series(const struct curves *c)
{
    return c->n_series;
}

const char *curves_name(const struct curves *c, size_t series)
{
    return c->series[series].name;
}

/* ---- Adding ---- */

int64_t curves_newest(const struct curves *c, int tier)
{
    const struct tier *t = &c->tier[tier];

    return t->n ? t->time_ms[(t->n - 1) % t->size] : TIME_UNKNOWN;
}

static void put(struct curves *c, const struct curves_point *point)
{
    struct tier *tier = &c->tier[point->tier];
    size_t at = tier->n++ % tier->size;

    tier->time_ms[at] = point->time_ms;
    tier->event_ms[at] = point->event_ms;
    for (size_t i = 0; i < c->n_series; i++)
        c->series[i].value[point->tier][at] = i < point->n ? point->value[i] : NAN;
}

/* The point that is being made is whole: adds it and begins the next. */
static void close_point(struct curves *c, int t, curves_keep_fn keep, void *ctx)
{
    struct tier *tier = &c->tier[t];
    float *value = mem_alloc((c->n_series + 1) * sizeof(*value));

    for (size_t i = 0; i < c->n_series; i++) {
        struct series *s = &c->series[i];

        value[i] = s->count[t] ? (float)(s->sum[t] / s->count[t]) : NAN;
        s->sum[t] = 0;
        s->count[t] = 0;
    }
    struct curves_point point = {t, tier->open_ms, tier->open_events, value, c->n_series};
    if (curves_newest(c, t) == TIME_UNKNOWN || point.time_ms > curves_newest(c, t)) {
        put(c, &point);
        if (keep)
            keep(ctx, &point);
    }
    free(value);
}

/* Counts a second into the point of tier `t` that it belongs to. */
static void gather(struct curves *c, int t, const struct curves_point *second, curves_keep_fn keep,
                   void *ctx)
{
    struct tier *tier = &c->tier[t];
    int64_t start = second->time_ms - second->time_ms % CURVES_TIER[t].step_ms;

    if (tier->open_ms != start) {
        if (tier->open_ms != TIME_UNKNOWN)
            close_point(c, t, keep, ctx);
        tier->open_ms = start;
        tier->open_events = second->event_ms;
    }
    for (size_t i = 0; i < second->n && i < c->n_series; i++) {
        if (isnan(second->value[i]))
            continue;
        c->series[i].sum[t] += (double)second->value[i];
        c->series[i].count[t]++;
    }
}

void curves_add(struct curves *c, int64_t time_ms, int64_t event_ms, const float *value, size_t n,
                curves_keep_fn keep, void *ctx)
{
    struct curves_point point = {0, time_ms, event_ms, value, n};

    if (curves_newest(c, 0) != TIME_UNKNOWN && time_ms <= curves_newest(c, 0))
        return;
    put(c, &point);
    if (keep)
        keep(ctx, &point);
    for (int t = 1; t < CURVES_TIERS; t++)
        gather(c, t, &point, keep, ctx);
}

void curves_restore(struct curves *c, const struct curves_point *point)
{
    int64_t newest = curves_newest(c, point->tier);

    if (newest != TIME_UNKNOWN && point->time_ms <= newest)
        return;
    put(c, point);
    if (point->tier != 0)
        return;
    /* Seconds of a coarse point that was not whole when the program ended. */
    for (int t = 1; t < CURVES_TIERS; t++) {
        int64_t whole = curves_newest(c, t);

        if (whole == TIME_UNKNOWN || point->time_ms >= whole + CURVES_TIER[t].step_ms)
            gather(c, t, point, NULL, NULL);
    }
}

/* ---- Asking ---- */

bool curves_range(const char *name, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } ranges[] = {{"5m", 5 * MINUTE}, {"1h", HOUR}, {"12h", 12 * HOUR}, {"7d", 168 * HOUR}};

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (strcmp(ranges[i].name, name) == 0) {
            *ret_ms = ranges[i].ms;
            return true;
        }
    }
    return false;
}

static bool is_wanted(const char *names, const char *name)
{
    size_t len = strlen(name);

    if (!names)
        return true;
    while (*names) {
        size_t n = strcspn(names, ",");

        if (n == len && memcmp(names, name, len) == 0)
            return true;
        names += n + (names[n] == ',');
    }
    return false;
}

/* Some points of a tier that become one of the answer; first > last: a break in the line. */
struct group {
    uint64_t first, last;
    int64_t time_ms, event_ms;
};

struct answer {
    int tier;
    int64_t step_ms;
    struct group group[CURVES_MAX_POINTS];
    size_t n;
};

static int64_t axis_of(const struct tier *tier, uint64_t i, bool by_event)
{
    return by_event ? tier->event_ms[i % tier->size] : tier->time_ms[i % tier->size];
}

/* The first point of the range. By event time it is also behind the last step back: a stream that
 * began anew. */
static uint64_t find_first(const struct tier *tier, const struct curves_query *q)
{
    uint64_t first = tier->n > tier->size ? tier->n - tier->size : 0;

    while (first < tier->n && tier->time_ms[first % tier->size] < q->now_ms - q->range_ms)
        first++;
    for (uint64_t i = first + 1; q->by_event && i < tier->n; i++)
        if (tier->event_ms[i % tier->size] != TIME_UNKNOWN &&
            tier->event_ms[(i - 1) % tier->size] != TIME_UNKNOWN &&
            tier->event_ms[i % tier->size] < tier->event_ms[(i - 1) % tier->size])
            first = i;
    return first;
}

static int64_t round_up(int64_t v, int64_t step)
{
    return (v + step - 1) / step * step;
}

static bool is_gap(const struct curves *c, int tier, uint64_t before, uint64_t after)
{
    const struct tier *t = &c->tier[tier];

    return t->time_ms[after % t->size] - t->time_ms[before % t->size] >
           GAP_STEPS * CURVES_TIER[tier].step_ms;
}

/* Adds point `i` to the last group, or begins one, with a break before it where there is a gap. */
static void add_point(const struct curves *c, struct answer *a, uint64_t i,
                      const struct curves_query *q)
{
    const struct tier *t = &c->tier[a->tier];
    int64_t at = axis_of(t, i, q->by_event) / a->step_ms;
    struct group *last = a->n ? &a->group[a->n - 1] : NULL;
    bool gap = last && is_gap(c, a->tier, last->last, i);

    if (last && !gap && axis_of(t, last->first, q->by_event) / a->step_ms == at) {
        last->last = i;
        return;
    }
    int64_t time_ms = t->time_ms[i % t->size];
    int64_t event_ms = t->event_ms[i % t->size];
    if (gap && a->n + 1 < CURVES_MAX_POINTS) {
        int64_t middle = TIME_UNKNOWN;

        if (event_ms != TIME_UNKNOWN && last->event_ms != TIME_UNKNOWN)
            middle = last->event_ms + (event_ms - last->event_ms) / 2;
        a->group[a->n++] =
            (struct group){1, 0, last->time_ms + (time_ms - last->time_ms) / 2, middle};
    }
    if (a->n < CURVES_MAX_POINTS)
        a->group[a->n++] = (struct group){i, i, time_ms, event_ms};
}

static void make_answer(const struct curves *c, const struct curves_query *q, struct answer *a)
{
    a->tier = 0;
    while (a->tier < CURVES_TIERS - 1 && CURVES_TIER[a->tier].kept_ms < q->range_ms)
        a->tier++;
    const struct tier *t = &c->tier[a->tier];
    int64_t tier_step = CURVES_TIER[a->tier].step_ms;
    uint64_t first = find_first(t, q);
    int64_t span = q->range_ms;

    if (q->by_event) {
        int64_t low = TIME_UNKNOWN;
        int64_t high = TIME_UNKNOWN;

        for (uint64_t i = first; i < t->n; i++) {
            int64_t at = axis_of(t, i, true);
            if (low == TIME_UNKNOWN)
                low = at;
            if (at != TIME_UNKNOWN)
                high = at;
        }
        span = high != TIME_UNKNOWN && low != TIME_UNKNOWN ? high - low : 0;
    }
    /* A tenth is left for breaks in the line. */
    a->step_ms = round_up(span / (CURVES_MAX_POINTS * 9 / 10) + 1, tier_step);
    if (q->by_event)
        a->step_ms = round_up(span / (CURVES_MAX_POINTS * 9 / 10) + 1, 100);
    else if (span / tier_step <= CURVES_MAX_POINTS)
        a->step_ms = tier_step;
    for (uint64_t i = first; i < t->n; i++)
        if (!q->by_event || axis_of(t, i, true) != TIME_UNKNOWN)
            add_point(c, a, i, q);
}

static float mean_of(const struct series *s, int tier, size_t size, const struct group *g)
{
    double sum = 0;
    uint32_t count = 0;

    for (uint64_t i = g->first; i <= g->last; i++) {
        float v = s->value[tier][i % size];

        if (isnan(v))
            continue;
        sum += (double)v;
        count++;
    }
    return count ? (float)(sum / count) : NAN;
}

static void write_times(const struct answer *a, bool events, struct buf *out)
{
    buf_byte(out, '[');
    for (size_t i = 0; i < a->n; i++) {
        if (i)
            buf_byte(out, ',');
        text_time(out, events ? a->group[i].event_ms : a->group[i].time_ms);
    }
    buf_byte(out, ']');
}

static void write_series(const struct curves *c, const struct answer *a, const char *names,
                         struct buf *out)
{
    buf_byte(out, '{');
    for (size_t i = 0; i < c->n_series; i++) {
        if (!is_wanted(names, c->series[i].name))
            continue;
        text_put_name(out, c->series[i].name);
        buf_byte(out, '[');
        for (size_t k = 0; k < a->n; k++) {
            if (k)
                buf_byte(out, ',');
            text_number(
                out, (double)mean_of(&c->series[i], a->tier, c->tier[a->tier].size, &a->group[k]));
        }
        buf_byte(out, ']');
    }
    buf_byte(out, '}');
}

static void write_gaps(const struct curves *c, const struct answer *a, const struct curves_query *q,
                       struct buf *out)
{
    const struct tier *t = &c->tier[a->tier];

    buf_byte(out, '[');
    for (uint64_t i = find_first(t, q) + 1; i < t->n; i++) {
        if (!is_gap(c, a->tier, i - 1, i))
            continue;
        text_next(out);
        buf_printf(out, "[%lld,%lld]", (long long)t->time_ms[(i - 1) % t->size],
                   (long long)t->time_ms[i % t->size]);
    }
    buf_byte(out, ']');
}

void curves_write(const struct curves *c, const struct curves_query *query, struct buf *out)
{
    struct answer *a = mem_zalloc(1, sizeof(*a));

    make_answer(c, query, a);
    text_put_number(out, "step_s", (double)a->step_ms / 1000);
    text_put_name(out, "time_ms");
    write_times(a, false, out);
    text_put_name(out, "event_ms");
    write_times(a, true, out);
    text_put_name(out, "series");
    write_series(c, a, query->names, out);
    text_put_name(out, "gaps");
    write_gaps(c, a, query, out);
    free(a);
}

static void csv_time(int64_t time_ms, struct buf *out)
{
    char text[CLOCK_TEXT_LEN + 1];

    if (time_ms == TIME_UNKNOWN)
        return;
    clock_format(time_ms, text);
    buf_text(out, text);
}

void curves_write_csv(const struct curves *c, const struct curves_query *query, struct buf *out)
{
    struct answer *a = mem_zalloc(1, sizeof(*a));

    make_answer(c, query, a);
    buf_text(out, "time,event_time");
    for (size_t i = 0; i < c->n_series; i++)
        if (is_wanted(query->names, c->series[i].name))
            buf_printf(out, ",\"%s\"", c->series[i].name);
    buf_text(out, "\r\n");
    for (size_t k = 0; k < a->n; k++) {
        csv_time(a->group[k].time_ms, out);
        buf_byte(out, ',');
        csv_time(a->group[k].event_ms, out);
        for (size_t i = 0; i < c->n_series; i++) {
            float v = mean_of(&c->series[i], a->tier, c->tier[a->tier].size, &a->group[k]);

            if (!is_wanted(query->names, c->series[i].name))
                continue;
            buf_byte(out, ',');
            if (!isnan(v))
                text_number(out, (double)v);
        }
        buf_text(out, "\r\n");
    }
    free(a);
}
