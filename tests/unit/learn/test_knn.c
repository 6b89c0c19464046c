/* The nearest neighbours against a search that looks at every row and sorts. */
#include "support.h"

#include "base/mem.h"

#define MAX_ROWS 4000

struct oracle {
    size_t width;
    size_t k;
    size_t window;
    size_t n; /* rows ever */
    double x[MAX_ROWS][FEATURES];
    double y[MAX_ROWS];
};

struct row {
    double dist;
    size_t at;
};

/* River's distance: over the features of the query, then over those that only the row has. */
static double distance(const struct oracle *o, const double *q, const double *x)
{
    double sum = 0;

    for (size_t j = 0; j < o->width; j++) {
        double other = isnan(x[j]) ? 0 : x[j];

        if (!isnan(q[j]))
            sum += (q[j] - other) * (q[j] - other);
    }
    for (size_t j = 0; j < o->width; j++) {
        if (isnan(q[j]) && !isnan(x[j]))
            sum += x[j] * x[j];
    }
    return sqrt(sum);
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *ra = a;
    const struct row *rb = b;

    if (ra->dist != rb->dist)
        return ra->dist < rb->dist ? -1 : 1;
    return ra->at < rb->at ? -1 : ra->at > rb->at;
}

static double oracle_predict(const struct oracle *o, const double *q)
{
    size_t from = o->n > o->window ? o->n - o->window : 0;
    size_t n = o->n - from;
    struct row *rows = mem_zalloc(n + 1, sizeof(*rows));
    double weights = 0;
    double sum = 0;
    double answer = 0;

    for (size_t i = 0; i < n; i++)
        rows[i] = (struct row){.dist = distance(o, q, o->x[from + i]), .at = from + i};
    qsort(rows, n, sizeof(*rows), compare_rows);
    for (size_t i = 0; i < n && i < o->k; i++) {
        weights += 1 / rows[i].dist;
        sum += o->y[rows[i].at] / rows[i].dist;
    }
    if (n > 0)
        answer = rows[0].dist == 0 ? o->y[rows[0].at] : sum / weights;
    free(rows);
    return answer;
}

/* `scale` multiplies every feature; 0 makes them small whole numbers, for ties. */
static void compare(size_t k, size_t window, size_t rows, double scale)
{
    struct schema *schema = support_schema(FEATURES);
    struct oracle *o = mem_zalloc(1, sizeof(*o));
    struct buf pipeline = BUF_INIT;
    struct model *m;
    struct rng rng;

    buf_printf(&pipeline,
               "[{\"knn_regressor\": {\"n_neighbors\": %zu, \"window_size\": %zu, "
               "\"aggregation_method\": \"weighted_mean\"}}]",
               k, window);
    m = support_model(pipeline.data, schema);
    o->width = FEATURES;
    o->k = k;
    o->window = window;
    rng_seed(&rng, k * window);
    for (; o->n < rows; o->n++) {
        double *x = o->x[o->n];
        double p;

        o->y[o->n] = support_sample(&rng, x);
        for (size_t j = 0; j < FEATURES; j++)
            x[j] = scale == 0 ? nearbyint(x[j] / 2) : x[j] * scale;
        p = oracle_predict(o, x);
        if (fabs(model_predict_one(m, x) - p) > 1e-12 * fmax(1, fabs(p)))
            fail_msg("k %zu, window %zu, row %zu: %.17g, not %.17g", k, window, o->n,
                     model_predict_one(m, x), p);
        model_learn_one(m, x, o->y[o->n], 1);
    }
    buf_release(&pipeline);
    model_free(m);
    schema_free(schema);
    free(o);
}

/* Every answer is the one of a search that looks at every row. */
static void test_exact(void **state)
{
    (void)state;
    compare(5, 1000, 2500, 1);
    compare(1, 33, 300, 1);
    compare(3, 32, 300, 1);
    compare(7, 1, 50, 1);
    compare(40, 100, 500, 1);
    compare(1000, 900, 1000, 1);
}

/* Of rows that are equally far the oldest count, also around the end of the ring. */
static void test_ties(void **state)
{
    (void)state;
    compare(5, 200, 1500, 0);
    compare(31, 77, 800, 0);
    compare(33, 77, 800, 0);
    compare(200, 300, 900, 0);
}

/* A window that is larger than what is searched at once. */
static void test_large_window(void **state)
{
    (void)state;
    compare(5, 2500, 3999, 0);
    compare(12, 3000, 3999, 1);
}

/* Values of any size: the rough distances are widened enough, or not used. */
static void test_scales(void **state)
{
    static const double scales[] = {1e-140, 1e-30, 1e-20, 1e-12, 1e-3, 1e9, 1e14, 1e20, 1e140};

    (void)state;
    for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++)
        compare(4, 300, 700, scales[i]);
}

/* Rows far from 0 and close to each other, where a float cannot tell them apart. */
static void test_offset(void **state)
{
    struct schema *schema = support_schema(1);
    struct model *m = support_model("[{\"knn_regressor\": {\"n_neighbors\": 1}}]", schema);

    (void)state;
    for (int i = 0; i < 900; i++)
        model_learn_one(m, &(double){1e9 + i * 37 % 900}, i * 37 % 900, 1);
    for (int i = 0; i < 900; i++)
        assert_true(model_predict_one(m, &(double){1e9 + i + 0.25}) == i);
    model_free(m);
    schema_free(schema);
}

/* A row that was seen before answers with its label, the oldest one's if there are several. */
static void test_same_row(void **state)
{
    struct schema *schema = support_schema(2);
    struct model *m = support_model("[\"knn_regressor\"]", schema);
    const double x[2] = {1, (double)NAN};
    const double zero[2] = {1, 0};

    (void)state;
    assert_true(model_predict_one(m, x) == 0);
    model_learn_one(m, x, 7, 1);
    model_learn_one(m, x, 9, 1);
    assert_true(model_predict_one(m, x) == 7);
    /* What is missing counts as 0. */
    assert_true(model_predict_one(m, zero) == 7);
    model_free(m);
    schema_free(schema);
}

/* Distances that overflow still give an answer, of the rows that there are. */
static void test_overflow(void **state)
{
    struct schema *schema = support_schema(2);
    struct model *m = support_model("[{\"knn_regressor\": {\"n_neighbors\": 2}}]", schema);
    const double huge[2] = {1e308, -1e308};
    const double small[2] = {1, 2};

    (void)state;
    model_learn_one(m, huge, 4, 1);
    assert_true(model_predict_one(m, small) == 4);
    model_learn_one(m, huge, 8, 1);
    assert_true(model_predict_one(m, small) == 6);
    model_learn_one(m, (const double[]){1, 2.5}, 100, 1);
    assert_true(model_predict_one(m, small) == 52);
    model_free(m);
    schema_free(schema);
}

/* The mean of labels that cancel is exact. */
static void test_exact_mean(void **state)
{
    struct schema *schema = support_schema(1);
    struct model *m = support_model("[{\"knn_regressor\": {\"n_neighbors\": 3}}]", schema);
    const double x = 0;

    (void)state;
    model_learn_one(m, &(double){1}, 1e17, 1);
    model_learn_one(m, &(double){2}, 3, 1);
    model_learn_one(m, &(double){3}, -1e17, 1);
    assert_true(model_predict_one(m, &x) == 1);
    model_free(m);
    schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_large_window), cmocka_unit_test(test_same_row),
        cmocka_unit_test(test_overflow),     cmocka_unit_test(test_exact_mean),
        cmocka_unit_test(test_scales),       cmocka_unit_test(test_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
