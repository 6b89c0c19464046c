/*
 * What feature drift costs: time a row and memory, by the number of features.
 *
 *     bench_drift [ROWS]
 *
 * Rows are drawn beforehand. The first 10,000 are the reference, the rest go through windows of
 * 1,000; the longest single row is one that ends a part of a window, when all features are
 * compared.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "drift/drift.h"
#include "learn/rng.h"

#define DRAWN 4096 /* rows, used over and over */

static void measure(size_t features, size_t rows)
{
    const struct drift_options options = DRIFT_OPTIONS_DEFAULT;
    struct schema *schema = schema_new();
    double *x = mem_zalloc(DRAWN * features, sizeof(*x));
    struct buf blob = BUF_INIT;
    struct rng rng;
    int64_t longest = 0;

    rng_seed(&rng, 1);
    for (size_t i = 0; i < DRAWN * features; i++)
        x[i] = rng_gauss(&rng, 0, 1);
    for (size_t j = 0; j < features; j++) {
        char name[32];

        snprintf(name, sizeof(name), "f%zu", j);
        if (schema_add(schema, name, FEATURE_NUMERIC, NULL))
            abort();
    }
    struct drift *d = drift_new(schema, &options);
    int64_t begin = clock_mono_ns();

    for (size_t i = 0; i < rows; i++) {
        int64_t before = clock_mono_ns();
        int64_t took;

        drift_add(d, x + i % DRAWN * features, (int64_t)i);
        took = clock_mono_ns() - before;
        longest = took > longest ? took : longest;
    }
    int64_t total = clock_mono_ns() - begin;
    drift_save(d, &blob);
    printf("%4zu features: %7.0f ns a row (%4.0f ns a feature), longest row %.2f ms, "
           "%zu bytes a feature, %zu of them saved\n",
           features, (double)total / (double)rows, (double)total / (double)(rows * features),
           (double)longest / 1e6, drift_bytes(d) / features, blob.len / features);
    buf_release(&blob);
    drift_free(d);
    schema_free(schema);
    free(x);
}

int main(int argc, char **argv)
{
    size_t rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;

    measure(6, rows);
    measure(60, rows);
    measure(600, rows / 10 > 20000 ? rows / 10 : 20000);
    return 0;
}
