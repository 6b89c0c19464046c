/* The ordered features of a task: see schema.h. */
#include "learn/schema.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/near.h"

struct feature {
    char *name;
    size_t len; /* of the name */
    enum feature_kind kind;
};

struct schema {
    struct feature *features;
    size_t n;
    size_t cap;
};

struct schema *schema_new(void)
{
    return mem_zalloc(1, sizeof(struct schema));
}

void schema_free(struct schema *schema)
{
    if (!schema)
        return;

    for (size_t i = 0; i < schema->n; i++)
        free(schema->features[i].name);
    free(schema->features);
    free(schema);
}

static void append(struct schema *schema, const char *name, size_t len, enum feature_kind kind)
{
    if (schema->n == schema->cap) {
        schema->cap = schema->cap ? 2 * schema->cap : 8;
        schema->features = mem_realloc(schema->features, schema->cap, sizeof(struct feature));
    }
    schema->features[schema->n++] =
        (struct feature){.name = mem_strndup(name, len), .len = len, .kind = kind};
}

struct schema *schema_clone(const struct schema *schema)
{
    struct schema *copy = schema_new();

    for (size_t i = 0; i < schema->n; i++) {
        const struct feature *f = &schema->features[i];

        append(copy, f->name, f->len, f->kind);
    }
    return copy;
}

int schema_add(struct schema *schema, const char *name, enum feature_kind kind, struct err *err)
{
    size_t len = strlen(name);

    if (len == 0)
        return err_set(err, ERR_INVALID, "a feature needs a name");
    if (len > SCHEMA_MAX_NAME)
        return err_set(err, ERR_INVALID, "feature name \"%.40s...\" has %zu bytes, at most %d",
                       name, len, SCHEMA_MAX_NAME);
    if (schema_find(schema, name, len) >= 0)
        return err_set(err, ERR_INVALID, "feature \"%s\" is listed twice", name);
    if (schema->n == SCHEMA_MAX_FEATURES)
        return err_set(err, ERR_INVALID, "more than %d features", SCHEMA_MAX_FEATURES);

    append(schema, name, len, kind);
    return 0;
}

size_t schema_size(const struct schema *schema)
{
    return schema->n;
}

const char *schema_name(const struct schema *schema, size_t i)
{
    return schema->features[i].name;
}

enum feature_kind schema_kind(const struct schema *schema, size_t i)
{
    return schema->features[i].kind;
}

int schema_find(const struct schema *schema, const char *name, size_t len)
{
    for (size_t i = 0; i < schema->n; i++) {
        const struct feature *f = &schema->features[i];

        if (f->len == len && memcmp(f->name, name, len) == 0)
            return (int)i;
    }
    return -1;
}

int schema_need(const struct schema *schema, const char *name, size_t *ret, struct err *err)
{
    struct near near = {.wanted = name};
    int at = schema_find(schema, name, strlen(name));

    if (at >= 0) {
        *ret = (size_t)at;
        return 0;
    }
    for (size_t i = 0; i < schema->n; i++)
        near_offer(&near, schema->features[i].name);
    if (near.name)
        return err_set(err, ERR_INVALID,
                       "there is no feature \"%.60s\" here; did you mean \"%.60s\"?", name,
                       near.name);
    return err_set(err, ERR_INVALID, "there is no feature \"%.60s\" here", name);
}

void schema_sort(const struct schema *schema, size_t *ret)
{
    for (size_t i = 0; i < schema->n; i++) {
        const char *name = schema->features[i].name;
        size_t at = i;

        for (; at > 0 && strcmp(schema->features[ret[at - 1]].name, name) > 0; at--)
            ret[at] = ret[at - 1];
        ret[at] = i;
    }
}

double schema_category(const char *text, size_t len)
{
    return (double)(XXH64(text, len, 0) & (((uint64_t)1 << 52) - 1));
}

const char *feature_kind_name(enum feature_kind kind)
{
    static const char *const names[] = {
        [FEATURE_NUMERIC] = "numeric",
        [FEATURE_BOOLEAN] = "boolean",
        [FEATURE_CATEGORICAL] = "categorical",
    };

    return names[kind];
}

uint64_t schema_hash(const struct schema *schema)
{
    struct buf text = BUF_INIT;
    uint64_t hash;

    for (size_t i = 0; i < schema->n; i++) {
        const struct feature *f = &schema->features[i];

        /* The NUL ends the name, so that no two lists of names read the same. */
        buf_append(&text, f->name, f->len + 1);
        buf_text(&text, feature_kind_name(f->kind));
        buf_byte(&text, '\n');
    }
    hash = XXH64(buf_str(&text), text.len, 0);
    buf_release(&text);
    return hash;
}
