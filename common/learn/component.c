/* One element of a pipeline: see component.h. */
#include "learn/component.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/classes.h"
#include "learn/learner_backend.h"

void *component_value(const struct component *component, const struct learn_param *param)
{
    return (char *)component->params + param->offset;
}

static void set_value(const struct component *component, const struct learn_value *from)
{
    for (size_t i = 0; i < component->class->n_params; i++) {
        const struct learn_param *param = &component->class->params[i];
        void *value = component_value(component, param);

        if (strcmp(param->name, from->name) != 0)
            continue;
        if (param->type == PARAM_COUNT)
            *(uint64_t *)value = (uint64_t)from->value;
        else if (param->type == PARAM_FLAG)
            *(bool *)value = from->value != 0;
        else if (param->type == PARAM_CHOICE)
            *(int *)value = (int)from->value;
        else
            *(double *)value = from->value;
    }
}

static struct component *default_class(const struct learn_param *param)
{
    struct component *component =
        component_new(learn_class_find(param->kind, param->fallback_class));
    const struct learn_value *value = param->fallback_values;

    for (; value && value->name; value++)
        set_value(component, value);
    return component;
}

static struct learn_amount default_amount(const struct learn_param *param)
{
    struct learn_amount amount = {.choice = AMOUNT_NUMBER, .number = param->fallback};

    for (int i = 0; param->fallback_class && param->choices[i]; i++) {
        if (strcmp(param->choices[i], param->fallback_class) == 0)
            amount.choice = i;
    }
    return amount;
}

static void set_default(const struct component *component, const struct learn_param *param)
{
    void *value = component_value(component, param);

    switch (param->type) {
    case PARAM_REAL:
        *(double *)value = param->optional ? (double)NAN : param->fallback;
        break;
    case PARAM_COUNT:
        *(uint64_t *)value = param->optional ? PARAM_NONE : (uint64_t)param->fallback;
        break;
    case PARAM_FLAG:
        *(bool *)value = param->fallback != 0;
        break;
    case PARAM_CHOICE:
        *(int *)value = (int)param->fallback;
        break;
    case PARAM_AMOUNT:
        *(struct learn_amount *)value = default_amount(param);
        break;
    case PARAM_CLASS:
        *(struct component **)value = default_class(param);
        break;
    case PARAM_TEXT:
        *(char **)value = mem_strdup("");
        break;
    case PARAM_NAMES:
    case PARAM_LISTS:
    case PARAM_MAP:
        break; /* none */
    case PARAM_RATE:
        *(struct component **)value = component_of_number(param->kind, param->fallback);
        break;
    }
}

struct component *component_of_number(enum learn_kind kind, double v)
{
    struct component *component = component_new(learn_class_find(kind, "constant"));

    *(double *)component_value(component, &component->class->params[0]) = v;
    return component;
}

struct component *component_new(const struct learn_class *class)
{
    struct component *component = mem_alloc(sizeof(*component));

    component->class = class;
    component->params = mem_zalloc(1, class->params_size ? class->params_size : 1);
    for (size_t i = 0; i < class->n_params; i++)
        set_default(component, &class->params[i]);
    return component;
}

void component_free_names(struct learn_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->at[i]);
    free(names->at);
    *names = (struct learn_names){.n = 0};
}

void component_free_lists(struct learn_lists *lists)
{
    for (size_t i = 0; i < lists->n; i++) {
        free(lists->at[i].name);
        component_free_names(&lists->at[i].names);
    }
    free(lists->at);
    *lists = (struct learn_lists){.n = 0};
}

void component_free_map(struct learn_map *map)
{
    for (size_t i = 0; i < map->n; i++) {
        free(map->names[i]);
        component_free(map->at[i]);
    }
    free(map->names);
    free(map->at);
    *map = (struct learn_map){.n = 0};
}

void component_free(struct component *component)
{
    if (!component)
        return;

    for (size_t i = 0; i < component->class->n_params; i++) {
        const struct learn_param *param = &component->class->params[i];

        if (param->type == PARAM_CLASS || param->type == PARAM_RATE)
            component_free(*(struct component **)component_value(component, param));
        if (param->type == PARAM_TEXT)
            free(*(char **)component_value(component, param));
        if (param->type == PARAM_NAMES)
            component_free_names(component_value(component, param));
        if (param->type == PARAM_LISTS)
            component_free_lists(component_value(component, param));
        if (param->type == PARAM_MAP)
            component_free_map(component_value(component, param));
    }
    free(component->params);
    free(component);
}

/* A learner that stands for itself, and is no model in a leaf, whose tree sees the features. */
static const struct component *held_learner(const struct component *component,
                                            const struct learn_param *param)
{
    if (param->type != PARAM_CLASS || !learn_kind_is_learner(param->kind) || !param->may_grow)
        return NULL;
    return *(struct component *const *)component_value(component, param);
}

