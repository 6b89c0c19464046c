/* The models of a task as a table of text. */
#ifndef OXBOW_CLI_MODEL_TABLE_H
#define OXBOW_CLI_MODEL_TABLE_H

#include <stddef.h>

#include "base/buf.h"
#include "inspect/status.h"
#include "screen.h"

enum model_order {
    MODEL_ORDER_FILE,    /* as in the task file, the baseline last */
    MODEL_ORDER_ERROR,   /* least error over the last rows first */
    MODEL_ORDER_LEARNED, /* most learned first */
    MODEL_ORDER_MAX,
};

/* "task file", "error", "learned" */
const char *model_order_word(enum model_order order);

struct model_table {
    enum model_order order;
    size_t first; /* models that are passed over */
    size_t rows;  /* models that are shown at most; 0: all */
};

/* A head and a line a model, each with its newline; what is left out is said in one more. */
void model_table_draw(const struct status *s, const struct model_table *table,
                      const struct screen *screen, struct buf *out);

#endif
