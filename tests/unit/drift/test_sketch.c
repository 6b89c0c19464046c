/* Sketches against the sorted truth: their errors, merging, distances, hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "drift/kll.h"
#include "drift/sketch.h"
#include "drift/tally.h"
#include "learn/rng.h"

enum shape { SHAPE_UNIFORM, SHAPE_LOGNORMAL, SHAPE_FEW, SHAPE_RISING, SHAPE_FALLING, SHAPES };

static double draw(struct rng *rng, enum shape shape, size_t i)
{
    switch (shape) {
    case SHAPE_UNIFORM:
        return rng_random(rng);
    case SHAPE_LOGNORMAL:
        return exp(rng_gauss(rng, 0, 2));
    case SHAPE_FEW:
        return (double)rng_below(rng, 7);
    case SHAPE_RISING:
        return (double)i;
    case SHAPE_FALLING:
    case SHAPES:
        break;
    }
    return -(double)i;
}

static int compare(const void *a, const void *b)
{
    double va = *(const double *)a;
    double vb = *(const double *)b;

    return (va > vb) - (va < vb);
}

/* The largest difference, over all x, between the sketch's share of values below x and the truth.
 */
static double largest_error(const struct kll *s, double *values, size_t n)
{
    struct kll_view view;
    double largest = 0;

    kll_view_init(&view, s);
    qsort(values, n, sizeof(*values), compare);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && values[i + 1] == values[i])
            continue;
        double error = fabs((double)kll_view_below(&view, values[i]) - (double)(i + 1));

        largest = fmax(largest, error / (double)n);
    }
    kll_view_release(&view);
    return largest;
}

static void check_error(enum shape shape, size_t n, size_t parts, uint64_t seed)
{
    double *values = mem_zalloc(n, sizeof(*values));
    struct kll whole;
    struct kll merged;
    struct kll part;
    struct rng rng;

    rng_seed(&rng, seed);
    kll_init(&whole);
    kll_init(&merged);
    kll_init(&part);
    for (size_t i = 0; i < n; i++) {
        values[i] = draw(&rng, shape, i);
        kll_add(&whole, values[i]);
        kll_add(&part, values[i]);
        assert_true(whole.items <= KLL_ITEMS);
        if ((i + 1) % (n / parts) == 0 || i + 1 == n) {
            kll_merge(&merged, &part);
            kll_clear(&part);
        }
    }
    assert_int_equal(merged.n, n);
    assert_true(merged.items <= KLL_ITEMS);
    assert_true(largest_error(&whole, values, n) <= kll_error(&whole, 0.001));
    assert_true(largest_error(&merged, values, n) <= kll_error(&merged, 0.001));
    assert_true(kll_error(&whole, 0.001) < 0.03);
    assert_true(kll_error(&merged, 0.001) < 0.03);
    assert_true(merged.min == values[0] && merged.max == values[n - 1]);
    if (n <= KLL_EXACT)
        assert_true(largest_error(&merged, values, n) == 0 && kll_error(&merged, 0.001) == 0);
    kll_release(&whole);
    kll_release(&merged);
    kll_release(&part);
    free(values);
}

/* Shares are within the error that the sketch states, in one pass and merged from parts. */
static void test_error(void **state)
{
    static const size_t sizes[] = {1, 511, 512, 10000, 100000};

    (void)state;
    for (int shape = 0; shape < SHAPES; shape++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            check_error((enum shape)shape, sizes[i], 1, i);
            if (sizes[i] >= 10)
                check_error((enum shape)shape, sizes[i], 10, i + 50);
        }
    }
}

/* The bound holds over many streams of the reference's size, and the usual error is far below it.
 */
static void test_error_often(void **state)
{
    const size_t n = 10000;
    const size_t runs = 200;
    double *values = mem_zalloc(n, sizeof(*values));
    double worst = 0;
    double sum = 0;
    double bound = 0;

    (void)state;
    for (size_t run = 0; run < runs; run++) {
        struct kll s;
        struct rng rng;
        double error;

        rng_seed(&rng, run);
        kll_init(&s);
        s.random = run; /* other coins each time */
        for (size_t i = 0; i < n; i++) {
            values[i] = rng_random(&rng);
            kll_add(&s, values[i]);
        }
        error = largest_error(&s, values, n);
        bound = kll_error(&s, 0.001);
        assert_true(error <= bound);
        worst = fmax(worst, error);
        sum += error;
        kll_release(&s);
    }
    print_message("  10,000 values, %zu streams: largest error of a share %.5f on average, %.5f at "
                  "worst; stated %.5f\n",
                  runs, sum / (double)runs, worst, bound);
    assert_true(worst < 0.015);
    free(values);
}

