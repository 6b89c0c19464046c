/* Bagging against River's, its published figure, and what happens at the edges. */
#include "golden.h"

#include "learn/exact_mean.h"

/* Every prediction is River's within 1e-9, members that were replaced among them. */
static void test_traces(void **state)
{
    (void)state;
    golden_family_of("bagging", "regressors", 6);
    golden_family_of("bagging", "classifiers", 4);
    golden_family_of("bagging", "adwin", 3);
    golden_family_of("bagging", "leveraging", 6);
    golden_family_of("bagging", "categories", 3);
    golden_family_of("bagging_come_and_go", "changing", 4);
}

/* Bagging scores what River publishes. */
static void test_published(void **state)
{
    struct golden_scores scores =
        golden_data("trump", "[\"standard_scaler\", {\"bagging_regressor\": {\"model\": "
                             "{\"linear_regression\": {\"intercept_lr\": 0.1}}, \"n_models\": 3, "
                             "\"seed\": 42}}]");

    (void)state;
    print_message("  trump: MAE %.6f (published 0.677586)\n", scores.mae);
    assert_true(fabs(scores.mae - 0.677586) < 1e-6);
}

/* The mean is what CPython's statistics.mean() gives: of the exact sum, rounded once. */
static void test_exact_mean(void **state)
{
    static const struct {
        double v[10];
        size_t n;
        double mean;
    } cases[] = {
        {{1e16, 1, -1e16}, 3, 0x1.5555555555555p-2},
        {{.1, .1, .1, .1, .1, .1, .1, .1, .1, .1}, 10, 0.1},
        {{1e308, 1e308, 1e308}, 3, 1e308},
        {{1e308, -1e308, 3}, 3, 1},
        {{5e-324, 0}, 2, 0},
        {{5e-324, 5e-324, 0}, 3, 5e-324},
        {{1, 0x1p-53}, 2, 0.5},
        {{1, 0x1p-52, 0}, 3, 0x1.5555555555557p-2},
        {{1 + 0x1p-52, 1, 1, 1}, 4, 1},
        {{0.3, 0.1, 0.2, 1e-17}, 4, 0x1.3333333333333p-3},
        {{1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7}, 7, 0x1.199999999999ap+2},
        {{7}, 1, 7},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double found = exact_mean(cases[i].v, cases[i].n);

        if (found != cases[i].mean)
            fail_msg("case %zu: %a, should be %a", i, found, cases[i].mean);
    }
    assert_true(isnan(exact_mean((const double[]){1, (double)NAN}, 2)));
    assert_true(isinf(exact_mean((const double[]){1, (double)INFINITY}, 2)));
}

/* A letter a seed: "-" no answer, "T" and "F" for ties that go to a label, "." for other answers.
 */
static void two_members(const char *class, const char *labels, char *ret, size_t seeds)
{
    struct schema *schema = golden_schema(1);

    for (size_t seed = 0; seed < seeds; seed++) {
        struct buf text = BUF_INIT;
        struct err err = {0};

        buf_printf(&text,
                   "[{\"bagging_classifier\": {\"model\": %s, \"n_models\": 2, \"seed\": %zu}}]",
                   class, seed);
        struct model *m = model_new(text.data, schema, &err);

        if (!m)
            fail_msg("%s: %s", text.data, err.text);
        for (const char *label = labels; *label; label++)
            model_learn_one(m, &(double){1}, *label == 'T', 1);
        double p = model_predict_one(m, &(double){1});

        ret[seed] = isnan(p) ? '-' : p == 0.5 ? 'F' : p == MODEL_TIE_POSITIVE ? 'T' : '.';
        model_free(m);
        buf_release(&text);
    }
    ret[seeds] = '\0';
    schema_free(schema);
}

/* Members that disagree to a tie: the label is River's, which depends on who learned what first. */
static void test_ties(void **state)
{
    static const char bayes[] = "\"gaussian_nb\"";
    static const char tree[] = "{\"hoeffding_tree_classifier\": {\"leaf_prediction\": \"mc\"}}";
    static const char knn[] = "\"knn_classifier\"";
    static const struct {
        const char *class;
        const char *labels;
        const char *rivers; /* ensemble.BaggingClassifier(n_models=2, seed=0, 1, ...) of 0.26.1 */
    } cases[] = {
        {bayes, "TF", "...F..T.F.........T."},   {bayes, "FT", "...T..F.T.........F."},
        {bayes, "TFTF", ".............F..F..."}, {tree, "TF", "...F..T.F.........F."},
        {tree, "FT", "...T..F.T.........F."},    {tree, "TFTF", ".............F..F..."},
        {knn, "TF", "FFFF..T.FF......F..."},     {knn, "FT", "FTFT..F.TF......T..."},
        {knn, "TFTF", "FFFFF.F.FF...F..F..."},
    };
    char found[21];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        two_members(cases[i].class, cases[i].labels, found, sizeof(found) - 1);
        for (size_t k = 0; found[k]; k++) {
            if (cases[i].rivers[k] == '.' && found[k] == '-')
                found[k] = '.';
        }
        assert_string_equal(found, cases[i].rivers);
    }
}

static void assert_refused(const char *pipeline, const struct schema *schema, const char *why)
{
    struct err err = {0};

    assert_null(model_new(pipeline, schema, &err));
    assert_int_equal(err.code, ERR_INVALID);
    if (!strstr(err.text, why))
        fail_msg("\"%s\" is not in: %s", why, err.text);
}

/* Ensembles in ensembles have a limit; categories need members that take them. */
static void test_refused(void **state)
{
    struct schema *numeric = golden_schema(2);
    struct schema *categorical = golden_schema_categorical(2);

    (void)state;
    assert_refused("[{\"bagging_regressor\": {\"n_models\": 40, \"model\": {\"bagging_regressor\": "
                   "{\"n_models\": 40}}}}]",
                   numeric, "makes 1600 learners, at most 1000 are allowed");
    assert_refused("[{\"bagging_regressor\": {\"n_models\": 1}}]", numeric, "from 2 to 1000");
    assert_refused("[{\"bagging_regressor\": {\"model\": \"gaussian_nb\"}}]", numeric,
                   "unknown class \"gaussian_nb\"");
    assert_refused("[{\"leveraging_bagging_classifier\": {\"adwin_delta\": 1}}]", numeric,
                   "adwin_delta");
    assert_refused("[{\"bagging_classifier\": {\"model\": \"gaussian_nb\"}}]", categorical,
                   "gaussian_nb does not take categories");
    schema_free(numeric);
    schema_free(categorical);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),     cmocka_unit_test(test_published),
        cmocka_unit_test(test_exact_mean), cmocka_unit_test(test_ties),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
