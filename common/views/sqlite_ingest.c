/*
 * Events into rows: one transaction a batch.
 *
 * A request gets the next number n, and its row of view features at once. A
 * prediction is kept if it is the first for its request. An outcome is kept under
 * its request's n; without a request it waits in early_outcomes. As soon as
 * request, prediction and outcome are all there, view learning_queue has a row,
 * which goes out with the next seq.
 */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/dead_letter.h"
#include "base/json.h"
#include "base/num.h"
#include "views/sqlite_internal.h"

#define KEY_MAX 1024

static void bind_text(sqlite3_stmt *stmt, int i, const char *text, size_t len)
{
    sqlite3_bind_text(stmt, i, text, (int)len, SQLITE_STATIC);
}

/* ---- Dead letters ---- */

static int dead_letter(struct sqlite_views *s, const struct views_event *ev, int64_t now_ms,
                       const char *reason, struct err *err)
{
    struct buf out = BUF_INIT, position = BUF_INIT;
    struct dead_letter letter = {
        .service = "views",
        .topic = s->topic_names[ev->input],
        .reason = reason,
        .key = ev->key,
        .key_len = ev->key_len < KEY_MAX ? ev->key_len : KEY_MAX,
        .value = ev->value,
        .value_len = ev->value_len,
        .at_ms = now_ms,
    };

    if (s->position_text && ev->origin)
        s->position_text(s->position_ctx, ev->origin, &position);
    letter.position = buf_str(&position);
    dead_letter_write(&letter, &out);

    bool key_ok = ev->key && ev->key_len <= KEY_MAX && json_utf8_valid(ev->key, ev->key_len);
    int code = sqlite_outbox_put(s, VIEWS_DEAD_LETTERS, key_ok ? ev->key : NULL,
                                 key_ok ? ev->key_len : 0, &out, err);
    s->now.ledger.dead_letters++;
    buf_release(&out);
    buf_release(&position);
    return code;
}

/* Checks what all inputs share. Sets *ret_reason to why the event is dead, or to NULL. */
static void check_event(const struct sqlite_views *s, const struct views_event *ev,
                        struct json_value *ret_root, const char **ret_reason, struct err *why)
{
    *ret_reason = why->text;
    if (!ev->key || ev->key_len == 0)
        err_set(why, ERR_INVALID, "the message has no key: publish it with its %s as key", s->key);
    else if (ev->key_len > KEY_MAX)
        err_set(why, ERR_INVALID, "the key is over %d bytes", KEY_MAX);
    else if (memchr(ev->key, '\0', ev->key_len) || !json_utf8_valid(ev->key, ev->key_len))
        err_set(why, ERR_INVALID, "the key is not UTF-8 text");
    else if (!ev->value)
        err_set(why, ERR_INVALID, "the message has no value");
    else if ((int64_t)ev->value_len > s->max_event_bytes)
        err_set(why, ERR_INVALID, "the value has %zu bytes; max_event_bytes is %lld", ev->value_len,
                (long long)s->max_event_bytes);
    else if (json_parse(ev->value, ev->value_len, ret_root, why) < 0)
        err_prefix(why, "the value is not JSON");
    else if (ret_root->type != JSON_OBJECT)
        err_set(why, ERR_INVALID, "the value is not a JSON object");
    else
        *ret_reason = NULL;
}

/* ---- Rows ---- */

static void write_column(struct buf *out, sqlite3_stmt *stmt, int i)
{
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        json_write_int(out, sqlite3_column_int64(stmt, i));
        break;
    case SQLITE_FLOAT:
        json_write_number(out, sqlite3_column_double(stmt, i));
        break;
    case SQLITE_TEXT:
        json_write_string(out, (const char *)sqlite3_column_text(stmt, i),
                          (size_t)sqlite3_column_bytes(stmt, i));
        break;
    default:
        buf_text(out, "null");
    }
}

static void begin_row(struct sqlite_views *s, struct buf *out, enum views_output output)
{
    buf_clear(out);
    buf_text(out, "{\"seq\":");
    json_write_int(out, (int64_t)s->now.seq[output] + 1);
    buf_byte(out, ',');
}

