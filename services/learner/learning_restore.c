/*
 * Where a model goes on: from the newest version of its generation; from an
 * older one when that cannot be read; from the first row when none can; or
 * anew, when the generation is new.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "learner/learning_internal.h"

#define LOOK_MS 200 /* for the queue's first row, at a time */
#define LOOKS   50

/* The seq of a row, 0 when it has none. */
static uint64_t row_seq(struct learning *l, const struct bus_msg *msg)
{
    struct row row;

    int rc = row_reader_read(l->rows, msg->value, msg->value_len, &row, l->batch.x, l->batch.served,
                             NULL);
    (void)rc; /* the seq of a row that is otherwise unreadable will do */
    return row.seq;
}

/* The seq of the oldest row that learning-queue keeps; 0 when it is empty. */
static int first_seq(struct learning *l, uint64_t *ret, struct err *err)
{
    const char *topic = l->task->topics.learning_queue;
    struct bus_marks marks;
    struct bus_reader *r = NULL;
    uint64_t seq = 0;
    uint64_t n_read = 0;
    int rc = bus_marks(l->o.bus, topic, 0, &marks, err);

    if (rc < 0)
        return rc;
    /* Where offsets have holes, what looks like rows may be none. */
    if (marks.kept > 0 && !bus_can(l->o.bus, BUS_COUNTS)) {
        struct bus_msg msg;
        rc = bus_last(l->o.bus, topic, 0, &msg, err);
        if (rc == ERR_NOT_FOUND)
            marks.kept = 0;
        else if (rc < 0)
            return rc;
    }
    rc = 0;
    if (marks.kept > 0) {
        r = bus_reader_open(l->o.bus, err);
        rc = r ? bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, err) : err->code;
    }
    for (int looks = 0; rc >= 0 && seq == 0 && n_read < marks.kept; looks++) {
        const struct bus_msg *msgs;

        if (looks == LOOKS) {
            rc = err_set_retriable(err, ERR_TIMEOUT, "%s has rows, but none comes", topic);
            break;
        }
        rc = bus_poll(r, 16, LOOK_MS, &msgs, err);
        for (int k = 0; k < rc && seq == 0; k++)
            seq = row_seq(l, &msgs[k]);
        if (rc > 0) {
            n_read += (uint64_t)rc;
            looks = 0;
        }
    }
    bus_reader_close(r);
    if (rc < 0)
        return rc;
    *ret = seq;
    return 0;
}

/* The seq and the place of the newest row; 0 and the oldest place when there is none. */
static int last_seq(struct learning *l, uint64_t *ret, struct bus_pos *ret_pos, struct err *err)
{
    struct bus_msg msg;
    int rc = bus_last(l->o.bus, l->task->topics.learning_queue, 0, &msg, err);

    if (rc == ERR_NOT_FOUND) {
        *ret = 0;
        *ret_pos = BUS_POS_OLDEST;
        return 0;
    }
    if (rc < 0)
        return rc;
    uint64_t seq = row_seq(l, &msg);
    if (seq == 0)
        return err_set(err, ERR_REFUSED,
                       "the newest message of %s is no row (it has no seq), so nobody can tell "
                       "where to begin; delete it, or set \"start\": \"oldest\"",
                       l->task->topics.learning_queue);
    *ret = seq;
    *ret_pos = msg.pos;
    return 0;
}

/* Takes a fold and its place over from a version that was read; `v` stays the caller's. */
static int adopt(struct learning *l, size_t i, const struct store_version *v, struct err *err)
{
    struct bus_pos pos;
    struct fold *f = NULL;
    int rc = bus_pos_parse(l->o.bus, v->bus_pos, &pos, err);

    if (rc < 0)
        return err_set(err, ERR_CORRUPT, "version %s of model \"%s\": its place \"%s\" is none",
                       v->version, v->model, v->bus_pos);
    f = fold_restore(l->task, i, v, err);
    if (!f)
        return err->code;
    l->models[i].fold = f;
    l->models[i].pos = pos;
    return 0;
}

/* True for errors that are about one version's bytes: an older one may do. */
static bool is_bad_version(int code)
{
    return code == ERR_CORRUPT || code == ERR_CONFLICT || code == ERR_UNSUPPORTED ||
           code == ERR_INVALID || code == ERR_NOT_FOUND;
}

/* What no version of the model survives as: folded from the generation's first row, if that is
 * kept. */
