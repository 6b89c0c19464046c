/*
 * Errors by their size, by hour, weekday, label, feature and time of
 * prediction: made on demand from the rows that errors.h keeps. Of two classes
 * reliability.h stands in place of sizes and labels.
 */
#ifndef OXBOW_MONITOR_BREAKDOWN_H
#define OXBOW_MONITOR_BREAKDOWN_H

#include "base/buf.h"
#include "monitor/errors.h"

#define BREAKDOWN_BINS    31 /* of signed errors: the middle one holds 0 */
#define BREAKDOWN_DECILES 10
#define BREAKDOWN_VALUES  12 /* of a feature; rarer ones are left out */
#define COHORTS_MAX       120
#define COHORT_MS         60000

/* Requests by the minute of their prediction, whether or not their label has come: so that the bias
 * shows of labels that come early. */
struct cohort {
    int64_t from_ms;
    uint64_t predicted;
    uint64_t labelled;
    struct errors_mean *mean; /* one a model */
};

struct cohorts {
    size_t n_models;
    struct cohort cohort[COHORTS_MAX]; /* a ring by minute */
};

void cohorts_init(struct cohorts *c, size_t n_models);
void cohorts_release(struct cohorts *c);
void cohorts_clear(struct cohorts *c);
void cohorts_predicted(struct cohorts *c, int64_t predicted_ms);
/* Of a minute that is not kept any more: nothing. */
void cohorts_labelled(struct cohorts *c, int64_t predicted_ms, const double *loss);

struct breakdown_names {
    const char *const *models;
    size_t n_models;
    const char *const *slices; /* by index of errors_row.slice */
    size_t n_slices;
    bool is_classes; /* as the errors are */
    int64_t now_ms;
};

/* The whole answer of /api/breakdown. */
void breakdown_write(const struct errors *e, const struct cohorts *c,
                     const struct breakdown_names *names, struct buf *out);

#endif
