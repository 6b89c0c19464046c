/* What `oxbow evaluate` prints: see evaluate_report.h. */
#include "evaluate_report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "figures.h"

/* Six digits that count, whatever the size. */
static const char *figure_score(double v, char out[FIGURE_MAX])
{
    if (isnan(v))
        snprintf(out, FIGURE_MAX, "-");
    else
        snprintf(out, FIGURE_MAX, fabs(v) >= 1e6 ? "%.3g" : fabs(v) >= 100 ? "%.3f" : "%.5f", v);
    return out;
}

void evaluate_print_table(const struct evaluate_row *row, size_t n, FILE *out)
{
    char text[FIGURE_MAX];
    char rate[FIGURE_MAX];
    char bytes[FIGURE_MAX];

    fprintf(out, "%-20s %-28s %10s", "model", "class", "n");
    for (size_t k = 0; n && k < metric_set_size(row[0].metrics); k++)
        fprintf(out, " %*s", 12, metric_set_info(row[0].metrics, k)->name);
    fprintf(out, " %8s %12s %12s\n", "skill %", "samples/s", "bytes");
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%-20s %-28s %10s", row[i].name, model_class(row[i].model),
                figure_count(metric_set_scored(row[i].metrics), text));
        for (size_t k = 0; k < metric_set_size(row[i].metrics); k++)
            fprintf(out, " %12s", figure_score(metric_set_get(row[i].metrics, k), text));
        fprintf(out, " %8s %12s %12s\n", figure_number(row[i].skill * 100, 1, text),
                figure_count((uint64_t)row[i].samples_per_second, rate),
                figure_count(model_bytes(row[i].model), bytes));
    }
}

static void write_member(struct buf *out, const char *name, double v)
{
    buf_byte(out, ',');
    json_write_name(out, name);
    json_write_number(out, v);
}

void evaluate_print_json(const struct evaluate_row *row, size_t n, bool is_final, uint64_t answered,
                         FILE *out)
{
    struct buf line = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        const struct evaluate_row *r = &row[i];

        buf_clear(&line);
        buf_text(&line, "{\"model\":");
        json_write_string(&line, r->name, strlen(r->name));
        buf_printf(&line, ",\"class\":\"%s\",\"n\":%" PRIu64, model_class(r->model),
                   metric_set_scored(r->metrics));
        for (size_t k = 0; k < metric_set_size(r->metrics); k++)
            write_member(&line, metric_set_info(r->metrics, k)->name,
                         metric_set_get(r->metrics, k));
        write_member(&line, "skill", r->skill);
        write_member(&line, "samples_per_second", nearbyint(r->samples_per_second));
        buf_printf(&line, ",\"bytes\":%zu,\"unscored\":%" PRIu64 ",\"skipped\":%" PRIu64,
                   model_bytes(r->model), metric_set_unscored(r->metrics), model_skipped(r->model));
        if (!is_final)
            buf_printf(&line, ",\"after\":%" PRIu64, answered);
        fprintf(out, "%s}\n", buf_str(&line));
    }
    buf_release(&line);
}
