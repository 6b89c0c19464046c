/* What the files of oxbow-learner's logic share: learning.c has the order of things. */
#ifndef OXBOW_LEARNER_LEARNING_INTERNAL_H
#define OXBOW_LEARNER_LEARNING_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "learner/learning.h"
#include "rows/row.h"

#define LEARNING_BATCH  1024 /* rows asked for at once */
#define LEARNING_RECENT 8    /* versions of a model kept in memory, to be published again */

/* A version that was published not long ago. */
struct learning_recent {
    struct store_version version;
    bool serve;
    int64_t at_ms; /* monotonic */
};

struct learning_model {
    struct fold *fold;
    char generation[TASK_GENERATION_LEN + 1];
    struct bus_pos pos; /* in learning-queue, just after the fold's position */

    /* The newest version in the store, and its parents: ring[(n_recent - 1) % LEARNING_RECENT] is
     * the newest. */
    struct learning_recent recent[LEARNING_RECENT];
    size_t n_recent;                /* ever added */
    char stored[FOLD_VERSION_SIZE]; /* its name; "" before the first */
    uint64_t stored_position;
    struct buf stored_pos;   /* its place in learning-queue, as text */
    uint64_t stored_learned; /* what had been learned then */

    bool serving;   /* its versions are what inference is to take */
    bool may_serve; /* they are from the next one on: nothing is served yet, or it has caught up */
    bool caught_up; /* it has been at the end of learning-queue */
    bool is_behind; /* fell back behind its head: cannot be published until it has passed it */
    uint64_t n_published;
};

/* The rows of one poll, read into columns. */
struct learning_batch {
    const struct bus_msg *msgs; /* valid until the reader's next call */
    size_t n;
    uint64_t *seq;  /* 0: no row of the sequence */
    double *x;      /* n rows of schema_size() */
    double *served; /* n rows of n_models */
    double *label;
    bool *readable;
    bool *dead;    /* goes to dead-letters */
    size_t n_dead; /* of which so many are not known to be there */
};

struct learning {
    struct learning_options o;
    char *owner;
    const struct task *task; /* o.task */
    size_t width;            /* features */
    struct row_reader *rows;
    struct learning_model *models; /* task->n_models */
    struct bus_reader *reader;     /* NULL until it is open */
    struct bus_pos read_pos;       /* just after the last message that it gave */
    struct learning_batch batch;
    uint64_t seen; /* the largest position that any model has ever had: what lies above is new */

    uint64_t token; /* of the lease; 0: not held */
    int64_t renew_at_ms;
    int64_t publish_at_ms;
    bool is_unsure; /* the server was away: what the store has must be compared */

    uint64_t *n_rows;
    uint64_t *n_repeated;
    uint64_t *n_foreign;
    uint64_t *n_dead;
    uint64_t *n_unknown;
    uint64_t *n_published;
    uint64_t *n_republished;
    struct hist *batch_time;
    struct hist *publish_time;
};

/* learning_batch.c */

void learning_batch_init(struct learning *l);
void learning_batch_release(struct learning *l);

/* Folds the messages into every model. ERR_REFUSED on a gap. */
int learning_batch_fold(struct learning *l, const struct bus_msg *msgs, size_t n,
                        struct err *err) MUST_CHECK;

/* Publishes the dead letters of the batch that are not known to be durable, and waits for it. */
int learning_batch_bury(struct learning *l, struct err *err) MUST_CHECK;

/* learning_restore.c */

/* Restores or begins model `i`: its fold, its place, whether it is served. */
int learning_restore(struct learning *l, size_t i, struct err *err) MUST_CHECK;

/* learning_publish.c */

/* Takes note of a version that is in the store; takes over what `v` owns. */
void learning_stored(struct learning_model *m, struct store_version *v, bool serve);
void learning_forget(struct learning_model *m);

/* Publishes model `i` as it is; nothing when it is what the store has. */
int learning_publish(struct learning *l, size_t i, struct err *err) MUST_CHECK;

/* Tells the store how far back the rows of learning-queue are needed. */
int learning_put_floor(struct learning *l, struct err *err) MUST_CHECK;

/* After the server was away: publishes again what it has lost. */
int learning_reconcile(struct learning *l, struct err *err) MUST_CHECK;

#endif
