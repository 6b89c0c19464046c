/*
 * The adaptive random forests: see forest.h.
 *
 * A saved one is:
 *     .   the random generator
 *     4   features that a leaf looks at, 0: not known yet
 *     8   leaves that were deactivated in trees that are gone
 *     then each member:
 *     .   the tree
 *     1   1: the tree in the background, and behind it that
 *     .   the detectors of drift and of warning, those that there are
 *     .   the metric, and 16 labels that it missed
 *     24  weight, mean and squared differences of the errors
 *     16  drifts, warnings
 */
#include "learn/forest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/detector_backend.h"

const char *const forest_features[] = {[FOREST_SQRT] = "sqrt", [FOREST_LOG2] = "log2", NULL};

const struct learn_value forest_drift_defaults[] = {{"delta", 0.001}, {NULL, 0}};
const struct learn_value forest_warning_defaults[] = {{"delta", 0.01}, {NULL, 0}};

/* Trees */

static struct tree *new_tree(const struct forest *f)
{
    struct tree *tree = tree_new_drawing(f->component, &f->draw, f->base.n);

    if (f->kinds)
        tree_set_kinds(&tree->base, f->kinds);
    return tree;
}

static void free_tree(struct forest *f, struct tree *tree)
{
    if (!tree)
        return;
    f->n_deactivated += tree->n_deactivated;
    tree_free(&tree->base);
}

/* NULL for no_drift. */
static struct detector *new_detector(struct component *component)
{
    return component->class == &no_drift_class ? NULL : detector_borrow(component);
}

static void renew_detector(struct detector **d, struct component *component)
{
    detector_free(*d);
    *d = new_detector(component);
}

/* How many features a leaf looks at, when the first sample has n. */
static size_t count_features(const struct forest_params *params, size_t n)
{
    const struct learn_amount *amount = &params->max_features;
    double count = amount->number <= 1 ? floor(amount->number * (double)n) : amount->number;

    if (amount->choice == FOREST_SQRT)
        count = nearbyint(sqrt((double)n));
    if (amount->choice == FOREST_LOG2)
        count = nearbyint(log2((double)n));
    return count < 1 ? 1 : count > (double)n ? n : (size_t)count;
}

static void meet_features(struct forest *f, const double *x)
{
    size_t n = 0;

    for (size_t j = 0; j < f->base.n; j++)
        if (!isnan(x[j]))
            n++;
    if (n)
        f->draw.max_features = count_features(f->params, n);
}

/* Staying within memory */

#define DETECTOR_BYTES                                                                             \
    2048 /* that one may grow to: an ADWIN that saw no change in 100,000 samples */

static size_t bytes_of(const struct detector *d, size_t least)
{
    size_t bytes = d ? detector_bytes(d) : 0;

    return d && bytes < least ? least : bytes;
}

/* All but the trees; a detector counts as so many bytes at least. */
static size_t own_bytes(const struct forest *f, size_t least)
{
    size_t bytes = sizeof(*f) + f->n * sizeof(*f->members) + f->base.n * sizeof(*f->by_name);

    if (f->kinds)
        bytes += f->base.n * sizeof(*f->kinds);
    for (size_t i = 0; i < f->n; i++)
        bytes += bytes_of(f->members[i].drift, least) + bytes_of(f->members[i].warning, least);
    return bytes;
}

static size_t tree_bytes_of(const struct tree *tree)
{
    return tree ? tree->bytes : 0;
}

static size_t all_tree_bytes(const struct forest *f)
{
    size_t bytes = 0;

    for (size_t i = 0; i < f->n; i++)
        bytes += tree_bytes_of(f->members[i].tree) + tree_bytes_of(f->members[i].background);
    return bytes;
}

/* The largest tree that has leaves to deactivate; NULL when none has. */
static struct tree *largest_active(const struct forest *f)
{
    struct tree *largest = NULL;

    for (size_t i = 0; i < 2 * f->n; i++) {
        struct tree *tree = i % 2 ? f->members[i / 2].background : f->members[i / 2].tree;

        if (tree && tree->n_active && (!largest || tree->bytes > largest->bytes))
            largest = tree;
    }
    return largest;
}

/* Until the trees are within `room`, as far as they can be: returns what they take then. */
static size_t shrink(struct forest *f, size_t room)
{
    size_t bytes = all_tree_bytes(f);
    struct tree *tree;

    while (bytes > room && (tree = largest_active(f))) {
        bytes -= tree->bytes;
        tree_set_max_bytes(&tree->base, tree->bytes - 1); /* it frees an eighth */
        bytes += tree->bytes;
    }
    for (size_t i = f->n; bytes > room && i-- > 0;) {
        bytes -= tree_bytes_of(f->members[i].background);
        free_tree(f, f->members[i].background);
        f->members[i].background = NULL;
    }
    return bytes;
}

/*
 * Keeps the bound, and says how far each tree may grow with the next sample, so that all of them
 * together stay within it. By nothing but what is saved and the bound: it comes to the same after a
 * sample and after a load.
 */
