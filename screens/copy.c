#include "screens/copy.h"

#include "core/base/mem.h"
#include "screens/loop.h"
#include "screens/screen.h"
#include "tui/clipboard.h"
#include "tui/terminal.h"

#include <stdlib.h>
#include <string.h>

static const char *const ways[] = {"auto", "terminal", "file", "off"};

bool copy_is_way(const char *way)
{
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        if (strcmp(way, ways[i]) == 0)
            return true;
    return false;
}

/* A whole number of characters. */
static size_t limit(const char *text)
{
    size_t length = strlen(text);
    if (length <= CLIPBOARD_LIMIT)
        return length;
    for (length = CLIPBOARD_LIMIT; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80; length--)
        ;
    return length;
}

static void send_to_terminal(struct wizard *wizard, const char *cut)
{
    char *sequence = clipboard_sequence(wizard->view.copied, strlen(wizard->view.copied));
    if (terminal_send(sequence))
        wizard_say(wizard, MARK_OK, "Copied to the terminal's clipboard%s. Where it did not arrive: --copy=file.", cut);
    else
        wizard_say(wizard, MARK_WARN, "Nothing was copied: the terminal takes no output now.");
    free(sequence);
}

void copy_text(struct wizard *wizard, const char *text)
{
    const char *way = wizard->options->copy != NULL ? wizard->options->copy : ways[0];
    const char *cut = text[limit(text)] != '\0' ? ", only its beginning" : "";
    bool known = strcmp(way, "auto") == 0 && clipboard_is_known(getenv("TERM"));
    if (strcmp(way, "off") == 0) {
        wizard_say(wizard, MARK_INFO, "Nothing was copied: --copy is off.");
        return;
    }
    free(wizard->view.copied);
    wizard->view.copied = mem_ndup(text, limit(text));
    if (known || strcmp(way, "terminal") == 0)
        send_to_terminal(wizard, cut);
    else
        loop_save_copy(wizard, cut);
}
