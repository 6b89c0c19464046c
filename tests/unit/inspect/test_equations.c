/* The ledger's equations: each must be able to fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it. */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "inspect/equations.h"

/* A ledger that balances, with something in every term and some rows on their way. */
static struct facts balanced(void)
{
    struct facts f = {
        .ledger =
            {
                .requests_read = 1000,
                .requests_new = 950,
                .requests_duplicate = 30,
                .requests_dead = 20,
                .requests_refused = 5,
                .requests_predicted = 900,
                .requests_expired = 15,
                .requests_pending = 30,
                .predictions_read = 950,
                .predictions_first = 900,
                .predictions_duplicate = 40,
                .predictions_orphan = 7,
                .predictions_dead = 3,
                .outcomes_read = 810,
                .outcomes_new = 800,
                .outcomes_duplicate = 6,
                .outcomes_dead = 4,
                .outcomes_emitted = 700,
                .outcomes_waiting = 50,
                .outcomes_expired = 25,
                .outcomes_bad_label = 20,
                .outcomes_refused = 5,
                .features_last = 945,
                .learning_queue_last = 700,
                .rewound = {3, 2, 1},
            },
        .topic = {"pick-ups", "drop-offs", "predictions"},
        .added = {1100, 820, 960},
        .queue_first = 101,
        .n_models = 1,
    };

    f.model = mem_zalloc(1, sizeof(*f.model));
    f.model[0] = (struct facts_model){.name = mem_strdup("tree"),
                                      .version = mem_strdup("0123456789abcdef-600"),
                                      .current = true,
                                      .start = 100,
                                      .position = 600,
                                      .learned = 490,
                                      .skipped = 10};
    return f;
}

/* How many equations fail, and the id of the first. */
static size_t failing(const struct facts *f, bool settled, char ret_id[8])
{
    size_t n;
    size_t count = 0;
    struct equation *e = equations_make(f, settled, &n);

    ret_id[0] = '\0';
    for (size_t i = 0; i < n; i++)
        if (!equation_holds(&e[i]) && !count++)
            snprintf(ret_id, 8, "%s", e[i].id);
    free(e);
    return count;
}

/* Rows on their way are no imbalance. */
static void test_holds(void **state)
{
    struct facts f = balanced();
    char id[8];

    (void)state;
    assert_int_equal(failing(&f, false, id), 0);
    facts_release(&f);
}

