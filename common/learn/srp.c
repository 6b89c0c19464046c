/* Streaming random patches, the ensemble: see srp.h. */
#include "learn/srp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#define FEW_FEATURES 20 /* up to so many River goes through all their combinations */

const char *const srp_methods[] = {
    [SRP_SUBSPACES] = "subspaces",
    [SRP_RESAMPLING] = "resampling",
    [SRP_PATCHES] = "patches",
    NULL,
};

const char *const srp_subspaces[] = {[SRP_SQRT] = "sqrt", [SRP_RMSQRT] = "rmsqrt", NULL};

const char *const srp_disables[] = {
    [SRP_DISABLE_NONE] = "off",
    [SRP_DISABLE_DRIFT] = "drift",
    [SRP_DISABLE_WARNING] = "warning",
    NULL,
};

const struct learn_value srp_drift_defaults[] = {{"delta", 1e-5}, {NULL, 0}};
const struct learn_value srp_warning_defaults[] = {{"delta", 1e-4}, {NULL, 0}};
const struct learn_value srp_model_defaults[] = {
    {"grace_period", 50},
    {"delta", 0.01},
    {NULL, 0},
};

/* Who has which features: River's _generate_subspaces() */

/* May be more than there are; never 0. */
static size_t subspace_size(const struct learn_amount *size, size_t n)
{
    size_t root = (size_t)nearbyint(sqrt((double)n));
    size_t k;

    if (size->choice == SRP_SQRT)
        return root + 1;
    if (size->choice == SRP_RMSQRT)
        return n - root + 1;
    if (size->number > 1)
        return (size_t)size->number;
    k = (size_t)nearbyint((double)n * size->number);
    return k < 2 ? k + 1 : k;
}

/* The next k of n in the alphabet's order; after the last the first again. */
static void next_combination(size_t *at, size_t k, size_t n)
{
    size_t i = k;

    while (i > 0 && at[i - 1] == n - k + i - 1)
        i--;
    if (i > 0)
        at[i - 1]++;
    else
        at[0] = 0;
    for (i = i ? i : 1; i < k; i++)
        at[i] = at[i - 1] + 1;
}

/* n_models times k features. */
static size_t *make_subspaces(struct srp *srp, size_t k)
{
    size_t n_models = srp->params->n_models;
    size_t n = srp->base.n;
    size_t *all = mem_zalloc(n_models * k, sizeof(*all));

    for (size_t i = 0; i < n_models; i++) {
        size_t *one = all + i * k;

        if (n > FEW_FEATURES && k >= 2) {
            rng_sample(&srp->rng, n, k, one);
            continue;
        }
        for (size_t j = 0; j < k; j++)
            one[j] = i ? one[j - k] : j;
        if (i)
            next_combination(one, k, n);
    }
    return all;
}

static uint32_t *copy_features(const size_t *from, size_t k)
{
    uint32_t *features = mem_alloc(k * sizeof(*features));

    for (size_t i = 0; i < k; i++)
        features[i] = (uint32_t)from[i];
    return features;
}

static void make_members(struct srp *srp)
{
    size_t n_models = srp->params->n_models;
    size_t n = srp->base.n;
    size_t k = subspace_size(&srp->params->subspace_size, n);

    srp->resamples = srp->params->training_method != SRP_SUBSPACES;
    if (srp->params->training_method == SRP_RESAMPLING || k >= n) {
        srp->resamples = true;
        for (size_t i = 0; i < n_models; i++)
            srp_member_init(&srp->places[i].member, srp, NULL, n);
        return;
    }
    if (k == 1 && n > 2)
        k = 2;

    size_t *subspaces = make_subspaces(srp, k);
    size_t *order = mem_alloc(n_models * sizeof(*order));

    for (size_t i = 0; i < n_models; i++)
        order[i] = i;
    rng_shuffle(&srp->rng, order, n_models);
    for (size_t i = 0; i < n_models; i++)
        srp_member_init(&srp->places[i].member, srp, copy_features(subspaces + order[i] * k, k), k);
    free(order);
    free(subspaces);
}

