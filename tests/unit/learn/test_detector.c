/*
 * Drift detectors: River's recorded detections (tests/golden/record_detectors.py),
 * states that go on to the last bit, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/adwin.h"
#include "learn/detector.h"
#include "learn/rng.h"

#define GOLDEN    OXBOW_SOURCE_DIR "/tests/golden/"
#define TOLERANCE 1e-9

/* The recorded traces */

struct golden {
    struct buf text;
    struct buf bytes;
    struct json_value root;
    const double *values; /* of all streams, one after the other */
    size_t n;             /* of one */
};

static void read_file(const char *path, struct buf *out)
{
    gzFile file = gzopen(path, "rb");
    int n;

    assert_non_null(file);
    while ((n = gzread(file, buf_reserve(out, 65536), 65536)) > 0)
        out->len += (size_t)n;
    assert_int_equal(n, 0);
    gzclose(file);
}

static double number_of(const struct json_value *v)
{
    double ret;

    assert_true(json_number(v, &ret));
    return ret;
}

static struct json_value member(const struct json_value *object, const char *name)
{
    struct json_value v;

    assert_true(json_get(object, name, &v));
    return v;
}

static void golden_open(struct golden *g)
{
    *g = (struct golden){.n = 0};
    read_file(GOLDEN "detectors.json", &g->text);
    read_file(GOLDEN "detector-streams.bin.gz", &g->bytes);
    assert_int_equal(json_parse(g->text.data, g->text.len, &g->root, NULL), 0);
    struct json_value values = member(&g->root, "values");
    g->n = (size_t)number_of(&values);
    g->values = (const double *)(const void *)g->bytes.data;
}

static void golden_close(struct golden *g)
{
    buf_release(&g->text);
    buf_release(&g->bytes);
}

static const double *golden_stream(const struct golden *g, const struct json_value *name)
{
    struct json_value streams = member(&g->root, "streams");
    struct json_value v;
    struct json_iter it;

    json_iter_init(&it, &streams);
    for (size_t i = 0; json_next_element(&it, &v); i++) {
        if (v.len == name->len && memcmp(v.text, name->text, v.len) == 0) {
            assert_true((i + 1) * g->n * sizeof(double) <= g->bytes.len);
            return g->values + i * g->n;
        }
    }
    fail_msg("no stream %.*s", (int)name->len, name->text);
    return NULL;
}

static struct detector *new_detector(const char *json)
{
    struct err err = {0};
    struct detector *d = detector_new(json, strlen(json), &err);

    if (!d)
        fail_msg("%s: %s", json, err.text);
    return d;
}

static void check_close(const char *what, size_t i, double ours, double theirs)
{
    if (!(fabs(ours - theirs) <= TOLERANCE * fmax(1, fabs(theirs))))
        fail_msg("value %zu: %s is %.17g, River has %.17g", i, what, ours, theirs);
}

/* The level and the width where River's were written down; moves `it` on. */
static void check_seen(const struct detector *d, size_t i, struct json_iter *it,
                       struct json_value *next, bool *has_next)
{
    struct json_value v[3];
    struct json_iter list;

    json_iter_init(&list, next);
    for (size_t k = 0; *has_next && k < 3; k++)
        assert_true(json_next_element(&list, &v[k]));
    if (!*has_next || (size_t)number_of(&v[0]) != i)
        return;
    check_close("the level", i, detector_mean(d), number_of(&v[1]));
    check_close("the width", i, detector_width(d), number_of(&v[2]));
    *has_next = json_next_element(it, next);
}

