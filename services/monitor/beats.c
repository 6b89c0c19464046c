/* Reading heartbeats, see inspect/status.c for the rest of what is in them. */
#include "monitor/beats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "monitor/text.h"

/* The model of that name, made when there is none yet; NULL when there are too many. */
static struct beat_model *model_of(struct beats *b, const struct json_value *key)
{
    struct buf name = BUF_INIT;
    struct beat_model *found = NULL;

    if (json_string(key, &name)) {
        for (size_t i = 0; i < b->n_models && !found; i++)
            if (strcmp(b->model[i].name, buf_str(&name)) == 0)
                found = &b->model[i];
        if (!found && b->n_models < STATUS_MAX_MODELS) {
            found = &b->model[b->n_models++];
            snprintf(found->name, sizeof(found->name), "%s", buf_str(&name));
        }
    }
    buf_release(&name);
    return found;
}

/* What the learner says of a model's detector of error drift. */
static void read_detector(const struct json_value *model, struct beat_model *m)
{
    struct json_value drift;
    struct json_value newest;
    struct json_value at;

    m->detector[0] = '\0';
    m->alarms = 0;
    m->alarm_ms = TIME_UNKNOWN;
    if (!json_get(model, "drift", &drift) || drift.type != JSON_OBJECT)
        return;
    json_get_text(&drift, "detector", m->detector, sizeof(m->detector));
    m->alarms = json_get_count(&drift, "alarms");
    if (json_get(&drift, "newest", &newest) && json_get(&newest, "at", &at))
        m->alarm_ms = text_read_time(&at);
}

static void read_models(struct beats *b, const struct json_value *status, bool learner,
                        struct beat *beat)
{
    struct json_value models, key, v;
    struct json_iter it;

    if (!json_get(status, "models", &models))
        return;
    json_iter_init(&it, &models);
    while (json_next_member(&it, &key, &v)) {
        struct beat_model *m = model_of(b, &key);

        if (!m)
            continue;
        if (!learner) {
            json_get_text(&v, "version", m->served, sizeof(m->served));
            continue;
        }
        json_get_text(&v, "generation", m->generation, sizeof(m->generation));
        read_detector(&v, m);
        if (json_get_count(&v, "position") > beat->work)
            beat->work = json_get_count(&v, "position");
    }
    if (learner && beat->work > b->position)
        b->position = beat->work;
}

static void read_status(struct beats *b, struct beat *beat, const struct json_value *status)
{
    struct json_value v;

    if (strcmp(beat->service, "inference") == 0) {
        beat->work = json_get_count(status, "predicted");
        b->predicted += beat->work;
        read_models(b, status, false, beat);
    } else if (strcmp(beat->service, "learner") == 0) {
        read_models(b, status, true, beat);
    } else if (strcmp(beat->service, "views") == 0) {
        if (json_get(status, "ledger", &v))
            beat->work = json_get_count(&v, "requests_read") + json_get_count(&v, "outcomes_read") +
                         json_get_count(&v, "predictions_read");
    } else if (strcmp(beat->service, "simulator") == 0) {
        beat->work = json_get_count(status, "published_requests") +
                     json_get_count(status, "published_outcomes");
        /* At a rate of its own the stream has no speed. */
        bool has_rate = json_get(status, "rate", &v) && v.type != JSON_NULL;
        if (!has_rate && json_get(status, "speed", &v) && !json_number(&v, &b->speed))
            b->speed = (double)NAN;
    } else {
        beat->work = json_get_count(status, "work");
    }
}

int beats_parse(const char *text, size_t len, struct beats *ret, struct err *err)
{
    struct json_value root, key, v, status;
    struct json_iter it;

    *ret = (struct beats){.speed = (double)NAN};
    int rc = json_parse(text, len, &root, err);
    if (rc < 0)
        return err_prefix(err, "the heartbeats");
    if (root.type != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the heartbeats are no object");
    json_iter_init(&it, &root);
    while (json_next_member(&it, &key, &v) && ret->n < STATUS_MAX_SERVICES) {
        if (v.type != JSON_OBJECT)
            continue;
        struct beat *beat = &ret->beat[ret->n++];

        json_get_text(&v, "instance", beat->instance, sizeof(beat->instance));
        json_get_text(&v, "service", beat->service, sizeof(beat->service));
        json_get_text(&v, "state", beat->state, sizeof(beat->state));
        beat->started_ms = json_get_int(&v, "started_ms");
        beat->time_ms = json_get_int(&v, "time_ms");
        beat->rss_bytes = json_get_int(&v, "rss_bytes");
        if (json_get(&v, "status", &status))
            read_status(ret, beat, &status);
    }
    return 0;
}

const struct beat_model *beats_model(const struct beats *b, const char *name)
{
    for (size_t i = 0; i < b->n_models; i++)
        if (strcmp(b->model[i].name, name) == 0)
            return &b->model[i];
    return NULL;
}
