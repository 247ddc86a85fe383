/*
 * What must hold of every screen whatever it shows: marks that need no colour, a cursor on what has the focus, names that can do no
 * harm, any keys at any size, no file outside of a folder of the test's own.
 */
#include "fixture.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 1200      /* keys of each screen */
#define LONG 10000

static char long_name[LONG + 1];

static const char *const hostile[] = {
    "\x1b[2J\x1b]0;owned\x07\x9b\x31m", "\r\nover\tthere\n\n\x7f\b\b", "\xe2\x80\xae" "gnok\xe2\x80\xac \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xd8\xb3\xd9\x84\xd8\xa7\xd9\x85",
    "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9", "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81 \xcc\x88",
    "\xff\xfe\xc3(\xf0\x28\x8c\xbc\xed\xa0\x80", "%s%n%s", "", "| # - | \\| |", long_name,
};

static const struct {
    int width, height;
} shapes[] = {{80, 24}, {60, 20}, {160, 50}, {30, 8}, {10, 3}, {1, 1}, {41, 11}};

static struct cell cell_at(const struct canvas *canvas, int x, int y)
{
    return canvas->cells[(size_t)y * (size_t)canvas->width + (size_t)x];
}

/* One line as text; the caller frees. */
static char *line_of(const struct canvas *canvas, int y)
{
    char *text = mem_zero((size_t)canvas->width * TEXT_GRAPHEME_SIZE + 1, 1), *end = text;
    for (int x = 0; x < canvas->width; x++)
        end = stpcpy(end, cell_at(canvas, x, y).text);
    return text;
}

static void assert_cells_are_printable(const struct canvas *canvas, const char *scene)
{
    for (int y = 0; y < canvas->height; y++)
        for (int x = 0; x < canvas->width; x++) {
            struct cell cell = cell_at(canvas, x, y);
            bool covered = x > 0 && cell_at(canvas, x - 1, y).width == 2;
            if ((cell.width == 0) != covered || (cell.width == 2 && x + 1 >= canvas->width))
                fail_msg("%s: a wide cell is broken at %d,%d", scene, x, y);
            for (size_t at = 0; cell.text[at] != '\0';) {
                uint32_t code_point = 0;
                size_t size = text_decode(cell.text + at, strlen(cell.text + at), &code_point);
                bool harmful = size == 0 || code_point < ' ' || (code_point >= 0x7F && code_point < 0xA0) ||
                               (code_point >= 0x202A && code_point <= 0x202E) || (code_point >= 0x2066 && code_point <= 0x2069);
                if (harmful)
                    fail_msg("%s: U+%04X is on the screen at %d,%d", scene, (unsigned)code_point, x, y);
                at += size;
            }
        }
}

static bool is_bar(const struct canvas *canvas, int y)
{
    for (int x = 0; x < canvas->width; x++) {
        enum role role = STYLE_ROLE(cell_at(canvas, x, y).style);
        if (role != ROLE_BAR && role != ROLE_BAR_KEY)
            return false;
    }
    return true;
}

/* Header, separator and footer stand where they belong, whatever is between them. */
static void assert_frame_is_whole(const struct canvas *canvas, const char *scene)
{
    if (canvas->width < 30 || canvas->height < 8)
        return;
    char *top = line_of(canvas, 0), *bottom = line_of(canvas, canvas->height - 1);
    if (!is_bar(canvas, 0) || strstr(top, "kong-upgrade") == NULL)
        fail_msg("%s: the header is '%s'", scene, top);
    if (!is_bar(canvas, canvas->height - 1) || strspn(bottom, " ") == strlen(bottom))
        fail_msg("%s: the footer is '%s'", scene, bottom);
    free(bottom);
    free(top);
    assert_true(!canvas->cursor_shown || (canvas->cursor_x < canvas->width && canvas->cursor_y > 0 && canvas->cursor_y < canvas->height - 1));
}

/* Marks. */

struct run_of_cells {
    char *text;
    enum role role;
};

static bool is_severity(enum role role)
{
    return role == ROLE_OK || role == ROLE_INFO || role == ROLE_WARN || role == ROLE_DANGER || role == ROLE_WAIT;
}

/* The runs of cells of one severity. Returns how many. */
static size_t find_runs(const struct canvas *canvas, struct run_of_cells *runs)
{
    size_t count = 0;
    for (int y = 0; y < canvas->height; y++)
        for (int x = 0; x < canvas->width;) {
            enum role role = STYLE_ROLE(cell_at(canvas, x, y).style);
            char text[4096] = "", *end = text;
            for (; x < canvas->width && STYLE_ROLE(cell_at(canvas, x, y).style) == role; x++)
                end = stpcpy(end, cell_at(canvas, x, y).text);
            if (is_severity(role))
                runs[count++] = (struct run_of_cells){mem_dup(text), role};
        }
    return count;
}

/* Without what may be over it, of which an edge can cut a mark in two. */
static void assert_severities_are_apart(int width, int height, bool overlays)
{
    for (size_t i = 0; scene_at(i) != NULL; i++) {
        struct fixture fixture;
        fixture_begin(&fixture, scene_at(i), width, height, CHARSET_UTF8, NULL);
        if (!overlays)
            fixture.wizard.view.overlay = OVERLAY_NONE;
        fixture_draw(&fixture);
        struct run_of_cells *runs = mem_zero((size_t)(width * height), sizeof *runs);
        size_t count = find_runs(&fixture.canvas, runs);
        for (size_t a = 0; a < count; a++)
            for (size_t b = 0; b < a; b++)
                if (strcmp(runs[a].text, runs[b].text) == 0 && runs[a].role != runs[b].role)
                    fail_msg("%s: '%s' is shown with two severities", scene_at(i)->name, runs[a].text);
        for (size_t a = 0; a < count; a++)
            free(runs[a].text);
        free(runs);
        fixture_free(&fixture);
    }
}

