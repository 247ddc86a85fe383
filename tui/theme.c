#include "tui/theme.h"

#include <stdlib.h>
#include <string.h>

#define BOLD    STYLE_BOLD
#define UNDER   STYLE_UNDERLINE
#define REVERSE STYLE_REVERSE
#define DIM     STYLE_DIM

/* The basic eight, as every terminal numbers them. */
enum { BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE, DEFAULT = -1 };

struct theme {
    const char *name;
    bool colour;
    struct look fine[ROLE_COUNT];  /* 256 colours */
    struct look basic[ROLE_COUNT]; /* 8 and 16 */
};

static const struct look mono[ROLE_COUNT] = {
    [ROLE_TEXT] = {DEFAULT, DEFAULT, 0},
    [ROLE_DIM] = {DEFAULT, DEFAULT, 0},
    [ROLE_TITLE] = {DEFAULT, DEFAULT, BOLD},
    [ROLE_STRONG] = {DEFAULT, DEFAULT, BOLD},
    [ROLE_KEY] = {DEFAULT, DEFAULT, BOLD},
    [ROLE_OK] = {DEFAULT, DEFAULT, 0},
    [ROLE_INFO] = {DEFAULT, DEFAULT, 0},
    [ROLE_WARN] = {DEFAULT, DEFAULT, BOLD},
    [ROLE_DANGER] = {DEFAULT, DEFAULT, BOLD},
    [ROLE_WAIT] = {DEFAULT, DEFAULT, 0},
    [ROLE_HERE] = {DEFAULT, DEFAULT, REVERSE},
    [ROLE_PASSIVE] = {DEFAULT, DEFAULT, BOLD},
    [ROLE_MATCH] = {DEFAULT, DEFAULT, UNDER},
    [ROLE_INPUT] = {DEFAULT, DEFAULT, UNDER},
    [ROLE_BORDER] = {DEFAULT, DEFAULT, 0},
    [ROLE_BAR] = {DEFAULT, DEFAULT, REVERSE},
    [ROLE_BAR_KEY] = {DEFAULT, DEFAULT, REVERSE | BOLD},
    [ROLE_FILLED] = {DEFAULT, DEFAULT, 0},
    [ROLE_EMPTY] = {DEFAULT, DEFAULT, 0},
    [ROLE_OLD] = {DEFAULT, DEFAULT, 0},
    [ROLE_NEW] = {DEFAULT, DEFAULT, BOLD},
};

/* What eight colours can do on a dark and on an unknown background; themes below differ in a few. */
#define BASIC_COMMON                                                                                                   \
    [ROLE_TEXT] = {DEFAULT, DEFAULT, 0}, [ROLE_DIM] = {DEFAULT, DEFAULT, DIM},                                         \
    [ROLE_STRONG] = {DEFAULT, DEFAULT, BOLD}, [ROLE_DANGER] = {RED, DEFAULT, BOLD}, [ROLE_HERE] = {WHITE, BLUE, BOLD}, \
    [ROLE_PASSIVE] = {DEFAULT, DEFAULT, BOLD | UNDER}, [ROLE_MATCH] = {BLACK, YELLOW, 0},                              \
    [ROLE_INPUT] = {DEFAULT, DEFAULT, UNDER}, [ROLE_BAR] = {BLACK, WHITE, 0}, [ROLE_BAR_KEY] = {BLUE, WHITE, BOLD},    \
    [ROLE_EMPTY] = {DEFAULT, DEFAULT, DIM}, [ROLE_BORDER] = {DEFAULT, DEFAULT, DIM}

