/*
 * The adaptive Hoeffding trees (Bifet and Gavaldà 2009: "Adaptive learning from
 * evolving data streams"), in the order of operations of River's
 * HoeffdingAdaptiveTreeRegressor and HoeffdingAdaptiveTreeClassifier.
 *
 * Each branch watches the error of the leaf below it. When it has changed, and
 * for the worse, the branch begins an alternate, a leaf that learns beside it and
 * whose answer is averaged with the tree's. The alternate takes the branch's place
 *   - when its error is smaller, by a z-test at switch_significance, once both have
 *     been measured over more than drift_window_threshold samples (when it is
 *     larger, the alternate is dropped);
 *   - when it splits. That is River's doing, and not in the paper: a leaf that
 *     splits puts the branch where its parent points to, which here is the old
 *     branch. So an alternate is always a leaf.
 * A branch that lost its place still learns the sample that was under way, as in
 * River: its leaf draws from the random generator. It is freed then.
 *
 * With bootstrap_sampling a sample counts k times in a leaf, k being drawn from a
 * Poisson distribution of mean 1; as in River, 0 counts once.
 *
 * River has detectors and error counts in each leaf. Only those of an alternate
 * are ever looked at in a regressor, so only those are kept there.
 *
 * A classifier's error is 0 or 1, its test a bound on the difference of two error
 * rates, and the answers of leaf and alternates are not averaged, but weighted by
 * 1 / error². A drift replaces an alternate that is there already.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/classes.h"
#include "learn/detector_backend.h"
#include "learn/tree_internal.h"

/* What a branch, or an alternate, has */

struct adapt *adapt_new(struct tree *tree)
{
    struct adapt *adapt = mem_zalloc(1, sizeof(*adapt));

    adapt->detector = detector_borrow(tree->adapt->drift_detector);
    tree->bytes += sizeof(*adapt) + detector_bytes(adapt->detector);
    return adapt;
}

void adapt_free(struct tree *tree, struct adapt *adapt)
{
    if (!adapt)
        return;
    if (adapt->alternate)
        leaf_free(tree, adapt->alternate);
    tree->bytes -= sizeof(*adapt) + detector_bytes(adapt->detector);
    detector_free(adapt->detector);
    free(adapt);
}

struct leaf *adapt_alternate_new(struct tree *tree, uint32_t depth)
{
    struct leaf *leaf = leaf_new(tree, NULL, NULL);

    leaf->depth = depth;
    if (!leaf->adapt)
        leaf->adapt = adapt_new(tree);
    return leaf;
}

static void drop_alternate(struct tree *tree, struct adapt *adapt)
{
    if (!adapt->alternate)
        return;
    leaf_free(tree, adapt->alternate);
    adapt->alternate = NULL;
    tree->n_pruned++;
}

/* Has the error changed, and not for the better? */
static bool watch(struct tree *tree, struct adapt *adapt, double error)
{
    double before = adapt->error.mean.mean;
    bool changed;

    if (!isfinite(error))
        return false;
    tree->bytes -= detector_bytes(adapt->detector);
    changed = detector_update(adapt->detector, error, NULL);
    tree->bytes += detector_bytes(adapt->detector);
    stat_var_update(&adapt->error, error, 1);
    if (changed && adapt->error.mean.mean < before) {
        adapt->error = (struct stat_var){0};
        return false;
    }
    return changed;
}

/* Staying within memory */

/* Calls `shed` for what each node keeps, from the root on, until so much memory is free again. */
static void shed_each(struct tree *tree, void (*shed)(struct tree *tree, struct adapt **adapt))
{
    tree->walk.n = 0;
    walk_push(&tree->walk, 0);
    while (tree->walk.n && tree->bytes > tree->max_bytes / 8 * 7) {
        struct tree_node *node = &tree->nodes[walk_pop(&tree->walk)];

        if (node->leaf && node->leaf->adapt)
            shed(tree, &node->leaf->adapt);
        if (node->adapt)
            shed(tree, &node->adapt);
        walk_push_children(&tree->walk, node);
    }
}

static void shed_alternate(struct tree *tree, struct adapt **adapt)
{
    drop_alternate(tree, *adapt);
}

static void shed_window(struct tree *tree, struct adapt **adapt)
{
    struct adapt *fresh = adapt_new(tree);

    fresh->alternate = (*adapt)->alternate;
    fresh->error = (*adapt)->error;
    (*adapt)->alternate = NULL;
    adapt_free(tree, *adapt);
    *adapt = fresh;
}