static void write_key(struct sqlite_views *s, struct buf *out, const char *key, size_t key_len)
{
    json_write_string(out, s->key, strlen(s->key));
    buf_byte(out, ':');
    json_write_string(out, key, key_len);
}

/* 1: the row went out; 0: view features has none for this key. */
static int emit_features(struct sqlite_views *s, const struct views_event *ev, struct err *err)
{
    sqlite3_stmt *stmt = s->features_row;
    struct buf *out = &s->scratch;
    char requested_at[CLOCK_TEXT_LEN + 1];
    int code = 0;

    bind_text(stmt, 1, ev->key, ev->key_len);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        begin_row(s, out, VIEWS_FEATURES);
        write_key(s, out, ev->key, ev->key_len);
        clock_format(ev->time_ms, requested_at);
        buf_text(out, ",\"requested_at\":\"");
        buf_append(out, requested_at, CLOCK_TEXT_LEN);
        buf_text(out, "\",\"features\":{");
        for (size_t i = 0; i < s->n_features; i++) {
            if (i)
                buf_byte(out, ',');
            json_write_name(out, s->features[i]);
            write_column(out, stmt, (int)i);
        }
        buf_text(out, "}}");
    } else if (rc != SQLITE_DONE)
        code = sqlite_fail(s, err, "view features");
    sqlite3_reset(stmt);
    if (rc == SQLITE_ROW)
        code = sqlite_outbox_put(s, VIEWS_FEATURES, ev->key, ev->key_len, out, err);
    return code < 0 ? code : rc == SQLITE_ROW;
}

enum emitted { NOT_COMPLETE, EMITTED, BAD_LABEL };

static bool read_binary_label(const struct sqlite_views *s, sqlite3_stmt *row, double *ret)
{
    int type = sqlite3_column_type(row, s->learning_label);

    if (type == SQLITE_TEXT)
        return label_of_text(s->positive, (const char *)sqlite3_column_text(row, s->learning_label),
                             (size_t)sqlite3_column_bytes(row, s->learning_label), ret);
    return (type == SQLITE_INTEGER || type == SQLITE_FLOAT) &&
           label_of_number(s->positive, sqlite3_column_double(row, s->learning_label), ret);
}

bool sqlite_label(const struct sqlite_views *s, sqlite3_stmt *row, double *ret)
{
    int type = sqlite3_column_type(row, s->learning_label);
    double label = sqlite3_column_double(row, s->learning_label);

    if (s->positive)
        return read_binary_label(s, row, ret);
    *ret = label;
    return (type == SQLITE_INTEGER || type == SQLITE_FLOAT) && isfinite(label) &&
           label >= s->label_min && label <= s->label_max;
}

static void write_learning(struct sqlite_views *s, struct buf *out, sqlite3_stmt *stmt)
{
    begin_row(s, out, VIEWS_LEARNING_QUEUE);
    for (int i = 0, n = 0; i < s->learning_columns; i++) {
        if (s->learning_role[i] == COLUMN_PERF)
            continue;
        if (n++)
            buf_byte(out, ',');
        json_write_name(out, sqlite3_column_name(stmt, i));
        if (s->learning_role[i] == COLUMN_RAW && sqlite3_column_type(stmt, i) == SQLITE_TEXT)
            buf_append(out, sqlite3_column_text(stmt, i), (size_t)sqlite3_column_bytes(stmt, i));
        else
            write_column(out, stmt, i);
    }
    buf_byte(out, '}');
}

/* Sends the labelled row of `key` if view learning_queue has it. */
static int emit_learning(struct sqlite_views *s, const char *key, size_t key_len, enum emitted *ret,
                         struct err *err)
{
    sqlite3_stmt *stmt = s->learning_row;
    struct buf *out = &s->scratch;
    int code = 0;

    bind_text(stmt, 1, key, key_len);
    int rc = sqlite3_step(stmt);
    *ret = NOT_COMPLETE;
    if (rc == SQLITE_ROW) {
        double label;

        *ret = sqlite_label(s, stmt, &label) ? EMITTED : BAD_LABEL;
        if (*ret == EMITTED) {
            write_learning(s, out, stmt);
            sqlite_scores_add(s, stmt, label);
        }
    } else if (rc != SQLITE_DONE)
        code = sqlite_fail(s, err, "view learning_queue");
    sqlite3_reset(stmt);
    if (code == 0 && *ret == EMITTED)
        code = sqlite_outbox_put(s, VIEWS_LEARNING_QUEUE, key, key_len, out, err);
    if (code < 0)
        return code;
    s->now.ledger.outcomes_emitted += *ret == EMITTED;
    s->now.ledger.outcomes_bad_label += *ret == BAD_LABEL;
    return 0;
}

