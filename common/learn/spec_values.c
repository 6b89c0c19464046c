/* Values of parameters that are no classes: see spec_values.h. */
#include "learn/spec_values.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "learn/component.h"
#include "learn/schema.h"

#define EXACT_INTEGERS 9007199254740992.0 /* 2^53: above it not every integer is a double */

size_t spec_push(struct spec_path *path, const char *name)
{
    size_t before = path->text.len;

    buf_printf(&path->text, ".%.60s", name);
    return before;
}

void spec_pop(struct spec_path *path, size_t before)
{
    path->text.len = before;
    path->text.data[before] = '\0';
}

/* What a number may be: "a number above 0 and at most 1". */
static void write_range(const struct learn_param *param, struct buf *out)
{
    char text[NUM_TEXT_MAX];

    buf_text(out, param->type == PARAM_COUNT ? "a whole number" : "a number");
    num_format(param->min, text);
    buf_printf(out, param->above_min ? " above %s" : " from %s", text);
    num_format(param->max, text);
    buf_printf(out, param->above_min ? " and at most %s" : " to %s", text);
    if (param->optional)
        buf_text(out, ", or null");
    if (param->type == PARAM_RATE)
        buf_text(out, ", or a scheduler such as {\"inverse_scaling\": {\"power\": 0.5}}");
}

static int wrong_number(const struct spec_path *path, const struct learn_param *param,
                        struct err *err)
{
    struct buf range = BUF_INIT;
    int code;

    write_range(param, &range);
    code = err_set(err, ERR_INVALID, "%s: write %s", buf_str(&path->text), buf_str(&range));
    buf_release(&range);
    return code;
}

int spec_number(const cJSON *json, const struct learn_param *param, void *value,
                const struct spec_path *path, struct err *err)
{
    double v;

    if (param->optional && cJSON_IsNull(json)) {
        if (param->type == PARAM_REAL)
            *(double *)value = (double)NAN;
        else
            *(uint64_t *)value = PARAM_NONE;
        return 0;
    }
    if (!cJSON_IsNumber(json))
        return wrong_number(path, param, err);
    v = json->valuedouble;
    if (!isfinite(v) || v < param->min || v > param->max || (param->above_min && v <= param->min))
        return wrong_number(path, param, err);
    if (param->type == PARAM_REAL || param->type == PARAM_RATE) {
        *(double *)value = v == 0 ? 0 : v; /* -0 and 0 are the same parameter */
        return 0;
    }
    if (v != floor(v) || v > EXACT_INTEGERS)
        return wrong_number(path, param, err);

    *(uint64_t *)value = (uint64_t)v;
    return 0;
}

int spec_choice(const cJSON *json, const struct learn_param *param, int *value,
                const struct spec_path *path, struct err *err)
{
    struct buf known = BUF_INIT;
    int code;

    for (int i = 0; param->choices[i]; i++) {
        if (cJSON_IsString(json) && strcmp(json->valuestring, param->choices[i]) == 0) {
            *value = i;
            buf_release(&known);
            return 0;
        }
        buf_printf(&known, "%s\"%s\"", i ? ", " : "", param->choices[i]);
    }
    code = err_set(err, ERR_INVALID, "%s: write one of %s", buf_str(&path->text), buf_str(&known));
    buf_release(&known);
    return code;
}

static bool is_amount(const struct learn_param *param, double v)
{
    return v > 0 && (v <= 1 || (v == floor(v) && v >= param->min && v <= param->max));
}

