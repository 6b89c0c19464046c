/*
 * What the contract tests of the store share: which backend they run on,
 * stores of a task that no other test has, and versions to publish.
 */
#ifndef OXBOW_TESTS_CONTRACT_STORE_FIXTURE_H
#define OXBOW_TESTS_CONTRACT_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* needs those above */

#include "store/store.h"
#include "support/redis_server.h"

#define WAIT_MS 20000 /* how long a condition may take; never slept out */

extern const char *store_fixture_backend; /* "memory" or "redis" */
extern struct redis_server store_fixture_server;

/* The state of one test: two handles on one task, bound to its incarnation. */
struct store_fixture {
    char task[32];
    char id[UUID_TEXT_LEN + 1];
    struct store *st;
    struct store *other; /* another process's */
    uint64_t token;      /* of the lease "learner" that `st` holds for a minute */
    struct err err;
};

/* cmocka's setup and teardown of one test. */
int store_fixture_setup(void **state);
int store_fixture_teardown(void **state);

/* A store of the task, bound to nothing. */
struct store *store_fixture_open(const struct store_fixture *f);

/* Publishes version "<generation>-<position>" with a blob of `blob_len` bytes of `fill`. */
int publish(struct store_fixture *f, const char *generation, uint64_t position, char fill,
            size_t blob_len, bool serve);

/* The same at a time of its own, with a blob of 10 bytes; what must not fail. */
void publish_at(struct store_fixture *f, const char *generation, uint64_t position,
                int64_t time_ms);

#define MODEL "linear-regression"

#define assert_ok(f, rc)                                                                           \
    do {                                                                                           \
        int rc_ = (rc);                                                                            \
        if (rc_ != 0)                                                                              \
            fail_msg("returned %d: %s", rc_, (f)->err.text);                                       \
    } while (0)

/* The tests that only a real Redis can be put to. Returns how many failed. */
int run_store_redis_tests(void);

#endif
