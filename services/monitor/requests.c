/* Requests by key: a ring of records, and beside it a hash table of their numbers. */
#include "monitor/requests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "monitor/text.h"

#define TABLE_SIZE (2 * REQUESTS_MAX) /* a power of two */
#define CHUNK      1024               /* records are allocated as they are needed */

/* Numbers count from 1; number n is record n % REQUESTS_MAX. Open addressing: 0 is a free place. */
struct requests {
    struct request *chunk[REQUESTS_MAX / CHUNK];
    uint64_t n; /* records ever made */
    uint64_t table[TABLE_SIZE];
};

struct requests *requests_new(void)
{
    return mem_zalloc(1, sizeof(struct requests));
}

static struct request *at(struct requests *r, uint64_t number)
{
    size_t i = number % REQUESTS_MAX;

    if (!r->chunk[i / CHUNK])
        r->chunk[i / CHUNK] = mem_zalloc(CHUNK, sizeof(struct request));
    return &r->chunk[i / CHUNK][i % CHUNK];
}

static void drop_texts(struct request *req)
{
    for (int i = 0; i < REQUESTS_N_TEXTS; i++) {
        free(req->text[i]);
        req->text[i] = NULL;
        req->text_len[i] = 0;
    }
}

static void release(struct request *req)
{
    drop_texts(req);
    free(req->key);
    *req = (struct request){0};
}

void requests_clear(struct requests *r)
{
    for (size_t i = 0; i < REQUESTS_MAX / CHUNK; i++) {
        for (size_t k = 0; r->chunk[i] && k < CHUNK; k++)
            release(&r->chunk[i][k]);
        free(r->chunk[i]);
    }
    *r = (struct requests){.n = 0};
}

void requests_free(struct requests *r)
{
    if (!r)
        return;
    requests_clear(r);
    free(r);
}

/* The place of a key in the table: of its record, or the free one where it belongs. */
static size_t place_of(struct requests *r, const char *key, size_t len, uint64_t hash)
{
    size_t i = hash % TABLE_SIZE;

    for (; r->table[i]; i = (i + 1) % TABLE_SIZE) {
        const struct request *req = at(r, r->table[i]);

        if (req->hash == hash && req->key_len == len && memcmp(req->key, key, len) == 0)
            break;
    }
    return i;
}

struct request *requests_find(struct requests *r, const char *key, size_t len)
{
    size_t i = place_of(r, key, len, XXH3_64bits(key, len));

    return r->table[i] ? at(r, r->table[i]) : NULL;
}

/* Takes a record out of the table; those behind it move up where they belong. */
static void forget(struct requests *r, struct request *req)
{
    size_t hole = place_of(r, req->key, req->key_len, req->hash);

    for (size_t i = (hole + 1) % TABLE_SIZE; r->table[i]; i = (i + 1) % TABLE_SIZE) {
        size_t home = at(r, r->table[i])->hash % TABLE_SIZE;

        /* It may move when its home does not lie between the hole and itself. */
        if ((i - home) % TABLE_SIZE >= (i - hole) % TABLE_SIZE) {
            r->table[hole] = r->table[i];
            hole = i;
        }
    }
    r->table[hole] = 0;
    release(req);
}

struct request *requests_put(struct requests *r, const char *key, size_t len)
{
    struct request *req = requests_find(r, key, len);

    if (req)
        return req;
    req = at(r, ++r->n);
    if (req->key)
        forget(r, req);
    if (r->n > REQUESTS_TEXTS)
        drop_texts(at(r, r->n - REQUESTS_TEXTS));

    uint64_t hash = XXH3_64bits(key, len);
    double nan = (double)NAN;
    r->table[place_of(r, key, len, hash)] = r->n;
    *req = (struct request){
        .key = mem_strndup(key, len),
        .key_len = len,
        .hash = hash,
        .requested_ms = TIME_UNKNOWN,
        .event_ms = TIME_UNKNOWN,
        .predicted_ms = TIME_UNKNOWN,
        .ended_ms = TIME_UNKNOWN,
        .from = {nan, nan},
        .to = {nan, nan},
        .predicted = nan,
        .label = nan,
        .error = nan,
    };
    return req;
}

void requests_keep(struct requests *r, struct request *req, enum requests_text which,
                   const char *text, size_t len)
{
    uint64_t number = r->table[place_of(r, req->key, req->key_len, req->hash)];

    if (!text || len > REQUESTS_TEXT_MAX || number + REQUESTS_TEXTS <= r->n)
        return;
    free(req->text[which]);
    req->text[which] = mem_strndup(text, len);
    req->text_len[which] = len;
}

struct request *requests_newest(struct requests *r, size_t i)
{
    if (i >= r->n || i >= REQUESTS_MAX)
        return NULL;
    return at(r, r->n - i);
}
