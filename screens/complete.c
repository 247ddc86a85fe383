#include "screens/complete.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define LINES_MOST 8

void complete_free(struct complete *complete)
{
    free(complete->before);
    free(complete->common);
    free(complete->problem);
    names_free(&complete->names);
    *complete = (struct complete){0};
}

void complete_begin(struct complete *complete, const struct field_state *field)
{
    complete_free(complete);
    complete->before = mem_ndup(field->text, field->cursor);
}

/* What of the last name is typed. */
static const char *typed(const struct complete *complete)
{
    const char *slash = strrchr(complete->before, '/');
    return slash != NULL ? slash + 1 : complete->before;
}

char *complete_folder(const struct complete *complete)
{
    size_t length = (size_t)(typed(complete) - complete->before);
    return length > 0 ? mem_ndup(complete->before, length) : mem_dup(".");
}

/* `common` becomes what it shares with `rest`, in whole characters. */
static void share(char *common, const char *rest)
{
    size_t length = 0;
    while (common[length] != '\0' && common[length] == rest[length])
        length++;
    while (length > 0 && ((unsigned char)common[length] & 0xC0) == 0x80)
        length--;
    common[length] = '\0';
}

void complete_add(struct complete *complete, const char *name, bool folder)
{
    const char *begun = typed(complete);
    bool hidden = name[0] == '.' && begun[0] != '.';
    if (hidden || strncmp(name, begun, strlen(begun)) != 0)
        return;
    char *whole = mem_printf("%s%s", name, folder ? "/" : "");
    if (complete->common == NULL)
        complete->common = mem_dup(whole + strlen(begun));
    else
        share(complete->common, whole + strlen(begun));
    if (complete->count++ < COMPLETE_MOST)
        names_add(&complete->names, whole);
    free(whole);
}

static int by_bytes(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

void complete_end(struct complete *complete, struct field_state *field)
{
    complete->done = true;
    if (complete->names.count > 1)
        qsort(complete->names.list, complete->names.count, sizeof *complete->names.list, by_bytes);
    size_t length = strlen(complete->before);
    bool same = field->cursor == length && strncmp(field->text, complete->before, length) == 0;
    if (same && complete->common != NULL)
        field_insert(field, complete->common);
}

int complete_height(const struct complete *complete)
{
    if (complete->before == NULL || (complete->done && complete->count == 1))
        return 0;
    return complete->count <= 1 ? 1 : complete->count < LINES_MOST ? (int)complete->count : LINES_MOST;
}

void complete_draw(struct area area, const struct complete *complete)
{
    if (complete_height(complete) == 0)
        return;
    if (!complete->done) {
        area_text(area, 0, 0, ROLE_WAIT, "Reading the folder…");
    } else if (complete->count == 0) {
        area_text(area, 0, 0, ROLE_WARN, complete->problem != NULL ? complete->problem : "! Nothing there begins so.");
    } else {
        size_t shown = (size_t)area.height < complete->count ? (size_t)(area.height - 1) : complete->count;
        for (size_t i = 0; i < shown && i < complete->names.count; i++)
            area_text(area, 0, (int)i, ROLE_DIM, complete->names.list[i]);
        if (shown < complete->count)
            area_textf(area, 0, (int)shown, ROLE_DIM, "and %zu more: type on, then Tab", complete->count - shown);
    }
}