void adapt_shed(struct tree *tree)
{
    shed_each(tree, shed_alternate);
    shed_each(tree, shed_window);
}

/* Learning */

/* The sample, and where it is on its way down. */
struct visit {
    const double *x;
    double y;
    double weight;
    uint32_t at; /* the place in the tree: what a leaf's split goes to */
    uint32_t depth;
};

/* Moves the branch at visit->at away, to be freed after the sample; returns where it is now. */
static uint32_t cut_off(struct tree *tree, const struct visit *visit)
{
    uint32_t to = tree_add_node(tree);

    tree->nodes[to] = tree->nodes[visit->at];
    tree->nodes[visit->at] = (struct tree_node){0};
    walk_push(&tree->cut_off, to);
    return to;
}

static double leaf_error(const struct tree *tree, const struct leaf *leaf, const double *x,
                         double y)
{
    if (tree->classes)
        return votes_guess(tree, leaf, x) == (y > 0.5) ? 0 : 1;
    return fabs(y - leaf_predict(tree, leaf, x));
}

/* Shows the sample to a leaf; true when it is to be split, as *ret says. */
static bool teach(struct tree *tree, struct leaf *leaf, const struct visit *visit,
                  struct split *ret)
{
    double weight = visit->weight;

    if (tree->adapt->bootstrap_sampling) {
        uint64_t k = rng_poisson(tree->rng, 1);

        weight *= k > 0 ? (double)k : 1;
    }
    if (leaf->adapt)
        watch(tree, leaf->adapt, leaf_error(tree, leaf, visit->x, visit->y));
    leaf_learn(tree, leaf, visit->x, visit->y, weight);
    if (leaf->stats.mean.n - leaf->last_attempt < (double)tree->params->grace_period)
        return false;
    if (leaf->depth >= tree->max_depth) {
        if (leaf->active)
            leaf_deactivate(tree, leaf);
        return false;
    }
    return leaf->active && leaf_wants_split(tree, leaf, ret);
}

/* Drops the alternates in the tree below a branch. */
static void drop_alternates_below(struct tree *tree, uint32_t branch)
{
    tree->walk.n = 0;
    walk_push(&tree->walk, branch);
    while (tree->walk.n) {
        uint32_t at = walk_pop(&tree->walk);
        struct tree_node *node = &tree->nodes[at];

        if (node->leaf)
            continue;
        if (at != branch)
            drop_alternate(tree, node->adapt);
        walk_push_children(&tree->walk, node);
    }
}

/* Two-sided, of the difference of two mean errors; NaN when neither differs nor varies. */
static double p_value(const struct stat_var *a, const struct stat_var *b)
{
    double spread = sqrt(stat_var_get(a) / a->mean.n + stat_var_get(b) / b->mean.n);
    double z = (a->mean.mean - b->mean.mean) / spread;

    return 2 * (0.5 * (1 + erf(-fabs(z) / sqrt(2.0))));
}

enum verdict { VERDICT_OPEN, VERDICT_SWITCH, VERDICT_DROP };

/* Which is better, the alternate or the branch? */
static enum verdict judge(const struct tree *tree, const struct stat_var *alternate,
                          const struct stat_var *branch)
{
    double significance = tree->adapt->switch_significance;
    double rate = branch->mean.mean;
    double gain = rate - alternate->mean.mean;

    if (tree->classes) {
        double n = 1 / alternate->mean.n + 1 / branch->mean.n;
        double bound = sqrt(2.0 * rate * (1.0 - rate) * log(2.0 / significance) * n);

        return bound < gain ? VERDICT_SWITCH : bound < -gain ? VERDICT_DROP : VERDICT_OPEN;
    }
    if (!(p_value(alternate, branch) <= significance))
        return VERDICT_OPEN;
    return alternate->mean.mean < rate ? VERDICT_SWITCH : VERDICT_DROP;
}

/*
 * Looks whether the alternate of the branch at visit->at shall take its place, or
 * be dropped. Returns where the branch is after that. At the root, as in River, an
 * alternate that took its place learns this sample: *ret_taken is that leaf.
 */
