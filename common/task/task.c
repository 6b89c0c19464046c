/*
 * The task file: putting the parts together, what holds between several
 * options, and the identity of a model's lineage.
 */
#include "task/task.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "base/num.h"
#include "task/task_read.h"

/* Errors */

int task_refuse(struct reader *r, const char *path, const char *fmt, ...)
{
    char text[sizeof(r->err->text)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(r->err, ERR_INVALID, "%s: %.200s: %s", r->task->file, path, text);
}

/* Loading */

/* The text is one line, whatever names the file has. */
static void make_one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = ' ';
}

/* Two topics of one name would mix what is not alike. */
static int check_topics(struct reader *r)
{
    const struct task *task = r->task;
    const struct {
        const char *path;
        const char *name;
    } topics[] = {
        {"topics.requests", task->topics.requests},
        {"topics.outcomes", task->topics.outcomes},
        {"topics.predictions", task->topics.predictions},
        {"topics.features", task->topics.features},
        {"topics.learning_queue", task->topics.learning_queue},
        {"topics.dead_letters", task->topics.dead_letters},
        {"topics.drift_alarms", task->topics.drift_alarms},
    };

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(topics[i].name, topics[j].name) == 0)
                return task_refuse(r, topics[i].path, "is \"%.60s\", as %s is; choose another",
                                   topics[i].name, topics[j].path);
    return 0;
}

/* Materialize reads Kafka by itself; "memory" is for tests, which stand in for that. */
static int check_engines(struct reader *r)
{
    const struct task *task = r->task;

    if (strcmp(task->views, "materialize") != 0 || strcmp(task->bus, "redis") != 0)
        return 0;
    return task_refuse(r, "views",
                       "\"materialize\" needs the kafka bus, which it reads by itself; write "
                       "\"bus\": \"kafka\", or \"views\": \"sqlite\"");
}

static int check_label(struct reader *r)
{
    const struct task *task = r->task;

    if (strcmp(task->label, task->key) == 0)
        return task_refuse(r, "label", "is the key; name the column of what really happened");
    if (schema_find(task->features, task->label, strlen(task->label)) >= 0)
        return task_refuse(r, "label",
                           "is one of the features: the models would be told the "
                           "answer; remove it from features");
    return 0;
}

/* What belongs to the other kind of task would be ignored: better say so. */
static int check_kind(struct reader *r)
{
    const struct task *task = r->task;

    if (task->is_binary) {
        if (isfinite(task->label_min) || isfinite(task->label_max))
            return task_refuse(r, "label_range", "is for a regression; remove it");
        if (isfinite(task->clip_min) || isfinite(task->clip_max))
            return task_refuse(r, "clip", "is for a regression; remove it");
        if (task->class_weight[0] <= 0 || task->class_weight[1] <= 0)
            return task_refuse(r, "class_weight", "must be above 0, or nothing would be learned");
        return 0;
    }
    if (task->positive.type != LABEL_TRUE)
        return task_refuse(r, "positive", "is for \"kind\": \"binary_classification\"; remove it");
    if (task->threshold != 0.5)
        return task_refuse(r, "threshold", "is for \"kind\": \"binary_classification\"; remove it");
    if (task->class_weight[0] != 1 || task->class_weight[1] != 1)
        return task_refuse(r, "class_weight",
                           "is for \"kind\": \"binary_classification\"; remove it");
    return 0;
}

/* A relative "sql" is meant from the task file's folder on; the default is beside that folder. */
static void settle_sql_dir(struct task *task)
{
    const char *slash = strrchr(task->file, '/');
    int n = slash ? (int)(slash - task->file) + 1 : 0;
    struct buf path = BUF_INIT;

    if (!task->sql_dir)
        buf_printf(&path, "%.*s../sql/%s/%s", n, task->file, task->name, task->views);
    else if (task->sql_dir[0] == '/')
        return;
    else
        buf_printf(&path, "%.*s%s", n, task->file, task->sql_dir);
    free(task->sql_dir);
    task->sql_dir = buf_detach(&path);
}

struct task *task_load(const char *path, struct err *err)
{
    struct err unwanted;
    struct task *task = mem_zalloc(1, sizeof(*task));
    struct reader r = {.task = task, .err = err ? err : &unwanted};
    struct buf text = BUF_INIT;
    struct json_value root;

    task->file = mem_strdup(path);
    int code = task_read_text(&r, &text);
    if (!code)
        code = json_parse(text.data, text.len, &root, r.err);
    if (!code)
        code = task_read_options(&r, &root);
    if (!code)
        code = check_topics(&r);
    if (!code)
        code = check_engines(&r);
    if (!code)
        code = check_label(&r);
    if (!code)
        code = check_kind(&r);
    if (!code)
        code = task_check_monitor(&r);
    if (!code && task->exactly_once && strcmp(task->bus, "kafka") != 0)
        code = task_refuse(&r, "exactly_once",
                           "needs bus \"kafka\", which has transactions; write false");
    if (!code)
        task_settle_kafka(task);
    buf_release(&text);
    if (code) {
        make_one_line(r.err->text);
        task_free(task);
        return NULL;
    }

