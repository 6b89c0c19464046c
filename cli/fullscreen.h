/*
 * A program that takes the whole terminal: a frame that is drawn again in place,
 * and keys. Leaves the terminal as it was.
 */
#ifndef OXBOW_CLI_FULLSCREEN_H
#define OXBOW_CLI_FULLSCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#define FULLSCREEN_NONE 0   /* the time is over */
#define FULLSCREEN_DRAW 256 /* the window has another size, or a signal came: draw again */
#define FULLSCREEN_UP   257
#define FULLSCREEN_DOWN 258
#define FULLSCREEN_END  259 /* nobody is at the keyboard any more */

struct fullscreen {
    int in;
    int out;
    bool has_keys; /* `in` is a terminal too */
    struct termios saved;
};

/* Takes the terminal that `out` is, with keys from `in` when that is one as well. */
void fullscreen_open(struct fullscreen *f, int in, int out);
void fullscreen_close(struct fullscreen *f);

void fullscreen_size(const struct fullscreen *f, size_t *ret_rows, size_t *ret_columns);

/* Draws lines that each end with a newline, cut to the window. */
void fullscreen_draw(const struct fullscreen *f, const char *text);

/* Waits for a key for at most that long: its character, or one of the above. */
int fullscreen_key(const struct fullscreen *f, int timeout_ms);

#endif
