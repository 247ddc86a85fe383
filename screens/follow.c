/*
 * Follows a worker's journal in plain text: a line an event, and on a terminal one more that moves. Ctrl-C asks the worker to stop,
 * a second one leaves it running; a lost terminal or a closed pipe ends the view, never the work.
 */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/journal.h"
#include "core/run_view.h"
#include "core/worker.h"
#include "screens/plain.h"
#include "screens/say.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define FOLLOW_MS 100

struct follower {
    const struct app *app;
    const char *path;
    struct journal_reader reader;
    struct run_view view;
    size_t lines_said;
    bool live_line;                /* stdout is a terminal that can rewrite its last line */
    char *line_shown;              /* what stands in it; NULL: nothing */
    int interrupts, quiet_ticks;
    int exit_code;                 /* -1 while it goes on */
    uv_timer_t timer;
    uv_signal_t interrupt, terminate;
};

static volatile sig_atomic_t hung_up;

/* Not libuv's, whose handler goes with the loop: a terminal is lost first and its signal comes while we leave already. */
static void on_hangup(int signal_number)
{
    (void)signal_number;
    hung_up = 1;
}

/* Who was started by `nohup` is to go on. */
static void watch_hangup(void)
{
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &(struct sigaction){.sa_handler = on_hangup}, NULL);
}

/* A shell that ends, or ignores the signal itself, may not pass it on. */
static bool terminal_is_gone(void)
{
    struct pollfd fd = {STDOUT_FILENO, 0, 0};
    return hung_up || (poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)) != 0);
}

static void erase_live_line(struct follower *follower)
{
    if (follower->line_shown != NULL)
        fputs("\r\033[K", stdout);
    free(follower->line_shown);
    follower->line_shown = NULL;
}

static char *live_line(const struct run_view *view)
{
    if (view->current >= view->change_count || view->ended)
        return NULL;
    const struct run_change *change = &view->changes[view->current];
    char *what = mem_printf("[%zu/%zu] %s", view->current + 1, view->change_count, change->what);
    char *line = change->rows_total > 0 ? mem_printf("%.60s %lld of %lld rows", what, (long long)change->rows_done, (long long)change->rows_total)
                                        : mem_printf("%.74s", what);
    free(what);
    return line;
}

/* Only what has changed is written: an sshd with something to send ten times a second never asks whether its client is still there. */
static void show_live_line(struct follower *follower)
{
    char *line = follower->live_line ? live_line(&follower->view) : NULL;
    if (line != NULL && follower->line_shown != NULL && strcmp(line, follower->line_shown) == 0) {
        free(line);
        return;
    }
    erase_live_line(follower);
    if (line != NULL)
        say("%s", line);
    fflush(stdout);
    follower->line_shown = line;
}

static void on_event(void *context, const json_t *event)
{
    struct follower *follower = context;
    run_view_apply(&follower->view, event);
    if (follower->app->options->json) {
        json_t *copy = json_deep_copy(event);
        say_json(copy, false);
    }
}

static void say_new_lines(struct follower *follower)
{
    const struct names *log = &follower->view.log;
    if (follower->lines_said < log->count)
        erase_live_line(follower);
    for (; follower->lines_said < log->count; follower->lines_said++) {
        bool last = follower->view.ended && follower->lines_said + 1 == log->count;
        if (!follower->app->options->json && !follower->app->options->quiet && !last)
            say("%s\n", log->list[follower->lines_said]);
    }
    if (!follower->app->options->json && !follower->app->options->quiet)
        show_live_line(follower);
}

static void finish(struct follower *follower, int exit_code)
{
    if (follower->exit_code >= 0)
        return;
    follower->exit_code = exit_code;
    erase_live_line(follower);
    uv_close((uv_handle_t *)&follower->timer, NULL);
    uv_close((uv_handle_t *)&follower->interrupt, NULL);
    uv_close((uv_handle_t *)&follower->terminate, NULL);
}

static void say_end(struct follower *follower)
{
    const struct run_view *view = &follower->view;
    bool good = view->exit_code == 0;
    if (!good)
        complain_text("%s", view->message);
    else if (!follower->app->options->json && !follower->app->options->quiet)
        say("%s\n", view->message);
    finish(follower, view->exit_code);
}

static void on_tick(uv_timer_t *timer)
{
    struct follower *follower = timer->data;
    bool alive = journal_alive(follower->path);
    journal_read(&follower->reader, on_event, follower);
    say_new_lines(follower);
    if (say_failed() || terminal_is_gone()) {
        finish(follower, EXIT_TERMINAL_LOST);
    } else if (follower->view.ended) {
        say_end(follower);
    } else if (!alive && ++follower->quiet_ticks > 2) {
        complain_text("the worker ended without a word: it was killed, the machine went down, or there was no room for its journal %s; "
                      "nothing half done is left: run the same again", follower->path);
        finish(follower, EXIT_ERROR);
    }
}

static void on_interrupt(uv_signal_t *handle, int signal_number)
{
    struct follower *follower = handle->data;
    struct error error = {0};
    (void)signal_number;
    erase_live_line(follower);
    if (++follower->interrupts > 1) {
        complain_text("left; the worker goes on. Follow it again with `kong-upgrade attach`");
        finish(follower, EXIT_TERMINAL_LOST);
    } else if (worker_stop(follower->path, &error)) {
        complain_text("asked the worker to stop at the next safe point; press Ctrl-C again to leave it running");
    } else {
        complain(&error);
    }
}

static void on_terminate(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    finish(handle->data, EXIT_TERMINAL_LOST);
}

static void start_signal(uv_loop_t *loop, uv_signal_t *handle, struct follower *follower, uv_signal_cb callback, int signal_number)
{
    uv_signal_init(loop, handle);
    handle->data = follower;
    uv_signal_start(handle, callback, signal_number);
}

int follow_journal(const struct app *app, const char *path)
{
    struct error error = {0};
    struct follower follower = {.app = app, .path = path, .exit_code = -1};
    const char *terminal = getenv("TERM");
    follower.live_line = isatty(STDOUT_FILENO) && !app->options->plain && terminal != NULL && strcmp(terminal, "dumb") != 0;
    if (!journal_open(&follower.reader, path, &error))
        return complain(&error);
    uv_loop_t loop;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &follower.timer);
    follower.timer.data = &follower;
    uv_timer_start(&follower.timer, on_tick, 0, FOLLOW_MS);
    start_signal(&loop, &follower.interrupt, &follower, on_interrupt, SIGINT);
    start_signal(&loop, &follower.terminate, &follower, on_terminate, SIGTERM);
    watch_hangup();
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    journal_reader_close(&follower.reader);
    run_view_free(&follower.view);
    return follower.exit_code;
}
