/* Every widget, drawn in memory and read as text; and what their keys do. */
#include "tests/tui/drawn.h"

#include "tui/chart.h"
#include "tui/clipboard.h"
#include "tui/dialog.h"
#include "tui/frame.h"
#include "tui/keys.h"
#include "tui/progress.h"
#include "tui/steps.h"
#include "tui/table.h"

#include <math.h>

static struct canvas canvas;

static struct area blank_area(int width, int height, enum charset charset)
{
    canvas_resize(&canvas, width, height, charset);
    return canvas_area(&canvas);
}

static void type(enum reaction (*handler)(const struct dialog_model *, struct dialog_state *, const struct input *),
                 const struct dialog_model *model, struct dialog_state *state, const char *text)
{
    for (; *text != '\0'; text++) {
        struct input input = key((unsigned char)*text);
        handler(model, state, &input);
    }
}

/* table */

static const char *const people[][3] = {
    {"routes", "5,120", "ok"}, {"services", "812", "ok"},        {"consumers", "1,000,000", "wait"},
    {"plugins", "77", "warn"}, {"\033[2Jevil\u202E", "1", "ok"},
};

static void people_cell(const void *context, size_t row, size_t column, struct table_cell *cell)
{
    (void)context;
    cell->text = people[row % 5][column];
    cell->style = column == 2 && row % 5 == 3 ? ROLE_WARN : ROLE_TEXT;
}

static const struct table_column people_columns[] = {
    {"Table", LAYOUT_FILL(6, 9), false},
    {"Rows", LAYOUT_FIXED(9, 5), true},
    {"State", LAYOUT_FIXED(5, 7), false},
};

static struct table_model people_model(size_t rows)
{
    return (struct table_model){people_columns, 3, rows, people_cell, NULL, "no tables yet", false, false};
}

static void table_shows_rows(void **state)
{
    (void)state;
    struct table_model model = people_model(5);
    struct table_state table = {0};
    table_draw(blank_area(32, 6, CHARSET_UTF8), &model, &table, true);
    assert_drawn(&canvas, "  Table              Rows  State\n"
                          "▸ routes            5,120  ok\n"
                          "  services            812  ok\n"
                          "  consumers     1,000,000  wait\n"
                          "  plugins              77  warn\n"
                          "  �[2Jevil�             1  ok\n");
}

static void table_gives_way_on_narrow_screens(void **state)
{
    (void)state;
    struct table_model model = people_model(5);
    struct table_state table = {0};
    table_draw(blank_area(20, 6, CHARSET_ASCII), &model, &table, true);
    assert_drawn(&canvas, "  Table        State\n"
                          "> routes       ok\n"
                          "  services     ok\n"
                          "  consumers    wait\n"
                          "  plugins      warn\n"
                          "  ?[2Jevil?    ok\n");
    table_draw(blank_area(8, 3, CHARSET_UTF8), &model, &table, false);
    assert_drawn(&canvas, "  Table\n  routes\n  1 of 5\n");
}

static void table_may_only_be_looked_at(void **state)
{
    (void)state;
    struct table_model model = people_model(5);
    struct table_state table = {0};
    model.no_selection = true;
    table_draw(blank_area(32, 4, CHARSET_UTF8), &model, &table, true);
    assert_drawn(&canvas, "  Table            Rows  State\n"
                          "  routes          5,120  ok    ┃\n"
                          "  services          812  ok    │\n"
                          "                    2 of 5 shown\n");
    assert_false(canvas.cursor_shown);
}

static void table_says_that_it_is_empty(void **state)
{
    (void)state;
    struct table_model model = people_model(0);
    struct table_state table = {.selected = 7, .top = 4};
    table_draw(blank_area(32, 3, CHARSET_UTF8), &model, &table, true);
    assert_drawn(&canvas, "  Table              Rows  State\n"
                          "  no tables yet\n"
                          "\n");
    struct input enter = key(K_ENTER);
    assert_int_equal(table_key(&model, &table, &enter), REACTION_NONE);
    assert_int_equal(table.selected, 0);
}

static void table_scrolls(void **state)
{
    (void)state;
    struct table_model model = people_model(50000);
    struct table_state table = {0};
    table_draw(blank_area(34, 7, CHARSET_UTF8), &model, &table, true);
    struct input input = key(K_END);
    assert_int_equal(table_key(&model, &table, &input), REACTION_CHANGED);
    assert_int_equal(table.selected, 49999);
    input = key(K_UP);
    table_key(&model, &table, &input);
    table_draw(blank_area(34, 7, CHARSET_UTF8), &model, &table, true);
    assert_drawn(&canvas, "  Table              Rows  State\n"
                          "  routes            5,120  ok    │\n"
                          "  services            812  ok    │\n"
                          "  consumers     1,000,000  wait  │\n"
                          "▸ plugins              77  warn  │\n"
                          "  �[2Jevil�             1  ok    ┃\n"
                          "                    49999 of 50000\n");
    assert_true(canvas.cursor_shown && canvas.cursor_y == 4);
    input = key('g');
    table_key(&model, &table, &input);
    input = key(K_PAGE_DOWN);
    table_key(&model, &table, &input);
    assert_int_equal(table.selected, 4);
    input = key(K_PAGE_UP);
    table_key(&model, &table, &input);
    assert_int_equal(table.selected, 0);
    assert_int_equal(table_key(&model, &table, &input), REACTION_REDRAW);
    model.row_count = 3;
    table.selected = 400;
    table_clamp(&model, &table);
    assert_int_equal(table.selected, 2);
}

