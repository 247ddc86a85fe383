/* Done: the report, and where to keep it. */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/names.h"
#include "core/report.h"
#include "screens/kong_note.h"
#include "screens/screen.h"
#include "tui/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACTION_SAVE = ACTION_OWN, ACTION_KONG };

static const struct keys_row keys[] = {
    {{'s'}, "save report", "Write the report as Markdown into a file.", ACTION_SAVE, 60, NULL},
    {{'K'}, "start Kong", "Start a Kong node on this machine by Kong's own command.", ACTION_KONG, -65, NULL},
    {{'x'}, "stop", "End Kong's command.", ACTION_STOP, -56, NULL},
};

static bool is_enabled(const struct wizard *wizard, int action)
{
    if (action == ACTION_STOP)
        return run_pane_enabled(wizard, action);
    return action == ACTION_KONG ? kong_start_enabled(&wizard->model) : action != ACTION_SAVE || wizard->model.report != NULL;
}

/* The report's Markdown, as far as report.c writes it, without its marks. */

/* What a backslash protects stands for itself. The caller frees. */
static char *plain_of(const char *text, size_t length)
{
    struct buf plain = {0};
    for (size_t i = 0; i < length; i++) {
        i += text[i] == '\\' && i + 1 < length ? 1 : 0;
        buf_add_bytes(&plain, &text[i], 1);
    }
    return buf_take(&plain);
}

static void split_row(const char *line, size_t length, struct names *cells)
{
    for (size_t from = 1, to; from < length; from = to + 1) {
        for (to = from; to < length && line[to] != '|'; to++)
            to += line[to] == '\\' && to + 1 < length ? 1 : 0;
        size_t first = from, end = to;
        while (first < end && line[first] == ' ')
            first++;
        while (end > first && line[end - 1] == ' ')
            end--;
        char *cell = plain_of(line + first, end - first);
        names_add(cells, cell);
        free(cell);
    }
}

/* Two columns are a name and what it stands for; of more, each figure is named by the first row, the table's head. */
static void add_row(struct prose *prose, const struct names *head, const struct names *cells)
{
    struct buf text = {0};
    if (cells->count == 2) {
        prose_add_key(prose, cells->list[0], cells->list[1]);
        return;
    }
    for (size_t i = 0; i < cells->count; i++)
        if (i < 2)
            buf_addf(&text, "%s%s", i > 0 ? ": " : "", cells->list[i]);
        else if (cells->list[i][0] != '\0' && i < head->count)
            buf_addf(&text, "; %s: %s", head->list[i], cells->list[i]);
    prose_add(prose, PROSE_BULLET, "%s", buf_text(&text));
    buf_free(&text);
}

static void add_table_line(struct prose *prose, const char *line, size_t length, struct names *head)
{
    struct names cells = {0};
    if (strspn(line, "|-: ") >= length && head->count > 0)
        return;
    split_row(line, length, head->count > 0 ? &cells : head);
    if (cells.count > 0)
        add_row(prose, head, &cells);
    names_free(&cells);
}

/* `head`: the first row of the table that the line before belongs to. */
static void add_line(struct prose *prose, const char *line, size_t length, struct names *head)
{
    if (length > 0 && line[0] == '|') {
        add_table_line(prose, line, length, head);
        return;
    }
    names_free(head);
    if (length == 0)
        return;
    size_t marks = strspn(line, "#");
    bool item = strncmp(line, "- ", 2) == 0;
    size_t from = marks > 0 && line[marks] == ' ' ? marks + 1 : item ? 2 : 0;
    char *text = plain_of(line + from, length - from);
    prose_add(prose, from == 0 ? PROSE_PARAGRAPH : item ? PROSE_BULLET : PROSE_HEADING, "%s", text);
    free(text);
}

static void fill(struct prose *prose, const struct model *model)
{
    struct names head = {0};
    if (!model->upgrade.gates[STEP_DONE].open) {
        prose_add_mark(prose, MARK_UNKNOWN, "Not yet: the report comes when the upgrade is done.");
        return;
    }
    kong_start_add(prose, model);
    if (state_count_custom_pending(&model->state) > 0)
        prose_add_mark(prose, MARK_WARN, "Custom plugins have pending migrations: press 5, then m.");
    prose_add_mark(prose, MARK_OK, "Database %s is Kong 1.3's. The new nodes' Admin API may be used from now on.", model->state.database);
    for (const char *line = model->report != NULL ? model->report : ""; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        add_line(prose, line, length, &head);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    names_free(&head);
}

/* Once it has ended well, a line says so. */
static bool is_starting(const struct model *model)
{
    return model_runs(model, STEP_DONE) && (!model->run.ended || model->run.exit_code != 0);
}

static void draw(struct wizard *wizard, struct area area)
{
    if (is_starting(&wizard->model)) {
        run_pane_draw(wizard, area);
        return;
    }
    struct prose prose = {0};
    fill(&prose, &wizard->model);
    prose_draw(area, prose.blocks, prose.count, &wizard->view.proses[STEP_DONE]);
    area_cursor(area, 0, 0);
    prose_free(&prose);
}

static bool pane(struct wizard *wizard, size_t index, struct pane *pane)
{
    if (index > 0)
        return false;
    if (is_starting(&wizard->model)) {
        run_pane(wizard, pane);
        return true;
    }
    pane->text = &wizard->view.proses[STEP_DONE];
    fill(&pane->prose, &wizard->model);
    return true;
}

static void path_entered(struct wizard *wizard, const char *path)
{
    struct error error = {0};
    if (report_save(path, wizard->model.report, &error))
        wizard_say(wizard, MARK_OK, "The report is in %s.", path);
    else
        wizard_say_error(wizard, &error);
}

static bool is_named(const void *context, const char *text, char *message, size_t size)
{
    (void)context;
    if (text[0] == '\0')
        snprintf(message, size, "Which file is the report to be written into?");
    return text[0] != '\0';
}

static void act(struct wizard *wizard, int action)
{
    static const struct field_model field = {.label = "File", .validate = is_named, .path = true};
    const char *home = getenv("HOME");
    char now[CLOCK_TEXT_SIZE];
    if (action != ACTION_SAVE) {
        action == ACTION_KONG ? kong_start_ask(wizard) : run_pane_act(wizard, action);
        return;
    }
    clock_text(clock_wall_ms(), now);
    char *path = mem_printf("%s/kong-upgrade-report-%.10s.md", home != NULL && home[0] == '/' ? home : "/tmp", now);
    wizard_open_prompt(wizard, "Save the report", &field, path, path_entered);
    free(path);
}

const struct screen screen_done = {keys, COUNT_OF(keys), is_enabled, draw, pane, act};
