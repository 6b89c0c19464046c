/* The task's bus: how it is opened, its topics, and Kafka's properties. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "task/task_read.h"

#define PROPERTIES_MAX 200

/* ---- Properties ---- */

void task_property_release(struct bus_property *property)
{
    free((void *)(uintptr_t)property->name);
    free((void *)(uintptr_t)property->value);
}

/* Takes both texts over; a value that is there already is replaced. */
static void put(struct task *task, char *name, char *value)
{
    struct bus_property *property;
    size_t i = 0;

    while (i < task->kafka.n_properties && strcmp(task->kafka.properties[i].name, name) != 0)
        i++;
    if (i == task->kafka.n_properties) {
        task->kafka.properties =
            mem_realloc(task->kafka.properties, ++task->kafka.n_properties, sizeof(*property));
        property = &task->kafka.properties[i];
    } else {
        property = &task->kafka.properties[i];
        task_property_release(property);
    }
    property->name = name;
    property->value = value;
}

static int check_count(struct reader *r, const char *path)
{
    if (r->task->kafka.n_properties < PROPERTIES_MAX)
        return 0;
    return task_refuse(r, path, "has more than %d properties", PROPERTIES_MAX);
}

/* A number or a truth is as good as its text: librdkafka knows only texts. */
static char *value_text(const struct json_value *v)
{
    if (v->type == JSON_STRING)
        return task_string(v);
    if (v->type == JSON_NUMBER || v->type == JSON_TRUE || v->type == JSON_FALSE)
        return mem_strndup(v->text, v->len);
    return NULL;
}

static int read_object(struct reader *r, const char *path, const struct json_value *object)
{
    struct json_iter it;
    struct json_value key, v;
    int code = 0;

    json_iter_init(&it, object);
    while (!code && json_next_member(&it, &key, &v)) {
        char *name = task_string(&key);
        char *value = name && *name ? value_text(&v) : NULL;
        char where[200];

        snprintf(where, sizeof(where), "%s.%.100s", path, name ? name : "");
        code = check_count(r, path);
        if (!code && task_is_repeated(object, &key))
            code = task_refuse(r, where, "is given twice; remove one");
        else if (!code && !value)
            code = task_refuse(r, where,
                               "write \"name\": \"value\", as librdkafka's "
                               "CONFIGURATION.md has them");
        if (!code) {
            put(r->task, name, value);
            continue;
        }
        free(name);
        free(value);
    }
    return code;
}

/* The environment's form. A value is never shown: it may be a secret. */
static int read_list(struct reader *r, const char *path, const char *text)
{
    int code = 0;

    while (!code && *text) {
        size_t len = strcspn(text, ";\n");
        const char *equals = memchr(text, '=', len);

        code = check_count(r, path);
        if (!code && len && (!equals || equals == text))
            code = task_refuse(r, path, "write name=value;name=value");
        if (!code && len)
            put(r->task, mem_strndup(text, (size_t)(equals - text)),
                mem_strndup(equals + 1, len - (size_t)(equals + 1 - text)));
        text += len + (text[len] != '\0');
    }
    return code;
}

int task_read_properties(struct reader *r, const char *path, const struct json_value *v)
{
    if (v->type == JSON_OBJECT)
        return read_object(r, path, v);
    char *text = task_string(v);
    if (!text || v->type != JSON_STRING) {
        free(text);
        return task_wrong_type(r, path, "an object of properties, {} for none", v);
    }
    int code = read_list(r, path, text);
    free(text);
    return code;
}

static void put_count(struct task *task, const char *name, int64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)n);
    put(task, mem_strdup(name), mem_strdup(text));
}

void task_settle_kafka(struct task *task)
{
    put_count(task, "partitions", task->kafka.partitions);
    put_count(task, "replication", task->kafka.replication);
}

/* ---- The bus ---- */

struct bus_options task_bus_options(const struct task *task, const char *store_prefix)
{
    struct bus_options options = {
        .backend = task->bus,
        .url = task->redis_url,
        .prefix = store_prefix,
        .task = task->name,
    };

    if (strcmp(task->bus, "kafka") == 0) {
        options.url = task->kafka.brokers;
        options.prefix = task->kafka.topic_prefix;
        options.properties = task->kafka.properties;
        options.n_properties = task->kafka.n_properties;
    }
    return options;
}

int task_ensure_topics(const struct task *task, struct bus *bus, struct err *err)
{
    const char *const topics[] = {task->topics.requests, task->topics.outcomes,
                                  task->topics.predictions, task->topics.features,
                                  task->topics.dead_letters};
    int rc = bus_topic_ensure(bus, task->topics.learning_queue, 1, 0, err);
    if (rc == 0)
        rc = bus_topic_ensure(bus, task->topics.drift_alarms, 1, 0, err);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]) && rc == 0; i++)
        rc = bus_topic_ensure(bus, topics[i], 0, 0, err);
    if (rc < 0)
        return rc;
    int n = bus_partitions(bus, task->topics.learning_queue, err);
    if (n <= 1)
        return n < 0 ? n : 0;
    return err_set(err, ERR_REFUSED,
                   "topic %s has %d partitions and must have one, as its rows are learned in "
                   "order: delete it, or begin anew with --fresh",
                   task->topics.learning_queue, n);
}
