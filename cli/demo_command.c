/* `oxbow demo`: the task with a stream, shown live, and a summary at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/stop.h"
#include "commands.h"
#include "live.h"
#include "options.h"
#include "summary.h"
#include "up.h"

#define STEP_MS 50
#define REPLAY_RATE                                                                                \
    500 /* requests a second when the command line gives no pace: minutes, not months */
#define MAX_SIMULATOR 12

struct demo_options {
    struct up_options up;
    const char *replay;
    double seconds; /* 0: until a signal */
    double speed;   /* 0: the simulator's own */
    double rate;    /* 0: none */
    int64_t seed;   /* -1: the simulator's own */
    int64_t trips;  /* 0: no end */
    bool json;
    bool quiet;
};

struct words {
    char *word[MAX_SIMULATOR + 1];
    size_t n;
};

static void add_number(struct words *w, const char *name, double v)
{
    char text[NUM_TEXT_MAX];

    num_format(v, text);
    w->word[w->n++] = mem_strdup(name);
    w->word[w->n++] = mem_strdup(text);
}

/* The simulator's command line. */
static void simulator_words(const struct demo_options *o, struct words *w)
{
    if (o->replay) {
        w->word[w->n++] = mem_strdup("--replay");
        w->word[w->n++] = mem_strdup(o->replay);
    }
    if (o->speed > 0)
        add_number(w, "--speed", o->speed);
    if (o->rate > 0)
        add_number(w, "--rate", o->rate);
    else if (o->replay && o->speed <= 0)
        add_number(w, "--rate", REPLAY_RATE);
    if (o->seed >= 0)
        add_number(w, "--seed", (double)o->seed);
    if (o->trips > 0)
        add_number(w, "--trips", (double)o->trips);
}

/* Runs until a signal, the time is over, or a replay is learned. *ret_settled: the last. */
static int watch(struct up *up, struct live *live, const struct demo_options *o, bool *ret_settled,
                 struct err *err)
{
    int64_t deadline = clock_mono_ms() + (int64_t)(o->seconds * 1000);
    bool ends = o->replay || o->trips > 0;

    while (!stop_requested()) {
        int rc = up_step(up, STEP_MS, err);
        if (rc < 0)
            return rc;
        live_tick(live);
        if (ends && up_simulator_done(up) && live_settled(live)) {
            *ret_settled = true;
            up_say(up, "every trip is learned");
            return 0;
        }
        if (o->seconds > 0 && clock_mono_ms() >= deadline)
            return 0;
    }
    return 0;
}

static void print_summary(const struct summary *s, bool json)
{
    struct buf text = BUF_INIT;

    if (json) {
        summary_json(s, &text);
        puts(buf_str(&text));
    } else {
        summary_text(s, &text);
        fputs(buf_str(&text), stdout);
    }
    fflush(stdout);
    buf_release(&text);
}

/* Stops the services, tells what has come of it, then stops redis-server. */
static int finish(struct up *up, struct screen *screen, const struct demo_options *o, bool settled)
{
    up_say(up, "stopping");
    up_stop_services(up);
    struct summary *summary = summary_read(&o->up.access, settled);
    int status = strcmp(summary_audit(summary), "broken") == 0 ? CLI_FAILED : CLI_OK;
    up_stop(up);
    screen_release(screen);
    print_summary(summary, o->json);
    summary_free(summary);
    return status;
}

/* Where the live page is, as this machine's browser reaches it. */
static void say_page(struct up *up)
{
    const struct task_monitor *monitor = &up->task->monitor;
    const char *port = strrchr(monitor->listen, ':') + 1;
    int len = (int)(port - 1 - monitor->listen);
    bool here = strncmp(monitor->listen, "127.0.0.1:", 10) == 0 ||
                strncmp(monitor->listen, "0.0.0.0:", 8) == 0;

    if (strcmp(port, "0") == 0)
        return; /* it takes a free one, and says which */
    up_say(up, "the live page: http%s://%.*s:%s/", monitor->tls_key ? "s" : "", here ? 9 : len,
           here ? "localhost" : monitor->listen, port);
}

