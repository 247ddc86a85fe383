/*
 * A small program made of every widget, for looking at them and for terminal_test.c, which runs it in a
 * pseudo-terminal. Its event loop is poll(): what the wizard does with libuv, in a few lines. Exit codes: 0 left by
 * "q", 75 the terminal was lost, 64 it could not be opened. With DEMO_LOG it writes there what came of it; with
 * DEMO_DEAF it ignores SIGHUP.
 */
#include "tui/chart.h"
#include "tui/dialog.h"
#include "tui/frame.h"
#include "tui/keys.h"
#include "tui/progress.h"
#include "tui/steps.h"
#include "tui/table.h"
#include "tui/terminal.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum action { ACTION_QUIT = 1, ACTION_ASK, ACTION_HELP, ACTION_ASCII, ACTION_THEME, ACTION_LOCKED, ACTION_CRASH };

static const struct keys_row key_rows[] = {
    {{K_UP, K_DOWN}, "move", "Up and down select a row; PgUp, PgDn, Home, End go further.", 0, 3, "↑↓"},
    {{'/'}, "search", "Searches all columns. n and N go to the next and the previous match.", 0, 2, NULL},
    {{'f'}, "finish", "Asks before it does what can't be undone.", ACTION_ASK, 5, NULL},
    {{'x'}, "rollback", "Not possible now.", ACTION_LOCKED, 1, NULL},
    {{'a'}, "ascii", "Lines and signs in plain ASCII.", ACTION_ASCII, 0, NULL},
    {{'t'}, "theme", "The next theme: dark, light, contrast, mono.", ACTION_THEME, 0, NULL},
    {{'!'}, NULL, NULL, ACTION_CRASH, 0, NULL},
    {{'?', K_F1}, "help", "This text.", ACTION_HELP, 6, NULL},
    {{'q'}, "quit", "Leaves. What runs goes on.", ACTION_QUIT, 7, NULL},
};

static const struct steps_item steps[] = {
    {"Preflight", "Pre", STEPS_DONE, 0, false, false},    {"Migrate up", "Up", STEPS_DONE, 1, false, false},
    {"Provision", "New", STEPS_DONE, 2, false, false},    {"Divert", "Divert", STEPS_HERE, 3, false, true},
    {"Decommission", "Old", STEPS_NEXT, 4, false, false}, {"Finish", "Finish", STEPS_LOCKED, 5, true, false},
};

static const struct prose_block warning[] = {
    {.kind = PROSE_MARK,
     .mark = MARK_DANGER,
     .text = "This destroys what only Kong 1.2 needs. It can't be undone.",
     .style = ROLE_DANGER},
    {.kind = PROSE_BLANK},
    {.kind = PROSE_BULLET, .text = "column routes.old_methods: 1,204 rows hold data"},
    {.kind = PROSE_BULLET, .text = "table old_credentials: 48,111 rows"},
    {.kind = PROSE_PARAGRAPH,
     .text = "A node of the old cluster that still runs will answer with errors from then on."},
};

static const struct dialog_model finish_dialog = {
    .title = "Finish the upgrade of kong_prod",
    .mark = MARK_DANGER,
    .blocks = warning,
    .block_count = sizeof(warning) / sizeof(warning[0]),
    .answers = {{"Go back", false}, {"Finish now", true}},
    .answer_count = 2,
    .safe = 0,
    .must_type = "kong_prod",
};

static const struct table_column columns[] = {
    {"Node", LAYOUT_FILL(8, 9), false},
    {"State", LAYOUT_FIXED(MARK_WIDTH, 8), false},
    {"Version", LAYOUT_FIXED(7, 5), false},
    {"Requests/s", LAYOUT_FIXED(10, 6), true},
    {"Address", LAYOUT_BETWEEN(14, 24, 3), false},
};

static struct {
    struct canvas canvas;
    struct table_state table;
    struct dialog_state dialog;
    struct prose_state help_state;
    bool asking, helping, finished;
    int theme;
    size_t tick;
    double old_history[600], new_history[600];
} demo;

static bool key_enabled(const void *context, int action)
{
    (void)context;
    return action != ACTION_LOCKED;
}

