/* Programs that are run: with nothing of the environment that could be secret, and never for long. */
#ifndef CORE_BASE_CHILD_H
#define CORE_BASE_CHILD_H

#include "core/base/buf.h"

#include <stdbool.h>

/* Of our environment what a program needs (PATH, HOME, the locale, the way to the user's systemd, …); KONG_PG_PASSWORD above all is
 * not in it. child_free_environment frees. */
char **child_environment(void);
void child_free_environment(char **environment);

/* The program's path, by PATH unless it has a `/` itself; NULL where there is none. The caller frees. */
char *child_find(const char *name);

/* Runs a program (arguments[0], by PATH), ended by NULL, without input, and gives what it writes to standard output (NULL: to
 * nowhere). True if it ended with 0 within `milliseconds`, and wrote no more than CHILD_LIMIT bytes; else it is killed. */
#define CHILD_LIMIT (1 << 20)
bool child_run(const char *const *arguments, int milliseconds, struct buf *out);

#endif
