/*
 * What the tests of the Materialize engine share: a stand-in server, and views on it. A
 * failure in a helper fails the test that called it.
 */
#ifndef OXBOW_TESTS_CONTRACT_MZ_FIXTURE_H
#define OXBOW_TESTS_CONTRACT_MZ_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs those above */

#include "base/buf.h"
#include "support/mz_standin.h"
#include "views/views.h"

#define SQL_DIR OXBOW_SOURCE_DIR "/sql/taxi/materialize"

struct fixture {
    struct mz_standin server;
    struct views_options options;
    struct views *views;
    struct buf notes;
    char dir[64]; /* a copy of the task's SQL; "" */
};

extern const char *const TWO_FEATURES[2]; /* those of views that are just set up */

/* For cmocka_unit_test_setup_teardown(); *state is the struct fixture. The server is not started.
 */
int mz_fixture_setup(void **state);
int mz_fixture_teardown(void **state);

void open_views(struct fixture *f);

/* Polls until a batch with rows, or an error, comes; batches without rows are passed over. */
int poll_rows(struct fixture *f, struct views_batch *ret, struct err *err);

/* Are the rows these, "key:diff key:diff"? */
void assert_keys(const struct views_batch *batch, const char *want);

/* For views_query(). */
int ignore_row(void *ctx, size_t n, const char *const *names, const char *const *values);

#endif
