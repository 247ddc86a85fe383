#include "core/migrations/past.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/journal.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    struct past *past;
    bool up, finishes, rolls_back;   /* the command whose journal it is */
};

void past_free(struct past *past)
{
    names_free(&past->made);
    names_free(&past->found);
}

static void add_once(struct names *names, const char *name)
{
    if (!names_have(names, name))
        names_add(names, name);
}

static void on_change(struct reading *reading, const json_t *event)
{
    const char *id = json_get_text(event, "id"), *state = json_get_text(event, "state");
    if (strcmp(state, "begin") == 0)   /* it was not there; a crash may have kept its end from being told */
        add_once(&reading->past->made, id);
    else if (strcmp(state, "already") == 0)
        add_once(&reading->past->found, id);
}

static void on_record(struct reading *reading, const json_t *event)
{
    char *name = mem_printf("%s/%s", json_get_text(event, "subsystem"), json_get_text(event, "migration"));
    add_once(&reading->past->made, name);
    free(name);
}

static void on_event(void *context, const json_t *event)
{
    struct reading *reading = context;
    const char *kind = json_get_text(event, "event"), *command = json_get_text(event, "command");
    bool is_record = strcmp(kind, "record") == 0;
    if (strcmp(kind, "start") == 0) {
        reading->up = strcmp(command, "up") == 0;
        reading->finishes = strcmp(command, "finish") == 0 || strcmp(command, "bootstrap") == 0;
        reading->rolls_back = strcmp(command, "rollback") == 0;
    } else if (reading->up && strcmp(kind, "change") == 0) {
        on_change(reading, event);
    } else if (reading->up && is_record) {
        on_record(reading, event);
    } else if ((reading->finishes && is_record) ||
               (reading->rolls_back && strcmp(kind, "end") == 0 && strcmp(json_get_text(event, "result"), "done") == 0)) {
        past_free(reading->past);
    }
}

void past_read(struct past *past, const char *folder)
{
    struct names paths = {0};
    past_free(past);
    if (folder != NULL)
        journal_list(folder, &paths);
    for (size_t i = 0; i < paths.count; i++) {
        struct journal_reader reader;
        struct reading reading = {.past = past};
        if (!journal_open(&reader, paths.list[i], NULL))
            continue;
        journal_read(&reader, on_event, &reading);
        journal_reader_close(&reader);
    }
    names_free(&paths);
}
