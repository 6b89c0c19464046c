/*
 * The simulator's loop: publish what is due, hear what became of it, sleep until the next is due.
 *
 * It wakes up at most every millisecond and then publishes all that is due. When oxbow-views falls
 * behind by more than the task's max_backlog it waits; the schedule does not move meanwhile, so
 * that what was held back is published as soon as there is room.
 */
#include "simulator/simulator.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/stop.h"
#include "bus/bus_places.h"
#include "simulator/publisher.h"
#include "simulator/replay.h"

#define NS_PER_MS       INT64_C(1000000)
#define WAKE_EVERY_NS   NS_PER_MS         /* the shortest time between two wake-ups */
#define SLEEP_MAX_NS    (100 * NS_PER_MS) /* the longest, so that heartbeats and signals are seen */
#define BACKLOG_NS      (250 * NS_PER_MS) /* between two looks at the backlog */
#define CROWDED_NS      (10000 * NS_PER_MS) /* with views not behind, until it is said to be over */
#define DRAIN_MS        3000
#define LINGER_NS       (2500 * NS_PER_MS) /* longer than a server may hold back what it answered */
#define MAX_A_WAKE_UP   2048               /* messages */
#define BACKLOG_A_CHECK 16                 /* looks for each max_backlog messages */

struct simulator {
    struct runtime *rt;
    const struct simulator_options *options;
    struct trip_source *source;
    struct schedule *schedule;
    struct publisher *publisher;
    struct pace pace;
    bool is_anchored; /* the pace has begun */
    bool is_synced;   /* the schedule stands where the bus does */
    bool is_done;
    uint64_t published_at_end; /* messages by this process, when the end was reached last */
    int64_t leave_ns;          /* when it may be done */

    int64_t next_look_ns;        /* at the backlog */
    uint64_t published_at_look;  /* messages, at the last one */
    uint64_t allowance;          /* messages that may be published before the next one */
    int64_t crowded_ns;          /* when views was behind last */
    uint64_t published;          /* messages, by this process */
    uint64_t delivered_at_break; /* when publishing failed last */
    uint64_t backlog;            /* messages that views has not read, of the fuller topic */
    bool is_waiting;             /* for views */
    int64_t late_ns;             /* how far the next event is behind its time; 0: it is not */

    struct log_trouble trouble;
    struct log_trouble crowded;
    struct backoff backoff;
    struct buf floor;

    uint64_t *n_requests;
    uint64_t *n_outcomes;
    struct hist *lateness;
};

/* What it shows */

static void write_status(void *ctx, struct buf *out)
{
    struct simulator *sim = ctx;
    const struct simulator_options *o = sim->options;
    const struct cursor *at = schedule_at(sim->schedule);
    uint64_t total = schedule_total(sim->schedule);
    char time[CLOCK_TEXT_LEN + 1];

    clock_format(at->time_ms, time);
    buf_printf(out,
               "\"published_requests\":%" PRIu64 ",\"published_outcomes\":%" PRIu64
               ",\"total_requests\":",
               at->requests, at->outcomes);
    if (total)
        buf_printf(out, "%" PRIu64, total);
    else
        buf_text(out, "null");
    if (at->number)
        buf_printf(out, ",\"event_time\":\"%s\",\"speed\":", time);
    else
        buf_text(out, ",\"event_time\":null,\"speed\":");
    json_write_number(out, o->speed);
    buf_text(out, ",\"rate\":");
    if (o->rate > 0)
        json_write_number(out, o->rate);
    else
        buf_text(out, "null");
    buf_printf(out,
               ",\"done\":%s,\"backlog\":%" PRIu64 ",\"held_back\":%s,\"late_ms\":%" PRId64
               ",\"source\":\"%s\",\"skipped_lines\":%" PRIu64,
               sim->is_done ? "true" : "false", sim->backlog, sim->is_waiting ? "true" : "false",
               sim->late_ns / NS_PER_MS, sim->source->identity, sim->source->skipped);
}

static const char *state_of(const struct simulator *sim)
{
    if (sim->is_done)
        return "done";
    if (sim->is_waiting || sim->trouble.since_ms)
        return "waiting";
    return sim->is_synced ? "running" : "starting";
}

/* Back-pressure */

