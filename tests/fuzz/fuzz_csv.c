/*
 * Any bytes: the CSV reader reads or refuses each line, numbers them upwards, and what it reads is
 * what the same fields, quoted, read back as.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "csv/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_true)
{
    if (!is_true)
        abort();
}

static void quote(struct buf *out, const struct csv_field *f)
{
    buf_byte(out, '"');
    for (size_t i = 0; i < f->len; i++) {
        if (f->text[i] == '"')
            buf_byte(out, '"');
        buf_byte(out, f->text[i]);
    }
    buf_byte(out, '"');
}

/* One line written with every field in quotes reads back as the same fields. */
static void check_again(const struct csv_field *field, size_t n)
{
    const struct csv_field *again;
    size_t n_again;
    struct buf line = BUF_INIT;
    struct err err = {0};

    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_byte(&line, ',');
        quote(&line, &field[i]);
    }
    if (line.len <= CSV_LINE_MAX) {
        struct csv *csv = csv_open_memory(line.data, line.len);
        require(csv_next(csv, &again, &n_again, &err) == 1 && n_again == n);
        for (size_t i = 0; i < n; i++)
            require(again[i].len == field[i].len &&
                    memcmp(again[i].text, field[i].text, field[i].len) == 0);
        require(csv_next(csv, &again, &n_again, &err) == 0);
        csv_close(csv);
    }
    buf_release(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exactly this size, so that a byte read past the end is seen. */
    char *text = malloc(size ? size : 1);
    const struct csv_field *field;
    struct err err = {0};
    uint64_t line = 0;
    size_t n;
    int rc;

    if (size)
        memcpy(text, data, size);
    struct csv *csv = csv_open_memory(text, size);
    while ((rc = csv_next(csv, &field, &n, &err)) != 0) {
        require(rc == 1 || (rc == ERR_INVALID && err.text[0]));
        require(csv_line(csv) > line);
        line = csv_line(csv);
        if (rc == 1) {
            require(n >= 1 && n <= CSV_FIELDS_MAX);
            check_again(field, n);
        }
    }
    csv_close(csv);
    free(text);
    return 0;
}
