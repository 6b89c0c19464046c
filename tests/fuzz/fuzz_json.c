/*
 * Any bytes: json_parse() accepts or refuses them, and what it accepted can be walked to the last
 * byte, read, and written again. Also the readers of numbers and of times, which take bytes too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true)
        abort();
}

/* A string written again and read again is the same string. */
static void check_string(const struct json_value *string)
{
    struct buf text = BUF_INIT;
    struct buf again = BUF_INIT;
    struct buf second = BUF_INIT;
    struct json_value v;

    require(json_string(string, &text));
    require(json_utf8_valid(buf_str(&text), text.len));
    require(json_is(string, buf_str(&text), text.len));
    json_write_string(&again, buf_str(&text), text.len);
    require(json_parse(again.data, again.len, &v, NULL) == 0 && json_string(&v, &second));
    require(second.len == text.len && memcmp(buf_str(&second), buf_str(&text), text.len) == 0);
    buf_release(&text);
    buf_release(&again);
    buf_release(&second);
}

static void check_number(const struct json_value *number)
{
    char text[NUM_TEXT_MAX];
    double v;
    double again;
    int64_t i;

    if (json_number(number, &v)) {
        size_t len = num_format(v, text);
        require(num_parse(text, len, &again) == 0 && memcmp(&v, &again, sizeof(v)) == 0);
    }
    if (json_int(number, &i)) {
        size_t len = num_format_int(i, text);
        require(num_parse_int(text, len, &i) == 0);
    }
}

static void check_value(const struct json_value *v)
{
    struct json_value parsed;
    struct json_value key;
    struct json_value child;
    struct json_iter it;

    require(json_parse(v->text, v->len, &parsed, NULL) == 0 && parsed.type == v->type);
    require(parsed.len == v->len);
    if (v->type == JSON_STRING)
        check_string(v);
    if (v->type == JSON_NUMBER)
        check_number(v);
    if (v->type == JSON_OBJECT) {
        json_get(v, "key", &child);
        json_iter_init(&it, v);
        while (json_next_member(&it, &key, &child)) {
            check_string(&key);
            check_value(&child);
        }
    }
    if (v->type == JSON_ARRAY) {
        json_iter_init(&it, v);
        while (json_next_element(&it, &child))
            check_value(&child);
    }
}

/* Anything that is written as a string is JSON, whatever the bytes. */
static void check_writer(const char *text, size_t size)
{
    struct buf out = BUF_INIT;
    struct json_value v;

    json_write_string(&out, text, size);
    require(json_parse(out.data, out.len, &v, NULL) == 0);
    if (json_utf8_valid(text, size))
        require(json_is(&v, text, size));
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exactly this size, so that a byte read past the end is seen. */
    char *text = malloc(size ? size : 1);
    struct json_value root;
    struct err err = {0};
    double v;
    int64_t i;

    if (size)
        memcpy(text, data, size);
    if (json_parse(text, size, &root, &err) == 0)
        check_value(&root);
    else
        require(err.code == ERR_INVALID && err.text[0]);
    check_writer(text, size);

    if (num_parse(text, size, &v) == 0)
        require(json_parse(text, size, &root, NULL) == 0 && root.type == JSON_NUMBER);
    if (clock_parse(text, size, &i) == 0 && size == CLOCK_TEXT_LEN) {
        char again[CLOCK_TEXT_LEN + 1];
        clock_format(i, again);
        require(memcmp(again, text, CLOCK_TEXT_LEN) == 0);
    }
    free(text);
    return 0;
}
