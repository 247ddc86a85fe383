#include "tui/frame.h"

#include "tui/layout.h"
#include "tui/told.h"

#include <stdio.h>
#include <stdlib.h>

void frame_header(struct area area, const char *title, const char *detail, const char *right)
{
    enum { TITLE, DETAIL, SPACE, RIGHT, PARTS };
    enum charset charset = area.canvas->charset;
    struct area line = area_part(area, (struct rect){0, 0, area.width, 1});
    int detail_width = text_width(detail, charset);
    int right_width = text_width(right, charset);
    struct layout_request requests[PARTS] = {
        [TITLE] = LAYOUT_FIXED(text_width(title, charset), 4),
        [DETAIL] = {detail_width > 12 ? 12 : detail_width, detail_width, detail_width, 0, 3},
        [SPACE] = LAYOUT_FILL(0, 1),
        [RIGHT] = LAYOUT_FIXED(right_width, 2),
    };
    struct area parts[PARTS];
    area_fill(line, ROLE_BAR);
    layout_columns(area_inset(line, area.width > 20 ? 1 : 0, 0), 2, requests, PARTS, parts);
    area_text(parts[TITLE], 0, 0, ROLE_BAR_KEY, title);
    area_text(parts[DETAIL], 0, 0, ROLE_BAR, detail);
    area_text(parts[RIGHT], 0, 0, ROLE_BAR, right);
}

void frame_status(struct area area, int y, enum mark mark, const char *text)
{
    if (area.canvas->told != NULL) {
        told_add(area.canvas->told, TOLD_MARK, mark, text);
        return;
    }
    int x = area_glyph(area, 0, y, mark_role(mark), mark_glyph(mark));
    area_text(area, x + 1, y, mark == MARK_OK || mark == MARK_INFO ? ROLE_TEXT : mark_role(mark), text);
}

const char *frame_age(long long age_ms, long long fresh_ms, char text[FRAME_AGE_SIZE], enum mark *mark)
{
    *mark = age_ms < 0 ? MARK_UNKNOWN : age_ms <= fresh_ms ? MARK_OK : MARK_STALE;
    if (age_ms < 0)
        snprintf(text, FRAME_AGE_SIZE, "no data yet");
    else if (age_ms <= fresh_ms)
        text[0] = '\0';
    else if (age_ms < 120000)
        snprintf(text, FRAME_AGE_SIZE, "%lld s old", age_ms / 1000);
    else if (age_ms < 7200000)
        snprintf(text, FRAME_AGE_SIZE, "%lld min old", age_ms / 60000);
    else
        snprintf(text, FRAME_AGE_SIZE, "%lld h old", age_ms / 3600000);
    return text;
}

bool frame_too_small(struct area area, int width, int height)
{
    if (area.width >= width && area.height >= height)
        return false;
    char text[96];
    snprintf(text, sizeof(text), "This window is %dx%d. %dx%d or more is needed. q leaves, without harm.", area.width,
             area.height, width, height);
    area_fill(area, ROLE_TEXT);
    size_t count;
    struct text_line *lines = text_wrap(text, area.width, area.canvas->charset, &count);
    for (size_t i = 0; i < count; i++)
        area_bytes(area, 0, (int)i, ROLE_TEXT, lines[i].start, lines[i].length);
    free(lines);
    return true;
}
