/* Cells, clipping, themes, and layouts as strings. */
#include "tests/tui/drawn.h"

#include "tui/layout.h"
#include "tui/theme.h"

static void text_is_painted_and_clipped(void **state)
{
    (void)state;
    struct canvas canvas;
    canvas_init(&canvas, 12, 3, CHARSET_UTF8);
    struct area area = canvas_area(&canvas);
    assert_int_equal(area_text(area, 0, 0, ROLE_OK, "ok"), 2);
    assert_int_equal(area_text(area, 3, 0, ROLE_TEXT, "a long sentence"), 12);
    area_text(area, 0, 5, ROLE_TEXT, "outside");
    area_text(area, 50, 1, ROLE_TEXT, "outside");
    area_text(area, -2, 1, ROLE_TEXT, "abcd");
    area_column(area, 6, 1, 6, true, ROLE_WARN | STYLE_BOLD, "12");
    area_text(area_part(area, (struct rect){2, 2, 4, 1}), 0, 0, ROLE_TEXT, "abcdef");
    assert_drawn(&canvas, "ok a long s…\ncd        12\n  abc…\n");
    assert_roles(&canvas, "ee..........\n..........GG\n............\n");
    canvas_free(&canvas);
}

static void wide_text_never_leaves_halves(void **state)
{
    (void)state;
    struct canvas canvas;
    canvas_init(&canvas, 5, 3, CHARSET_UTF8);
    struct area area = canvas_area(&canvas);
    area_text(area, 0, 0, ROLE_TEXT, "日本");
    area_text(area, 1, 0, ROLE_TEXT, "x");
    area_text(area, 0, 1, ROLE_TEXT, "日本");
    area_text(area, 2, 1, ROLE_TEXT, "x");
    area_text(area, 4, 2, ROLE_TEXT, "日");
    area_text(area, 1, 2, ROLE_TEXT, "日");
    area_text(area, 0, 2, ROLE_TEXT, "本");
    assert_drawn(&canvas, " x本\n日x\n本  …\n");
    canvas_free(&canvas);
}

static void boxes_and_cursor(void **state)
{
    (void)state;
    struct canvas canvas;
    canvas_init(&canvas, 14, 4, CHARSET_UTF8);
    struct area area = canvas_area(&canvas);
    struct area inside = area_box(area, ROLE_BORDER, "A long title");
    area_text(inside, 0, 0, ROLE_TEXT, "in");
    area_cursor(inside, 2, 0);
    area_cursor(inside, 90, 0);
    assert_true(canvas.cursor_shown && canvas.cursor_x == 3 && canvas.cursor_y == 1);
    assert_drawn(&canvas, "┌─ A long … ─┐\n│in          │\n│            │\n└────────────┘\n");
    canvas_resize(&canvas, 14, 4, CHARSET_ASCII);
    area_box(canvas_area(&canvas), ROLE_BORDER, "A long title");
    assert_false(canvas.cursor_shown);
    assert_drawn(&canvas, "+- A lon... -+\n|            |\n|            |\n+------------+\n");
    canvas_resize(&canvas, 2, 2, CHARSET_UTF8);
    assert_int_equal(area_box(canvas_area(&canvas), ROLE_BORDER, "x").width, 2);
    assert_drawn(&canvas, "\n\n");
    canvas_resize(&canvas, 0, 5, CHARSET_UTF8);
    area_box(canvas_area(&canvas), ROLE_BORDER, "x");
    area_text(canvas_area(&canvas), 0, 0, ROLE_TEXT, "x");
    area_cursor(canvas_area(&canvas), 0, 0);
    assert_drawn(&canvas, "");
    canvas_resize(&canvas, -4, -5, CHARSET_UTF8);
    assert_int_equal(canvas.width, 0);
    canvas_free(&canvas);
}

