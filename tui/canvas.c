#include "tui/canvas.h"

#include "tui/memory.h"
#include "tui/told.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cell blank = {.text = " ", .width = 1, .style = ROLE_TEXT};

static struct cell *cell_at(const struct canvas *canvas, int x, int y)
{
    return &canvas->cells[(size_t)y * (size_t)canvas->width + (size_t)x];
}

void canvas_init(struct canvas *canvas, int width, int height, enum charset charset)
{
    *canvas = (struct canvas){0};
    canvas_resize(canvas, width, height, charset);
}

void canvas_free(struct canvas *canvas)
{
    free(canvas->cells);
    *canvas = (struct canvas){0};
}

void canvas_resize(struct canvas *canvas, int width, int height, enum charset charset)
{
    canvas->width = width > 0 && height > 0 ? width : 0;
    canvas->height = width > 0 && height > 0 ? height : 0;
    canvas->charset = charset;
    canvas->cells = memory_grow(canvas->cells, (size_t)canvas->width * (size_t)canvas->height, sizeof(struct cell));
    canvas_erase(canvas);
}

void canvas_erase(struct canvas *canvas)
{
    size_t count = (size_t)canvas->width * (size_t)canvas->height;
    for (size_t i = 0; i < count; i++)
        canvas->cells[i] = blank;
    canvas->cursor_shown = false;
    canvas->cursor_x = canvas->cursor_y = 0;
}

struct area canvas_area(struct canvas *canvas)
{
    return (struct area){canvas, 0, 0, canvas->width, canvas->height};
}

static int clamp(int value, int low, int high)
{
    return value > high ? high : value < low ? low : value;
}

struct area area_part(struct area area, struct rect part)
{
    int left = clamp(part.x, 0, area.width);
    int top = clamp(part.y, 0, area.height);
    int right = clamp(part.x + clamp(part.width, 0, area.width + abs(part.x)), left, area.width);
    int bottom = clamp(part.y + clamp(part.height, 0, area.height + abs(part.y)), top, area.height);
    return (struct area){area.canvas, area.x + left, area.y + top, right - left, bottom - top};
}

struct area area_inset(struct area area, int columns, int rows)
{
    return area_part(area, (struct rect){columns, rows, area.width - 2 * columns, area.height - 2 * rows});
}

struct rect area_rect(struct area area)
{
    return (struct rect){0, 0, area.width, area.height};
}

static bool inside(struct area area, int x, int y)
{
    return x >= 0 && x < area.width && y >= 0 && y < area.height;
}

/* A half of a wide grapheme can't stay when the other is painted over. */
static void release(struct area area, int x, int y)
{
    int column = area.x + x;
    int line = area.y + y;
    struct cell *cell = cell_at(area.canvas, column, line);
    if (cell->width == 0 && column > 0)
        *cell_at(area.canvas, column - 1, line) = (struct cell){" ", 1, cell_at(area.canvas, column - 1, line)->style};
    if (cell->width == 2 && column + 1 < area.canvas->width)
        *cell_at(area.canvas, column + 1, line) = (struct cell){" ", 1, cell->style};
}

static void put(struct area area, int x, int y, unsigned style, const char *text, size_t length, int width)
{
    if (!inside(area, x, y) || area.canvas->told != NULL)
        return;
    bool whole = width == 1 || inside(area, x + 1, y);
    release(area, x, y);
    if (width == 2 && whole)
        release(area, x + 1, y);
    struct cell *cell = cell_at(area.canvas, area.x + x, area.y + y);
    *cell = blank;
    cell->style = (uint16_t)style;
    if (!whole)
        return;
    memcpy(cell->text, text, length);
    cell->text[length] = '\0';
    cell->width = (uint8_t)width;
    if (width == 2)
        cell[1] = (struct cell){"", 0, (uint16_t)style};
}

static void put_grapheme(struct area area, int x, int y, unsigned style, const struct grapheme *grapheme)
{
    bool spelled = grapheme->width > 1 && (unsigned char)grapheme->text[0] < 0x80;
    if (!spelled)
        put(area, x, y, style, grapheme->text, strlen(grapheme->text), grapheme->width);
    for (int i = 0; spelled && i < grapheme->width; i++)
        put(area, x + i, y, style, grapheme->text + i, 1, 1);
}

static int put_text(struct area area, int x, int y, unsigned style, const char *text, size_t length, int end)
{
    struct grapheme grapheme;
    for (size_t size; x < end && (size = text_next(text, length, area.canvas->charset, &grapheme)) > 0;
         length -= size) {
        if (x + grapheme.width > end)
            break;
        if (grapheme.width > 0)
            put_grapheme(area, x, y, style, &grapheme);
        x += grapheme.width;
        text += size;
    }
    return x;
}

int area_text(struct area area, int x, int y, unsigned style, const char *text)
{
    int room = area.width - x;
    if (text == NULL || room <= 0 || y < 0 || y >= area.height)
        return x;
    if (area.canvas->told != NULL) {
        told_paint(area.canvas->told, area.y + y, text);
        return x + text_width(text, area.canvas->charset);
    }
    char *cut = text_cut(text, room, area.canvas->charset);
    x = put_text(area, x, y, style, cut, strlen(cut), area.width);
    free(cut);
    return x;
}

