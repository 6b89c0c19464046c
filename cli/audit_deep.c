/*
 * The deep audit: reads the kept streams again.
 *
 *  - predictions: the versions that they name exist, or are old enough to have been pruned;
 *  - learning-queue: seq without a gap, every key once;
 *  - each model: the fold of the kept rows has the bytes of every kept version that it passes.
 */
#include "audit_deep.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/stop.h"

int deep_poll(struct inspect *in, struct bus_reader *r, const char *topic,
              const struct bus_places *at, const struct bus_msg **ret, struct err *err)
{
    for (int i = 0; i < DEEP_PATIENCE; i++) {
        bool at_end;
        if (stop_requested())
            return err_set(err, ERR_CANCELLED, "asked to stop");
        int rc = bus_poll(r, DEEP_POLL_ROWS, DEEP_POLL_MS, ret, err);
        if (rc != 0)
            return rc;
        rc = bus_places_at_end(in->bus, topic, at, &at_end, err);
        if (rc < 0 || at_end)
            return rc;
    }
    return err_set_retriable(err, ERR_TIMEOUT, "%s: the server is too busy to be read", topic);
}

static int compare_positions(const void *a, const void *b)
{
    const struct store_version *x = a;
    const struct store_version *y = b;

    return (x->position > y->position) - (x->position < y->position);
}

static int load_versions(struct deep_model *m, struct inspect *in, struct err *err)
{
    char generation[TASK_GENERATION_LEN + 1];
    struct store_version *v;
    size_t n;

    int rc = store_versions(in->store, m->name, &v, &n, err);
    if (rc < 0)
        return rc;
    m->version = v;
    m->n_versions = n;
    task_generation(in->task, m->index, in->sql_hash, generation);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(v[i].generation, generation) != 0)
            continue;
        struct store_version current = v[i];
        v[i] = v[m->n_current];
        v[m->n_current++] = current;
    }
    if (m->n_current)
        qsort(v, m->n_current, sizeof(*v), compare_positions);
    return 0;
}

int audit_deep(struct audit *audit, struct inspect *in, struct err *err)
{
    size_t n = in->task->n_models;
    struct deep_model *model = mem_zalloc(n, sizeof(*model));
    struct deep_names names = {0};

    /* First what names versions, then the versions: one that is published meanwhile is known. */
    int rc = deep_names_read(&names, in, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        model[i].name = in->task->models[i].name;
        model[i].index = i;
        rc = load_versions(&model[i], in, err);
    }
    if (rc == 0) {
        deep_names_judge(&names, audit, in, model, n);
        rc = deep_refold(audit, in, model, n, err);
    }
    deep_names_release(&names);
    for (size_t i = 0; i < n; i++)
        if (model[i].version)
            store_versions_free(model[i].version, model[i].n_versions);
    free(model);
    return rc;
}
