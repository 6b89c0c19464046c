/* A task at a glance, as text for people and as JSON for scripts (docs/status.md). */
#ifndef OXBOW_CLI_GLANCE_H
#define OXBOW_CLI_GLANCE_H

#include <stddef.h>

#include "base/buf.h"
#include "inspect/inspect.h"
#include "inspect/overview.h"
#include "model_table.h"
#include "screen.h"

struct glance {
    const struct task *task;   /* NULL: nothing is known of it yet */
    const char *incarnation;   /* "" when there is none */
    const struct overview *o;  /* of the last look that succeeded */
    const char *away;          /* why the last look failed; NULL: it succeeded */
    struct model_table models; /* rows is set by glance_draw_within() */
    const char *hint;          /* what the keys do; NULL: there are none */
};

/* Everything, however long. */
void glance_draw(const struct glance *g, const struct screen *screen, struct buf *out);

/* Cut to so many lines: of a long list of models that part which begins at models.first. */
void glance_draw_within(const struct glance *g, size_t rows, const struct screen *screen,
                        struct buf *out);

/* One JSON object, without a newline. */
void glance_json(const struct glance *g, struct buf *out);

#endif
