/* The frame of a service: task file, connections, incarnation, heartbeat. The command line is in
 * options.c. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/stop.h"
#include "runtime/options.h"
#include "runtime/scrape.h"

#define BEAT_EVERY_NS  INT64_C(1000000000)
#define BEAT_TTL_MS    5000
#define SLICE_MS       100 /* the longest sleep between two looks at the stop flag */
#define PAUSE_FIRST_MS 100 /* as struct backoff has it */
#define PAUSE_LAST_MS  5000

/* Serves metrics where the command line or the environment says. A port that is taken is no reason
 * not to work. */
static int start_metrics(struct runtime *rt, const char *where)
{
    const struct runtime_spec *spec = rt->spec;
    struct buf address = BUF_INIT;
    struct err err = {0};

    rt->scrape = scrape_new(rt->task->name, spec->service, rt->instance);
    if (!spec->metrics_port)
        return RUNTIME_GO;
    int rc = scrape_address(where ? where : getenv(SCRAPE_ENV), spec->service, rt->instance,
                            spec->metrics_port, &address, &err);
    if (rc == 0 && address.len)
        rc = scrape_listen(rt->scrape, address.data, &err);
    if (rc == ERR_CONFLICT)
        log_warn("no metrics: %s; --metrics says where else, or off", err.text);
    else if (rc != 0)
        log_error("--metrics: %s", err.text);
    buf_release(&address);
    return rc == 0 || rc == ERR_CONFLICT ? RUNTIME_GO : RUNTIME_REFUSED;
}

int runtime_init(struct runtime *rt, int argc, char **argv, const struct runtime_spec *spec)
{
    struct options options;
    struct err err = {0};

    *rt = (struct runtime){.spec = spec, .started_ms = clock_wall_ms()};
    snprintf(rt->instance, sizeof(rt->instance), "%s-1", spec->service);
    stop_install();

    int status = options_read(rt, argc, argv, &options);
    if (status != RUNTIME_GO)
        return status;

    if (options.has_log_level)
        log_set_level(options.level);
    rt->task = task_load(options.config, &err);
    if (!rt->task || task_sql_hash(rt->task, &rt->sql_hash, &err) != 0) {
        log_error("%s", err.text);
        return RUNTIME_REFUSED;
    }
    if (!options.has_log_level)
        log_set_level(rt->task->log_level);
    rt->tm = telemetry_new();
    return start_metrics(rt, options.metrics);
}

void runtime_release(struct runtime *rt)
{
    scrape_free(rt->scrape);
    bus_close(rt->bus);
    store_close(rt->store);
    telemetry_free(rt->tm);
    task_free(rt->task);
    buf_release(&rt->beat);
    buf_release(&rt->status);
    buf_release(&rt->missing);
    rt->scrape = NULL;
    rt->bus = NULL;
    rt->store = NULL;
    rt->tm = NULL;
    rt->task = NULL;
}

/* Connecting */

static void client_name(const struct runtime *rt, char *out, size_t size)
{
    snprintf(out, size, "oxbow-%s", rt->instance);
}

int runtime_open_store(struct runtime *rt, struct err *err)
{
    char client[sizeof(rt->instance) + 8];
    struct store_options options = {
        .backend = rt->task->store,
        .url = rt->task->redis_url,
        .task = rt->task->name,
        .client = client,
    };

    client_name(rt, client, sizeof(client));
    rt->store = store_open(&options, err);
    return rt->store ? 0 : err->code;
}

int runtime_open_bus(struct runtime *rt, bus_delivery_fn delivered, void *ctx, struct err *err)
{
    char client[sizeof(rt->instance) + 8];
    struct bus_options options = task_bus_options(rt->task, store_prefix(rt->store));
    struct buf transaction = BUF_INIT;

    client_name(rt, client, sizeof(client));
    if (rt->transaction)
        buf_printf(&transaction, "%s%s-%s", rt->task->kafka.topic_prefix, rt->task->name,
                   rt->transaction);
    options.client = client;
    options.delivered = delivered;
    options.delivered_ctx = ctx;
    options.incarnation = rt->incarnation;
    options.transaction = transaction.data;
    rt->bus = bus_open(&options, err);
    buf_release(&transaction);
    if (!rt->bus)
        return err->code;
    log_info("up: oxbow-%s %s as %s, task %s, bus %s, views %s, incarnation %s", rt->spec->service,
             OXBOW_VERSION, rt->instance, rt->task->name, rt->task->bus, rt->task->views,
             rt->incarnation);
    return 0;
}

