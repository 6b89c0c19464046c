#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set(struct err *err, int code, bool retriable, const char *fmt, va_list ap)
{
    if (!err)
        return;
    err->code = code;
    err->retriable = retriable;
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set(err, code, false, fmt, ap);
    va_end(ap);
    return code;
}

int err_set_retriable(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set(err, code, true, fmt, ap);
    va_end(ap);
    return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    if (!err)
        return ERR_FATAL;

    char old[sizeof(err->text)];
    memcpy(old, err->text, sizeof(old));

    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(err->text))
        snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", old);
    return err->code;
}

const char *err_str(int code)
{
    switch (code) {
    case ERR_OK:
        return "success";
#define X(name, text)                                                                              \
    case name:                                                                                     \
        return text;
        ERR_CODES(X)
#undef X
    default:
        return "unknown error";
    }
}
