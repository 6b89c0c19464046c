/* Why a model answers what it does: see explain.h. */
#include "learn/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/model_internal.h"

#define FEATURES_OF 25 /* neighbours whose features are written; of further ones null */

/* Room for one more behind n elements: the array grows at powers of two. */
static void *grow(void *array, size_t n, size_t size)
{
    if (n & (n - 1))
        return array;
    return mem_realloc(array, n ? 2 * n : 1, size);
}

struct explain_part *explanation_add_part(struct explanation *ex, enum explain_kind kind,
                                          size_t index, double contribution)
{
    struct explain_part *part;

    ex->parts = grow(ex->parts, ex->n_parts, sizeof(*ex->parts));
    part = &ex->parts[ex->n_parts++];
    *part = (struct explain_part){
        .kind = kind,
        .index = index,
        .value = (double)NAN,
        .scaled = (double)NAN,
        .weight = (double)NAN,
        .contribution = contribution,
    };
    return part;
}

struct explain_step *explanation_add_step(struct explanation *ex)
{
    ex->path = grow(ex->path, ex->n_path, sizeof(*ex->path));
    ex->path[ex->n_path] = (struct explain_step){.feature = 0};
    return &ex->path[ex->n_path++];
}

struct explain_neighbour *explanation_add_neighbour(struct explanation *ex, const double *features,
                                                    size_t n)
{
    struct explain_neighbour *found;

    ex->neighbours = grow(ex->neighbours, ex->n_neighbours, sizeof(*ex->neighbours));
    found = &ex->neighbours[ex->n_neighbours++];
    *found = (struct explain_neighbour){.features = mem_alloc(n * sizeof(*features))};
    memcpy(found->features, features, n * sizeof(*features));
    return found;
}

int model_explain(const struct model *m, const double *x, struct explanation *ret_ex,
                  struct err *err)
{
    double buffers[2][MODEL_MAX_WIDTH];
    const double *scaled;

    if (!m->lrn->ops->explain)
        return err_set(err, ERR_UNSUPPORTED, "not available for %s", model_class(m));

    scaled = model_transform(m, x, buffers);
    *ret_ex = (struct explanation){
        .schema = m->seen,
        .class_name = model_class(m),
        .prediction = learner_predict(m->lrn, scaled),
    };
    m->lrn->ops->explain(m->lrn, scaled, ret_ex);
    for (size_t i = 0; i < ret_ex->n_parts; i++) {
        struct explain_part *part = &ret_ex->parts[i];

        if (part->kind != EXPLAIN_FEATURE)
            continue;
        if (m->source[part->index] != PREPROCESSOR_NO_SOURCE)
            part->value = x[m->source[part->index]];
        part->scaled = scaled[part->index];
    }
    return 0;
}

double explanation_sum(const struct explanation *ex)
{
    double sum = ex->base;

    for (size_t i = 0; i < ex->n_parts; i++)
        sum += ex->parts[i].contribution;
    return sum;
}

double explanation_total(const struct explanation *ex)
{
    double sum = explanation_sum(ex);

    return ex->is_log_odds ? 1 / (1 + exp(-sum)) : sum;
}

static void free_arrays(struct explanation *ex)
{
    for (size_t i = 0; i < ex->n_neighbours; i++)
        free(ex->neighbours[i].features);
    free(ex->neighbours);
    free(ex->path);
    free(ex->parts);
}

void explanation_release(struct explanation *ex)
{
    free_arrays(ex);
    *ex = (struct explanation)EXPLANATION_INIT;
}

void explanation_clear(struct explanation *ex)
{
    free_arrays(ex);
    *ex = (struct explanation){
        .schema = ex->schema,
        .class_name = ex->class_name,
        .prediction = ex->prediction,
    };
}

/* Writing */

static void write_member(struct buf *out, const char *name, double v)
{
    buf_byte(out, ',');
    json_write_name(out, name);
    json_write_number(out, v);
}

