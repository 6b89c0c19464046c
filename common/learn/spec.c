/*
 * Reading the JSON text of a pipeline: see spec.h. Only this file and spec_values.c know cJSON.
 */
#include "learn/spec.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/near.h"
#include "base/num.h"
#include "learn/schema.h"
#include "learn/spec_values.h"

#define NEST_MAX    8              /* components within components */
#define KIND(kind)  (1U << (kind)) /* a set of one kind */
#define STAGE_KINDS (KIND(LEARN_PREPROCESSOR) | KIND(LEARN_REGRESSOR) | KIND(LEARN_CLASSIFIER))

/* "; did you mean ...?", or nothing. */
static void write_near(const struct near *near, struct buf *out)
{
    if (near->name)
        buf_printf(out, "; did you mean \"%s\"?", near->name);
}

static int unknown_class(const struct spec_path *path, unsigned kinds, const char *name,
                         struct err *err)
{
    struct near near = {.wanted = name};
    struct buf known = BUF_INIT;
    struct buf hint = BUF_INIT;
    int code;

    for (size_t i = 0; i < learn_class_count(); i++) {
        const struct learn_class *class = learn_class_at(i);

        if (!(kinds & KIND(class->kind)))
            continue;
        near_offer(&near, class->name);
        buf_printf(&known, "%s%s", known.len ? ", " : "", class->name);
    }
    write_near(&near, &hint);
    code = err_set(err, ERR_INVALID, "%s: unknown class \"%.60s\"%s Known: %s",
                   buf_str(&path->text), name, hint.len ? buf_str(&hint) : ".", buf_str(&known));
    buf_release(&hint);
    buf_release(&known);
    return code;
}

static int unknown_param(const struct spec_path *path, const struct learn_class *class,
                         const char *name, struct err *err)
{
    struct near near = {.wanted = name};
    struct buf known = BUF_INIT;
    struct buf hint = BUF_INIT;
    int code;

    for (size_t i = 0; i < class->n_params; i++) {
        near_offer(&near, class->params[i].name);
        buf_printf(&known, "%s%s", i ? ", " : "", class->params[i].name);
    }
    write_near(&near, &hint);
    if (class->n_params == 0)
        code = err_set(err, ERR_INVALID, "%s: %s takes no parameters", buf_str(&path->text),
                       class->name);
    else
        code = err_set(err, ERR_INVALID, "%s: %s has no parameter of that name%s Known: %s",
                       buf_str(&path->text), class->name, hint.len ? buf_str(&hint) : ".",
                       buf_str(&known));
    buf_release(&hint);
    buf_release(&known);
    return code;
}

static int parse_component(const cJSON *json, unsigned kinds, struct spec_path *path,
                           struct component **ret, struct err *err);

static int parse_class_param(const cJSON *json, const struct learn_param *param,
                             struct component **value, struct spec_path *path, struct err *err)
{
    struct component *inner = NULL;
    int code = parse_component(json, KIND(param->kind), path, &inner, err);

    if (code)
        return code;
    /* A learner inside another is a leaf's model: thousands of them, so none may grow. */
    if (learn_kind_is_learner(param->kind) && !param->may_grow && !inner->class->fixed_size) {
        code = err_set(err, ERR_INVALID, "%s: %s grows, so it cannot be a leaf's model",
                       buf_str(&path->text), inner->class->name);
        component_free(inner);
        return code;
    }

    component_free(*value);
    *value = inner;
    return 0;
}

/* A number is the scheduler "constant" of that rate. */
static int parse_rate(const cJSON *json, const struct learn_param *param, struct component **value,
                      struct spec_path *path, struct err *err)
{
    double rate;
    int code;

    if (cJSON_IsString(json) || cJSON_IsObject(json))
        return parse_class_param(json, param, value, path, err);
    code = spec_number(json, param, &rate, path, err);
    if (code)
        return code;
    component_free(*value);
    *value = component_of_number(param->kind, rate);
    return 0;
}

/* Puts the entry at its place by name. */
static int put_entry(struct learn_map *map, const char *name, struct component *component,
                     const struct spec_path *path, struct err *err)
{
    size_t i = map->n;

    for (; i > 0 && strcmp(map->names[i - 1], name) > 0; i--) {
        map->names[i] = map->names[i - 1];
        map->at[i] = map->at[i - 1];
    }
    map->names[i] = mem_strdup(name);
    map->at[i] = component;
    map->n++;
    if (i > 0 && strcmp(map->names[i - 1], name) == 0)
        return err_set(err, ERR_INVALID, "%s: is given twice", buf_str(&path->text));
    return 0;
}

