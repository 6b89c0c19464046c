/* Edit distance with swaps of neighbours (optimal string alignment). */
#include "base/near.h"

#include <stdint.h>
#include <string.h>

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t near_distance(const char *a, const char *b)
{
    size_t n = strlen(a);
    size_t m = strlen(b);
    size_t rows[3][NEAR_NAME_MAX + 1]; /* row i: from the first i letters of a, in turns */

    if (n > NEAR_NAME_MAX || m > NEAR_NAME_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        const size_t *above2 = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = min(above[j - 1] + (a[i - 1] != b[j - 1]), min(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min(row[j], above2[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

void near_offer(struct near *near, const char *name)
{
    size_t distance = near_distance(near->wanted, name);
    size_t longer = strlen(near->wanted) > strlen(name) ? strlen(near->wanted) : strlen(name);

    if (distance > (longer + 2) / 3 || (near->name && distance >= near->distance))
        return;
    near->name = name;
    near->distance = distance;
}
