/* Numbers for people. */
#ifndef OXBOW_CLI_FIGURES_H
#define OXBOW_CLI_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIGURE_MAX 32

/* "1,234,567" */
const char *figure_count(uint64_t n, char out[FIGURE_MAX]);

/* `decimals` behind the point; "1.23e+09" when it is huge, "-" for NaN. */
const char *figure_number(double v, int decimals, char out[FIGURE_MAX]);

/*
 * What models are judged by, as lines call it: "MAE", or "log loss" of a binary task; and a value
 * of it, with one decimal or with four.
 */
const char *figure_loss_name(bool is_binary);
const char *figure_loss(double v, bool is_binary, char out[FIGURE_MAX]);

/* "3 ms"; "<1 ms", as times on the wire are whole milliseconds; "-" for NaN. */
const char *figure_span_ms(double ms, char out[FIGURE_MAX]);

/* "45 s", "12 min", "3 h" */
const char *figure_age(int64_t ms, char out[FIGURE_MAX]);

#endif
