/*
 * What goes to the terminal: lines that scroll, each with a coloured name in
 * front, and below them a block that is drawn again in place. Where the output
 * is no terminal there is neither colour nor block.
 */
#ifndef OXBOW_CLI_SCREEN_H
#define OXBOW_CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"

enum screen_colour {
    SCREEN_PLAIN,
    SCREEN_BOLD,
    SCREEN_DIM,
    SCREEN_RED,
    SCREEN_GREEN,
    SCREEN_YELLOW,
    SCREEN_BLUE,
    SCREEN_MAGENTA,
    SCREEN_CYAN,
};

struct screen {
    int fd;
    bool tty;
    bool colour;        /* a terminal, and neither NO_COLOR nor TERM=dumb is set */
    struct buf pending; /* lines not written yet */
    struct buf block;
    size_t drawn; /* lines of the block that stand on the terminal now */
};

void screen_init(struct screen *s, FILE *out);
/* Writes what is pending and takes the block away. */
void screen_release(struct screen *s);

/* Appends `text` in a colour (plainly when the screen has none). */
void screen_paint(const struct screen *s, struct buf *out, enum screen_colour colour,
                  const char *text);

/* A line with a name in front; `len` bytes of text without newline. */
void screen_line(struct screen *s, const char *name, enum screen_colour colour, const char *text,
                 size_t len);

/* The block from now on: lines that each end with a newline; cut to the terminal's width when
 * drawn. */
void screen_set_block(struct screen *s, const char *text);

/* Writes everything at once. */
void screen_flush(struct screen *s);

/* Appends a line without its newline, cut to `width` columns: an escape takes none, a UTF-8
 * character one. */
void screen_append_cut(struct buf *out, const char *line, size_t len, size_t width);

/* Columns of the terminal; 100 when there is none. */
size_t screen_width(const struct screen *s);

#endif