/* Slots */

struct learner *srp_create(const struct component *component, size_t n)
{
    const struct srp_params *params = component->params;
    struct srp *srp = mem_zalloc(1, sizeof(*srp) + params->n_models * sizeof(srp->places[0]));

    srp->base.ops = component->class->learner;
    srp->base.n = n;
    srp->params = params;
    srp->is_classifier = component->class->kind == LEARN_CLASSIFIER;
    srp->share = SIZE_MAX;
    srp->max_bytes = SIZE_MAX;
    rng_seed(&srp->rng, params->seed == PARAM_NONE ? 0 : params->seed);
    make_members(srp);
    return &srp->base;
}

void srp_free(struct learner *lrn)
{
    struct srp *srp = (struct srp *)lrn;

    for (size_t i = 0; i < srp->params->n_models; i++) {
        srp_member_release(&srp->places[i].member);
        srp_member_release(&srp->places[i].next);
    }
    free(srp->kinds);
    free(srp);
}

void srp_set_kinds(struct learner *lrn, const enum feature_kind *kinds)
{
    struct srp *srp = (struct srp *)lrn;
    size_t size = lrn->n * sizeof(*kinds);

    srp->kinds = memcpy(mem_alloc(size), kinds, size);
    for (size_t i = 0; i < srp->params->n_models; i++)
        srp_member_tell_kinds(&srp->places[i].member, srp);
}

void srp_set_schema(struct learner *lrn, const struct schema *schema)
{
    struct srp *srp = (struct srp *)lrn;

    srp->schema = schema;
    for (size_t i = 0; i < srp->params->n_models; i++)
        srp_member_tell_schema(&srp->places[i].member, srp);
}

/* What does not grow. */
static size_t fixed_bytes(const struct srp *srp)
{
    return sizeof(*srp) + srp->params->n_models * sizeof(srp->places[0]) +
           (srp->kinds ? srp->base.n * sizeof(*srp->kinds) : 0);
}

size_t srp_bytes(const struct learner *lrn)
{
    const struct srp *srp = (const struct srp *)lrn;
    size_t bytes = fixed_bytes(srp);

    for (size_t i = 0; i < srp->params->n_models; i++)
        bytes += srp_member_bytes(&srp->places[i].member) + srp_member_bytes(&srp->places[i].next);
    return bytes;
}

static void keep_bound(struct srp *srp)
{
    for (size_t i = srp->params->n_models; i > 0 && srp_bytes(&srp->base) > srp->max_bytes; i--) {
        srp->n_dropped += srp->places[i - 1].next.lrn != NULL;
        srp_member_release(&srp->places[i - 1].next);
    }
    if (srp->params->disable_detector == SRP_DISABLE_DRIFT)
        return;
    for (size_t i = 0; i < srp->params->n_models && srp_bytes(&srp->base) > srp->max_bytes; i++) {
        srp->n_dropped++;
        srp_member_forget_detectors(&srp->places[i].member, srp);
    }
}

void srp_set_max_bytes(struct learner *lrn, size_t max)
{
    struct srp *srp = (struct srp *)lrn;
    size_t parts =
        srp->params->n_models * (srp->params->disable_detector == SRP_DISABLE_NONE ? 2 : 1);
    size_t each = srp->base.n * sizeof(uint32_t); /* at most: what says which features it has */
    size_t fixed = fixed_bytes(srp) + parts * each;

    srp->max_bytes = max;
    srp->share = max > fixed ? (max - fixed) / parts : 0;
    for (size_t i = 0; i < srp->params->n_models; i++) {
        srp_member_tell_share(&srp->places[i].member, srp);
        if (srp->places[i].next.lrn)
            srp_member_tell_share(&srp->places[i].next, srp);
    }
    keep_bound(srp);
}

