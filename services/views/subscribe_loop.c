/*
 * The loop of oxbow-views with an engine that reads the bus by itself: it brings
 * up topics and views, then hands each batch of the engine to subscriber.c.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/stop.h"
#include "service_internal.h"
#include "subscriber.h"

#define POLL_MS         100
#define SECOND_NS       INT64_C(1000000000)
#define LEDGER_MIN_NS   (5 * SECOND_NS)
#define LEDGER_SHARE    50 /* counting the ledger may take a fiftieth of the time */
#define N_REACH         16
#define REACH_MARGIN_MS 2000 /* the engine's clock and the bus's may differ by so much */

struct subscribed {
    struct view_service *s;
    struct subscriber *sub;
    struct views_ledger ledger; /* as counted last, with what the state knows */
    int64_t next_ledger_ns, next_reach_ns;
    struct log_trouble ledger_trouble;
    bool applied;

    /* Where the inputs ended at some times: what the engine has taken in once it is past them. */
    struct {
        int64_t at_ms;
        struct bus_places end[VIEWS_N_INPUTS];
        uint64_t count[VIEWS_N_INPUTS];
    } reach[N_REACH];
    size_t first_reach, n_reach; /* a ring */
};

/* ---- Ledger and heartbeat ---- */

/*
 * A query over all that is kept: seldom, and the more seldom the longer it takes. When it fails,
 * rows go on flowing.
 */
static void count_ledger(struct subscribed *l)
{
    struct views_ledger ledger;
    struct err err;
    int64_t start = clock_mono_ns();

    if (start < l->next_ledger_ns)
        return;
    l->next_ledger_ns = start + LEDGER_MIN_NS;
    if (views_ledger(l->s->views, &ledger, &err) < 0) {
        log_trouble(&l->ledger_trouble, "counting the ledger", &err);
        return;
    }
    log_trouble_over(&l->ledger_trouble);
    int64_t wait = (clock_mono_ns() - start) * LEDGER_SHARE;
    l->next_ledger_ns = clock_mono_ns() + (wait > LEDGER_MIN_NS ? wait : LEDGER_MIN_NS);
    l->ledger = ledger;
}

int subscribe_counters(const struct subscribed *l, struct views_ledger *ret)
{
    *ret = l->ledger;
    subscriber_complete_ledger(l->sub, ret);
    return 0;
}

static void write_status(void *ctx, struct buf *out)
{
    const struct subscribed *l = ctx;
    const struct task *task = l->s->rt->task;
    const struct state *state = subscriber_state(l->sub);

    view_service_status(l->s, out);
    buf_printf(out,
               ",\"dedupe_window\":{\"seconds\":%" PRId64 ",\"keys\":%" PRId64
               ",\"features\":%zu,\"learning_queue\":%zu},\"duplicate\":%" PRIu64
               ",\"retracted\":%" PRIu64 ",\"frontier_ms\":%" PRId64,
               task->dedupe_seconds, task->dedupe_keys, subscriber_keys(l->sub, VIEWS_FEATURES),
               subscriber_keys(l->sub, VIEWS_LEARNING_QUEUE), state->duplicate, state->retracted,
               subscriber_frontier_ms(l->sub));
}

/* ---- How far the inputs are read ---- */

static int note_reach(struct subscribed *l, struct err *err)
{
    struct view_service *s = l->s;
    struct bus_marks marks;

    if (clock_mono_ns() < l->next_reach_ns)
        return 0;
    l->next_reach_ns = clock_mono_ns() + SECOND_NS;
    if (l->n_reach == N_REACH) {
        l->first_reach = (l->first_reach + 1) % N_REACH;
        l->n_reach--;
    }
    size_t at = (l->first_reach + l->n_reach) % N_REACH;
    l->reach[at].at_ms = clock_wall_ms();
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++) {
        if (bus_marks(s->rt->bus, s->inputs[i], -1, &marks, err) < 0 ||
            bus_places_high(s->rt->bus, s->inputs[i], &l->reach[at].end[i], err) < 0)
            return err->code;
        l->reach[at].count[i] = marks.added;
    }
    l->n_reach++;
    return 0;
}

