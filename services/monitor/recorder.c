/* Keeping curves in SQLite. A point's values are floats in the order of the series' numbers. */
#include "monitor/recorder.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "monitor/text.h"

#define TIDY_MS   60000 /* between two removals of old points */
#define PLACES_MS 10000 /* between two saves of the map and of the newest errors */

static const char TABLES[] =
    "CREATE TABLE IF NOT EXISTS kept(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS series(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE IF NOT EXISTS points(tier INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " event_ms INTEGER, value BLOB NOT NULL, PRIMARY KEY(tier, time_ms)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS marks(id TEXT PRIMARY KEY, n INTEGER NOT NULL, json TEXT NOT NULL)"
    " WITHOUT ROWID;";

enum sql { ADD_POINT, ADD_SERIES, ADD_MARK, PUT, GET, N_SQL };

static const char *const SQL[N_SQL] = {
    [ADD_POINT] = "INSERT OR REPLACE INTO points VALUES(?1, ?2, ?3, ?4)",
    [ADD_SERIES] = "INSERT OR IGNORE INTO series VALUES(?1, ?2)",
    [ADD_MARK] = "INSERT OR IGNORE INTO marks VALUES(?1, ?2, ?3)",
    [PUT] = "INSERT OR REPLACE INTO kept VALUES(?1, ?2)",
    [GET] = "SELECT value FROM kept WHERE name = ?1",
};

struct recorder {
    char *path;
    recorder_warn_fn warn;
    sqlite3 *db; /* NULL: keeps nothing */
    sqlite3_stmt *stmt[N_SQL];
    bool in_transaction;
    bool has_failed; /* it was said */
    size_t n_series; /* of which the names are kept */
    uint64_t next_mark;
    int64_t tidied_ms, placed_ms;
};

static void say(struct recorder *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct recorder *r, const char *fmt, ...)
{
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (r->warn)
        r->warn(text);
}

/* ---- Opening ---- */

static void close_db(struct recorder *r)
{
    for (int i = 0; i < N_SQL; i++) {
        sqlite3_finalize(r->stmt[i]);
        r->stmt[i] = NULL;
    }
    sqlite3_close(r->db);
    r->db = NULL;
    r->in_transaction = false;
}

static int is_sound(void *ctx, int n, char **values, char **names)
{
    (void)names;
    *(bool *)ctx = n > 0 && values[0] && strcmp(values[0], "ok") == 0;
    return 0;
}

/* An SQLite code. `SQLITE_CORRUPT` and `SQLITE_NOTADB`: the file is damaged. */
static int open_db(struct recorder *r)
{
    bool sound = false;
    int rc = sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

    /* Nobody else reads it: the lock says that another monitor has it. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(r->db,
                          "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                          "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE; COMMIT",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(r->db, "PRAGMA quick_check(1)", is_sound, &sound, NULL);
    if (rc == SQLITE_OK && !sound)
        rc = SQLITE_CORRUPT;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(r->db, TABLES, NULL, NULL, NULL);
    for (int i = 0; i < N_SQL && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(r->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &r->stmt[i], NULL);
    return rc;
}

static void set_aside(struct recorder *r)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct buf from = BUF_INIT, to = BUF_INIT;

        buf_printf(&from, "%s%s", r->path, parts[i]);
        buf_printf(&to, "%s.damaged-%lld%s", r->path, (long long)now_ms, parts[i]);
        if (rename(buf_str(&from), buf_str(&to)) == 0 && i == 0)
            say(r, "%s is damaged: set aside as %s, the curves begin anew", r->path, buf_str(&to));
        buf_release(&from);
        buf_release(&to);
    }
}

static bool is_damage(int rc)
{
    return (rc & 0xFF) == SQLITE_CORRUPT || (rc & 0xFF) == SQLITE_NOTADB;
}

static void begin_file(struct recorder *r)
{
    int rc = open_db(r);

    if (is_damage(rc)) {
        close_db(r);
        set_aside(r);
        rc = open_db(r);
    }
    if (rc == SQLITE_OK)
        return;
    if ((rc & 0xFF) == SQLITE_BUSY)
        say(r, "another oxbow-monitor keeps its curves in %s: this one keeps none", r->path);
    else
        say(r, "%s: %s: the curves are not kept over a restart", r->path, sqlite3_errstr(rc));
    close_db(r);
}

struct recorder *recorder_open(const char *path, recorder_warn_fn warn)
{
    struct recorder *r = mem_zalloc(1, sizeof(*r));

    r->path = mem_strdup(path);
    r->warn = warn;
    begin_file(r);
    return r;
}

bool recorder_keeps(const struct recorder *r)
{
    return r->db != NULL;
}

/* ---- Writing ---- */

/* After a failure: what is not written is lost, and said once; a damaged file is begun anew. */
static void failed(struct recorder *r, int rc)
{
    if (is_damage(rc)) {
        close_db(r);
        set_aside(r);
        begin_file(r);
        r->n_series = 0;
        r->next_mark = 0;
        return;
    }
    if (!r->has_failed)
        say(r, "%s: %s: what is drawn now is missing after a restart", r->path, sqlite3_errstr(rc));
    r->has_failed = true;
    if (r->in_transaction)
        sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
    r->in_transaction = false;
}

/* Runs a statement that has its values, within the transaction. */
static void run(struct recorder *r, sqlite3_stmt *stmt)
{
    int rc = SQLITE_OK;

    if (!r->in_transaction)
        rc = sqlite3_exec(r->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        r->in_transaction = true;
        rc = sqlite3_step(stmt);
    }
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    if (rc != SQLITE_DONE)
        failed(r, rc);
}

void recorder_point(void *recorder, const struct curves_point *point)
{
    struct recorder *r = recorder;

    if (!r->db)
        return;
    sqlite3_stmt *stmt = r->stmt[ADD_POINT];
    sqlite3_bind_int(stmt, 1, point->tier);
    sqlite3_bind_int64(stmt, 2, point->time_ms);
    if (point->event_ms != TIME_UNKNOWN)
        sqlite3_bind_int64(stmt, 3, point->event_ms);
    sqlite3_bind_blob64(stmt, 4, point->value, point->n * sizeof(float), SQLITE_TRANSIENT);
    run(r, stmt);
}

void recorder_put(struct recorder *r, const char *name, const void *data, size_t len)
{
    if (!r->db)
        return;
    sqlite3_stmt *stmt = r->stmt[PUT];
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_blob64(stmt, 2, data, len, SQLITE_TRANSIENT);
    run(r, stmt);
}

bool recorder_get(struct recorder *r, const char *name, struct buf *ret)
{
    bool found = false;

    if (!r->db)
        return false;
    sqlite3_stmt *stmt = r->stmt[GET];
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_TRANSIENT);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        buf_append(ret, sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
        found = true;
    }
    sqlite3_reset(stmt);
    return found;
}