/* How many messages of a topic oxbow-views has not read. */
static int topic_backlog(struct simulator *sim, const char *topic, uint64_t *ret, struct err *err)
{
    struct runtime *rt = sim->rt;
    struct bus_places places = BUS_PLACES_INIT;
    struct bus_marks marks;
    uint64_t read = 0;

    buf_clear(&sim->floor);
    int rc = store_floor_get(rt->store, "views", topic, &sim->floor, &read, err);
    bool has_floor = rc == 0;
    if (rc != 0 && rc != ERR_NOT_FOUND)
        return rc;
    rc = bus_marks(rt->bus, topic, -1, &marks, err);
    if (rc != 0)
        return rc;
    if (marks.added || !has_floor) {
        uint64_t all = marks.added ? marks.added : marks.kept;
        *ret = all > read ? all - read : 0;
        return 0;
    }
    /* A bus that does not know how many were ever added can count what lies behind a place. */
    rc = bus_places_parse(rt->bus, buf_str(&sim->floor), &places, err);
    if (rc == 0)
        rc = bus_places_count_after(rt->bus, topic, &places, ret, err);
    bus_places_release(&places);
    return rc;
}

static bool allowance_is_used(const struct simulator *sim)
{
    return !sim->is_waiting && sim->published - sim->published_at_look >= sim->allowance;
}

/* Says once that views is behind, and that it is over when it has not been for a while. */
static void say_crowded(struct simulator *sim, int64_t now_ns, uint64_t max)
{
    struct err why;

    if (sim->is_waiting) {
        sim->crowded_ns = now_ns;
        err_set(&why, ERR_TIMEOUT,
                "%" PRIu64 " messages are not read yet (max_backlog is %" PRIu64 ")", sim->backlog,
                max);
        log_trouble(&sim->crowded, "waiting for oxbow-views", &why);
    } else if (now_ns - sim->crowded_ns >= CROWDED_NS) {
        log_trouble_over(&sim->crowded);
    }
}

/* Looks at the backlog when it is time to, or when the last look's allowance is used. */
static int check_backlog(struct simulator *sim, int64_t now_ns, struct err *err)
{
    const struct task *task = sim->rt->task;
    uint64_t max = task->max_backlog > 0 ? (uint64_t)task->max_backlog : UINT64_MAX;
    uint64_t requests;
    uint64_t outcomes;

    if (now_ns < sim->next_look_ns && !allowance_is_used(sim))
        return 0;

    int rc = topic_backlog(sim, task->topics.requests, &requests, err);
    if (rc == 0)
        rc = topic_backlog(sim, task->topics.outcomes, &outcomes, err);
    if (rc != 0)
        return rc;

    sim->next_look_ns = now_ns + BACKLOG_NS;
    sim->published_at_look = sim->published;
    sim->backlog = requests > outcomes ? requests : outcomes;
    sim->is_waiting = sim->backlog >= max;

    uint64_t room = sim->is_waiting ? 0 : max - sim->backlog;
    uint64_t most = max / BACKLOG_A_CHECK + 1;
    sim->allowance = room < most ? room : most;
    say_crowded(sim, now_ns, max);
    return 0;
}

/* One turn of the loop */

/* Stands the schedule where the bus does; the first time, begins the pace and says where. */
static int sync_place(struct simulator *sim, struct err *err)
{
    int rc = publisher_sync(sim->publisher, sim->rt->bus, err);
    if (rc != 0)
        return rc;

    sim->is_synced = true;
    sim->next_look_ns = 0;
    if (sim->is_anchored)
        return 0;
    sim->is_anchored = true;

    const struct cursor *at = schedule_at(sim->schedule);
    char time[CLOCK_TEXT_LEN + 1];
    clock_format(at->time_ms, time);
    if (!schedule_peek(sim->schedule))
        log_info("nothing is left to do: all %" PRIu64 " requests and their outcomes were "
                 "published before",
                 at->requests);
    else if (at->number)
        log_info("%s goes on at %s, after %" PRIu64 " requests and %" PRIu64 " outcomes",
                 sim->source->identity, time, at->requests, at->outcomes);
    else
        log_info("%s begins", sim->source->identity);
    pace_anchor(&sim->pace, sim->schedule, clock_mono_ns());
    return 0;
}

