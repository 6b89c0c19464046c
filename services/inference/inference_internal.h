/* What the files of oxbow-inference's logic share. */
#ifndef OXBOW_INFERENCE_INFERENCE_INTERNAL_H
#define OXBOW_INFERENCE_INFERENCE_INTERNAL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/log.h"
#include "inference/inference.h"
#include "rows/row.h"

#define INFERENCE_BATCH      16384 /* rows asked for at once, at most */
#define INFERENCE_BATCH_NEAR 512   /* where the bus answers within a fraction of a millisecond */

/* One model of the task, and what serves as it. */
struct inference_model {
    const char *name; /* in the task file */
    char generation[TASK_GENERATION_LEN + 1];
    struct model *model; /* NULL before the first look */
    struct buf version;  /* its name */
    int64_t time_ms;     /* when it was published; for an untrained one, when it was made */
    struct buf head;     /* `"<name>":{"value":`, what stands before a prediction */
    struct buf tail;     /* `,"version":"..."}`, and behind it */
    struct buf refused;  /* names of versions that were refused, a line each: said once */
    int64_t retry_at_ms; /* monotonic; when it is tried again */
    int64_t answered_ns; /* monotonic; when it was through with the batch */
    uint64_t *c_predictions;
    struct value_hist *h_latency;
    struct value_hist *h_score;
    double *g_version;
    double *g_age;
};

/* How far the batch at hand has come. */
enum inference_stage {
    STAGE_READ,      /* nothing of it is published, or all of it is to be published again */
    STAGE_PUBLISHED, /* all of it is handed to the bus: its fate is waited for */
    STAGE_DURABLE,   /* all of it is durable, but its positions are not committed */
};

struct inference {
    struct inference_options o;
    char *member;
    const struct task *task; /* o.task */
    size_t width;            /* features */
    struct row_reader *rows;
    struct inference_model *models; /* task->n_models */
    struct bus_reader *reader;      /* NULL until it is open */
    int64_t look_at_ms;             /* monotonic; when to look for newer models */
    struct log_trouble store_trouble;

    /* The batch that is being worked on; its messages are valid until the reader's next call. */
    const struct bus_msg *msgs;
    size_t n;     /* 0: none */
    size_t batch; /* rows to ask for at once */
    size_t max;   /* rows to ask for next */
    enum inference_stage stage;
    bool must_rejoin;     /* a transaction failed: what was handed out is taken back */
    int64_t begin_ns;     /* when it came */
    size_t n_good;        /* rows that can be read: */
    struct row *good;     /* their parts */
    size_t *good_msg;     /* their messages */
    double *x;            /* their features, n_good rows of `width` */
    double *out;          /* n_models rows of INFERENCE_BATCH predictions */
    size_t n_dead;        /* the others */
    size_t n_unknown;     /* undeclared features in it */
    int64_t predicted_ms; /* wall time */
    int64_t predicted_ns; /* the same, monotonic */
    double *lag_ns;       /* of the good rows: from the request to the prediction */
    struct buf text;      /* one message */

    uint64_t *c_predicted;
    uint64_t *c_dead;
    uint64_t *c_unknown;
    uint64_t *c_again;
    uint64_t *c_refreshes;
    uint64_t *c_failures;
    uint64_t *c_refused;
    uint64_t *c_conflicts;
    struct hist *h_lag;
    struct hist *h_durable;
    struct hist *h_batch;
    struct hist *h_refresh;
};

/* inference_models.c */

void inference_models_init(struct inference *inf);
void inference_models_release(struct inference *inf);

/* inference_metrics.c */

void inference_metrics_init(struct inference *inf); /* after inference_models_init() */
/* The batch at hand is durable. */
void inference_metrics_count(struct inference *inf);

#endif
