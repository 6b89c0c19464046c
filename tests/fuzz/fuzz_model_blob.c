/*
 * Model blobs: whatever the bytes, model_load() refuses them or gives a model
 * that predicts, explains, learns and saves; and what such a model saves loads again.
 *
 * The length, the hashes and the checksum are made right first, so that the
 * fuzzer gets behind them. Each input is tried as a blob over each of the schemas:
 * that of the seeds in corpus/model_blob, and those of tests/golden/blobs, which has
 * blobs of every class and which run.sh adds to the seeds.
 */
#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "learn/explain.h"
#include "learn/model.h"

#define FEATURES  4 /* at most */
#define SCHEMAS   3
#define FRAME     48 /* bytes before the text and behind the state */
#define MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct model *m)
{
    struct buf text = BUF_INIT;

    for (int i = 0; i < 40; i++) {
        const double x[FEATURES] = {i % 5, i % 7 == 0 ? (double)NAN : i, -i, 0.5 * i};

        struct explanation ex = EXPLANATION_INIT;
        struct issued said;

        model_answer(m, x, &said);
        if (issued_has_interval(&said) && !(said.low <= said.value && said.value <= said.high))
            abort();
        buf_clear(&text);
        if (model_explain(m, x, &ex, NULL) == 0) /* not every class can */
            explanation_write(&ex, "m", "v", (double)NAN, &text);
        explanation_release(&ex);
        if (i % 4)
            model_learn_one(m, x, i % 3, 1 + i % 2);
        else
            model_learn_issued(m, x, i % 3, 1, &said);
    }
    buf_release(&text);
}

static void try_load(const void *blob, size_t len, const struct schema *schema)
{
    struct model *m = model_load(blob, len, schema, MAX_BYTES, NULL);
    struct buf again = BUF_INIT;
    struct model *same;

    if (!m)
        return;
    model_save(m, &again);
    same = model_load(again.data, again.len, schema, 2 * MAX_BYTES, NULL);
    if (!same)
        abort();
    use(m);
    buf_clear(&again);
    model_inspect(m, &again);
    model_free(same);
    model_free(m);
    buf_release(&again);
}

static void put_u64(char *at, uint64_t v)
{
    v = htole64(v);
    memcpy(at, &v, sizeof(v));
}

/* Offsets as in model_blob.c. */
static void sign(char *blob, size_t size, const struct schema *schema)
{
    uint32_t text_len;

    memcpy(&text_len, blob + 12, sizeof(text_len));
    text_len = le32toh(text_len);
    put_u64(blob + 16, size);
    put_u64(blob + 24, schema_hash(schema));
    if (text_len <= size - FRAME)
        put_u64(blob + 32, XXH64(blob + 40, text_len, 0));
    put_u64(blob + size - 8, XXH64(blob, size - 8, 0));
}

static struct schema *schema_of(const char *const *names, size_t n, const enum feature_kind *kinds)
{
    struct schema *schema = schema_new();

    for (size_t i = 0; i < n; i++) {
        if (schema_add(schema, names[i], kinds[i], NULL))
            abort();
    }
    return schema;
}

static void open_schemas(struct schema **schemas)
{
    static const char *const letters[] = {"a", "b", "c"};
    static const char *const features[] = {"feature_0", "feature_1", "feature_2", "feature_3"};
    static const enum feature_kind mixed[] = {FEATURE_NUMERIC, FEATURE_BOOLEAN, FEATURE_NUMERIC};
    static const enum feature_kind numbers[] = {FEATURE_NUMERIC, FEATURE_NUMERIC, FEATURE_NUMERIC,
                                                FEATURE_NUMERIC};
    static const enum feature_kind categories[] = {FEATURE_CATEGORICAL, FEATURE_NUMERIC,
                                                   FEATURE_NUMERIC, FEATURE_NUMERIC};

    schemas[0] = schema_of(letters, 3, mixed);
    schemas[1] = schema_of(features, 4, numbers);
    schemas[2] = schema_of(features, 4, categories);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct schema *schemas[SCHEMAS];
    char *signed_blob = mem_alloc(size + 1);

    if (!schemas[0])
        open_schemas(schemas);
    memcpy(signed_blob, data, size);
    try_load(signed_blob, size, schemas[0]);
    for (size_t i = 0; size >= FRAME && i < SCHEMAS; i++) {
        sign(signed_blob, size, schemas[i]);
        try_load(signed_blob, size, schemas[i]);
    }
    free(signed_blob);
    return 0;
}
