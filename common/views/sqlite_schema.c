/*
 * The SQLite engine's tables, and the task's SQL on top of them.
 *
 * The task's files are run in the order of their names. Views, triggers and
 * indexes are written there as plain CREATE: when anything in the files has
 * changed, all of the task's views and triggers are dropped and made again, in
 * one transaction. Tables that the task keeps (running sums, say) are written as
 * CREATE TABLE IF NOT EXISTS, and keep their rows.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "views/sqlite_internal.h"

#define FORMAT    "1" /* of the tables below */
#define SQL_MAX   (1 << 20)
#define SQL_FILES 256

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

/* ---- The task's files ---- */

struct sql_file {
    char *name;
    struct buf text;
};

struct sql_files {
    struct sql_file *file;
    size_t n;
};

static void files_release(struct sql_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        free(files->file[i].name);
        buf_release(&files->file[i].text);
    }
    free(files->file);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sql_file *)a)->name, ((const struct sql_file *)b)->name);
}

static int read_file(const char *dir, struct sql_file *file, struct err *err)
{
    struct buf path = BUF_INIT;
    int code = 0;

    buf_printf(&path, "%s/%s", dir, file->name);
    FILE *f = fopen(path.data, "re");
    if (!f)
        code = err_set(err, ERR_IO, "cannot read %s: %s", path.data, strerror(errno));
    else {
        size_t n = fread(buf_reserve(&file->text, SQL_MAX), 1, SQL_MAX, f);
        file->text.len = n;
        file->text.data[n] = '\0';
        if (n == SQL_MAX)
            code = err_set(err, ERR_TOO_LARGE, "%s is over 1 MB", path.data);
        fclose(f);
    }
    buf_release(&path);
    return code;
}

static int files_read(const char *dir, struct sql_files *files, struct err *err)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    int code = 0;

    if (!d)
        return err_set(err, ERR_NOT_FOUND, "cannot read the task's SQL in %s: %s", dir,
                       strerror(errno));
    files->file = mem_zalloc(SQL_FILES, sizeof(*files->file));
    while ((entry = readdir(d)) && files->n < SQL_FILES) {
        size_t len = strlen(entry->d_name);
        if (len > 4 && strcmp(entry->d_name + len - 4, ".sql") == 0)
            files->file[files->n++].name = mem_strdup(entry->d_name);
    }
    closedir(d);
    if (files->n == 0)
        return err_set(err, ERR_NOT_FOUND, "%s holds no .sql file", dir);
    qsort(files->file, files->n, sizeof(*files->file), by_name);

    for (size_t i = 0; i < files->n && code == 0; i++)
        code = read_file(dir, &files->file[i], err);
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

static int line_of(const struct buf *text, const char *at)
{
    int line = 1;

    for (const char *p = text->data; p < at; p++)
        line += *p == '\n';
    return line;
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
                           file->name, line_of(&file->text, at), sqlite3_errmsg(s->db));
        at = tail;
    }
    return 0;
}

static void columns_list(const struct views_column *columns, size_t n, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n && len + 2 < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s", i ? ", " : "", columns[i].name);
}

/* The view must have these columns. */
static int need_columns(struct sqlite_views *s, const char *view, const char *const *names,
                        size_t n, struct err *err)
{
    struct views_column *columns = NULL;
    size_t n_columns = 0;

    if (sqlite_columns(&s->base, view, &columns, &n_columns, err) < 0)
        return err->code;
    int code = 0;
    for (size_t i = 0; i < n && code == 0; i++) {
        bool found = false;
        for (size_t j = 0; j < n_columns; j++)
            found = found || strcmp(columns[j].name, names[i]) == 0;
        if (!found) {
            char have[256];
            columns_list(columns, n_columns, have, sizeof(have));
            code =
                err_set(err, ERR_INVALID,
                        "view %s in %s has no column \"%s\" (it has %s): add it there, or take it "
                        "out of the task file",
                        view, s->sql_dir, names[i], have);
        }
    }
    views_columns_free(columns, n_columns);
    return code;
}

static int check_views(struct sqlite_views *s, struct err *err)
{
    const char *const learning[] = {s->key, s->label, "features", "predictions"};
    const char *const key[] = {s->key};
    const char **features = mem_zalloc(s->n_features, sizeof(*features));

    for (size_t i = 0; i < s->n_features; i++)
        features[i] = s->features[i];
    int code = need_columns(s, "features", key, 1, err);
    if (code == 0)
        code = need_columns(s, "features", features, s->n_features, err);
    if (code == 0)
        code =
            need_columns(s, "learning_queue", learning, sizeof(learning) / sizeof(*learning), err);
    free(features);
    return code;
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
    for (int i = 0; i < s->learning_columns; i++) {
        const char *name = sqlite3_column_name(s->learning_row, i);
        if (strcmp(name, s->key) == 0)
            s->learning_role[i] = COLUMN_KEY;
        else if (strcmp(name, s->label) == 0) {
            s->learning_role[i] = COLUMN_LABEL;
            s->learning_label = i;
        } else if (strcmp(name, "features") == 0 || strcmp(name, "predictions") == 0)
            s->learning_role[i] = COLUMN_RAW;
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
    int code = files_read(s->sql_dir, &files, err);

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
    if (code == 0 && ret_changed)
        *ret_changed = changed;
    buf_release(&old);
    files_release(&files);
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
