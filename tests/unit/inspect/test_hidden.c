/* The audit's equations with an engine that hides terms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "inspect/equations.h"

static void know(struct facts *f, const char *name, uint64_t value)
{
    views_ledger_know(&f->ledger, name, value);
}

/* What Materialize and the state on the bus know together, with one row on its way. */
static void fill(struct facts *f)
{
    *f = (struct facts){.apart = true, .uncounted = true};
    views_ledger_hide_all(&f->ledger);
    know(f, "requests_new", 10);
    know(f, "requests_predicted", 7);
    know(f, "requests_pending", 1);
    know(f, "requests_expired", 1);
    know(f, "requests_refused", 1);
    know(f, "predictions_first", 7);
    know(f, "outcomes_new", 9);
    know(f, "outcomes_emitted", 5);
    know(f, "outcomes_bad_label", 1);
    know(f, "outcomes_waiting", 1);
    know(f, "outcomes_expired", 0);
    know(f, "outcomes_refused", 1);
    know(f, "features_last", 9);
    know(f, "learning_queue_last", 5);
}

static void judge(const struct facts *f, bool settled, const char *want)
{
    struct buf got = BUF_INIT;
    size_t n;
    struct equation *e = equations_make(f, settled, &n);

    for (size_t i = 0; i < n; i++)
        buf_printf(&got, "%s %s%s", e[i].id,
                   e[i].hidden             ? "hidden"
                   : equation_holds(&e[i]) ? "ok"
                                           : "BROKEN",
                   i + 1 < n ? ", " : "");
    assert_string_equal(buf_str(&got), want);
    buf_release(&got);
    free(e);
}

/* Equations with a hidden term are neither right nor wrong; the others are judged. */
static void test_judged(void **state)
{
    struct facts f;

    (void)state;
    fill(&f);
    /* One outcome is on its way: that is all right, until it should have arrived. */
    judge(&f, false, "E1 hidden, E2 ok, E3 hidden, E3 ok, E4 hidden, E5 ok, E6 ok, E6 ok");
    judge(&f, true, "E1 hidden, E2 ok, E3 hidden, E3 ok, E4 hidden, E5 BROKEN, E6 ok, E6 ok");
    know(&f, "outcomes_emitted", 6);
    judge(&f, false, "E1 hidden, E2 ok, E3 hidden, E3 ok, E4 hidden, E5 ok, E6 ok, E6 ok");
    judge(&f, true, "E1 hidden, E2 ok, E3 hidden, E3 ok, E4 hidden, E5 ok, E6 BROKEN, E6 ok");
    /* More has come out than has gone in, or stands on the topic than was given: never. */
    know(&f, "outcomes_emitted", 7);
    know(&f, "learning_queue_last", 8);
    know(&f, "features_last", 10);
    judge(&f, false,
          "E1 hidden, E2 ok, E3 hidden, E3 ok, E4 hidden, E5 BROKEN, E6 BROKEN, E6 BROKEN");
    facts_release(&f);
}

/* A hidden term is shown as such, and no number stands in its place. */
static void test_shown(void **state)
{
    struct buf text = BUF_INIT;
    struct facts f;
    size_t n;

    (void)state;
    fill(&f);
    struct equation *e = equations_make(&f, false, &n);
    equation_figures(&e[0], &text);
    assert_string_equal(buf_str(&text), "hidden = 10 + hidden + hidden");
    free(e);
    buf_release(&text);
    facts_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judged),
        cmocka_unit_test(test_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