static void table_searches(void **state)
{
    (void)state;
    struct table_model model = people_model(12);
    struct table_state table = {0};
    struct area area = blank_area(34, 5, CHARSET_UTF8);
    table_draw(area, &model, &table, true);
    static const uint32_t keys[] = {'/', 'P', 'L', 'u', 'x', K_BACKSPACE};
    for (size_t i = 0; i < 6; i++) {
        struct input input = key(keys[i]);
        table_key(&model, &table, &input);
        assert_true(table.search.not_found == (keys[i] == 'x'));
    }
    assert_int_equal(table.selected, 3);
    table_draw(blank_area(34, 5, CHARSET_UTF8), &model, &table, true);
    assert_drawn(&canvas, "  Table              Rows  State\n"
                          "  services            812  ok    ┃\n"
                          "  consumers     1,000,000  wait  │\n"
                          "▸ plugins              77  warn  │\n"
                          "/PLu                       4 of 12\n");
    assert_true(canvas.cursor_x == 4 && canvas.cursor_y == 4);
    struct input input = key(K_ENTER);
    table_key(&model, &table, &input);
    assert_false(table.search.typing);
    input = key('n');
    assert_int_equal(table_key(&model, &table, &input), REACTION_CHANGED);
    assert_int_equal(table.selected, 8);
    table_key(&model, &table, &input);
    assert_int_equal(table.selected, 3);
    input = key('N');
    table_key(&model, &table, &input);
    assert_int_equal(table.selected, 8);
    input = key(K_ESC);
    assert_int_equal(table_key(&model, &table, &input), REACTION_REDRAW);
    assert_int_equal(table_key(&model, &table, &input), REACTION_NONE);
    input = key('/');
    table_key(&model, &table, &input);
    input = key('s');
    table_key(&model, &table, &input);
    input = key(K_ESC);
    table_key(&model, &table, &input);
    assert_int_equal(table.selected, 8);
}

/* progress */

static void progress_shows_what_fits(void **state)
{
    (void)state;
    struct progress_model model = {630000, 1000000, 12345, 185, "rows", 0};
    struct area area = blank_area(78, 5, CHARSET_UTF8);
    progress_draw(area, 0, &model);
    progress_draw(area_part(area, (struct rect){0, 0, 40, 5}), 1, &model);
    progress_draw(area_part(area, (struct rect){0, 0, 15, 5}), 2, &model);
    model.total = NAN;
    model.seconds_left = -1;
    model.tick = 2;
    progress_draw(area_part(area, (struct rect){0, 0, 40, 5}), 3, &model);
    model = (struct progress_model){999999.5, 1000000, 0, -1, NULL, 0};
    progress_draw(area_part(area, (struct rect){0, 0, 20, 5}), 4, &model);
    assert_drawn(&canvas, "███████████████░░░░░░░░░   63 %  630 k of 1 M rows  12.3 k/s  about 3 min left\n"
                          "█████████░░░░░░   63 %  about 3 min left\n"
                          "█████░░░   63 %\n"
                          "░░████░░░░░░░░░░░░  630 k rows  12.3 k/s\n"
                          "████████████░   99 %\n");
}

static void times_are_coarse(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        {-1, ""},
        {NAN, ""},
        {INFINITY, ""},
        {0, "less than 5 s"},
        {4.9, "less than 5 s"},
        {5, "about 5 s"},
        {22, "about 20 s"},
        {57, "about 55 s"},
        {58, "about 1 min"},
        {89, "about 1 min"},
        {185, "about 3 min"},
        {1300, "about 20 min"},
        {5000, "about 85 min"},
        {7000, "about 2 h"},
        {80000, "about 22 h"},
        {90000, "more than a day"},
    };
    char text[PROGRESS_TIME_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(progress_time(cases[i].seconds, text), cases[i].text);
    static const struct {
        double value;
        const char *text;
    } figures[] = {
        {0, "0"},          {7, "7"},          {9.63, "9.6"}, {987, "987"},        {9999, "9999"},
        {12345, "12.3 k"}, {999999, "1 M"},   {1e6, "1 M"},  {4560000, "4.56 M"}, {48111, "48.1 k"},
        {3e12, "3 T"},     {1e30, "1.0e+18"}, {NAN, "-"},    {-5, "-5"},
    };
    char figure[PROGRESS_FIGURE_SIZE];
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        assert_string_equal(progress_figure(figures[i].value, figure), figures[i].text);
}

/* chart */