static int parse_map(const cJSON *json, const struct learn_param *param, struct learn_map *map,
                     struct spec_path *path, struct err *err)
{
    size_t n = cJSON_IsObject(json) ? (size_t)cJSON_GetArraySize(json) : 0;
    const cJSON *member;

    if (!cJSON_IsObject(json) || n > SCHEMA_MAX_FEATURES)
        return err_set(err, ERR_INVALID,
                       "%s: write an object of features, such as {\"distance\": \"mean\"}",
                       buf_str(&path->text));
    component_free_map(map);
    map->names = mem_zalloc(n + 1, sizeof(*map->names));
    map->at = mem_zalloc(n + 1, sizeof(struct component *));
    cJSON_ArrayForEach(member, json)
    {
        size_t before = spec_push(path, member->string);
        struct component *inner = NULL;
        int code = 0;

        if (cJSON_IsNumber(member) && isfinite(member->valuedouble))
            inner = component_of_number(param->kind, member->valuedouble);
        else
            code = parse_component(member, KIND(param->kind), path, &inner, err);
        if (!code)
            code = put_entry(map, member->string, inner, path, err);
        if (code)
            return code;
        spec_pop(path, before);
    }
    return 0;
}

static int parse_value(const cJSON *json, const struct learn_param *param, void *value,
                       struct spec_path *path, struct err *err)
{
    switch (param->type) {
    case PARAM_REAL:
    case PARAM_COUNT:
        return spec_number(json, param, value, path, err);
    case PARAM_FLAG:
        if (!cJSON_IsBool(json))
            return err_set(err, ERR_INVALID, "%s: write true or false", buf_str(&path->text));
        *(bool *)value = cJSON_IsTrue(json);
        return 0;
    case PARAM_CHOICE:
        return spec_choice(json, param, value, path, err);
    case PARAM_AMOUNT:
        return spec_amount(json, param, value, path, err);
    case PARAM_TEXT:
        return spec_text(json, value, path, err);
    case PARAM_NAMES:
        return spec_names(json, value, path, err);
    case PARAM_LISTS:
        return spec_lists(json, value, path, err);
    case PARAM_MAP:
        return parse_map(json, param, value, path, err);
    case PARAM_RATE:
        return parse_rate(json, param, value, path, err);
    case PARAM_CLASS:
        return parse_class_param(json, param, value, path, err);
    }
    return 0;
}

static const struct learn_param *find_param(const struct learn_class *class, const char *name)
{
    for (size_t i = 0; i < class->n_params; i++) {
        if (strcmp(class->params[i].name, name) == 0)
            return &class->params[i];
    }
    return NULL;
}

static bool seen_before(const cJSON *object, const cJSON *member)
{
    for (const cJSON *other = object->child; other != member; other = other->next) {
        if (strcmp(other->string, member->string) == 0)
            return true;
    }
    return false;
}

static int parse_params(const cJSON *object, struct component *component, struct spec_path *path,
                        struct err *err)
{
    const cJSON *member;

    cJSON_ArrayForEach(member, object)
    {
        const struct learn_param *param = find_param(component->class, member->string);
        size_t before = spec_push(path, member->string);
        int code;

        if (!param)
            return unknown_param(path, component->class, member->string, err);
        if (seen_before(object, member))
            return err_set(err, ERR_INVALID, "%s: is given twice", buf_str(&path->text));
        code = parse_value(member, param, component_value(component, param), path, err);
        if (code)
            return code;
        spec_pop(path, before);
    }
    return 0;
}

/* The class's name and, if there are any, the object of its parameters. */
static int split_component(const cJSON *json, const struct spec_path *path, const char **ret_name,
                           const cJSON **ret_params, struct err *err)
{
    if (cJSON_IsString(json)) {
        *ret_name = json->valuestring;
        *ret_params = NULL;
        return 0;
    }
    if (cJSON_IsObject(json) && cJSON_GetArraySize(json) == 1 && cJSON_IsObject(json->child)) {
        *ret_name = json->child->string;
        *ret_params = json->child;
        return 0;
    }
    return err_set(err, ERR_INVALID, "%s: write \"class\" or {\"class\": {parameters}}",
                   buf_str(&path->text));
}

/* The class of that name, of one of the kinds; NULL when there is none. */
static const struct learn_class *find_class(unsigned kinds, const char *name)
{
    for (size_t i = 0; i < learn_class_count(); i++) {
        const struct learn_class *class = learn_class_at(i);

        if (kinds & KIND(class->kind) && strcmp(class->name, name) == 0)
            return class;
    }
    return NULL;
}

