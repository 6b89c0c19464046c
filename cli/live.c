/* The live view: what is read, and when. live_block.c draws it. */
#include "live.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "bus/bus_places.h"
#include "live_block.h"

#define LINES_EVERY_MS  250
#define STATUS_EVERY_MS 1000
#define PLAIN_EVERY_MS  5000 /* status lines, where there is no terminal */
#define LINES_AT_ONCE   2    /* of each topic: about ten a second, with both */
#define LINES_BEHIND    20   /* messages that may wait for their line */
#define SOURCE_COLUMNS  16   /* what screen_line() puts before a line */

struct live {
    struct up *up;
    struct screen *screen;
    struct access_options options;
    bool lines;
    struct access access;
    bool is_open;
    struct bus_reader *reader;
    struct live_topic {
        const char *name;
        uint64_t added; /* when it was last looked at */
        uint64_t shown; /* lines since then */
    } topic[2];         /* requests, learning-queue */
    struct live_view view;
    struct status_lag *lag;
    uint64_t added[2]; /* requests and outcomes ever added, for live_settled() */
    bool is_read[2];   /* the same where the bus does not count: views has read all of them */
    int64_t next_lines_ms;
    int64_t next_status_ms;
    int64_t next_plain_ms;
};

struct live *live_new(struct up *up, struct screen *screen, const struct access_options *access,
                      bool lines)
{
    struct live *live = mem_zalloc(1, sizeof(*live));

    live->up = up;
    live->screen = screen;
    live->options = *access;
    live->lines = lines;
    live->lag = mem_zalloc(1, sizeof(*live->lag));
    live->view.started_ms = clock_mono_ms();
    live->view.up = up;
    live->next_plain_ms = live->view.started_ms + PLAIN_EVERY_MS;
    return live;
}

void live_free(struct live *live)
{
    if (!live)
        return;
    bus_reader_close(live->reader);
    access_release(&live->access);
    free(live->lag);
    free(live);
}

/* oxbow-views makes the incarnation: until then there is nothing to see. */
static bool open_access(struct live *live)
{
    struct err err;

    if (live->is_open)
        return true;
    if (access_open(&live->access, &live->options, &err) < 0) {
        access_release(&live->access);
        return false;
    }
    live->view.task = live->access.task;
    live->topic[0].name = live->access.task->topics.requests;
    live->topic[1].name = live->access.task->topics.learning_queue;
    live->is_open = true;
    return true;
}

/* ---- Lines ---- */

/* Shows a line, cut to the terminal's width: a trip takes one line. */
static void show_line(struct live *live, const char *topic, enum screen_colour colour,
                      struct buf *line)
{
    size_t width = screen_width(live->screen);
    size_t cut = width > SOURCE_COLUMNS + 4 ? width - SOURCE_COLUMNS - 4 : 0;

    if (line->len > cut + 3) {
        /* Not in the middle of a character. */
        while (cut && ((unsigned char)line->data[cut] & 0xc0) == 0x80)
            cut--;
        line->len = cut;
        buf_text(line, "...");
    }
    screen_line(live->screen, topic, colour, line->data, line->len);
}

/* `t0000123 {"vendor_id":...` */
static void show_request(struct live *live, const struct bus_msg *msg)
{
    struct buf line = BUF_INIT;

    buf_append(&line, msg->key ? msg->key : "", msg->key ? msg->key_len : 0);
    buf_byte(&line, ' ');
    buf_append(&line, msg->value ? msg->value : "", msg->value ? msg->value_len : 0);
    show_line(live, live->access.task->topics.requests, SCREEN_GREEN, &line);
    buf_release(&line);
}

