/*
 * Model blobs: whatever the bytes, model_load() refuses them or gives a model
 * that predicts, explains, learns and saves; and what such a model saves loads again.
 *
 * The length, the hashes and the checksum are made right first, so that the
 * fuzzer gets behind them.
 */
#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "learn/explain.h"
#include "learn/model.h"

#define FEATURES  3
#define FRAME     48 /* bytes before the text and behind the state */
#define MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct model *m)
{
    struct buf text = BUF_INIT;

    for (int i = 0; i < 40; i++) {
        const double x[FEATURES] = {i % 5, i % 7 == 0 ? (double)NAN : i, -i};

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schema *schema = schema_new();
    char *signed_blob = mem_alloc(size + 1);

    if (schema_add(schema, "a", FEATURE_NUMERIC, NULL) ||
        schema_add(schema, "b", FEATURE_BOOLEAN, NULL) ||
        schema_add(schema, "c", FEATURE_NUMERIC, NULL))
        abort();
    memcpy(signed_blob, data, size);
    try_load(signed_blob, size, schema);
    if (size >= FRAME) {
        sign(signed_blob, size, schema);
        try_load(signed_blob, size, schema);
    }
    free(signed_blob);
    schema_free(schema);
    return 0;
}
