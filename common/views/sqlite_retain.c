/*
 * Forgetting: rows beyond the retention go in the order in which they came, a
 * range of n at a time, as part of the transactions that bring new ones. What
 * was still open among them is counted as expired.
 */
#include "views/sqlite_internal.h"

#define AGE_CHECK_MS 1000

/* Rows forgotten in one transaction, beyond as many as came in with it. */
#define RETAIN_CHUNK 512

static int count_range(struct sqlite_views *s, enum sqlite_stmt_id id, int64_t from, int64_t to,
                       uint64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = s->stmt[id];

    sqlite3_bind_int64(stmt, 1, from);
    sqlite3_bind_int64(stmt, 2, to);
    int rc = sqlite3_step(stmt);
    *ret = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW ? 0 : sqlite_fail(s, err, "retention");
}

static int forget_until(struct sqlite_views *s, int64_t upto, struct err *err)
{
    static const enum sqlite_stmt_id DROPS[] = {SQL_DROP_REQUESTS, SQL_DROP_PREDICTIONS,
                                                SQL_DROP_OUTCOMES, SQL_DROP_REFUSED};
    struct views_ledger *ledger = &s->now.ledger;
    uint64_t pending = 0, waiting = 0, refused = 0;

    if ((ledger->requests_pending &&
         count_range(s, SQL_EXPIRE_PENDING, s->now.first_n, upto, &pending, err) < 0) ||
        (ledger->outcomes_waiting > s->now.early &&
         count_range(s, SQL_EXPIRE_WAITING, s->now.first_n, upto, &waiting, err) < 0) ||
        (s->now.refused &&
         count_range(s, SQL_EXPIRE_REFUSED, s->now.first_n, upto, &refused, err) < 0))
        return err->code;
    for (size_t i = 0; i < sizeof(DROPS) / sizeof(DROPS[0]); i++) {
        sqlite3_bind_int64(s->stmt[DROPS[i]], 1, upto);
        if (sqlite_run(s, DROPS[i], err) < 0)
            return err->code;
    }
    ledger->requests_pending -= pending;
    ledger->requests_expired += pending;
    ledger->outcomes_waiting -= waiting;
    ledger->outcomes_expired += waiting;
    s->now.refused -= refused;
    s->now.first_n = upto + 1;
    return 0;
}

/* Outcomes that wait for a request for too long, or of which there are too many. */
static int forget_early(struct sqlite_views *s, int64_t limit, int64_t oldest_ms, struct err *err)
{
    sqlite3_stmt *stmt = s->stmt[SQL_DROP_EARLY];
    int64_t newest = 0;

    if (sqlite_int(s, "SELECT max(e) FROM early_outcomes", 0, &newest, err) < 0)
        return err->code;
    sqlite3_bind_int64(stmt, 1, limit);
    sqlite3_bind_int64(stmt, 2, oldest_ms);
    sqlite3_bind_int64(stmt, 3, newest - s->retention_rows);
    if (sqlite_run(s, SQL_DROP_EARLY, err) < 0)
        return err->code;
    uint64_t gone = (uint64_t)sqlite3_changes(s->db);
    s->now.early -= gone;
    s->now.ledger.outcomes_waiting -= gone;
    s->now.ledger.outcomes_expired += gone;
    return 0;
}

/* By rows in every transaction, by age once a second. */
int sqlite_retain(struct sqlite_views *s, size_t n_events, int64_t now_ms, struct err *err)
{
    int64_t limit = (int64_t)n_events + RETAIN_CHUNK;
    int64_t upto = s->now.last_n - s->retention_rows;

    /* In chunks: a range costs less than its rows one by one. */
    if (upto - s->now.first_n + 1 < RETAIN_CHUNK)
        upto = s->now.first_n - 1;
    else if (upto >= s->now.first_n + limit)
        upto = s->now.first_n + limit - 1;

    if (now_ms >= s->next_age_ms) {
        int64_t oldest_ms = now_ms - s->retention_seconds * 1000;
        sqlite3_stmt *stmt = s->stmt[SQL_AGE];

        sqlite3_bind_int64(stmt, 1, s->now.first_n);
        sqlite3_bind_int64(stmt, 2, limit);
        sqlite3_bind_int64(stmt, 3, oldest_ms);
        int rc = sqlite3_step(stmt);
        int64_t aged = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
        sqlite3_reset(stmt);
        if (rc != SQLITE_ROW)
            return sqlite_fail(s, err, "retention");
        if (aged > upto)
            upto = aged;
        /* A full chunk was too old: go on with the next transaction. */
        if (aged < s->now.first_n + limit - 1)
            s->next_age_ms = now_ms + AGE_CHECK_MS;
        if (s->now.early && forget_early(s, limit, oldest_ms, err) < 0)
            return err->code;
    }
    return upto >= s->now.first_n ? forget_until(s, upto, err) : 0;
}
