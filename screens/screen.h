/*
 * A screen: a table of functions and one of keys. What it shows comes from the model, what it remembers is in the wizard's view.
 */
#ifndef SCREENS_SCREEN_H
#define SCREENS_SCREEN_H

#include "core/conf/conf_fix.h"
#include "screens/complete.h"
#include "screens/countdown.h"
#include "screens/model.h"
#include "screens/pane.h"
#include "tui/canvas.h"
#include "tui/dialog.h"
#include "tui/field.h"
#include "tui/frame.h"
#include "tui/input.h"
#include "tui/keys.h"
#include "tui/prose.h"
#include "tui/table.h"
#include "tui/trace.h"

struct wizard;

/* Actions that every screen has; a screen's own begin at ACTION_OWN. */
enum action {
    ACTION_QUIT = 1, ACTION_HELP, ACTION_NEXT, ACTION_PREVIOUS, ACTION_WHY, ACTION_GLYPHS, ACTION_THEME, ACTION_REPAINT, ACTION_OVERRULE, ACTION_GUARD, ACTION_HOOK, ACTION_LEAVE,
    ACTION_COPY, ACTION_FOCUS, ACTION_EXPLAIN, ACTION_READ_ALL,
    ACTION_GO_1, ACTION_GO_2, ACTION_GO_3, ACTION_GO_4, ACTION_GO_5,
    ACTION_OWN = 100,
    ACTION_ROW = 200,   /* from here on: a screen's own, on what is selected in its list */
};

struct screen {
    const struct keys_row *keys;
    size_t key_count;
    bool (*enabled)(const struct wizard *wizard, int action);
    void (*draw)(struct wizard *wizard, struct area area);
    bool (*pane)(struct wizard *wizard, size_t index, struct pane *pane);   /* its lists and texts, filled in; false past the last */
    void (*act)(struct wizard *wizard, int action);
};

#define PANES 3   /* more no screen has */
#define NODE_KEPT_SIZE 96   /* a name, with a number for its `*` */

extern const struct screen screen_welcome, screen_preflight, screen_up, screen_provision, screen_divert, screen_decommission, screen_finish,
    screen_done;

/* What is over the screen and takes all keys. */
enum overlay { OVERLAY_NONE, OVERLAY_TEXT, OVERLAY_DIALOG, OVERLAY_PROMPT, OVERLAY_HOOK, OVERLAY_LEAVE, OVERLAY_COUNTDOWN };

struct view {
    enum charset charset;               /* of the frame being drawn */
    enum step shown;
    bool settled;                       /* the screen is no longer chosen for the operator */
    bool why_hidden;
    size_t span;                        /* Divert's chart: which of its spans */
    bool show_log;                      /* Up and Finish: the log instead of the table */
    struct table_state tables[STEPS];
    struct prose_state proses[STEPS];
    size_t *node_rows;                  /* of the list of nodes last drawn or asked: indices of the model's nodes */
    size_t node_row_count;
    char node_kept[STEPS][NODE_KEPT_SIZE];   /* the node that the operator went to in the list: the selection stays with it; "" none */
    struct table_state sessions;        /* Decommission's second list */
    size_t focus[STEPS];                /* which pane of a screen has it */
    struct prose *gathered;             /* while all that a screen says is gathered: whole.h; else NULL */
    bool cut;                           /* some of it had no room in the last frame */
    char *copied;                       /* what was copied last; NULL: nothing yet */

    enum overlay overlay;
    char *title;                        /* of the text or prompt */
    struct prose text;                  /* of the overlay; the dialog's blocks too */
    struct prose_state text_state;
    const struct keys_row *text_keys;   /* the screen's own keys while the text is open: its actions, enabled as it says; NULL: none */
    size_t text_key_count;
    const struct check *check_shown;    /* the text is of this check; NULL: of something else */
    const struct check *check_kept;     /* the operator chose this one in the list: the selection stays with it */
    int blocker_pid;                    /* which the dialog of blockers is about */
    struct dialog_model dialog;
    int percent;                        /* chosen, while it is asked whether to go there all the same */
    char *must_type;                    /* the dialog's, owned: the model behind it changes while it is open */
    struct dialog_state dialog_state;
    void (*answered)(struct wizard *wizard, size_t answer);
    struct countdown countdown;
    struct field_model field;
    struct field_state field_state;
    struct complete complete;
    void (*submitted)(struct wizard *wizard, const char *text);

