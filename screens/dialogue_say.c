/* The dialogue: how a line of it is written. */
#include "screens/dialogue_internal.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A pipe takes lines of any length. */
static int terminal_width(void)
{
    struct winsize size = {0};
    if (!isatty(STDOUT_FILENO))
        return 100000;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col - 1 : 79;
}

static void leave_prompt(struct dialogue *dialogue)
{
    if (dialogue->prompted && dialogue->prompt_shown)
        buf_add(&dialogue->out, "\n");
    dialogue->prompted = false;
}

/* The one key on the screens that is no letter. The caller frees. */
static char *without_arrow(const char *text)
{
    static const char arrow[] = "Press → ";
    const char *found = strstr(text, arrow);
    return found != NULL ? mem_printf("%.*sPress next %s", (int)(found - text), text, found + strlen(arrow)) : mem_dup(text);
}

void dialogue_say(struct dialogue *dialogue, const char *prefix, const char *text)
{
    enum charset charset = text_locale_charset();
    int indent = (int)strspn(prefix, " ");
    size_t count;
    char *named = without_arrow(text), *whole = mem_printf("%s%s", prefix + indent, named);
    struct text_line *lines = text_wrap(whole, terminal_width() - indent, charset, &count);
    leave_prompt(dialogue);
    for (size_t i = 0; i < count; i++) {
        char *line = mem_ndup(lines[i].start, lines[i].length), *plain = text_plain(line);
        buf_addf(&dialogue->out, "%*s%s\n", indent, "", plain);
        free(plain);
        free(line);
    }
    free(lines);
    free(whole);
    free(named);
}

void dialogue_echo(struct dialogue *dialogue, const char *line)
{
    char *plain = text_plain(line);
    buf_addf(&dialogue->out, "> %s\n", plain);
    free(plain);
}

void dialogue_say_marked(struct dialogue *dialogue, enum mark mark, const char *text)
{
    char *prefix = mark == MARK_INFO ? mem_dup("") : mem_printf("%s: ", mark_word(mark));
    dialogue_say(dialogue, prefix, text);
    free(prefix);
}

void dialogue_say_line(struct dialogue *dialogue, const struct told_line *line)
{
    char number[32];
    switch (line->kind) {
    case TOLD_HEADING:
        dialogue_say(dialogue, "", "");
        dialogue_say(dialogue, "", line->text);
        break;
    case TOLD_MARK:
        dialogue_say_marked(dialogue, line->mark, line->text);
        break;
    case TOLD_ROW:
        snprintf(number, sizeof number, "  %zu. ", line->number);
        dialogue_say(dialogue, number, line->text);
        break;
    case TOLD_ITEM:
    case TOLD_LISTED:
        dialogue_say(dialogue, "  - ", line->text);
        break;
    default:
        dialogue_say(dialogue, line->kind == TOLD_LITERAL ? "    " : "", line->text);
    }
}

/* A text that stands over the screen. */
void dialogue_say_prose(struct dialogue *dialogue, const struct prose *prose)
{
    struct told told = {0};
    struct canvas canvas;
    struct prose_state state = {0};
    told_begin(&told, &canvas);
    prose_draw(canvas_area(&canvas), prose->blocks, prose->count, &state);
    for (size_t i = 0; i < told.count; i++)
        dialogue_say_line(dialogue, &told.lines[i]);
    told_free(&told);
}
