/*
 * Shared by the files of the SQLite engine; nobody else includes it.
 *
 * Tables of the engine (the task's views are made of them):
 *
 *   requests            n, key, time_ms, value        n: arrival number, gapless from 1
 *   stored_predictions  n, time_ms, features, predictions, requested_at, predicted_at
 *                       the first prediction message of request n, its objects as they came
 *   outcomes            n, time_ms, value             the outcome of request n
 *   early_outcomes      e, key, time_ms, value        outcomes whose request has not come yet
 *   refused             n, reason                     requests that view features has no row for
 *   outbox_features, outbox_learning_queue, outbox_dead_letters
 *                       seq, key, value               outgoing rows, kept a while after they were
 * delivered ledger, meta        name, value
 *
 * Everything is keyed by n, so that three of the four big tables are written at
 * their end and only the index on requests.key is written at random places.
 * Nothing in a row changes once it is written: what is pending or waiting
 * follows from which tables have an n.
 */
#ifndef OXBOW_VIEWS_SQLITE_INTERNAL_H
#define OXBOW_VIEWS_SQLITE_INTERNAL_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "views/views_backend.h"

/* Prepared once; the texts are in sqlite.c. */
enum sqlite_stmt_id {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_REQUEST_ADD,
    SQL_REQUEST_FIND,
    SQL_PREDICTION_ADD,
    SQL_PREDICTION_HAS,
    SQL_OUTCOME_ADD,
    SQL_OUTCOME_HAS,
    SQL_EARLY_ADD,
    SQL_EARLY_FIND,
    SQL_EARLY_DROP,
    SQL_REFUSED_ADD,
    SQL_REFUSED_HAS,
    SQL_FEATURES_PUT,
    SQL_LEARNING_PUT,
    SQL_DEAD_PUT,
    SQL_META_PUT,
    SQL_LEDGER_PUT,
    SQL_EXPIRE_PENDING,
    SQL_EXPIRE_WAITING,
    SQL_EXPIRE_REFUSED,
    SQL_AGE,
    SQL_DROP_REQUESTS,
    SQL_DROP_PREDICTIONS,
    SQL_DROP_OUTCOMES,
    SQL_DROP_REFUSED,
    SQL_DROP_EARLY,
    SQL_N_STMTS
};

/* What a rolled-back transaction must bring back. */
struct sqlite_state {
    struct views_ledger ledger;        /* counters; pending and waiting as known */
    int64_t last_n;                    /* newest request */
    int64_t first_n;                   /* oldest kept request; last_n + 1 when there is none */
    uint64_t seq[VIEWS_N_OUTPUTS];     /* last number given */
    uint64_t acked[VIEWS_N_OUTPUTS];   /* last seq acknowledged, as in the table meta */
    uint64_t dropped[VIEWS_N_OUTPUTS]; /* outgoing rows deleted up to here */
    uint64_t early;                    /* rows of early_outcomes */
    uint64_t refused;                  /* rows of refused */
};

/* Outgoing rows in memory; keys and values are offsets into `text`. */
struct sqlite_row {
    enum views_output output;
    uint64_t seq;
    size_t key_at, key_len; /* key_len SIZE_MAX: null */
    size_t value_at, value_len;
};

struct sqlite_rows {
    struct sqlite_row *row;
    size_t n, cap;
    struct buf text;
};

#define SQLITE_ACK_SAMPLES 64

struct sqlite_views {
    struct views base; /* first */
    sqlite3 *db;
    int lock_fd; /* -1 in memory or read-only */

    /* options, copied */
    char *path, *sql_dir, *key, *label;
    char **features;
    size_t n_features;
    uint64_t sql_hash;
    char *topic_names[VIEWS_N_INPUTS];
    double label_min, label_max;
    const struct label_positive *positive; /* or NULL */
    int64_t max_event_bytes, retention_seconds, retention_rows, reconcile_ms;
    void (*position_text)(void *ctx, const void *origin, struct buf *out);
    void *position_ctx;
    bool sync, read_only;

    sqlite3_stmt *stmt[SQL_N_STMTS];
    sqlite3_stmt *features_row; /* SELECT of one row by key; NULL until applied */
    sqlite3_stmt *learning_row;
    int learning_columns;
    uint8_t *learning_role;       /* enum column_role a column of learning_row */
    int learning_label;           /* column of the label */
    int learning_predictions;     /* column of the predictions; -1: none */
    struct sqlite_scores *scores; /* sqlite_scores.c; NULL until applied */

    struct sqlite_state now;    /* including the open transaction */
    struct sqlite_state stored; /* as of the last commit */
    int64_t next_age_ms;        /* when to look for rows that are too old */

    struct sqlite_rows fresh; /* made by the last transactions, not handed out yet */
    struct sqlite_rows again; /* a batch that was read back from the table */
    struct views_row *out;    /* the last batch */
    size_t cap_out;
    uint64_t handed[VIEWS_N_OUTPUTS]; /* last seq handed out by views_poll() */
    uint64_t acked[VIEWS_N_OUTPUTS];  /* last seq acknowledged */

