/* Leaving models in the store, and making sure that they are still there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "learner/learning_internal.h"

#define PRUNE_EVERY 16 /* versions of a model */

static void recent_release(struct learning_recent *r)
{
    store_version_release(&r->version);
    *r = (struct learning_recent){.at_ms = 0};
}

/* The slot of the `age`-th newest version, 0 being the newest. */
static struct learning_recent *recent_at(struct learning_model *m, size_t age)
{
    return &m->recent[(m->n_recent - 1 - age) % LEARNING_RECENT];
}

void learning_stored(struct learning_model *m, struct store_version *v, bool serve)
{
    struct learning_recent *r = &m->recent[m->n_recent % LEARNING_RECENT];

    recent_release(r);
    *r = (struct learning_recent){.version = *v, .serve = serve, .at_ms = clock_mono_ms()};
    *v = (struct store_version){.model = NULL}; /* now owned by the ring */
    m->n_recent++;
    snprintf(m->stored, sizeof(m->stored), "%s", r->version.version);
    m->stored_position = r->version.position;
    m->stored_learned = r->version.learned;
    buf_clear(&m->stored_pos);
    buf_text(&m->stored_pos, r->version.bus_pos);
}

void learning_forget(struct learning_model *m)
{
    for (size_t i = 0; i < LEARNING_RECENT; i++)
        recent_release(&m->recent[i]);
    m->n_recent = 0;
    m->stored[0] = '\0';
    buf_release(&m->stored_pos);
}

/* Versions that a server which comes back cannot have lost any more; the newest always stays. */
static void drop_old(struct learning *l, struct learning_model *m)
{
    int64_t keep_ms = l->task->reconcile_seconds * 1000;

    for (size_t age = 1; age < LEARNING_RECENT && age < m->n_recent; age++) {
        struct learning_recent *r = recent_at(m, age);
        if (r->version.model && clock_mono_ms() - r->at_ms > keep_ms)
            recent_release(r);
    }
}

/* The version of what the model is now. */
static void make_version(struct learning *l, struct learning_model *m, struct store_version *ret)
{
    struct buf pos = BUF_INIT;

    fold_save(m->fold, ret);
    free(ret->parent);
    ret->parent = mem_strdup(m->stored);
    free(ret->bus_pos);
    bus_pos_format(l->o.bus, &m->pos, &pos);
    ret->bus_pos = buf_detach(&pos);
    ret->time_ms = clock_wall_ms();
}

/* One write of a version; a position behind the generation's head is not written, and no error. */
static int put_version(struct learning *l, struct learning_model *m, const struct store_version *v,
                       bool serve, struct err *err)
{
    int64_t begin_ns = clock_mono_ns();
    int rc = store_publish(l->o.store, LEARNING_LEASE, l->token, v, serve, err);

    if (rc == ERR_CONFLICT && !m->is_behind) {
        log_warn("model \"%s\" is not published until it has passed its newest version: %s",
                 fold_name(m->fold), err->text);
        m->is_behind = true;
    }
    *l->n_publish_failures += rc < 0 && rc != ERR_CONFLICT;
    if (rc == 0) {
        hist_add(l->publish_time, clock_mono_ns() - begin_ns);
        m->is_behind = false;
    }
    return rc;
}

/* Now and then; a store that fails here fails again where it matters. */
static void prune(struct learning *l, struct learning_model *m)
{
    struct err err;

    if (m->n_published++ % PRUNE_EVERY == 0 &&
        store_prune(l->o.store, fold_name(m->fold), (size_t)l->task->versions_kept, &err) < 0)
        log_debug("pruning versions of \"%s\": %s", fold_name(m->fold), err.text);
}

int learning_publish(struct learning *l, size_t i, struct err *err)
{
    struct learning_model *m = &l->models[i];
    bool serve = m->serving || m->may_serve;
    char name[FOLD_VERSION_SIZE];
    int rc;

    fold_version(m->fold, name);
    if (strcmp(name, m->stored) == 0) {
        if (serve == m->serving)
            return 0;
        rc = put_version(l, m, &recent_at(m, 0)->version, serve, err);
        if (rc == 0)
            recent_at(m, 0)->serve = serve;
    } else {
        struct store_version v;

        make_version(l, m, &v);
        rc = put_version(l, m, &v, serve, err);
        if (rc == 0)
            learning_stored(m, &v, serve);
        store_version_release(&v);
    }
    if (rc == ERR_CONFLICT) {
        m->stored_learned = fold_learned(m->fold); /* the next try when so many more are learned */
        return 0;
    }
    if (rc < 0)
        return rc;
    if (serve && !m->serving)
        log_info("model \"%s\": generation %s is served from version %s on", fold_name(m->fold),
                 m->generation, m->stored);
    m->serving = serve;
    ++*l->n_published;
    drop_old(l, m);
    prune(l, m);
    return 0;
}

int learning_put_floor(struct learning *l, struct err *err)
{
    const struct learning_model *last = &l->models[0];
    const struct learning_model *first = last;

    for (size_t i = 1; i < l->task->n_models; i++) {
        const struct learning_model *m = &l->models[i];
        if (m->stored_position < last->stored_position)
            last = m;
        if (m->stored_position > first->stored_position)
            first = m;
    }
    /* The last one holds the rows; a model that begins anew does not hold up the stream meanwhile.
     */
    return store_floor_put(l->o.store, LEARNING_READER, l->task->topics.learning_queue,
                           buf_str(&last->stored_pos), first->stored_position, err);
}

/* Publishes again those versions of a model that lie above the store's newest. */
static int reconcile_model(struct learning *l, struct learning_model *m, struct err *err)
{
    struct store_version head = {.model = NULL};
    int rc = store_head(l->o.store, fold_name(m->fold), m->generation, &head, err);
    bool is_lost = rc == ERR_NOT_FOUND;
    uint64_t position = head.position;

    store_version_release(&head);
    if (rc == ERR_CORRUPT)
        return 0; /* there, if unreadable: the next version takes its place */
    if (rc < 0 && !is_lost)
        return rc;

    size_t n = m->n_recent < LEARNING_RECENT ? m->n_recent : LEARNING_RECENT;
    for (size_t age = n; age-- > 0;) {
        struct learning_recent *r = recent_at(m, age);
        if (!r->version.model || (!is_lost && r->version.position <= position))
            continue;
        rc = put_version(l, m, &r->version, r->serve, err);
        if (rc < 0 && rc != ERR_CONFLICT)
            return rc;
        log_info("model \"%s\": version %s was lost by the store and is written again",
                 fold_name(m->fold), r->version.version);
        ++*l->n_republished;
    }
    return 0;
}

int learning_reconcile(struct learning *l, struct err *err)
{
    int rc = learning_alarms_reconcile(l, err); /* before the versions that include their rows */

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < l->task->n_models; i++) {
        rc = reconcile_model(l, &l->models[i], err);
        if (rc < 0)
            return rc;
    }
    return learning_put_floor(l, err);
}
