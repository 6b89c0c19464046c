/* The features and the models of a task file, and what watches their errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/near.h"
#include "learn/detector.h"
#include "learn/model.h"
#include "task/task_read.h"

#define MODELS_MAX 64 /* the baseline not counted */

static const enum feature_kind kinds[] = {FEATURE_NUMERIC, FEATURE_BOOLEAN, FEATURE_CATEGORICAL};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Features */

static int read_kind(struct reader *r, const char *path, const struct json_value *v,
                     enum feature_kind *ret)
{
    char *text = task_string(v);
    struct near near = {.wanted = text ? text : ""};
    char shown[80];

    for (size_t i = 0; i < N_KINDS; i++) {
        const char *name = feature_kind_name(kinds[i]);
        if (text && strcmp(text, name) == 0) {
            *ret = kinds[i];
            free(text);
            return 0;
        }
        near_offer(&near, name);
    }

    int code =
        task_refuse(r, path, "is %s;%s%s%s write \"numeric\", \"boolean\" or \"categorical\"",
                    task_show(v, shown), near.name ? " did you mean \"" : "",
                    near.name ? near.name : "", near.name ? "\"? Or" : "");
    free(text);
    return code;
}

/* {"name": ..., "kind": ...}; `*ret_name` is to be freed, whatever comes back. */
static int read_feature_object(struct reader *r, const char *path, const struct json_value *v,
                               char **ret_name, enum feature_kind *ret_kind)
{
    struct json_iter it;
    struct json_value key;
    struct json_value member;
    struct buf at = BUF_INIT;
    int code = 0;

    json_iter_init(&it, v);
    while (!code && json_next_member(&it, &key, &member)) {
        char *name = task_string(&key);

        buf_clear(&at);
        buf_printf(&at, "%s.%s", path, name ? name : "");
        if (task_is_repeated(v, &key)) {
            code = task_refuse(r, buf_str(&at), "is given twice; remove one");
        } else if (name && strcmp(name, "kind") == 0) {
            code = read_kind(r, buf_str(&at), &member, ret_kind);
        } else if (name && strcmp(name, "name") == 0) {
            *ret_name = task_string(&member);
        } else {
            struct near near = {.wanted = name ? name : ""};
            near_offer(&near, "name");
            near_offer(&near, "kind");
            code = near.name ? task_refuse(r, buf_str(&at), "unknown option; did you mean \"%s\"?",
                                           near.name)
                             : task_refuse(r, buf_str(&at),
                                           "unknown option; a feature has \"name\" and \"kind\"");
        }
        free(name);
    }
    buf_release(&at);
    return code;
}

static int read_feature(struct reader *r, const char *path, const struct json_value *v)
{
    enum feature_kind kind = FEATURE_NUMERIC;
    char *name = NULL;
    int code = 0;

    if (v->type == JSON_OBJECT)
        code = read_feature_object(r, path, v, &name, &kind);
    else
        name = task_string(v);

    if (!code && !name)
        code = task_refuse(r, path,
                           "write \"column\" or {\"name\": \"column\", \"kind\": \"boolean\"}");
    const char *wanted = name ? task_check_column(name) : NULL;
    if (!code && wanted)
        code = task_refuse(r, path, "write %s", wanted);
    if (!code && strcmp(name, r->task->key) == 0)
        code = task_refuse(r, path, "is the key, which is another one in every row; remove it");
    if (!code && schema_add(r->task->features, name, kind, r->err))
        code = err_prefix(r->err, "%s: %s", r->task->file, path);
    free(name);
    return code;
}

int task_read_features(struct reader *r, const char *path, const struct json_value *v)
{
    struct json_iter it;
    struct json_value feature;
    char at[64];
    int code = 0;

    if (v->type != JSON_ARRAY)
        return task_refuse(r, path, "write a list of columns, such as [\"distance\", \"hour\"]");
    r->task->features = schema_new();
    json_iter_init(&it, v);
    for (size_t i = 0; !code && json_next_element(&it, &feature); i++) {
        snprintf(at, sizeof(at), "%s[%zu]", path, i);
        code = read_feature(r, at, &feature);
    }
    if (!code && schema_size(r->task->features) == 0)
        code = task_refuse(r, path, "is empty; name at least one column");
    return code;
}

/* Models */

