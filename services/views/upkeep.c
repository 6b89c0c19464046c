/*
 * What oxbow-views does once a second beside its work: says how far it has
 * come, forgets what every required reader has passed, and holds back when a
 * stage behind it does not keep up.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "service_internal.h"

#define SECOND_NS         INT64_C(1000000000)
#define BACKLOG_NS        INT64_C(200000000)
#define DEAD_LETTERS_KEPT 10000
#define ALARMS_KEPT       10000
#define ALARMS_EVERY_NS   (60 * SECOND_NS)
#define ALARMS_LOOK_MS    1000

void trail_init(struct trail *trail, int64_t keep)
{
    *trail = (struct trail){.every = (uint64_t)keep / (TRAIL_POINTS / 2) + 1};
}

void trail_release(struct trail *trail)
{
    for (size_t i = 0; i < TRAIL_POINTS; i++)
        bus_places_release(&trail->point[i].places);
}

void trail_add(struct trail *trail, uint64_t count, const struct bus_places *places)
{
    size_t last = (trail->first + trail->n + TRAIL_POINTS - 1) % TRAIL_POINTS;

    if (trail->n && count < trail->point[last].count + trail->every)
        return;
    if (trail->n == TRAIL_POINTS) {
        trail->first = (trail->first + 1) % TRAIL_POINTS;
        trail->n--;
    }
    size_t next = (trail->first + trail->n++) % TRAIL_POINTS;
    trail->point[next].count = count;
    bus_places_copy(&trail->point[next].places, places);
}

const struct bus_places *trail_behind(const struct trail *trail, uint64_t count, int64_t keep)
{
    const struct bus_places *found = NULL;

    for (size_t i = 0; i < trail->n; i++) {
        size_t at = (trail->first + i) % TRAIL_POINTS;
        if (trail->point[at].count + (uint64_t)keep > count)
            break;
        found = &trail->point[at].places;
    }
    return found;
}

int upkeep_floors(struct view_service *s, struct err *err)
{
    struct views_ledger ledger;
    struct buf text = BUF_INIT;
    int rc = view_service_counters(s, &ledger, err);

    for (size_t i = 0; i < VIEWS_N_INPUTS && rc == 0; i++) {
        if (!s->have_position[i])
            continue;
        buf_clear(&text);
        bus_places_format(s->rt->bus, &s->position[i], &text);
        rc = store_floor_put(s->rt->store, "views", s->inputs[i], buf_str(&text),
                             views_ledger_net_read(&ledger, (enum views_input)i), err);
    }
    buf_release(&text);
    return rc;
}

/* ---- Trimming ---- */

/* The place that the learner has made durable; ERR_NOT_FOUND when it has none yet. */
static int learner_floor(struct view_service *s, struct bus_places *ret, uint64_t *ret_seq,
                         struct err *err)
{
    struct buf text = BUF_INIT;
    int rc = store_floor_get(s->rt->store, "learner", s->outputs[VIEWS_LEARNING_QUEUE], &text,
                             ret_seq, err);

    if (rc == 0)
        rc = bus_places_parse(s->rt->bus, buf_str(&text), ret, err);
    buf_release(&text);
    return rc;
}

/* Trims `topic` to `behind`, but not beyond `floor` (NULL: none holds it). */
static int trim(struct view_service *s, const char *topic, const struct bus_places *behind,
                const struct bus_places *floor, struct err *err)
{
    if (!behind)
        return 0;
    bus_places_copy(&s->scratch, behind);
    if (floor)
        bus_places_lower(s->rt->bus, &s->scratch, floor);
    return bus_places_trim(s->rt->bus, topic, &s->scratch, err);
}

