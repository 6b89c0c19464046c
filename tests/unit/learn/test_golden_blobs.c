/*
 * Blobs of each format, recorded once: they load for ever, answer what they answered then, bit for
 * bit, and go on learning.
 *
 *     test_golden_blobs --record    writes tests/golden/blobs/<format>-<schema>-<class>-<hash>.gz
 *
 * for each class by itself, and each pipeline of support.h, of which no recorded blob has today's
 * layout. What is recorded is never touched. In a file: a line of JSON (what the model answered for
 * rows that it had not learned), then the blob.
 */
#include "golden.h"
#include "support.h"

#include <dirent.h>
#include <endian.h>
#include <unistd.h>

#include "learn/blob.h"
#include "learn/registry.h"

#define BLOBS     GOLDEN "blobs/"
#define LEARNED   300
#define PREDICTED 12
#define LARGEST   65536 /* bytes of a blob that is recorded: a class needs only one */
#define FORMAT_AT 8     /* as model_blob.c has it */
#define LENGTH_AT 16    /* likewise; behind it come the hashes, and what the hash is of */

static const char *const schema_names[] = {"numbers", "categories"};

#define SCHEMAS (sizeof(schema_names) / sizeof(schema_names[0]))

static struct schema *schema_of(size_t which)
{
    struct schema *schema = schema_new();

    for (size_t j = 0; j < FEATURES; j++) {
        char name[] = "feature_0";

        name[8] = (char)('0' + j);
        assert_int_equal(
            schema_add(schema, name, which && j == 0 ? FEATURE_CATEGORICAL : FEATURE_NUMERIC, NULL),
            0);
    }
    return schema;
}

/* The next row, and its label: of numbers that every machine has exactly. */
static double next_row(struct rng *rng, size_t schema, double *x)
{
    static const char *const categories[] = {"amber", "blue", "coral", "dun"};
    double y = 10;

    for (size_t j = 0; j < FEATURES; j++) {
        x[j] = ((double)rng_below(rng, 16) - 8) / 4;
        y += x[j] > 0.5 ? 3 * x[j] : -x[j];
        if (schema && j == 0) {
            const char *category = categories[(size_t)(x[j] + 2)];

            x[j] = schema_category(category, strlen(category));
        }
        if (rng_below(rng, 20) == 0)
            x[j] = (double)NAN;
    }
    return y;
}

static void learn_rows(struct model *m, size_t schema, uint64_t seed, size_t n)
{
    struct rng rng;

    rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        double x[FEATURES];
        double y = next_row(&rng, schema, x);

        support_learn(m, x, y, 1);
    }
}

static void predict_rows(const struct model *m, size_t schema, double *ret)
{
    struct rng rng;

    rng_seed(&rng, 2);
    for (size_t i = 0; i < PREDICTED; i++) {
        double x[FEATURES];

        next_row(&rng, schema, x);
        ret[i] = model_predict_one(m, x);
    }
}

/* A file of tests/golden/blobs. */
struct recorded {
    char name[256];
    struct buf bytes;
    size_t schema;
    double predictions[PREDICTED];
    const char *blob; /* in `bytes` */
    size_t len;
};

static void read_recorded(const char *name, struct recorded *ret)
{
    struct buf path = BUF_INIT;
    struct json_value root;
    struct json_value list;
    struct json_value item;
    struct json_iter it;
    size_t n = 0;

    *ret = (struct recorded){.bytes = BUF_INIT};
    snprintf(ret->name, sizeof(ret->name), "%s", name);
    buf_printf(&path, BLOBS "%s", name);
    assert_true(golden_file(buf_str(&path), &ret->bytes));
    const char *end = memchr(ret->bytes.data, '\n', ret->bytes.len);

    assert_non_null(end);
    assert_int_equal(json_parse(ret->bytes.data, (size_t)(end - ret->bytes.data), &root, NULL), 0);
    assert_true(json_get(&root, "schema", &item));
    ret->schema = json_is(&item, schema_names[1], strlen(schema_names[1]));
    assert_true(json_get(&root, "predictions", &list));
    json_iter_init(&it, &list);
    for (; json_next_element(&it, &item); n++) {
        assert_true(n < PREDICTED);
        if (!json_number(&item, &ret->predictions[n]))
            ret->predictions[n] = (double)NAN;
    }
    assert_int_equal(n, PREDICTED);
    ret->blob = end + 1;
    ret->len = ret->bytes.len - (size_t)(ret->blob - ret->bytes.data);
    buf_release(&path);
}