/*
 * Tells the producers how far the inputs were read: to where they ended a moment before the
 * frontier. While a stage behind is too far behind, the floor stays, and they wait.
 */
static int put_floors(struct subscribed *l, struct err *err)
{
    struct view_service *s = l->s;
    int64_t until_ms = subscriber_frontier_ms(l->sub) - REACH_MARGIN_MS;
    size_t passed = 0;

    if (note_reach(l, err) < 0)
        return err->code;
    while (passed < l->n_reach && l->reach[(l->first_reach + passed) % N_REACH].at_ms < until_ms)
        passed++;
    if (!passed || s->paused)
        return 0;
    size_t at = (l->first_reach + passed - 1) % N_REACH;
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++) {
        struct buf text = BUF_INIT;
        bus_places_format(s->rt->bus, &l->reach[at].end[i], &text);
        int rc = store_floor_put(s->rt->store, "views", s->inputs[i], buf_str(&text),
                                 l->reach[at].count[i], err);
        buf_release(&text);
        if (rc < 0)
            return rc;
    }
    l->first_reach = (at + 1) % N_REACH;
    l->n_reach -= passed;
    return 0;
}

/* ---- Coming up ---- */

/* Sources need their topics. The state is one sequence: one partition. */
static int ensure_topics(struct subscribed *l, struct err *err)
{
    const struct task *task = l->s->rt->task;
    struct bus *bus = l->s->rt->bus;

    if (task_ensure_topics(task, bus, err) < 0)
        return err->code;
    return bus_topic_ensure(bus, subscriber_state_topic(l->sub), 1, (int)task->kafka.replication,
                            err);
}

static int apply(struct subscribed *l, struct err *err)
{
    bool changed;

    if (views_apply(l->s->views, &changed, err) < 0)
        return err->code;
    log_info("views on Materialize, SQL from %s%s", l->s->rt->task->sql_dir,
             changed ? " (applied)" : "");
    l->applied = true;
    return 0;
}

/* What is to be done before rows can flow, as far as it is not done yet. */
static int come_up(struct subscribed *l, struct err *err)
{
    struct view_service *s = l->s;

    if (store_check(s->rt->store, err) < 0 || ensure_topics(l, err) < 0 ||
        publish_check_life(s, err) < 0)
        return err->code;
    if (!l->applied && apply(l, err) < 0)
        return err->code;
    if (subscriber_recover(l->sub, err) < 0)
        return err->code;
    ++*s->replays;
    log_trouble_over(&s->bus_trouble);
    log_trouble_over(&s->store_trouble);
    log_info("state read from %s: %" PRIu64 " rows of %s, %" PRIu64 " of %s; %zu and %zu keys "
             "remembered",
             subscriber_state_topic(l->sub), subscriber_state(l->sub)->last[VIEWS_FEATURES],
             s->outputs[VIEWS_FEATURES], subscriber_state(l->sub)->last[VIEWS_LEARNING_QUEUE],
             s->outputs[VIEWS_LEARNING_QUEUE], subscriber_keys(l->sub, VIEWS_FEATURES),
             subscriber_keys(l->sub, VIEWS_LEARNING_QUEUE));
    return 0;
}

/* ---- The loop ---- */

/* 0: dealt with, go on at once. */
static int deal_with(struct subscribed *l, struct err *err)
{
    switch (err->code) {
    case ERR_HISTORY_EXPIRED:
        log_warn("%s: beginning with a snapshot; what was published within dedupe_window (%" PRId64
                 " s, %" PRId64 " keys) is not published again",
                 err->text, l->s->rt->task->dedupe_seconds, l->s->rt->task->dedupe_keys);
        return views_replay(l->s->views, VIEWS_LEARNING_QUEUE, 0, err);
    case ERR_DEPENDENCY_DROPPED:
        log_warn("%s: applying the SQL again", err->text);
        l->applied = false;
        return apply(l, err);
    default:
        return err->code;
    }
}

