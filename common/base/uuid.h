/* Random identifiers (UUID version 4), from the kernel's generator. */
#ifndef OXBOW_BASE_UUID_H
#define OXBOW_BASE_UUID_H

#include <stdbool.h>

#define UUID_TEXT_LEN 36

void uuid_new(char out[UUID_TEXT_LEN + 1]);
bool uuid_valid(const char *s);

#endif
