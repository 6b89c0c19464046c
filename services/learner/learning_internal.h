/* What the files of oxbow-learner's logic share: learning.c has the order of things. */
#ifndef OXBOW_LEARNER_LEARNING_INTERNAL_H
#define OXBOW_LEARNER_LEARNING_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
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

/* Gauges of a model, in learning_metrics.c. */
enum learning_gauge {
    LEARNING_POSITION,
    LEARNING_PUBLISHED,
    LEARNING_BYTES,
    LEARNING_MAE,
    LEARNING_MAE_WINDOW,
    LEARNING_MAE_SERVED,
    LEARNING_LOG_LOSS, /* from here on: of a binary task */
    LEARNING_LOG_LOSS_WINDOW,
    LEARNING_LOG_LOSS_SERVED,
    LEARNING_COVERAGE, /* from here on: of a model that gives intervals */
    LEARNING_COVERAGE_WINDOW,
    LEARNING_WIDTH,
    LEARNING_N_GAUGES,
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

    uint64_t *c_learned;
    uint64_t *c_alarms;
    double *gauge[LEARNING_N_GAUGES];
};

/* The rows of one poll, read into columns. */
struct learning_batch {
    const struct bus_msg *msgs; /* valid until the reader's next call */
    size_t n;
    uint64_t *seq;             /* 0: no row of the sequence */
    double *x;                 /* n rows of schema_size() */
    struct row_issued *served; /* n rows of n_models */
    double *label;
    int64_t *at_ms; /* of the outcomes */
    bool *readable;
    bool *dead;    /* goes to dead-letters */
    size_t n_dead; /* of which so many are not known to be there */
};

/* An alarm of drift that the topic has to have before a version that includes its row. */
struct learning_alarm {
    char *key;        /* <model>#<position>#<detector> */
    char *generation; /* with the key, its identity */
    char *value;      /* NULL for one that was found in the topic */
    bool is_published;
    int64_t at_ms; /* monotonic, when it was */
};

struct learning_alarms {
    struct learning_alarm *list; /* raised by this process; the published for reconcile_seconds */
    size_t n;
    size_t n_open;                /* of which not known to be in the topic */
    struct learning_alarm *known; /* what was in the topic above the places we go on from */
    size_t n_known;
    char incarnation[UUID_TEXT_LEN + 1]; /* on Kafka, messages name theirs */
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
    struct learning_alarms alarms;
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
    uint64_t *n_publish_failures;
    uint64_t *n_alarms;
    struct hist *batch_time;
    struct hist *publish_time;
    struct hist *lag_time;
};

/* learning_batch.c */

void learning_batch_init(struct learning *l);
void learning_batch_release(struct learning *l);

/* Folds the messages into every model. ERR_REFUSED on a gap. */
int learning_batch_fold(struct learning *l, const struct bus_msg *msgs, size_t n,
                        struct err *err) MUST_CHECK;

/* Publishes the dead letters of the batch that are not known to be durable, and waits for it. */
int learning_batch_bury(struct learning *l, struct err *err) MUST_CHECK;

/* learning_alarms.c */

/* Looks which alarms the topic has of rows that are about to be folded again: before the first
 * batch, when every fold is where it goes on. */
int learning_alarms_look(struct learning *l, struct err *err) MUST_CHECK;

/* Takes note of the newest alarm of model `i`, unless it is in the topic already. */
void learning_alarm_add(struct learning *l, size_t i);

/* Publishes those that are not in the topic, and waits for it. Makes sure of the lease first. */
int learning_alarms_publish(struct learning *l, struct err *err) MUST_CHECK;

/* After the server was away: what it has lost of them is to be published again. */
int learning_alarms_reconcile(struct learning *l, struct err *err) MUST_CHECK;

void learning_alarms_release(struct learning *l);

/* learning_metrics.c */

void learning_metrics_init(struct learning *l);
/* All models have folded the batch, of which the rows above `seen` were new. */
void learning_metrics_lag(struct learning *l, uint64_t seen);

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