static void chart_draws_two_series(void **state)
{
    (void)state;
    static double falling[60];
    static double rising[60];
    for (int i = 0; i < 60; i++) {
        falling[i] = 100 - i * 1.6;
        rising[i] = i * 1.6;
    }
    falling[30] = NAN;
    const struct chart_series series[] = {{"old", falling, 60, ROLE_OLD, 'o'}, {"new", rising, 60, ROLE_NEW, 'n'}};
    struct chart_model model = {series, 2, 1, "req/s", NULL, 0};
    chart_draw(blank_area(50, 7, CHARSET_UTF8), &model);
    assert_drawn(&canvas, "   100│    ⠉⠒⠢⢄⣀                      ⣀ ⠔ new 94.4\n"
                          " req/s│         ⠉⠑⠢⠤⣀⡀          ⢀ ⠤ ⠊\n"
                          "      │              ⠈⠉⠒⠤⢄⢀ ⠤ ⠒ ⠁\n"
                          "      │               ⣀ ⠒ ⠉⠉⠒⠢⠤⣀⡀\n"
                          "      │         ⣀ ⠔ ⠉           ⠈⠑⠒⠤⢄⡀\n"
                          "     0│     ⠤ ⠊                      ⠈⠉⠒⠢ old 5.6\n"
                          "       68 s ago                       now\n");
}

/* An hour of values, of which the second half hour has a gap, in 20 columns; then five values in as many. */
static void chart_fits_a_span(void **state)
{
    (void)state;
    double values[3600], few[5] = {1, 1, 4, NAN, 4};
    for (int i = 0; i < 3600; i++)
        values[i] = i >= 2400 && i < 2700 ? NAN : i % 2 == 0 ? 0 : 20;
    const struct chart_series hour[] = {{"a", values, 3600, ROLE_OLD, 'a'}}, five[] = {{"a", few, 5, ROLE_OLD, 'a'}};
    struct chart_model model = {.series = hour, .count = 1, .seconds_per_value = 1, .span = 3600};
    chart_draw(blank_area(32, 6, CHARSET_ASCII), &model);
    assert_drawn(&canvas, "    10|aaaaaaaaaaaaaa aaaaa a 20\n"
                          "      |\n"
                          "     5|\n"
                          "      |\n"
                          "     0|\n"
                          "       1 h ago          now\n");
    model = (struct chart_model){.series = five, .count = 1, .seconds_per_value = 60, .span = 5};
    chart_draw(blank_area(32, 6, CHARSET_ASCII), &model);
    assert_drawn(&canvas, "     4|        aaaa    aaaaa a 4\n"
                          "      |        a\n"
                          "     2|        a\n"
                          "      |aaaaaaaa\n"
                          "     0|\n"
                          "       5 min ago         now\n");
}

