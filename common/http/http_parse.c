/* Requests as text: the grammar of what a client may write. */
#include "http/http_parse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

/* Escapes */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* The byte that "%XX" stands for; -1 when it is none. */
static int escaped_byte(const char *s, size_t left)
{
    if (left < 3)
        return -1;

    int high = hex_digit(s[1]);
    int low = hex_digit(s[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/*
 * Appends the decoded text. *ret_data (may be NULL) is set when an escape stands for a '/', a
 * backslash or a control character.
 */
static int decode(struct buf *out, const char *s, size_t len, bool plus_is_space, bool *ret_data,
                  struct err *err)
{
    size_t start = out->len;

    buf_reserve(out, len);
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (c == '%') {
            int byte = escaped_byte(s + i, len - i);
            if (byte < 0)
                return err_set(err, ERR_INVALID,
                               "a '%%' in the address is not followed by two hexadecimal digits; "
                               "write %%25 for a percent sign");
            if (byte == 0)
                return err_set(err, ERR_INVALID, "the address holds a NUL");
            c = (char)byte;
            i += 2;
            if (ret_data && (c == '/' || c == '\\' || is_control(c)))
                *ret_data = true;
        } else if (is_control(c) || c == '\\') {
            return err_set(err, ERR_INVALID,
                           "the address holds a control character or a backslash; escape it");
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        buf_byte(out, c);
    }
    if (!json_utf8_valid(out->data + start, out->len - start))
        return err_set(err, ERR_INVALID, "the address is not UTF-8");
    return 0;
}

/* Parameters */

static int parse_pair(struct http_params *params, const char *pair, size_t len, struct err *err)
{
    const char *equals = memchr(pair, '=', len);
    size_t name_len = equals ? (size_t)(equals - pair) : len;
    size_t at = params->text.len;

    if (params->n == HTTP_PARAMS_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %d parameters", HTTP_PARAMS_MAX);
    int rc = decode(&params->text, pair, name_len, true, NULL, err);
    buf_byte(&params->text, '\0');
    if (rc == 0 && equals)
        rc = decode(&params->text, equals + 1, len - name_len - 1, true, NULL, err);
    buf_byte(&params->text, '\0');
    if (rc == 0)
        params->name[params->n++] = at;
    return rc;
}

int http_params_parse(struct http_params *params, const char *text, size_t len, struct err *err)
{
    const char *end = text + len;

    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        if (!stop)
            stop = end;
        if (stop > text) {
            int rc = parse_pair(params, text, (size_t)(stop - text), err);
            if (rc != 0)
                return rc;
        }
        text = stop + 1;
    }
    return 0;
}

const char *http_params_get(const struct http_params *params, const char *name)
{
    for (size_t i = 0; i < params->n; i++) {
        const char *found = params->text.data + params->name[i];
        if (strcmp(found, name) == 0)
            return found + strlen(found) + 1;
    }
    return NULL;
}

void http_params_release(struct http_params *params)
{
    buf_release(&params->text);
    params->n = 0;
}

/* Targets */

/* True when a decoded segment, read as a path, leads upwards. */
static bool leads_up(const char *s, size_t len)
{
    while (len > 0) {
        size_t part = 0;
        while (part < len && s[part] != '/' && s[part] != '\\')
            part++;
        if (part == 2 && s[0] == '.' && s[1] == '.')
            return true;
        if (part == len)
            break;
        s += part + 1;
        len -= part + 1;
    }
    return false;
}

/* One piece between two slashes, with the slash before it; empty ones and "." leave nothing. */
static int parse_segment(struct http_target *target, const char *s, size_t len, struct err *err)
{
    struct buf *path = &target->path;
    size_t start = path->len + 1;
    bool is_data = false;

    buf_byte(path, '/');
    int rc = decode(path, s, len, false, &is_data, err);
    if (rc != 0)
        return rc;

    size_t decoded = path->len - start;
    if (leads_up(path->data + start, decoded))
        return err_set(err, ERR_INVALID, "the address holds \"..\"");
    if (decoded == 0 || (decoded == 1 && path->data[start] == '.')) {
        path->len = start - 1;
        path->data[path->len] = '\0';
    }
    if (is_data)
        target->is_file_name = false;
    return 0;
}

int http_target_parse(struct http_target *target, const char *text, size_t len, struct err *err)
{
    const char *query = memchr(text, '?', len);
    const char *end = query ? query : text + len;

    target->is_file_name = true;
    if (len == 0 || text[0] != '/')
        return err_set(err, ERR_INVALID, "an address begins with '/'");
    for (const char *at = text; at < end;) {
        const char *stop = memchr(at + 1, '/', (size_t)(end - at - 1));
        if (!stop)
            stop = end;
        int rc = parse_segment(target, at + 1, (size_t)(stop - at - 1), err);
        if (rc != 0)
            return rc;
        at = stop;
    }
    /* A path that ends with '/', or with "/.", is a folder. */
    if (target->path.len == 0 || end[-1] == '/' || (end[-1] == '.' && end[-2] == '/'))
        buf_byte(&target->path, '/');
    if (!query)
        return 0;
    return http_params_parse(&target->params, query + 1, len - (size_t)(query + 1 - text), err);
}

void http_target_release(struct http_target *target)
{
    buf_release(&target->path);
    http_params_release(&target->params);
}

/* Headers: lists of words */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next piece up to `separator`, without blanks around; false at the end. */
static bool next_piece(const char **at, char separator, const char **ret, size_t *ret_len)
{
    const char *s = *at;

    if (!s || !*s)
        return false;

    const char *stop = strchr(s, separator);
    const char *end = stop ? stop : s + strlen(s);
    *at = stop ? stop + 1 : NULL;
    while (s < end && is_blank(*s))
        s++;
    while (end > s && is_blank(end[-1]))
        end--;
    *ret = s;
    *ret_len = (size_t)(end - s);
    return true;
}

const char *http_cookie(const char *header, const char *name, size_t *ret_len)
{
    size_t name_len = strlen(name);
    const char *piece;
    size_t len;

    while (next_piece(&header, ';', &piece, &len)) {
        if (len > name_len && piece[name_len] == '=' && memcmp(piece, name, name_len) == 0) {
            *ret_len = len - name_len - 1;
            return piece + name_len + 1;
        }
    }
    return NULL;
}

static bool is_word(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(s, word, len) == 0;
}

/* True when `;q=` says 0, in any of the ways it can be written; no weight is 1. */
static bool is_refused(const char *parameters, size_t len)
{
    size_t i = 0;

    while (i < len && (is_blank(parameters[i]) || parameters[i] == ';'))
        i++;
    if (len - i < 3 || (parameters[i] != 'q' && parameters[i] != 'Q') || parameters[i + 1] != '=')
        return false;
    for (i += 2; i < len; i++)
        if (parameters[i] != '0' && parameters[i] != '.')
            return false;
    return true;
}

bool http_takes_gzip(const char *header)
{
    bool any = false;
    const char *piece;
    size_t len;

    while (next_piece(&header, ',', &piece, &len)) {
        size_t word = 0;
        while (word < len && piece[word] != ';' && !is_blank(piece[word]))
            word++;
        bool takes = !is_refused(piece + word, len - word);
        if (is_word(piece, word, "gzip") || is_word(piece, word, "x-gzip"))
            return takes;
        if (is_word(piece, word, "*"))
            any = takes;
    }
    return any;
}

bool http_has_tag(const char *header, const char *tag)
{
    size_t tag_len = strlen(tag);
    const char *piece;
    size_t len;

    while (next_piece(&header, ',', &piece, &len)) {
        if (len == 1 && piece[0] == '*')
            return true;
        if (len > 2 && piece[0] == 'W' && piece[1] == '/') {
            piece += 2;
            len -= 2;
        }
        if (len == tag_len + 2 && piece[0] == '"' && piece[len - 1] == '"' &&
            memcmp(piece + 1, tag, tag_len) == 0)
            return true;
    }
    return false;
}

/* The length of the name before a port. */
static size_t host_name_len(const char *host)
{
    if (host[0] == '[') {
        const char *end = strchr(host, ']');
        return end ? (size_t)(end + 1 - host) : 0;
    }
    return strcspn(host, ":");
}

static bool is_port(const char *s)
{
    if (!*s)
        return true;
    return s[0] == ':' && strspn(s + 1, "0123456789") == strlen(s + 1);
}

bool http_host_known(const char *host, const char *const *hosts, size_t n_hosts)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "[::1]"};
    size_t len = host_name_len(host);

    if (len == 0 || !is_port(host + len))
        return false;
    for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++)
        if (is_word(host, len, loopback[i]))
            return true;
    for (size_t i = 0; i < n_hosts; i++)
        if (is_word(host, len, hosts[i]))
            return true;
    return false;
}
