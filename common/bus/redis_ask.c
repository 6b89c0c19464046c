/* What is asked of Redis about topics and groups, one question at a time, and trimming. */
#include <stdio.h>
#include <string.h>

#include "bus/redis_reader.h"

#define COUNT_CHUNK "1000"
#define FLOOR_TRIES 10

/* Connects and starts anew: answers of the question before are forgotten. */
static int begin(struct redis_bus *bus, int32_t partition, struct err *err)
{
    int rc = bus_partition_check(partition, err);

    if (!rc)
        rc = redis_conn_connect(bus->ask, err);
    if (rc < 0)
        return rc;
    redis_conn_recycle(bus->ask);
    return 0;
}

static int call(struct redis_bus *bus, const char *topic, const redisReply **ret, struct err *err)
{
    char key[600];

    snprintf(key, sizeof(key), "%.300s%.250s", bus->prefix, topic);
    return redis_conn_call(bus->ask, key, ret, err);
}

int redis_ask_ping(struct bus *base, struct err *err)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    const redisReply *reply;
    int rc = begin(bus, 0, err);

    if (rc)
        return rc;
    redis_cmd_texts(bus->ask, "PING", NULL);
    return redis_conn_call(bus->ask, NULL, &reply, err);
}

/* Streams make themselves with their first entry: this only refuses what could never work. */
int redis_ask_topic_ensure(struct bus *base, const char *topic, int partitions, int replication,
                           struct err *err)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    const redisReply *reply;

    if (partitions > 1)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: a topic of the redis bus has one partition, not %d", topic, partitions);
    if (replication > 1)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: the redis bus does not replicate: configure it in the server", topic);
    int rc = begin(bus, 0, err);
    if (rc)
        return rc;
    redis_cmd(bus->ask, 2);
    redis_arg_text(bus->ask, "TYPE");
    redis_bus_arg_key(bus, bus->ask, topic);
    rc = call(bus, topic, &reply, err);
    if (rc)
        return rc;
    const char *type = redis_reply_text(reply);
    if (strcmp(type, "none") != 0 && strcmp(type, "stream") != 0)
        return err_set(err, ERR_REFUSED,
                       "the key %s%s is a %s and no stream: delete it or choose another topic",
                       bus->prefix, topic, type);
    return 0;
}

int redis_ask_topic_delete(struct bus *base, const char *topic, struct err *err)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    const redisReply *reply;
    int rc = begin(bus, 0, err);

    if (rc)
        return rc;
    redis_cmd(bus->ask, 2);
    redis_arg_text(bus->ask, "UNLINK");
    redis_bus_arg_key(bus, bus->ask, topic);
    rc = call(bus, topic, &reply, err);
    if (rc)
        return rc;
    redis_cmd_texts(bus->ask, "HDEL", bus->trimmed_key, topic, NULL);
    return redis_conn_call(bus->ask, bus->trimmed_key, &reply, err);
}

/* XINFO STREAM. ERR_NOT_FOUND when there is no such stream. */
static int ask_info(struct redis_bus *bus, const char *topic, const redisReply **ret,
                    struct err *err)
{
    redis_cmd(bus->ask, 3);
    redis_arg_text(bus->ask, "XINFO");
    redis_arg_text(bus->ask, "STREAM");
    redis_bus_arg_key(bus, bus->ask, topic);
    int rc = call(bus, topic, ret, err);
    if (rc && redis_conn_is_up(bus->ask) && redis_reply_is_error(*ret, "ERR no such key"))
        return err_set(err, ERR_NOT_FOUND, "topic %s does not exist", topic);
    return rc;
}

static struct bus_id get_id(const redisReply *info, const char *name)
{
    const redisReply *r = redis_reply_get(info, name);
    struct bus_id id = {0, 0};

    if (r && r->str)
        (void)!redis_id_parse(r->str, r->len, &id.ms, &id.seq);
    return id;
}