static void add_series(struct recorder *r, struct monitor *m)
{
    const char *name;

    while (r->db && (name = monitor_series_name(m, r->n_series))) {
        sqlite3_stmt *stmt = r->stmt[ADD_SERIES];
        sqlite3_bind_int64(stmt, 1, (sqlite3_int64)r->n_series++);
        sqlite3_bind_text(stmt, 2, name, -1, SQLITE_TRANSIENT);
        run(r, stmt);
    }
}

static void add_marks(struct recorder *r, struct monitor *m)
{
    struct buf lines = BUF_INIT;
    struct buf id = BUF_INIT;
    uint64_t n = r->next_mark;

    r->next_mark = monitor_new_marks(m, r->next_mark, &lines);
    for (const char *at = buf_str(&lines); r->db && *at; at = strchr(at, '\n') + 1, n++) {
        int len = (int)strcspn(at, "\n");
        struct json_value root, v;

        buf_clear(&id);
        if (json_parse(at, (size_t)len, &root, NULL) != 0 || !json_get(&root, "id", &v) ||
            !json_string(&v, &id))
            continue;
        sqlite3_stmt *stmt = r->stmt[ADD_MARK];
        sqlite3_bind_text(stmt, 1, buf_str(&id), -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(stmt, 2, clock_wall_ms());
        sqlite3_bind_text(stmt, 3, at, len, SQLITE_TRANSIENT);
        run(r, stmt);
    }
    buf_release(&lines);
    buf_release(&id);
}

static void tidy(struct recorder *r, int64_t now_ms)
{
    char sql[200];

    for (int tier = 0; tier < CURVES_TIERS && r->db; tier++) {
        snprintf(sql, sizeof(sql), "DELETE FROM points WHERE tier = %d AND time_ms < %lld", tier,
                 (long long)(now_ms - CURVES_TIER[tier].kept_ms));
        sqlite3_exec(r->db, sql, NULL, NULL, NULL);
    }
    snprintf(sql, sizeof(sql),
             "DELETE FROM marks WHERE id NOT IN (SELECT id FROM marks ORDER BY n DESC LIMIT %d)",
             MARKS_MAX);
    sqlite3_exec(r->db, sql, NULL, NULL, NULL);
}

void recorder_commit(struct recorder *r, struct monitor *m, int64_t now_ms)
{
    if (!r->db)
        return;
    add_series(r, m);
    add_marks(r, m);
    if (now_ms - r->placed_ms >= PLACES_MS) {
        struct buf places = BUF_INIT, errors = BUF_INIT;
        char incarnation[UUID_TEXT_LEN + 1];

        monitor_save_places(m, &places);
        if (places.len)
            recorder_put(r, "places", places.data, places.len);
        monitor_save_errors(m, &errors);
        recorder_put(r, "errors", errors.data, errors.len);
        monitor_incarnation(m, incarnation);
        recorder_put(r, "incarnation", incarnation, strlen(incarnation));
        buf_release(&places);
        buf_release(&errors);
        r->placed_ms = now_ms;
    }
    if (r->in_transaction && now_ms - r->tidied_ms >= TIDY_MS) {
        tidy(r, now_ms);
        r->tidied_ms = now_ms;
    }
    if (!r->in_transaction)
        return;
    int rc = sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL);
    r->in_transaction = rc != SQLITE_OK;
    if (rc != SQLITE_OK)
        failed(r, rc);
    else
        r->has_failed = false;
}