    /* ring of what was acknowledged when: only what was delivered a while ago is deleted */
    struct {
        int64_t at_ms;
        uint64_t acked[VIEWS_N_OUTPUTS];
    } samples[SQLITE_ACK_SAMPLES];
    size_t n_samples, first_sample;
    uint64_t droppable[VIEWS_N_OUTPUTS]; /* may be deleted up to here */

    struct buf scratch;
    atomic_bool cancelled;
};

enum column_role { COLUMN_PLAIN, COLUMN_KEY, COLUMN_LABEL, COLUMN_RAW, COLUMN_PERF };

static inline struct sqlite_views *sqlite_views(struct views *v)
{
    return (struct sqlite_views *)v;
}

/* sqlite.c */
extern const char *const SQLITE_OUTBOX[VIEWS_N_OUTPUTS];  /* tables */
extern const char *const SQLITE_POSITION[VIEWS_N_INPUTS]; /* names in meta */
int sqlite_fail(struct sqlite_views *s, struct err *err, const char *doing);
/* Runs a prepared statement that gives no row. */
int sqlite_run(struct sqlite_views *s, enum sqlite_stmt_id id, struct err *err);
int sqlite_exec(struct sqlite_views *s, const char *sql, struct err *err);
/* First column of the first row; 0 rows: `otherwise`. */
int sqlite_int(struct sqlite_views *s, const char *sql, int64_t otherwise, int64_t *ret,
               struct err *err);
int sqlite_meta_get(struct sqlite_views *s, const char *name, struct buf *ret, struct err *err);
int sqlite_meta_put(struct sqlite_views *s, const char *name, const char *value, struct err *err);
int sqlite_begin(struct sqlite_views *s, struct err *err);
int sqlite_commit(struct sqlite_views *s, struct err *err);
void sqlite_rollback(struct sqlite_views *s);

/* sqlite_schema.c */
int sqlite_schema_create(struct sqlite_views *s, struct err *err);
int sqlite_apply(struct views *v, bool *ret_changed, struct err *err);
int sqlite_columns(struct views *v, const char *view, struct views_column **ret, size_t *ret_n,
                   struct err *err);

/* sqlite_func.c: the SQL functions number_at, text_at, time_at, time_text. */
int sqlite_functions_add(sqlite3 *db);

/* sqlite_ingest.c */
int sqlite_ingest(struct views *v, const struct views_event *events, size_t n,
                  const struct views_position *positions, size_t n_positions, int64_t now_ms,
                  struct err *err);

/*
 * The label of the row of learning_row (or one like it), 1 or 0 in a binary task; false when it is
 * none that can be learned.
 */
bool sqlite_label(const struct sqlite_views *s, sqlite3_stmt *row, double *ret);

/* sqlite_scores.c: sums of errors, collected over a transaction */
bool sqlite_scores_is_column(const char *name); /* of learning_queue: it does not go out */
/* After prepare_rows(): what is summed; adds up the kept rows when the SQL is not what it was. */
int sqlite_scores_apply(struct sqlite_views *s, const char *hash, struct err *err);
void sqlite_scores_add(struct sqlite_views *s, sqlite3_stmt *row, double label);
void sqlite_scores_predicted(struct sqlite_views *s, int64_t time_ms); /* a first prediction */
/* Into the table; part of the transaction. */
int sqlite_scores_store(struct sqlite_views *s, struct err *err);
void sqlite_scores_forget(struct sqlite_views *s); /* what was collected */
void sqlite_scores_free(struct sqlite_views *s);

/* sqlite_retain.c: part of a transaction that brought `n_events` events. */
int sqlite_retain(struct sqlite_views *s, size_t n_events, int64_t now_ms, struct err *err);

/* sqlite_outbox.c */
int sqlite_outbox_put(struct sqlite_views *s, enum views_output output, const char *key,
                      size_t key_len, const struct buf *value, struct err *err);
/*
 * Part of a transaction: notes what was acknowledged, and deletes rows that were delivered
 * reconcile_ms ago, not many more than `limit`.
 */
int sqlite_outbox_trim(struct sqlite_views *s, size_t limit, int64_t now_ms, struct err *err);
int sqlite_poll(struct views *v, int timeout_ms, struct views_batch *ret, struct err *err);
int sqlite_ack(struct views *v, const char *token, struct err *err);
int sqlite_replay(struct views *v, enum views_output output, uint64_t seq, struct err *err);

/* sqlite_ledger.c */
int sqlite_ledger_load(struct sqlite_views *s, struct err *err);
int sqlite_ledger_store(struct sqlite_views *s, struct err *err);
int sqlite_ledger(struct views *v, struct views_ledger *ret, struct err *err);
int sqlite_counters(struct views *v, struct views_ledger *ret, struct err *err);

#endif