static int parse_component(const cJSON *json, unsigned kinds, struct spec_path *path,
                           struct component **ret, struct err *err)
{
    const struct learn_class *class;
    struct component *component;
    const cJSON *params = NULL;
    const char *name = NULL;
    const char *wrong;
    int code = split_component(json, path, &name, &params, err);

    if (code)
        return code;
    if (++path->nest > NEST_MAX)
        return err_set(err, ERR_INVALID, "%s: nested too deep", buf_str(&path->text));

    class = find_class(kinds, name);
    if (!class)
        return unknown_class(path, kinds, name, err);

    size_t before = spec_push(path, name);

    component = component_new(class);
    code = params ? parse_params(params, component, path, err) : 0;
    wrong = !code && class->check ? class->check(component->params) : NULL;
    if (wrong)
        code = err_set(err, ERR_INVALID, "%s: %s", buf_str(&path->text), wrong);
    else if (!code && component_learners(component) > LEARN_MAX_MEMBERS)
        code = err_set(err, ERR_INVALID,
                       "%s: makes %zu learners, at most %d are allowed; write fewer models",
                       buf_str(&path->text), component_learners(component), LEARN_MAX_MEMBERS);
    if (code) {
        component_free(component);
        return code;
    }

    spec_pop(path, before);
    path->nest--;
    *ret = component;
    return 0;
}

void spec_release(struct spec *spec)
{
    for (size_t i = 0; i < spec->n; i++)
        component_free(spec->stages[i]);
    spec->n = 0;
}

static int parse_stages(struct spec *spec, const cJSON *root, struct spec_path *path,
                        struct err *err)
{
    int n = cJSON_GetArraySize(root);

    if (!cJSON_IsArray(root) || n == 0)
        return err_set(err, ERR_INVALID,
                       "a pipeline is a list such as [\"standard_scaler\", "
                       "\"linear_regression\"]");
    if (n > SPEC_MAX_STAGES)
        return err_set(err, ERR_INVALID, "a pipeline has at most %d elements, this one has %d",
                       SPEC_MAX_STAGES, n);

    for (const cJSON *json = root->child; json; json = json->next) {
        bool last = !json->next;
        int code;

        buf_clear(&path->text);
        buf_printf(&path->text, "[%zu]", spec->n);
        path->nest = 0;
        code = parse_component(json, STAGE_KINDS, path, &spec->stages[spec->n], err);
        if (code)
            return code;

        const struct learn_class *class = spec->stages[spec->n++]->class;

        if (last && class->kind == LEARN_PREPROCESSOR)
            return err_set(err, ERR_INVALID,
                           "%s.%s: is a preprocessor; a pipeline ends with a learner",
                           buf_str(&path->text), class->name);
        if (!last && class->kind != LEARN_PREPROCESSOR)
            return err_set(err, ERR_INVALID,
                           "%s.%s: is a learner; only the last element of a pipeline is one",
                           buf_str(&path->text), class->name);
    }
    return 0;
}

/* The text as JSON and nothing behind it; NULL with ERR_INVALID. */
static cJSON *parse_text(const char *text, size_t len, const char *what, struct err *err)
{
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, &end, false);

    while (root && end < text + len && strchr(" \t\r\n", *end))
        end++;
    if (root && end == text + len)
        return root;
    err_set(err, ERR_INVALID, "%s is not JSON: wrong at byte %zu", what,
            end ? (size_t)(end - text) : 0);
    cJSON_Delete(root);
    return NULL;
}

int spec_parse(struct spec *spec, const char *text, size_t len, struct err *err)
{
    struct spec_path path = {.text = BUF_INIT};
    cJSON *root = parse_text(text, len, "the pipeline", err);

    spec->n = 0;
    int code = root ? parse_stages(spec, root, &path, err) : ERR_INVALID;
    if (code)
        spec_release(spec);
    cJSON_Delete(root);
    buf_release(&path.text);
    return code;
}

int spec_parse_one(enum learn_kind kind, const char *text, size_t len, struct component **ret,
                   struct err *err)
{
    struct spec_path path = {.text = BUF_INIT};
    cJSON *root = parse_text(text, len, ": it", err);
    int code = root ? parse_component(root, KIND(kind), &path, ret, err) : ERR_INVALID;

    cJSON_Delete(root);
    buf_release(&path.text);
    return code;
}

void spec_write(const struct spec *spec, struct buf *out)
{
    buf_byte(out, '[');
    for (size_t i = 0; i < spec->n; i++) {
        if (i)
            buf_byte(out, ',');
        component_write(spec->stages[i], out);
    }
    buf_byte(out, ']');
}
