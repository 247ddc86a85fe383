/* Random sizes, keys, figures and hostile text for every widget: under the sanitizers, nothing may be out of bounds.
 * FUZZ_SEED takes another course. */
#include "tests/tui/drawn.h"

#include "tui/chart.h"
#include "tui/dialog.h"
#include "tui/frame.h"
#include "tui/keys.h"
#include "tui/progress.h"
#include "tui/steps.h"
#include "tui/table.h"

#include <math.h>

static unsigned seed = 2024;

static unsigned roll(unsigned sides)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 12) % sides;
}

/* A text of bits that have hurt others. The same few buffers are used in turn. */
static const char *nasty(void)
{
    static const char *const bits[] = {"\033[31m", "\033]0;x\a",
                                       "日本",     "e\u0301\u0302\u0303\u0304",
                                       "\u202E",   "\xff",
                                       "\xe2\x82", "\u200B",
                                       "word ",    "\n",
                                       "\t",       "\u0301",
                                       "שלום",     "\U0001F468\u200D\U0001F469",
                                       "",         "%s%n",
                                       "a",        "…",
                                       "  ",       "\x01"};
    static char buffers[16][512];
    static unsigned turn;
    char *text = buffers[turn++ % 16];
    text[0] = '\0';
    for (unsigned i = roll(24); i > 0; i--)
        strcat(text, bits[roll(sizeof(bits) / sizeof(bits[0]))]);
    return text;
}

static double figure(void)
{
    static const double figures[] = {0, -1, 1, 1e300, -1e300, NAN, INFINITY, -INFINITY, 0.3, 999.5, 1234567};
    return figures[roll(sizeof(figures) / sizeof(figures[0]))] * (roll(2) ? 1 : roll(1000));
}

static struct input random_input(void)
{
    static const uint32_t special[] = {K_TAB, K_ESC, 'n',    'N',   '/',    ' ',      'j', 'k',
                                       'g',   'G',   0x65E5, 0x301, 0x202E, 0xFFFFFF, 1,   0x7F};
    uint32_t code = roll(2) ? K_ENTER + roll(30) : roll(2) ? special[roll(16)] : 32 + roll(90);
    return (struct input){roll(40) ? INPUT_KEY : INPUT_RESIZE, code, roll(9) == 0, roll(9) == 0};
}

static struct canvas canvas;

static struct area next_area(void)
{
    static const int sizes[][2] = {{0, 0}, {1, 1}, {2, 2}, {80, 24}, {60, 20}, {120, 40}, {200, 60}, {1, 60}, {200, 1}};
    unsigned choice = roll(14);
    int width = choice < 9 ? sizes[choice][0] : (int)roll(100);
    int height = choice < 9 ? sizes[choice][1] : (int)roll(30);
    canvas_resize(&canvas, width, height, roll(2) ? CHARSET_UTF8 : CHARSET_ASCII);
    struct area area = canvas_area(&canvas);
    return roll(3) ? area
                   : area_part(area, (struct rect){(int)roll(20) - 5, (int)roll(9) - 3, (int)roll(90), (int)roll(30)});
}

/* What every canvas must be, whatever was painted: whole cells of printable text, and a cursor inside. */
static void check_canvas(void)
{
    for (int y = 0; y < canvas.height; y++)
        for (int x = 0; x < canvas.width; x++) {
            const struct cell *cell = &canvas.cells[y * canvas.width + x];
            struct grapheme grapheme;
            size_t length = strlen(cell->text);
            if (cell->width == 0) {
                assert_true(x > 0 && cell[-1].width == 2 && length == 0);
                continue;
            }
            assert_true(length > 0 && (unsigned char)cell->text[0] >= ' ' && cell->text[0] != 0x7F);
            assert_true(cell->width == 1 || (x + 1 < canvas.width && cell[1].width == 0));
            assert_true(canvas.charset == CHARSET_UTF8 || (length == 1 && (unsigned char)cell->text[0] < 0x7F));
            assert_true(text_next(cell->text, length, CHARSET_UTF8, &grapheme) == length || length == 3);
            assert_true(STYLE_ROLE(cell->style) < ROLE_COUNT);
        }
    assert_true(!canvas.cursor_shown || (canvas.cursor_x < canvas.width && canvas.cursor_y < canvas.height));
    char *text = canvas_text(&canvas);
    char *roles = canvas_roles(&canvas);
    assert_true(strlen(roles) == (size_t)canvas.height * ((size_t)canvas.width + 1));
    free(text);
    free(roles);
}

static void nasty_cell(const void *context, size_t row, size_t column, struct table_cell *cell)
{
    (void)context;
    (void)row;
    (void)column;
    cell->text = roll(20) ? nasty() : NULL;
    cell->style = roll(ROLE_COUNT);
}

static void tables(void **state)
{
    (void)state;
    struct table_state table = {0};
    struct table_column columns[20];
    for (int round = 0; round < 1500; round++) {
        for (size_t i = 0; i < 20; i++)
            columns[i] = (struct table_column){
                nasty(), {(int)roll(20), (int)roll(30), (int)roll(40), (int)roll(3), (int)roll(5)}, roll(2)};
        struct table_model model = {
            columns, roll(20), roll(3) ? roll(60) : roll(3), nasty_cell, NULL, roll(2) ? nasty() : NULL, roll(2), roll(2)};
        table_draw(next_area(), &model, &table, roll(2));
        check_canvas();
        for (unsigned i = roll(12); i > 0; i--) {
            struct input input = random_input();
            table_key(&model, &table, &input);
            assert_true(table.selected < model.row_count || table.selected == 0);
        }
    }
}

