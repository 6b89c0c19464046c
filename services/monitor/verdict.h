/*
 * Which model is best now, in a sentence: the one of least windowed loss, if
 * its interval lies clear below those of all others, the baseline's included.
 */
#ifndef OXBOW_MONITOR_VERDICT_H
#define OXBOW_MONITOR_VERDICT_H

#include <stddef.h>

#include "base/buf.h"
#include "monitor/errors.h"

#define VERDICT_MIN_ROWS 100 /* labels below which no winner is named */

enum verdict_kind { VERDICT_FEW, VERDICT_NONE, VERDICT_BEST };

struct verdict_model {
    const char *name;
    bool is_baseline;
    struct errors_score score;
};

struct verdict_words {
    const char *noun; /* of a request: "trip" */
    const char *unit; /* of the label; NULL: none */
    bool is_classes;  /* the loss is log loss */
};

struct verdict {
    enum verdict_kind kind;
    size_t model; /* the one of least loss, whatever the kind; `n` when none is scored */
};

/* Appends the sentence to `text`. */
struct verdict verdict_make(const struct verdict_model *models, size_t n,
                            const struct verdict_words *words, struct buf *text);

const char *verdict_kind_name(enum verdict_kind kind); /* "few", "none", "best" */

#endif
