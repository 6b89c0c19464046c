/*
 * Rows of the views that the task's SQL defines, for the page and for people:
 * /api/views/NAME. Read-only, each answer kept for VIEW_ROWS_KEPT_MS, one query
 * at a time: it may take a while, and nobody waits for another's.
 */
#ifndef OXBOW_MONITOR_VIEW_ROWS_H
#define OXBOW_MONITOR_VIEW_ROWS_H

#include "base/buf.h"
#include "base/err.h"
#include "task/task.h"

#define VIEW_ROWS_MAX     1000
#define VIEW_ROWS_KEPT_MS 10000

struct view_rows;

struct view_rows *view_rows_new(const struct task *task); /* borrows it */
void view_rows_free(struct view_rows *v);                 /* NULL is fine */

/*
 * Appends {"view","time_ms","columns":[..],"rows":[[..],..],"more":bool}: numbers as such, all else
 * as text. ERR_NOT_FOUND names the views that there are; ERR_TIMEOUT (retriable): another query
 * runs. From any thread.
 */
int view_rows_get(struct view_rows *v, const char *name, struct buf *out,
                  struct err *err) MUST_CHECK;

#endif
