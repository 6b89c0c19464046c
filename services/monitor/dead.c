/* Dead letters by reason. */
#include "monitor/dead.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "monitor/text.h"

static void release(struct dead_reason *r)
{
    free(r->reason);
    free(r->service);
    free(r->topic);
    free(r->key);
    free(r->position);
    free(r->value);
    *r = (struct dead_reason){0};
}

void dead_clear(struct dead *d)
{
    for (size_t i = 0; i < d->n; i++)
        release(&d->reason[i]);
    d->n = 0;
    d->total = 0;
    d->others = 0;
}

/* The text of a member, or NULL; to be freed. */
static char *member(const struct json_value *object, const char *name)
{
    struct buf text = BUF_INIT;
    struct json_value v;

    if (!json_get(object, name, &v) || !json_string(&v, &text)) {
        buf_release(&text);
        return NULL;
    }
    return buf_detach(&text);
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Takes `letter` over. */
static void count(struct dead *d, struct dead_reason *letter)
{
    size_t i = 0;

    while (i < d->n && !(is_same(d->reason[i].reason, letter->reason) &&
                         is_same(d->reason[i].service, letter->service) &&
                         is_same(d->reason[i].topic, letter->topic)))
        i++;
    if (i == DEAD_REASONS_MAX) {
        d->others++;
        release(letter);
        return;
    }
    letter->count = 1;
    if (i < d->n) {
        letter->count += d->reason[i].count;
        release(&d->reason[i]);
    } else {
        d->n++;
    }
    d->reason[i] = *letter;
}

void dead_add(struct dead *d, const char *text, size_t len, int64_t time_ms)
{
    struct dead_reason letter = {.last_ms = time_ms};
    struct json_value root;

    d->total++;
    if (!text || json_parse(text, len, &root, NULL) != 0 || root.type != JSON_OBJECT) {
        letter.reason = mem_strdup("a message that is no dead letter");
        count(d, &letter);
        return;
    }
    letter.reason = member(&root, "reason");
    letter.service = member(&root, "service");
    letter.topic = member(&root, "topic");
    letter.key = member(&root, "key");
    letter.position = member(&root, "position");
    letter.value = member(&root, "value");
    if (letter.value && strlen(letter.value) > DEAD_VALUE_MAX)
        letter.value[DEAD_VALUE_MAX] = '\0';
    count(d, &letter);
}

static int more_first(const void *a, const void *b)
{
    const struct dead_reason *const *x = a;
    const struct dead_reason *const *y = b;

    return ((*x)->count < (*y)->count) - ((*x)->count > (*y)->count);
}

static void write_reason(const struct dead_reason *r, struct buf *out)
{
    text_next(out);
    buf_byte(out, '{');
    text_put_string(out, "reason", r->reason);
    text_put_string(out, "service", r->service);
    text_put_string(out, "topic", r->topic);
    text_put_count(out, "count", r->count);
    text_put_time(out, "last_ms", r->last_ms);
    text_put_name(out, "example");
    buf_byte(out, '{');
    text_put_string(out, "key", r->key);
    text_put_string(out, "position", r->position);
    text_put_string(out, "value", r->value);
    buf_text(out, "}}");
}

void dead_write(const struct dead *d, int64_t total, struct buf *out)
{
    const struct dead_reason *sorted[DEAD_REASONS_MAX];

    for (size_t i = 0; i < d->n; i++)
        sorted[i] = &d->reason[i];
    qsort(sorted, d->n, sizeof(sorted[0]), more_first);
    buf_byte(out, '{');
    text_put_name(out, "total");
    if (total >= 0)
        json_write_int(out, total);
    else
        buf_text(out, "null");
    text_put_count(out, "seen", d->total);
    text_put_count(out, "others", d->others);
    text_put_name(out, "reasons");
    buf_byte(out, '[');
    for (size_t i = 0; i < d->n; i++)
        write_reason(sorted[i], out);
    buf_text(out, "]}");
}
