/*
 * Alarms of drift on their topic, each once: the fold raises the same ones
 * whenever it passes the same rows, and an alarm is durable before a version
 * that includes its row. So whoever goes on from a version, or comes back to a
 * server that was away, asks the topic what it has, and adds the rest.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "learner/learning_internal.h"

#define FLUSH_MS 10000
#define LOOK_MS  200 /* for the topic's messages, at a time */
#define LOOKS    50  /* in a row that bring nothing */
#define ROWS     1000

/* ---- Lists ---- */

static void alarm_release(struct learning_alarm *a)
{
    free(a->key);
    free(a->generation);
    free(a->value);
}

static void list_release(struct learning_alarm **list, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        alarm_release(&(*list)[i]);
    free(*list);
    *list = NULL;
    *n = 0;
}

/* The alarm of that identity, or NULL. */
static struct learning_alarm *list_find(struct learning_alarm *list, size_t n, const char *key,
                                        size_t key_len, const struct json_value *generation)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i].key) == key_len && memcmp(list[i].key, key, key_len) == 0 &&
            json_is(generation, list[i].generation, strlen(list[i].generation)))
            return &list[i];
    return NULL;
}

static void list_push(struct learning_alarm **list, size_t *n, const struct learning_alarm *a)
{
    *list = mem_realloc(*list, *n + 1, sizeof(**list));
    (*list)[(*n)++] = *a;
}

/* What is in the topic for so long that no server can lose it any more. */
static void drop_old(struct learning *l)
{
    struct learning_alarms *alarms = &l->alarms;
    int64_t now_ms = clock_mono_ms();
    size_t kept = 0;

    for (size_t i = 0; i < alarms->n; i++) {
        struct learning_alarm *a = &alarms->list[i];

        if (a->is_published && now_ms - a->at_ms > l->task->reconcile_seconds * 1000)
            alarm_release(a);
        else
            alarms->list[kept++] = *a;
    }
    alarms->n = kept;
}

/* ---- Reading the topic ---- */

typedef void (*seen_fn)(struct learning *l, const struct bus_msg *msg,
                        const struct json_value *alarm);

/* Where topics are not kept apart by their names, an earlier life's alarms are none of ours. */
static bool is_ours(const struct learning *l, const struct bus_msg *msg)
{
    size_t len;
    const char *theirs = bus_msg_header(msg, BUS_INCARNATION, &len);

    return !theirs || (len == strlen(l->alarms.incarnation) &&
                       memcmp(theirs, l->alarms.incarnation, len) == 0);
}

static void hand_out(struct learning *l, const struct bus_msg *msg, seen_fn seen)
{
    struct json_value root;

    if (is_ours(l, msg) && msg->key && msg->value &&
        json_parse(msg->value, msg->value_len, &root, NULL) == 0)
        seen(l, msg, &root);
}

/* Up to and with the message at `end`. */
static int read_up_to(struct learning *l, struct bus_reader *r, const struct bus_pos *end,
                      seen_fn seen, struct err *err)
{
    const char *topic = l->task->topics.drift_alarms;
    int rc = bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, err);

    for (int looks = 0; rc >= 0;) {
        const struct bus_msg *msgs;
        int n = bus_poll(r, ROWS, LOOK_MS, &msgs, err);

        if (n == ERR_TRIMMED) { /* views has trimmed it meanwhile: from the new oldest on */
            rc = bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, err);
            continue;
        }
        if (n < 0)
            return n;
        looks = n ? 0 : looks + 1;
        if (looks == LOOKS)
            return err_set_retriable(err, ERR_TIMEOUT, "%s has messages, but none comes", topic);
        for (int i = 0; i < n; i++)
            hand_out(l, &msgs[i], seen);
        if (n && bus_pos_compare(l->o.bus, &msgs[n - 1].pos, end) >= 0)
            return 0;
    }
    return rc;
}