void srp_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct srp *srp = (struct srp *)lrn;

    (void)weight;
    srp->n_learned++;
    for (size_t i = 0; i < srp->params->n_models; i++) {
        struct srp_member *m = &srp->places[i].member;
        double p = srp_member_predict(m, x);
        uint64_t times;

        if (srp->is_classifier)
            member_metric_update_label(&m->metric, y == 1, p);
        else
            member_metric_update(&m->metric, y, p);
        times = srp->resamples ? rng_poisson(&srp->rng, srp->params->lam) : 1;
        if (times)
            srp_place_learn(&srp->places[i], srp, x, y, times);
    }
    keep_bound(srp);
}

/* Bits of a place, in a byte: is there a successor; what the member has seen; what that has. */
static uint8_t flags_of(const struct srp_place *place)
{
    return (uint8_t)((place->next.lrn != NULL) | place->member.seen << 1 | place->next.seen << 3);
}

void srp_save(const struct learner *lrn, struct buf *out)
{
    const struct srp *srp = (const struct srp *)lrn;

    rng_save(&srp->rng, out);
    blob_write_u64(out, srp->n_learned);
    blob_write_u64(out, srp->n_dropped);
    blob_write_u64(out, srp->params->n_models);
    for (size_t i = 0; i < srp->params->n_models; i++) {
        const struct srp_place *place = &srp->places[i];

        blob_write_u64(out, place->n_warnings);
        blob_write_u64(out, place->n_drifts);
        blob_write_u8(out, flags_of(place));
        srp_member_save(&place->member, out);
        if (place->next.lrn)
            srp_member_save(&place->next, out);
    }
}

void srp_load(struct learner *lrn, struct blob_reader *in)
{
    struct srp *srp = (struct srp *)lrn;

    rng_load(&srp->rng, in);
    srp->n_learned = blob_read_u64(in);
    srp->n_dropped = blob_read_u64(in);
    if (blob_read_u64(in) != srp->params->n_models)
        blob_fail(in, "it has another number of members");
    for (size_t i = 0; i < srp->params->n_models && !blob_failed(in); i++) {
        struct srp_place *place = &srp->places[i];

        place->n_warnings = blob_read_u64(in);
        place->n_drifts = blob_read_u64(in);
        uint8_t flags = blob_read_u8(in);
        bool has_next = flags & 1;

        if ((has_next && srp->params->disable_detector != SRP_DISABLE_NONE) || flags > 31 ||
            (!has_next && flags > 7))
            blob_fail(in, "a member has a successor that nothing can have begun");
        srp_member_load(&place->member, srp, in);
        place->member.seen = flags >> 1 & 3;
        if (has_next)
            srp_member_load(&place->next, srp, in);
        place->next.seen = flags >> 3;
    }
}

static void write_features(const struct srp_member *m, const struct schema *schema, struct buf *out)
{
    buf_byte(out, '[');
    for (size_t i = 0; i < m->n_features; i++) {
        const char *name = schema_name(schema, m->features ? m->features[i] : i);

        if (i)
            buf_byte(out, ',');
        json_write_string(out, name, strlen(name));
    }
    buf_byte(out, ']');
}

/* The names of members are those of members_inspect(). */
void srp_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct srp *srp = (const struct srp *)lrn;
    size_t n = srp->params->n_models;
    uint64_t warnings = 0;
    uint64_t drifts = 0;
    size_t successors = 0;

    buf_printf(out, ",\"members\":%zu,\"member_bytes\":[", n);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%zu", i ? "," : "", srp_member_bytes(&srp->places[i].member));
    buf_text(out, "],\"member_features\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_byte(out, ',');
        write_features(&srp->places[i].member, schema, out);
        warnings += srp->places[i].n_warnings;
        drifts += srp->places[i].n_drifts;
        successors += srp->places[i].next.lrn != NULL;
    }
    buf_printf(out, "],\"successors\":%zu,\"warnings\":", successors);
    json_write_number(out, (double)warnings);
    buf_text(out, ",\"drifts\":");
    json_write_number(out, (double)drifts);
    buf_text(out, ",\"dropped\":");
    json_write_number(out, (double)srp->n_dropped);
}
