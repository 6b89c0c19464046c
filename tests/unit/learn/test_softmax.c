/* Softmax regression of two labels against River's, and its edges. */
#include "golden.h"
#include "support.h"

/* Every prediction is River's within 1e-9, with each optimizer. */
static void test_traces(void **state)
{
    (void)state;
    golden_family_of("softmax", "softmax", 11);
}

/* One label: nothing before it, and certainty until the other comes; a tie goes to the first. */
static void check_first(double first)
{
    struct schema *schema = support_schema(1);
    struct model *m = support_model("[\"softmax_regression\"]", schema);
    double p;

    assert_true(isnan(model_predict_one(m, &(double){1})));
    model_learn_one(m, &(double){1}, first, 1);
    assert_true(model_predict_one(m, &(double){-5}) == first);
    model_learn_one(m, &(double){1}, 1 - first, 1);
    p = model_predict_one(m, &(double){0});
    assert_true(fabs(p - 0.5) < 1e-15 && model_label(p) == (first == 1));
    model_free(m);
    schema_free(schema);
}

static void test_first(void **state)
{
    (void)state;
    check_first(0);
    check_first(1);
}

/* Features of any size: the answer stays a probability, or nothing. */
static void test_overflow(void **state)
{
    static const char *const optimizers[] = {"sgd",  "momentum", "nesterov_momentum", "ada_grad",
                                             "adam", "rms_prop", "ftrl_proximal"};

    (void)state;
    for (size_t i = 0; i < sizeof(optimizers) / sizeof(optimizers[0]); i++) {
        struct schema *schema = support_schema(2);
        struct buf text = BUF_INIT;

        buf_printf(&text, "[{\"softmax_regression\": {\"optimizer\": \"%s\"}}]", optimizers[i]);
        struct model *m = support_model(buf_str(&text), schema);

        for (size_t k = 0; k < 200; k++) {
            const double x[2] = {k % 3 ? 1e308 : -1e308, k % 2 ? 1 : -1};
            double p = model_predict_one(m, x);

            assert_true(isnan(p) || (p >= 0 && p <= 1));
            model_learn_one(m, x, (double)(k % 2), 1);
        }
        model_free(m);
        schema_free(schema);
        buf_release(&text);
    }
}

/* The loss of labels is for this class, and this class for no other. */
static void test_refused(void **state)
{
    static const char *const pipelines[][2] = {
        {"[{\"softmax_regression\": {\"loss\": \"log\"}}]", "write cross_entropy"},
        {"[{\"linear_regression\": {\"loss\": \"cross_entropy\"}}]", "write squared"},
        {"[{\"logistic_regression\": {\"loss\": \"cross_entropy\"}}]", "write log or hinge"},
        {"[{\"softmax_regression\": {\"optimizer\": {\"sgd\": {\"lr\": {\"optimal\": {\"loss\": "
         "\"cross_entropy\"}}}}}}]",
         "write another one"},
    };
    struct schema *schema = support_schema(1);
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(pipelines) / sizeof(pipelines[0]); i++) {
        assert_null(model_new(pipelines[i][0], schema, &err));
        if (!strstr(err.text, pipelines[i][1]))
            fail_msg("%s: %s", pipelines[i][0], err.text);
    }
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