    task->store = mem_strdup(strcmp(task->bus, "memory") == 0 ? "memory" : "redis");
    settle_sql_dir(task);
    return task;
}

void task_free(struct task *task)
{
    if (!task)
        return;
    free(task->file);
    free(task->name);
    free(task->kind);
    free(task->key);
    free(task->topics.requests);
    free(task->topics.outcomes);
    free(task->topics.predictions);
    free(task->topics.features);
    free(task->topics.learning_queue);
    free(task->topics.dead_letters);
    free(task->topics.drift_alarms);
    free(task->drift);
    free(task->bus);
    free(task->views);
    free(task->store);
    free(task->redis_url);
    free(task->materialize_url);
    free(task->materialize_brokers);
    free(task->kafka.brokers);
    free(task->kafka.topic_prefix);
    for (size_t i = 0; i < task->kafka.n_properties; i++)
        task_property_release(&task->kafka.properties[i]);
    free(task->kafka.properties);
    free(task->data_dir);
    free(task->sql_dir);
    schema_free(task->features);
    free(task->label);
    free(task->positive.text);
    task_monitor_release(&task->monitor);
    for (size_t i = 0; i < task->n_models; i++) {
        free(task->models[i].name);
        free(task->models[i].pipeline);
        free(task->models[i].canonical);
    }
    free(task->models);
    free(task);
}

/* Use */

double task_clip(const struct task *task, double v)
{
    if (v < task->clip_min)
        return task->clip_min;
    if (v > task->clip_max)
        return task->clip_max;
    return v;
}

struct issued task_answer(const struct task *task, const struct model *m, double v)
{
    struct issued said = issued_alone(task_clip(task, v));

    if (model_interval_one(m, &said)) {
        said.low = task_clip(task, said.low);
        said.high = task_clip(task, said.high);
    }
    return said;
}

const struct label_positive *task_positive(const struct task *task)
{
    return task->is_binary ? &task->positive : NULL;
}

double task_weight(const struct task *task, double label)
{
    return task->is_binary ? task->class_weight[label == 1] : 1;
}

bool task_label_ok(const struct task *task, double label)
{
    return isfinite(label) && label >= task->label_min && label <= task->label_max;
}

/* `[30,null]`; an open end is null. */
static void write_bounds(struct buf *out, const char *name, double low, double high)
{
    json_write_name(out, name);
    buf_byte(out, '[');
    json_write_number(out, low);
    buf_byte(out, ',');
    json_write_number(out, high);
    buf_text(out, "],");
}

static void write_classes(struct buf *out, const struct task *task)
{
    buf_text(out, "\"positive\":");
    if (task->positive.type == LABEL_TEXT)
        json_write_string(out, task->positive.text, strlen(task->positive.text));
    else if (task->positive.type == LABEL_NUMBER)
        json_write_number(out, task->positive.number);
    else
        buf_text(out, "true");
    buf_text(out, ",\"class_weight\":[");
    json_write_number(out, task->class_weight[0]);
    buf_byte(out, ',');
    json_write_number(out, task->class_weight[1]);
    buf_text(out, "],");
}

void task_generation(const struct task *task, size_t model, uint64_t sql_hash,
                     char ret[TASK_GENERATION_LEN + 1])
{
    struct buf text = BUF_INIT;
    bool has_categories = false;

    /* One JSON text that says it all: its form must not change, or all lineages begin again. */
    buf_printf(&text, "{\"pipeline\":%s,\"features\":[", task->models[model].canonical);
    for (size_t i = 0; i < schema_size(task->features); i++) {
        enum feature_kind kind = schema_kind(task->features, i);

        buf_printf(&text, "%s[\"%s\",\"%s\"]", i ? "," : "", schema_name(task->features, i),
                   feature_kind_name(kind));
        has_categories = has_categories || kind == FEATURE_CATEGORICAL;
    }
    buf_printf(&text, "],\"label\":\"%s\",", task->label);
    write_bounds(&text, "label_range", task->label_min, task->label_max);
    write_bounds(&text, "clip", task->clip_min, task->clip_max);
    if (task->is_binary)
        write_classes(&text, task);
    if (has_categories)
        buf_printf(&text, "\"max_categories\":%lld,", (long long)task->max_categories);
    buf_printf(&text, "\"max_model_bytes\":%lld,\"sql\":\"%016llx\"}",
               (long long)task->max_model_bytes, (unsigned long long)sql_hash);

    snprintf(ret, TASK_GENERATION_LEN + 1, "%016llx",
             (unsigned long long)XXH64(buf_str(&text), text.len, 0));
    buf_release(&text);
}