static void chart_scales_are_round(void **state)
{
    (void)state;
    static const double cases[][2] = {{0, 1},   {-1, 1},  {1, 1},      {1.1, 1.2},  {7, 8},
                                      {10, 10}, {11, 12}, {840, 1000}, {1056, 1200}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_true(fabs(chart_scale(cases[i][0]) - cases[i][1]) < 1e-9);
    assert_true(chart_scale(NAN) == 1 && chart_scale(INFINITY) == 1);
    for (double value = 1; value < 1e9; value *= 1.37)
        assert_true(chart_scale(value) >= value && chart_scale(value) <= value * 2);
}

/* prose */

static const struct prose_block story[] = {
    {.kind = PROSE_HEADING, .text = "Finish"},
    {.kind = PROSE_PARAGRAPH, .text = "What only Kong 1.2 needs is dropped."},
    {.kind = PROSE_BULLET, .text = "a bullet that is too long for one line"},
    {.kind = PROSE_KEY, .term = "Enter", .text = "opens the row that is selected"},
    {.kind = PROSE_KEY, .term = "q", .text = "leaves"},
    {.kind = PROSE_MARK, .mark = MARK_WARN, .text = "wait for the old nodes"},
    {.kind = PROSE_HEADING, .text = "SQL"},
    {.kind = PROSE_LITERAL, .text = "ALTER TABLE\n  routes"},
    {.kind = PROSE_RULE},
};
#define STORY sizeof(story) / sizeof(story[0])

static void prose_is_laid_out(void **state)
{
    (void)state;
    struct prose_state prose = {0};
    prose_draw(blank_area(26, 16, CHARSET_UTF8), story, STORY, &prose);
    assert_drawn(&canvas,
                 "Finish\nWhat only Kong 1.2 needs\nis dropped.\n• a bullet that is too\n  long for one line\n"
                 "Enter  opens the row that\n       is selected\nq      leaves\n! wait for the old nodes\n\nSQL\n"
                 "ALTER TABLE\n  routes\n──────────────────────────\n\n\n");
    assert_true(prose.end_seen);
}

static void prose_indents_what_goes_on(void **state)
{
    (void)state;
    static const struct prose_block sql = {.kind = PROSE_LITERAL, .text = "ALTER TABLE routes ADD name text;\nCOMMIT;"};
    struct prose_state prose = {0};
    assert_int_equal(prose_height(&sql, 1, 20, CHARSET_UTF8), 3);
    prose_draw(blank_area(20, 4, CHARSET_UTF8), &sql, 1, &prose);
    assert_drawn(&canvas, "ALTER TABLE routes\n  ADD name text;\nCOMMIT;\n\n");
}

static void prose_knows_whether_it_was_read(void **state)
{
    (void)state;
    struct prose_state prose = {0};
    prose_draw(blank_area(28, 6, CHARSET_UTF8), story, STORY, &prose);
    assert_drawn(&canvas, "Finish                     ┃\nWhat only Kong 1.2 needs   ┃\nis dropped.                │\n"
                          "• a bullet that is too     │\n  long for one line        │\n▾ 9 more lines             │\n");
    assert_false(prose.end_seen);
    struct input end = key(K_END);
    struct input down = key(K_PAGE_DOWN);
    struct input home = key(K_HOME);
    prose_key(&prose, &end);
    prose_draw(blank_area(28, 6, CHARSET_UTF8), story, STORY, &prose);
    assert_false(prose.end_seen); /* the middle was jumped over */
    prose_key(&prose, &home);
    prose_draw(blank_area(28, 6, CHARSET_UTF8), story, STORY, &prose);
    for (int i = 0; i < 4; i++) {
        assert_false(prose.end_seen && i < 2);
        prose_key(&prose, &down);
        prose_draw(blank_area(28, 6, CHARSET_UTF8), story, STORY, &prose);
    }
    assert_true(prose.end_seen);
    prose_rewind(&prose);
    assert_false(prose.end_seen);
    struct prose_state unseen = {0};
    prose_draw(blank_area(0, 0, CHARSET_UTF8), story, STORY, &unseen);
    assert_false(unseen.end_seen);
}

static void prose_searches(void **state)
{
    (void)state;
    struct prose log = {0};
    struct prose_state prose = {0};
    for (int i = 0; i < 40; i++)
        prose_add(&log, PROSE_PARAGRAPH, i % 10 == 7 ? "line %d says Lock" : "line %d", i);
    static const char pattern[] = "/lock";
    prose_draw(blank_area(28, 4, CHARSET_ASCII), log.blocks, log.count, &prose);
    for (const char *c = pattern; *c != '\0'; c++) {
        struct input input = key((unsigned char)*c);
        assert_int_equal(prose_read(log.blocks, log.count, &prose, &input), REACTION_REDRAW);
    }
    prose_draw(blank_area(28, 4, CHARSET_ASCII), log.blocks, log.count, &prose);
    assert_drawn(&canvas, "line 7 says Lock           #\n"
                          "line 8                     |\n"
                          "line 9                     |\n"
                          "/lock      v 30 more lines |\n");
    assert_true(canvas.cells[12].style == ROLE_MATCH && canvas.cells[11].style == ROLE_TEXT);
    static const struct {
        uint32_t key;
        int top;
    } steps[] = {{K_ENTER, 7}, {'n', 17}, {'n', 27}, {'N', 17}, {'N', 7}, {'N', 37}, {'n', 7}, {K_DOWN, 8}, {K_ESC, 8}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct input input = key(steps[i].key);
        assert_int_equal(prose_read(log.blocks, log.count, &prose, &input), REACTION_REDRAW);
        assert_int_equal(prose.top, steps[i].top);
    }
    struct input escape = key(K_ESC);
    assert_int_equal(prose_read(log.blocks, log.count, &prose, &escape), REACTION_NONE);
    prose_free(&log);
}

static void what_is_copied_is_printable(void **state)
{
    (void)state;
    struct table_model model = people_model(5);
    char *row = table_text(&model, 4);
    assert_string_equal(row, "\uFFFD[2Jevil\uFFFD\t1\tok");
    free(row);
    static const struct prose_block blocks[] = {
        {.kind = PROSE_HEADING, .text = "A\033[m"}, {.kind = PROSE_KEY, .term = "Key", .text = "value"}, {.kind = PROSE_BULLET, .text = "point\nmore"},
        {.kind = PROSE_MARK, .mark = MARK_WARN, .text = "look out"}};
    char *text = prose_text(blocks, 4);
    assert_string_equal(text, "A\uFFFD[m\nKey: value\n- point\nmore\nwarn: look out\n");
    free(text);
}

static void the_clipboard_takes_base64(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[64];
        char *sequence = clipboard_sequence(cases[i][0], strlen(cases[i][0]));
        snprintf(expected, sizeof(expected), "\033]52;c;%s\a", cases[i][1]);
        assert_string_equal(sequence, expected);
        free(sequence);
    }
    assert_true(clipboard_is_known("foot") && clipboard_is_known("xterm-kitty"));
    assert_false(clipboard_is_known("xterm-256color") || clipboard_is_known("screen") || clipboard_is_known("dumb") || clipboard_is_known(NULL));
}

static void prose_follows_a_log(void **state)
{
    (void)state;
    struct prose log = {0};
    struct prose_state prose = {.follow = true};
    for (int i = 0; i < 50; i++)
        prose_add(&log, PROSE_LITERAL, "line %d", i);
    prose_draw(blank_area(12, 4, CHARSET_ASCII), log.blocks, log.count, &prose);
    assert_drawn(&canvas, "line 47    |\nline 48    |\nline 49    |\nend        #\n");
    struct input up = key(K_UP);
    prose_key(&prose, &up);
    prose_add(&log, PROSE_LITERAL, "line 50");
    prose_draw(blank_area(12, 4, CHARSET_ASCII), log.blocks, log.count, &prose);
    assert_drawn(&canvas, "line 46    |\n"
                          "line 47    |\n"
                          "line 48    #\n"
                          "v 2 mor... |\n");
    prose_free(&log);
}

/* keys */