/* Each term that is off by one breaks the equation that it stands in, and is named. */
static void test_each_term_counts(void **state)
{
    struct facts f = balanced();
    char id[8];
    const struct {
        uint64_t *term;
        const char *id;
    } cases[] = {
        {&f.ledger.requests_duplicate, "E1"},
        {&f.ledger.requests_dead, "E1"},
        {&f.ledger.requests_read, "E1"},
        {&f.ledger.requests_expired, "E2"},
        {&f.ledger.requests_pending, "E2"},
        {&f.ledger.predictions_read, "E3"},
        {&f.ledger.predictions_duplicate, "E3"},
        {&f.ledger.predictions_orphan, "E3"},
        {&f.ledger.predictions_dead, "E3"},
        {&f.ledger.predictions_first, "E3"},
        {&f.ledger.outcomes_read, "E4"},
        {&f.ledger.outcomes_duplicate, "E4"},
        {&f.ledger.outcomes_dead, "E4"},
        {&f.ledger.outcomes_waiting, "E5"},
        {&f.ledger.outcomes_expired, "E5"},
        {&f.ledger.outcomes_bad_label, "E5"},
        {&f.ledger.outcomes_refused, "E5"},
        {&f.ledger.learning_queue_last, "E6"},
        {&f.ledger.features_last, "E6"},
        {&f.model[0].learned, "E7"},
        {&f.model[0].skipped, "E7"},
        {&f.model[0].position, "E7"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ++*cases[i].term;
        assert_true(failing(&f, false, id) > 0);
        assert_string_equal(id, cases[i].id);
        --*cases[i].term;
    }
    facts_release(&f);
}

/* A model that is ahead of its rows, before its start or trimmed away breaks E8. */
static void test_positions(void **state)
{
    struct facts f = balanced();
    char id[8];

    (void)state;
    f.model[0].position = 701;
    f.model[0].learned = 591;
    assert_int_equal(failing(&f, false, id), 1);
    assert_string_equal(id, "E8");

    f.model[0].position = 600;
    f.model[0].learned = 490;
    f.queue_first = 602;
    assert_int_equal(failing(&f, false, id), 1);
    assert_string_equal(id, "E8");
    f.queue_first = 601;
    assert_int_equal(failing(&f, false, id), 0);
    facts_release(&f);
}

/* Having read more than was ever added breaks E9, unless the bus has lost as many. */
static void test_read_and_added(void **state)
{
    struct facts f = balanced();
    char id[8];

    (void)state;
    f.added[VIEWS_REQUESTS] = 997;
    assert_int_equal(failing(&f, false, id), 0);
    f.added[VIEWS_REQUESTS] = 996;
    assert_int_equal(failing(&f, false, id), 1);
    assert_string_equal(id, "E9");
    facts_release(&f);
}

/* Settled means: nothing on its way, and equality where there was order before. */
static void test_settled(void **state)
{
    struct facts f = balanced();
    struct in_flight flying;
    char id[8];

    (void)state;
    facts_in_flight(&f, &flying);
    assert_int_equal(flying.pending, 30);
    assert_int_equal(flying.waiting, 50);
    assert_int_equal(flying.unlearned, 100);
    assert_int_equal(flying.unread[VIEWS_REQUESTS], 103);
    assert_false(in_flight_none(&flying));
    assert_true(failing(&f, true, id) > 0);

    f.ledger.requests_pending = 0;
    f.ledger.requests_predicted = f.ledger.predictions_first = 930;
    f.ledger.predictions_duplicate = 10;
    f.ledger.outcomes_waiting = 0;
    f.ledger.outcomes_bad_label = 70;
    f.model[0].position = 700;
    f.model[0].learned = 590;
    f.added[VIEWS_REQUESTS] = 997;
    f.added[VIEWS_OUTCOMES] = 808;
    f.added[VIEWS_PREDICTIONS] = 949;
    facts_in_flight(&f, &flying);
    assert_true(in_flight_none(&flying));
    assert_int_equal(failing(&f, true, id), 0);
    facts_release(&f);
}

/* A model of the task file that has no version yet is behind, and breaks nothing. */
static void test_no_version(void **state)
{
    struct facts f = balanced();
    struct in_flight flying;
    char id[8];

    (void)state;
    free(f.model[0].version);
    f.model[0].version = mem_strdup("");
    f.model[0].position = 0;
    assert_int_equal(failing(&f, false, id), 0);
    facts_in_flight(&f, &flying);
    assert_int_equal(flying.unlearned, 700);
    facts_release(&f);
}

/* The report shows names and figures of both sides. */
static void test_text(void **state)
{
    struct facts f = balanced();
    struct buf words = BUF_INIT;
    struct buf figures = BUF_INIT;
    size_t n;
    struct equation *e = equations_make(&f, false, &n);

    (void)state;
    equation_words(&e[0], &words);
    equation_figures(&e[0], &figures);
    assert_string_equal(words.data, "requests read = new + duplicate + dead");
    assert_string_equal(figures.data, "1000 = 950 + 30 + 20");
    free(e);
    buf_release(&words);
    buf_release(&figures);
    facts_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds),     cmocka_unit_test(test_each_term_counts),
        cmocka_unit_test(test_positions), cmocka_unit_test(test_read_and_added),
        cmocka_unit_test(test_settled),   cmocka_unit_test(test_no_version),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
