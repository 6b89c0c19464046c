/* UUID version 4 (RFC 9562). */
#include "base/uuid.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void uuid_new(char out[UUID_TEXT_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t b[16];

    /* Up to 256 bytes come whole once the generator is seeded; before that the call may be cut. */
    while (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b)) {
        if (errno != EINTR) {
            perror("getrandom");
            abort();
        }
    }
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    for (size_t i = 0; i < sizeof(b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[b[i] >> 4];
        *out++ = hex[b[i] & 15];
    }
    *out = '\0';
}

bool uuid_valid(const char *s)
{
    if (strlen(s) != UUID_TEXT_LEN)
        return false;
    for (size_t i = 0; i < UUID_TEXT_LEN; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool is_hex = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');

        if (is_dash ? s[i] != '-' : !is_hex)
            return false;
    }
    return s[14] == '4' && strchr("89ab", s[19]) != NULL;
}