static int turn(struct subscribed *l, bool *up, struct err *err)
{
    struct view_service *s = l->s;

    if (!*up && come_up(l, err) < 0)
        return err->code;
    *up = true;
    int rc = subscriber_step(l->sub, POLL_MS, err);
    if (rc < 0) {
        *up = !subscriber_is_lost(l->sub);
        return *up ? deal_with(l, err) : rc;
    }
    log_trouble_over(&s->views_trouble);
    backoff_reset(&s->backoff);
    *s->rows_published += (uint64_t)rc;
    *s->transactions += rc > 0;
    count_ledger(l);
    if (put_floors(l, err) < 0 || upkeep(s, err) < 0) {
        *up = false; /* the bus or the store: look at both again */
        return err->code;
    }
    return 0;
}

static int loop(struct subscribed *l, struct err *err)
{
    struct view_service *s = l->s;
    bool up = false;

    while (!stop_requested()) {
        int rc = turn(l, &up, err);
        if (rc >= 0)
            rc = runtime_tick(s->rt, s->paused ? "waiting" : "running", write_status, l, err);
        if (rc >= 0)
            continue;
        if (!err->retriable)
            return rc;
        struct err cause = *err;
        rc = runtime_pause(s->rt, up ? &s->views_trouble : &s->bus_trouble,
                           up ? "the view engine" : "the bus or the view engine", &cause,
                           &s->backoff, err);
        if (rc < 0 && rc != ERR_CANCELLED)
            return rc;
    }
    /* Nothing is left to do: each transaction was whole. */
    return runtime_beat(s->rt, "done", write_status, l, err);
}

/* Both the engine and the store hold half of the incarnation; either may be away. */
static int settle(struct view_service *s, struct err *err)
{
    struct runtime *rt = s->rt;

    if (runtime_open_store(rt, err) < 0)
        return err->code;
    while (view_service_settle(s, "on Materialize", err) < 0) {
        struct err cause = *err;
        if (!err->retriable)
            return err->code;
        if (runtime_pause(rt, &s->store_trouble, "the store or the view engine", &cause,
                          &s->backoff, err) < 0)
            return err->code;
        if (stop_requested())
            return err_set(err, ERR_CANCELLED, "asked to stop");
    }
    log_trouble_over(&s->store_trouble);
    backoff_reset(&s->backoff);
    return 0;
}

int subscribe_run(struct view_service *s, struct err *err)
{
    struct runtime *rt = s->rt;
    struct subscribed l = {.s = s};

    if (settle(s, err) < 0)
        return err->code;
    rt->transaction = "views";
    int rc = runtime_open_bus(rt, NULL, NULL, err);
    if (rc == 0) {
        const struct subscriber_options options = {
            .bus = rt->bus,
            .views = s->views,
            .task = rt->task,
            .incarnation = rt->incarnation,
        };
        l.sub = subscriber_new(&options);
        views_ledger_hide_all(&l.ledger);
        s->subscribed = &l;
        s->state_keep_ms = (rt->task->dedupe_seconds + STATE_MARGIN_SECONDS) * 1000;
        trail_init(&s->state_trail, s->state_keep_ms);
        s->state_topic = subscriber_state_topic(l.sub);
        rc = loop(&l, err);
        s->subscribed = NULL;
        s->state_topic = NULL;
        trail_release(&s->state_trail);
    }
    for (size_t i = 0; i < N_REACH; i++)
        for (size_t k = 0; k < VIEWS_N_INPUTS; k++)
            bus_places_release(&l.reach[i].end[k]);
    subscriber_free(l.sub);
    return rc;
}