static void write_text(struct buf *out, const char *name, const char *text)
{
    buf_byte(out, ',');
    json_write_name(out, name);
    json_write_string(out, text, strlen(text));
}

static void write_feature_name(const struct explanation *ex, size_t feature, struct buf *out)
{
    const char *name = schema_name(ex->schema, feature);

    json_write_string(out, name, strlen(name));
}

static void write_part(const struct explanation *ex, const struct explain_part *part,
                       struct buf *out)
{
    buf_text(out, "{\"name\":");
    switch (part->kind) {
    case EXPLAIN_FEATURE:
        write_feature_name(ex, part->index, out);
        break;
    case EXPLAIN_LEAF:
        buf_text(out, "\"leaf\"");
        break;
    case EXPLAIN_NEIGHBOUR:
        buf_printf(out, "\"neighbour %zu\"", part->index + 1);
        break;
    }
    write_member(out, "value", part->value);
    write_member(out, "scaled", part->scaled);
    write_member(out, "weight", part->weight);
    write_member(out, "contribution", part->contribution);
    buf_byte(out, '}');
}

static void write_step(const struct explanation *ex, const struct explain_step *step,
                       struct buf *out)
{
    buf_text(out, "{\"feature\":");
    write_feature_name(ex, step->feature, out);
    write_member(out, "threshold", step->test == EXPLAIN_ABOVE ? step->threshold : (double)NAN);
    if (step->test != EXPLAIN_ABOVE)
        write_member(out, "category", step->threshold);
    write_member(out, "scaled", step->scaled);
    write_text(out, "went", step->test == EXPLAIN_EACH ? "own" : step->right ? "right" : "left");
    write_member(out, "mean", step->mean);
    write_member(out, "n", step->n);
    buf_byte(out, '}');
}

static void write_neighbour(const struct explanation *ex, size_t i, struct buf *out)
{
    const struct explain_neighbour *found = &ex->neighbours[i];

    buf_text(out, "{\"distance\":");
    json_write_number(out, found->distance);
    write_member(out, "label", found->label);
    write_member(out, "weight", found->weight);
    buf_text(out, ",\"features\":");
    if (i >= FEATURES_OF) {
        buf_text(out, "null}");
        return;
    }
    for (size_t j = 0; j < schema_size(ex->schema); j++) {
        buf_byte(out, j ? ',' : '{');
        write_feature_name(ex, j, out);
        buf_byte(out, ':');
        json_write_number(out, found->features[j]);
    }
    buf_text(out, "}}");
}

void explanation_write(const struct explanation *ex, const char *model, const char *version,
                       double served, struct buf *out)
{
    buf_text(out, "{\"available\":true");
    write_text(out, "model", model);
    write_text(out, "class", ex->class_name);
    write_text(out, "version", version);
    write_member(out, "prediction", ex->prediction);
    write_member(out, "served", served);
    write_member(out, "base", ex->base);
    write_text(out, "base_name", ex->base_name);
    write_text(out, "scale", ex->is_log_odds ? "log_odds" : "prediction");
    buf_text(out, ",\"contributions\":[");
    for (size_t i = 0; i < ex->n_parts; i++) {
        if (i)
            buf_byte(out, ',');
        write_part(ex, &ex->parts[i], out);
    }
    buf_text(out, ex->has_path ? "],\"path\":[" : "],\"path\":null");
    for (size_t i = 0; i < ex->n_path; i++) {
        if (i)
            buf_byte(out, ',');
        write_step(ex, &ex->path[i], out);
    }
    if (ex->has_path)
        buf_byte(out, ']');
    buf_text(out, ex->has_neighbours ? ",\"neighbours\":[" : ",\"neighbours\":null");
    for (size_t i = 0; i < ex->n_neighbours; i++) {
        if (i)
            buf_byte(out, ',');
        write_neighbour(ex, i, out);
    }
    buf_text(out, ex->has_neighbours ? "]}" : "}");
}
