/*
 * Any bytes as a row of features and as a row of learning-queue: read, or refused with a text. What
 * was read is finite or missing, and what is passed on is JSON again. Labels are numbers, or those
 * of two classes, of which the positive one is true, a number or a text; one feature is a category.
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

/* What the reader's labels are. */
enum labels { LABELS_NONE, LABELS_NUMBERS, LABELS_CLASSES };

static void check_row(const struct row_reader *r, enum labels labels, const char *text, size_t len)
{
    double x[4];
    struct row_issued served[2];
    struct row row;
    struct err err = {0};
    struct json_value v;

    if (row_reader_read(r, text, len, &row, x, served, &err) < 0) {
        require(err.code == ERR_INVALID && err.text[0] != '\0');
        return;
    }
    require(row.seq > 0);
    require(isfinite(row.label) || (labels == LABELS_NONE && isnan(row.label)));
    require(labels != LABELS_CLASSES || row.label == 0 || row.label == 1);
    for (size_t i = 0; i < 4; i++)
        require(!isinf(x[i]));
    /* A category is a whole number that a double has exactly. */
    require(isnan(x[3]) || (x[3] >= 0 && x[3] < 0x1p52 && x[3] == floor(x[3])));
    require(isnan(x[1]) || x[1] == 0 || x[1] == 1);
    for (size_t i = 0; labels != LABELS_NONE && i < 2; i++) {
        const struct issued *said = &served[i].said;

        require(!isinf(said->value));
        require(issued_has_interval(said)
                    ? isfinite(said->low) && isfinite(said->high) && said->low <= said->high
                    : isnan(said->low) && isnan(said->high));
        require(served[i].version.type == (served[i].version.text ? JSON_STRING : JSON_NULL));
    }
    require(json_parse(row.features.text, row.features.len, &v, NULL) == 0);
    require(v.type == JSON_OBJECT);
    require(json_parse(row.key.text, row.key.len, &v, NULL) == 0 && v.type == JSON_STRING);
}

#define READERS 5

static struct {
    struct row_reader *reader;
    enum labels labels;
} readers[READERS];

static void open_readers(void)
{
    static const char *const models[] = {"linear", "tree"};
    static char fraud[] = "fraud";
    static const struct label_positive positives[] = {{.type = LABEL_TRUE},
                                                      {.type = LABEL_NUMBER, .number = 2},
                                                      {.type = LABEL_TEXT, .text = fraud}};
    struct schema *schema = schema_new();

    require(schema_add(schema, "distance", FEATURE_NUMERIC, NULL) == 0);
    require(schema_add(schema, "is_weekend", FEATURE_BOOLEAN, NULL) == 0);
    require(schema_add(schema, "hour_cos", FEATURE_NUMERIC, NULL) == 0);
    require(schema_add(schema, "vendor", FEATURE_CATEGORICAL, NULL) == 0);
    for (size_t i = 0; i < READERS; i++) {
        struct row_reader_options options = {schema, "trip_id", "duration", models, 2, NULL};

        readers[i].labels = i == 0 ? LABELS_NONE : i == 1 ? LABELS_NUMBERS : LABELS_CLASSES;
        if (readers[i].labels == LABELS_NONE) {
            options.label = NULL;
            options.n_models = 0;
        }
        if (readers[i].labels == LABELS_CLASSES)
            options.positive = &positives[i - 2];
        readers[i].reader = row_reader_new(&options, NULL);
        require(readers[i].reader != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!readers[0].reader)
        open_readers();

    /* A copy of exactly that size, so that AddressSanitizer sees a read behind the end. */
    char *text = malloc(size ? size : 1);
    require(text != NULL);
    if (size)
        memcpy(text, data, size);
    for (size_t i = 0; i < READERS; i++)
        check_row(readers[i].reader, readers[i].labels, text, size);
    free(text);
    return 0;
}
