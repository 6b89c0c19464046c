/* Cursors: comparing, writing and reading. */
#include "simulator/cursor.h"

#include <stdbool.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"

#define N_FIELDS 7
#define TIME_MAX INT64_C(1000000000000000) /* ms, far beyond the year 9999 */

int cursor_compare(const struct cursor *a, const struct cursor *b)
{
    if (!a->number || !b->number)
        return (a->number != 0) - (b->number != 0);
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

void cursor_write(const struct cursor *c, const char *identity, struct buf *out)
{
    buf_text(out, identity);
    buf_byte(out, ' ');
    json_write_int(out, c->time_ms);
    buf_append(out, c->kind == EVENT_REQUEST ? " r " : " o ", 3);
    json_write_int(out, (int64_t)c->number);
    buf_byte(out, ' ');
    json_write_int(out, (int64_t)c->requests);
    buf_byte(out, ' ');
    json_write_int(out, (int64_t)c->outcomes);
    buf_byte(out, ' ');
    json_write_int(out, c->time_ms - c->request_ms);
}

static bool read_count(const char *text, size_t len, uint64_t *ret)
{
    int64_t v;

    if (num_parse_int(text, len, &v) != 0 || v < 0)
        return false;
    *ret = (uint64_t)v;
    return true;
}

int cursor_read(const char *text, size_t len, struct cursor *ret,
                char ret_identity[CURSOR_IDENTITY_MAX + 1])
{
    const char *field[N_FIELDS];
    size_t field_len[N_FIELDS];
    const char *end = text + len;

    for (size_t i = 0; i < N_FIELDS; i++) {
        const char *space = text < end ? memchr(text, ' ', (size_t)(end - text)) : NULL;
        if (!space != (i == N_FIELDS - 1))
            return ERR_INVALID;
        field[i] = text;
        field_len[i] = (size_t)((space ? space : end) - text);
        text = space ? space + 1 : end;
    }

    struct cursor c;
    int64_t lag;
    if (field_len[0] == 0 || field_len[0] > CURSOR_IDENTITY_MAX || field_len[2] != 1 ||
        (*field[2] != 'r' && *field[2] != 'o') ||
        num_parse_int(field[1], field_len[1], &c.time_ms) != 0 ||
        !read_count(field[3], field_len[3], &c.number) || !c.number ||
        !read_count(field[4], field_len[4], &c.requests) ||
        !read_count(field[5], field_len[5], &c.outcomes) ||
        num_parse_int(field[6], field_len[6], &lag) != 0 || lag < 0 || lag > TIME_MAX ||
        c.time_ms < -TIME_MAX || c.time_ms > TIME_MAX)
        return ERR_INVALID;
    c.request_ms = c.time_ms - lag;
    c.kind = *field[2] == 'r' ? EVENT_REQUEST : EVENT_OUTCOME;

    *ret = c;
    memcpy(ret_identity, field[0], field_len[0]);
    ret_identity[field_len[0]] = '\0';
    return 0;
}
