/* What the messages of the bus say, one by one. The lock is held. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "monitor/monitor_internal.h"

#define FRESH_MS 5000 /* an alarm so old or older has no place on the stream's clock of now */

/* ---- Small lists ---- */

static void moved_release(struct moved *moved)
{
    free(moved->key);
    moved->key = NULL;
}

void moves_clear(struct moves *moves)
{
    for (size_t i = 0; i < MONITOR_SAMPLE; i++)
        moved_release(&moves->moved[i]);
    moves->n = 0;
}

static void moves_add(struct moves *moves, const struct request *req, int64_t time_ms)
{
    struct moved *moved = &moves->moved[moves->n++ % MONITOR_SAMPLE];

    moved_release(moved);
    *moved = (struct moved){
        .key = mem_strndup(req->key, req->key_len),
        .from = {req->from[0], req->from[1]},
        .to = {req->to[0], req->to[1]},
        .time_ms = time_ms,
        .event_ms = req->event_ms,
        .predicted = req->predicted,
        .label = req->label,
        .error = req->error,
    };
}

void latest_release(struct latest *latest)
{
    free(latest->key);
    free(latest->said);
    *latest = (struct latest){.key = NULL};
}

/* ---- Requests and outcomes ---- */

/* True when that message of the request has come before: the first one counts. */
static bool has_come(struct request *req, enum requests_text which)
{
    bool was = req->seen & 1U << which;

    req->seen |= 1U << which;
    return was;
}

static double number_of(const struct json_value *object, const char *name)
{
    struct json_value v;
    double n;

    return json_get(object, name, &v) && json_number(&v, &n) ? n : (double)NAN;
}

static void read_pair(const struct json_value *object, char *const name[2], double ret[2])
{
    for (int i = 0; name[0] && i < 2; i++)
        ret[i] = number_of(object, name[i]);
}

static int64_t time_of(const struct json_value *object, const char *name)
{
    struct json_value v;

    return name && json_get(object, name, &v) ? text_read_time(&v) : TIME_UNKNOWN;
}

static bool parse(const struct bus_msg *msg, struct json_value *ret)
{
    return msg->value && json_parse(msg->value, msg->value_len, ret, NULL) == 0 &&
           ret->type == JSON_OBJECT;
}

static void on_request(struct monitor *m, const struct bus_msg *msg)
{
    const struct task_monitor *names = &m->task->monitor;
    struct json_value root;

    if (!msg->key || !msg->key_len || !parse(msg, &root))
        return; /* views makes a dead letter of it */
    struct request *req = requests_put(m->requests, msg->key, msg->key_len);
    if (has_come(req, REQUESTS_REQUEST))
        return;
    requests_keep(m->requests, req, REQUESTS_REQUEST, msg->value, msg->value_len);
    req->requested_ms = msg->time_ms;
    req->event_ms = time_of(&root, names->request_time);
    read_pair(&root, names->map_from, req->from);
    read_pair(&root, names->map_to, req->to);
    places_add(&m->places, req->from[0], req->from[1]);
    if (req->event_ms != TIME_UNKNOWN)
        m->event_ms = req->event_ms;
}

static void on_outcome(struct monitor *m, const struct bus_msg *msg)
{
    struct request *req = msg->key ? requests_find(m->requests, msg->key, msg->key_len) : NULL;

    if (!req || has_come(req, REQUESTS_OUTCOME))
        return;
    requests_keep(m->requests, req, REQUESTS_OUTCOME, msg->value, msg->value_len);
    req->ended_ms = msg->time_ms;
}

/* ---- Predictions and rows ---- */

static void on_prediction(struct monitor *m, const struct bus_msg *msg, int64_t now_ms)
{
    struct json_value root, predictions, of;

    if (!msg->key || !msg->key_len || !parse(msg, &root))
        return;
    struct request *req = requests_put(m->requests, msg->key, msg->key_len);
    if (has_come(req, REQUESTS_PREDICTION))
        return;
    requests_keep(m->requests, req, REQUESTS_PREDICTION, msg->value, msg->value_len);
    monitor_watch_served(m, msg, &root);
    if (req->predicted_ms == TIME_UNKNOWN)
        req->predicted_ms = time_of(&root, "predicted_at");
    if (req->predicted_ms == TIME_UNKNOWN)
        req->predicted_ms = now_ms;
    if (req->requested_ms == TIME_UNKNOWN)
        req->requested_ms = time_of(&root, "requested_at");
    if (json_get(&root, "predictions", &predictions) &&
        json_get(&predictions, m->task->models[monitor_best(m)].name, &of))
        req->predicted = number_of(&of, "value");
    cohorts_predicted(&m->cohorts, req->predicted_ms);
    if (isnan(req->label))
        moves_add(&m->started, req, req->predicted_ms);
}

/* When the request was made, by its own clock: as it said, or as the stream's speed tells. */
static int64_t event_of(const struct monitor *m, const struct request *req, int64_t now_ms)
{
    if (req->event_ms != TIME_UNKNOWN)
        return req->event_ms;
    if (m->event_ms == TIME_UNKNOWN || req->requested_ms == TIME_UNKNOWN || isnan(m->speed))
        return TIME_UNKNOWN;
    return m->event_ms - (int64_t)((double)(now_ms - req->requested_ms) * m->speed);
}

static void add_latest(struct monitor *m, const struct request *req, double size, int64_t now_ms)
{
    size_t n = m->task->n_models;
    struct latest *latest = &m->latest[m->n_latest++ % MONITOR_LATEST];

    latest_release(latest);
    *latest = (struct latest){
        .key = mem_strndup(req->key, req->key_len),
        .time_ms = req->ended_ms != TIME_UNKNOWN ? req->ended_ms : now_ms,
        .event_ms = req->event_ms,
        .label = req->label,
        .size = size,
        .said = mem_alloc(n * sizeof(struct issued)),
    };
    for (size_t i = 0; i < n; i++)
        latest->said[i] = m->said[i].said;
}

