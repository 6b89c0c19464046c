/*
 * The best split of a classifier's leaf, in the order of operations of River's
 * GaussianSplitter, NominalSplitterClassif and its split criteria: information
 * gain, Gini impurity, Hellinger distance (Cieslak, Hoens, Chawla and Kegelmeyer 2012).
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/tree_internal.h"

/* ** 0.5 in Python is pow(), as ** 2 is: see tree_observer.c. */
static double (*volatile const power)(double, double) = pow;

/* The sides of a possible split: two, or one for each category. */
struct sides {
    const struct dist *of;
    size_t n;
};

/* Criteria */

/* Two sides with more than this share of all? */
static bool has_two_sides(const struct sides *sides, double fraction)
{
    double total = 0;
    int n = 0;

    for (size_t i = 0; i < sides->n; i++)
        total += dist_sum(&sides->of[i]);
    for (size_t i = 0; i < sides->n; i++)
        n += total > 0 && dist_sum(&sides->of[i]) / total > fraction;
    return n >= 2;
}

static double entropy(const struct dist *dist)
{
    double sum = 0;
    double h = 0;

    for (int c = 0; c < 2; c++) {
        double w = dist->w[c];

        if (w > 0) {
            h -= w * log2(w);
            sum += w;
        }
    }
    return sum > 0 ? (h + sum * log2(sum)) / sum : 0;
}

static double info_gain(const struct dist *all, const struct sides *sides)
{
    double total = 0;
    double h = 0;

    for (size_t i = 0; i < sides->n; i++)
        total += dist_sum(&sides->of[i]);
    for (size_t i = 0; i < sides->n; i++)
        h += dist_sum(&sides->of[i]) * entropy(&sides->of[i]);
    return entropy(all) - h / total;
}

static double impurity(const struct dist *dist)
{
    double sum = dist_sum(dist);
    double gini = 1;
    double first;
    double second;

    if (sum == 0)
        return gini;
    first = dist->w[dist->first] / sum;
    second = dist->w[!dist->first] / sum;
    gini -= first * first;
    return gini - second * second;
}

static double gini_merit(const struct sides *sides)
{
    double total = 0;
    double gini = 0;

    for (size_t i = 0; i < sides->n; i++)
        total += dist_sum(&sides->of[i]);
    for (size_t i = 0; i < sides->n; i++)
        gini += dist_sum(&sides->of[i]) / total * impurity(&sides->of[i]);
    return 1 - gini;
}

static double hellinger(const struct sides *sides)
{
    const struct dist *left = &sides->of[0];
    const struct dist *right = &sides->of[1];
    double negative;
    double positive;

    if (!left->has[0] || !left->has[1] || !right->has[0] || !right->has[1])
        return 0;
    negative = left->w[0] + right->w[0];
    positive = left->w[1] + right->w[1];
    return sqrt(squared(sqrt(left->w[0] / negative) - sqrt(left->w[1] / positive)) +
                squared(sqrt(right->w[0] / negative) - sqrt(right->w[1] / positive)));
}

static double merit_of(const struct tree *tree, const struct dist *all, const struct sides *sides)
{
    double merit;

    if (!has_two_sides(sides, tree->classes->min_branch_fraction))
        return -(double)INFINITY;
    switch (tree->classes->split_criterion) {
    case MERIT_GINI:
        merit = gini_merit(sides);
        break;
    case MERIT_HELLINGER:
        merit = hellinger(sides);
        break;
    default:
        merit = info_gain(all, sides);
        break;
    }
    return isnan(merit) ? -(double)INFINITY : merit;
}

/* Numbers */

/* The share of a class's values up to v, as if they were normally distributed. */
static double share_below(const struct gauss *gauss, double v)
{
    double sigma = power(stat_var_get(&gauss->var), 0.5);

    if (sigma == 0)
        return 0;
    return 0.5 * (1.0 + erf((v - gauss->var.mean.mean) / sigma / sqrt(2.0)));
}

static void put(struct dist *dist, int class, double w)
{
    dist_add(dist, class, 0);
    dist->w[class] = w;
}

static void divide(const struct gauss *gauss, double v, struct dist *ret)
{
    int first = gauss[0].seen && !gauss[0].second ? 0 : 1;

    ret[0] = ret[1] = (struct dist){0};
    for (int k = 0; k < 2; k++) {
        int c = k ? !first : first;
        double n = gauss[c].var.mean.n;
        double below;

        if (!gauss[c].seen)
            continue;
        if (v < gauss[c].min) {
            put(&ret[1], c, n);
        } else if (v >= gauss[c].max) {
            put(&ret[0], c, n);
        } else {
            below = share_below(&gauss[c], v) * n;
            put(&ret[0], c, below);
            put(&ret[1], c, n - below);
        }
    }
}

