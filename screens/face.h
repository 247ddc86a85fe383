/*
 * What shows the wizard and brings what the operator answers: the full screen, or the dialogue line by line. Both stand on the same
 * model, screens and keys; the loop drives either.
 */
#ifndef SCREENS_FACE_H
#define SCREENS_FACE_H

#include "screens/screen.h"

#include <uv.h>

struct face {
    void (*begin)(struct wizard *wizard, uv_loop_t *uv);   /* watches for input: loop_input is called when there is some */
    void (*end)(struct wizard *wizard);                    /* closes its handles */
    void (*read)(struct wizard *wizard);                   /* takes what input there is, never waits; called with every tick too */
    void (*show)(struct wizard *wizard);
    void (*flush)(void);                                   /* throws away what was typed ahead */
    bool (*lost)(void);                                    /* there is nobody to show anything to any more */
    void (*hang_up)(void);                                 /* SIGHUP came. Async-signal-safe */
};

/* As uv_poll_init, for the operator's terminal. libuv makes what it polls non-blocking: the terminal would be so for the shell, too,
 * which shares it, and a write to a slow one would be tried again and again. In loop.c. */
int loop_poll(uv_loop_t *uv, uv_poll_t *poll, int fd);

extern const struct face face_screen, face_dialogue;

#endif
