/* The loop of oxbow-views; publish.c and upkeep.c hold what its names say. */
#include "view_service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/stop.h"
#include "service_internal.h"

#define POLL_MS   100
#define BATCH_MAX 1000 /* messages a topic in one transaction */

void position_text(void *ctx, const void *origin, struct buf *out)
{
    const struct view_service *s = ctx;

    bus_msg_place(s->rt->bus, origin, out);
}

/* ---- Opening ---- */

static void log_note(void *ctx, const char *text)
{
    (void)ctx;
    log_info("views: %s", text);
}

static int open_views(struct view_service *s, struct err *err)
{
    const struct task *task = s->rt->task;
    struct buf path = BUF_INIT, topics[VIEWS_N_INPUTS] = {BUF_INIT, BUF_INIT, BUF_INIT};
    const char **features = mem_zalloc(schema_size(task->features), sizeof(*features));
    struct views_options options = {
        .engine = task->views,
        .name = task->name,
        .sql_dir = task->sql_dir,
        .sql_hash = s->rt->sql_hash,
        .key = task->key,
        .label = task->label,
        .features = features,
        .n_features = schema_size(task->features),
        .label_min = task->label_min,
        .label_max = task->label_max,
        .positive = task_positive(task),
        .max_event_bytes = task->max_event_bytes,
        .retention_seconds = task->retention_seconds,
        .retention_rows = task->retention_rows,
        .reconcile_ms = task->reconcile_seconds * 1000,
        .position_text = position_text,
        .position_ctx = s,
        .brokers = task->materialize_brokers ? task->materialize_brokers : task->kafka.brokers,
        .window_seconds = task->dedupe_seconds,
        .note = log_note,
        .sync = task->durability == TASK_DURABILITY_MACHINE,
    };
    bool changed, is_file = strcmp(task->views, "sqlite") == 0;

    for (size_t i = 0; i < options.n_features; i++)
        features[i] = schema_name(task->features, i);
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++) {
        /* Materialize reads the broker's own topics. */
        buf_printf(&topics[i], "%s%s", is_file ? "" : task->kafka.topic_prefix, s->inputs[i]);
        options.topic_names[i] = topics[i].data;
    }
    buf_printf(&path, "%s/%s.db", task->data_dir, task->name);
    options.url = is_file ? path.data : task->materialize_url;

    int rc = 0;
    if (is_file && mkdir(task->data_dir, 0755) < 0 && errno != EEXIST)
        rc = err_set(err, ERR_REFUSED, "cannot make the data folder %s: %s", task->data_dir,
                     strerror(errno));
    if (rc == 0) {
        s->views = views_open(&options, err);
        rc = s->views ? 0 : err->code;
    }
    /* An engine that reads the bus by itself needs the topics first: subscribe_loop.c. */
    if (rc == 0 && views_is_fed(s->views))
        rc = views_apply(s->views, &changed, err);
    if (rc == 0 && views_is_fed(s->views))
        log_info("views in %s, SQL from %s%s", path.data, task->sql_dir,
                 changed ? " (applied)" : "");
    buf_release(&path);
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++)
        buf_release(&topics[i]);
    free(features);
    return rc;
}

int view_service_settle(struct view_service *s, const char *where, struct err *err)
{
    struct runtime *rt = s->rt;
    char here[UUID_TEXT_LEN + 1], there[UUID_TEXT_LEN + 1];
    bool announced;

    if (views_incarnation(s->views, here, &announced, err) < 0)
        return err->code;
    int rc = store_incarnation(rt->store, there, err);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    bool known = rc == 0;

    if (!*here && known)
        return err_set(
            err, ERR_REFUSED,
            "the view engine's database %s is new, but Redis holds incarnation %s of task "
            "%s: restore the database, or start anew with --fresh",
            where, there, rt->task->name);
    if (*here && known && strcmp(here, there) != 0)
        return err_set(err, ERR_REFUSED,
                       "the view engine's database %s belongs to incarnation %s, but Redis holds "
                       "%s: bring together what belongs together, or start anew with --fresh",
                       where, here, there);
    if (*here && announced && !known)
        return err_set(err, ERR_REFUSED,
                       "the view engine's database %s belongs to incarnation %s, but Redis holds "
                       "nothing of it (was it wiped?): restore Redis, or start anew with --fresh",
                       where, here);
    if (!*here) {
        uuid_new(here);
        if (views_incarnation_set(s->views, here, err) < 0)
            return err->code;
    }
    if (!known && store_incarnation_create(rt->store, here, err) < 0)
        return err->code;
    if (!announced && views_announce(s->views, err) < 0)
        return err->code;
    memcpy(rt->incarnation, here, sizeof(rt->incarnation));
    store_bind(rt->store, here);
    return 0;
}

