/* The CSV reader: what it accepts, and that a line it refuses costs only itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "csv/csv.h"

/* Every line as `number[field|field]`, a refused one as `number!`. */
static void render(struct csv *csv, struct buf *out)
{
    const struct csv_field *field;
    struct err err = {0};
    size_t n;
    int rc;

    while ((rc = csv_next(csv, &field, &n, &err)) != 0) {
        buf_printf(out, "%llu", (unsigned long long)csv_line(csv));
        if (rc == 1) {
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(field[i].text[field[i].len], '\0');
                buf_byte(out, i ? '|' : '[');
                buf_append(out, field[i].text, field[i].len);
            }
            buf_byte(out, ']');
            continue;
        }
        assert_int_equal(rc, ERR_INVALID);
        assert_non_null(strstr(err.text, "line "));
        buf_byte(out, '!');
    }
}

static void expect(const char *text, const char *rendered)
{
    struct csv *csv = csv_open_memory(text, strlen(text));
    struct buf out = BUF_INIT;

    render(csv, &out);
    assert_string_equal(buf_str(&out), rendered);
    buf_release(&out);
    csv_close(csv);
}

/* What the first line has most of separates; a comma may then be as any other byte. */
static void test_separators(void **state)
{
    static const char text[] = "\"a,b,c\";d\r\n1,5;\"2;3\"\r\n4,5\n";
    struct csv *csv = csv_open_memory(text, sizeof(text) - 1);
    struct buf out = BUF_INIT;

    (void)state;
    csv_guess_separator(csv);
    render(csv, &out);
    assert_string_equal(buf_str(&out), "1[a,b,c|d]2[1,5|2;3]3[4,5]");
    buf_clear(&out);
    csv_close(csv);

    csv = csv_open_memory("a,b;c\n1,2", 9);
    csv_guess_separator(csv);
    render(csv, &out);
    assert_string_equal(buf_str(&out), "1[a|b;c]2[1|2]");
    buf_clear(&out);
    csv_close(csv);

    csv = csv_open_memory("a\tb;c\t\"d\te\"\n1,2\t\t3", 18);
    csv_guess_separator(csv);
    render(csv, &out);
    assert_string_equal(buf_str(&out), "1[a|b;c|d\te]2[1,2||3]");
    buf_release(&out);
    csv_close(csv);
}

/* Fields are what stands between commas, and a line may end with LF, CRLF or the file. */
static void test_plain(void **state)
{
    (void)state;
    expect("", "");
    expect("\n\r\n\n", "");
    expect("a,b\nc,d\n", "1[a|b]2[c|d]");
    expect("a,b\r\nc,d", "1[a|b]2[c|d]");
    expect("a,,\n,\n", "1[a||]2[|]");
    expect("\xEF\xBB\xBFid,x\n", "1[id|x]");
    expect("a\n\nb\n", "1[a]3[b]");
}

/* A quoted field may hold commas and doubled quotes. */
static void test_quotes(void **state)
{
    (void)state;
    expect("\"a,b\",c\n", "1[a,b|c]");
    expect("\"say \"\"hi\"\"\",\"\"\n", "1[say \"hi\"|]");
    expect("x,\"\"\"\"\r\n", "1[x|\"]");
}

/* A quote in the wrong place refuses its own line, and the line after it is read. */
static void test_bad_quotes(void **state)
{
    (void)state;
    expect("a\"b,c\nd\n", "1!2[d]");
    expect("\"a\nb,c\n", "1!2[b|c]");
    expect("\"a\"b\nc\n", "1!2[c]");
    expect("\"a\"\"\nc\n", "1!2[c]");
}

/* The error names the line and the column of the quote. */
static void test_bad_quote_is_named(void **state)
{
    const char *text = "x\nab,c\"d\n";
    struct csv *csv = csv_open_memory(text, strlen(text));
    const struct csv_field *field;
    struct err err = {0};
    size_t n;

    (void)state;
    assert_int_equal(csv_next(csv, &field, &n, &err), 1);
    assert_int_equal(csv_next(csv, &field, &n, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "line 2, column 5:"));
    assert_int_equal(csv_next(csv, &field, &n, &err), 0);
    csv_close(csv);
}

