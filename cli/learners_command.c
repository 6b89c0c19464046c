/* `oxbow learners`: the registry of classes, as text or JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/near.h"
#include "commands.h"
#include "learn/component.h"
#include "learn/registry.h"
#include "options.h"

static const struct {
    enum learn_kind kind;
    const char *title;
} groups[] = {
    {LEARN_REGRESSOR, "regressors"},       {LEARN_CLASSIFIER, "binary classifiers"},
    {LEARN_PREPROCESSOR, "preprocessors"}, {LEARN_OPTIMIZER, "optimizers"},
    {LEARN_SCHEDULER, "learning rates"},   {LEARN_LOSS, "losses"},
    {LEARN_SPLITTER, "splitters"},         {LEARN_DETECTOR, "drift detectors"},
    {LEARN_STATISTIC, "statistics"},       {LEARN_INITIALIZER, "first weights"},
};
#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

static const char *type_name(const struct learn_param *param)
{
    switch (param->type) {
    case PARAM_REAL:
        return param->optional ? "number or null" : "number";
    case PARAM_COUNT:
        return param->optional ? "whole number or null" : "whole number";
    case PARAM_FLAG:
        return "true or false";
    case PARAM_CHOICE:
        return "one of";
    case PARAM_AMOUNT:
        return "share, whole number, or one of";
    case PARAM_TEXT:
        return "text";
    case PARAM_NAMES:
        return "list of names";
    case PARAM_LISTS:
        return "names by feature";
    case PARAM_MAP:
        return "statistic by feature";
    case PARAM_RATE:
        return "number or scheduler";
    case PARAM_CLASS:
        break;
    }
    return learn_kind_name(param->kind);
}

static void write_scalar(const struct learn_param *param, double value, struct buf *out)
{
    if (param->type == PARAM_FLAG)
        buf_text(out, value != 0 ? "true" : "false");
    else if (param->type == PARAM_CHOICE)
        buf_printf(out, "\"%s\"", param->choices[(int)value]);
    else
        json_write_number(out, value);
}

/* A class, with those of its parameters that are not as its own defaults. */
static void write_default_class(const struct learn_param *param, struct buf *out)
{
    const struct learn_class *class = learn_class_find(param->kind, param->fallback_class);
    const struct learn_value *value = param->fallback_values;

    buf_printf(out, value ? "{\"%s\":{" : "\"%s\"", param->fallback_class);
    for (const char *between = ""; value && value->name; value++, between = ",") {
        buf_text(out, between);
        json_write_name(out, value->name);
        for (size_t i = 0; i < class->n_params; i++) {
            if (strcmp(class->params[i].name, value->name) == 0)
                write_scalar(&class->params[i], value->value, out);
        }
    }
    if (param->fallback_values)
        buf_text(out, "}}");
}

static void write_default(const struct learn_param *param, struct buf *out)
{
    switch (param->type) {
    case PARAM_NAMES:
        buf_text(out, "[]");
        break;
    case PARAM_CLASS:
        write_default_class(param, out);
        break;
    case PARAM_AMOUNT:
        if (param->fallback_class)
            buf_printf(out, "\"%s\"", param->fallback_class);
        else
            json_write_number(out, param->fallback);
        break;
    case PARAM_TEXT:
        buf_text(out, "\"\"");
        break;
    case PARAM_LISTS:
    case PARAM_MAP:
        buf_text(out, "{}");
        break;
    case PARAM_COUNT:
    case PARAM_REAL:
        if (param->optional) {
            buf_text(out, "null");
            break;
        }
        write_scalar(param, param->fallback, out);
        break;
    case PARAM_RATE:
    case PARAM_FLAG:
    case PARAM_CHOICE:
        write_scalar(param, param->fallback, out);
        break;
    }
}

/* Numbers have a range; null where it is open. */
static bool has_range(const struct learn_param *param)
{
    return param->type == PARAM_REAL || param->type == PARAM_COUNT || param->type == PARAM_RATE;
}

/* JSON */

static void write_text(struct buf *out, const char *name, const char *text)
{
    buf_byte(out, ',');
    json_write_name(out, name);
    json_write_string(out, text ? text : "", text ? strlen(text) : 0);
}

