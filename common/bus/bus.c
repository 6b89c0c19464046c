/* The bus: finding a backend, checking what is the same for all of them, and passing calls on. */
#include "bus/bus.h"

#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "bus/bus_backend.h"

#define TOPIC_NAME_MAX 249 /* Kafka's limit; one rule for all backends lets a task file move */

static const struct bus_backend *const backends[] = {&bus_backend_redis, &bus_backend_kafka,
                                                     &bus_backend_memory};
static const char *const backend_names[] = {"redis", "kafka", "memory", NULL};

#define N_BACKENDS (sizeof(backends) / sizeof(backends[0]))
static_assert(N_BACKENDS + 1 == sizeof(backend_names) / sizeof(backend_names[0]),
              "every backend is named");

/* ---- Checks ---- */

static int check_topic(const char *topic, struct err *err)
{
    size_t n = 0;

    for (; topic[n]; n++) {
        char c = topic[n];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
        if (!ok || n == TOPIC_NAME_MAX)
            break;
    }
    if (n && !topic[n])
        return 0;
    return err_set(err, ERR_INVALID,
                   "'%.60s' is no topic name: 1 to %d letters, digits, '.', '_' and '-'", topic,
                   TOPIC_NAME_MAX);
}

static int check_properties(const struct bus_backend *backend, const struct bus_options *options,
                            struct err *err)
{
    for (size_t i = 0; backend->properties && i < options->n_properties; i++) {
        const char *name = options->properties[i].name;
        struct buf known = BUF_INIT;
        bool found = false;

        for (const char *const *p = backend->properties; *p; p++) {
            found = found || strcmp(*p, name) == 0;
            buf_printf(&known, "%s%s", known.len ? ", " : "", *p);
        }
        if (!found)
            err_set(err, ERR_INVALID, "the %s bus has no property '%.60s'; it knows: %s",
                    backend->name, name, known.len ? known.data : "none");
        buf_release(&known);
        if (!found)
            return ERR_INVALID;
    }
    return 0;
}

static int no_transactions(const struct bus *bus, struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED, "the %s bus has no transactions", bus->backend->name);
}

/* ---- For backends ---- */

const char *bus_option(const struct bus_options *options, const char *name)
{
    for (size_t i = 0; i < options->n_properties; i++)
        if (strcmp(options->properties[i].name, name) == 0)
            return options->properties[i].value;
    return NULL;
}

int bus_option_int(const struct bus_options *options, const char *name, int64_t min, int64_t max,
                   int64_t *ret, struct err *err)
{
    const char *text = bus_option(options, name);
    int64_t v;

    if (!text)
        return 0;
    if (num_parse_int(text, strlen(text), &v) || v < min || v > max)
        return err_set(err, ERR_INVALID,
                       "the bus property %s is '%.40s': write an integer from %lld to %lld", name,
                       text, (long long)min, (long long)max);
    *ret = v;
    return 0;
}

int bus_partition_check(int32_t partition, struct err *err)
{
    if (partition == 0 || partition == -1)
        return 0;
    return err_set(err, ERR_INVALID,
                   "partition %d does not exist: this bus has one partition a topic",
                   (int)partition);
}

/* ---- Lifecycle ---- */

const char *const *bus_backends(void)
{
    return backend_names;
}

struct bus *bus_open(const struct bus_options *options, struct err *err)
{
    const struct bus_backend *backend = NULL;

    for (size_t i = 0; i < N_BACKENDS; i++)
        if (options->backend && strcmp(backends[i]->name, options->backend) == 0)
            backend = backends[i];
    if (!backend) {
        struct buf known = BUF_INIT;
        for (size_t i = 0; i < N_BACKENDS; i++)
            buf_printf(&known, "%s%s", i ? ", " : "", backend_names[i]);
        err_set(err, ERR_INVALID, "there is no bus '%.40s'; there are: %s",
                options->backend ? options->backend : "", known.data);
        buf_release(&known);
        return NULL;
    }
    if (check_properties(backend, options, err))
        return NULL;

    struct bus *bus = backend->open(options, err);
    if (!bus)
        return NULL;
    bus->backend = backend;
    bus->delivered = options->delivered;
    bus->delivered_ctx = options->delivered_ctx;
    return bus;
}

