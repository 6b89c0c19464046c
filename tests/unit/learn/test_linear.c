/*
 * The linear models against River's: each loss with each optimizer, the schedules,
 * regularisation, the passive-aggressive ones, and River's published figures.
 */
#include "golden.h"

#include "learn/loss.h"
#include "learn/spec.h"

/* Every prediction is River's within 1e-9: 56 traces of 5,000 rows. */
static void test_traces(void **state)
{
    (void)state;
    golden_family("linear", 56);
}

static void check_accuracy(const char *set, const char *pipeline, double published, double n)
{
    struct golden_scores scores = golden_data(set, pipeline);

    print_message("  %s, %s: accuracy %.6f (published %.6f)\n", set, pipeline,
                  scores.right / scores.n, published);
    assert_true(scores.n == n);
    assert_true(fabs(scores.right / scores.n - published) < 1e-6);
}

#define LOGISTIC                                                                                   \
    "[\"standard_scaler\", {\"logistic_regression\": {\"optimizer\": {\"sgd\": {\"lr\": "          \
    "0.005}}}}]"

static void check_mae(const char *set, const char *pipeline, double published, double n)
{
    struct golden_scores scores = golden_data(set, pipeline);

    print_message("  %s, %s: MAE %.6f (published %.6f)\n", set, pipeline, scores.mae, published);
    assert_true(scores.n == n);
    assert_true(fabs(scores.mae - published) < 1e-6);
}

#define LINEAR    "[\"standard_scaler\", \"linear_regression\"]"
#define LINEAR_L2 "[\"standard_scaler\", {\"linear_regression\": {\"l2\": 1}}]"

/* Linear and logistic regression score what River publishes. */
static void test_published(void **state)
{
    (void)state;
    check_mae("trump", LINEAR, 1.314548, 1001);
    check_mae("trump", LINEAR_L2, 1.871511, 1001);
    check_mae("chick", LINEAR, 23.758657, 578);
    check_mae("chick", LINEAR_L2, 25.273805, 578);
    check_accuracy("phishing", LOGISTIC, 0.8872, 1250);
    check_accuracy("bananas", LOGISTIC, 0.543208, 5300);
}

static struct loss loss_from(const char *text)
{
    struct component *component = NULL;
    struct err err = {0};
    struct loss loss;

    if (spec_parse_one(LEARN_LOSS, text, strlen(text), &component, &err))
        fail_msg("%s%s", text, err.text);
    loss = loss_of(component);
    component_free(component);
    return loss;
}

/* Gradients at and beside their kinks, from River's definitions. */
static void test_gradients(void **state)
{
    static const struct {
        const char *loss;
        double y, p, gradient;
    } cases[] = {
        {"\"squared\"", 3, 5, 4},
        {"\"absolute\"", 3, 5, 1},
        {"\"absolute\"", 5, 3, -1},
        {"\"absolute\"", 3, 3, -1},
        {"{\"huber\": {\"epsilon\": 2}}", 1, 3, 2},
        {"{\"huber\": {\"epsilon\": 2}}", 1, 2.5, 1.5},
        {"{\"huber\": {\"epsilon\": 2}}", 1, 9, 2},
        {"{\"huber\": {\"epsilon\": 2}}", 1, -9, -2},
        {"{\"quantile\": {\"alpha\": 0.25}}", 1, 2, 0.75},
        {"{\"quantile\": {\"alpha\": 0.25}}", 2, 2, -0.25},
        {"{\"epsilon_insensitive_hinge\": {\"eps\": 0.5}}", 1, 1.5, 0},
        {"{\"epsilon_insensitive_hinge\": {\"eps\": 0.5}}", 1, 1.75, 1},
        {"{\"epsilon_insensitive_hinge\": {\"eps\": 0.5}}", 0, -1.75, -1},
        {"\"log\"", 1, 0, -0.5},
        {"\"log\"", 0, 0, 0.5},
        {"{\"log\": {\"weight_neg\": 4}}", 0, 0, 2},
        {"{\"log\": {\"weight_pos\": 3}}", 1, -20, -3},
        {"{\"log\": {\"weight_neg\": 4}}", 0, 20, 4},
        {"\"hinge\"", 1, 1, -1},
        {"\"hinge\"", 1, 1.25, 0},
        {"\"hinge\"", 0, -1, 1},
        {"{\"hinge\": {\"threshold\": 0}}", 0, -0.5, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loss loss = loss_from(cases[i].loss);
        double gradient = loss_gradient(&loss, cases[i].y, cases[i].p);

        if (gradient != cases[i].gradient)
            fail_msg("%s: gradient %g at y %g, p %g; should be %g", cases[i].loss, gradient,
                     cases[i].y, cases[i].p, cases[i].gradient);
    }
    assert_true(loss_sigmoid(-31) == 0 && loss_sigmoid(31) == 1 && loss_sigmoid(0) == 0.5);
}

/* Features of any size: no weight becomes NaN, and the model learns again afterwards. */
static void test_overflow(void **state)
{
    static const char *const optimizers[] = {"sgd",  "momentum", "ada_grad",
                                             "adam", "rms_prop", "ftrl_proximal"};

    (void)state;
    for (size_t i = 0; i < sizeof(optimizers) / sizeof(optimizers[0]); i++) {
        struct schema *schema = golden_schema(2);
        struct buf text = BUF_INIT;
        struct err err = {0};

        buf_printf(&text, "[{\"logistic_regression\": {\"optimizer\": \"%s\"}}]", optimizers[i]);
        struct model *m = model_new(text.data, schema, &err);

        assert_non_null(m);
        for (size_t k = 0; k < 200; k++) {
            const double x[2] = {k % 3 ? 1e308 : -1e308, k % 2 ? 1 : -1};

            model_learn_one(m, x, (double)(k % 2), 1e6);
            assert_true(model_predict_one(m, (const double[]){(double)NAN, 1}) >= 0);
        }
        model_free(m);
        schema_free(schema);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traces),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
