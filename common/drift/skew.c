/* Training-serving skew: see skew.h. */
#include "drift/skew.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

#define SLOTS      (2 * SKEW_WAITING) /* of the table; a power of two */
#define NO_SLOT    UINT32_MAX
#define MAX_LEVEL  20  /* at least one key in a million */
#define VALUE_TEXT 200 /* bytes of a value that an example shows */

/* A key that waits, in a ring; the oldest makes room. */
struct waiting {
    uint64_t hash;
    char *text; /* its features object; NULL: it is not in use */
    uint32_t len;
    uint32_t next; /* with the same slot, or NO_SLOT */
};

struct example {
    char *json; /* NULL: none */
};

struct skew {
    struct schema *schema;
    struct waiting ring[SKEW_WAITING];
    uint32_t slots[SLOTS]; /* by hash: the first of a chain in the ring */
    uint32_t at;           /* the place in the ring that is taken next */
    size_t text_bytes;
    unsigned level;  /* hashes end in so many zeros */
    uint32_t turn;   /* keys taken in since the level was looked at */
    uint32_t found;  /* rows since then that found their key */
    uint32_t missed; /* rows that did not */
    uint32_t lost;   /* keys that made room before their row came */
    uint32_t reach;  /* places behind the newest: the farthest that was found */
    uint64_t compared;
    uint64_t differing;
    struct example examples[SKEW_EXAMPLES];
    size_t next_example;
};

struct skew *skew_new(const struct schema *schema)
{
    struct skew *s = mem_zalloc(1, sizeof(*s));

    s->schema = schema_clone(schema);
    for (size_t i = 0; i < SLOTS; i++)
        s->slots[i] = NO_SLOT;
    return s;
}

void skew_free(struct skew *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SKEW_WAITING; i++)
        free(s->ring[i].text);
    for (size_t i = 0; i < SKEW_EXAMPLES; i++)
        free(s->examples[i].json);
    schema_free(s->schema);
    free(s);
}

/* Waiting */

static bool is_sampled(const struct skew *s, uint64_t hash)
{
    return (hash & (((uint64_t)1 << s->level) - 1)) == 0;
}

/* The low bits choose the sample, so the high ones choose the slot. */
static uint32_t *slot_of(struct skew *s, uint64_t hash)
{
    return &s->slots[(hash >> 32) % SLOTS];
}

/* The link that leads to the key, or to the end of its chain. */
static uint32_t *find(struct skew *s, uint64_t hash)
{
    uint32_t *link = slot_of(s, hash);

    while (*link != NO_SLOT && s->ring[*link].hash != hash)
        link = &s->ring[*link].next;
    return link;
}

/* Takes what a link leads to out of the ring. */
static void drop(struct skew *s, uint32_t *link)
{
    struct waiting *w = &s->ring[*link];

    *link = w->next;
    s->text_bytes -= w->len;
    free(w->text);
    *w = (struct waiting){.hash = 0};
}

/* After each turn of the ring: is it long enough for labels to come? */
static void adapt(struct skew *s)
{
    if (s->turn < SKEW_WAITING)
        return;
    if (s->missed > s->found && s->lost > s->found && s->level < MAX_LEVEL)
        s->level++;
    else if (s->found > 0 && s->reach < SKEW_WAITING / 4 && s->level > 0)
        s->level--;
    s->turn = 0;
    s->found = 0;
    s->missed = 0;
    s->lost = 0;
    s->reach = 0;
}

void skew_served(struct skew *s, const char *key, size_t len, const struct json_value *features)
{
    uint64_t hash = XXH64(key, len, 0);
    uint32_t *link;
    struct waiting *w;

    if (!is_sampled(s, hash) || features->type != JSON_OBJECT || features->len > SKEW_MAX_TEXT)
        return;
    if (*find(s, hash) != NO_SLOT)
        return; /* the first prediction of a key is the one that is learned from */

    w = &s->ring[s->at];
    if (w->text) {
        drop(s, find(s, w->hash));
        s->lost++;
    }
    *w = (struct waiting){
        .hash = hash,
        .text = mem_strndup(features->text, features->len),
        .len = (uint32_t)features->len,
        .next = NO_SLOT,
    };
    link = find(s, hash); /* after the drop: the link may have been in what was dropped */
    *link = s->at;
    s->text_bytes += features->len;
    s->at = (s->at + 1) % SKEW_WAITING;
    s->turn++;
    adapt(s);
}

