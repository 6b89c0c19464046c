/* The command line that all services share: one table made of theirs and ours, for getopt_long().
 */
#include "runtime/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HELP_INDENT 24  /* columns before an option's sentence */
#define HELP_WIDTH  72  /* bytes of its lines */
#define FIRST_CODE  256 /* above every character, so that '?' and ':' stay getopt's own */

static const struct runtime_option common[] = {
    {"config", "FILE", "the task file (default " OPTIONS_CONFIG ")"},
    {"instance", "NAME", "the name that this process is known by (default <service>-1)"},
    {"metrics", "WHERE",
     "on (127.0.0.1 and this service's own port, the default), off, ADDRESS or ADDRESS:PORT: where "
     "/metrics, /healthz and /readyz are; also from the environment, OXBOW_METRICS"},
    {"log-level", "LEVEL", "debug, info, warn or error (default: the task file's)"},
    {"help", NULL, "show this text"},
    {"version", NULL, "show the version"},
};

#define N_COMMON (sizeof(common) / sizeof(common[0]))

static const struct runtime_option *option_at(const struct runtime_spec *spec, size_t i)
{
    return i < spec->n_options ? &spec->options[i] : &common[i - spec->n_options];
}

/* Prints a sentence in lines of at most HELP_WIDTH bytes, those after the first indented. */
static void print_wrapped(const char *text)
{
    size_t column = 0;

    while (*text) {
        size_t word = strcspn(text, " ");
        if (column && column + 1 + word > HELP_WIDTH) {
            printf("\n%*s", HELP_INDENT, "");
            column = 0;
        }
        printf("%s%.*s", column ? " " : "", (int)word, text);
        column += word + (column ? 1 : 0);
        text += word + (text[word] == ' ');
    }
    printf("\n");
}

static void print_help(const struct runtime_spec *spec)
{
    struct buf text = BUF_INIT;

    printf("oxbow-%s: %s\n\nUsage: oxbow-%s [OPTION]...\n\n", spec->service, spec->summary,
           spec->service);
    for (size_t i = 0; i < spec->n_options + N_COMMON; i++) {
        const struct runtime_option *o = option_at(spec, i);
        char name[64];
        snprintf(name, sizeof(name), "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        printf("  %-*s ", HELP_INDENT - 3, name);
        print_wrapped(o->help);
    }
    printf("\nThe task file's options:\n\n");
    task_describe_options(&text);
    fputs(buf_str(&text), stdout);
    printf("\nExit status: 0 stopped or finished; 1 failed, starting again may help;\n"
           "2 refused, the last line says what to do.\n");
    buf_release(&text);
}

static bool instance_ok(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len >= sizeof(((struct runtime *)0)->instance))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return false;
    return true;
}

static int take_common(struct runtime *rt, const char *name, const char *value, struct options *ret)
{
    if (strcmp(name, "config") == 0) {
        ret->config = value;
    } else if (strcmp(name, "instance") == 0) {
        if (!instance_ok(value)) {
            log_error("--instance \"%s\": a name has 1 to 63 letters, digits, dots, dashes or "
                      "underscores",
                      value);
            return RUNTIME_REFUSED;
        }
        snprintf(rt->instance, sizeof(rt->instance), "%s", value);
    } else if (strcmp(name, "metrics") == 0) {
        ret->metrics = value;
    } else if (strcmp(name, "log-level") == 0) {
        if (log_level_parse(value, &ret->level) != 0) {
            log_error("--log-level \"%s\": write debug, info, warn or error", value);
            return RUNTIME_REFUSED;
        }
        ret->has_log_level = true;
    } else if (strcmp(name, "help") == 0) {
        print_help(rt->spec);
        return RUNTIME_OK;
    } else {
        printf("oxbow-%s %s\n", rt->spec->service, OXBOW_VERSION);
        return RUNTIME_OK;
    }
    return RUNTIME_GO;
}

static int take(struct runtime *rt, size_t i, const char *value, struct options *ret)
{
    const struct runtime_spec *spec = rt->spec;
    const char *name = option_at(spec, i)->name;

    if (i >= spec->n_options)
        return take_common(rt, name, value, ret);

    struct err err = {0};
    if (spec->option(spec->ctx, name, value, &err) == 0)
        return RUNTIME_GO;
    log_error("--%s: %s", name, err.text);
    return RUNTIME_REFUSED;
}

int options_read(struct runtime *rt, int argc, char **argv, struct options *ret)
{
    const struct runtime_spec *spec = rt->spec;
    size_t n = spec->n_options + N_COMMON;
    struct option *table = mem_zalloc(n + 1, sizeof(*table));
    int status = RUNTIME_GO;

    for (size_t i = 0; i < n; i++) {
        const struct runtime_option *o = option_at(spec, i);
        table[i].name = o->name;
        table[i].has_arg = o->arg ? required_argument : no_argument;
        table[i].val = FIRST_CODE + (int)i;
    }

    *ret = (struct options){.config = OPTIONS_CONFIG};
    optind = 0; /* begins anew, whoever has used getopt before */
    while (status == RUNTIME_GO) {
        int code = getopt_long(argc, argv, ":", table, NULL);
        if (code == -1)
            break;
        if (code >= FIRST_CODE) {
            status = take(rt, (size_t)(code - FIRST_CODE), optarg, ret);
            continue;
        }
        if (code == ':')
            log_error("%s needs a value; see oxbow-%s --help", argv[optind - 1], spec->service);
        else if (optopt >= FIRST_CODE)
            log_error("%s takes no value; see oxbow-%s --help", argv[optind - 1], spec->service);
        else if (optopt)
            log_error("unknown option -%c; see oxbow-%s --help", optopt, spec->service);
        else
            log_error("unknown option %s; see oxbow-%s --help", argv[optind - 1], spec->service);
        status = RUNTIME_REFUSED;
    }
    if (status == RUNTIME_GO && optind < argc) {
        log_error("unexpected argument \"%s\"; see oxbow-%s --help", argv[optind], spec->service);
        status = RUNTIME_REFUSED;
    }
    free(table);
    return status;
}
