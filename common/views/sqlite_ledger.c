/* The ledger: counters kept in the transactions, and terms counted from the rows. */
#include <stdio.h>
#include <stdlib.h>

#include "views/sqlite_internal.h"

/* Terms that are never stored: they are counted, or follow from the rows at start. */
static bool counted(const char *name)
{
    static const char *const COUNTED[] = {"requests_pending", "outcomes_waiting", "features_last",
                                          "learning_queue_last"};

    for (size_t i = 0; i < sizeof(COUNTED) / sizeof(COUNTED[0]); i++)
        if (strcmp(COUNTED[i], name) == 0)
            return true;
    return false;
}

static int load_counters(struct sqlite_views *s, struct views_ledger *ret, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *name;

    if (sqlite3_prepare_v2(s->db, "SELECT value FROM ledger WHERE name = ?1", -1, &stmt, NULL) !=
        SQLITE_OK)
        return sqlite_fail(s, err, "reading the ledger");
    for (size_t i = 0; (name = views_ledger_field(ret, i, NULL)); i++) {
        if (counted(name))
            continue;
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            views_ledger_set(ret, i, (uint64_t)sqlite3_column_int64(stmt, 0));
        sqlite3_reset(stmt);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            sqlite3_finalize(stmt);
            return sqlite_fail(s, err, "reading the ledger");
        }
    }
    sqlite3_finalize(stmt);
    return 0;
}

static int count(struct sqlite_views *s, const char *sql, uint64_t *ret, struct err *err)
{
    int64_t n;

    if (sqlite_int(s, sql, 0, &n, err) < 0)
        return err->code;
    *ret = (uint64_t)n;
    return 0;
}

static int count_rows(struct sqlite_views *s, struct views_ledger *ret, struct err *err)
{
    static const char PENDING[] =
        "SELECT count(*) FROM requests r"
        " WHERE NOT EXISTS (SELECT 1 FROM stored_predictions p WHERE p.n = r.n)"
        " AND NOT EXISTS (SELECT 1 FROM refused f WHERE f.n = r.n)";
    static const char WAITING[] =
        "SELECT (SELECT count(*) FROM early_outcomes) + (SELECT count(*) FROM outcomes o"
        " WHERE NOT EXISTS (SELECT 1 FROM stored_predictions p WHERE p.n = o.n)"
        " AND NOT EXISTS (SELECT 1 FROM refused f WHERE f.n = o.n))";

    if (count(s, PENDING, &ret->requests_pending, err) < 0 ||
        count(s, WAITING, &ret->outcomes_waiting, err) < 0 ||
        count(s, "SELECT max(seq) FROM outbox_features", &ret->features_last, err) < 0 ||
        count(s, "SELECT max(seq) FROM outbox_learning_queue", &ret->learning_queue_last, err) < 0)
        return err->code;
    return 0;
}

int sqlite_ledger_load(struct sqlite_views *s, struct err *err)
{
    struct sqlite_state *now = &s->now;
    struct views_ledger *ledger = &now->ledger;
    int64_t seq;

    if (load_counters(s, ledger, err) < 0)
        return err->code;
    if (count_rows(s, ledger, err) < 0 ||
        sqlite_int(s, "SELECT max(n) FROM requests", 0, &now->last_n, err) < 0 ||
        sqlite_int(s, "SELECT min(n) FROM requests", now->last_n + 1, &now->first_n, err) < 0 ||
        count(s, "SELECT count(*) FROM early_outcomes", &now->early, err) < 0 ||
        count(s, "SELECT count(*) FROM refused", &now->refused, err) < 0)
        return err->code;

    /* Numbers go on even when retention has emptied the table. */
    if (now->last_n < (int64_t)ledger->requests_new) {
        now->last_n = (int64_t)ledger->requests_new;
        now->first_n = now->last_n + 1;
    }
    for (size_t i = 0; i < VIEWS_N_OUTPUTS; i++) {
        char sql[96];
        struct buf acked = BUF_INIT;

        snprintf(sql, sizeof(sql), "SELECT max(seq) FROM %s", SQLITE_OUTBOX[i]);
        if (sqlite_int(s, sql, 0, &seq, err) < 0)
            return err->code;
        now->seq[i] = (uint64_t)seq;
        snprintf(sql, sizeof(sql), "acked_%zu", i);
        if (sqlite_meta_get(s, sql, &acked, err) < 0)
            return err->code;
        s->acked[i] = strtoull(buf_str(&acked), NULL, 10);
        buf_release(&acked);
        now->acked[i] = s->acked[i];
        s->handed[i] = s->acked[i]; /* the rest is handed out again */
    }
    s->stored = *now;
    return 0;
}

int sqlite_ledger_store(struct sqlite_views *s, struct err *err)
{
    sqlite3_stmt *stmt = s->stmt[SQL_LEDGER_PUT];
    const char *name;
    uint64_t value, written;

    for (size_t i = 0; (name = views_ledger_field(&s->now.ledger, i, &value)); i++) {
        views_ledger_field(&s->stored.ledger, i, &written);
        if (value == written || counted(name))
            continue;
        sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        sqlite3_bind_int64(stmt, 2, (int64_t)value);
        if (sqlite_run(s, SQL_LEDGER_PUT, err) < 0)
            return err->code;
    }
    return 0;
}

int sqlite_ledger(struct views *v, struct views_ledger *ret, struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);
    struct views_ledger ledger = {0};
    bool own = sqlite3_get_autocommit(s->db) != 0;

    /* One moment for all of it. */
    if (own && sqlite_exec(s, "BEGIN", err) < 0)
        return err->code;
    int code = load_counters(s, &ledger, err);
    if (code == 0)
        code = count_rows(s, &ledger, err);
    if (own) {
        struct err ignored;
        (void)!sqlite_exec(s, "COMMIT", code ? &ignored : err);
    }
    if (code == 0)
        *ret = ledger;
    return code;
}

int sqlite_counters(struct views *v, struct views_ledger *ret, struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);

    (void)err;
    *ret = s->stored.ledger;
    ret->features_last = s->stored.seq[VIEWS_FEATURES];
    ret->learning_queue_last = s->stored.seq[VIEWS_LEARNING_QUEUE];
    return 0;
}
