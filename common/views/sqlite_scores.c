/*
 * Sums of errors, so that the views about performance answer at once however
 * many rows are kept. The task's view learning_queue says by what they are
 * summed: its columns named perf_<slice> (docs/tasks.md), which do not go out.
 * Here they are collected over a transaction, group by group, and added to the
 * table score_sums at its end: some dozen rows for a thousand trips.
 *
 *   slice        value                       model   n, abs_error, square_error, error
 *   ""           ""                          name    of all labelled requests
 *   <slice>      column perf_<slice>         name    of those with that value
 *   "@labelled"  minute of perf_predicted_ms name    and model "": n labelled requests
 *   "@completed" second of perf_completed_ms name
 *   "@predicted" minute of the prediction    ""      n requests with a first prediction
 *
 * Minutes and seconds are the milliseconds that they begin at, in bus time; old
 * ones are forgotten.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "views/sqlite_internal.h"

#define PREFIX         "perf_"
#define MINUTE_MS      60000
#define SECOND_MS      1000
#define KEEP_MINUTES   1440
#define KEEP_SECONDS   3600
#define VALUE_MAX      64   /* bytes of a slice's value that tell it from others */
#define ROWS_AT_ONCE   1000 /* of which the groups are kept in memory */
#define GROUPS_MAX     16   /* that one row belongs to */
#define MODELS_MAX     128  /* names that are scored; there is no end to what a message may name */
#define PREDICTION_MAX 1e15 /* what is beyond is scored by no engine: its square could overflow */

struct score_sums {
    int64_t n;
    double abs_error;
    double square_error;
    double error;
};

struct score_group {
    const char *slice; /* borrowed: a constant, or in struct sqlite_scores */
    bool is_time;
    int64_t time;         /* is_time: the value */
    char text[VALUE_MAX]; /* else */
    int64_t n;            /* requests, under model "" */
    struct score_sums by_model[MODELS_MAX];
};

struct sqlite_scores {
    char *model[MODELS_MAX];
    size_t n_models;
    char **slice; /* by column of learning_row: its slice, or NULL */
    size_t n_columns;
    struct score_group *group; /* of the open transaction */
    size_t n, cap;
    sqlite3_stmt *add, *forget;
};

/* ---- Groups ---- */

static struct score_group *find_group(struct sqlite_scores *sc, const char *slice, bool is_time,
                                      int64_t time, const char *text)
{
    for (size_t i = sc->n; i-- > 0;) {
        struct score_group *g = &sc->group[i];

        if (g->slice == slice && (is_time ? g->time == time : strcmp(g->text, text) == 0))
            return g;
    }
    if (sc->n == sc->cap) {
        sc->cap = sc->cap ? 2 * sc->cap : 16;
        sc->group = mem_realloc(sc->group, sc->cap, sizeof(*sc->group));
    }
    struct score_group *g = &sc->group[sc->n++];
    *g = (struct score_group){.slice = slice, .is_time = is_time, .time = time};
    snprintf(g->text, sizeof(g->text), "%s", text);
    return g;
}

static const char ALL[] = "";
static const char LABELLED[] = "@labelled";
static const char COMPLETED[] = "@completed";
static const char PREDICTED[] = "@predicted";

static int64_t floor_to(int64_t ms, int64_t unit)
{
    return ms - ms % unit;
}

/* The index of a model, which in message after message stands at the same place; MODELS_MAX when
 * there are too many. */
static size_t find_model(struct sqlite_scores *sc, size_t hint, const struct json_value *name)
{
    struct buf text = BUF_INIT;

    if (hint < sc->n_models && json_is(name, sc->model[hint], strlen(sc->model[hint])))
        return hint;
    for (size_t i = 0; i < sc->n_models; i++)
        if (json_is(name, sc->model[i], strlen(sc->model[i])))
            return i;
    if (sc->n_models == MODELS_MAX || !json_string(name, &text))
        return MODELS_MAX;
    sc->model[sc->n_models] = buf_detach(&text);
    return sc->n_models++;
}

/* The prediction in a model's answer, as number_at(answer, 'value') has it. */
static bool read_value(const struct json_value *answer, double *ret)
{
    struct json_value v;

    if (answer->type != JSON_OBJECT || !json_get(answer, "value", &v))
        return false;
    if (v.type == JSON_TRUE || v.type == JSON_FALSE)
        *ret = v.type == JSON_TRUE;
    else if (!json_number(&v, ret))
        return false;
    return fabs(*ret) <= PREDICTION_MAX;
}

