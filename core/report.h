/*
 * The report of an upgrade, rebuilt at any time from the journals and the decisions: who did what, when, with what outcome, what
 * was corrected, acknowledged and overruled, and how long each change took.
 */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "core/migrations/state.h"

#include <jansson.h>

/* As Markdown. `state` may be NULL (the database does not answer). The caller frees. */
char *report_markdown(const char *folder, const struct state *state);

/* The same facts as one object; new reference. */
json_t *report_json(const char *folder, const struct state *state);

/* Writes Markdown into a new file of that path, 0600. */
bool report_save(const char *path, const char *markdown, struct error *error);

#endif