static int trim_output(struct view_service *s, enum views_output output, int64_t keep,
                       const struct views_ledger *ledger, struct err *err)
{
    const uint64_t last[VIEWS_N_OUTPUTS] = {
        [VIEWS_FEATURES] = ledger->features_last,
        [VIEWS_LEARNING_QUEUE] = ledger->learning_queue_last,
        [VIEWS_DEAD_LETTERS] = ledger->dead_letters,
    };
    const struct bus_places *behind;
    uint64_t seq;

    int rc = bus_places_high(s->rt->bus, s->outputs[output], &s->scratch, err);
    if (rc < 0)
        return rc;
    if (last[output])
        trail_add(&s->out_trail[output], last[output], &s->scratch);
    behind = trail_behind(&s->out_trail[output], last[output], keep);
    if (!behind)
        return 0;
    if (output == VIEWS_FEATURES)
        rc = bus_places_floor(s->rt->bus, "inference", s->outputs[output], &s->floor, err);
    else if (output == VIEWS_LEARNING_QUEUE)
        rc = learner_floor(s, &s->floor, &seq, err);
    if (rc == ERR_NOT_FOUND)
        return 0; /* its reader has not come yet: everything is kept for it */
    if (rc < 0)
        return rc;
    return trim(s, s->outputs[output], behind, output == VIEWS_DEAD_LETTERS ? NULL : &s->floor,
                err);
}

static int trim_all(struct view_service *s, struct err *err)
{
    const struct task *task = s->rt->task;
    const int64_t keep[VIEWS_N_OUTPUTS] = {
        [VIEWS_FEATURES] = task->stream_keep_rows,
        [VIEWS_LEARNING_QUEUE] = task->rebuild_rows,
        [VIEWS_DEAD_LETTERS] = DEAD_LETTERS_KEPT,
    };
    struct views_ledger ledger;

    if (view_service_counters(s, &ledger, err) < 0)
        return err->code;
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++) {
        uint64_t read = views_ledger_net_read(&ledger, (enum views_input)i);

        if (!s->have_position[i])
            continue;
        trail_add(&s->in_trail[i], read, &s->position[i]);
        if (trim(s, s->inputs[i], trail_behind(&s->in_trail[i], read, task->stream_keep_rows), NULL,
                 err) < 0)
            return err->code;
    }
    for (size_t i = 0; i < VIEWS_N_OUTPUTS; i++)
        if (trim_output(s, (enum views_output)i, keep[i], &ledger, err) < 0)
            return err->code;
    return 0;
}

/* The state is needed for as long as the keys in it are. */
static int trim_state(struct view_service *s, struct err *err)
{
    uint64_t now_ms = (uint64_t)clock_wall_ms();

    if (!s->state_topic)
        return 0;
    if (bus_places_high(s->rt->bus, s->state_topic, &s->scratch, err) < 0)
        return err->code;
    trail_add(&s->state_trail, now_ms, &s->scratch);
    return trim(s, s->state_topic, trail_behind(&s->state_trail, now_ms, s->state_keep_ms), NULL,
                err);
}

/* Reads `n` messages from the oldest on, and forgets them. */
static int trim_oldest(struct view_service *s, struct bus_reader *r, const char *topic, uint64_t n,
                       struct err *err)
{
    int rc = bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, err);
    struct bus_pos upto = BUS_POS_OLDEST;

    while (rc >= 0 && n > 0) {
        const struct bus_msg *msgs;

        rc = bus_poll(r, n < 1000 ? n : 1000, ALARMS_LOOK_MS, &msgs, err);
        if (rc <= 0)
            break; /* the next time */
        upto = msgs[rc - 1].pos;
        n -= (uint64_t)rc;
    }
    return rc < 0 || upto.len == 0 ? rc : bus_trim(s->rt->bus, topic, 0, &upto, err);
}

/* The learner writes drift-alarms; nobody waits for them: the newest are kept. */
static int trim_alarms(struct view_service *s, struct err *err)
{
    const char *topic = s->rt->task->topics.drift_alarms;
    struct bus_marks marks;
    int rc = bus_marks(s->rt->bus, topic, 0, &marks, err);

    if (rc < 0 || marks.kept <= ALARMS_KEPT)
        return rc;
    struct bus_reader *r = bus_reader_open(s->rt->bus, err);
    if (!r)
        return err->code;
    rc = trim_oldest(s, r, topic, marks.kept - ALARMS_KEPT, err);
    bus_reader_close(r);
    return rc;
}

/* ---- Back-pressure ---- */

