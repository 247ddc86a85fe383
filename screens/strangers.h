/*
 * Kong nodes that the database sees and fleet.ini does not name (census.h): offered on the Welcome screen, each with what a knock at Kong's
 * port found there, and taken into [old] or [new]; told on the screens on which one that is missed would matter.
 */
#ifndef SCREENS_STRANGERS_H
#define SCREENS_STRANGERS_H

#include "screens/screen.h"

/* What the database sees, in a row of terms: "at least 2 Kong nodes at work, from …"; nothing where nothing was seen. */
void strangers_add_seen(struct prose *prose, const struct model *model);

/* A line where there is a stranger: "A Kong at 10.0.0.7 is not in fleet.ini: old or new? …". */
void strangers_add(struct prose *prose, const struct model *model);

/* That session is a stranger's. */
bool strangers_have(const struct model *model, const char *address);

/* A row of Welcome's list. `text` holds `size` bytes. */
const char *strangers_row(const struct stranger *stranger, char *text, size_t size);
enum mark strangers_mark(const struct stranger *stranger);

/* All of it, and what to do: a sentence or two, which the caller frees. */
char *strangers_note(const struct stranger *stranger);

/* What is written after "node = " to take it in: "10.0.0.7 http://10.0.0.7:8001", or, where nothing answers there, through ssh. The caller
 * frees. */
char *strangers_entry(const struct stranger *stranger, const struct fleet *fleet);

#endif
