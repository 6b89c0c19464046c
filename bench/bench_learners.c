/*
 * Times one model over recorded rows, each predicted and then learned.
 *
 *     bench_learners PIPELINE FILE ROWS [ABOVE]
 *
 * FILE: the number of features as 8 bytes, then rows of that many doubles and a
 * label, little-endian; learners.py writes it. With ABOVE a label is 1 when it is above that, else
 * 0: for classifiers. Prints the nanoseconds of CPU time a row (the
 * median of some passes, each from a new model: one pass alone is over before the
 * processor is awake), the mean absolute error (to compare with River's), and
 * the bytes of the model.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "learn/metrics.h"
#include "learn/model.h"

#define PASSES 7

struct rows {
    size_t width; /* features */
    size_t n;
    double *values; /* n rows of width + 1 */
};

static int read_rows(const char *path, size_t want, struct rows *rows)
{
    uint64_t width;
    FILE *file = fopen(path, "rb");

    if (!file || fread(&width, sizeof(width), 1, file) != 1 || width > SCHEMA_MAX_FEATURES) {
        fprintf(stderr, "%s: cannot be read\n", path);
        if (file)
            fclose(file);
        return -1;
    }
    rows->width = (size_t)width;
    rows->values = mem_zalloc(want, (rows->width + 1) * sizeof(double));
    rows->n = fread(rows->values, (rows->width + 1) * sizeof(double), want, file);
    fclose(file);
    return 0;
}

static void make_classes(struct rows *rows, double above)
{
    for (size_t i = 0; i < rows->n; i++) {
        double *label = &rows->values[i * (rows->width + 1) + rows->width];

        *label = *label > above ? 1 : 0;
    }
}

static struct schema *make_schema(size_t width)
{
    struct schema *schema = schema_new();

    for (size_t i = 0; i < width; i++) {
        char name[32];

        snprintf(name, sizeof(name), "f%zu", i);
        if (schema_add(schema, name, FEATURE_NUMERIC, NULL))
            abort();
    }
    return schema;
}

static double now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double da = *(const double *)a;
    double db = *(const double *)b;

    return (da > db) - (da < db);
}

/* One pass over all rows, from a new model; returns the nanoseconds of CPU that it took. */
static double run(struct model *m, const struct rows *rows, double *predicted)
{
    double started = now_ns();

    for (size_t i = 0; i < rows->n; i++) {
        const double *x = rows->values + i * (rows->width + 1);

        predicted[i] = model_predict_one(m, x);
        model_learn_one(m, x, x[rows->width], 1);
    }
    return now_ns() - started;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct rows rows = {0};
    struct metrics metrics = {0};
    double took[PASSES];
    double *predicted;
    size_t bytes = 0;

    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: bench_learners PIPELINE FILE ROWS [ABOVE]\n");
        return 2;
    }
    if (read_rows(argv[2], strtoul(argv[3], NULL, 10), &rows))
        return 1;
    if (argc == 5)
        make_classes(&rows, strtod(argv[4], NULL));

    struct schema *schema = make_schema(rows.width);

    predicted = mem_zalloc(rows.n ? rows.n : 1, sizeof(*predicted));
    for (size_t pass = 0; pass < PASSES; pass++) {
        struct model *m = model_new(argv[1], schema, &err);

        if (!m) {
            fprintf(stderr, "%s\n", err.text);
            return 2;
        }
        took[pass] = run(m, &rows, predicted);
        bytes = model_bytes(m);
        model_free(m);
    }
    qsort(took, PASSES, sizeof(*took), compare_doubles);

    /* Some have no answer before their first label. */
    for (size_t i = 0; i < rows.n; i++)
        if (!isnan(predicted[i]))
            metrics_update(&metrics, rows.values[i * (rows.width + 1) + rows.width], predicted[i]);
    printf("{\"rows\": %zu, \"ns\": %.2f, \"mae\": %.17g, \"bytes\": %zu}\n", rows.n,
           took[PASSES / 2] / (double)rows.n, metrics_mae(&metrics), bytes);
    schema_free(schema);
    free(predicted);
    free(rows.values);
    return 0;
}
