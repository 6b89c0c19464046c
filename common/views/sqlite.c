/*
 * The SQLite engine: connection, statements, incarnation, queries, and the
 * table of functions. What it stores is drawn in sqlite_internal.h.
 *
 * One writer a database, held by a lock on `<file>.lock`; readers (audit,
 * monitor) open it read-only at the same time: that is what write-ahead logging
 * gives. Under durability "process" nothing is synced: the kernel keeps what was
 * written when a process dies. "machine" syncs every commit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "views/sqlite_internal.h"

#define BUSY_MS 10000

const char *const SQLITE_OUTBOX[VIEWS_N_OUTPUTS] = {
    [VIEWS_FEATURES] = "outbox_features",
    [VIEWS_LEARNING_QUEUE] = "outbox_learning_queue",
    [VIEWS_DEAD_LETTERS] = "outbox_dead_letters",
};

const char *const SQLITE_POSITION[VIEWS_N_INPUTS] = {
    [VIEWS_REQUESTS] = "position_requests",
    [VIEWS_OUTCOMES] = "position_outcomes",
    [VIEWS_PREDICTIONS] = "position_predictions",
};

static const char *const STATEMENTS[SQL_N_STMTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_REQUEST_ADD] = "INSERT INTO requests(n, key, time_ms, value) VALUES(?1, ?2, ?3, ?4)"
                        " ON CONFLICT(key) DO NOTHING",
    [SQL_REQUEST_FIND] = "SELECT n FROM requests WHERE key = ?1",
    [SQL_PREDICTION_ADD] = "INSERT INTO stored_predictions(n, time_ms, features, predictions,"
                           " requested_at, predicted_at) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
                           " ON CONFLICT(n) DO NOTHING",
    [SQL_PREDICTION_HAS] = "SELECT 1 FROM stored_predictions WHERE n = ?1",
    [SQL_OUTCOME_ADD] = "INSERT INTO outcomes(n, time_ms, value) VALUES(?1, ?2, ?3)"
                        " ON CONFLICT(n) DO NOTHING",
    [SQL_OUTCOME_HAS] = "SELECT 1 FROM outcomes WHERE n = ?1",
    [SQL_EARLY_ADD] = "INSERT INTO early_outcomes(key, time_ms, value) VALUES(?1, ?2, ?3)"
                      " ON CONFLICT(key) DO NOTHING",
    [SQL_EARLY_FIND] = "SELECT e, time_ms, value FROM early_outcomes WHERE key = ?1",
    [SQL_EARLY_DROP] = "DELETE FROM early_outcomes WHERE e = ?1",
    [SQL_REFUSED_ADD] = "INSERT INTO refused(n) VALUES(?1)",
    [SQL_REFUSED_HAS] = "SELECT 1 FROM refused WHERE n = ?1",
    [SQL_FEATURES_PUT] = "INSERT INTO outbox_features(seq, key, value) VALUES(?1, ?2, ?3)",
    [SQL_LEARNING_PUT] = "INSERT INTO outbox_learning_queue(seq, key, value) VALUES(?1, ?2, ?3)",
    [SQL_DEAD_PUT] = "INSERT INTO outbox_dead_letters(seq, key, value) VALUES(?1, ?2, ?3)",
    [SQL_META_PUT] = "INSERT INTO meta(name, value) VALUES(?1, ?2)"
                     " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
    [SQL_LEDGER_PUT] = "INSERT INTO ledger(name, value) VALUES(?1, ?2)"
                       " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
    [SQL_EXPIRE_PENDING] = "SELECT count(*) FROM requests r WHERE n BETWEEN ?1 AND ?2"
                           " AND NOT EXISTS (SELECT 1 FROM stored_predictions p WHERE p.n = r.n)"
                           " AND NOT EXISTS (SELECT 1 FROM refused f WHERE f.n = r.n)",
    [SQL_EXPIRE_WAITING] = "SELECT count(*) FROM outcomes o WHERE n BETWEEN ?1 AND ?2"
                           " AND NOT EXISTS (SELECT 1 FROM stored_predictions p WHERE p.n = o.n)"
                           " AND NOT EXISTS (SELECT 1 FROM refused f WHERE f.n = o.n)",
    [SQL_EXPIRE_REFUSED] = "SELECT count(*) FROM refused WHERE n BETWEEN ?1 AND ?2",
    [SQL_AGE] = "SELECT max(n) FROM (SELECT n, time_ms FROM requests WHERE n >= ?1 ORDER BY n"
                " LIMIT ?2) WHERE time_ms < ?3",
    [SQL_DROP_REQUESTS] = "DELETE FROM requests WHERE n <= ?1",
    [SQL_DROP_PREDICTIONS] = "DELETE FROM stored_predictions WHERE n <= ?1",
    [SQL_DROP_OUTCOMES] = "DELETE FROM outcomes WHERE n <= ?1",
    [SQL_DROP_REFUSED] = "DELETE FROM refused WHERE n <= ?1",
    [SQL_DROP_EARLY] = "DELETE FROM early_outcomes WHERE e IN (SELECT e FROM early_outcomes"
                       " ORDER BY e LIMIT ?1) AND (time_ms < ?2 OR e <= ?3)",
};

/* ---- Helpers of all files ---- */