/* The next wait of struct backoff, in slices that a signal ends; a slice after the other is the
 * caller's. */
static int64_t pause_length(struct backoff *b)
{
    int64_t wait_ms = b->wait_ms;

    b->wait_ms = wait_ms ? wait_ms * 2 : PAUSE_FIRST_MS;
    if (b->wait_ms > PAUSE_LAST_MS)
        b->wait_ms = PAUSE_LAST_MS;
    return wait_ms;
}

static void sleep_slice(int64_t left_ms)
{
    clock_sleep_ms(left_ms < SLICE_MS ? left_ms : SLICE_MS);
}

/* Metrics */

void runtime_observe(struct runtime *rt, void (*observe)(void *ctx), void *ctx)
{
    rt->observe = observe;
    rt->observe_ctx = ctx;
}

void runtime_serve_metrics(struct runtime *rt, struct http_server *server)
{
    scrape_add_routes(rt->scrape, server);
}

/* `trouble` may be NULL. Whoever asks is told what is waited for. */
static void update_metrics(struct runtime *rt, const char *state, const char *trouble)
{
    if (strcmp(state, "running") == 0) {
        rt->has_run = true;
    }
    if (rt->observe)
        rt->observe(rt->observe_ctx);
    scrape_update(rt->scrape, rt->tm,
                  &(struct scrape_state){
                      .state = state,
                      .missing = trouble ? trouble : buf_str(&rt->missing),
                      .is_looping = rt->has_run,
                  });
}

/* The same, once a second, for what waits before there is a heartbeat. */
static void wait_for(struct runtime *rt, const char *missing)
{
    if (clock_mono_ns() < rt->next_beat_ns)
        return;
    rt->next_beat_ns = clock_mono_ns() + BEAT_EVERY_NS;
    update_metrics(rt, "starting", missing);
}

/* Waits for the store to answer and to have an incarnation; what is missing is said once. */
static int wait_for_incarnation(struct runtime *rt, struct err *err)
{
    struct log_trouble away = {0};
    struct log_trouble none = {0};
    struct backoff backoff = {0};

    for (;;) {
        int rc = store_incarnation(rt->store, rt->incarnation, err);
        if (rc == 0)
            break;
        rt->incarnation[0] = '\0';
        if (rc == ERR_NOT_FOUND) {
            log_trouble_over(&away);
            backoff_reset(&backoff);
            log_trouble(&none, "waiting for oxbow-views to begin", NULL);
            wait_for(rt, "oxbow-views has not begun yet");
            sleep_slice(SLICE_MS);
        } else if (err->retriable || rc == ERR_DISCONNECTED) {
            log_trouble(&away, "store", err);
            wait_for(rt, err->text);
            for (int64_t left = pause_length(&backoff); left > 0 && !stop_requested();
                 left -= SLICE_MS)
                sleep_slice(left);
        } else {
            return rc;
        }
        if (stop_requested())
            return err_set(err, ERR_CANCELLED, "asked to stop while waiting for the store");
    }
    log_trouble_over(&away);
    log_trouble_over(&none);
    return 0;
}

static int wait_for_topics(struct runtime *rt, struct err *err)
{
    struct log_trouble away = {0};
    struct backoff backoff = {0};

    while (task_ensure_topics(rt->task, rt->bus, err) < 0) {
        struct err cause = *err;

        if (!err->retriable)
            return err->code;
        int rc = runtime_pause(rt, &away, "the bus", &cause, &backoff, err);
        if (rc < 0)
            return rc;
        if (stop_requested())
            return err_set(err, ERR_CANCELLED, "asked to stop while waiting for the bus");
    }
    log_trouble_over(&away);
    return 0;
}

int runtime_connect(struct runtime *rt, bus_delivery_fn delivered, void *ctx, struct err *err)
{
    int rc = runtime_open_store(rt, err);

    if (rc == 0)
        rc = wait_for_incarnation(rt, err);
    if (rc != 0)
        return rc;
    store_bind(rt->store, rt->incarnation);
    rc = runtime_open_bus(rt, delivered, ctx, err);
    return rc < 0 ? rc : wait_for_topics(rt, err);
}

/* The heartbeat */

