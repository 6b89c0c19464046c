/* Numbers for people. */
#include "figures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *figure_count(uint64_t n, char out[FIGURE_MAX])
{
    char digits[FIGURE_MAX];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
    size_t at = 0;

    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *figure_number(double v, int decimals, char out[FIGURE_MAX])
{
    if (isfinite(v) && fabs(v) >= 1e7)
        snprintf(out, FIGURE_MAX, "%.2e", v);
    else if (isfinite(v))
        snprintf(out, FIGURE_MAX, "%.*f", decimals, v);
    else
        memcpy(out, "-", 2);
    return out;
}

const char *figure_loss_name(bool is_binary)
{
    return is_binary ? "log loss" : "MAE";
}

const char *figure_loss(double v, bool is_binary, char out[FIGURE_MAX])
{
    return figure_number(v, is_binary ? 4 : 1, out);
}

const char *figure_span_ms(double ms, char out[FIGURE_MAX])
{
    if (ms < 1)
        memcpy(out, "<1 ms", 6);
    else if (isfinite(ms))
        snprintf(out, FIGURE_MAX, "%.0f ms", ms);
    else
        memcpy(out, "-", 2);
    return out;
}

const char *figure_age(int64_t ms, char out[FIGURE_MAX])
{
    int64_t s = ms > 0 ? ms / 1000 : 0;

    if (s < 120)
        snprintf(out, FIGURE_MAX, "%" PRId64 " s", s);
    else if (s < 7200)
        snprintf(out, FIGURE_MAX, "%" PRId64 " min", s / 60);
    else
        snprintf(out, FIGURE_MAX, "%" PRId64 " h", s / 3600);
    return out;
}
