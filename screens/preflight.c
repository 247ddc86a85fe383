/* Preflight: everything that will go wrong is said before anything is changed. */
#include "core/base/mem.h"
#include "core/decisions.h"
#include "screens/loop.h"
#include "screens/screen.h"
#include "screens/whole.h"
#include "tui/layout.h"
#include "tui/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { ACTION_RUN = ACTION_OWN, ACTION_RUN_ONE, ACTION_MEND, ACTION_ACKNOWLEDGE = ACTION_ROW };

static const struct keys_row keys[] = {
    {{'a'}, "acknowledge", "Take note of the selected warning: it no longer holds you up, and the report names it.", ACTION_ACKNOWLEDGE, 58, NULL},
    {{'r'}, "run again", "Look at everything again. In a check's details: at that one alone.", ACTION_RUN, 45, NULL},
    {{'m'}, "mend", "Of kong.conf: show what would be mended for 1.3, and write it into a copy.", ACTION_MEND, -57, NULL},
};

/* While a check's details are open. */
static const struct keys_row detail_keys[] = {
    {{'r'}, "look again", NULL, ACTION_RUN_ONE, 56, NULL},
    {{'m'}, "mend", NULL, ACTION_MEND, -57, NULL},
    {{'a'}, "acknowledge", NULL, ACTION_ACKNOWLEDGE, -58, NULL},
};

static const struct table_column columns[] = {
    {"result", LAYOUT_FIXED(8, 9), false},
    {"check", LAYOUT_BETWEEN(14, 33, 8), false},
    {"found", LAYOUT_FILL(16, 7), false},
};

static const struct check_result *find(const struct model *model, const struct check *check)
{
    for (size_t i = 0; check != NULL && i < model->checks.count; i++)
        if (model->checks.list[i].check == check)
            return &model->checks.list[i];
    return NULL;
}

static bool shows_details(const struct wizard *wizard)
{
    return wizard->view.overlay == OVERLAY_TEXT && wizard->view.check_shown != NULL;
}

/* Whose details are open, else the list's. */
static const struct check_result *selected(const struct wizard *wizard)
{
    size_t row = wizard->view.tables[STEP_PREFLIGHT].selected;
    if (shows_details(wizard))
        return find(&wizard->model, wizard->view.check_shown);
    return row < wizard->model.checks.count ? &wizard->model.checks.list[row] : NULL;
}

static bool is_acknowledged(const struct model *model, const struct check_result *result)
{
    return names_have(&model->acknowledged, result->check->id);
}

static bool is_enabled(const struct wizard *wizard, int action)
{
    const struct check_result *result = selected(wizard);
    if (action == ACTION_RUN || action == ACTION_RUN_ONE)
        return wizard->model.configured && !wizard->model.checks_running;
    if (result == NULL || action == 0)
        return result != NULL;
    if (action == ACTION_MEND)
        return conf_pane_is_of(result) && conf_pane_enabled(wizard);
    /* Only what has come to rest: a row may move under the key. */
    bool blocks = result->outcome == CHECK_FOUND && result->severity == CHECK_BLOCKS;
    return !wizard->model.checks_running && !blocks && check_is_open(result, &wizard->model.acknowledged);
}

/* It was acknowledged, and could be. */
static bool is_noted(const struct model *model, const struct check_result *result)
{
    return result->outcome != CHECK_OK && result->outcome != CHECK_WAITING && is_acknowledged(model, result) && !check_is_open(result, &model->acknowledged);
}

static enum mark mark_of(const struct model *model, const struct check_result *result)
{
    static const enum mark found[] = {[CHECK_INFORMS] = MARK_INFO, [CHECK_WARNS] = MARK_WARN, [CHECK_BLOCKS] = MARK_DANGER};
    if (result->outcome == CHECK_OK || result->outcome == CHECK_WAITING)
        return result->outcome == CHECK_OK ? MARK_OK : MARK_WAIT;
    if (is_noted(model, result))
        return MARK_INFO;
    return result->outcome == CHECK_UNABLE ? MARK_WARN : found[result->severity];
}

static const char *word_of(const struct model *model, const struct check_result *result)
{
    static const char *const found[] = {[CHECK_INFORMS] = "info", [CHECK_WARNS] = "warns", [CHECK_BLOCKS] = "blocks"};
    if (result->outcome == CHECK_OK || result->outcome == CHECK_WAITING)
        return result->outcome == CHECK_OK ? "ok" : "looks";
    if (is_noted(model, result))
        return "noted";
    return result->outcome == CHECK_UNABLE ? "unable" : found[result->severity];
}