static void keep_bound(struct forest *f)
{
    size_t own = own_bytes(f, DETECTOR_BYTES);
    size_t room = f->max_bytes > own ? (f->max_bytes - own) / 16 * 15 : 0;
    size_t n_trees = f->n;
    size_t bytes;
    size_t step;

    if (f->max_bytes == SIZE_MAX)
        return;
    bytes = shrink(f, room);
    for (size_t i = 0; i < f->n; i++)
        n_trees += f->members[i].background != NULL;
    step = ((room > bytes ? room - bytes : 0) + room / 32) / (n_trees ? n_trees : 1);
    for (size_t i = 0; i < f->n; i++) {
        struct forest_member *m = &f->members[i];

        tree_set_max_bytes(&m->tree->base, m->tree->bytes + step);
        if (m->background)
            tree_set_max_bytes(&m->background->base, m->background->bytes + step);
    }
}

/* Learning */

/* A tree begins to grow beside the member's. */
static void warn(struct forest *f, struct forest_member *m)
{
    free_tree(f, m->background);
    m->background = new_tree(f);
    renew_detector(&m->warning, f->params->warning_detector);
    m->n_warnings++;
}

/* The tree in the background takes the member's place, or a new one when there is none. */
static void replace(struct forest *f, struct forest_member *m)
{
    free_tree(f, m->tree);
    m->tree = m->background ? m->background : new_tree(f);
    if (m->background)
        renew_detector(&m->warning, f->params->warning_detector);
    m->background = NULL;
    renew_detector(&m->drift, f->params->drift_detector);
    m->metric = (struct member_metric){0};
    m->n_drifts++;
}

static void watch(struct forest *f, struct forest_member *m, double y, double answer)
{
    double error;

    if (!m->warning && !m->drift)
        return;
    error = f->kind->error(m, y, answer);
    if (m->warning && detector_update(m->warning, error, NULL))
        warn(f, m);
    if (m->drift && detector_update(m->drift, error, NULL))
        replace(f, m);
}

void forest_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct forest *f = (struct forest *)lrn;

    (void)weight;
    if (f->draw.max_features == 0)
        meet_features(f, x);
    for (size_t i = 0; i < f->n; i++) {
        struct forest_member *m = &f->members[i];
        double answer = f->kind->answer(m->tree, x);
        double k;

        f->kind->score(m, y, answer);
        k = (double)rng_poisson(&f->rng, f->params->lambda_value);
        if (k == 0)
            continue;
        if (m->background)
            tree_learn(&m->background->base, x, y, k);
        tree_learn(&m->tree->base, x, y, k);
        watch(f, m, y, answer);
    }
    keep_bound(f);
}

/* The learner */

struct learner *forest_new(const struct component *component, const struct forest_params *params,
                           const struct forest_kind *kind, size_t n)
{
    struct forest *f = mem_zalloc(1, sizeof(*f));

    f->base.ops = component->class->learner;
    f->base.n = n;
    f->kind = kind;
    f->component = component;
    f->params = params;
    f->max_bytes = SIZE_MAX;
    rng_seed(&f->rng, params->seed == PARAM_NONE ? 0 : params->seed);
    f->by_name = mem_zalloc(n, sizeof(*f->by_name));
    for (size_t j = 0; j < n; j++)
        f->by_name[j] = j;
    f->draw = (struct tree_draw){.rng = &f->rng, .by_name = f->by_name};
    f->n = (size_t)params->n_models;
    f->members = mem_zalloc(f->n, sizeof(*f->members));
    for (size_t i = 0; i < f->n; i++) {
        f->members[i].tree = new_tree(f);
        f->members[i].drift = new_detector(params->drift_detector);
        f->members[i].warning = new_detector(params->warning_detector);
    }
    return &f->base;
}

void forest_free(struct learner *lrn)
{
    struct forest *f = (struct forest *)lrn;

    for (size_t i = 0; i < f->n; i++) {
        free_tree(f, f->members[i].tree);
        free_tree(f, f->members[i].background);
        detector_free(f->members[i].drift);
        detector_free(f->members[i].warning);
    }
    free(f->members);
    free(f->by_name);
    free(f->kinds);
    free(f);
}

size_t forest_bytes(const struct learner *lrn)
{
    const struct forest *f = (const struct forest *)lrn;

    return own_bytes(f, 0) + all_tree_bytes(f);
}

void forest_set_max_bytes(struct learner *lrn, size_t max)
{
    struct forest *f = (struct forest *)lrn;

    f->max_bytes = max;
    keep_bound(f);
}

void forest_set_kinds(struct learner *lrn, const enum feature_kind *kinds)
{
    struct forest *f = (struct forest *)lrn;
    size_t size = lrn->n * sizeof(*kinds);

    f->kinds = memcpy(mem_alloc(size), kinds, size);
    for (size_t i = 0; i < f->n; i++)
        tree_set_kinds(&f->members[i].tree->base, kinds);
}

