/* The simulator's command line: what it takes and what it refuses, with the text that says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "simulator/simulator.h"

static int take(struct simulator_options *o, const char *name, const char *value)
{
    struct err err = {0};
    int rc = simulator_option(o, name, value, &err);

    if (rc != 0)
        assert_non_null(strstr(err.text, value));
    return rc;
}

/* Every option lands in its field, in the unit of the field. */
static void test_taken(void **state)
{
    struct simulator_options o;

    (void)state;
    simulator_options_init(&o);
    assert_int_equal(take(&o, "speed", "2.5"), 0);
    assert_true(o.speed > 2.4 && o.speed < 2.6 && o.has_speed);
    assert_int_equal(take(&o, "rate", "10000"), 0);
    assert_int_equal((int)o.rate, 10000);
    assert_int_equal(take(&o, "trips", "7"), 0);
    assert_int_equal(o.trips, 7);
    assert_null(o.for_city);
    assert_int_equal(take(&o, "seed", "9"), 0);
    assert_int_equal(o.city.seed, 9);
    assert_string_equal(o.for_city, "seed");
    assert_int_equal(take(&o, "start-date", "1970-01-02"), 0);
    assert_int_equal(o.city.start_ms, 86400000);
    assert_int_equal(take(&o, "start-date", "1970-01-01 01:00:00"), 0);
    assert_int_equal(o.city.start_ms, 3600000);
    assert_int_equal(take(&o, "regime-after", "1.5h"), 0);
    assert_int_equal(o.city.regime_after_ms, 5400000);
    assert_int_equal(take(&o, "regime-after", "0s"), 0);
    assert_int_equal(o.city.regime_after_ms, 0);
    assert_int_equal(take(&o, "regime-after", "off"), 0);
    assert_int_equal(o.city.regime_after_ms, -1);
    assert_int_equal(take(&o, "replay", "trips.csv"), 0);
    assert_string_equal(o.replay, "trips.csv");
}

/* Anything else is refused and quoted. */
static void test_refused(void **state)
{
    static const char *const wrong[][2] = {
        {"speed", "0"},
        {"speed", "-1"},
        {"speed", "fast"},
        {"speed", "1e10"},
        {"rate", ""},
        {"rate", "0"},
        {"trips", "-1"},
        {"trips", "1.5"},
        {"seed", "x"},
        {"start-date", "today"},
        {"start-date", "2016-13-01"},
        {"regime-after", "6"},
        {"regime-after", "h"},
        {"regime-after", "-1h"},
        {"regime-after", "1y"},
        {"regime-after", ""},
        {"regime-after", "1e300d"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct simulator_options o;
        simulator_options_init(&o);
        assert_int_equal(take(&o, wrong[i][0], wrong[i][1]), ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