int area_textf(struct area area, int x, int y, unsigned style, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return area_text(area, x, y, style, "?");
    x = area_text(area, x, y, style, text);
    free(text);
    return x;
}

int area_column(struct area area, int x, int y, int width, bool right, unsigned style, const char *text)
{
    if (area.canvas->told != NULL) {
        area_text(area, x, y, style, text);
        return x + (width > 0 ? width : 0);
    }
    char *cut = text_cut(text, width, area.canvas->charset);
    int indent = right ? width - text_width(cut, area.canvas->charset) : 0;
    put_text(area, x + indent, y, style, cut, strlen(cut), area.width);
    free(cut);
    return x + (width > 0 ? width : 0);
}

int area_bytes(struct area area, int x, int y, unsigned style, const char *text, size_t length)
{
    return put_text(area, x, y, style, text, length, area.width);
}

int area_glyph(struct area area, int x, int y, unsigned style, enum glyph glyph)
{
    const char *text = theme_glyph(area.canvas->charset, glyph);
    put(area, x, y, style, text, strlen(text), 1);
    return x + 1;
}

void area_code(struct area area, int x, int y, unsigned style, uint32_t code_point)
{
    char text[4];
    size_t length = text_encode(code_point, text);
    put(area, x, y, style, text, length, 1);
}

void area_fill(struct area area, unsigned style)
{
    if (area.canvas->told != NULL)
        return;
    for (int y = 0; y < area.height; y++)
        for (int x = 0; x < area.width; x++)
            put(area, x, y, style, " ", 1, 1);
}

void area_restyle(struct area area, unsigned style)
{
    for (int y = 0; area.canvas->told == NULL && y < area.height; y++)
        for (int x = 0; x < area.width; x++)
            cell_at(area.canvas, area.x + x, area.y + y)->style = (uint16_t)style;
}

void area_horizontal(struct area area, int y, unsigned style)
{
    for (int x = 0; x < area.width; x++)
        area_glyph(area, x, y, style, GLYPH_HORIZONTAL);
}

void area_vertical(struct area area, int x, unsigned style)
{
    for (int y = 0; y < area.height; y++)
        area_glyph(area, x, y, style, GLYPH_VERTICAL);
}

struct area area_box(struct area area, unsigned style, const char *title)
{
    if (area.canvas->told != NULL)
        told_add(area.canvas->told, TOLD_HEADING, MARK_INFO, title);
    if (area.width < 3 || area.height < 3 || area.canvas->told != NULL)
        return area;
    int right = area.width - 1;
    int bottom = area.height - 1;
    area_horizontal(area, 0, style);
    area_horizontal(area, bottom, style);
    area_vertical(area, 0, style);
    area_vertical(area, right, style);
    area_glyph(area, 0, 0, style, GLYPH_TOP_LEFT);
    area_glyph(area, right, 0, style, GLYPH_TOP_RIGHT);
    area_glyph(area, 0, bottom, style, GLYPH_BOTTOM_LEFT);
    area_glyph(area, right, bottom, style, GLYPH_BOTTOM_RIGHT);
    if (title != NULL && area.width >= 7) {
        unsigned title_style = STYLE_ROLE(style) == ROLE_BORDER ? ROLE_TITLE : style | STYLE_BOLD;
        struct area line = area_part(area, (struct rect){2, 0, area.width - 4, 1});
        char *cut = text_cut(title, line.width - 2, area.canvas->charset);
        area_text(line, 0, 0, style, " ");
        int end = area_text(line, 1, 0, title_style, cut);
        area_text(line, end, 0, style, " ");
        free(cut);
    }
    return area_inset(area, 1, 1);
}

void area_cursor(struct area area, int x, int y)
{
    if (!inside(area, x, y))
        return;
    area.canvas->cursor_shown = true;
    area.canvas->cursor_x = area.x + x;
    area.canvas->cursor_y = area.y + y;
}

char *canvas_text(const struct canvas *canvas)
{
    size_t size = (size_t)canvas->height * ((size_t)canvas->width * TEXT_GRAPHEME_SIZE + 1) + 1;
    char *text = memory_grow(NULL, size, 1);
    char *end = text;
    for (int y = 0; y < canvas->height; y++) {
        char *last = end;
        for (int x = 0; x < canvas->width; x++) {
            const struct cell *cell = cell_at(canvas, x, y);
            end = stpcpy(end, cell->text);
            if (cell->text[0] != '\0' && strcmp(cell->text, " ") != 0)
                last = end;
        }
        end = last;
        *end++ = '\n';
    }
    *end = '\0';
    return text;
}

char *canvas_roles(const struct canvas *canvas)
{
    char *text = memory_grow(NULL, (size_t)canvas->height * ((size_t)canvas->width + 1) + 1, 1);
    char *end = text;
    for (int y = 0; y < canvas->height; y++) {
        for (int x = 0; x < canvas->width; x++) {
            const struct cell *cell = cell_at(canvas, x, y);
            enum role role = STYLE_ROLE(cell->style);
            char letter = (char)(role == ROLE_TEXT ? '.' : 'a' + (int)role - 1);
            bool flagged = cell->style >> 8 != 0;
            *end++ = !flagged ? letter : role == ROLE_TEXT ? ':' : (char)(letter - 'a' + 'A');
        }
        *end++ = '\n';
    }
    *end = '\0';
    return text;
}
