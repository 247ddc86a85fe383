/*
 * An INI file of ours, through inih: one setting a line, from its beginning; what is not understood is refused, with the file's name
 * and the line. inih would cut a line of over 200 bytes and read its rest as another, and takes an indented line for more of the value
 * before: both are refused.
 */
#ifndef CORE_CONF_INI_FILE_H
#define CORE_CONF_INI_FILE_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stdio.h>

#define INI_LINE_LIMIT 198   /* Debian's inih cuts lines at 200 bytes, the newline and the NUL among them */

/* Takes one setting, or says why not (without the place). */
typedef bool ini_taker(void *context, const char *section, const char *key, const char *value, struct error *error);

/* Reads the stream to its end. `path` is for what is said. */
bool ini_file_read(FILE *file, const char *path, ini_taker *take, void *context, struct error *error);

/* Opens a regular file without waiting for anything else (a pipe). NULL with errno; EINVAL: it is no regular file. */
FILE *ini_file_open(const char *path);

#endif