static const struct theme themes[] = {
    {"dark",
     true,
     {
         [ROLE_TEXT] = {DEFAULT, DEFAULT, 0},  [ROLE_DIM] = {245, DEFAULT, 0},
         [ROLE_TITLE] = {117, DEFAULT, BOLD},  [ROLE_STRONG] = {DEFAULT, DEFAULT, BOLD},
         [ROLE_KEY] = {222, DEFAULT, BOLD},    [ROLE_OK] = {114, DEFAULT, 0},
         [ROLE_INFO] = {75, DEFAULT, 0},       [ROLE_WARN] = {221, DEFAULT, BOLD},
         [ROLE_DANGER] = {203, DEFAULT, BOLD}, [ROLE_WAIT] = {117, DEFAULT, 0},
         [ROLE_HERE] = {231, 25, BOLD},        [ROLE_PASSIVE] = {252, 238, 0},
         [ROLE_MATCH] = {16, 222, 0},          [ROLE_INPUT] = {231, 237, UNDER},
         [ROLE_BORDER] = {241, DEFAULT, 0},    [ROLE_BAR] = {252, 236, 0},
         [ROLE_BAR_KEY] = {222, 236, BOLD},    [ROLE_FILLED] = {75, DEFAULT, 0},
         [ROLE_EMPTY] = {240, DEFAULT, 0},     [ROLE_OLD] = {215, DEFAULT, 0},
         [ROLE_NEW] = {80, DEFAULT, BOLD},
     },
     {BASIC_COMMON, [ROLE_TITLE] = {CYAN, DEFAULT, BOLD}, [ROLE_KEY] = {YELLOW, DEFAULT, BOLD},
      [ROLE_OK] = {GREEN, DEFAULT, 0}, [ROLE_INFO] = {CYAN, DEFAULT, 0}, [ROLE_WARN] = {YELLOW, DEFAULT, BOLD},
      [ROLE_WAIT] = {CYAN, DEFAULT, 0}, [ROLE_FILLED] = {CYAN, DEFAULT, 0}, [ROLE_OLD] = {YELLOW, DEFAULT, 0},
      [ROLE_NEW] = {CYAN, DEFAULT, BOLD}}},
    {"light",
     true,
     {
         [ROLE_TEXT] = {DEFAULT, DEFAULT, 0},  [ROLE_DIM] = {242, DEFAULT, 0},
         [ROLE_TITLE] = {25, DEFAULT, BOLD},   [ROLE_STRONG] = {DEFAULT, DEFAULT, BOLD},
         [ROLE_KEY] = {90, DEFAULT, BOLD},     [ROLE_OK] = {28, DEFAULT, 0},
         [ROLE_INFO] = {25, DEFAULT, 0},       [ROLE_WARN] = {130, DEFAULT, BOLD},
         [ROLE_DANGER] = {160, DEFAULT, BOLD}, [ROLE_WAIT] = {30, DEFAULT, 0},
         [ROLE_HERE] = {231, 25, BOLD},        [ROLE_PASSIVE] = {16, 252, 0},
         [ROLE_MATCH] = {16, 222, 0},          [ROLE_INPUT] = {16, 254, UNDER},
         [ROLE_BORDER] = {247, DEFAULT, 0},    [ROLE_BAR] = {236, 253, 0},
         [ROLE_BAR_KEY] = {90, 253, BOLD},     [ROLE_FILLED] = {25, DEFAULT, 0},
         [ROLE_EMPTY] = {250, DEFAULT, 0},     [ROLE_OLD] = {130, DEFAULT, 0},
         [ROLE_NEW] = {30, DEFAULT, BOLD},
     },
     {BASIC_COMMON, [ROLE_TITLE] = {BLUE, DEFAULT, BOLD}, [ROLE_KEY] = {MAGENTA, DEFAULT, BOLD},
      [ROLE_OK] = {GREEN, DEFAULT, 0}, [ROLE_INFO] = {BLUE, DEFAULT, 0}, [ROLE_WARN] = {MAGENTA, DEFAULT, BOLD},
      [ROLE_WAIT] = {BLUE, DEFAULT, 0}, [ROLE_FILLED] = {BLUE, DEFAULT, 0}, [ROLE_OLD] = {RED, DEFAULT, 0},
      [ROLE_NEW] = {BLUE, DEFAULT, BOLD}}},
    {"contrast",
     true,
     {
         [ROLE_TEXT] = {231, 16, 0},
         [ROLE_DIM] = {254, 16, 0},
         [ROLE_TITLE] = {231, 16, BOLD | UNDER},
         [ROLE_STRONG] = {231, 16, BOLD},
         [ROLE_KEY] = {226, 16, BOLD},
         [ROLE_OK] = {46, 16, BOLD},
         [ROLE_INFO] = {51, 16, BOLD},
         [ROLE_WARN] = {226, 16, BOLD},
         [ROLE_DANGER] = {231, 160, BOLD},
         [ROLE_WAIT] = {51, 16, BOLD},
         [ROLE_HERE] = {16, 226, BOLD},
         [ROLE_PASSIVE] = {16, 252, BOLD},
         [ROLE_MATCH] = {16, 51, BOLD},
         [ROLE_INPUT] = {231, 16, BOLD | UNDER},
         [ROLE_BORDER] = {231, 16, 0},
         [ROLE_BAR] = {16, 231, 0},
         [ROLE_BAR_KEY] = {16, 231, BOLD | UNDER},
         [ROLE_FILLED] = {231, 16, 0},
         [ROLE_EMPTY] = {245, 16, 0},
         [ROLE_OLD] = {226, 16, 0},
         [ROLE_NEW] = {51, 16, BOLD},
     },
     {
         [ROLE_TEXT] = {WHITE, BLACK, BOLD},
         [ROLE_DIM] = {WHITE, BLACK, 0},
         [ROLE_TITLE] = {WHITE, BLACK, BOLD | UNDER},
         [ROLE_STRONG] = {WHITE, BLACK, BOLD},
         [ROLE_KEY] = {YELLOW, BLACK, BOLD},
         [ROLE_OK] = {GREEN, BLACK, BOLD},
         [ROLE_INFO] = {CYAN, BLACK, BOLD},
         [ROLE_WARN] = {YELLOW, BLACK, BOLD},
         [ROLE_DANGER] = {WHITE, RED, BOLD},
         [ROLE_WAIT] = {CYAN, BLACK, BOLD},
         [ROLE_HERE] = {BLACK, YELLOW, 0},
         [ROLE_PASSIVE] = {BLACK, WHITE, 0},
         [ROLE_MATCH] = {BLACK, CYAN, 0},
         [ROLE_INPUT] = {WHITE, BLACK, BOLD | UNDER},
         [ROLE_BORDER] = {WHITE, BLACK, BOLD},
         [ROLE_BAR] = {BLACK, WHITE, 0},
         [ROLE_BAR_KEY] = {BLACK, WHITE, UNDER},
         [ROLE_FILLED] = {WHITE, BLACK, BOLD},
         [ROLE_EMPTY] = {WHITE, BLACK, 0},
         [ROLE_OLD] = {YELLOW, BLACK, BOLD},
         [ROLE_NEW] = {CYAN, BLACK, BOLD},
     }},
    {.name = "mono", .colour = false},
};

