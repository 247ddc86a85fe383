/*
 * A screen: a table of functions and one of keys. What it shows comes from the model, what it remembers is in the wizard's view.
 */
#ifndef SCREENS_SCREEN_H
#define SCREENS_SCREEN_H

#include "screens/model.h"
#include "tui/canvas.h"
#include "tui/dialog.h"
#include "tui/field.h"
#include "tui/frame.h"
#include "tui/input.h"
#include "tui/keys.h"
#include "tui/prose.h"
#include "tui/table.h"

struct wizard;

/* Actions that every screen has; a screen's own begin at ACTION_OWN. */
enum action {
    ACTION_QUIT = 1, ACTION_HELP, ACTION_NEXT, ACTION_PREVIOUS, ACTION_WHY, ACTION_GLYPHS, ACTION_THEME, ACTION_REPAINT, ACTION_OVERRULE, ACTION_GUARD, ACTION_HOOK,
    ACTION_GO_1, ACTION_GO_2, ACTION_GO_3, ACTION_GO_4, ACTION_GO_5,
    ACTION_OWN = 100,
    ACTION_ROW = 200,   /* from here on: a screen's own, on what is selected in its list */
};

struct screen {
    const struct keys_row *keys;
    size_t key_count;
    bool (*enabled)(const struct wizard *wizard, int action);
    void (*draw)(struct wizard *wizard, struct area area);
    bool (*key)(struct wizard *wizard, const struct input *input);   /* moving in its list or text; true: it was its key */
    void (*act)(struct wizard *wizard, int action);
};

extern const struct screen screen_welcome, screen_preflight, screen_up, screen_provision, screen_divert, screen_decommission, screen_finish,
    screen_done;

/* What is over the screen and takes all keys. */
enum overlay { OVERLAY_NONE, OVERLAY_TEXT, OVERLAY_DIALOG, OVERLAY_PROMPT, OVERLAY_HOOK };

struct view {
    enum charset charset;               /* of the frame being drawn */
    enum step shown;
    bool settled;                       /* the screen is no longer chosen for the operator */
    bool why_hidden;
    size_t span;                        /* Divert's chart: which of its spans */
    bool show_log;                      /* Up and Finish: the log instead of the table */
    struct table_state tables[STEPS];
    struct prose_state proses[STEPS];

    enum overlay overlay;
    char *title;                        /* of the text or prompt */
    struct prose text;                  /* of the overlay; the dialog's blocks too */
    struct prose_state text_state;
    int blocker_pid;                    /* which the dialog of blockers is about */
    struct dialog_model dialog;
    int percent;                        /* chosen, while it is asked whether to go there all the same */
    char *must_type;                    /* the dialog's, owned: the model behind it changes while it is open */
    struct dialog_state dialog_state;
    void (*answered)(struct wizard *wizard, size_t answer);
    struct field_model field;
    struct field_state field_state;
    void (*submitted)(struct wizard *wizard, const char *text);

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
    struct loop *loop;                  /* libuv and the watchers: loop.h; NULL in tests of drawing */
    int exit_code;
    bool leaving;
};

/* Services for screens. */

/* Fills the whole canvas: the frame, the screen, what is over it. */
void wizard_draw(struct wizard *wizard, struct canvas *canvas);
void wizard_key(struct wizard *wizard, const struct input *input);

/* The actions that work on the screen shown, its own first. */
struct keys_map wizard_keys_common(const struct wizard *wizard);
struct keys_map wizard_keys_here(const struct wizard *wizard, const struct keys_map *common);
void wizard_act(struct wizard *wizard, int action);

/* Closes the dialog or the prompt that is open, with that answer or text. */
void wizard_answer(struct wizard *wizard, size_t answer);
void wizard_submit(struct wizard *wizard, const char *text);

/* What is wrong, or the gate's sentence where it is shut; without a text: nothing. `text` holds `size` bytes. */
#define WIZARD_STATUS_SIZE 400
struct prose_block wizard_status(const struct wizard *wizard, char *text, size_t size);

