#include "tui/search.h"

#include <string.h>
#include <wctype.h>

static uint32_t next_folded(const char **text)
{
    uint32_t code_point;
    size_t size = text_decode(*text, strnlen(*text, 4), &code_point);
    if (size == 0) {
        code_point = 0x110000u + (unsigned char)**text;
        size = 1;
    }
    *text += size;
    return code_point > 0x10FFFF ? code_point : (uint32_t)towlower((wint_t)code_point);
}

size_t search_match(const char *text, const char *pattern)
{
    const char *at = text;
    while (*pattern != '\0')
        if (*at == '\0' || next_folded(&at) != next_folded(&pattern))
            return 0;
    return (size_t)(at - text);
}

bool search_contains(const char *text, const char *pattern)
{
    for (; text != NULL && *text != '\0'; text++)
        if (((unsigned char)*text & 0xC0) != 0x80 && search_match(text, pattern) > 0)
            return true;
    return false;
}

bool search_active(const struct search *search)
{
    return search->typing || search->pattern[0] != '\0';
}

void search_draw(struct area line, const struct search *search)
{
    int x = area_text(line, 0, 0, ROLE_KEY, "/");
    x = area_text(line, x, 0, search->typing ? ROLE_INPUT : ROLE_TEXT, search->pattern);
    if (search->typing)
        area_cursor(line, x < line.width ? x : line.width - 1, 0);
    if (search->not_found)
        area_text(line, x + 2, 0, ROLE_WARN, "! not found");
    else if (!search->typing)
        area_text(line, x + 2, 0, ROLE_DIM, "n next  N previous  Esc end");
}

static void edit(struct search *search, uint32_t key)
{
    size_t length = strlen(search->pattern);
    if (key == K_BACKSPACE) {
        while (length > 0 && ((unsigned char)search->pattern[--length] & 0xC0) == 0x80)
            ;
    } else if (length + 4 < sizeof(search->pattern)) {
        length += text_encode(key, search->pattern + length);
    }
    search->pattern[length] = '\0';
}

static enum search_step type(struct search *search, const struct input *input)
{
    uint32_t key = input->key;
    bool text = key >= ' ' && key != 0x7F && key < K_ENTER && !input->alt;
    if (key == K_ENTER && !input->pasted) {
        search->typing = false;
        return SEARCH_KEPT;
    }
    if (key == K_ESC || (key == K_BACKSPACE && search->pattern[0] == '\0')) {
        *search = (struct search){0};
        return SEARCH_CANCELLED;
    }
    if (text || key == K_BACKSPACE)
        edit(search, key);
    return SEARCH_TYPED;
}

enum search_step search_key(struct search *search, const struct input *input)
{
    if (input->kind != INPUT_KEY)
        return SEARCH_NONE;
    if (search->typing)
        return type(search, input);
    if (input->pasted || input->alt)
        return SEARCH_NONE;
    if (input->key == '/') {
        *search = (struct search){.typing = true};
        return SEARCH_BEGUN;
    }
    if (search->pattern[0] == '\0')
        return SEARCH_NONE;
    switch (input->key) {
    case K_ESC:
        *search = (struct search){0};
        return SEARCH_ENDED;
    case 'n':
        return SEARCH_NEXT;
    case 'N':
        return SEARCH_PREVIOUS;
    default:
        return SEARCH_NONE;
    }
}
