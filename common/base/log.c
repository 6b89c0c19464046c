/* The log of a program: a formatted line, one write(). */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

static const char *const names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};

/* With spaces up to one column. */
static const char *const labels[] = {
    [LOG_LEVEL_DEBUG] = "DEBUG",
    [LOG_LEVEL_INFO] = "INFO ",
    [LOG_LEVEL_WARN] = "WARN ",
    [LOG_LEVEL_ERROR] = "ERROR",
};

#define HEAD_LEN (CLOCK_TEXT_LEN + 7) /* TIME, space, label, space */

static atomic_int least = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&least, (int)level);
}

int log_level_parse(const char *name, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return ERR_INVALID;
}

/* A log that cannot be written to has nobody to tell. */
static void write_all(const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(STDERR_FILENO, data, len);
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

static void log_line(enum log_level level, const char *fmt, va_list ap)
{
    if ((int)level < atomic_load(&least))
        return;

    char small[1024];
    char *line = small;
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small + HEAD_LEN, sizeof(small) - HEAD_LEN - 1, fmt, ap);
    size_t len = HEAD_LEN + (n > 0 ? (size_t)n : 0);
    if (len >= sizeof(small) - 1) {
        line = mem_alloc(len + 2);
        vsnprintf(line + HEAD_LEN, len - HEAD_LEN + 1, fmt, again);
    }
    va_end(again);

    /* What was read from outside may be quoted in the text: it does not get to begin a line. */
    for (size_t i = HEAD_LEN; i < len; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';

    clock_format(clock_wall_ms(), line);
    line[CLOCK_TEXT_LEN] = ' ';
    memcpy(line + CLOCK_TEXT_LEN + 1, labels[level], 5);
    line[HEAD_LEN - 1] = ' ';
    line[len] = '\n';
    write_all(line, len + 1);
    if (line != small)
        free(line);
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *fmt, ...)                                                                \
    {                                                                                              \
        va_list ap;                                                                                \
                                                                                                   \
        va_start(ap, fmt);                                                                         \
        log_line(level, fmt, ap);                                                                  \
        va_end(ap);                                                                                \
    }

LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)

void log_trouble(struct log_trouble *t, const char *what, const struct err *err)
{
    if (t->since_ms)
        return;

    t->since_ms = clock_mono_ms();
    if (!t->since_ms)
        t->since_ms = 1;
    snprintf(t->what, sizeof(t->what), "%s", what);
    if (err && err->text[0])
        log_warn("%s: %s", what, err->text);
    else
        log_warn("%s", what);
}

void log_trouble_over(struct log_trouble *t)
{
    if (!t->since_ms)
        return;

    double seconds = (double)(clock_mono_ms() - t->since_ms) / 1000;
    log_info("%s: over after %.1f s", t->what, seconds);
    *t = (struct log_trouble){0};
}
