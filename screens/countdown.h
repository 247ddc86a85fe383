/*
 * The last question and the last seconds before what can't be undone. For the question the database's name is typed, and where no backup
 * is known, one is made or declared. Then everything was asked and answered, nothing has been sent. Any key stops it: one that
 * was typed ahead or is held down, and a paste, too; so does what speaks against going on by now, and a program that was held up (^Z).
 * Only seconds that were on the screen count.
 */
#ifndef SCREENS_COUNTDOWN_H
#define SCREENS_COUNTDOWN_H

#include "tui/canvas.h"
#include "tui/input.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wizard;

#define COUNTDOWN_MS 5000
#define COUNTDOWN_TICK_MS 500    /* counts at most, of the time between two ticks: a busy machine makes the seconds longer, not shorter */
#define COUNTDOWN_GAP_MS 10000   /* between two ticks: whoever began it may be gone */

struct countdown {
    const char *title;            /* of the question; all texts are static */
    const char *yes;              /* "Finish" */
    const char *yes_without;      /* "I have another: finish": where no backup was made here */
    const char *what;             /* "Step 5 begins in": a few words */
    void (*go)(struct wizard *wizard);
    /* Why it can't go on now, in a sentence; "" where it can. `text` holds `size` bytes and is returned. */
    const char *(*refusal)(const struct wizard *wizard, char *text, size_t size);
    int64_t left_ms;
    int64_t at;                   /* monotonic ms up to which was counted; 0: not begun */
    bool drawn;                   /* it was in the last frame that reached the terminal */
};

/* Opens the question, whose text is in view.text. What has changed under it is seen before the seconds begin, and until they have run out. */
void countdown_ask(struct wizard *wizard, const struct countdown *countdown);
void countdown_draw(struct wizard *wizard, struct area area);

/* Another key, or another size of the window. */
void countdown_stop(struct wizard *wizard, const char *why);

/* Counts on, up to model.now; goes when the time has run out. To be called with each tick, once all keys that came were read. */
void countdown_tick(struct wizard *wizard);

#endif
