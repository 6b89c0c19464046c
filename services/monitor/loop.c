/* The loop. One thread: the server's handlers and the audit have theirs. */
#include "monitor/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/stop.h"
#include "monitor/api.h"
#include "monitor/drift_metrics.h"
#include "monitor/feed.h"
#include "monitor/recorder.h"

#define STEP_MS    100
#define CONNECT_MS 500  /* between two looks for what is not there yet */
#define LISTEN_MS  5000 /* between two tries to take a port that is taken */

#define DRIFT "drift" /* what the state of feature drift is kept as */

struct loop {
    struct runtime *rt;
    struct monitor *monitor;
    struct recorder *recorder;
    struct auditor *auditor;
    struct view_rows *views;
    struct explainer *explainer;
    struct drift_metrics *drift_metrics;
    struct api_options api_options;
    struct api *api; /* NULL: the port is taken */
    struct feed *feed;
    int64_t connect_ms, listen_ms, second; /* when to try again; the second that was told last */
    struct log_trouble task_trouble, bus_trouble, port_trouble;
    struct buf beats, tick;
    size_t model; /* whose versions are looked at next */
    uint64_t messages;
};

/* ---- Connecting ---- */

static void disconnect(struct loop *l)
{
    feed_close(l->feed);
    l->feed = NULL;
    bus_close(l->rt->bus);
    l->rt->bus = NULL;
    l->rt->incarnation[0] = '\0';
}

/* The incarnation: that of the store, once there is one. */
static int bind_store(struct loop *l, struct err *err)
{
    struct runtime *rt = l->rt;
    char id[UUID_TEXT_LEN + 1];
    int rc = store_incarnation(rt->store, id, err);

    if (rc == ERR_NOT_FOUND) {
        monitor_check(l->monitor, MONITOR_CHECK_STORE, true, "answers");
        monitor_check(l->monitor, MONITOR_CHECK_VIEWS, false,
                      "oxbow-views has not begun the task yet: start it");
        return rc;
    }
    if (rc < 0) {
        monitor_check(l->monitor, MONITOR_CHECK_STORE, false, err->text);
        return rc;
    }
    memcpy(rt->incarnation, id, sizeof(id));
    store_bind(rt->store, id);
    monitor_begin(l->monitor, id, clock_wall_ms());
    monitor_check(l->monitor, MONITOR_CHECK_STORE, true, "answers");
    return 0;
}

static int open_feed(struct loop *l, struct err *err)
{
    struct runtime *rt = l->rt;
    int rc = rt->bus ? 0 : runtime_open_bus(rt, NULL, NULL, err);

    if (rc == 0) {
        l->feed = feed_open(rt->bus, rt->task, l->monitor, err);
        rc = l->feed ? 0 : err->code;
    }
    monitor_check(l->monitor, MONITOR_CHECK_TOPICS, rc == 0, rc == 0 ? "are read" : err->text);
    return rc;
}

/* Brings up what is missing; what cannot be had now is tried again. */
static int connect_some(struct loop *l, struct err *err)
{
    struct err cause = {0};
    int rc = 0;

    if (clock_mono_ms() < l->connect_ms)
        return 0;
    l->connect_ms = clock_mono_ms() + CONNECT_MS;
    if (!l->rt->store)
        rc = runtime_open_store(l->rt, &cause);
    if (rc == 0 && !l->rt->incarnation[0])
        rc = bind_store(l, &cause);
    if (rc == 0 && !l->feed)
        rc = open_feed(l, &cause);
    if (rc == 0)
        log_trouble_over(&l->task_trouble);
    else
        log_trouble(&l->task_trouble, "the task", &cause);
    if (rc == 0 || rc == ERR_NOT_FOUND || cause.retriable)
        return 0;
    *err = cause;
    return rc;
}