/* Replays one trace; its number of drifts. */
static size_t replay(const struct golden *g, const struct json_value *trace)
{
    struct json_value stream = member(trace, "stream");
    struct json_value spec = member(trace, "detector");
    struct json_value drifts = member(trace, "drifts");
    struct json_value seen = member(trace, "seen");
    const double *values = golden_stream(g, &stream);
    char *json = mem_strndup(spec.text, spec.len);
    struct detector *d = new_detector(json);
    struct json_value drift = {0};
    struct json_value next = {0};
    struct json_iter drift_it;
    struct json_iter seen_it;
    size_t n = 0;

    json_iter_init(&drift_it, &drifts);
    json_iter_init(&seen_it, &seen);
    bool is_more = json_next_element(&drift_it, &drift);
    bool has_next = json_next_element(&seen_it, &next);
    for (size_t i = 0; i < g->n; i++) {
        bool theirs = is_more && (size_t)number_of(&drift) == i;
        struct detector_change change = {0};

        if (detector_update(d, values[i], &change) != theirs)
            fail_msg("%s on %.*s, value %zu: River %s a drift", json, (int)stream.len, stream.text,
                     i, theirs ? "has" : "does not have");
        check_seen(d, i, &seen_it, &next, &has_next);
        if (!theirs)
            continue;
        assert_true(change.n > 0 && isfinite(change.mean_after));
        is_more = json_next_element(&drift_it, &drift);
        n++;
    }
    assert_false(is_more);
    assert_false(has_next);
    detector_free(d);
    free(json);
    return n;
}

/* Every drift is found at the value at which River finds it; level and width are River's. */
static void test_traces(void **state)
{
    struct golden g;
    struct json_value trace;
    struct json_iter it;
    size_t n = 0;
    size_t drifts = 0;

    (void)state;
    golden_open(&g);
    struct json_value traces = member(&g.root, "traces");
    json_iter_init(&it, &traces);
    for (; json_next_element(&it, &trace); n++)
        drifts += replay(&g, &trace);
    print_message("    %zu traces, %zu drifts\n", n, drifts);
    assert_true(n >= 60 && drifts >= 1000);
    golden_close(&g);
}

/* The spread that a tree asks for is River's, too. */
static void test_adwin_spread(void **state)
{
    struct golden g;
    struct json_value trace;
    struct json_iter it;
    size_t n = 0;

    (void)state;
    golden_open(&g);
    struct json_value traces = member(&g.root, "traces");
    json_iter_init(&it, &traces);
    while (json_next_element(&it, &trace)) {
        struct json_value spec = member(&trace, "detector");
        struct json_value stream = member(&trace, "stream");
        struct json_value seen = member(&trace, "seen");
        struct adwin_params params = ADWIN_DEFAULTS;
        struct json_iter rows;
        struct json_value row;
        struct adwin a;
        size_t at = 0;

        if (!(spec.len == strlen("{\"adwin\": {}}")))
            continue;
        const double *values = golden_stream(&g, &stream);
        adwin_init(&a, &params);
        for (json_iter_init(&rows, &seen); json_next_element(&rows, &row); n++) {
            struct json_iter list;
            struct json_value v[4];

            json_iter_init(&list, &row);
            for (size_t k = 0; k < 4; k++)
                assert_true(json_next_element(&list, &v[k]));
            for (; at <= (size_t)number_of(&v[0]); at++)
                adwin_update(&a, values[at]);
            check_close("the mean", at, adwin_mean(&a), number_of(&v[1]));
            assert_true(adwin_width(&a) == number_of(&v[2]));
            check_close("the spread", at, adwin_s(&a), number_of(&v[3]));
            check_close("the variance", at, adwin_variance(&a), adwin_s(&a) / adwin_width(&a));
        }
        adwin_release(&a);
    }
    assert_true(n > 100);
    golden_close(&g);
}

/* Saving and loading */

static const char *const specs[] = {
    "\"adwin\"",
    "{\"adwin\": {\"max_buckets\": 2, \"clock\": 3, \"min_window_length\": 1, \"delta\": 0.1}}",
    "\"page_hinkley\"",
    "{\"page_hinkley\": {\"threshold\": 900, \"mode\": \"up\"}}",
    "{\"kswin\": {\"window_size\": 50, \"stat_size\": 20, \"seed\": 3}}",
};

#define N_SPECS (sizeof(specs) / sizeof(specs[0]))

static double sample(struct rng *rng, size_t i)
{
    return fabs(rng_gauss(rng, 0, 1)) * (i / 400 % 2 ? 300 : 100);
}

static struct buf saved(const struct detector *d)
{
    struct buf ret = BUF_INIT;

    detector_save(d, &ret);
    return ret;
}

