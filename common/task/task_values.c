/* The values of a task file's options, by type: see task_options.c for the table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "task/task_read.h"

/* Texts */

/* `"redis" or "memory"` */
void task_list_choices(const char *const *choices, struct buf *out)
{
    for (size_t i = 0; choices[i]; i++)
        buf_printf(out, "%s\"%s\"", !i ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
}

int task_wrong_type(struct reader *r, const char *path, const char *wanted,
                    const struct json_value *v)
{
    char shown[80];

    return task_refuse(r, path, "is %s; write %s", task_show(v, shown), wanted);
}

static int wrong_choice(struct reader *r, const struct task_option *o, const char *path,
                        const struct json_value *v, const char *text)
{
    struct buf known = BUF_INIT;
    struct near near = {.wanted = text ? text : ""};
    char shown[80];
    int code;

    task_list_choices(o->choices, &known);
    for (size_t i = 0; o->choices[i]; i++)
        near_offer(&near, o->choices[i]);

    if (text && near.name)
        code = task_refuse(r, path, "%s is not known; did you mean \"%s\"? Write %s",
                           task_show(v, shown), near.name, buf_str(&known));
    else
        code = task_refuse(r, path, "is %s; write %s", task_show(v, shown), buf_str(&known));
    buf_release(&known);
    return code;
}

/* Values */

static void set_text(char **field, char *text)
{
    free(*field);
    *field = text;
}

static int read_text(struct reader *r, const struct task_option *o, const char *path,
                     const struct json_value *v, void *field)
{
    char *text = task_string(v);
    const char *wanted = text ? o->check(text) : "a text in quotes";

    if (wanted) {
        free(text);
        /* The value of an address is not shown: it may hold a password. */
        return o->is_secret ? task_refuse(r, path, "is no such address; write %s", wanted)
                            : task_wrong_type(r, path, wanted, v);
    }
    set_text(field, text);
    return 0;
}

static int read_choice(struct reader *r, const struct task_option *o, const char *path,
                       const struct json_value *v, void *field)
{
    char *text = task_string(v);
    size_t i = 0;

    while (o->choices[i] && (!text || strcmp(o->choices[i], text) != 0))
        i++;
    if (!o->choices[i]) {
        int code = wrong_choice(r, o, path, v, text);
        free(text);
        return code;
    }
    if (o->type == OPTION_CHOICE) {
        set_text(field, text);
    } else {
        int value = (int)i;
        memcpy(field, &value, sizeof(value));
        free(text);
    }
    return 0;
}

static int read_count(struct reader *r, const struct task_option *o, const char *path,
                      const struct json_value *v, void *field)
{
    char shown[80];
    int64_t n;

    if (!json_int(v, &n) || n < o->min || n > o->max)
        return task_refuse(r, path, "is %s; write a whole number from %lld to %lld, such as %s",
                           task_show(v, shown), (long long)o->min, (long long)o->max, o->fallback);
    *(int64_t *)field = n;
    return 0;
}

static int read_real(struct reader *r, const struct task_option *o, const char *path,
                     const struct json_value *v, double *field)
{
    char shown[80];
    double number;

    if (v->type != JSON_NUMBER || !json_number(v, &number) || number < (double)o->min ||
        number > (double)o->max)
        return task_refuse(r, path, "is %s; write a number from %lld to %lld, such as %s",
                           task_show(v, shown), (long long)o->min, (long long)o->max, o->fallback);
    *field = number;
    return 0;
}

static int read_positive(struct reader *r, const char *path, const struct json_value *v,
                         struct label_positive *field)
{
    struct label_positive positive = {.type = LABEL_TRUE};

    if (v->type == JSON_STRING)
        positive = (struct label_positive){.type = LABEL_TEXT, .text = task_string(v)};
    else if (v->type == JSON_NUMBER && json_number(v, &positive.number))
        positive.type = LABEL_NUMBER;
    else if (v->type != JSON_TRUE)
        return task_wrong_type(r, path, "the label that is positive: true, a number or a text", v);
    if (positive.type == LABEL_TEXT && (!positive.text || !*positive.text)) {
        free(positive.text);
        return task_wrong_type(r, path, "a text that is not empty", v);
    }
    free(field->text);
    *field = positive;
    return 0;
}

static bool read_bound(struct json_iter *it, double *bound)
{
    struct json_value v;

    return json_next_element(it, &v) && (v.type == JSON_NULL || json_number(&v, bound));
}

static int read_bounds(struct reader *r, const char *path, const struct json_value *v, void *field)
{
    double bounds[2] = {-(double)INFINITY, (double)INFINITY};
    struct json_iter it;
    struct json_value third;

    json_iter_init(&it, v);
    if (v->type != JSON_ARRAY || !read_bound(&it, &bounds[0]) || !read_bound(&it, &bounds[1]) ||
        json_next_element(&it, &third))
        return task_refuse(r, path,
                           "write [least, greatest], with null for no limit, such as "
                           "[0, null]");
    if (bounds[0] >= bounds[1])
        return task_refuse(r, path, "the first of the two must be less than the second");
    memcpy(field, bounds, sizeof(bounds));
    return 0;
}

int task_read_value(struct reader *r, const struct task_option *o, const char *path,
                    const struct json_value *v)
{
    void *field = (char *)r->task + o->offset;

    switch (o->type) {
    case OPTION_TEXT:
        return read_text(r, o, path, v, field);
    case OPTION_CHOICE:
    case OPTION_ENUM:
        return read_choice(r, o, path, v, field);
    case OPTION_COUNT:
        return read_count(r, o, path, v, field);
    case OPTION_BOUNDS:
        return read_bounds(r, path, v, field);
    case OPTION_REAL:
        return read_real(r, o, path, v, field);
    case OPTION_POSITIVE:
        return read_positive(r, path, v, field);
    case OPTION_FLAG:
        if (v->type != JSON_TRUE && v->type != JSON_FALSE)
            return task_wrong_type(r, path, "true or false", v);
        *(bool *)field = v->type == JSON_TRUE;
        return 0;
    case OPTION_PROPERTIES:
        return task_read_properties(r, path, v);
    case OPTION_PAIR:
        return task_read_pair(r, path, v, field);
    case OPTION_DETECTOR:
        return task_read_detector(r, path, v, field);
    case OPTION_FEATURES:
        return task_read_features(r, path, v);
    case OPTION_MODELS:
        return task_read_models(r, path, v);
    }
    return ERR_INVALID;
}
