#include "tui/steps.h"

#include "tui/layout.h"

#include <stdio.h>
#include <string.h>

#define SEPARATOR_WIDTH 2
#define NO_RETURN       " !!" /* not the mark of a warning, which is gone once it is heeded */

static const struct {
    enum glyph glyph;
    enum role role;
} looks[] = {
    [STEPS_LOCKED] = {GLYPH_LOCKED, ROLE_DIM},
    [STEPS_NEXT] = {GLYPH_NEXT, ROLE_TEXT},
    [STEPS_HERE] = {GLYPH_HERE, ROLE_TITLE},
    [STEPS_DONE] = {GLYPH_DONE, ROLE_OK},
};

static unsigned style_of(const struct steps_item *item)
{
    return item->viewed ? ROLE_HERE : looks[item->progress].role;
}

/* "5 Finish !!" as text. */
static void label_of(const struct steps_item *item, bool brief, char *label, size_t size)
{
    char number[16] = "";
    if (item->number > 0)
        snprintf(number, sizeof(number), "%d ", item->number);
    snprintf(label, size, "%s%.80s%s", number, brief && item->name != NULL ? item->name : item->label,
             item->irreversible ? NO_RETURN : "");
}

/* What can't be undone stands out until it is done. */
static void mark_irreversible(struct area line, int end, const struct steps_item *item)
{
    if (item->irreversible && !item->viewed && item->progress != STEPS_DONE)
        area_text(line, end - (int)strlen(NO_RETURN) + 1, 0, ROLE_DANGER, &NO_RETURN[1]);
}

static void draw_column(struct area area, const struct steps_item *items, size_t count)
{
    size_t here = 0;
    for (size_t i = 0; i < count; i++)
        if (items[i].viewed || (items[i].progress == STEPS_HERE && !items[here].viewed))
            here = i;
    size_t height = (size_t)area.height;
    size_t top = count > height && here + 1 > height ? here + 1 - height : 0;
    for (size_t i = top; i < count && i - top < height; i++) {
        struct area line = area_part(area, (struct rect){0, (int)(i - top), area.width, 1});
        unsigned style = style_of(&items[i]);
        char label[128];
        if (items[i].viewed)
            area_fill(line, style);
        area_glyph(line, 0, 0, style, looks[items[i].progress].glyph);
        int x = items[i].number > 0 ? 2 : 4;
        label_of(&items[i], false, label, sizeof(label));
        if (x + text_width(label, area.canvas->charset) > line.width)
            label_of(&items[i], true, label, sizeof(label));
        int end = area_text(line, x, 0, style, label);
        mark_irreversible(line, end, &items[i]);
    }
}

static void draw_item(struct area area, const struct steps_item *item, bool brief)
{
    char label[128];
    unsigned style = style_of(item);
    label_of(item, brief, label, sizeof(label));
    if (item->viewed)
        area_fill(area, style);
    area_glyph(area, 0, 0, style, looks[item->progress].glyph);
    int end = area_text(area, 2, 0, style, label);
    mark_irreversible(area, end, item);
}

/* The whole on one line with full or brief names; false if it does not fit. */
static bool draw_line(struct area area, const struct steps_item *items, size_t count, bool brief)
{
    struct layout_request requests[LAYOUT_BOXES] = {{0}};
    struct area parts[LAYOUT_BOXES];
    int total = 0;
    for (size_t i = 0; i < count; i++) {
        char label[128];
        label_of(&items[i], brief, label, sizeof(label));
        int width = text_width(label, area.canvas->charset) + 2;
        requests[i] = (struct layout_request)LAYOUT_FIXED(width, 0);
        total += width + (i > 0 ? SEPARATOR_WIDTH : 0);
    }
    if (total > area.width)
        return false;
    layout_columns(area, SEPARATOR_WIDTH, requests, count, parts);
    for (size_t i = 0; i < count; i++)
        draw_item(parts[i], &items[i], brief);
    return true;
}

static void draw_summary(struct area area, const struct steps_item *items, size_t count)
{
    int numbered = 0;
    const struct steps_item *here = NULL;
    for (size_t i = 0; i < count; i++) {
        numbered += items[i].number > 0;
        if (items[i].viewed || (here == NULL && items[i].progress == STEPS_HERE))
            here = &items[i];
    }
    if (here == NULL)
        here = &items[0];
    if (here->number > 0)
        area_textf(area, 0, 0, ROLE_TITLE, "step %d of %d: %s%s", here->number, numbered, here->label,
                   here->irreversible ? NO_RETURN : "");
    else
        area_text(area, 0, 0, ROLE_TITLE, here->label);
}

void steps_draw(struct area area, const struct steps_item *items, size_t count)
{
    count = count < LAYOUT_BOXES ? count : LAYOUT_BOXES;
    if (count == 0)
        return;
    if (area.height >= 3)
        draw_column(area, items, count);
    else if (!draw_line(area, items, count, false) && !draw_line(area, items, count, true))
        draw_summary(area, items, count);
}
