/* The registry's own structures, for those who write it out. */
#ifndef OXBOW_TELEMETRY_TELEMETRY_INTERNAL_H
#define OXBOW_TELEMETRY_TELEMETRY_INTERNAL_H

#include "telemetry/telemetry.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HIST, METRIC_VALUES };

/* Each is an allocation of its own, so that pointers to its value stay good while the list grows.
 */
struct series {
    size_t n_labels;
    struct {
        char *name;
        char *value;
    } label[TELEMETRY_LABELS];
    union {
        uint64_t counter;
        double gauge;
        struct hist *hist;         /* owned */
        struct value_hist *values; /* owned */
    } value;
};

/* All series of one name. */
struct family {
    enum metric_kind kind;
    char *name;
    char *help;
    struct series **series;
    size_t n;
};

struct telemetry {
    struct family *families; /* in the order of registration */
    size_t n;
};

#endif