static void listen(struct loop *l, struct err *err)
{
    if (l->api || clock_mono_ms() < l->listen_ms)
        return;
    l->listen_ms = clock_mono_ms() + LISTEN_MS;
    l->api = api_open(&l->api_options, err);
    if (l->api) {
        log_trouble_over(&l->port_trouble);
        log_info("the page is at http%s://%s/", l->rt->task->monitor.tls_key ? "s" : "",
                 api_address(l->api));
    } else if (err->code == ERR_CONFLICT) {
        struct err told;

        err_set(&told, err->code,
                "%.200s; stop what has it, or choose another: monitor.listen in the task file, or "
                "OXBOW_MONITOR_LISTEN; all else goes on, and it is tried again every %d s",
                err->text, LISTEN_MS / 1000);
        log_trouble(&l->port_trouble, "the page", &told);
    }
}

/* ---- The second ---- */

static void write_status(void *ctx, struct buf *out)
{
    const struct loop *l = ctx;

    buf_printf(out, "\"work\":%" PRIu64 ",\"clients\":%u,\"keeps\":%s,\"page\":", l->messages,
               l->api ? api_clients(l->api) : 0, recorder_keeps(l->recorder) ? "true" : "false");
    if (l->api)
        buf_printf(out, "\"%s\"", api_address(l->api));
    else
        buf_text(out, "null");
}

static const char *state_of(const struct loop *l)
{
    if (!l->feed)
        return "starting";
    return l->bus_trouble.since_ms ? "waiting" : "running";
}

/* The heartbeats; false when the store is away. */
static bool read_beats(struct loop *l)
{
    struct err err = {0};

    buf_clear(&l->beats);
    if (!l->rt->store || !l->rt->incarnation[0])
        return false;
    int rc = store_heartbeats(l->rt->store, &l->beats, &err);
    if (rc < 0)
        monitor_check(l->monitor, MONITOR_CHECK_STORE, false, err.text);
    else
        monitor_check(l->monitor, MONITOR_CHECK_STORE, true, "answers");
    return rc == 0;
}

/* The versions of one model, when they have changed. */
static void read_versions(struct loop *l)
{
    const struct task *task = l->rt->task;
    struct store_version *versions;
    struct err ignored;
    size_t n;

    for (size_t i = 0; i < task->n_models; i++) {
        size_t model = (l->model + i) % task->n_models;

        if (!monitor_wants_versions(l->monitor, model))
            continue;
        l->model = model + 1;
        if (store_versions(l->rt->store, task->models[model].name, &versions, &n, &ignored) < 0)
            return;
        monitor_versions(l->monitor, model, versions, n);
        store_versions_free(versions, n);
        return;
    }
}

static void keep_drift(struct loop *l)
{
    struct buf state = BUF_INIT;

    if (monitor_save_drift(l->monitor, &state))
        recorder_put(l->recorder, DRIFT, state.data, state.len);
    buf_release(&state);
}

static int second(struct loop *l, struct err *err)
{
    int64_t now_ms = clock_wall_ms();
    uint64_t id;

    if (now_ms / 1000 == l->second)
        return 0;
    l->second = now_ms / 1000;
    int rc = runtime_beat(l->rt, state_of(l), write_status, l, err);
    if (rc == ERR_REFUSED) {
        log_info("the task has begun anew: following");
        disconnect(l);
        rc = 0;
    }
    bool has_beats = read_beats(l);
    buf_clear(&l->tick);
    monitor_second(l->monitor, has_beats ? buf_str(&l->beats) : NULL, l->beats.len, now_ms,
                   recorder_point, l->recorder, &id, &l->tick);
    if (l->api)
        api_tick(l->api, id, &l->tick);
    drift_metrics_update(l->drift_metrics, l->monitor);
    keep_drift(l);
    recorder_commit(l->recorder, l->monitor, now_ms);
    if (has_beats)
        read_versions(l);
    return rc;
}

/* ---- Reading ---- */