static void proses_and_dialogs(void **state)
{
    (void)state;
    struct prose_state prose_state = {0};
    struct dialog_state dialog = {0};
    for (int round = 0; round < 1500; round++) {
        struct prose prose = {0};
        for (unsigned i = roll(20); i > 0; i--) {
            if (roll(4) == 0)
                prose_add_key(&prose, nasty(), nasty());
            else if (roll(4) == 0)
                prose_add_mark(&prose, (enum mark)roll(MARK_COUNT), "%s", nasty());
            else
                prose_add(&prose, (enum prose_kind)roll(8), "%s", nasty());
            prose_style(&prose, roll(3) ? 0 : roll(ROLE_COUNT));
        }
        struct dialog_model model = {.title = roll(9) ? nasty() : NULL,
                                     .mark = (enum mark)roll(MARK_COUNT),
                                     .blocks = prose.blocks,
                                     .block_count = prose.count,
                                     .answers = {{nasty(), roll(2)}, {nasty(), roll(2)}, {"x", false}, {nasty(), true}},
                                     .answer_count = roll(6),
                                     .safe = roll(6),
                                     .must_type = roll(2) ? nasty() : NULL};
        if (roll(3) == 0)
            dialog_open(&model, &dialog);
        dialog_draw(next_area(), &model, &dialog);
        check_canvas();
        prose_draw(next_area(), prose.blocks, prose.count, &prose_state);
        check_canvas();
        for (unsigned i = roll(12); i > 0; i--) {
            struct input input = random_input();
            assert_int_not_equal(dialog_key(&model, &dialog, &input), REACTION_NONE);
            prose_key(&prose_state, &input);
        }
        prose_free(&prose);
    }
}

static void fields(void **state)
{
    (void)state;
    struct field_state field = {0};
    for (int round = 0; round < 6000; round++) {
        struct field_model model = {.label = roll(2) ? nasty() : NULL, .placeholder = roll(2) ? nasty() : NULL};
        struct input input = random_input();
        if (roll(50) == 0)
            field_set(&field, nasty());
        field_key(&model, &field, &input);
        assert_true(field.cursor <= strlen(field.text));
        for (const char *c = field.text; *c != '\0';) {
            uint32_t code_point;
            size_t size = text_decode(c, strlen(c), &code_point);
            assert_true(size > 0 && code_point >= ' ' && code_point != 0x202E);
            c += size;
        }
        field_draw(next_area(), &model, &field, roll(2));
        check_canvas();
    }
}

static void charts_and_lines(void **state)
{
    (void)state;
    static double values[2][500];
    for (int round = 0; round < 1500; round++) {
        for (size_t i = 0; i < 1000; i++)
            values[i / 500][i % 500] = figure();
        const struct chart_series series[] = {
            {roll(5) ? nasty() : NULL, values[0], roll(500), ROLE_OLD, (char)roll(128)},
            {"new", values[1], roll(500), ROLE_NEW, 'n'},
            {"third", values[1], 9, ROLE_OK, 'x'}};
        struct chart_model chart = {series, roll(4), figure(), roll(2) ? nasty() : NULL, NULL, roll(2) ? (size_t)roll(5000) : 0};
        chart_draw(next_area(), &chart);
        check_canvas();
        struct progress_model progress = {
            figure(), figure(), figure(), figure(), roll(2) ? nasty() : NULL, roll(1u << 19) * 4096};
        progress_draw(next_area(), (int)roll(4) - 1, &progress);
        check_canvas();
        struct steps_item items[8];
        for (size_t i = 0; i < 8; i++)
            items[i] = (struct steps_item){
                nasty(), roll(2) ? nasty() : NULL, (enum steps_progress)roll(4), (int)roll(9), roll(2), roll(4) == 0};
        steps_draw(next_area(), items, roll(9));
        check_canvas();
        frame_header(next_area(), nasty(), nasty(), roll(2) ? nasty() : NULL);
        frame_status(next_area(), (int)roll(3), (enum mark)roll(MARK_COUNT), nasty());
        frame_too_small(next_area(), 60, 20);
        area_box(next_area(), roll(ROLE_COUNT), nasty());
        check_canvas();
        struct keys_row rows[6];
        for (size_t i = 0; i < 6; i++)
            rows[i] = (struct keys_row){{random_input().key}, nasty(),      nasty(),
                                        (int)roll(3),         (int)roll(9), roll(2) ? nasty() : NULL};
        struct keys_map map = {rows, roll(7), NULL, NULL, NULL};
        keys_draw(next_area(), &map);
        check_canvas();
    }
}

static int end(void **state)
{
    (void)state;
    canvas_free(&canvas);
    return 0;
}

int main(void)
{
    const char *chosen = getenv("FUZZ_SEED");
    seed = chosen != NULL ? (unsigned)atoi(chosen) : seed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),
        cmocka_unit_test(proses_and_dialogs),
        cmocka_unit_test(fields),
        cmocka_unit_test(charts_and_lines),
    };
    return cmocka_run_group_tests_name("fuzz", tests, use_utf8, end);
}