static const struct keys_map keys = {key_rows, sizeof(key_rows) / sizeof(key_rows[0]), key_enabled, NULL, NULL};

static void node_cell(const void *context, size_t row, size_t column, struct table_cell *cell)
{
    static char text[64];
    (void)context;
    enum mark mark = (enum mark)(row % MARK_COUNT);
    switch (column) {
    case 0:
        snprintf(text, sizeof(text),
                 row == 2   ? "evil\033[31m\xff\xe2\x80\xae name"
                 : row == 3 ? "日本-node"
                            : "kong-old-%zu",
                 row + 1);
        break;
    case 1:
        cell->text = mark_text(demo.canvas.charset, mark);
        cell->style = mark_role(mark);
        return;
    case 2:
        snprintf(text, sizeof(text), "1.2.%zu", row % 4);
        break;
    case 3:
        snprintf(text, sizeof(text), "%zu", row * 37 % 1000);
        break;
    default:
        snprintf(text, sizeof(text), "10.0.%zu.%zu:8001", row / 250, row % 250);
    }
    cell->text = text;
}

static void make_history(void)
{
    for (int i = 0; i < 600; i++) {
        double share = 1 / (1 + exp((i - 420) / 40.0));
        double load = 900 + 120 * sin(i / 17.0) + 60 * sin(i / 5.0);
        demo.old_history[i] = load * share;
        demo.new_history[i] = load * (1 - share);
    }
    demo.old_history[500] = demo.old_history[501] = demo.old_history[502] = NAN;
}

static void draw_traffic(struct area area)
{
    const struct chart_series series[] = {
        {"old", demo.old_history, 600, ROLE_OLD, 'o'},
        {"new", demo.new_history, 600, ROLE_NEW, 'n'},
    };
    struct chart_model chart = {series, 2, 1, "req/s", NULL, 0};
    chart_draw(area, &chart);
}

static void draw_work(struct area area)
{
    enum { TABLE, GAP_A, TRAFFIC, GAP_B, PROGRESS, STATUS, PARTS };
    const struct layout_request requests[PARTS] = {
        [TABLE] = LAYOUT_FILL(4, 9),  [GAP_A] = LAYOUT_FIXED(1, 1),    [TRAFFIC] = {2, 8, 14, 1, 5},
        [GAP_B] = LAYOUT_FIXED(1, 0), [PROGRESS] = LAYOUT_FIXED(1, 7), [STATUS] = LAYOUT_FIXED(1, 8),
    };
    struct area parts[PARTS];
    layout_rows(area, 0, requests, PARTS, parts);
    struct table_model model = {columns, 5, 50000, node_cell, NULL, NULL, false, false};
    table_draw(parts[TABLE], &model, &demo.table, !demo.asking);
    draw_traffic(parts[TRAFFIC]);
    struct progress_model progress = {630000 + (double)demo.tick, 1000000, 12345, 31, "rows", 0};
    progress_draw(parts[PROGRESS], 0, &progress);
    frame_status(parts[STATUS], 0, demo.finished ? MARK_OK : MARK_WAIT,
                 demo.finished ? "finished" : "63 % of the traffic goes to the new cluster");
}

static void draw_help(struct area area)
{
    struct prose help = {0};
    prose_add(&help, PROSE_HEADING, "Divert traffic");
    prose_add(&help, PROSE_PARAGRAPH,
              "Move the traffic from the old cluster to the new one, little by little, with your load balancer.");
    prose_add_mark(&help, MARK_WARN, "Do not use the new cluster's Admin API before the last step is done.");
    prose_add(&help, PROSE_HEADING, "Keys");
    keys_help(&keys, &help, area.canvas->charset);
    struct area box = layout_centre(area, 70, 20);
    area_fill(box, ROLE_TEXT);
    prose_draw(area_inset(area_box(box, ROLE_BORDER, "Help"), 1, 0), help.blocks, help.count, &demo.help_state);
    prose_free(&help);
}

