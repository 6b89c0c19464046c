/*
 * The command line of one command: a table of options, read into the caller's
 * variables. Both `--name value` and `--name=value` are read; what stands after
 * `--` is an operand.
 */
#ifndef OXBOW_CLI_OPTIONS_H
#define OXBOW_CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses of every command. */
#define CLI_OK      0
#define CLI_FAILED  1    /* it did not work out, or what was checked is not so */
#define CLI_REFUSED 2    /* a wrong command line or task file, or a human must act */
#define CLI_UNKNOWN 3    /* could not be found out: the server is away */
#define CLI_GO      (-1) /* of options_parse(): go on */

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_INT,    /* int64_t, from min to max */
    OPTION_NUMBER, /* double, from min to max */
    OPTION_MANY,   /* struct option_many: may be given again and again */
    OPTION_REST,   /* struct option_rest: it and all that follows belong to another program */
};

#define OPTION_MANY_MAX 32

struct option_many {
    const char *value[OPTION_MANY_MAX]; /* in the order of the command line */
    size_t n;
};

struct option_rest {
    char **argv; /* NULL when the option is not given */
    int argc;
};

struct option_spec {
    const char *name; /* without dashes */
    char letter;      /* `-n`; 0: none */
    enum option_kind kind;
    const char *arg; /* what the help calls the value; NULL for a flag */
    const char *help;
    void *target; /* left alone when the option is not given */
    double min;
    double max;
};

struct usage {
    const char *command;  /* "tail" */
    const char *operands; /* "TOPIC", "" when there are none */
    const char *summary;  /* a sentence or two */
    const struct option_spec *options;
    size_t n_options;
    const char **operand; /* where the operands go; all of them must be given */
    size_t n_operands;
};

/*
 * Reads the command line; argv[0] is the command's name. CLI_GO, or the status to exit with after
 * --help or after a wrong command line, which it has explained on standard error.
 */
int options_parse(const struct usage *usage, int argc, char **argv);

void options_help(const struct usage *usage, FILE *out);

#endif