/* Saved and loaded after every single value, it says and holds what it would have anyway. */
static void test_goes_on(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SPECS; s++) {
        struct detector *whole = new_detector(specs[s]);
        struct detector *d = new_detector(specs[s]);
        struct rng rng;
        size_t drifts = 0;

        rng_seed(&rng, s);
        for (size_t i = 0; i < 2000; i++) {
            double v = sample(&rng, i);
            struct detector_change a = {0};
            struct detector_change b = {0};
            bool is_drift = detector_update(whole, v, &a);

            struct buf before = saved(d);
            struct detector *loaded = new_detector(specs[s]);
            assert_int_equal(detector_load(loaded, before.data, before.len, NULL), 0);
            detector_free(d);
            d = loaded;
            assert_true(detector_update(d, v, &b) == is_drift);
            drifts += is_drift;
            if (is_drift)
                assert_memory_equal(&a, &b, sizeof(a));
            struct buf ours = saved(d);
            struct buf theirs = saved(whole);
            assert_int_equal(ours.len, theirs.len);
            assert_memory_equal(ours.data, theirs.data, ours.len);
            buf_release(&before);
            buf_release(&ours);
            buf_release(&theirs);
        }
        assert_true(drifts > 0);
        detector_free(d);
        detector_free(whole);
    }
}

/* A state that is cut, longer, or changed anywhere is refused, or is one that can go on. */
static void test_bad_states(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SPECS; s++) {
        struct detector *d = new_detector(specs[s]);
        struct rng rng;
        struct err err = {0};

        rng_seed(&rng, s);
        struct buf fresh = saved(d);
        for (size_t i = 0; i < 1000; i++)
            detector_update(d, sample(&rng, i), NULL);
        struct buf good = saved(d);
        for (size_t len = 0; len < good.len; len++) {
            assert_int_equal(detector_load(d, good.data, len, &err), ERR_CORRUPT);
            struct buf now = saved(d);
            assert_int_equal(now.len, fresh.len); /* as new */
            assert_memory_equal(now.data, fresh.data, now.len);
            buf_release(&now);
        }
        for (size_t k = 0; k < good.len * 8; k++) {
            good.data[k / 8] = (char)(good.data[k / 8] ^ (1 << k % 8));
            if (detector_load(d, good.data, good.len, &err) == 0)
                for (size_t i = 0; i < 100; i++)
                    detector_update(d, sample(&rng, i), NULL);
            good.data[k / 8] = (char)(good.data[k / 8] ^ (1 << k % 8));
        }
        buf_byte(&good, 'x');
        assert_int_equal(detector_load(d, good.data, good.len, &err), ERR_CORRUPT);
        buf_release(&good);
        buf_release(&fresh);
        detector_free(d);
    }
}

/* Behaviour */

/* What a drift tells: the levels before and after. */
static void test_change(void **state)
{
    static const char *const both[] = {"\"adwin\"",
                                       "{\"page_hinkley\": {\"threshold\": 900, \"delta\": 5}}"};

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        for (int down = 0; down < 2; down++) {
            struct detector *d = new_detector(both[s]);
            struct detector_change change = {0};
            size_t i = 0;

            for (; i < 3000; i++) {
                double level = (i < 1000) == (down == 1) ? 200 : 100;
                if (detector_update(d, level + (double)(i % 7) - 3, &change))
                    break;
            }
            assert_in_range(i, 1000, 1100);
            assert_true(fabs(change.mean_before - (down ? 200 : 100)) < 5);
            assert_true(fabs(change.mean_after - (down ? 100 : 200)) < 5);
            assert_true((change.mean_after < change.mean_before) == (down == 1));
            detector_free(d);
        }
    }
}

/* What cannot be counted does no harm: passed over, or the window begins anew. */
static void test_monstrous_values(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SPECS; s++) {
        struct detector *d = new_detector(specs[s]);
        size_t drifts = 0;

        assert_false(detector_update(d, (double)NAN, NULL));
        assert_false(detector_update(d, (double)INFINITY, NULL));
        assert_true(detector_width(d) == 0);
        for (size_t i = 0; i < 200; i++)
            detector_update(d, i % 2 ? 1.7e308 : -1.7e308, NULL);
        for (size_t i = 0; i < 4000; i++)
            drifts += detector_update(d, i < 2000 ? 10 : 1000, NULL);
        assert_true(drifts > 0);
        assert_true(fabs(detector_mean(d) - 1000) < 1e-6);
        detector_free(d);
    }
}