/* `t0000123 duration 512 | linear-regression 498 | ...` */
static void show_outcome(struct live *live, const struct bus_msg *msg)
{
    struct json_value root;
    struct json_value v;
    struct json_value key;
    struct json_value value;
    struct json_iter it;
    struct buf line = BUF_INIT;
    double number;

    if (!msg->value || json_parse(msg->value, msg->value_len, &root, NULL) < 0)
        return;
    buf_append(&line, msg->key ? msg->key : "", msg->key ? msg->key_len : 0);
    if (json_get(&root, live->access.task->label, &v) && json_number(&v, &number))
        buf_printf(&line, " %s %.0f", live->access.task->label, number);
    if (json_get(&root, "predictions", &v) && v.type == JSON_OBJECT) {
        json_iter_init(&it, &v);
        while (json_next_member(&it, &key, &value)) {
            struct json_value predicted;
            buf_text(&line, " | ");
            json_string(&key, &line);
            if (json_get(&value, "value", &predicted) && json_number(&predicted, &number))
                buf_printf(&line, " %.0f", number);
            else
                buf_text(&line, " -");
        }
    }
    show_line(live, live->access.task->topics.outcomes, SCREEN_BLUE, &line);
    buf_release(&line);
}

static void show_messages(struct live *live)
{
    const struct bus_msg *msg;
    struct err err;

    int n = bus_poll(live->reader, LINES_AT_ONCE, 0, &msg, &err);
    for (int i = 0; i < n; i++) {
        bool is_request = strcmp(msg[i].topic, live->topic[0].name) == 0;
        live->topic[is_request ? 0 : 1].shown++;
        if (is_request)
            show_request(live, &msg[i]);
        else
            show_outcome(live, &msg[i]);
    }
}

/* A bus that does not count what was ever added: what is kept does for a line on the screen. */
static void count_kept(const struct live *live, struct bus_marks *marks)
{
    if (!bus_can(live->access.in.bus, BUS_COUNTS))
        marks->added = marks->kept;
}

/* Says what was passed over, and goes on at the newest. */
static void skip_ahead(struct live *live, struct live_topic *topic)
{
    struct bus_marks marks;
    struct err err;
    char count[FIGURE_MAX];
    struct buf line = BUF_INIT;

    if (bus_marks(live->access.in.bus, topic->name, -1, &marks, &err) < 0)
        return;
    count_kept(live, &marks);
    if (marks.added > topic->added + topic->shown + LINES_BEHIND) {
        bool is_request = topic == &live->topic[0];
        buf_printf(&line, "... and %s more",
                   figure_count(marks.added - topic->added - topic->shown, count));
        screen_line(live->screen, is_request ? topic->name : live->access.task->topics.outcomes,
                    is_request ? SCREEN_GREEN : SCREEN_BLUE, line.data, line.len);
        buf_release(&line);
        topic->added = marks.added;
        topic->shown = 0;
        if (bus_reader_assign(live->reader, topic->name, -1, &BUS_POS_NEWEST, &err) < 0)
            return; /* away for the moment: the reader goes on where it was */
    }
}

static bool open_reader(struct live *live)
{
    struct err err;

    if (live->reader)
        return true;
    live->reader = bus_reader_open(live->access.in.bus, &err);
    for (size_t i = 0; live->reader && i < 2; i++) {
        struct bus_marks marks;
        if (bus_marks(live->access.in.bus, live->topic[i].name, -1, &marks, &err) == 0 &&
            bus_reader_assign(live->reader, live->topic[i].name, -1, &BUS_POS_NEWEST, &err) >= 0) {
            count_kept(live, &marks);
            live->topic[i].added = marks.added;
            continue;
        }
        bus_reader_close(live->reader);
        live->reader = NULL;
    }
    return live->reader != NULL;
}

/* ---- Status ---- */

/* By the place that views tells others of. */
static bool views_has_read(struct live *live, const char *topic)
{
    struct bus_places places = BUS_PLACES_INIT;
    struct buf text = BUF_INIT;
    bool at_end = false;
    struct err err;
    uint64_t n;

    bool is_known = store_floor_get(live->access.in.store, "views", topic, &text, &n, &err) == 0 &&
                    bus_places_parse(live->access.in.bus, buf_str(&text), &places, &err) == 0 &&
                    bus_places_at_end(live->access.in.bus, topic, &places, &at_end, &err) == 0;
    bus_places_release(&places);
    buf_release(&text);
    return is_known && at_end;
}

