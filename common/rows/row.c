/*
 * Reading rows. The names come in the same order in every row of a stream, so
 * each search begins behind the name that was found last: one comparison a
 * member as a rule.
 */
#include "rows/row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

struct name {
    char *text;
    size_t len;
};

/* A row's own members; rows of `features` have none from FIELD_LABEL on. */
enum field {
    FIELD_SEQ,
    FIELD_KEY,
    FIELD_REQUESTED_AT,
    FIELD_FEATURES,
    FIELD_PREDICTIONS,
    FIELD_LABEL,
    FIELD_OUTCOME_AT,
    FIELD_COUNT,
};

struct row_reader {
    const struct schema *schema;
    struct name fields[FIELD_COUNT];
    size_t n_fields; /* FIELD_COUNT, or FIELD_LABEL without a label */
    struct name *features;
    size_t n_features;
    struct name *models;
    size_t n_models;
    const struct label_positive *positive; /* or NULL */
};

/* Names */

static struct name name_of(const char *text)
{
    return (struct name){mem_strdup(text), strlen(text)};
}

static void names_free(struct name *names, size_t n)
{
    for (size_t i = 0; names && i < n; i++)
        free(names[i].text);
}

/* The index of `key` among the names, searched from `from` on and around; `n` when it is none. */
static size_t name_find(const struct name *names, size_t n, size_t from,
                        const struct json_value *key)
{
    size_t i = from < n ? from : 0;

    for (size_t left = n; left > 0; left--) {
        if (json_is(key, names[i].text, names[i].len))
            return i;
        i = i + 1 < n ? i + 1 : 0;
    }
    return n;
}

/* Values */

static const char *type_name(enum json_type type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",       [JSON_FALSE] = "false",     [JSON_TRUE] = "true",
        [JSON_NUMBER] = "a number", [JSON_STRING] = "a string", [JSON_OBJECT] = "an object",
        [JSON_ARRAY] = "an array",
    };

    return names[type];
}

static const char *value_name(const struct json_value *v)
{
    return v->text ? type_name(v->type) : "absent";
}

