/*
 * The trees, as their files share them:
 *
 *     tree.c           the learner: growing, predicting, staying within memory
 *     tree_leaf.c      what a leaf has, learns and answers
 *     tree_adapt.c     the adaptive tree: drift detectors and alternates on top of that
 *     tree_observer.c  what a leaf remembers of each feature, and its best split
 *     tree_slots.c     the same in slots of equal width
 *     tree_nominal.c   the same for categories; branches with a child for each of them
 *     tree_class.c     the classifier: votes in the leaves, naive Bayes
 *     tree_merit.c     the classifier: the best split on a feature
 *     tree_choice.c    which split of a leaf is made, if any
 *     tree_blob.c      saving, loading
 *     tree_inspect.c   showing
 *     tree_explain.c   why it answers what it does
 *
 * Layout: nodes of the tree are in one array, the root first, and know their
 * children by index. An active leaf keeps a binary search tree a feature (an
 * observer); the nodes of all its observers are in one array of its own, again
 * linked by index, so that learning seldom allocates and dropping a leaf's
 * observers is one free().
 */
#ifndef OXBOW_LEARN_TREE_INTERNAL_H
#define OXBOW_LEARN_TREE_INTERNAL_H

#include <stdint.h>

#include "learn/detector.h"
#include "learn/learner.h"
#include "learn/rng.h"
#include "learn/stat.h"
#include "learn/tree_params.h"

#define TREE_NONE UINT32_MAX /* no node */

/* Weights of the classes, as River's dict of them: a class may be there and weigh nothing. */
struct dist {
    double w[2];
    bool has[2];
    uint8_t first; /* the class that came first, when both are there: sums and ties go by it */
};

/* The values of a numeric feature that came with one class. */
struct gauss {
    struct stat_var var;
    double min;
    double max;
    bool seen;
    bool second; /* the other class was there before */
};

/* What a leaf of a classifier has. leaf->stats is the share of class 1, and follows from this. */
struct votes {
    struct dist dist;
    double mc_correct;   /* weight that the majority was right about; VOTES_ADAPTIVE */
    double nb_correct;   /* and naive Bayes */
    struct gauss *gauss; /* leaf_slots() by 2: of each class; NULL before the first sample */
};

/* One distinct (rounded) value of a feature, in a binary search tree by value. */
struct obs_node {
    double key;
    union {
        struct stat_var var; /* labels of the samples that went here or to the left */
        double
            weight[3]; /* of a classifier's category: of each class; then 1, 2, 3: who is there */
    };
    uint32_t left; /* or TREE_NONE; the next free node, while this one is free */
    uint32_t right;
};

/* What an active leaf remembers. All zero: nothing yet. */
struct observers {
    struct obs_node *nodes;
    uint32_t used; /* nodes of the array that were ever taken */
    uint32_t cap;
    uint32_t live;  /* taken and not free */
    uint32_t free;  /* first free node, when live < used */
    uint32_t *root; /* n + n: the root for each feature, then `order`; NULL until one is seen */
    uint32_t n_order;
    bool in_slots; /* OBSERVED_SLOTS: it has means */
    double *means; /* for each node of a number the mean of its values */
    uint32_t means_cap;
};

struct leaf;

/* What the adaptive tree keeps of a branch, and of an alternate. */
struct adapt {
    struct detector *detector; /* of the absolute error */
    struct stat_var error;     /* absolute errors since the last drift */
    struct leaf *alternate;    /* of a branch: what may take its place, or NULL */
};

struct leaf {
    struct stat_var stats; /* of the labels */
    double last_attempt;   /* weight seen when a split was last tried */
    double fmse_mean;      /* faded squared error of the mean; LEAF_ADAPTIVE */
    double fmse_model;     /* and of the model */
    struct learner *model; /* NULL for LEAF_MEAN */
    struct votes *votes;   /* of a classifier, else NULL */
    uint32_t depth;        /* 0 for the root */
    bool active;           /* it observes and may split */
    uint32_t n_drawn;      /* of a tree that draws: the features that it looks at, in this order */
    uint32_t *drawn;       /* NULL until there was a feature to draw */
    bool *disabled;        /* for each feature: is it observed no more? NULL: none is */
    struct adapt *adapt; /* of an alternate, and in the adaptive classifier of each leaf; or NULL */
    struct observers obs;
};

enum branch_kind {
    BRANCH_NUMBER, /* left when x[feature] <= value */
    BRANCH_EQUAL,  /* left when x[feature] == value, a category */
    BRANCH_EACH,   /* a child for each category that was there */
};

/* The children of a BRANCH_EACH, in the order in which they came. */
struct fan {
    uint32_t n;
    uint32_t cap;
    struct {
        double value;
        uint32_t child;
    } arm[];
};

