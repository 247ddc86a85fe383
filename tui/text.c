#include "tui/text.h"

#include "tui/memory.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define REPLACEMENT   "\xEF\xBF\xBD"
#define DOTTED_CIRCLE "\xE2\x97\x8C"

struct range {
    uint32_t first, last;
};

/* Invisible, or able to reorder or hide what stands beside them; and what has no agreed shape. */
static const struct range deceptive[] = {
    {0x00AD, 0x00AD}, {0x061C, 0x061C},   {0x115F, 0x1160},   {0x180E, 0x180E},   {0x200B, 0x200B},
    {0x200E, 0x200F}, {0x2028, 0x202E},   {0x2060, 0x206F},   {0x2800, 0x2800},   {0x3164, 0x3164},
    {0xE000, 0xF8FF}, {0xFDD0, 0xFDEF},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB},
    {0xFFFE, 0xFFFF}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE00FF}, {0xE01F0, 0x10FFFF},
};

/* Joiners, variation selectors and skin tones: terminals disagree on the width of what they make. */
static const struct range dropped[] = {
    {0x034F, 0x034F}, {0x180B, 0x180D}, {0x200C, 0x200D}, {0xFE00, 0xFE0F}, {0x1F3FB, 0x1F3FF}, {0xE0100, 0xE01EF},
};

static const struct range spaces[] = {{0x2000, 0x200A}, {0x205F, 0x205F}, {0x1680, 0x1680}};

struct spelling {
    uint32_t first, last;
    const char *ascii;
};

static const struct spelling spellings[] = {
    {0x00AB, 0x00AB, "<<"}, {0x00B0, 0x00B0, "*"},   {0x00B7, 0x00B7, "."},  {0x00BB, 0x00BB, ">>"},
    {0x00D7, 0x00D7, "x"},  {0x2010, 0x2015, "-"},   {0x2018, 0x201B, "'"},  {0x201C, 0x201F, "\""},
    {0x2022, 0x2022, "*"},  {0x2026, 0x2026, "..."}, {0x2190, 0x2190, "<-"}, {0x2191, 0x2191, "^"},
    {0x2192, 0x2192, "->"}, {0x2193, 0x2193, "v"},   {0x21D2, 0x21D2, "=>"}, {0x2212, 0x2212, "-"},
    {0x2260, 0x2260, "!="}, {0x2264, 0x2264, "<="},  {0x2265, 0x2265, ">="}, {0x2500, 0x2501, "-"},
    {0x2502, 0x2503, "|"},  {0x2713, 0x2714, "+"},   {0x2717, 0x2718, "x"},  {0x25B6, 0x25B8, ">"},
};

static bool in_ranges(uint32_t code_point, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code_point >= ranges[i].first && code_point <= ranges[i].last)
            return true;
    return false;
}
#define IN(code_point, ranges) in_ranges(code_point, ranges, sizeof(ranges) / sizeof(ranges[0]))

enum charset text_locale_charset(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? CHARSET_UTF8 : CHARSET_ASCII;
}

size_t text_decode(const char *text, size_t length, uint32_t *code_point)
{
    const unsigned char *s = (const unsigned char *)text;
    if (length == 0)
        return 0;
    if (s[0] < 0x80) {
        *code_point = s[0];
        return 1;
    }
    size_t size = s[0] >= 0xC2 && s[0] < 0xE0   ? 2
                  : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
                  : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
                                                : 0;
    if (size == 0 || size > length)
        return 0;
    uint32_t value = s[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (s[i] & 0x3F);
    }
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < smallest[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *code_point = value;
    return size;
}

size_t text_encode(uint32_t code_point, char bytes[4])
{
    size_t size = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = size; i-- > 1; code_point >>= 6)
        bytes[i] = (char)(0x80 | (code_point & 0x3F));
    bytes[0] = (char)(lead[size] | code_point);
    return size;
}

static void grapheme_set(struct grapheme *grapheme, const char *text, int width)
{
    size_t length = strlen(text);
    memcpy(grapheme->text, text, length + 1);
    grapheme->width = width;
}

