/* The terminal. */
#include "screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NAME_WIDTH 13

static const char *const codes[] = {
    [SCREEN_PLAIN] = "",        [SCREEN_BOLD] = "\033[1m",     [SCREEN_DIM] = "\033[2m",
    [SCREEN_RED] = "\033[31m",  [SCREEN_GREEN] = "\033[32m",   [SCREEN_YELLOW] = "\033[33m",
    [SCREEN_BLUE] = "\033[34m", [SCREEN_MAGENTA] = "\033[35m", [SCREEN_CYAN] = "\033[36m",
};

void screen_init(struct screen *s, FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool dumb = !term || strcmp(term, "dumb") == 0;

    *s = (struct screen){.fd = fileno(out)};
    s->tty = isatty(s->fd) && !dumb;
    s->colour = s->tty && !(no_colour && no_colour[0]);
}

void screen_release(struct screen *s)
{
    buf_clear(&s->block);
    screen_flush(s);
    buf_release(&s->pending);
    buf_release(&s->block);
}

size_t screen_width(const struct screen *s)
{
    struct winsize size;

    if (s->tty && ioctl(s->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col;
    return 100;
}

void screen_paint(const struct screen *s, struct buf *out, enum screen_colour colour,
                  const char *text)
{
    if (!s->colour || colour == SCREEN_PLAIN) {
        buf_text(out, text);
        return;
    }
    buf_text(out, codes[colour]);
    buf_text(out, text);
    buf_text(out, "\033[0m");
}

/* Control characters from outside do not get to the terminal. */
static void append_printable(struct buf *out, const char *text, size_t len)
{
    size_t start = out->len;

    buf_append(out, text, len);
    for (size_t i = start; i < out->len; i++)
        if ((unsigned char)out->data[i] < 0x20 || out->data[i] == 0x7f)
            out->data[i] = ' ';
}

void screen_line(struct screen *s, const char *name, enum screen_colour colour, const char *text,
                 size_t len)
{
    char head[64];

    snprintf(head, sizeof(head), "%-*s |", NAME_WIDTH, name);
    screen_paint(s, &s->pending, colour, head);
    buf_byte(&s->pending, ' ');
    append_printable(&s->pending, text, len);
    buf_byte(&s->pending, '\n');
}

void screen_set_block(struct screen *s, const char *text)
{
    buf_clear(&s->block);
    buf_text(&s->block, text);
}

static void write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

void screen_append_cut(struct buf *out, const char *line, size_t len, size_t width)
{
    size_t column = 0;
    bool escape = false;
    bool styled = false;

    for (size_t i = 0; i < len; i++) {
        if (line[i] == '\033')
            escape = styled = true;
        bool visible = !escape && ((unsigned char)line[i] & 0xc0) != 0x80;
        if (visible && ++column > width)
            break;
        buf_byte(out, line[i]);
        if (escape && line[i] == 'm')
            escape = false;
    }
    if (styled)
        buf_text(out, "\033[0m");
}

void screen_flush(struct screen *s)
{
    struct buf out = BUF_INIT;

    if (!s->tty) {
        write_all(s->fd, buf_str(&s->pending), s->pending.len);
        buf_clear(&s->pending);
        return;
    }
    if (s->drawn)
        buf_printf(&out, "\r\033[%zuA\033[J", s->drawn);
    buf_append(&out, buf_str(&s->pending), s->pending.len);
    buf_clear(&s->pending);
    s->drawn = 0;
    const char *line = buf_str(&s->block);
    while (*line) {
        size_t len = strcspn(line, "\n");
        screen_append_cut(&out, line, len, screen_width(s) - 1);
        buf_byte(&out, '\n');
        line += len + (line[len] == '\n');
        s->drawn++;
    }
    write_all(s->fd, buf_str(&out), out.len);
    buf_release(&out);
}
