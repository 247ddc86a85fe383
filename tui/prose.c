#include "tui/prose.h"

#include "tui/memory.h"
#include "tui/told.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TERM_WIDTH 18

/* One line of the laid-out text, as walk() hands it on. */
struct line {
    const struct prose_block *block;
    const char *text;
    size_t length;
    int indent;
    bool first; /* of its block */
};

typedef void line_visitor(void *context, int number, const struct line *line);

static int term_width(const struct prose_block *blocks, size_t count, enum charset charset)
{
    int widest = 0;
    for (size_t i = 0; i < count; i++) {
        int width = blocks[i].kind == PROSE_KEY ? text_width(blocks[i].term, charset) : 0;
        widest = width > widest ? width : widest;
    }
    return widest < TERM_WIDTH ? widest : TERM_WIDTH;
}

static int indent_of(const struct prose_block *block, int terms, int width)
{
    int indent = block->kind == PROSE_BULLET ? 2
                 : block->kind == PROSE_MARK ? 2
                 : block->kind == PROSE_LITERAL ? 2
                 : block->kind == PROSE_KEY  ? terms + 2
                                             : 0;
    return indent < width ? indent : 0;
}

/* Hands every line to `visit` (NULL: only counts them). Returns how many there are. */
static int walk(const struct prose_block *blocks, size_t count, int width, enum charset charset, line_visitor *visit,
                void *context)
{
    int number = 0;
    int terms = term_width(blocks, count, charset);
    for (size_t i = 0; i < count; i++) {
        const struct prose_block *block = &blocks[i];
        int indent = indent_of(block, terms, width);
        if (block->kind == PROSE_HEADING && number > 0)
            number++;
        if (block->kind == PROSE_BLANK) {
            number++;
            continue;
        }
        size_t lines;
        const char *text = block->kind == PROSE_RULE ? "" : block->text;
        struct text_line *wrapped = text_wrap(text, width - indent, charset, &lines);
        for (size_t j = 0; j < lines; j++, number++) {
            bool goes_on = j > 0 && wrapped[j].start[-1] != '\n';
            int at = block->kind == PROSE_LITERAL && !goes_on ? 0 : indent;
            struct line line = {block, wrapped[j].start, wrapped[j].length, at, j == 0};
            if (visit != NULL)
                visit(context, number, &line);
        }
        free(wrapped);
    }
    return number;
}

int prose_height(const struct prose_block *blocks, size_t count, int width, enum charset charset)
{
    return walk(blocks, count, width, charset, NULL, NULL);
}

struct painter {
    struct area area;
    int top;
};

static unsigned style_of(const struct prose_block *block)
{
    static const unsigned styles[] = {
        [PROSE_HEADING] = ROLE_TITLE, [PROSE_LITERAL] = ROLE_INFO, [PROSE_RULE] = ROLE_BORDER};
    unsigned kind = (unsigned)block->kind;
    unsigned style = kind < sizeof(styles) / sizeof(styles[0]) ? styles[kind] : ROLE_TEXT;
    return STYLE_ROLE(block->style) == ROLE_TEXT ? style | block->style : block->style;
}

static void paint(void *context, int number, const struct line *line)
{
    const struct painter *painter = context;
    struct area area = painter->area;
    const struct prose_block *block = line->block;
    int y = number - painter->top;
    if (y < 0 || y >= area.height)
        return;
    if (line->first && line->indent > 0 && block->kind == PROSE_BULLET)
        area_glyph(area, 0, y, ROLE_DIM, GLYPH_BULLET);
    if (line->first && line->indent > 0 && block->kind == PROSE_MARK)
        area_glyph(area, 0, y, mark_role(block->mark), mark_glyph(block->mark));
    if (line->first && line->indent > 0 && block->kind == PROSE_KEY)
        area_column(area, 0, y, line->indent - 2, false, ROLE_KEY, block->term);
    if (block->kind == PROSE_RULE)
        area_horizontal(area, y, style_of(block));
    area_bytes(area, line->indent, y, style_of(block), line->text, line->length);
}

static void remember(struct prose_state *state, int lines, int page)
{
    if (lines != state->lines && !state->end_seen)
        state->seen = 0;
    state->lines = lines;
    state->page = page;
    int last = lines - page > 0 ? lines - page : 0;
    if (state->follow || state->top > last)
        state->top = last;
    if (state->top < 0)
        state->top = 0;
    if (state->top <= state->seen && state->top + page > state->seen)
        state->seen = state->top + page;
    if (page > 0 && state->seen >= lines)
        state->end_seen = true;
}

static void paint_scroll_bar(struct area area, const struct prose_state *state)
{
    int thumb = state->page * area.height / state->lines;
    thumb = thumb > 0 ? thumb : 1;
    int last = state->lines - state->page;
    int at = (area.height - thumb) * state->top / (last > 0 ? last : 1);
    for (int y = 0; y < area.height; y++) {
        bool here = y >= at && y < at + thumb;
        area_glyph(area, area.width - 1, y, here ? ROLE_STRONG : ROLE_BORDER, here ? GLYPH_THUMB : GLYPH_TRACK);
    }
}

