/* What ensembles hold: members of any class, their bound, their bytes, saving and loading. */
#include "support.h"

#include "learn/members.h"
#include "learn/spec.h"

#define TREE "{\"hoeffding_tree_regressor\": {\"grace_period\": 20, \"tau\": 0.5}}"

static struct component *component_from(enum learn_kind kind, const char *text)
{
    struct component *component = NULL;
    struct err err = {0};

    if (spec_parse_one(kind, text, strlen(text), &component, &err))
        fail_msg("%s%s", text, err.text);
    return component;
}

static void learn_all(struct members *m, size_t rows)
{
    struct rng rng;

    rng_seed(&rng, 1);
    for (size_t k = 0; k < rows; k++) {
        double x[FEATURES];
        double y = support_sample(&rng, x);

        for (size_t i = 0; i < m->n; i++) {
            if (k % (i + 1) == 0)
                learner_learn(m->at[i], x, y, 1);
        }
    }
}

/* Members that were saved and loaded are the same to the last bit; another number is refused. */
static void test_saved(void **state)
{
    struct component *component = component_from(LEARN_REGRESSOR, TREE);
    struct members m;
    struct members again;
    struct members more;
    struct buf blob = BUF_INIT;
    struct buf copy = BUF_INIT;
    struct blob_reader in;

    (void)state;
    members_init(&m, component, 3, FEATURES);
    members_init(&again, component, 3, FEATURES);
    members_init(&more, component, 4, FEATURES);
    learn_all(&m, 500);
    members_save(&m, &blob);

    blob_reader_init(&in, blob.data, blob.len);
    members_load(&again, &in);
    assert_false(blob_failed(&in));
    members_save(&again, &copy);
    assert_int_equal(blob.len, copy.len);
    assert_memory_equal(blob.data, copy.data, blob.len);
    assert_int_equal(members_bytes(&m), members_bytes(&again));

    blob_reader_init(&in, blob.data, blob.len);
    members_load(&more, &in);
    assert_string_equal(in.failure, "it has another number of members");

    buf_release(&blob);
    buf_release(&copy);
    members_release(&m);
    members_release(&again);
    members_release(&more);
    component_free(component);
}

/* All members together stay within the bound, and so do those that are made later. */
static void test_bounded(void **state)
{
    struct component *component =
        component_from(LEARN_REGRESSOR, "{\"knn_regressor\": {\"window_size\": 100000}}");
    const size_t max = 200000;
    struct members m;

    (void)state;
    members_init(&m, component, 4, FEATURES);
    members_set_max_bytes(&m, max, m.n);
    learn_all(&m, 5000);
    assert_true(members_bytes(&m) <= max && members_bytes(&m) > max / 2);
    members_replace(&m, 0);
    assert_true(learner_bytes(m.at[0]) < learner_bytes(m.at[1]));
    learn_all(&m, 5000);
    assert_true(members_bytes(&m) <= max && members_bytes(&m) > max / 2);
    members_release(&m);
    component_free(component);
}

/* A member that takes the place of another knows the kinds of the features, too. */
static void test_kinds(void **state)
{
    static const enum feature_kind kinds[FEATURES] = {FEATURE_CATEGORICAL, FEATURE_NUMERIC,
                                                      FEATURE_NUMERIC, FEATURE_NUMERIC};
    struct component *component = component_from(LEARN_REGRESSOR, TREE);
    struct members m;
    struct members other;

    (void)state;
    assert_null(component_without_categories(component));
    members_init(&m, component, 2, FEATURES);
    members_init(&other, component, 2, FEATURES);
    members_set_kinds(&m, kinds);
    members_set_kinds(&other, kinds);
    learn_all(&m, 300);
    members_replace(&m, 0);
    members_replace(&m, 1);
    learn_all(&m, 1000);
    learn_all(&other, 1000);
    for (size_t i = 0; i < 2; i++) {
        const double x[FEATURES] = {3, 1, -1, 0.5};

        assert_true(learner_predict(m.at[i], x) == learner_predict(other.at[i], x));
        assert_true(learner_bytes(m.at[i]) == learner_bytes(other.at[i]));
    }
    members_release(&m);
    members_release(&other);
    component_free(component);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
