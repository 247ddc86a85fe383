#include "screens/countdown.h"

#include "screens/backup_note.h"
#include "screens/screen.h"
#include "tui/layout.h"
#include "tui/progress.h"

#include <stdio.h>

static void begin(struct wizard *wizard)
{
    struct countdown *countdown = &wizard->view.countdown;
    char reason[512];
    if (countdown->refusal(wizard, reason, sizeof reason)[0] != '\0') {
        wizard_say(wizard, MARK_DANGER, "Nothing was changed: %s", reason);
        return;
    }
    countdown->left_ms = COUNTDOWN_MS;
    wizard->view.overlay = OVERLAY_COUNTDOWN;
}

static void answered(struct wizard *wizard, size_t answer)
{
    if (answer == 1)
        begin(wizard);
}

static void answered_without(struct wizard *wizard, size_t answer)
{
    if (answer == 1)
        backup_ask_folder(wizard);
    else if (answer == 2 && backup_declare(wizard, wizard->view.shown))
        begin(wizard);
}

void countdown_ask(struct wizard *wizard, const struct countdown *countdown)
{
    bool without = !backup_is_there(&wizard->model);
    const struct dialog_model dialog = {
        .title = countdown->title,
        .mark = MARK_DANGER,
        .answers = {{"Stay", false}, {without ? "Back up first" : countdown->yes, !without}, {countdown->yes_without, true}},
        .answer_count = without ? 3 : 2,
        .must_type = wizard->model.state.database,
        .type_label = "Type the database's name",
    };
    wizard->view.countdown = *countdown;
    wizard_open_dialog(wizard, &dialog, without ? answered_without : answered);
}

void countdown_draw(struct wizard *wizard, struct area area)
{
    struct countdown *countdown = &wizard->view.countdown;
    struct area box = layout_centre(area, 60, 7);
    const struct progress_model progress = {.done = (double)(COUNTDOWN_MS - countdown->left_ms), .total = COUNTDOWN_MS, .seconds_left = -1};
    char title[40];
    snprintf(title, sizeof title, "%s This can't be undone", theme_glyph(area.canvas->charset, mark_glyph(MARK_DANGER)));
    area_fill(box, ROLE_TEXT);
    struct area inside = area_box(box, ROLE_DANGER, title);
    if (inside.height < 2 || inside.width < 24)
        return;
    if (inside.height > 4)
        inside = area_inset(inside, 2, 1);
    area_textf(inside, 0, 0, ROLE_DANGER, "%s %lld s", countdown->what, (long long)(countdown->left_ms + 999) / 1000);
    area_text(inside, 0, 1, ROLE_STRONG, "Press any key to stop.");
    progress_draw(inside, 2, &progress);
    area_cursor(inside, 0, 1);
    countdown->drawn = true;
}

void countdown_stop(struct wizard *wizard, const char *why)
{
    wizard->view.overlay = OVERLAY_NONE;
    wizard_say(wizard, MARK_OK, "Stopped: %s. Nothing was changed.", why);
}

void countdown_tick(struct wizard *wizard)
{
    struct countdown *countdown = &wizard->view.countdown;
    int64_t now = wizard->model.now, gap = countdown->at > 0 ? now - countdown->at : 0;
    char reason[512];
    if (wizard->view.overlay != OVERLAY_COUNTDOWN)
        return;
    if (countdown->refusal(wizard, reason, sizeof reason)[0] != '\0') {
        wizard->view.overlay = OVERLAY_NONE;
        wizard_say(wizard, MARK_DANGER, "Stopped, nothing was changed: %s", reason);
        return;
    }
    if (gap > COUNTDOWN_GAP_MS) {
        countdown_stop(wizard, "this program was held up meanwhile");
        return;
    }
    countdown->at = now;
    if (countdown->drawn)
        countdown->left_ms -= gap < COUNTDOWN_TICK_MS ? gap : COUNTDOWN_TICK_MS;
    if (countdown->left_ms > 0)
        return;
    wizard->view.overlay = OVERLAY_NONE;
    countdown->go(wizard);
}
