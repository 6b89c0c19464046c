/* Thin wrappers around the engine's table: they find the engine and refuse what it does not have.
 */
#include "views/views.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "views/views_backend.h"

static const struct views_backend *const BACKENDS[] = {
    &views_sqlite,
    &views_materialize,
};

#define N_BACKENDS (sizeof(BACKENDS) / sizeof(BACKENDS[0]))

struct views *views_open(const struct views_options *options, struct err *err)
{
    for (size_t i = 0; i < N_BACKENDS; i++) {
        if (strcmp(BACKENDS[i]->name, options->engine) != 0)
            continue;
        struct views *v = BACKENDS[i]->open(options, err);
        if (v)
            v->backend = BACKENDS[i];
        return v;
    }

    char known[128] = "";
    for (size_t i = 0; i < N_BACKENDS; i++) {
        if (i)
            strncat(known, ", ", sizeof(known) - strlen(known) - 1);
        strncat(known, BACKENDS[i]->name, sizeof(known) - strlen(known) - 1);
    }
    err_set(err, ERR_INVALID, "unknown view engine \"%s\": known are %s", options->engine, known);
    return NULL;
}

void views_close(struct views *v)
{
    if (v)
        v->backend->close(v);
}

bool views_is_fed(const struct views *v)
{
    return v->backend->ingest;
}

int views_apply(struct views *v, bool *ret_changed, struct err *err)
{
    return v->backend->apply(v, ret_changed, err);
}

void views_cancel(struct views *v)
{
    v->backend->cancel(v);
}

int views_incarnation(struct views *v, char ret[UUID_TEXT_LEN + 1], bool *ret_announced,
                      struct err *err)
{
    return v->backend->incarnation(v, ret, ret_announced, err);
}

int views_incarnation_set(struct views *v, const char *id, struct err *err)
{
    return v->backend->incarnation_set(v, id, err);
}

int views_announce(struct views *v, struct err *err)
{
    return v->backend->announce(v, err);
}

int views_wipe(struct views *v, struct err *err)
{
    if (!v->backend->wipe)
        return err_set(err, ERR_UNSUPPORTED, "view engine %s keeps all it has in its file",
                       v->backend->name);
    return v->backend->wipe(v, err);
}

static int not_fed(const struct views *v, struct err *err)
{
    return err_set(err, ERR_UNSUPPORTED, "view engine %s reads the bus by itself",
                   v->backend->name);
}

int views_ingest(struct views *v, const struct views_event *events, size_t n,
                 const struct views_position *positions, size_t n_positions, int64_t now_ms,
                 struct err *err)
{
    if (!v->backend->ingest)
        return not_fed(v, err);
    return v->backend->ingest(v, events, n, positions, n_positions, now_ms, err);
}

int views_position(struct views *v, enum views_input input, struct buf *ret, struct err *err)
{
    if (!v->backend->position)
        return not_fed(v, err);
    return v->backend->position(v, input, ret, err);
}

int views_rewound(struct views *v, enum views_input input, uint64_t n, struct err *err)
{
    if (!v->backend->rewound)
        return not_fed(v, err);
    return v->backend->rewound(v, input, n, err);
}

int views_counters(struct views *v, struct views_ledger *ret, struct err *err)
{
    if (!v->backend->counters)
        return not_fed(v, err);
    return v->backend->counters(v, ret, err);
}

int views_poll(struct views *v, int timeout_ms, struct views_batch *ret, struct err *err)
{
    return v->backend->poll(v, timeout_ms, ret, err);
}

int views_ack(struct views *v, const char *token, struct err *err)
{
    return v->backend->ack(v, token, err);
}

int views_replay(struct views *v, enum views_output output, uint64_t seq, struct err *err)
{
    return v->backend->replay(v, output, seq, err);
}

int views_names(struct views *v, struct buf *ret, struct err *err)
{
    return v->backend->names(v, ret, err);
}

int views_columns(struct views *v, const char *view, struct views_column **ret, size_t *ret_n,
                  struct err *err)
{
    return v->backend->columns(v, view, ret, ret_n, err);
}

