/*
 * Probabilities in ten bins from 0 to 1: how many there are of either class, and how
 * often what was said to happen so often did happen (a reliability diagram: DeGroot
 * and Fienberg 1983: "The Comparison and Evaluation of Forecasters").
 */
#ifndef OXBOW_MONITOR_RELIABILITY_H
#define OXBOW_MONITOR_RELIABILITY_H

#include <stddef.h>

#include "base/buf.h"
#include "monitor/errors.h"

#define RELIABILITY_BINS 10 /* the last one holds 1 */

/* Appends the members "scores" and "reliability" over all rows that are kept; `e` is of classes. */
void reliability_write(const struct errors *e, const char *const *models, size_t n_models,
                       struct buf *out);

#endif
