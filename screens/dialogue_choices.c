/* The dialogue: what can be chosen on a screen, from the same tables as the keys. */
#include "screens/dialogue_internal.h"

#include "core/base/buf.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of the full screen alone; and the ways between screens, which are told together. */
static bool is_told_apart(int action)
{
    return action == ACTION_GLYPHS || action == ACTION_THEME || action == ACTION_REPAINT || action == ACTION_HELP || action == ACTION_WHY ||
           action == ACTION_QUIT || action == ACTION_FOCUS || action == ACTION_COPY || action == ACTION_READ_ALL || action == ACTION_NEXT || action == ACTION_PREVIOUS || (action >= ACTION_GO_1 && action <= ACTION_GO_5);
}

/* A row of a list is chosen, and opened: Enter's own meaning. */
static bool opens_row(const struct keys_row *row)
{
    return row->action == 0 && row->shown != NULL && strcmp(row->shown, "Enter") == 0;
}

bool dialogue_needs_row(const struct keys_row *row)
{
    return row->action >= ACTION_ROW || opens_row(row);
}

static size_t first_list_rows(struct wizard *wizard)
{
    struct pane pane = {0};
    size_t rows = wizard_screen(wizard)->pane(wizard, 0, &pane) && pane.list != NULL ? pane.table.row_count : 0;
    pane_free(&pane);
    return rows;
}

/* Whether it can be done: with some row of the list, where it is done to one. */
static bool is_possible(struct wizard *wizard, const struct keys_map *map, const struct keys_row *row)
{
    struct table_state *table = &wizard->view.tables[wizard->view.shown];
    size_t selected = table->selected, rows = row->action >= ACTION_ROW || opens_row(row) ? first_list_rows(wizard) : 0;
    bool possible = false;
    if (opens_row(row))
        return rows > 0;
    if (row->action < ACTION_ROW)
        return map->enabled == NULL || map->enabled(map->context, row->action);
    for (table->selected = 0; table->selected < rows && !possible; table->selected++)
        possible = map->enabled == NULL || map->enabled(map->context, row->action);
    table->selected = selected;
    return possible;
}

bool dialogue_select(struct wizard *wizard, size_t number, const struct keys_row *row)
{
    const struct screen *screen = wizard_screen(wizard);
    struct pane pane = {0};
    bool found = false;
    for (size_t i = 0; !found && i < (row->action >= ACTION_ROW ? 1 : PANES) && screen->pane(wizard, i, &pane); i++) {
        size_t rows = pane.list != NULL ? pane.table.row_count : 0;
        found = number >= 1 && number <= rows;
        if (found) {
            pane.list->selected = number - 1;
            wizard->view.focus[wizard->view.shown] = i;
            if (pane.moved != NULL)
                pane.moved(wizard);
        }
        number -= rows;
        pane_free(&pane);
        pane = (struct pane){0};
    }
    return found;
}

/* "acknowledge", or what the help says first. The caller frees. */
static char *name_of(const struct keys_row *row)
{
    const char *end = row->help != NULL ? row->help + strcspn(row->help, ",:;") : NULL;
    if (row->label != NULL)
        return mem_dup(row->label);
    return mem_ndup(row->help, (size_t)(end - row->help) - (*end == '\0' ? 1 : 0));
}

static void add_choice(struct buf *choices, const struct keys_row *row, bool full)
{
    char key[KEYS_NAME_SIZE], *name = name_of(row);
    const char *number = dialogue_needs_row(row) ? " N" : "";
    const char *shown = opens_row(row) ? name : keys_name(row->keys[0], CHARSET_ASCII, key);
    if (full)
        buf_addf(choices, "%s%s: %s\n", shown, number, row->help);
    else if (opens_row(row))
        buf_addf(choices, "%s%s%s", choices->length > 0 ? ", " : "", shown, number);
    else
        buf_addf(choices, "%s%s%s (%s)", choices->length > 0 ? ", " : "", shown, number, name);
    free(name);
}

static const char always[] = "next, back, 1 to 5 (a step), read, why, ? (help), q (quit)";