static void parts_stay_inside(void **state)
{
    (void)state;
    struct canvas canvas;
    canvas_init(&canvas, 20, 10, CHARSET_UTF8);
    struct area area = area_part(canvas_area(&canvas), (struct rect){5, 5, 10, 4});
    for (int x = -30; x < 30; x += 3)
        for (int width = -5; width < 40; width += 4) {
            struct area part = area_part(area, (struct rect){x, x / 2, width, width});
            assert_true(part.x >= 5 && part.y >= 5 && part.width >= 0 && part.height >= 0);
            assert_true(part.x + part.width <= 15 && part.y + part.height <= 9);
        }
    assert_int_equal(area_inset(area, 7, 7).width, 0);
    canvas_free(&canvas);
}

static void shared(int space, int gap, const struct layout_request *requests, size_t count, const char *expected)
{
    int sizes[40];
    char text[256] = "";
    layout_share(space, gap, requests, count, sizes);
    for (size_t i = 0; i < count; i++)
        sprintf(text + strlen(text), i > 0 ? " %d" : "%d", sizes[i]);
    assert_string_equal(text, expected);
}

static void space_is_shared(void **state)
{
    (void)state;
    const struct layout_request screen[] = {LAYOUT_FIXED(1, 5), LAYOUT_FILL(3, 9), LAYOUT_BETWEEN(2, 6, 3),
                                            LAYOUT_FIXED(1, 4)};
    shared(24, 0, screen, 4, "1 16 6 1");
    shared(10, 0, screen, 4, "1 3 5 1");
    shared(7, 0, screen, 4, "1 3 2 1");
    shared(6, 0, screen, 4, "1 4 0 1");
    shared(4, 0, screen, 4, "1 3 0 0");
    shared(3, 0, screen, 4, "0 3 0 0");
    shared(2, 0, screen, 4, "0 2 0 0");
    shared(0, 0, screen, 4, "0 0 0 0");
    shared(-7, 0, screen, 4, "0 0 0 0");
    shared(24, 1, screen, 4, "1 13 6 1");
    shared(9, 1, screen, 4, "1 5 0 1");
    const struct layout_request weights[] = {{1, 1, 0, 1, 0}, {1, 1, 0, 3, 0}, {1, 1, 5, 4, 0}};
    shared(11, 0, weights, 3, "2 4 5");
    shared(40, 0, weights, 3, "9 26 5");
    const struct layout_request wishes[] = {{2, 10, 0, 0, 1}, {2, 10, 0, 0, 2}};
    shared(14, 0, wishes, 2, "4 10");
    shared(4, 0, wishes, 2, "2 2");
    shared(3, 0, wishes, 2, "0 3");
    shared(5, 0, NULL, 0, "");
}

static void areas_are_split(void **state)
{
    (void)state;
    struct canvas canvas;
    canvas_init(&canvas, 80, 24, CHARSET_UTF8);
    const struct layout_request requests[] = {LAYOUT_FIXED(20, 1), LAYOUT_FILL(30, 9), LAYOUT_FIXED(10, 0)};
    struct area parts[3];
    char text[256] = "";
    layout_columns(canvas_area(&canvas), 2, requests, 3, parts);
    for (int i = 0; i < 3; i++)
        sprintf(text + strlen(text), "%d,%d %dx%d; ", parts[i].x, parts[i].y, parts[i].width, parts[i].height);
    struct area middle = layout_centre(canvas_area(&canvas), 40, 100);
    sprintf(text + strlen(text), "%d,%d %dx%d", middle.x, middle.y, middle.width, middle.height);
    assert_string_equal(text, "0,0 20x24; 22,0 46x24; 70,0 10x24; 20,0 40x24");
    canvas_free(&canvas);
}

