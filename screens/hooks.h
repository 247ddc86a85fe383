/*
 * The hooks of fleet.ini on the screens Provision, Divert and Decommission: asking before one is run, saying how it came out, showing
 * what it says. Nothing but the record, the message and where traffic was moved to comes of it: nodes and traffic are seen as ever.
 */
#ifndef SCREENS_HOOKS_H
#define SCREENS_HOOKS_H

#include "screens/screen.h"

bool hooks_has(const struct model *model, enum hook_kind kind);   /* fleet.ini has it */
bool hooks_run(const struct model *model);                        /* one runs, or is being started */

/* That hook could be asked for now: it is there, and none runs. Whether the step's gate lets it is said when it is asked for. */
bool hooks_enabled(const struct model *model, enum hook_kind kind);

/* The dialogs. */
void hooks_ask_provision(struct wizard *wizard);
void hooks_ask_divert(struct wizard *wizard);
void hooks_ask_decommission(struct wizard *wizard, const struct node *node);
void hooks_ask_quit(struct wizard *wizard);    /* one runs, and the wizard is to be left */

/* Why traffic should not be moved now so that the new cluster has `percent` of it; "" where nothing speaks against it. It warns, and
 * forbids nothing. `text` holds `size` bytes and is returned. */
const char *divert_advice(const struct model *model, int percent, char *text, size_t size);

/* One of the shares of traffic that the divert dialog offers. */
bool hooks_is_stage(int percent);

/* Seconds of [hooks] wait that are left before more should be moved; 0: none. */
int divert_wait_left(const struct model *model);

/* A line about the last hook, where it is of that kind and there is something to say. */
void hooks_add(struct prose *prose, const struct model *model, enum hook_kind kind);

/* The last one has ended: its outcome as a message. */
void hooks_ended(struct wizard *wizard);

/* What it says, over the screen. */
void hook_pane_open(struct wizard *wizard);
void hook_pane_draw(struct wizard *wizard, struct area area);
void hook_pane_key(struct wizard *wizard, const struct input *input);

#endif