static uint32_t compare(struct tree *tree, const struct visit *visit, struct leaf **ret_taken)
{
    struct adapt *adapt = tree->nodes[visit->at].adapt;
    struct leaf *alternate = adapt->alternate;
    double least = (double)tree->adapt->drift_window_threshold;
    enum verdict verdict;
    uint32_t branch;

    if (!(alternate->adapt->error.mean.n > least && adapt->error.mean.n > least))
        return visit->at;
    verdict = judge(tree, &alternate->adapt->error, &adapt->error);
    if (verdict == VERDICT_DROP)
        drop_alternate(tree, adapt);
    if (verdict != VERDICT_SWITCH)
        return visit->at;

    drop_alternates_below(tree, visit->at);
    adapt->alternate = NULL;
    branch = cut_off(tree, visit);
    tree->nodes[visit->at].leaf = alternate;
    tree->n_switched++;
    if (!tree->classes) {
        adapt_free(tree, alternate->adapt);
        alternate->adapt = NULL;
    }
    if (visit->depth == 0)
        *ret_taken = alternate;
    return branch;
}

/*
 * Shows the sample to the branch at visit->at and to its alternate; returns where the branch is
 * after that, which is elsewhere when it has lost its place.
 */
static uint32_t visit_branch(struct tree *tree, const struct visit *visit, double error)
{
    struct adapt *adapt = tree->nodes[visit->at].adapt;
    bool changed = watch(tree, adapt, error);
    uint32_t branch = visit->at;
    struct leaf *learns = NULL;
    struct split split;

    if (changed && (tree->classes || !adapt->alternate) && tree_has_room(tree, 1)) {
        adapt->error = (struct stat_var){0};
        if (adapt->alternate)
            leaf_free(tree, adapt->alternate);
        adapt->alternate = adapt_alternate_new(tree, visit->depth);
        tree->n_alternates++;
    } else if (adapt->alternate) {
        branch = compare(tree, visit, &learns);
    }
    if (adapt->alternate)
        learns = adapt->alternate;
    if (!learns || !teach(tree, learns, visit, &split))
        return branch;

    if (branch == visit->at) {
        adapt->alternate = NULL;
        branch = cut_off(tree, visit);
        tree->n_outgrown++;
    }
    tree_split(tree, visit->at, learns, &split);
    return branch;
}

/* The error of the leaf for x: what each branch on the way there watches. */
static double error_of(const struct tree *tree, const double *x, double y)
{
    uint32_t at = 0;
    bool missing;

    while (!tree->nodes[at].leaf)
        at = tree_child(tree, at, x, &missing);
    return leaf_error(tree, tree->nodes[at].leaf, x, y);
}

static void adapt_learn(struct learner *lrn, const double *x, double y, double weight)
{
    struct tree *tree = (struct tree *)lrn;
    struct visit visit = {.x = x, .y = y, .weight = weight};
    double error = error_of(tree, x, y);
    struct split split;
    bool missing;

    while (!tree->nodes[visit.at].leaf) {
        uint32_t branch = visit_branch(tree, &visit, error);

        visit.depth++;
        if (!tree_meets_category(tree, branch, x, visit.depth, &visit.at))
            visit.at = tree_child(tree, branch, x, &missing);
    }
    if (teach(tree, tree->nodes[visit.at].leaf, &visit, &split))
        tree_split(tree, visit.at, tree->nodes[visit.at].leaf, &split);

    tree->walk.n = 0;
    while (tree->cut_off.n)
        tree_drop(tree, walk_pop(&tree->cut_off));
    tree_keep_bound(tree);
}

/* Adds up what leaves say: the number and the sum, or of a classifier what they say for each class.
 */
static void add_answer(const struct tree *tree, const struct leaf *leaf, const double *x,
                       double *sums)
{
    double v[2] = {1, 0};

    if (tree->classes)
        votes_of(tree, leaf, x, v);
    else
        v[1] = leaf_predict(tree, leaf, x);
    sums[0] += v[0];
    sums[1] += v[1];
}

/*
 * The mean of all leaves that x comes to. As in River, a branch that was come to
 * because the feature that was asked for is missing counts its alternate twice.
 */
static double adapt_predict(const struct learner *lrn, const double *x)
{
    const struct tree *tree = (const struct tree *)lrn;
    double sums[2] = {0, 0};
    uint32_t at = 0;
    bool twice = false;

    while (!tree->nodes[at].leaf) {
        const struct leaf *alternate = tree->nodes[at].adapt->alternate;

        if (alternate)
            add_answer(tree, alternate, x, sums);
        if (alternate && twice)
            add_answer(tree, alternate, x, sums);
        twice = false;
        at = tree_child(tree, at, x, &twice);
    }
    if (tree->classes && at == 0)
        return votes_predict(tree, tree->nodes[at].leaf, x);
    add_answer(tree, tree->nodes[at].leaf, x, sums);
    if (!tree->classes)
        return sums[1] / sums[0];
    if (isnan(sums[0] + sums[1]) || isinf(sums[0] + sums[1]))
        return tree->nodes[at].leaf->stats.mean.mean;
    return sums[0] + sums[1] == 0 ? sums[1] : fmin(1, sums[1] * (1 / (sums[0] + sums[1])));
}