/* Which of the row's intervals held its label. */
static void cover(struct monitor *m, double label)
{
    for (size_t i = 0; i < m->task->n_models; i++) {
        const struct issued *said = &m->said[i].said;
        bool is_inside = said->low <= label && label <= said->high;

        m->cover[i] = !issued_has_interval(said) ? ERRORS_NO_INTERVAL
                      : is_inside                ? ERRORS_INSIDE
                                                 : ERRORS_OUTSIDE;
    }
    errors_cover(m->errors, m->cover);
}

/* Counts a labelled row: m->x and m->served hold its features and what was served. */
static void score(struct monitor *m, struct request *req, double label, int64_t now_ms)
{
    struct errors_row scored = {
        .predicted_ms = req->predicted_ms,
        .event_ms = event_of(m, req, now_ms),
        .label = label,
    };

    const double *said = m->task->is_binary ? m->served : m->error;

    for (size_t i = 0; i < m->task->n_models; i++) {
        m->error[i] = m->served[i] - label;
        m->loss[i] = errors_loss(m->errors, label, said[i]);
    }
    for (size_t i = 0; i < m->n_slices; i++)
        scored.slice[i] = m->x[m->slice[i]];
    errors_add(m->errors, &scored, said);
    cover(m, label);
    cohorts_labelled(&m->cohorts, req->predicted_ms, m->loss);
    req->label = label;
    req->error = m->error[monitor_best(m)];
    add_latest(m, req, m->size_feature >= 0 ? m->x[m->size_feature] : (double)NAN, now_ms);
    moves_add(&m->ended, req, now_ms);
}

static void on_row(struct monitor *m, const struct bus_msg *msg, int64_t now_ms)
{
    struct json_value root;
    struct row row;

    if (!msg->key || !msg->key_len || !parse(msg, &root) ||
        row_reader_read(m->rows, msg->value, msg->value_len, &row, m->x, m->said, NULL) != 0)
        return; /* the learner makes a dead letter of it */
    struct request *req = requests_put(m->requests, msg->key, msg->key_len);
    if (has_come(req, REQUESTS_ROW))
        return;
    for (size_t i = 0; i < m->task->n_models; i++)
        m->served[i] = m->said[i].said.value;
    requests_keep(m->requests, req, REQUESTS_ROW, msg->value, msg->value_len);
    monitor_watch_learned(m, msg, &row, now_ms);
    req->seq = row.seq;
    if (req->requested_ms == TIME_UNKNOWN)
        req->requested_ms = time_of(&root, "requested_at");
    if (req->predicted_ms == TIME_UNKNOWN)
        req->predicted_ms = time_of(&root, "predicted_at");
    if (req->ended_ms == TIME_UNKNOWN)
        req->ended_ms = time_of(&root, "outcome_at");
    if (task_label_ok(m->task, row.label))
        score(m, req, row.label, now_ms);
}

/* ---- Alarms of error drift ---- */

static char *string_of(const struct json_value *object, const char *name)
{
    struct buf text = BUF_INIT;
    struct json_value v;

    if (!json_get(object, name, &v) || !json_string(&v, &text)) {
        buf_release(&text);
        return NULL;
    }
    return buf_detach(&text);
}

/* Its key is its identity, so that one that is read again, after a restart, is not told twice. */
static void on_alarm(struct monitor *m, const struct bus_msg *msg, int64_t now_ms)
{
    struct json_value root;
    struct buf text = BUF_INIT;

    if (!msg->key || !parse(msg, &root))
        return;
    char *model = string_of(&root, "model");
    char *detector = string_of(&root, "detector");
    char *id = mem_strndup(msg->key, msg->key_len);
    int64_t at_ms = time_of(&root, "at");
    buf_printf(&text, "%s: the error of %s went from %.4g to %.4g", detector ? detector : "drift",
               model ? model : "a model", number_of(&root, "mean_before"),
               number_of(&root, "mean_after"));
    bool is_fresh = at_ms == TIME_UNKNOWN || now_ms - at_ms < FRESH_MS;
    struct mark mark = {
        .id = id,
        .kind = (char[]){"error-drift"},
        .model = model,
        .text = text.data,
        .time_ms = at_ms == TIME_UNKNOWN ? now_ms : at_ms,
        .event_ms = is_fresh ? m->event_ms : TIME_UNKNOWN,
        .until_ms = TIME_UNKNOWN,
    };
    monitor_mark_locked(m, &mark);
    free(model);
    free(detector);
    free(id);
    buf_release(&text);
}

void monitor_intake(struct monitor *m, const struct bus_msg *msg, int64_t now_ms)
{
    const struct task *task = m->task;

    if (strcmp(msg->topic, task->topics.requests) == 0)
        on_request(m, msg);
    else if (strcmp(msg->topic, task->topics.outcomes) == 0)
        on_outcome(m, msg);
    else if (strcmp(msg->topic, task->topics.predictions) == 0)
        on_prediction(m, msg, now_ms);
    else if (strcmp(msg->topic, task->topics.learning_queue) == 0)
        on_row(m, msg, now_ms);
    else if (strcmp(msg->topic, task->topics.dead_letters) == 0)
        dead_add(&m->dead, msg->value, msg->value_len, now_ms);
    else if (strcmp(msg->topic, task->topics.drift_alarms) == 0)
        on_alarm(m, msg, now_ms);
}
