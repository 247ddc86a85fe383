/*
 * pictures FOLDER: the wizard's main screens as SVG, for the README: `ninja -C build pictures`. What the screens paint into the canvas is
 * drawn with the colours of the theme, cell by cell; boxes, bars and charts as shapes, so that no font pulls them apart.
 */
#include "tests/screens/fixture.h"

#include "tui/theme.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_WIDTH  8.4
#define CELL_HEIGHT 18.0
#define BASELINE    13.5
#define MARGIN      12.0
#define BACKGROUND  0x16181d
#define FOREGROUND  0xd8dbe2
#define THEME       "dark"

static const struct picture {
    const char *scene, *file, *title;
    int width, height;
} pictures[] = {
    {"welcome-upgradable", "welcome", "Welcome", 80, 24},
    {"preflight-findings", "preflight", "Preflight", 80, 24},
    {"up-running", "up", "Step 1: Migrate up", 80, 24},
    {"provision-some", "provision", "Step 2: Provision", 80, 24},
    {"divert-well", "divert", "Step 3: Divert", 80, 24},
    {"decommission-some", "decommission", "Step 4: Decommission", 80, 24},
    {"finish-dialog", "finish", "Step 5: Finish", 80, 24},
    {"done-report", "done", "Done", 80, 24},
    {"divert-worse", "wide", "Step 3: Divert, on a terminal of 120x40", 120, 40},
};

static const struct scene *find_scene(const char *name)
{
    for (size_t i = 0; scene_at(i) != NULL; i++)
        if (strcmp(scene_at(i)->name, name) == 0)
            return scene_at(i);
    fprintf(stderr, "pictures: there is no scene %s\n", name);
    exit(1);
}

/* xterm's 256 colours. */
static unsigned colour(int number, unsigned ground)
{
    static const unsigned basic[16] = {0x000000, 0xcd3131, 0x3fb950, 0xd7ba7d, 0x4a90e2, 0xbc3fbc, 0x39c5cf, 0xe5e5e5,
                                       0x666666, 0xf14c4c, 0x56d364, 0xe5e510, 0x79b8ff, 0xd670d6, 0x56d4dd, 0xffffff};
    if (number < 0)
        return ground;
    if (number < 16)
        return basic[number];
    if (number >= 232)
        return (unsigned)(8 + (number - 232) * 10) * 0x10101u;
    unsigned rgb = 0;
    for (int part = 36, left = number - 16; part > 0; left %= part, part /= 6)
        rgb = rgb << 8 | (unsigned)(left / part == 0 ? 0 : 55 + left / part * 40);
    return rgb;
}

struct look_rgb {
    unsigned foreground, background;
    unsigned flags;
};

static struct look_rgb look_of(const struct cell *cell)
{
    struct look look = theme_look(theme_find(THEME), STYLE_ROLE(cell->style), 256);
    struct look_rgb rgb = {colour(look.foreground, FOREGROUND), colour(look.background, BACKGROUND), look.flags | (cell->style & ~0xFFu)};
    if (rgb.flags & STYLE_REVERSE) {
        unsigned swapped = rgb.foreground;
        rgb.foreground = rgb.background;
        rgb.background = swapped;
    }
    return rgb;
}

static bool looks_like(const struct look_rgb *a, const struct look_rgb *b)
{
    return a->foreground == b->foreground && a->background == b->background && a->flags == b->flags;
}

static const struct cell *cell_of(const struct canvas *canvas, int x, int y)
{
    return &canvas->cells[(size_t)y * (size_t)canvas->width + (size_t)x];
}

static uint32_t code_of(const struct cell *cell)
{
    uint32_t code_point = ' ';
    text_decode(cell->text, strlen(cell->text), &code_point);
    return code_point;
}

/* Shapes. */

static void put_rect(FILE *out, double x, double y, double width, double height, unsigned fill, double opacity)
{
    fprintf(out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"#%06x\"", x, y, width, height, fill);
    if (opacity < 1)
        fprintf(out, " opacity=\"%g\"", opacity);
    fputs("/>\n", out);
}

enum { TO_LEFT = 1, TO_RIGHT = 2, UPWARDS = 4, DOWNWARDS = 8 };

