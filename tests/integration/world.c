/* The small world of the services' tests: see world.h. */
#include "integration/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/uuid.h"

#define FLUSH_MS 5000

static struct task *load_task(struct world *w, const char *one, const char *two, const char *more)
{
    char path[128];
    struct err err = {0};

    snprintf(path, sizeof(path), "%s/task.json", w->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f,
            "{\"task\":\"%s\",\"kind\":\"regression\",\"key\":\"trip_id\","
            "\"topics\":{\"requests\":\"pick-ups\",\"outcomes\":\"drop-offs\"},"
            "\"bus\":\"memory\",\"views\":\"sqlite\",\"sql\":\"%s/sql/taxi/sqlite\","
            "\"features\":[\"a\",{\"name\":\"b\",\"kind\":\"boolean\"},\"c\"],"
            "\"label\":\"duration\",\"label_range\":[30,10800],\"clip\":[0,null],"
            "\"score_window\":50,\"models\":{\"one\":%s,\"two\":%s}%s}\n",
            w->name, OXBOW_SOURCE_DIR, one, two, more);
    assert_int_equal(fclose(f), 0);
    struct task *task = task_load(path, &err);
    unlink(path);
    if (!task)
        fail_msg("%s", err.text);
    return task;
}

static void open_on(struct world *w, const char *backend, const char *url, const char *one,
                    const char *two, const char *more)
{
    struct err err = {0};

    *w = (struct world){.dir = "/tmp/oxbow-world-XXXXXX", .backend = backend, .url = url};
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->name, sizeof(w->name), "w-%.10s", w->dir + strlen(w->dir) - 6);
    for (char *c = w->name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    w->task = load_task(w, one, two, more);
    uuid_new(w->incarnation);
    world_peer_open(w, &w->views);
    assert_int_equal(store_incarnation_create(w->views.store, w->incarnation, &err), 0);
}

void world_open(struct world *w, const char *one, const char *two, const char *more)
{
    open_on(w, "memory", "", one, two, more);
}

void world_open_redis(struct world *w, const char *url, const char *one, const char *two,
                      const char *more)
{
    open_on(w, "redis", url, one, two, more);
}

void world_reach(struct world *w)
{
    struct err err = {0};
    struct bus_record rec = {.topic = "scratch", .partition = -1, .value = "{}", .value_len = 2};

    /* A message that arrives is the proof that the publishing connection is a new one. */
    while (store_ping(w->views.store, &err) < 0 || bus_publish(w->views.bus, &rec, &err) < 0 ||
           bus_flush(w->views.bus, FLUSH_MS, &err) < 0)
        clock_sleep_ms(5);
}

void world_reload(struct world *w, const char *one, const char *two, const char *more)
{
    task_free(w->task);
    w->task = load_task(w, one, two, more);
}

void world_close(struct world *w)
{
    world_peer_close(&w->views);
    task_free(w->task);
    rmdir(w->dir);
}

void world_peer_open(struct world *w, struct peer *p)
{
    struct err err = {0};
    struct store_options store = {
        .backend = w->backend, .url = w->url, .task = w->name, .client = "test"};

    p->store = store_open(&store, &err);
    assert_non_null(p->store);
    store_bind(p->store, w->incarnation);
    struct bus_options bus = {
        .backend = w->backend, .url = w->url, .prefix = store_prefix(p->store), .client = "test"};
    p->bus = bus_open(&bus, &err);
    assert_non_null(p->bus);
    p->tm = telemetry_new();
}

void world_peer_close(struct peer *p)
{
    bus_close(p->bus);
    store_close(p->store);
    telemetry_free(p->tm);
    *p = (struct peer){.store = NULL};
}

/* ---- Rows ---- */

static double feature_a(uint64_t i)
{
    return (double)(i * 37 % 101) / 8.0;
}

void world_features_text(uint64_t i, struct buf *out)
{
    buf_text(out, "{\"a\":");
    json_write_number(out, feature_a(i));
    buf_text(out, i % 7 > 4 ? ",\"b\":true" : ",\"b\":0");
    if (i % 11)
        buf_printf(out, ",\"c\":-%" PRIu64 ".5e-1}", i % 13);
    else
        buf_text(out, i % 2 ? ",\"c\":null}" : "}");
}

double world_label(uint64_t i)
{
    return 60 + 40 * feature_a(i) + (i % 7 > 4 ? 100 : 0) + (double)(i * 17 % 29);
}

