/* What `oxbow evaluate` prints: tables for people, one JSON object a model for scripts, a plot. */
#ifndef OXBOW_CLI_EVALUATE_REPORT_H
#define OXBOW_CLI_EVALUATE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "evaluate/scorecard.h"
#include "evaluate_plot.h"
#include "learn/model.h"

/* One model; the baseline, which is the last, has no skill (NaN). */
struct evaluate_row {
    const char *name;
    const struct model *model;
    const struct metric_set *metrics[SCORECARD_SPANS]; /* NULL: no such window */
    double skill[SCORECARD_SPANS];
    double samples_per_second;
};

struct evaluate_report {
    bool json;
    uint64_t every;   /* answers between two reports on the way; 0: none */
    const char *path; /* of the plot; NULL: none */
    uint64_t window;  /* of the scores; 0: none */
    double window_seconds;

    struct plot *plot;   /* the report's own from here on */
    char drawn[128];     /* what the plot is of */
    int64_t progress_ms; /* when the next progress line is due; 0: no terminal */
};

/* `path` is that of the file that is evaluated. Release with evaluate_report_release(). */
void evaluate_report_begin(struct evaluate_report *report, const struct evaluate_row *row,
                           size_t n);
void evaluate_report_release(struct evaluate_report *report);

/* How many answers are to come between two calls of evaluate_report_step(), from now on. */
uint64_t evaluate_report_every(const struct evaluate_report *report);

/* Scores on the way. */
void evaluate_report_step(struct evaluate_report *report, const struct evaluate_row *row, size_t n,
                          uint64_t answered);

/* Now and then a line on standard error, if that is a terminal; `share` is 0 to 1. */
void evaluate_report_progress(struct evaluate_report *report, uint64_t rows, double share);
/* Makes room for other lines on standard error. */
void evaluate_report_clear(const struct evaluate_report *report);

/*
 * The result: `head` (a line), then a table; or one object a model on a line:
 * {"model":..,"class":..,"n":N,<metrics>,"skill":X,"samples_per_second":X,"bytes":N,...}, of a
 * model that gives intervals "coverage" and "interval_width" before the skill. n is the number of
 * scored samples. Objects on the way have "after", too: how many answers had come. For each window
 * there is a table of its own; its members end in _window and _time_window.
 */
int evaluate_report_end(struct evaluate_report *report, const struct evaluate_row *row, size_t n,
                        const char *head, const char *title, struct err *err) MUST_CHECK;

#endif