size_t component_learners(const struct component *component)
{
    size_t held = 0;
    size_t times = 1;

    for (size_t i = 0; i < component->class->n_params; i++) {
        const struct learn_param *param = &component->class->params[i];
        const struct component *inner = held_learner(component, param);

        if (inner)
            held += component_learners(inner);
        if (param->multiplies)
            times = (size_t) * (const uint64_t *)component_value(component, param);
    }
    return times * (held ? held : 1);
}

const struct learn_class *component_without_categories(const struct component *component)
{
    const struct learn_class *without =
        component->class->learner->set_kinds ? NULL : component->class;

    for (size_t i = 0; i < component->class->n_params && !without; i++) {
        const struct component *inner = held_learner(component, &component->class->params[i]);

        if (inner)
            without = component_without_categories(inner);
    }
    return without;
}

static void write_names(const struct learn_names *names, struct buf *out)
{
    buf_byte(out, '[');
    for (size_t i = 0; i < names->n; i++) {
        if (i)
            buf_byte(out, ',');
        json_write_string(out, names->at[i], strlen(names->at[i]));
    }
    buf_byte(out, ']');
}

static void write_lists(const struct learn_lists *lists, struct buf *out)
{
    buf_byte(out, '{');
    for (size_t i = 0; i < lists->n; i++) {
        if (i)
            buf_byte(out, ',');
        json_write_name(out, lists->at[i].name);
        write_names(&lists->at[i].names, out);
    }
    buf_byte(out, '}');
}

static bool is_number(const struct component *component)
{
    return component->class == &constant_class || component->class == &constant_statistic_class;
}

/* A constant is the number. */
static void write_number_or_class(const struct component *component, struct buf *out)
{
    if (is_number(component))
        json_write_number(out, *(const double *)component->params);
    else
        component_write(component, out);
}

static void write_map(const struct learn_map *map, struct buf *out)
{
    buf_byte(out, '{');
    for (size_t i = 0; i < map->n; i++) {
        if (i)
            buf_byte(out, ',');
        json_write_name(out, map->names[i]);
        write_number_or_class(map->at[i], out);
    }
    buf_byte(out, '}');
}

static void write_amount(const struct learn_amount *amount, const struct learn_param *param,
                         struct buf *out)
{
    if (amount->choice == AMOUNT_NUMBER)
        json_write_number(out, amount->number);
    else
        buf_printf(out, "\"%s\"", param->choices[amount->choice]);
}

static void write_value(const struct component *component, const struct learn_param *param,
                        struct buf *out)
{
    const void *value = component_value(component, param);

    switch (param->type) {
    case PARAM_REAL:
        json_write_number(out, *(const double *)value);
        break;
    case PARAM_COUNT:
        if (*(const uint64_t *)value == PARAM_NONE)
            buf_text(out, "null");
        else
            json_write_number(out, (double)*(const uint64_t *)value);
        break;
    case PARAM_FLAG:
        buf_text(out, *(const bool *)value ? "true" : "false");
        break;
    case PARAM_CHOICE:
        buf_printf(out, "\"%s\"", param->choices[*(const int *)value]);
        break;
    case PARAM_AMOUNT:
        write_amount(value, param, out);
        break;
    case PARAM_TEXT:
        json_write_string(out, *(char *const *)value, strlen(*(char *const *)value));
        break;
    case PARAM_NAMES:
        write_names(value, out);
        break;
    case PARAM_LISTS:
        write_lists(value, out);
        break;
    case PARAM_MAP:
        write_map(value, out);
        break;
    case PARAM_RATE:
        write_number_or_class(*(struct component *const *)value, out);
        break;
    case PARAM_CLASS:
        component_write(*(struct component *const *)value, out);
        break;
    }
}

static bool is_default(const struct component *component, const struct learn_param *param)
{
    struct component *fresh = component_new(component->class);
    struct buf ours = BUF_INIT;
    struct buf theirs = BUF_INIT;
    bool same;

    write_value(component, param, &ours);
    write_value(fresh, param, &theirs);
    same = strcmp(buf_str(&ours), buf_str(&theirs)) == 0;
    buf_release(&ours);
    buf_release(&theirs);
    component_free(fresh);
    return same;
}

/* The parameter to write whose name follows `after` in the alphabet; NULL after the last. */
static const struct learn_param *next_by_name(const struct component *component, const char *after)
{
    const struct learn_class *class = component->class;
    const struct learn_param *next = NULL;

    for (size_t i = 0; i < class->n_params; i++) {
        const struct learn_param *param = &class->params[i];

        if (after && strcmp(param->name, after) <= 0)
            continue;
        if (param->late && is_default(component, param))
            continue;
        if (!next || strcmp(param->name, next->name) < 0)
            next = param;
    }
    return next;
}

void component_write(const struct component *component, struct buf *out)
{
    const struct learn_param *param = next_by_name(component, NULL);

    buf_printf(out, "{\"%s\":{", component->class->name);
    while (param) {
        json_write_name(out, param->name);
        write_value(component, param, out);
        param = next_by_name(component, param->name);
        if (param)
            buf_byte(out, ',');
    }
    buf_text(out, "}}");
}