static void test_no_two_severities_differ_by_colour_alone(void **state)
{
    (void)state;
    assert_severities_are_apart(80, 24, true);
    assert_severities_are_apart(120, 40, false);
}

/* The cursor. */

static void test_the_cursor_stands_on_what_has_the_focus(void **state)
{
    static const struct {
        const char *scene, *line;   /* what stands on the cursor's line, from there on or before it */
        const char *keys;
    } places[] = {
        {"welcome-upgradable", "old-1", ""},      {"welcome-upgradable", "old-2", "j"},   {"welcome-add-node", "10.0.0.13", ""},
        {"welcome-help", "Welcome", ""},          {"preflight-findings", "blocks", ""},   {"preflight-search", "/lock", ""},
        {"preflight-details", "It warns", ""},    {"up-confirm", "Not now", ""},          {"up-waiting", "now ", ""},
        {"provision-wrong", "new-2", ""},         {"divert-half", "new-1", ""},           {"divert-half", "old-1", "jj"},
        {"decommission-some", "old-2", ""},       {"finish-dialog", "Stay", ""},          {"finish-dialog-part", "ko", ""},
        {"finish-dialog-full", "finish ]", "\t\t"}, {"finish-overrule", "Stay", ""},
        {"finish-ready", "Press f", ""},          {"done-report", "Database kong", ""},   {"up-log", "/170]", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        for (size_t j = 0; scene_at(j) != NULL; j++) {
            struct fixture fixture;
            if (strcmp(scene_at(j)->name, places[i].scene) != 0)
                continue;
            fixture_begin(&fixture, scene_at(j), 80, 24, CHARSET_UTF8, NULL);
            fixture_type(&fixture, places[i].keys);
            fixture_draw(&fixture);
            assert_true(fixture.canvas.cursor_shown);
            char *line = line_of(&fixture.canvas, fixture.canvas.cursor_y);
            if (strstr(line, places[i].line) == NULL)
                fail_msg("%s: the cursor is not at '%s', but at '%s'", places[i].scene, places[i].line, line);
            free(line);
            fixture_free(&fixture);
        }
}

/* A screen reader reads from there: in every scene, at every size that can be used. */
static void test_there_is_always_a_cursor(void **state)
{
    static const int widths[][2] = {{80, 24}, {60, 20}, {120, 40}, {160, 50}, {30, 8}};
    (void)state;
    for (size_t i = 0; scene_at(i) != NULL; i++)
        for (size_t j = 0; j < COUNT_OF(widths); j++) {
            struct fixture fixture;
            fixture_begin(&fixture, scene_at(i), widths[j][0], widths[j][1], CHARSET_UTF8, NULL);
            fixture_draw(&fixture);
            if (!fixture.canvas.cursor_shown)
                fail_msg("%s has no cursor at %dx%d", scene_at(i)->name, widths[j][0], widths[j][1]);
            fixture_free(&fixture);
        }
}

/* A question stays what it was while what is behind it is read anew. */
static void test_a_question_outlives_the_state_it_was_asked_in(void **state)
{
    (void)state;
    for (size_t i = 0; scene_at(i) != NULL; i++) {
        struct fixture fixture;
        if (strcmp(scene_at(i)->name, "finish-dialog") != 0)
            continue;
        fixture_begin(&fixture, scene_at(i), 80, 24, CHARSET_UTF8, NULL);
        fixture_draw(&fixture);
        state_free(&fixture.wizard.model.state);
        fixture_state(&fixture, STAGE_PENDING, "1.2");
        fixture_type(&fixture, "kong");
        fixture_draw(&fixture);
        assert_true(dialog_enabled(&fixture.wizard.view.dialog, &fixture.wizard.view.dialog_state, 2));   /* "I have another: finish" */
        fixture_free(&fixture);
    }
}

static bool canvas_has(const struct canvas *canvas, const char *text)
{
    char *all = canvas_text(canvas);
    bool has = strstr(all, text) != NULL;
    free(all);
    return has;
}

/* Finish: nothing is sent unless all was read, the name typed, and the last seconds have run out. */

static const struct scene *find_scene(const char *name)
{
    for (size_t i = 0; scene_at(i) != NULL; i++)
        if (strcmp(scene_at(i)->name, name) == 0)
            return scene_at(i);
    fail_msg("there is no scene %s", name);
    return NULL;
}

/* Ticks for so long: a frame and a tick each quarter of a second, as the loop does. */
static void pass(struct fixture *fixture, int milliseconds)
{
    for (int i = 0; i < milliseconds; i += 250) {
        fixture->wizard.model.now += 250;
        model_derive(&fixture->wizard.model);
        countdown_tick(&fixture->wizard);
        fixture_draw(fixture);
    }
}

static void press(struct fixture *fixture, uint32_t key, bool pasted)
{
    const struct input input = {.kind = INPUT_KEY, .key = key, .pasted = pasted};
    wizard_key(&fixture->wizard, &input);   /* no frame between: typed ahead */
}

/* The dialog, read to its end, on a database with a backup. */
static void ask(struct fixture *fixture)
{
    fixture_begin(fixture, find_scene("finish-dialog-backed-up"), 80, 24, CHARSET_UTF8, NULL);
    for (int i = 0; i < 6; i++)
        fixture_key(fixture, K_PAGE_DOWN);
}

static void begin_countdown(struct fixture *fixture)
{
    ask(fixture);
    fixture_type(fixture, "kong");
    fixture_key(fixture, K_ENTER);
    assert_int_equal(fixture->wizard.view.overlay, OVERLAY_COUNTDOWN);
    fixture_draw(fixture);
}

static void assert_sent(struct fixture *fixture, bool sent, const char *when)
{
    pass(fixture, 2 * COUNTDOWN_MS);
    if (fixture->wizard.model.starting != sent)
        fail_msg("%s: %s", when, sent ? "nothing was sent" : "it was sent");
    fixture_free(fixture);
}

static void test_finish_is_sent_once_all_is_as_it_should_be(void **state)
{
    struct fixture fixture;
    (void)state;
    begin_countdown(&fixture);
    pass(&fixture, COUNTDOWN_MS - 250);
    assert_false(fixture.wizard.model.starting);
    assert_true(canvas_has(&fixture.canvas, "Press any key to stop"));
    assert_sent(&fixture, true, "all as it should be");
}

static void test_finish_is_not_sent_by_accident(void **state)
{
    static const char ahead[] = "fkong";
    struct fixture fixture;
    (void)state;

    fixture_begin(&fixture, find_scene("finish-ready"), 80, 24, CHARSET_UTF8, NULL);
    for (size_t i = 0; i < sizeof ahead - 1; i++)
        press(&fixture, (uint32_t)ahead[i], false);
    press(&fixture, K_ENTER, false);
    assert_sent(&fixture, false, "the name and Enter typed before the question was on the screen");

    fixture_begin(&fixture, find_scene("finish-ready"), 80, 24, CHARSET_UTF8, NULL);
    for (size_t i = 0; i < sizeof ahead - 1; i++)
        press(&fixture, (uint32_t)ahead[i], true);
    press(&fixture, K_ENTER, true);
    assert_int_equal(fixture.wizard.view.overlay, OVERLAY_NONE);
    assert_sent(&fixture, false, "all of it pasted");

    ask(&fixture);
    for (size_t i = 1; i < sizeof ahead - 1; i++)
        press(&fixture, (uint32_t)ahead[i], true);
    press(&fixture, K_ENTER, true);
    assert_sent(&fixture, false, "the name pasted with a newline");

    ask(&fixture);
    fixture_key(&fixture, K_ENTER);
    fixture_key(&fixture, K_ENTER);
    assert_sent(&fixture, false, "Enter twice on the question");

    static const char *const wrong[] = {"", "KONG", "Kong", "kon", "kongg", " kong", "kong "};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        ask(&fixture);
        fixture_type(&fixture, wrong[i]);
        fixture_key(&fixture, K_ENTER);
        assert_true(fixture.wizard.view.overlay != OVERLAY_COUNTDOWN);
        assert_sent(&fixture, false, wrong[i]);
    }

    fixture_begin(&fixture, find_scene("finish-dialog-backed-up"), 60, 14, CHARSET_UTF8, NULL);
    fixture_type(&fixture, "kong");
    fixture_key(&fixture, K_END);
    fixture_key(&fixture, K_ENTER);
    assert_int_equal(fixture.wizard.view.overlay, OVERLAY_DIALOG);
    assert_sent(&fixture, false, "the warning was not wholly on the screen");
}

static void test_the_last_seconds_can_be_stopped(void **state)
{
    static const uint32_t keys[] = {K_ENTER, K_ESC, ' ', 'q', 'k', K_UP, K_CTRL('c'), K_F1};
    struct fixture fixture;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        begin_countdown(&fixture);
        pass(&fixture, (int)i * 500);
        press(&fixture, keys[i], false);
        assert_int_equal(fixture.wizard.view.overlay, OVERLAY_NONE);
        assert_false(fixture.wizard.leaving);
        fixture_draw(&fixture);
        assert_true(canvas_has(&fixture.canvas, "Nothing was changed"));
        assert_sent(&fixture, false, "a key in the last seconds");
    }

    ask(&fixture);
    fixture_type(&fixture, "kong");
    press(&fixture, K_ENTER, false);
    press(&fixture, K_ENTER, false);
    assert_sent(&fixture, false, "Enter twice, or held");

    begin_countdown(&fixture);
    press(&fixture, 'x', true);
    assert_sent(&fixture, false, "a paste");

    begin_countdown(&fixture);
    wizard_key(&fixture.wizard, &(struct input){.kind = INPUT_RESIZE});
    assert_sent(&fixture, false, "another size of the window");

    begin_countdown(&fixture);
    pass(&fixture, 1000);
    fixture.wizard.model.now += COUNTDOWN_MS;
    countdown_tick(&fixture.wizard);
    assert_int_equal(fixture.wizard.view.overlay, OVERLAY_COUNTDOWN);
    assert_true(fixture.wizard.view.countdown.left_ms >= COUNTDOWN_MS - 1000 - COUNTDOWN_TICK_MS);
    fixture.wizard.model.now += 60000;
    countdown_tick(&fixture.wizard);
    assert_sent(&fixture, false, "the program was stopped meanwhile");
}

