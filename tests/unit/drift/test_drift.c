/* Feature drift: no alarm without a shift, one soon after it, cleared the same way, kept over
 * restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "drift/drift.h"
#include "learn/rng.h"

#define FEATURES 4
#define WINDOW   1000
#define PART     (WINDOW / DRIFT_PARTS)

static const struct drift_options defaults = DRIFT_OPTIONS_DEFAULT;

static struct schema *new_schema(void)
{
    static const enum feature_kind kinds[FEATURES] = {FEATURE_NUMERIC, FEATURE_NUMERIC,
                                                      FEATURE_BOOLEAN, FEATURE_CATEGORICAL};
    static const char *const names[FEATURES] = {"distance", "count", "weekend", "place"};
    struct schema *schema = schema_new();

    for (size_t i = 0; i < FEATURES; i++)
        assert_int_equal(schema_add(schema, names[i], kinds[i], NULL), 0);
    return schema;
}

static void draw(struct rng *rng, double *x)
{
    x[0] = exp(rng_gauss(rng, 0, 1));
    x[1] = (double)rng_below(rng, 6);
    x[2] = rng_random(rng) < 0.3;
    x[3] = (double)(int)(40 * pow(rng_random(rng), 3));
    if (rng_random(rng) < 0.05)
        x[0] = (double)NAN;
}

static bool drifting(const struct drift *d, size_t feature)
{
    struct drift_report report;

    drift_report(d, feature, &report);
    return report.drifting;
}

static size_t total_drifting(const struct drift *d)
{
    struct drift_progress p;

    drift_progress(d, &p);
    return p.drifting;
}

/* Adds a reference and `windows` windows of rows that do not change. */
static struct drift *steady(const struct schema *schema, struct rng *rng, size_t windows)
{
    struct drift *d = drift_new(schema, &defaults);
    double x[FEATURES];

    for (size_t i = 0; i < defaults.reference_rows + windows * WINDOW; i++) {
        draw(rng, x);
        drift_add(d, x, (int64_t)i);
    }
    return d;
}

/* Rows that come in as they always did raise no alarm: 8 streams of 500 windows, 4 features each.
 */
static void test_stationary(void **state)
{
    struct schema *schema = new_schema();
    size_t judged = 0;
    size_t over = 0;
    double psi = 0;
    double ks = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct drift *d = drift_new(schema, &defaults);
        struct rng rng;
        double x[FEATURES];

        rng_seed(&rng, seed);
        for (size_t i = 0; i < defaults.reference_rows + (size_t)500 * WINDOW; i++) {
            draw(&rng, x);
            if (!drift_add(d, x, (int64_t)i))
                continue;
            for (size_t f = 0; f < FEATURES; f++) {
                struct drift_report report;

                drift_report(d, f, &report);
                assert_false(report.drifting);
                assert_false(report.changed);
                judged++;
                over += report.distance.psi > defaults.psi || report.distance.ks > defaults.ks;
                psi = fmax(psi, report.distance.psi);
                ks = fmax(ks, isnan(report.distance.ks) ? 0 : report.distance.ks);
            }
        }
        drift_free(d);
    }
    print_message(
        "  %zu windows judged: %zu over a threshold, 0 alarms; largest PSI %.3f, KS %.3f\n", judged,
        over, psi, ks);
    assert_int_equal(over, 0);
    schema_free(schema);
}

/* How one feature changes, and that none other raises an alarm. */
static void shift(size_t feature, double *x, struct rng *rng)
{
    switch (feature) {
    case 0:
        x[0] *= 1.6;
        break;
    case 1:
        x[1] = rng_random(rng) < 0.3 ? (double)NAN : x[1];
        break;
    case 2:
        x[2] = rng_random(rng) < 0.55;
        break;
    default:
        x[3] = rng_random(rng) < 0.2 ? 77 : x[3]; /* a category that is new */
    }
}

