/*
 * The dialogue's face: lines from standard input, which may be a terminal, a pipe or a file; or the answers of a file instead. The end
 * of the input is the end of the view, never of the work.
 */
#include "screens/face.h"

#include "core/base/mem.h"
#include "screens/answers.h"
#include "screens/dialogue.h"
#include "screens/loop.h"
#include "screens/say.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LINE_SIZE 4096

static struct dialogue dialogue;
static uv_poll_t input;
static uv_signal_t interrupt;
static bool input_polled, input_ended;
static char line[LINE_SIZE];
static size_t length;
static volatile sig_atomic_t hung_up;

static void on_input(uv_poll_t *poll_handle, int status, int events)
{
    (void)status;
    (void)events;
    loop_input(poll_handle->data);
}

/* No work ends by it: it asks the worker to stop, and only once more leaves. */
static void on_interrupt(uv_signal_t *handle, int signal_number)
{
    struct wizard *wizard = handle->data;
    bool runs = wizard->model.run_alive;
    (void)signal_number;
    if (wizard->view.overlay == OVERLAY_COUNTDOWN) {
        countdown_stop(wizard, "Ctrl-C was pressed");
    } else if (++dialogue.interrupts > 1) {
        wizard->exit_code = EXIT_TERMINAL_LOST;
        wizard->leaving = true;
    } else if (runs) {
        loop_stop_worker(wizard);
        dialogue_say(&dialogue, "", "Ctrl-C once more leaves it running.");
    } else {
        dialogue_say(&dialogue, "", "q leaves, and so does Ctrl-C once more. Nothing is lost.");
    }
    loop_input(wizard);
}

static void begin(struct wizard *wizard, uv_loop_t *uv)
{
    /* A regular file and /dev/null can't be polled, and never let anybody wait: they are read with every tick. */
    input_polled = wizard->answers == NULL && loop_poll(uv, &input, STDIN_FILENO) == 0;
    if (input_polled) {
        input.data = wizard;
        uv_poll_start(&input, UV_READABLE | UV_DISCONNECT, on_input);
    }
    uv_signal_init(uv, &interrupt);
    interrupt.data = wizard;
    uv_signal_start(&interrupt, on_interrupt, SIGINT);
}

static void end(struct wizard *wizard)
{
    (void)wizard;
    if (input_polled)
        uv_close((uv_handle_t *)&input, NULL);
    uv_close((uv_handle_t *)&interrupt, NULL);
    if (dialogue.prompted && dialogue.prompt_shown)
        say("\n");
    dialogue_free(&dialogue);
}

/* A line that is too long is cut: no name is as long. */
static void take_bytes(struct wizard *wizard, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count && !wizard->leaving; i++) {
        if (bytes[i] != '\n') {
            if (bytes[i] != '\0' && length + 1 < sizeof line)
                line[length++] = bytes[i];
            continue;
        }
        line[length] = '\0';
        length = 0;
        dialogue_line(wizard, &dialogue, line);
        dialogue_show(wizard, &dialogue);   /* what the next line answers is seen first */
    }
}

static void read_lines(struct wizard *wizard)
{
    char bytes[1024];
    struct pollfd fd = {STDIN_FILENO, POLLIN, 0};
    if (wizard->answers != NULL) {
        answers_go_on(wizard->answers, wizard, &dialogue);
        return;
    }
    while (!input_ended && !wizard->leaving && poll(&fd, 1, 0) > 0) {
        ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
        if (count > 0)
            take_bytes(wizard, bytes, (size_t)count);
        else if (count == 0 || (errno != EINTR && errno != EAGAIN))
            input_ended = true;
    }
    if (input_ended && !wizard->leaving) {
        wizard->exit_code = EXIT_TERMINAL_LOST;
        wizard->leaving = true;
    }
}

/* A reader that stalls holds up what is told, not the loop; what is new then is told later. */
static bool takes_output(void)
{
    struct pollfd fd = {STDOUT_FILENO, POLLOUT, 0};
    return poll(&fd, 1, 0) > 0;
}

static void show(struct wizard *wizard)
{
    if (takes_output())
        dialogue_show(wizard, &dialogue);
}

/* What was typed before a question was there is no answer to it. What a pipe holds was written for the questions to come. */
static void flush(void)
{
    if (!isatty(STDIN_FILENO))
        return;
    tcflush(STDIN_FILENO, TCIFLUSH);
    length = 0;
}

static bool lost(void)
{
    struct pollfd fd = {STDOUT_FILENO, 0, 0};
    return hung_up || say_failed() || (poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)) != 0);
}

static void hang_up(void)
{
    hung_up = 1;
}

const struct face face_dialogue = {begin, end, read_lines, show, flush, lost, hang_up};
