/*
 * Errors, for every library of the project.
 *
 * A fallible function returns 0 or one of the negative codes below, and takes
 * a `struct err *err` as its last parameter for the human's text. The struct
 * belongs to the caller and needs no release. Library code never logs and
 * never exits: the program does, once, with its context.
 *
 * The text is one line that says what is wrong and, where the reader can do
 * something about it, what to do.
 */
#ifndef OXBOW_BASE_ERR_H
#define OXBOW_BASE_ERR_H

#include <stdbool.h>

#define MUST_CHECK            __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, arg) __attribute__((format(printf, fmt, arg)))

/* X(name, text): the text is what err_str() answers. */
#define ERR_CODES(X)                                                                               \
    X(ERR_INVALID, "invalid input")               /* the caller's data is wrong: do not retry */   \
    X(ERR_NOT_FOUND, "not found")                 /* asked for something that is not there */      \
    X(ERR_IO, "input or output failed")           /* file or socket */                             \
    X(ERR_DISCONNECTED, "disconnected")           /* the server is away: back off and retry */     \
    X(ERR_TIMEOUT, "timed out")                   /* no answer in time; the effect is unknown */   \
    X(ERR_REFUSED, "refused")                     /* a human must act: never retried */            \
    X(ERR_FENCED, "fenced")                       /* another holder has the lease: leave */        \
    X(ERR_TRIMMED, "position is trimmed")         /* entries after the position are gone */        \
    X(ERR_CONFLICT, "conflict")                   /* the state moved under the caller */           \
    X(ERR_CORRUPT, "corrupt")                     /* stored bytes fail their checks */             \
    X(ERR_TOO_LARGE, "too large")                 /* over a stated limit */                        \
    X(ERR_UNSUPPORTED, "not supported")           /* this backend cannot do it */                  \
    X(ERR_FATAL, "fatal")                         /* the handle is of no more use: reopen */       \
    X(ERR_HISTORY_EXPIRED, "history has expired") /* views: resume point is gone */                \
    X(ERR_DEPENDENCY_DROPPED, "a dependency was dropped") /* views: re-apply the SQL */            \
    X(ERR_DATAFLOW, "the view engine reports an error")   /* views: a row cannot be evaluated */   \
    X(ERR_CANCELLED, "cancelled")                         /* by *_cancel() from another thread */

enum err_code {
    ERR_OK = 0,
    ERR_FIRST_ = -1000,
#define X(name, text) name,
    ERR_CODES(X)
#undef X
};

struct err {
    int code;       /* 0 or an err_code */
    bool retriable; /* the same call may succeed later, unchanged */
    char text[480]; /* one line, no newline; "" when code is 0 */
};

/* Fills `err` (may be NULL) and returns `code`, so that `return err_set(...)` is idiomatic. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set, and marks it retriable. */
int err_set_retriable(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "prefix: " before the text that `err` already holds; returns err->code. */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The general text of a code; never NULL. */
const char *err_str(int code);

#endif