static void check_cell(const void *context, size_t row, size_t column, struct table_cell *cell)
{
    static char text[24];
    const struct wizard *wizard = context;
    const struct check_result *result = &wizard->model.checks.list[row];
    enum mark mark = mark_of(&wizard->model, result);
    switch (column) {
    case 0:
        snprintf(text, sizeof text, "%s %s", theme_glyph(wizard->view.charset, mark_glyph(mark)), word_of(&wizard->model, result));
        cell->text = text;
        cell->style = mark_role(mark);
        break;
    case 1:
        cell->text = result->check->title;
        break;
    default:
        cell->text = result->evidence.count > 0 ? result->evidence.list[0] : "";
        cell->style = result->outcome == CHECK_OK ? ROLE_DIM : ROLE_TEXT;
    }
}

static struct table_model check_table(const struct wizard *wizard)
{
    const struct model *model = &wizard->model;
    return (struct table_model){columns, COUNT_OF(columns), model->checks.count, check_cell, wizard,
                                model->checks_running ? "Looking…" : "Press r to look.", false, false};
}

static void draw_progress(struct wizard *wizard, struct area area, size_t done, size_t blocks, size_t warns)
{
    char text[120];
    snprintf(text, sizeof text, "Looking: %zu of %zu checks are through; up to now %zu to mend, %zu to acknowledge.", done, wizard->model.checks.count, blocks, warns);
    whole_line(wizard, area, 0, MARK_WAIT, text);
}

static void draw_summary(struct wizard *wizard, struct area area)
{
    const struct model *model = &wizard->model;
    char text[120] = "";
    size_t blocks = 0, warns = 0, waiting = 0;
    for (size_t i = 0; i < model->checks.count; i++) {
        const struct check_result *each = &model->checks.list[i];
        if (each->outcome == CHECK_WAITING)
            waiting++;
        else if (each->outcome == CHECK_FOUND && each->severity == CHECK_BLOCKS)
            blocks++;
        else if (check_is_open(each, &model->acknowledged))
            warns++;
    }
    if (model->checks_running)
        draw_progress(wizard, area, model->checks.count - waiting, blocks, warns);
    else if (!model->checks_run)
        whole_line(wizard, area, 0, MARK_UNKNOWN, "Not looked yet.");
    else if (blocks > 0)
        snprintf(text, sizeof text, "%zu to mend and %zu to acknowledge, of %zu checks. Enter shows the remedy.", blocks, warns, model->checks.count);
    else if (warns > 0)
        snprintf(text, sizeof text, "%zu to acknowledge, of %zu checks. Enter shows it, a acknowledges it.", warns, model->checks.count);
    else
        snprintf(text, sizeof text, "Nothing of %zu checks speaks against going on. Press 1 for step 1.", model->checks.count);
    if (text[0] != '\0')
        whole_line(wizard, area, 0, blocks > 0 ? MARK_DANGER : warns > 0 ? MARK_WARN : MARK_OK, text);
}

static void draw(struct wizard *wizard, struct area area)
{
    const struct layout_request rows[] = {LAYOUT_FIXED(1, 2), LAYOUT_FILL(3, 1)};
    struct area parts[2];
    layout_rows(area, 1, rows, 2, parts);
    draw_summary(wizard, parts[0]);
    struct table_model table = check_table(wizard);
    table_clamp(&table, &wizard->view.tables[STEP_PREFLIGHT]);
    const struct check_result *result = selected(wizard);
    bool noted = result != NULL && result->outcome != CHECK_OK && result->evidence.count > 0;
    struct area list = note_draw(wizard, parts[1], table.row_count, noted ? mark_of(&wizard->model, result) : MARK_OK, noted ? result->evidence.list[0] : NULL);
    table_draw(list, &table, &wizard->view.tables[STEP_PREFLIGHT], true);
}

/* What the operator can do about it. */
static const char *advice_of(const struct model *model, const struct check_result *result)
{
    if (result->outcome == CHECK_WAITING)
        return "It is being looked at…";
    if (result->outcome == CHECK_OK)
        return "Nothing was found.";
    if (is_noted(model, result))
        return "You took note of it: it does not hold you up.";
    if (result->outcome == CHECK_FOUND && result->severity == CHECK_BLOCKS)
        return "It blocks the upgrade. Mend it, then press r to look again.";
    if (result->outcome == CHECK_UNABLE)
        return "It could not be looked at. Make that possible and press r to look again, or press a to go on without.";
    return result->severity == CHECK_WARNS ? "It warns. Mend it and press r to look again, or press a to take note of it." : "Good to know; nothing has to be done.";
}

