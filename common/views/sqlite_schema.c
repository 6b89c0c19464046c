/*
 * The SQLite engine's tables, and the task's SQL on top of them.
 *
 * The task's files are run in the order of their names. Views, triggers and
 * indexes are written there as plain CREATE: when anything in the files has
 * changed, all of the task's views and triggers are dropped and made again, in
 * one transaction. Tables that the task keeps (running sums, say) are written as
 * CREATE TABLE IF NOT EXISTS, and keep their rows.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "views/sql_files.h"
#include "views/sqlite_internal.h"
#include "views/views_check.h"

#define FORMAT "1" /* of the tables below */

static const char TABLES[] =
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS ledger(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT "
    "ROWID;"
    "CREATE TABLE IF NOT EXISTS requests(n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
    " time_ms INTEGER NOT NULL, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS stored_predictions(n INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,"
    " features TEXT NOT NULL, predictions TEXT NOT NULL, requested_at TEXT, predicted_at TEXT);"
    "CREATE TABLE IF NOT EXISTS outcomes(n INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,"
    " value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS early_outcomes(e INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
    " time_ms INTEGER NOT NULL, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS refused(n INTEGER PRIMARY KEY);"
    "CREATE TABLE IF NOT EXISTS score_sums(slice TEXT NOT NULL, value NOT NULL, model TEXT NOT "
    "NULL,"
    " n INTEGER NOT NULL, abs_error REAL NOT NULL, square_error REAL NOT NULL, error REAL NOT NULL,"
    " PRIMARY KEY(slice, value, model)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS outbox_features(seq INTEGER PRIMARY KEY, key TEXT, value TEXT NOT "
    "NULL);"
    "CREATE TABLE IF NOT EXISTS outbox_learning_queue(seq INTEGER PRIMARY KEY, key TEXT,"
    " value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS outbox_dead_letters(seq INTEGER PRIMARY KEY, key TEXT,"
    " value TEXT NOT NULL);";

int sqlite_schema_create(struct sqlite_views *s, struct err *err)
{
    struct buf format = BUF_INIT;
    int code = sqlite_exec(s, TABLES, err);

    if (code == 0)
        code = sqlite_meta_get(s, "format", &format, err);
    if (code == 0 && format.len == 0)
        code = sqlite_exec(s, "INSERT INTO meta VALUES('format', '" FORMAT "')", err);
    else if (code == 0 && strcmp(format.data, FORMAT) != 0)
        code = err_set(err, ERR_REFUSED,
                       "%s was written by another release (table format %s, this one reads " FORMAT
                       "): use that release, or start with --fresh",
                       s->path, format.data);
    buf_release(&format);
    return code;
}

/* ---- Applying ---- */

static int drop_old(struct sqlite_views *s, struct err *err)
{
    struct buf sql = BUF_INIT;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db,
                                "SELECT format('DROP %s IF EXISTS \"%w\";', type, name)"
                                " FROM sqlite_schema WHERE type IN ('view', 'trigger')"
                                " OR (type = 'index' AND sql IS NOT NULL)",
                                -1, &stmt, NULL);

    while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        buf_text(&sql, (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    int code =
        rc == SQLITE_OK ? sqlite_exec(s, buf_str(&sql), err) : sqlite_fail(s, err, "reading");
    buf_release(&sql);
    return code;
}

static int run_file(struct sqlite_views *s, const struct sql_file *file, struct err *err)
{
    const char *at = buf_str(&file->text);

    while (*at) {
        sqlite3_stmt *stmt = NULL;
        const char *tail = at;

        while (*at == '\n' || *at == ' ' || *at == '\r' || *at == '\t')
            at++;
        int rc = sqlite3_prepare_v2(s->db, at, -1, &stmt, &tail);
        if (rc == SQLITE_OK && stmt) {
            do
                rc = sqlite3_step(stmt);
            while (rc == SQLITE_ROW);
            if (rc == SQLITE_DONE)
                rc = SQLITE_OK;
        }
        sqlite3_finalize(stmt);
        if (rc != SQLITE_OK)
            return err_set(err, ERR_INVALID, "%s/%s: the statement at line %d: %s", s->sql_dir,
                           file->name, sql_file_line(file, at), sqlite3_errmsg(s->db));
        at = tail;
    }
    return 0;
}

static int check_views(struct sqlite_views *s, struct err *err)
{
    const struct views_needs needs = {
        .features_view = "features",
        .sql_dir = s->sql_dir,
        .key = s->key,
        .label = s->label,
        .features = (const char *const *)s->features,
        .n_features = s->n_features,
    };

    return views_check_columns(&s->base, &needs, err);
}

static int prepare_rows(struct sqlite_views *s, struct err *err)
{
    struct buf sql = BUF_INIT;
    int rc;

    sqlite3_finalize(s->features_row);
    sqlite3_finalize(s->learning_row);
    s->features_row = s->learning_row = NULL;

    buf_text(&sql, "SELECT ");
    for (size_t i = 0; i < s->n_features; i++)
        buf_printf(&sql, "%s\"%s\"", i ? ", " : "", s->features[i]);
    buf_printf(&sql, " FROM features WHERE \"%s\" = ?1", s->key);
    rc = sqlite3_prepare_v3(s->db, sql.data, -1, SQLITE_PREPARE_PERSISTENT, &s->features_row, NULL);
    if (rc == SQLITE_OK) {
        buf_clear(&sql);
        buf_printf(&sql, "SELECT * FROM learning_queue WHERE \"%s\" = ?1", s->key);
        rc = sqlite3_prepare_v3(s->db, sql.data, -1, SQLITE_PREPARE_PERSISTENT, &s->learning_row,
                                NULL);
    }
    buf_release(&sql);
    if (rc != SQLITE_OK)
        return sqlite_fail(s, err, "views features and learning_queue");

    s->learning_columns = sqlite3_column_count(s->learning_row);
    free(s->learning_role);
    s->learning_role = mem_zalloc((size_t)s->learning_columns, 1);
    s->learning_predictions = -1;
    for (int i = 0; i < s->learning_columns; i++) {
        const char *name = sqlite3_column_name(s->learning_row, i);
        if (strcmp(name, s->key) == 0)
            s->learning_role[i] = COLUMN_KEY;
        else if (strcmp(name, s->label) == 0) {
            s->learning_role[i] = COLUMN_LABEL;
            s->learning_label = i;
        } else if (strcmp(name, "features") == 0 || strcmp(name, "predictions") == 0)
            s->learning_role[i] = COLUMN_RAW;
        else if (sqlite_scores_is_column(name))
            s->learning_role[i] = COLUMN_PERF;
        if (strcmp(name, "predictions") == 0)
            s->learning_predictions = i;
    }
    return 0;
}

static int apply_files(struct sqlite_views *s, const struct sql_files *files, const char *hash,
                       struct err *err)
{
    if (drop_old(s, err) < 0)
        return err->code;
    for (size_t i = 0; i < files->n; i++)
        if (run_file(s, &files->file[i], err) < 0)
            return err->code;
    if (check_views(s, err) < 0)
        return err->code;
    return sqlite_meta_put(s, "sql_hash", hash, err);
}

int sqlite_apply(struct views *v, bool *ret_changed, struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);
    struct sql_files files = {0};
    struct buf old = BUF_INIT;
    char hash[32];
    int code = sql_files_read(s->sql_dir, &files, err);

    if (code == 0)
        code = sqlite_meta_get(s, "sql_hash", &old, err);
    snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)s->sql_hash);
    bool changed = strcmp(buf_str(&old), hash) != 0;
    if (code == 0 && changed) {
        code = sqlite_begin(s, err);
        if (code == 0) {
            code = apply_files(s, &files, hash, err);
            if (code == 0)
                code = sqlite_commit(s, err);
            else
                sqlite_rollback(s);
        }
    } else if (code == 0)
        code = check_views(s, err);
    if (code == 0)
        code = prepare_rows(s, err);
    if (code == 0)
        code = sqlite_scores_apply(s, hash, err);
    if (code == 0 && ret_changed)
        *ret_changed = changed;
    buf_release(&old);
    sql_files_release(&files);
    return code;
}

/* ---- Columns ---- */

int sqlite_columns(struct views *v, const char *view, struct views_column **ret, size_t *ret_n,
                   struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);
    struct views_column *columns = NULL;
    sqlite3_stmt *stmt = NULL;
    size_t n = 0;
    int rc =
        sqlite3_prepare_v2(s->db, "SELECT name, type FROM pragma_table_info(?1)", -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, view, -1, SQLITE_STATIC);
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
            const char *type = (const char *)sqlite3_column_text(stmt, 1);
            columns = mem_realloc(columns, n + 1, sizeof(*columns));
            columns[n].name = mem_strdup((const char *)sqlite3_column_text(stmt, 0));
            columns[n++].type = mem_strdup(type ? type : "");
        }
    }
    if (rc != SQLITE_DONE) {
        sqlite_fail(s, err, "reading a view's columns");
        err_prefix(err, "view %s", view);
    } else if (n == 0)
        err_set(err, ERR_NOT_FOUND, "there is no view \"%s\": define it in %s", view, s->sql_dir);
    sqlite3_finalize(stmt);
    if (rc != SQLITE_DONE || n == 0) {
        views_columns_free(columns, n);
        return err->code;
    }
    *ret = columns;
    *ret_n = n;
    return 0;
}
