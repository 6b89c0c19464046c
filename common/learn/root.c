/* Square roots as Python's: see root.h. */
#include "learn/root.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MIDDLE 0.97   /* the error of pow() is less than what is left to 1 */
#define LOW    1e-100 /* beyond these, the error of the logarithm in pow() grows */
#define HIGH   1e100

/* With vectors and fused operations, where there are such. Not under a sanitizer: knn_search.c. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define WIDE
#endif

static const volatile double half = 0.5; /* or the compiler makes a sqrt() of it */

/* May pow() give another root than s, which is sqrt(v)? */
static inline bool is_doubtful(double v, double s)
{
    double rest = fma(-s, s, v); /* exact: what the root differs from s by, times 2 s */
    uint64_t bits;
    double power; /* of two, at or below s */

    memcpy(&bits, &s, sizeof(bits));
    bits &= 0x7ff0000000000000u;
    memcpy(&power, &bits, sizeof(power));
    return (fabs(rest) > MIDDLE * s * (power * 0x1p-52)) | ((v < LOW) & (v != 0)) | (v > HIGH);
}

WIDE void root_all(const double *restrict v, double *restrict ret, size_t n)
{
    int doubtful = 0;

    for (size_t i = 0; i < n; i++) {
        double s = sqrt(v[i]);

        doubtful |= is_doubtful(v[i], s);
        ret[i] = s;
    }
    for (size_t i = 0; doubtful && i < n; i++)
        if (is_doubtful(v[i], ret[i]))
            ret[i] = root_of(v[i]);
}

double root_of(double v)
{
    return pow(v, half);
}
