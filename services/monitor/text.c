/* Writing the monitor's JSON. */
#include "monitor/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

void text_number(struct buf *out, double v)
{
    if (isfinite(v))
        buf_printf(out, "%.7g", v);
    else
        buf_text(out, "null");
}

void text_time(struct buf *out, int64_t time_ms)
{
    if (time_ms == TIME_UNKNOWN)
        buf_text(out, "null");
    else
        json_write_int(out, time_ms);
}

void text_string(struct buf *out, const char *s)
{
    if (s)
        json_write_string(out, s, strlen(s));
    else
        buf_text(out, "null");
}

void text_next(struct buf *out)
{
    char last = out->len ? out->data[out->len - 1] : '{';

    if (last != '{' && last != '[' && last != ',' && last != ':')
        buf_byte(out, ',');
}

void text_put_name(struct buf *out, const char *name)
{
    text_next(out);
    json_write_string(out, name, strlen(name));
    buf_byte(out, ':');
}

void text_put_number(struct buf *out, const char *name, double v)
{
    text_put_name(out, name);
    text_number(out, v);
}

void text_put_count(struct buf *out, const char *name, uint64_t v)
{
    text_put_name(out, name);
    json_write_int(out, (int64_t)v);
}

void text_put_time(struct buf *out, const char *name, int64_t time_ms)
{
    text_put_name(out, name);
    text_time(out, time_ms);
}

void text_put_string(struct buf *out, const char *name, const char *s)
{
    text_put_name(out, name);
    text_string(out, s);
}

void text_put_interval(struct buf *out, const char *name, const struct issued *said)
{
    text_put_name(out, name);
    if (!issued_has_interval(said)) {
        buf_text(out, "null");
        return;
    }
    buf_byte(out, '[');
    text_number(out, said->low);
    buf_byte(out, ',');
    text_number(out, said->high);
    buf_byte(out, ']');
}

void text_put_bool(struct buf *out, const char *name, bool v)
{
    text_put_name(out, name);
    buf_text(out, v ? "true" : "false");
}

int64_t text_read_time(const struct json_value *v)
{
    int64_t time_ms;

    if (v->type != JSON_STRING || v->len < 2 || clock_parse(v->text + 1, v->len - 2, &time_ms) != 0)
        return TIME_UNKNOWN;
    return time_ms;
}