/* ---- Comparing with the bus ---- */

/*
 * How many messages were ever added up to `pos`. Two questions to the bus, asked again when others
 * have published in between: else their messages would look as if they had been lost.
 */
static int added_before(struct view_service *s, const char *topic, const struct bus_pos *pos,
                        uint64_t *ret, struct err *err)
{
    struct bus_marks before, marks;
    uint64_t after;

    if (bus_marks(s->rt->bus, topic, 0, &marks, err) < 0)
        return err->code;
    do {
        before = marks;
        if (bus_count_after(s->rt->bus, topic, 0, pos, &after, err) < 0 ||
            bus_marks(s->rt->bus, topic, 0, &marks, err) < 0)
            return err->code;
    } while (marks.added != before.added);
    *ret = marks.added > after ? marks.added - after : 0;
    return 0;
}

/* What was read, and is not in the bus any more, must not count as read. Only where the bus counts
 * can that be told. */
static int count_rewound(struct view_service *s, enum views_input input, const struct bus_pos *pos,
                         struct err *err)
{
    struct views_ledger ledger;
    uint64_t there = 0;

    if (!bus_can(s->rt->bus, BUS_COUNTS))
        return 0;
    if (views_counters(s->views, &ledger, err) < 0 ||
        added_before(s, s->inputs[input], pos, &there, err) < 0)
        return err->code;
    uint64_t net = views_ledger_net_read(&ledger, input);
    if (net <= there)
        return 0;
    log_warn("the bus has lost %" PRIu64 " messages of %s that had been read: they are counted as "
             "rewound",
             net - there, s->inputs[input]);
    return views_rewound(s->views, input, net - there, err);
}

static int assign_inputs(struct view_service *s, struct err *err)
{
    struct bus *bus = s->rt->bus;
    struct buf text = BUF_INIT;
    int rc = 0;

    for (size_t i = 0; i < VIEWS_N_INPUTS && rc == 0; i++) {
        struct bus_places *places = &s->position[i];

        rc = views_position(s->views, (enum views_input)i, &text, err);
        if (rc == 0)
            rc = bus_places_parse(bus, buf_str(&text), places, err);
        struct bus_pos first = bus_places_at(places, 0);
        if (rc == 0 && text.len)
            rc = count_rewound(s, (enum views_input)i, &first, err);
        if (rc < 0)
            break;
        int n = bus_partitions(bus, s->inputs[i], err);
        s->n_partitions[i] = n > places->n ? n : places->n;
        rc = n < 0 ? n : bus_places_assign(bus, s->reader, s->inputs[i], places, err);
        if (rc == ERR_TRIMMED) {
            err_prefix(err, "%s: messages that were not read are gone; start anew with --fresh",
                       s->inputs[i]);
            err->code = rc = ERR_REFUSED;
        } else if (rc == 1)
            rc = 0;
        s->have_position[i] = text.len > 0;
    }
    buf_release(&text);
    return rc;
}

/* After a start and after every time the bus was away. */
static int compare(struct view_service *s, struct err *err)
{
    if (store_check(s->rt->store, err) < 0 ||
        task_ensure_topics(s->rt->task, s->rt->bus, err) < 0 || publish_compare(s, err) < 0 ||
        assign_inputs(s, err) < 0)
        return err->code;
    s->paused = false;
    s->next_backlog_ns = 0;
    ++*s->replays;
    log_trouble_over(&s->bus_trouble);
    log_trouble_over(&s->store_trouble);
    backoff_reset(&s->backoff);
    return 0;
}

/* ---- The loop ---- */

int view_service_counters(struct view_service *s, struct views_ledger *ret, struct err *err)
{
    if (s->subscribed)
        return subscribe_counters(s->subscribed, ret);
    return views_counters(s->views, ret, err);
}

/* What the engine hides is null. */
void view_service_status(struct view_service *s, struct buf *out)
{
    struct views_ledger ledger;
    struct err ignored;
    const char *name;
    uint64_t value, in_flight = 0;

    if (view_service_counters(s, &ledger, &ignored) < 0)
        return;
    buf_text(out, "\"ledger\":{");
    for (size_t i = 0; (name = views_ledger_field(&ledger, i, &value)); i++) {
        buf_printf(out, "%s\"%s\":", i ? "," : "", name);
        if (views_ledger_hidden(&ledger, name))
            buf_text(out, "null");
        else
            buf_printf(out, "%" PRIu64, value);
    }
    for (const struct outgoing *batch = s->oldest; batch; batch = batch->next)
        in_flight += batch->in_flight;
    buf_printf(out, "},\"outbox\":%" PRIu64 ",\"paused\":%s", in_flight,
               s->paused ? "true" : "false");
}

