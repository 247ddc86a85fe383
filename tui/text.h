/*
 * Text from outside made fit to be shown. Everything that reaches a terminal or a pipe passes text_next, the one
 * function that decides what is printable:
 *  - invalid UTF-8 becomes U+FFFD ("?" in ASCII), one per bad byte;
 *  - tab, newline and carriage return become one space; other control characters (ESC, C1) become U+FFFD, so that no
 *    escape sequence survives and none is hidden;
 *  - bidirectional controls, zero-width spaces, separators, private and unassigned code points become U+FFFD: two
 *    names that differ never look the same because of them. Joiners and variation selectors, whose width terminals
 *    disagree on, are dropped;
 *  - combining marks stay with their base, at most TEXT_MARKS of them; a mark without a base stands on a dotted circle;
 *  - in ASCII, common typography is spelled ("…" is "...", "→" is "->"), the rest is "?".
 *
 * Widths are cells of a terminal, by the C library's wcwidth: the caller has called setlocale(LC_ALL, "").
 * Right-to-left letters are kept in the order of memory; terminals that reorder them do so by themselves.
 */
#ifndef TUI_TEXT_H
#define TUI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum charset {
    CHARSET_UTF8,
    CHARSET_ASCII,
};

/* UTF8 if the current locale's encoding is UTF-8, else ASCII. */
enum charset text_locale_charset(void);

#define TEXT_MARKS         3
#define TEXT_GRAPHEME_SIZE 17 /* a base and TEXT_MARKS marks of at most 4 bytes, and NUL */

/* What is shown as one: a base and its marks in one cell or two; or, in ASCII, up to three characters of a spelling,
 * each in a cell of its own. */
struct grapheme {
    char text[TEXT_GRAPHEME_SIZE]; /* printable, NUL-terminated */
    int width;                     /* cells: 1 to 3; 0 if what was read is dropped (text is then "") */
    bool space;                    /* a line may be broken here */
    bool newline;                  /* it was a newline */
};

/* Reads the next grapheme of the `length` bytes at `text`. Returns how many bytes it took: 0 only if length is 0. */
size_t text_next(const char *text, size_t length, enum charset charset, struct grapheme *grapheme);

/* Cells needed to show the whole of `text` (NULL is "") on one line. */
int text_width(const char *text, enum charset charset);

/* A printable copy of `text` that is at most `width` cells wide (0 or less gives ""). If it had to be cut it ends in
 * "…", or in
 * "..." in ASCII ("~" where there are fewer than 8 cells). The caller frees. */
char *text_cut(const char *text, int width, enum charset charset);

/* One line of a wrapped text: `length` bytes at `start`, which points into the wrapped text. */
struct text_line {
    const char *start;
    size_t length;
};

/* Breaks `text` into lines of at most `width` cells (taken as 1 if less): at newlines, at spaces, and inside a word
 * that is wider than a line. Spaces at a break are dropped; those that begin a line after a newline stay. Tells how
 * many lines there are; an empty text has one, empty. The caller frees the array; it points into `text`. */
struct text_line *text_wrap(const char *text, int width, enum charset charset, size_t *count);

/* Printable copies for stdout and stderr, in the locale's charset, of any length. text_plain gives one line;
 * text_plain_lines keeps newlines, and writes tabs as four spaces. The caller frees. */
char *text_plain(const char *text);
char *text_plain_lines(const char *text);

/* Decodes one code point of UTF-8. Returns the bytes it took, or 0 if they are no valid, complete UTF-8. */
size_t text_decode(const char *text, size_t length, uint32_t *code_point);

/* Encodes one valid code point; returns its length, 1 to 4. No NUL is added. */
size_t text_encode(uint32_t code_point, char bytes[4]);

#endif