void views_columns_free(struct views_column *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(c[i].name);
        free(c[i].type);
    }
    free(c);
}

int views_query(struct views *v, const char *sql, views_query_fn fn, void *ctx, struct err *err)
{
    return v->backend->query(v, sql, fn, ctx, err);
}

int views_pin(struct views *v, struct err *err)
{
    return v->backend->pin(v, err);
}

int views_unpin(struct views *v, struct err *err)
{
    return v->backend->unpin(v, err);
}

int views_ledger(struct views *v, struct views_ledger *ret, struct err *err)
{
    return v->backend->ledger(v, ret, err);
}

#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct views_ledger, name)                                                 \
    }

static const struct {
    const char *name;
    size_t offset;
} LEDGER[] = {
    FIELD(requests_read),
    FIELD(requests_new),
    FIELD(requests_duplicate),
    FIELD(requests_dead),
    FIELD(requests_refused),
    FIELD(requests_predicted),
    FIELD(requests_expired),
    FIELD(requests_pending),
    FIELD(predictions_read),
    FIELD(predictions_first),
    FIELD(predictions_duplicate),
    FIELD(predictions_orphan),
    FIELD(predictions_dead),
    FIELD(outcomes_read),
    FIELD(outcomes_new),
    FIELD(outcomes_duplicate),
    FIELD(outcomes_dead),
    FIELD(outcomes_emitted),
    FIELD(outcomes_waiting),
    FIELD(outcomes_expired),
    FIELD(outcomes_bad_label),
    FIELD(outcomes_refused),
    FIELD(features_last),
    FIELD(learning_queue_last),
    FIELD(dead_letters),
    {"requests_rewound", offsetof(struct views_ledger, rewound[VIEWS_REQUESTS])},
    {"outcomes_rewound", offsetof(struct views_ledger, rewound[VIEWS_OUTCOMES])},
    {"predictions_rewound", offsetof(struct views_ledger, rewound[VIEWS_PREDICTIONS])},
};

const char *views_ledger_field(const struct views_ledger *ledger, size_t field, uint64_t *ret_value)
{
    if (field >= sizeof(LEDGER) / sizeof(LEDGER[0]))
        return NULL;
    if (ret_value)
        memcpy(ret_value, (const char *)ledger + LEDGER[field].offset, sizeof(*ret_value));
    return LEDGER[field].name;
}

void views_ledger_set(struct views_ledger *ledger, size_t field, uint64_t value)
{
    memcpy((char *)ledger + LEDGER[field].offset, &value, sizeof(value));
}

static_assert(sizeof(LEDGER) / sizeof(LEDGER[0]) <= 64, "a bit a field");

static size_t field_of(const char *name)
{
    size_t i = 0;

    while (strcmp(LEDGER[i].name, name) != 0) {
        i++;
        assert(i < sizeof(LEDGER) / sizeof(LEDGER[0]));
    }
    return i;
}

uint64_t views_ledger_net_read(const struct views_ledger *ledger, enum views_input input)
{
    const uint64_t read[VIEWS_N_INPUTS] = {
        [VIEWS_REQUESTS] = ledger->requests_read,
        [VIEWS_OUTCOMES] = ledger->outcomes_read,
        [VIEWS_PREDICTIONS] = ledger->predictions_read,
    };

    return read[input] - ledger->rewound[input];
}

uint64_t views_ledger_get(const struct views_ledger *ledger, const char *name)
{
    uint64_t value;

    views_ledger_field(ledger, field_of(name), &value);
    return value;
}

bool views_ledger_hidden(const struct views_ledger *ledger, const char *name)
{
    return ledger->hidden >> field_of(name) & 1;
}

void views_ledger_know(struct views_ledger *ledger, const char *name, uint64_t value)
{
    size_t i = field_of(name);

    ledger->hidden &= ~(UINT64_C(1) << i);
    views_ledger_set(ledger, i, value);
}

void views_ledger_hide_all(struct views_ledger *ledger)
{
    *ledger = (struct views_ledger){
        .hidden = (UINT64_C(1) << sizeof(LEDGER) / sizeof(LEDGER[0])) - 1,
    };
}