/* Whoever is told a text is told all of it. */
static void tell(struct told *told, const struct prose_block *blocks, size_t count, struct prose_state *state)
{
    static const enum told_kind kinds[] = {
        [PROSE_PARAGRAPH] = TOLD_TEXT, [PROSE_HEADING] = TOLD_HEADING, [PROSE_BULLET] = TOLD_ITEM, [PROSE_KEY] = TOLD_ITEM,
        [PROSE_MARK] = TOLD_MARK, [PROSE_LITERAL] = TOLD_LITERAL, [PROSE_BLANK] = TOLD_TEXT, [PROSE_RULE] = TOLD_TEXT};
    for (size_t i = 0; i < count; i++) {
        char *named = NULL;
        if (blocks[i].kind == PROSE_KEY && asprintf(&named, "%s: %s", blocks[i].term, blocks[i].text) < 0)
            named = NULL;
        told_add(told, kinds[blocks[i].kind], blocks[i].mark, named != NULL ? named : blocks[i].text);
        free(named);
    }
    state->end_seen = true;
}

void prose_draw(struct area area, const struct prose_block *blocks, size_t count, struct prose_state *state)
{
    enum charset charset = area.canvas->charset;
    if (area.canvas->told != NULL) {
        tell(area.canvas->told, blocks, area.height > 0 ? count : 0, state);
        return;
    }
    int lines = walk(blocks, count, area.width, charset, NULL, NULL);
    bool scrolls = lines > area.height && area.width > 2;
    bool hint = scrolls && area.height >= 3;
    struct area page =
        area_part(area, (struct rect){0, 0, area.width - (scrolls ? 2 : 0), area.height - (hint ? 1 : 0)});
    if (scrolls)
        lines = walk(blocks, count, page.width, charset, NULL, NULL);
    remember(state, lines, area.width > 0 ? page.height : 0);
    struct painter painter = {page, state->top};
    walk(blocks, count, page.width, charset, paint, &painter);
    if (!scrolls || area.height == 0)
        return;
    paint_scroll_bar(area, state);
    int below = lines - state->top - page.height;
    int y = area.height - 1;
    struct area last = area_part(area, (struct rect){0, 0, page.width, area.height});
    if (hint && below > 0) {
        int x = area_glyph(last, 0, y, ROLE_KEY, GLYPH_MORE_DOWN);
        area_textf(last, x + 1, y, ROLE_KEY, "%d more %s", below, below == 1 ? "line" : "lines");
    } else if (hint) {
        area_text(last, 0, y, ROLE_DIM, "end");
    }
}

static enum reaction scroll(struct prose_state *state, int by)
{
    int last = state->lines - state->page > 0 ? state->lines - state->page : 0;
    int top = state->top + by;
    top = top > last ? last : top < 0 ? 0 : top;
    state->follow = state->follow && by >= 0;
    state->top = top;
    return REACTION_REDRAW;
}

enum reaction prose_key(struct prose_state *state, const struct input *input)
{
    if (input->kind != INPUT_KEY || input->pasted || input->alt)
        return REACTION_NONE;
    int page = state->page > 1 ? state->page - 1 : 1;
    switch (input->key) {
    case K_UP:
    case 'k':
        return scroll(state, -1);
    case K_DOWN:
    case 'j':
        return scroll(state, 1);
    case K_PAGE_UP:
        return scroll(state, -page);
    case K_PAGE_DOWN:
    case ' ':
        return scroll(state, page);
    case K_HOME:
    case 'g':
        return scroll(state, -state->top);
    case K_END:
    case 'G':
        state->follow = true;
        return scroll(state, state->lines);
    default:
        return REACTION_NONE;
    }
}

void prose_rewind(struct prose_state *state)
{
    *state = (struct prose_state){0};
}

static struct prose_block *append(struct prose *prose, enum prose_kind kind)
{
    if (prose->count == prose->capacity) {
        prose->capacity = prose->capacity * 2 + 8;
        prose->blocks = memory_grow(prose->blocks, prose->capacity, sizeof(*prose->blocks));
    }
    struct prose_block *block = &prose->blocks[prose->count++];
    *block = (struct prose_block){.kind = kind};
    return block;
}

static char *format_text(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static char *format_text(const char *format, va_list arguments)
{
    char *text = NULL;
    return vasprintf(&text, format, arguments) >= 0 ? text : memory_copy("?", 1);
}

void prose_add(struct prose *prose, enum prose_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append(prose, kind)->text = format_text(format, arguments);
    va_end(arguments);
}

void prose_add_key(struct prose *prose, const char *term, const char *text)
{
    struct prose_block *block = append(prose, PROSE_KEY);
    block->term = memory_copy(term, strlen(term));
    block->text = memory_copy(text, strlen(text));
}

void prose_add_mark(struct prose *prose, enum mark mark, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct prose_block *block = append(prose, PROSE_MARK);
    block->mark = mark;
    block->text = format_text(format, arguments);
    va_end(arguments);
}

void prose_style(struct prose *prose, unsigned style)
{
    if (prose->count > 0)
        prose->blocks[prose->count - 1].style = style;
}

void prose_clear(struct prose *prose)
{
    /* The strings are this prose's own, behind pointers that are const for the readers. */
    for (size_t i = 0; i < prose->count; i++) {
        free((char *)(uintptr_t)prose->blocks[i].text);
        free((char *)(uintptr_t)prose->blocks[i].term);
    }
    prose->count = 0;
}

void prose_free(struct prose *prose)
{
    prose_clear(prose);
    free(prose->blocks);
    *prose = (struct prose){0};
}
