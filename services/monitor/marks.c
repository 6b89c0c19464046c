/* Marks on the time axis. */
#include "monitor/marks.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "monitor/text.h"

static char *copy(const char *s)
{
    return s ? mem_strdup(s) : NULL;
}

static void mark_release(struct mark *mark)
{
    free(mark->id);
    free(mark->kind);
    free(mark->model);
    free(mark->feature);
    free(mark->text);
    *mark = (struct mark){0};
}

void marks_release(struct marks *m)
{
    for (size_t i = 0; i < MARKS_MAX; i++)
        mark_release(&m->mark[i]);
    m->n = 0;
}

static char *make_id(const struct mark *mark)
{
    struct buf id = BUF_INIT;

    buf_printf(&id, "%s#%s#%lld", mark->kind,
               mark->model     ? mark->model
               : mark->feature ? mark->feature
                               : "",
               (long long)mark->time_ms);
    return buf_detach(&id);
}

bool marks_add(struct marks *m, const struct mark *mark)
{
    char *id = mark->id ? mem_strdup(mark->id) : make_id(mark);

    for (uint64_t i = marks_first(m); i < m->n; i++) {
        if (strcmp(marks_get(m, i)->id, id) == 0) {
            free(id);
            return false;
        }
    }
    struct mark *to = &m->mark[m->n++ % MARKS_MAX];
    mark_release(to);
    *to = (struct mark){
        .id = id,
        .kind = copy(mark->kind),
        .model = copy(mark->model),
        .feature = copy(mark->feature),
        .text = copy(mark->text),
        .time_ms = mark->time_ms,
        .event_ms = mark->event_ms,
        .until_ms = mark->until_ms,
    };
    return true;
}

uint64_t marks_first(const struct marks *m)
{
    return m->n > MARKS_MAX ? m->n - MARKS_MAX : 0;
}

const struct mark *marks_get(const struct marks *m, uint64_t i)
{
    return &m->mark[i % MARKS_MAX];
}

void marks_write(const struct mark *mark, struct buf *out)
{
    text_next(out);
    buf_byte(out, '{');
    text_put_string(out, "id", mark->id);
    text_put_string(out, "kind", mark->kind);
    text_put_string(out, "model", mark->model);
    text_put_string(out, "feature", mark->feature);
    text_put_time(out, "time_ms", mark->time_ms);
    text_put_time(out, "event_ms", mark->event_ms);
    if (mark->until_ms != TIME_UNKNOWN)
        text_put_time(out, "until_ms", mark->until_ms);
    text_put_string(out, "text", mark->text);
    buf_byte(out, '}');
}

void marks_write_from(const struct marks *m, uint64_t from, bool newest_first, struct buf *out)
{
    uint64_t first = marks_first(m) > from ? marks_first(m) : from;

    buf_byte(out, '[');
    for (uint64_t i = first; i < m->n; i++)
        marks_write(marks_get(m, newest_first ? m->n - 1 - (i - first) : i), out);
    buf_byte(out, ']');
}