struct tree_node {
    struct leaf *leaf;   /* NULL: a branch */
    struct adapt *adapt; /* of a branch of the adaptive tree, else NULL */
    struct fan *fan;     /* of a BRANCH_EACH, else NULL */
    double value;        /* what a branch asks for */
    uint32_t feature;
    uint32_t left; /* the next free node, while this one is free */
    uint32_t right;
    enum branch_kind kind;
};

/*
 * What the trees of a forest share: each leaf looks at some features only, drawn when it learns
 * for the first time among those that are there, as in River's BaseRandomLeaf.
 */
struct tree_draw {
    struct rng *rng;
    const size_t *by_name; /* all features, in the order in which River draws among them */
    size_t max_features;   /* that a leaf looks at */
};

/* A stack of 32-bit words for walks that may be as deep as there are nodes. */
struct walk {
    uint32_t *at;
    size_t n;
    size_t cap;
};

/* How a leaf keeps the values of a feature: rounded, as they are, or in slots of equal width. */
enum observed { OBSERVED_ROUNDED, OBSERVED_EXACT, OBSERVED_SLOTS };

struct tree {
    struct learner base;
    const struct tree_params *params; /* the component's */
    uint64_t max_depth;
    enum observed observed;  /* of a regressor */
    unsigned digits;         /* of OBSERVED_ROUNDED */
    double radius;           /* of OBSERVED_SLOTS */
    bool *nominal;           /* for each feature: is it a category? NULL: none is */
    struct tree_node *nodes; /* [0] is the root; never empty */
    uint32_t n_nodes;        /* of the array that were ever taken */
    uint32_t cap;
    uint32_t free; /* first free node, or TREE_NONE */
    uint32_t n_leaves;
    uint32_t n_active;
    uint64_t n_deactivated; /* leaves that were stopped for want of memory, ever */
    size_t bytes;           /* by content, not by what is allocated */
    size_t max_bytes;
    struct walk walk; /* scratch */

    const struct class_params *classes; /* NULL: it is no classifier */
    const struct tree_draw *draw;       /* NULL: its leaves look at every feature */

    /* Of the adaptive tree only. */
    const struct adapt_params *adapt; /* NULL: it is not one */
    struct rng *rng;
    struct walk cut_off;   /* branches that this sample cut off, to be freed after it */
    uint64_t n_alternates; /* begun, ever */
    uint64_t n_switched;   /* that took their branch's place, the test being passed */
    uint64_t n_outgrown;   /* that took it by splitting */
    uint64_t n_pruned;     /* that were dropped */
};

/* A possible split of a leaf. */
struct split {
    double merit;     /* reduction of variance; -INFINITY for none */
    uint32_t feature; /* TREE_NONE for none */
    enum branch_kind kind;
    double value;
    struct stat_var left; /* labels of the samples on each side; not of a BRANCH_EACH */
    struct stat_var right;
    struct dist left_votes; /* the same of a classifier */
    struct dist right_votes;
};

/* tree.c */

/* `adapt` NULL: not an adaptive one. */
struct tree *tree_new(const struct component *component, const struct adapt_params *adapt,
                      size_t n);

/*
 * A tree of a forest, whose component has the parameters of a tree first; `draw` outlives it, and
 * may be filled in until it learns.
 */
struct tree *tree_new_drawing(const struct component *component, const struct tree_draw *draw,
                              size_t n);

extern const struct learner_ops tree_ops; /* of the trees that are not adaptive */

/* Slots of that name. */
struct learner *tree_create(const struct component *component, size_t n);
void tree_free(struct learner *lrn);
void tree_learn(struct learner *lrn, const double *x, double y, double weight);
double tree_predict(const struct learner *lrn, const double *x);
size_t tree_bytes(const struct learner *lrn);
void tree_set_max_bytes(struct learner *lrn, size_t max);
void tree_set_kinds(struct learner *lrn, const enum feature_kind *kinds);

void tree_keep_bound(struct tree *tree); /* at the end of each learn */

/* Is there room for so many leaves more? If not, drifts and new categories go by. */
bool tree_has_room(const struct tree *tree, size_t leaves);

/* Makes the node a branch of two new leaves, and frees `parent`, which they inherit from. */
void tree_split(struct tree *tree, uint32_t at, struct leaf *parent, const struct split *split);

const struct leaf *tree_leaf(const struct tree *tree, const double *x); /* that x comes to */

uint32_t tree_add_node(struct tree *tree);      /* the index of a new, zeroed node */
void tree_drop(struct tree *tree, uint32_t at); /* frees the node and all below it */

/*
 * The child of the branch `at` for x; when the feature is missing, or a category without a child,
 * the more travelled one, and *missing becomes true.
 */