/* A shift raises its feature's alarm within two windows, and no other; going back clears it so. */
static void test_shift(void **state)
{
    struct schema *schema = new_schema();

    (void)state;
    for (size_t feature = 0; feature < FEATURES; feature++) {
        struct rng rng;
        struct drift *d;
        double x[FEATURES];
        size_t changes = 0;
        size_t rows;

        rng_seed(&rng, 10 + feature);
        d = steady(schema, &rng, 5);
        assert_int_equal(total_drifting(d), 0);
        for (int back = 0; back <= 1; back++) {
            for (rows = 1; rows <= 2 * WINDOW; rows++) {
                struct drift_report report;

                draw(&rng, x);
                if (!back)
                    shift(feature, x, &rng);
                if (!drift_add(d, x, 0))
                    continue;
                drift_report(d, feature, &report);
                changes += report.changed;
                if (report.changed) {
                    assert_int_equal(report.drifting, !back);
                    assert_true(rows > WINDOW); /* one window alone is not believed */
                }
            }
            assert_int_equal(drifting(d, feature), !back);
            assert_int_equal(total_drifting(d), !back);
            assert_int_equal(changes, 1 + back);
        }
        drift_free(d);
    }
    schema_free(schema);
}

/* What happens within one part raises no alarm, however large. */
static void test_burst(void **state)
{
    struct schema *schema = new_schema();
    struct rng rng;
    struct drift *d;
    double x[FEATURES];

    (void)state;
    rng_seed(&rng, 30);
    d = steady(schema, &rng, 4);
    for (size_t i = 0; i < (size_t)6 * WINDOW; i++) {
        draw(&rng, x);
        if (i < PART)
            x[0] *= 1000;
        drift_add(d, x, 0);
        assert_int_equal(total_drifting(d), 0);
    }
    drift_free(d);
    schema_free(schema);
}

/* Features that never change, or never are there, or appear later. */
static void test_odd_features(void **state)
{
    struct schema *schema = new_schema();
    struct drift *d = drift_new(schema, &defaults);
    double x[FEATURES] = {5, (double)NAN, 1, 3};

    (void)state;
    for (size_t i = 0; i < (size_t)20 * WINDOW; i++)
        drift_add(d, x, 0);
    assert_int_equal(total_drifting(d), 0);
    x[0] = 4.999;
    x[1] = 1;
    for (size_t i = 0; i < (size_t)2 * WINDOW; i++)
        drift_add(d, x, 0);
    assert_true(drifting(d, 0));
    assert_true(drifting(d, 1));
    assert_false(drifting(d, 2));
    assert_false(drifting(d, 3));
    drift_free(d);
    schema_free(schema);
}

/* A reset begins again: no alarm, and what comes next is the reference. */
static void test_reset(void **state)
{
    struct schema *schema = new_schema();
    struct drift_progress p;
    struct rng rng;
    struct drift *d;
    double x[FEATURES];

    (void)state;
    rng_seed(&rng, 40);
    d = steady(schema, &rng, 2);
    drift_progress(d, &p);
    assert_int_equal(p.rows, 12000);
    assert_int_equal(p.reference_rows, 10000);
    assert_int_equal(p.windows, 5);
    assert_int_equal(p.window_rows, WINDOW);
    assert_int_equal(p.window_from_ms, 11000);
    assert_int_equal(p.window_to_ms, 11999);
    drift_reset(d);
    drift_progress(d, &p);
    assert_int_equal(p.rows, 0);
    assert_int_equal(p.windows, 0);
    for (size_t i = 0; i < 14000; i++) {
        draw(&rng, x);
        x[0] *= 100;
        drift_add(d, x, 50);
        assert_int_equal(total_drifting(d), 0);
    }
    drift_progress(d, &p);
    assert_int_equal(p.reference_ms, 50);
    drift_free(d);
    schema_free(schema);
}

static struct buf saved(const struct drift *d)
{
    struct buf blob = BUF_INIT;

    drift_save(d, &blob);
    return blob;
}