void recorder_close(struct recorder *r)
{
    if (!r)
        return;
    if (r->in_transaction)
        sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL);
    close_db(r);
    free(r->path);
    free(r);
}

/* ---- Restoring ---- */

static sqlite3_stmt *prepare(struct recorder *r, const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    return sqlite3_prepare_v2(r->db, sql, -1, &stmt, NULL) == SQLITE_OK ? stmt : NULL;
}

static const char *text_at(sqlite3_stmt *stmt, int column)
{
    const unsigned char *text = sqlite3_column_text(stmt, column);

    return text ? (const char *)text : "";
}

static void restore_series(struct recorder *r, struct monitor *m)
{
    sqlite3_stmt *stmt = prepare(r, "SELECT number, name FROM series ORDER BY number");

    while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        /* Numbers are given from 0 up, in this order: a file in which they are not is not ours. */
        if (monitor_series(m, text_at(stmt, 1)) != sqlite3_column_int(stmt, 0))
            break;
        r->n_series++;
    }
    sqlite3_finalize(stmt);
}

/* Coarse tiers first: curves_restore() makes their open points out of the seconds. */
static void restore_points(struct recorder *r, struct monitor *m, int64_t now_ms)
{
    sqlite3_stmt *stmt = prepare(r, "SELECT tier, time_ms, event_ms, value FROM points"
                                    " ORDER BY tier DESC, time_ms");

    while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        struct curves_point point = {
            .tier = sqlite3_column_int(stmt, 0),
            .time_ms = sqlite3_column_int64(stmt, 1),
            .event_ms = sqlite3_column_type(stmt, 2) == SQLITE_NULL ? TIME_UNKNOWN
                                                                    : sqlite3_column_int64(stmt, 2),
            .n = (size_t)sqlite3_column_bytes(stmt, 3) / sizeof(float),
        };
        if (point.tier < 0 || point.tier >= CURVES_TIERS || point.n > CURVES_MAX_SERIES ||
            point.time_ms > now_ms || point.time_ms < now_ms - CURVES_TIER[point.tier].kept_ms)
            continue;
        float *value = mem_zalloc(point.n + 1, sizeof(*value));
        if (point.n)
            memcpy(value, sqlite3_column_blob(stmt, 3), point.n * sizeof(*value));
        point.value = value;
        monitor_restore_point(m, &point);
        free(value);
    }
    sqlite3_finalize(stmt);
}

static char *member(const struct json_value *object, const char *name)
{
    struct buf text = BUF_INIT;
    struct json_value v;

    if (!json_get(object, name, &v) || !json_string(&v, &text)) {
        buf_release(&text);
        return NULL;
    }
    return buf_detach(&text);
}

static int64_t member_time(const struct json_value *object, const char *name)
{
    struct json_value v;
    int64_t n;

    return json_get(object, name, &v) && json_int(&v, &n) ? n : TIME_UNKNOWN;
}

static void restore_mark(struct monitor *m, const char *json)
{
    struct json_value root;

    if (json_parse(json, strlen(json), &root, NULL) != 0)
        return;
    struct mark mark = {
        .id = member(&root, "id"),
        .kind = member(&root, "kind"),
        .model = member(&root, "model"),
        .feature = member(&root, "feature"),
        .text = member(&root, "text"),
        .time_ms = member_time(&root, "time_ms"),
        .event_ms = member_time(&root, "event_ms"),
        .until_ms = member_time(&root, "until_ms"),
    };
    if (mark.id && mark.kind)
        monitor_mark(m, &mark);
    free(mark.id);
    free(mark.kind);
    free(mark.model);
    free(mark.feature);
    free(mark.text);
}

static void restore_marks(struct recorder *r, struct monitor *m)
{
    sqlite3_stmt *stmt = prepare(r, "SELECT json FROM marks ORDER BY n");
    struct buf ignored = BUF_INIT;

    while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
        restore_mark(m, text_at(stmt, 0));
    sqlite3_finalize(stmt);
    r->next_mark = monitor_new_marks(m, 0, &ignored);
    buf_release(&ignored);
}

void recorder_restore(struct recorder *r, struct monitor *m, int64_t now_ms)
{
    struct buf places = BUF_INIT, errors = BUF_INIT, incarnation = BUF_INIT;

    if (!r->db)
        return;
    restore_series(r, m);
    restore_points(r, m, now_ms);
    restore_marks(r, m);
    if (recorder_get(r, "places", &places))
        monitor_restore_places(m, places.data, places.len);
    if (recorder_get(r, "incarnation", &incarnation) && uuid_valid(buf_str(&incarnation)))
        monitor_begin(m, buf_str(&incarnation), now_ms);
    if (recorder_get(r, "errors", &errors))
        monitor_restore_errors(m, errors.data, errors.len);
    buf_release(&places);
    buf_release(&errors);
    buf_release(&incarnation);
    monitor_resume(m, now_ms);
}
