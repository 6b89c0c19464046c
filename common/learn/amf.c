/* A forest of Mondrian trees: see amf.h. */
#include "learn/amf.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "learn/component.h"
#include "learn/explain.h"

#define SEEDS 10000000 /* River gives each tree a seed below */

static size_t fixed_bytes(const struct amf *amf)
{
    return sizeof(*amf) + amf->n_trees * sizeof(amf->trees[0]) +
           amf->base.n * sizeof(amf->by_name[0]);
}

struct learner *amf_create(const struct component *component, size_t n)
{
    const struct amf_params *params = component->params;
    size_t n_trees = (size_t)params->n_estimators;
    struct amf *amf = mem_zalloc(1, sizeof(*amf) + n_trees * sizeof(amf->trees[0]));
    struct rng rng;

    amf->base.ops = component->class->learner;
    amf->base.n = n;
    amf->params = params;
    amf->n_trees = n_trees;
    amf->by_name = mem_zalloc(n, sizeof(*amf->by_name));
    for (size_t j = 0; j < n; j++)
        amf->by_name[j] = j;
    amf->rules = (struct mondrian_rules){
        .n_features = n,
        .by_name = amf->by_name,
        .classifies = component->class->kind == LEARN_CLASSIFIER,
        .use_aggregation = params->use_aggregation,
        .split_pure = params->split_pure,
        .step = params->step,
        .dirichlet = params->dirichlet,
    };
    amf_set_max_bytes(&amf->base, SIZE_MAX);

    rng_seed(&rng, params->seed == PARAM_NONE ? 0 : params->seed);
    for (size_t i = 0; i < n_trees; i++)
        mondrian_init(&amf->trees[i], &amf->rules, rng_below(&rng, SEEDS));
    return &amf->base;
}

void amf_free(struct learner *lrn)
{
    struct amf *amf = (struct amf *)lrn;

    for (size_t i = 0; i < amf->n_trees; i++)
        mondrian_release(&amf->trees[i]);
    free(amf->by_name);
    free(amf);
}

void amf_set_schema(struct learner *lrn, const struct schema *schema)
{
    schema_sort(schema, ((struct amf *)lrn)->by_name);
}

void amf_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct amf *amf = (struct amf *)lrn;

    (void)weight; /* as in River */
    if (amf->rules.classifies)
        amf->rules.seen[y == 1] = true;
    mondrian_fetch(amf->trees, amf->n_trees, &amf->rules, x);
    for (size_t i = 0; i < amf->n_trees; i++)
        mondrian_learn(&amf->trees[i], &amf->rules, x, y);
}

void amf_save(const struct learner *lrn, struct buf *out)
{
    const struct amf *amf = (const struct amf *)lrn;

    if (amf->rules.classifies) {
        blob_write_u8(out, amf->rules.seen[0]);
        blob_write_u8(out, amf->rules.seen[1]);
    }
    for (size_t i = 0; i < amf->n_trees; i++)
        mondrian_save(&amf->trees[i], &amf->rules, out);
}

void amf_load(struct learner *lrn, struct blob_reader *in)
{
    struct amf *amf = (struct amf *)lrn;

    if (amf->rules.classifies) {
        amf->rules.seen[0] = blob_read_u8(in) == 1;
        amf->rules.seen[1] = blob_read_u8(in) == 1;
    }
    for (size_t i = 0; i < amf->n_trees && !blob_failed(in); i++)
        mondrian_load(&amf->trees[i], &amf->rules, in);
}

size_t amf_bytes(const struct learner *lrn)
{
    const struct amf *amf = (const struct amf *)lrn;
    size_t nodes = 0;

    for (size_t i = 0; i < amf->n_trees; i++)
        nodes += amf->trees[i].n;
    return fixed_bytes(amf) + nodes * mondrian_node_bytes(lrn->n);
}

/* A split makes two nodes, so the last may begin one below what there is room for. */
void amf_set_max_bytes(struct learner *lrn, size_t max)
{
    struct amf *amf = (struct amf *)lrn;
    size_t fixed = fixed_bytes(amf);
    size_t nodes = max > fixed ? (max - fixed) / amf->n_trees / mondrian_node_bytes(lrn->n) : 0;

    amf->rules.limit = MONDRIAN_MAX_NODES;
    if (nodes <= MONDRIAN_MAX_NODES)
        amf->rules.limit = nodes ? (uint32_t)nodes - 1 : 0;
    if (amf->params->max_nodes < amf->rules.limit)
        amf->rules.limit = (uint32_t)amf->params->max_nodes;
}

void amf_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct amf *amf = (const struct amf *)lrn;
    uint64_t nodes = 0;
    uint64_t full = 0;
    uint64_t held = 0;

    (void)schema;
    for (size_t i = 0; i < amf->n_trees; i++) {
        const struct mondrian *tree = &amf->trees[i];

        nodes += tree->n;
        full += tree->n >= amf->rules.limit;
        held += tree->held;
    }
    buf_text(out, ",\"trees\":");
    json_write_int(out, (int64_t)amf->n_trees);
    buf_text(out, ",\"nodes\":");
    json_write_int(out, (int64_t)nodes);
    buf_text(out, ",\"leaves\":"); /* each branch has two children */
    json_write_int(out, (int64_t)((nodes + amf->n_trees) / 2));
    buf_text(out, ",\"full_trees\":");
    json_write_int(out, (int64_t)full);
    buf_text(out, ",\"learned_when_full\":");
    json_write_int(out, (int64_t)held);
}

/* All trees have seen the same labels: their roots answer the same. */
void amf_explain(const struct learner *lrn, const double *x, struct explanation *ex)
{
    const struct amf *amf = (const struct amf *)lrn;
    double *sums = mem_zalloc(lrn->n, sizeof(*sums));

    ex->base_name = amf->rules.classifies ? "smoothed share of positive labels" : "mean label";
    ex->base = (double)NAN; /* before the first label */
    for (size_t i = 0; i < amf->n_trees && amf_has_learned(amf); i++)
        ex->base = mondrian_explain(&amf->trees[i], &amf->rules, x, sums);
    for (size_t j = 0; j < lrn->n; j++) {
        if (sums[j] != 0)
            explanation_add_part(ex, EXPLAIN_FEATURE, j, sums[j] / (double)amf->n_trees);
    }
    free(sums);
}
