#include "contract/store_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

const char *store_fixture_backend;
struct redis_server store_fixture_server;

static int tasks; /* how many were given out */

struct store *store_fixture_open(const struct store_fixture *f)
{
    struct err err = {0};
    struct store_options options = {.backend = store_fixture_backend,
                                    .url = store_fixture_server.url,
                                    .task = f->task,
                                    .client = "contract test"};
    struct store *st = store_open(&options, &err);

    if (!st)
        fail_msg("store_open: %s", err.text);
    return st;
}

int store_fixture_setup(void **state)
{
    struct store_fixture *f = calloc(1, sizeof(*f));

    snprintf(f->task, sizeof(f->task), "task%d", tasks++);
    uuid_new(f->id);
    f->st = store_fixture_open(f);
    f->other = store_fixture_open(f);
    assert_ok(f, store_incarnation_create(f->st, f->id, &f->err));
    store_bind(f->st, f->id);
    store_bind(f->other, f->id);
    assert_ok(f, store_lease_take(f->st, "learner", "learner-1", 60000, &f->token, &f->err));
    *state = f;
    return 0;
}

int store_fixture_teardown(void **state)
{
    struct store_fixture *f = *state;

    store_close(f->st);
    store_close(f->other);
    free(f);
    return 0;
}

static int publish_version(struct store_fixture *f, const char *generation, uint64_t position,
                           char fill, size_t blob_len, bool serve, int64_t time_ms)
{
    char version[80];
    char *blob = malloc(blob_len + 1);

    memset(blob, fill, blob_len);
    snprintf(version, sizeof(version), "%s-%" PRIu64, generation, position);
    struct store_version v = {
        .model = (char[]){MODEL},
        .version = version,
        .generation = (char *)(uintptr_t)generation,
        .class_name = (char[]){"linear_regression"},
        .parameters = (char[]){"{\"l2\":0.1}"},
        .schema = (char[]){"[\"a\",\"b\"]"},
        .parent = (char[]){""},
        .scores = (char[]){"{\"mae\":1.5}"},
        .bus_pos = (char[]){"17-0"},
        .start = 3,
        .position = position,
        .learned = position - 4,
        .skipped = 1,
        .time_ms = time_ms,
        .blob = blob,
        .blob_len = blob_len,
        .checksum = XXH64(blob, blob_len, 0),
    };
    int rc = store_publish(f->st, "learner", f->token, &v, serve, &f->err);
    free(blob);
    return rc;
}

int publish(struct store_fixture *f, const char *generation, uint64_t position, char fill,
            size_t blob_len, bool serve)
{
    return publish_version(f, generation, position, fill, blob_len, serve,
                           1700000000000 + (int64_t)position);
}

void publish_at(struct store_fixture *f, const char *generation, uint64_t position, int64_t time_ms)
{
    assert_ok(f, publish_version(f, generation, position, 'x', 10, false, time_ms));
}
