/* One member of streaming random patches: see srp.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "learn/detector_backend.h"
#include "learn/model.h"
#include "learn/srp.h"

#define ALL_FEATURES UINT32_MAX /* in a blob, for the number of a member's features */

/* The sample as the member sees it. */
static const double *own(const struct srp_member *m, const double *x, double *buffer)
{
    if (!m->features)
        return x;
    for (size_t i = 0; i < m->n_features; i++)
        buffer[i] = x[m->features[i]];
    return buffer;
}

static uint32_t feature_at(const struct srp_member *m, size_t i)
{
    return m->features ? m->features[i] : (uint32_t)i;
}

void srp_member_tell_schema(struct srp_member *m, const struct srp *srp)
{
    if (!srp->schema || !m->lrn->ops->set_schema)
        return;
    if (m->features) {
        m->schema = schema_new();
        for (size_t i = 0; i < m->n_features; i++) {
            size_t j = m->features[i];

            /* Names of a schema that are each there once: it cannot fail. */
            if (schema_add(m->schema, schema_name(srp->schema, j), schema_kind(srp->schema, j),
                           NULL))
                abort();
        }
    }
    learner_set_schema(m->lrn, m->schema ? m->schema : srp->schema);
}

void srp_member_tell_kinds(struct srp_member *m, const struct srp *srp)
{
    enum feature_kind kinds[SCHEMA_MAX_FEATURES];
    bool some = false;

    if (!srp->kinds)
        return;
    for (size_t i = 0; i < m->n_features; i++) {
        kinds[i] = srp->kinds[feature_at(m, i)];
        some |= kinds[i] == FEATURE_CATEGORICAL;
    }
    if (some)
        m->lrn->ops->set_kinds(m->lrn, kinds);
}

static size_t detectors_bytes(const struct srp_member *m)
{
    return (m->drift ? detector_bytes(m->drift) : 0) +
           (m->warning ? detector_bytes(m->warning) : 0);
}

void srp_member_tell_share(struct srp_member *m, const struct srp *srp)
{
    size_t others = detectors_bytes(m);

    if (srp->share != SIZE_MAX)
        learner_set_max_bytes(m->lrn, srp->share > others ? srp->share - others : 0);
}

void srp_member_init(struct srp_member *m, const struct srp *srp, uint32_t *features,
                     size_t n_features)
{
    const struct srp_params *params = srp->params;

    memset(m, 0, sizeof(*m));
    m->features = features;
    m->n_features = n_features;
    m->lrn = learner_new(params->model, n_features);
    if (params->disable_detector != SRP_DISABLE_DRIFT)
        m->drift = detector_borrow(params->drift_detector);
    if (params->disable_detector == SRP_DISABLE_NONE)
        m->warning = detector_borrow(params->warning_detector);
    srp_member_tell_schema(m, srp);
    srp_member_tell_kinds(m, srp);
    srp_member_tell_share(m, srp);
}

void srp_member_release(struct srp_member *m)
{
    learner_free(m->lrn);
    detector_free(m->drift);
    detector_free(m->warning);
    schema_free(m->schema);
    free(m->features);
    *m = (struct srp_member){.lrn = NULL};
}

double srp_member_predict(const struct srp_member *m, const double *x)
{
    double buffer[SCHEMA_MAX_FEATURES];

    return learner_predict(m->lrn, own(m, x, buffer));
}

size_t srp_member_bytes(const struct srp_member *m)
{
    if (!m->lrn)
        return 0;
    return learner_bytes(m->lrn) + detectors_bytes(m) +
           (m->features ? m->n_features * sizeof(*m->features) : 0);
}

static void teach(struct srp_member *m, const double *x, double y, uint64_t times)
{
    double buffer[SCHEMA_MAX_FEATURES];
    const double *seen = own(m, x, buffer);

    for (uint64_t i = 0; i < times; i++)
        learner_learn(m->lrn, seen, y, 1);
    if (y == 0)
        m->seen |= SRP_SEEN_NEGATIVE;
    else if (!m->seen)
        m->seen = SRP_POSITIVE_FIRST;
}

/* `k` features of those that x has, as River's random_subspace(); *ret_n of them. */
static uint32_t *draw_features(struct srp *srp, const double *x, size_t k, size_t *ret_n)
{
    size_t there[SCHEMA_MAX_FEATURES];
    size_t drawn[SCHEMA_MAX_FEATURES];
    size_t n = 0;

    for (size_t j = 0; j < srp->base.n; j++) {
        if (!isnan(x[j]))
            there[n++] = j;
    }
    if (n == 0)
        for (; n < srp->base.n; n++)
            there[n] = n;
    if (k > n)
        k = n;
    rng_sample(&srp->rng, n, k, drawn);

    uint32_t *features = mem_alloc(k * sizeof(*features));

    for (size_t i = 0; i < k; i++)
        features[i] = (uint32_t)there[drawn[i]];
    *ret_n = k;
    return features;
}

