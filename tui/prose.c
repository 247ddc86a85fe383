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
    const char *pattern;
};

static unsigned style_of(const struct prose_block *block)
{
    static const unsigned styles[] = {
        [PROSE_HEADING] = ROLE_TITLE, [PROSE_LITERAL] = ROLE_INFO, [PROSE_RULE] = ROLE_BORDER};
    unsigned kind = (unsigned)block->kind;
    unsigned style = kind < sizeof(styles) / sizeof(styles[0]) ? styles[kind] : ROLE_TEXT;
    return STYLE_ROLE(block->style) == ROLE_TEXT ? style | block->style : block->style;
}

/* What matches on a line stands out; of a match that goes on in the next line, its beginning. */
static void paint_matches(struct area area, int y, const struct line *line, const char *pattern)
{
    enum charset charset = area.canvas->charset;
    int x = line->indent;
    struct grapheme grapheme;
    for (size_t at = 0, size; at < line->length; at += size) {
        size_t left = line->length - at;
        size_t match = search_match(line->text + at, pattern);
        if (match > 0)
            area_bytes(area, x, y, ROLE_MATCH, line->text + at, match < left ? match : left);
        if ((size = text_next(line->text + at, left, charset, &grapheme)) == 0)
            break;
        x += grapheme.width;
    }
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
    if (painter->pattern[0] != '\0')
        paint_matches(area, y, line, painter->pattern);
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

static void paint_hint(struct area line, const struct prose_state *state)
{
    int below = state->lines - state->top - state->page;
    char text[32];
    if (below <= 0) {
        area_column(line, 0, 0, line.width, search_active(&state->search), ROLE_DIM, "end");
        return;
    }
    snprintf(text, sizeof(text), "%d more %s", below, below == 1 ? "line" : "lines");
    int x = search_active(&state->search) ? line.width - text_width(text, line.canvas->charset) - 2 : 0;
    x = area_glyph(line, x, 0, ROLE_KEY, GLYPH_MORE_DOWN);
    area_text(line, x + 1, 0, ROLE_KEY, text);
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
    bool searching = search_active(&state->search) && area.height >= 2;
    struct area page = area_part(
        area, (struct rect){0, 0, area.width - (scrolls ? 2 : 0), area.height - (hint || searching ? 1 : 0)});
    if (scrolls)
        lines = walk(blocks, count, page.width, charset, NULL, NULL);
    remember(state, lines, area.width > 0 ? page.height : 0);
    state->width = page.width;
    state->charset = charset;
    struct painter painter = {page, state->top, state->search.pattern};
    walk(blocks, count, page.width, charset, paint, &painter);
    struct area last = area_part(area, (struct rect){0, area.height - 1, page.width, 1});
    if (searching)
        search_draw(last, &state->search);
    if (hint)
        paint_hint(last, state);
    if (scrolls && area.height > 0)
        paint_scroll_bar(area, state);
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

/* Where the lines with a match are. */
struct finder {
    const char *pattern;
    int from;
    int first, next, before, last; /* of all; from `from` on; before it; -1: none */
};

static void find(void *context, int number, const struct line *line)
{
    struct finder *finder = context;
    bool found = line->first && search_contains(line->block->term, finder->pattern);
    for (size_t i = 0; i < line->length && !found; i++)
        found = ((unsigned char)line->text[i] & 0xC0) != 0x80 && search_match(line->text + i, finder->pattern) > 0;
    if (!found)
        return;
    finder->first = finder->first < 0 ? number : finder->first;
    finder->last = number;
    if (number < finder->from)
        finder->before = number;
    else if (finder->next < 0)
        finder->next = number;
}

/* Brings the first match from line `from` on, or the last one before it, to the top, round the end. */
static void look(const struct prose_block *blocks, size_t count, struct prose_state *state, int from, bool backwards)
{
    struct finder finder = {state->search.pattern, from, -1, -1, -1, -1};
    if (state->search.pattern[0] == '\0')
        return;
    walk(blocks, count, state->width, state->charset, find, &finder);
    state->search.not_found = finder.first < 0;
    if (state->search.not_found)
        return;
    if (backwards)
        state->match = finder.before >= 0 ? finder.before : finder.last;
    else
        state->match = finder.next >= 0 ? finder.next : finder.first;
    state->top = state->match;
    state->follow = false;
}

enum reaction prose_read(const struct prose_block *blocks, size_t count, struct prose_state *state,
                         const struct input *input)
{
    switch (search_key(&state->search, input)) {
    case SEARCH_NONE:
        return prose_key(state, input);
    case SEARCH_BEGUN:
        state->origin = state->match = state->top;
        break;
    case SEARCH_TYPED:
    case SEARCH_CANCELLED:
        state->top = state->origin;
        state->search.not_found = false;
        look(blocks, count, state, state->origin, false);
        break;
    case SEARCH_NEXT:
        look(blocks, count, state, state->match + 1, false);
        break;
    case SEARCH_PREVIOUS:
        look(blocks, count, state, state->match, true);
        break;
    default:
        break;
    }
    return REACTION_REDRAW;
}

char *prose_text(const struct prose_block *blocks, size_t count)
{
    char *all = memory_copy("", 0);
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        const struct prose_block *block = &blocks[i];
        bool marked = block->kind == PROSE_MARK;
        char *term = text_plain(block->kind == PROSE_KEY ? block->term : marked ? mark_word(block->mark) : "");
        char *text = text_plain_lines(block->kind == PROSE_RULE ? "" : block->text);
        const char *before = block->kind == PROSE_BULLET ? "- " : block->kind == PROSE_HEADING && i > 0 ? "\n" : "";
        size_t size = strlen(before) + strlen(term) + strlen(text) + 4;
        all = memory_grow(all, length + size, 1);
        length += (size_t)sprintf(all + length, "%s%s%s%s\n", before, term, term[0] != '\0' ? ": " : "", text);
        free(text);
        free(term);
    }
    return all;
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
