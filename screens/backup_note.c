/*
 * The backup, as the screens Up and Finish offer it: what there is, making one, and the operator's word that there is another.
 */
#include "screens/backup_note.h"

#include "core/backup/backup.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/decisions.h"
#include "screens/loop.h"
#include "screens/say.h"
#include "screens/whole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS 60000LL
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define AGE_SIZE 32

static const char *say_age(int64_t ms, char text[AGE_SIZE])
{
    if (ms < 2 * MINUTE_MS)
        snprintf(text, AGE_SIZE, "just now");
    else if (ms < 2 * HOUR_MS)
        snprintf(text, AGE_SIZE, "%lld min ago", (long long)(ms / MINUTE_MS));
    else if (ms < 2 * DAY_MS)
        snprintf(text, AGE_SIZE, "%lld h ago", (long long)(ms / HOUR_MS));
    else
        snprintf(text, AGE_SIZE, "%lld days ago", (long long)(ms / DAY_MS));
    return text;
}

enum mark backup_sentence(const struct backups *backups, bool declared, bool brief, char *text, size_t size)
{
    char bytes[SAY_SIZE], age[AGE_SIZE];
    const struct backup_made *newest = backups_newest(backups);
    if (newest != NULL)
        snprintf(text, size, "Backup: %s, %s, verified%s%s", say_age(clock_wall_ms() - newest->as_of_ms, age), say_bytes(newest->bytes, bytes), brief ? "" : ": ",
                 brief ? "" : newest->path);
    else if (declared)
        snprintf(text, size, "Backup: the operator says that there is another");
    else if (backups->failure != NULL)
        snprintf(text, size, "Backup: none; the last try failed: %s", backups->failure);
    else if (backups->count > 0)
        snprintf(text, size, "Backup: none; the file is gone: %s", backups->list[backups->count - 1].path);
    else
        snprintf(text, size, "Backup: none yet");
    return newest != NULL ? MARK_OK : declared ? MARK_INFO : MARK_WARN;
}

bool backup_is_there(const struct model *model)
{
    return model->other_backup || backups_newest(&model->backups) != NULL;
}

bool backup_can_start(const struct model *model)
{
    enum stage stage = model->state.stage;
    return model->has_state && !model->starting && !model->run_alive && (stage == STAGE_LEGACY_014 || stage == STAGE_UPGRADABLE || stage == STAGE_PENDING);
}

void backup_draw(struct wizard *wizard, struct area area, int y)
{
    const struct model *model = &wizard->model;
    char text[1200];
    enum mark mark = backup_sentence(&model->backups, model->other_backup, false, text, sizeof text - 40);
    if (mark == MARK_WARN && backup_can_start(model))
        snprintf(text + strlen(text), 40, ". Press B to make one.");
    whole_line(wizard, area, y, mark, text);
}

void backup_add(struct prose *prose, const struct model *model, bool brief)
{
    char text[1200];
    const struct backup_made *newest = backups_newest(&model->backups);
    enum mark mark = backup_sentence(&model->backups, model->other_backup, brief, text, sizeof text);
    prose_add_mark(prose, mark, "%s%s", text, mark == MARK_WARN ? ". Press B to make one." : "");
    if (newest != NULL && clock_wall_ms() - newest->as_of_ms > DAY_MS)
        prose_add_mark(prose, MARK_WARN, "It is old: what was changed since would be lost.");
}

static void folder_submitted(struct wizard *wizard, const char *text)
{
    char *folder = backup_absolute_folder(text);
    if (backup_can_start(&wizard->model))
        loop_backup(wizard, folder);
    else
        wizard_say(wizard, MARK_WARN, "No backup was begun: a worker runs already, or the database does not answer.");
    free(folder);
}

static bool is_folder(const void *context, const char *text, char *message, size_t size)
{
    (void)context;
    if (text[0] == '\0')
        snprintf(message, size, "Which folder is the backup to be written into?");
    return text[0] != '\0';
}

void backup_ask_folder(struct wizard *wizard)
{
    static const struct field_model field = {.label = "Folder", .validate = is_folder, .path = true};
    const struct backup_made *newest = backups_newest(&wizard->model.backups);
    char *folder = newest != NULL ? mem_ndup(newest->path, (size_t)(strrchr(newest->path, '/') - newest->path)) : backup_default_folder(&wizard->model.app.conf.pg, NULL);
    wizard_open_prompt(wizard, "Back up Kong's schema", &field, folder != NULL ? folder : "", folder_submitted);
    free(folder);
}

bool backup_declare(struct wizard *wizard, enum step step)
{
    struct error error = {0};
    char *folder = journal_folder(&wizard->model.app.conf.pg, true, &error), *why = mem_printf("asked before %s: none was made here", step_texts[step].word);
    bool recorded = folder != NULL && decisions_add(folder, DECISION_DECLARED, DECISION_OTHER_BACKUP, why, &error);
    wizard->model.other_backup = wizard->model.other_backup || recorded;
    if (!recorded)
        wizard_say_error(wizard, &error);
    free(why);
    free(folder);
    return recorded;
}
