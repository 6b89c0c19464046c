/* The scores that a version carries, for showing. */
#ifndef OXBOW_CLI_VERSION_SCORES_H
#define OXBOW_CLI_VERSION_SCORES_H

/* NaN where nothing was scored. */
struct version_scores {
    double mae;
    double rmse;
    double mae_window;
    double mae_served;
};

/* Reads store_version.scores; all NaN when it cannot be read. */
void version_scores_read(const char *json, struct version_scores *ret);

#endif