static void draw(struct area area)
{
    enum { HEADER, STEPS, BODY, FOOTER, PARTS };
    bool wide = area.width >= 100;
    const struct layout_request requests[PARTS] = {LAYOUT_FIXED(1, 7), LAYOUT_FIXED(wide ? 0 : 1, 6), LAYOUT_FILL(1, 9),
                                                   LAYOUT_FIXED(1, 8)};
    struct area parts[PARTS];
    if (frame_too_small(area, 40, 10))
        return;
    layout_rows(area, 0, requests, PARTS, parts);
    frame_header(parts[HEADER], "kong-upgrade", "kong_prod on db1:5432", "1.2 -> 1.3");
    steps_draw(parts[STEPS], steps, 6);
    struct area body = parts[BODY];
    if (wide) {
        const struct layout_request sides[] = {LAYOUT_FIXED(18, 1), LAYOUT_FILL(40, 9)};
        struct area halves[2];
        layout_columns(body, 2, sides, 2, halves);
        steps_draw(area_inset(halves[0], 1, 1), steps, 6);
        body = halves[1];
    }
    draw_work(area_inset(body, 1, 0));
    keys_draw(parts[FOOTER], &keys);
    if (demo.helping)
        draw_help(area);
    if (demo.asking)
        dialog_draw(area, &finish_dialog, &demo.dialog);
}

static bool act(int action)
{
    switch (action) {
    case ACTION_QUIT:
        return false;
    case ACTION_ASK:
        terminal_flush_input();
        dialog_open(&finish_dialog, &demo.dialog);
        demo.asking = true;
        break;
    case ACTION_HELP:
        demo.helping = true;
        prose_rewind(&demo.help_state);
        break;
    case ACTION_ASCII:
        terminal_set_ascii(terminal_charset() == CHARSET_UTF8);
        break;
    case ACTION_THEME:
        demo.theme++;
        if (theme_name(demo.theme) == NULL)
            demo.theme = 0;
        terminal_set_theme(theme_find(theme_name(demo.theme)));
        break;
    case ACTION_CRASH:
        terminal_restore();
        _exit(3);
    default:
        break;
    }
    return true;
}

/* False: leave. */
static bool handle(const struct input *input)
{
    if (demo.asking) {
        enum reaction reaction = dialog_key(&finish_dialog, &demo.dialog, input);
        demo.asking = reaction != REACTION_CANCEL && reaction != REACTION_ACTIVATE;
        demo.finished = demo.finished || (reaction == REACTION_ACTIVATE && demo.dialog.answer == 1);
        return true;
    }
    if (demo.helping) {
        demo.helping = input->kind != INPUT_KEY || prose_key(&demo.help_state, input) != REACTION_NONE;
        return true;
    }
    struct table_model model = {columns, 5, 50000, node_cell, NULL, NULL, false, false};
    if (table_key(&model, &demo.table, input) != REACTION_NONE)
        return true;
    return act(keys_action(&keys, input));
}

static void on_hangup(int number)
{
    (void)number;
    terminal_hangup();
}

static void show(void)
{
    int width;
    int height;
    terminal_size(&width, &height);
    canvas_resize(&demo.canvas, width, height, terminal_charset());
    draw(canvas_area(&demo.canvas));
    terminal_show(&demo.canvas);
}

static void log_end(const char *word)
{
    const char *path = getenv("DEMO_LOG");
    FILE *log = path != NULL ? fopen(path, "a") : NULL;
    if (log != NULL) {
        fprintf(log, "%s\n", word);
        fclose(log);
    }
}

int main(void)
{
    char message[256];
    setlocale(LC_ALL, "");
    make_history();
    signal(SIGHUP, getenv("DEMO_DEAF") != NULL ? SIG_IGN : on_hangup);
    if (!terminal_open(theme_find(getenv("DEMO_THEME")), getenv("DEMO_ASCII") != NULL, message, sizeof(message))) {
        fprintf(stderr, "%s\n", message);
        return 64;
    }
    bool stay = true;
    while (stay && !terminal_lost()) {
        show();
        struct pollfd fd = {terminal_fd(), POLLIN, 0};
        if (poll(&fd, 1, 100) < 0 && errno != EINTR)
            break;
        demo.tick++;
        struct input input;
        while (stay && terminal_next(&input))
            stay = handle(&input);
    }
    bool gone = terminal_lost();
    terminal_close();
    canvas_free(&demo.canvas);
    log_end(gone ? "lost" : demo.finished ? "finished" : "left");
    return gone ? 75 : 0;
}
