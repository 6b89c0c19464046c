/*
 * The regression tree, as its files share it:
 *
 *     tree.c           the learner: growing, predicting, staying within memory
 *     tree_observer.c  what a leaf remembers of each feature, and its best split
 *     tree_blob.c      saving, loading, showing
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

#include "learn/learner.h"
#include "learn/stat.h"

#define TREE_NONE      UINT32_MAX /* no node */
#define TREE_MAX_DEPTH 980        /* where River's default ends, too */

enum leaf_prediction { LEAF_MEAN, LEAF_MODEL, LEAF_ADAPTIVE };

struct tebst_params {
    uint64_t digits;
};

struct tree_params {
    uint64_t grace_period;
    uint64_t max_depth; /* PARAM_NONE: TREE_MAX_DEPTH */
    double delta;
    double tau;
    int leaf_prediction; /* enum leaf_prediction */
    struct component *leaf_model;
    double model_selector_decay;
    struct component *splitter;
    uint64_t min_samples_split;
    bool binary_split;
};

/* One distinct (rounded) value of a feature, in a binary search tree by value. */
struct obs_node {
    double key;
    struct stat_var var; /* labels of the samples that went here or to the left */
    uint32_t left;       /* or TREE_NONE; the next free node, while this one is free */
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
};

struct leaf {
    struct stat_var stats; /* of the labels */
    double last_attempt;   /* weight seen when a split was last tried */
    double fmse_mean;      /* faded squared error of the mean; LEAF_ADAPTIVE */
    double fmse_model;     /* and of the model */
    struct learner *model; /* NULL for LEAF_MEAN */
    uint32_t depth;        /* 0 for the root */
    bool active;           /* it observes and may split */
    struct observers obs;
};

struct tree_node {
    struct leaf *leaf; /* NULL: a branch */
    double threshold;  /* left when x[feature] <= threshold */
    uint32_t feature;
    uint32_t left;
    uint32_t right;
};

/* A stack of 32-bit words for walks that may be as deep as there are nodes. */
struct walk {
    uint32_t *at;
    size_t n;
    size_t cap;
};

struct tree {
    struct learner base;
    const struct tree_params *params; /* the component's */
    uint64_t max_depth;
    unsigned digits;
    struct tree_node *nodes; /* [0] is the root; never empty */
    uint32_t n_nodes;
    uint32_t cap;
    uint32_t n_leaves;
    uint32_t n_active;
    uint64_t n_deactivated; /* leaves that were stopped for want of memory, ever */
    size_t bytes;           /* by content, not by what is allocated */
    size_t max_bytes;
    struct walk walk; /* scratch */
};

/* A possible split of a leaf. */
struct split {
    double merit;     /* reduction of variance; -INFINITY for none */
    uint32_t feature; /* TREE_NONE for none */
    double threshold;
    struct stat_var left; /* labels of the samples on each side */
    struct stat_var right;
};

/* tree.c */

/* `stats` NULL: none yet; `parent` is the leaf that it inherits from, or NULL. */
struct leaf *leaf_new(struct tree *tree, const struct stat_var *stats, const struct leaf *parent);
void leaf_free(struct tree *tree, struct leaf *leaf);
void leaf_deactivate(struct tree *tree, struct leaf *leaf);
uint32_t tree_add_node(struct tree *tree); /* the index of a new, zeroed node */

/*
 * The child of the branch `at` for x; when the feature is missing the more travelled one, and
 * *missing becomes true.
 */
uint32_t tree_child(const struct tree *tree, uint32_t at, const double *x, bool *missing);

bool leaf_answers_mean(const struct leaf *leaf); /* and not with its model */

/* tree_observer.c */

size_t obs_bytes(const struct observers *obs, size_t n);
void obs_release(struct observers *obs);
void obs_start(struct observers *obs, size_t n);            /* makes obs->root, all unseen */
bool obs_seen(const struct observers *obs, uint32_t j);     /* was feature `j` ever there? */
uint32_t *obs_order(const struct observers *obs, size_t n); /* features, as first seen */
uint32_t obs_take(struct observers *obs);                   /* the index of a fresh node */

/* Shows the sample to the observers; the features that are missing are left out. */
void obs_learn(struct observers *obs, size_t n, const double *x, double y, double w,
               unsigned digits);

/* The best split on feature `j`; no split when it saw nothing. */
void obs_best_split(struct walk *walk, const struct observers *obs, uint32_t j,
                    const struct stat_var *all, double min_samples, struct split *ret);

/* After a split was refused: forgets values that are far worse than the best (FIMT-DD). */
void obs_forget_bad(struct walk *walk, struct observers *obs, uint32_t j,
                    const struct stat_var *all, double min_samples, double best_merit,
                    double cutoff);

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

/* tree_blob.c: slots of the table of functions */

void tree_save(const struct learner *lrn, struct buf *out);
void tree_load(struct learner *lrn, struct blob_reader *in);
void tree_inspect(const struct learner *lrn, const struct schema *schema, struct buf *out);

/* tree_explain.c: likewise */

void tree_explain(const struct learner *lrn, const double *x, struct explanation *ex);

#endif