/* The groups that a row of learning_queue belongs to: their places in sc->group. */
static size_t groups_of(struct sqlite_scores *sc, sqlite3_stmt *row, size_t *ret, size_t max)
{
    size_t n = 0;

    ret[n++] = (size_t)(find_group(sc, ALL, false, 0, "") - sc->group);
    for (size_t i = 0; i < sc->n_columns && n < max; i++) {
        const char *slice = sc->slice[i];
        struct score_group *g;

        if (!slice || sqlite3_column_type(row, (int)i) == SQLITE_NULL)
            continue;
        if (strcmp(slice, "predicted_ms") == 0)
            g = find_group(sc, LABELLED, true,
                           floor_to(sqlite3_column_int64(row, (int)i), MINUTE_MS), "");
        else if (strcmp(slice, "completed_ms") == 0)
            g = find_group(sc, COMPLETED, true,
                           floor_to(sqlite3_column_int64(row, (int)i), SECOND_MS), "");
        else
            g = find_group(sc, slice, false, 0, (const char *)sqlite3_column_text(row, (int)i));
        ret[n++] = (size_t)(g - sc->group);
    }
    return n;
}

void sqlite_scores_add(struct sqlite_views *s, sqlite3_stmt *row, double label)
{
    struct sqlite_scores *sc = s->scores;
    const char *text = (const char *)sqlite3_column_text(row, s->learning_predictions);
    size_t group[GROUPS_MAX];
    struct json_value predictions = {JSON_OBJECT, text, 0};
    struct json_value key;
    struct json_value answer;
    struct json_iter it;

    if (!sc->n_columns || !text || *text != '{')
        return;
    predictions.len = (size_t)sqlite3_column_bytes(row, s->learning_predictions);
    size_t n = groups_of(sc, row, group, GROUPS_MAX);
    for (size_t i = 0; i < n; i++)
        sc->group[group[i]].n++;
    json_iter_init(&it, &predictions);
    for (size_t place = 0; json_next_member(&it, &key, &answer); place++) {
        double value;
        size_t m = read_value(&answer, &value) ? find_model(sc, place, &key) : MODELS_MAX;

        if (m == MODELS_MAX)
            continue;
        double error = value - label;
        for (size_t i = 0; i < n; i++) {
            struct score_sums *sums = &sc->group[group[i]].by_model[m];
            sums->n++;
            sums->abs_error += fabs(error);
            sums->square_error += error * error;
            sums->error += error;
        }
    }
}

void sqlite_scores_predicted(struct sqlite_views *s, int64_t time_ms)
{
    struct sqlite_scores *sc = s->scores;

    if (sc->n_columns)
        find_group(sc, PREDICTED, true, floor_to(time_ms, MINUTE_MS), "")->n++;
}

/* ---- The table ---- */

static int write_sums(struct sqlite_views *s, const struct score_group *g, const char *model,
                      const struct score_sums *sums, struct err *err)
{
    sqlite3_stmt *stmt = s->scores->add;

    sqlite3_bind_text(stmt, 1, g->slice, -1, SQLITE_STATIC);
    if (g->is_time)
        sqlite3_bind_int64(stmt, 2, g->time);
    else
        sqlite3_bind_text(stmt, 2, g->text, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, model, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, sums->n);
    sqlite3_bind_double(stmt, 5, sums->abs_error);
    sqlite3_bind_double(stmt, 6, sums->square_error);
    sqlite3_bind_double(stmt, 7, sums->error);
    int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? 0 : sqlite_fail(s, err, "adding up scores");
}

static int write_group(struct sqlite_views *s, const struct score_group *g, struct err *err)
{
    const struct score_sums requests = {.n = g->n};
    int rc = g->is_time ? write_sums(s, g, "", &requests, err) : 0;

    for (size_t m = 0; m < s->scores->n_models && rc == 0; m++)
        if (g->by_model[m].n)
            rc = write_sums(s, g, s->scores->model[m], &g->by_model[m], err);
    return rc;
}

static int forget(struct sqlite_views *s, const char *slice, int64_t before_ms, struct err *err)
{
    sqlite3_stmt *stmt = s->scores->forget;

    sqlite3_bind_text(stmt, 1, slice, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, before_ms);
    int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? 0 : sqlite_fail(s, err, "forgetting scores");
}

int sqlite_scores_store(struct sqlite_views *s, struct err *err)
{
    struct sqlite_scores *sc = s->scores;
    int64_t newest[2] = {0, 0}; /* minute, second */
    int rc = 0;

    for (size_t i = 0; i < sc->n && rc == 0; i++) {
        const struct score_group *g = &sc->group[i];
        int64_t *at = &newest[g->slice == COMPLETED];

        rc = write_group(s, g, err);
        if (g->is_time && g->time > *at)
            *at = g->time;
    }
    if (rc == 0 && newest[0])
        rc = forget(s, LABELLED, newest[0] - KEEP_MINUTES * MINUTE_MS, err);
    if (rc == 0 && newest[0])
        rc = forget(s, PREDICTED, newest[0] - KEEP_MINUTES * MINUTE_MS, err);
    if (rc == 0 && newest[1])
        rc = forget(s, COMPLETED, newest[1] - KEEP_SECONDS * SECOND_MS, err);
    sc->n = 0;
    return rc;
}

