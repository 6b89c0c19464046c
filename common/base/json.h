/*
 * Reading JSON without building a tree, and writing it into a buffer.
 *
 * Events go through the loop as text: what a service does not need it passes on
 * untouched, as the bytes it received. That needs the place of each member in
 * the text, which a tree does not keep, and at tens of thousands of messages a
 * second it must not allocate. The task file is read with it too: an error can
 * then name the line.
 *
 * json_parse() checks the whole text once (RFC 8259, UTF-8, nesting at most
 * JSON_DEPTH_MAX); everything after it walks text that is known to be good.
 * Values point into the caller's text and live as long as it does.
 */
#ifndef OXBOW_BASE_JSON_H
#define OXBOW_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define JSON_DEPTH_MAX 64

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_OBJECT,
    JSON_ARRAY,
};

struct json_value {
    enum json_type type;
    const char *text; /* the value's own bytes, without space around; a string has its quotes */
    size_t len;
};

/* Reading */

/*
 * Checks `text` and gives its root. ERR_INVALID with the byte offset and what was expected there.
 * Half a surrogate pair (`"\ud800"`) is refused too: it is no character and has no UTF-8.
 */
int json_parse(const char *text, size_t len, struct json_value *ret, struct err *err) MUST_CHECK;

/* The check alone: NULL when `text` is good, else what was expected at byte *ret_at. */
const char *json_check(const char *text, size_t len, size_t *ret_at);

struct json_iter {
    const char *at;
    const char *end;
};

/* Walks the members of an object, or the elements of an array, in the order of the text. */
void json_iter_init(struct json_iter *it, const struct json_value *container);
bool json_next_member(struct json_iter *it, struct json_value *ret_key, struct json_value *ret);
bool json_next_element(struct json_iter *it, struct json_value *ret);

/* The first member of that name; false when absent or when `object` is none. */
bool json_get(const struct json_value *object, const char *name, struct json_value *ret);

/* True for a string that, unescaped, is exactly these bytes. */
bool json_is(const struct json_value *string, const char *s, size_t len);

/* Appends the unescaped text of a string; false when it is no string. */
bool json_string(const struct json_value *string, struct buf *out);

/* False when it is no number, or one that no double holds; booleans are no numbers. */
bool json_number(const struct json_value *value, double *ret);
/* Of the integers, those written as such: 5, not 5.0 or 5e0. */
bool json_int(const struct json_value *value, int64_t *ret);

/*
 * Members of what a program of ours has written, such as a heartbeat: a default where there is none
 * of that type. Text that is longer than `size` is cut.
 */
void json_get_text(const struct json_value *object, const char *name, char *ret, size_t size);
int64_t json_get_int(const struct json_value *object, const char *name);    /* 0 */
uint64_t json_get_count(const struct json_value *object, const char *name); /* 0, also below it */
double json_get_number(const struct json_value *object, const char *name);  /* NaN */
bool json_get_bool(const struct json_value *object, const char *name);      /* false */

/* Writing. The caller writes braces, brackets and commas. */

/* A string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void json_write_string(struct buf *out, const char *s, size_t len);
/* `"name":`, for a name that needs no escape. */
void json_write_name(struct buf *out, const char *name);
/* As num_format(): NaN and infinities are null. */
void json_write_number(struct buf *out, double v);
void json_write_int(struct buf *out, int64_t v);

/* True when the bytes are well-formed UTF-8. */
bool json_utf8_valid(const char *s, size_t len);

#endif
