/*
 * Copying what is on the screen, made printable: to the terminal's clipboard (OSC 52) where it is known to have one that takes it, or
 * where --copy says so; else into a file of the state folder, for its owner alone.
 */
#ifndef SCREENS_COPY_H
#define SCREENS_COPY_H

#include <stdbool.h>

struct wizard;

#define COPY_FILE "copied.txt"

/* Whether that is a way to copy: "auto", "terminal", "file", "off". */
bool copy_is_way(const char *way);

/* Copies a printable text, at most CLIPBOARD_LIMIT bytes of it, and says where it went. */
void copy_text(struct wizard *wizard, const char *text);

#endif
