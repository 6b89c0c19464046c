/* What serves as each model: looking for newer versions, refusing bad ones. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "inference/inference_internal.h"

#define REFUSED_MAX 4096 /* bytes of names that are remembered */
#define LOOK_MS     1000 /* at most, between two looks: refresh_rows may be reached at any time */

/* Swapping */

/* Makes `model` what serves; takes it over. */
static void serve(struct inference_model *m, struct model *model, const char *version,
                  int64_t time_ms)
{
    model_free(m->model);
    m->model = model;
    m->time_ms = time_ms;
    buf_clear(&m->version);
    buf_text(&m->version, version);
    buf_clear(&m->tail);
    buf_text(&m->tail, ",\"version\":");
    json_write_string(&m->tail, version, strlen(version));
    buf_byte(&m->tail, '}');
}

static bool is_own(const struct inference_model *m, const char *version)
{
    return strncmp(version, m->generation, TASK_GENERATION_LEN) == 0 &&
           version[TASK_GENERATION_LEN] == '-';
}

/* A model that has learned nothing: what the learner's first version will be, too. */
static int serve_untrained(struct inference *inf, size_t i, struct err *err)
{
    struct inference_model *m = &inf->models[i];
    struct buf version = BUF_INIT;
    struct model *model = model_new(inf->task->models[i].pipeline, inf->task->features, err);

    if (!model)
        return err_prefix(err, "model \"%s\"", m->name);
    model_set_max_bytes(model, (size_t)inf->task->max_model_bytes);
    buf_printf(&version, "%s-0", m->generation);
    serve(m, model, version.data, clock_wall_ms());
    buf_release(&version);
    return 0;
}

/* Refusing */

static bool is_refusal(int code)
{
    return code == ERR_CORRUPT || code == ERR_CONFLICT || code == ERR_UNSUPPORTED ||
           code == ERR_TOO_LARGE || code == ERR_INVALID || code == ERR_NOT_FOUND;
}

static bool was_refused(const struct inference_model *m, const char *version)
{
    size_t len = strlen(version);

    for (const char *line = buf_str(&m->refused); *line; line = strchr(line, '\n') + 1)
        if (strncmp(line, version, len) == 0 && line[len] == '\n')
            return true;
    return false;
}

/* Says once which version is refused and why. */
static void refuse(struct inference *inf, struct inference_model *m, const char *version,
                   const struct err *why)
{
    m->retry_at_ms = clock_mono_ms() + inf->task->refresh_seconds * 1000;
    if (was_refused(m, version))
        return;
    if (m->refused.len > REFUSED_MAX)
        buf_clear(&m->refused);
    buf_text(&m->refused, version);
    buf_byte(&m->refused, '\n');
    ++*inf->c_refused;
    log_warn("version %s of model \"%s\" is refused: %s; %s%s", version, m->name, why->text,
             m->model ? "still serving " : "looking for another",
             m->model ? buf_str(&m->version) : "");
}

/* Loads what was read from the store and serves it; `v` stays the caller's. */
static int load(struct inference *inf, struct inference_model *m, const struct store_version *v,
                struct err *err)
{
    struct model *model = model_load(v->blob, v->blob_len, inf->task->features,
                                     (size_t)inf->task->max_model_bytes, err);

    if (!model)
        return err->code;
    serve(m, model, v->version, v->time_ms);
    return 0;
}

/* Fetches and serves a version; 0, a refusal that has been said (*ret_refused), or <0. */
static int fetch(struct inference *inf, struct inference_model *m, const char *version,
                 bool *ret_refused, struct err *err)
{
    struct store_version v = {.model = NULL};
    int64_t begin_ns = clock_mono_ns();
    int rc = store_version_get(inf->o.store, m->name, version, &v, err);

    if (rc == 0)
        rc = load(inf, m, &v, err);
    store_version_release(&v);
    *ret_refused = is_refusal(rc);
    if (rc == 0) {
        hist_add(inf->h_refresh, clock_mono_ns() - begin_ns);
        ++*inf->c_refreshes;
        log_debug("model \"%s\": serving %s", m->name, version);
    } else if (*ret_refused) {
        refuse(inf, m, version, err);
        rc = 0;
    }
    return rc;
}

/*
 * When what is to be served cannot be, and nothing else is being served: the newest good version of
 * our own generation, or else an untrained model.
 */
static int fall_back(struct inference *inf, size_t i, struct err *err)
{
    struct inference_model *m = &inf->models[i];
    struct store_version *list = NULL;
    size_t n = 0;
    bool is_done = false;
    int rc = store_versions(inf->o.store, m->name, &list, &n, err);

    for (size_t k = n; rc == 0 && !is_done && k-- > 0;) {
        bool is_bad = false;

        if (m->model && strcmp(list[k].version, buf_str(&m->version)) == 0)
            break; /* nothing newer is good */
        if (!is_own(m, list[k].version) || was_refused(m, list[k].version))
            continue;
        rc = fetch(inf, m, list[k].version, &is_bad, err);
        is_done = !is_bad;
    }
    store_versions_free(list, n);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    return m->model ? 0 : serve_untrained(inf, i, err);
}

static int refresh_model(struct inference *inf, size_t i, struct buf *version, struct err *err)
{
    struct inference_model *m = &inf->models[i];
    bool is_bad = false;

    buf_clear(version);
    int rc = store_serving(inf->o.store, m->name, version, err);
    if (rc == ERR_NOT_FOUND)
        return m->model ? 0 : serve_untrained(inf, i, err);
    if (rc < 0 || strcmp(buf_str(version), buf_str(&m->version)) == 0)
        return rc;
    if (m->model && was_refused(m, buf_str(version)) && clock_mono_ms() < m->retry_at_ms)
        return 0;
    rc = fetch(inf, m, buf_str(version), &is_bad, err);
    if (rc < 0 || !is_bad)
        return rc;

    /*
     * A version of our own generation is damaged: what was served goes on. One of another
     * generation has other features: ours is catching up, and its newest version is the best that
     * there is.
     */
    return m->model && is_own(m, buf_str(version)) ? 0 : fall_back(inf, i, err);
}

int inference_refresh(struct inference *inf, struct err *err)
{
    struct buf version = BUF_INIT;
    int64_t every_ms = inf->task->refresh_seconds * 1000;
    int rc = 0;

    inf->look_at_ms = clock_mono_ms() + (every_ms < LOOK_MS ? every_ms : LOOK_MS);
    for (size_t i = 0; i < inf->task->n_models && rc == 0; i++)
        rc = refresh_model(inf, i, &version, err);
    buf_release(&version);
    if (rc < 0)
        ++*inf->c_failures;
    return rc;
}

void inference_models_init(struct inference *inf)
{
    inf->models = mem_zalloc(inf->task->n_models, sizeof(*inf->models));
    for (size_t i = 0; i < inf->task->n_models; i++) {
        struct inference_model *m = &inf->models[i];

        m->name = inf->task->models[i].name;
        task_generation(inf->task, i, inf->o.sql_hash, m->generation);
        json_write_string(&m->head, m->name, strlen(m->name));
        buf_text(&m->head, ":{\"value\":");
    }
}

void inference_models_release(struct inference *inf)
{
    for (size_t i = 0; i < inf->task->n_models; i++) {
        struct inference_model *m = &inf->models[i];

        model_free(m->model);
        buf_release(&m->version);
        buf_release(&m->head);
        buf_release(&m->tail);
        buf_release(&m->refused);
    }
    free(inf->models);
}
