/*
 * Completing a path that is typed into a prompt (Tab). The folder is read on libuv's thread pool (loop_complete), as a file system may
 * not answer; what came of it is put into the field if that has not changed meanwhile. Names may be anything: what a field can't hold is
 * not put into it.
 */
#ifndef SCREENS_COMPLETE_H
#define SCREENS_COMPLETE_H

#include "core/base/names.h"
#include "tui/canvas.h"
#include "tui/field.h"

struct wizard;

#define COMPLETE_MOST 200   /* names that are kept to be shown */

/* What is completed: the text before the cursor. */
struct complete {
    char *before;              /* owned; NULL: nothing is */
    struct names names;        /* that begin so, at most COMPLETE_MOST; folders end in "/" */
    size_t count;              /* of all that begin so */
    char *common;              /* what all of them have beyond what was typed; owned */
    char *problem;             /* why the folder could not be read; owned */
    bool done;                 /* the answer is there */
};

void complete_free(struct complete *complete);
void complete_begin(struct complete *complete, const struct field_state *field);

/* The folder to be read; the caller frees. */
char *complete_folder(const struct complete *complete);

/* One of its names, in any order. */
void complete_add(struct complete *complete, const char *name, bool folder);

/* All names are there: into the field, if it still says the same. */
void complete_end(struct complete *complete, struct field_state *field);

/* Lines that showing it takes, and showing it: what may follow, where that is not one name. */
int complete_height(const struct complete *complete);
void complete_draw(struct area area, const struct complete *complete);

#endif
