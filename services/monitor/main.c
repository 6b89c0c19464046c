/* oxbow-monitor: the live page, its data, and metrics of a task. The logic is in loop.c. */
#include <string.h>

#include "monitor/loop.h"
#include "runtime/runtime.h"

static int take_option(void *ctx, const char *name, const char *value, struct err *err)
{
    struct loop_options *options = ctx;

    (void)err;
    if (strcmp(name, "listen") == 0)
        options->listen = value;
    else
        options->dashboard = value;
    return 0;
}

static int run(struct runtime *rt)
{
    struct err err = {0};

    return loop_run(rt, rt->spec->ctx, &err) < 0 ? runtime_exit_status(&err) : RUNTIME_OK;
}

int main(int argc, char **argv)
{
    static const struct runtime_option options[] = {
        {"listen", "ADDR:PORT", "where the page is served (default: the task file's)"},
        {"dashboard", "DIR", "the page's files (default: those that were installed)"},
    };
    struct loop_options loop = {NULL, NULL};
    const struct runtime_spec spec = {
        .service = "monitor",
        .summary = "Shows a task live: a page, its data as JSON, and metrics. It only reads.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
        .option = take_option,
        .ctx = &loop,
    };

    return runtime_main(argc, argv, &spec, run);
}
