/* Model versions in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/memory_store.h"

static struct store_version version_copy(const struct store_version *v, bool blob)
{
    struct store_version copy = *v;

    copy.model = mem_strdup(v->model);
    copy.version = mem_strdup(v->version);
    copy.generation = mem_strdup(v->generation);
    copy.class_name = mem_strdup(v->class_name);
    copy.parameters = mem_strdup(v->parameters);
    copy.schema = mem_strdup(v->schema);
    copy.parent = mem_strdup(v->parent);
    copy.scores = mem_strdup(v->scores);
    copy.bus_pos = mem_strdup(v->bus_pos);
    copy.blob = blob ? mem_strndup(v->blob, v->blob_len) : NULL;
    return copy;
}

static struct store_version *find_version(const struct memory_space *space, const char *model,
                                          const char *version)
{
    for (size_t i = 0; i < space->n_versions; i++)
        if (strcmp(space->versions[i].model, model) == 0 &&
            strcmp(space->versions[i].version, version) == 0)
            return &space->versions[i];
    return NULL;
}

static struct memory_ref *find_ref(const struct memory_space *space, const char *model,
                                   const char *generation)
{
    for (size_t i = 0; i < space->n_refs; i++)
        if (strcmp(space->refs[i].model, model) == 0 &&
            strcmp(space->refs[i].generation, generation) == 0)
            return &space->refs[i];
    return NULL;
}

static void set_ref(struct memory_space *space, const char *generation,
                    const struct store_version *v)
{
    struct memory_ref *ref = find_ref(space, v->model, generation);

    if (!ref) {
        space->refs = mem_realloc(space->refs, space->n_refs + 1, sizeof(*space->refs));
        ref = &space->refs[space->n_refs++];
        *ref = (struct memory_ref){.model = mem_strdup(v->model),
                                   .generation = mem_strdup(generation)};
    }
    memory_store_set(&ref->version, v->version);
    ref->position = v->position;
}

/* With the mutex held. */
static int publish(struct store *st, const char *lease, uint64_t token,
                   const struct store_version *v, bool serve, struct err *err)
{
    const char *id = memory_store_incarnation(st);

    if (strcmp(id, st->id) != 0)
        return err_set(err, ERR_REFUSED,
                       "the store's incarnation of task %s is %s, and this is %s: restart this "
                       "program, or start all again with --fresh",
                       st->task, id[0] ? id : "none", st->id);
    struct memory_space *space = memory_store_space(st);
    int rc = memory_store_check_token(space, lease, token, err);
    if (rc)
        return rc;
    const struct store_version *there = find_version(space, v->model, v->version);
    if (there && there->checksum != v->checksum)
        return err_set(err, ERR_CONFLICT, "version %s of %s is there already, with other bytes",
                       v->version, v->model);
    const struct memory_ref *head = find_ref(space, v->model, v->generation);
    if (head && v->position < head->position)
        return err_set(err, ERR_CONFLICT,
                       "version %s of %s goes back: its generation is at position %llu already",
                       v->version, v->model, (unsigned long long)head->position);
    if (!there) {
        space->versions =
            mem_realloc(space->versions, space->n_versions + 1, sizeof(*space->versions));
        space->versions[space->n_versions++] = version_copy(v, true);
    }
    set_ref(space, v->generation, v);
    if (serve)
        set_ref(space, "", v);
    return 0;
}

int memory_publish(struct store *st, const char *lease, uint64_t token,
                   const struct store_version *v, bool serve, struct err *err)
{
    memory_store_lock();
    int rc = publish(st, lease, token, v, serve, err);
    memory_store_unlock();
    return rc;
}

int memory_head(struct store *st, const char *model, const char *generation, struct buf *ret,
                struct err *err)
{
    memory_store_lock();
    const struct memory_ref *ref = find_ref(memory_store_space(st), model, generation);
    if (ref)
        buf_text(ret, ref->version);
    memory_store_unlock();
    return ref ? 0
               : err_set(err, ERR_NOT_FOUND, "the head of generation %s of %s: there is none yet",
                         generation, model);
}

int memory_serving(struct store *st, const char *model, struct buf *ret, struct err *err)
{
    memory_store_lock();
    const struct memory_ref *ref = find_ref(memory_store_space(st), model, "");
    if (ref)
        buf_text(ret, ref->version);
    memory_store_unlock();
    return ref ? 0
               : err_set(err, ERR_NOT_FOUND, "the version of %s to serve: there is none yet",
                         model);
}

int memory_version_get(struct store *st, const char *model, const char *version,
                       struct store_version *ret, struct err *err)
{
    memory_store_lock();
    const struct store_version *v = find_version(memory_store_space(st), model, version);
    if (v)
        *ret = version_copy(v, true);
    memory_store_unlock();
    return v ? 0 : store_not_found(err, model, version);
}

int memory_versions(struct store *st, const char *model, struct store_version **ret, size_t *ret_n,
                    struct err *err)
{
    size_t n = 0;

    (void)err;
    memory_store_lock();
    const struct memory_space *space = memory_store_space(st);
    struct store_version *v = mem_zalloc(space->n_versions, sizeof(*v));
    for (size_t i = 0; i < space->n_versions; i++)
        if (strcmp(space->versions[i].model, model) == 0)
            v[n++] = version_copy(&space->versions[i], false);
    memory_store_unlock();
    *ret = v;
    *ret_n = n;
    return 0;
}

int memory_models(struct store *st, struct store_names *ret, struct err *err)
{
    (void)err;
    memory_store_lock();
    const struct memory_space *space = memory_store_space(st);
    for (size_t i = 0; i < space->n_versions; i++) {
        const char *model = space->versions[i].model;
        bool known = false;

        for (size_t k = 0; k < ret->n; k++)
            known = known || strcmp(ret->names[k], model) == 0;
        if (!known)
            store_names_add(ret, model, strlen(model));
    }
    memory_store_unlock();
    return 0;
}

int memory_versions_delete(struct store *st, const char *model, const struct store_names *versions,
                           struct err *err)
{
    (void)err;
    memory_store_lock();
    struct memory_space *space = memory_store_space(st);
    for (size_t i = 0; i < versions->n; i++) {
        struct store_version *v = find_version(space, model, versions->names[i]);
        const struct memory_ref *head = v ? find_ref(space, model, v->generation) : NULL;
        const struct memory_ref *serving = find_ref(space, model, "");

        if (!v || (head && strcmp(head->version, v->version) == 0) ||
            (serving && strcmp(serving->version, v->version) == 0))
            continue;
        store_version_release(v);
        space->n_versions--;
        size_t at = (size_t)(v - space->versions);
        memmove(v, v + 1, (space->n_versions - at) * sizeof(*v));
    }
    memory_store_unlock();
    return 0;
}