static void grapheme_replace(struct grapheme *grapheme, enum charset charset)
{
    grapheme_set(grapheme, charset == CHARSET_UTF8 ? REPLACEMENT : "?", 1);
}

static void grapheme_spell(struct grapheme *grapheme, uint32_t code_point)
{
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
        if (code_point >= spellings[i].first && code_point <= spellings[i].last) {
            grapheme_set(grapheme, spellings[i].ascii, (int)strlen(spellings[i].ascii));
            return;
        }
    grapheme_set(grapheme, "?", 1);
}

static bool is_mark(uint32_t code_point)
{
    return code_point >= 0x300 && !IN(code_point, deceptive) && !IN(code_point, dropped) &&
           wcwidth((wchar_t)code_point) == 0;
}

/* Takes the marks (and what is dropped among them) that follow; keeps the first TEXT_MARKS. */
static size_t take_marks(const char *text, size_t length, enum charset charset, struct grapheme *grapheme, int kept)
{
    size_t taken = 0;
    size_t end = strlen(grapheme->text);
    uint32_t code_point;
    size_t size;
    while ((size = text_decode(text + taken, length - taken, &code_point)) > 1) {
        bool mark = is_mark(code_point);
        if (!mark && !IN(code_point, dropped))
            break;
        if (mark && charset == CHARSET_UTF8 && kept < TEXT_MARKS) {
            memcpy(grapheme->text + end, text + taken, size);
            end += size;
            grapheme->text[end] = '\0';
            kept++;
        }
        taken += size;
    }
    return taken;
}

static size_t next_beyond_ascii(const char *text, size_t length, enum charset charset, struct grapheme *grapheme)
{
    uint32_t code_point;
    size_t size = text_decode(text, length, &code_point);
    if (size == 0) {
        grapheme_replace(grapheme, charset);
        return 1;
    }
    if (IN(code_point, dropped))
        return size;
    if (code_point == 0x00A0 || code_point == 0x202F || IN(code_point, spaces)) {
        grapheme_set(grapheme, " ", 1);
        grapheme->space = code_point != 0x00A0 && code_point != 0x202F;
        return size;
    }
    int width = code_point < 0xA0 || IN(code_point, deceptive) ? -1 : wcwidth((wchar_t)code_point);
    if (charset == CHARSET_ASCII) {
        grapheme_spell(grapheme, code_point);
        return size + take_marks(text + size, length - size, charset, grapheme, 0);
    }
    if (width < 0 || width > 2) {
        grapheme_replace(grapheme, charset);
        return size;
    }
    int kept = 0;
    if (width == 0) {
        grapheme_set(grapheme, DOTTED_CIRCLE, 1);
        size = 0;
    } else {
        memcpy(grapheme->text, text, size);
        grapheme->text[size] = '\0';
        grapheme->width = width;
        grapheme->space = code_point == 0x3000;
    }
    return size + take_marks(text + size, length - size, charset, grapheme, kept);
}

size_t text_next(const char *text, size_t length, enum charset charset, struct grapheme *grapheme)
{
    *grapheme = (struct grapheme){0};
    if (length == 0)
        return 0;
    unsigned char first = (unsigned char)text[0];
    if (first >= 0x80)
        return next_beyond_ascii(text, length, charset, grapheme);
    grapheme->text[0] = (char)first;
    grapheme->width = 1;
    if (first > ' ' && first < 0x7F)
        return length > 1 && (unsigned char)text[1] >= 0x80 ? 1 + take_marks(text + 1, length - 1, charset, grapheme, 0)
                                                            : 1;
    if (first == ' ' || first == '\t' || first == '\n' || first == '\r') {
        grapheme->text[0] = ' ';
        grapheme->space = true;
        grapheme->newline = first == '\n';
        return 1;
    }
    grapheme_replace(grapheme, charset);
    return 1;
}

/* The width of `text`, or something over `enough` as soon as it is more. */
static int width_up_to(const char *text, size_t length, enum charset charset, int enough)
{
    int width = 0;
    struct grapheme grapheme;
    for (size_t size; width <= enough && (size = text_next(text, length, charset, &grapheme)) > 0; length -= size) {
        width += grapheme.width;
        text += size;
    }
    return width;
}