/* Null is NaN. False when it is nothing that stands for a double. */
static bool read_double(const struct json_value *v, double *ret)
{
    switch (v->type) {
    case JSON_NULL:
        *ret = (double)NAN;
        return true;
    case JSON_FALSE:
    case JSON_TRUE:
        *ret = v->type == JSON_TRUE ? 1.0 : 0.0;
        return true;
    case JSON_NUMBER:
        return json_number(v, ret);
    case JSON_STRING:
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    return false;
}

static int refuse_value(const char *place, const char *name, const struct json_value *v,
                        struct err *err)
{
    if (v->type == JSON_NUMBER)
        return err_set(err, ERR_INVALID, "%s%s is a number that is too large", place, name);
    return err_set(err, ERR_INVALID, "%s%s is %s, where a number, true, false or null belongs",
                   place, name, value_name(v));
}

/* A category: a text, or a number, true or false, which stand for the texts that they are. */
static bool read_category(const struct json_value *v, double *ret)
{
    struct buf text = BUF_INIT;
    char number[NUM_TEXT_MAX];
    double value;
    bool is_category = true;

    switch (v->type) {
    case JSON_NULL:
        *ret = (double)NAN;
        break;
    case JSON_STRING:
        is_category = json_string(v, &text);
        if (is_category)
            *ret = schema_category(buf_str(&text), text.len);
        buf_release(&text);
        break;
    case JSON_NUMBER:
        is_category = json_number(v, &value);
        if (is_category)
            *ret = schema_category(number, (size_t)num_format(value, number));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *ret = schema_category(v->text, v->len);
        break;
    case JSON_OBJECT:
    case JSON_ARRAY:
        is_category = false;
        break;
    }
    return is_category;
}

static int read_feature(const struct row_reader *r, size_t i, const struct json_value *v,
                        double *ret, struct err *err)
{
    enum feature_kind kind = schema_kind(r->schema, i);

    if (kind == FEATURE_CATEGORICAL) {
        if (read_category(v, ret))
            return 0;
        return err_set(err, ERR_INVALID,
                       "features.%s is %s, where a text belongs: it is categorical",
                       r->features[i].text, value_name(v));
    }
    if (!read_double(v, ret))
        return refuse_value("features.", r->features[i].text, v, err);
    if (kind == FEATURE_BOOLEAN && *ret != 0 && *ret != 1 && !isnan(*ret))
        return err_set(err, ERR_INVALID,
                       "features.%s is neither true nor false (nor 1 nor 0): it is boolean",
                       r->features[i].text);
    return 0;
}

/* Parts of a row */

static int read_features(const struct row_reader *r, const struct json_value *object,
                         struct row *row, double *x, struct err *err)
{
    struct json_iter it;
    struct json_value key;
    struct json_value v;
    size_t next = 0;

    for (size_t i = 0; i < r->n_features; i++)
        x[i] = (double)NAN;
    json_iter_init(&it, object);
    while (json_next_member(&it, &key, &v)) {
        size_t i = name_find(r->features, r->n_features, next, &key);
        if (i == r->n_features) {
            row->unknown++;
            continue;
        }
        int code = read_feature(r, i, &v, &x[i], err);
        if (code)
            return code;
        next = i + 1;
    }
    return 0;
}

/* [low, high], both finite; null, and an absent one, is none. */
static bool read_interval(const struct json_value *v, struct issued *ret)
{
    double ends[2];
    struct json_value end;
    struct json_iter it;
    size_t n = 0;

    if (v->type == JSON_NULL)
        return true;
    if (v->type != JSON_ARRAY)
        return false;
    json_iter_init(&it, v);
    while (json_next_element(&it, &end))
        if (n == 2 || end.type != JSON_NUMBER || !json_number(&end, &ends[n++]))
            return false;
    if (n != 2 || ends[0] > ends[1])
        return false;
    ret->low = ends[0];
    ret->high = ends[1];
    return true;
}

/* What one model said; anything but an object says nothing. */
static int read_issued(const char *model, const struct json_value *object, struct row_issued *ret,
                       struct err *err)
{
    struct json_value v;

    if (!json_get(object, "value", &v))
        return 0;
    if (!read_double(&v, &ret->said.value))
        return refuse_value("the value of the prediction of ", model, &v, err);
    if (json_get(object, "version", &v) && v.type == JSON_STRING)
        ret->version = v;
    if (json_get(object, "interval", &v) && !read_interval(&v, &ret->said))
        return err_set(err, ERR_INVALID,
                       "the interval of the prediction of %s is neither null nor two numbers of "
                       "which the second is not the smaller one",
                       model);
    if (json_get(object, "alpha", &v) && v.type == JSON_NUMBER)
        (void)json_number(&v, &ret->said.alpha); /* what is none stays NaN */
    return 0;
}

static int read_predictions(const struct row_reader *r, const struct json_value *object,
                            struct row_issued *served, struct err *err)
{
    static const struct row_issued none = {
        .said = {(double)NAN, (double)NAN, (double)NAN, (double)NAN, 0}};
    struct json_iter it;
    struct json_value key;
    struct json_value v;
    size_t next = 0;

    for (size_t i = 0; i < r->n_models; i++)
        served[i] = none;
    if (object->type == JSON_NULL)
        return 0;
    if (object->type != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "predictions is %s, where an object belongs",
                       value_name(object));
    json_iter_init(&it, object);
    while (json_next_member(&it, &key, &v)) {
        size_t i = name_find(r->models, r->n_models, next, &key);

        if (i == r->n_models)
            continue;
        int rc = read_issued(r->models[i].text, &v, &served[i], err);
        if (rc < 0)
            return rc;
        next = i + 1;
    }
    return 0;
}

/* Places of a row's own members in its text; those that are absent keep text NULL. */
static void find_fields(const struct row_reader *r, const struct json_value *root,
                        struct json_value *ret)
{
    struct json_iter it;
    struct json_value key;
    struct json_value v;
    size_t next = 0;

    for (size_t i = 0; i < FIELD_COUNT; i++)
        ret[i] = (struct json_value){JSON_NULL, NULL, 0};
    json_iter_init(&it, root);
    while (json_next_member(&it, &key, &v)) {
        size_t i = name_find(r->fields, r->n_fields, next, &key);
        if (i == r->n_fields)
            continue;
        ret[i] = v;
        next = i + 1;
    }
}

static uint64_t read_seq(const struct json_value *v)
{
    int64_t seq;

    return json_int(v, &seq) && seq > 0 ? (uint64_t)seq : 0;
}

static int check_fields(const struct row_reader *r, const struct json_value *fields,
                        struct err *err)
{
    const struct json_value *v = &fields[FIELD_KEY];

    if (!read_seq(&fields[FIELD_SEQ]))
        return err_set(err, ERR_INVALID, "seq is %s: it must be a whole number above 0",
                       value_name(&fields[FIELD_SEQ]));
    if (v->type != JSON_STRING || v->len <= 2)
        return err_set(err, ERR_INVALID, "%s is %s, where a string that is not empty belongs",
                       r->fields[FIELD_KEY].text, v->type == JSON_STRING ? "empty" : value_name(v));
    v = &fields[FIELD_REQUESTED_AT];
    if (v->type != JSON_STRING && v->type != JSON_NULL)
        return err_set(err, ERR_INVALID, "requested_at is %s, where a time in quotes belongs",
                       value_name(v));
    v = &fields[FIELD_FEATURES];
    if (v->type != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "features is %s, where an object belongs", value_name(v));
    return 0;
}

static int read_label(const struct row_reader *r, const struct json_value *v, double *ret,
                      struct err *err)
{
    const char *name = r->fields[FIELD_LABEL].text;

    *ret = (double)NAN;
    if (r->n_fields == FIELD_LABEL)
        return 0;
    if (v->type == JSON_NULL)
        return err_set(err, ERR_INVALID, "%s, the label, is %s", name, value_name(v));
    if (r->positive) {
        if (label_of_json(r->positive, v, ret))
            return 0;
        return err_set(err, ERR_INVALID,
                       "%s, the label, is neither the positive nor a negative one", name);
    }
    if (!read_double(v, ret))
        return refuse_value("", name, v, err);
    return 0;
}

/* Milliseconds of a time in quotes; 0 for anything else. */
static int64_t read_time(const struct json_value *v)
{
    int64_t ms;

    if (v->type != JSON_STRING || clock_parse(v->text + 1, v->len - 2, &ms) < 0)
        return 0;
    return ms;
}

/* Public functions */

struct row_reader *row_reader_new(const struct row_reader_options *options, struct err *err)
{
    size_t n = schema_size(options->schema);

    (void)err; /* nothing that a task file may declare is refused now */
    struct row_reader *r = mem_zalloc(1, sizeof(*r));
    r->schema = options->schema;
    r->positive = options->positive;
    r->fields[FIELD_SEQ] = name_of("seq");
    r->fields[FIELD_KEY] = name_of(options->key);
    r->fields[FIELD_REQUESTED_AT] = name_of("requested_at");
    r->fields[FIELD_FEATURES] = name_of("features");
    r->fields[FIELD_PREDICTIONS] = name_of("predictions");
    r->n_fields = options->label ? FIELD_COUNT : FIELD_LABEL;
    if (options->label)
        r->fields[FIELD_LABEL] = name_of(options->label);
    r->fields[FIELD_OUTCOME_AT] = name_of("outcome_at");
    r->n_features = n;
    r->features = mem_zalloc(n + 1, sizeof(*r->features));
    for (size_t i = 0; i < n; i++)
        r->features[i] = name_of(schema_name(options->schema, i));
    r->n_models = options->n_models;
    r->models = mem_zalloc(options->n_models + 1, sizeof(*r->models));
    for (size_t i = 0; i < options->n_models; i++)
        r->models[i] = name_of(options->models[i]);
    return r;
}

void row_reader_free(struct row_reader *r)
{
    if (!r)
        return;
    names_free(r->fields, FIELD_COUNT);
    names_free(r->features, r->n_features);
    names_free(r->models, r->n_models);
    free(r->features);
    free(r->models);
    free(r);
}

int row_reader_read(const struct row_reader *r, const char *text, size_t len, struct row *ret,
                    double *x, struct row_issued *served, struct err *err)
{
    struct json_value fields[FIELD_COUNT];
    struct json_value root;

    *ret = (struct row){.label = (double)NAN};
    if (!text)
        return err_set(err, ERR_INVALID, "the message has no value");
    int rc = json_parse(text, len, &root, err);
    if (rc < 0)
        return rc;
    if (root.type != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the row is %s, where an object belongs",
                       type_name(root.type));

    find_fields(r, &root, fields);
    ret->seq = read_seq(&fields[FIELD_SEQ]);
    rc = check_fields(r, fields, err);
    if (rc < 0)
        return rc;
    rc = read_features(r, &fields[FIELD_FEATURES], ret, x, err);
    if (rc < 0)
        return rc;
    rc = read_label(r, &fields[FIELD_LABEL], &ret->label, err);
    if (rc < 0)
        return rc;
    rc = read_predictions(r, &fields[FIELD_PREDICTIONS], served, err);
    if (rc < 0)
        return rc;
    ret->key = fields[FIELD_KEY];
    ret->features = fields[FIELD_FEATURES];
    ret->requested_at = fields[FIELD_REQUESTED_AT];
    ret->outcome_ms = r->n_fields == FIELD_COUNT ? read_time(&fields[FIELD_OUTCOME_AT]) : 0;
    return 0;
}

int row_reader_features(const struct row_reader *r, const struct json_value *features, double *x,
                        struct err *err)
{
    struct row row = {.seq = 0};

    if (features->type != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "features is %s, where an object belongs",
                       value_name(features));
    return read_features(r, features, &row, x, err);
}
