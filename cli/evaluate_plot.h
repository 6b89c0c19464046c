/*
 * A metric over the answers, one line a model, as an SVG file. However long the
 * stream, at most PLOT_POINTS points are kept: when they are full, every other one goes.
 */
#ifndef OXBOW_CLI_EVALUATE_PLOT_H
#define OXBOW_CLI_EVALUATE_PLOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PLOT_LINES  32
#define PLOT_POINTS 512

struct plot {
    const char *metric;           /* what is drawn */
    const char *name[PLOT_LINES]; /* borrowed */
    size_t n_lines;
    uint64_t at[PLOT_POINTS]; /* answers */
    double value[PLOT_POINTS][PLOT_LINES];
    size_t n;
    uint64_t every; /* answers between two points */
};

/* After `answered` answers; values that are NaN leave a gap. */
void plot_add(struct plot *plot, uint64_t answered, const double *value);

/* ERR_IO, with the path. */
int plot_write(const struct plot *plot, const char *path, const char *title,
               struct err *err) MUST_CHECK;

#endif
