/* The scores that a version carries, for showing. */
#ifndef OXBOW_CLI_VERSION_SCORES_H
#define OXBOW_CLI_VERSION_SCORES_H

#include <stdbool.h>

/* NaN where nothing was scored. */
struct version_scores {
    double mae;
    double rmse;
    double mae_window;
    double mae_served;
    bool is_binary; /* what follows is known; else it is NaN */
    double log_loss;
    double log_loss_window;
    double log_loss_served;
};

/* What models are judged by: the log loss of a binary task, else the MAE. */
double version_scores_loss(const struct version_scores *s);

/* Reads store_version.scores; all NaN when it cannot be read. */
void version_scores_read(const char *json, struct version_scores *ret);

#endif