static void write_status(void *ctx, struct buf *out)
{
    view_service_status(ctx, out);
}

static enum views_input input_of(const struct view_service *s, const char *topic)
{
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++)
        if (strcmp(s->inputs[i], topic) == 0)
            return (enum views_input)i;
    return VIEWS_REQUESTS;
}

/*
 * The messages as the engine takes them; moves the positions on, which are the database's when the
 * batch is applied, and read from there again when it is not.
 */
static void take_events(struct view_service *s, const struct bus_msg *msgs, size_t n,
                        bool touched[VIEWS_N_INPUTS])
{
    if (s->cap_events < n) {
        s->cap_events = n;
        s->events = mem_realloc(s->events, n, sizeof(*s->events));
    }
    for (size_t i = 0; i < n; i++) {
        enum views_input input = i && msgs[i].topic == msgs[i - 1].topic
                                     ? s->events[i - 1].input
                                     : input_of(s, msgs[i].topic);
        touched[input] = true;
        bus_places_note(&s->position[input], &msgs[i]);
        s->events[i] = (struct views_event){
            .input = input,
            .time_ms = msgs[i].time_ms,
            .key = msgs[i].key,
            .key_len = msgs[i].key_len,
            .value = msgs[i].value,
            .value_len = msgs[i].value_len,
            .origin = &msgs[i],
        };
    }
}

/* One transaction of the engine. A disk that is full, say, is waited for: the batch is not lost. */
static int apply_batch(struct view_service *s, const struct bus_msg *msgs, size_t n,
                       struct err *err)
{
    struct views_position positions[VIEWS_N_INPUTS];
    struct buf text[VIEWS_N_INPUTS] = {BUF_INIT, BUF_INIT, BUF_INIT};
    bool touched[VIEWS_N_INPUTS] = {false};
    size_t n_positions = 0;
    int rc;

    take_events(s, msgs, n, touched);
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++) {
        if (!touched[i])
            continue;
        bus_places_format(s->rt->bus, &s->position[i], &text[i]);
        positions[n_positions++] =
            (struct views_position){.input = (enum views_input)i, .position = buf_str(&text[i])};
    }

    int64_t start = clock_mono_ns();
    for (;;) {
        rc = views_ingest(s->views, s->events, n, positions, n_positions, clock_wall_ms(), err);
        if (rc == 0 || !err->retriable || stop_requested())
            break;
        struct err cause = *err;
        rc = runtime_pause(s->rt, &s->views_trouble, "the view engine", &cause, &s->backoff, err);
        if (rc < 0)
            break;
    }
    if (rc == 0) {
        log_trouble_over(&s->views_trouble);
        hist_add(s->transaction_time, clock_mono_ns() - start);
        ++*s->transactions;
        *s->events_read += n;
        for (size_t i = 0; i < VIEWS_N_INPUTS; i++)
            s->have_position[i] = s->have_position[i] || touched[i];
    }
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++)
        buf_release(&text[i]);
    return rc;
}

static int turn(struct view_service *s, struct err *err)
{
    const struct bus_msg *msgs;
    int rc;

    /* Sends what the last turn has queued, and takes the answers that are there. */
    if (bus_poll_deliveries(s->rt->bus, 0, err) < 0 || publish_ack(s, err) < 0)
        return err->code;
    if (s->broken)
        return err_set_retriable(err, ERR_DISCONNECTED, "rows were not delivered");
    if (upkeep(s, err) < 0)
        return err->code;
    rc = bus_poll(s->reader, BATCH_MAX, POLL_MS, &msgs, err);
    if (rc <= 0)
        return rc;
    if (apply_batch(s, msgs, (size_t)rc, err) < 0)
        return err->code;
    return publish_rows(s, err);
}

/* Everything that was read is in the database; what went out of it should reach the bus. */
static int drain(struct view_service *s, struct err *err)
{
    if (publish_rows(s, err) < 0 || bus_flush(s->rt->bus, FLUSH_MS, err) < 0 ||
        publish_ack(s, err) < 0)
        return err->code;
    /* An empty batch stores what was acknowledged. */
    if (views_ingest(s->views, NULL, 0, NULL, 0, clock_wall_ms(), err) < 0 ||
        upkeep_floors(s, err) < 0)
        return err->code;
    return runtime_beat(s->rt, "done", write_status, s, err);
}

