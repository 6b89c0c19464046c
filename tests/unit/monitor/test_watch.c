/* The monitor's watch on features: marks of alarms, silent features, JSON, skew, restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "learn/rng.h"
#include "monitor/drift.h"
#include "unit/monitor/task_file.h"

#define OPTIONS                                                                                    \
    ",\"monitor\":{\"drift\":{\"reference_rows\":2000,\"window_rows\":1000,\"silent\":\"c\"}}"

struct heard {
    size_t n;
    char feature[16];
    char id[96];
    char text[480];
};

static void hear(void *ctx, const struct watch_alarm *alarm)
{
    struct heard *heard = ctx;

    heard->n++;
    snprintf(heard->feature, sizeof(heard->feature), "%s", alarm->feature);
    snprintf(heard->id, sizeof(heard->id), "%s", alarm->id);
    snprintf(heard->text, sizeof(heard->text), "%s", alarm->text);
}

/* Serves and learns `n` rows; `shift` is added to a and c. */
static void rows(struct watch *w, struct rng *rng, size_t n, double shift, struct heard *heard)
{
    static size_t number;

    for (size_t i = 0; i < n; i++) {
        double x[3] = {rng_random(rng) + shift, rng_random(rng) < 0.5, rng_random(rng) + shift};
        struct json_value features;
        char text[200];
        char key[32];
        int len =
            snprintf(text, sizeof(text), "{\"a\":%.17g,\"b\":%g,\"c\":%.17g}", x[0], x[1], x[2]);

        snprintf(key, sizeof(key), "trip-%zu", number++);
        assert_int_equal(json_parse(text, (size_t)len, &features, NULL), 0);
        watch_served(w, key, strlen(key), &features);
        watch_learned(w, key, strlen(key), &features, x, (int64_t)number, hear, heard);
    }
}

/* A member of the JSON of all of drift, or of a tick's. */
static struct buf written(const struct watch *w, bool tick, struct json_value *ret)
{
    struct buf out = BUF_INIT;

    buf_byte(&out, '{');
    if (tick)
        watch_write_tick(w, &out);
    else
        watch_write(w, &out);
    buf_byte(&out, '}');
    assert_int_equal(json_parse(out.data, out.len, ret, NULL), 0);
    return out;
}

static double number_in(const struct json_value *object, const char *name, const char *inner)
{
    struct json_value v;
    double n;

    assert_true(json_get(object, name, &v));
    if (inner) {
        struct json_value of = v;

        assert_true(json_get(&of, inner, &v));
    }
    assert_true(json_number(&v, &n));
    return n;
}

static bool drifting(const struct watch *w, size_t feature)
{
    struct watch_figures figures;

    watch_feature(w, feature, &figures);
    return figures.drifting;
}

/* An alarm is told once when it rises and once when it clears; a silent feature only shows. */
static void test_alarm(void **state)
{
    struct task *task = load_task_file(OPTIONS);
    struct watch *w = watch_new(task);
    struct heard heard = {0};
    struct rng rng;
    struct watch_figures c;
    char risen[96];

    (void)state;
    rng_seed(&rng, 1);
    rows(w, &rng, 2500, 0, &heard);
    assert_string_equal(watch_state(w), "learning");
    rows(w, &rng, 2500, 0, &heard);
    assert_string_equal(watch_state(w), "ok");
    assert_int_equal(heard.n, 0);

    rows(w, &rng, 2000, 0.5, &heard);
    assert_int_equal(heard.n, 1);
    assert_string_equal(heard.feature, "a");
    assert_non_null(
        strstr(heard.text, "a is no longer distributed as in the first 2000 rows: PSI"));
    assert_string_equal(watch_state(w), "drifting");
    assert_true(drifting(w, 0) && !drifting(w, 1) && !drifting(w, 2));
    watch_feature(w, 2, &c);
    assert_true(c.silent && c.psi > 0.2 && c.ks > 0.1);
    memcpy(risen, heard.id, sizeof(risen));

    rows(w, &rng, 2000, 0, &heard);
    assert_int_equal(heard.n, 2);
    assert_non_null(strstr(heard.text, "again"));
    assert_string_not_equal(heard.id, risen);
    assert_string_equal(watch_state(w), "ok");
    watch_free(w);
    task_free(task);
}