/* On a terminal that takes no frames, or that is too small, the seconds do not pass. */
static void test_only_seconds_that_are_seen_count(void **state)
{
    struct fixture fixture;
    (void)state;
    begin_countdown(&fixture);
    for (int i = 0; i < 60; i++) {
        fixture.wizard.view.countdown.drawn = false;
        fixture.wizard.model.now += 250;
        countdown_tick(&fixture.wizard);
    }
    assert_false(fixture.wizard.model.starting);
    assert_int_equal(fixture.wizard.view.countdown.left_ms, COUNTDOWN_MS);
    canvas_resize(&fixture.canvas, 20, 5, CHARSET_UTF8);
    assert_sent(&fixture, false, "a window that is too small");
}

static void an_old_node_answers(struct fixture *fixture)
{
    fixture->nodes[0].state = NODE_ANSWERS;   /* an old one */
    fixture->nodes[0].answered_at = fixture->wizard.model.now;
}

static void another_takes_the_lock(struct fixture *fixture)
{
    struct model *model = &fixture->wizard.model;
    model->state.lock = (struct lock_info){.held = true, .worker_alive = true, .owner = mem_dup("kong-upgrade eve@host pid 9 x finish"), .expires = mem_dup("2026-03-02T02:15:00Z")};
}

static void it_is_done_already(struct fixture *fixture)
{
    state_free(&fixture->wizard.model.state);
    fixture_state(fixture, STAGE_CURRENT, "1.3");
}

