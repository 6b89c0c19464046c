/*
 * What the contract tests of the views on SQLite share: the taxi task's SQL over a
 * fresh database in a folder of its own, and short forms of feeding and taking. A
 * failure in a helper fails the test that called it.
 */
#ifndef OXBOW_TESTS_CONTRACT_VIEWS_FIXTURE_H
#define OXBOW_TESTS_CONTRACT_VIEWS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs those above */

#include "views/views.h"

#define TEN_PAST "2016-01-02T06:10:00.000Z"

struct fixture {
    char dir[64];
    char path[128];
    struct views_options options;
    struct views *views;
    int64_t now_ms;
};

/* For cmocka_unit_test_setup_teardown(); *state is the struct fixture. */
int views_fixture_setup(void **state);
int views_fixture_teardown(void **state);

void reopen(struct fixture *f);

/* ---- Feeding ---- */

void feed(struct fixture *f, enum views_input input, const char *key, const char *value);
void pick_up(struct fixture *f, const char *key);
void predict(struct fixture *f, const char *key);
void drop_off(struct fixture *f, const char *key, const char *at);

/* ---- Taking ---- */

/* Takes one row, or NULL; its text stays valid until the next call. */
const struct views_row *take(struct fixture *f);

void assert_row(const struct views_row *row, enum views_output output, uint64_t seq,
                const char *value);

/* The ledger, whose equations hold. */
struct views_ledger balanced(struct fixture *f);

#endif