static int loop(struct view_service *s, struct err *err)
{
    bool compared = false;

    while (!stop_requested()) {
        int rc = compared ? turn(s, err) : compare(s, err);

        if (rc >= 0) {
            compared = true;
            rc = runtime_tick(s->rt, s->paused ? "waiting" : "running", write_status, s, err);
        }
        if (rc >= 0)
            continue;
        if (!err->retriable)
            return rc;
        struct err cause = *err;
        compared = false;
        rc = runtime_pause(s->rt, &s->bus_trouble, "the bus", &cause, &s->backoff, err);
        if (rc < 0 && rc != ERR_CANCELLED)
            return rc;
    }
    if (!compared)
        return 0; /* the bus is away: the rows wait in the database */
    return drain(s, err);
}

static int open_all(struct view_service *s, struct err *err)
{
    struct runtime *rt = s->rt;

    if (runtime_open_store(rt, err) < 0)
        return err->code;
    char where[4096 + 8];
    snprintf(where, sizeof(where), "in %s", rt->task->data_dir);
    while (view_service_settle(s, where, err) < 0) {
        struct err cause = *err;
        if (!err->retriable)
            return err->code;
        if (runtime_pause(rt, &s->store_trouble, "the store", &cause, &s->backoff, err) < 0)
            return err->code;
        if (stop_requested())
            return err_set(err, ERR_CANCELLED, "asked to stop");
    }
    log_trouble_over(&s->store_trouble);
    backoff_reset(&s->backoff);
    rt->transaction = "views";
    if (runtime_open_bus(rt, publish_delivered, s, err) < 0)
        return err->code;
    s->reader = bus_reader_open(rt->bus, err);
    return s->reader ? 0 : err->code;
}

static void init(struct view_service *s, struct runtime *rt)
{
    const struct task *task = rt->task;

    *s = (struct view_service){.rt = rt};
    s->inputs[VIEWS_REQUESTS] = task->topics.requests;
    s->inputs[VIEWS_OUTCOMES] = task->topics.outcomes;
    s->inputs[VIEWS_PREDICTIONS] = task->topics.predictions;
    s->outputs[VIEWS_FEATURES] = task->topics.features;
    s->outputs[VIEWS_LEARNING_QUEUE] = task->topics.learning_queue;
    s->outputs[VIEWS_DEAD_LETTERS] = task->topics.dead_letters;
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++)
        trail_init(&s->in_trail[i], task->stream_keep_rows);
    trail_init(&s->out_trail[VIEWS_FEATURES], task->stream_keep_rows);
    trail_init(&s->out_trail[VIEWS_LEARNING_QUEUE], task->rebuild_rows);
    trail_init(&s->out_trail[VIEWS_DEAD_LETTERS], 1000);
    s->transactions = telemetry_counter(rt->tm, "oxbow_views_transactions_total",
                                        "Transactions of the view engine.");
    s->events_read = telemetry_counter(rt->tm, "oxbow_views_events_total", "Messages read.");
    s->rows_published = telemetry_counter(rt->tm, "oxbow_views_rows_published_total",
                                          "Rows handed to the bus, again ones included.");
    s->replays = telemetry_counter(rt->tm, "oxbow_views_comparisons_total",
                                   "Times that the engine and the bus were compared.");
    s->transaction_time =
        telemetry_hist(rt->tm, "oxbow_views_transaction_seconds", "Time of one transaction.");
    view_metrics_init(s);
    runtime_observe(rt, view_metrics_observe, s);
}

/* With an engine that runs in this process. */
static int feed_run(struct view_service *s, struct err *err)
{
    struct runtime *rt = s->rt;

    if (open_all(s, err) < 0)
        return err->code;
    log_info("up: oxbow-views %s, incarnation %s, bus %s, views %s", OXBOW_VERSION, rt->incarnation,
             rt->task->bus, rt->task->views);
    return loop(s, err);
}

static void release(struct view_service *s)
{
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++) {
        bus_places_release(&s->position[i]);
        trail_release(&s->in_trail[i]);
    }
    for (size_t i = 0; i < VIEWS_N_OUTPUTS; i++)
        trail_release(&s->out_trail[i]);
    bus_places_release(&s->scratch);
    bus_places_release(&s->floor);
    free(s->events);
}

int view_service_run(struct runtime *rt)
{
    struct view_service s;
    struct err err = {0};

    init(&s, rt);
    int rc = open_views(&s, &err);
    if (rc == 0 && !views_is_fed(s.views))
        rc = subscribe_run(&s, &err);
    else if (rc == 0)
        rc = feed_run(&s, &err);
    runtime_observe(rt, NULL, NULL);
    bus_reader_close(s.reader);
    views_close(s.views);
    publish_release(&s);
    release(&s);
    if (rc >= 0 || err.code == ERR_CANCELLED)
        return RUNTIME_OK;
    return runtime_exit_status(&err);
}
