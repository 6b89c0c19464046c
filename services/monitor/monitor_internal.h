/* Private to the monitor's state: what stands behind its lock. */
#ifndef OXBOW_MONITOR_MONITOR_INTERNAL_H
#define OXBOW_MONITOR_MONITOR_INTERNAL_H

#include <pthread.h>

#include "inspect/rates.h"
#include "inspect/status.h"
#include "monitor/beats.h"
#include "monitor/breakdown.h"
#include "monitor/dead.h"
#include "monitor/drift.h"
#include "monitor/errors.h"
#include "monitor/health.h"
#include "monitor/monitor.h"
#include "monitor/places.h"
#include "monitor/requests.h"
#include "monitor/text.h"
#include "monitor/verdict.h"
#include "rows/row.h"

#define MONITOR_LATEST      20  /* labelled requests in a snapshot */
#define MONITOR_LATEST_TICK 10  /* and in a tick, at most */
#define MONITOR_SAMPLE      24  /* requests that begin or end, a tick */
#define MONITOR_MOVING      400 /* under way, in a snapshot */
#define MONITOR_CHECK_TEXT  200

/* A request that has just been predicted, or has just ended; `key` is owned. */
struct moved {
    char *key;
    double from[2], to[2];
    int64_t time_ms, event_ms;
    double predicted; /* NaN */
    double label;
    double error; /* of the best model; NaN */
};

/* Those of one second: the newest MONITOR_SAMPLE of `n`. */
struct moves {
    struct moved moved[MONITOR_SAMPLE];
    uint64_t n;
};

/* A labelled request in the list of the latest; owned. */
struct latest {
    char *key;
    int64_t time_ms, event_ms;
    double label, size;
    struct issued *said; /* by model */
};

/* The kept versions of a model, newest first. */
struct monitor_versions_of {
    struct {
        char *version;
        char *json; /* its object, without the closing brace */
    } * line;       /* owned */
    size_t n;
    char newest[64];
    size_t bytes;
    int64_t published_ms;
};

/* When the learner had come how far: for the time at which a row was learned. */
#define MONITOR_LEARNED 1800
struct learned {
    int64_t time_ms[MONITOR_LEARNED]; /* a ring, by second */
    uint64_t position[MONITOR_LEARNED];
    uint64_t n;
};

enum monitor_rate {
    RATE_REQUESTS,
    RATE_PREDICTIONS,
    RATE_OUTCOMES,
    RATE_LABELS,
    RATE_LEARNED,
    MONITOR_N_RATES
};

/* The part of a topic that was looked at: over two spans of five seconds, the older one whole. */
struct looked {
    uint64_t looked[2], skipped[2];
};

/* -1 where nobody has said yet, or the engine hides it. */
struct counts {
    int64_t requests, predicted, outcomes, labelled, in_progress, waiting, expired, bad_labels,
        dead_letters, alarms;
};

struct monitor {
    const struct task *task;
    pthread_mutex_t lock;
    int64_t started_ms;
    char incarnation[UUID_TEXT_LEN + 1];

    /* from the bus */
    struct row_reader *rows;
    struct requests *requests;
    struct errors *errors;
    struct cohorts cohorts;
    struct places places;
    struct dead dead;
    struct watch *watch;
    const char *slice_name[ERRORS_SLICES_MAX];
    size_t slice[ERRORS_SLICES_MAX]; /* indexes of those features */
    size_t n_slices;
    int size_feature; /* index; -1: none */
    double *x, *served, *error, *loss;
    struct row_issued *said; /* by model: `served` are their values */
    enum errors_cover *cover;
    struct moves started, ended;
    struct latest latest[MONITOR_LATEST]; /* a ring */
    uint64_t n_latest, latest_told;       /* ever; of those, told in a tick */
    struct looked looked[MONITOR_N_TOPICS];
    int64_t event_ms;                            /* the newest request's own time; TIME_UNKNOWN */
    int64_t event_seen_ms[10], event_was_ms[10]; /* by second: for the speed */

    /* from the heartbeats */
    struct status status;
    struct status_lag lag;
    struct beats beats;
    struct health health;
    struct counts counts;
    struct rate rate[MONITOR_N_RATES];
    struct learned learned;
    struct monitor_versions_of *versions; /* by model */
    bool store_away;
    int64_t away_since_ms;

    /* by others */
    struct {
        bool ok;
        char detail[MONITOR_CHECK_TEXT];
    } check[MONITOR_N_CHECKS];
    bool was_ready; /* every check was good once, in this incarnation */
    struct {
        char state[16];
        char text[300];
        struct buf json;
        int64_t time_ms;
    } audit;
    struct marks marks;
    uint64_t marks_told;

    /* made every second */
    struct curves *curves;
    struct verdict verdict;
    struct buf verdict_text;
    double *pr_auc; /* by model, over the window; NaN */
    uint64_t tick_id;
    int64_t tick_ms;
    double speed;                      /* NaN */
    size_t models_part, services_part; /* where the next part begins of lists that are too long */
};

/* All of these expect the lock to be held. */

/* ---- monitor.c ---- */
size_t monitor_model_index(const struct monitor *m, const char *name); /* n_models: none */
const struct status_model *monitor_model_status(const struct monitor *m,
                                                size_t model); /* or NULL */
size_t monitor_baseline(const struct monitor *m);
size_t monitor_best(const struct monitor *m);        /* the model of least loss, else the first */
const char *monitor_metric(const struct monitor *m); /* the loss: "mae" or "log_loss" */
/* The model's loss over all rows, as the learner says; NaN. */
double monitor_all_rows(const struct monitor *m, size_t model);
double monitor_all_served(const struct monitor *m, size_t model); /* likewise, as served */
bool monitor_moves(const struct monitor *m); /* a prediction says how long a request is under way */
int64_t monitor_learned_at(const struct monitor *m, uint64_t seq); /* TIME_UNKNOWN: not yet */
bool monitor_mark_locked(struct monitor *m, const struct mark *mark);

/* ---- intake.c ---- */
void monitor_intake(struct monitor *m, const struct bus_msg *msg, int64_t now_ms);
void moves_clear(struct moves *moves);
void latest_release(struct latest *latest);

/* ---- watching.c ---- */
void monitor_watch_served(struct monitor *m, const struct bus_msg *msg,
                          const struct json_value *root);
/* m->x holds the row's features. */
void monitor_watch_learned(struct monitor *m, const struct bus_msg *msg, const struct row *row,
                           int64_t now_ms);

/* ---- second.c ---- */
void monitor_take_beats(struct monitor *m, const char *beats, size_t len, int64_t now_ms);
void monitor_judge(struct monitor *m);
void monitor_point(struct monitor *m, int64_t now_ms, curves_keep_fn keep, void *ctx);

/* ---- tick.c ---- */
/* `limit`: bytes that it may have; lists are cut to fit. 0: everything, for the snapshot, which
 * tells nothing as told. */
void monitor_write_tick(struct monitor *m, size_t limit, struct buf *out);
const char *monitor_state(const struct monitor *m);
void monitor_write_moved(const struct moved *moved, bool ended, struct buf *out);
void monitor_write_latest(const struct monitor *m, const struct latest *latest, struct buf *out);
void monitor_write_models(const struct monitor *m, struct buf *out);
void monitor_write_checks(const struct monitor *m, struct buf *out);

/* ---- answers.c ---- */
void monitor_write_positive(const struct monitor *m, struct buf *out); /* as a JSON string */

#endif
