/*
 * Shared by the files of the Materialize engine; nobody else includes it.
 *
 * The engine talks to a server that speaks PostgreSQL's protocol. One session is
 * for statements (`main`); two more each run a SUBSCRIBE for as long as they
 * live: the rows of view prediction_queue become VIEWS_FEATURES, those of
 * learning_queue VIEWS_LEARNING_QUEUE.
 *
 * In schema oxbow_<name>, beside the task's objects:
 *
 *   oxbow_objects   kind, name, hash   what views_apply() has made, and of which text
 *   oxbow_meta      name, value        the incarnation
 */
#ifndef OXBOW_VIEWS_MATERIALIZE_INTERNAL_H
#define OXBOW_VIEWS_MATERIALIZE_INTERNAL_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "views/sql_files.h"
#include "views/views_backend.h"

/* Rows of a timestamp that is still open are handed out early when they are more than this. */
#define MZ_OPEN_MAX (64 << 20)

/* A connection that is opened when it is first needed, and again after it was lost. */
struct mz_session {
    PGconn *conn;
    PGcancel *cancel;    /* guarded by mz_views.cancel_lock */
    const char *purpose; /* for the server's own lists: "oxbow views: learning_queue" */
};

/* A change as it came in; key and value are offsets into the subscription's text. */
struct mz_row {
    int64_t ts;
    int64_t diff;
    size_t key_at, key_len;
    size_t value_at, value_len;
};

struct mz_rows {
    struct mz_row *row;
    size_t n, cap;
    struct buf text;
};

enum mz_role {
    MZ_PLAIN,      /* written under its own name */
    MZ_TIMESTAMP,  /* mz_timestamp */
    MZ_PROGRESSED, /* mz_progressed */
    MZ_DIFF,       /* mz_diff */
    MZ_KEY,
    MZ_FEATURE,  /* one of the task's features: written into the object "features" */
    MZ_RAW,      /* JSON text that is passed on */
    MZ_LEFT_OUT, /* a column that the published row does not have */
};

struct mz_sub {
    enum views_output output;
    const char *view;
    struct mz_session session;
    bool running;

    int64_t acked;    /* frontier that is durable elsewhere: go on there; 0: from a snapshot */
    int64_t frontier; /* everything before it has come in; 0: not even the snapshot */
    int64_t given;    /* frontier of the last batch */
    int64_t as_of;    /* first progress of this connection; 0: none yet */
    bool complete;    /* its snapshot is in, or there is none to come */

    uint8_t *role; /* enum mz_role a column; NULL until the first row */
    size_t n_columns;
    size_t key_column;

    struct mz_rows open;   /* of timestamps that are not closed */
    struct mz_rows closed; /* of the batch that was handed out */
};

#define MZ_N_SUBS 2

struct mz_views {
    struct views base; /* first */

    /* options, copied */
    char *url, *schema, *sql_dir, *key, *label, *brokers;
    char **features;
    size_t n_features;
    char *topic_names[VIEWS_N_INPUTS];
    int64_t window_seconds;
    void (*note)(void *ctx, const char *text);
    void *note_ctx;
    bool read_only;

    struct mz_session main;
    struct mz_sub sub[MZ_N_SUBS];
    struct views_row *out; /* the last batch */
    size_t cap_out;
    struct buf scratch;

    pthread_mutex_t cancel_lock;
    atomic_bool cancelled;
};

static inline struct mz_views *mz_views(struct views *v)
{
    return (struct mz_views *)v;
}

/* ---- materialize_session.c ---- */

/* Connects if need be: ERR_DISCONNECTED (retriable), or ERR_REFUSED for a wrong password. */
int mz_session_open(struct mz_views *v, struct mz_session *s, struct err *err);
void mz_session_close(struct mz_views *v, struct mz_session *s);
/*
 * Runs one statement on `main`; *ret (may be NULL) is then the caller's to PQclear(). A lost
 * connection is opened again by the next call.
 */
int mz_exec(struct mz_views *v, const char *sql, PGresult **ret, struct err *err);
/* Puts what the server says into `err`; `res` may be NULL. */
int mz_fail(struct mz_views *v, const PGconn *conn, const PGresult *res, const char *doing,
            struct err *err);
/* Appends 'text' as an SQL string, "name" as an SQL name. */
void mz_quote(struct buf *sql, const char *text);
void mz_quote_name(struct buf *sql, const char *name);

/* ---- materialize_objects.c ---- */

/* One statement of the task's files: CREATE <kind> <name> ... */
struct mz_object {
    const char *kind; /* "VIEW", "MATERIALIZED VIEW", "SOURCE", "CONNECTION", "INDEX" */
    char *name;
    char *sql; /* with its placeholders filled in, without the semicolon */
    char hash[17];
    const struct sql_file *file;
    int line;
};

struct mz_objects {
    struct mz_object *object;
    size_t n;
};

/* Zero-initialised `ret`; borrows `files`. ERR_INVALID with file and line. */
int mz_objects_parse(struct mz_views *v, const struct sql_files *files, struct mz_objects *ret,
                     struct err *err);
void mz_objects_release(struct mz_objects *objects);

/* ---- materialize_apply.c ---- */

/* The schema and the engine's own tables in it. */
int mz_make_schema(struct mz_views *v, struct err *err);
int mz_apply(struct views *v, bool *ret_changed, struct err *err);

/* ---- materialize_rows.c ---- */

void mz_rows_release(struct mz_rows *rows);
/* Learns the columns of a subscription's rows. */
int mz_sub_describe(struct mz_views *v, struct mz_sub *sub, const PGresult *res, struct err *err);
/* Adds the change in row 0 of `res` to sub->open. */
int mz_sub_add(struct mz_views *v, struct mz_sub *sub, const PGresult *res, int64_t ts,
               struct err *err);
/*
 * Moves the changes before `upto` from sub->open to sub->closed, in the order of timestamp, key and
 * value; those of the same row and timestamp are summed up, and left out when nothing remains.
 */
void mz_sub_close_rows(struct mz_sub *sub, int64_t upto);

/* ---- materialize_subscribe.c ---- */

int mz_poll(struct views *v, int timeout_ms, struct views_batch *ret, struct err *err);
int mz_ack(struct views *v, const char *token, struct err *err);
int mz_replay(struct views *v, enum views_output output, uint64_t seq, struct err *err);
void mz_sub_stop(struct mz_views *v, struct mz_sub *sub);

#endif
