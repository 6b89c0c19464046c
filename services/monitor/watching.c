/* What the monitor's state has to do with drift, and what it knows of a prediction that is to be
 * explained. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "monitor/monitor_internal.h"

/* ---- Alarms ---- */

static void on_alarm(void *ctx, const struct watch_alarm *alarm)
{
    struct monitor *m = ctx;
    struct mark mark = {
        .id = mem_strdup(alarm->id),
        .kind = (char[]){"feature-drift"},
        .feature = mem_strdup(alarm->feature),
        .text = mem_strdup(alarm->text),
        .time_ms = alarm->time_ms,
        .event_ms = m->event_ms,
        .until_ms = TIME_UNKNOWN,
    };

    monitor_mark_locked(m, &mark);
    free(mark.id);
    free(mark.feature);
    free(mark.text);
}

void monitor_watch_served(struct monitor *m, const struct bus_msg *msg,
                          const struct json_value *root)
{
    struct json_value features;

    if (json_get(root, "features", &features))
        watch_served(m->watch, msg->key, msg->key_len, &features);
}

void monitor_watch_learned(struct monitor *m, const struct bus_msg *msg, const struct row *row,
                           int64_t now_ms)
{
    watch_learned(m->watch, msg->key, msg->key_len, &row->features, m->x, now_ms, on_alarm, m);
}

/* ---- Drift ---- */

void monitor_reset_drift(struct monitor *m)
{
    pthread_mutex_lock(&m->lock);
    watch_reset(m->watch);
    pthread_mutex_unlock(&m->lock);
}

static void put_errors(const struct monitor *m, struct buf *out)
{
    text_put_name(out, "errors");
    buf_byte(out, '[');
    for (size_t i = 0; i < m->beats.n_models; i++) {
        const struct beat_model *model = &m->beats.model[i];

        if (!model->detector[0])
            continue;
        text_next(out);
        buf_byte(out, '{');
        text_put_string(out, "model", model->name);
        text_put_string(out, "detector", model->detector);
        text_put_count(out, "alarms", model->alarms);
        text_put_time(out, "last_ms", model->alarm_ms);
        buf_byte(out, '}');
    }
    buf_byte(out, ']');
}

void monitor_write_drift(struct monitor *m, struct buf *out)
{
    pthread_mutex_lock(&m->lock);
    buf_byte(out, '{');
    watch_write(m->watch, out);
    put_errors(m, out);
    buf_byte(out, '}');
    pthread_mutex_unlock(&m->lock);
}

void monitor_drift_figures(struct monitor *m, struct watch_figures *ret, uint64_t *ret_compared,
                           uint64_t *ret_differing)
{
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < schema_size(m->task->features); i++)
        watch_feature(m->watch, i, &ret[i]);
    *ret_compared = watch_compared(m->watch);
    *ret_differing = watch_differing(m->watch);
    pthread_mutex_unlock(&m->lock);
}

bool monitor_save_drift(struct monitor *m, struct buf *ret)
{
    pthread_mutex_lock(&m->lock);
    bool changed = watch_save(m->watch, ret);
    pthread_mutex_unlock(&m->lock);
    return changed;
}

int monitor_restore_drift(struct monitor *m, const void *data, size_t len, struct err *err)
{
    pthread_mutex_lock(&m->lock);
    int rc = watch_load(m->watch, data, len, err);
    pthread_mutex_unlock(&m->lock);
    return rc;
}

/* ---- A prediction that is to be explained ---- */

void monitor_asked_release(struct monitor_asked *asked)
{
    buf_release(&asked->version);
    buf_release(&asked->features);
}

/* The model's answer in a message: its version as text, and its value. */
static bool read_answer(const struct json_value *root, const char *model,
                        struct monitor_asked *ret_asked)
{
    struct json_value predictions;
    struct json_value features;
    struct json_value of;
    struct json_value v;

    if (!json_get(root, "predictions", &predictions) || !json_get(&predictions, model, &of) ||
        !json_get(root, "features", &features) || features.type != JSON_OBJECT ||
        !json_get(&of, "version", &v) || !json_string(&v, &ret_asked->version))
        return false;
    buf_append(&ret_asked->features, features.text, features.len);
    if (!json_get(&of, "value", &v) || !json_number(&v, &ret_asked->served))
        ret_asked->served = (double)NAN;
    return true;
}

static int ask(const struct monitor *m, const char *key, size_t len, const char *model,
               struct monitor_asked *ret_asked, struct err *err)
{
    /* What is learned from is what counts: the row says what was issued. */
    static const enum requests_text texts[] = {REQUESTS_ROW, REQUESTS_PREDICTION};
    const struct request *req = requests_find(m->requests, key, len);
    struct json_value root;

    if (!req)
        return err_set(err, ERR_NOT_FOUND,
                       "no %s \"%.80s\" is among those that the monitor has seen lately",
                       m->task->monitor.noun, key);
    if (monitor_model_index(m, model) == m->task->n_models)
        return err_set(err, ERR_NOT_FOUND, "no model is called \"%.64s\" in the task file", model);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = req->text[texts[i]];

        if (text && json_parse(text, req->text_len[texts[i]], &root, NULL) == 0 &&
            read_answer(&root, model, ret_asked))
            return 0;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "no answer of %s to %s \"%.80s\" is kept: only the newest messages are", model,
                   m->task->monitor.noun, key);
}

int monitor_ask(struct monitor *m, const char *key, size_t len, const char *model,
                struct monitor_asked *ret_asked, struct err *err)
{
    pthread_mutex_lock(&m->lock);
    int rc = ask(m, key, len, model, ret_asked, err);
    memcpy(ret_asked->incarnation, m->incarnation, sizeof(ret_asked->incarnation));
    pthread_mutex_unlock(&m->lock);
    return rc;
}
