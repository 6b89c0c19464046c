/* Command lines from a table. */
#include "options.h"

#include <stdbool.h>
#include <string.h>

#include "base/near.h"
#include "base/num.h"

void options_help(const struct usage *usage, FILE *out)
{
    fprintf(out, "usage: oxbow %s%s%s%s\n\n%s\n", usage->command, usage->operands[0] ? " " : "",
            usage->operands, usage->n_options ? " [options]" : "", usage->summary);
    if (usage->n_options)
        fputs("\noptions:\n", out);
    for (size_t i = 0; i < usage->n_options; i++) {
        const struct option_spec *o = &usage->options[i];
        char left[64];
        char letter[8] = "";
        if (o->letter)
            snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->arg ? " " : "",
                 o->arg ? o->arg : "");
        fprintf(out, "  %-22s %s\n", left, o->help);
    }
}

static const struct option_spec *find(const struct usage *usage, const char *name, size_t len)
{
    for (size_t i = 0; i < usage->n_options; i++)
        if (strlen(usage->options[i].name) == len && memcmp(usage->options[i].name, name, len) == 0)
            return &usage->options[i];
    return NULL;
}

static const struct option_spec *find_letter(const struct usage *usage, const char *arg)
{
    for (size_t i = 0; i < usage->n_options; i++)
        if (usage->options[i].letter && usage->options[i].letter == arg[1] && !arg[2])
            return &usage->options[i];
    return NULL;
}

static int refuse_unknown(const struct usage *usage, const char *arg)
{
    char name[NEAR_NAME_MAX + 1];
    const char *word = arg + strspn(arg, "-");
    struct near near = {.wanted = name};

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    for (size_t i = 0; i < usage->n_options; i++)
        near_offer(&near, usage->options[i].name);
    if (near.name)
        fprintf(stderr, "oxbow %s: unknown option %s; did you mean --%s?\n", usage->command, arg,
                near.name);
    else
        fprintf(stderr, "oxbow %s: unknown option %s; `oxbow %s --help` lists them\n",
                usage->command, arg, usage->command);
    return CLI_REFUSED;
}

/* Stores a value; CLI_GO or a status. */
static int take(const struct usage *usage, const struct option_spec *o, const char *value)
{
    struct option_many *many;
    double number;
    int64_t whole;
    char low[NUM_TEXT_MAX];
    char high[NUM_TEXT_MAX];

    switch (o->kind) {
    case OPTION_TEXT:
        memcpy(o->target, &value, sizeof(value));
        return CLI_GO;
    case OPTION_INT:
        if (num_parse_int(value, strlen(value), &whole) == 0 && (double)whole >= o->min &&
            (double)whole <= o->max) {
            memcpy(o->target, &whole, sizeof(whole));
            return CLI_GO;
        }
        break;
    case OPTION_NUMBER:
        if (num_parse(value, strlen(value), &number) == 0 && number >= o->min && number <= o->max) {
            memcpy(o->target, &number, sizeof(number));
            return CLI_GO;
        }
        break;
    case OPTION_MANY:
        many = o->target;
        if (many->n < OPTION_MANY_MAX) {
            many->value[many->n++] = value;
            return CLI_GO;
        }
        fprintf(stderr, "oxbow %s: --%s %s: at most %d of them\n", usage->command, o->name, value,
                OPTION_MANY_MAX);
        return CLI_REFUSED;
    case OPTION_FLAG:
    case OPTION_REST:
        break;
    }
    num_format(o->min, low);
    num_format(o->max, high);
    fprintf(stderr, "oxbow %s: --%s %s: write a%s number from %s to %s\n", usage->command, o->name,
            value, o->kind == OPTION_INT ? " whole" : "", low, high);
    return CLI_REFUSED;
}

/* Reads the option at argv[*i] and moves *i to its last word. */
static int parse_option(const struct usage *usage, int argc, char **argv, int *i)
{
    const char *arg = argv[*i];
    const struct option_spec *o;
    const char *value = NULL;

    if (arg[1] == '-') {
        size_t len = strcspn(arg + 2, "=");
        o = find(usage, arg + 2, len);
        if (arg[2 + len] == '=')
            value = arg + 2 + len + 1;
    } else {
        o = find_letter(usage, arg);
    }
    if (!o)
        return refuse_unknown(usage, arg);

    if (o->kind == OPTION_FLAG) {
        if (value) {
            fprintf(stderr, "oxbow %s: --%s takes no value\n", usage->command, o->name);
            return CLI_REFUSED;
        }
        *(bool *)o->target = true;
        return CLI_GO;
    }
    if (o->kind == OPTION_REST) {
        struct option_rest *rest = o->target;
        rest->argv = argv + *i + 1;
        rest->argc = argc - *i - 1;
        *i = argc;
        return CLI_GO;
    }
    if (!value && *i + 1 >= argc) {
        fprintf(stderr, "oxbow %s: --%s needs a value: --%s %s\n", usage->command, o->name, o->name,
                o->arg);
        return CLI_REFUSED;
    }
    return take(usage, o, value ? value : argv[++*i]);
}

int options_parse(const struct usage *usage, int argc, char **argv)
{
    size_t n = 0;
    bool only_operands = false;

    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (!only_operands && strcmp(arg, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            options_help(usage, stdout);
            return CLI_OK;
        } else if (!only_operands && arg[0] == '-' && arg[1]) {
            int status = parse_option(usage, argc, argv, &i);
            if (status != CLI_GO)
                return status;
        } else if (n < usage->n_operands) {
            usage->operand[n++] = arg;
        } else {
            fprintf(stderr,
                    "oxbow %s: %s is one word too many; `oxbow %s --help` shows the usage\n",
                    usage->command, arg, usage->command);
            return CLI_REFUSED;
        }
    }
    if (n < usage->n_operands) {
        fprintf(stderr, "oxbow %s: %s is missing; `oxbow %s --help` shows the usage\n",
                usage->command, usage->operands, usage->command);
        return CLI_REFUSED;
    }
    return CLI_GO;
}