void forest_set_schema(struct learner *lrn, const struct schema *schema)
{
    schema_sort(schema, ((struct forest *)lrn)->by_name);
}

/* Saving */

static void save_member(const struct forest_member *m, struct buf *out)
{
    tree_save(&m->tree->base, out);
    blob_write_u8(out, m->background != NULL);
    if (m->background)
        tree_save(&m->background->base, out);
    if (m->drift)
        m->drift->ops->save(m->drift, out);
    if (m->warning)
        m->warning->ops->save(m->warning, out);
    member_metric_save(&m->metric, out);
    blob_write_f64(out, m->metric.missed[0]);
    blob_write_f64(out, m->metric.missed[1]);
    blob_write_f64(out, m->errors.mean.n);
    blob_write_f64(out, m->errors.mean.mean);
    blob_write_f64(out, m->errors.s);
    blob_write_u64(out, m->n_drifts);
    blob_write_u64(out, m->n_warnings);
}

static void load_member(struct forest *f, struct forest_member *m, struct blob_reader *in)
{
    uint8_t has_background;

    tree_set_max_bytes(&m->tree->base, f->max_bytes);
    tree_load(&m->tree->base, in);
    has_background = blob_read_u8(in);
    if (has_background > 1 || (has_background && !m->warning))
        blob_fail(in, "a tree in the background is neither there nor not");
    if (blob_failed(in))
        return;
    if (has_background) {
        m->background = new_tree(f);
        tree_set_max_bytes(&m->background->base, f->max_bytes);
        tree_load(&m->background->base, in);
    }
    if (m->drift)
        m->drift->ops->load(m->drift, in);
    if (m->warning)
        m->warning->ops->load(m->warning, in);
    member_metric_load(&m->metric, in);
    m->metric.missed[0] = blob_read_f64(in);
    m->metric.missed[1] = blob_read_f64(in);
    if (!(m->metric.missed[0] >= 0 && m->metric.missed[1] >= 0))
        blob_fail(in, "a tree missed fewer than no labels");
    m->errors.mean.n = blob_read_f64(in);
    m->errors.mean.mean = blob_read_f64(in);
    m->errors.s = blob_read_f64(in);
    m->n_drifts = blob_read_u64(in);
    m->n_warnings = blob_read_u64(in);
}

void forest_save(const struct learner *lrn, struct buf *out)
{
    const struct forest *f = (const struct forest *)lrn;

    rng_save(&f->rng, out);
    blob_write_u32(out, (uint32_t)f->draw.max_features);
    blob_write_u64(out, f->n_deactivated);
    for (size_t i = 0; i < f->n; i++)
        save_member(&f->members[i], out);
}

void forest_load(struct learner *lrn, struct blob_reader *in)
{
    struct forest *f = (struct forest *)lrn;

    rng_load(&f->rng, in);
    f->draw.max_features = blob_read_u32(in);
    f->n_deactivated = blob_read_u64(in);
    if (f->draw.max_features > lrn->n)
        blob_fail(in, "a leaf looks at more features than there are");
    for (size_t i = 0; i < f->n && !blob_failed(in); i++) {
        load_member(f, &f->members[i], in);
        if (forest_bytes(lrn) / 2 > f->max_bytes)
            blob_fail(in, "the trees need more memory than they may have");
    }
    if (!blob_failed(in))
        keep_bound(f);
}

/* Showing */

struct counts {
    uint64_t leaves;
    uint64_t inactive;
    uint64_t deactivated; /* ever */
};

static void count_leaves(const struct tree *tree, struct counts *counts)
{
    if (!tree)
        return;
    counts->leaves += tree->n_leaves;
    counts->inactive += tree->n_leaves - tree->n_active;
    counts->deactivated += tree->n_deactivated;
}

void forest_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out)
{
    const struct forest *f = (const struct forest *)lrn;
    struct counts counts = {.deactivated = f->n_deactivated};
    uint64_t n_background = 0;
    uint64_t n_drifts = 0;
    uint64_t n_warnings = 0;

    (void)schema;
    for (size_t i = 0; i < f->n; i++) {
        const struct forest_member *m = &f->members[i];

        count_leaves(m->tree, &counts);
        count_leaves(m->background, &counts);
        n_background += m->background != NULL;
        n_drifts += m->n_drifts;
        n_warnings += m->n_warnings;
    }
    buf_printf(out, ",\"trees\":%zu,\"background_trees\":%llu,\"warnings\":%llu,\"drifts\":%llu,",
               f->n, (unsigned long long)n_background, (unsigned long long)n_warnings,
               (unsigned long long)n_drifts);
    buf_printf(out, "\"leaves\":%llu,\"inactive_leaves\":%llu,\"deactivated_leaves\":%llu",
               (unsigned long long)counts.leaves, (unsigned long long)counts.inactive,
               (unsigned long long)counts.deactivated);
}