/* The JSON has the shape that docs/monitor.md says, at every stage. */
static void test_json(void **state)
{
    struct task *task = load_task_file(OPTIONS);
    struct watch *w = watch_new(task);
    struct heard heard = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2);
    for (size_t stage = 0; stage < 4; stage++) {
        struct json_value root;
        struct json_value list;
        struct json_value feature;
        struct json_iter it;
        struct buf text = written(w, stage % 2, &root);
        size_t n = 0;

        assert_true(json_get(&root, "features", &list));
        json_iter_init(&it, &list);
        while (json_next_element(&it, &feature)) {
            struct json_value psi;

            assert_true(json_get(&feature, "psi", &psi));
            assert_int_equal(psi.type, stage < 3 ? JSON_NULL : JSON_NUMBER);
            n++;
        }
        assert_int_equal(n, 3);
        assert_true(number_in(&root, "skew", "differing") == 0);
        if (stage == 2)
            assert_true(number_in(&root, "reference", "rows") == 1500);
        buf_release(&text);
        rows(w, &rng, stage < 2 ? 750 : 3000, 0, &heard);
    }
    watch_free(w);
    task_free(task);
}

/* Values that the learner gets otherwise than they were served are counted, and no drift. */
static void test_skew(void **state)
{
    struct task *task = load_task_file(OPTIONS);
    struct watch *w = watch_new(task);
    const double x[3] = {1, 0, 3};
    struct json_value served;
    struct json_value learned;
    struct json_value root;
    struct buf text;

    (void)state;
    assert_int_equal(json_parse("{\"a\":1,\"b\":0,\"c\":2}", 19, &served, NULL), 0);
    assert_int_equal(json_parse("{\"a\":1,\"b\":0,\"c\":3}", 19, &learned, NULL), 0);
    watch_served(w, "k", 1, &served);
    watch_learned(w, "k", 1, &learned, x, 0, hear, NULL);
    assert_int_equal(watch_compared(w), 3);
    assert_int_equal(watch_differing(w), 1);
    text = written(w, false, &root);
    assert_non_null(strstr(text.data, "\"examples\":[{\"key\":\"k\",\"feature\":\"c\",\"served\":2,"
                                      "\"learned\":3}]"));
    assert_string_equal(watch_state(w), "learning");
    buf_release(&text);
    watch_free(w);
    task_free(task);
}

/* What was saved goes on; a reset begins anew; a state that does not fit says so. */
static void test_kept(void **state)
{
    struct task *task = load_task_file(OPTIONS);
    struct task *other = load_task_file(",\"monitor\":{\"drift\":{\"reference_rows\":3000}}");
    struct watch *w = watch_new(task);
    struct watch *again = watch_new(task);
    struct watch *different = watch_new(other);
    struct heard heard = {0};
    struct buf kept = BUF_INIT;
    struct buf none = BUF_INIT;
    struct err err = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    assert_false(watch_save(w, &none));
    rows(w, &rng, 4500, 0, &heard);
    rows(w, &rng, 2000, 0.5, &heard);
    assert_true(watch_save(w, &kept));
    assert_false(watch_save(w, &none)); /* nothing new since then */
    assert_int_equal(none.len, 0);
    assert_int_equal(watch_load(again, kept.data, kept.len, &err), 0);
    assert_true(drifting(again, 0));
    assert_int_equal(watch_load(different, kept.data, kept.len, &err), ERR_CONFLICT);
    assert_string_equal(watch_state(different), "learning");

    watch_reset(again);
    assert_string_equal(watch_state(again), "learning");
    assert_true(watch_save(again, &none)); /* that it began anew is worth keeping */
    watch_free(w);
    watch_free(again);
    watch_free(different);
    buf_release(&kept);
    buf_release(&none);
    task_free(task);
    task_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alarm),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_skew),
        cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