static struct model *load_blob(const char *name, const void *blob, size_t len, size_t schema)
{
    struct schema *features = schema_of(schema);
    struct err err = {0};
    struct model *m = model_load(blob, len, features, MODEL_DEFAULT_MAX_BYTES, &err);

    if (!m)
        fail_msg("%s: %s", name, err.text);
    schema_free(features);
    return m;
}

static void assert_answers(const struct model *m, size_t schema, const char *name,
                           const double *expected)
{
    double ours[PREDICTED];

    predict_rows(m, schema, ours);
    for (size_t i = 0; i < PREDICTED; i++) {
        if (!(ours[i] == expected[i] || (isnan(ours[i]) && isnan(expected[i]))))
            fail_msg("%s: row %zu: %.17g, when it was recorded %.17g", name, i, ours[i],
                     expected[i]);
    }
}

/* Is what `m` saves laid out as the blob that it was loaded from? */
static bool is_of_today(const struct recorded *recorded, const struct model *m)
{
    struct buf again = BUF_INIT;
    bool same;

    model_save(m, &again);
    same = again.len == recorded->len && memcmp(again.data + LENGTH_AT, recorded->blob + LENGTH_AT,
                                                again.len - LENGTH_AT - sizeof(uint64_t)) == 0;
    buf_release(&again);
    return same;
}

/* Calls `visit` for each file. */
static size_t each_recorded(void (*visit)(const struct recorded *recorded, void *arg), void *arg)
{
    DIR *dir = opendir(BLOBS);
    const struct dirent *entry;
    size_t n = 0;

    if (!dir)
        fail_msg("there is no " BLOBS);
    while ((entry = readdir(dir))) {
        struct recorded recorded;

        if (entry->d_name[0] == '.')
            continue;
        read_recorded(entry->d_name, &recorded);
        visit(&recorded, arg);
        buf_release(&recorded.bytes);
        n++;
    }
    closedir(dir);
    return n;
}

/* Recording */

static void write_recorded(const char *name, size_t schema, const double *predictions,
                           const struct buf *blob)
{
    struct buf path = BUF_INIT;
    struct buf head = BUF_INIT;
    gzFile file;

    buf_printf(&head, "{\"schema\":\"%s\",\"predictions\":[", schema_names[schema]);
    for (size_t i = 0; i < PREDICTED; i++) {
        if (i)
            buf_byte(&head, ',');
        json_write_number(&head, predictions[i]);
    }
    buf_text(&head, "]}\n");
    buf_printf(&path, BLOBS "%s", name);
    file = gzopen(buf_str(&path), "wb9");
    if (!file)
        fail_msg("cannot write %s", buf_str(&path));
    assert_int_equal(gzwrite(file, head.data, (unsigned)head.len), (int)head.len);
    assert_int_equal(gzwrite(file, blob->data, (unsigned)blob->len), (int)blob->len);
    assert_int_equal(gzclose(file), Z_OK);
    buf_release(&head);
    buf_release(&path);
}

/* A pipeline over a schema, and whether a recorded blob is of it. */
struct wanted {
    size_t schema;
    const char *text; /* canonical */
    bool found;
};

static void look_for(const struct recorded *recorded, void *arg)
{
    struct wanted *wanted = arg;

    if (recorded->schema != wanted->schema)
        return;
    struct model *m = load_blob(recorded->name, recorded->blob, recorded->len, recorded->schema);

    wanted->found |= strcmp(model_parameters(m), wanted->text) == 0 && is_of_today(recorded, m);
    model_free(m);
}

/* A schema with a category is recorded for those who take it. */
static void record_pipeline(const char *pipeline, size_t schema)
{
    struct schema *features = schema_of(schema);
    struct model *m = model_new(pipeline, features, NULL);
    struct buf blob = BUF_INIT;
    double predictions[PREDICTED];
    char name[200];

    schema_free(features);
    if (!m)
        return; /* it takes no categories, or needs more than a name */
    struct wanted wanted = {schema, model_parameters(m), false};

    each_recorded(look_for, &wanted);
    if (!wanted.found) {
        snprintf(name, sizeof(name), "%d-%s-%s-%08x.gz", BLOB_FORMAT, schema_names[schema],
                 model_class(m), (unsigned)model_parameters_hash(m));
        learn_rows(m, schema, 1, LEARNED);
        model_save(m, &blob);
        predict_rows(m, schema, predictions);
        if (blob.len <= LARGEST)
            write_recorded(name, schema, predictions, &blob);
        printf("%s: a blob of %zu bytes%s\n", name, blob.len,
               blob.len > LARGEST ? ", not recorded: too large" : "");
    }
    buf_release(&blob);
    model_free(m);
}

