/* What a cell of a table says. Each returns false when it says nothing of that kind. */
#ifndef OXBOW_EVALUATE_TABLE_CELLS_H
#define OXBOW_EVALUATE_TABLE_CELLS_H

#include <stdbool.h>

#include "csv/csv.h"

bool cell_is_missing(const struct csv_field *cell);

/* A finite number, or true (1) and false (0) in any case. */
bool cell_number(const struct csv_field *cell, double *ret);

/* Milliseconds since 1970 of a date, or of a date and time; UTC. */
bool cell_time(const struct csv_field *cell, double *ret_ms);

#endif
