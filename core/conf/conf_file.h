/*
 * The file's text taken apart into keys and values, as Penlight does for Kong: comments, continuations, sections. What values mean
 * is kong_conf.c's.
 */
#ifndef CORE_CONF_CONF_FILE_H
#define CORE_CONF_CONF_FILE_H

#include "core/base/buf.h"
#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct conf_entry {
    char *key, *value;   /* the value as it stands, trimmed; numbers not yet normalised */
    int line, last_line; /* where it begins and ends, counted from 1; comments and blank lines may lie between */
};

struct conf_entries {
    struct conf_entry *list;
    size_t count;
};

#define CONF_FILE_LIMIT (1 << 20)

/* Reads the file. Errors: not readable, larger than CONF_FILE_LIMIT, not text (NUL bytes). Values may hold secrets: free with
 * conf_entries_free, which wipes them. */
bool conf_file_read(const char *path, struct conf_entries *entries, struct error *error);
/* Its two halves. The text may hold secrets, and has no NUL bytes. On failure `text` holds what was read
 * so far: wipe it with conf_text_wipe in any case. Parsing leaves `text` as it is. */
bool conf_file_read_text(const char *path, struct buf *text, struct error *error);
void conf_text_parse(const char *text, struct conf_entries *entries);
void conf_text_wipe(struct buf *text);

/* What the lines of a text are: one that is skipped, even between a line and its continuation; one that goes on in the next. */
bool conf_line_is_skipped(const char *line);
bool conf_line_continues(const char *line);

void conf_entries_free(struct conf_entries *entries);

/* The last entry with that key (the last duplicate wins), or NULL. */
const struct conf_entry *conf_entries_find(const struct conf_entries *entries, const char *key);

#endif