/* Stopped and loaded at any row, it goes on bit for bit as if it had not been. */
static void test_goes_on(void **state)
{
    const struct drift_options options = {
        .reference_rows = 300, .window_rows = 90, .psi = 0.2, .ks = 0.1};
    struct schema *schema = new_schema();
    struct drift *a = drift_new(schema, &options);
    struct drift *b = drift_new(schema, &options);
    struct rng rng;
    struct buf blob_a;
    struct buf blob_b;

    (void)state;
    rng_seed(&rng, 50);
    for (size_t i = 0; i < 2000; i++) {
        double x[FEATURES];
        struct err err = {0};

        draw(&rng, x);
        if (i > 1000)
            shift(0, x, &rng);
        assert_int_equal(drift_add(a, x, (int64_t)i), drift_add(b, x, (int64_t)i));
        if (i % 7)
            continue;
        blob_b = saved(b);
        drift_free(b);
        b = drift_load(blob_b.data, blob_b.len, schema, &options, &err);
        if (!b)
            fail_msg("%s", err.text);
        buf_release(&blob_b);
    }
    blob_a = saved(a);
    blob_b = saved(b);
    assert_int_equal(blob_a.len, blob_b.len);
    assert_memory_equal(blob_a.data, blob_b.data, blob_a.len);
    assert_true(drifting(b, 0));
    buf_release(&blob_a);
    buf_release(&blob_b);
    drift_free(a);
    drift_free(b);
    schema_free(schema);
}

/* Bytes that are cut, changed or of something else are refused by the right name. */
static void test_hostile(void **state)
{
    struct schema *schema = new_schema();
    struct schema *other = new_schema();
    struct drift_options options = defaults;
    struct rng rng;
    struct drift *d;
    struct buf blob;
    struct err err = {0};

    (void)state;
    rng_seed(&rng, 60);
    d = steady(schema, &rng, 2);
    blob = saved(d);
    assert_int_equal(schema_add(other, "one more", FEATURE_NUMERIC, NULL), 0);
    assert_null(drift_load(blob.data, blob.len, other, &defaults, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    options.psi = 0.25;
    assert_null(drift_load(blob.data, blob.len, schema, &options, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    for (size_t len = 0; len < blob.len; len += 1 + len / 16) {
        assert_null(drift_load(blob.data, len, schema, &defaults, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    for (size_t at = 0; at + 8 < blob.len; at += 1 + at / 16) {
        struct drift *loaded;
        uint64_t sum;

        blob.data[at] = (char)(blob.data[at] ^ 0x40);
        assert_null(drift_load(blob.data, blob.len, schema, &defaults, &err));
        sum = XXH64(blob.data, blob.len - 8, 0);
        memcpy(blob.data + blob.len - 8, &sum, sizeof(sum));
        loaded = drift_load(blob.data, blob.len, schema, &defaults, &err); /* behind the checksum */
        for (size_t i = 0; loaded && i < (size_t)3 * WINDOW; i++)
            drift_add(loaded, (const double[FEATURES]){1, 2, 0, 3}, 0);
        drift_free(loaded);
        blob.data[at] = (char)(blob.data[at] ^ 0x40);
        sum = XXH64(blob.data, blob.len - 8, 0);
        memcpy(blob.data + blob.len - 8, &sum, sizeof(sum));
    }
    drift_free(d);
    buf_release(&blob);
    schema_free(other);
    schema_free(schema);
}

/* Memory is bounded, whatever comes. */
static void test_memory(void **state)
{
    const struct drift_options options = {
        .reference_rows = 200000, .window_rows = 100000, .psi = 0.2, .ks = 0.1};
    struct schema *schema = new_schema();
    struct drift *d = drift_new(schema, &options);
    struct drift *usual;
    struct buf blob;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 70);
    for (size_t i = 0; i < 500000; i++) {
        double x[FEATURES];

        draw(&rng, x);
        drift_add(d, x, 0);
    }
    assert_true(drift_bytes(d) < (size_t)FEATURES * 200000);
    usual = steady(schema, &rng, 20);
    blob = saved(usual);
    print_message("  %d features: %zu bytes with the defaults, %zu saved; %zu with long windows\n",
                  FEATURES, drift_bytes(usual), blob.len, drift_bytes(d));
    assert_true(drift_bytes(usual) < (size_t)FEATURES * 60000);
    buf_release(&blob);
    drift_free(usual);
    drift_free(d);
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stationary), cmocka_unit_test(test_shift),
        cmocka_unit_test(test_burst),      cmocka_unit_test(test_odd_features),
        cmocka_unit_test(test_reset),      cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