/* A line of CSV_LINE_MAX bytes is read; a longer one, however long, is refused and passed over. */
static void test_huge_lines(void **state)
{
    static const size_t lengths[] = {CSV_LINE_MAX,     CSV_LINE_MAX + 1,  CSV_LINE_MAX + 2,
                                     CSV_LINE_MAX + 3, 4 * CSV_LINE_MAX,  4 * CSV_LINE_MAX + 1,
                                     5 * CSV_LINE_MAX, 40 * CSV_LINE_MAX, 3};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (int has_cr = 0; has_cr < 2; has_cr++) {
            struct buf text = BUF_INIT;
            struct buf out = BUF_INIT;
            buf_text(&text, "first\n");
            memset(buf_reserve(&text, lengths[i]), 'x', lengths[i]);
            text.len += lengths[i];
            buf_text(&text, has_cr ? "\r\nlast" : "\nlast");

            struct csv *csv = csv_open_memory(text.data, text.len);
            render(csv, &out);
            csv_close(csv);
            if (lengths[i] > CSV_LINE_MAX)
                assert_string_equal(buf_str(&out), "1[first]2!3[last]");
            else
                assert_int_equal(out.len, strlen("1[first]2[]3[last]") + lengths[i]);
            buf_release(&text);
            buf_release(&out);
        }
    }
}

/* More fields than CSV_FIELDS_MAX refuse the line. */
static void test_many_fields(void **state)
{
    struct buf text = BUF_INIT;
    struct buf out = BUF_INIT;

    (void)state;
    for (int i = 0; i < CSV_FIELDS_MAX; i++)
        buf_byte(&text, ',');
    buf_text(&text, "\nnext\n");
    struct csv *csv = csv_open_memory(text.data, text.len);
    render(csv, &out);
    assert_string_equal(buf_str(&out), "1!2[next]");
    csv_close(csv);
    buf_release(&text);
    buf_release(&out);
}

/* A gzipped file reads as the same lines as the plain one. */
static void test_gzip(void **state)
{
    char path[] = "/tmp/oxbow-test-XXXXXX";
    struct err err = {0};
    struct buf text = BUF_INIT;
    struct buf plain = BUF_INIT;
    struct buf zipped = BUF_INIT;

    (void)state;
    for (int i = 0; i < 30000; i++)
        buf_printf(&text, "id%d,\"%d,%d\"\r\n", i, i, i * 7);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    gzFile file = gzdopen(fd, "wb");
    assert_int_equal(gzwrite(file, text.data, (unsigned)text.len), (int)text.len);
    gzclose(file);

    struct csv *csv = csv_open(path, &err);
    assert_non_null(csv);
    render(csv, &zipped);
    csv_close(csv);
    csv = csv_open_memory(text.data, text.len);
    render(csv, &plain);
    csv_close(csv);
    assert_string_equal(buf_str(&plain), buf_str(&zipped));

    /* Cut short, it is an error of reading and not a shorter file. */
    const struct csv_field *field;
    size_t n;
    int rc;
    assert_int_equal(truncate(path, 20000), 0);
    csv = csv_open(path, &err);
    while ((rc = csv_next(csv, &field, &n, &err)) == 1)
        ;
    assert_int_equal(rc, ERR_IO);
    csv_close(csv);
    unlink(path);
    buf_release(&text);
    buf_release(&plain);
    buf_release(&zipped);
}

/* A file that is not there is an error that names it. */
static void test_missing_file(void **state)
{
    struct err err = {0};

    (void)state;
    assert_null(csv_open("/nonexistent/trips.csv", &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.text, "/nonexistent/trips.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_separators),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_bad_quotes),
        cmocka_unit_test(test_bad_quote_is_named),
        cmocka_unit_test(test_huge_lines),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_missing_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