static void migrations_are_new(struct fixture *fixture)
{
    state_free(&fixture->wizard.model.state);
    fixture_state(fixture, STAGE_UPGRADABLE, "1.2");
}

static void a_worker_runs(struct fixture *fixture)
{
    fixture->wizard.model.run_alive = true;
}

static void a_new_node_is_an_old_one(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->node_count; i++)
        if (fixture->nodes[i].cluster == CLUSTER_NEW) {
            free(fixture->nodes[i].version);
            fixture->nodes[i].version = mem_dup("1.2.3");
            return;
        }
}

static void new_nodes_are_gone(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->node_count; i++)
        fixture->nodes[i].state = NODE_SILENT;
}

static void test_what_changes_underneath_stops_it(void **state)
{
    static const struct {
        const char *what;
        void (*change)(struct fixture *fixture);
    } changes[] = {
        {"an old node answers", an_old_node_answers}, {"another has the lock", another_takes_the_lock}, {"it is done already", it_is_done_already},
        {"`up` is to be run", migrations_are_new}, {"a worker runs", a_worker_runs},
        {"a new node is a 1.2", a_new_node_is_an_old_one}, {"no new node is ready", new_nodes_are_gone},
    };
    struct fixture fixture;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        ask(&fixture);
        fixture_type(&fixture, "kong");
        changes[i].change(&fixture);
        fixture_key(&fixture, K_ENTER);
        if (fixture.wizard.view.overlay == OVERLAY_COUNTDOWN)
            fail_msg("%s under the question, and it goes on", changes[i].what);
        assert_sent(&fixture, false, changes[i].what);

        begin_countdown(&fixture);
        pass(&fixture, COUNTDOWN_MS - 500);
        assert_int_equal(fixture.wizard.view.overlay, OVERLAY_COUNTDOWN);
        changes[i].change(&fixture);
        assert_sent(&fixture, false, changes[i].what);
    }
}

/* What the database sees. */

static void set_up_alone(struct fixture *fixture)
{
    fixture_configure(fixture);
    fixture_state(fixture, STAGE_PENDING, "1.2");
}

static const struct scene up_alone = {"up alone", set_up_alone, false};

static int64_t old_seen_ms(struct fixture *fixture)
{
    struct upgrade_facts facts;
    model_facts(&fixture->wizard.model, &facts);
    return facts.old_session_ms;
}

