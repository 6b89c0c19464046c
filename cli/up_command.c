/* `oxbow up`: runs a task's services until a signal. */
#include <stdio.h>

#include "base/stop.h"
#include "commands.h"
#include "options.h"
#include "up.h"

/* The exit status for an error that ends `up` or `demo`. */
static int report(struct screen *screen, const struct err *err)
{
    screen_flush(screen);
    if (err->code == ERR_CANCELLED)
        return CLI_OK;
    fprintf(stderr, "oxbow up: %s\n", err->text);
    return err->code == ERR_INVALID || err->code == ERR_REFUSED ? CLI_REFUSED : CLI_FAILED;
}

static int run(const struct up_options *options)
{
    struct screen screen;
    struct up up = {0};
    struct err err = {0};
    int status = CLI_OK;

    stop_install();
    screen_init(&screen, stdout);
    int rc = up_start(&up, options, &screen, &err);
    while (rc == 0 && !stop_requested())
        rc = up_step(&up, 100, &err);
    if (rc < 0)
        status = report(&screen, &err);
    else
        up_say(&up, "stopping");
    up_stop(&up);
    screen_release(&screen);
    return status;
}

int up_command(int argc, char **argv)
{
    struct up_options o = {.inference = 1, .with_simulator = true};
    struct option_rest simulator = {0};
    bool no_simulator = false;
    const struct option_spec options[] = {
        ACCESS_OPTIONS(o.access),
        {"fresh", 0, OPTION_FLAG, NULL, "forget what was seen and learned before", &o.fresh, 0, 0},
        {"with-redis", 0, OPTION_FLAG, NULL, "run a redis-server too, its data in DIR/redis",
         &o.with_redis, 0, 0},
        {"inference", 0, OPTION_INT, "N", "how many inference processes (default 1)", &o.inference,
         1, UP_MAX_INFERENCE},
        {"no-monitor", 0, OPTION_FLAG, NULL,
         "without the live page (monitor.listen in the task file)", &o.no_monitor, 0, 0},
        {"metrics", 0, OPTION_TEXT, "WHERE",
         "on, off or ADDRESS: where the services serve /metrics (default on, 127.0.0.1:9401 and "
         "up)",
         &o.metrics, 0, 0},
        {"no-simulator", 0, OPTION_FLAG, NULL, "the stream comes from elsewhere", &no_simulator, 0,
         0},
        {"simulate", 0, OPTION_REST, "ARGS...", "all that follows are the simulator's options",
         &simulator, 0, 0},
    };
    const struct usage usage = {
        .command = "up",
        .operands = "",
        .summary = "Runs all services of a task, starts one that dies again, and stops them on a "
                   "signal.\nExit status 2: a service refused to go on, and its last line says "
                   "what to do.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
    };

    int status = options_parse(&usage, argc, argv);
    if (status != CLI_GO)
        return status;
    if (no_simulator && simulator.argv) {
        fputs("oxbow up: --simulate and --no-simulator exclude each other\n", stderr);
        return CLI_REFUSED;
    }
    o.with_simulator = !no_simulator;
    o.simulator = simulator.argv;
    return run(&o);
}