/* Publishes what is due, at most MAX_A_WAKE_UP messages; *ret_due: when the next is. */
static int publish_due(struct simulator *sim, int64_t now_ns, int64_t *ret_due, struct err *err)
{
    int64_t due_ns = pace_due(&sim->pace, sim->schedule);

    for (int i = 0; i < MAX_A_WAKE_UP && due_ns <= now_ns; i++) {
        if (!publisher_has_room(sim->publisher) || allowance_is_used(sim))
            break;
        bool is_request = schedule_peek(sim->schedule)->kind == EVENT_REQUEST;
        int rc = publisher_publish(sim->publisher, sim->rt->bus, err);
        if (rc != 0)
            return rc;
        ++*(is_request ? sim->n_requests : sim->n_outcomes);
        hist_add(sim->lateness, now_ns - due_ns);
        sim->published++;
        due_ns = pace_due(&sim->pace, sim->schedule);
    }
    *ret_due = due_ns;
    return 0;
}

/* Sends what is queued and sleeps until `until_ns`, or until deliveries are known. */
static int settle(struct simulator *sim, int64_t until_ns, struct err *err)
{
    struct bus *bus = sim->rt->bus;
    int64_t left_ns = until_ns - clock_mono_ns();
    int in_flight = bus_poll_deliveries(bus, 0, err);

    if (in_flight > 0 && left_ns >= 2 * NS_PER_MS)
        in_flight = bus_poll_deliveries(bus, (int)(left_ns / NS_PER_MS), err);
    else if (in_flight >= 0)
        pace_sleep_until(until_ns);
    return in_flight < 0 ? in_flight : 0;
}

/* The code of what has failed since the last sync, with its text; 0: nothing. */
static int take_failure(const struct simulator *sim, struct err *err)
{
    const struct err *failure = publisher_failure(sim->publisher);

    if (!failure)
        return 0;
    *err = *failure;
    return failure->code;
}

/*
 * Everything is queued: done once all of it has arrived and is still there a while later. A server
 * that is killed may lose its last moments although it had answered, and after the end nobody would
 * notice.
 */
static int finish(struct simulator *sim, int64_t now_ns, struct err *err)
{
    int rc = bus_flush(sim->rt->bus, (int)(SLEEP_MAX_NS / NS_PER_MS), err);

    if (publisher_failure(sim->publisher))
        return take_failure(sim, err);
    if (rc != 0)
        return rc == ERR_TIMEOUT ? 0 : rc;

    if (sim->published != sim->published_at_end) {
        sim->published_at_end = sim->published;
        sim->leave_ns = now_ns + LINGER_NS;
    }
    if (now_ns < sim->leave_ns) {
        pace_sleep_until(now_ns + SLEEP_MAX_NS);
        return 0;
    }
    rc = sync_place(sim, err);
    sim->is_done = rc == 0 && !schedule_peek(sim->schedule);
    return rc;
}

static int turn(struct simulator *sim, struct err *err)
{
    int64_t now_ns = clock_mono_ns();
    int64_t due_ns = now_ns;
    int rc = 0;

    if (!sim->is_synced)
        return sync_place(sim, err);
    if (!schedule_peek(sim->schedule))
        return finish(sim, now_ns, err);

    rc = check_backlog(sim, now_ns, err);
    if (rc == 0 && !sim->is_waiting)
        rc = publish_due(sim, now_ns, &due_ns, err);
    if (rc != 0)
        return rc;

    sim->late_ns = 0;
    if (sim->is_waiting || due_ns < now_ns) {
        int64_t behind_ns = now_ns - pace_due(&sim->pace, sim->schedule);
        sim->late_ns = behind_ns > 0 ? behind_ns : 0;
    }
    if (sim->is_waiting)
        due_ns = sim->next_look_ns;
    if (due_ns < now_ns + WAKE_EVERY_NS)
        due_ns = now_ns + WAKE_EVERY_NS;
    if (due_ns > now_ns + SLEEP_MAX_NS)
        due_ns = now_ns + SLEEP_MAX_NS;
    rc = settle(sim, due_ns, err);
    return rc != 0 ? rc : take_failure(sim, err);
}

/* Errors that go away, perhaps after a while; the others end the program. */
static bool goes_away(const struct err *err)
{
    return err->retriable || err->code == ERR_DISCONNECTED || err->code == ERR_TIMEOUT;
}