/* Comparing */

/* The member of that name, or null. */
static struct json_value member_of(const struct json_value *object, const char *name)
{
    struct json_value v;

    if (!json_get(object, name, &v))
        v = (struct json_value){JSON_NULL, "null", 4};
    return v;
}

/* False when it is nothing that reads as a double. */
static bool double_of(const struct json_value *v, double *ret)
{
    if (v->type == JSON_TRUE || v->type == JSON_FALSE) {
        *ret = v->type == JSON_TRUE;
        return true;
    }
    return v->type == JSON_NUMBER && json_number(v, ret);
}

static bool same(const struct json_value *a, const struct json_value *b)
{
    double va;
    double vb;

    if (a->len == b->len && memcmp(a->text, b->text, a->len) == 0)
        return true;
    if (double_of(a, &va) && double_of(b, &vb))
        return va == vb && signbit(va) == signbit(vb); /* finite: so the same bits */
    if (a->type == JSON_STRING && b->type == JSON_STRING) {
        struct buf text = BUF_INIT;
        bool equal = json_string(a, &text) && json_is(b, buf_str(&text), text.len);

        buf_release(&text);
        return equal;
    }
    return false;
}

static void write_value(const struct json_value *v, struct buf *out)
{
    if (v->len <= VALUE_TEXT)
        buf_append(out, v->text, v->len);
    else
        json_write_string(out, v->text, VALUE_TEXT);
}

static void keep_example(struct skew *s, const char *key, size_t len, const char *feature,
                         const struct json_value *served, const struct json_value *learned)
{
    struct example *example = &s->examples[s->next_example];
    struct buf out = BUF_INIT;

    buf_text(&out, "{\"key\":");
    json_write_string(&out, key, len);
    buf_text(&out, ",\"feature\":");
    json_write_string(&out, feature, strlen(feature));
    buf_text(&out, ",\"served\":");
    write_value(served, &out);
    buf_text(&out, ",\"learned\":");
    write_value(learned, &out);
    buf_byte(&out, '}');
    free(example->json);
    example->json = buf_detach(&out);
    s->next_example = (s->next_example + 1) % SKEW_EXAMPLES;
}

static void compare(struct skew *s, const char *key, size_t len, const struct json_value *served,
                    const struct json_value *learned)
{
    size_t n = schema_size(s->schema);

    s->compared += n;
    /* As a rule they are the same bytes. */
    if (served->len == learned->len && memcmp(served->text, learned->text, served->len) == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        const char *name = schema_name(s->schema, i);
        struct json_value a = member_of(served, name);
        struct json_value b = member_of(learned, name);

        if (same(&a, &b))
            continue;
        s->differing++;
        keep_example(s, key, len, name, &a, &b);
    }
}

void skew_learned(struct skew *s, const char *key, size_t len, const struct json_value *features)
{
    uint64_t hash = XXH64(key, len, 0);
    struct json_value served;
    uint32_t *link;
    uint32_t behind;

    if (!is_sampled(s, hash) || features->type != JSON_OBJECT)
        return;
    link = find(s, hash);
    if (*link == NO_SLOT) {
        s->missed++;
        return;
    }
    s->found++;
    behind = (s->at + SKEW_WAITING - *link) % SKEW_WAITING;
    s->reach = behind > s->reach ? behind : s->reach;
    served = (struct json_value){JSON_OBJECT, s->ring[*link].text, s->ring[*link].len};
    compare(s, key, len, &served, features);
    drop(s, link);
}

/* Looking */

uint64_t skew_compared(const struct skew *s)
{
    return s->compared;
}

uint64_t skew_differing(const struct skew *s)
{
    return s->differing;
}

double skew_sample(const struct skew *s)
{
    return ldexp(1, -(int)s->level);
}

void skew_write_examples(const struct skew *s, struct buf *out)
{
    size_t n = 0;

    buf_byte(out, '[');
    for (size_t i = 1; i <= SKEW_EXAMPLES; i++) {
        const char *json = s->examples[(s->next_example + SKEW_EXAMPLES - i) % SKEW_EXAMPLES].json;

        if (!json)
            continue;
        if (n++)
            buf_byte(out, ',');
        buf_text(out, json);
    }
    buf_byte(out, ']');
}

size_t skew_bytes(const struct skew *s)
{
    return sizeof(*s) + s->text_bytes;
}
