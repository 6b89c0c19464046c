/*
 * The text of a message of the topic dead-letters: what could not be read,
 * where it was, and why. docs/internals.md has the form.
 */
#ifndef OXBOW_BASE_DEAD_LETTER_H
#define OXBOW_BASE_DEAD_LETTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define DEAD_LETTER_VALUE_MAX 65536 /* bytes of the value that are kept */

struct dead_letter {
    const char *service;  /* who could not read it: "inference" */
    const char *topic;    /* where it stood */
    const char *position; /* as bus_pos_format() spells it: just after the message */
    const char *reason;   /* one sentence */
    const char *key;      /* NULL for a null key */
    size_t key_len;
    const char *value; /* NULL for a null value */
    size_t value_len;
    int64_t at_ms; /* wall time */
};

/* Appends the JSON object; bytes that are not UTF-8 become U+FFFD. */
void dead_letter_write(const struct dead_letter *letter, struct buf *out);

#endif