    bool touched;                       /* a key or another size came since the last frame */
    char message[400];                  /* of the last thing done; "" none */
    enum mark message_mark;
    int64_t message_until;
};

struct wizard {
    const struct options *options;
    const struct face *face;            /* NULL in tests of drawing */
    struct answers *answers;            /* lead the dialogue; NULL: the operator does */
    struct model model;
    struct view view;
    struct trace *trace;                /* NULL: none */
    struct loop *loop;                  /* libuv and the watchers: loop.h; NULL in tests of drawing */
    int exit_code;
    bool leaving;
};

void view_free(struct view *view);

/* Services for screens. */

/* Fills the whole canvas: the frame, the screen, what is over it. */
void wizard_draw(struct wizard *wizard, struct canvas *canvas);
void wizard_key(struct wizard *wizard, const struct input *input);
bool wizard_is_typing(struct wizard *wizard);   /* keys go into a field now */

/* The frame and the screen alone, without what is over it and without the footer. */
void wizard_draw_screen(struct wizard *wizard, struct area area);

/* The tables of keys of the screen shown, the first one first: its own, those of the list or text that has the focus, those of all
 * screens. `pane` is that of pane_here. What is in them goes with the wizard and the struct. */
struct wizard_maps {
    struct keys_map here, pane, common;
};
void wizard_fill_maps(struct wizard_maps *maps, const struct wizard *wizard, const struct pane *pane);
void wizard_act(struct wizard *wizard, int action);

/* Closes the dialog or the prompt that is open, with that answer or text. */
void wizard_answer(struct wizard *wizard, size_t answer);
void wizard_submit(struct wizard *wizard, const char *text);

/* What is wrong, or the gate's sentence where it is shut; without a text: nothing. `text` holds `size` bytes. */
#define WIZARD_STATUS_SIZE 400
struct prose_block wizard_status(const struct wizard *wizard, char *text, size_t size);

/* The screen that is shown; and the footer, with the keys that work there now. */
const struct screen *wizard_screen(const struct wizard *wizard);
void wizard_draw_keys(struct wizard *wizard, struct area area);

/* A text over the screen. Fill `wizard->view.text` after it (and say what keys of the screen's it has). */
void wizard_open_text(struct wizard *wizard, const char *title);

/* The keys of a text over the screen (view.text_state): moving, searching, copying. False: not its key. */
bool wizard_read_text(struct wizard *wizard, const struct prose_block *blocks, size_t count, const struct input *input);

/* A question: text in view.text (filled before), answers in `model` (its blocks are set here). */
void wizard_open_dialog(struct wizard *wizard, const struct dialog_model *model, void (*answered)(struct wizard *wizard, size_t answer));

void wizard_open_prompt(struct wizard *wizard, const char *title, const struct field_model *field, const char *text,
                        void (*submitted)(struct wizard *wizard, const char *text));

void wizard_say(struct wizard *wizard, enum mark mark, const char *format, ...) __attribute__((format(printf, 3, 4)));
void wizard_say_error(struct wizard *wizard, struct error *error);   /* and clears it */
void wizard_go(struct wizard *wizard, enum step step);
void wizard_quit(struct wizard *wizard);   /* at once, or, while a hook runs, after a question */

/* Panes that several screens have. */

/* `text` in full below a list of so many rows, in as many lines as the list can spare; NULL: none. Returns what is left for the list. */
struct area note_draw(struct wizard *wizard, struct area area, size_t rows, enum mark mark, const char *text);

/* The nodes of one cluster as a table, those with which something is wrong first, and its pane. NODE_COLUMNS_BOTH: of both clusters, the
 * new one first. */
enum node_columns { NODE_COLUMNS_IDENTITY, NODE_COLUMNS_TRAFFIC, NODE_COLUMNS_BOTH };
void node_pane_add_troubles(struct prose *prose, const struct wizard *wizard, enum cluster cluster, enum node_columns columns);   /* a line, where they are many */
void node_pane_draw(struct wizard *wizard, struct area area, enum cluster cluster, enum node_columns columns, const char *empty);
void node_pane(struct wizard *wizard, enum cluster cluster, enum node_columns columns, struct pane *pane);
const struct node *node_pane_selected(struct wizard *wizard, enum cluster cluster, enum node_columns columns);   /* NULL: none */

