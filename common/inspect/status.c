/* Reading heartbeats. */
#include "status.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "task/task.h"

/* ---- One service each ---- */

static void read_views(const struct json_value *status, int64_t time_ms, struct status *s)
{
    struct json_value ledger;

    if (!json_get(status, "ledger", &ledger))
        return;
    s->ledger_ms = time_ms;
    views_ledger_hide_all(&s->ledger); /* what the engine hides is null */
    const char *name;
    struct json_value v;
    for (size_t i = 0; (name = views_ledger_field(&s->ledger, i, NULL)); i++)
        if (json_get(&ledger, name, &v) && v.type != JSON_NULL)
            views_ledger_know(&s->ledger, name, json_get_count(&ledger, name));
}

/* null where the model has no detector. */
static void read_drift(const struct json_value *model, struct status_model *m)
{
    struct json_value drift;
    struct json_value newest;

    if (!json_get(model, "drift", &drift))
        return;
    json_get_text(&drift, "detector", m->detector, sizeof(m->detector));
    m->alarms = json_get_count(&drift, "alarms");
    if (json_get(&drift, "newest", &newest))
        json_get_text(&newest, "at", m->alarm_at, sizeof(m->alarm_at));
}

static void read_learner(const struct json_value *status, struct status *s)
{
    struct json_value models;
    struct json_value key;
    struct json_value v;
    struct json_iter it;

    if (!json_get(status, "models", &models))
        return;
    json_iter_init(&it, &models);
    while (json_next_member(&it, &key, &v) && s->n_models < STATUS_MAX_MODELS) {
        struct status_model *m = &s->model[s->n_models++];
        struct buf name = BUF_INIT;
        *m = (struct status_model){0};
        if (json_string(&key, &name))
            snprintf(m->name, sizeof(m->name), "%s", buf_str(&name));
        buf_release(&name);
        json_get_text(&v, "version", m->version, sizeof(m->version));
        json_get_text(&v, "class", m->class_name, sizeof(m->class_name));
        m->position = json_get_count(&v, "position");
        m->learned = json_get_count(&v, "learned");
        m->serving = json_get_bool(&v, "serving");
        m->caught_up = json_get_bool(&v, "caught_up");
        m->mae = json_get_number(&v, "mae");
        m->mae_window = json_get_number(&v, "mae_window");
        m->mae_served = json_get_number(&v, "mae_served");
        m->is_binary = json_get(&v, "log_loss", &(struct json_value){0});
        m->log_loss = json_get_number(&v, "log_loss");
        m->log_loss_window = json_get_number(&v, "log_loss_window");
        m->log_loss_served = json_get_number(&v, "log_loss_served");
        m->n_intervals = json_get_count(&v, "n_intervals");
        m->interval_coverage = json_get_number(&v, "interval_coverage");
        m->interval_coverage_window = json_get_number(&v, "interval_coverage_window");
        m->interval_width = json_get_number(&v, "interval_width");
        read_drift(&v, m);
    }
}

static struct status_model *model_of(struct status *s, const struct json_value *key)
{
    for (size_t i = 0; i < s->n_models; i++)
        if (json_is(key, s->model[i].name, strlen(s->model[i].name)))
            return &s->model[i];
    return NULL;
}

/* Which versions answer. Only for models that a learner has told of. */
static void read_served(const struct json_value *beat, struct status *s)
{
    struct json_value status;
    struct json_value models;
    struct json_value key;
    struct json_value v;
    struct json_iter it;

    if (!json_get(beat, "status", &status) || !json_get(&status, "models", &models))
        return;
    json_iter_init(&it, &models);
    while (json_next_member(&it, &key, &v)) {
        struct status_model *m = model_of(s, &key);
        int64_t age_ms = json_get_int(&v, "age_ms");
        if (!m || (m->served_version[0] && age_ms <= m->served_age_ms))
            continue;
        json_get_text(&v, "version", m->served_version, sizeof(m->served_version));
        m->served_age_ms = age_ms;
    }
}

/* Adds what `h` has more than `last` to the slot of its second. */
static void add_difference(struct status_lag *lag, const struct hist *last, const struct hist *h,
                           int64_t time_ms)
{
    int64_t second = time_ms / 1000;
    size_t slot = (size_t)(second % STATUS_LAG_SECONDS);

    if (lag->second_of[slot] != second) {
        lag->second[slot] = (struct hist){0};
        lag->second_of[slot] = second;
    }
    struct hist *into = &lag->second[slot];
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        if (h->bucket[i] > last->bucket[i])
            into->bucket[i] += h->bucket[i] - last->bucket[i];
    if (h->count > last->count)
        into->count += h->count - last->count;
    if (h->sum_ns > last->sum_ns)
        into->sum_ns += h->sum_ns - last->sum_ns;
    if (h->max_ns > into->max_ns)
        into->max_ns = h->max_ns;
}

static void read_inference(const struct json_value *beat, const char *instance, int64_t time_ms,
                           struct status_lag *lag)
{
    struct json_value telemetry;
    struct json_value histograms;
    struct json_value v;
    struct hist h;
    size_t i = 0;

