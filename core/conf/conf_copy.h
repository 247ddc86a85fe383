/*
 * A kong.conf that says by itself what a file and KONG_* say together: for Kong's own commands, which are given no KONG_* (passwords
 * are there). Its rules are those of kong_conf.h: the environment goes before the file, an empty variable unsets, and what looks like a
 * number stays the text that it is in the environment.
 */
#ifndef CORE_CONF_CONF_COPY_H
#define CORE_CONF_CONF_COPY_H

#include "core/base/error.h"

#include <stdbool.h>

/* Writes it into a new file (0600) in the folder and reads it back; returns its path, which the caller frees, and unlinks as soon as it is
 * of no more use. `file`: NULL: none, the environment alone. NULL and an error: the file can't be read; a variable that no line can hold
 * (a line's end in it); Kong would read another value of a setting than with `file` and `environment`. */
char *conf_copy_make(const char *file, char *const *environment, const char *folder, struct error *error);

/* Removes those that a crash has left in the folder: not for while one is in use. Those of the last minute stay. */
void conf_copy_sweep(const char *folder);

#endif