/* ---- The three inputs ---- */

/* *ret: whether a one-column statement with parameter n has a row. */
static int has(struct sqlite_views *s, enum sqlite_stmt_id id, int64_t n, bool *ret,
               struct err *err)
{
    sqlite3_stmt *stmt = s->stmt[id];

    sqlite3_bind_int64(stmt, 1, n);
    int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sqlite_fail(s, err, "reading");
    *ret = rc == SQLITE_ROW;
    return 0;
}

/* The number of the request with this key; 0 when there is none. */
static int find_request(struct sqlite_views *s, const struct views_event *ev, int64_t *ret,
                        struct err *err)
{
    sqlite3_stmt *stmt = s->stmt[SQL_REQUEST_FIND];

    bind_text(stmt, 1, ev->key, ev->key_len);
    int rc = sqlite3_step(stmt);
    *ret = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : sqlite_fail(s, err, "reading");
}

/* A new outcome of request n. */
static int put_outcome(struct sqlite_views *s, int64_t n, int64_t time_ms, const char *value,
                       size_t value_len, bool *ret_new, struct err *err)
{
    sqlite3_stmt *stmt = s->stmt[SQL_OUTCOME_ADD];

    sqlite3_bind_int64(stmt, 1, n);
    sqlite3_bind_int64(stmt, 2, time_ms);
    bind_text(stmt, 3, value, value_len);
    if (sqlite_run(s, SQL_OUTCOME_ADD, err) < 0)
        return err->code;
    *ret_new = sqlite3_changes(s->db) > 0;
    return 0;
}

/* The outcome of request n has just been stored: does it complete the row, or wait? */
static int outcome_stored(struct sqlite_views *s, const struct views_event *ev, int64_t n,
                          struct err *err)
{
    bool refused = false, predicted = false;
    enum emitted emitted;

    if (s->now.refused && has(s, SQL_REFUSED_HAS, n, &refused, err) < 0)
        return err->code;
    if (refused) {
        s->now.ledger.outcomes_refused++;
        return 0;
    }
    if (emit_learning(s, ev->key, ev->key_len, &emitted, err) < 0)
        return err->code;
    if (emitted != NOT_COMPLETE)
        return 0;
    if (has(s, SQL_PREDICTION_HAS, n, &predicted, err) < 0)
        return err->code;
    /* Predicted, and yet no row: the task's SQL leaves it out, so there is no label. */
    if (predicted)
        s->now.ledger.outcomes_bad_label++;
    else
        s->now.ledger.outcomes_waiting++;
    return 0;
}

/* An outcome that came before its request is the request's from now on. */
static int adopt_early(struct sqlite_views *s, const struct views_event *ev, int64_t n,
                       bool refused, struct err *err)
{
    sqlite3_stmt *stmt = s->stmt[SQL_EARLY_FIND];
    bool is_new = false;
    int64_t e = 0;
    int code = 0;

    bind_text(stmt, 1, ev->key, ev->key_len);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        e = sqlite3_column_int64(stmt, 0);
        code = put_outcome(s, n, sqlite3_column_int64(stmt, 1),
                           (const char *)sqlite3_column_text(stmt, 2),
                           (size_t)sqlite3_column_bytes(stmt, 2), &is_new, err);
    } else if (rc != SQLITE_DONE)
        code = sqlite_fail(s, err, "reading");
    sqlite3_reset(stmt);
    if (code < 0 || !e)
        return code;
    sqlite3_bind_int64(s->stmt[SQL_EARLY_DROP], 1, e);
    if (sqlite_run(s, SQL_EARLY_DROP, err) < 0)
        return err->code;
    s->now.early--;
    if (refused) {
        s->now.ledger.outcomes_waiting--;
        s->now.ledger.outcomes_refused++;
    }
    return 0;
}