static int64_t resident_bytes(void)
{
    long total = 0;
    long resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%ld %ld", &total, &resident) != 2)
        resident = 0;
    fclose(f);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

static int64_t cpu_ms(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static void put_string(struct buf *out, const char *name, const char *value)
{
    json_write_name(out, name);
    json_write_string(out, value, strlen(value));
    buf_byte(out, ',');
}

static void put_int(struct buf *out, const char *name, int64_t value)
{
    json_write_name(out, name);
    json_write_int(out, value);
    buf_byte(out, ',');
}

static void write_beat(struct runtime *rt, const char *state)
{
    struct buf *out = &rt->beat;
    char host[256] = "";

    gethostname(host, sizeof(host) - 1);
    buf_clear(out);
    buf_byte(out, '{');
    put_string(out, "service", rt->spec->service);
    put_string(out, "instance", rt->instance);
    put_int(out, "pid", getpid());
    put_string(out, "host", host);
    put_string(out, "release", OXBOW_VERSION);
    put_int(out, "started_ms", rt->started_ms);
    put_int(out, "time_ms", clock_wall_ms());
    put_int(out, "rss_bytes", resident_bytes());
    put_int(out, "cpu_ms", cpu_ms());
    put_string(out, "state", state);
    if (scrape_at(rt->scrape))
        put_string(out, "http", scrape_at(rt->scrape));
    buf_text(out, "\"status\":{");
    buf_append(out, buf_str(&rt->status), rt->status.len);
    buf_text(out, "},\"telemetry\":");
    telemetry_write(rt->tm, out);
    buf_byte(out, '}');
}

/* Writes the heartbeat to the store; ERR_REFUSED when the incarnation is another. */
static int put_beat(struct runtime *rt, const char *state, runtime_status_fn status, void *ctx,
                    struct err *err)
{
    if (!rt->store || !rt->incarnation[0])
        return 0;

    int rc = store_check(rt->store, err);
    if (rc != 0)
        return rc;
    if (status) {
        buf_clear(&rt->status);
        status(ctx, &rt->status);
    }
    write_beat(rt, state);
    return store_heartbeat_put(rt->store, rt->instance, buf_str(&rt->beat), BEAT_TTL_MS, err);
}

int runtime_beat(struct runtime *rt, const char *state, runtime_status_fn status, void *ctx,
                 struct err *err)
{
    rt->next_beat_ns = clock_mono_ns() + BEAT_EVERY_NS;

    int rc = put_beat(rt, state, status, ctx, err);
    if (rc == ERR_REFUSED)
        return rc;
    if (rc != 0)
        log_trouble(&rt->store_trouble, "store", err);
    else
        log_trouble_over(&rt->store_trouble);
    update_metrics(rt, state, rc != 0 ? err->text : NULL);
    return 0;
}

int runtime_tick(struct runtime *rt, const char *state, runtime_status_fn status, void *ctx,
                 struct err *err)
{
    if (clock_mono_ns() < rt->next_beat_ns)
        return 0;
    return runtime_beat(rt, state, status, ctx, err);
}

int runtime_pause(struct runtime *rt, struct log_trouble *trouble, const char *what,
                  const struct err *cause, struct backoff *backoff, struct err *err)
{
    log_trouble(trouble, what, cause);
    buf_clear(&rt->missing);
    buf_printf(&rt->missing, "%s: %s", what, cause->text);

    int64_t left = pause_length(backoff);
    int rc = runtime_tick(rt, "waiting", NULL, NULL, err);
    for (; rc == 0 && left > 0 && !stop_requested(); left -= SLICE_MS) {
        sleep_slice(left);
        rc = runtime_tick(rt, "waiting", NULL, NULL, err);
    }
    buf_clear(&rt->missing);
    return rc;
}

int runtime_exit_status(const struct err *err)
{
    switch (err->code) {
    case ERR_OK:
    case ERR_CANCELLED:
        return RUNTIME_OK;
    case ERR_INVALID:
    case ERR_REFUSED:
    case ERR_CORRUPT:
    case ERR_UNSUPPORTED:
    case ERR_TOO_LARGE:
        log_error("%s", err->text);
        return RUNTIME_REFUSED;
    default:
        log_error("%s", err->text);
        return RUNTIME_FAILED;
    }
}

int runtime_main(int argc, char **argv, const struct runtime_spec *spec,
                 int (*run)(struct runtime *rt))
{
    struct runtime rt;
    int status = runtime_init(&rt, argc, argv, spec);

    if (status == RUNTIME_GO)
        status = run(&rt);
    runtime_release(&rt);
    return status;
}
