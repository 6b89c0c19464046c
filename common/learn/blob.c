/* Bytes that hold a model: see blob.h. */
#include "learn/blob.h"

#include <endian.h>
#include <string.h>

void blob_write_u8(struct buf *out, uint8_t v)
{
    buf_append(out, &v, sizeof(v));
}

void blob_write_u32(struct buf *out, uint32_t v)
{
    v = htole32(v);
    buf_append(out, &v, sizeof(v));
}

void blob_write_u64(struct buf *out, uint64_t v)
{
    v = htole64(v);
    buf_append(out, &v, sizeof(v));
}

void blob_write_f64(struct buf *out, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    blob_write_u64(out, bits);
}

void blob_write_f64s(struct buf *out, const double *v, size_t n)
{
    char *p = buf_reserve(out, n * sizeof(*v));

    for (size_t i = 0; i < n; i++) {
        uint64_t bits;

        memcpy(&bits, &v[i], sizeof(bits));
        bits = htole64(bits);
        memcpy(p + i * sizeof(bits), &bits, sizeof(bits));
    }
    out->len += n * sizeof(*v);
}

void blob_reader_init(struct blob_reader *in, const void *data, size_t len)
{
    in->format = BLOB_FORMAT;
    in->at = data;
    in->end = in->at + len;
    in->failure = NULL;
}

void blob_fail(struct blob_reader *in, const char *failure)
{
    if (!in->failure)
        in->failure = failure;
    in->at = in->end;
}

const void *blob_read_bytes(struct blob_reader *in, size_t len)
{
    const void *bytes = in->at;

    if (in->failure || blob_left(in) < len) {
        blob_fail(in, "it ends too early");
        return NULL;
    }
    in->at += len;
    return bytes;
}

uint8_t blob_read_u8(struct blob_reader *in)
{
    const unsigned char *p = blob_read_bytes(in, 1);

    return p ? *p : 0;
}

uint32_t blob_read_u32(struct blob_reader *in)
{
    const void *p = blob_read_bytes(in, sizeof(uint32_t));
    uint32_t v = 0;

    if (p)
        memcpy(&v, p, sizeof(v));
    return le32toh(v);
}

uint64_t blob_read_u64(struct blob_reader *in)
{
    const void *p = blob_read_bytes(in, sizeof(uint64_t));
    uint64_t v = 0;

    if (p)
        memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

double blob_read_f64(struct blob_reader *in)
{
    uint64_t bits = blob_read_u64(in);
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

void blob_read_f64s(struct blob_reader *in, double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = blob_read_f64(in);
}

size_t blob_read_count(struct blob_reader *in, size_t each, size_t max)
{
    uint64_t n = blob_read_u64(in);

    if (n > max || n > blob_left(in) / each) {
        blob_fail(in, "a count is larger than what follows, or than its limit");
        return 0;
    }
    return (size_t)n;
}