static int run(struct demo_options *o)
{
    struct screen screen;
    struct words words = {0};
    struct up up = {.quiet = o->quiet};
    struct err err = {0};
    bool settled = false;
    int status;

    stop_install();
    screen_init(&screen, o->json ? stderr : stdout);
    simulator_words(o, &words);
    o->up.simulator = words.word;
    int rc = up_start(&up, &o->up, &screen, &err);
    if (rc == 0) {
        struct live *live = live_new(&up, &screen, &o->up.access, screen.tty && !o->quiet);
        if (!o->up.no_monitor)
            say_page(&up);
        if (o->replay && !(o->speed > 0) && !(o->rate > 0))
            up_say(&up, "replaying at %d trips a second; --speed and --rate set another pace",
                   REPLAY_RATE);
        rc = watch(&up, live, o, &settled, &err);
        screen_set_block(&screen, "");
        live_free(live);
    }
    if (rc == 0) {
        status = finish(&up, &screen, o, settled);
    } else {
        up_stop(&up);
        screen_release(&screen);
        status = rc == ERR_CANCELLED ? CLI_OK : CLI_FAILED;
        if (rc == ERR_INVALID || rc == ERR_REFUSED)
            status = CLI_REFUSED;
        if (rc != ERR_CANCELLED)
            fprintf(stderr, "oxbow demo: %s\n", err.text);
    }
    o->up.simulator = NULL;
    for (size_t i = 0; i < words.n; i++)
        free(words.word[i]);
    return status;
}

int demo_command(int argc, char **argv)
{
    struct demo_options o = {.seed = -1};
    const struct option_spec options[] = {
        {"config", 0, OPTION_TEXT, "FILE", "the task file (default config/taxi.json)",
         &o.up.access.config, 0, 0},
        {"data", 0, OPTION_TEXT, "DIR", "where the data live (default oxbow-data)",
         &o.up.access.data, 0, 0},
        {"fresh", 0, OPTION_FLAG, NULL, "begin anew instead of going on where it was", &o.up.fresh,
         0, 0},
        {"seconds", 0, OPTION_NUMBER, "N", "stop after N seconds", &o.seconds, 0.001, 1e9},
        {"replay", 0, OPTION_TEXT, "FILE", "real trips (CSV or CSV.gz); ends when all are learned",
         &o.replay, 0, 0},
        {"speed", 0, OPTION_NUMBER, "X", "event time runs X times as fast as the clock", &o.speed,
         1e-6, 1e9},
        {"rate", 0, OPTION_NUMBER, "R", "R requests a second instead", &o.rate, 1e-6, 1e9},
        {"seed", 0, OPTION_INT, "N", "the synthetic city's seed", &o.seed, 0, 9e15},
        {"trips", 0, OPTION_INT, "N", "end after N trips, when all are learned", &o.trips, 1, 9e15},
        {"inference", 0, OPTION_INT, "N", "how many inference processes (default 1)",
         &o.up.inference, 1, UP_MAX_INFERENCE},
        {"no-monitor", 0, OPTION_FLAG, NULL,
         "without the live page (monitor.listen in the task file)", &o.up.no_monitor, 0, 0},
        {"metrics", 0, OPTION_TEXT, "WHERE",
         "on, off or ADDRESS: where the services serve /metrics (default on, 127.0.0.1:9401 and "
         "up)",
         &o.up.metrics, 0, 0},
        {"json", 0, OPTION_FLAG, NULL, "print the summary as JSON, and nothing else, on stdout",
         &o.json, 0, 0},
        {"quiet", 0, OPTION_FLAG, NULL, "show warnings and the status only", &o.quiet, 0, 0},
    };
    const struct usage usage = {
        .command = "demo",
        .operands = "",
        .summary =
            "Runs the task with a stream of its own and a redis-server of its own, and shows "
            "it live.\nCtrl-C stops everything and prints a summary; a second start goes "
            "on where it was.",
        .options = options,
        .n_options = sizeof(options) / sizeof(options[0]),
    };

    o.up.inference = 1;
    o.up.with_redis = true;
    o.up.with_simulator = true;
    int status = options_parse(&usage, argc, argv);
    return status == CLI_GO ? run(&o) : status;
}