int redis_ask_marks(struct bus *base, const char *topic, int32_t partition, struct bus_marks *ret,
                    struct err *err)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    const redisReply *info;
    int rc = begin(bus, partition, err);

    if (!rc)
        rc = ask_info(bus, topic, &info, err);
    if (rc == ERR_NOT_FOUND) {
        *ret = (struct bus_marks){0};
        return 0;
    }
    if (rc)
        return rc;
    struct bus_id last = get_id(info, "last-generated-id");
    const redisReply *first = redis_reply_get(info, "first-entry");
    struct bus_id low = first && first->elements ? bus_id_before(redis_entry_id(first)) : last;
    *ret = (struct bus_marks){
        .low = bus_id_to_pos(low),
        .high = bus_id_to_pos(last),
        .kept = (uint64_t)redis_reply_int(redis_reply_get(info, "length")),
        .added = (uint64_t)redis_reply_int(redis_reply_get(info, "entries-added")),
    };
    return 0;
}

/* Counts entries after `pos` in steps that do not hold up the server's other clients for long. */
static int count_chunks(struct redis_bus *bus, const char *topic, struct bus_id pos, uint64_t *ret,
                        struct err *err)
{
    static const char script[] = "local t = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', "
                                 "'COUNT', " COUNT_CHUNK ")\n"
                                 "if #t == 0 then return {0, ARGV[1]} end\n"
                                 "return {#t, t[#t][1]}";
    uint64_t total = 0;

    for (;;) {
        const redisReply *reply;
        redis_cmd(bus->ask, 5);
        redis_arg_text(bus->ask, "EVAL");
        redis_arg_text(bus->ask, script);
        redis_arg_text(bus->ask, "1");
        redis_bus_arg_key(bus, bus->ask, topic);
        redis_arg_id(bus->ask, pos.ms, pos.seq);
        int rc = call(bus, topic, &reply, err);
        if (rc)
            return rc;
        int64_t n = reply->elements == 2 ? redis_reply_int(reply->element[0]) : 0;
        if (n <= 0)
            break;
        total += (uint64_t)n;
        if (!redis_id_parse(reply->element[1]->str, reply->element[1]->len, &pos.ms, &pos.seq))
            break;
        redis_conn_recycle(bus->ask);
    }
    *ret = total;
    return 0;
}

int redis_ask_count_after(struct bus *base, const char *topic, int32_t partition,
                          const struct bus_pos *pos, uint64_t *ret, struct err *err)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    const redisReply *info;
    struct bus_id at;
    int rc = bus_id_from_pos(pos, &at, err);

    if (!rc)
        rc = begin(bus, partition, err);
    if (!rc)
        rc = ask_info(bus, topic, &info, err);
    if (rc == ERR_NOT_FOUND) {
        *ret = 0;
        return 0;
    }
    if (rc)
        return rc;

    uint64_t kept = (uint64_t)redis_reply_int(redis_reply_get(info, "length"));
    struct bus_id first = redis_entry_id(redis_reply_get(info, "first-entry"));
    struct bus_id last = redis_entry_id(redis_reply_get(info, "last-entry"));
    /*
     * A numbered stream without holes: the ids are the count. Its entries are all "N-0"; a place
     * behind one of them may say more, as the floor of a group does.
     */
    bool numbered =
        last.ms < BUS_ID_TIME_MIN && !first.seq && !last.seq && kept == last.ms - first.ms + 1;

    if (!kept || bus_id_compare(at, last) >= 0)
        *ret = 0;
    else if (bus_id_compare(at, first) < 0)
        *ret = kept;
    else if (numbered)
        *ret = last.ms - at.ms;
    else
        return count_chunks(bus, topic, at, ret, err);
    return 0;
}

int redis_ask_last(struct bus *base, const char *topic, int32_t partition, struct bus_msg *ret,
                   struct err *err)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    const redisReply *reply;
    int rc = begin(bus, partition, err);

    if (rc)
        return rc;
    redis_cmd(bus->ask, 6);
    redis_arg_text(bus->ask, "XREVRANGE");
    redis_bus_arg_key(bus, bus->ask, topic);
    redis_arg_text(bus->ask, "+");
    redis_arg_text(bus->ask, "-");
    redis_arg_text(bus->ask, "COUNT");
    redis_arg_text(bus->ask, "1");
    rc = call(bus, topic, &reply, err);
    if (rc)
        return rc;
    if (!reply->elements)
        return err_set(err, ERR_NOT_FOUND, "topic %s has no message", topic);

    size_t len = strlen(topic);
    char *name = redis_conn_alloc(bus->ask, len + 1);
    memcpy(name, topic, len + 1);
    if (!redis_msg_fill(bus->ask, reply->element[0], name, ret))
        return err_set(err, ERR_NOT_FOUND, "topic %s has no message", topic);
    return 0;
}