int text_width(const char *text, enum charset charset)
{
    return text == NULL ? 0 : width_up_to(text, strlen(text), charset, 1 << 30);
}

struct growing {
    char *text;
    size_t length, capacity;
};

static void growing_add(struct growing *out, const char *text)
{
    size_t length = strlen(text);
    if (out->length + length + 1 > out->capacity) {
        out->capacity = (out->length + length + 1) * 2;
        out->text = memory_grow(out->text, out->capacity, 1);
    }
    memcpy(out->text + out->length, text, length + 1);
    out->length += length;
}

char *text_cut(const char *text, int width, enum charset charset)
{
    struct growing out = {0};
    growing_add(&out, "");
    if (text == NULL || width <= 0)
        return out.text;
    size_t length = strlen(text);
    const char *ellipsis = charset == CHARSET_UTF8 ? "\xE2\x80\xA6" : width < 8 ? "~" : "...";
    bool cut = width_up_to(text, length, charset, width) > width;
    int room = cut ? width - text_width(ellipsis, charset) : width;
    struct grapheme grapheme;
    for (size_t size; (size = text_next(text, length, charset, &grapheme)) > 0; length -= size) {
        room -= grapheme.width;
        if (room < 0)
            break;
        growing_add(&out, grapheme.text);
        text += size;
    }
    if (cut)
        growing_add(&out, ellipsis);
    return out.text;
}

/* How many bytes of `text`, which holds no newline, go on a line of that width; and in `skip` how many spaces after
 * them are dropped. At least one grapheme, so that it always goes on. */
static size_t line_length(const char *text, size_t length, int width, enum charset charset, size_t *skip)
{
    size_t at = 0;
    size_t break_at = 0;
    size_t break_end = 0;
    bool word_seen = false;
    int used = 0;
    struct grapheme grapheme;
    while (at < length) {
        size_t size = text_next(text + at, length - at, charset, &grapheme);
        if (grapheme.space && word_seen) {
            if (break_end != at)
                break_at = at;
            break_end = at + size;
        } else if (used + grapheme.width > width && at > 0) {
            break;
        }
        word_seen = word_seen || !grapheme.space;
        used += grapheme.width;
        at += size;
    }
    *skip = 0;
    if (at == length && (used <= width || break_end == length)) {
        if (used <= width)
            return length;
        *skip = length - break_at;
        return break_at;
    }
    if (break_end == 0)
        return at;
    *skip = break_end - break_at;
    return break_at;
}

struct text_line *text_wrap(const char *text, int width, enum charset charset, size_t *count)
{
    struct text_line *lines = NULL;
    size_t capacity = 0;
    *count = 0;
    for (const char *rest = text != NULL ? text : "";;) {
        const char *newline = strchr(rest, '\n');
        size_t left = newline != NULL ? (size_t)(newline - rest) : strlen(rest);
        do {
            size_t skip = 0;
            size_t length = left > 0 ? line_length(rest, left, width > 0 ? width : 1, charset, &skip) : 0;
            if (*count == capacity)
                lines = memory_grow(lines, capacity = capacity * 2 + 4, sizeof(*lines));
            lines[(*count)++] = (struct text_line){rest, length};
            rest += length + skip;
            left -= length + skip;
        } while (left > 0);
        if (newline == NULL)
            return lines;
        rest = newline + 1;
    }
}

static char *plain(const char *text, bool lines)
{
    enum charset charset = text_locale_charset();
    struct growing out = {0};
    growing_add(&out, "");
    size_t length = text != NULL ? strlen(text) : 0;
    struct grapheme grapheme;
    for (size_t size; (size = text_next(text, length, charset, &grapheme)) > 0; length -= size) {
        growing_add(&out, lines && grapheme.newline ? "\n" : lines && *text == '\t' ? "    " : grapheme.text);
        text += size;
    }
    return out.text;
}

char *text_plain(const char *text)
{
    return plain(text, false);
}

char *text_plain_lines(const char *text)
{
    return plain(text, true);
}