/* More than TALLY_MAX categories: every count is short by at most the stated error, merged or not.
 */
static void test_tally(void **state)
{
    enum { DIFFERENT = 1000, N = 50000 };
    static uint64_t truth[DIFFERENT];
    struct tally whole = {0};
    struct tally merged = {0};
    struct tally part = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    for (size_t i = 0; i < N; i++) {
        size_t category = (size_t)(DIFFERENT * pow(rng_random(&rng), 6));

        truth[category]++;
        tally_add(&whole, (double)category);
        tally_add(&part, (double)category);
        if ((i + 1) % 1000 == 0) {
            tally_merge(&merged, &part);
            part = (struct tally){0};
        }
    }
    assert_int_equal(merged.n, N);
    assert_true(tally_error(&whole) > 0 && tally_error(&whole) <= N / (TALLY_MAX + 1));
    for (size_t c = 0; c < DIFFERENT; c++) {
        const struct tally *both[] = {&whole, &merged};

        for (size_t i = 0; i < 2; i++) {
            uint64_t n = tally_count(both[i], (double)c);

            assert_true(n <= truth[c] && n + tally_error(both[i]) >= truth[c]);
        }
    }
}

/* Fills a sketch of `kind` with n draws of a shape, moved by `shift`. */
static struct sketch *filled(enum feature_kind kind, enum shape shape, size_t n, uint64_t seed,
                             double shift)
{
    struct sketch *s = sketch_new(kind);
    struct rng rng;

    rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++)
        sketch_add(s, draw(&rng, shape, i) + shift);
    return s;
}

/* KS is what the sorted values say, within the stated error; PSI what the deciles' shares say. */
static void test_distances(void **state)
{
    const double shifts[] = {0, 0.05, 0.1, 0.3, 2};

    (void)state;
    for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
        struct sketch *reference = filled(FEATURE_NUMERIC, SHAPE_UNIFORM, 10000, 1, 0);
        struct sketch *window = filled(FEATURE_NUMERIC, SHAPE_UNIFORM, 1000, 2, shifts[i]);
        struct sketch_distance d = sketch_compare(reference, window);
        double truth = fmin(shifts[i], 1);

        /* 0.05: what 1,000 values stray from their distribution (KS test, p < 0.01). */
        assert_true(fabs(d.ks - truth) <= d.ks_error + 0.052);
        assert_true(d.ks_error < 0.03);
        assert_int_equal(d.psi > 0.2, shifts[i] >= 0.1);
        sketch_free(reference);
        sketch_free(window);
    }
}

/* One value, and then another one, either way: both distances see it. The same one: both are 0. */
static void test_constant(void **state)
{
    (void)state;
    for (int to = -1; to <= 1; to++) {
        struct sketch *reference = sketch_new(FEATURE_NUMERIC);
        struct sketch *window = sketch_new(FEATURE_NUMERIC);
        struct sketch_distance d;

        for (size_t i = 0; i < 10000; i++)
            sketch_add(reference, 7);
        for (size_t i = 0; i < 1000; i++)
            sketch_add(window, 7 + to);
        d = sketch_compare(reference, window);
        assert_true(d.ks == (to ? 1 : 0));
        assert_true(to ? d.psi > 1 : d.psi == 0);
        assert_true(sketch_mean(window) == 7 + to);
        sketch_free(reference);
        sketch_free(window);
    }
}

/* Missing values are a bin of PSI and none of KS; without any value there is no KS. */
static void test_missing(void **state)
{
    struct sketch *all = filled(FEATURE_NUMERIC, SHAPE_UNIFORM, 10000, 1, 0);
    struct sketch *none = sketch_new(FEATURE_NUMERIC);
    struct sketch *half = filled(FEATURE_NUMERIC, SHAPE_UNIFORM, 500, 2, 0);
    struct sketch *nothing = sketch_new(FEATURE_NUMERIC);
    struct sketch_distance d;
    double deciles[SKETCH_DECILES];

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        sketch_add(none, (double)NAN);
    for (size_t i = 0; i < 500; i++)
        sketch_add(half, (double)INFINITY); /* no number to count with, either */

    d = sketch_compare(none, none);
    assert_true(d.psi == 0 && isnan(d.ks));
    d = sketch_compare(all, none);
    assert_true(d.psi > 1 && isnan(d.ks));
    d = sketch_compare(none, all);
    assert_true(d.psi > 1 && isnan(d.ks));
    d = sketch_compare(all, half);
    assert_true(d.psi > 0.2 && d.ks < 0.1);
    assert_int_equal(sketch_missing(half), 500);
    d = sketch_compare(all, nothing);
    assert_true(d.psi == 0 && isnan(d.ks));
    assert_true(isnan(sketch_mean(none)));
    sketch_deciles(none, deciles);
    assert_true(isnan(deciles[0]) && isnan(deciles[5]) && isnan(deciles[10]));
    sketch_free(all);
    sketch_free(none);
    sketch_free(half);
    sketch_free(nothing);
}