/* Where the engine does not say how many were read, those that were new. */
static uint64_t events_of(const struct views_ledger *l)
{
    if (views_ledger_hidden(l, "requests_read"))
        return l->requests_new + l->outcomes_new;
    return l->requests_read + l->outcomes_read;
}

static void read_status(struct live *live)
{
    struct live_view *view = &live->view;
    struct err err;
    const char *const topic[2] = {live->access.task->topics.requests,
                                  live->access.task->topics.outcomes};

    uint64_t events = events_of(&view->status.ledger);
    int64_t then = view->status.ledger_ms;
    view->reachable = status_read(live->access.in.store, &view->status, live->lag, &err) == 0;
    for (size_t i = 0; view->reachable && i < 2; i++) {
        struct bus_marks marks;
        if (!bus_can(live->access.in.bus, BUS_COUNTS))
            live->is_read[i] = views_has_read(live, topic[i]);
        else if (bus_marks(live->access.in.bus, topic[i], -1, &marks, &err) == 0)
            live->added[i] = marks.added;
    }
    view->lag_p50_ms = status_lag_ms(live->lag, 50);
    view->lag_p99_ms = status_lag_ms(live->lag, 99);
    const struct views_ledger *ledger = &view->status.ledger;
    uint64_t now_events = events_of(ledger);
    int64_t now = view->status.ledger_ms;
    if (then && now > then && now_events >= events)
        view->events_per_s = (double)(now_events - events) * 1000 / (double)(now - then);
}

void live_describe(const struct live *live, struct buf *out)
{
    live_block_line(&live->view, out);
}

void live_tick(struct live *live)
{
    int64_t now = clock_mono_ms();

    if (now < live->next_lines_ms)
        return;
    live->next_lines_ms = now + LINES_EVERY_MS;
    bool is_open = open_access(live);
    if (is_open && live->lines && open_reader(live))
        show_messages(live);
    if (now >= live->next_status_ms) {
        live->next_status_ms = now + STATUS_EVERY_MS;
        if (is_open)
            read_status(live);
        for (size_t i = 0; live->reader && i < 2; i++)
            skip_ahead(live, &live->topic[i]);
        if (live->screen->tty) {
            struct buf block = BUF_INIT;
            live_block_draw(&live->view, live->screen, &block);
            screen_set_block(live->screen, buf_str(&block));
            buf_release(&block);
        }
    }
    if (!live->screen->tty && now >= live->next_plain_ms) {
        struct buf line = BUF_INIT;
        live->next_plain_ms = now + PLAIN_EVERY_MS;
        live_block_line(&live->view, &line);
        screen_line(live->screen, "status", SCREEN_BOLD, buf_str(&line), line.len);
        buf_release(&line);
    }
    screen_flush(live->screen);
}

bool live_settled(const struct live *live)
{
    const struct status *s = &live->view.status;
    const struct views_ledger *l = &s->ledger;
    size_t n_models = live->is_open ? live->access.task->n_models : 0;

    if (!live->is_open || !live->view.reachable || !s->ledger_ms || s->n_models < n_models)
        return false;
    if (bus_can(live->access.in.bus, BUS_COUNTS) &&
        (views_ledger_net_read(l, VIEWS_REQUESTS) != live->added[0] ||
         views_ledger_net_read(l, VIEWS_OUTCOMES) != live->added[1]))
        return false;
    if (!bus_can(live->access.in.bus, BUS_COUNTS) && (!live->is_read[0] || !live->is_read[1]))
        return false;
    if (l->requests_pending || l->outcomes_waiting)
        return false;
    for (size_t i = 0; i < s->n_models; i++)
        if (s->model[i].position != l->outcomes_emitted)
            return false;
    return true;
}
