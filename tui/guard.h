/*
 * Output that can't block for ever. A write to a terminal that takes nothing waits, and ncurses tries again whatever
 * the reason. Between guard_begin and guard_end an interval timer runs: when time is up, its signal puts /dev/null in
 * the place of standard output, and the rest of the frame goes there. Only terminal.c uses this.
 */
#ifndef TUI_GUARD_H
#define TUI_GUARD_H

#include <stdbool.h>

bool guard_open(void); /* before the first guard_begin; false with errno set */
void guard_close(void);
void guard_begin(void);
bool guard_end(void); /* false if time was up: what was written is incomplete. Standard output is the terminal again */
void guard_silence(void); /* standard output is /dev/null from now on: nothing more may reach the terminal */

#endif
