/*
 * What standard_scaler, min_max_scaler and max_abs_scaler are with a window_size: they scale each
 * feature by its own last so many values. In River's order of operations: the oldest value is taken
 * out of a mean and a variance (utils.Rolling around stats.Mean and stats.Var), so that they drift
 * by rounding as River's do. Where that leaves a variance below 0, ours counts as 0, and River's
 * numbers become complex.
 */
#ifndef OXBOW_LEARN_WINDOWED_SCALER_H
#define OXBOW_LEARN_WINDOWED_SCALER_H

#include "learn/learner_backend.h"

#define SCALER_WINDOW_MAX 1000

enum windowed_kind { WINDOWED_STANDARD, WINDOWED_CENTRED, WINDOWED_MIN_MAX, WINDOWED_MAX_ABS };

struct preprocessor *windowed_scaler_new(enum windowed_kind kind, size_t n_in, size_t window_size);

#define WINDOW_SIZE_PARAM(type_of)                                                                 \
    {                                                                                              \
        .name = "window_size", .type = PARAM_COUNT,                                                \
        .offset = offsetof(struct type_of, window_size), .min = 1, .max = SCALER_WINDOW_MAX,       \
        .optional = true, .late = true,                                                            \
        .help =                                                                                    \
            "Scale by so many last values of a feature; null: by all. River has no greatest one."  \
    }

#endif
