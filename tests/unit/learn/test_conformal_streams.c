/* Coverage of intervals over streams: that stay as they are, with late labels, and under drift. */
#include "support.h"

#include "base/mem.h"

#define LABELS 10000 /* over which the promise holds */
#define POINTS 0.02  /* by so much */
#define SEEDS  6

enum shape { GAUSS, UNIFORM, LAPLACE, SKEWED, HEAVY, BY_FEATURE, WHOLE, N_SHAPES };

static const char *const shape_names[] = {"gauss", "uniform",      "laplace", "skewed",
                                          "heavy", "by a feature", "whole"};

static double noise(struct rng *rng, enum shape shape, double x)
{
    double u = rng_random(rng);

    switch (shape) {
    case UNIFORM:
        return 4 * u - 2;
    case LAPLACE:
        return u < 0.5 ? log(2 * u + 1e-300) : -log(2 * (1 - u) + 1e-300);
    case SKEWED:
        return exp(rng_gauss(rng, 0, 1));
    case HEAVY: /* Student's t of two degrees: its variance is infinite */
        return rng_gauss(rng, 0, 1) / sqrt(-log(u + 1e-300));
    case BY_FEATURE:
        return rng_gauss(rng, 0, 0.1 + fabs(x));
    case WHOLE:
        return nearbyint(rng_gauss(rng, 0, 1));
    case GAUSS:
    case N_SHAPES:
        break;
    }
    return rng_gauss(rng, 0, 1);
}

/* A label that a linear model finds, and noise. */
static double stream(struct rng *rng, enum shape shape, double *x)
{
    for (size_t j = 0; j < 2; j++)
        x[j] = rng_gauss(rng, 0, 1);
    return 5 + 2 * x[0] - x[1] + noise(rng, shape, x[0]);
}

struct outcome {
    double n;
    double inside;
    double width;
};

static void count(struct outcome *o, const struct issued *said, double y)
{
    if (!issued_has_interval(said))
        return;
    o->n++;
    o->inside += y >= said->low && y <= said->high;
    o->width += said->high - said->low;
}

static double coverage(const char *pipeline, enum shape shape, uint64_t seed)
{
    struct schema *schema = support_schema(2);
    struct model *m = support_model(pipeline, schema);
    struct outcome o = {0};
    struct rng rng;

    rng_seed(&rng, seed);
    for (int i = 0; i < LABELS; i++) {
        struct issued said;
        double x[2];
        double y = stream(&rng, shape, x);

        model_answer(m, x, &said);
        count(&o, &said, y);
        model_learn_one(m, x, y, 1);
    }
    model_free(m);
    schema_free(schema);
    assert_true(o.n > LABELS - 200);
    return o.inside / o.n;
}

/* Over 10,000 labels of a stream that stays as it is, coverage is within two points of its target.
 */
static void test_coverage(void **state)
{
    static const struct {
        const char *pipeline;
        double target;
    } cases[] = {
        {"[\"standard_scaler\", \"adaptive_conformal\"]", 0.9},
        {"[{\"adaptive_conformal\": {\"coverage\": 0.5}}]", 0.5},
        {"[{\"adaptive_conformal\": {\"coverage\": 0.99, \"regressor\": \"mean\"}}]", 0.99},
        {"[{\"target_standard_scaler\": {\"regressor\": \"adaptive_conformal\"}}]", 0.9},
        {"[{\"adaptive_conformal\": {\"regressor\": \"hoeffding_tree_regressor\"}}]", 0.9},
    };

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        for (int shape = 0; shape < N_SHAPES; shape++) {
            for (uint64_t seed = 0; seed < (c ? 1 : SEEDS); seed++) {
                double is = coverage(cases[c].pipeline, (enum shape)shape, seed);

                /* Whole numbers lie on the ends of their intervals, which hold more then. */
                if (is < cases[c].target - POINTS ||
                    (shape != WHOLE && is > cases[c].target + POINTS))
                    fail_msg("%s, noise %s, seed %d: coverage %.4f", cases[c].pipeline,
                             shape_names[shape], (int)seed, is);
            }
        }
    }
}

/* A loop: answers come from a copy that is made anew every `publish` labels, labels `late` samples
 * after their question. */
struct loop {
    struct schema *schema;
    struct model *learner;
    struct model *serving;
    size_t late;
    size_t publish;
    struct {
        double x[2];
        double y;
        struct issued said;
        uint64_t learned; /* by the version that said it */
    } * asked;            /* a ring of `late` */
    size_t n;
    size_t learned;
};

static void loop_publish(struct loop *l)
{
    struct buf blob = BUF_INIT;
    struct err err;

    if (l->publish == 1)
        return; /* what learns answers by itself */
    model_save(l->learner, &blob);
    model_free(l->serving);
    l->serving = model_load(blob.data, blob.len, l->schema, MODEL_DEFAULT_MAX_BYTES, &err);
    assert_non_null(l->serving);
    buf_release(&blob);
}

