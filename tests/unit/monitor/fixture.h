/* A monitor's state, the messages that tests bring it, and values of its answers by their path. */
#ifndef OXBOW_TESTS_MONITOR_FIXTURE_H
#define OXBOW_TESTS_MONITOR_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "monitor/monitor.h"
#include "unit/monitor/task_file.h"

#define NOW INT64_C(0) /* the wall's clock, as the heartbeats below have it */
#define MAP                                                                                        \
    ",\"monitor\":{\"noun\":\"trip\",\"unit\":\"s\",\"request_time\":\"t\",\"size\":\"a\","        \
    "\"map\":{\"from\":[\"x\",\"y\"],\"to\":[\"x2\",\"y2\"],\"moves\":true},"                      \
    "\"drift\":{\"silent\":null}}"

struct fixture {
    struct task *task;
    struct monitor *m;
    int64_t now_ms;
    struct buf tick;
    uint64_t id;
    double step; /* what a model says more than the one before it */
};

static inline void open_task(struct fixture *f, struct task *task, double step)
{
    struct err err = {0};

    *f = (struct fixture){.task = task, .now_ms = NOW, .step = step};
    f->m = monitor_new(f->task, NOW, &err);
    assert_non_null(f->m);
}

static inline void open_with(struct fixture *f, const char *models)
{
    open_task(f, models ? load_task_of(models, MAP) : load_task_file(MAP), 10);
}

static inline void close_all(struct fixture *f)
{
    monitor_free(f->m);
    task_free(f->task);
    buf_release(&f->tick);
}

/* ---- Messages ---- */

static inline void message(struct fixture *f, const char *topic, const char *key, const char *value)
{
    struct bus_msg msg = {.topic = topic,
                          .time_ms = f->now_ms,
                          .key = key,
                          .key_len = key ? strlen(key) : 0,
                          .value = value,
                          .value_len = value ? strlen(value) : 0};

    monitor_messages(f->m, &msg, 1, f->now_ms);
}

static inline void request(struct fixture *f, const char *key, int64_t event_ms)
{
    char value[300], time[CLOCK_TEXT_LEN + 1];

    clock_format(event_ms, time);
    snprintf(value, sizeof(value), "{\"t\":\"%s\",\"x\":1.5,\"y\":2.5,\"x2\":3.5,\"y2\":4.5}",
             time);
    message(f, "pick-ups", key, value);
}

static inline void put_values(struct fixture *f, struct buf *out, double value)
{
    for (size_t i = 0; i < f->task->n_models; i++)
        buf_printf(out, "%s\"%s\":{\"value\":%.17g,\"version\":\"v%zu\"}", i ? "," : "",
                   f->task->models[i].name, value + f->step * (double)i, i);
}

static inline void prediction(struct fixture *f, const char *key, double value)
{
    struct buf text = BUF_INIT;
    char time[CLOCK_TEXT_LEN + 1];

    clock_format(f->now_ms, time);
    buf_printf(&text,
               "{\"trip_id\":\"%s\",\"features\":{\"a\":1,\"b\":0,\"c\":3},\"predictions\":{", key);
    put_values(f, &text, value);
    buf_printf(&text, "},\"requested_at\":\"%s\",\"predicted_at\":\"%s\"}", time, time);
    message(f, "predictions", key, text.data);
    buf_release(&text);
}

static inline void labelled(struct fixture *f, const char *key, uint64_t seq, double value,
                            double label)
{
    struct buf text = BUF_INIT;
    char time[CLOCK_TEXT_LEN + 1];

    clock_format(f->now_ms, time);
    buf_printf(&text,
               "{\"seq\":%llu,\"duration\":%.17g,\"features\":{\"a\":1,\"b\":0,\"c\":3},"
               "\"trip_id\":",
               (unsigned long long)seq, label);
    json_write_string(&text, key, strlen(key));
    buf_text(&text, ",\"predictions\":{");
    put_values(f, &text, value);
    buf_printf(&text, "},\"requested_at\":\"%s\",\"predicted_at\":\"%s\",\"outcome_at\":\"%s\"}",
               time, time, time);
    message(f, "learning-queue", key, text.data);
    buf_release(&text);
}

static inline void second_with(struct fixture *f, const char *beats)
{
    struct json_value root;
    struct err err;

    f->now_ms += 1000;
    buf_clear(&f->tick);
    monitor_second(f->m, beats, beats ? strlen(beats) : 0, f->now_ms, NULL, NULL, &f->id, &f->tick);
    if (json_parse(f->tick.data, f->tick.len, &root, &err) != 0)
        fail_msg("%s: %s", err.text, f->tick.data);
}

/* ---- Answers ---- */

/* A value by its path, "tick.verdict.text" or "latest.0.key"; as its own bytes. */
static inline char *find(const struct buf *text, const char *path)
{
    struct json_value v, of;
    char *copy = mem_strdup(path), *rest, *found = NULL;
    struct err err;

    if (json_parse(text->data, text->len, &v, &err) != 0)
        fail_msg("%s: %s", err.text, text->data);
    for (char *part = strtok_r(copy, ".", &rest); part; part = strtok_r(NULL, ".", &rest)) {
        if (v.type == JSON_ARRAY) {
            struct json_iter it;
            size_t i = strtoul(part, NULL, 10) + 1;

            json_iter_init(&it, &v);
            while (i-- > 0)
                if (!json_next_element(&it, &of))
                    fail_msg("%s: no such element in %s", path, text->data);
        } else if (!json_get(&v, part, &of)) {
            fail_msg("%s is not in %s", path, text->data);
        }
        v = of;
    }
    found = mem_strndup(v.text, v.len);
    free(copy);
    return found;
}

static inline void assert_at(const struct buf *text, const char *path, const char *wanted)
{
    char *found = find(text, path);

    if (strcmp(found, wanted) != 0)
        fail_msg("%s is %s, not %s", path, found, wanted);
    free(found);
}

static inline struct buf snapshot(struct fixture *f)
{
    struct buf out = BUF_INIT;
    uint64_t id;

    monitor_write_snapshot(f->m, &out, &id);
    return out;
}

#endif
