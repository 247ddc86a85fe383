#include "screens/leave.h"

#include "core/linger.h"
#include "screens/backup_note.h"
#include "screens/fleet_nodes.h"
#include "screens/loop.h"
#include "tui/layout.h"

enum { ACTION_BACK = ACTION_OWN, ACTION_RELEASE, ACTION_STAY };

/* The release that the old nodes run, the newest of several: what the database was is not told by itself. */
static enum kong_version find_release(const struct model *model)
{
    for (enum kong_version release = KONG_0_14; release < KONG_1_3; release++) {
        bool all = true, any = false;
        for (size_t i = 0; i < model->node_count; i++) {
            const struct node *node = model->nodes[i].node;
            any = any || (node->cluster == CLUSTER_OLD && node->state == NODE_ANSWERS && node->version != NULL);
            all = all && !(node->cluster == CLUSTER_OLD && fleet_is_newer(node, release));
        }
        if (any && all)
            return release;
    }
    return KONG_VERSIONS;
}

bool leave_enabled(const struct wizard *wizard)
{
    enum step step = wizard->view.shown;
    return step >= STEP_UP && step <= STEP_DECOMMISSION && wizard->model.has_state && wizard->model.state.stage != STAGE_EMPTY;
}

static void open_for(struct wizard *wizard, enum kong_version to)
{
    wizard->view.text_state = (struct prose_state){0};
    wizard->view.overlay = OVERLAY_LEAVE;
    loop_look_back(wizard, to);
}

void leave_open(struct wizard *wizard)
{
    open_for(wizard, find_release(&wizard->model));
}

void leave_draw(struct wizard *wizard, struct area area)
{
    struct prose prose = {0};
    struct area box = layout_centre(area, 96, area.height);
    leave_fill(&prose, &wizard->model);
    area_fill(box, ROLE_TEXT);
    struct area inside = area_inset(area_box(box, ROLE_BORDER, "Leave the upgrade"), 1, 0);
    prose_draw(inside, prose.blocks, prose.count, &wizard->view.text_state);
    area_cursor(inside, 0, 0);
    prose_free(&prose);
}

/* Another release. */

static void release_chosen(struct wizard *wizard, size_t answer)
{
    enum kong_version to = wizard->model.way_back.to;
    for (int version = KONG_VERSIONS - 1; version >= 0 && answer > 0; version--)
        if ((wizard->model.way_back.rollback.releases & 1u << version) != 0 && --answer == 0)
            to = (enum kong_version)version;
    open_for(wizard, to);
}

static void ask_release(struct wizard *wizard)
{
    const struct rollback *rollback = &wizard->model.way_back.rollback;
    struct dialog_model dialog = {.title = "Back to which Kong?", .mark = MARK_WARN, .answers = {{"As it is", false}}, .answer_count = 1};
    prose_clear(&wizard->view.text);
    prose_add(&wizard->view.text, PROSE_PARAGRAPH, "What was the database before `up`? Core's migrations up to these releases are recorded in it, and no journal of this machine says"
                                                   " which of them `up` has brought. Your old nodes' release is the answer.");
    for (int version = KONG_VERSIONS - 1; version >= 0; version--)
        if ((rollback->releases & 1u << version) != 0 && dialog.answer_count < DIALOG_ANSWERS)
            dialog.answers[dialog.answer_count++] = (struct dialog_answer){kong_version_names[version], false};
    wizard_open_dialog(wizard, &dialog, release_chosen);
}

/* The rollback. */

static const char *refusal(const struct wizard *wizard, char *text, size_t size)
{
    return leave_refusal(&wizard->model, text, size);
}

/* Step 1 shows the run, and is where the upgrade stands after it. */
static void start(struct wizard *wizard)
{
    wizard_go(wizard, STEP_UP);
    loop_start(wizard, ROLLBACK_COMMAND, dead_lock_is_there(&wizard->model));
}

static void ask_back(struct wizard *wizard)
{
    static const struct countdown countdown = {
        .title = "Roll back?",
        .yes = "Roll back",
        .yes_without = "I have another: roll back",
        .what = "The rollback begins in",
        .go = start,
        .refusal = refusal,
    };
    const struct model *model = &wizard->model;
    const struct way_back *back = &model->way_back;
    struct prose *prose = &wizard->view.text;
    prose_clear(prose);
    prose_add(prose, PROSE_PARAGRAPH, "Database %s at %s:%d goes back to %s.", model->state.database, model->state.host, model->state.port, way_back_name(back));
    leave_add_losses(prose, back);
    prose_add_mark(prose, MARK_DANGER, "1.3 nodes can't work on it any more, nor start: keep them stopped.");
    if (!backup_is_there(model))
        prose_add_mark(prose, MARK_WARN, "No backup was made here. Make one first, or have another.");
    else
        backup_add(prose, model, true);
    if (model->ends_at_logout)
        prose_add_mark(prose, MARK_WARN, "%s", linger_warning);
    dead_lock_add(prose, model);
    countdown_ask(wizard, &countdown);
}

/* Keys. */

static const struct keys_row rows[] = {
    {{'r'}, "roll back", NULL, ACTION_BACK, 70, NULL},
    {{'c'}, "another release", NULL, ACTION_RELEASE, -60, NULL},
    {{'q'}, "quit", NULL, ACTION_QUIT, 80, NULL},
    {{K_ESC, K_ENTER, 'L'}, "stay", NULL, ACTION_STAY, 90, NULL},
    {{K_NONE}, "scroll", NULL, 0, 50, "↑↓"},
    {{K_NONE}, "search", NULL, 0, 45, "/"},
    {{K_NONE}, "copy", NULL, 0, 40, "y"},
};

static bool is_enabled(const void *context, int action)
{
    const struct model *model = &((const struct wizard *)context)->model;
    char reason[512];
    if (action == ACTION_BACK)
        return leave_refusal(model, reason, sizeof reason)[0] == '\0';
    return action != ACTION_RELEASE || (!model->looking_back && way_back_is_open(&model->way_back) && leave_is_in_doubt(model));
}

struct keys_map leave_keys(const struct wizard *wizard)
{
    return (struct keys_map){rows, COUNT_OF(rows), is_enabled, wizard, NULL};
}

static void act(struct wizard *wizard, int action)
{
    wizard->view.overlay = OVERLAY_NONE;
    if (action == ACTION_BACK)
        ask_back(wizard);
    else if (action == ACTION_RELEASE)
        ask_release(wizard);
    else if (action == ACTION_QUIT)
        wizard_quit(wizard);
}

void leave_key(struct wizard *wizard, const struct input *input)
{
    struct prose prose = {0};
    const struct keys_map keys = leave_keys(wizard);
    leave_fill(&prose, &wizard->model);
    bool mine = wizard_read_text(wizard, prose.blocks, prose.count, input);
    int action = mine ? 0 : keys_action(&keys, input);
    prose_free(&prose);
    if (action > 0)
        act(wizard, action);
}
