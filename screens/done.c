/* Done: the report, and where to keep it. */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/report.h"
#include "screens/screen.h"
#include "tui/layout.h"

#include <stdlib.h>
#include <string.h>

enum { ACTION_SAVE = ACTION_OWN };

static const struct keys_row keys[] = {
    {{'s'}, "save report", "Write the report as Markdown into a file.", ACTION_SAVE, 60, NULL},
    {{K_NONE}, "scroll", NULL, 0, 40, "↑↓"},
};

static bool is_enabled(const struct wizard *wizard, int action)
{
    return action != ACTION_SAVE || wizard->model.report != NULL;
}

/* A row of a Markdown table without its bars; a table of two columns is one of names. The line that only separates is left out. */
static void add_row(struct prose *prose, const char *line, size_t length)
{
    struct buf cells[2] = {{0}, {0}};
    size_t count = 0;
    bool blank = true;
    for (size_t i = 1; i < length; i++) {
        bool escaped = line[i] == '\\' && i + 1 < length;
        i += escaped ? 1 : 0;
        if (line[i] == '|' && !escaped) {
            count++;
            continue;
        }
        if (line[i] == ' ' && i + 1 < length && line[i + 1] == '|' && count == 0)
            continue;
        blank = blank && strchr(" -:", line[i]) != NULL;
        struct buf *cell = &cells[count < 1 ? 0 : 1];
        if (line[i] != ' ' || (cell->length > 0 && line[i - 1] != ' '))
            buf_add_bytes(cell, &line[i], 1);
    }
    if (!blank && count == 2)
        prose_add_key(prose, buf_text(&cells[0]), buf_text(&cells[1]));
    else if (!blank)
        prose_add(prose, PROSE_BULLET, "%s: %s", buf_text(&cells[0]), buf_text(&cells[1]));
    buf_free(&cells[0]);
    buf_free(&cells[1]);
}

static void add_line(struct prose *prose, const char *line, size_t length)
{
    size_t marks = strspn(line, "#");
    if (length == 0)
        return;
    if (marks > 0 && marks < length)
        prose_add(prose, PROSE_HEADING, "%.*s", (int)(length - marks - 1), line + marks + 1);
    else if (line[0] == '|')
        add_row(prose, line, length);
    else if (length > 2 && strncmp(line, "- ", 2) == 0)
        prose_add(prose, PROSE_BULLET, "%.*s", (int)length - 2, line + 2);
    else
        prose_add(prose, PROSE_PARAGRAPH, "%.*s", (int)length, line);
}

static void fill(struct prose *prose, const struct model *model)
{
    if (!model->upgrade.gates[STEP_DONE].open) {
        prose_add_mark(prose, MARK_UNKNOWN, "Not yet: the report comes when the upgrade is done.");
        return;
    }
    prose_add_mark(prose, MARK_OK, "Database %s is Kong 1.3's. The new nodes' Admin API may be used from now on.", model->state.database);
    for (const char *line = model->report != NULL ? model->report : ""; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        add_line(prose, line, length);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
}

static void draw(struct wizard *wizard, struct area area)
{
    struct prose prose = {0};
    fill(&prose, &wizard->model);
    prose_draw(area, prose.blocks, prose.count, &wizard->view.proses[STEP_DONE]);
    prose_free(&prose);
}

static bool key(struct wizard *wizard, const struct input *input)
{
    return prose_key(&wizard->view.proses[STEP_DONE], input) != REACTION_NONE;
}

static void path_entered(struct wizard *wizard, const char *path)
{
    struct error error = {0};
    if (report_save(path, wizard->model.report, &error))
        wizard_say(wizard, MARK_OK, "The report is in %s.", path);
    else
        wizard_say_error(wizard, &error);
}

static void act(struct wizard *wizard, int action)
{
    static const struct field_model field = {.label = "File"};
    const char *home = getenv("HOME");
    char now[CLOCK_TEXT_SIZE];
    (void)action;
    clock_text(clock_wall_ms(), now);
    char *path = mem_printf("%s/kong-upgrade-report-%.10s.md", home != NULL && home[0] == '/' ? home : "/tmp", now);
    wizard_open_prompt(wizard, "Save the report", &field, path, path_entered);
    free(path);
}

const struct screen screen_done = {keys, COUNT_OF(keys), is_enabled, draw, key, act};