static int fold_anew(struct learning *l, size_t i, uint64_t start, struct err *err)
{
    struct learning_model *m = &l->models[i];
    uint64_t first;
    int rc = first_seq(l, &first, err);

    if (rc < 0)
        return rc;
    if (first > start + 1)
        return err_set(err, ERR_REFUSED,
                       "model \"%s\": no version of generation %s can be read, and %s keeps rows "
                       "from seq %" PRIu64 " on, where seq %" PRIu64
                       " is needed to learn it anew; change one of its parameters (a new "
                       "generation then begins at the oldest row), or begin anew with `oxbow up "
                       "--fresh`",
                       l->task->models[i].name, m->generation, l->task->topics.learning_queue,
                       first, start + 1);
    log_warn("model \"%s\": no version of generation %s can be read: it is learned anew from seq "
             "%" PRIu64,
             l->task->models[i].name, m->generation, start + 1);
    m->fold = fold_new(l->task, i, m->generation, start, err);
    m->pos = BUS_POS_OLDEST;
    m->stored_position = start;
    bus_pos_format(l->o.bus, &m->pos, &m->stored_pos);
    return m->fold ? 0 : err->code;
}

/*
 * Tries the versions of the generation, newest first. *ret_start is where the generation began;
 * `err` comes with what has been said about the newest.
 */
static int adopt_older(struct learning *l, size_t i, const struct store_version *list, size_t n,
                       uint64_t *ret_start, struct err *err)
{
    struct learning_model *m = &l->models[i];
    struct err said = *err;

    for (size_t k = n; k-- > 0;) {
        struct store_version v = {.model = NULL};

        if (strcmp(list[k].generation, m->generation) != 0)
            continue;
        *ret_start = list[k].start;
        int rc = store_version_get(l->o.store, list[k].model, list[k].version, &v, err);
        if (rc == 0)
            rc = adopt(l, i, &v, err);
        if (rc == 0) {
            log_warn("model \"%s\" goes on from its older version %s", v.model, v.version);
            learning_stored(m, &v, false);
        }
        store_version_release(&v);
        if (rc == 0 || !is_bad_version(rc))
            return rc;
        if (strcmp(err->text, said.text) != 0)
            log_warn("%s", err->text);
    }
    return ERR_NOT_FOUND;
}

static int fall_back(struct learning *l, size_t i, struct err *err)
{
    struct store_version *list = NULL;
    size_t n = 0;
    uint64_t start = 0;

    log_warn("the newest version of model \"%s\" is refused: %s", l->task->models[i].name,
             err->text);
    struct err listing;
    int rc = store_versions(l->o.store, l->task->models[i].name, &list, &n, &listing);
    if (rc < 0) {
        *err = listing;
        return rc;
    }
    rc = adopt_older(l, i, list, n, &start, err);
    store_versions_free(list, n);
    return rc == ERR_NOT_FOUND ? fold_anew(l, i, start, err) : rc;
}

/* A new generation: where the task says that it begins. */
static int begin(struct learning *l, size_t i, struct err *err)
{
    struct learning_model *m = &l->models[i];
    struct bus_pos pos = BUS_POS_OLDEST;
    uint64_t start = 0;
    int rc;

    if (l->task->start == TASK_START_NEWEST) {
        rc = last_seq(l, &start, &pos, err);
    } else {
        rc = first_seq(l, &start, err);
        if (rc == 0 && start > 0)
            start--;
    }
    if (rc < 0)
        return rc;
    m->fold = fold_new(l->task, i, m->generation, start, err);
    m->pos = pos;
    if (!m->fold)
        return err->code;
    log_info("model \"%s\": generation %s begins behind seq %" PRIu64, l->task->models[i].name,
             m->generation, start);
    return 0;
}

static int look_who_is_served(struct learning *l, size_t i, struct err *err)
{
    struct learning_model *m = &l->models[i];
    struct buf version = BUF_INIT;
    int rc = store_serving(l->o.store, l->task->models[i].name, &version, err);

    if (rc == 0 || rc == ERR_NOT_FOUND) {
        m->may_serve = rc == ERR_NOT_FOUND;
        m->serving = version.len > TASK_GENERATION_LEN &&
                     memcmp(version.data, m->generation, TASK_GENERATION_LEN) == 0 &&
                     version.data[TASK_GENERATION_LEN] == '-';
        rc = 0;
    }
    buf_release(&version);
    return rc;
}

int learning_restore(struct learning *l, size_t i, struct err *err)
{
    struct learning_model *m = &l->models[i];
    struct store_version head = {.model = NULL};
    int rc = look_who_is_served(l, i, err);

    if (rc < 0)
        return rc;
    rc = store_head(l->o.store, l->task->models[i].name, m->generation, &head, err);
    if (rc == ERR_NOT_FOUND)
        return begin(l, i, err);
    if (rc == 0)
        rc = adopt(l, i, &head, err);
    if (rc == 0) {
        log_info("model \"%s\" goes on from version %s", head.model, head.version);
        learning_stored(m, &head, m->serving);
    }
    store_version_release(&head);
    if (rc == ERR_TOO_LARGE) {
        err->code = ERR_REFUSED;
        return err_prefix(err, "raise max_model_bytes again");
    }
    return is_bad_version(rc) ? fall_back(l, i, err) : rc;
}
