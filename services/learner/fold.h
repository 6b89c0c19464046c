/*
 * A model as the fold of learning-queue: what oxbow-learner does with rows,
 * without any I/O, so that an audit or a tool can do exactly the same.
 *
 *     f = fold_new(task, model, generation, start) or fold_restore(task, model, version)
 *     fold_row(f, row)*  in the order of seq
 *     fold_save(f, &version)
 *
 * Invariants: learned + skipped = position - start. The state depends on the
 * task, the generation's start and the rows up to position, and on nothing
 * else: not on batches, not on when or how often it was saved and restored.
 * (The task's score_window is part of it too, but only of the scores; and its
 * drift detector, of the alarms: error_drift.h.)
 */
#ifndef OXBOW_LEARNER_FOLD_H
#define OXBOW_LEARNER_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "learn/model.h"
#include "learner/error_drift.h"
#include "learner/scores.h"
#include "rows/row.h"
#include "store/store.h"
#include "task/task.h"

/* `<generation>-<position>` and a NUL. */
#define FOLD_VERSION_SIZE (TASK_GENERATION_LEN + 1 + 20 + 1)

struct fold;

/* Lifecycle; all borrow `task`, which must outlive the fold. `model` is its index in the file. */

/* An untrained model that begins behind `start`. NULL with ERR_INVALID when its pipeline is
 * refused. */
struct fold *fold_new(const struct task *task, size_t model, const char *generation, uint64_t start,
                      struct err *err) MUST_CHECK;

/*
 * Goes on from a version with its blob. NULL with the code of model_load() when the blob is
 * refused, or ERR_CORRUPT when the version contradicts itself; the text begins with the version's
 * name.
 */
struct fold *fold_restore(const struct task *task, size_t model, const struct store_version *v,
                          struct err *err) MUST_CHECK;

void fold_free(struct fold *f); /* NULL is fine */

/* Rows */

struct fold_input {
    uint64_t seq;
    const double *x;                 /* schema_size() doubles; NULL when the row cannot be read */
    double label;                    /* one that task_label_ok() refuses makes the row skipped */
    const struct row_issued *served; /* the logged prediction of this model; NULL: none */
    int64_t at_ms;                   /* bus time of the outcome; 0: not known */
};

enum fold_outcome {
    FOLD_LEARNED = 0,  /* predicted, scored, learned */
    FOLD_SKIPPED = 1,  /* a bad row: counted, position moves on */
    FOLD_REPEATED = 2, /* at or before the position: nothing changes */
};

/*
 * A fold_outcome, or ERR_REFUSED when rows are missing between the position and this one.
 * When the row raised an alarm of drift, fold_drift(f)->newest.position is its seq.
 */
int fold_row(struct fold *f, const struct fold_input *row, struct err *err) MUST_CHECK;

/* True when two versions' scores hold the same state of the detector, or none that can be compared:
 * it began at different places, or one has none. */
bool fold_same_drift(const char *scores, const char *other);

/*
 * Fills all of `ret` (store_version_release) but what a fold cannot know: parent and bus_pos are
 * "", time_ms is 0.
 */
void fold_save(const struct fold *f, struct store_version *ret);

/* Introspection; what is returned lives as long as the fold. */

const char *fold_name(const struct fold *f); /* the model's name in the task file */
const char *fold_generation(const struct fold *f);
uint64_t fold_start(const struct fold *f);
uint64_t fold_position(const struct fold *f); /* seq of the last row it includes */
uint64_t fold_learned(const struct fold *f);
uint64_t fold_skipped(const struct fold *f);
const struct model *fold_model(const struct fold *f);
double fold_predicted(const struct fold *f); /* of the row that was learned last; NaN: none */
/* The same with its interval: both as inference would have issued them. */
const struct issued *fold_said(const struct fold *f);
const struct scores *fold_scores(const struct fold *f);
const struct error_drift *fold_drift(const struct fold *f);
void fold_version(const struct fold *f, char ret[FOLD_VERSION_SIZE]);

#endif