/* A box's line: from the middle of its cell to these sides. */
static bool put_line(FILE *out, uint32_t code, double x, double y, unsigned stroke)
{
    static const struct {
        uint32_t code;
        int to;
        double width;
    } lines[] = {
        {0x2500, TO_LEFT | TO_RIGHT, 1}, {0x2502, UPWARDS | DOWNWARDS, 1}, {0x250C, TO_RIGHT | DOWNWARDS, 1}, {0x2510, TO_LEFT | DOWNWARDS, 1},
        {0x2514, TO_RIGHT | UPWARDS, 1}, {0x2518, TO_LEFT | UPWARDS, 1}, {0x251C, TO_RIGHT | UPWARDS | DOWNWARDS, 1},
        {0x2524, TO_LEFT | UPWARDS | DOWNWARDS, 1}, {0x252C, TO_LEFT | TO_RIGHT | DOWNWARDS, 1}, {0x2534, TO_LEFT | TO_RIGHT | UPWARDS, 1},
        {0x2503, UPWARDS | DOWNWARDS, 3},
    };
    double middle_x = x + CELL_WIDTH / 2, middle_y = y + CELL_HEIGHT / 2;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        int to = lines[i].to;
        if (lines[i].code != code)
            continue;
        fprintf(out, "<path d=\"");
        if (to & (TO_LEFT | TO_RIGHT))
            fprintf(out, "M%g %gH%g", to & TO_LEFT ? x : middle_x, middle_y, to & TO_RIGHT ? x + CELL_WIDTH : middle_x);
        if (to & (UPWARDS | DOWNWARDS))
            fprintf(out, "M%g %gV%g", middle_x, to & UPWARDS ? y : middle_y, to & DOWNWARDS ? y + CELL_HEIGHT : middle_y);
        fprintf(out, "\" stroke=\"#%06x\" stroke-width=\"%g\"/>\n", stroke, lines[i].width);
        return true;
    }
    return false;
}

static bool put_braille(FILE *out, uint32_t code, double x, double y, unsigned fill)
{
    static const int columns[8] = {0, 0, 0, 1, 1, 1, 0, 1}, rows[8] = {0, 1, 2, 0, 1, 2, 3, 3};
    if (code < 0x2800 || code > 0x28FF)
        return false;
    fprintf(out, "<path fill=\"#%06x\" d=\"", fill);
    for (int dot = 0; dot < 8; dot++)
        if ((code >> dot & 1) != 0)
            fprintf(out, "M%g %gh2v2h-2z", x + CELL_WIDTH * (0.25 + 0.5 * columns[dot]) - 1, y + CELL_HEIGHT * (0.125 + 0.25 * rows[dot]) - 1);
    fputs("\"/>\n", out);
    return true;
}

/* Eighths of a cell: U+2581 to U+2588 grow from below, U+2588 to U+258F shrink to the left. */
static bool put_block(FILE *out, uint32_t code, double x, double y, unsigned fill)
{
    if (code == 0x2591)
        put_rect(out, x, y + 4, CELL_WIDTH, CELL_HEIGHT - 8, fill, 0.45);
    else if (code >= 0x2581 && code < 0x2588)
        put_rect(out, x, y + CELL_HEIGHT * (0x2588 - code) / 8, CELL_WIDTH, CELL_HEIGHT * (code - 0x2580) / 8, fill, 1);
    else if (code >= 0x2588 && code <= 0x258F)
        put_rect(out, x, y + 4, CELL_WIDTH * (0x2590 - code) / 8, CELL_HEIGHT - 8, fill, 1);
    else
        return false;
    return true;
}

/* Text. */

static void put_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        default: fputc(*text, out);
        }
}

static bool is_blank(const struct cell *cell)
{
    return cell->width == 0 || strcmp(cell->text, " ") == 0;
}

static bool is_plain(const struct cell *cell)
{
    return cell->width == 1 && (unsigned char)cell->text[0] < 0x80 && cell->text[1] == '\0';
}

static void put_words(FILE *out, const struct canvas *canvas, int from, int to, int y, const struct look_rgb *look)
{
    fprintf(out, "<text x=\"%g\" y=\"%g\" textLength=\"%g\" fill=\"#%06x\"", MARGIN + from * CELL_WIDTH, MARGIN + y * CELL_HEIGHT + BASELINE,
            (to - from) * CELL_WIDTH, look->foreground);
    if (look->flags & STYLE_BOLD)
        fputs(" font-weight=\"bold\"", out);
    if (look->flags & STYLE_UNDERLINE)
        fputs(" text-decoration=\"underline\"", out);
    if (look->flags & STYLE_DIM)
        fputs(" opacity=\"0.7\"", out);
    fputc('>', out);
    for (int x = from; x < to; x++)
        put_escaped(out, cell_of(canvas, x, y)->text);
    fputs("</text>\n", out);
}

