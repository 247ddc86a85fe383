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
#define PIECE 256       /* so much a terminal that takes output at all takes at once */
#define END_MS 400      /* how long the end waits for a reader that stalls */
#define POLL_MS 20

static struct dialogue dialogue;
static uv_poll_t input;
static uv_signal_t interrupt;
static bool input_polled, input_ended, listens, broken;
static char line[LINE_SIZE];
static size_t length;
static volatile sig_atomic_t hung_up;

static void on_input(uv_poll_t *poll_handle, int status, int events)
{
    (void)status;
    (void)events;
    loop_input(poll_handle->data);
}

/* Input that is there and not read would wake the loop all the time. */
static void listen_if(bool listen)
{
    if (listens == listen)
        return;
    listens = listen;
    if (input_polled && listen)
        uv_poll_start(&input, UV_READABLE | UV_DISCONNECT, on_input);
    else if (input_polled)
        uv_poll_stop(&input);
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
        dialogue_show(wizard, &dialogue);
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
    input.data = wizard;
    listen_if(true);
    uv_signal_init(uv, &interrupt);
    interrupt.data = wizard;
    uv_signal_start(&interrupt, on_interrupt, SIGINT);
}

/* What was told is written as the reader takes it, in pieces for which no write has to wait. False: it takes no more now. */
static bool write_out(void)
{
    struct pollfd fd = {STDOUT_FILENO, POLLOUT, 0};
    while (!broken && dialogue.written < dialogue.out.length) {
        size_t left = dialogue.out.length - dialogue.written;
        if (poll(&fd, 1, 0) <= 0)
            return false;
        ssize_t count = write(STDOUT_FILENO, dialogue.out.data + dialogue.written, left < PIECE ? left : PIECE);
        broken = count < 0 && errno != EINTR && errno != EAGAIN;
        dialogue.written += count > 0 ? (size_t)count : 0;
    }
    buf_clear(&dialogue.out);
    dialogue.written = 0;
    return true;
}

static void end(struct wizard *wizard)
{
    struct pollfd fd = {STDOUT_FILENO, POLLOUT, 0};
    (void)wizard;
    if (input_polled)
        uv_close((uv_handle_t *)&input, NULL);
    uv_close((uv_handle_t *)&interrupt, NULL);
    if (dialogue.prompted && dialogue.prompt_shown)
        buf_add(&dialogue.out, "\n");
    for (int patience = END_MS / POLL_MS; patience > 0 && !write_out(); patience--)
        poll(&fd, 1, POLL_MS);
    broken = !write_out() || broken;   /* nobody reads: there is nobody to say more to */
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
    listen_if(write_out());   /* whoever does not read can't mean what is written either */
    if (!listens)
        return;
    if (poll(&fd, 1, 0) > 0) {
        ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
        if (count > 0)
            take_bytes(wizard, bytes, (size_t)count);
        else
            input_ended = count == 0 || (errno != EINTR && errno != EAGAIN);
    }
    if (input_ended && !wizard->leaving) {
        wizard->exit_code = EXIT_TERMINAL_LOST;
        wizard->leaving = true;
    }
}

static void show(struct wizard *wizard)
{
    if (write_out())
        dialogue_show(wizard, &dialogue);
    write_out();
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
    return hung_up || broken || (poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)) != 0);
}

static void hang_up(void)
{
    hung_up = 1;
}

const struct face face_dialogue = {begin, end, read_lines, show, flush, lost, hang_up};
