/*
 * The view engine: it holds the events, runs the task's SQL, and turns them into
 * rows of `features` and `learning_queue`. Engines: SQLite, and Materialize over libpq.
 *
 * An engine that runs in this process (SQLite) is fed: views_ingest() takes a
 * batch of events and the input positions after it, and applies both, the
 * outgoing rows and the ledger in one transaction. An engine that reads the bus
 * by itself (Materialize) refuses views_ingest() with ERR_UNSUPPORTED.
 *
 * Both give what changed as batches: rows with a signed multiplicity, closed by
 * a frontier even when there are none. views_poll() hands out a batch;
 * views_ack() says that its effects are durable elsewhere. After a restart the
 * engine goes on behind the last acknowledged token. SQLite remembers that by itself and numbers
 * its rows (`seq`); Materialize does neither: the caller keeps the newest token with the effects of
 * its rows, and hands it back by views_ack() before the first poll.
 *
 * Legal order: open → apply → (ingest | poll | ack | query)* → close.
 *
 * Errors that only views have: ERR_HISTORY_EXPIRED (the token is too old: start
 * again from a snapshot and deduplicate), ERR_DEPENDENCY_DROPPED (apply again),
 * ERR_DATAFLOW (a row cannot be evaluated; the text names the view),
 * ERR_DISCONNECTED (retriable), ERR_CANCELLED.
 *
 * One thread at a time, but for views_cancel().
 */
#ifndef OXBOW_VIEWS_VIEWS_H
#define OXBOW_VIEWS_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/label.h"
#include "base/uuid.h"

struct views;

/* ---- Lifecycle ---- */

struct views_options {
    const char *engine;  /* "sqlite", "materialize" */
    const char *url;     /* SQLite: path of the file, or ":memory:"; Materialize: postgres://... */
    const char *name;    /* the task's; Materialize: its objects are in schema oxbow_<name> */
    const char *sql_dir; /* the task's *.sql */
    uint64_t sql_hash; /* of those files: when it differs from the last time, they are run again */
    const char *key;   /* the key's column in every view */
    const char *label; /* the label's column in learning_queue */
    const char *const *features; /* columns of view features that are published, in order */
    size_t n_features;
    const char *topic_names[3]; /* by enum views_input: for dead letters and texts; Materialize: as
                                   the broker has them */
    const char *brokers;        /* Materialize: host:port[,host:port], as it reaches the bus */
    int64_t window_seconds; /* Materialize: for how long a key is looked for, ${window_seconds} */
    double label_min;
    double label_max;
    const struct label_positive *positive; /* borrowed: a binary task's labels; NULL: numbers */
    int64_t max_event_bytes;
    int64_t retention_seconds;
    int64_t retention_rows;
    int64_t reconcile_ms; /* how long acknowledged rows are kept for views_replay() */
    /* Appends the bus's spelling of an event's position; NULL: dead letters have none. */
    void (*position_text)(void *ctx, const void *origin, struct buf *out);
    void *position_ctx;
    /* One line for each object that views_apply() makes, drops or makes again; may be NULL. */
    void (*note)(void *ctx, const char *text);
    void *note_ctx;
    bool sync;      /* durability: machine */
    bool read_only; /* for audit and monitor: never writes, needs no lock */
};

/*
 * ERR_REFUSED when another process writes to the same database (names it and what to do).
 * Everything in `options` is copied.
 */
struct views *views_open(const struct views_options *options, struct err *err) MUST_CHECK;
void views_close(struct views *v); /* NULL is fine */

/* True for an engine that views_ingest() feeds; false for one that reads the bus by itself. */
bool views_is_fed(const struct views *v);

/*
 * Runs the task's SQL where it has changed since the last time; says so in *ret_changed (may be
 * NULL). ERR_INVALID names file and statement, or a view or column that the task needs and that is
 * not there. On Materialize the topics must exist before; what fails for want of a broker is
 * retriable.
 */
int views_apply(struct views *v, bool *ret_changed, struct err *err) MUST_CHECK;

/* Stops a running call of another thread with ERR_CANCELLED. Async-signal-unsafe. */
void views_cancel(struct views *v);

/* ---- Incarnation (see store.h) ---- */

/* The database's incarnation, or "" when it has none yet; *ret_announced tells whether
 * views_announce() was called. */
