/* The monitor's reader. */
#include "monitor/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/bus_places.h"

#define BATCH_MAX 500 /* messages of a topic, one poll */

struct topic {
    const char *name;
    struct bus_places places; /* behind the last message that was read */
    uint64_t added;           /* messages ever added up to there, where the bus counts them */
    int64_t left;             /* messages of this second; below 0: more came than were asked for */
    bool paused;
    uint64_t looked;
};

struct feed {
    struct bus *bus;
    struct monitor *monitor;
    struct bus_reader *reader;
    int64_t per_second;
    int64_t second; /* monotonic */
    struct topic topic[MONITOR_N_TOPICS];
};

/* How many messages lie behind the place that was reached. Where the bus counts what was ever added
 * this is a subtraction; counting what lies there costs some of them a walk through it. */
static int count_behind(struct feed *f, const struct topic *topic, uint64_t *ret, struct err *err)
{
    struct bus_marks marks;

    if (!bus_can(f->bus, BUS_COUNTS))
        return bus_places_count_after(f->bus, topic->name, &topic->places, ret, err);
    int rc = bus_marks(f->bus, topic->name, -1, &marks, err);
    if (rc == 0)
        *ret = marks.added > topic->added ? marks.added - topic->added : 0;
    return rc;
}

/* ---- Opening ---- */

static int assign(struct feed *f, struct topic *topic, struct err *err)
{
    return bus_places_assign(f->bus, f->reader, topic->name, &topic->places, err);
}

/* To the newest message, or to the oldest that is kept. */
static int begin_at(struct feed *f, struct topic *topic, bool oldest, struct err *err)
{
    struct bus_marks marks;

    if (bus_marks(f->bus, topic->name, -1, &marks, err) < 0)
        return err->code;
    topic->added = oldest ? marks.added - marks.kept : marks.added;
    if (!oldest && bus_places_high(f->bus, topic->name, &topic->places, err) < 0)
        return err->code;
    int rc = assign(f, topic, err);
    return rc < 0 ? rc : 0;
}

static int open_topic(struct feed *f, enum monitor_topic which, struct err *err)
{
    struct topic *topic = &f->topic[which];
    int n = bus_partitions(f->bus, topic->name, err);

    if (n == 0)
        return err_set_retriable(err, ERR_NOT_FOUND, "topic %s is not there yet: views makes it",
                                 topic->name);
    if (n < 0)
        return n;
    topic->left = f->per_second;
    return begin_at(f, topic, which == MONITOR_DEAD || which == MONITOR_ALARMS, err);
}

struct feed *feed_open(struct bus *bus, const struct task *task, struct monitor *m, struct err *err)
{
    struct feed *f = mem_zalloc(1, sizeof(*f));
    int rc = 0;

    f->bus = bus;
    f->monitor = m;
    f->per_second = task->monitor.rows_per_second;
    f->second = clock_mono_ms() / 1000;
    f->reader = bus_reader_open(bus, err);
    if (!f->reader)
        rc = err->code;
    for (int i = 0; i < MONITOR_N_TOPICS && rc == 0; i++) {
        f->topic[i].name = monitor_topic(task, (enum monitor_topic)i);
        rc = open_topic(f, (enum monitor_topic)i, err);
    }
    if (rc == 0)
        return f;
    feed_close(f);
    return NULL;
}

void feed_close(struct feed *f)
{
    if (!f)
        return;
    bus_reader_close(f->reader);
    for (int i = 0; i < MONITOR_N_TOPICS; i++)
        bus_places_release(&f->topic[i].places);
    free(f);
}

/* ---- Skipping ---- */

/* A topic that was read up to its limit may be read again; one that is far behind skips. */
static int resume(struct feed *f, enum monitor_topic which, uint64_t *ret_skipped, struct err *err)
{
    struct topic *topic = &f->topic[which];
    uint64_t behind = 0;
    int rc = count_behind(f, topic, &behind, err);

    *ret_skipped = 0;
    if (rc == 0 && (int64_t)behind > f->per_second) {
        rc = begin_at(f, topic, false, err);
        *ret_skipped = behind;
    }
    if (rc < 0)
        return rc;
    rc = bus_reader_pause(f->reader, topic->name, false, err);
    topic->paused = rc < 0;
    return rc;
}

static int begin_second(struct feed *f, int64_t second, struct err *err)
{
    for (int i = 0; i < MONITOR_N_TOPICS; i++) {
        struct topic *topic = &f->topic[i];
        uint64_t skipped = 0;

        if (topic->paused) {
            int rc = resume(f, (enum monitor_topic)i, &skipped, err);
            if (rc < 0)
                return rc;
        }
        topic->left = f->per_second;
        if (topic->looked || skipped)
            monitor_looked(f->monitor, (enum monitor_topic)i, topic->looked, skipped);
        topic->looked = 0;
    }
    f->second = second;
    return 0;
}

/* Entries were trimmed before they were read: how many, nobody can tell. */
static int skip_all(struct feed *f, struct err *err)
{
    for (int i = 0; i < MONITOR_N_TOPICS; i++) {
        int rc = begin_at(f, &f->topic[i], false, err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- Reading ---- */

static void note(struct feed *f, const struct bus_msg *msgs, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        struct topic *topic = &f->topic[0];

        for (int i = 1; i < MONITOR_N_TOPICS && strcmp(topic->name, msgs[k].topic) != 0; i++)
            topic = &f->topic[i];
        bus_places_note(&topic->places, &msgs[k]);
        topic->left--;
        topic->looked++;
        topic->added++;
    }
}

static int pause_full(struct feed *f, struct err *err)
{
    for (int i = 0; i < MONITOR_N_TOPICS; i++) {
        struct topic *topic = &f->topic[i];

        if (topic->left > 0 || topic->paused)
            continue;
        int rc = bus_reader_pause(f->reader, topic->name, true, err);
        if (rc < 0)
            return rc;
        topic->paused = true;
    }
    return 0;
}

static size_t batch_size(const struct feed *f)
{
    return f->per_second < BATCH_MAX ? (size_t)f->per_second : BATCH_MAX;
}

int feed_step(struct feed *f, int timeout_ms, struct err *err)
{
    const struct bus_msg *msgs;
    int64_t second = clock_mono_ms() / 1000;

    if (second != f->second && begin_second(f, second, err) < 0)
        return err->code;
    int n = bus_poll(f->reader, batch_size(f), timeout_ms, &msgs, err);
    if (n == ERR_TRIMMED)
        return skip_all(f, err);
    if (n <= 0)
        return n;
    monitor_messages(f->monitor, msgs, (size_t)n, clock_wall_ms());
    note(f, msgs, (size_t)n);
    int rc = pause_full(f, err);
    return rc < 0 ? rc : n;
}
