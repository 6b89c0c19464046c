/* Starting and stopping a task's processes. */
#include "up.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
#include "fresh.h"
#include "paths.h"
#include "store/store.h"

#define REDIS_PATIENCE_S 120 /* reading a big append-only file takes its time */
#define MAX_WORDS        96

static const enum screen_colour palette[] = {SCREEN_CYAN, SCREEN_MAGENTA, SCREEN_BLUE,
                                             SCREEN_YELLOW, SCREEN_GREEN};

static bool worth_showing(const char *line, size_t len)
{
    size_t at = CLOCK_TEXT_LEN + 1;

    /* A line that is not in our log's form is something unforeseen. */
    if (len < at + 5 || line[CLOCK_TEXT_LEN - 1] != 'Z')
        return true;
    return memcmp(line + at, "INFO ", 5) != 0 && memcmp(line + at, "DEBUG", 5) != 0;
}

/* What redis-server says at every start and stop. The supervisor tells of both in its own words. */
static bool is_small_talk(const char *line, size_t len)
{
    static const char *const known[] = {
        "Redis is starting", "Redis version=", "Configuration loaded", "Server initialized",
        "Memory overcommit", "signal-handler", "requested shutdown",   "ready to exit",
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (memmem(line, len, known[i], strlen(known[i])))
            return true;
    return false;
}

static void on_line(void *ctx, int child, const char *name, const char *line, size_t len)
{
    struct up *up = ctx;
    enum screen_colour colour = SCREEN_BOLD;

    if (child >= 0) {
        if (up->redis.port && child < up->first_service && is_small_talk(line, len))
            return;
        if (up->quiet && !worth_showing(line, len))
            return;
        colour = palette[(size_t)child % (sizeof(palette) / sizeof(palette[0]))];
    }
    screen_line(up->screen, name, colour, line, len);
    if (up->stopping)
        screen_flush(up->screen);
}

void up_say(struct up *up, const char *fmt, ...)
{
    char time[CLOCK_TEXT_LEN + 1];
    struct buf line = BUF_INIT;
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    clock_format(clock_wall_ms(), time);
    buf_printf(&line, "%s INFO  %s", time, text);
    screen_line(up->screen, "oxbow", SCREEN_BOLD, line.data, line.len);
    buf_release(&line);
}

int up_step(struct up *up, int timeout_ms, struct err *err)
{
    int rc = supervise_step(up->supervisor, timeout_ms, err);

    screen_flush(up->screen);
    return rc;
}

/* ---- redis-server ---- */

static int wait_for_redis(struct up *up, int child, struct err *err)
{
    struct store_options options = {
        .backend = "redis", .url = up->redis.url, .task = "oxbow", .client = "oxbow"};
    int64_t started = clock_mono_ms();
    int64_t next_word = started + 3000;
    struct store *st = store_open(&options, err);
    int rc = st ? ERR_DISCONNECTED : err->code;

    while (st && (rc = store_ping(st, err)) < 0) {
        struct err ignored;
        int64_t now = clock_mono_ms();
        if (stop_requested()) {
            rc = err_set(err, ERR_CANCELLED, "asked to stop");
            break;
        }
        if (supervise_get(up->supervisor, (size_t)child).restarts >= 3 ||
            now - started > REDIS_PATIENCE_S * 1000) {
            rc = err_set(err, ERR_IO, "redis-server does not come up (see its lines above)");
            break;
        }
        if (now >= next_word) {
            up_say(up, "waiting for redis-server: %s", err->text);
            next_word = now + 10000;
        }
        if (up_step(up, 50, &ignored) < 0)
            continue; /* its status 2 counts as a death like any other */
    }
    store_close(st);
    return rc;
}

static int start_redis(struct up *up, struct err *err)
{
    bool always = up->task->durability == TASK_DURABILITY_MACHINE;

    int rc = own_redis_prepare(&up->redis, up->task->data_dir, always, err);
    if (rc < 0)
        return rc;
    struct supervise_spec spec = {.name = "redis-server", .argv = up->redis.argv};
    up->first_service = 1;
    int child = supervise_start(up->supervisor, &spec, err);
    if (child < 0)
        return err_prefix(err, "redis-server (apt-get install redis-server)");
    rc = wait_for_redis(up, child, err);
    if (rc == 0)
        up_say(up, "redis-server answers on %s, its data are in %s/redis", up->redis.url,
               up->task->data_dir);
    return rc;
}

/* ---- Services ---- */

/* Starts oxbow-<service> as <service>-<number>. Returns the child's number, or <0. */
static int start_service(struct up *up, const char *service, int64_t number, char *const *more,
                         struct err *err)
{
    char program[PATHS_MAX];
    char file[64];
    char instance[64];
    char option_config[] = "--config";
    char option_instance[] = "--instance";
    char *argv[MAX_WORDS + 1] = {program, option_config, up->task->file, option_instance, instance};
    size_t n = 5;

    snprintf(file, sizeof(file), "oxbow-%s", service);
    snprintf(instance, sizeof(instance), "%s-%lld", service, (long long)number);
    int rc = paths_beside_program(program, sizeof(program), file);
    if (rc < 0)
        return err_set(err, rc, "cannot tell where %s is", file);
    for (; more && *more; more++) {
        if (n == MAX_WORDS)
            return err_set(err, ERR_INVALID, "--simulate: too many words");
        argv[n++] = *more;
    }
    struct supervise_spec spec = {
        .name = instance, .argv = argv, .may_finish = strcmp(service, "simulator") == 0};
    return supervise_start(up->supervisor, &spec, err);
}

static int start_services(struct up *up, const struct up_options *options, struct err *err)
{
    /* The services' own environment: each makes an address of its own of it. */
    if (options->metrics)
        setenv("OXBOW_METRICS", options->metrics, 1);
    int rc = start_service(up, "views", 1, NULL, err);

    for (int64_t i = 1; rc >= 0 && i <= options->inference; i++)
        rc = start_service(up, "inference", i, NULL, err);
    if (rc >= 0)
        rc = start_service(up, "learner", 1, NULL, err);
    if (rc >= 0 && !options->no_monitor)
        rc = start_service(up, "monitor", 1, NULL, err);
    if (rc >= 0 && options->with_simulator)
        rc = up->simulator = start_service(up, "simulator", 1, options->simulator, err);
    return rc < 0 ? rc : 0;
}

static int lock_data(struct up *up, struct err *err)
{
    struct buf path = BUF_INIT;
    int rc = paths_make_dir(up->task->data_dir, err);

    if (rc == 0) {
        buf_printf(&path, "%s/up.lock", up->task->data_dir);
        rc = up->lock_fd = paths_lock(buf_str(&path), err);
        if (rc == ERR_REFUSED)
            err_set(err, rc, "another `oxbow up` is running on %s; stop it, or take another --data",
                    up->task->data_dir);
        buf_release(&path);
    }
    return rc < 0 ? rc : 0;
}

/* With our own server the task file's address is overridden, for us and for the services. */
static int reload_with_redis(struct up *up, const struct up_options *options, struct err *err)
{
    struct access_options access = options->access;

    access.redis_url = up->redis.url;
    struct task *task = access_load_task(&access, err);
    if (!task)
        return err->code;
    task_free(up->task);
    up->task = task;
    return 0;
}

int up_start(struct up *up, const struct up_options *options, struct screen *screen,
             struct err *err)
{
    bool quiet = up->quiet;

    *up = (struct up){.screen = screen, .simulator = -1, .lock_fd = -1, .quiet = quiet};
    up->task = access_load_task(&options->access, err);
    if (!up->task)
        return err->code;
    int rc = lock_data(up, err);
    if (rc < 0)
        return rc;
    up->supervisor = supervise_new(on_line, up);
    if (options->with_redis) {
        rc = start_redis(up, err);
        if (rc == 0)
            rc = reload_with_redis(up, options, err);
        if (rc < 0)
            return rc;
    }
    if (options->fresh) {
        rc = fresh_begin(up->task, err);
        if (rc < 0)
            return err_prefix(err, "--fresh");
        up_say(up, "begun anew: what was seen and learned before is forgotten");
    }
    return start_services(up, options, err);
}

void up_stop_services(struct up *up)
{
    up->stopping = true;
    screen_flush(up->screen);
    if (up->supervisor)
        supervise_stop(up->supervisor, up->first_service);
}

void up_stop(struct up *up)
{
    if (up->supervisor) {
        up_stop_services(up);
        supervise_stop(up->supervisor, 0);
        supervise_free(up->supervisor);
    }
    own_redis_release(&up->redis);
    if (up->lock_fd >= 0)
        close(up->lock_fd);
    task_free(up->task);
    *up = (struct up){.lock_fd = -1};
}

bool up_simulator_done(const struct up *up)
{
    return up->simulator >= 0 &&
           supervise_get(up->supervisor, (size_t)up->simulator).state == SUPERVISE_FINISHED;
}