void world_row_text(uint64_t i, struct buf *out)
{
    buf_printf(out, "{\"seq\":%" PRIu64 ",\"trip_id\":\"t%" PRIu64 "\",\"duration\":", i, i);
    json_write_number(out, world_label(i));
    buf_text(out, ",\"features\":");
    world_features_text(i, out);
    buf_printf(out,
               ",\"predictions\":{\"one\":{\"value\":%" PRIu64 ",\"version\":\"v\"}},"
               "\"requested_at\":\"2020-01-01T00:00:00.000Z\"}",
               i % 500);
}

static void publish(struct world *w, const char *topic, const char *key, const char *value,
                    size_t len, uint64_t seq)
{
    struct err err = {0};
    struct bus_record rec = {.topic = topic,
                             .partition = -1,
                             .key = key,
                             .key_len = key ? strlen(key) : 0,
                             .value = value,
                             .value_len = len,
                             .seq = seq};

    if (bus_publish(w->views.bus, &rec, &err) < 0)
        fail_msg("%s", err.text);
}

static void flush(struct world *w)
{
    struct err err = {0};

    if (bus_flush(w->views.bus, FLUSH_MS, &err) < 0)
        fail_msg("%s", err.text);
}

void world_publish(struct world *w, const char *topic, const char *key, const char *value)
{
    publish(w, topic, key, value, value ? strlen(value) : 0, 0);
    flush(w);
}

void world_queue(struct world *w, uint64_t first, uint64_t last)
{
    struct buf text = BUF_INIT;
    char key[32];

    for (uint64_t i = first; i <= last; i++) {
        buf_clear(&text);
        world_row_text(i, &text);
        snprintf(key, sizeof(key), "t%" PRIu64, i);
        publish(w, w->task->topics.learning_queue, key, text.data, text.len, 0);
    }
    flush(w);
    buf_release(&text);
}

void world_request(struct world *w, uint64_t i)
{
    struct buf text = BUF_INIT;
    char key[32];

    snprintf(key, sizeof(key), "t%" PRIu64, i);
    buf_printf(&text,
               "{\"seq\":%" PRIu64 ",\"trip_id\":\"%s\",\"requested_at\":"
               "\"2020-01-01T00:00:00.000Z\",\"features\":",
               i, key);
    world_features_text(i, &text);
    buf_byte(&text, '}');
    publish(w, w->task->topics.features, key, text.data, text.len, i);
    flush(w);
    buf_release(&text);
}

struct fold *world_fold(struct world *w, size_t i, uint64_t last)
{
    const char *names[] = {w->task->models[i].name};
    struct row_reader_options options = {
        w->task->features, w->task->key, w->task->label, names, 1, NULL};
    char generation[TASK_GENERATION_LEN + 1];
    struct err err = {0};
    struct row_reader *rows = row_reader_new(&options, &err);
    struct buf text = BUF_INIT;

    world_generation(w, i, generation);
    struct fold *f = fold_new(w->task, i, generation, 0, &err);
    assert_non_null(rows);
    assert_non_null(f);
    for (uint64_t seq = 1; seq <= last; seq++) {
        struct row row;
        double x[3];
        struct row_issued served;

        buf_clear(&text);
        world_row_text(seq, &text);
        assert_int_equal(row_reader_read(rows, text.data, text.len, &row, x, &served, &err), 0);
        struct fold_input input = {row.seq, x, row.label, &served, row.outcome_ms};
        assert_int_equal(fold_row(f, &input, &err), FOLD_LEARNED);
    }
    row_reader_free(rows);
    buf_release(&text);
    return f;
}

/* ---- Services ---- */

struct learning *world_learning(struct world *w, struct peer *p)
{
    struct err err = {0};
    struct learning_options options = {.task = w->task,
                                       .sql_hash = WORLD_SQL,
                                       .store = p->store,
                                       .bus = p->bus,
                                       .tm = p->tm,
                                       .owner = "learner-1",
                                       .lease_ttl_ms = WORLD_LEASE};
    struct learning *l = learning_new(&options, &err);

    assert_non_null(l);
    return l;
}

void world_learning_open(struct learning *l)
{
    struct err err = {0};
    int rc = learning_open(l, &err);

    while (rc == ERR_CONFLICT && err.retriable) {
        clock_sleep_ms(5);
        rc = learning_open(l, &err);
    }
    if (rc < 0)
        fail_msg("%s", err.text);
}