static int read_bus(struct loop *l, struct err *err)
{
    struct err cause = {0};

    if (!l->feed) {
        clock_sleep_ms(STEP_MS);
        return 0;
    }
    int n = feed_step(l->feed, STEP_MS, &cause);
    if (n >= 0) {
        l->messages += (uint64_t)n;
        if (l->bus_trouble.since_ms)
            monitor_check(l->monitor, MONITOR_CHECK_TOPICS, true, "are read");
        log_trouble_over(&l->bus_trouble);
        return 0;
    }
    log_trouble(&l->bus_trouble, "the bus", &cause);
    monitor_check(l->monitor, MONITOR_CHECK_TOPICS, false, cause.text);
    if (cause.code == ERR_FATAL) {
        disconnect(l);
        return 0;
    }
    if (!cause.retriable) {
        *err = cause;
        return n;
    }
    clock_sleep_ms(STEP_MS);
    return 0;
}

static int turn(struct loop *l, struct err *err)
{
    listen(l, err);
    if (!l->api && err->code != ERR_CONFLICT)
        return err->code;
    *err = (struct err){0};
    int rc = connect_some(l, err);
    if (rc == 0)
        rc = read_bus(l, err);
    return rc == 0 ? second(l, err) : rc;
}

/* ---- From beginning to end ---- */

static void warn(const char *text)
{
    log_warn("%s", text);
}

/* The reference and the windows of feature drift, as they were kept. */
static void restore_drift(struct loop *l)
{
    struct buf kept = BUF_INIT;
    struct err err = {0};

    if (recorder_get(l->recorder, DRIFT, &kept) &&
        monitor_restore_drift(l->monitor, kept.data, kept.len, &err) < 0)
        log_warn("feature drift begins anew: %s", err.text);
    buf_release(&kept);
}

static int begin(struct loop *l, const struct loop_options *options, struct err *err)
{
    const struct task *task = l->rt->task;
    struct buf path = BUF_INIT;

    l->monitor = monitor_new(task, l->rt->started_ms, err);
    if (!l->monitor)
        return err->code;
    if (mkdir(task->data_dir, 0777) != 0 && errno != EEXIST)
        log_warn("%s: %s", task->data_dir, strerror(errno));
    buf_printf(&path, "%s/monitor.db", task->data_dir);
    l->recorder = recorder_open(buf_str(&path), warn);
    buf_release(&path);
    recorder_restore(l->recorder, l->monitor, clock_wall_ms());
    restore_drift(l);
    l->drift_metrics = drift_metrics_new(l->rt->tm, task);
    l->views = view_rows_new(task);
    l->explainer = explainer_new(task, l->rt->sql_hash, err);
    if (!l->explainer)
        return err->code;
    l->auditor = auditor_start(task, l->monitor, err);
    if (!l->auditor)
        return err->code;
    l->api_options = (struct api_options){
        .runtime = l->rt,
        .task = task,
        .monitor = l->monitor,
        .auditor = l->auditor,
        .views = l->views,
        .explainer = l->explainer,
        .listen = options->listen,
        .dashboard = options->dashboard,
        .warn = warn,
    };
    return 0;
}

int loop_run(struct runtime *rt, const struct loop_options *options, struct err *err)
{
    struct loop l = {.rt = rt};
    struct err ignored = {0};
    int rc = begin(&l, options, err);

    while (rc == 0 && !stop_requested())
        rc = turn(&l, err);
    api_close(l.api);
    l.api = NULL;
    auditor_stop(l.auditor);
    if (rc == 0 && runtime_beat(rt, "done", write_status, &l, &ignored) < 0)
        log_debug("the last heartbeat: %s", ignored.text);
    feed_close(l.feed);
    if (l.recorder && l.monitor) {
        keep_drift(&l);
        recorder_commit(l.recorder, l.monitor, clock_wall_ms());
    }
    recorder_close(l.recorder);
    view_rows_free(l.views);
    explainer_free(l.explainer);
    drift_metrics_free(l.drift_metrics);
    monitor_free(l.monitor);
    buf_release(&l.beats);
    buf_release(&l.tick);
    return rc;
}
