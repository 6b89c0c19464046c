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
#define SPAN_MAX    64  /* bytes of what a table is of */

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

/* What the scores are of: nothing for all, "over the last 1,000 answers" ... */
static const char *span_text(const struct evaluate_report *report, enum scorecard_span span,
                             char out[SPAN_MAX])
{
    char count[FIGURE_MAX];

    if (span == SCORECARD_ALL)
        snprintf(out, SPAN_MAX, "%s", "");
    else if (span == SCORECARD_WINDOW)
        snprintf(out, SPAN_MAX, "over the last %s answers", figure_count(report->window, count));
    else
        snprintf(out, SPAN_MAX, "over the last %.10g s", report->window_seconds);
    return out;
}

/* Whether the table of `span` says how good the models' intervals are. */
static bool has_intervals(const struct evaluate_row *row, size_t n, enum scorecard_span span)
{
    for (size_t i = 0; span == SCORECARD_ALL && i < n; i++)
        if (model_has_intervals(row[i].model))
            return true;
    return false;
}

/* Intervals, and a model's speed and size, stand in the table of all answers only. */
static void print_row(const struct evaluate_row *r, enum scorecard_span span, bool intervals)
{
    const struct metric_set *set = r->metrics[span];
    char text[FIGURE_MAX];
    char bytes[FIGURE_MAX];

    printf("%-20s %-34s %10s", r->name, model_class(r->model),
           figure_count(metric_set_scored(set), text));
    for (size_t k = 0; k < metric_set_size(set); k++)
        printf(" %*s", column_width(set, k), figure_score(metric_set_get(set, k), text));
    if (intervals) {
        printf(" %12s", figure_score(metric_set_coverage(set), text));
        printf(" %14s", figure_score(metric_set_width(set), text));
    }
    printf(" %8s", figure_number(r->skill[span] * 100, 1, text));
    if (span == SCORECARD_ALL)
        printf(" %12s %12s", figure_count((uint64_t)r->samples_per_second, text),
               figure_count(model_bytes(r->model), bytes));
    putchar('\n');
}

static void print_table(const struct evaluate_row *row, size_t n, enum scorecard_span span)
{
    const struct metric_set *set = row[0].metrics[span];
    bool intervals = has_intervals(row, n, span);

    printf("%-20s %-34s %10s", "model", "class", "n");
    for (size_t k = 0; k < metric_set_size(set); k++)
        printf(" %*s", column_width(set, k), metric_set_info(set, k)->name);
    if (intervals)
        printf(" %12s %14s", "coverage", "interval_width");
    printf(" %8s", "skill %");
    if (span == SCORECARD_ALL)
        printf(" %12s %12s", "samples/s", "bytes");
    putchar('\n');
    for (size_t i = 0; i < n; i++)
        print_row(&row[i], span, intervals);
}

static void print_tables(const struct evaluate_report *report, const struct evaluate_row *row,
                         size_t n)
{
    char text[SPAN_MAX];

    for (size_t span = 0; span < SCORECARD_SPANS; span++) {
        if (!n || !row[0].metrics[span])
            continue;
        if (span != SCORECARD_ALL)
            printf("\n%s\n", span_text(report, (enum scorecard_span)span, text));
        print_table(row, n, (enum scorecard_span)span);
    }
}

static void write_member(struct buf *out, const char *name, enum scorecard_span span, double v)
{
    static const char *const suffix[SCORECARD_SPANS] = {"", "_window", "_time_window"};

    buf_printf(out, ",\"%s%s\":", name, suffix[span]);
    json_write_number(out, v);
}

static void write_scores(struct buf *out, const struct evaluate_row *r, enum scorecard_span span)
{
    const struct metric_set *set = r->metrics[span];

    if (span != SCORECARD_ALL)
        write_member(out, "n", span, (double)metric_set_scored(set));
    for (size_t k = 0; k < metric_set_size(set); k++)
        write_member(out, metric_set_info(set, k)->name, span, metric_set_get(set, k));
    if (span == SCORECARD_ALL && model_has_intervals(r->model)) {
        write_member(out, "coverage", span, metric_set_coverage(set));
        write_member(out, "interval_width", span, metric_set_width(set));
    }
    write_member(out, "skill", span, r->skill[span]);
}

static void print_json(const struct evaluate_row *row, size_t n, bool is_final, uint64_t answered)
{
    struct buf line = BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        const struct evaluate_row *r = &row[i];
        const struct metric_set *all = r->metrics[SCORECARD_ALL];

        buf_clear(&line);
        buf_text(&line, "{\"model\":");
        json_write_string(&line, r->name, strlen(r->name));
        buf_printf(&line, ",\"class\":\"%s\",\"n\":%" PRIu64, model_class(r->model),
                   metric_set_scored(all));
        write_scores(&line, r, SCORECARD_ALL);
        write_member(&line, "samples_per_second", SCORECARD_ALL, nearbyint(r->samples_per_second));
        buf_printf(&line, ",\"bytes\":%zu,\"unscored\":%" PRIu64 ",\"skipped\":%" PRIu64,
                   model_bytes(r->model), metric_set_unscored(all), model_skipped(r->model));
        for (size_t span = SCORECARD_ALL + 1; span < SCORECARD_SPANS; span++)
            if (r->metrics[span])
                write_scores(&line, r, (enum scorecard_span)span);
        if (!is_final)
            buf_printf(&line, ",\"after\":%" PRIu64, answered);
        printf("%s}\n", buf_str(&line));
    }
    buf_release(&line);
}

/* What is drawn: what changes most. */
static enum scorecard_span plot_span(const struct evaluate_report *report)
{
    if (report->window)
        return SCORECARD_WINDOW;
    return report->window_seconds > 0 ? SCORECARD_TIME_WINDOW : SCORECARD_ALL;
}

/* Public functions */

void evaluate_report_begin(struct evaluate_report *report, const struct evaluate_row *row, size_t n)
{
    char text[SPAN_MAX];

    report->progress_ms = isatty(STDERR_FILENO) ? clock_mono_ms() + PROGRESS_MS : 0;
    if (!report->path)
        return;
    report->plot = mem_zalloc(1, sizeof(*report->plot));
    report->plot->n_lines = n < PLOT_LINES ? n : PLOT_LINES;
    for (size_t i = 0; i < report->plot->n_lines; i++)
        report->plot->name[i] = row[i].name;
    snprintf(report->drawn, sizeof(report->drawn), "%s%s%s",
             metric_set_info(row[0].metrics[SCORECARD_ALL], 0)->name,
             plot_span(report) == SCORECARD_ALL ? "" : " ",
             span_text(report, plot_span(report), text));
    report->plot->metric = report->drawn;
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
            value[i] = metric_set_get(row[i].metrics[plot_span(report)], 0);
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
    print_tables(report, row, n);
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
        print_tables(report, row, n);
    }
    return report->plot ? plot_write(report->plot, report->path, title, err) : 0;
}
