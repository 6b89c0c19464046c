/*
 * Small things that the monitor's JSON is made of, and times that are not known.
 */
#ifndef OXBOW_MONITOR_TEXT_H
#define OXBOW_MONITOR_TEXT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "learn/issued.h"

#define TIME_UNKNOWN INT64_MIN

/* A number for people, in at most seven digits; null when it is not finite. */
void text_number(struct buf *out, double v);
/* Milliseconds; null for TIME_UNKNOWN. */
void text_time(struct buf *out, int64_t time_ms);
/* A string in quotes, or null for NULL. */
void text_string(struct buf *out, const char *s);

/* The same as a member, `"name":value`, with a comma before it unless it follows a '{' or '['. */
void text_put_number(struct buf *out, const char *name, double v);
void text_put_count(struct buf *out, const char *name, uint64_t v);
void text_put_time(struct buf *out, const char *name, int64_t time_ms);
void text_put_string(struct buf *out, const char *name, const char *s);
/* [low, high], or null. */
void text_put_interval(struct buf *out, const char *name, const struct issued *said);
void text_put_bool(struct buf *out, const char *name, bool v);
/* `"name":`, for a value that follows. */
void text_put_name(struct buf *out, const char *name);
/* The comma alone, where one belongs. */
void text_next(struct buf *out);

/* The time of a text member as internals.md has it; TIME_UNKNOWN when it is none. */
int64_t text_read_time(const struct json_value *v);

#endif