int views_incarnation(struct views *v, char ret[UUID_TEXT_LEN + 1], bool *ret_announced,
                      struct err *err) MUST_CHECK;
/* Gives a new database its incarnation; ERR_CONFLICT when it has another. */
int views_incarnation_set(struct views *v, const char *id, struct err *err) MUST_CHECK;
/* Notes durably that the store knows the incarnation too. */
int views_announce(struct views *v, struct err *err) MUST_CHECK;

/*
 * Materialize: drops everything of the task, the incarnation included; no oxbow-views may run.
 * ERR_UNSUPPORTED with SQLite: delete its file.
 */
int views_wipe(struct views *v, struct err *err) MUST_CHECK;

/* ---- Feeding (engines that run in this process) ---- */

enum views_input { VIEWS_REQUESTS, VIEWS_OUTCOMES, VIEWS_PREDICTIONS, VIEWS_N_INPUTS };

struct views_event {
    enum views_input input;
    int64_t time_ms; /* the bus's time */
    const char *key; /* NULL: null */
    size_t key_len;
    const char *value; /* NULL: null */
    size_t value_len;
    const void *origin; /* handed to options.position_text when the event becomes a dead letter */
};

struct views_position {
    enum views_input input;
    const char *position; /* the bus's spelling of where to read on */
};

/*
 * Applies the events in their order, then the positions, in one transaction. `now_ms` is wall time,
 * for retention. What cannot be used is counted and, when unreadable, becomes a row of
 * VIEWS_DEAD_LETTERS; that is no error. On an error nothing was applied.
 */
int views_ingest(struct views *v, const struct views_event *events, size_t n,
                 const struct views_position *positions, size_t n_positions, int64_t now_ms,
                 struct err *err) MUST_CHECK;

/* The stored position of an input; "" when nothing was read yet. */
int views_position(struct views *v, enum views_input input, struct buf *ret,
                   struct err *err) MUST_CHECK;

/* Notes that the bus lost `n` messages that had been read (a server that came back without its last
 * moments). */
int views_rewound(struct views *v, enum views_input input, uint64_t n, struct err *err) MUST_CHECK;

/* ---- Changes ---- */

enum views_output { VIEWS_FEATURES, VIEWS_LEARNING_QUEUE, VIEWS_DEAD_LETTERS, VIEWS_N_OUTPUTS };

struct views_row {
    enum views_output output;
    int64_t diff;    /* multiplicity; SQLite: always 1; below 0: the row is no longer there */
    uint64_t seq;    /* gapless within the output, from 1; 0: the engine does not number rows */
    const char *key; /* NULL for a dead letter without one */
    size_t key_len;
    const char *value; /* the row as JSON; with seq inside when the engine numbers rows */
    size_t value_len;
};

#define VIEWS_TOKEN_MAX 64

struct views_batch {
    char token[VIEWS_TOKEN_MAX];  /* for views_ack */
    bool snapshot_complete;       /* false while rows of an initial snapshot are still coming */
    const struct views_row *rows; /* valid until the next poll or ingest */
    size_t n;
    int64_t frontier_ms; /* Materialize: all that it took in before this is in; 0: not known */
};

/* 1 and a batch; 0 when nothing changed within `timeout_ms`; <0 on error. */
int views_poll(struct views *v, int timeout_ms, struct views_batch *ret,
               struct err *err) MUST_CHECK;

/* Everything up to `token` is durable elsewhere. May be made durable later, with the next
 * transaction. */
int views_ack(struct views *v, const char *token, struct err *err) MUST_CHECK;

/*
 * Hands out again, by the next polls, the rows of `output` with a seq above `seq` (VIEWS_SEQ_ACKED:
 * above the last acknowledged one): the bus lost them. ERR_HISTORY_EXPIRED when some of them are
 * kept no longer; ERR_REFUSED when `seq` is one that this database has never given.
 *
 * On Materialize, whose rows have no numbers, two are understood: VIEWS_SEQ_ACKED, and 0, which
 * asks for a snapshot of all rows that are there now (after ERR_HISTORY_EXPIRED).
 */
#define VIEWS_SEQ_ACKED UINT64_MAX
int views_replay(struct views *v, enum views_output output, uint64_t seq,
                 struct err *err) MUST_CHECK;

/* ---- Asking ---- */