#define RUN_STALL_FELT_MS 100.0   /* as much as a node notices */

/* A run: progress, who blocks, the changes or the log; or the plan, before there is one. */
void run_pane_draw(struct wizard *wizard, struct area area);

/* The actions that Up and Finish share: their rows of keys, whether they can be used now on the screen shown, and what they do. */
enum { ACTION_STOP = ACTION_OWN + 50, ACTION_BLOCKERS, ACTION_LOG, ACTION_BACKUP, ACTION_CUSTOM };
#define RUN_PANE_KEYS \
    {{'B'}, "back up", "Back up Kong's schema with pg_dump into a folder, and verify it.", ACTION_BACKUP, -57, NULL}, \
    {{'x'}, "stop", "Ask the worker to stop at the next safe point. Starting again goes on from there.", ACTION_STOP, -56, NULL}, \
    {{'k'}, "blockers", "The sessions that the run waits for; cancel a query or end a session, once its number is typed.", ACTION_BLOCKERS, -58, NULL}, \
    {{'l'}, "log", "The worker's log instead of the list of changes, and back.", ACTION_LOG, -40, NULL}, \
    {{'m'}, "custom plugins", "Run Kong's own command for the migrations of custom plugins.", ACTION_CUSTOM, -59, NULL}
bool run_pane_enabled(const struct wizard *wizard, int action);
void run_pane_act(struct wizard *wizard, int action);
void run_pane(struct wizard *wizard, struct pane *pane);
void plan_pane_draw(struct wizard *wizard, struct area area);
void plan_pane(struct wizard *wizard, struct pane *pane);

/* A run of someone else's (model_is_watching); its pane is the plan's. */
void watch_pane_draw(struct wizard *wizard, struct area area);

/* Sessions are in the way of the run shown: a dialog to end them. */
bool blockers_are_there(const struct model *model);
void blockers_open(struct wizard *wizard);

/* Preflight. A check has been through (the result is taken over); all, or those of `ids`, are to be looked at again. */
void preflight_take(struct wizard *wizard, struct check_result *result);
void preflight_wait(struct wizard *wizard, const struct names *ids);

/* kong.conf mended, from the check `configuration`: asks for it; shows the difference and asks whether to write it (`fix` NULL: the error
 * says why not); says what came of writing (the error's code: ERROR_NONE). What `fix` points to is there until the next call. */
bool conf_pane_is_of(const struct check_result *result);   /* it is the check, and something is deprecated */
bool conf_pane_enabled(const struct wizard *wizard);       /* there is a kong.conf */
void conf_pane_begin(struct wizard *wizard);
void conf_pane_made(struct wizard *wizard, const struct conf_fix *fix, struct error *error);
void conf_pane_written(struct wizard *wizard, const struct conf_fix *fix, const char *target, struct error *error);

/* The Admin API guard: whether it found something, a line about it, all of it. */
bool api_guard_is_there(const struct model *model);
void api_guard_add(struct prose *prose, const struct model *model);
void api_guard_open(struct wizard *wizard);

/* The verdict on the new cluster: a line where it is worse, nothing else; and what is known of a node's answers, for its details. */
void verdict_add(struct prose *prose, const struct model *model);
void verdict_add_facts(struct prose *prose, const struct model *model, const struct node *node);

/* Step 1 begins with the finish of an earlier upgrade (model_finish_first): what is said of it, and asking for it. */
bool earlier_enabled(const struct model *model);
void earlier_draw(struct wizard *wizard, struct area area);
void earlier_pane(struct wizard *wizard, struct pane *pane);
void earlier_ask(struct wizard *wizard);

/* A worker of ours that no longer runs left Kong's lock behind: then starting removes it, after it was said by dead_lock_add. */
bool dead_lock_is_there(const struct model *model);
void dead_lock_add(struct prose *prose, const struct model *model);   /* nothing where it is not so */

#endif