/* The error rate of a model that gets worse; what is no error rate is passed over. */
static void test_ddm(void **state)
{
    struct detector *d = new_detector("\"ddm\"");
    struct detector_change change = {0};
    size_t found = 0;

    (void)state;
    for (size_t i = 0; !found && i < 3000; i++) {
        struct buf state_before = saved(d);
        struct detector *loaded = new_detector("\"ddm\"");

        assert_false(detector_update(d, -0.1, NULL));
        assert_false(detector_update(d, 250, NULL));
        assert_int_equal(detector_load(loaded, state_before.data, state_before.len, NULL), 0);
        detector_free(d);
        d = loaded;
        if (detector_update(d, i % (i < 1000 ? 10 : 2) == 0, &change))
            found = i;
        buf_release(&state_before);
    }
    assert_in_range(found, 1000, 1100);
    assert_true(fabs(change.mean_before - 0.1) < 0.05);
    assert_true(fabs(change.mean_after - 0.5) < 0.1);
    detector_free(d);
}

/* Its memory stays small however long the stream. */
static void test_bounded(void **state)
{
    struct detector *d = new_detector("\"adwin\"");

    (void)state;
    for (size_t i = 0; i < 300000; i++)
        assert_false(detector_update(d, 5, NULL));
    assert_true(detector_width(d) == 300000);
    assert_true(detector_bytes(d) < 4096);
    detector_free(d);
}

/* Names and parameters are looked up as those of models are. */
static void test_spelling(void **state)
{
    static const struct {
        const char *json;
        const char *says;
    } bad[] = {
        {"\"adwn\"",
         ": unknown class \"adwn\"; did you mean \"adwin\"? Known: adwin, page_hinkley, "
         "kswin, ddm, no_drift"},
        {"\"linear_regression\"", ": unknown class \"linear_regression\""},
        {"{\"adwin\": {\"delta\": 2}}", ".adwin.delta: write a number above 0 and at most 1"},
        {"{\"adwin\": {\"delta\": 1}}", ".adwin: delta: write a number above 0 and below 1"},
        {"{\"adwin\": {\"dleta\": 0.1}}", ".adwin.dleta: adwin has no parameter of that name; did "
                                          "you mean \"delta\"?"},
        {"{\"page_hinkley\": {\"mode\": \"sideways\"}}",
         ".page_hinkley.mode: write one of \"up\", \"down\", \"both\""},
        {"{\"kswin\": {\"stat_size\": 51}}",
         ".kswin: stat_size: write at most half of window_size"},
        {"[\"adwin\"]", ": write \"class\" or {\"class\": {parameters}}"},
        {"\"adwin\" x", ": it is not JSON"},
        {"", ": it is not JSON"},
    };
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(detector_new(bad[i].json, strlen(bad[i].json), &err));
        assert_int_equal(err.code, ERR_INVALID);
        if (strncmp(err.text, bad[i].says, strlen(bad[i].says)) != 0)
            fail_msg("%s: \"%s\" does not begin with \"%s\"", bad[i].json, err.text, bad[i].says);
    }

    struct detector *d = new_detector("{\"adwin\": {\"delta\": 0.01}}");
    assert_string_equal(detector_class(d), "adwin");
    assert_string_equal(detector_parameters(d),
                        "{\"adwin\":{\"clock\":32,\"delta\":0.01,\"grace_period\":10,"
                        "\"max_buckets\":5,\"min_window_length\":5}}");
    detector_free(d);
    d = new_detector("\"page_hinkley\"");
    assert_string_equal(detector_parameters(d),
                        "{\"page_hinkley\":{\"alpha\":0.9999,\"delta\":0.005,"
                        "\"min_instances\":30,\"mode\":\"both\",\"threshold\":50}}");
    detector_free(d);
    detector_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),   cmocka_unit_test(test_adwin_spread),
        cmocka_unit_test(test_goes_on),  cmocka_unit_test(test_bad_states),
        cmocka_unit_test(test_change),   cmocka_unit_test(test_monstrous_values),
        cmocka_unit_test(test_ddm),      cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