struct views_column {
    char *name;
    char *type; /* "" where the engine has none */
};
/* Columns of a view; ERR_NOT_FOUND. *ret is released with views_columns_free(). */
int views_columns(struct views *v, const char *view, struct views_column **ret, size_t *ret_n,
                  struct err *err) MUST_CHECK;
void views_columns_free(struct views_column *c, size_t n);

/* Appends the names of the views that the task's SQL defines, each with a newline behind it. */
int views_names(struct views *v, struct buf *ret, struct err *err) MUST_CHECK;

/* One row of a query: text of each column, NULL for SQL's NULL. Return 0 to go on, else the query
 * ends with that code. */
typedef int (*views_query_fn)(void *ctx, size_t n, const char *const *names,
                              const char *const *values);
int views_query(struct views *v, const char *sql, views_query_fn fn, void *ctx,
                struct err *err) MUST_CHECK;

/* Pins all queries until views_unpin() to one moment. */
int views_pin(struct views *v, struct err *err) MUST_CHECK;
int views_unpin(struct views *v, struct err *err) MUST_CHECK;

/* ---- Ledger ---- */

/*
 * The terms of the ledger's equations (docs/guarantees.md), at one moment. Those that are `counted`
 * come from counting stored rows, the others from counters kept in the transactions that store the
 * effects:
 *
 *   requests_read    = requests_new + requests_duplicate + requests_dead
 *   requests_new     = requests_predicted + requests_pending + requests_expired + requests_refused
 *   predictions_read = predictions_first + predictions_duplicate + predictions_orphan +
 * predictions_dead predictions_first = requests_predicted outcomes_read    = outcomes_new +
 * outcomes_duplicate + outcomes_dead outcomes_new     = outcomes_emitted + outcomes_waiting +
 * outcomes_expired + outcomes_bad_label
 *                      + outcomes_refused
 *   outcomes_emitted = learning_queue_last;  requests_new - requests_refused = features_last
 */
struct views_ledger {
    uint64_t requests_read, requests_new, requests_duplicate, requests_dead, requests_refused;
    uint64_t requests_predicted, requests_expired, requests_pending; /* pending: counted */
    uint64_t predictions_read, predictions_first, predictions_duplicate, predictions_orphan,
        predictions_dead;
    uint64_t outcomes_read, outcomes_new, outcomes_duplicate, outcomes_dead;
    uint64_t outcomes_emitted, outcomes_expired, outcomes_bad_label,
        outcomes_waiting;                        /* waiting: counted */
    uint64_t outcomes_refused;                   /* of requests that view features has no row for */
    uint64_t features_last, learning_queue_last; /* last seq: counted */
    uint64_t rewound[VIEWS_N_INPUTS];            /* messages read that the bus lost afterwards */
    uint64_t dead_letters;                       /* rows given to VIEWS_DEAD_LETTERS */
    uint64_t hidden; /* bit i: the engine cannot know field i of views_ledger_field(); it is 0 */
};
int views_ledger(struct views *v, struct views_ledger *ret, struct err *err) MUST_CHECK;

/*
 * The same without counting: pending, waiting and the last seqs are what the engine keeps in
 * memory. For a heartbeat, every second; an audit counts. Only on a handle that feeds.
 */
int views_counters(struct views *v, struct views_ledger *ret, struct err *err) MUST_CHECK;

/*
 * Every member of the ledger by name, for printing. `field` 0, 1, ...; NULL behind the last.
 * *ret_value may be NULL.
 */
const char *views_ledger_field(const struct views_ledger *ledger, size_t field,
                               uint64_t *ret_value);
void views_ledger_set(struct views_ledger *ledger, size_t field, uint64_t value);

/* Messages of `input` that were read and that the bus has not lost since. */
uint64_t views_ledger_net_read(const struct views_ledger *ledger, enum views_input input);

/* The member `name` (of views_ledger_field()). */
uint64_t views_ledger_get(const struct views_ledger *ledger, const char *name);
/* True when the engine hides the member `name` (of views_ledger_field()): nothing may be made of
 * it.
 */
bool views_ledger_hidden(const struct views_ledger *ledger, const char *name);
/* Gives the member a value that is known from elsewhere: it is hidden no longer. */
void views_ledger_know(struct views_ledger *ledger, const char *name, uint64_t value);
/* Hides all members; for engines that then make known what they know. */
void views_ledger_hide_all(struct views_ledger *ledger);

#endif
