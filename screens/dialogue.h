/*
 * The wizard line by line: `--plain`, and TERM=dumb. The same screens, dialogs and messages over the same model, told in words (see
 * tui/told.h) and answered with a key or a word and Enter. Nothing is painted over: what is new is a new line. It is for screen
 * readers, for terminals that can do no more, and, answered from a file, for nobody at all (answers.h).
 *
 * What it tells by itself: messages, the log of a run and of a hook, and sentences and rows that say something else than before; not
 * figures, which change all the time (`read` tells all).
 */
#ifndef SCREENS_DIALOGUE_H
#define SCREENS_DIALOGUE_H

#include "core/base/buf.h"
#include "core/base/names.h"
#include "screens/screen.h"
#include "tui/told.h"

/* What a line answers. */
enum dialogue_asks {
    DIALOGUE_CHOICE,     /* what to do on the screen */
    DIALOGUE_ANSWER,     /* a dialog: which answer */
    DIALOGUE_NAME,       /* the dialog's name, in full */
    DIALOGUE_TEXT,       /* a prompt's text */
    DIALOGUE_HOOK,       /* the hook that runs may be stopped */
    DIALOGUE_COUNTDOWN,  /* any line stops what is about to begin */
};

struct dialogue {
    struct buf out;              /* what was told and is not written yet: printable */
    size_t written;              /* of it */
    struct told told;            /* the screen, now */
    struct names before, said;   /* gists of its lines a frame ago, and of those that the operator has heard */
    bool entered;                /* that screen was told */
    enum step step;              /* which it was */
    bool read, read_all;         /* it is to be told once more; with all rows */
    bool why_told[STEPS];
    enum step here;              /* where the upgrade stood when it was said last */
    char *choices;               /* as they were told last */
    char *choices_before;        /* as they were a frame ago */

    char *message;
    int64_t message_until;       /* the message that was told last, and until when it stands */
    char *log_path;              /* the journal whose log is told */
    size_t log_count;            /* lines of it that were told, or passed over */
    char *log_gist;              /* of the last one told */
    char *hook_path;
    size_t hook_count;
    int64_t told_at;             /* monotonic ms */

    enum dialogue_asks asks;
    bool overlay_told;
    size_t answer;               /* the dialog's that wants a name */
    bool prompted;               /* an answer is waited for, … */
    bool prompt_shown;           /* … and the last line says so */
    int interrupts;              /* Ctrl-C since the last line */
};

/* Tells what is new since the last call, and asks. */
void dialogue_show(struct wizard *wizard, struct dialogue *dialogue);

/* A line of the operator's, without its newline. */
void dialogue_line(struct wizard *wizard, struct dialogue *dialogue, const char *line);

/* The screen was told, and an answer is waited for. */
bool dialogue_waits(const struct dialogue *dialogue);

void dialogue_free(struct dialogue *dialogue);

/* One sentence or line of it, after the prompt has been left; wrapped to the terminal. `prefix` may be "". */
void dialogue_say(struct dialogue *dialogue, const char *prefix, const char *text);

/* The answer that a file gives to the prompt. */
void dialogue_echo(struct dialogue *dialogue, const char *line);

/* The choices that can be made on the screen shown, as one sentence; with `full`, a line each and what they do. The caller frees. */
char *dialogue_choices(struct wizard *wizard, bool full);

#endif