void world_learn_until(struct world *w, struct learning *l, uint64_t seq)
{
    struct err err = {0};

    for (size_t i = 0; i < w->task->n_models;) {
        if (fold_position(learning_fold(l, i)) >= seq) {
            i++;
            continue;
        }
        if (learning_step(l, 20, &err) < 0)
            fail_msg("%s", err.text);
    }
}

struct inference *world_inference(struct world *w, struct peer *p)
{
    struct err err = {0};
    struct inference_options options = {.task = w->task,
                                        .sql_hash = WORLD_SQL,
                                        .store = p->store,
                                        .bus = p->bus,
                                        .tm = p->tm,
                                        .member = "inference-1"};
    struct inference *inf = inference_new(&options, &err);

    assert_non_null(inf);
    if (inference_open(inf, &err) < 0)
        fail_msg("%s", err.text);
    return inf;
}

/* ---- Looking ---- */

void world_generation(struct world *w, size_t i, char ret[TASK_GENERATION_LEN + 1])
{
    task_generation(w->task, i, WORLD_SQL, ret);
}

void world_head(struct world *w, size_t i, struct store_version *ret)
{
    char generation[TASK_GENERATION_LEN + 1];
    struct err err = {0};

    world_generation(w, i, generation);
    *ret = (struct store_version){.model = NULL};
    if (store_head(w->views.store, w->task->models[i].name, generation, ret, &err) < 0)
        fail_msg("%s", err.text);
}

char *world_serving(struct world *w, size_t i)
{
    struct buf version = BUF_INIT;
    struct err err = {0};
    int rc = store_serving(w->views.store, w->task->models[i].name, &version, &err);

    if (rc == 0)
        return buf_detach(&version);
    assert_int_equal(rc, ERR_NOT_FOUND);
    buf_release(&version);
    return NULL;
}

size_t world_topic(struct world *w, const char *topic, struct buf *out)
{
    const struct bus_msg *msgs;
    struct err err = {0};
    struct bus_marks marks;
    struct bus_reader *r = bus_reader_open(w->views.bus, &err);
    size_t n = 0;

    assert_non_null(r);
    assert_int_equal(bus_marks(w->views.bus, topic, 0, &marks, &err), 0);
    assert_int_equal(bus_reader_assign(r, topic, 0, &BUS_POS_OLDEST, &err), 0);
    while (n < marks.kept) {
        int rc = bus_poll(r, 1000, 1000, &msgs, &err);
        assert_true(rc > 0);
        for (int k = 0; k < rc; k++) {
            buf_append(out, msgs[k].value, msgs[k].value_len);
            buf_byte(out, '\n');
        }
        n += (size_t)rc;
    }
    bus_reader_close(r);
    return n;
}

uint64_t world_counter(struct peer *p, const char *name)
{
    return *telemetry_counter(p->tm, name, "");
}

void world_plant(struct world *w, size_t i, const char *generation, uint64_t position,
                 const void *blob, size_t len)
{
    struct err err = {0};
    struct store_version v = {.model = NULL};
    uint64_t token;
    char version[FOLD_VERSION_SIZE];

    /* Whoever learns has released the lease before, or is dead. */
    int rc = store_lease_take(w->views.store, LEARNING_LEASE, "test", 1000, &token, &err);
    while (rc == ERR_CONFLICT) {
        clock_sleep_ms(5);
        rc = store_lease_take(w->views.store, LEARNING_LEASE, "test", 1000, &token, &err);
    }
    assert_int_equal(rc, 0);
    struct fold *f = fold_new(w->task, i, generation, 0, &err);
    assert_non_null(f);
    fold_save(f, &v);
    fold_free(f);
    free(v.blob);
    free(v.version);
    free(v.bus_pos);
    snprintf(version, sizeof(version), "%s-%" PRIu64, generation, position);
    v.version = mem_strdup(version);
    v.bus_pos = mem_strdup("oldest");
    v.blob = mem_alloc(len ? len : 1);
    memcpy(v.blob, blob, len);
    v.blob_len = len;
    v.position = position;
    v.learned = position;
    v.checksum = XXH64(blob, len, 0);
    v.time_ms = clock_wall_ms();
    if (store_publish(w->views.store, LEARNING_LEASE, token, &v, true, &err) < 0)
        fail_msg("%s", err.text);
    store_version_release(&v);
    assert_int_equal(store_lease_release(w->views.store, LEARNING_LEASE, token, &err), 0);
}