static int read_topic(struct learning *l, seen_fn seen, struct err *err)
{
    struct bus_msg last;
    int rc = bus_last(l->o.bus, l->task->topics.drift_alarms, 0, &last, err);

    if (rc < 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    struct bus_pos end = last.pos;
    struct bus_reader *r = bus_reader_open(l->o.bus, err);
    if (!r)
        return err->code;
    rc = read_up_to(l, r, &end, seen, err);
    bus_reader_close(r);
    return rc;
}

/* Keeps what the models are about to raise again. */
static void know(struct learning *l, const struct bus_msg *msg, const struct json_value *alarm)
{
    struct json_value model;
    struct json_value generation;
    struct json_value position;
    int64_t seq;

    if (!json_get(alarm, "model", &model) || !json_get(alarm, "generation", &generation) ||
        !json_get(alarm, "position", &position) || !json_int(&position, &seq) || seq <= 0)
        return;
    for (size_t i = 0; i < l->task->n_models; i++) {
        const struct fold *f = l->models[i].fold;

        if (!json_is(&model, fold_name(f), strlen(fold_name(f))) ||
            !json_is(&generation, fold_generation(f), strlen(fold_generation(f))) ||
            (uint64_t)seq <= fold_position(f))
            continue;
        struct learning_alarm a = {.key = mem_strndup(msg->key, msg->key_len),
                                   .generation = mem_strdup(fold_generation(f))};
        list_push(&l->alarms.known, &l->alarms.n_known, &a);
    }
}

static void mark_published(struct learning *l, const struct bus_msg *msg,
                           const struct json_value *alarm)
{
    struct json_value generation;
    struct learning_alarm *a = NULL;

    if (json_get(alarm, "generation", &generation))
        a = list_find(l->alarms.list, l->alarms.n, msg->key, msg->key_len, &generation);
    if (!a || a->is_published)
        return;
    a->is_published = true;
    a->at_ms = clock_mono_ms();
    l->alarms.n_open--;
}

/* ---- For the other files ---- */

void learning_alarms_release(struct learning *l)
{
    list_release(&l->alarms.list, &l->alarms.n);
    list_release(&l->alarms.known, &l->alarms.n_known);
    l->alarms.n_open = 0;
}

int learning_alarms_look(struct learning *l, struct err *err)
{
    learning_alarms_release(l); /* the folds raise again what is not there */
    if (!l->task->drift)
        return 0;
    int rc = store_incarnation(l->o.store, l->alarms.incarnation, err);
    if (rc == 0)
        rc = bus_topic_ensure(l->o.bus, l->task->topics.drift_alarms, 1, 0, err);
    return rc < 0 ? rc : read_topic(l, know, err);
}

static char *make_value(const struct fold *f)
{
    const struct error_drift *d = fold_drift(f);
    struct buf out = BUF_INIT;

    buf_text(&out, "{\"model\":");
    json_write_string(&out, fold_name(f), strlen(fold_name(f)));
    buf_printf(&out, ",\"generation\":\"%s\",\"detector\":\"%s\",", fold_generation(f),
               detector_class(d->detector));
    error_drift_write_alarm(&d->newest, &out);
    buf_byte(&out, '}');
    return buf_detach(&out);
}

void learning_alarm_add(struct learning *l, size_t i)
{
    const struct fold *f = l->models[i].fold;
    const struct error_drift *d = fold_drift(f);
    struct learning_alarms *alarms = &l->alarms;
    struct buf key = BUF_INIT;

    buf_printf(&key, "%s#%" PRIu64 "#%s", fold_name(f), d->newest.position,
               detector_class(d->detector));
    for (size_t k = 0; k < alarms->n_known; k++) {
        if (strcmp(alarms->known[k].key, buf_str(&key)) == 0) {
            buf_release(&key);
            return;
        }
    }
    log_info("drift: the error of model \"%s\" has changed at seq %" PRIu64
             ": %.6g on average before, %.6g now",
             fold_name(f), d->newest.position, d->newest.change.mean_before,
             d->newest.change.mean_after);
    struct learning_alarm a = {.key = buf_detach(&key),
                               .generation = mem_strdup(fold_generation(f)),
                               .value = make_value(f)};
    list_push(&alarms->list, &alarms->n, &a);
    alarms->n_open++;
}

static int publish(struct learning *l, const struct learning_alarm *a, struct err *err)
{
    struct bus_record rec = {.topic = l->task->topics.drift_alarms,
                             .partition = 0,
                             .key = a->key,
                             .key_len = strlen(a->key),
                             .value = a->value,
                             .value_len = strlen(a->value)};

    return bus_publish(l->o.bus, &rec, err);
}

int learning_alarms_publish(struct learning *l, struct err *err)
{
    struct learning_alarms *alarms = &l->alarms;
    int rc = 0;

    drop_old(l);
    if (alarms->n_open == 0)
        return 0;
    /* Whoever has taken the lease meanwhile raises them, too. */
    rc = store_lease_renew(l->o.store, LEARNING_LEASE, l->token, l->o.lease_ttl_ms, err);
    for (size_t i = 0; i < alarms->n && rc == 0; i++)
        if (!alarms->list[i].is_published)
            rc = publish(l, &alarms->list[i], err);
    if (rc == 0)
        rc = bus_flush(l->o.bus, FLUSH_MS, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < alarms->n; i++) {
        if (alarms->list[i].is_published)
            continue;
        alarms->list[i].is_published = true;
        alarms->list[i].at_ms = clock_mono_ms();
    }
    *l->n_alarms += alarms->n_open;
    alarms->n_open = 0;
    return 0;
}

int learning_alarms_reconcile(struct learning *l, struct err *err)
{
    struct learning_alarms *alarms = &l->alarms;

    if (alarms->n == 0)
        return 0;
    for (size_t i = 0; i < alarms->n; i++)
        alarms->list[i].is_published = false;
    alarms->n_open = alarms->n;
    int rc = read_topic(l, mark_published, err);
    return rc < 0 ? rc : learning_alarms_publish(l, err);
}
