#include "tui/told.h"

#include "tui/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH  2000
#define HEIGHT 10000

static void clear(struct told *told)
{
    for (size_t i = 0; i < told->count; i++) {
        free(told->lines[i].text);
        free(told->lines[i].gist);
    }
    told->count = told->rows = 0;
    told->y = -1;
}

void told_begin(struct told *told, struct canvas *canvas)
{
    clear(told);
    *canvas = (struct canvas){.width = WIDTH, .height = HEIGHT, .charset = text_locale_charset(), .told = told};
}

void told_free(struct told *told)
{
    clear(told);
    free(told->lines);
    *told = (struct told){0};
}

char *told_gist(const char *text)
{
    char *gist = memory_copy(text, strlen(text)), *to = gist;
    for (const char *from = text; *from != '\0'; from++) {
        bool point = *from == '.' && from > text && isdigit((unsigned char)from[-1]) && isdigit((unsigned char)from[1]);
        if (!isdigit((unsigned char)*from) && !point)
            *to++ = *from;
    }
    *to = '\0';
    return gist;
}

static struct told_line *append(struct told *told, enum told_kind kind, const char *text, const char *gist)
{
    if (told->count == told->capacity) {
        told->capacity = told->capacity * 2 + 16;
        told->lines = memory_grow(told->lines, told->capacity, sizeof(*told->lines));
    }
    struct told_line *line = &told->lines[told->count++];
    *line = (struct told_line){.kind = kind, .text = memory_copy(text, strlen(text)), .gist = told_gist(gist)};
    told->y = -1;
    return line;
}

void told_add(struct told *told, enum told_kind kind, enum mark mark, const char *text)
{
    if (text != NULL && text[0] != '\0')
        append(told, kind, text, text)->mark = mark;
}

void told_add_row(struct told *told, enum told_kind kind, const char *text, const char *gist)
{
    told->rows += kind == TOLD_ROW ? 1 : 0;
    append(told, kind, text, gist)->number = told->rows;
}

/* A line's pieces are set apart by the screen's columns, and figures are padded: here one blank does. */
static char *squeeze(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++)
        if (*from != ' ' || (to > text && to[-1] != ' '))
            *to++ = *from;
    while (to > text && to[-1] == ' ')
        to--;
    *to = '\0';
    return text;
}

void told_paint(struct told *told, int y, const char *text)
{
    char *joined = NULL;
    bool goes_on = told->y == y && told->count > 0;
    struct told_line *last = goes_on ? &told->lines[told->count - 1] : NULL;
    if (asprintf(&joined, "%s%s%s", goes_on ? last->text : "", goes_on ? " " : "", text) < 0)
        return;
    squeeze(joined);
    if (goes_on) {
        free(last->text);
        free(last->gist);
        last->text = joined;
        last->gist = told_gist(joined);
        return;
    }
    if (joined[0] != '\0') {
        append(told, TOLD_TEXT, joined, joined);
        told->y = y;
    }
    free(joined);
}