static void write_param(struct buf *out, const struct learn_param *param)
{
    buf_text(out, "{\"name\":");
    json_write_string(out, param->name, strlen(param->name));
    write_text(out, "type", type_name(param));
    buf_text(out, ",\"default\":");
    write_default(param, out);
    if (param->choices) {
        buf_text(out, ",\"choices\":[");
        for (size_t i = 0; param->choices[i]; i++)
            buf_printf(out, "%s\"%s\"", i ? "," : "", param->choices[i]);
        buf_byte(out, ']');
    }
    if (has_range(param)) {
        buf_text(out, ",\"min\":");
        json_write_number(out, param->min);
        buf_text(out, ",\"max\":");
        json_write_number(out, param->max);
        buf_printf(out, ",\"above_min\":%s", param->above_min ? "true" : "false");
    }
    write_text(out, "help", param->help);
    buf_byte(out, '}');
}

static void write_class(struct buf *out, const struct learn_class *class)
{
    buf_text(out, "{\"name\":");
    json_write_string(out, class->name, strlen(class->name));
    write_text(out, "kind", learn_kind_name(class->kind));
    write_text(out, "river", class->river);
    write_text(out, "help", class->help);
    buf_text(out, ",\"parameters\":[");
    for (size_t i = 0; i < class->n_params; i++) {
        if (i)
            buf_byte(out, ',');
        write_param(out, &class->params[i]);
    }
    buf_text(out, "]}");
}

/* Text */

static void print_class(const struct learn_class *class, bool with_params)
{
    struct buf text = BUF_INIT;

    printf("  %-36s %s\n", class->name, class->help);
    for (size_t i = 0; with_params && i < class->n_params; i++) {
        const struct learn_param *param = &class->params[i];

        buf_clear(&text);
        if (param->type != PARAM_CHOICE)
            buf_text(&text, type_name(param));
        for (size_t k = 0; param->choices && param->choices[k]; k++)
            buf_printf(&text, "%s%s", k ? ", " : text.len ? " " : "", param->choices[k]);
        printf("      %-26s %s", param->name, buf_str(&text));
        buf_clear(&text);
        write_default(param, &text);
        printf("; default %s\n          %s\n", buf_str(&text), param->help ? param->help : "");
    }
    if (with_params && class->river)
        printf("      River: %s\n", class->river);
    buf_release(&text);
}

static void print_all(void)
{
    for (size_t g = 0; g < N_GROUPS; g++) {
        printf("%s%s\n", g ? "\n" : "", groups[g].title);
        for (size_t i = 0; i < learn_class_count(); i++)
            if (learn_class_at(i)->kind == groups[g].kind)
                print_class(learn_class_at(i), false);
    }
    puts("\n`oxbow learners --class NAME` shows the parameters of one.");
}

static int print_one(const char *name)
{
    struct near near = {.wanted = name};
    bool is_found = false;

    for (size_t i = 0; i < learn_class_count(); i++) {
        near_offer(&near, learn_class_at(i)->name);
        if (strcmp(learn_class_at(i)->name, name) != 0)
            continue;
        is_found = true;
        print_class(learn_class_at(i), true);
    }
    if (is_found)
        return CLI_OK;
    if (near.name)
        fprintf(stderr, "oxbow learners: unknown class %s; did you mean %s?\n", name, near.name);
    else
        fprintf(stderr, "oxbow learners: unknown class %s; `oxbow learners` lists them\n", name);
    return CLI_REFUSED;
}

static void print_json(void)
{
    struct buf text = BUF_INIT;

    buf_byte(&text, '[');
    for (size_t i = 0; i < learn_class_count(); i++) {
        if (i)
            buf_byte(&text, ',');
        write_class(&text, learn_class_at(i));
    }
    printf("%s]\n", buf_str(&text));
    buf_release(&text);
}

int learners_command(int argc, char **argv)
{
    const char *name = NULL;
    bool json = false;
    const struct option_spec options[] = {
        {"class", 0, OPTION_TEXT, "NAME", "one class, with its parameters", &name, 0, 0},
        {"json", 0, OPTION_FLAG, NULL, "print all, with parameters, as a JSON array", &json, 0, 0},
    };
    const struct usage usage = {
        .command = "learners",
        .operands = "",
        .summary = "Lists the classes that a model may be made of. Names, parameters and defaults "
                   "are River's, in snake_case.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
    };

    int status = options_parse(&usage, argc, argv);
    if (status != CLI_GO)
        return status;
    if (name)
        return print_one(name);
    if (json)
        print_json();
    else
        print_all();
    return CLI_OK;
}
