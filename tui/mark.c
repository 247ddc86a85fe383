#include "tui/mark.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    enum glyph glyph;
    enum role role;
} marks[MARK_COUNT] = {
    [MARK_OK] = {"ok", GLYPH_DONE, ROLE_OK},          [MARK_INFO] = {"info", GLYPH_INFO, ROLE_INFO},
    [MARK_WARN] = {"warn", GLYPH_WARN, ROLE_WARN},    [MARK_DANGER] = {"stop", GLYPH_DANGER, ROLE_DANGER},
    [MARK_WAIT] = {"wait", GLYPH_WAIT, ROLE_WAIT},    [MARK_UNKNOWN] = {"no data", GLYPH_UNKNOWN, ROLE_DIM},
    [MARK_STALE] = {"stale", GLYPH_STALE, ROLE_WARN},
};

static enum mark known(enum mark mark)
{
    return (unsigned)mark < MARK_COUNT ? mark : MARK_UNKNOWN;
}

enum role mark_role(enum mark mark)
{
    return marks[known(mark)].role;
}

enum glyph mark_glyph(enum mark mark)
{
    return marks[known(mark)].glyph;
}

const char *mark_word(enum mark mark)
{
    return marks[known(mark)].word;
}

int mark_draw(struct area area, int x, int y, enum mark mark)
{
    unsigned style = mark_role(mark);
    const char *word = mark_word(mark);
    x = area_glyph(area, x, y, style, mark_glyph(mark));
    if (x + 1 + (int)strlen(word) > area.width)
        return x;
    return area_text(area, x + 1, y, style, word);
}

const char *mark_text(enum charset charset, enum mark mark)
{
    static char texts[2][MARK_COUNT][24];
    char *text = texts[charset == CHARSET_UTF8 ? 0 : 1][known(mark)];
    if (text[0] == '\0')
        snprintf(text, sizeof(texts[0][0]), "%s %s", theme_glyph(charset, mark_glyph(mark)), mark_word(mark));
    return text;
}