/* The screen that is shown; and the footer, with the keys that work there now. */
const struct screen *wizard_screen(const struct wizard *wizard);
void wizard_draw_keys(const struct wizard *wizard, struct area area);

/* A text over the screen. Fill `wizard->view.text` after it. */
void wizard_open_text(struct wizard *wizard, const char *title);

/* A question: text in view.text (filled before), answers in `model` (its blocks are set here). */
void wizard_open_dialog(struct wizard *wizard, const struct dialog_model *model, void (*answered)(struct wizard *wizard, size_t answer));

void wizard_open_prompt(struct wizard *wizard, const char *title, const struct field_model *field, const char *text,
                        void (*submitted)(struct wizard *wizard, const char *text));

void wizard_say(struct wizard *wizard, enum mark mark, const char *format, ...) __attribute__((format(printf, 3, 4)));
void wizard_say_error(struct wizard *wizard, struct error *error);   /* and clears it */
void wizard_go(struct wizard *wizard, enum step step);

/* Panes that several screens have. */

/* `text` in full below a list of so many rows, in as many lines as the list can spare; NULL: none. Returns what is left for the list. */
struct area note_draw(struct area area, size_t rows, enum mark mark, const char *text);

/* The nodes of one cluster as a table: draws it with its details' keys. NODE_COLUMNS_BOTH: of both clusters, the new one first. */
enum node_columns { NODE_COLUMNS_IDENTITY, NODE_COLUMNS_TRAFFIC, NODE_COLUMNS_BOTH };
void node_pane_draw(struct wizard *wizard, struct area area, enum cluster cluster, enum node_columns columns, const char *empty);
bool node_pane_key(struct wizard *wizard, const struct input *input, enum cluster cluster, enum node_columns columns);
const struct node *node_pane_selected(const struct wizard *wizard, enum cluster cluster, enum node_columns columns);   /* NULL: none */

/* A run: progress, who blocks, the changes or the log; or the plan, before there is one. */
void run_pane_draw(struct wizard *wizard, struct area area);

/* The actions that Up and Finish share: their rows of keys, whether they can be used now on the screen shown, and what they do. */
enum { ACTION_STOP = ACTION_OWN + 50, ACTION_BLOCKERS, ACTION_LOG, ACTION_BACKUP };
#define RUN_PANE_KEYS \
    {{'B'}, "back up", "Back up Kong's schema with pg_dump into a folder, and verify it.", ACTION_BACKUP, 57, NULL}, \
    {{'x'}, "stop", "Ask the worker to stop at the next safe point. Starting again goes on from there.", ACTION_STOP, 56, NULL}, \
    {{'k'}, "blockers", "The sessions that the run waits for; cancel a query or end a session, once its number is typed.", ACTION_BLOCKERS, -58, NULL}, \
    {{'l'}, "log", "The worker's log instead of the list of changes, and back.", ACTION_LOG, 40, NULL}
bool run_pane_enabled(const struct wizard *wizard, int action);
void run_pane_act(struct wizard *wizard, int action);
bool run_pane_key(struct wizard *wizard, const struct input *input);
void plan_pane_draw(struct wizard *wizard, struct area area);
bool plan_pane_key(struct wizard *wizard, const struct input *input);

/* A run of someone else's (model_is_watching); its keys are the plan's. */
void watch_pane_draw(struct wizard *wizard, struct area area);

/* Sessions are in the way of the run shown: a dialog to end them. */
bool blockers_are_there(const struct model *model);
void blockers_open(struct wizard *wizard);

/* The Admin API guard: whether it found something, a line about it, all of it. */
bool api_guard_is_there(const struct model *model);
void api_guard_add(struct prose *prose, const struct model *model);
void api_guard_open(struct wizard *wizard);

/* The verdict on the new cluster: a line where it is worse, nothing else; and what is known of a node's answers, for its details. */
void verdict_add(struct prose *prose, const struct model *model);
void verdict_add_facts(struct prose *prose, const struct model *model, const struct node *node);

/* A worker of ours that no longer runs left Kong's lock behind: then starting removes it, after it was said. */
bool dead_lock_is_there(const struct model *model);

#endif
