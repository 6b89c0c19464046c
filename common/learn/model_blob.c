/*
 * A model as bytes, all little-endian:
 *
 *     8   magic "OXBOWMDL"
 *     4   format of everything behind it, BLOB_FORMAT
 *     4   length of the pipeline's text
 *     8   length of the whole blob
 *     8   hash of the schema
 *     8   hash of the parameters
 *     .   the canonical pipeline text
 *     8   samples learned
 *     8   samples skipped
 *     .   the state of each stage, in order
 *     8   XXH64 of all bytes before
 *
 * A blob of an older format is read for ever, or as long as BLOB_FORMAT_OLDEST allows:
 *   - The frame stays as it is here.
 *   - Who changes the layout of a state raises BLOB_FORMAT (blob.h); a class asks the reader
 *     for the format, wherever in a model it is.
 *   - A parameter that a class gets later is marked `late` (registry.h): at its default, which
 *     has to be what the class did before, the pipeline's text does not have it. So the text,
 *     its hash and with it the generation of a model are what they were.
 * tests/unit/learn/test_golden_blobs.c holds blobs of each format to that.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "learn/model_internal.h"

#define MAGIC        "OXBOWMDL"
#define MAGIC_LEN    8
#define CHECKSUM_LEN 8
#define LENGTH_AT    16 /* where the blob's length is */

void model_save(const struct model *m, struct buf *out)
{
    size_t start = out->len;
    struct buf length = BUF_INIT;

    buf_append(out, MAGIC, MAGIC_LEN);
    blob_write_u32(out, BLOB_FORMAT);
    blob_write_u32(out, (uint32_t)m->parameters.len);
    blob_write_u64(out, 0); /* the length, once it is known */
    blob_write_u64(out, m->schema_hash);
    blob_write_u64(out, m->parameters_hash);
    buf_append(out, m->parameters.data, m->parameters.len);
    blob_write_u64(out, m->learned);
    blob_write_u64(out, m->skipped);
    for (size_t i = 0; i < m->n_pre; i++)
        m->pre[i]->ops->save(m->pre[i], out);
    learner_save(m->lrn, out);

    blob_write_u64(&length, out->len - start + CHECKSUM_LEN);
    memcpy(out->data + start + LENGTH_AT, length.data, length.len);
    buf_release(&length);
    blob_write_u64(out, XXH64(out->data + start, out->len - start, 0));
}

uint64_t model_checksum(const void *blob, size_t len)
{
    return len < CHECKSUM_LEN ? 0 : XXH64(blob, len - CHECKSUM_LEN, 0);
}

static int corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "model blob: %s", what);
}

/* Everything that can be checked before the state is read. `in` stands behind the hashes then. */
static int check_frame(struct blob_reader *in, const void *blob, size_t len, size_t max_bytes,
                       const struct schema *schema, uint32_t *ret_text_len,
                       uint64_t *ret_parameters_hash, struct err *err)
{
    const void *magic = blob_read_bytes(in, MAGIC_LEN);
    uint32_t format = blob_read_u32(in);
    uint32_t text_len = blob_read_u32(in);
    uint64_t length = blob_read_u64(in);
    uint64_t schema_is = blob_read_u64(in);
    uint64_t parameters_hash = blob_read_u64(in);
    struct blob_reader end;

    if (len > max_bytes)
        return err_set(err, ERR_TOO_LARGE, "model blob: %zu bytes, at most %zu are allowed", len,
                       max_bytes);
    if (blob_failed(in) || len < LENGTH_AT + CHECKSUM_LEN)
        return corrupt(err, "it is too short to be one");
    if (memcmp(magic, MAGIC, MAGIC_LEN) != 0)
        return corrupt(err, "it does not begin with \"" MAGIC "\"");
    if (format < BLOB_FORMAT_OLDEST || format > BLOB_FORMAT)
        return err_set(err, ERR_UNSUPPORTED,
                       "model blob: format version %u, this program reads versions %d to %d",
                       (unsigned)format, BLOB_FORMAT_OLDEST, BLOB_FORMAT);
    in->format = format;
    if (length != len)
        return err_set(err, ERR_CORRUPT, "model blob: it says %llu bytes, but has %zu",
                       (unsigned long long)length, len);

    blob_reader_init(&end, (const char *)blob + len - CHECKSUM_LEN, CHECKSUM_LEN);
    if (blob_read_u64(&end) != model_checksum(blob, len))
        return corrupt(err, "the checksum does not match");
    if (schema_is != schema_hash(schema))
        return err_set(err, ERR_CONFLICT,
                       "model blob: it was made for other features, or for another order of them");
    *ret_text_len = text_len;
    *ret_parameters_hash = parameters_hash;
    return 0;
}

static struct model *model_from_text(struct blob_reader *in, uint32_t text_len, uint64_t hash,
                                     const struct schema *schema, struct err *err)
{
    const char *text = text_len <= MODEL_MAX_TEXT ? blob_read_bytes(in, text_len) : NULL;
    struct model *m;

    if (!text) {
        corrupt(err, "the pipeline's text is longer than it may be");
        return NULL;
    }
    m = model_new_from(text, text_len, schema, err);
    if (!m) {
        if (err)
            err->code = ERR_CORRUPT;
        err_prefix(err, "model blob");
        return NULL;
    }
    if (m->parameters_hash != hash || m->parameters.len != text_len ||
        memcmp(m->parameters.data, text, text_len) != 0) {
        corrupt(err, "the pipeline's text is not the canonical one of this version");
        model_free(m);
        return NULL;
    }
    return m;
}

struct model *model_load(const void *blob, size_t len, const struct schema *schema,
                         size_t max_bytes, struct err *err)
{
    struct blob_reader in;
    uint64_t parameters_hash = 0;
    uint32_t text_len = 0;
    struct model *m;

    blob_reader_init(&in, blob, len);
    if (check_frame(&in, blob, len, max_bytes, schema, &text_len, &parameters_hash, err))
        return NULL;
    in.end -= CHECKSUM_LEN;
    m = model_from_text(&in, text_len, parameters_hash, schema, err);
    if (!m)
        return NULL;

    model_set_max_bytes(m, max_bytes);
    m->learned = blob_read_u64(&in);
    m->skipped = blob_read_u64(&in);
    for (size_t i = 0; i < m->n_pre; i++)
        m->pre[i]->ops->load(m->pre[i], &in);
    learner_load(m->lrn, &in);
    if (!blob_failed(&in) && blob_left(&in) != 0)
        blob_fail(&in, "it goes on after its end");
    if (blob_failed(&in)) {
        corrupt(err, in.failure);
        model_free(m);
        return NULL;
    }
    return m;
}
