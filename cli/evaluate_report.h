/* What `oxbow evaluate` prints: tables for people, one JSON object a model for scripts. */
#ifndef OXBOW_CLI_EVALUATE_REPORT_H
#define OXBOW_CLI_EVALUATE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "learn/metric_set.h"
#include "learn/model.h"

/* One model; the baseline has no skill (NaN). */
struct evaluate_row {
    const char *name;
    const struct model *model;
    const struct metric_set *metrics;
    double skill;
    double samples_per_second;
};

/* A line of column names, then one a model. */
void evaluate_print_table(const struct evaluate_row *row, size_t n, FILE *out);

/*
 * {"model":..,"class":..,"n":N,<metrics>,"skill":X,"samples_per_second":X,"bytes":N,...} on a line
 * each. n is the number of scored samples; is_final: false adds "after", how many answers had come.
 */
void evaluate_print_json(const struct evaluate_row *row, size_t n, bool is_final, uint64_t answered,
                         FILE *out);

#endif