static void shares_never_exceed_the_space(void **state)
{
    (void)state;
    unsigned seed = 7;
    for (int round = 0; round < 5000; round++) {
        struct layout_request requests[40];
        int sizes[40];
        seed = seed * 1103515245u + 12345u;
        size_t count = (seed >> 16) % 40;
        int gap = (int)((seed >> 8) % 3);
        int space = (int)((seed >> 20) % 200);
        for (size_t i = 0; i < count; i++) {
            seed = seed * 1103515245u + 12345u;
            requests[i] = (struct layout_request){(int)(seed >> 10) % 12, (int)(seed >> 14) % 30,
                                                  (int)(seed >> 18) % 25, (int)(seed >> 22) % 3, (int)(seed >> 25) % 4};
        }
        layout_share(space, gap, requests, count, sizes);
        int used = 0;
        int shown = 0;
        for (size_t i = 0; i < count; i++) {
            assert_true(sizes[i] >= 0);
            used += sizes[i];
            shown += sizes[i] > 0;
        }
        assert_true(used + (shown > 0 ? shown - 1 : 0) * gap <= space);
    }
}

static void themes_tell_roles_apart(void **state)
{
    (void)state;
    for (int i = 0; theme_name(i) != NULL; i++) {
        const struct theme *theme = theme_find(theme_name(i));
        assert_non_null(theme);
        static const int colours[] = {0, 2, 8, 16, 256};
        for (size_t j = 0; j < 5; j++)
            for (int role = 0; role < ROLE_COUNT; role++) {
                struct look look = theme_look(theme, (enum role)role, colours[j]);
                bool coloured = look.foreground >= 0 || look.background >= 0;
                assert_true(!coloured || colours[j] >= 8);
                assert_true(look.foreground < (colours[j] > 16 ? 256 : 8) &&
                            look.background < (colours[j] > 16 ? 256 : 8));
                assert_true(!coloured || look.foreground != look.background);
            }
        /* What has the focus is told apart from what has not, on every terminal. */
        for (size_t j = 0; j < 5; j++) {
            struct look here = theme_look(theme, ROLE_HERE, colours[j]);
            struct look text = theme_look(theme, ROLE_TEXT, colours[j]);
            struct look passive = theme_look(theme, ROLE_PASSIVE, colours[j]);
            assert_memory_not_equal(&here, &text, sizeof(here));
            assert_memory_not_equal(&here, &passive, sizeof(here));
        }
    }
    assert_null(theme_find("sepia"));
    for (int i = 0; i < GLYPH_COUNT; i++) {
        assert_int_equal(text_width(theme_glyph(CHARSET_UTF8, (enum glyph)i), CHARSET_UTF8), 1);
        assert_int_equal(strlen(theme_glyph(CHARSET_ASCII, (enum glyph)i)), 1);
    }
}

static void the_environment_chooses_the_theme(void **state)
{
    (void)state;
    unsetenv("COLORFGBG");
    setenv("NO_COLOR", "1", 1);
    assert_ptr_equal(theme_find(NULL), theme_find("mono"));
    assert_true(theme_has_colour(theme_find("light")));
    setenv("NO_COLOR", "", 1);
    assert_ptr_equal(theme_find(NULL), theme_find("dark"));
    unsetenv("NO_COLOR");
    setenv("COLORFGBG", "0;default;15", 1);
    assert_ptr_equal(theme_find(NULL), theme_find("light"));
    setenv("COLORFGBG", "15;0", 1);
    assert_ptr_equal(theme_find(NULL), theme_find("dark"));
    setenv("COLORFGBG", "garbage", 1);
    assert_ptr_equal(theme_find(NULL), theme_find("dark"));
    unsetenv("COLORFGBG");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_painted_and_clipped),
        cmocka_unit_test(wide_text_never_leaves_halves),
        cmocka_unit_test(boxes_and_cursor),
        cmocka_unit_test(parts_stay_inside),
        cmocka_unit_test(space_is_shared),
        cmocka_unit_test(areas_are_split),
        cmocka_unit_test(shares_never_exceed_the_space),
        cmocka_unit_test(themes_tell_roles_apart),
        cmocka_unit_test(the_environment_chooses_the_theme),
    };
    return cmocka_run_group_tests_name("canvas", tests, use_utf8, NULL);
}
