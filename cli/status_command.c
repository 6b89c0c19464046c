/* `oxbow status`: whether all is up, and how it goes; once, for people and for scripts. */
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "base/clock.h"
#include "base/stop.h"
#include "commands.h"
#include "glance.h"
#include "options.h"

#define LOOK_EVERY_MS 200

struct status_options {
    struct access_options access;
    bool json;
    double over_s;
};

/* Looks until the time is over: a rate needs two heartbeats. */
static int look(struct access *a, struct overview *o, const struct status_options *options,
                struct err *err)
{
    int64_t end_ms = clock_mono_ms() + (int64_t)(options->over_s * 1000);
    int rc = access_open_store(a, &options->access, err);

    if (rc == 0)
        rc = overview_look(o, a->in.store, err);
    while (rc == 0 && clock_mono_ms() < end_ms && !stop_requested()) {
        clock_sleep_ms(LOOK_EVERY_MS);
        rc = overview_look(o, a->in.store, err);
    }
    return rc;
}

static int print(const struct glance *g, const struct status_options *options)
{
    struct buf text = BUF_INIT;
    struct screen screen;

    screen_init(&screen, stdout);
    if (options->json) {
        glance_json(g, &text);
        buf_byte(&text, '\n');
    } else if (!g->away) {
        glance_draw(g, &screen, &text);
    }
    fputs(buf_str(&text), stdout);
    buf_release(&text);
    screen_release(&screen);
    return fflush(stdout) == 0 && overview_healthy(g->o) ? CLI_OK : CLI_FAILED;
}

static int run(const struct status_options *options)
{
    struct access a = {0};
    struct err err = {0};
    struct overview *o = overview_new();

    int rc = look(&a, o, options, &err);
    struct glance g = {
        .task = a.task, .incarnation = a.in.incarnation, .o = o, .away = rc < 0 ? err.text : NULL};
    int status = print(&g, options);
    if (rc < 0)
        status = access_complain("status", &err);
    overview_free(o);
    access_release(&a);
    return status;
}

int status_command(int argc, char **argv)
{
    struct status_options o = {.over_s = 2};
    const struct option_spec options[] = {
        ACCESS_OPTIONS(o.access),
        {"json", 0, OPTION_FLAG, NULL, "one JSON object (docs/status.md)", &o.json, 0, 0},
        {"over", 0, OPTION_NUMBER, "SECONDS",
         "how long to look, for rates and the lag (default 2; 0: one look, without them)",
         &o.over_s, 0, 60},
    };
    const struct usage usage = {
        .command = "status",
        .operands = "",
        .summary = "Says which services run, what was counted, how fast it goes and how good the "
                   "models\nare, from the services' heartbeats. Exit status: 0 all is up, 1 "
                   "something is down or\nsilent, 3 it cannot be told (the store is away, or "
                   "nothing was started there).",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
    };

    int status = options_parse(&usage, argc, argv);
    if (status != CLI_GO)
        return status;
    stop_install();
    return run(&o);
}
