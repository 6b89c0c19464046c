/*
 * Keys that were published lately: the newest `keys` of them, for `seconds`.
 *
 * A key is remembered as 128 bits of XXH3 over its bytes: among ten million keys
 * the chance that any two collide is below 1e-24. Entries are a ring in the
 * order of their time, with a hash table over it: 31 bytes a key when ten million are there, half
 * as much again for a moment while it grows.
 */
#ifndef OXBOW_STATE_DEDUPE_H
#define OXBOW_STATE_DEDUPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dedupe;

struct dedupe_key {
    uint64_t high, low;
};

#define DEDUPE_TEXT_LEN 32 /* hex digits */

struct dedupe *dedupe_new(int64_t seconds, int64_t keys);
void dedupe_free(struct dedupe *d); /* NULL is fine */
void dedupe_clear(struct dedupe *d);

struct dedupe_key dedupe_key(const char *key, size_t len);
void dedupe_key_format(struct dedupe_key key, char out[DEDUPE_TEXT_LEN + 1]);
/* False when the text is no key. */
bool dedupe_key_parse(const char *text, size_t len, struct dedupe_key *ret);

/* Forgets what is older than the window at `now_ms`. */
void dedupe_expire(struct dedupe *d, int64_t now_ms);
bool dedupe_has(const struct dedupe *d, struct dedupe_key key);
/*
 * Remembers a key that is not there; the oldest goes when there are too many. Times are wall time
 * and best do not go back: an entry is kept until all before it are too old.
 */
void dedupe_add(struct dedupe *d, struct dedupe_key key, int64_t at_ms);
size_t dedupe_count(const struct dedupe *d);

#endif
