#include "state_read.h"

#include <stdlib.h>

#include "base/json.h"
#include "bus/bus_places.h"

#define POLL_ROWS 1000
#define POLL_MS   200

char *state_topic(const char *task)
{
    struct buf topic = BUF_INIT;

    buf_printf(&topic, "%s-views-state", task);
    return buf_detach(&topic);
}

static int read_all(struct bus *bus, struct bus_reader *reader, const char *topic,
                    struct state_found *found, struct err *err)
{
    struct bus_places places = BUS_PLACES_INIT;
    const struct bus_msg *msgs;
    bool at_end = false;
    int rc = bus_reader_assign(reader, topic, 0, &BUS_POS_OLDEST, err);

    while (rc >= 0) {
        rc = bus_places_at_end(bus, topic, &places, &at_end, err);
        if (rc < 0 || at_end)
            break;
        rc = bus_poll(reader, POLL_ROWS, POLL_MS, &msgs, err);
        for (int i = 0, n = rc; i < n && rc >= 0; i++) {
            bus_places_note(&places, &msgs[i]);
            rc = state_take(found, &msgs[i], err);
        }
    }
    bus_places_release(&places);
    return rc < 0 ? rc : 0;
}

int state_read_newest(struct bus *bus, const char *task, const char *incarnation, struct state *ret,
                      struct err *err)
{
    struct state_found found = {.incarnation = incarnation, .start_id = ""};
    char *topic = state_topic(task);
    int rc = bus_partitions(bus, topic, err);

    /* Keys are not asked for: one is as good as all. */
    for (size_t i = 0; i < STATE_OUTS; i++)
        found.seen[i] = dedupe_new(1, 1);
    if (rc > 0) {
        struct bus_reader *reader = bus_reader_open(bus, err);
        rc = reader ? read_all(bus, reader, topic, &found, err) : err->code;
        bus_reader_close(reader);
    }
    for (size_t i = 0; i < STATE_OUTS; i++)
        dedupe_free(found.seen[i]);
    free(topic);
    if (rc < 0)
        return rc;
    *ret = found.state;
    return 0;
}

int state_read_last_seq(struct bus *bus, const char *topic, uint64_t *ret, struct err *err)
{
    int n = bus_partitions(bus, topic, err);

    *ret = 0;
    for (int32_t p = 0; p < n; p++) {
        struct json_value root, seq;
        struct bus_msg msg;
        int64_t got;
        int rc = bus_last(bus, topic, p, &msg, err);
        if (rc == ERR_NOT_FOUND)
            continue;
        if (rc < 0)
            return rc;
        if (!msg.value || json_parse(msg.value, msg.value_len, &root, NULL) < 0 ||
            !json_get(&root, "seq", &seq) || !json_int(&seq, &got) || got < 1)
            return err_set(err, ERR_CORRUPT, "the newest row of %s has no seq", topic);
        if ((uint64_t)got > *ret)
            *ret = (uint64_t)got;
    }
    return n < 0 ? n : 0;
}