void bus_close(struct bus *bus)
{
    if (bus)
        bus->backend->close(bus);
}

bool bus_can(const struct bus *bus, enum bus_ability ability)
{
    return bus->backend->can(bus, ability);
}

int bus_partitions(struct bus *bus, const char *topic, struct err *err)
{
    int rc = check_topic(topic, err);

    if (rc || !bus->backend->partitions)
        return rc ? rc : 1;
    return bus->backend->partitions(bus, topic, err);
}

int bus_partition_of(struct bus *bus, const char *topic, const char *key, size_t key_len,
                     struct err *err)
{
    int rc = check_topic(topic, err);

    if (rc || !bus->backend->partition_of)
        return rc;
    return bus->backend->partition_of(bus, topic, key, key_len, err);
}

int bus_ping(struct bus *bus, struct err *err)
{
    return bus->backend->ping(bus, err);
}

int bus_topic_ensure(struct bus *bus, const char *topic, int partitions, int replication,
                     struct err *err)
{
    int rc = check_topic(topic, err);

    return rc ? rc : bus->backend->topic_ensure(bus, topic, partitions, replication, err);
}

int bus_topic_delete(struct bus *bus, const char *topic, struct err *err)
{
    int rc = check_topic(topic, err);

    return rc ? rc : bus->backend->topic_delete(bus, topic, err);
}

/* ---- Publishing ---- */

int bus_publish(struct bus *bus, const struct bus_record *rec, struct err *err)
{
    int rc = check_topic(rec->topic, err);

    return rc ? rc : bus->backend->publish(bus, rec, err);
}

int bus_poll_deliveries(struct bus *bus, int timeout_ms, struct err *err)
{
    return bus->backend->poll_deliveries(bus, timeout_ms, err);
}

int bus_flush(struct bus *bus, int timeout_ms, struct err *err)
{
    return bus->backend->flush(bus, timeout_ms, err);
}

int bus_tx_begin(struct bus *bus, struct err *err)
{
    return bus->backend->tx_begin ? bus->backend->tx_begin(bus, err) : no_transactions(bus, err);
}

int bus_tx_send_positions(struct bus *bus, struct bus_reader *group_member, struct err *err)
{
    if (!bus->backend->tx_send_positions)
        return no_transactions(bus, err);
    return bus->backend->tx_send_positions(bus, group_member, err);
}

int bus_tx_commit(struct bus *bus, int timeout_ms, struct err *err)
{
    if (!bus->backend->tx_commit)
        return no_transactions(bus, err);
    return bus->backend->tx_commit(bus, timeout_ms, err);
}

int bus_tx_abort(struct bus *bus, struct err *err)
{
    return bus->backend->tx_abort ? bus->backend->tx_abort(bus, err) : no_transactions(bus, err);
}

/* ---- Reading ---- */

struct bus_reader *bus_reader_open(struct bus *bus, struct err *err)
{
    struct bus_reader *r = bus->backend->reader_open(bus, err);

    if (r) {
        r->bus = bus;
        r->is_group = false;
    }
    return r;
}

int bus_reader_assign(struct bus_reader *r, const char *topic, int32_t partition,
                      const struct bus_pos *after, struct err *err)
{
    int rc = check_topic(topic, err);

    if (!rc && r->is_group)
        rc = err_set(err, ERR_INVALID,
                     "a group's member is not assigned: the bus keeps its position");
    return rc ? rc : r->bus->backend->reader_assign(r, topic, partition, after, err);
}

int bus_reader_pause(struct bus_reader *r, const char *topic, bool paused, struct err *err)
{
    if (r->is_group)
        return err_set(err, ERR_INVALID, "a group's member cannot pause a topic");
    return r->bus->backend->reader_pause(r, topic, paused, err);
}

struct bus_reader *bus_group_join(struct bus *bus, const char *group, const char *member,
                                  const char *const *topics, size_t n_topics, int claim_idle_ms,
                                  bus_group_fn event, void *ctx, struct err *err)
{
    for (size_t i = 0; i < n_topics; i++)
        if (check_topic(topics[i], err))
            return NULL;
    if (!n_topics || !group[0] || !member[0]) {
        err_set(err, ERR_INVALID, "joining a group needs a group, a member's name and a topic");
        return NULL;
    }

    struct bus_reader *r = bus->backend->group_join(bus, group, member, topics, n_topics,
                                                    claim_idle_ms, event, ctx, err);
    if (r) {
        r->bus = bus;
        r->is_group = true;
    }
    return r;
}

