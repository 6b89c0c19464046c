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

    char prefix[sizeof(err->text)];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(prefix, sizeof(prefix) - 2, fmt, ap);
    va_end(ap);
    if (n < 0)
        return err->code;

    /* The old text moves back by the prefix and ": "; what does not fit is cut. */
    size_t len = strlen(prefix);
    memcpy(prefix + len, ": ", 2);
    len += 2;
    memmove(err->text + len, err->text, sizeof(err->text) - len);
    memcpy(err->text, prefix, len);
    err->text[sizeof(err->text) - 1] = '\0';
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
