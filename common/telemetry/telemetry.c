/*
 * The registry: a list of metrics in the order of registration. Each is an
 * allocation of its own, so that pointers to its value stay good while the list
 * grows.
 */
#include "telemetry/telemetry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HIST };

static const char *const kind_names[] = {
    [METRIC_COUNTER] = "counters",
    [METRIC_GAUGE] = "gauges",
    [METRIC_HIST] = "histograms",
};

struct metric {
    enum metric_kind kind;
    char *name;
    char *help;
    union {
        uint64_t counter;
        double gauge;
        struct hist *hist; /* owned */
    } value;
};

struct telemetry {
    struct metric **metrics;
    size_t n;
};

struct telemetry *telemetry_new(void)
{
    return mem_zalloc(1, sizeof(struct telemetry));
}

void telemetry_free(struct telemetry *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++) {
        struct metric *m = t->metrics[i];

        if (m->kind == METRIC_HIST)
            free(m->value.hist);
        free(m->name);
        free(m->help);
        free(m);
    }
    free(t->metrics);
    free(t);
}

static struct metric *find_or_add(struct telemetry *t, enum metric_kind kind, const char *name,
                                  const char *help)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->metrics[i]->name, name) == 0) {
            assert(t->metrics[i]->kind == kind);
            return t->metrics[i];
        }
    }

    struct metric *m = mem_zalloc(1, sizeof(*m));
    m->kind = kind;
    m->name = mem_strdup(name);
    m->help = mem_strdup(help);
    if (kind == METRIC_HIST)
        m->value.hist = mem_zalloc(1, sizeof(struct hist));
    t->metrics = mem_realloc(t->metrics, t->n + 1, sizeof(*t->metrics));
    t->metrics[t->n++] = m;
    return m;
}

uint64_t *telemetry_counter(struct telemetry *t, const char *name, const char *help)
{
    return &find_or_add(t, METRIC_COUNTER, name, help)->value.counter;
}

double *telemetry_gauge(struct telemetry *t, const char *name, const char *help)
{
    return &find_or_add(t, METRIC_GAUGE, name, help)->value.gauge;
}

struct hist *telemetry_hist(struct telemetry *t, const char *name, const char *help)
{
    return find_or_add(t, METRIC_HIST, name, help)->value.hist;
}

static void write_value(const struct metric *m, struct buf *out)
{
    switch (m->kind) {
    case METRIC_COUNTER:
        buf_printf(out, "%llu", (unsigned long long)m->value.counter);
        break;
    case METRIC_GAUGE:
        json_write_number(out, m->value.gauge);
        break;
    case METRIC_HIST:
        hist_write(m->value.hist, out);
        break;
    }
}

/* `"counters":{...}` */
static void write_kind(const struct telemetry *t, enum metric_kind kind, struct buf *out)
{
    const char *comma = "";

    json_write_name(out, kind_names[kind]);
    buf_byte(out, '{');
    for (size_t i = 0; i < t->n; i++) {
        const struct metric *m = t->metrics[i];

        if (m->kind != kind)
            continue;
        buf_text(out, comma);
        json_write_string(out, m->name, strlen(m->name));
        buf_byte(out, ':');
        write_value(m, out);
        comma = ",";
    }
    buf_byte(out, '}');
}

void telemetry_write(const struct telemetry *t, struct buf *out)
{
    buf_byte(out, '{');
    for (int kind = METRIC_COUNTER; kind <= METRIC_HIST; kind++) {
        write_kind(t, (enum metric_kind)kind, out);
        buf_byte(out, ',');
    }
    json_write_name(out, "help");
    buf_byte(out, '{');
    for (size_t i = 0; i < t->n; i++) {
        if (i)
            buf_byte(out, ',');
        json_write_string(out, t->metrics[i]->name, strlen(t->metrics[i]->name));
        buf_byte(out, ':');
        json_write_string(out, t->metrics[i]->help, strlen(t->metrics[i]->help));
    }
    buf_text(out, "}}");
}
