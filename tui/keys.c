#include "tui/keys.h"

#include "tui/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOOTER_GAP 2

static bool is_enabled(const struct keys_map *map, int action)
{
    return map->enabled == NULL || action == 0 || map->enabled(map->context, action);
}

static bool has_key(const struct keys_row *row, uint32_t key)
{
    for (int i = 0; i < KEYS_PER_ACTION; i++)
        if (row->keys[i] != K_NONE && row->keys[i] == key)
            return true;
    return false;
}

/* The row in sight whose key this is; NULL: none. */
static const struct keys_row *find(const struct keys_map *map, const struct input *input, bool *enabled)
{
    if (input->kind != INPUT_KEY || input->pasted || input->alt)
        return NULL;
    for (; map != NULL; map = map->next)
        for (size_t i = 0; i < map->count; i++) {
            const struct keys_row *row = &map->rows[i];
            *enabled = is_enabled(map, row->action);
            if (row->action > 0 && (*enabled || row->importance >= 0) && has_key(row, input->key))
                return row;
        }
    return NULL;
}

int keys_action(const struct keys_map *map, const struct input *input)
{
    bool enabled = false;
    const struct keys_row *row = find(map, input, &enabled);
    return row != NULL && enabled ? row->action : 0;
}

const char *keys_disabled(const struct keys_map *map, const struct input *input)
{
    bool enabled = false;
    const struct keys_row *row = find(map, input, &enabled);
    return row != NULL && !enabled ? row->label : NULL;
}

static const struct {
    uint32_t key;
    const char *utf8, *ascii;
} names[] = {
    {K_TAB, "Tab", "Tab"},       {K_ESC, "Esc", "Esc"},         {K_ENTER, "Enter", "Enter"},
    {K_BACKSPACE, "⌫", "BkSp"},  {K_DELETE, "Del", "Del"},      {K_INSERT, "Ins", "Ins"},
    {K_UP, "↑", "Up"},           {K_DOWN, "↓", "Down"},         {K_LEFT, "←", "Left"},
    {K_RIGHT, "→", "Right"},     {K_HOME, "Home", "Home"},      {K_END, "End", "End"},
    {K_PAGE_UP, "PgUp", "PgUp"}, {K_PAGE_DOWN, "PgDn", "PgDn"}, {K_BACKTAB, "Shift-Tab", "Shift-Tab"},
    {' ', "Space", "Space"},
};

const char *keys_name(uint32_t key, enum charset charset, char name[KEYS_NAME_SIZE])
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].key == key) {
            snprintf(name, KEYS_NAME_SIZE, "%s", charset == CHARSET_UTF8 ? names[i].utf8 : names[i].ascii);
            return name;
        }
    if (key >= K_F1 && key <= K_F12) {
        snprintf(name, KEYS_NAME_SIZE, "F%u", (unsigned)(key - K_F1 + 1));
    } else if (key < 32) {
        snprintf(name, KEYS_NAME_SIZE, "^%c", (char)(key + '@'));
    } else {
        char bytes[4];
        size_t length = text_encode(key <= 0x10FFFF ? key : 0xFFFD, bytes);
        snprintf(name, KEYS_NAME_SIZE, "%.*s", (int)length, bytes);
    }
    return name;
}

static const char *row_name(const struct keys_row *row, enum charset charset, char name[KEYS_NAME_SIZE])
{
    if (row->shown == NULL)
        return keys_name(row->keys[0], charset, name);
    /* Names of two arrows are common, and unreadable when spelled sign by sign. */
    if (charset == CHARSET_ASCII && strcmp(row->shown, "↑↓") == 0)
        return "Up/Down";
    if (charset == CHARSET_ASCII && strcmp(row->shown, "←→") == 0)
        return "Left/Right";
    return row->shown;
}

struct footer_item {
    const struct keys_row *row;
    bool enabled;
};

static size_t collect(const struct keys_map *map, struct footer_item *items)
{
    size_t count = 0;
    for (; map != NULL; map = map->next)
        for (size_t i = 0; i < map->count && count < LAYOUT_BOXES; i++) {
            const struct keys_row *row = &map->rows[i];
            bool enabled = is_enabled(map, row->action);
            if (row->label != NULL && (enabled || row->importance >= 0))
                items[count++] = (struct footer_item){row, enabled};
        }
    return count;
}

void keys_draw(struct area area, const struct keys_map *map)
{
    struct footer_item items[LAYOUT_BOXES];
    struct layout_request requests[LAYOUT_BOXES];
    struct area parts[LAYOUT_BOXES];
    char name[KEYS_NAME_SIZE];
    enum charset charset = area.canvas->charset;
    size_t count = collect(map, items);
    for (size_t i = 0; i < count; i++) {
        const struct keys_row *row = items[i].row;
        int width = text_width(row_name(row, charset, name), charset) + 1 + text_width(row->label, charset);
        requests[i] = (struct layout_request)LAYOUT_FIXED(width, abs(row->importance));
    }
    struct area line = area_part(area, (struct rect){0, 0, area.width, 1});
    area_fill(line, ROLE_BAR);
    layout_columns(area_inset(line, area.width > 20 ? 1 : 0, 0), FOOTER_GAP, requests, count, parts);
    for (size_t i = 0; i < count; i++) {
        unsigned dimmed = items[i].enabled ? 0 : STYLE_DIM;
        const struct keys_row *row = items[i].row;
        unsigned key_style = items[i].enabled ? (unsigned)ROLE_BAR_KEY : ROLE_BAR | STYLE_DIM;
        int x = area_text(parts[i], 0, 0, key_style, row_name(row, charset, name));
        area_text(parts[i], x + 1, 0, ROLE_BAR | dimmed, row->label);
    }
}

void keys_help(const struct keys_map *map, struct prose *prose, enum charset charset)
{
    char name[KEYS_NAME_SIZE];
    for (; map != NULL; map = map->next)
        for (size_t i = 0; i < map->count; i++) {
            const struct keys_row *row = &map->rows[i];
            if (row->help == NULL)
                continue;
            prose_add_key(prose, row_name(row, charset, name), row->help);
            if (!is_enabled(map, row->action))
                prose_style(prose, ROLE_DIM);
        }
}
