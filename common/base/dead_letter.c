/* Writing dead letters. */
#include "base/dead_letter.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"

static void write_member(struct buf *out, const char *name, const char *s, size_t len)
{
    if (out->data[out->len - 1] != '{')
        buf_byte(out, ',');
    json_write_name(out, name);
    if (s)
        json_write_string(out, s, len);
    else
        buf_text(out, "null");
}

void dead_letter_write(const struct dead_letter *letter, struct buf *out)
{
    char at[CLOCK_TEXT_LEN + 1];
    size_t value_len = letter->value_len;

    if (value_len > DEAD_LETTER_VALUE_MAX)
        value_len = DEAD_LETTER_VALUE_MAX;
    clock_format(letter->at_ms, at);

    buf_byte(out, '{');
    write_member(out, "topic", letter->topic, strlen(letter->topic));
    write_member(out, "position", letter->position, strlen(letter->position));
    write_member(out, "reason", letter->reason, strlen(letter->reason));
    write_member(out, "key", letter->key, letter->key_len);
    write_member(out, "value", letter->value, value_len);
    write_member(out, "at", at, CLOCK_TEXT_LEN);
    write_member(out, "service", letter->service, strlen(letter->service));
    buf_byte(out, '}');
}
