/* What `oxbow evaluate` prints: see evaluate_report.h. */
#include "evaluate_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "figures.h"

#define PROGRESS_MS 200 /* between two looks of the progress line */
#define PLOT_EVERY  10  /* answers between two points, to begin with */

/* Six digits that count, whatever the size. */
static const char *figure_score(double v, char out[FIGURE_MAX])
{
    if (isnan(v))
        snprintf(out, FIGURE_MAX, "-");
    else
        snprintf(out, FIGURE_MAX, fabs(v) >= 1e6 ? "%.3g" : fabs(v) >= 100 ? "%.3f" : "%.5f", v);
    return out;
}

static int column_width(const struct metric_set *set, size_t k)
{
    size_t len = strlen(metric_set_info(set, k)->name);

    return len > 12 ? (int)len : 12;
}

static void print_table(const struct evaluate_row *row, size_t n)
{
    char text[FIGURE_MAX];
    char rate[FIGURE_MAX];
    char bytes[FIGURE_MAX];

    printf("%-20s %-34s %10s", "model", "class", "n");
    for (size_t k = 0; n && k < metric_set_size(row[0].metrics); k++)
        printf(" %*s", column_width(row[0].metrics, k), metric_set_info(row[0].metrics, k)->name);
    printf(" %8s %12s %12s\n", "skill %", "samples/s", "bytes");
    for (size_t i = 0; i < n; i++) {
        printf("%-20s %-34s %10s", row[i].name, model_class(row[i].model),
               figure_count(metric_set_scored(row[i].metrics), text));
        for (size_t k = 0; k < metric_set_size(row[i].metrics); k++)
            printf(" %*s", column_width(row[0].metrics, k),
                   figure_score(metric_set_get(row[i].metrics, k), text));
        printf(" %8s %12s %12s\n", figure_number(row[i].skill * 100, 1, text),
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

static void print_json(const struct evaluate_row *row, size_t n, bool is_final, uint64_t answered)
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
        printf("%s}\n", buf_str(&line));
    }
    buf_release(&line);
}

/* Public functions */

void evaluate_report_begin(struct evaluate_report *report, const struct evaluate_row *row, size_t n)
{
    report->progress_ms = isatty(STDERR_FILENO) ? clock_mono_ms() + PROGRESS_MS : 0;
    if (!report->path)
        return;
    report->plot = mem_zalloc(1, sizeof(*report->plot));
    report->plot->n_lines = n < PLOT_LINES ? n : PLOT_LINES;
    for (size_t i = 0; i < report->plot->n_lines; i++)
        report->plot->name[i] = row[i].name;
    report->plot->metric = metric_set_info(row[0].metrics, 0)->name;
    report->plot->every = report->every ? report->every : PLOT_EVERY;
}

void evaluate_report_release(struct evaluate_report *report)
{
    free(report->plot);
    report->plot = NULL;
}

uint64_t evaluate_report_every(const struct evaluate_report *report)
{
    return report->every || !report->plot ? report->every : report->plot->every;
}

void evaluate_report_step(struct evaluate_report *report, const struct evaluate_row *row, size_t n,
                          uint64_t answered)
{
    char count[FIGURE_MAX];

    if (report->plot) {
        double value[PLOT_LINES];
        for (size_t i = 0; i < report->plot->n_lines; i++)
            value[i] = metric_set_get(row[i].metrics, 0);
        plot_add(report->plot, answered, value);
    }
    if (!report->every)
        return;
    evaluate_report_clear(report);
    if (report->json) {
        print_json(row, n, false, answered);
        return;
    }
    printf("after %s answers\n", figure_count(answered, count));
    print_table(row, n);
    putchar('\n');
}

void evaluate_report_progress(struct evaluate_report *report, uint64_t rows, double share)
{
    char count[FIGURE_MAX];
    int64_t now;

    if (!report->progress_ms)
        return;
    now = clock_mono_ms();
    if (now < report->progress_ms)
        return;
    report->progress_ms = now + PROGRESS_MS;
    fprintf(stderr, "\r%s rows, %.0f %%\033[K", figure_count(rows, count), 100 * share);
}

void evaluate_report_clear(const struct evaluate_report *report)
{
    if (report->progress_ms)
        fputs("\r\033[K", stderr);
}

int evaluate_report_end(struct evaluate_report *report, const struct evaluate_row *row, size_t n,
                        const char *head, const char *title, struct err *err)
{
    evaluate_report_clear(report);
    if (report->json) {
        print_json(row, n, true, 0);
    } else {
        printf("%s\n\n", head);
        print_table(row, n);
    }
    return report->plot ? plot_write(report->plot, report->path, title, err) : 0;
}