static const struct keys_row rows[] = {
    {{K_ENTER}, "open", "Opens the row.", 1, 3, NULL},
    {{'f', K_F1 + 1}, "finish", "Ends it.", 2, 5, NULL},
    {{K_UP, K_DOWN}, "move", "Moves.", 0, 1, "↑↓"},
};
static const struct keys_row own_rows[] = {{{'q', K_CTRL('c')}, "quit", "Leaves.", 3, 9, NULL},
                                           {{'f'}, NULL, NULL, 4, 0, NULL}};

static bool may(const void *context, int action)
{
    return action != 2 || *(const bool *)context;
}

static void a_row_may_be_left_out_while_it_is_disabled(void **state)
{
    (void)state;
    static const struct keys_row seldom_rows[] = {{{'d'}, "divert", "By the hook.", 2, -9, NULL}, {{K_ENTER}, "open", "Opens the row.", 1, 3, NULL}};
    bool there = false;
    struct keys_map map = {seldom_rows, 2, may, &there, NULL};
    struct input input = key('d');
    keys_draw(blank_area(30, 1, CHARSET_UTF8), &map);
    assert_drawn(&canvas, " Enter open\n");
    assert_int_equal(keys_action(&map, &input), 0);
    there = true;
    keys_draw(blank_area(30, 1, CHARSET_UTF8), &map);
    assert_drawn(&canvas, " d divert  Enter open\n");
    keys_draw(blank_area(12, 1, CHARSET_UTF8), &map);
    assert_drawn(&canvas, "d divert\n");
    assert_int_equal(keys_action(&map, &input), 2);
}

static void keys_agree_with_footer_and_help(void **state)
{
    (void)state;
    bool finish = false;
    struct keys_map own = {own_rows, 2, NULL, NULL, NULL};
    struct keys_map map = {rows, 3, may, &finish, &own};
    struct input input = key('f');
    assert_int_equal(keys_action(&map, &input), 0);
    assert_string_equal(keys_disabled(&map, &input), "finish");
    finish = true;
    assert_int_equal(keys_action(&map, &input), 2);
    assert_null(keys_disabled(&map, &input));
    input.pasted = true;
    assert_int_equal(keys_action(&map, &input), 0);
    input = key(K_F1 + 1);
    assert_int_equal(keys_action(&map, &input), 2);
    input = key(K_CTRL('c'));
    assert_int_equal(keys_action(&map, &input), 3);
    input = key(K_UP);
    assert_int_equal(keys_action(&map, &input), 0);
    keys_draw(blank_area(50, 1, CHARSET_UTF8), &map);
    assert_drawn(&canvas, " Enter open  f finish  ↑↓ move  q quit\n");
    keys_draw(blank_area(50, 1, CHARSET_ASCII), &map);
    assert_drawn(&canvas, " Enter open  f finish  Up/Down move  q quit\n");
    keys_draw(blank_area(20, 1, CHARSET_UTF8), &map);
    assert_drawn(&canvas, "f finish  q quit\n");
    finish = false;
    struct prose help = {0};
    keys_help(&map, &help, CHARSET_UTF8);
    struct prose_state prose = {0};
    prose_draw(blank_area(30, 5, CHARSET_UTF8), help.blocks, help.count, &prose);
    assert_drawn(&canvas, "Enter  Opens the row.\nf      Ends it.\n↑↓     Moves.\nq      Leaves.\n\n");
    prose_free(&help);
}

/* field */

static bool no_spaces(const void *context, const char *text, char *message, size_t size)
{
    (void)context;
    if (strchr(text, ' ') == NULL)
        return true;
    snprintf(message, size, "a name has no spaces");
    return false;
}

static const struct field_model name_field = {.label = "Name:", .placeholder = "kong", .validate = no_spaces};

static void press(struct field_state *field, const char *expected, enum reaction reaction, struct input input)
{
    assert_int_equal(field_key(&name_field, field, &input), reaction);
    assert_string_equal(field->text, expected);
}

static void field_edits_a_line(void **state)
{
    (void)state;
    struct field_state field = {0};
    field_set(&field, "one two\033\n\u202E three");
    assert_string_equal(field.text, "one two three");
    struct input alt_b = {INPUT_KEY, 'b', true, false};
    struct input alt_d = {INPUT_KEY, 'd', true, false};
    press(&field, "one two three", REACTION_REDRAW, alt_b);
    press(&field, "one three", REACTION_CHANGED, key(K_CTRL('w')));
    press(&field, "one ", REACTION_CHANGED, alt_d);
    press(&field, "one three", REACTION_CHANGED, key(K_CTRL('y')));
    press(&field, "one three", REACTION_REDRAW, key(K_CTRL('a')));
    press(&field, "ne three", REACTION_CHANGED, key(K_CTRL('d')));
    press(&field, "ne three", REACTION_REDRAW, key(K_RIGHT));
    press(&field, "n\u0301e three", REACTION_CHANGED, key(0x301));
}

