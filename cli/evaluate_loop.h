/*
 * A task's whole loop in one process, over a file of trips: the events go through
 * the task's own SQL (SQLite, in memory), and the rows of learning-queue that
 * come out are folded by the learner's fold. What lies between them in the
 * services (the bus, inference, the store) changes no row, and no score by the
 * learner: `mae` is to the last digit that of a live run with the same rows.
 *
 * Two things are not the same as in a live run. Nothing waits for anything: a
 * prediction is there before its outcome, and a request sees every outcome that
 * came before it. And the time of the bus is that of the events, as it would be
 * at the pace at which they happened: it is by it that retention counts days.
 */
#ifndef OXBOW_CLI_EVALUATE_LOOP_H
#define OXBOW_CLI_EVALUATE_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "evaluate_report.h"

struct evaluate_loop;

struct evaluate_loop_options {
    const char *config; /* the task file; read as with OXBOW_VIEWS=sqlite */
    const char *replay; /* the trips, as `oxbow demo --replay` takes them */
    const char *metrics;
    uint64_t window; /* as in scorecard_options; a row's time is its outcome's */
    double window_seconds;
    uint64_t limit; /* requests; 0: all */
    uint64_t every; /* labelled rows between two calls of on_every; 0: none */
    void (*on_every)(void *ctx, struct evaluate_loop *loop);
    void (*on_batch)(void *ctx, const struct evaluate_loop *loop); /* for progress */
    void *ctx;
};

struct evaluate_loop_counts {
    uint64_t requests;
    uint64_t total;      /* of them in the file, or the limit */
    uint64_t bad_lines;  /* of the file */
    uint64_t labelled;   /* rows of learning-queue */
    uint64_t bad_labels; /* outcomes that gave none */
    uint64_t dead;       /* events that the SQL could do nothing with */
};

/* Opens everything. */
struct evaluate_loop *evaluate_loop_new(const struct evaluate_loop_options *options,
                                        struct err *err) MUST_CHECK;
void evaluate_loop_free(struct evaluate_loop *loop); /* NULL is fine */

/* To the end of the file, the limit, or until asked to stop. */
int evaluate_loop_run(struct evaluate_loop *loop, struct err *err) MUST_CHECK;

/* The models in the task file's order, the baseline last; how many. */
size_t evaluate_loop_rows(const struct evaluate_loop *loop, struct evaluate_row *ret, size_t max);
void evaluate_loop_counts(const struct evaluate_loop *loop, struct evaluate_loop_counts *ret);
void evaluate_loop_set_every(struct evaluate_loop *loop, uint64_t every);

#endif