    if (!json_get(beat, "telemetry", &telemetry) ||
        !json_get(&telemetry, "histograms", &histograms) ||
        !json_get(&histograms, "oxbow_prediction_lag_seconds", &v) || hist_read(&v, &h, NULL) < 0)
        return;
    while (i < lag->n_sources && strcmp(lag->source[i].instance, instance) != 0)
        i++;
    if (i == STATUS_MAX_SERVICES)
        return;
    int64_t started_ms = json_get_int(beat, "started_ms");
    if (i == lag->n_sources) {
        lag->n_sources++;
        snprintf(lag->source[i].instance, sizeof(lag->source[i].instance), "%s", instance);
        lag->source[i].last = h; /* what was before we looked is not of this window */
    } else if (lag->source[i].started_ms != started_ms) {
        lag->source[i].last = (struct hist){0};
    }
    if (lag->source[i].time_ms != time_ms) {
        add_difference(lag, &lag->source[i].last, &h, time_ms);
        lag->source[i].last = h;
    }
    lag->source[i].started_ms = started_ms;
    lag->source[i].time_ms = time_ms;
}

static void read_beat(const char *instance, const struct json_value *beat, struct status *s,
                      struct status_lag *lag)
{
    struct json_value status;
    struct json_value telemetry;
    struct json_value counters;

    if (s->n_services == STATUS_MAX_SERVICES)
        return;
    struct status_service *service = &s->service[s->n_services++];
    snprintf(service->instance, sizeof(service->instance), "%s", instance);
    json_get_text(beat, "service", service->service, sizeof(service->service));
    json_get_text(beat, "state", service->state, sizeof(service->state));
    service->started_ms = json_get_int(beat, "started_ms");
    service->time_ms = json_get_int(beat, "time_ms");
    service->rss_bytes = json_get_int(beat, "rss_bytes");
    if (json_get(beat, "telemetry", &telemetry) && json_get(&telemetry, "counters", &counters))
        service->dead_letters = json_get_count(&counters, "oxbow_dead_letters_total");
    if (strcmp(service->service, "inference") == 0)
        read_inference(beat, instance, service->time_ms, lag);
    if (!json_get(beat, "status", &status))
        return;
    if (strcmp(service->service, "views") == 0) {
        service->paused = json_get_bool(&status, "paused");
        read_views(&status, service->time_ms, s);
    } else if (strcmp(service->service, "learner") == 0) {
        read_learner(&status, s);
        if (service->time_ms > s->learner_ms)
            s->learner_ms = service->time_ms;
    } else if (strcmp(service->service, "simulator") == 0) {
        s->has_backlog = true;
        s->backlog = json_get_count(&status, "backlog");
        json_get_text(&status, "event_time", s->event_time, sizeof(s->event_time));
    }
}

int status_parse(const char *text, size_t len, struct status *ret, struct status_lag *lag,
                 struct err *err)
{
    struct json_value root;
    struct json_value key;
    struct json_value beat;
    struct json_value v;
    struct json_iter it;

    *ret = (struct status){0};
    int rc = json_parse(text, len, &root, err);
    if (rc < 0)
        return err_prefix(err, "the heartbeats");
    if (root.type != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the heartbeats are no object");
    json_iter_init(&it, &root);
    while (json_next_member(&it, &key, &beat)) {
        struct buf name = BUF_INIT;
        if (json_string(&key, &name) && beat.type == JSON_OBJECT)
            read_beat(buf_str(&name), &beat, ret, lag);
        buf_release(&name);
    }
    /* Inference's part needs the learners' models, and a learner's comes behind it. */
    json_iter_init(&it, &root);
    while (json_next_member(&it, &key, &beat))
        if (json_get(&beat, "service", &v) && json_is(&v, "inference", strlen("inference")))
            read_served(&beat, ret);
    return 0;
}

int status_read(struct store *st, struct status *ret, struct status_lag *lag, struct err *err)
{
    struct buf text = BUF_INIT;
    int rc = store_heartbeats(st, &text, err);

    if (rc == 0)
        rc = status_parse(buf_str(&text), text.len, ret, lag, err);
    buf_release(&text);
    return rc;
}

double status_lag_ms(const struct status_lag *lag, double percentile)
{
    struct hist all = {0};
    int64_t oldest = clock_wall_ms() / 1000 - STATUS_LAG_SECONDS;

    for (size_t i = 0; i < STATUS_LAG_SECONDS; i++)
        if (lag->second_of[i] >= oldest)
            hist_merge(&all, &lag->second[i]);
    return all.count ? (double)hist_percentile(&all, percentile) / 1e6 : (double)NAN;
}

const struct status_model *status_baseline(const struct status *s)
{
    for (size_t i = 0; i < s->n_models; i++)
        if (strcmp(s->model[i].name, TASK_BASELINE) == 0)
            return &s->model[i];
    return NULL;
}

double status_loss(const struct status_model *m, enum status_rows rows)
{
    const double mae[] = {m->mae, m->mae_window, m->mae_served};
    const double log_loss[] = {m->log_loss, m->log_loss_window, m->log_loss_served};

    return m->is_binary ? log_loss[rows] : mae[rows];
}

double status_skill(const struct status *s, const struct status_model *m, enum status_rows rows)
{
    const struct status_model *baseline = status_baseline(s);
    double reference = baseline ? status_loss(baseline, rows) : 0;

    return reference > 0 ? 1 - status_loss(m, rows) / reference : (double)NAN;
}

const struct status_model *status_best(const struct status *s)
{
    const struct status_model *found = NULL;

    for (size_t i = 0; i < s->n_models; i++) {
        double loss = status_loss(&s->model[i], STATUS_ALL);

        if (isfinite(loss) && (!found || loss < status_loss(found, STATUS_ALL)))
            found = &s->model[i];
    }
    return found && found != status_baseline(s) ? found : NULL;
}