static void field_draws(void **state)
{
    (void)state;
    struct field_state field = {0};
    field_draw(blank_area(24, 2, CHARSET_UTF8), &name_field, &field, true);
    assert_drawn(&canvas, "Name: kong\n\n");
    assert_true(canvas.cursor_shown && canvas.cursor_x == 6);
    field_set(&field, "a very long value 日本 that scrolls");
    field_draw(blank_area(24, 2, CHARSET_UTF8), &name_field, &field, true);
    assert_drawn(&canvas, "Name: ‹ 本 that scrolls\n\n");
    struct input input = key(K_ENTER);
    assert_int_equal(field_key(&name_field, &field, &input), REACTION_REDRAW);
    input = key(K_HOME);
    field_key(&name_field, &field, &input);
    field_draw(blank_area(30, 2, CHARSET_UTF8), &name_field, &field, false);
    assert_drawn(&canvas, "Name: a very long value 日本 ›\n      ! a name has no spaces\n");
    assert_false(canvas.cursor_shown);
}

static void field_is_checked_while_one_types(void **state)
{
    (void)state;
    struct field_state field = {0};
    field_key(&name_field, &field, &(struct input){.kind = INPUT_KEY, .key = 'a'});
    assert_string_equal(field.message, "");
    field_key(&name_field, &field, &(struct input){.kind = INPUT_KEY, .key = ' '});
    assert_string_equal(field.message, "a name has no spaces");
    field_draw(blank_area(18, 4, CHARSET_UTF8), &name_field, &field, true);
    assert_drawn(&canvas, "Name: a\n      a name has\n      no spaces\n\n");
    assert_int_equal(canvas.cells[18 + 6].style, ROLE_DIM);
    struct input input = key(K_ENTER);
    assert_int_equal(field_key(&name_field, &field, &input), REACTION_REDRAW);
    field_draw(blank_area(18, 4, CHARSET_UTF8), &name_field, &field, true);
    assert_drawn(&canvas, "Name: a\n      ! a name has\n        no spaces\n\n");
    input = key(K_BACKSPACE);
    assert_int_equal(field_key(&name_field, &field, &input), REACTION_CHANGED);
    assert_string_equal(field.message, "");
    field_insert(&field, "b\u00e4c\033[md");
    assert_string_equal(field.text, "ab\u00e4c");
}

static void field_takes_pastes_as_text(void **state)
{
    (void)state;
    struct field_state field = {0};
    struct input input = {INPUT_KEY, 'a', false, true};
    press(&field, "a", REACTION_CHANGED, input);
    input.key = K_ENTER;
    press(&field, "a", REACTION_REDRAW, input);
    input.key = K_ESC;
    press(&field, "a", REACTION_REDRAW, input);
    input.key = K_CTRL('u');
    press(&field, "a", REACTION_REDRAW, input);
    input.key = 0x202E;
    press(&field, "a", REACTION_REDRAW, input);
    press(&field, "a", REACTION_ACTIVATE, key(K_ENTER));
    press(&field, "a", REACTION_CANCEL, key(K_ESC));
    press(&field, "a", REACTION_NONE, key(K_TAB));
    press(&field, "a", REACTION_NONE, key(K_UP));
    for (int i = 0; i < 3000; i++) {
        input.key = 0x65E5;
        field_key(&name_field, &field, &input);
    }
    assert_true(strlen(field.text) < FIELD_SIZE && strlen(field.text) > FIELD_SIZE - 4);
    assert_true(field.full);
}

/* marks */

static void no_two_marks_look_alike_without_colour(void **state)
{
    (void)state;
    for (int charset = CHARSET_UTF8; charset <= CHARSET_ASCII; charset++)
        for (int a = 0; a < MARK_COUNT; a++)
            for (int b = 0; b < a; b++) {
                const char *one = theme_glyph((enum charset)charset, mark_glyph((enum mark)a));
                const char *other = theme_glyph((enum charset)charset, mark_glyph((enum mark)b));
                if (strcmp(one, other) == 0 || strcmp(mark_word((enum mark)a), mark_word((enum mark)b)) == 0)
                    fail_msg("%s and %s look alike: %s", mark_word((enum mark)a), mark_word((enum mark)b), one);
            }
}

/* dialog */

static const struct prose_block question[] = {
    {.kind = PROSE_PARAGRAPH, .text = "This can't be undone. 48,111 rows are dropped."},
};
static const struct dialog_model finish = {
    .title = "Finish",
    .mark = MARK_DANGER,
    .blocks = question,
    .block_count = 1,
    .answers = {{"Go back", false}, {"Finish now", true}},
    .answer_count = 2,
    .safe = 0,
    .must_type = "kong",
};

static void dialog_wants_the_name(void **state)
{
    (void)state;
    struct dialog_state dialog;
    dialog_open(&finish, &dialog);
    dialog_draw(blank_area(44, 14, CHARSET_UTF8), &finish, &dialog);
    assert_drawn(&canvas, "\n"
                          "\n"
                          "  ┌─ ✗ Finish ───────────────────────────┐\n"
                          "  │  This can't be undone. 48,111 rows   │\n"
                          "  │  are dropped.                        │\n"
                          "  │                                      │\n"
                          "  │  To confirm, type kong:              │\n"
                          "  │                                      │\n"
                          "  │                                      │\n"
                          "  │                                      │\n"
                          "  │  [ Go back ]  ( Finish now )         │\n"
                          "  └──────────────────────────────────────┘\n"
                          "\n"
                          "\n");
}