/*
 * After an error that goes away: waits, and stands the schedule anew before anything else is
 * published. A delivery in between shows that the trouble is over.
 */
static int recover(struct simulator *sim, const struct err *cause, struct err *err)
{
    sim->is_synced = false;
    sim->delivered_at_break = publisher_delivered_count(sim->publisher);
    return runtime_pause(sim->rt, &sim->trouble, "bus", cause, &sim->backoff, err);
}

static int loop(struct simulator *sim, struct err *err)
{
    while (!stop_requested() && !sim->is_done) {
        int rc = runtime_tick(sim->rt, state_of(sim), write_status, sim, err);
        if (rc != 0)
            return rc;

        struct err cause = {0};
        rc = turn(sim, &cause);
        if (rc != 0 && !goes_away(&cause)) {
            *err = cause;
            return rc;
        }
        if (rc != 0) {
            rc = recover(sim, &cause, err);
            if (rc != 0)
                return rc;
        } else if (sim->trouble.since_ms && sim->is_synced &&
                   (sim->is_done ||
                    publisher_delivered_count(sim->publisher) > sim->delivered_at_break)) {
            log_trouble_over(&sim->trouble);
            backoff_reset(&sim->backoff);
        }
    }
    return 0;
}

/* From beginning to end */

static int open_source(struct simulator *sim, struct err *err)
{
    const struct simulator_options *o = sim->options;

    if (o->rate > 0 && o->has_speed)
        return err_set(err, ERR_REFUSED, "--speed and --rate exclude each other: give one");
    if (o->replay && o->for_city)
        return err_set(err, ERR_REFUSED, "--%s is for the synthetic city: leave it or --replay out",
                       o->for_city);
    sim->source = o->replay ? replay_open(o->replay, err) : city_new(&o->city);
    if (!sim->source)
        return err->code;
    sim->schedule = schedule_new(sim->source, o->trips);
    sim->publisher = publisher_new(sim->source, sim->schedule, sim->rt->task->topics.requests,
                                   sim->rt->task->topics.outcomes);
    return 0;
}

static void register_telemetry(struct simulator *sim)
{
    struct telemetry *tm = sim->rt->tm;

    sim->n_requests = telemetry_counter(tm, "oxbow_simulator_requests_total",
                                        "Requests published by this process.");
    sim->n_outcomes = telemetry_counter(tm, "oxbow_simulator_outcomes_total",
                                        "Outcomes published by this process.");
    sim->lateness = telemetry_hist(tm, "oxbow_simulator_late_seconds",
                                   "How long after its time an event was published.");
}

/* The last beat; a bus that is away is no reason to stay, the cursors tell what arrived. */
static int leave(struct simulator *sim, struct err *err)
{
    const struct cursor *at = schedule_at(sim->schedule);
    struct err ignored = {0};

    if (!sim->is_done && bus_flush(sim->rt->bus, DRAIN_MS, &ignored) != 0)
        log_debug("leaving with messages in flight: %s", ignored.text);
    log_info("%s after %" PRIu64 " requests and %" PRIu64 " outcomes",
             sim->is_done ? "done" : "stopped", at->requests, at->outcomes);
    return runtime_beat(sim->rt, sim->is_done ? "done" : "draining", write_status, sim, err);
}

int simulator_run(struct runtime *rt, const struct simulator_options *options)
{
    struct simulator sim = {
        .rt = rt,
        .options = options,
        .pace = {.speed = options->speed, .rate = options->rate},
    };
    struct err err = {0};

    int rc = open_source(&sim, &err);
    if (rc == 0) {
        register_telemetry(&sim);
        rc = runtime_connect(rt, publisher_delivered, sim.publisher, &err);
    }
    if (rc == 0)
        rc = loop(&sim, &err);
    if (rc == 0)
        rc = leave(&sim, &err);

    /* The bus tells the publisher of what is still in flight when it closes. */
    bus_close(rt->bus);
    rt->bus = NULL;
    publisher_free(sim.publisher);
    schedule_free(sim.schedule);
    trip_source_free(sim.source);
    buf_release(&sim.floor);
    if (rc == 0)
        return RUNTIME_OK;
    err.code = rc;
    return runtime_exit_status(&err);
}
