/*
 * Any bytes as a row of features and as a row of learning-queue: read, or refused with a text. What
 * was read is finite or missing, and what is passed on is JSON again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rows/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

static void check_row(const struct row_reader *r, bool has_label, const char *text, size_t len)
{
    double x[3];
    double served[2];
    struct row row;
    struct err err = {0};
    struct json_value v;

    if (row_reader_read(r, text, len, &row, x, served, &err) < 0) {
        require(err.code == ERR_INVALID && err.text[0] != '\0');
        return;
    }
    require(row.seq > 0);
    require(isfinite(row.label) || (!has_label && isnan(row.label)));
    for (size_t i = 0; i < 3; i++)
        require(!isinf(x[i]));
    require(isnan(x[1]) || x[1] == 0 || x[1] == 1);
    require(!has_label || (!isinf(served[0]) && !isinf(served[1])));
    require(json_parse(row.features.text, row.features.len, &v, NULL) == 0);
    require(v.type == JSON_OBJECT);
    require(json_parse(row.key.text, row.key.len, &v, NULL) == 0 && v.type == JSON_STRING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const models[] = {"linear", "tree"};
    static struct schema *schema;
    static struct row_reader *queue;
    static struct row_reader *features;

    if (!schema) {
        schema = schema_new();
        require(schema_add(schema, "distance", FEATURE_NUMERIC, NULL) == 0);
        require(schema_add(schema, "is_weekend", FEATURE_BOOLEAN, NULL) == 0);
        require(schema_add(schema, "hour_cos", FEATURE_NUMERIC, NULL) == 0);
        struct row_reader_options options = {schema, "trip_id", "duration", models, 2, NULL};
        queue = row_reader_new(&options, NULL);
        options.label = NULL;
        options.n_models = 0;
        features = row_reader_new(&options, NULL);
        require(queue && features);
    }

    /* A copy of exactly that size, so that AddressSanitizer sees a read behind the end. */
    char *text = malloc(size ? size : 1);
    require(text != NULL);
    if (size)
        memcpy(text, data, size);
    check_row(queue, true, text, size);
    check_row(features, false, text, size);
    free(text);
    return 0;
}
