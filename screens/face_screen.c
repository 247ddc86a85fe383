/* The full screen: ncurses' terminal, a canvas on it. */
#include "screens/face.h"

#include "screens/loop.h"
#include "tui/terminal.h"

static uv_poll_t poll_handle;
static struct canvas canvas;

static void on_terminal(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status < 0)
        terminal_hangup();
    loop_input(poll->data);
}

static void begin(struct wizard *wizard, uv_loop_t *uv)
{
    loop_poll(uv, &poll_handle, terminal_fd());
    poll_handle.data = wizard;
    uv_poll_start(&poll_handle, UV_READABLE | UV_DISCONNECT, on_terminal);
}

static void end(struct wizard *wizard)
{
    (void)wizard;
    uv_close((uv_handle_t *)&poll_handle, NULL);
    canvas_free(&canvas);
}

static void read_keys(struct wizard *wizard)
{
    struct input input;
    while (!wizard->leaving && terminal_next(&input)) {
        trace_key(wizard->trace, &input, wizard_is_typing(wizard));
        wizard_key(wizard, &input);
    }
}

static void show(struct wizard *wizard)
{
    int width, height;
    terminal_size(&width, &height);
    canvas_resize(&canvas, width, height, terminal_charset());
    wizard_draw(wizard, &canvas);
    if (terminal_show(&canvas) != TERMINAL_SHOWN)
        wizard->view.countdown.drawn = false;
    trace_frame(wizard->trace, &canvas);
}

const struct face face_screen = {begin, end, read_keys, show, terminal_flush_input, terminal_lost, terminal_hangup};
