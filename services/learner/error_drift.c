/* Watching a model's error: see error_drift.h. */
#include "learner/error_drift.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"

/* The detector's bytes as hex digits */

static const char digits[] = "0123456789abcdef";

static void write_hex(const struct buf *bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes->len; i++) {
        unsigned char c = (unsigned char)bytes->data[i];

        buf_byte(out, digits[c >> 4]);
        buf_byte(out, digits[c & 15]);
    }
}

static int digit_of(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool read_hex(const struct json_value *v, struct buf *out)
{
    if (v->type != JSON_STRING || v->len % 2)
        return false;
    for (size_t i = 1; i + 1 < v->len; i += 2) {
        int high = digit_of(v->text[i]);
        int low = digit_of(v->text[i + 1]);

        if (high < 0 || low < 0)
            return false;
        buf_byte(out, (char)(high << 4 | low));
    }
    return true;
}

/* Reading */

static bool get_count(const struct json_value *object, const char *name, uint64_t *ret)
{
    struct json_value v;
    int64_t n;

    if (!json_get(object, name, &v) || !json_int(&v, &n) || n < 0)
        return false;
    *ret = (uint64_t)n;
    return true;
}

/* A number; NaN for null. */
static bool get_number(const struct json_value *object, const char *name, double *ret)
{
    struct json_value v;

    if (!json_get(object, name, &v))
        return false;
    *ret = (double)NAN;
    return v.type == JSON_NULL || json_number(&v, ret);
}

static bool read_alarm(const struct json_value *v, struct drift_alarm *ret)
{
    struct json_value at;

    if (v->type == JSON_NULL)
        return true;
    if (!get_count(v, "position", &ret->position) || ret->position == 0 ||
        !json_get(v, "at", &at) || !get_number(v, "mean_before", &ret->change.mean_before) ||
        !get_number(v, "mean_after", &ret->change.mean_after) ||
        !get_number(v, "n", &ret->change.n))
        return false;
    return at.type == JSON_NULL ||
           (at.type == JSON_STRING && clock_parse(at.text + 1, at.len - 2, &ret->at_ms) == 0);
}

static void write_newest(const struct error_drift *d, struct buf *out)
{
    buf_text(out, ",\"newest\":");
    if (d->newest.position) {
        buf_byte(out, '{');
        error_drift_write_alarm(&d->newest, out);
        buf_byte(out, '}');
    } else {
        buf_text(out, "null");
    }
}

/* Public functions */

void error_drift_init(struct error_drift *d, const struct task *task, uint64_t since)
{
    *d = (struct error_drift){.since = since};
    if (!task->drift)
        return;
    d->detector = detector_new(task->drift, strlen(task->drift), NULL);
    assert(d->detector); /* task_load() has made one of the same text */
}

void error_drift_release(struct error_drift *d)
{
    detector_free(d->detector);
    *d = (struct error_drift){.since = 0};
}

bool error_drift_update(struct error_drift *d, uint64_t position, int64_t at_ms, double error)
{
    struct detector_change change;

    if (!d->detector || !detector_update(d->detector, error, &change))
        return false;
    d->alarms++;
    d->newest = (struct drift_alarm){position, at_ms, change};
    return true;
}

void error_drift_write_alarm(const struct drift_alarm *alarm, struct buf *out)
{
    char at[CLOCK_TEXT_LEN + 1];

    clock_format(alarm->at_ms, at);
    json_write_name(out, "position");
    json_write_int(out, (int64_t)alarm->position);
    buf_printf(out, alarm->at_ms ? ",\"at\":\"%s\"" : ",\"at\":null", at);
    buf_text(out, ",\"mean_before\":");
    json_write_number(out, alarm->change.mean_before);
    buf_text(out, ",\"mean_after\":");
    json_write_number(out, alarm->change.mean_after);
    buf_text(out, ",\"n\":");
    json_write_number(out, alarm->change.n);
}

void error_drift_write(const struct error_drift *d, struct buf *out)
{
    struct buf state = BUF_INIT;

    if (!d->detector) {
        buf_text(out, "null");
        return;
    }
    buf_printf(out, "{\"detector\":%s,\"since\":", detector_parameters(d->detector));
    json_write_int(out, (int64_t)d->since);
    buf_text(out, ",\"alarms\":");
    json_write_int(out, (int64_t)d->alarms);
    write_newest(d, out);
    buf_text(out, ",\"state\":\"");
    detector_save(d->detector, &state);
    write_hex(&state, out);
    buf_text(out, "\"}");
    buf_release(&state);
}

int error_drift_read(struct error_drift *d, const struct json_value *v, struct err *err)
{
    struct json_value detector;
    struct json_value newest;
    struct json_value state;
    struct error_drift read = {.detector = d->detector};
    struct buf bytes = BUF_INIT;
    int rc = 0;

    if (!d->detector || !v || v->type == JSON_NULL)
        return 0;
    if (!json_get(v, "detector", &detector))
        return err_set(err, ERR_CORRUPT, "its state of the drift detector has no name");
    const char *ours = detector_parameters(d->detector);
    if (detector.len != strlen(ours) || memcmp(detector.text, ours, detector.len) != 0)
        return 0;
    if (!get_count(v, "since", &read.since) || !get_count(v, "alarms", &read.alarms) ||
        !json_get(v, "newest", &newest) || !read_alarm(&newest, &read.newest) ||
        !json_get(v, "state", &state) || !read_hex(&state, &bytes))
        rc = err_set(err, ERR_CORRUPT, "its state of the drift detector cannot be read");
    if (rc == 0)
        rc = detector_load(d->detector, bytes.data, bytes.len, err);
    if (rc == 0)
        *d = read;
    buf_release(&bytes);
    return rc;
}

void error_drift_write_status(const struct error_drift *d, struct buf *out)
{
    if (!d->detector) {
        buf_text(out, "null");
        return;
    }
    buf_printf(out, "{\"detector\":\"%s\",\"alarms\":", detector_class(d->detector));
    json_write_int(out, (int64_t)d->alarms);
    write_newest(d, out);
    buf_byte(out, '}');
}
