/*
 * The newest requests by key: a small record of each for the map and the
 * timeline, and of the newest REQUESTS_TEXTS the messages themselves.
 *
 * Messages of several topics come in no common order: whichever names a key
 * first makes its record. The oldest record makes room for the newest.
 */
#ifndef OXBOW_MONITOR_REQUESTS_H
#define OXBOW_MONITOR_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define REQUESTS_MAX      65536
#define REQUESTS_TEXTS    5000
#define REQUESTS_TEXT_MAX 16384 /* bytes of one message; longer ones are not kept */

enum requests_text {
    REQUESTS_REQUEST,    /* the message on the topic of requests */
    REQUESTS_OUTCOME,    /* on that of outcomes */
    REQUESTS_PREDICTION, /* on predictions */
    REQUESTS_ROW,        /* on learning-queue */
    REQUESTS_N_TEXTS
};

struct request {
    char *key; /* owned; NUL-terminated, and may hold NULs */
    size_t key_len;
    uint64_t hash;
    int64_t requested_ms; /* bus time; TIME_UNKNOWN, as all times below */
    int64_t event_ms;     /* the request's own clock */
    int64_t predicted_ms;
    int64_t ended_ms; /* bus time of the outcome */
    uint64_t seq;     /* of its row; 0: none yet */
    unsigned seen;    /* bit i: the message `enum requests_text` i has come */
    double from[2];   /* NaN: not known */
    double to[2];
    double predicted;             /* of the best model when it was predicted; NaN */
    double label;                 /* NaN: none yet */
    double error;                 /* of the best model when the label came; NaN */
    char *text[REQUESTS_N_TEXTS]; /* NULL: not seen, or kept no longer */
    size_t text_len[REQUESTS_N_TEXTS];
};

struct requests;

struct requests *requests_new(void);
void requests_free(struct requests *r); /* NULL is fine */
void requests_clear(struct requests *r);

/* The record of a key, or NULL. Pointers live until the next requests_put(). */
struct request *requests_find(struct requests *r, const char *key, size_t len);
/* The same; makes one when there is none. */
struct request *requests_put(struct requests *r, const char *key, size_t len);

/* Keeps a copy of a message with the record, when it is one of the newest and not too long. */
void requests_keep(struct requests *r, struct request *req, enum requests_text which,
                   const char *text, size_t len);

/* From the newest, 0, on; NULL behind the oldest. */
struct request *requests_newest(struct requests *r, size_t i);

#endif
