/* Starts tests/support/mz_standin.py, which plays Materialize, for a test. */
#ifndef OXBOW_TESTS_MZ_STANDIN_H
#define OXBOW_TESTS_MZ_STANDIN_H

#include <sys/types.h>

struct mz_standin {
    pid_t pid; /* 0: not running */
    int in_fd; /* closing it ends the stand-in */
    int out_fd;
    char url[128]; /* for views_options.url */
    char script[64];
};

/* With recorded answers: `script` is the JSON text of its rules. Fails the test when it cannot. */
void mz_standin_script(struct mz_standin *s, const char *script);

/* With a PostgreSQL of its own behind it. 0; -1 when PostgreSQL is not installed: it has said so.
 */
int mz_standin_postgres(struct mz_standin *s);

/* Ends it and what it has started. Does nothing when it is not running. */
void mz_standin_stop(struct mz_standin *s);

#endif
