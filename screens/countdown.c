#include "screens/countdown.h"

#include "screens/screen.h"
#include "tui/layout.h"
#include "tui/progress.h"

#include <stdio.h>

void countdown_open(struct wizard *wizard, const struct countdown *countdown)
{
    wizard->view.countdown = *countdown;
    wizard->view.countdown.left_ms = COUNTDOWN_MS;
    wizard->view.overlay = OVERLAY_COUNTDOWN;
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