/* Only time in which the database was looked at counts as time in which no old node was seen there. */
static void test_a_database_that_was_away_proves_nothing(void **state)
{
    struct fixture fixture;
    struct model *model = &fixture.wizard.model;
    int64_t now = FIXTURE_NOW;
    (void)state;
    fixture_begin(&fixture, &up_alone, 80, 24, CHARSET_UTF8, NULL);
    fixture_node(&fixture, CLUSTER_OLD, "old-1", NODE_SILENT, "1.2.3", -1, 60000);
    fixture_node(&fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.3.0", 10, 500);
    model_note_sessions(model, 0, now);
    assert_int_equal(old_seen_ms(&fixture), -1);
    model->old_polls = 1;
    model_note_sessions(model, now - 2000, now);
    model->old_polls = 0;
    model->now = now + 200000;   /* no look has come back for so long */
    assert_int_equal(old_seen_ms(&fixture), 0);
    model->state_at = now + 200000;
    model_note_sessions(model, now, model->state_at);
    assert_int_equal(old_seen_ms(&fixture), 0);
    for (int i = 0; i < 10; i++) {
        model->state_at += 2000;
        model_note_sessions(model, model->state_at - 2000, model->state_at);
    }
    assert_int_equal(old_seen_ms(&fixture), 20000);
    fixture_free(&fixture);
}

/* Two new nodes on a host are one address: another one is no new node's. */
static void test_a_stranger_beside_new_nodes_on_one_host(void **state)
{
    struct fixture fixture;
    struct model *model = &fixture.wizard.model;
    (void)state;
    fixture_begin(&fixture, &up_alone, 80, 24, CHARSET_UTF8, NULL);
    fixture_node(&fixture, CLUSTER_NEW, "new-1", NODE_ANSWERS, "1.3.0", 10, 500);
    fixture_node(&fixture, CLUSTER_NEW, "new-2", NODE_ANSWERS, "1.3.0", 10, 500);
    fixture_session(&fixture, "10.0.0.1", false, 3);
    fixture_stranger(&fixture, "10.0.0.9", NODE_SILENT, NULL, NULL);
    assert_true(model->sessions.live <= 2);
    assert_true(model_sees_old_sessions(model));
    model->nodes[1].poll_age = -1;   /* one that is not seen at its own address may be at that one */
    assert_false(model_sees_old_sessions(model));
    fixture_free(&fixture);
}

/* Nodes. */

static const char *selected_node(struct fixture *fixture)
{
    fixture_draw(fixture);
    return node_pane_selected(&fixture->wizard, CLUSTER_OLD, NODE_COLUMNS_TRAFFIC)->name;
}

/* What goes wrong comes to the top, but nobody's hand is moved to another node by that. */
static void test_the_selection_stays_with_its_node(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_begin(&fixture, find_scene("decommission-20-nodes"), 80, 24, CHARSET_UTF8, NULL);
    assert_string_equal(selected_node(&fixture), "old-9");      /* the one with which something is wrong */
    fixture.nodes[3].state = NODE_UNKNOWN;
    assert_string_equal(selected_node(&fixture), "old-9");
    fixture.nodes[8].state = NODE_ANSWERS;
    fixture.nodes[8].problem = (free(fixture.nodes[8].problem), NULL);
    assert_string_equal(selected_node(&fixture), "old-4");      /* still the worst: no one has chosen */
    for (int i = 0; i < 4; i++)
        fixture_key(&fixture, K_DOWN);
    char *chosen = mem_dup(selected_node(&fixture));
    fixture.nodes[0].state = NODE_STRANGE;
    fixture.nodes[8].state = NODE_STRANGE;
    assert_string_equal(selected_node(&fixture), chosen);
    fixture.nodes[3].state = NODE_ANSWERS;
    assert_string_equal(selected_node(&fixture), chosen);
    free(chosen);
    fixture_free(&fixture);
}

/* Lists. */

static size_t top_of(const struct pane *pane)
{
    return pane->list != NULL ? pane->list->selected : (size_t)pane->text->top;
}

/* The first word of the pane's last row or block that is long enough to be found there alone. */
static char *text_at_end(const struct pane *pane)
{
    char *text = pane->list != NULL ? table_text(&pane->table, pane->table.row_count - 1) : prose_text(pane->prose.blocks, pane->prose.count);
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\t' || text[length - 1] == ' '))
        text[--length] = '\0';
    char *cut = mem_dup(text + (length > 12 ? length - 12 : 0));
    free(text);
    if (strpbrk(cut, "\t\n") != NULL)
        memmove(cut, strrchr(cut, strchr(cut, '\n') != NULL ? '\n' : '\t') + 1, strlen(strrchr(cut, strchr(cut, '\n') != NULL ? '\n' : '\t')));
    return cut;
}

/* Moving to its end and back, searching, copying. */
static void use_pane(struct fixture *fixture, const char *scene, size_t index)
{
    struct wizard *wizard = &fixture->wizard;
    struct pane pane;
    assert_true(pane_here(wizard, &pane));
    bool empty = pane.list != NULL ? pane.table.row_count == 0 : pane.prose.count == 0;
    char *word = empty ? NULL : text_at_end(&pane);
    if (!empty) {
        fixture_key(fixture, 'G');
        fixture_draw(fixture);
        if (pane.list != NULL && pane.list->selected != pane.table.row_count - 1)
            fail_msg("%s, pane %zu: G does not go to the end", scene, index);
        if (pane.list == NULL && pane.text->top + pane.text->page < pane.text->lines)
            fail_msg("%s, pane %zu: the end is not reached", scene, index);
        fixture_key(fixture, 'g');
        assert_int_equal(top_of(&pane), 0);
        fixture_key(fixture, '/');
        fixture_type(fixture, word);
        const struct search *search = pane.list != NULL ? &pane.list->search : &pane.text->search;
        fixture_draw(fixture);
        if (strcmp(search->pattern, word) != 0 || search->not_found)
            fail_msg("%s, pane %zu: '%s' is searched, but not found", scene, index, word);
        fixture_key(fixture, K_ENTER);
        fixture_key(fixture, 'n');
        fixture_key(fixture, 'N');
        fixture_key(fixture, K_ESC);
        fixture_key(fixture, 'y');
        if (wizard->view.copied == NULL || wizard->view.copied[0] == '\0')
            fail_msg("%s, pane %zu: nothing is copied", scene, index);
    }
    if (!empty && pane.list != NULL) {
        fixture_key(fixture, K_ENTER);
        if (wizard->view.overlay != OVERLAY_TEXT)
            fail_msg("%s, pane %zu: Enter opens nothing", scene, index);
        char *text = prose_text(wizard->view.text.blocks, wizard->view.text.count);
        if (pane.open != NULL && !model_backs_up(&wizard->model) && strstr(text, "\nSource: ") == NULL)
            fail_msg("%s, pane %zu: what is explained has no source: %s", scene, index, text);
        free(text);
        fixture_key(fixture, K_ESC);
        assert_int_equal(wizard->view.overlay, OVERLAY_NONE);
    }
    free(word);
    pane_free(&pane);
}

static void test_every_list_scrolls_searches_opens_and_copies(void **state)
{
    size_t used = 0;
    (void)state;
    for (size_t i = 0; scene_at(i) != NULL; i++) {
        struct fixture fixture;
        fixture_begin(&fixture, scene_at(i), 60, 20, CHARSET_UTF8, NULL);
        fixture_draw(&fixture);
        fixture.wizard.view.overlay = OVERLAY_NONE;
        for (size_t j = 0; j < PANES; j++) {
            struct pane pane = {0};
            bool there = wizard_screen(&fixture.wizard)->pane(&fixture.wizard, j, &pane);
            pane_free(&pane);
            if (!there)
                break;
            fixture.wizard.view.focus[fixture.wizard.view.shown] = j;
            if (pane.list != NULL)
                *pane.list = (struct table_state){0};
            use_pane(&fixture, scene_at(i)->name, j);
            used++;
        }
        fixture_free(&fixture);
    }
    assert_true(used > 80);
}

/* The words of a text, apart by single spaces: wrapped or not, it is the same. The caller frees. */
static char *words_of(const char *text)
{
    char *words = mem_zero(strlen(text) + 2, 1), *end = words;
    for (; *text != '\0'; text++)
        if (*text != ' ' && *text != '\n')
            *end++ = *text;
        else if (end > words && end[-1] != ' ')
            *end++ = ' ';
    return words;
}

/* What a screen of 160x50 says in its status line, its notes and its Why is in the text that `e` opens on a smaller one. */
static void assert_all_can_be_read(int width, int height)
{
    for (size_t i = 0; scene_at(i) != NULL; i++) {
        struct fixture fixture;
        struct prose all = {0};
        fixture_begin(&fixture, scene_at(i), width, height, CHARSET_UTF8, NULL);
        fixture.wizard.view.overlay = OVERLAY_NONE;
        fixture.wizard.view.tables[fixture.wizard.view.shown].search.typing = false;
        fixture_draw(&fixture);
        bool cut = fixture.wizard.view.cut;
        if (cut != canvas_has(&fixture.canvas, "e read all"))
            fail_msg("%s: %s", scene_at(i)->name, cut ? "something is cut, and it is not said" : "nothing is cut, and it is said");
        fixture.wizard.view.gathered = &all;
        canvas_resize(&fixture.canvas, 160, 50, CHARSET_UTF8);
        fixture_draw(&fixture);
        fixture.wizard.view.gathered = NULL;
        canvas_resize(&fixture.canvas, width, height, CHARSET_UTF8);
        fixture_key(&fixture, 'e');
        assert_int_equal(fixture.wizard.view.overlay, OVERLAY_TEXT);
        char *text = prose_text(fixture.wizard.view.text.blocks, fixture.wizard.view.text.count), *whole = words_of(text);
        for (size_t j = 0; j < all.count; j++) {
            char *plain = text_plain_lines(all.blocks[j].text), *words = words_of(plain);
            free(plain);
            if (strstr(whole, words) == NULL)
                fail_msg("%s: '%s' is not in the text of everything", scene_at(i)->name, words);
            free(words);
        }
        free(whole);
        free(text);
        prose_free(&all);
        fixture_free(&fixture);
    }
}

static void test_nothing_is_cut_without_a_way_to_see_it(void **state)
{
    (void)state;
    assert_all_can_be_read(60, 20);
    assert_all_can_be_read(80, 24);
    assert_all_can_be_read(120, 40);
}

/* A warning is explained where it holds, and nowhere else; and every gate is. */
static void test_warnings_and_gates_are_explained(void **state)
{
    static const struct {
        const char *scene, *text;
        bool said;
    } cases[] = {
        {"finish-ready", "\nNo backup\n", true}, {"finish-dialog-backed-up", "\nNo backup\n", false}, {"up-confirm-lock", "\nA lock that was left behind\n", true},
        {"up-plan", "\nA lock that was left behind\n", false}, {"up-confirm-logout", "\nThe work would end at logout\n", true}, {"up-waiting", "\nA session is in the way\n", true},
        {"up-running", "\nA session is in the way\n", false}, {"up-running", "\nA node would have waited\n", true}, {"divert-worse", "\nThe new cluster answers worse\n", true},
        {"divert-half", "\nThe new cluster answers worse\n", false}, {"finish-locked", "It is shut: ", true}, {"finish-locked", "Nothing overrules it.", true},
        {"finish-overruled", "It was overruled, though: ", true}, {"finish-ready", "It is open.", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture fixture;
        fixture_begin(&fixture, find_scene(cases[i].scene), 80, 24, CHARSET_UTF8, NULL);
        fixture.wizard.view.overlay = OVERLAY_NONE;
        fixture_key(&fixture, 'e');
        char *text = prose_text(fixture.wizard.view.text.blocks, fixture.wizard.view.text.count);
        if ((strstr(text, cases[i].text) != NULL) != cases[i].said)
            fail_msg("%s: '%s' is %s: %s", cases[i].scene, cases[i].text, cases[i].said ? "not said" : "said", text);
        free(text);
        fixture_free(&fixture);
    }
}

/* Paths that are completed. */

static void complete_with(struct fixture *fixture, const char *text, const char *const *names, size_t count)
{
    struct complete *complete = &fixture->wizard.view.complete;
    field_set(&fixture->wizard.view.field_state, text);
    complete_begin(complete, &fixture->wizard.view.field_state);
    for (size_t i = 0; i < count; i++)
        complete_add(complete, names[i], strchr(names[i], '.') == NULL);
    complete_end(complete, &fixture->wizard.view.field_state);
}

static void test_paths_are_completed(void **state)
{
    static const char *const names[] = {"kong.conf", "kong.conf.old", ".hidden.kong", "logs", "k\xc3\xb6.1", "k\xc3\xa4.2", "evil.\033[2J", "evil.\x1b]0;x\a"};
    static const struct {
        const char *typed, *completed;
        size_t count;
    } cases[] = {
        {"/etc/ko", "/etc/kong.conf", 2}, {"/etc/l", "/etc/logs/", 1}, {"/etc/", "/etc/", 7}, {"/etc/.h", "/etc/.hidden.kong", 1}, {"x", "x", 0},
        {"k\xc3\xb6", "k\xc3\xb6.1", 1}, {"k", "k", 4}, {"ev", "evil.", 2}, {"", "", 7},
    };
    struct fixture fixture;
    (void)state;
    fixture_begin(&fixture, find_scene("welcome-upgradable"), 80, 24, CHARSET_UTF8, NULL);
    fixture_key(&fixture, 'c');
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        complete_with(&fixture, cases[i].typed, names, COUNT_OF(names));
        assert_string_equal(fixture.wizard.view.field_state.text, cases[i].completed);
        assert_int_equal(fixture.wizard.view.complete.count, cases[i].count);
        fixture_draw(&fixture);
        assert_cells_are_printable(&fixture.canvas, cases[i].typed);
    }
    char *folder = complete_folder(&fixture.wizard.view.complete);
    assert_string_equal(folder, ".");
    free(folder);

    /* The text was changed while the folder was read. */
    complete_begin(&fixture.wizard.view.complete, &fixture.wizard.view.field_state);
    fixture.wizard.view.field_state = (struct field_state){.text = "/o", .cursor = 2};
    complete_add(&fixture.wizard.view.complete, "kong", true);
    complete_end(&fixture.wizard.view.complete, &fixture.wizard.view.field_state);
    assert_string_equal(fixture.wizard.view.field_state.text, "/o");

    /* Thousands, and long ones. */
    field_set(&fixture.wizard.view.field_state, "/");
    complete_begin(&fixture.wizard.view.complete, &fixture.wizard.view.field_state);
    for (int i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof name, "%c%d", 'a' + i % 2, i);
        complete_add(&fixture.wizard.view.complete, name, true);
    }
    complete_add(&fixture.wizard.view.complete, long_name, false);
    complete_end(&fixture.wizard.view.complete, &fixture.wizard.view.field_state);
    fixture_draw(&fixture);
    assert_true(canvas_has(&fixture.canvas, "and 4994 more"));
    assert_int_equal(fixture.wizard.view.complete.names.count, COMPLETE_MOST);
    fixture_free(&fixture);
}