static void loop_init(struct loop *l, size_t late, size_t publish)
{
    *l = (struct loop){.late = late, .publish = publish};
    l->schema = support_schema(2);
    l->learner = support_model("[\"standard_scaler\", \"adaptive_conformal\"]", l->schema);
    l->asked = mem_zalloc(late, sizeof(*l->asked));
    loop_publish(l);
}

static void loop_release(struct loop *l)
{
    model_free(l->learner);
    model_free(l->serving);
    schema_free(l->schema);
    free(l->asked);
}

/* Asks x, and learns what was asked `late` samples ago. */
static void loop_step(struct loop *l, const double *x, double y, struct outcome *o)
{
    size_t at = l->n % l->late;

    if (l->n >= l->late) {
        count(o, &l->asked[at].said, l->asked[at].y);
        /* What went out without an interval gives a residual, of what the model says now. */
        l->asked[at].said.age = (double)(model_learned(l->learner) - l->asked[at].learned);
        if (!issued_has_interval(&l->asked[at].said))
            l->asked[at].said = issued_alone(model_predict_one(l->learner, l->asked[at].x));
        model_learn_issued(l->learner, l->asked[at].x, l->asked[at].y, 1, &l->asked[at].said);
        /* Young models are published sooner, as by the services. */
        if (++l->learned % l->publish == 0 || (l->learned < l->publish && l->learned % 100 == 0))
            loop_publish(l);
    }
    memcpy(l->asked[at].x, x, sizeof(l->asked[at].x));
    l->asked[at].y = y;
    model_answer(l->serving ? l->serving : l->learner, x, &l->asked[at].said);
    l->asked[at].learned = model_learned(l->serving ? l->serving : l->learner);
    l->n++;
}

/* The same of what a loop issues: by versions that are thousands of labels old, and in no thousand
 * of them far off. */
static void test_late_labels(void **state)
{
    static const size_t delays[][2] = {{1, 1}, {100, 500}, {2000, 1000}, {2000, 5000}};

    (void)state;
    for (size_t d = 0; d < 4; d++) {
        struct outcome all = {0};
        struct loop l;
        struct rng rng;

        loop_init(&l, delays[d][0], delays[d][1]);
        rng_seed(&rng, d);
        while (all.n < LABELS) {
            struct outcome o = {0};

            for (int i = 0; i < 1000; i++) {
                double x[2];
                double y = stream(&rng, GAUSS, x);

                loop_step(&l, x, y, &o);
            }
            if (all.n >= 2000)
                assert_true(o.inside / o.n > 0.8);
            all.n += o.n;
            all.inside += o.inside;
        }
        if (fabs(all.inside / all.n - 0.9) > POINTS)
            fail_msg("late by %zu, published every %zu: coverage %.4f", delays[d][0], delays[d][1],
                     all.inside / all.n);
        loop_release(&l);
    }
}

/* While a model still learns its residuals fall, and those in the window are larger than those to
 * come: coverage is right all the same. */
static void test_learning(void **state)
{
    (void)state;
    for (size_t late = 1; late <= 600; late += 599) {
        struct outcome all = {0};
        struct loop l;
        struct rng rng;

        loop_init(&l, late, late);
        rng_seed(&rng, 4);
        while (all.n < LABELS) {
            double x[2];
            double y = stream(&rng, GAUSS, x) +
                       500 * exp(-(double)l.learned / 1000) * rng_gauss(&rng, 0, 1);

            loop_step(&l, x, y, &all);
        }
        if (fabs(all.inside / all.n - 0.9) > POINTS)
            fail_msg("late by %zu: coverage %.4f", late, all.inside / all.n);
        loop_release(&l);
    }
}

/* Noise that grows fivefold and the model that is suddenly wrong: coverage falls, and comes back;
 * how fast is printed. */
static void test_drift(void **state)
{
    (void)state;
    for (size_t late = 1; late <= 1000; late += 999) {
        struct outcome all = {0};
        struct loop l;
        struct rng rng;
        double is = 0;

        loop_init(&l, late, late);
        rng_seed(&rng, 1);
        print_message("labels late by %zu; coverage by 500 samples, drift after the 20th:\n", late);
        for (int block = 0; block < 40; block++) {
            struct outcome o = {0};

            for (int i = 0; i < 500; i++) {
                double x[2];
                double y = stream(&rng, GAUSS, x);

                if (block >= 20)
                    y = 40 - y + rng_gauss(&rng, 0, 5);
                loop_step(&l, x, y, &o);
            }
            is = o.inside / o.n;
            print_message(o.n > 0 ? " %.2f" : " -", is);
            if (block >= 32) {
                all.n += o.n;
                all.inside += o.inside;
            }
        }
        print_message("\n");
        assert_true(fabs(all.inside / all.n - 0.9) < 0.03);
        loop_release(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_late_labels),
        cmocka_unit_test(test_learning),
        cmocka_unit_test(test_drift),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