int sqlite_fail(struct sqlite_views *s, struct err *err, const char *doing)
{
    int rc = s->db ? sqlite3_extended_errcode(s->db) : SQLITE_NOMEM;
    const char *text = s->db ? sqlite3_errmsg(s->db) : "out of memory";

    switch (rc & 0xff) {
    case SQLITE_INTERRUPT:
        return err_set(err, ERR_CANCELLED, "%s: cancelled", doing);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set_retriable(err, ERR_CONFLICT, "%s: %s is locked by another program", doing,
                                 s->path);
    case SQLITE_FULL:
        return err_set_retriable(err, ERR_IO, "%s: the disk that holds %s is full: make room",
                                 doing, s->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ERR_CORRUPT,
                       "%s: %s is no sound SQLite database (%s): restore it, or start with --fresh",
                       doing, s->path, text);
    case SQLITE_READONLY:
        return err_set(err, ERR_REFUSED, "%s: %s cannot be written: %s", doing, s->path, text);
    default:
        return err_set(err, ERR_IO, "%s: %s: %s", doing, s->path, text);
    }
}

int sqlite_run(struct sqlite_views *s, enum sqlite_stmt_id id, struct err *err)
{
    int rc = sqlite3_step(s->stmt[id]);
    int reset = sqlite3_reset(s->stmt[id]);

    if ((rc != SQLITE_DONE && rc != SQLITE_ROW) || reset != SQLITE_OK)
        return sqlite_fail(s, err, "writing");
    return 0;
}

int sqlite_exec(struct sqlite_views *s, const char *sql, struct err *err)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_fail(s, err, sql);
    return 0;
}

int sqlite_int(struct sqlite_views *s, const char *sql, int64_t otherwise, int64_t *ret,
               struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
        *ret = sqlite3_column_int64(stmt, 0);
    else if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        *ret = otherwise;
    else {
        sqlite_fail(s, err, sql);
        sqlite3_finalize(stmt);
        return err->code;
    }
    sqlite3_finalize(stmt);
    return 0;
}

int sqlite_meta_get(struct sqlite_views *s, const char *name, struct buf *ret, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT value FROM meta WHERE name = ?1", -1, &stmt, NULL);

    buf_clear(ret);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW)
        buf_append(ret, sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
    int code = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : sqlite_fail(s, err, "reading");
    sqlite3_finalize(stmt);
    return code;
}

int sqlite_meta_put(struct sqlite_views *s, const char *name, const char *value, struct err *err)
{
    sqlite3_stmt *stmt = s->stmt[SQL_META_PUT];

    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, value, -1, SQLITE_STATIC);
    return sqlite_run(s, SQL_META_PUT, err);
}

int sqlite_begin(struct sqlite_views *s, struct err *err)
{
    return sqlite_run(s, SQL_BEGIN, err);
}

int sqlite_commit(struct sqlite_views *s, struct err *err)
{
    int rc = sqlite_run(s, SQL_COMMIT, err);

    if (rc < 0)
        sqlite_rollback(s);
    else
        s->stored = s->now;
    return rc;
}

void sqlite_rollback(struct sqlite_views *s)
{
    struct err ignored;

    /* A failed COMMIT may have rolled back by itself: then this one has nothing to do. */
    if (!sqlite3_get_autocommit(s->db))
        (void)!sqlite_run(s, SQL_ROLLBACK, &ignored);
    s->now = s->stored;
}

/* ---- Lifecycle ---- */

static int take_lock(struct sqlite_views *s, struct err *err)
{
    struct buf path = BUF_INIT;
    int code = 0;

    buf_printf(&path, "%s.lock", s->path);
    s->lock_fd = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (s->lock_fd < 0)
        code = err_set(err, ERR_IO, "cannot open %s: %s", path.data, strerror(errno));
    else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        char pid[32] = "";
        ssize_t n = pread(s->lock_fd, pid, sizeof(pid) - 1, 0);
        pid[n > 0 ? n : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        code = err_set(err, ERR_REFUSED,
                       "%s is being written by another oxbow-views (process %s): stop that one, or "
                       "give this one its own data_dir",
                       s->path, *pid ? pid : "unknown");
    } else {
        char pid[32];
        int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
        if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) < 0)
            code = err_set(err, ERR_IO, "cannot write %s: %s", path.data, strerror(errno));
    }
    buf_release(&path);
    return code;
}

