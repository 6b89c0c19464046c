/*
 * The ledger's equations (docs/guarantees.md): which terms stand on which side,
 * and whether the two sides agree. No I/O.
 */
#ifndef OXBOW_INSPECT_EQUATIONS_H
#define OXBOW_INSPECT_EQUATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "views/views.h"

/* The newest kept version of one generation of a model. */
struct facts_model {
    char *name;
    char *version; /* "" when the model of the task file has none yet */
    bool current;  /* of the generation that the task file asks for */
    uint64_t start;
    uint64_t position;
    uint64_t learned;
    uint64_t skipped;
};

/* What was read, downstream first. Zero-initialise. */
struct facts {
    struct views_ledger ledger;
    struct facts_model *model; /* owned */
    size_t n_models;
    const char *topic[VIEWS_N_INPUTS];
    uint64_t added[VIEWS_N_INPUTS]; /* entries ever added to each input */
    /* The bus does not know `added`: E9 cannot be checked, and this is what views has not read, at
     * most, and 0 only when it has read all. */
    bool uncounted;
    uint64_t unread[VIEWS_N_INPUTS];
    /* The view engine reads the bus by itself, and nobody knows how far it has come: `unread` is 0,
     * and what views has published may be a moment behind what the engine has taken in. */
    bool apart;
    uint64_t queue_first; /* seq of the oldest kept row of learning-queue; 0: there is none */
};

void facts_release(struct facts *f);

/* Rows between two stages: what a settled task has none of. */
struct in_flight {
    uint64_t unread[VIEWS_N_INPUTS]; /* messages that views has not read */
    uint64_t pending;                /* requests without a prediction */
    uint64_t waiting;                /* outcomes without a request or a prediction */
    uint64_t
        unlearned; /* rows that the slowest model has still to learn and to leave in the store */
};
void facts_in_flight(const struct facts *f, struct in_flight *ret);
bool in_flight_none(const struct in_flight *f);

#define EQUATION_MAX_TERMS 6

struct equation_term {
    const char *name;
    uint64_t value;
    bool minus;
    bool hidden; /* by the engine: `value` means nothing */
};

struct equation {
    const char *id;    /* "E1" */
    char subject[160]; /* the version or topic that it is about; "" */
    struct equation_term left[EQUATION_MAX_TERMS];
    struct equation_term right[EQUATION_MAX_TERMS];
    size_t n_left;
    size_t n_right;
    bool at_most; /* left ≤ right; else left = right */
    bool across;  /* its terms come from several stores, read one after the other */
    bool hidden;  /* the engine hides one of its terms: it can be neither right nor wrong */
};

/*
 * All equations over `f`, in an array of *ret_n to be freed with free(). `settled`: what may be in
 * flight otherwise must not be, so that ≤ becomes = where it stands for rows on their way. Names
 * and subjects point into `f`.
 */
struct equation *equations_make(const struct facts *f, bool settled, size_t *ret_n);

int64_t equation_left(const struct equation *e);
int64_t equation_right(const struct equation *e);
/* True also for one that is hidden. */
bool equation_holds(const struct equation *e);

/* "read = new + duplicate + dead" */
void equation_words(const struct equation *e, struct buf *out);
/* "100 = 98 + 2 + 0"; "hidden" for a term that is */
void equation_figures(const struct equation *e, struct buf *out);

#endif
