#include "dedupe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

#define FIRST_CAPACITY 1024

struct entry {
    struct dedupe_key key;
    int64_t at_ms;
};

struct dedupe {
    int64_t window_ms;
    size_t max;
    struct entry *ring;
    size_t cap, first, n;
    uint32_t *table; /* place in the ring + 1; 0: empty. Linear probing. */
    size_t mask;     /* slots - 1; there are at least a third more slots than places */
};

struct dedupe *dedupe_new(int64_t seconds, int64_t keys)
{
    struct dedupe *d = mem_zalloc(1, sizeof(*d));

    d->window_ms = seconds * 1000;
    d->max = keys > 0 ? (size_t)keys : 1;
    return d;
}

void dedupe_free(struct dedupe *d)
{
    if (!d)
        return;
    free(d->ring);
    free(d->table);
    free(d);
}

void dedupe_clear(struct dedupe *d)
{
    d->first = d->n = 0;
    if (d->table)
        memset(d->table, 0, (d->mask + 1) * sizeof(*d->table));
}

size_t dedupe_count(const struct dedupe *d)
{
    return d->n;
}

/* ---- Keys ---- */

struct dedupe_key dedupe_key(const char *key, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(key, len);

    return (struct dedupe_key){hash.high64, hash.low64};
}

void dedupe_key_format(struct dedupe_key key, char out[DEDUPE_TEXT_LEN + 1])
{
    snprintf(out, DEDUPE_TEXT_LEN + 1, "%016" PRIx64 "%016" PRIx64, key.high, key.low);
}

static bool parse_half(const char *text, uint64_t *ret)
{
    uint64_t v = 0;

    for (size_t i = 0; i < DEDUPE_TEXT_LEN / 2; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret = v;
    return true;
}

bool dedupe_key_parse(const char *text, size_t len, struct dedupe_key *ret)
{
    return len == DEDUPE_TEXT_LEN && parse_half(text, &ret->high) &&
           parse_half(text + DEDUPE_TEXT_LEN / 2, &ret->low);
}

static bool same(struct dedupe_key a, struct dedupe_key b)
{
    return a.high == b.high && a.low == b.low;
}

/* A place in the ring, from one that may lie once round further. */
static size_t wrap(const struct dedupe *d, size_t place)
{
    return place < d->cap ? place : place - d->cap;
}

/* ---- Table ---- */

static size_t home(const struct dedupe *d, struct dedupe_key key)
{
    return (size_t)key.low & d->mask;
}

/* The slot that holds the key, or the empty one where it would go. */
static size_t find(const struct dedupe *d, struct dedupe_key key)
{
    size_t slot = home(d, key);

    while (d->table[slot] && !same(d->ring[d->table[slot] - 1].key, key))
        slot = (slot + 1) & d->mask;
    return slot;
}

/* Empties the slot, and moves up what had to go past it. */
static void empty_slot(struct dedupe *d, size_t slot)
{
    size_t next = slot;

    d->table[slot] = 0;
    for (;;) {
        next = (next + 1) & d->mask;
        if (!d->table[next])
            return;
        size_t wanted = home(d, d->ring[d->table[next] - 1].key);
        /* It may move to `slot` unless its home lies behind it, on the way to `next`. */
        if (((next - wanted) & d->mask) < ((next - slot) & d->mask))
            continue;
        d->table[slot] = d->table[next];
        d->table[next] = 0;
        slot = next;
    }
}

static void grow(struct dedupe *d)
{
    size_t cap = d->cap ? d->cap * 2 : FIRST_CAPACITY;
    size_t slots = 1;

    if (cap > d->max)
        cap = d->max;
    struct entry *ring = mem_zalloc(cap, sizeof(*ring));
    for (size_t i = 0; i < d->n; i++)
        ring[i] = d->ring[wrap(d, d->first + i)];
    free(d->ring);
    free(d->table);
    while (slots < cap + cap / 3 + 1)
        slots *= 2;
    d->ring = ring;
    d->cap = cap;
    d->first = 0;
    d->table = mem_zalloc(slots, sizeof(*d->table));
    d->mask = slots - 1;
    for (size_t i = 0; i < d->n; i++)
        d->table[find(d, ring[i].key)] = (uint32_t)i + 1;
}

static void drop_oldest(struct dedupe *d)
{
    empty_slot(d, find(d, d->ring[d->first].key));
    d->first = wrap(d, d->first + 1);
    d->n--;
}

/* ---- Use ---- */

void dedupe_expire(struct dedupe *d, int64_t now_ms)
{
    while (d->n && d->ring[d->first].at_ms < now_ms - d->window_ms)
        drop_oldest(d);
}

bool dedupe_has(const struct dedupe *d, struct dedupe_key key)
{
    return d->n && d->table[find(d, key)];
}

void dedupe_add(struct dedupe *d, struct dedupe_key key, int64_t at_ms)
{
    if (dedupe_has(d, key))
        return;
    if (d->n == d->cap && d->cap < d->max)
        grow(d);
    if (d->n == d->cap)
        drop_oldest(d);
    size_t place = wrap(d, d->first + d->n++);
    d->ring[place] = (struct entry){key, at_ms};
    d->table[find(d, key)] = (uint32_t)place + 1;
}