static void copy_options(struct sqlite_views *s, const struct views_options *o)
{
    s->path = mem_strdup(o->url);
    s->sql_dir = mem_strdup(o->sql_dir ? o->sql_dir : "");
    s->key = mem_strdup(o->key ? o->key : "");
    s->label = mem_strdup(o->label ? o->label : "");
    s->sql_hash = o->sql_hash;
    s->n_features = o->n_features;
    s->features = mem_zalloc(o->n_features, sizeof(*s->features));
    for (size_t i = 0; i < o->n_features; i++)
        s->features[i] = mem_strdup(o->features[i]);
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++)
        s->topic_names[i] = mem_strdup(o->topic_names[i] ? o->topic_names[i] : "");
    s->label_min = o->label_min;
    s->label_max = o->label_max;
    s->positive = o->positive;
    s->max_event_bytes = o->max_event_bytes;
    s->retention_seconds = o->retention_seconds;
    s->retention_rows = o->retention_rows;
    s->reconcile_ms = o->reconcile_ms;
    s->position_text = o->position_text;
    s->position_ctx = o->position_ctx;
    s->sync = o->sync;
    s->read_only = o->read_only;
}

static void sqlite_close(struct views *v)
{
    struct sqlite_views *s = sqlite_views(v);

    for (size_t i = 0; i < SQL_N_STMTS; i++)
        sqlite3_finalize(s->stmt[i]);
    sqlite3_finalize(s->features_row);
    sqlite3_finalize(s->learning_row);
    sqlite_scores_free(s);
    sqlite3_close(s->db);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    for (size_t i = 0; i < s->n_features; i++)
        free(s->features[i]);
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++)
        free(s->topic_names[i]);
    free(s->features);
    free(s->path);
    free(s->sql_dir);
    free(s->key);
    free(s->label);
    free(s->learning_role);
    free(s->fresh.row);
    buf_release(&s->fresh.text);
    free(s->again.row);
    buf_release(&s->again.text);
    free(s->out);
    buf_release(&s->scratch);
    free(s);
}

/*
 * Resident memory stays flat: a page cache of 64 MB, and a log that is folded
 * back every 16 MB. secure_delete, on in Debian's build, would overwrite every
 * expired row.
 */
static int set_pragmas(struct sqlite_views *s, struct err *err)
{
    static const char *const PRAGMAS = "PRAGMA journal_mode = WAL;"
                                       "PRAGMA wal_autocheckpoint = 4000;"
                                       "PRAGMA journal_size_limit = 33554432;"
                                       "PRAGMA cache_size = -65536;"
                                       "PRAGMA secure_delete = OFF;"
                                       "PRAGMA temp_store = MEMORY;";

    sqlite3_busy_timeout(s->db, BUSY_MS);
    if (s->read_only)
        return sqlite_exec(s, "PRAGMA query_only = ON", err);
    if (sqlite_exec(s, PRAGMAS, err) < 0)
        return err->code;
    return sqlite_exec(s, s->sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = OFF", err);
}

static int prepare_all(struct sqlite_views *s, struct err *err)
{
    for (size_t i = 0; i < SQL_N_STMTS; i++)
        if (sqlite3_prepare_v3(s->db, STATEMENTS[i], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[i],
                               NULL) != SQLITE_OK)
            return sqlite_fail(s, err, "preparing");
    return 0;
}

static struct views *sqlite_open(const struct views_options *options, struct err *err)
{
    struct sqlite_views *s = mem_zalloc(1, sizeof(*s));
    bool memory = strcmp(options->url, ":memory:") == 0;
    int flags =
        options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

    s->lock_fd = -1;
    copy_options(s, options);
    if (!memory && !s->read_only && take_lock(s, err) < 0)
        goto fail;
    if (sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        err_set(err, s->read_only ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s", s->path,
                s->db ? sqlite3_errmsg(s->db) : "out of memory");
        goto fail;
    }
    sqlite3_extended_result_codes(s->db, 1);
    if (set_pragmas(s, err) < 0)
        goto fail;
    if (sqlite_functions_add(s->db) != SQLITE_OK) {
        sqlite_fail(s, err, "adding functions");
        goto fail;
    }
    if (!s->read_only && (sqlite_schema_create(s, err) < 0 || prepare_all(s, err) < 0 ||
                          sqlite_ledger_load(s, err) < 0))
        goto fail;
    return &s->base;

fail:
    sqlite_close(&s->base);
    return NULL;
}

static void sqlite_cancel(struct views *v)
{
    struct sqlite_views *s = sqlite_views(v);

    atomic_store(&s->cancelled, true);
    sqlite3_interrupt(s->db);
}

/* ---- Incarnation ---- */

static int sqlite_incarnation(struct views *v, char ret[UUID_TEXT_LEN + 1], bool *ret_announced,
                              struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);
    struct buf value = BUF_INIT;

    if (sqlite_meta_get(s, "announced", &value, err) < 0)
        goto out;
    *ret_announced = strcmp(buf_str(&value), "1") == 0;
    if (sqlite_meta_get(s, "incarnation", &value, err) < 0)
        goto out;
    if (value.len && !uuid_valid(value.data)) {
        err_set(err, ERR_CORRUPT, "%s: the incarnation \"%s\" is no UUID", s->path, value.data);
        goto out;
    }
    snprintf(ret, UUID_TEXT_LEN + 1, "%s", buf_str(&value));
    buf_release(&value);
    return 0;

out:
    buf_release(&value);
    return err->code;
}

