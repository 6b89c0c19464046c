/*
 * The task file as text: reading it, blanking its comments so that every other
 * byte keeps its place, and saying where it is not JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "task/task_read.h"

#define FILE_MAX_BYTES (1 << 20)

static int read_file(struct reader *r, struct buf *text)
{
    const char *path = r->task->file;
    FILE *file = fopen(path, "rb");
    size_t n;

    if (!file)
        return err_set(r->err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                       "%s: cannot be read: %s; name a task file such as config/taxi.json", path,
                       strerror(errno));
    do {
        n = fread(buf_reserve(text, 65536), 1, 65536, file);
        text->len += n;
    } while (n && text->len <= FILE_MAX_BYTES);

    int code = 0;
    if (ferror(file))
        code = err_set(r->err, ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    else if (text->len > FILE_MAX_BYTES)
        code =
            err_set(r->err, ERR_TOO_LARGE, "%s: is larger than a task file may be (1 MiB)", path);
    fclose(file);
    return code;
}

static void blank(char *s, const char *end)
{
    for (; s < end; s++)
        if (*s != '\n')
            *s = ' ';
}

/* From a quote to past the one that closes it, or to `end`. */
static char *pass_string(char *s, char *end)
{
    for (s++; s < end; s++) {
        if (*s == '"')
            return s + 1;
        if (*s == '\\')
            s++;
    }
    return end;
}

/* Comments become spaces. NULL, or the start of a comment that is not closed. */
static const char *blank_comments(char *s, char *end)
{
    if (end - s >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0)
        blank(s, s + 3); /* a byte order mark, as some editors put it */

    while (s < end) {
        if (*s == '"') {
            s = pass_string(s, end);
        } else if (end - s >= 2 && s[0] == '/' && s[1] == '/') {
            char *line_end = memchr(s, '\n', (size_t)(end - s));
            if (!line_end)
                line_end = end;
            blank(s, line_end);
            s = line_end;
        } else if (end - s >= 2 && s[0] == '/' && s[1] == '*') {
            char *close = memmem(s + 2, (size_t)(end - s) - 2, "*/", 2);
            if (!close)
                return s;
            blank(s, close + 2);
            s = close + 2;
        } else {
            s++;
        }
    }
    return NULL;
}

/* Says what is wrong at byte `at`, by its line and column (in characters), both from 1. */
static int refuse_at(struct reader *r, const struct buf *text, size_t at, const char *wrong)
{
    size_t line = 1;
    size_t column = 1;
    char place[64];

    for (size_t i = 0; i < at; i++) {
        if (text->data[i] == '\n') {
            line++;
            column = 1;
        } else if ((text->data[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    snprintf(place, sizeof(place), "line %zu, column %zu", line, column);
    return task_refuse(r, place, "%s", wrong);
}

/* What stands before byte `at`, over spaces; NUL when nothing does. */
static char last_before(const struct buf *text, size_t at)
{
    while (at > 0 && strchr(" \t\r\n", text->data[at - 1]))
        at--;
    return at > 0 ? text->data[at - 1] : '\0';
}

static int check_json(struct reader *r, const struct buf *text)
{
    size_t at;
    char wrong[200];
    const char *wanted = json_check(buf_str(text), text->len, &at);

    if (!wanted)
        return 0;
    char c = at < text->len ? text->data[at] : '\0';
    char before = last_before(text, at);
    if (before == ',' && (c == '}' || c == ']'))
        snprintf(wrong, sizeof(wrong), "a comma before '%c'; remove it", c);
    else if (at == text->len)
        snprintf(wrong, sizeof(wrong), "expected %s, but the file ends here", wanted);
    else if (c > ' ' && c < 0x7F)
        snprintf(wrong, sizeof(wrong), "expected %s, found '%c'", wanted, c);
    else
        snprintf(wrong, sizeof(wrong), "expected %s", wanted);
    return refuse_at(r, text, at, wrong);
}

int task_read_text(struct reader *r, struct buf *ret)
{
    int code = read_file(r, ret);

    if (code)
        return code;

    buf_append(ret, "", 0); /* NUL-terminated, and not NULL for an empty file */
    const char *open = blank_comments(ret->data, ret->data + ret->len);
    if (open)
        return refuse_at(r, ret, (size_t)(open - ret->data), "a comment that nothing closes");
    return check_json(r, ret);
}

char *task_string(const struct json_value *v)
{
    struct buf text = BUF_INIT;

    if (!json_string(v, &text) || memchr(buf_str(&text), '\0', text.len)) {
        buf_release(&text);
        return NULL;
    }
    return buf_detach(&text);
}

bool task_is_repeated(const struct json_value *object, const struct json_value *key)
{
    struct json_iter it;
    struct json_value other;
    struct json_value v;
    struct buf name = BUF_INIT;
    bool is_repeated = false;

    json_string(key, &name);
    json_iter_init(&it, object);
    while (json_next_member(&it, &other, &v) && other.text != key->text && !is_repeated)
        is_repeated = json_is(&other, buf_str(&name), name.len);
    buf_release(&name);
    return is_repeated;
}

const char *task_show(const struct json_value *v, char out[80])
{
    if (v->type == JSON_OBJECT)
        return "an object";
    if (v->type == JSON_ARRAY)
        return "a list";

    size_t len = v->len;
    bool is_cut = len > 60;
    if (is_cut) {
        len = 60;
        while (len > 0 && (v->text[len] & 0xC0) == 0x80)
            len--;
    }
    snprintf(out, 80, "%.*s%s", (int)len, v->text, is_cut ? "..." : "");
    return out;
}

static bool has_only(const char *s, const char *allowed)
{
    return s[strspn(s, allowed)] == '\0';
}

const char *task_check_slug(const char *s)
{
    size_t len = strlen(s);

    if (len < 1 || len > 63 || !has_only(s, "abcdefghijklmnopqrstuvwxyz0123456789-"))
        return "a name of a-z, 0-9 and -, at most 63 letters, such as \"linear-regression\"";
    return NULL;
}

const char *task_check_column(const char *s)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    size_t len = strlen(s);

    if (len < 1 || len > 63 || !has_only(s, allowed) || (s[0] >= '0' && s[0] <= '9'))
        return "the name of a column: letters, digits and _, not a digit first, at most 63 letters";
    return NULL;
}
