/* The whole terminal. */
#include "fullscreen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "screen.h"

/* The alternate screen, without a cursor; and back. */
#define TAKE "\033[?1049h\033[?25l"
#define GIVE "\033[?25h\033[?1049l"

static volatile sig_atomic_t has_resized;

static void on_resize(int signal)
{
    (void)signal;
    has_resized = 1;
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

void fullscreen_open(struct fullscreen *f, int in, int out)
{
    struct sigaction action = {.sa_handler = on_resize};

    *f = (struct fullscreen){.in = in, .out = out};
    f->has_keys = isatty(in) && tcgetattr(in, &f->saved) == 0;
    if (f->has_keys) {
        struct termios keys = f->saved;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        keys.c_cc[VSUSP] = _POSIX_VDISABLE; /* a stopped program would leave the screen taken */
        keys.c_cc[VMIN] = 0;
        keys.c_cc[VTIME] = 0;
        tcsetattr(in, TCSANOW, &keys);
    }
    sigemptyset(&action.sa_mask);
    sigaction(SIGWINCH, &action, NULL);
    write_all(out, TAKE, strlen(TAKE));
}

void fullscreen_close(struct fullscreen *f)
{
    write_all(f->out, GIVE, strlen(GIVE));
    if (f->has_keys)
        tcsetattr(f->in, TCSANOW, &f->saved);
}

void fullscreen_size(const struct fullscreen *f, size_t *ret_rows, size_t *ret_columns)
{
    struct winsize size;

    *ret_rows = 24;
    *ret_columns = 80;
    if (ioctl(f->out, TIOCGWINSZ, &size) < 0)
        return;
    if (size.ws_row)
        *ret_rows = size.ws_row;
    if (size.ws_col)
        *ret_columns = size.ws_col;
}

void fullscreen_draw(const struct fullscreen *f, const char *text)
{
    struct buf out = BUF_INIT;
    size_t rows;
    size_t columns;

    fullscreen_size(f, &rows, &columns);
    buf_text(&out, "\033[H");
    for (size_t row = 0; row < rows && *text; row++) {
        size_t len = strcspn(text, "\n");
        if (row)
            buf_text(&out, "\r\n"); /* none behind the last line: it would scroll */
        screen_append_cut(&out, text, len, columns - 1);
        buf_text(&out, "\033[K");
        text += len + (text[len] == '\n');
    }
    buf_text(&out, "\033[J");
    write_all(f->out, buf_str(&out), out.len);
    buf_release(&out);
}

/* What follows an escape: an arrow sends `[A` or `OA`. The other keys of that kind mean nothing. */
static int read_escape(int fd)
{
    char text[2] = {0};

    if (read(fd, text, sizeof(text)) != (ssize_t)sizeof(text) || (text[0] != '[' && text[0] != 'O'))
        return FULLSCREEN_DRAW;
    if (text[1] == 'A')
        return FULLSCREEN_UP;
    return text[1] == 'B' ? FULLSCREEN_DOWN : FULLSCREEN_DRAW;
}

int fullscreen_key(const struct fullscreen *f, int timeout_ms)
{
    struct pollfd fd = {.fd = f->has_keys ? f->in : -1, .events = POLLIN};
    char c;

    int rc = has_resized ? -1 : poll(&fd, 1, timeout_ms);
    if (rc < 0) {
        has_resized = 0;
        return FULLSCREEN_DRAW;
    }
    if (rc == 0)
        return FULLSCREEN_NONE;
    ssize_t n = read(f->in, &c, 1);
    if (n == 1)
        return c == '\033' ? read_escape(f->in) : (unsigned char)c;
    return n < 0 && errno == EINTR ? FULLSCREEN_DRAW : FULLSCREEN_END;
}
