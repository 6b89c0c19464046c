/*
 * Saving and loading the state of feature drift.
 *
 *     8   magic
 *     4   format version
 *     8   hash of the schema
 *     24  options: rows of the reference, of a window, PSI, KS
 *     then the counters, what is known of each feature, and
 *     8   XXH64 of all before it
 */
#include <math.h>
#include <xxhash.h>

#include "drift/drift_internal.h"

#define MAGIC  0x314654524457584fu /* "OXWDRTF1" */
#define FORMAT 1
#define FRAME  52 /* bytes before the counters, and the checksum */

void drift_save(const struct drift *d, struct buf *out)
{
    size_t start = out->len;

    blob_write_u64(out, MAGIC);
    blob_write_u32(out, FORMAT);
    blob_write_u64(out, schema_hash(d->schema));
    blob_write_u32(out, d->options.reference_rows);
    blob_write_u32(out, d->options.window_rows);
    blob_write_f64(out, d->options.psi);
    blob_write_f64(out, d->options.ks);

    blob_write_u64(out, d->rows);
    blob_write_u32(out, d->reference_rows);
    blob_write_u64(out, (uint64_t)d->reference_ms);
    blob_write_u32(out, d->part);
    blob_write_u32(out, d->in_part);
    blob_write_u64(out, d->parts_filled);
    blob_write_u64(out, (uint64_t)d->window_from_ms);
    blob_write_u64(out, (uint64_t)d->window_to_ms);
    for (size_t p = 0; p < DRIFT_PARTS; p++)
        blob_write_u64(out, (uint64_t)d->from_ms[p]);
    for (size_t i = 0; i < d->n; i++) {
        const struct drift_feature *f = &d->features[i];

        blob_write_u8(out, f->drifting);
        blob_write_u8(out, f->changed);
        blob_write_f64(out, f->distance.psi);
        blob_write_f64(out, f->distance.ks);
        blob_write_f64(out, f->distance.ks_error);
        sketch_save(f->reference, out);
        sketch_save(f->window, out);
        for (size_t p = 0; p < DRIFT_PARTS; p++) {
            blob_write_u8(out, f->over[p]);
            sketch_save(f->parts[p], out);
        }
    }
    blob_write_u64(out, XXH64(out->data + start, out->len - start, 0));
}

/* Of two states of a counter, only one can be. */
static void check_counters(const struct drift *d, struct blob_reader *in)
{
    if (d->reference_rows > d->options.reference_rows || d->part >= DRIFT_PARTS ||
        d->in_part >= d->part_rows || d->parts_filled % DRIFT_PARTS != d->part)
        blob_fail(in, "its counters do not go together");
}

static void load_feature(struct drift_feature *f, struct blob_reader *in)
{
    f->drifting = blob_read_u8(in) == 1;
    f->changed = blob_read_u8(in) == 1;
    f->distance.psi = blob_read_f64(in);
    f->distance.ks = blob_read_f64(in);
    f->distance.ks_error = blob_read_f64(in);
    sketch_load(f->reference, in);
    sketch_load(f->window, in);
    for (size_t p = 0; p < DRIFT_PARTS; p++) {
        f->over[p] = blob_read_u8(in) == 1;
        sketch_load(f->parts[p], in);
    }
}

static void load_state(struct drift *d, struct blob_reader *in)
{
    d->rows = blob_read_u64(in);
    d->reference_rows = blob_read_u32(in);
    d->reference_ms = (int64_t)blob_read_u64(in);
    d->part = blob_read_u32(in);
    d->in_part = blob_read_u32(in);
    d->parts_filled = blob_read_u64(in);
    d->window_from_ms = (int64_t)blob_read_u64(in);
    d->window_to_ms = (int64_t)blob_read_u64(in);
    for (size_t p = 0; p < DRIFT_PARTS; p++)
        d->from_ms[p] = (int64_t)blob_read_u64(in);
    check_counters(d, in);
    for (size_t i = 0; i < d->n && !blob_failed(in); i++)
        load_feature(&d->features[i], in);
    if (blob_left(in))
        blob_fail(in, "something follows its end");
}

static int check_frame(struct blob_reader *in, const void *blob, size_t len,
                       const struct schema *schema, const struct drift_options *options,
                       struct err *err)
{
    struct blob_reader tail;
    bool same;

    if (len < FRAME || blob_read_u64(in) != MAGIC)
        return err_set(err, ERR_CORRUPT, "these bytes are no state of feature drift");
    if (blob_read_u32(in) != FORMAT)
        return err_set(
            err, ERR_UNSUPPORTED,
            "this state of feature drift is of another version of oxbow: it begins anew");
    blob_reader_init(&tail, (const char *)blob + len - 8, 8);
    if (blob_read_u64(&tail) != XXH64(blob, len - 8, 0))
        return err_set(err, ERR_CORRUPT, "the state of feature drift fails its checksum");
    same = blob_read_u64(in) == schema_hash(schema);
    same &= blob_read_u32(in) == options->reference_rows;
    same &= blob_read_u32(in) == options->window_rows;
    same &= blob_read_f64(in) == options->psi;
    same &= blob_read_f64(in) == options->ks;
    if (!same)
        return err_set(
            err, ERR_CONFLICT,
            "the state of feature drift is of other features or options: it begins anew");
    return 0;
}

struct drift *drift_load(const void *blob, size_t len, const struct schema *schema,
                         const struct drift_options *options, struct err *err)
{
    struct blob_reader in;
    struct drift *d;

    blob_reader_init(&in, blob, len);
    if (check_frame(&in, blob, len, schema, options, err))
        return NULL;

    in.end -= 8;
    d = drift_new(schema, options);
    load_state(d, &in);
    if (blob_failed(&in)) {
        err_set(err, ERR_CORRUPT, "the state of feature drift is damaged: %s", in.failure);
        drift_free(d);
        return NULL;
    }
    return d;
}