/* Hostile names, and all sizes. */

static void draw_at(const struct scene *scene, int width, int height, enum charset charset, const char *name)
{
    struct fixture fixture;
    fixture_begin(&fixture, scene, width, height, charset, name);
    fixture_draw(&fixture);
    assert_cells_are_printable(&fixture.canvas, scene->name);
    assert_frame_is_whole(&fixture.canvas, scene->name);
    fixture_free(&fixture);
}

static void assert_text_is_printable(const char *text, const char *scene)
{
    for (uint32_t code_point = 0; *text != '\0'; text += text_encode(code_point, (char[4]){0})) {
        size_t size = text_decode(text, strnlen(text, 4), &code_point);
        if (size == 0 || (code_point < ' ' && code_point != '\n' && code_point != '\t') || (code_point >= 0x7F && code_point < 0xA0) ||
            (code_point >= 0x202A && code_point <= 0x202E))
            fail_msg("%s: U+%04X was copied", scene, (unsigned)code_point);
    }
}

/* The screen; what is explained of it, all its help; the details of each of its lists' first rows; what is copied of each. */
static void look_around(const struct scene *scene, int width, int height, enum charset charset, const char *name)
{
    static const uint32_t keys[] = {K_ENTER, 'y', K_PAGE_DOWN, K_ESC, 'e', 'y', K_END, K_ESC, '?', K_ESC, K_TAB, K_ENTER, 'y', K_ESC, 'y'};
    struct fixture fixture;
    fixture_begin(&fixture, scene, width, height, charset, name);
    fixture_draw(&fixture);
    assert_cells_are_printable(&fixture.canvas, scene->name);
    assert_frame_is_whole(&fixture.canvas, scene->name);
    fixture.wizard.view.overlay = OVERLAY_NONE;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        fixture_key(&fixture, keys[i]);
        fixture_draw(&fixture);
        assert_cells_are_printable(&fixture.canvas, scene->name);
        assert_frame_is_whole(&fixture.canvas, scene->name);
        if (fixture.wizard.view.copied != NULL)
            assert_text_is_printable(fixture.wizard.view.copied, scene->name);
    }
    fixture_free(&fixture);
}