/* Rows that the stage behind has still to take; *ret_by names it. */
static int backlog(struct view_service *s, uint64_t *ret, const char **ret_by, struct err *err)
{
    struct views_ledger ledger;
    uint64_t features, learned;
    int rc = bus_places_floor(s->rt->bus, "inference", s->outputs[VIEWS_FEATURES], &s->floor, err);

    if (rc == ERR_NOT_FOUND) {
        bus_places_release(&s->floor);
        rc = 0;
    }
    if (rc == 0)
        rc = bus_places_count_after(s->rt->bus, s->outputs[VIEWS_FEATURES], &s->floor, &features,
                                    err);
    if (rc == 0)
        rc = view_service_counters(s, &ledger, err);
    if (rc < 0)
        return rc;
    *ret = features;
    *ret_by = "oxbow-inference";
    *s->lag[VIEW_READER_INFERENCE] = (double)features;

    rc = learner_floor(s, &s->floor, &learned, err);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return rc;
    uint64_t rows = ledger.learning_queue_last > learned ? ledger.learning_queue_last - learned : 0;
    *s->lag[VIEW_READER_LEARNER] = (double)rows;
    if (rows > *ret) {
        *ret = rows;
        *ret_by = "oxbow-learner";
    }
    return 0;
}

static int hold_back(struct view_service *s, struct err *err)
{
    uint64_t limit = (uint64_t)s->rt->task->max_backlog, rows;
    const char *by;

    if (backlog(s, &rows, &by, err) < 0)
        return err->code;
    /* A tenth below the limit before it goes on, so that it does not flutter. */
    bool pause = rows > (s->paused ? limit - limit / 10 : limit);
    if (pause == s->paused)
        return 0;
    if (pause)
        log_warn("%s is %" PRIu64 " rows behind (max_backlog %" PRIu64
                 "): requests and outcomes wait until it has caught up",
                 by, rows, limit);
    else
        log_info("%s has caught up: reading requests and outcomes again", s->paused_by);
    s->paused = pause;
    s->paused_by = by;
    if (!s->reader)
        return 0; /* the engine reads by itself: its floors stay, which makes the producers wait */
    /* Never the predictions: inference could not get rid of its own, and nothing would move again.
     */
    if (bus_reader_pause(s->reader, s->inputs[VIEWS_REQUESTS], pause, err) < 0)
        return err->code;
    return bus_reader_pause(s->reader, s->inputs[VIEWS_OUTCOMES], pause, err);
}

/* Partitions that were added to an input are read from their beginning on. */
static int find_new_partitions(struct view_service *s, struct err *err)
{
    for (size_t i = 0; i < VIEWS_N_INPUTS; i++) {
        int n = bus_partitions(s->rt->bus, s->inputs[i], err);
        if (n < 0)
            return n;
        for (; s->n_partitions[i] && s->n_partitions[i] < n; s->n_partitions[i]++) {
            int rc = bus_reader_assign(s->reader, s->inputs[i], s->n_partitions[i], &BUS_POS_OLDEST,
                                       err);
            if (rc < 0)
                return rc;
            log_info("%s has a new partition, %d: reading it as well", s->inputs[i],
                     (int)s->n_partitions[i]);
        }
    }
    return 0;
}

int upkeep(struct view_service *s, struct err *err)
{
    int64_t now = clock_mono_ns();

    if (now >= s->next_backlog_ns) {
        s->next_backlog_ns = now + BACKLOG_NS;
        if (hold_back(s, err) < 0)
            return err->code;
    }
    if (now >= s->next_alarms_ns) {
        s->next_alarms_ns = now + ALARMS_EVERY_NS;
        if (trim_alarms(s, err) < 0)
            return err->code;
    }
    if (now < s->next_second_ns)
        return 0;
    s->next_second_ns = now + SECOND_NS;
    if (upkeep_floors(s, err) < 0 || view_metrics_lags(s, err) < 0 ||
        find_new_partitions(s, err) < 0)
        return err->code;
    return trim_all(s, err) < 0 ? err->code : trim_state(s, err);
}
