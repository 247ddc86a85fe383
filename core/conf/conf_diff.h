/*
 * A text by its lines, what shall become of some of them, and the unified diff that shows it, without what must not be shown.
 */
#ifndef CORE_CONF_CONF_DIFF_H
#define CORE_CONF_CONF_DIFF_H

#include "core/base/buf.h"

#include <stddef.h>

struct conf_line {
    char *text;          /* without its end */
    const char *end;     /* "\n", "\r\n", or "" where the text ends without */
    char *inserted;      /* a line to stand before it, or NULL */
    char *replaced;      /* what it becomes, or NULL: it stays */
};

struct conf_lines {
    struct conf_line *list;
    size_t count;
};

/* Takes the text apart. Lines may hold secrets: conf_lines_free wipes them. */
void conf_lines_split(struct conf_lines *lines, const char *text);
void conf_lines_free(struct conf_lines *lines);

/* The text as it shall be. */
void conf_lines_join(const struct conf_lines *lines, struct buf *text);

/* The hunks, three lines of context around each, without the header that names the files; "" where nothing changes. Values of whatever
 * is called a password, secret, token or the like, in comments too, are `******`; lines are cut to a width that can be read. What
 * else is in them is as it stands: clean it before showing. The caller frees. */
char *conf_lines_diff(const struct conf_lines *lines);

#endif
