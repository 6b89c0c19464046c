#include "state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static const char *const OUTPUTS[STATE_OUTS] = {
    [VIEWS_FEATURES] = "features",
    [VIEWS_LEARNING_QUEUE] = "learning_queue",
};

/* ---- Writing ---- */

static void begin(const char *incarnation, int64_t at_ms, struct buf *out)
{
    buf_printf(out, "{\"incarnation\":\"%s\",\"at_ms\":%" PRId64, incarnation, at_ms);
}

void state_write(const struct state *state, const char *incarnation, int64_t at_ms, struct buf *out)
{
    begin(incarnation, at_ms, out);
    buf_text(out, ",\"token\":");
    json_write_string(out, state->token, strlen(state->token));
    for (size_t i = 0; i < STATE_OUTS; i++)
        buf_printf(out, ",\"%s\":%" PRIu64, OUTPUTS[i], state->last[i]);
    buf_printf(out,
               ",\"bad_label\":%" PRIu64 ",\"dead_letters\":%" PRIu64 ",\"duplicate\":%" PRIu64
               ",\"retracted\":%" PRIu64 "}",
               state->bad_label, state->dead_letters, state->duplicate, state->retracted);
}

void state_write_seen(const char *incarnation, int64_t at_ms, enum views_output output,
                      const struct dedupe_key *keys, size_t n, struct buf *out)
{
    char text[DEDUPE_TEXT_LEN + 1];

    begin(incarnation, at_ms, out);
    buf_printf(out, ",\"output\":\"%s\",\"keys\":[", OUTPUTS[output]);
    for (size_t i = 0; i < n; i++) {
        dedupe_key_format(keys[i], text);
        buf_printf(out, "%s\"%s\"", i ? "," : "", text);
    }
    buf_text(out, "]}");
}

void state_write_start(const char *incarnation, int64_t at_ms, const char *id, struct buf *out)
{
    begin(incarnation, at_ms, out);
    buf_printf(out, ",\"id\":\"%s\"}", id);
}

/* ---- Reading ---- */

static bool get_count(const struct json_value *root, const char *name, uint64_t *ret)
{
    struct json_value v;
    int64_t n;

    if (!json_get(root, name, &v) || !json_int(&v, &n) || n < 0)
        return false;
    *ret = (uint64_t)n;
    return true;
}

static bool is_text(const struct json_value *root, const char *name, const char *want)
{
    struct json_value v;

    return json_get(root, name, &v) && json_is(&v, want, strlen(want));
}

static bool take_state(struct state_found *found, const struct json_value *root)
{
    struct state state = {{0}, {0}, 0, 0, 0, 0};
    struct json_value token;
    struct buf text = BUF_INIT;

    bool good = json_get(root, "token", &token) && json_string(&token, &text) &&
                text.len < sizeof(state.token);
    if (good)
        memcpy(state.token, buf_str(&text), text.len + 1);
    for (size_t i = 0; i < STATE_OUTS; i++)
        good = good && get_count(root, OUTPUTS[i], &state.last[i]);
    good = good && get_count(root, "bad_label", &state.bad_label) &&
           get_count(root, "dead_letters", &state.dead_letters) &&
           get_count(root, "duplicate", &state.duplicate) &&
           get_count(root, "retracted", &state.retracted);
    buf_release(&text);
    if (!good)
        return false;
    found->state = state;
    found->any = true;
    return true;
}

static bool take_seen(struct state_found *found, const struct json_value *root)
{
    struct json_value keys, at, v;
    struct dedupe_key key;
    struct json_iter it;
    int64_t at_ms;
    size_t output = 0;

    while (output < STATE_OUTS && !is_text(root, "output", OUTPUTS[output]))
        output++;
    if (output == STATE_OUTS || !json_get(root, "keys", &keys) || keys.type != JSON_ARRAY ||
        !json_get(root, "at_ms", &at) || !json_int(&at, &at_ms))
        return false;
    json_iter_init(&it, &keys);
    while (json_next_element(&it, &v)) {
        if (v.type != JSON_STRING || !dedupe_key_parse(v.text + 1, v.len - 2, &key))
            return false;
        dedupe_add(found->seen[output], key, at_ms);
    }
    return true;
}

static bool has_key(const struct bus_msg *msg, const char *key)
{
    return msg->key && msg->key_len == strlen(key) && memcmp(msg->key, key, msg->key_len) == 0;
}

int state_take(struct state_found *found, const struct bus_msg *msg, struct err *err)
{
    struct json_value root;
    bool good = true;

    if (!msg->value || json_parse(msg->value, msg->value_len, &root, NULL) < 0)
        good = false;
    else if (!is_text(&root, "incarnation", found->incarnation))
        return 0;
    else if (has_key(msg, STATE_KEY))
        good = take_state(found, &root);
    else if (has_key(msg, SEEN_KEY))
        good = take_seen(found, &root);
    else if (has_key(msg, START_KEY))
        found->done = found->done || is_text(&root, "id", found->start_id);
    else
        good = false;
    if (good)
        return 0;
    return err_set(err, ERR_CORRUPT,
                   "%s holds a message that oxbow-views did not write: delete the topic and start "
                   "with --fresh",
                   msg->topic);
}
