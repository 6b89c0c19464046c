/*
 * States of feature drift: whatever the bytes, drift_load() refuses them or gives a state that
 * goes on, and what that one saves loads again. And of skew: whatever two features objects are
 * given for a key, values are compared and examples are JSON.
 *
 * The first byte chooses. Hashes and checksum are made right, so that the fuzzer gets behind them.
 */
#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/json.h"
#include "base/mem.h"
#include "drift/drift.h"
#include "drift/skew.h"

#define FRAME 52 /* as in drift_blob.c */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct drift_options options = {
    .reference_rows = 40, .window_rows = 20, .psi = 0.2, .ks = 0.1};

static struct schema *new_schema(void)
{
    struct schema *schema = schema_new();

    if (schema_add(schema, "a", FEATURE_NUMERIC, NULL) ||
        schema_add(schema, "b", FEATURE_BOOLEAN, NULL) ||
        schema_add(schema, "c", FEATURE_CATEGORICAL, NULL))
        abort();
    return schema;
}

static void look(const struct drift *d)
{
    for (size_t i = 0; i < 3; i++) {
        struct drift_report report;
        double deciles[SKETCH_DECILES];

        drift_report(d, i, &report);
        sketch_deciles(report.reference, deciles);
        (void)sketch_compare(report.reference, report.window);
        (void)sketch_compare(report.window, report.reference);
    }
}

static void try_load(const void *blob, size_t len, const struct schema *schema)
{
    struct drift *d = drift_load(blob, len, schema, &options, NULL);
    struct buf again = BUF_INIT;
    struct drift *same;

    if (!d)
        return;
    look(d);
    for (int i = 0; i < 100; i++) {
        const double x[3] = {i % 9 ? i : (double)NAN, i % 2, i % 5};

        drift_add(d, x, i);
    }
    look(d);
    drift_save(d, &again);
    same = drift_load(again.data, again.len, schema, &options, NULL);
    if (!same)
        abort();
    drift_free(same);
    drift_free(d);
    buf_release(&again);
}

static void put_u64(char *at, uint64_t v)
{
    v = htole64(v);
    memcpy(at, &v, sizeof(v));
}

static void drift(const uint8_t *data, size_t size, const struct schema *schema)
{
    struct drift *fresh = drift_new(schema, &options);
    struct buf head = BUF_INIT;
    char *blob = mem_alloc(size + 1);

    memcpy(blob, data, size);
    try_load(blob, size, schema);
    drift_save(fresh, &head);
    if (size >= FRAME) {
        memcpy(blob, head.data, FRAME - 8);
        put_u64(blob + size - 8, XXH64(blob, size - 8, 0));
        try_load(blob, size, schema);
    }
    drift_free(fresh);
    buf_release(&head);
    free(blob);
}

static void skew(const char *text, size_t size, const struct schema *schema)
{
    struct skew *s = skew_new(schema);
    struct buf examples = BUF_INIT;
    struct json_value served;
    struct json_value learned;
    size_t half = size / 2;

    if (json_parse(text, half, &served, NULL) == 0)
        skew_served(s, text, 1, &served);
    if (json_parse(text + half, size - half, &learned, NULL) == 0 && half) {
        skew_learned(s, text, 1, &learned);
        skew_write_examples(s, &examples);
        if (json_parse(examples.data, examples.len, &served, NULL))
            abort();
    }
    buf_release(&examples);
    skew_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schema *schema = new_schema();

    if (size && data[0] == '{')
        skew((const char *)data, size, schema);
    else
        drift(data, size, schema);
    schema_free(schema);
    return 0;
}