static void best_number(const struct tree *tree, const struct leaf *leaf, uint32_t j,
                        struct split *ret)
{
    const struct gaussian_params *params = tree->params->splitter->params;
    const struct gauss *gauss = &leaf->votes->gauss[2 * leaf_slot(leaf, j)];
    double least = (double)INFINITY;
    double most = -(double)INFINITY;
    double step;

    for (int c = 0; c < 2; c++) {
        if (gauss[c].seen && gauss[c].min < least)
            least = gauss[c].min;
        if (gauss[c].seen && gauss[c].max > most)
            most = gauss[c].max;
    }
    step = (most - least) / ((double)params->n_splits + 1);
    for (uint64_t i = 0; i < params->n_splits; i++) {
        double v = least + step * ((double)i + 1);
        struct dist of[2];
        struct sides sides = {of, 2};
        double merit;

        if (!(least < v && v < most))
            continue;
        divide(gauss, v, of);
        merit = merit_of(tree, &leaf->votes->dist, &sides);
        if (merit > ret->merit)
            *ret = (struct split){.merit = merit,
                                  .feature = j,
                                  .kind = BRANCH_NUMBER,
                                  .value = v,
                                  .left_votes = of[0],
                                  .right_votes = of[1]};
    }
}

/* Categories */

struct dist votes_of_category(const struct obs_node *node)
{
    struct dist dist = {.w = {node->weight[0], node->weight[1]}};

    dist.has[0] = node->weight[2] == 1 || node->weight[2] == 3;
    dist.has[1] = node->weight[2] == 2 || node->weight[2] == 3;
    dist.first = !dist.has[0];
    return dist;
}

/* One category left, all the others right. */
static void divide_category(const struct dist *each, size_t n, size_t one, bool second_first,
                            struct dist *ret)
{
    ret[0] = ret[1] = (struct dist){0};
    for (int k = 0; k < 2; k++) {
        int c = second_first ? !k : k;

        for (size_t i = 0; i < n; i++) {
            if (each[i].has[c])
                dist_add(&ret[i == one ? 0 : 1], c, each[i].w[c]);
        }
    }
}

static void best_category(const struct tree *tree, const struct leaf *leaf, uint32_t j,
                          struct split *ret)
{
    const struct observers *obs = &leaf->obs;
    const struct gauss *gauss = &leaf->votes->gauss[2 * leaf_slot(leaf, j)];
    bool second_first = gauss[0].second || !gauss[0].seen;
    uint32_t n = obs_categories(obs, j);
    uint32_t *sorted = mem_alloc(((size_t)n + 1) * sizeof(*sorted));
    struct dist *each = mem_zalloc((size_t)n + 1, sizeof(*each));
    struct sides sides = {each, n};

    obs_sorted(obs, j, sorted);
    for (uint32_t i = 0; i < n; i++)
        each[i] = votes_of_category(&obs->nodes[sorted[i]]);
    /* As in River, this one counts even when it is no split worth the name. */
    if (!tree->params->binary_split)
        *ret = (struct split){
            .merit = merit_of(tree, &leaf->votes->dist, &sides), .feature = j, .kind = BRANCH_EACH};
    for (uint32_t i = 0; i < n; i++) {
        struct dist of[2];
        struct sides two = {of, 2};
        double merit;

        divide_category(each, n, i, second_first, of);
        merit = merit_of(tree, &leaf->votes->dist, &two);
        if (merit > ret->merit)
            *ret = (struct split){.merit = merit,
                                  .feature = j,
                                  .kind = BRANCH_EQUAL,
                                  .value = obs->nodes[sorted[i]].key,
                                  .left_votes = of[0],
                                  .right_votes = of[1]};
    }
    free(each);
    free(sorted);
}

/* The leaf */

void votes_best_split(const struct tree *tree, const struct leaf *leaf, uint32_t j,
                      struct split *ret)
{
    *ret = (struct split){.merit = -(double)INFINITY, .feature = TREE_NONE};
    if (tree_is_nominal(tree, j))
        best_category(tree, leaf, j, ret);
    else
        best_number(tree, leaf, j, ret);
}

bool votes_are_pure(const struct leaf *leaf)
{
    return leaf->votes->dist.w[0] == 0 || leaf->votes->dist.w[1] == 0;
}

double votes_share(const struct leaf *leaf)
{
    const struct dist *dist = &leaf->votes->dist;

    return fmax(dist->w[0], dist->w[1]) / dist_sum(dist);
}