static int sqlite_incarnation_set(struct views *v, const char *id, struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);
    char old[UUID_TEXT_LEN + 1];
    bool announced;

    if (sqlite_incarnation(v, old, &announced, err) < 0)
        return err->code;
    if (*old && strcmp(old, id) != 0)
        return err_set(err, ERR_CONFLICT, "%s belongs to incarnation %s, not %s", s->path, old, id);
    return sqlite_meta_put(s, "incarnation", id, err);
}

static int sqlite_announce(struct views *v, struct err *err)
{
    return sqlite_meta_put(sqlite_views(v), "announced", "1", err);
}

/* ---- Queries ---- */

#define QUERY_COLUMNS_MAX 128

static int sqlite_query(struct views *v, const char *sql, views_query_fn fn, void *ctx,
                        struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);
    sqlite3_stmt *stmt = NULL;
    const char *names[QUERY_COLUMNS_MAX], *values[QUERY_COLUMNS_MAX];
    int code = 0, rc;

    if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return sqlite_fail(s, err, "query");
    int n = sqlite3_column_count(stmt);
    if (n > QUERY_COLUMNS_MAX) {
        sqlite3_finalize(stmt);
        return err_set(err, ERR_TOO_LARGE, "query: more than %d columns", QUERY_COLUMNS_MAX);
    }
    for (int i = 0; i < n; i++)
        names[i] = sqlite3_column_name(stmt, i);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && code == 0) {
        for (int i = 0; i < n; i++)
            values[i] = (const char *)sqlite3_column_text(stmt, i);
        code = fn(ctx, (size_t)n, names, values);
    }
    if (code == 0 && rc != SQLITE_DONE)
        code = sqlite_fail(s, err, "query");
    sqlite3_finalize(stmt);
    return code;
}

static int add_name(void *ctx, size_t n, const char *const *names, const char *const *values)
{
    (void)n;
    (void)names;
    buf_printf(ctx, "%s\n", values[0] ? values[0] : "");
    return 0;
}

static int sqlite_names(struct views *v, struct buf *ret, struct err *err)
{
    return sqlite_query(v, "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name",
                        add_name, ret, err);
}

static int sqlite_pin(struct views *v, struct err *err)
{
    /* The snapshot is taken by the first read, so make one. */
    return sqlite_exec(sqlite_views(v), "BEGIN; SELECT count(*) FROM meta", err);
}

static int sqlite_unpin(struct views *v, struct err *err)
{
    return sqlite_exec(sqlite_views(v), "COMMIT", err);
}

/* ---- Feeding: small calls ---- */

static int sqlite_position(struct views *v, enum views_input input, struct buf *ret,
                           struct err *err)
{
    return sqlite_meta_get(sqlite_views(v), SQLITE_POSITION[input], ret, err);
}

static int sqlite_rewound(struct views *v, enum views_input input, uint64_t n, struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);

    if (sqlite_begin(s, err) < 0)
        return err->code;
    s->now.ledger.rewound[input] += n;
    if (sqlite_ledger_store(s, err) < 0) {
        sqlite_rollback(s);
        return err->code;
    }
    return sqlite_commit(s, err);
}

const struct views_backend views_sqlite = {
    .name = "sqlite",

    .open = sqlite_open,
    .close = sqlite_close,
    .apply = sqlite_apply,
    .cancel = sqlite_cancel,

    .incarnation = sqlite_incarnation,
    .incarnation_set = sqlite_incarnation_set,
    .announce = sqlite_announce,
    .wipe = NULL,

    .ingest = sqlite_ingest,
    .position = sqlite_position,
    .rewound = sqlite_rewound,
    .counters = sqlite_counters,

    .poll = sqlite_poll,
    .ack = sqlite_ack,
    .replay = sqlite_replay,

    .columns = sqlite_columns,
    .names = sqlite_names,
    .query = sqlite_query,
    .pin = sqlite_pin,
    .unpin = sqlite_unpin,
    .ledger = sqlite_ledger,
};
