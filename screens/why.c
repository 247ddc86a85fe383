#include "screens/why.h"

#include "screens/whole.h"

#define WHY_BLOCKS 3

/* Where it is another story from 0.14; NULL: as ever. */
static const struct step_text from_014[STEPS] = {
    [STEP_UP] = {.safe = "Safe beside live traffic: it waits for locks briefly and tries again. It destroys nothing, and leaves what 0.14 nodes call. It runs in a process of its"
                         " own: a lost connection does not stop it."},
    [STEP_PROVISION] = {.does = "Start the 1.3 nodes on the same database. Their kong.conf is 1.3's: custom_plugins is gone, and custom plugins must be made for 1.0 or later.",
                        .safe = "The old cluster serves on, and new nodes get no traffic before step 3. Keep using the 0.14 nodes' Admin API: 1.3's has another syntax."},
    [STEP_DECOMMISSION] = {.out = "Start the 0.14 nodes again and move the traffic back: they can start until step 5."},
    [STEP_FINISH] = {.does = "Removes from the database what only the 0.14 nodes needed.", .safe = "This can't be undone. After it a 0.14 node refuses to start."},
};

/* A step whose nodes are 1.0's to 1.2's. */
static const char since_1_0[] = "This can't be undone. After it old nodes must never run on this database again: they would start, and nothing in Kong stops them, so keep them off.";

static void tell_origin(const struct state *state, enum step step, struct step_text *text)
{
    const struct step_text *other = &from_014[step];
    if (step == STEP_FINISH && state_plugins_only(state)) {
        text->does = "Completes the tables of plugins that were loaded since the upgrade.";
        text->safe = "This can't be undone. Nodes of 1.3 work on meanwhile.";
        text->out = "After it only a backup brings back what there was.";
    } else if (state->from_014) {
        text->does = other->does != NULL ? other->does : text->does;
        text->safe = other->safe != NULL ? other->safe : text->safe;
        text->out = other->out != NULL ? other->out : text->out;
    } else if (step == STEP_FINISH && state->stage != STAGE_CURRENT) {
        text->safe = since_1_0;
    }
}

static void tell_earlier(const struct state *state, struct step_text *text)
{
    text->does = "An earlier upgrade was never finished. This step finishes it first, and then migrates up to 1.3.";
    text->irreversible = state->from_014;
    text->safe = state->from_014 ? "To finish it can't be undone: nodes of 0.14 can't start after it. Nodes of 1.0 to 1.2 work on."
                                 : "To finish it takes nothing from nodes of 1.0 to 1.2: they work on.";
    text->out = "Press q; nothing has happened.";
}

static void tell_rollback(const struct model *model, struct step_text *text)
{
    bool ended = model->run.ended && model->run.exit_code == 0;
    text->does = "Undoes what this step had added, newest first.";
    text->safe = "Old nodes work on meanwhile. 1.3 nodes can't work on the database any more: keep them stopped.";
    text->out = ended ? "It is done: press q." : "x stops it at a safe point; L goes on with it, s migrates up again instead.";
}

/* What is fixed about the step shown. What was safe before step 5 is no more after it, and an empty database has nothing to lose. */
struct step_text why_text(const struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    struct step_text text = step_texts[wizard->view.shown];
    bool done = model->has_state && model->state.stage == STAGE_CURRENT;
    if (text.number > 0 && model_finish_begun(model)) {
        text.irreversible = true;
        text.safe = done ? "Step 5 is done: old nodes must never run on this database again."
                         : "Step 5 has begun: old nodes must never run on this database again.";
        text.out = "Only a backup from before step 5 brings the old cluster back.";
    } else if (wizard->view.shown == STEP_UP && model->has_state && model->state.stage == STAGE_EMPTY) {
        text.does = "Makes Kong 1.3's tables in the empty database, in one transaction.";
        text.safe = "There is nothing to lose: the database holds nothing of Kong.";
        text.out = "Press q; nothing has happened.";
    } else if (wizard->view.shown == STEP_UP && model_finish_first(model)) {
        tell_earlier(&model->state, &text);
    } else if (wizard->view.shown == STEP_UP && model_rolls_back(model)) {
        tell_rollback(model, &text);
    } else if (model->has_state) {
        tell_origin(&model->state, wizard->view.shown, &text);
    }
    return text;
}

static void fill_why(const struct step_text *text, struct prose_block blocks[WHY_BLOCKS])
{
    blocks[0] = (struct prose_block){.kind = PROSE_PARAGRAPH, .text = text->does};
    blocks[1] = (struct prose_block){.kind = PROSE_MARK, .text = text->safe, .mark = text->irreversible ? MARK_DANGER : MARK_INFO};
    blocks[2] = (struct prose_block){.kind = PROSE_KEY, .text = text->out, .term = "Way out"};
}

void why_draw(struct wizard *wizard, struct area area)
{
    const struct step_text text = why_text(wizard);
    struct prose_block blocks[WHY_BLOCKS];
    fill_why(&text, blocks);
    whole_draw(wizard, area_box(area, ROLE_BORDER, "Why"), blocks, WHY_BLOCKS);
}

void why_leave_out(struct wizard *wizard)
{
    const struct step_text text = why_text(wizard);
    struct prose_block blocks[WHY_BLOCKS];
    fill_why(&text, blocks);
    whole_add(wizard, blocks, WHY_BLOCKS);
    wizard->view.cut = wizard->view.cut || !wizard->view.why_hidden;
}

int why_height(const struct wizard *wizard, int width, enum charset charset)
{
    const struct step_text text = why_text(wizard);
    struct prose_block blocks[WHY_BLOCKS];
    fill_why(&text, blocks);
    return prose_height(blocks, WHY_BLOCKS, width - 2, charset) + 2;
}
