/*
 * A model: a pipeline of preprocessors, then one learner, over a schema.
 *
 *     struct model *m = model_new("[\"standard_scaler\", \"linear_regression\"]", schema, &err);
 *     double p = model_predict_one(m, x);    before the model has seen x
 *     model_learn_one(m, x, y, 1);           when the label comes
 *     model_save(m, &blob);
 *
 * A model is deterministic: the same pipeline, schema and samples give the same
 * bits, on the same binary and type of CPU, and a model that was saved and
 * loaded goes on as if it had never stopped. One thread may change a model;
 * any number may predict with one that nobody changes.
 *
 * A model is a regressor, whose labels and predictions are numbers, or a binary
 * classifier, whose labels are 1 (positive) and 0, and whose prediction is the
 * probability of 1, within [0, 1]. Which it is, its learner says. A classifier
 * answers NaN as long as it cannot tell, which is where River's predict_proba_one()
 * gives nothing: most do before their first label; logistic_regression says 0.5 then. So
 * does amf_regressor; other regressors say 0 or so before their first label.
 */
#ifndef OXBOW_LEARN_MODEL_H
#define OXBOW_LEARN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "learn/issued.h"
#include "learn/schema.h"

#define MODEL_MAX_WIDTH         SCHEMA_MAX_FEATURES /* features between two stages of a pipeline */
#define MODEL_MIN_BYTES         65536               /* least value of model_set_max_bytes() */
#define MODEL_DEFAULT_MAX_BYTES ((size_t)16 << 20)

struct model;

enum model_kind { MODEL_REGRESSOR, MODEL_CLASSIFIER };

/* Lifecycle */

/*
 * `pipeline_json` is the JSON text of a pipeline, as the task file has it. The
 * schema is copied. NULL with ERR_INVALID when a class or parameter is not
 * known, has the wrong type or is out of range; the text names the place,
 * ("[1].linear_regression.l3"), what is allowed there and the nearest known name.
 */
struct model *model_new(const char *pipeline_json, const struct schema *schema,
                        struct err *err) MUST_CHECK;

/* The same, and ERR_INVALID when its learner is not of `kind`, with the names of those that are. */
struct model *model_new_of(enum model_kind kind, const char *pipeline_json,
                           const struct schema *schema, struct err *err) MUST_CHECK;
void model_free(struct model *m); /* NULL is fine */

/*
 * Bounds what model_bytes() may grow to, from now on (default
 * MODEL_DEFAULT_MAX_BYTES); what model_save() writes is bounded with it. A tree
 * stops growing in its least promising leaves, a window drops its oldest rows.
 * Not part of the saved state, but of what the model becomes: a model that is
 * to be rebuilt bit for bit needs the same bound.
 */
void model_set_max_bytes(struct model *m, size_t max_bytes);

/* Use */

/*
 * The raw value, not clipped; of a regressor that has learned nothing 0 or so, of a classifier
 * P(label is 1), or NaN.
 */
double model_predict_one(const struct model *m, const double *x);

/* `n` rows of schema_size() doubles, one after the other. */
void model_predict_many(const struct model *m, const double *x, size_t n, double *out);

/*
 * Each preprocessor learns x, then transforms it for the next stage; then the
 * learner learns. Predict before, for an honest error. A sample of which y or
 * weight is not finite, weight is not above 0, or a feature is infinite is
 * skipped and counted, and of a classifier one of which y is neither 0 nor 1: see
 * model_skipped().
 */
void model_learn_one(struct model *m, const double *x, double y, double weight);

/* Intervals: of a regressor whose class gives them (adaptive_conformal.h). */

/* Whether it ever gives any. */
bool model_has_intervals(const struct model *m);

/*
 * The interval around ret->value: what model_predict_one() has just said, or that as it goes out,
 * clipped. False, and nothing is written, when the class has none or has seen too few labels for
 * one; else both ends are finite, and the value lies within them. The alpha goes out, too.
 */
bool model_interval_one(const struct model *m, struct issued *ret);

/* Both at once: model_predict_one(), and the interval around that, NaN where there is none. */
void model_answer(const struct model *m, const double *x, struct issued *ret);

/*
 * The same as model_learn_one(), which means "what the model would say of x now", but says what
 * was said of it, perhaps by an older version of this model: the interval learns from that. Of a
 * class without intervals the two are one. An `issued` without a value, or of which value does not
 * lie between low and high, or one is infinite, tells nothing: x and y alone are learned.
 */
void model_learn_issued(struct model *m, const double *x, double y, double weight,
                        const struct issued *issued);

/* Saving. The layout is in model_blob.c. */

/* Appends the blob. The same state always gives the same bytes. */
void model_save(const struct model *m, struct buf *out);

/*
 * Reads what model_save() wrote; the bytes may be anything. Refused, by the name
 * of what is wrong: ERR_TOO_LARGE above `max_bytes` (which also becomes the
 * model's bound), ERR_UNSUPPORTED for a format version that is not known, ERR_CONFLICT for
 * another schema, ERR_CORRUPT otherwise.
 */
struct model *model_load(const void *blob, size_t len, const struct schema *schema,
                         size_t max_bytes, struct err *err) MUST_CHECK;

/* XXH64 of all that a blob says: equal for equal models. 0 when it is too short to be a blob. */
uint64_t model_checksum(const void *blob, size_t len);

/* Introspection */

/* The learner's class, "linear_regression". */
const char *model_class(const struct model *m);

enum model_kind model_kind(const struct model *m);

/*
 * River's argmax over P(label is 1) and its complement: the label that a prediction stands for.
 * Where River's class gives a tie to the positive label, because that came first, its prediction
 * is the next number above 0.5 (MODEL_TIE_POSITIVE).
 */
#define MODEL_TIE_POSITIVE (0.5 + 0x1p-53)

static inline bool model_label(double p)
{
    return p > 0.5;
}

/*
 * The canonical pipeline: every parameter of every class, sorted by name, but those that came after
 * their class only where they are not the default. Lives with the model.
 */
const char *model_parameters(const struct model *m);
uint64_t model_parameters_hash(const struct model *m); /* XXH64 of that text */

size_t model_bytes(const struct model *m);     /* memory that the state takes; O(1) */
uint64_t model_learned(const struct model *m); /* samples learned, ever */
uint64_t model_skipped(const struct model *m); /* samples given to learn that could not be */

/*
 * Appends a JSON object about the state: class, learned, skipped, bytes and what
 * the class has to tell (weights; nodes, leaves, height and splits of a tree).
 */
void model_inspect(const struct model *m, struct buf *out);

#endif
