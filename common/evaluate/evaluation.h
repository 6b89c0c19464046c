/*
 * Progressive validation: each sample is first a question to every model, and
 * then, at once or later, an answer that the question's prediction is scored by
 * and that the model learns from, with the features of the question.
 *
 *     ev = evaluation_new(&options, &err)
 *     evaluation_add(ev, name, pipeline, &err)+
 *     evaluation_sample(ev, &sample, &err)*
 *     evaluation_finish(ev)
 *     evaluation_result(ev, i, &result)
 *
 * No input or output here, but for the clock that measures how fast each model is.
 * The order is that of River's stream.simulate_qa(): an answer that is due at or before a
 * question's moment comes before the question; answers come in the order of their
 * due times, those of one time in the order of their questions; what is left at
 * the end comes then, in the same order. So the scores are those of River's
 * evaluate.progressive_val_score() with the same moment and delay.
 *
 * Samples are taken in blocks, model by model: what evaluation_result() says is
 * exact in `every` and after _finish().
 */
#ifndef OXBOW_EVALUATE_EVALUATION_H
#define OXBOW_EVALUATE_EVALUATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "evaluate/scorecard.h"
#include "learn/metric_set.h"
#include "learn/model.h"
#include "learn/schema.h"

#define EVALUATION_MODELS_MAX 32
#define EVALUATION_BASELINE   "baseline" /* the name of the model that all are compared with */

struct evaluation;

struct evaluation_options {
    enum model_kind kind;
    const struct schema *schema; /* copied by the models; must live while models are added */
    const char *metrics;         /* as metric_set_new() takes them */
    double threshold;            /* of the metrics ..._at_threshold; 0: 0.5 */
    uint64_t window;             /* scores of the last so many, too; 0: no */
    double window_seconds;       /* and of the last so many seconds; 0: no */
    size_t max_model_bytes;      /* bound of each model (model_set_max_bytes()); 0: the default */
    uint64_t every;              /* answers between two calls of on_every; 0: none */
    void (*on_every)(void *ctx, struct evaluation *ev);
    void *ctx;
};

struct evaluation_sample {
    const double *x; /* copied */
    double y;        /* finite; of classifiers 0 or 1 */
    double moment;   /* never before the sample before it; all 0 where nothing is delayed */
    double due;      /* when the answer comes; at `moment` without a delay */
    bool is_delayed; /* false: the answer comes at once, before the next question */
    double second;   /* what one second is in the unit of `moment` and `due`; 0: 1 */
};

struct evaluation_result {
    const char *name; /* lives as long as the evaluation */
    const struct model *model;
    /* Over all, and over the windows: NULL those that there are not; see scorecard_of(). */
    const struct metric_set *metrics[SCORECARD_SPANS];
    /* 1 - loss / the baseline's loss (metric_set_loss()); NaN: none yet, or no such window. */
    double skill[SCORECARD_SPANS];
    double samples_per_second; /* predicted, scored and learned, of this model alone */
};

/* Lifecycle */

/* With the baseline (mean or prior) already in it, as the first. NULL: see metric_set_new(). */
struct evaluation *evaluation_new(const struct evaluation_options *options,
                                  struct err *err) MUST_CHECK;
void evaluation_free(struct evaluation *ev); /* NULL is fine */

/* Before the first sample. ERR_INVALID: the name is taken, the pipeline is refused, or one too
 * many. */
int evaluation_add(struct evaluation *ev, const char *name, const char *pipeline,
                   struct err *err) MUST_CHECK;

/* Use */

/* ERR_INVALID when its moment lies before that of the sample before; nothing has changed then. */
int evaluation_sample(struct evaluation *ev, const struct evaluation_sample *sample,
                      struct err *err) MUST_CHECK;

/* Another distance between two calls of on_every, from now on. */
void evaluation_set_every(struct evaluation *ev, uint64_t every);

/* The answers that are still to come. */
void evaluation_finish(struct evaluation *ev);

/* Introspection */

size_t evaluation_models(const struct evaluation *ev);
uint64_t evaluation_answered(const struct evaluation *ev);
size_t evaluation_waiting(const struct evaluation *ev); /* questions without their answer */
void evaluation_result(const struct evaluation *ev, size_t i, struct evaluation_result *ret);

#endif