#define THEMES ((int)(sizeof(themes) / sizeof(themes[0])))

const char *theme_name(int index)
{
    return index >= 0 && index < THEMES ? themes[index].name : NULL;
}

/* COLORFGBG is "foreground;background" or "foreground;something;background"; 7 and 9 to 15 are light, as rxvt has it.
 */
static const char *theme_guess(void)
{
    const char *off = getenv("NO_COLOR");
    if (off != NULL && off[0] != '\0')
        return "mono";
    const char *colours = getenv("COLORFGBG");
    const char *background = colours != NULL ? strrchr(colours, ';') : NULL;
    int number = background != NULL ? atoi(background + 1) : 0;
    return number == 7 || (number >= 9 && number <= 15) ? "light" : "dark";
}

const struct theme *theme_find(const char *name)
{
    if (name == NULL)
        name = theme_guess();
    for (int i = 0; i < THEMES; i++)
        if (strcmp(themes[i].name, name) == 0)
            return &themes[i];
    return NULL;
}

struct look theme_look(const struct theme *theme, enum role role, int colours)
{
    if ((unsigned)role >= ROLE_COUNT)
        role = ROLE_TEXT;
    if (!theme->colour || colours < 8)
        return mono[role];
    return colours >= 256 ? theme->fine[role] : theme->basic[role];
}

bool theme_has_colour(const struct theme *theme)
{
    return theme->colour;
}

static const char *const glyphs[GLYPH_COUNT][2] = {
    [GLYPH_HORIZONTAL] = {"─", "-"}, [GLYPH_VERTICAL] = {"│", "|"},    [GLYPH_TOP_LEFT] = {"┌", "+"},
    [GLYPH_TOP_RIGHT] = {"┐", "+"},  [GLYPH_BOTTOM_LEFT] = {"└", "+"}, [GLYPH_BOTTOM_RIGHT] = {"┘", "+"},
    [GLYPH_TEE_LEFT] = {"├", "+"},   [GLYPH_TEE_RIGHT] = {"┤", "+"},   [GLYPH_TEE_TOP] = {"┬", "+"},
    [GLYPH_TEE_BOTTOM] = {"┴", "+"}, [GLYPH_DONE] = {"✓", "+"},        [GLYPH_HERE] = {"▸", ">"},
    [GLYPH_NEXT] = {"○", "o"},       [GLYPH_LOCKED] = {"·", "."},
    [GLYPH_INFO] = {"i", "i"},       [GLYPH_WARN] = {"!", "!"},        [GLYPH_DANGER] = {"✗", "X"},
    [GLYPH_WAIT] = {"◌", "~"},       [GLYPH_UNKNOWN] = {"?", "?"},     [GLYPH_STALE] = {"≈", "="},
    [GLYPH_BULLET] = {"•", "*"},     [GLYPH_DOT] = {"·", "-"},         [GLYPH_MORE_UP] = {"▴", "^"},
    [GLYPH_MORE_DOWN] = {"▾", "v"},  [GLYPH_MORE_LEFT] = {"‹", "<"},   [GLYPH_MORE_RIGHT] = {"›", ">"},
    [GLYPH_FULL] = {"█", "#"},       [GLYPH_LIGHT] = {"░", "."},       [GLYPH_THUMB] = {"┃", "#"},
    [GLYPH_TRACK] = {"│", "|"},
};

const char *theme_glyph(enum charset charset, enum glyph glyph)
{
    return glyphs[(unsigned)glyph < GLYPH_COUNT ? glyph : GLYPH_UNKNOWN][charset == CHARSET_UTF8 ? 0 : 1];
}
