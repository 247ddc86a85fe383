#include "screens/why.h"

#include "screens/whole.h"

#define WHY_BLOCKS 3

/* What is fixed about the step shown. What was safe before step 5 is no more after it, and an empty database has nothing to lose. */
struct step_text why_text(const struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    struct step_text text = step_texts[wizard->view.shown];
    bool done = model->has_state && model->state.stage == STAGE_CURRENT;
    bool begun = !model_backs_up(model) && model_runs(model, STEP_FINISH) && model->run.done_count > 0;
    if (text.number > 0 && (done || begun)) {
        text.irreversible = true;
        text.safe = done ? "Step 5 is done: old nodes must never run on this database again."
                         : "Step 5 has begun: old nodes must never run on this database again.";
        text.out = "Only a backup from before step 5 brings the old cluster back.";
    } else if (wizard->view.shown == STEP_UP && model->has_state && model->state.stage == STAGE_EMPTY) {
        text.does = "Makes Kong 1.3's tables in the empty database, in one transaction.";
        text.safe = "There is nothing to lose: the database holds nothing of Kong.";
        text.out = "Press q; nothing has happened.";
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