static int refuse_request(struct sqlite_views *s, const struct views_event *ev, int64_t n,
                          int64_t now_ms, struct err *err)
{
    sqlite3_bind_int64(s->stmt[SQL_REFUSED_ADD], 1, n);
    if (sqlite_run(s, SQL_REFUSED_ADD, err) < 0)
        return err->code;
    s->now.refused++;
    s->now.ledger.requests_refused++;
    return dead_letter(s, ev, now_ms,
                       "view features has no row for it: a field that the view needs is missing or "
                       "of another type",
                       err);
}

static int ingest_request(struct sqlite_views *s, const struct views_event *ev, int64_t now_ms,
                          struct err *err)
{
    sqlite3_stmt *stmt = s->stmt[SQL_REQUEST_ADD];
    int64_t n = s->now.last_n + 1;

    sqlite3_bind_int64(stmt, 1, n);
    bind_text(stmt, 2, ev->key, ev->key_len);
    sqlite3_bind_int64(stmt, 3, ev->time_ms);
    bind_text(stmt, 4, ev->value, ev->value_len);
    if (sqlite_run(s, SQL_REQUEST_ADD, err) < 0)
        return err->code;
    if (sqlite3_changes(s->db) == 0) {
        s->now.ledger.requests_duplicate++;
        return 0;
    }
    s->now.last_n = n;
    s->now.ledger.requests_new++;

    int emitted = emit_features(s, ev, err);
    if (emitted < 0)
        return emitted;
    if (!emitted && refuse_request(s, ev, n, now_ms, err) < 0)
        return err->code;
    if (emitted)
        s->now.ledger.requests_pending++;
    return s->now.early ? adopt_early(s, ev, n, !emitted, err) : 0;
}

static int ingest_prediction(struct sqlite_views *s, const struct views_event *ev,
                             const struct json_value *root, int64_t now_ms, struct err *err)
{
    struct json_value features, predictions, requested, predicted;
    sqlite3_stmt *stmt = s->stmt[SQL_PREDICTION_ADD];
    struct views_ledger *ledger = &s->now.ledger;
    bool refused = false, waiting = false;
    enum emitted emitted;
    int64_t n;

    if (!json_get(root, "features", &features) || features.type != JSON_OBJECT ||
        !json_get(root, "predictions", &predictions) || predictions.type != JSON_OBJECT) {
        ledger->predictions_dead++;
        return dead_letter(s, ev, now_ms,
                           "a prediction needs the objects \"features\" and \"predictions\"", err);
    }
    if (find_request(s, ev, &n, err) < 0 ||
        (n && s->now.refused && has(s, SQL_REFUSED_HAS, n, &refused, err) < 0))
        return err->code;
    if (!n || refused) {
        ledger->predictions_orphan++;
        return 0;
    }

    bool has_requested =
        json_get(root, "requested_at", &requested) && requested.type == JSON_STRING;
    bool has_predicted =
        json_get(root, "predicted_at", &predicted) && predicted.type == JSON_STRING;
    sqlite3_bind_int64(stmt, 1, n);
    sqlite3_bind_int64(stmt, 2, ev->time_ms);
    bind_text(stmt, 3, features.text, features.len);
    bind_text(stmt, 4, predictions.text, predictions.len);
    /* Times hold no escapes: without the quotes. NULL pointers bind NULL. */
    bind_text(stmt, 5, has_requested ? requested.text + 1 : NULL,
              has_requested ? requested.len - 2 : 0);
    bind_text(stmt, 6, has_predicted ? predicted.text + 1 : NULL,
              has_predicted ? predicted.len - 2 : 0);
    if (sqlite_run(s, SQL_PREDICTION_ADD, err) < 0)
        return err->code;
    if (sqlite3_changes(s->db) == 0) {
        ledger->predictions_duplicate++;
        return 0;
    }
    ledger->predictions_first++;
    ledger->requests_predicted++;
    ledger->requests_pending--;
    sqlite_scores_predicted(s, ev->time_ms);

    /* Outcomes of known requests that wait for their prediction are few, most often none. */
    if (ledger->outcomes_waiting <= s->now.early)
        return 0;
    if (has(s, SQL_OUTCOME_HAS, n, &waiting, err) < 0)
        return err->code;
    if (!waiting)
        return 0;
    ledger->outcomes_waiting--;
    if (emit_learning(s, ev->key, ev->key_len, &emitted, err) < 0)
        return err->code;
    ledger->outcomes_bad_label += emitted == NOT_COMPLETE;
    return 0;
}