/* Every name in every scene; around a ninth of those one looks. */
static void test_hostile_names_do_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; scene_at(i) != NULL; i++)
        for (size_t j = 0; j < COUNT_OF(hostile); j++)
            ((i + j) % 9 == 0 ? look_around : draw_at)(scene_at(i), shapes[(i + j) % 3].width, shapes[(i + j) % 3].height, j % 2 == 0 ? CHARSET_UTF8 : CHARSET_ASCII, hostile[j]);
}

/* That test is worth what the scenes put into it: where names come from outside, they are those that it gives. */
static void test_every_name_in_the_scenes_can_be_hostile(void **state)
{
    static const char *const usual[] = {"old-1", "old-2", "new-1", "example.net", "ops-1", "10.0.0.", "psql", "/etc/kong", "/home/ops", "/var/backups", "alice"};
    bool usual_seen = false;
    (void)state;
    for (size_t i = 0; scene_at(i) != NULL; i++) {
        struct fixture fixture;
        fixture_begin(&fixture, scene_at(i), 160, 50, CHARSET_UTF8, "QZ");
        fixture_draw(&fixture);
        bool typed = strncmp(scene_at(i)->name, "welcome-add-node", strlen("welcome-add-node")) == 0;   /* by the operator */
        bool restores = strcmp(scene_at(i)->name, "leave-restore") == 0;   /* by psql, the program */
        for (size_t j = 0; !typed && j < COUNT_OF(usual); j++)
            if (canvas_has(&fixture.canvas, usual[j]) && !(restores && strcmp(usual[j], "psql") == 0)) {
                print_error("%s: '%s' is shown\n", scene_at(i)->name, usual[j]);
                usual_seen = true;
            }
        fixture_free(&fixture);
    }
    assert_false(usual_seen);
}

