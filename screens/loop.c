#include "screens/loop.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "screens/loop_internal.h"
#include "tui/terminal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define TICK_MS 250              /* the terminal wants to be asked four times a second */
#define SEEK_MS 1000             /* between looks for a worker that someone else started */
#define SETTLE_MS 4000           /* after the database's first answer the screen is no longer chosen for the operator */
#define LEAVE_MS 400             /* how long leaving waits for what is under way */

/* The screen. */

void loop_draw(struct loop *loop)
{
    int width, height;
    terminal_size(&width, &height);
    canvas_resize(&loop->canvas, width, height, terminal_charset());
    loop->wizard->model.now = clock_ms();
    wizard_draw(loop->wizard, &loop->canvas);
    if (terminal_show(&loop->canvas) != TERMINAL_SHOWN)
        loop->wizard->view.countdown.drawn = false;
    trace_frame(loop->wizard->trace, &loop->canvas);
}

static void leave(struct loop *loop, int exit_code)
{
    loop->wizard->leaving = true;
    loop->wizard->exit_code = exit_code;
    uv_stop(&loop->uv);
}

static void read_keys(struct loop *loop)
{
    struct input input;
    while (!loop->wizard->leaving && terminal_next(&input)) {
        trace_key(loop->wizard->trace, &input, wizard_is_typing(loop->wizard));
        wizard_key(loop->wizard, &input);
    }
    if (terminal_lost())
        leave(loop, EXIT_TERMINAL_LOST);
    else if (loop->wizard->leaving)
        leave(loop, 0);
}

static void on_terminal(uv_poll_t *poll, int status, int events)
{
    struct loop *loop = poll->data;
    (void)events;
    if (status < 0)
        terminal_hangup();
    read_keys(loop);
    if (!loop->wizard->leaving)
        loop_draw(loop);
}

static void on_terminate(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    leave(handle->data, 0);
}

/* Not libuv's, whose handler goes with the loop: a terminal is lost first and its signal comes while we leave already. The next tick
 * sees it. */
static void on_hangup(int signal_number)
{
    (void)signal_number;
    terminal_hangup();
}
/* The wizard opens where the upgrade stands: nodes take a moment to be known. From then on the operator alone changes the screen. */
static void settle(struct loop *loop)
{
    struct wizard *wizard = loop->wizard;
    const struct model *model = &wizard->model;
    bool begun = model->state.stage == STAGE_PENDING || model->state.stage == STAGE_CURRENT || model_is_watching(model);
    if (wizard->view.settled || !model->has_state)
        return;
    if (loop->settles_at == 0)
        loop->settles_at = clock_ms() + SETTLE_MS;
    wizard->view.settled = clock_ms() >= loop->settles_at || !begun;
    if (begun && wizard->view.shown != model->upgrade.here)
        wizard_go(wizard, model->upgrade.here);
}

void loop_derive(struct loop *loop)
{
    loop->wizard->model.now = clock_ms();
    model_derive(&loop->wizard->model);
    settle(loop);
}

/* The configuration. */

static void forget(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    nodes_stop(loop->nodes);
    loop->nodes = NULL;
    traffic_free(loop->traffic);
    loop->traffic = traffic_new();
    look_disconnect(&loop->look);
    model_free(model);
    model->now = clock_ms();
    model->rps[CLUSTER_OLD] = model->rps[CLUSTER_NEW] = -1;
    model->old_quiet_ms = -1;
}

static void load(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    struct options options = *loop->wizard->options;
    struct error error = {0};
    if (loop->wanted_conf != NULL && loop->wanted_conf[0] != '\0')
        options.conf = loop->wanted_conf;
    forget(loop);
    model->configured = app_load(&model->app, &options, &error);
    model->app.options = loop->wizard->options;
    model->conf_error = error.message;
    loop->loads = false;
    if (model->configured) {
        char *folder = journal_folder(&model->app.conf.pg, false, NULL);
        if (folder != NULL)
            loop_read_decisions(model, folder);
        free(folder);
        loop_restart_nodes(loop);
        loop_find_run(loop);
        loop_read_run(loop);
        loop_find_hook(loop);
        loop_look(loop->wizard, true);
    }
    loop_derive(loop);
}

static void on_tick(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    struct model *model = &loop->wizard->model;
    read_keys(loop);
    if (loop->wizard->leaving)
        return;
    if (loop->loads && loop->jobs == 0)
        load(loop);
    if (model->configured && !loop->loads) {
        if (clock_ms() - loop->sought_at >= SEEK_MS) {
            loop->sought_at = clock_ms();
            loop_find_run(loop);
            loop_find_hook(loop);
        }
        loop_read_run(loop);
        loop_read_hook(loop);
        loop_note_traffic(loop);
        loop_take_nodes(loop);
        loop_start_look(loop);
        loop_find_kong(loop);
    }
    loop_derive(loop);
    countdown_tick(loop->wizard);
    loop_draw(loop);
}

void loop_load(struct wizard *wizard, const char *conf)
{
    if (wizard->loop == NULL)
        return;
    free(wizard->loop->wanted_conf);
    wizard->loop->wanted_conf = mem_dup(conf);
    wizard->loop->loads = true;
}

/* Beginning and end. */

static void begin(struct loop *loop)
{
    uv_loop_init(&loop->uv);
    uv_poll_init(&loop->uv, &loop->terminal, terminal_fd());
    loop->terminal.data = loop;
    uv_poll_start(&loop->terminal, UV_READABLE | UV_DISCONNECT, on_terminal);
    uv_timer_init(&loop->uv, &loop->tick);
    loop->tick.data = loop;
    uv_timer_start(&loop->tick, on_tick, TICK_MS, TICK_MS);
    uv_signal_init(&loop->uv, &loop->terminate);
    loop->terminate.data = loop;
    uv_signal_start(&loop->terminate, on_terminate, SIGTERM);
    sigaction(SIGHUP, &(struct sigaction){.sa_handler = on_hangup}, NULL);
    loop->traffic = traffic_new();
    loop_begin_checks(loop);
}

static void on_late(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* What is under way gets a moment to end; false where it did not, and its memory can't be freed. */
static bool end(struct loop *loop)
{
    loop->look.abandoned = loop->check.stop = true;
    uv_close((uv_handle_t *)&loop->terminal, NULL);
    uv_close((uv_handle_t *)&loop->terminate, NULL);
    nodes_stop(loop->nodes);
    loop->nodes = NULL;
    uv_timer_start(&loop->tick, on_late, LEAVE_MS, 0);
    while (loop->jobs > 0 && uv_timer_get_due_in(&loop->tick) > 0)
        uv_run(&loop->uv, UV_RUN_ONCE);
    if (loop->jobs > 0)
        return false;
    uv_close((uv_handle_t *)&loop->tick, NULL);
    loop_end_checks(loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
    look_free(&loop->look);
    free(loop->start.folder);
    kong_binary_free(&loop->kong.binary);
    traffic_free(loop->traffic);
    canvas_free(&loop->canvas);
    free(loop->wanted_conf);
    free(loop);
    return true;
}

bool loop_run(struct wizard *wizard)
{
    struct loop *loop = mem_zero(1, sizeof *loop);
    loop->wizard = wizard;
    wizard->loop = loop;
    begin(loop);
    load(loop);
    loop_draw(loop);
    if (!wizard->leaving)
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    return end(loop);
}