static int ingest_outcome(struct sqlite_views *s, const struct views_event *ev, struct err *err)
{
    struct views_ledger *ledger = &s->now.ledger;
    bool is_new = false;
    int64_t n;

    if (find_request(s, ev, &n, err) < 0)
        return err->code;
    if (n) {
        if (put_outcome(s, n, ev->time_ms, ev->value, ev->value_len, &is_new, err) < 0)
            return err->code;
        ledger->outcomes_new += is_new;
        ledger->outcomes_duplicate += !is_new;
        return is_new ? outcome_stored(s, ev, n, err) : 0;
    }

    sqlite3_stmt *stmt = s->stmt[SQL_EARLY_ADD];
    bind_text(stmt, 1, ev->key, ev->key_len);
    sqlite3_bind_int64(stmt, 2, ev->time_ms);
    bind_text(stmt, 3, ev->value, ev->value_len);
    if (sqlite_run(s, SQL_EARLY_ADD, err) < 0)
        return err->code;
    is_new = sqlite3_changes(s->db) > 0;
    ledger->outcomes_new += is_new;
    ledger->outcomes_waiting += is_new;
    ledger->outcomes_duplicate += !is_new;
    s->now.early += is_new;
    return 0;
}

static int ingest_event(struct sqlite_views *s, const struct views_event *ev, int64_t now_ms,
                        struct err *err)
{
    struct views_ledger *ledger = &s->now.ledger;
    uint64_t *const read[] = {&ledger->requests_read, &ledger->outcomes_read,
                              &ledger->predictions_read};
    uint64_t *const dead[] = {&ledger->requests_dead, &ledger->outcomes_dead,
                              &ledger->predictions_dead};
    struct json_value root;
    const char *reason;
    struct err why;

    ++*read[ev->input];
    check_event(s, ev, &root, &reason, &why);
    if (reason) {
        ++*dead[ev->input];
        return dead_letter(s, ev, now_ms, reason, err);
    }
    switch (ev->input) {
    case VIEWS_REQUESTS:
        return ingest_request(s, ev, now_ms, err);
    case VIEWS_PREDICTIONS:
        return ingest_prediction(s, ev, &root, now_ms, err);
    default:
        return ingest_outcome(s, ev, err);
    }
}

/* ---- The transaction ---- */

static int put_positions(struct sqlite_views *s, const struct views_position *positions, size_t n,
                         struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (sqlite_meta_put(s, SQLITE_POSITION[positions[i].input], positions[i].position, err) < 0)
            return err->code;
    return 0;
}

static int ingest(struct sqlite_views *s, const struct views_event *events, size_t n,
                  const struct views_position *positions, size_t n_positions, int64_t now_ms,
                  struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (ingest_event(s, &events[i], now_ms, err) < 0)
            return err->code;
    if (sqlite_scores_store(s, err) < 0 || sqlite_retain(s, n, now_ms, err) < 0 ||
        sqlite_outbox_trim(s, n, now_ms, err) < 0 ||
        put_positions(s, positions, n_positions, err) < 0)
        return err->code;
    return sqlite_ledger_store(s, err);
}

int sqlite_ingest(struct views *v, const struct views_event *events, size_t n,
                  const struct views_position *positions, size_t n_positions, int64_t now_ms,
                  struct err *err)
{
    struct sqlite_views *s = sqlite_views(v);
    size_t n_rows = s->fresh.n, text = s->fresh.text.len;

    if (!s->features_row)
        return err_set(err, ERR_UNSUPPORTED, "views_apply() has not been called");
    if (sqlite_begin(s, err) < 0)
        return err->code;
    if (ingest(s, events, n, positions, n_positions, now_ms, err) == 0 &&
        sqlite_commit(s, err) == 0)
        return 0;
    sqlite_rollback(s);
    sqlite_scores_forget(s);
    s->fresh.n = n_rows;
    s->fresh.text.len = text;
    return err->code;
}