/* The class by itself, as far as it can be, with its defaults. */
static void record_class(const struct learn_class *class, size_t schema)
{
    char pipeline[200];

    if (class->kind == LEARN_PREPROCESSOR)
        snprintf(pipeline, sizeof(pipeline), "[\"%s\", \"linear_regression\"]", class->name);
    else if (learn_kind_is_learner(class->kind))
        snprintf(pipeline, sizeof(pipeline), "[\"%s\"]", class->name);
    else
        return;
    record_pipeline(pipeline, schema);
}

static int record(void)
{
    for (size_t schema = 0; schema < SCHEMAS; schema++) {
        for (size_t i = 0; i < learn_class_count(); i++)
            record_class(learn_class_at(i), schema);
        for (size_t p = 0; p < SUPPORT_PIPELINES; p++)
            record_pipeline(support_pipelines[p], schema);
    }
    return 0;
}

/* Tests */

static void answer_and_go_on(const struct recorded *recorded, void *arg)
{
    size_t schema = recorded->schema;
    struct model *m = load_blob(recorded->name, recorded->blob, recorded->len, schema);
    struct buf again = BUF_INIT;
    double answers[PREDICTED];

    (void)arg;
    assert_int_equal(model_learned(m), LEARNED);
    assert_answers(m, schema, recorded->name, recorded->predictions);

    learn_rows(m, schema, 3, LEARNED);
    assert_int_equal(model_learned(m), 2 * LEARNED);
    predict_rows(m, schema, answers);
    model_save(m, &again);
    model_free(m);
    m = load_blob(recorded->name, again.data, again.len, schema);
    assert_answers(m, schema, recorded->name, answers);
    model_free(m);
    buf_release(&again);
}

/* Each blob loads, answers what it answered, learns on, and is saved in today's format. */
static void test_go_on(void **state)
{
    (void)state;
    assert_true(each_recorded(answer_and_go_on, NULL) >= SUPPORT_PIPELINES / 2);
}

struct covered {
    struct buf texts; /* of all pipelines that have a blob of today's layout */
};

static void cover(const struct recorded *recorded, void *arg)
{
    struct covered *covered = arg;
    struct model *m = load_blob(recorded->name, recorded->blob, recorded->len, recorded->schema);

    if (is_of_today(recorded, m))
        buf_text(&covered->texts, model_parameters(m));
    model_free(m);
}

/* Each class that a pipeline may name has a blob of today's layout. */
static void test_covers_registry(void **state)
{
    struct covered covered = {BUF_INIT};

    (void)state;
    each_recorded(cover, &covered);
    for (size_t i = 0; i < learn_class_count(); i++) {
        const struct learn_class *class = learn_class_at(i);
        char name[100];

        if (!learn_kind_is_learner(class->kind) && class->kind != LEARN_PREPROCESSOR)
            continue;
        snprintf(name, sizeof(name), "{\"%s\":{", class->name);
        if (!strstr(buf_str(&covered.texts), name))
            fail_msg("%s has no blob of today's layout in " BLOBS
                     ": run test_golden_blobs --record, and commit what it writes",
                     class->name);
    }
    buf_release(&covered.texts);
}

/* A format that is not known is refused with the ones that are. */
static void test_unknown_format(void **state)
{
    static const uint32_t formats[] = {BLOB_FORMAT_OLDEST - 1, BLOB_FORMAT + 1};
    struct schema *schema = schema_of(0);
    struct model *m = model_new("[\"mean\"]", schema, NULL);
    struct buf blob = BUF_INIT;

    (void)state;
    model_save(m, &blob);
    for (size_t i = 0; i < 2; i++) {
        uint32_t format = htole32(formats[i]);
        struct err err = {0};

        memcpy(blob.data + FORMAT_AT, &format, sizeof(format));
        assert_null(model_load(blob.data, blob.len, schema, MODEL_DEFAULT_MAX_BYTES, &err));
        assert_int_equal(err.code, ERR_UNSUPPORTED);
        assert_non_null(strstr(err.text, "this program reads versions"));
    }
    buf_release(&blob);
    model_free(m);
    schema_free(schema);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_go_on),
        cmocka_unit_test(test_covers_registry),
        cmocka_unit_test(test_unknown_format),
    };

    if (argc == 2 && strcmp(argv[1], "--record") == 0)
        return record();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