static const char always_full[] =
    "next, back: Go to the next screen, and back to the one before.\n"
    "1 to 5: Go to that step.\n"
    "read: Tell the screen once more, with all its figures as they are now; all: and every item of long lists.\n"
    "why: What this step does, what is safe and how to get out.\n"
    "?: This help.\n"
    "q: Leave. Nothing is lost: a running worker goes on, and the next start opens where the upgrade stands.\n"
    "N stands for an item's number: details 2. Ctrl-C asks a running worker to stop at the next safe point; once more, and it is left to itself.\n";

char *dialogue_choices(struct wizard *wizard, bool full)
{
    struct buf choices = {0};
    struct wizard_maps maps;
    struct pane pane;
    pane_here(wizard, &pane);
    wizard_fill_maps(&maps, wizard, &pane);
    for (const struct keys_map *map = &maps.here; map != NULL; map = map->next)
        for (size_t i = 0; i < map->count; i++) {
            const struct keys_row *row = &map->rows[i];
            bool told = row->help != NULL && (row->action > 0 || opens_row(row)) && !is_told_apart(row->action);
            if (told && is_possible(wizard, map, row))
                add_choice(&choices, row, full);
        }
    pane_free(&pane);
    buf_addf(&choices, "%s%s", full || choices.length == 0 ? "" : ", ", full ? always_full : always);
    char *text = buf_take(&choices);
    if (full)
        return text;
    char *sentence = mem_printf("Choices: %s.", text);
    free(text);
    return sentence;
}

/* Words for keys that have no letter. */
static int action_of_word(const char *word)
{
    static const struct {
        const char *word;
        int action;
    } words[] = {
        {"next", ACTION_NEXT}, {"->", ACTION_NEXT}, {"→", ACTION_NEXT}, {"right", ACTION_NEXT}, {"back", ACTION_PREVIOUS}, {"previous", ACTION_PREVIOUS},
        {"<-", ACTION_PREVIOUS}, {"←", ACTION_PREVIOUS}, {"left", ACTION_PREVIOUS}, {"?", ACTION_HELP}, {"help", ACTION_HELP}, {"why", ACTION_WHY},
        {"w", ACTION_WHY}, {"quit", ACTION_QUIT}, {"q", ACTION_QUIT},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcasecmp(words[i].word, word) == 0)
            return words[i].action;
    return 0;
}

static bool is_key(const struct keys_row *row, const char *word)
{
    uint32_t code_point;
    size_t length = strlen(word);
    if (length == 0 || text_decode(word, length, &code_point) != length)
        return false;
    for (int i = 0; i < KEYS_PER_ACTION; i++)
        if (row->keys[i] == code_point && code_point > ' ')
            return true;
    return false;
}

static const struct keys_row *find_row(const struct keys_map *map, const char *word, bool by_key)
{
    for (; map != NULL; map = map->next)
        for (size_t i = 0; i < map->count; i++) {
            const struct keys_row *row = &map->rows[i];
            bool chosen = row->action > 0 || opens_row(row);
            bool named = row->label != NULL && strcasecmp(row->label, word) == 0;
            if (chosen && (by_key ? is_key(row, word) : named || (opens_row(row) && strcasecmp("enter", word) == 0)))
                return row;
        }
    return NULL;
}

const struct keys_row *dialogue_find(struct wizard *wizard, const char *word, int *action)
{
    struct wizard_maps maps;
    struct pane pane;
    pane_here(wizard, &pane);
    wizard_fill_maps(&maps, wizard, &pane);
    pane_free(&pane);
    *action = action_of_word(word);
    const struct keys_row *row = *action > 0 ? NULL : find_row(&maps.here, word, true);
    if (row == NULL && *action == 0)
        row = find_row(&maps.here, word, false);
    if (row != NULL)
        *action = row->action;
    return row;
}

bool dialogue_enabled(struct wizard *wizard, int action)
{
    struct wizard_maps maps;
    struct pane pane;
    pane_here(wizard, &pane);
    wizard_fill_maps(&maps, wizard, &pane);
    pane_free(&pane);
    const struct keys_map *map = action >= ACTION_OWN ? &maps.here : &maps.common;
    return action == 0 || map->enabled == NULL || map->enabled(map->context, action);
}
