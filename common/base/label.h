/*
 * Which labels of a binary task are positive. Everything that reads a label turns it
 * into 1 (positive) or 0 by the same rule:
 *
 *     positive        is 1             is 0             is no label
 *     true            true, 1          false, 0         anything else
 *     a number        that number      another number   anything else
 *     a text          that text        another text     anything else
 */
#ifndef OXBOW_BASE_LABEL_H
#define OXBOW_BASE_LABEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

enum label_type { LABEL_TRUE, LABEL_NUMBER, LABEL_TEXT };

struct label_positive {
    enum label_type type;
    double number;
    char *text; /* of LABEL_TEXT, owned by whoever made the rule */
};

/* Each is false, and leaves `ret` alone, when the value is no label. */
bool label_of_number(const struct label_positive *positive, double v, double *ret);
bool label_of_text(const struct label_positive *positive, const char *v, size_t len, double *ret);
bool label_of_json(const struct label_positive *positive, const struct json_value *v, double *ret);

#endif
