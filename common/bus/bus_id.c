#include "bus/bus_id.h"

#include <inttypes.h>
#include <string.h>

static void put_be64(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (56 - 8 * i));
}

static uint64_t get_be64(const unsigned char *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

struct bus_pos bus_id_to_pos(struct bus_id id)
{
    struct bus_pos pos = {.len = BUS_ID_LEN};

    put_be64(pos.bytes, id.ms);
    put_be64(pos.bytes + 8, id.seq);
    return pos;
}

int bus_id_from_pos(const struct bus_pos *pos, struct bus_id *ret, struct err *err)
{
    if (pos->len == 0) {
        *ret = (struct bus_id){0, 0};
        return 0;
    }
    if (pos->len != BUS_ID_LEN)
        return err_set(err, ERR_INVALID, "the position is of another bus: it has %d bytes, not %d",
                       pos->len, BUS_ID_LEN);
    *ret = (struct bus_id){get_be64(pos->bytes), get_be64(pos->bytes + 8)};
    return 0;
}

int bus_id_pos_compare(const struct bus_pos *a, const struct bus_pos *b)
{
    return memcmp(a->bytes, b->bytes, BUS_ID_LEN);
}

void bus_id_pos_format(const struct bus_pos *pos, struct buf *out)
{
    buf_printf(out, "%" PRIu64 "-%" PRIu64, get_be64(pos->bytes), get_be64(pos->bytes + 8));
}

/* Reads digits only: strtoull would take spaces and signs. */
static const char *parse_uint(const char *p, uint64_t *ret)
{
    const char *start = p;
    uint64_t v = 0;

    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
            return NULL;
    *ret = v;
    return p == start ? NULL : p;
}

int bus_id_pos_parse(const char *text, struct bus_pos *ret, struct err *err)
{
    struct bus_id id = {0, 0};
    const char *p = parse_uint(text, &id.ms);

    if (p && *p == '-')
        p = parse_uint(p + 1, &id.seq);
    if (!p || *p)
        return err_set(err, ERR_INVALID,
                       "'%.60s' is no position: write <milliseconds>-<number>, oldest or newest",
                       text);
    *ret = bus_id_to_pos(id);
    return 0;
}