static void dialog_is_safe(void **state)
{
    (void)state;
    struct dialog_state dialog;
    struct input enter = key(K_ENTER);
    struct input tab = key(K_TAB);
    struct input escape = key(K_ESC);
    dialog_open(&finish, &dialog);
    dialog_draw(blank_area(60, 14, CHARSET_UTF8), &finish, &dialog);
    assert_int_equal(dialog_key(&finish, &dialog, &enter), REACTION_ACTIVATE);
    assert_int_equal(dialog.answer, 0);

    dialog_open(&finish, &dialog);
    type(dialog_key, &finish, &dialog, "kon");
    assert_int_equal(dialog_key(&finish, &dialog, &enter), REACTION_REDRAW);
    type(dialog_key, &finish, &dialog, "g");
    assert_int_equal(dialog_key(&finish, &dialog, &enter), REACTION_REDRAW); /* never drawn: not read */
    dialog_draw(blank_area(60, 14, CHARSET_UTF8), &finish, &dialog);
    assert_true(dialog_enabled(&finish, &dialog, 1));
    type(dialog_key, &finish, &dialog, " ");
    assert_int_equal(dialog_key(&finish, &dialog, &enter), REACTION_REDRAW);
    struct input back = key(K_BACKSPACE);
    dialog_key(&finish, &dialog, &back);
    assert_int_equal(dialog_key(&finish, &dialog, &enter), REACTION_ACTIVATE);
    assert_int_equal(dialog.answer, 1);
    assert_int_equal(dialog_key(&finish, &dialog, &escape), REACTION_CANCEL);
    assert_int_equal(dialog.answer, 0);

    dialog_open(&finish, &dialog);
    dialog_draw(blank_area(60, 14, CHARSET_UTF8), &finish, &dialog);
    dialog_key(&finish, &dialog, &tab);
    assert_int_equal(dialog.answer, 1);
    assert_int_equal(dialog_key(&finish, &dialog, &enter), REACTION_REDRAW);
    dialog_key(&finish, &dialog, &tab);
    assert_true(dialog.in_field);
    struct input pasted = {INPUT_KEY, K_ENTER, false, true};
    type(dialog_key, &finish, &dialog, "kong");
    assert_int_equal(dialog_key(&finish, &dialog, &pasted), REACTION_REDRAW);
}

static void dialog_waits_until_it_was_read(void **state)
{
    (void)state;
    struct dialog_state dialog;
    struct dialog_model model = finish;
    struct input enter = key(K_ENTER);
    struct input down = key(K_PAGE_DOWN);
    model.blocks = story;
    model.block_count = STORY;
    dialog_open(&model, &dialog);
    dialog_draw(blank_area(50, 14, CHARSET_UTF8), &model, &dialog);
    type(dialog_key, &model, &dialog, "kong");
    assert_false(dialog_enabled(&model, &dialog, 1));
    assert_int_equal(dialog_key(&model, &dialog, &enter), REACTION_REDRAW);
    for (int i = 0; i < 6; i++) {
        dialog_key(&model, &dialog, &down);
        dialog_draw(blank_area(50, 14, CHARSET_UTF8), &model, &dialog);
    }
    assert_true(dialog_enabled(&model, &dialog, 1));
    assert_int_equal(dialog_key(&model, &dialog, &enter), REACTION_ACTIVATE);
}

static void dialog_without_a_name(void **state)
{
    (void)state;
    struct dialog_model model = {.title = "Note", .mark = MARK_INFO, .blocks = question, .block_count = 1};
    struct dialog_state dialog;
    struct input enter = key(K_ENTER);
    dialog_open(&model, &dialog);
    dialog_draw(blank_area(40, 10, CHARSET_ASCII), &model, &dialog);
    assert_drawn(&canvas, "\n"
                          "\n"
                          "  +- i Note -------------------------+\n"
                          "  |  This can't be undone. 48,111    |\n"
                          "  |  rows are dropped.               |\n"
                          "  |                                  |\n"
                          "  |  [ Close ]                       |\n"
                          "  +----------------------------------+\n"
                          "\n"
                          "\n");
    assert_int_equal(dialog_key(&model, &dialog, &enter), REACTION_ACTIVATE);
    /* An answer that needs typing where nothing can be typed is never enabled. */
    model.answers[0] = (struct dialog_answer){"Do it", true};
    model.answer_count = 1;
    assert_false(dialog_enabled(&model, &dialog, 0));
}

/* steps, frame, marks */

static const struct steps_item items[] = {
    {"Welcome", NULL, STEPS_DONE, 0, false, false}, {"Migrate up", "Up", STEPS_DONE, 1, false, false},
    {"Divert", NULL, STEPS_HERE, 2, false, true},   {"Decommission", "Stop", STEPS_NEXT, 3, false, false},
    {"Finish", NULL, STEPS_LOCKED, 4, true, false},
};

