/* A set of byte strings, kept as 128-bit hashes: two keys in a billion billion meet. */
#ifndef OXBOW_CLI_KEYSET_H
#define OXBOW_CLI_KEYSET_H

#include <stdbool.h>
#include <stddef.h>

struct keyset;

struct keyset *keyset_new(void);
void keyset_free(struct keyset *set); /* NULL is fine */

/* False when it was there already. */
bool keyset_add(struct keyset *set, const void *key, size_t len);
bool keyset_has(const struct keyset *set, const void *key, size_t len);
size_t keyset_count(const struct keyset *set);

#endif
