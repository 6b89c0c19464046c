/*
 * SQL functions for reading events. Unlike SQLite's own JSON functions they
 * never raise an error and never convert: what is not there, or is of another
 * type, is NULL. (A view on Materialize guards each cast for the same end.)
 *
 *   number_at(json, name)  the member if it is a number, as REAL; 1.0 or 0.0 for true and false
 *   text_at(json, name)    the member if it is a string
 *   time_at(json, name)    the member if it is a string in the form of clock.h, as milliseconds
 *   time_text(ms)          the wire form of a time
 */
#include <math.h>

#include "base/clock.h"
#include "base/json.h"
#include "views/sqlite_internal.h"

/* The member `argv[1]` of the object `argv[0]`. The engine checked the text when the event came in.
 */
static bool member(sqlite3_value **argv, struct json_value *ret)
{
    struct json_value object;

    object.text = (const char *)sqlite3_value_text(argv[0]);
    const char *name = (const char *)sqlite3_value_text(argv[1]);
    if (!object.text || !name || object.text[0] != '{')
        return false;
    object.type = JSON_OBJECT;
    object.len = (size_t)sqlite3_value_bytes(argv[0]);
    return json_get(&object, name, ret);
}

static void number_at(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct json_value v;
    double number;

    (void)argc;
    if (!member(argv, &v))
        return;
    if (v.type == JSON_TRUE || v.type == JSON_FALSE)
        sqlite3_result_double(ctx, v.type == JSON_TRUE ? 1.0 : 0.0);
    else if (json_number(&v, &number) && isfinite(number))
        sqlite3_result_double(ctx, number);
}

/* The text of a JSON string: in place when it has no escape, else unescaped into `tmp`. */
static const char *string_text(const struct json_value *v, struct buf *tmp, size_t *ret_len)
{
    if (!memchr(v->text, '\\', v->len)) {
        *ret_len = v->len - 2;
        return v->text + 1;
    }
    if (!json_string(v, tmp))
        return NULL;
    *ret_len = tmp->len;
    return buf_str(tmp);
}

static void text_at(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct buf tmp = BUF_INIT;
    struct json_value v;
    size_t len;

    (void)argc;
    if (member(argv, &v) && v.type == JSON_STRING) {
        const char *text = string_text(&v, &tmp, &len);
        if (text)
            sqlite3_result_text(ctx, text, (int)len, SQLITE_TRANSIENT);
    }
    buf_release(&tmp);
}

static void time_at(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct buf tmp = BUF_INIT;
    struct json_value v;
    int64_t ms;
    size_t len;

    (void)argc;
    if (member(argv, &v) && v.type == JSON_STRING) {
        const char *text = string_text(&v, &tmp, &len);
        if (text && clock_parse(text, len, &ms) == 0)
            sqlite3_result_int64(ctx, ms);
    }
    buf_release(&tmp);
}

static void time_text(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    char text[CLOCK_TEXT_LEN + 1];

    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    clock_format(sqlite3_value_int64(argv[0]), text);
    sqlite3_result_text(ctx, text, CLOCK_TEXT_LEN, SQLITE_TRANSIENT);
}

int sqlite_functions_add(sqlite3 *db)
{
    static const struct {
        const char *name;
        int n_args;
        void (*fn)(sqlite3_context *, int, sqlite3_value **);
    } FUNCTIONS[] = {
        {"number_at", 2, number_at},
        {"text_at", 2, text_at},
        {"time_at", 2, time_at},
        {"time_text", 1, time_text},
    };

    for (size_t i = 0; i < sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]); i++) {
        int rc = sqlite3_create_function_v2(db, FUNCTIONS[i].name, FUNCTIONS[i].n_args,
                                            SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                                            NULL, FUNCTIONS[i].fn, NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}