/* Takes over `name`. */
static int add_model(struct reader *r, const char *path, char *name, const char *pipeline,
                     size_t len)
{
    struct task *task = r->task;
    char *text = mem_strndup(pipeline, len);
    struct model *model = model_new_of(task->is_binary ? MODEL_CLASSIFIER : MODEL_REGRESSOR, text,
                                       task->features, r->err);

    if (!model) {
        int code = r->err ? r->err->code : ERR_INVALID;

        /* The text begins with where in the pipeline it is: "[1].linear_regression.l3: ...". */
        if (r->err && r->err->text[0] == '[') {
            struct err inner = *r->err;
            err_set(r->err, code, "%s: %s%s", task->file, path, inner.text);
        } else {
            err_prefix(r->err, "%s: %s", task->file, path);
        }
        free(text);
        free(name);
        return code;
    }

    task->models = mem_realloc(task->models, task->n_models + 1, sizeof(*task->models));
    task->models[task->n_models++] = (struct task_model){
        .name = name,
        .pipeline = text,
        .canonical = mem_strdup(model_parameters(model)),
        .has_intervals = model_has_intervals(model),
    };
    model_free(model);
    return 0;
}

static int read_model(struct reader *r, const char *path, const struct json_value *all,
                      const struct json_value *key, const struct json_value *v)
{
    char *name = task_string(key);
    const char *wanted = task_check_slug(name ? name : "");
    struct buf at = BUF_INIT;
    char shown[80];
    int code;

    buf_printf(&at, "%s.%s", path, name ? name : "");
    if (wanted)
        code = task_refuse(r, path, "%s: write %s", task_show(key, shown), wanted);
    else if (strcmp(name, TASK_BASELINE) == 0)
        code = task_refuse(r, buf_str(&at),
                           "is the name of the model that always runs beside the "
                           "others; choose another");
    else if (task_is_repeated(all, key))
        code = task_refuse(r, buf_str(&at), "is given twice; remove one");
    else if (r->task->n_models == MODELS_MAX)
        code = task_refuse(r, buf_str(&at), "is one too many; a task has at most %d models",
                           MODELS_MAX);
    else if (v->type != JSON_ARRAY)
        code = task_refuse(r, buf_str(&at),
                           "write a pipeline, such as "
                           "[\"standard_scaler\", \"linear_regression\"]");
    else {
        code = add_model(r, buf_str(&at), name, v->text, v->len);
        name = NULL; /* now owned by the model */
    }
    free(name);
    buf_release(&at);
    return code;
}

int task_read_models(struct reader *r, const char *path, const struct json_value *v)
{
    struct json_iter it;
    struct json_value key;
    struct json_value pipeline;
    int code = 0;

    r->task->is_binary = strcmp(r->task->kind, "binary_classification") == 0;
    if (v->type != JSON_OBJECT)
        return task_refuse(r, path,
                           "write {\"name\": pipeline, ...}, such as {\"linear-regression\": "
                           "[\"standard_scaler\", \"linear_regression\"]}");
    json_iter_init(&it, v);
    while (!code && json_next_member(&it, &key, &pipeline))
        code = read_model(r, path, v, &key, &pipeline);
    if (!code && r->task->n_models == 0)
        code = task_refuse(r, path, "is empty; name at least one model");
    if (!code)
        code = add_model(r, path, mem_strdup(TASK_BASELINE),
                         r->task->is_binary ? "[\"prior\"]" : "[\"mean\"]",
                         r->task->is_binary ? 9 : 8);
    return code;
}

/* The detector of drift */

int task_read_detector(struct reader *r, const char *path, const struct json_value *v, char **field)
{
    struct err inner;

    free(*field);
    *field = NULL;
    if (v->type == JSON_NULL)
        return 0;
    struct detector *d = detector_new(v->text, v->len, &inner);
    if (!d) /* the text begins with the place within */
        return err_set(r->err, inner.code, "%s: %s%s", r->task->file, path, inner.text);
    *field = mem_strdup(detector_parameters(d));
    bool is_of_rates = strcmp(detector_class(d), "ddm") == 0;
    detector_free(d);
    if (is_of_rates && strcmp(r->task->kind, "regression") == 0)
        return task_refuse(r, path,
                           "ddm is for errors from 0 to 1, those of binary_classification; write "
                           "adwin, page_hinkley or kswin");
    return 0;
}
