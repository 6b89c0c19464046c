/* What the monitor answers: snapshot, history, breakdown, a model, a request, exports. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "learn/model.h"
#include "monitor/monitor_internal.h"

#define MOVING_LOOKED 20000 /* of the newest requests, for those under way */

/* ---- Snapshot ---- */

static void write_features(const struct schema *features, struct buf *out)
{
    text_put_name(out, "features");
    buf_byte(out, '[');
    for (size_t i = 0; i < schema_size(features); i++) {
        text_next(out);
        buf_byte(out, '{');
        text_put_string(out, "name", schema_name(features, i));
        text_put_string(out, "kind", feature_kind_name(schema_kind(features, i)));
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

void monitor_write_positive(const struct monitor *m, struct buf *out)
{
    const struct label_positive *positive = &m->task->positive;
    struct buf text = BUF_INIT;

    if (positive->type == LABEL_NUMBER)
        json_write_number(&text, positive->number);
    else
        buf_text(&text, positive->type == LABEL_TEXT ? positive->text : "true");
    text_string(out, buf_str(&text));
    buf_release(&text);
}

/* How predictions are judged. */
static void write_metric(const struct monitor *m, struct buf *out)
{
    text_put_string(out, "metric", monitor_metric(m));
    if (!m->task->is_binary)
        return;
    text_put_name(out, "positive");
    monitor_write_positive(m, out);
    text_put_number(out, "threshold", m->task->threshold);
}

static void write_task(const struct monitor *m, struct buf *out)
{
    const struct task *task = m->task;

    text_put_name(out, "task");
    buf_byte(out, '{');
    text_put_string(out, "name", task->name);
    text_put_string(out, "kind", task->kind);
    text_put_string(out, "key", task->key);
    text_put_string(out, "label", task->label);
    text_put_string(out, "unit", task->is_binary ? "" : task->monitor.unit);
    write_metric(m, out);
    text_put_name(out, "label_range");
    buf_byte(out, '[');
    text_number(out, task->label_min);
    buf_byte(out, ',');
    text_number(out, task->label_max);
    buf_byte(out, ']');
    write_features(task->features, out);
    text_put_name(out, "topics");
    buf_byte(out, '{');
    text_put_string(out, "requests", task->topics.requests);
    text_put_string(out, "outcomes", task->topics.outcomes);
    text_put_string(out, "predictions", task->topics.predictions);
    text_put_string(out, "features", task->topics.features);
    text_put_string(out, "learning_queue", task->topics.learning_queue);
    text_put_string(out, "dead_letters", task->topics.dead_letters);
    text_put_string(out, "drift_alarms", task->topics.drift_alarms);
    buf_byte(out, '}');
    text_put_string(out, "bus", task->bus);
    text_put_string(out, "views", task->views);
    text_put_count(out, "refresh_seconds", (uint64_t)task->refresh_seconds);
    text_put_count(out, "score_window", errors_window_size(m->errors));
    text_put_string(out, "noun", task->monitor.noun);
    text_put_string(out, "size", task->monitor.size);
    text_put_name(out, "map");
    if (task->monitor.map_from[0])
        buf_printf(out, "{\"moves\":%s}", monitor_moves(m) ? "true" : "false");
    else
        buf_text(out, "null");
    buf_byte(out, '}');
}

/* Requests that have a prediction, a place, and no end yet; the newest. */
static void write_moving(const struct monitor *m, struct buf *out)
{
    size_t n = 0;

    text_put_name(out, "moving");
    buf_byte(out, '[');
    for (size_t i = 0; i < MOVING_LOOKED && n < MONITOR_MOVING; i++) {
        const struct request *req = requests_newest(m->requests, i);

        if (!req)
            break;
        if (req->predicted_ms == TIME_UNKNOWN || req->ended_ms != TIME_UNKNOWN ||
            !isfinite(req->from[0]))
            continue;
        struct moved moved = {
            .key = req->key,
            .from = {req->from[0], req->from[1]},
            .to = {req->to[0], req->to[1]},
            .time_ms = req->predicted_ms,
            .event_ms = req->event_ms,
            .predicted = req->predicted,
        };
        text_next(out);
        monitor_write_moved(&moved, false, out);
        n++;
    }
    buf_byte(out, ']');
    text_put_count(out, "moving_of",
                   m->counts.in_progress > (int64_t)n ? (uint64_t)m->counts.in_progress : n);
}

static void write_map(const struct monitor *m, struct buf *out)
{
    text_put_name(out, "map");
    if (!m->task->monitor.map_from[0]) {
        buf_text(out, "null");
        return;
    }
    buf_byte(out, '{');
    places_write(&m->places, out);
    write_moving(m, out);
    buf_byte(out, '}');
}

static void write_latest(const struct monitor *m, size_t max, struct buf *out)
{
    buf_byte(out, '[');
    for (size_t i = 0; i < max && i < m->n_latest; i++) {
        text_next(out);
        monitor_write_latest(m, &m->latest[(m->n_latest - 1 - i) % MONITOR_LATEST], out);
    }
    buf_byte(out, ']');
}

void monitor_write_snapshot(struct monitor *m, struct buf *out, uint64_t *ret_id)
{
    pthread_mutex_lock(&m->lock);
    buf_byte(out, '{');
    write_task(m, out);
    text_put_string(out, "version", OXBOW_VERSION);
    text_put_string(out, "incarnation", m->incarnation[0] ? m->incarnation : NULL);
    text_put_time(out, "started_ms", m->started_ms);
    monitor_write_checks(m, out);
    text_put_string(out, "baseline", TASK_BASELINE);
    write_map(m, out);
    text_put_name(out, "latest");
    write_latest(m, MONITOR_LATEST, out);
    text_put_name(out, "marks");
    marks_write_from(&m->marks, 0, true, out);
    text_put_name(out, "tick");
    monitor_write_tick(m, 0, out);
    buf_byte(out, '}');
    *ret_id = m->tick_id;
    pthread_mutex_unlock(&m->lock);
}

/* ---- History and breakdown ---- */

int monitor_write_history(struct monitor *m, const char *range, const char *axis,
                          const char *series, const char *format, struct buf *out, struct err *err)
{
    struct curves_query query = {.now_ms = clock_wall_ms(), .names = series};
    bool csv = format && strcmp(format, "csv") == 0;

    if (!curves_range(range, &query.range_ms))
        return err_set(err, ERR_INVALID, "range is \"%.40s\"; write 5m, 1h, 12h or 7d", range);
    query.by_event = strcmp(axis, "event") == 0;
    if (!query.by_event && strcmp(axis, "wall") != 0)
        return err_set(err, ERR_INVALID, "axis is \"%.40s\"; write wall or event", axis);
    if (format && !csv && strcmp(format, "json") != 0)
        return err_set(err, ERR_INVALID, "format is \"%.40s\"; write csv or json", format);

    pthread_mutex_lock(&m->lock);
    if (csv) {
        curves_write_csv(m->curves, &query, out);
    } else {
        buf_byte(out, '{');
        curves_write(m->curves, &query, out);
        text_put_name(out, "marks");
        marks_write_from(&m->marks, 0, true, out);
        buf_byte(out, '}');
    }
    pthread_mutex_unlock(&m->lock);
    return 0;
}

void monitor_write_breakdown(struct monitor *m, struct buf *out)
{
    const char **models = mem_zalloc(m->task->n_models + 1, sizeof(*models));

    for (size_t i = 0; i < m->task->n_models; i++)
        models[i] = m->task->models[i].name;
    pthread_mutex_lock(&m->lock);
    struct breakdown_names names = {
        .models = models,
        .n_models = m->task->n_models,
        .slices = m->slice_name,
        .n_slices = m->n_slices,
        .is_classes = m->task->is_binary,
        .now_ms = clock_wall_ms(),
    };
    breakdown_write(m->errors, &m->cohorts, &names, out);
    pthread_mutex_unlock(&m->lock);
    free(models);
}

void monitor_write_dead(struct monitor *m, struct buf *out)
{
    pthread_mutex_lock(&m->lock);
    dead_write(&m->dead, m->counts.dead_letters, out);
    pthread_mutex_unlock(&m->lock);
}

void monitor_write_audit(struct monitor *m, struct buf *out)
{
    pthread_mutex_lock(&m->lock);
    if (m->audit.json.len) {
        buf_append(out, buf_str(&m->audit.json), m->audit.json.len);
    } else {
        buf_byte(out, '{');
        text_put_string(out, "state", m->audit.state);
        text_put_time(out, "time_ms", m->audit.time_ms);
        text_put_string(out, "text", m->audit.text);
        text_put_string(out, "in_flight", NULL);
        buf_text(out, ",\"equations\":[]}");
    }
    pthread_mutex_unlock(&m->lock);
}

/* ---- One model ---- */

void monitor_model_version(struct monitor *m, const char *name, struct buf *ret)
{
    size_t i = monitor_model_index(m, name);

    pthread_mutex_lock(&m->lock);
    const struct beat_model *beat = beats_model(&m->beats, name);
    const struct status_model *status = i < m->task->n_models ? monitor_model_status(m, i) : NULL;
    if (beat && beat->served[0])
        buf_text(ret, beat->served);
    else if (status)
        buf_text(ret, status->version);
    pthread_mutex_unlock(&m->lock);
}

int monitor_write_model(struct monitor *m, const char *name, const char *state, struct buf *out,
                        struct err *err)
{
    size_t i = monitor_model_index(m, name);

    if (i == m->task->n_models)
        return err_set(err, ERR_NOT_FOUND, "no model is called \"%.64s\" in the task file", name);
    pthread_mutex_lock(&m->lock);
    const struct status_model *status = monitor_model_status(m, i);
    const struct beat_model *beat = beats_model(&m->beats, name);
    buf_byte(out, '{');
    text_put_string(out, "name", name);
    text_put_string(out, "class", status ? status->class_name : NULL);
    text_put_bool(out, "is_baseline", i == monitor_baseline(m));
    text_put_name(out, "pipeline");
    buf_text(out, m->task->models[i].pipeline);
    text_put_string(out, "parameters", m->task->models[i].canonical);
    text_put_string(out, "served_version", beat && beat->served[0] ? beat->served : NULL);
    text_put_name(out, "state");
    buf_text(out, state);
    text_put_name(out, "versions");
    buf_byte(out, '[');
    for (size_t k = 0; k < m->versions[i].n; k++) {
        const char *version = m->versions[i].line[k].version;

        text_next(out);
        buf_text(out, m->versions[i].line[k].json);
        text_put_bool(out, "serving", beat && strcmp(beat->served, version) == 0);
        buf_byte(out, '}');
    }
    buf_text(out, "]}");
    pthread_mutex_unlock(&m->lock);
    return 0;
}

/* ---- One request ---- */

static bool parse_text(const struct request *req, enum requests_text which, struct json_value *ret)
{
    return req->text[which] && json_parse(req->text[which], req->text_len[which], ret, NULL) == 0;
}

/* The message as it came, or null. */
static void put_text(const struct request *req, const char *name, enum requests_text which,
                     struct buf *out)
{
    struct json_value v;

    text_put_name(out, name);
    if (parse_text(req, which, &v))
        buf_append(out, v.text, v.len);
    else
        buf_text(out, "null");
}

/* Anything but [low, high] is no interval. */
static void read_ends(const struct json_value *v, struct issued *ret)
{
    double *const ends[] = {&ret->low, &ret->high};
    struct json_value end;
    struct json_iter it;
    size_t n = 0;

    if (v->type != JSON_ARRAY)
        return;
    json_iter_init(&it, v);
    while (n < 2 && json_next_element(&it, &end) && json_number(&end, ends[n]))
        n++;
}

static void put_prediction(const struct json_value *of, double label, struct buf *out)
{
    struct issued said = issued_alone((double)NAN);
    struct json_value value, version, interval;
    double v = (double)NAN;

    buf_byte(out, '{');
    text_put_name(out, "value");
    if (json_get(of, "value", &value) && json_number(&value, &v))
        json_write_number(out, v);
    else
        buf_text(out, "null");
    text_put_name(out, "version");
    if (json_get(of, "version", &version) && version.type == JSON_STRING)
        buf_append(out, version.text, version.len);
    else
        buf_text(out, "null");
    text_put_number(out, "error", v - label);
    if (json_get(of, "interval", &interval)) {
        read_ends(&interval, &said);
        text_put_interval(out, "interval", &said);
    }
    buf_byte(out, '}');
}

static void put_predictions(const struct request *req, struct buf *out)
{
    struct json_value root, features, predictions, key, of;
    struct json_iter it;
    bool known =
        parse_text(req, REQUESTS_ROW, &root) || parse_text(req, REQUESTS_PREDICTION, &root);

    text_put_name(out, "features");
    if (known && json_get(&root, "features", &features))
        buf_append(out, features.text, features.len);
    else
        buf_text(out, "null");
    text_put_number(out, "label", req->label);
    text_put_name(out, "predictions");
    buf_byte(out, '{');
    if (known && json_get(&root, "predictions", &predictions)) {
        json_iter_init(&it, &predictions);
        while (predictions.type == JSON_OBJECT && json_next_member(&it, &key, &of)) {
            text_next(out);
            buf_append(out, key.text, key.len);
            buf_byte(out, ':');
            put_prediction(&of, req->label, out);
        }
    }
    buf_byte(out, '}');
}

int monitor_write_request(struct monitor *m, const char *key, size_t len, struct buf *out,
                          struct err *err)
{
    pthread_mutex_lock(&m->lock);
    const struct request *req = requests_find(m->requests, key, len);
    if (req) {
        bool kept = false;
        for (int i = 0; i < REQUESTS_N_TEXTS; i++)
            kept = kept || req->text[i];
        buf_byte(out, '{');
        text_put_name(out, "key");
        json_write_string(out, req->key, req->key_len);
        text_put_bool(out, "kept", kept);
        put_text(req, "request", REQUESTS_REQUEST, out);
        put_text(req, "outcome", REQUESTS_OUTCOME, out);
        put_predictions(req, out);
        text_put_name(out, "timeline");
        buf_byte(out, '{');
        text_put_time(out, "requested_ms", req->requested_ms);
        text_put_time(out, "predicted_ms", req->predicted_ms);
        text_put_time(out, "ended_ms", req->ended_ms);
        text_put_time(out, "learned_ms", monitor_learned_at(m, req->seq));
        text_put_time(out, "event_ms", req->event_ms);
        buf_text(out, "}}");
    }
    pthread_mutex_unlock(&m->lock);
    if (!req)
        return err_set(err, ERR_NOT_FOUND,
                       "no %s \"%.80s\" is among those that the monitor has seen lately",
                       m->task->monitor.noun, key);
    return 0;
}

/* ---- Exports ---- */

/* A text as a field of CSV: always in quotes. Spreadsheets take some first characters for a
 * formula: those get a quote of their own before them. */
static void csv_text(struct buf *out, const char *s)
{
    buf_byte(out, '"');
    if (strchr("=+-@\t\r", *s) && *s)
        buf_byte(out, '\'');
    for (; *s; s++) {
        if (*s == '"')
            buf_byte(out, '"');
        buf_byte(out, *s);
    }
    buf_byte(out, '"');
}

static void csv_number(struct buf *out, double v)
{
    buf_byte(out, ',');
    if (isfinite(v))
        json_write_number(out, v);
}

static void csv_time(struct buf *out, int64_t time_ms)
{
    char text[CLOCK_TEXT_LEN + 1];

    if (time_ms == TIME_UNKNOWN)
        return;
    clock_format(time_ms, text);
    buf_text(out, text);
}

static void csv_latest(const struct monitor *m, struct buf *out)
{
    buf_text(out, "key,time,event_time,label,size");
    for (size_t i = 0; i < m->task->n_models; i++) {
        buf_byte(out, ',');
        csv_text(out, m->task->models[i].name);
    }
    buf_text(out, "\r\n");
    for (size_t i = 0; i < MONITOR_LATEST && i < m->n_latest; i++) {
        const struct latest *latest = &m->latest[(m->n_latest - 1 - i) % MONITOR_LATEST];

        csv_text(out, latest->key);
        buf_byte(out, ',');
        csv_time(out, latest->time_ms);
        buf_byte(out, ',');
        csv_time(out, latest->event_ms);
        csv_number(out, latest->label);
        csv_number(out, latest->size);
        for (size_t k = 0; k < m->task->n_models; k++)
            csv_number(out, latest->said[k].value);
        buf_text(out, "\r\n");
    }
}

/* What a score has beside its loss. */
static void csv_score(const struct monitor *m, size_t model, const struct errors_score *score,
                      struct buf *out)
{
    if (m->task->is_binary) {
        csv_number(out, m->pr_auc[model]);
        csv_number(out, score->base_rate);
        csv_number(out, score->accuracy);
        csv_number(out, score->precision);
        csv_number(out, score->recall);
        csv_number(out, score->f1);
        csv_number(out, (double)score->alerts);
    } else {
        csv_number(out, score->rmse);
        csv_number(out, score->bias);
    }
}

static void csv_models(const struct monitor *m, struct buf *out)
{
    const char *metric = monitor_metric(m);

    buf_printf(out, "model,class,version,learned,%s,%s_served,window,window_%s,low,high,%s\r\n",
               metric, metric, metric,
               m->task->is_binary ? "pr_auc,base_rate,accuracy,precision,recall,f1,alerts"
                                  : "rmse,bias");
    for (size_t i = 0; i < m->task->n_models; i++) {
        const struct status_model *status = monitor_model_status(m, i);
        struct errors_score score;

        errors_score(m->errors, i, &score);
        csv_text(out, m->task->models[i].name);
        buf_byte(out, ',');
        csv_text(out, status ? status->class_name : "");
        buf_byte(out, ',');
        csv_text(out, status ? status->version : "");
        csv_number(out, status ? (double)status->learned : (double)NAN);
        csv_number(out, monitor_all_rows(m, i));
        csv_number(out, monitor_all_served(m, i));
        csv_number(out, (double)score.n);
        csv_number(out, score.loss);
        csv_number(out, score.low);
        csv_number(out, score.high);
        csv_score(m, i, &score, out);
        buf_text(out, "\r\n");
    }
}

int monitor_write_export(struct monitor *m, const char *what, const char *format, struct buf *out,
                         struct err *err)
{
    bool csv = strcmp(format, "csv") == 0;
    bool latest = strcmp(what, "latest") == 0;

    if (!csv && strcmp(format, "json") != 0)
        return err_set(err, ERR_INVALID, "format is \"%.40s\"; write csv or json", format);
    if (!latest && strcmp(what, "models") != 0)
        return err_set(err, ERR_INVALID, "what is \"%.40s\"; write history, latest or models",
                       what);
    pthread_mutex_lock(&m->lock);
    if (csv && latest)
        csv_latest(m, out);
    else if (csv)
        csv_models(m, out);
    else if (latest)
        write_latest(m, MONITOR_LATEST, out);
    else
        monitor_write_models(m, out);
    pthread_mutex_unlock(&m->lock);
    return 0;
}