uint32_t tree_child(const struct tree *tree, uint32_t at, const double *x, bool *missing);

static inline bool tree_is_nominal(const struct tree *tree, size_t j)
{
    return tree->nominal && tree->nominal[j];
}

/* Do the nodes of the feature's observer have obs->means? */
static inline bool tree_has_means(const struct tree *tree, size_t j)
{
    return tree->observed == OBSERVED_SLOTS && !tree_is_nominal(tree, j);
}

static inline uint32_t tree_children(const struct tree_node *node)
{
    return node->leaf ? 0 : node->fan ? node->fan->n : 2;
}

static inline uint32_t tree_child_at(const struct tree_node *node, uint32_t i)
{
    return node->fan ? node->fan->arm[i].child : i ? node->right : node->left;
}

/* tree_choice.c */

/* Is there a split to be made of this leaf now? Notes that it was asked. */
bool leaf_wants_split(struct tree *tree, struct leaf *leaf, struct split *ret);

/* tree_leaf.c */

/* `stats` NULL: none yet; `parent` is the leaf that it inherits from, or NULL. */
struct leaf *leaf_new(struct tree *tree, const struct stat_var *stats, const struct leaf *parent);
void leaf_free(struct tree *tree, struct leaf *leaf);
void leaf_deactivate(struct tree *tree, struct leaf *leaf);
void leaf_forget(struct tree *tree, struct leaf *leaf);              /* what it has observed */
void leaf_disable(struct tree *tree, struct leaf *leaf, uint32_t j); /* observes it no more */
void leaf_learn(struct tree *tree, struct leaf *leaf, const double *x, double y, double w);
double leaf_predict(const struct tree *tree, const struct leaf *leaf, const double *x);

/* The sample as a leaf's model sees it: without categories. `buffer` has room for the features. */
const double *tree_mask(const struct tree *tree, const double *x, double *buffer);
bool leaf_answers_mean(const struct leaf *leaf); /* and not with its model */

/* How many features the leaf looks at, the i-th being leaf_feature(); draws them if it has to. */
uint32_t leaf_features(struct tree *tree, struct leaf *leaf, const double *x);

static inline uint32_t leaf_feature(const struct leaf *leaf, uint32_t i)
{
    return leaf->drawn ? leaf->drawn[i] : i;
}

/* How many features the leaf has room for: all, or those that were drawn for it. */
static inline size_t leaf_slots(const struct tree *tree, const struct leaf *leaf)
{
    return leaf->drawn ? leaf->n_drawn : tree->base.n;
}

/* Which of them feature `j` is; leaf_slots() for one that was not drawn. */
static inline size_t leaf_slot(const struct leaf *leaf, uint32_t j)
{
    size_t i = 0;

    if (!leaf->drawn)
        return j;
    while (i < leaf->n_drawn && leaf->drawn[i] != j)
        i++;
    return i;
}

/* tree_class.c */

struct votes *votes_new(void);
size_t votes_bytes(const struct tree *tree, const struct leaf *leaf); /* 0 without votes */
void votes_forget(struct votes *votes); /* what was observed; NULL is fine */
void votes_start(const struct tree *tree, struct leaf *leaf);
void votes_set(struct leaf *leaf, const struct dist *dist); /* what a new leaf begins with */
void votes_learn(struct tree *tree, struct leaf *leaf, const double *x, double y, double w);
double votes_predict(const struct tree *tree, const struct leaf *leaf, const double *x);

/*
 * What the leaf says for each class; in an adaptive tree divided by its squared error, so that of
 * several leaves the better one counts more.
 */
void votes_of(const struct tree *tree, const struct leaf *leaf, const double *x, double *ret);

/*
 * What a tree that does not adapt says for each class, and the label by that as River's
 * predict_one(): 0, 1, or -1 when it has seen nothing.
 */
int tree_vote(const struct tree *tree, const double *x, double *ret);

/* The class that it says; -1 when it has seen nothing. */
int votes_guess(const struct tree *tree, const struct leaf *leaf, const double *x);

static inline double dist_sum(const struct dist *dist)
{
    return dist->w[0] + dist->w[1];
}

void dist_add(struct dist *dist, int class, double w);

/* tree_merit.c */

/* The best split on feature `j`. */
void votes_best_split(const struct tree *tree, const struct leaf *leaf, uint32_t j,
                      struct split *ret);
bool votes_are_pure(const struct leaf *leaf); /* of one class */
double votes_share(const struct leaf *leaf);  /* of the larger class */

/* The weights of one category. */
struct dist votes_of_category(const struct obs_node *node);

/* tree_adapt.c */

struct adapt *adapt_new(struct tree *tree);              /* counts its bytes in the tree's */
void adapt_free(struct tree *tree, struct adapt *adapt); /* NULL is fine */
struct leaf *adapt_alternate_new(struct tree *tree, uint32_t depth);

