/*
 * A program's log: one line an event on standard error, `TIME LEVEL text`.
 * Only programs log; libraries return errors. Thread-safe, one write() a line.
 * The service's name is added by `oxbow up`, which reads these lines.
 */
#ifndef OXBOW_BASE_LOG_H
#define OXBOW_BASE_LOG_H

#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

void log_set_level(enum log_level level); /* default info */
/* "debug", "info", "warn", "error"; ERR_INVALID otherwise. */
int log_level_parse(const char *name, enum log_level *ret) MUST_CHECK;

void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * Trouble that is said once: log_trouble() logs `fmt` as a warning the first time and keeps quiet
 * until log_trouble_over(), which logs "…: over after N s". Zero-initialise.
 */
struct log_trouble {
    int64_t since_ms; /* 0 when there is none */
    char what[64];
};
void log_trouble(struct log_trouble *t, const char *what, const struct err *err);
void log_trouble_over(struct log_trouble *t);

#endif