void bus_reader_close(struct bus_reader *r)
{
    if (r)
        r->bus->backend->reader_close(r);
}

int bus_poll(struct bus_reader *r, size_t max, int timeout_ms, const struct bus_msg **ret,
             struct err *err)
{
    return r->bus->backend->poll(r, max ? max : 1, timeout_ms < 0 ? 0 : timeout_ms, ret, err);
}

int bus_commit(struct bus_reader *r, struct err *err)
{
    if (!r->is_group)
        return err_set(err, ERR_INVALID, "only a group's member commits");
    return r->bus->backend->commit(r, err);
}

/* ---- Asking ---- */

int bus_marks(struct bus *bus, const char *topic, int32_t partition, struct bus_marks *ret,
              struct err *err)
{
    int rc = check_topic(topic, err);

    return rc ? rc : bus->backend->marks(bus, topic, partition, ret, err);
}

int bus_count_after(struct bus *bus, const char *topic, int32_t partition,
                    const struct bus_pos *pos, uint64_t *ret, struct err *err)
{
    int rc = check_topic(topic, err);

    if (!rc && pos->len == BUS_POS_NEWEST_LEN) {
        *ret = 0;
        return 0;
    }
    return rc ? rc : bus->backend->count_after(bus, topic, partition, pos, ret, err);
}

int bus_last(struct bus *bus, const char *topic, int32_t partition, struct bus_msg *ret,
             struct err *err)
{
    int rc = check_topic(topic, err);

    return rc ? rc : bus->backend->last(bus, topic, partition, ret, err);
}

int bus_group_floor(struct bus *bus, const char *group, const char *topic, int32_t partition,
                    struct bus_pos *ret, struct err *err)
{
    int rc = check_topic(topic, err);

    return rc ? rc : bus->backend->group_floor(bus, group, topic, partition, ret, err);
}

int bus_trim(struct bus *bus, const char *topic, int32_t partition, const struct bus_pos *upto,
             struct err *err)
{
    int rc = check_topic(topic, err);

    return rc ? rc : bus->backend->trim(bus, topic, partition, upto, err);
}

/* ---- Positions ---- */

/* -1 oldest, 1 newest, 0 anything between. */
static int pos_extreme(const struct bus_pos *pos)
{
    if (pos->len == 0)
        return -1;
    return pos->len == BUS_POS_NEWEST_LEN;
}

int bus_pos_compare(const struct bus *bus, const struct bus_pos *a, const struct bus_pos *b)
{
    int ea = pos_extreme(a), eb = pos_extreme(b);

    if (ea || eb)
        return ea - eb;
    return bus->backend->pos_compare(a, b);
}

void bus_pos_format(const struct bus *bus, const struct bus_pos *pos, struct buf *out)
{
    int extreme = pos_extreme(pos);

    if (extreme)
        buf_text(out, extreme < 0 ? "oldest" : "newest");
    else
        bus->backend->pos_format(pos, out);
}

int bus_pos_parse(const struct bus *bus, const char *text, struct bus_pos *ret, struct err *err)
{
    if (strcmp(text, "oldest") == 0) {
        *ret = BUS_POS_OLDEST;
        return 0;
    }
    if (strcmp(text, "newest") == 0) {
        *ret = BUS_POS_NEWEST;
        return 0;
    }
    return bus->backend->pos_parse(text, ret, err);
}

void bus_msg_place(const struct bus *bus, const struct bus_msg *msg, struct buf *out)
{
    if (bus->backend->partitions)
        buf_printf(out, "%d/", (int)msg->partition);
    bus_pos_format(bus, &msg->pos, out);
}

const void *bus_msg_header(const struct bus_msg *msg, const char *name, size_t *ret_len)
{
    for (size_t i = 0; i < msg->n_headers; i++)
        if (strcmp(msg->headers[i].name, name) == 0) {
            *ret_len = msg->headers[i].len;
            return msg->headers[i].value;
        }
    return NULL;
}