static void steps_fit_any_shape(void **state)
{
    (void)state;
    steps_draw(blank_area(20, 5, CHARSET_UTF8), items, 5);
    assert_drawn(&canvas, "✓   Welcome\n✓ 1 Migrate up\n▸ 2 Divert\n○ 3 Decommission\n· 4 Finish !!\n");
    assert_roles(&canvas, "e...eeeeeee.........\n"
                          "e.eeeeeeeeeeee......\n"
                          "jjjjjjjjjjjjjjjjjjjj\n"
                          "....................\n"
                          "a.aaaaaaaaahh.......\n");
    steps_draw(blank_area(80, 1, CHARSET_UTF8), items, 5);
    assert_drawn(&canvas, "✓ Welcome  ✓ 1 Migrate up  ▸ 2 Divert  ○ 3 Decommission  · 4 Finish !!\n");
    steps_draw(blank_area(60, 1, CHARSET_ASCII), items, 5);
    assert_drawn(&canvas, "+ Welcome  + 1 Up  > 2 Divert  o 3 Stop  . 4 Finish !!\n");
    steps_draw(blank_area(30, 1, CHARSET_UTF8), items, 5);
    assert_drawn(&canvas, "step 2 of 4: Divert\n");
    steps_draw(blank_area(20, 3, CHARSET_UTF8), items + 2, 3);
    steps_draw(blank_area(0, 0, CHARSET_UTF8), items, 5);
    steps_draw(blank_area(5, 1, CHARSET_UTF8), items, 0);
}

static void frames_give_way(void **state)
{
    (void)state;
    frame_header(blank_area(50, 1, CHARSET_UTF8), "kong-upgrade", "kong on db1:5432", "1.2 -> 1.3");
    assert_drawn(&canvas, " kong-upgrade  kong on db1:5432        1.2 -> 1.3\n");
    frame_header(blank_area(36, 1, CHARSET_UTF8), "kong-upgrade", "kong on db1:5432", "1.2 -> 1.3");
    assert_drawn(&canvas, " kong-upgrade  kong on db1:5432\n");
}

static void ages_are_told(void **state)
{
    char text[FRAME_AGE_SIZE];
    enum mark mark;
    (void)state;
    assert_string_equal(frame_age(-1, 3000, text, &mark), "no data yet");
    assert_int_equal(mark, MARK_UNKNOWN);
    assert_string_equal(frame_age(3000, 3000, text, &mark), "");
    assert_int_equal(mark, MARK_OK);
    assert_string_equal(frame_age(8200, 3000, text, &mark), "8 s old");
    assert_int_equal(mark, MARK_STALE);
    assert_string_equal(frame_age(150000, 3000, text, &mark), "2 min old");
    assert_true(frame_too_small(blank_area(20, 5, CHARSET_UTF8), 40, 10));
    assert_drawn(&canvas, "This window is 20x5.\n40x10 or more is\nneeded. q leaves,\nwithout harm.\n\n");
    assert_false(frame_too_small(blank_area(40, 10, CHARSET_UTF8), 40, 10));
}

static void marks_never_rely_on_colour(void **state)
{
    (void)state;
    struct area area = blank_area(12, MARK_COUNT, CHARSET_UTF8);
    for (int i = 0; i < MARK_COUNT; i++)
        assert_true(mark_draw(area, 0, i, (enum mark)i) <= MARK_WIDTH);
    assert_drawn(&canvas, "✓ ok\ni info\n! warn\n✗ stop\n◌ wait\n? no data\n≈ stale\n");
    assert_string_equal(mark_text(CHARSET_ASCII, MARK_DANGER), "X stop");
}

static int begin(void **state)
{
    return use_utf8(state);
}

static int end(void **state)
{
    (void)state;
    canvas_free(&canvas);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_shows_rows),
        cmocka_unit_test(table_gives_way_on_narrow_screens),
        cmocka_unit_test(table_says_that_it_is_empty),
        cmocka_unit_test(table_may_only_be_looked_at),
        cmocka_unit_test(table_scrolls),
        cmocka_unit_test(table_searches),
        cmocka_unit_test(progress_shows_what_fits),
        cmocka_unit_test(times_are_coarse),
        cmocka_unit_test(chart_draws_two_series),
        cmocka_unit_test(chart_fits_a_span),
        cmocka_unit_test(chart_scales_are_round),
        cmocka_unit_test(prose_is_laid_out),
        cmocka_unit_test(prose_indents_what_goes_on),
        cmocka_unit_test(prose_knows_whether_it_was_read),
        cmocka_unit_test(prose_follows_a_log),
        cmocka_unit_test(prose_searches),
        cmocka_unit_test(what_is_copied_is_printable),
        cmocka_unit_test(the_clipboard_takes_base64),
        cmocka_unit_test(a_row_may_be_left_out_while_it_is_disabled),
        cmocka_unit_test(keys_agree_with_footer_and_help),
        cmocka_unit_test(field_edits_a_line),
        cmocka_unit_test(field_draws),
        cmocka_unit_test(field_is_checked_while_one_types),
        cmocka_unit_test(field_takes_pastes_as_text),
        cmocka_unit_test(no_two_marks_look_alike_without_colour),
        cmocka_unit_test(dialog_wants_the_name),
        cmocka_unit_test(dialog_is_safe),
        cmocka_unit_test(dialog_waits_until_it_was_read),
        cmocka_unit_test(dialog_without_a_name),
        cmocka_unit_test(steps_fit_any_shape),
        cmocka_unit_test(frames_give_way),
        cmocka_unit_test(ages_are_told),
        cmocka_unit_test(marks_never_rely_on_colour),
    };
    return cmocka_run_group_tests_name("widgets", tests, begin, end);
}
