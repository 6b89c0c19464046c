/*
 * Features in slots of equal width: the quantization observer (Mastelini and de Carvalho 2021:
 * "Using dynamical quantization to perform split attempts in online tree regressors"), in the order
 * of operations of River's QOSplitter.
 *
 * A slot keeps the mean of the feature's values and the statistics of their labels; slots are in a
 * search tree by their number. A split lies half-way between the means of two neighbours. As in
 * River, the labels of the right one of them count as left when the split is judged, and the left
 * leaf begins with the labels of all slots. Its splits in more than two ways are not there.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/tree_internal.h"

double *obs_means(struct observers *obs)
{
    if (obs->means_cap < obs->cap) {
        obs->means = mem_realloc(obs->means, obs->cap, sizeof(*obs->means));
        obs->means_cap = obs->cap;
    }
    return obs->means;
}

void obs_slot_learn(struct observers *obs, uint32_t j, double radius, double x, double y, double w)
{
    struct obs_node *node = obs_category(obs, j, floor(x / radius));
    uint32_t at = (uint32_t)(node - obs->nodes);

    double *of = &obs_means(obs)[at];
    /* The values weigh what their labels do. */
    struct stat_mean mean = {node->var.mean.n, node->var.mean.n > 0 ? *of : 0};

    stat_mean_update(&mean, x, w);
    *of = mean.mean;
    stat_var_update(&node->var, y, w);
}

void obs_best_slot(const struct observers *obs, uint32_t j, const struct stat_var *all,
                   double min_samples, struct split *ret)
{
    uint32_t n = obs_categories(obs, j);
    uint32_t *sorted = mem_alloc(((size_t)n + 1) * sizeof(*sorted));
    struct stat_var left = {0};

    obs_sorted(obs, j, sorted);
    *ret = (struct split){.merit = -(double)INFINITY, .feature = TREE_NONE};
    for (uint32_t i = 0; i < n; i++) {
        struct split here = {.feature = j, .kind = BRANCH_NUMBER};

        var_add(&left, &obs->nodes[sorted[i]].var);
        if (i == 0)
            continue;
        here.right = *all;
        var_subtract(&here.right, &left);
        here.merit = var_reduction(all, &left, &here.right, min_samples);
        if (!(here.merit > ret->merit))
            continue;
        here.value = (obs->means[sorted[i - 1]] + obs->means[sorted[i]]) / 2.0;
        *ret = here;
    }
    ret->left = left;
    free(sorted);
}