void sqlite_scores_forget(struct sqlite_views *s)
{
    s->scores->n = 0;
}

/* ---- Lifecycle ---- */

static void release_columns(struct sqlite_scores *sc)
{
    for (size_t i = 0; i < sc->n_columns; i++)
        free(sc->slice[i]);
    free(sc->slice);
    sc->slice = NULL;
    sc->n_columns = 0;
}

void sqlite_scores_free(struct sqlite_views *s)
{
    struct sqlite_scores *sc = s->scores;

    if (!sc)
        return;
    sqlite3_finalize(sc->add);
    sqlite3_finalize(sc->forget);
    release_columns(sc);
    for (size_t i = 0; i < sc->n_models; i++)
        free(sc->model[i]);
    free(sc->group);
    free(sc);
    s->scores = NULL;
}

bool sqlite_scores_is_column(const char *name)
{
    return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

static int prepare(struct sqlite_views *s, struct err *err)
{
    struct sqlite_scores *sc = s->scores;
    int rc = sqlite3_prepare_v3(
        s->db,
        "INSERT INTO score_sums(slice, value, model, n, abs_error, square_error, error)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(slice, value, model) DO UPDATE"
        " SET n = n + excluded.n, abs_error = abs_error + excluded.abs_error,"
        " square_error = square_error + excluded.square_error, error = error + excluded.error",
        -1, SQLITE_PREPARE_PERSISTENT, &sc->add, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(s->db, "DELETE FROM score_sums WHERE slice = ?1 AND value < ?2", -1,
                                SQLITE_PREPARE_PERSISTENT, &sc->forget, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_fail(s, err, "table score_sums");
}

/* Adds up the rows that are kept, in one pass: once after the SQL has changed. */
static int add_kept(struct sqlite_views *s, struct err *err)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT * FROM learning_queue", -1, &row, NULL);

    int code = rc == SQLITE_OK ? 0 : sqlite_fail(s, err, "view learning_queue");

    for (size_t i = 1; code == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW; i++) {
        double label;

        if (sqlite_label(s, row, &label))
            sqlite_scores_add(s, row, label);
        if (i % ROWS_AT_ONCE == 0)
            code = sqlite_scores_store(s, err);
    }
    if (code == 0 && rc != SQLITE_DONE)
        code = sqlite_fail(s, err, "view learning_queue");
    sqlite3_finalize(row);
    if (code == 0)
        code = sqlite_exec(s,
                           "INSERT INTO score_sums SELECT '@predicted', time_ms / 60000 * 60000,"
                           " '', count(*), 0, 0, 0 FROM stored_predictions GROUP BY 2",
                           err);
    return code;
}

static int begin_anew(struct sqlite_views *s, const char *hash, struct err *err)
{
    int code = sqlite_begin(s, err);

    if (code < 0)
        return code;
    code = sqlite_exec(s, "DELETE FROM score_sums", err);
    if (code == 0)
        code = add_kept(s, err);
    if (code == 0)
        code = sqlite_scores_store(s, err);
    if (code == 0)
        code = sqlite_meta_put(s, "scores_hash", hash, err);
    if (code == 0)
        return sqlite_commit(s, err);
    sqlite_scores_forget(s);
    sqlite_rollback(s);
    return code;
}

int sqlite_scores_apply(struct sqlite_views *s, const char *hash, struct err *err)
{
    struct sqlite_scores *sc = s->scores;
    struct buf old = BUF_INIT;
    bool is_wanted = false;

    if (!sc)
        sc = s->scores = mem_zalloc(1, sizeof(*sc));
    release_columns(sc);
    for (int i = 0; i < s->learning_columns; i++)
        is_wanted = is_wanted || s->learning_role[i] == COLUMN_PERF;
    if (!is_wanted || s->learning_predictions < 0)
        return 0;

    sc->n_columns = (size_t)s->learning_columns;
    sc->slice = mem_zalloc(sc->n_columns, sizeof(*sc->slice));
    for (int i = 0; i < s->learning_columns; i++)
        if (s->learning_role[i] == COLUMN_PERF)
            sc->slice[i] = mem_strdup(sqlite3_column_name(s->learning_row, i) + strlen(PREFIX));
    if (!sc->add && prepare(s, err) < 0)
        return err->code;
    int code = sqlite_meta_get(s, "scores_hash", &old, err);
    if (code == 0 && strcmp(buf_str(&old), hash) != 0)
        code = begin_anew(s, hash, err);
    buf_release(&old);
    return code;
}