/* Drops alternates and empties detectors until the tree is within its bound. */
void adapt_shed(struct tree *tree);

/* tree_observer.c */

size_t obs_bytes(const struct observers *obs, size_t n);
void obs_release(struct observers *obs);
void obs_drop(struct observers *obs, size_t n, uint32_t j);     /* as if it had never been seen */
void obs_start(const struct tree *tree, struct observers *obs); /* makes obs->root, all unseen */
bool obs_seen(const struct observers *obs, uint32_t j);         /* was feature `j` ever there? */
uint32_t *obs_order(const struct observers *obs, size_t n);     /* features, as first seen */
uint32_t obs_take(struct observers *obs);                       /* the index of a fresh node */

/* Shows the sample to the leaf's observers; the features that are missing are left out. */
void obs_learn(struct tree *tree, struct leaf *leaf, const double *x, double y, double w);

/* The best split on feature `j`; no split when it saw nothing. */
void obs_best_split(struct walk *walk, const struct observers *obs, uint32_t j,
                    const struct stat_var *all, double min_samples, struct split *ret);

/* After a split was refused: forgets values that are far worse than the best (FIMT-DD). */
void obs_forget_bad(struct walk *walk, struct observers *obs, uint32_t j,
                    const struct stat_var *all, double min_samples, double best_merit,
                    double cutoff);

/* Statistics of both, in the order of operations of River's Var.__iadd__. */
void var_add(struct stat_var *a, const struct stat_var *b);

/* Statistics of `a` without `b`, in the order of operations of River's Var.__isub__. */
void var_subtract(struct stat_var *a, const struct stat_var *b);

/* By how much a split reduces the variance; 0 when a side weighs too little. */
double var_reduction(const struct stat_var *all, const struct stat_var *left,
                     const struct stat_var *right, double min_samples);

double squared(double v); /* as Python's `v ** 2` */

/* Notes that feature `j` is there; true when it was not before. */
bool obs_meet(struct observers *obs, size_t n, uint32_t j);

/* `v` rounded to so many decimals as Python's round() does: exactly, ties to even. */
double round_decimal(double v, unsigned digits);

void walk_grow(struct walk *walk);

static inline void walk_push(struct walk *walk, uint32_t word)
{
    if (walk->n == walk->cap)
        walk_grow(walk);
    walk->at[walk->n++] = word;
}

static inline uint32_t walk_pop(struct walk *walk)
{
    return walk->at[--walk->n];
}

/* The children, the first on top. */
static inline void walk_push_children(struct walk *walk, const struct tree_node *node)
{
    for (uint32_t i = tree_children(node); i > 0; i--)
        walk_push(walk, tree_child_at(node, i - 1));
}

/* tree_slots.c */

double *obs_means(struct observers *obs); /* with room for all nodes */
void obs_slot_learn(struct observers *obs, uint32_t j, double radius, double x, double y, double w);
void obs_best_slot(const struct observers *obs, uint32_t j, const struct stat_var *all,
                   double min_samples, struct split *ret);

/* tree_nominal.c */

/* The node of a category of feature `j`, zeroed when it is new. */
struct obs_node *obs_category(struct observers *obs, uint32_t j, double key);

/* As obs_best_split(), for a feature of categories; `each`: not only splits in two. */
void obs_best_category(const struct observers *obs, uint32_t j, const struct stat_var *all,
                       double min_samples, bool each, struct split *ret);

uint32_t obs_categories(const struct observers *obs, uint32_t j); /* how many it has seen */

/* Fills `ret` with the nodes of the categories, by value; it has room for them. */
void obs_sorted(const struct observers *obs, uint32_t j, uint32_t *ret);

bool fan_find(const struct fan *fan, double value, uint32_t *ret_child);
void fan_free(struct tree *tree, struct fan *fan); /* NULL is fine */

/* Adds a child for `value` to a BRANCH_EACH, or to a node that becomes one; the child is zeroed. */
uint32_t fan_add(struct tree *tree, uint32_t at, double value);

/*
 * Is x at a BRANCH_EACH with a category that has no child there? Then a leaf of `depth` for it is
 * made, if there is room, and its node is *ret_child.
 */
bool tree_meets_category(struct tree *tree, uint32_t at, const double *x, uint32_t depth,
                         uint32_t *ret_child);

/* tree_blob.c: slots of the table of functions */

void tree_save(const struct learner *lrn, struct buf *out);
void tree_load(struct learner *lrn, struct blob_reader *in);
void tree_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out);

/* tree_explain.c: likewise */

void tree_explain(const struct learner *lrn, const double *x, struct explanation *ex);

#endif