static struct learner *create(const struct component *component, const struct adapt_params *params,
                              size_t n)
{
    struct tree *tree = tree_new(component, params, n);

    tree->rng = mem_zalloc(1, sizeof(*tree->rng));
    tree->bytes += sizeof(*tree->rng);
    rng_seed(tree->rng, params->seed == PARAM_NONE ? 0 : params->seed);
    return &tree->base;
}

static struct learner *adapt_create(const struct component *component, size_t n)
{
    if (component->class->kind == LEARN_CLASSIFIER)
        return create(component,
                      &((const struct adaptive_classifier_params *)component->params)->adapt, n);
    return create(component, &((const struct adaptive_regressor_params *)component->params)->adapt,
                  n);
}

static const struct learner_ops ops = {
    .create = adapt_create,
    .free = tree_free,
    .clone = NULL,
    .learn = adapt_learn,
    .predict = adapt_predict,
    .save = tree_save,
    .load = tree_load,
    .bytes = tree_bytes,
    .set_max_bytes = tree_set_max_bytes,
    .inspect = tree_inspect,
    .explain = tree_explain,
    .set_kinds = tree_set_kinds,
};

#define ADAPT_PARAM(of, field) .name = #field, .offset = offsetof(struct of, adapt.field)
#define ADAPT_PARAMS(of)                                                                           \
    {ADAPT_PARAM(of, bootstrap_sampling), .type = PARAM_FLAG, .fallback = 1,                       \
     .help = "Each leaf counts a sample a random number of times, about once on average."},        \
        {ADAPT_PARAM(of, drift_window_threshold), .type = PARAM_COUNT, .fallback = 300,            \
         .max = 1e9,                                                                               \
         .help = "Samples that a branch and its alternate are measured over before they are "      \
                 "compared."},                                                                     \
        {ADAPT_PARAM(of, drift_detector), .type = PARAM_CLASS, .kind = LEARN_DETECTOR,             \
         .fallback_class = "adwin", .help = "What watches the error of each branch."},             \
        {ADAPT_PARAM(of, switch_significance), .type = PARAM_REAL, .fallback = 0.05, .max = 1,     \
         .help = "Significance at which the errors of a branch and its alternate differ."},        \
    {                                                                                              \
        ADAPT_PARAM(of, seed),                                                                     \
            .type = PARAM_COUNT, .optional = true, .max = 9007199254740992.0,                      \
            .help =                                                                                \
                "Of the random numbers, which are Python's; null is 0: a model is made the same "  \
                "twice."                                                                           \
    }

static const struct learn_param params[] = {TREE_PARAMS, ADAPT_PARAMS(adaptive_regressor_params)};

const struct learn_class hoeffding_adaptive_tree_regressor_class = {
    .name = "hoeffding_adaptive_tree_regressor",
    .river = "tree.HoeffdingAdaptiveTreeRegressor",
    .help = "A Hoeffding tree that replaces the branches whose error has grown.",
    .kind = LEARN_REGRESSOR,
    .params = params,
    .n_params = sizeof(params) / sizeof(params[0]),
    .params_size = sizeof(struct adaptive_regressor_params),
    .check = tree_check_regressor,
    .learner = &ops,
};

static const struct learn_param class_params[] = {CLASS_PARAMS,
                                                  ADAPT_PARAMS(adaptive_classifier_params)};

const struct learn_class hoeffding_adaptive_tree_classifier_class = {
    .name = "hoeffding_adaptive_tree_classifier",
    .river = "tree.HoeffdingAdaptiveTreeClassifier",
    .help = "A Hoeffding tree with naive Bayes that replaces the branches whose error has grown.",
    .kind = LEARN_CLASSIFIER,
    .params = class_params,
    .n_params = sizeof(class_params) / sizeof(class_params[0]),
    .params_size = sizeof(struct adaptive_classifier_params),
    .check = tree_check_classifier,
    .learner = &ops,
};