int spec_amount(const cJSON *json, const struct learn_param *param, struct learn_amount *value,
                const struct spec_path *path, struct err *err)
{
    struct buf known = BUF_INIT;
    char least[NUM_TEXT_MAX];
    char most[NUM_TEXT_MAX];
    int code;

    if (cJSON_IsNumber(json) && is_amount(param, json->valuedouble)) {
        *value = (struct learn_amount){AMOUNT_NUMBER, json->valuedouble};
        return 0;
    }
    for (int i = 0; param->choices[i]; i++) {
        if (cJSON_IsString(json) && strcmp(json->valuestring, param->choices[i]) == 0) {
            *value = (struct learn_amount){i, 0};
            buf_release(&known);
            return 0;
        }
        buf_printf(&known, ", \"%s\"", param->choices[i]);
    }
    num_format(param->min, least);
    num_format(param->max, most);
    code = err_set(err, ERR_INVALID,
                   "%s: write a share above 0 and at most 1, a whole number from %s to %s, or one "
                   "of%s",
                   buf_str(&path->text), least, most, buf_str(&known) + 1);
    buf_release(&known);
    return code;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int spec_names(const cJSON *json, struct learn_names *value, const struct spec_path *path,
               struct err *err)
{
    size_t n = cJSON_IsArray(json) ? (size_t)cJSON_GetArraySize(json) : 0;
    const cJSON *name;

    if (!cJSON_IsArray(json) || n > SCHEMA_MAX_FEATURES)
        return err_set(err, ERR_INVALID, "%s: write a list of names, such as [\"distance\"]",
                       buf_str(&path->text));
    component_free_names(value);
    value->at = mem_zalloc(n + 1, sizeof(*value->at));
    cJSON_ArrayForEach(name, json)
    {
        if (!cJSON_IsString(name) || !name->valuestring[0])
            return err_set(err, ERR_INVALID, "%s: write names in quotes", buf_str(&path->text));
        value->at[value->n++] = mem_strdup(name->valuestring);
    }
    qsort(value->at, value->n, sizeof(*value->at), compare_names);
    for (size_t i = 1; i < value->n; i++) {
        if (strcmp(value->at[i - 1], value->at[i]) == 0)
            return err_set(err, ERR_INVALID, "%s: names \"%.60s\" twice", buf_str(&path->text),
                           value->at[i]);
    }
    return 0;
}

static int compare_lists(const void *a, const void *b)
{
    return strcmp(((const struct learn_list *)a)->name, ((const struct learn_list *)b)->name);
}

int spec_lists(const cJSON *json, struct learn_lists *lists, struct spec_path *path,
               struct err *err)
{
    size_t n = cJSON_IsObject(json) ? (size_t)cJSON_GetArraySize(json) : 0;
    const cJSON *member;

    if (!cJSON_IsObject(json) || n > SCHEMA_MAX_FEATURES)
        return err_set(err, ERR_INVALID,
                       "%s: write lists, such as {\"weather\": [\"dry\", \"wet\"]}",
                       buf_str(&path->text));
    component_free_lists(lists);
    lists->at = mem_zalloc(n + 1, sizeof(*lists->at));
    cJSON_ArrayForEach(member, json)
    {
        struct learn_list *list = &lists->at[lists->n++];
        size_t before = spec_push(path, member->string);

        list->name = mem_strdup(member->string);
        if (spec_names(member, &list->names, path, err))
            return ERR_INVALID;
        spec_pop(path, before);
    }
    qsort(lists->at, lists->n, sizeof(*lists->at), compare_lists);
    for (size_t i = 1; i < lists->n; i++) {
        if (strcmp(lists->at[i - 1].name, lists->at[i].name) == 0)
            return err_set(err, ERR_INVALID, "%s.%.60s: is given twice", buf_str(&path->text),
                           lists->at[i].name);
    }
    return 0;
}

int spec_text(const cJSON *json, char **value, const struct spec_path *path, struct err *err)
{
    if (!cJSON_IsString(json) || strlen(json->valuestring) > SCHEMA_MAX_NAME)
        return err_set(err, ERR_INVALID, "%s: write a text of at most %d bytes",
                       buf_str(&path->text), SCHEMA_MAX_NAME);
    free(*value);
    *value = mem_strdup(json->valuestring);
    return 0;
}
