/*
 * One table says which key does what. The footer line, the help and the meaning of a key all come from it, so they
 * can't disagree. A disabled action stays in sight, dimmed; its key can be answered, but does nothing.
 */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H

#include "tui/canvas.h"
#include "tui/input.h"
#include "tui/prose.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_PER_ACTION 4

struct keys_row {
    uint32_t keys[KEYS_PER_ACTION]; /* enum key or code points; the first is shown; 0 fills up */
    const char *label;              /* in the footer: one or two words; NULL: only in the help */
    const char *help;               /* a sentence; NULL: not in the help */
    int action;                     /* > 0; 0: the row is only shown (keys that a widget handles itself) */
    int importance; /* what stays in a narrow footer: higher stays longer. < 0: as without the sign, and while it is
                       disabled it is not in the footer at all (what most operators never use) */
    const char *shown; /* a name for the keys instead of the first one's, e.g. "↑↓" for two; NULL: the first's */
};

/* A map: a table, what of it is enabled now, and the maps that are asked after it (the wizard's own after a screen's).
 */
struct keys_map {
    const struct keys_row *rows;
    size_t count;
    bool (*enabled)(const void *context, int action); /* NULL: everything */
    const void *context;
    const struct keys_map *next; /* NULL: none */
};

/* The action of an enabled row that has this key, or 0. A disabled row that is in sight keeps its key from the others. Pasted text is never a command. */
int keys_action(const struct keys_map *map, const struct input *input);

/* The label of a disabled row in sight that has this key, so that pressing it can be answered; NULL: there is none. */
const char *keys_disabled(const struct keys_map *map, const struct input *input);

/* The footer: "Enter open  / search  ? help  q quit", the least important left out as the area is narrower. */
void keys_draw(struct area area, const struct keys_map *map);

/* Adds a PROSE_KEY block for each row that has a help text. */
void keys_help(const struct keys_map *map, struct prose *prose, enum charset charset);

/* "Enter", "F1", "^L", "PgDn", "↑" ("Up" in ASCII), "q". Fills `name`, which it returns. */
#define KEYS_NAME_SIZE 16
const char *keys_name(uint32_t key, enum charset charset, char name[KEYS_NAME_SIZE]);

#endif
