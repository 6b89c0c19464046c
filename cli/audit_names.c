/* The deep audit of predictions: does every version exist that they name? */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit_deep.h"
#include "base/json.h"
#include "base/mem.h"
#include "keyset.h"

static void add_name(struct deep_names *names, struct keyset *seen, const struct json_value *model,
                     const struct json_value *version)
{
    struct buf name = BUF_INIT;

    bool good = json_string(model, &name);
    buf_byte(&name, ' ');
    if (good && json_string(version, &name) && keyset_add(seen, name.data, name.len)) {
        names->name = mem_realloc(names->name, names->n + 1, sizeof(*names->name));
        names->name[names->n++] = buf_detach(&name);
    }
    buf_release(&name);
}

/* A message that is none of inference's is passed over: views has counted it as dead. */
static void read_message(struct deep_names *names, struct keyset *seen, const struct bus_msg *msg)
{
    struct json_value root;
    struct json_value predictions;
    struct json_value key;
    struct json_value v;
    struct json_value version;
    struct json_iter it;

    names->messages++;
    if (!msg->value || json_parse(msg->value, msg->value_len, &root, NULL) < 0 ||
        !json_get(&root, "predictions", &predictions) || predictions.type != JSON_OBJECT)
        return;
    json_iter_init(&it, &predictions);
    while (json_next_member(&it, &key, &v))
        if (json_get(&v, "version", &version))
            add_name(names, seen, &key, &version);
}

/* True when `read` has come to `high` in every partition. */
static bool is_behind(const struct bus *bus, const struct bus_places *high,
                      const struct bus_places *read)
{
    for (int32_t p = 0; p < high->n; p++) {
        struct bus_pos pos = bus_places_at(read, p);
        if (high->pos[p].len && bus_pos_compare(bus, &pos, &high->pos[p]) < 0)
            return false;
    }
    return true;
}

static int read_all(struct deep_names *names, struct keyset *seen, struct inspect *in,
                    struct bus_reader *r, struct err *err)
{
    const char *topic = in->task->topics.predictions;
    struct bus_places high = BUS_PLACES_INIT;
    struct bus_places read = BUS_PLACES_INIT;
    const struct bus_msg *msg;

    int rc = bus_places_high(in->bus, topic, &high, err);
    if (rc == 0)
        rc = bus_reader_assign(r, topic, -1, &BUS_POS_OLDEST, err);
    while (rc >= 0 && !is_behind(in->bus, &high, &read)) {
        rc = deep_poll(in, r, topic, &read, &msg, err);
        if (rc == 0)
            break; /* the last offsets were no messages */
        for (int i = 0; i < rc; i++) {
            read_message(names, seen, &msg[i]);
            bus_places_note(&read, &msg[i]);
        }
    }
    bus_places_release(&high);
    bus_places_release(&read);
    return rc < 0 ? rc : 0;
}

int deep_names_read(struct deep_names *names, struct inspect *in, struct err *err)
{
    struct bus_reader *r = bus_reader_open(in->bus, err);

    if (!r)
        return err->code;
    struct keyset *seen = keyset_new();
    int rc = read_all(names, seen, in, r, err);
    keyset_free(seen);
    bus_reader_close(r);
    return rc;
}

void deep_names_release(struct deep_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
    *names = (struct deep_names){0};
}

enum fate { KEPT, PRUNED, MISSING };

/*
 * A version that the store has no longer was pruned if so many newer ones of its generation are
 * there as are always kept. Position 0 is the untrained model, which inference makes by itself.
 */
static enum fate fate_of(const char *name, const struct deep_model *model, size_t n_models,
                         size_t versions_kept)
{
    const char *version = strchr(name, ' ') + 1;
    size_t model_len = (size_t)(version - 1 - name);
    const char *dash = strchr(version, '-');
    size_t newer = 0;

    if (!dash || dash - version != TASK_GENERATION_LEN)
        return MISSING;
    uint64_t position = strtoull(dash + 1, NULL, 10);
    for (size_t i = 0; i < n_models; i++) {
        const struct deep_model *m = &model[i];
        if (strlen(m->name) != model_len || memcmp(m->name, name, model_len) != 0)
            continue;
        for (size_t k = 0; k < m->n_versions; k++) {
            if (strcmp(m->version[k].version, version) == 0)
                return KEPT;
            if (strncmp(m->version[k].generation, version, TASK_GENERATION_LEN) == 0)
                newer += m->version[k].position > position;
        }
    }
    if (position == 0)
        return KEPT;
    return newer >= versions_kept ? PRUNED : MISSING;
}

/* Models that the task file has no longer are not looked up: their versions stay in the store,
 * unread. */
static bool is_of_task(const char *name, const struct deep_model *model, size_t n_models)
{
    size_t len = strcspn(name, " ");

    for (size_t i = 0; i < n_models; i++)
        if (strlen(model[i].name) == len && memcmp(model[i].name, name, len) == 0)
            return true;
    return false;
}

void deep_names_judge(const struct deep_names *names, struct audit *audit, const struct inspect *in,
                      const struct deep_model *model, size_t n_models)
{
    const char *topic = in->task->topics.predictions;
    size_t count[3] = {0};
    size_t foreign = 0;

    for (size_t i = 0; i < names->n; i++) {
        if (!is_of_task(names->name[i], model, n_models)) {
            foreign++;
            continue;
        }
        enum fate fate = fate_of(names->name[i], model, n_models, (size_t)in->task->versions_kept);
        count[fate]++;
        if (fate == MISSING && count[MISSING] <= DEEP_EXAMPLES)
            audit_find(audit, false, "%s: the store has no version of this name: %s", topic,
                       names->name[i]);
    }
    audit_find(
        audit, count[MISSING] == 0,
        "%s: %" PRIu64 " kept messages name %zu versions: %zu kept, %zu pruned, %zu of models "
        "that the task file has no longer, %zu missing",
        topic, names->messages, names->n, count[KEPT], count[PRUNED], foreign, count[MISSING]);
}
