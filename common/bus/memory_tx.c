/* Transactions of the bus in memory: what is published is kept until the commit. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bus/memory_bus.h"

void memory_tx_own(struct memory_bus *bus, const char *id)
{
    struct memory_server *server = bus->server;
    struct memory_owner *owner;

    pthread_mutex_lock(&server->mutex);
    for (owner = server->owners; owner; owner = owner->next)
        if (strcmp(owner->id, id) == 0)
            break;
    if (!owner) {
        owner = mem_zalloc(1, sizeof(*owner));
        owner->id = mem_strdup(id);
        owner->next = server->owners;
        server->owners = owner;
    }
    bus->owner = owner;
    bus->epoch = ++owner->epoch;
    pthread_mutex_unlock(&server->mutex);
}

void memory_tx_hold(struct memory_bus *bus, const struct bus_record *rec)
{
    struct memory_held *held = mem_zalloc(1, sizeof(*held));

    held->topic = mem_strdup(rec->topic);
    held->copy = memory_entry_new(rec, (struct bus_id){0, 0});
    held->rec = *rec;
    held->rec.topic = held->topic;
    held->rec.key = held->copy->key;
    held->rec.value = held->copy->value;
    held->rec.headers = held->copy->headers;
    if (bus->last_held)
        bus->last_held->next = held;
    else
        bus->held = held;
    bus->last_held = held;
}

void memory_tx_release(struct memory_bus *bus)
{
    while (bus->held) {
        struct memory_held *next = bus->held->next;
        memory_entry_unref(bus->held->copy);
        free(bus->held->topic);
        free(bus->held);
        bus->held = next;
    }
    bus->last_held = NULL;
    free(bus->senders);
    bus->senders = NULL;
    bus->n_senders = 0;
    bus->in_tx = false;
}

static int need_name(const struct memory_bus *bus, struct err *err)
{
    if (bus->owner)
        return 0;
    return err_set(err, ERR_UNSUPPORTED, "the bus was opened without a name for transactions");
}

/* The caller holds the mutex. */
static int check_owner(const struct memory_bus *bus, struct err *err)
{
    if (bus->owner->epoch == bus->epoch)
        return 0;
    return err_set(err, ERR_FATAL, "another process has taken over the transactions of %s",
                   bus->owner->id);
}

static int need_tx(const struct memory_bus *bus, struct err *err)
{
    if (need_name(bus, err) < 0)
        return err->code;
    return bus->in_tx ? 0 : err_set(err, ERR_INVALID, "no transaction has begun");
}

int memory_tx_begin(struct bus *base, struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;

    if (need_name(bus, err) < 0)
        return err->code;
    if (bus->in_tx)
        return err_set(err, ERR_INVALID, "a transaction has begun already");
    pthread_mutex_lock(&bus->server->mutex);
    int rc = check_owner(bus, err);
    pthread_mutex_unlock(&bus->server->mutex);
    bus->in_tx = rc == 0;
    return rc;
}

int memory_tx_send_positions(struct bus *base, struct bus_reader *member, struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;

    if (need_tx(bus, err) < 0)
        return err->code;
    bus->senders = mem_realloc(bus->senders, bus->n_senders + 1, sizeof(struct bus_reader *));
    bus->senders[bus->n_senders++] = member;
    return 0;
}

int memory_tx_commit(struct bus *base, int timeout_ms, struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;
    struct bus_id id;

    (void)timeout_ms;
    if (need_tx(bus, err) < 0)
        return err->code;
    pthread_mutex_lock(&bus->server->mutex);
    int rc = check_owner(bus, err);
    for (struct memory_held *held = bus->held; held && rc == 0; held = held->next) {
        struct memory_topic *t = memory_topic_get(bus->server, held->topic);
        int result = memory_topic_append(t, &held->rec, &id);
        memory_done_add(bus, held->rec.opaque, result, id);
    }
    pthread_cond_broadcast(&bus->server->changed);
    pthread_mutex_unlock(&bus->server->mutex);
    /* Positions follow at once; another reader may see the messages a moment before them. */
    for (size_t i = 0; i < bus->n_senders && rc == 0; i++)
        rc = memory_commit(bus->senders[i], err);
    if (rc == 0)
        memory_tx_release(bus);
    return rc;
}

int memory_tx_abort(struct bus *base, struct err *err)
{
    struct memory_bus *bus = (struct memory_bus *)base;

    if (need_name(bus, err) < 0)
        return err->code;
    for (struct memory_held *held = bus->held; held; held = held->next)
        memory_done_add(bus, held->rec.opaque, ERR_CONFLICT, (struct bus_id){0, 0});
    memory_tx_release(bus);
    return 0;
}
