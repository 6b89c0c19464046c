/* What a cell of a table says: see table_cells.h. */
#include "evaluate/table_cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/num.h"

/* Spaces around a value are not part of it. */
static struct csv_field trimmed(const struct csv_field *cell)
{
    struct csv_field f = *cell;

    while (f.len && (*f.text == ' ' || *f.text == '\t')) {
        f.text++;
        f.len--;
    }
    while (f.len && (f.text[f.len - 1] == ' ' || f.text[f.len - 1] == '\t'))
        f.len--;
    return f;
}

static bool is_word(const struct csv_field *f, const char *word)
{
    return f->len == strlen(word) && strncasecmp(f->text, word, f->len) == 0;
}

bool cell_is_missing(const struct csv_field *cell)
{
    struct csv_field f = trimmed(cell);

    return f.len == 0 || is_word(&f, "na") || is_word(&f, "nan") || is_word(&f, "null");
}

bool cell_number(const struct csv_field *cell, double *ret)
{
    struct csv_field f = trimmed(cell);
    char text[64];
    char *end;

    if (num_parse(f.text, f.len, ret) == 0)
        return true;
    if (is_word(&f, "true") || is_word(&f, "false")) {
        *ret = f.text[0] == 't' || f.text[0] == 'T';
        return true;
    }
    /* What JSON does not write, but others do: +1, .5, 1., 007. */
    if (f.len == 0 || f.len >= sizeof(text) || strspn(f.text, "0123456789+-.eE") < f.len)
        return false;
    memcpy(text, f.text, f.len);
    text[f.len] = '\0';
    *ret = strtod(text, &end);
    return *end == '\0' && isfinite(*ret);
}

bool cell_time(const struct csv_field *cell, double *ret_ms)
{
    struct csv_field f = trimmed(cell);
    char text[CLOCK_TEXT_LEN + 1];
    int64_t ms;

    if (f.len == 0 || f.len > CLOCK_TEXT_LEN)
        return false;
    memcpy(text, f.text, f.len);
    if (f.len == 10) {
        memcpy(text + 10, " 00:00:00", 9);
        f.len = 19;
    } else if (f.len == 19 && text[10] == 'T') {
        text[10] = ' ';
    } else if (f.len == 20 && text[10] == 'T' && text[19] == 'Z') {
        text[10] = ' ';
        f.len = 19;
    }
    if (clock_parse(text, f.len, &ms) < 0)
        return false;
    *ret_ms = (double)ms;
    return true;
}