/* Categories: the same shares are near, new categories are far, and there is no KS. */
static void test_categories(void **state)
{
    struct sketch *reference = filled(FEATURE_CATEGORICAL, SHAPE_FEW, 10000, 1, 0);
    struct sketch *same = filled(FEATURE_CATEGORICAL, SHAPE_FEW, 1000, 2, 0);
    struct sketch *other = filled(FEATURE_CATEGORICAL, SHAPE_FEW, 700, 3, 0);
    struct sketch_distance d;

    (void)state;
    d = sketch_compare(reference, same);
    assert_true(d.psi < 0.05 && isnan(d.ks));
    for (size_t i = 0; i < 300; i++)
        sketch_add(other, 100 + (double)(i % 5));
    d = sketch_compare(reference, other);
    assert_true(d.psi > 0.2);
    sketch_free(reference);
    sketch_free(same);
    sketch_free(other);
}

/* A boolean's KS is the difference of its shares, exactly. */
static void test_boolean(void **state)
{
    struct sketch *reference = sketch_new(FEATURE_BOOLEAN);
    struct sketch *window = sketch_new(FEATURE_BOOLEAN);
    struct sketch_distance d;
    double deciles[SKETCH_DECILES];

    (void)state;
    for (size_t i = 0; i < 10000; i++)
        sketch_add(reference, i % 4 == 0);
    for (size_t i = 0; i < 1000; i++)
        sketch_add(window, i % 2 == 0);
    d = sketch_compare(reference, window);
    assert_true(d.ks == 0.25 && d.ks_error == 0 && d.psi > 0.2);
    sketch_deciles(reference, deciles);
    assert_true(deciles[0] == 0 && deciles[7] == 0 && deciles[8] == 1 && deciles[10] == 1);
    sketch_free(reference);
    sketch_free(window);
}

static struct sketch *reloaded(const struct buf *bytes, size_t len, enum feature_kind kind,
                               bool *ret_failed)
{
    struct sketch *s = sketch_new(kind);
    struct blob_reader in;

    blob_reader_init(&in, bytes->data, len);
    sketch_load(s, &in);
    *ret_failed = blob_failed(&in);
    return s;
}

/* A sketch that was saved goes on bit for bit, and half of one is refused. */
static void test_kept(void **state)
{
    (void)state;
    for (int kind = FEATURE_NUMERIC; kind <= FEATURE_CATEGORICAL; kind++) {
        struct sketch *s = filled((enum feature_kind)kind, SHAPE_FEW, 20000, 1, 0);
        struct buf once = BUF_INIT;
        struct buf twice = BUF_INIT;
        struct sketch *again;
        bool failed;

        sketch_add(s, (double)NAN);
        sketch_save(s, &once);
        again = reloaded(&once, once.len, (enum feature_kind)kind, &failed);
        assert_false(failed);
        for (size_t i = 0; i < 5000; i++) {
            sketch_add(s, (double)(i % 11));
            sketch_add(again, (double)(i % 11));
        }
        buf_clear(&once);
        sketch_save(s, &once);
        sketch_save(again, &twice);
        assert_int_equal(once.len, twice.len);
        assert_memory_equal(once.data, twice.data, once.len);
        sketch_free(again);
        for (size_t len = 0; len < once.len; len += 1 + len / 8) {
            again = reloaded(&once, len, (enum feature_kind)kind, &failed);
            assert_true(failed);
            assert_int_equal(sketch_n(again), 0);
            sketch_free(again);
        }
        sketch_free(s);
        buf_release(&once);
        buf_release(&twice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error),      cmocka_unit_test(test_error_often),
        cmocka_unit_test(test_tally),      cmocka_unit_test(test_distances),
        cmocka_unit_test(test_constant),   cmocka_unit_test(test_missing),
        cmocka_unit_test(test_categories), cmocka_unit_test(test_boolean),
        cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
