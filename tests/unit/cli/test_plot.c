/* Plots: bounded whatever comes, and always a file that can be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evaluate_plot.h"

static struct plot *two_lines(struct plot *plot)
{
    memset(plot, 0, sizeof(*plot));
    plot->metric = "mae";
    plot->name[0] = "a <model> & more";
    plot->name[1] = "baseline";
    plot->n_lines = 2;
    plot->every = 10;
    return plot;
}

/* The text of the plot as it is written. */
static const char *written(const struct plot *plot)
{
    static char text[1 << 17];
    char path[] = "/tmp/test-plot-XXXXXX";
    struct err err = {0};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(plot_write(plot, path, "rows.csv", &err), 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    text[n] = '\0';
    fclose(file);
    unlink(path);
    assert_non_null(strstr(text, "</svg>"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    return text;
}

/* A long stream keeps few points, in order and evenly, up to its end. */
static void test_thinned(void **state)
{
    static struct plot plot;
    uint64_t last = 0;

    (void)state;
    two_lines(&plot);
    for (uint64_t answered = 10; answered <= 1000000; answered += 10)
        plot_add(&plot, answered, (const double[]){(double)answered, 1});
    assert_true(plot.n > PLOT_POINTS / 4 && plot.n <= PLOT_POINTS);
    for (size_t i = 0; i < plot.n; i++) {
        assert_true(plot.at[i] > last && plot.at[i] - last <= plot.every);
        assert_true(plot.value[i][0] == (double)plot.at[i]);
        last = plot.at[i];
    }
    assert_true(1000000 - last < plot.every);
    assert_non_null(strstr(written(&plot), "a &lt;model> &amp; more"));
}

/* Nothing, one value, gaps, and numbers as large or as near to each other as they may be. */
static void test_odd_values(void **state)
{
    static const double odd[][2] = {
        {(double)NAN, (double)NAN}, {0, 0},          {5, 5},
        {1e16, 1e16 + 2},           {-1e308, 1e308}, {4e-324, 0},
        {(double)INFINITY, 1},      {1e-300, 1e300},
    };
    static struct plot plot;

    (void)state;
    written(two_lines(&plot));
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        two_lines(&plot);
        for (uint64_t k = 1; k < 40; k++)
            plot_add(&plot, 10 * k, odd[i]);
        written(&plot);
    }
}

/* A path that cannot be written is an error that names it. */
static void test_no_file(void **state)
{
    static struct plot plot;
    struct err err = {0};

    (void)state;
    assert_int_equal(plot_write(two_lines(&plot), "/nowhere/plot.svg", "x", &err), ERR_IO);
    assert_non_null(strstr(err.text, "/nowhere/plot.svg"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thinned),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