static void test_every_size_is_survived(void **state)
{
    (void)state;
    for (size_t i = 0; scene_at(i) != NULL; i++)
        for (size_t j = 0; j < COUNT_OF(shapes); j++)
            draw_at(scene_at(i), shapes[j].width, shapes[j].height, CHARSET_UTF8, NULL);
}

/* Any keys. */

static uint32_t dice;

/* Marsaglia's xorshift: the same throws everywhere. */
static uint32_t roll(uint32_t sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    return dice % sides;
}

static struct input random_input(void)
{
    static const uint32_t special[] = {
        K_TAB, K_ESC, K_ENTER, K_ENTER, K_ENTER, K_BACKSPACE, K_DELETE, K_INSERT, K_UP, K_DOWN, K_LEFT, K_RIGHT, K_HOME, K_END, K_PAGE_UP,
        K_PAGE_DOWN, K_BACKTAB, K_F1, K_F1 + 9, K_F12, K_CTRL('c'), K_CTRL('l'), K_CTRL('u'), K_CTRL('y'), 0, 0x6F22, 0x301, 0x202E, 0x1F468,
    };
    struct input input = {.kind = roll(50) == 0 ? INPUT_RESIZE : INPUT_KEY};
    input.key = roll(2) == 0 ? special[roll(COUNT_OF(special))] : ' ' + roll(95);
    input.alt = roll(20) == 0;
    input.pasted = roll(20) == 0;
    return input;
}

/* All that is pressed stays without effect outside the test's folder: there is no loop, so no worker, no node and no database. */
static void test_any_keys_at_any_size_are_survived(void **state)
{
    (void)state;
    for (size_t i = 0; scene_at(i) != NULL; i++) {
        struct fixture fixture;
        if (!scene_at(i)->chief)
            continue;
        dice = 2463534242u + (uint32_t)i;
        fixture_begin(&fixture, scene_at(i), 80, 24, CHARSET_UTF8, NULL);
        free(fixture.wizard.model.app.fleet.file);
        fixture.wizard.model.app.fleet.file = mem_dup("fleet.ini");
        for (int round = 0; round < ROUNDS; round++) {
            struct input input = random_input();
            wizard_key(&fixture.wizard, &input);
            fixture.wizard.leaving = false;
            if (roll(4) == 0)
                canvas_resize(&fixture.canvas, (int)roll(140), (int)roll(50), roll(3) == 0 ? CHARSET_ASCII : CHARSET_UTF8);
            fixture_draw(&fixture);
            assert_frame_is_whole(&fixture.canvas, scene_at(i)->name);
            if (round % 20 == 0)
                assert_cells_are_printable(&fixture.canvas, scene_at(i)->name);
        }
        fixture_free(&fixture);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int enter_folder(void **state)
{
    char *path = mem_printf("%s/kong-upgrade-screens-XXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    *state = path;
    return mkdtemp(path) != NULL && chdir(path) == 0 && setenv("HOME", path, 1) == 0 && setenv("XDG_STATE_HOME", path, 1) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    int left = chdir("/");
    nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return left;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_two_severities_differ_by_colour_alone),
        cmocka_unit_test(test_the_cursor_stands_on_what_has_the_focus),
        cmocka_unit_test(test_there_is_always_a_cursor),
        cmocka_unit_test(test_a_question_outlives_the_state_it_was_asked_in),
        cmocka_unit_test(test_finish_is_sent_once_all_is_as_it_should_be),
        cmocka_unit_test(test_finish_is_not_sent_by_accident),
        cmocka_unit_test(test_the_last_seconds_can_be_stopped),
        cmocka_unit_test(test_only_seconds_that_are_seen_count),
        cmocka_unit_test(test_what_changes_underneath_stops_it),
        cmocka_unit_test(test_a_database_that_was_away_proves_nothing),
        cmocka_unit_test(test_a_stranger_beside_new_nodes_on_one_host),
        cmocka_unit_test(test_the_selection_stays_with_its_node),
        cmocka_unit_test(test_every_list_scrolls_searches_opens_and_copies),
        cmocka_unit_test(test_nothing_is_cut_without_a_way_to_see_it),
        cmocka_unit_test(test_warnings_and_gates_are_explained),
        cmocka_unit_test(test_paths_are_completed),
        cmocka_unit_test(test_hostile_names_do_no_harm),
        cmocka_unit_test(test_every_name_in_the_scenes_can_be_hostile),
        cmocka_unit_test(test_every_size_is_survived),
        cmocka_unit_test(test_any_keys_at_any_size_are_survived),
    };
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        return 2;
    memset(long_name, 'x', LONG);
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
