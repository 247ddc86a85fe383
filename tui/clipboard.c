#include "tui/clipboard.h"

#include "tui/memory.h"

#include <string.h>

#define BEGINNING "\033]52;c;"
#define END       "\a"

bool clipboard_is_known(const char *term)
{
    static const char *const families[] = {"alacritty", "contour", "foot", "rio", "wezterm", "xterm-ghostty", "xterm-kitty"};
    for (size_t i = 0; term != NULL && i < sizeof(families) / sizeof(families[0]); i++)
        if (strncmp(term, families[i], strlen(families[i])) == 0)
            return true;
    return false;
}

static char *encode(char *out, const char *text, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        unsigned group = 0;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (i + j < length ? (unsigned char)text[i + j] : 0u);
        for (size_t j = 0; j < 4; j++)
            *out++ = i + j <= length ? digits[group >> (18 - 6 * j) & 63] : '=';
    }
    return out;
}

char *clipboard_sequence(const char *text, size_t length)
{
    char *sequence = memory_grow(NULL, sizeof(BEGINNING) + (length + 2) / 3 * 4 + sizeof(END), 1);
    char *end = encode(stpcpy(sequence, BEGINNING), text, length);
    stpcpy(end, END);
    return sequence;
}
