#include "core/hook_lines.h"

#include "core/base/mem.h"
#include "core/base/utf8.h"

#include <stdlib.h>
#include <string.h>

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* C0, DEL, and C1 as UTF-8 writes it (C2 80 to C2 9F), which some terminals obey. */
static void blank_controls(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = ' ';
        if ((unsigned char)c[0] == 0xC2 && (unsigned char)c[1] >= 0x80 && (unsigned char)c[1] < 0xA0)
            c[0] = c[1] = ' ';
    }
}

static void keep(struct hook_lines *lines, char *text)
{
    size_t place = (lines->first + lines->count) % HOOK_LINES;
    if (lines->count < HOOK_LINES) {
        lines->count++;
    } else {
        free(lines->list[place]);
        lines->first = (lines->first + 1) % HOOK_LINES;
        lines->dropped++;
    }
    lines->list[place] = text;
}

void hook_lines_end(struct hook_lines *lines)
{
    size_t length = lines->length;
    lines->length = 0;
    if (length == 0)
        return;
    if (length > HOOK_LINE_SIZE)
        for (length = HOOK_LINE_SIZE; length > HOOK_LINE_SIZE - 4 && is_continuation(lines->partial[length]); length--)
            continue;
    lines->partial[length] = '\0';
    char *text = utf8_clean(lines->partial);
    blank_controls(text);
    keep(lines, text);
}

void hook_lines_add(struct hook_lines *lines, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r')
            hook_lines_end(lines);
        else if (lines->length <= HOOK_LINE_SIZE)
            lines->partial[lines->length++] = bytes[i] != '\0' ? bytes[i] : ' ';
    }
}

const char *hook_lines_get(const struct hook_lines *lines, size_t index)
{
    return lines->list[(lines->first + index) % HOOK_LINES];
}

void hook_lines_free(struct hook_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->list[(lines->first + i) % HOOK_LINES]);
    *lines = (struct hook_lines){0};
}