/* One line of it, whatever names are in it: none may look like what we say ourselves. */
static void add_sentence(struct prose *prose, const char *evidence)
{
    char *line = text_plain(evidence);
    prose_add(prose, PROSE_BULLET, "%s", line);
    free(line);
}

static void fill_details(struct wizard *wizard, const struct check_result *result)
{
    struct prose *prose = &wizard->view.text;
    prose_clear(prose);
    prose_add_mark(prose, mark_of(&wizard->model, result), "%s", advice_of(&wizard->model, result));
    if (conf_pane_is_of(result) && conf_pane_enabled(wizard))
        prose_add(prose, PROSE_PARAGRAPH, "Press m to see kong.conf mended for 1.3, and to write that into a copy beside it.");
    if (result->evidence.count > 0)
        prose_add(prose, PROSE_HEADING, "Found");
    for (size_t i = 0; i < result->evidence.count; i++)
        add_sentence(prose, result->evidence.list[i]);
    if (result->remedy != NULL) {
        prose_add(prose, PROSE_HEADING, "Remedy");
        prose_add(prose, PROSE_LITERAL, "%s", result->remedy);
    }
    prose_add(prose, PROSE_HEADING, "Why it matters");
    prose_add(prose, PROSE_PARAGRAPH, "%s", result->check->why);
    prose_add_key(prose, "Check", result->check->id);
    if (result->check->source != NULL)
        prose_add_key(prose, "Source", result->check->source);
}

static void open_details(struct wizard *wizard, size_t row)
{
    const struct check_result *result = &wizard->model.checks.list[row];
    wizard_open_text(wizard, result->check->title);
    wizard->view.check_shown = result->check;
    wizard->view.text_keys = detail_keys;
    wizard->view.text_key_count = COUNT_OF(detail_keys);
    fill_details(wizard, result);
}

/* What is open tells what is known now; whoever reads it stays where they are. */
static void refresh_details(struct wizard *wizard)
{
    const struct check_result *result = shows_details(wizard) ? selected(wizard) : NULL;
    if (result != NULL)
        fill_details(wizard, result);
}

/* As results come in the rows move: the selection goes with the check that was chosen, or else stays at the top. */
static void keep_selection(struct wizard *wizard)
{
    const struct check_result *kept = find(&wizard->model, wizard->view.check_kept);
    if (kept != NULL)
        wizard->view.tables[STEP_PREFLIGHT].selected = (size_t)(kept - wizard->model.checks.list);
}

void preflight_take(struct wizard *wizard, struct check_result *result)
{
    check_results_put(&wizard->model.checks, result);
    keep_selection(wizard);
    refresh_details(wizard);
}

void preflight_wait(struct wizard *wizard, const struct names *ids)
{
    wizard->model.checks_running = true;
    check_results_wait(&wizard->model.checks, ids);
    if (ids->count == 0) {
        wizard->view.check_kept = NULL;
        wizard->view.tables[STEP_PREFLIGHT].selected = 0;
    }
    keep_selection(wizard);
    refresh_details(wizard);
}

static void keep(struct wizard *wizard)
{
    wizard->view.check_kept = selected(wizard) != NULL ? selected(wizard)->check : wizard->view.check_kept;
}

static bool pane(struct wizard *wizard, size_t index, struct pane *pane)
{
    *pane = (struct pane){.list = &wizard->view.tables[STEP_PREFLIGHT], .table = check_table(wizard), .moved = keep, .open = open_details};
    return index == 0;
}

static void acknowledge(struct wizard *wizard)
{
    const struct check_result *result = selected(wizard);
    struct error error = {0};
    char *folder = journal_folder(&wizard->model.app.conf.pg, true, &error);
    const char *why = result->evidence.count > 0 ? result->evidence.list[0] : result->check->title;
    if (folder != NULL && decisions_add(folder, DECISION_ACKNOWLEDGED, result->check->id, why, &error)) {
        names_add(&wizard->model.acknowledged, result->check->id);
        wizard_say(wizard, MARK_OK, "Noted: %s.", result->check->title);
        refresh_details(wizard);
    } else {
        wizard_say_error(wizard, &error);
    }
    free(folder);
}

static void act(struct wizard *wizard, int action)
{
    if (action == ACTION_RUN)
        loop_check(wizard, NULL);
    else if (action == ACTION_RUN_ONE)
        loop_check(wizard, selected(wizard)->check->id);
    else if (action == ACTION_MEND)
        conf_pane_begin(wizard);
    else
        acknowledge(wizard);
}

const struct screen screen_preflight = {keys, COUNT_OF(keys), is_enabled, draw, pane, act};
