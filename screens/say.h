/*
 * Plain output. Everything printed, by whatever face but the canvas, passes here, where text from outside is made printable.
 */
#ifndef SCREENS_SAY_H
#define SCREENS_SAY_H

#include "core/base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* To stdout; newlines in the format are kept, those in what it quotes are not, nor other control characters. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A text of several lines: its own newlines are kept. */
void say_text(const char *text);

/* One sentence to stderr, after "kong-upgrade: ". Returns EXIT_ERROR, so that `return complain(&error)` reads well; the error is
 * cleared. */
int complain(struct error *error);
void complain_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One JSON value and a newline to stdout; `indent`: for people. Takes the reference. */
void say_json(json_t *json, bool indent);

/* A question answered with y or n on the terminal; false for anything else, and where stdin is none. */
bool ask(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Stdout can't be written any more (a closed pipe, a lost terminal). */
bool say_failed(void);

/* "1.5 MB", "830 kB"; "-" for a negative size. `text` holds SAY_SIZE bytes. */
#define SAY_SIZE 16
const char *say_bytes(long long bytes, char text[SAY_SIZE]);

/* An estimate of a time: "under 1 s", "about 12 s", "about 3 min", "about 2 h". */
const char *say_about(long long ms, char text[SAY_SIZE]);

#endif
