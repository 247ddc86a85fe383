/* kong.conf mended for 1.3, as `conf --fix` does it: what would change, a copy beside the original, the proof. The original stays. */
#include "core/base/mem.h"
#include "screens/loop.h"
#include "screens/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char leave[] = "Leave it", write_copy[] = "Write the copy", elsewhere[] = "Another file", close_text[] = "Close";

bool conf_pane_is_of(const struct check_result *result)
{
    return strcmp(result->check->id, "configuration") == 0 && result->outcome == CHECK_FOUND;
}

bool conf_pane_enabled(const struct wizard *wizard)
{
    return wizard->model.configured && wizard->model.app.conf.file != NULL;
}

void conf_pane_begin(struct wizard *wizard)
{
    loop_fix_conf(wizard, NULL);
}

static char *usual_target(const struct wizard *wizard)
{
    return mem_printf("%s.1.3", wizard->model.app.conf.file);
}

static void target_submitted(struct wizard *wizard, const char *text)
{
    loop_fix_conf(wizard, text);
}

/* The original is for old nodes; who wants it replaced says so on the command line. */
static bool is_other_file(const void *context, const char *text, char *message, size_t size)
{
    const struct wizard *wizard = context;
    bool original = strcmp(text, wizard->model.app.conf.file) == 0;
    if (text[0] == '\0')
        snprintf(message, size, "Which file is it to be written into?");
    else if (original)
        snprintf(message, size, "That is the original: old nodes may still read it. Name another file.");
    return text[0] != '\0' && !original;
}

static void answered(struct wizard *wizard, size_t answer)
{
    const char *label = wizard->view.dialog.answers[answer].label;
    char *target = usual_target(wizard);
    const struct field_model field = {.label = "File", .validate = is_other_file, .context = wizard, .path = true};
    if (label == write_copy)
        loop_fix_conf(wizard, target);
    else if (label == elsewhere)
        wizard_open_prompt(wizard, "Write the mended kong.conf", &field, target, target_submitted);
    free(target);
}

static void add_changes(struct prose *prose, const struct conf_fix *fix)
{
    for (size_t i = 0; i < fix->changes.count; i++)
        prose_add(prose, PROSE_BULLET, "%s", fix->changes.list[i]);
    for (size_t i = 0; i < fix->notes.count; i++)
        prose_add_mark(prose, MARK_WARN, "%s", fix->notes.list[i]);
}

static void add_diff(struct prose *prose, const struct conf_fix *fix, const char *target)
{
    prose_add(prose, PROSE_HEADING, "Difference");
    prose_add(prose, PROSE_LITERAL, "--- %s\n+++ %s\n%s", fix->file, target, fix->diff);
}

/* Something else has been opened meanwhile: it is not taken away from under the operator's hands. */
static bool is_in_the_way(const struct wizard *wizard)
{
    return wizard->view.shown != STEP_PREFLIGHT || (wizard->view.overlay != OVERLAY_NONE && wizard->view.overlay != OVERLAY_TEXT);
}

void conf_pane_made(struct wizard *wizard, const struct conf_fix *fix, struct error *error)
{
    struct prose *prose = &wizard->view.text;
    struct dialog_model dialog = {.title = "kong.conf for 1.3", .mark = MARK_INFO};
    if (fix == NULL) {
        wizard_say_error(wizard, error);
        return;
    }
    if (is_in_the_way(wizard)) {
        wizard_say(wizard, MARK_INFO, "kong.conf was looked at: press m on that check again.");
        return;
    }
    char *target = usual_target(wizard);
    prose_clear(prose);
    add_changes(prose, fix);
    if (fix->diff != NULL) {
        prose_add(prose, PROSE_PARAGRAPH, "It is written to %s, for the new nodes. %s itself stays as it is, for the old ones. Then it is read back: but for"
                                          " this, Kong must read the same in both.", target, fix->file);
        add_diff(prose, fix, target);
        dialog.answers[dialog.answer_count++] = (struct dialog_answer){leave, false};
        dialog.answers[dialog.answer_count++] = (struct dialog_answer){write_copy, false};
        dialog.answers[dialog.answer_count++] = (struct dialog_answer){elsewhere, false};
    } else {
        prose_add(prose, PROSE_PARAGRAPH, "In %s there is nothing to mend.", fix->file);
        dialog.answers[dialog.answer_count++] = (struct dialog_answer){close_text, false};
    }
    wizard_open_dialog(wizard, &dialog, answered);
    free(target);
}

void conf_pane_written(struct wizard *wizard, const struct conf_fix *fix, const char *target, struct error *error)
{
    if (error->code != ERROR_NONE) {
        wizard_say_error(wizard, error);
        return;
    }
    if (is_in_the_way(wizard)) {
        wizard_say(wizard, MARK_OK, "Written and read back: %s", target);
        return;
    }
    wizard_open_text(wizard, "kong.conf for 1.3");
    prose_add_mark(&wizard->view.text, MARK_OK, "Written: %s. Read back: Kong reads the rest of it as before.%s", target,
                   fix->holds_secret ? " It holds a password: only you may read it; give it to Kong's user on the new nodes." : "");
    prose_add(&wizard->view.text, PROSE_PARAGRAPH, "Start the new nodes with it. %s is untouched.", fix->file);
    add_changes(&wizard->view.text, fix);
    add_diff(&wizard->view.text, fix, target);
}