/* From column `x` on: a shape, or the words that look alike. Returns the column after it. */
static int put_part(FILE *out, const struct canvas *canvas, int x, int y)
{
    const struct cell *cell = cell_of(canvas, x, y);
    struct look_rgb look = look_of(cell);
    double left = MARGIN + x * CELL_WIDTH, top = MARGIN + y * CELL_HEIGHT;
    uint32_t code = code_of(cell);
    bool shape = put_line(out, code, left, top, look.foreground) || put_braille(out, code, left, top, look.foreground) ||
                 put_block(out, code, left, top, look.foreground);
    if (shape || is_blank(cell))
        return x + 1;
    int end = x + cell->width;
    for (int next = end; is_plain(cell) && next < canvas->width && is_plain(cell_of(canvas, next, y)); next++) {
        struct look_rgb other = look_of(cell_of(canvas, next, y));
        bool gap = is_blank(cell_of(canvas, next, y)) && is_blank(cell_of(canvas, next - 1, y));   /* SVG makes one space of two */
        if (gap || !looks_like(&look, &other))
            break;
        if (!is_blank(cell_of(canvas, next, y)))
            end = next + 1;
    }
    put_words(out, canvas, x, end, y, &look);
    return end;
}

static void put_grounds(FILE *out, const struct canvas *canvas, int y)
{
    for (int x = 0, from = 0; x < canvas->width; from = x) {
        unsigned ground = look_of(cell_of(canvas, x, y)).background;
        while (x < canvas->width && look_of(cell_of(canvas, x, y)).background == ground)
            x++;
        if (ground != BACKGROUND)
            put_rect(out, MARGIN + from * CELL_WIDTH, MARGIN + y * CELL_HEIGHT, (x - from) * CELL_WIDTH, CELL_HEIGHT, ground, 1);
    }
}

static void put_picture(FILE *out, const struct canvas *canvas, const char *title)
{
    double width = 2 * MARGIN + canvas->width * CELL_WIDTH, height = 2 * MARGIN + canvas->height * CELL_HEIGHT;
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" role=\"img\">\n<title>", width, height, width, height);
    put_escaped(out, title);
    fprintf(out, "</title>\n<rect width=\"%g\" height=\"%g\" rx=\"6\" fill=\"#%06x\"/>\n", width, height, BACKGROUND);
    for (int y = 0; y < canvas->height; y++)
        put_grounds(out, canvas, y);
    fputs("<g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\" fill=\"none\">\n", out);
    for (int y = 0; y < canvas->height; y++)
        for (int x = 0; x < canvas->width;)
            x = put_part(out, canvas, x, y);
    if (canvas->cursor_shown)
        fprintf(out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" stroke=\"#%06x\"/>\n", MARGIN + canvas->cursor_x * CELL_WIDTH,
                MARGIN + canvas->cursor_y * CELL_HEIGHT, CELL_WIDTH, CELL_HEIGHT, FOREGROUND);
    fputs("</g>\n</svg>\n", out);
}

int main(int argc, char **argv)
{
    if (argc != 2 || setlocale(LC_ALL, "C.UTF-8") == NULL) {
        fprintf(stderr, "usage: pictures FOLDER (in a system with the locale C.UTF-8)\n");
        return 64;
    }
    for (size_t i = 0; i < COUNT_OF(pictures); i++) {
        struct fixture fixture;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.svg", argv[1], pictures[i].file);
        FILE *out = fopen(path, "w");
        if (out == NULL) {
            perror(path);
            return 1;
        }
        fixture_begin(&fixture, find_scene(pictures[i].scene), pictures[i].width, pictures[i].height, CHARSET_UTF8, NULL);
        fixture_draw(&fixture);
        put_picture(out, &fixture.canvas, pictures[i].title);
        fixture_free(&fixture);
        if (fclose(out) != 0) {
            perror(path);
            return 1;
        }
    }
    return 0;
}