/* Like `like`, which may be `m` itself, but on other features. */
static void begin(struct srp_member *m, const struct srp_member *like, struct srp *srp,
                  const double *x)
{
    size_t n = like->n_features;
    uint32_t *features = like->features ? draw_features(srp, x, n, &n) : NULL;

    srp_member_release(m);
    srp_member_init(m, srp, features, n);
}

/* The successor takes over; without one the member begins anew, but for its warnings. */
static void replace(struct srp_place *place, struct srp *srp, const double *x)
{
    struct srp_member *m = &place->member;
    struct detector *warning;

    if (place->next.lrn) {
        srp_member_release(m);
        *m = place->next;
        place->next = (struct srp_member){.lrn = NULL};
        return;
    }
    warning = m->warning;
    m->warning = NULL;
    begin(m, m, srp, x);
    if (warning) {
        detector_free(m->warning);
        m->warning = warning;
        srp_member_tell_share(m, srp);
    }
}

/* What the detectors watch, once the sample is learned. */
static double watched(const struct srp_member *m, const struct srp *srp, const double *x, double y)
{
    double p = srp_member_predict(m, x);

    if (srp->is_classifier)
        return isnan(p) || model_label(p) != (y == 1);
    return srp->params->drift_detection_criteria == SRP_ERROR ? fabs(p - y) : p;
}

void srp_place_learn(struct srp_place *place, struct srp *srp, const double *x, double y,
                     uint64_t times)
{
    struct srp_member *m = &place->member;
    size_t before = detectors_bytes(m);
    double v;

    teach(m, x, y, times);
    if (place->next.lrn)
        teach(&place->next, x, y, times);
    if (!m->drift)
        return;

    v = watched(m, srp, x, y);
    if (m->warning && detector_update(m->warning, v, NULL)) {
        place->n_warnings++;
        begin(&place->next, m, srp, x);
        detector_free(m->warning);
        m->warning = detector_borrow(srp->params->warning_detector);
    }
    if (detector_update(m->drift, v, NULL)) {
        place->n_drifts++;
        replace(place, srp, x);
    }
    if (detectors_bytes(m) != before)
        srp_member_tell_share(m, srp);
}

void srp_member_forget_detectors(struct srp_member *m, const struct srp *srp)
{
    detector_free(m->drift);
    m->drift = detector_borrow(srp->params->drift_detector);
    if (m->warning) {
        detector_free(m->warning);
        m->warning = detector_borrow(srp->params->warning_detector);
    }
    srp_member_tell_share(m, srp);
}

/* Saving */

static void save_detector(const struct detector *d, struct buf *out)
{
    if (d)
        detector_save(d, out);
}

static void load_detector(struct detector *d, struct blob_reader *in)
{
    if (d && !blob_failed(in))
        d->ops->load(d, in);
}

void srp_member_save(const struct srp_member *m, struct buf *out)
{
    blob_write_u32(out, m->features ? (uint32_t)m->n_features : ALL_FEATURES);
    for (size_t i = 0; m->features && i < m->n_features; i++)
        blob_write_u32(out, m->features[i]);
    member_metric_save(&m->metric, out);
    save_detector(m->drift, out);
    save_detector(m->warning, out);
    learner_save(m->lrn, out);
}

/* NULL for all, or on failure. */
static uint32_t *load_features(const struct srp *srp, size_t *ret_n, struct blob_reader *in)
{
    bool taken[SCHEMA_MAX_FEATURES] = {false};
    uint32_t n = blob_read_u32(in);
    uint32_t *features;

    *ret_n = srp->base.n;
    if (n == ALL_FEATURES || blob_failed(in))
        return NULL;
    if (n == 0 || n > srp->base.n) {
        blob_fail(in, "a member has more features than there are, or none");
        return NULL;
    }
    features = mem_alloc(n * sizeof(*features));
    for (uint32_t i = 0; i < n; i++) {
        features[i] = blob_read_u32(in);
        if (features[i] >= srp->base.n || taken[features[i]]) {
            blob_fail(in, "a member has a feature twice, or one that is not there");
            free(features);
            return NULL;
        }
        taken[features[i]] = true;
    }
    *ret_n = n;
    return features;
}

void srp_member_load(struct srp_member *m, const struct srp *srp, struct blob_reader *in)
{
    size_t n;
    uint32_t *features = load_features(srp, &n, in);

    if (blob_failed(in)) {
        free(features);
        return;
    }
    srp_member_release(m);
    srp_member_init(m, srp, features, n);
    member_metric_load(&m->metric, in);
    load_detector(m->drift, in);
    load_detector(m->warning, in);
    if (!blob_failed(in))
        learner_load(m->lrn, in);
    srp_member_tell_share(m, srp);
}
