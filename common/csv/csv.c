/* CSV: a window of bytes over the file, lines cut out of it, fields unquoted in place. */
#include "csv/csv.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/mem.h"

#define WINDOW (4 * CSV_LINE_MAX) /* holds a line and its end, with room to read ahead */

struct csv {
    gzFile file; /* reads plain files too; NULL: memory */
    const char *memory;
    size_t memory_left;
    double file_bytes; /* 0: not known */
    bool is_at_end;    /* of the input */

    char *window; /* WINDOW bytes and one for a NUL */
    size_t start; /* of the bytes not yet given */
    size_t end;
    uint64_t line;
    char separator;
    bool is_guessing; /* the separator is to be found in the first line */
    struct csv_field field[CSV_FIELDS_MAX];
};

static struct csv *csv_new(void)
{
    struct csv *csv = mem_zalloc(1, sizeof(*csv));

    csv->window = mem_alloc(WINDOW + 1);
    csv->separator = ',';
    return csv;
}

struct csv *csv_open(const char *path, struct err *err)
{
    struct stat st;

    errno = 0;
    gzFile file = gzopen(path, "rbe");

    if (!file) {
        err_set(err, ERR_IO, "%s: %s", path, errno ? strerror(errno) : "out of memory");
        return NULL;
    }
    gzbuffer(file, WINDOW);

    struct csv *csv = csv_new();
    csv->file = file;
    csv->file_bytes = stat(path, &st) == 0 ? (double)st.st_size : 0;
    return csv;
}

struct csv *csv_open_memory(const char *data, size_t len)
{
    struct csv *csv = csv_new();

    csv->memory = data;
    csv->memory_left = len;
    return csv;
}

void csv_close(struct csv *csv)
{
    if (!csv)
        return;
    if (csv->file)
        gzclose(csv->file);
    free(csv->window);
    free(csv);
}

void csv_guess_separator(struct csv *csv)
{
    csv->is_guessing = true;
}

uint64_t csv_line(const struct csv *csv)
{
    return csv->line;
}

double csv_progress(const struct csv *csv)
{
    double at = csv->file && csv->file_bytes > 0 ? (double)gzoffset(csv->file) : 0;

    return at > 0 ? fmin(at / csv->file_bytes, 1) : 0;
}

/* Reads at least one more byte into the window, which has room, or finds the end. */
static int fill(struct csv *csv, struct err *err)
{
    if (csv->start > 0) {
        memmove(csv->window, csv->window + csv->start, csv->end - csv->start);
        csv->end -= csv->start;
        csv->start = 0;
    }

    size_t room = WINDOW - csv->end;
    size_t n;
    if (csv->file) {
        int got = gzread(csv->file, csv->window + csv->end, (unsigned)room);
        int code = Z_OK;
        const char *text = got > 0 ? NULL : gzerror(csv->file, &code);
        if (got < 0 || (code != Z_OK && code != Z_STREAM_END))
            return err_set(err, ERR_IO, "after line %llu: %s", (unsigned long long)csv->line,
                           code == Z_ERRNO ? strerror(errno) : text);
        n = (size_t)got;
    } else {
        n = csv->memory_left < room ? csv->memory_left : room;
        if (n) {
            memcpy(csv->window + csv->end, csv->memory, n);
            csv->memory += n;
            csv->memory_left -= n;
        }
    }
    csv->end += n;
    csv->is_at_end = n == 0;
    return 0;
}

/*
 * Cuts out the next line: 1 and its place in the window, without its end; 0 at the end of the
 * input. A line that is too long is passed over.
 */
static int next_line(struct csv *csv, char **ret, size_t *ret_len, struct err *err)
{
    bool is_too_long = false;
    size_t seen = 0; /* bytes from `start` on that have no newline */

    for (;;) {
        char *from = csv->window + csv->start;
        size_t have = csv->end - csv->start;
        char *newline = memchr(from + seen, '\n', have - seen);
        size_t len = newline ? (size_t)(newline - from) : have;

        if (newline || (csv->is_at_end && (have || is_too_long))) {
            csv->start += newline ? len + 1 : len;
            csv->line++;
            if (len > 0 && from[len - 1] == '\r')
                len--;
            if (is_too_long || len > CSV_LINE_MAX)
                return err_set(err, ERR_INVALID, "line %llu: longer than %d bytes",
                               (unsigned long long)csv->line, CSV_LINE_MAX);
            *ret = from;
            *ret_len = len;
            return 1;
        }
        if (csv->is_at_end)
            return 0;
        if (have > CSV_LINE_MAX + 1) { /* one more for a CR */
            is_too_long = true;
            csv->start = csv->end;
            have = 0;
        }
        seen = have;

        int rc = fill(csv, err);
        if (rc != 0)
            return rc;
    }
}

/*
 * Takes one field that begins at *at, unquoting it in place; *at goes behind the separator, or to
 * NULL at the end of the line. False: malformed, at *ret_bad.
 */
static bool take_field(char separator, char **at, char *end, struct csv_field *ret,
                       const char **ret_bad)
{
    char *from = *at;
    char *to = from;
    char *p = from;

    if (p == end || *p != '"') {
        char *next = memchr(p, separator, (size_t)(end - p));
        char *stop = next ? next : end;
        char *quote = memchr(p, '"', (size_t)(stop - p));
        *ret_bad = quote;
        if (quote)
            return false;
        *ret = (struct csv_field){from, (size_t)(stop - from)};
        *stop = '\0';
        *at = next ? next + 1 : NULL;
        return true;
    }

    for (p++;; p++) {
        *ret_bad = from;
        if (p == end)
            return false; /* never closed */
        if (*p == '"' && (++p == end || *p != '"'))
            break;
        *to++ = *p;
    }
    *ret_bad = p;
    if (p != end && *p != separator)
        return false;
    *at = p == end ? NULL : p + 1;
    *to = '\0';
    *ret = (struct csv_field){from, (size_t)(to - from)};
    return true;
}

/* What the line has most of outside of quotes; the first of them where they are as many. */
static char guess(const char *text, size_t len)
{
    static const char separators[] = {',', ';', '\t'};
    size_t best = 0;
    char found = separators[0];

    for (size_t k = 0; k < sizeof(separators); k++) {
        bool is_quoted = false;
        size_t n = 0;

        for (size_t i = 0; i < len; i++) {
            is_quoted = is_quoted != (text[i] == '"');
            n += !is_quoted && text[i] == separators[k];
        }
        if (n > best) {
            best = n;
            found = separators[k];
        }
    }
    return found;
}

int csv_next(struct csv *csv, const struct csv_field **ret, size_t *ret_n, struct err *err)
{
    char *text;
    size_t len;

    do {
        int rc = next_line(csv, &text, &len, err);
        if (rc != 1)
            return rc;
        if (csv->line == 1 && len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
            text += 3;
            len -= 3;
        }
    } while (len == 0);

    if (csv->is_guessing) {
        csv->separator = guess(text, len);
        csv->is_guessing = false;
    }

    size_t n = 0;
    for (char *at = text; at; n++) {
        const char *bad;
        if (n == CSV_FIELDS_MAX)
            return err_set(err, ERR_INVALID, "line %llu: more than %d fields",
                           (unsigned long long)csv->line, CSV_FIELDS_MAX);
        if (!take_field(csv->separator, &at, text + len, &csv->field[n], &bad))
            return err_set(err, ERR_INVALID, "line %llu, column %zu: a quote in the wrong place",
                           (unsigned long long)csv->line, (size_t)(bad - text) + 1);
    }
    *ret = csv->field;
    *ret_n = n;
    return 1;
}
