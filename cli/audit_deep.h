/* The deep audit reads the kept streams again. The rest is shared by its files. */
#ifndef OXBOW_CLI_AUDIT_DEEP_H
#define OXBOW_CLI_AUDIT_DEEP_H

#include "bus/bus_places.h"
#include "inspect/audit.h"

/* Adds the findings of the deep checks. */
int audit_deep(struct audit *audit, struct inspect *in, struct err *err) MUST_CHECK;

#define DEEP_POLL_ROWS 1000
#define DEEP_POLL_MS   1000
#define DEEP_PATIENCE  60 /* empty polls in a row, until a busy server counts as away */
#define DEEP_EXAMPLES  5  /* findings of one kind that are spelled out */

/* A model of the task file with its kept versions, without blobs. */
struct deep_model {
    const char *name; /* of the task file */
    size_t index;
    struct store_version *version; /* those of the current generation first, oldest first */
    size_t n_versions;
    size_t n_current;
};

/*
 * Polls a reader of `topic` for messages that must still come, however slow the server is just now.
 * `at` is the position of the last one read (BUS_POS_OLDEST: none). 0: there are none behind it.
 */
int deep_poll(struct inspect *in, struct bus_reader *r, const char *topic,
              const struct bus_places *at, const struct bus_msg **ret, struct err *err) MUST_CHECK;

/* What the kept predictions name: "<model> <version>", each once. */
struct deep_names {
    char **name;
    size_t n;
    uint64_t messages;
};

int deep_names_read(struct deep_names *names, struct inspect *in, struct err *err) MUST_CHECK;
void deep_names_release(struct deep_names *names);

/* Adds the finding about them. */
void deep_names_judge(const struct deep_names *names, struct audit *audit, const struct inspect *in,
                      const struct deep_model *model, size_t n_models);

/* Reads learning-queue, folds it for every model, and adds the findings. */
int deep_refold(struct audit *audit, struct inspect *in, const struct deep_model *model,
                size_t n_models, struct err *err) MUST_CHECK;

#endif
