/* What an ensemble holds: see members.h. */
#include "learn/members.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

void members_init(struct members *m, const struct component *component, size_t n, size_t n_features)
{
    *m = (struct members){
        .component = component,
        .at = mem_zalloc(n, sizeof(struct learner *)),
        .n = n,
        .n_features = n_features,
        .share = SIZE_MAX,
    };
    for (size_t i = 0; i < n; i++)
        m->at[i] = members_make(m);
}

void members_release(struct members *m)
{
    for (size_t i = 0; i < m->n; i++)
        learner_free(m->at[i]);
    free(m->at);
    free(m->kinds);
    *m = (struct members){.n = 0};
}

void members_set_schema(struct members *m, const struct schema *schema)
{
    m->schema = schema;
    for (size_t i = 0; i < m->n; i++)
        learner_set_schema(m->at[i], schema);
}

void members_set_kinds(struct members *m, const enum feature_kind *kinds)
{
    size_t size = m->n_features * sizeof(*kinds);

    m->kinds = memcpy(mem_alloc(size), kinds, size);
    for (size_t i = 0; i < m->n; i++)
        m->at[i]->ops->set_kinds(m->at[i], kinds);
}

void members_set_max_bytes(struct members *m, size_t max, size_t parts)
{
    size_t fixed = members_bytes(m);

    for (size_t i = 0; i < m->n; i++)
        fixed -= learner_bytes(m->at[i]);
    m->share = max > fixed ? (max - fixed) / parts : 0;
    for (size_t i = 0; i < m->n; i++)
        learner_set_max_bytes(m->at[i], m->share);
}

size_t members_bytes(const struct members *m)
{
    size_t bytes = m->n * sizeof(struct learner *);

    if (m->kinds)
        bytes += m->n_features * sizeof(*m->kinds);
    for (size_t i = 0; i < m->n; i++)
        bytes += learner_bytes(m->at[i]);
    return bytes;
}

void members_save(const struct members *m, struct buf *out)
{
    blob_write_u64(out, m->n);
    for (size_t i = 0; i < m->n; i++)
        learner_save(m->at[i], out);
}

void members_load(struct members *m, struct blob_reader *in)
{
    if (blob_read_u64(in) != m->n)
        blob_fail(in, "it has another number of members");
    for (size_t i = 0; i < m->n && !blob_failed(in); i++)
        learner_load(m->at[i], in);
}

void members_inspect(const struct members *m, struct buf *out)
{
    buf_text(out, ",\"members\":");
    json_write_number(out, (double)m->n);
    buf_text(out, ",\"member_bytes\":[");
    for (size_t i = 0; i < m->n; i++) {
        if (i)
            buf_byte(out, ',');
        json_write_number(out, (double)learner_bytes(m->at[i]));
    }
    buf_byte(out, ']');
}

struct learner *members_make(const struct members *m)
{
    struct learner *lrn = learner_new(m->component, m->n_features);

    if (m->schema)
        learner_set_schema(lrn, m->schema);
    if (m->kinds)
        lrn->ops->set_kinds(lrn, m->kinds);
    if (m->share != SIZE_MAX)
        learner_set_max_bytes(lrn, m->share);
    return lrn;
}

void members_put(struct members *m, size_t i, struct learner *lrn)
{
    learner_free(m->at[i]);
    m->at[i] = lrn;
}

void members_replace(struct members *m, size_t i)
{
    members_put(m, i, members_make(m));
}
