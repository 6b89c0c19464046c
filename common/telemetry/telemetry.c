/* The registry: families in the order of registration, each with its series. */
#include "telemetry/telemetry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "telemetry/telemetry_internal.h"

static const char *const kind_names[] = {
    [METRIC_COUNTER] = "counters",
    [METRIC_GAUGE] = "gauges",
    [METRIC_HIST] = "histograms",
};

struct telemetry *telemetry_new(void)
{
    return mem_zalloc(1, sizeof(struct telemetry));
}

static void series_free(struct series *s, enum metric_kind kind)
{
    if (kind == METRIC_HIST)
        free(s->value.hist);
    else if (kind == METRIC_VALUES)
        free(s->value.values);
    for (size_t i = 0; i < s->n_labels; i++) {
        free(s->label[i].name);
        free(s->label[i].value);
    }
    free(s);
}

void telemetry_free(struct telemetry *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++) {
        struct family *f = &t->families[i];

        for (size_t k = 0; k < f->n; k++)
            series_free(f->series[k], f->kind);
        free(f->series);
        free(f->name);
        free(f->help);
    }
    free(t->families);
    free(t);
}

/* Registering */

static struct family *find_or_add_family(struct telemetry *t, enum metric_kind kind,
                                         const char *name, const char *help)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->families[i].name, name) == 0) {
            assert(t->families[i].kind == kind);
            return &t->families[i];
        }
    }
    t->families = mem_realloc(t->families, t->n + 1, sizeof(*t->families));
    t->families[t->n] = (struct family){
        .kind = kind,
        .name = mem_strdup(name),
        .help = mem_strdup(help),
    };
    return &t->families[t->n++];
}

static bool has_labels(const struct series *s, const struct telemetry_label *labels, size_t n)
{
    if (s->n_labels != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(s->label[i].name, labels[i].name) != 0 ||
            strcmp(s->label[i].value, labels[i].value) != 0)
            return false;
    return true;
}

static struct series *find_or_add(struct telemetry *t, enum metric_kind kind, const char *name,
                                  const char *help, const struct telemetry_label *labels, size_t n)
{
    struct family *f = find_or_add_family(t, kind, name, help);

    for (size_t i = 0; i < f->n; i++)
        if (has_labels(f->series[i], labels, n))
            return f->series[i];

    assert(n <= TELEMETRY_LABELS);
    struct series *s = mem_zalloc(1, sizeof(*s));
    for (size_t i = 0; i < n; i++) {
        s->label[i].name = mem_strdup(labels[i].name);
        s->label[i].value = mem_strdup(labels[i].value);
    }
    s->n_labels = n;
    if (kind == METRIC_HIST)
        s->value.hist = mem_zalloc(1, sizeof(struct hist));
    else if (kind == METRIC_VALUES)
        s->value.values = mem_zalloc(1, sizeof(struct value_hist));
    f->series = mem_realloc(f->series, f->n + 1, sizeof(struct series *));
    f->series[f->n++] = s;
    return s;
}

uint64_t *telemetry_counter_of(struct telemetry *t, const char *name, const char *help,
                               const struct telemetry_label *labels, size_t n_labels)
{
    return &find_or_add(t, METRIC_COUNTER, name, help, labels, n_labels)->value.counter;
}

double *telemetry_gauge_of(struct telemetry *t, const char *name, const char *help,
                           const struct telemetry_label *labels, size_t n_labels)
{
    return &find_or_add(t, METRIC_GAUGE, name, help, labels, n_labels)->value.gauge;
}

struct hist *telemetry_hist_of(struct telemetry *t, const char *name, const char *help,
                               const struct telemetry_label *labels, size_t n_labels)
{
    return find_or_add(t, METRIC_HIST, name, help, labels, n_labels)->value.hist;
}

struct value_hist *telemetry_values_of(struct telemetry *t, const char *name, const char *help,
                                       const struct telemetry_label *labels, size_t n_labels,
                                       const double *bounds, size_t n_bounds)
{
    struct value_hist *h =
        find_or_add(t, METRIC_VALUES, name, help, labels, n_labels)->value.values;

    assert(n_bounds <= VALUE_HIST_BOUNDS);
    h->n_bounds = n_bounds;
    memcpy(h->bound, bounds, n_bounds * sizeof(*bounds));
    return h;
}

uint64_t *telemetry_counter(struct telemetry *t, const char *name, const char *help)
{
    return telemetry_counter_of(t, name, help, NULL, 0);
}

double *telemetry_gauge(struct telemetry *t, const char *name, const char *help)
{
    return telemetry_gauge_of(t, name, help, NULL, 0);
}

struct hist *telemetry_hist(struct telemetry *t, const char *name, const char *help)
{
    return telemetry_hist_of(t, name, help, NULL, 0);
}

/* The heartbeat's JSON */

/* The series that is in the heartbeat: the one without labels. */
static const struct series *plain_series(const struct family *f)
{
    if (f->kind == METRIC_VALUES)
        return NULL;
    for (size_t i = 0; i < f->n; i++)
        if (f->series[i]->n_labels == 0)
            return f->series[i];
    return NULL;
}

static void write_value(const struct series *s, enum metric_kind kind, struct buf *out)
{
    switch (kind) {
    case METRIC_COUNTER:
        buf_printf(out, "%llu", (unsigned long long)s->value.counter);
        break;
    case METRIC_GAUGE:
        json_write_number(out, s->value.gauge);
        break;
    case METRIC_HIST:
        hist_write(s->value.hist, out);
        break;
    case METRIC_VALUES:
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
        const struct family *f = &t->families[i];
        const struct series *s = f->kind == kind ? plain_series(f) : NULL;

        if (!s)
            continue;
        buf_text(out, comma);
        json_write_string(out, f->name, strlen(f->name));
        buf_byte(out, ':');
        write_value(s, kind, out);
        comma = ",";
    }
    buf_byte(out, '}');
}

void telemetry_write(const struct telemetry *t, struct buf *out)
{
    const char *comma = "";

    buf_byte(out, '{');
    for (int kind = METRIC_COUNTER; kind <= METRIC_HIST; kind++) {
        write_kind(t, (enum metric_kind)kind, out);
        buf_byte(out, ',');
    }
    json_write_name(out, "help");
    buf_byte(out, '{');
    for (size_t i = 0; i < t->n; i++) {
        const struct family *f = &t->families[i];

        if (!plain_series(f))
            continue;
        buf_text(out, comma);
        json_write_string(out, f->name, strlen(f->name));
        buf_byte(out, ':');
        json_write_string(out, f->help, strlen(f->help));
        comma = ",";
    }
    buf_text(out, "}}");
}