/* ---- Groups ---- */

static const redisReply *find_group(const redisReply *groups, const char *group)
{
    for (size_t i = 0; i < groups->elements; i++)
        if (strcmp(redis_reply_text(redis_reply_get(groups->element[i], "name")), group) == 0)
            return groups->element[i];
    return NULL;
}

int redis_ask_group_floor(struct bus *base, const char *group, const char *topic, int32_t partition,
                          struct bus_pos *ret, struct err *err)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    int rc = begin(bus, partition, err);

    /* Between the two questions the last pending entry may be committed: then both are asked again.
     */
    for (int tries = 0; !rc && tries < FLOOR_TRIES; tries++) {
        const redisReply *reply;
        redis_cmd(bus->ask, 3);
        redis_arg_text(bus->ask, "XINFO");
        redis_arg_text(bus->ask, "GROUPS");
        redis_bus_arg_key(bus, bus->ask, topic);
        rc = call(bus, topic, &reply, err);
        if (rc && redis_conn_is_up(bus->ask) && redis_reply_is_error(reply, "ERR no such key"))
            return err_set(err, ERR_NOT_FOUND, "topic %s does not exist", topic);
        if (rc)
            return rc;
        const redisReply *info = find_group(reply, group);
        if (!info)
            return err_set(err, ERR_NOT_FOUND, "topic %s has no group %s", topic, group);
        if (!redis_reply_int(redis_reply_get(info, "pending"))) {
            *ret = bus_id_to_pos(get_id(info, "last-delivered-id"));
            return 0;
        }

        redis_cmd(bus->ask, 3);
        redis_arg_text(bus->ask, "XPENDING");
        redis_bus_arg_key(bus, bus->ask, topic);
        redis_arg_text(bus->ask, group);
        rc = call(bus, topic, &reply, err);
        struct bus_id first;
        if (!rc && reply->elements >= 2 && reply->element[1]->str &&
            redis_id_parse(reply->element[1]->str, reply->element[1]->len, &first.ms, &first.seq)) {
            *ret = bus_id_to_pos(bus_id_before(first));
            return 0;
        }
    }
    return rc ? rc : err_set_retriable(err, ERR_TIMEOUT, "group %s changes too fast", group);
}

/* ---- Trimming ---- */

/*
 * Removes exactly what lies at or before ARGV[2], but never the newest entry, and writes down the
 * id of the last one that it removed. MINID takes the first entry that stays, so no id is computed
 * here: Lua's numbers are doubles.
 */
static const char trim_script[] =
    "local cut = redis.call('XREVRANGE', KEYS[1], ARGV[2], '-', 'COUNT', 1)\n"
    "if #cut == 0 then return 0 end\n"
    "local stays = redis.call('XRANGE', KEYS[1], '(' .. cut[1][1], '+', 'COUNT', 1)\n"
    "if #stays == 0 then\n"
    "  stays = cut\n"
    "  cut = redis.call('XREVRANGE', KEYS[1], '(' .. stays[1][1], '-', 'COUNT', 1)\n"
    "  if #cut == 0 then return 0 end\n"
    "end\n"
    "local n = redis.call('XTRIM', KEYS[1], 'MINID', stays[1][1])\n"
    "redis.call('HSET', KEYS[2], ARGV[1], cut[1][1])\n"
    "return n";

int redis_ask_trim(struct bus *base, const char *topic, int32_t partition,
                   const struct bus_pos *upto, struct err *err)
{
    struct redis_bus *bus = (struct redis_bus *)base;
    struct bus_id id = {UINT64_MAX, UINT64_MAX};
    const redisReply *reply;
    int rc = upto->len == BUS_POS_NEWEST_LEN ? 0 : bus_id_from_pos(upto, &id, err);

    if (!rc)
        rc = begin(bus, partition, err);
    if (rc)
        return rc;
    redis_cmd(bus->ask, 7);
    redis_arg_text(bus->ask, "EVAL");
    redis_arg_text(bus->ask, trim_script);
    redis_arg_text(bus->ask, "2");
    redis_bus_arg_key(bus, bus->ask, topic);
    redis_arg_text(bus->ask, bus->trimmed_key);
    redis_arg_text(bus->ask, topic);
    redis_arg_id(bus->ask, id.ms, id.seq);
    return call(bus, topic, &reply, err);
}
