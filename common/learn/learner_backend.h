/*
 * What a learner and a preprocessor are made of: for those who write one.
 *
 * A preprocessor gives a feature for each that it takes, in the same order, unless it
 * has the slot `fit`: then it says what they are.
 *
 * A concrete struct embeds the base first. Users go through learner.h and
 * model.h. A new class is one file that ends with its struct learn_class, and
 * one line in classes.h and registry.c.
 */
#ifndef OXBOW_LEARN_LEARNER_BACKEND_H
#define OXBOW_LEARN_LEARNER_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "learn/blob.h"
#include "learn/component.h"
#include "learn/issued.h"
#include "learn/schema.h"

struct explanation;

struct learner {
    const struct learner_ops *ops;
    size_t n; /* features */
};

struct learner_ops {
    /* A learner that has seen nothing. `component` outlives it. */
    struct learner *(*create)(const struct component *component, size_t n);
    void (*free)(struct learner *lrn);

    /* (optional) An equal learner; NULL for those that are never in a leaf. */
    struct learner *(*clone)(const struct learner *lrn);

    /* y and weight are finite, weight > 0; x[i] is NaN when missing. A classifier's y is 0 or 1. */
    void (*learn)(struct learner *lrn, const double *x, double y, double weight);

    /*
     * Never changes anything: safe from several threads. A classifier answers the probability that
     * the label is 1, and NaN where River's predict_proba_one() is empty: before the first label;
     * a regressor answers NaN where River's predict_one() is None.
     */
    double (*predict)(const struct learner *lrn, const double *x);

    /* Appends the state; what `create` was given is not part of it. */
    void (*save)(const struct learner *lrn, struct buf *out);

    /* Fills a learner fresh from `create`; on trouble blob_fail(), and the learner is only freed.
     */
    void (*load)(struct learner *lrn, struct blob_reader *in);

    /* Bytes of state, by what is in it and not by what was allocated; O(1). */
    size_t (*bytes)(const struct learner *lrn);

    /* (optional) Stays within so many bytes from now on; without it the size is fixed. */
    void (*set_max_bytes)(struct learner *lrn, size_t max);

    /* (optional) Appends members of a JSON object, each `"name":value` with a comma before it. */
    void (*inspect)(const struct learner *lrn, const struct schema *schema, struct buf *out);

    /*
     * (optional) Why predict answers what it does for x: fills base, base_name, the parts and,
     * where the class has such, path or neighbours of an empty explanation (explain.h). base and
     * all contributions add up to what predict answers. NULL: "not available for CLASS".
     */
    void (*explain)(const struct learner *lrn, const double *x, struct explanation *ex);

    /*
     * (optional) Which features are categories: doubles that only equal themselves. Called at most
     * once, right after `create`, when some are. NULL: the class takes no categories, and a model
     * of it over a schema that has some is refused.
     */
    void (*set_kinds)(struct learner *lrn, const enum feature_kind *kinds);

    /*
     * (optional) What the features are called, for classes that draw among them in the order of
     * their names as River does (schema_sort()). Called once, right after `create` and before
     * set_kinds; `schema` outlives the learner. A class that holds learners passes it on.
     */
    void (*set_schema)(struct learner *lrn, const struct schema *schema);

    /*
     * (optional, all three or none) Intervals around what it answers. A class that holds a learner
     * may only know when it is asked whether there are any: then has_intervals says no, and the
     * other two are not called.
     */
    bool (*has_intervals)(const struct learner *lrn);

    /*
     * The interval around ret->value, which is what predict answered, or that value as it was
     * clipped, and its alpha. False, and nothing is written, when there is none yet; else its ends
     * are finite, and the value lies within them. Changes nothing, like predict.
     */
    bool (*interval)(const struct learner *lrn, struct issued *ret);

    /*
     * Learns a sample of which `issued` went out, now or by an older state of this learner; what is
     * NaN in it did not. low <= value <= high. `learn` is this with what it would answer now.
     */
    void (*learn_issued)(struct learner *lrn, const double *x, double y, double weight,
                         const struct issued *issued);
};

struct preprocessor {
    const struct preprocessor_ops *ops;
    size_t n_in;           /* features it takes */
    size_t n_out;          /* features it gives, at most MODEL_MAX_WIDTH */
    bool is_before_smooth; /* its learner is_smooth (registry.h); set after `create` */
};

#define PREPROCESSOR_NO_SOURCE SIZE_MAX /* made of no single feature */

struct preprocessor_ops {
    struct preprocessor *(*create)(const struct component *component, size_t n_in);
    void (*free)(struct preprocessor *pre);
    void (*learn)(struct preprocessor *pre, const double *x);
    /* `out` never overlaps `x`. */
    void (*transform)(const struct preprocessor *pre, const double *x, double *out);
    void (*save)(const struct preprocessor *pre, struct buf *out);
    void (*load)(struct preprocessor *pre, struct blob_reader *in);
    size_t (*bytes)(const struct preprocessor *pre);

    /*
     * (optional) What comes out, where it is not what goes in: called once, right after `create`,
     * with the features `in`. Sets n_out, adds as many features to `out`, and says of each which
     * feature of `in` it is made of, or PREPROCESSOR_NO_SOURCE where that is no single one; there
     * is room for MODEL_MAX_WIDTH. ERR_INVALID: what is wrong, and what to write; the preprocessor
     * is only freed then. NULL: the same features come out, and none of them may be a category.
     */
    int (*fit)(struct preprocessor *pre, const struct schema *in, struct schema *out,
               size_t *source, struct err *err);
};

#endif
