/* The routes for why: see why.h. */
#include "monitor/why.h"

#include <string.h>

/* Answers with what was written, or with why it was not; releases both. */
static void answer(struct http_reply *reply, int rc, struct buf *body, const struct err *err)
{
    if (rc == 0)
        http_reply_json(reply, body);
    else
        http_reply_err(reply, err);
    buf_release(body);
}

static void get_explain(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct why *why = ctx;
    const char *key = http_query(req, "key");
    const char *model = http_query(req, "model");
    struct monitor_asked asked = {.served = 0};
    struct buf body = BUF_INIT;
    struct err err = {0};
    int rc;

    if (!key || !model) {
        http_reply_error(reply, 400, "name a request and a model: /api/explain?key=KEY&model=NAME");
        return;
    }
    rc = monitor_ask(why->monitor, key, strlen(key), model, &asked, &err);
    if (rc == 0) {
        struct explain_question question = {
            .incarnation = asked.incarnation,
            .model = model,
            .version = buf_str(&asked.version),
            .features = {JSON_OBJECT, buf_str(&asked.features), asked.features.len},
            .served = asked.served,
        };

        rc = explainer_answer(why->explainer, &question, &body, &err);
    }
    monitor_asked_release(&asked);
    answer(reply, rc, &body, &err);
}

static void get_drift(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct why *why = ctx;
    struct buf body = BUF_INIT;

    (void)req;
    monitor_write_drift(why->monitor, &body);
    http_reply_json(reply, &body);
}

/* A browser sends the header only from this page: no form of another site can. */
static void reset_drift(void *ctx, const struct http_request *req, struct http_reply *reply)
{
    const struct why *why = ctx;
    const char *asked = http_header(req, "X-Oxbow");
    struct buf body = BUF_INIT;

    if (!asked || strcmp(asked, "1") != 0) {
        http_reply_error(
            reply, 400, "the header X-Oxbow is missing: POST /api/drift/reset with \"X-Oxbow: 1\"");
        return;
    }
    monitor_reset_drift(why->monitor);
    monitor_write_drift(why->monitor, &body);
    http_reply_json(reply, &body);
}

void why_routes(struct http_server *server, struct why *why)
{
    http_handle(server, "GET", "/api/explain", get_explain, why);
    http_handle(server, "GET", "/api/drift", get_drift, why);
    http_handle(server, "POST", "/api/drift/reset", reset_drift, why);
}
