/*
 * JSON as text. The checker is a recursive descent over the bytes, bounded by
 * JSON_DEPTH_MAX; strings are passed over eight bytes at a time. The walkers
 * rely on its verdict: they look only for the quotes, brackets and commas that
 * they need.
 */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Bytes */

static inline uint64_t load8(const char *s)
{
    uint64_t w;

    memcpy(&w, s, sizeof(w));
    return w;
}

/* The high bit of each byte of `w` that is `c`, reliable up to and with the first such byte. */
static inline uint64_t find_byte(uint64_t w, unsigned char c)
{
    uint64_t x = w ^ (ONES * c);

    return (x - ONES) & ~x & HIGHS;
}

/* Nonzero when a byte of `w` is a quote, a backslash, a control character or not ASCII. */
static inline uint64_t find_special(uint64_t w)
{
    return find_byte(w, '"') | find_byte(w, '\\') | ((w - ONES * 0x20) & ~w & HIGHS) | (w & HIGHS);
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *skip_space(const char *s, const char *end)
{
    while (s < end && is_space(*s))
        s++;
    return s;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The length of the well-formed UTF-8 sequence at `s`, 1 to 4; 0 when it is none. */
static size_t utf8_length(const char *s, const char *end)
{
    const unsigned char *b = (const unsigned char *)s;
    size_t left = (size_t)(end - s);

    if (b[0] < 0x80)
        return 1;
    if (b[0] < 0xC2 || b[0] > 0xF4)
        return 0;

    size_t n = b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : 4;
    if (left < n)
        return 0;

    /* The second byte's range keeps out overlong forms, surrogates and what is over U+10FFFF. */
    unsigned char low = b[0] == 0xE0 ? 0xA0 : b[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = b[0] == 0xED ? 0x9F : b[0] == 0xF4 ? 0x8F : 0xBF;
    if (b[1] < low || b[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((b[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

static void put_utf8(struct buf *out, uint32_t code)
{
    char *p = buf_reserve(out, 4);
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    if (n == 1)
        p[0] = (char)code;
    else {
        for (size_t i = n - 1; i > 0; i--) {
            p[i] = (char)(0x80 | (code & 0x3F));
            code >>= 6;
        }
        p[0] = (char)((0xF00u >> n & 0xFFu) | code);
    }
    p[n] = '\0';
    out->len += n;
}

/* Checking */

struct scan {
    const char *end;
    const char *bad;    /* where the trouble is */
    const char *wanted; /* what was expected there */
};

static const char *fail(struct scan *s, const char *at, const char *wanted)
{
    s->bad = at;
    s->wanted = wanted;
    return NULL;
}

/* The four digits after \u; -1 when they are not. */
static int32_t hex4(const char *s, const char *end)
{
    int32_t code = 0;

    if (end - s < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char c = s[i];
        int32_t digit = is_digit(c)              ? c - '0'
                        : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                        : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

/*
 * Reads the escape at `s` (its backslash). Returns the byte after it, NULL when it is none; half a
 * surrogate pair is none either: it is no character, and two different ones would come out alike.
 */
static const char *read_escape(const char *s, const char *end, uint32_t *ret_code)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";

    if (end - s < 2)
        return NULL;
    if (s[1] != 'u') {
        const char *which = s[1] ? strchr(from, s[1]) : NULL;
        if (!which)
            return NULL;
        *ret_code = (unsigned char)to[which - from];
        return s + 2;
    }

    int32_t code = hex4(s + 2, end);
    if (code < 0 || (code >= 0xDC00 && code < 0xE000))
        return NULL;
    s += 6;
    if (code >= 0xD800 && code < 0xDC00) {
        int32_t second = end - s >= 6 && s[0] == '\\' && s[1] == 'u' ? hex4(s + 2, end) : -1;
        if (second < 0xDC00 || second >= 0xE000)
            return NULL;
        code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
        s += 6;
    }
    *ret_code = (uint32_t)code;
    return s;
}

/* From the opening quote to past the closing one. */
static const char *scan_string(struct scan *s, const char *at)
{
    const char *open = at++;

    for (;;) {
        while (s->end - at >= 8) {
            uint64_t special = find_special(load8(at));
            if (special) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                at += __builtin_ctzll(special) / 8;
#endif
                break;
            }
            at += 8;
        }
        if (at == s->end)
            return fail(s, open, "a string with a closing quote");

        unsigned char c = (unsigned char)*at;
        if (c == '"')
            return at + 1;
        if (c == '\\') {
            uint32_t code;
            const char *next = read_escape(at, s->end, &code);
            if (!next)
                return fail(s, at, "a valid escape");
            at = next;
        } else if (c < 0x20) {
            return fail(s, at, "no control character in a string");
        } else {
            size_t n = utf8_length(at, s->end);
            if (!n)
                return fail(s, at, "UTF-8");
            at += n;
        }
    }
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

static const char *scan_number(struct scan *s, const char *at)
{
    const char *end = s->end;

    if (*at == '-')
        at++;
    if (at == end || !is_digit(*at))
        return fail(s, at, "a digit");
    at = *at == '0' ? at + 1 : skip_digits(at, end);
    if (at < end && *at == '.') {
        const char *point = ++at;
        at = skip_digits(at, end);
        if (at == point)
            return fail(s, at, "a digit after the point");
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        const char *first = at;
        at = skip_digits(at, end);
        if (at == first)
            return fail(s, at, "a digit in the exponent");
    }
    return at;
}

static const char *scan_word(struct scan *s, const char *at, const char *word, size_t len)
{
    if ((size_t)(s->end - at) < len || memcmp(at, word, len) != 0)
        return fail(s, at, "a value");
    return at + len;
}

static const char *scan_value(struct scan *s, const char *at, int depth);

/* One member of an object, up to past its value. */
static const char *scan_member(struct scan *s, const char *at, int depth)
{
    if (at == s->end || *at != '"')
        return fail(s, at, "a name in quotes");
    at = scan_string(s, at);
    if (!at)
        return NULL;
    at = skip_space(at, s->end);
    if (at == s->end || *at != ':')
        return fail(s, at, "':'");
    return scan_value(s, skip_space(at + 1, s->end), depth);
}

static const char *scan_container(struct scan *s, const char *at, int depth)
{
    bool is_object = *at == '{';
    char close = is_object ? '}' : ']';

    if (depth > JSON_DEPTH_MAX)
        return fail(s, at, "less deep nesting (at most 64)");
    at = skip_space(at + 1, s->end);
    if (at < s->end && *at == close)
        return at + 1;
    for (;;) {
        at = is_object ? scan_member(s, at, depth) : scan_value(s, at, depth);
        if (!at)
            return NULL;
        at = skip_space(at, s->end);
        if (at < s->end && *at == close)
            return at + 1;
        if (at == s->end || *at != ',')
            return fail(s, at, is_object ? "',' or '}'" : "',' or ']'");
        at = skip_space(at + 1, s->end);
    }
}

/* From a value's first byte to past its last; NULL when it is malformed. */
static const char *scan_value(struct scan *s, const char *at, int depth)
{
    if (at == s->end)
        return fail(s, at, "a value");
    switch (*at) {
    case '"':
        return scan_string(s, at);
    case '{':
    case '[':
        return scan_container(s, at, depth + 1);
    case 't':
        return scan_word(s, at, "true", 4);
    case 'f':
        return scan_word(s, at, "false", 5);
    case 'n':
        return scan_word(s, at, "null", 4);
    default:
        if (*at != '-' && !is_digit(*at))
            return fail(s, at, "a value");
        return scan_number(s, at);
    }
}

static enum json_type type_of(char first)
{
    switch (first) {
    case '"':
        return JSON_STRING;
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

/* From the root's first byte to past its last, as `s` finds; NULL when it finds none. */
static const char *scan_root(struct scan *s, const char *first)
{
    const char *last = scan_value(s, first, 0);

    if (last && skip_space(last, s->end) != s->end)
        return fail(s, skip_space(last, s->end), "the end");
    return last;
}

const char *json_check(const char *text, size_t len, size_t *ret_at)
{
    struct scan s = {.end = text + len};

    if (scan_root(&s, skip_space(text, s.end)))
        return NULL;
    *ret_at = (size_t)(s.bad - text);
    return s.wanted;
}

int json_parse(const char *text, size_t len, struct json_value *ret, struct err *err)
{
    struct scan s = {.end = text + len};
    const char *first = skip_space(text, s.end);
    const char *last = scan_root(&s, first);

    if (!last)
        return err_set(err, ERR_INVALID, "not JSON: byte %zu: expected %s", (size_t)(s.bad - text),
                       s.wanted);
    *ret = (struct json_value){type_of(*first), first, (size_t)(last - first)};
    return 0;
}

/* Walking what is known to be good */

static const char *pass_string(const char *at)
{
    at++;
    for (;;) {
        while (*at != '"' && *at != '\\')
            at++;
        if (*at == '"')
            return at + 1;
        at += 2;
    }
}

static const char *pass_value(const char *at, const char *end)
{
    if (*at == '"')
        return pass_string(at);
    if (*at != '{' && *at != '[') {
        while (at < end && *at != ',' && *at != '}' && *at != ']' && !is_space(*at))
            at++;
        return at;
    }

    size_t depth = 0;
    do {
        char c = *at;

        if (c == '"') {
            at = pass_string(at);
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        at++;
    } while (depth);
    return at;
}

void json_iter_init(struct json_iter *it, const struct json_value *container)
{
    *it = (struct json_iter){NULL, NULL};
    if (container->type == JSON_OBJECT || container->type == JSON_ARRAY) {
        it->end = container->text + container->len - 1;
        it->at = skip_space(container->text + 1, it->end);
    }
}

bool json_next_element(struct json_iter *it, struct json_value *ret)
{
    if (it->at == it->end)
        return false;

    const char *first = it->at;
    const char *last = pass_value(first, it->end);
    *ret = (struct json_value){type_of(*first), first, (size_t)(last - first)};

    it->at = skip_space(last, it->end);
    if (it->at < it->end)
        it->at = skip_space(it->at + 1, it->end);
    return true;
}

bool json_next_member(struct json_iter *it, struct json_value *ret_key, struct json_value *ret)
{
    if (it->at == it->end || *it->at != '"')
        return false;

    const char *key = it->at;
    const char *key_end = pass_string(key);
    it->at = skip_space(skip_space(key_end, it->end) + 1, it->end);
    *ret_key = (struct json_value){JSON_STRING, key, (size_t)(key_end - key)};
    return json_next_element(it, ret);
}

bool json_get(const struct json_value *object, const char *name, struct json_value *ret)
{
    struct json_iter it;
    struct json_value key;
    struct json_value value;
    size_t len = strlen(name);

    if (object->type != JSON_OBJECT)
        return false;
    json_iter_init(&it, object);
    while (json_next_member(&it, &key, &value)) {
        if (json_is(&key, name, len)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

/* Strings */

/* json_is() for a string with an escape. */
static bool escaped_is(const struct json_value *string, const char *s, size_t len)
{
    struct buf text = BUF_INIT;
    bool is_same = json_string(string, &text) && text.len == len &&
                   (len == 0 || memcmp(text.data, s, len) == 0);

    buf_release(&text);
    return is_same;
}

bool json_is(const struct json_value *string, const char *s, size_t len)
{
    if (string->type != JSON_STRING || string->len < len + 2)
        return false;
    if (string->len == len + 2)
        return memcmp(string->text + 1, s, len) == 0 && !memchr(s, '\\', len);
    return memchr(string->text, '\\', string->len) && escaped_is(string, s, len);
}

bool json_string(const struct json_value *string, struct buf *out)
{
    if (string->type != JSON_STRING)
        return false;

    const char *at = string->text + 1;
    const char *end = string->text + string->len - 1;
    for (;;) {
        const char *escape = at < end ? memchr(at, '\\', (size_t)(end - at)) : NULL;
        uint32_t code = 0;

        buf_append(out, at, (size_t)((escape ? escape : end) - at));
        if (!escape)
            return true;
        at = read_escape(escape, end, &code);
        if (!at)
            return false;
        put_utf8(out, code);
    }
}

bool json_number(const struct json_value *value, double *ret)
{
    return value->type == JSON_NUMBER && num_parse(value->text, value->len, ret) == 0;
}

bool json_int(const struct json_value *value, int64_t *ret)
{
    return value->type == JSON_NUMBER && num_parse_int(value->text, value->len, ret) == 0;
}

void json_get_text(const struct json_value *object, const char *name, char *ret, size_t size)
{
    struct json_value v;
    struct buf text = BUF_INIT;

    ret[0] = '\0';
    if (json_get(object, name, &v) && json_string(&v, &text))
        snprintf(ret, size, "%s", buf_str(&text));
    buf_release(&text);
}

int64_t json_get_int(const struct json_value *object, const char *name)
{
    struct json_value v;
    int64_t n = 0;

    return json_get(object, name, &v) && json_int(&v, &n) ? n : 0;
}

uint64_t json_get_count(const struct json_value *object, const char *name)
{
    int64_t n = json_get_int(object, name);

    return n > 0 ? (uint64_t)n : 0;
}

double json_get_number(const struct json_value *object, const char *name)
{
    struct json_value v;
    double n;

    return json_get(object, name, &v) && json_number(&v, &n) ? n : (double)NAN;
}

bool json_get_bool(const struct json_value *object, const char *name)
{
    struct json_value v;

    return json_get(object, name, &v) && v.type == JSON_TRUE;
}

/* Writing */

static void put_control(struct buf *out, unsigned char c)
{
    static const char from[] = "\b\f\n\r\t";
    static const char to[] = "bfnrt";
    const char *which = c ? strchr(from, c) : NULL;

    if (which) {
        buf_byte(out, '\\');
        buf_byte(out, to[which - from]);
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

void json_write_string(struct buf *out, const char *s, size_t len)
{
    const char *end = s + len;

    buf_byte(out, '"');
    while (s < end) {
        const char *plain = s;
        while (end - s >= 8 && !find_special(load8(s)))
            s += 8;
        while (s < end && (unsigned char)*s >= 0x20 && (unsigned char)*s < 0x80 && *s != '"' &&
               *s != '\\')
            s++;
        buf_append(out, plain, (size_t)(s - plain));
        if (s == end)
            break;

        size_t n = utf8_length(s, end);
        if (*s == '"' || *s == '\\') {
            buf_byte(out, '\\');
            buf_byte(out, *s);
        } else if (n == 0) {
            buf_text(out, "\xEF\xBF\xBD");
        } else if (n == 1) {
            put_control(out, (unsigned char)*s);
        } else {
            buf_append(out, s, n);
        }
        s += n ? n : 1;
    }
    buf_byte(out, '"');
}

void json_write_name(struct buf *out, const char *name)
{
    size_t len = strlen(name);
    char *p = buf_reserve(out, len + 3);

    p[0] = '"';
    memcpy(p + 1, name, len);
    memcpy(p + 1 + len, "\":", 3);
    out->len += len + 3;
}

void json_write_number(struct buf *out, double v)
{
    out->len += num_format(v, buf_reserve(out, NUM_TEXT_MAX));
}

void json_write_int(struct buf *out, int64_t v)
{
    out->len += num_format_int(v, buf_reserve(out, NUM_TEXT_MAX));
}

bool json_utf8_valid(const char *s, size_t len)
{
    const char *end = s + len;

    while (s < end) {
        while (end - s >= 8 && !(load8(s) & HIGHS))
            s += 8;
        if (s == end)
            break;

        size_t n = utf8_length(s, end);
        if (!n)
            return false;
        s += n;
    }
    return true;
}
