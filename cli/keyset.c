/* Open addressing with linear probing; at most two thirds full. */
#include "keyset.h"

#include <stdint.h>
#include <stdlib.h>

#include <xxhash.h>

#include "base/mem.h"

#define FIRST_SLOTS 1024 /* a power of two */

struct slot {
    uint64_t low;
    uint64_t high;
    bool used;
};

struct keyset {
    struct slot *slot;
    size_t n_slots;
    size_t n;
};

struct keyset *keyset_new(void)
{
    struct keyset *set = mem_zalloc(1, sizeof(*set));

    set->n_slots = FIRST_SLOTS;
    set->slot = mem_zalloc(set->n_slots, sizeof(*set->slot));
    return set;
}

void keyset_free(struct keyset *set)
{
    if (!set)
        return;
    free(set->slot);
    free(set);
}

static struct slot *find(const struct keyset *set, XXH128_hash_t hash)
{
    size_t i = (size_t)hash.low64 & (set->n_slots - 1);

    while (set->slot[i].used &&
           (set->slot[i].low != hash.low64 || set->slot[i].high != hash.high64))
        i = (i + 1) & (set->n_slots - 1);
    return &set->slot[i];
}

static void put(struct keyset *set, XXH128_hash_t hash)
{
    *find(set, hash) = (struct slot){.low = hash.low64, .high = hash.high64, .used = true};
}

static void grow(struct keyset *set)
{
    struct keyset bigger = {.n_slots = set->n_slots * 2, .n = set->n};

    bigger.slot = mem_zalloc(bigger.n_slots, sizeof(*bigger.slot));
    for (size_t i = 0; i < set->n_slots; i++) {
        const struct slot *s = &set->slot[i];
        if (s->used)
            put(&bigger, (XXH128_hash_t){.low64 = s->low, .high64 = s->high});
    }
    free(set->slot);
    *set = bigger;
}

bool keyset_add(struct keyset *set, const void *key, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(key, len);

    if (find(set, hash)->used)
        return false;
    if (set->n >= set->n_slots / 3 * 2)
        grow(set);
    put(set, hash);
    set->n++;
    return true;
}

bool keyset_has(const struct keyset *set, const void *key, size_t len)
{
    return find(set, XXH3_128bits(key, len))->used;
}

size_t keyset_count(const struct keyset *set)
{
    return set->n;
}
