/* What a hook says, over the screen; while it runs, as it comes. */
#include "core/hook.h"
#include "core/supervise.h"
#include "screens/hooks.h"
#include "tui/layout.h"

#include <stdlib.h>

void hook_pane_open(struct wizard *wizard)
{
    wizard->view.text_state = (struct prose_state){.follow = true};
    wizard->view.overlay = OVERLAY_HOOK;
}

static void add_state(struct prose *prose, const struct model *model)
{
    const struct hook_record *record = &model->hook.record;
    char *sentence = hook_record_sentence(record);
    long long seconds = model->now > model->hook_at ? (long long)(model->now - model->hook_at) / 1000 : 0;
    if (record->result == HOOK_RUNS)
        prose_add_mark(prose, MARK_WAIT, "%s, since %lld s. It goes on when this is closed; x stops it.", sentence, seconds);
    else
        prose_add_mark(prose, record->result == HOOK_DONE ? MARK_OK : MARK_DANGER, "%s", sentence);
    prose_add_key(prose, "Command", record->command);
    free(sentence);
}

static void add_lines(struct prose *prose, const struct model *model)
{
    const struct hook_lines *lines = &model->hook.lines;
    if (lines->dropped > 0)
        prose_add(prose, PROSE_PARAGRAPH, "What it said before is not kept.");
    for (size_t i = 0; i < lines->count; i++)
        prose_add(prose, PROSE_LITERAL, "%s", hook_lines_get(lines, i));
    if (lines->count == 0)
        prose_add(prose, PROSE_PARAGRAPH, "It has said nothing%s.", model->hook.record.result == HOOK_RUNS ? " yet" : "");
}

/* How it stands stays in sight, whatever it says. */
void hook_pane_draw(struct wizard *wizard, struct area area)
{
    const struct model *model = &wizard->model;
    struct prose head = {0}, lines = {0};
    struct prose_state top = {0};
    struct area parts[2], box = layout_centre(area, 96, area.height);
    area_fill(box, ROLE_TEXT);
    struct area inside = area_inset(area_box(box, ROLE_BORDER, "Hook"), 1, 0);
    if (model->hook_starting || model->hook.record.command == NULL) {
        prose_add_mark(&head, MARK_WAIT, "Starting the hook.");
    } else {
        add_state(&head, model);
        add_lines(&lines, model);
    }
    const struct layout_request rows[] = {
        LAYOUT_BETWEEN(1, prose_height(head.blocks, head.count, inside.width, area.canvas->charset), 2), LAYOUT_FILL(1, 1),
    };
    layout_rows(inside, 1, rows, 2, parts);
    prose_draw(parts[0], head.blocks, head.count, &top);
    prose_draw(parts[1], lines.blocks, lines.count, &wizard->view.text_state);
    area_cursor(parts[1], 0, 0);
    prose_free(&lines);
    prose_free(&head);
}

static void stop(struct wizard *wizard)
{
    struct error error = {0};
    if (wizard->loop == NULL || wizard->model.hook.path == NULL || !hooks_run(&wizard->model))
        return;
    if (hook_stop(wizard->model.hook.path, &error))
        wizard_say(wizard, MARK_WAIT, "Asked the hook to stop; after %d s it is killed.", SUPERVISE_GRACE_MS / 1000);
    else
        wizard_say_error(wizard, &error);
}

void hook_pane_key(struct wizard *wizard, const struct input *input)
{
    struct prose lines = {0};
    if (wizard->model.hook.record.command != NULL)
        add_lines(&lines, &wizard->model);
    bool mine = wizard_read_text(wizard, lines.blocks, lines.count, input);
    prose_free(&lines);
    if (mine || input->pasted)
        return;
    if (input->key == 'x')
        stop(wizard);
    else if (input->key == K_ESC || input->key == K_ENTER || input->key == 'q' || input->key == 'h')
        wizard->view.overlay = OVERLAY_NONE;
}
