#include "screens/loop.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "screens/face.h"
#include "screens/loop_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define TICK_MS 250              /* the face wants to be asked four times a second */
#define IDLE_MS 450              /* between frames in which nothing but ages and figures can have changed */
#define SEEK_MS 1000             /* between looks for a worker that someone else started */
#define SETTLE_MS 4000           /* after the database's first answer the screen is no longer chosen for the operator */
#define LEAVE_MS 400             /* how long leaving waits for what is under way */

/* The face. */

void loop_draw(struct loop *loop)
{
    loop->wizard->model.now = loop->drawn_at = clock_ms();
    loop->wizard->view.touched = false;
    loop->wizard->face->show(loop->wizard);
}

static void leave(struct loop *loop, int exit_code)
{
    loop->wizard->leaving = true;
    loop->wizard->exit_code = exit_code;
    uv_stop(&loop->uv);
}

static void read_input(struct loop *loop)
{
    struct wizard *wizard = loop->wizard;
    if (!wizard->leaving)
        wizard->face->read(wizard);
    if (wizard->face->lost())
        leave(loop, EXIT_TERMINAL_LOST);
    else if (wizard->leaving)
        leave(loop, wizard->exit_code);
}

void loop_input(struct wizard *wizard)
{
    read_input(wizard->loop);
    if (!wizard->leaving)
        loop_draw(wizard->loop);
}

static void on_terminate(uv_signal_t *handle, int signal_number)
{
    (void)signal_number;
    leave(handle->data, 0);
}

static const struct face *hung_up;   /* whom SIGHUP concerns */

/* Not libuv's, whose handler goes with the loop: a terminal is lost first and its signal comes while we leave already. The next tick
 * sees it. */
static void on_hangup(int signal_number)
{
    (void)signal_number;
    hung_up->hang_up();
}

/* Who was started by `nohup` is to go on. */
static void watch_hangup(const struct face *face)
{
    struct sigaction before;
    hung_up = face;
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &(struct sigaction){.sa_handler = on_hangup}, NULL);
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
    seen_free(loop->seen);
    loop->seen = NULL;
    census_stop(loop->census);
    loop->census = NULL;
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
        loop->census = census_start(&loop->uv, &model->app.conf.pg);
        loop_restart_nodes(loop);
        loop_find_run(loop);
        loop_read_run(loop);
        loop_find_hook(loop);
        loop_look(loop->wizard, true);
    }
    loop_derive(loop);
}

/* Whoever watches for hours sees figures that change once a second; a run, a hook and a countdown are painted as they come. */
static bool moves(const struct wizard *wizard)
{
    return wizard->view.touched || wizard->view.overlay != OVERLAY_NONE || wizard->model.run_alive || wizard->model.starting ||
           hooks_run(&wizard->model);
}

static void on_tick(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    struct model *model = &loop->wizard->model;
    read_input(loop);
    if (loop->wizard->leaving)
        return;
    if (loop->loads && loop->jobs == 0)
        load(loop);
    if (model->configured && !loop->loads) {
        if (clock_ms() - loop->sought_at >= SEEK_MS) {
            loop->sought_at = clock_ms();
            loop_renew_fleet(loop);
            loop_find_run(loop);
            loop_find_hook(loop);
        }
        loop_read_run(loop);
        loop_read_hook(loop);
        loop_note_traffic(loop);
        loop_take_nodes(loop);
        loop_note_seen(loop);
        loop_knock(loop);
        loop_start_look(loop);
        loop_find_kong(loop);
    }
    loop_derive(loop);
    countdown_tick(loop->wizard);
    if (moves(loop->wizard) || clock_ms() - loop->drawn_at >= IDLE_MS)
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

int loop_poll(uv_loop_t *uv, uv_poll_t *poll, int fd)
{
    int flags = fcntl(fd, F_GETFL), result = uv_poll_init(uv, poll, fd);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags);
    return result;
}

static void begin(struct loop *loop)
{
    uv_loop_init(&loop->uv);
    loop->wizard->face->begin(loop->wizard, &loop->uv);
    uv_timer_init(&loop->uv, &loop->tick);
    loop->tick.data = loop;
    uv_timer_start(&loop->tick, on_tick, TICK_MS, TICK_MS);
    uv_signal_init(&loop->uv, &loop->terminate);
    loop->terminate.data = loop;
    uv_signal_start(&loop->terminate, on_terminate, SIGTERM);
    watch_hangup(loop->wizard->face);
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
    loop->look.abandoned = loop->back.abandoned = loop->check.stop = true;
    loop->wizard->face->end(loop->wizard);
    uv_close((uv_handle_t *)&loop->terminate, NULL);
    nodes_stop(loop->nodes);
    loop->nodes = NULL;
    census_stop(loop->census);
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
    way_back_free(&loop->back.back);
    free(loop->start.folder);
    kong_binary_free(&loop->kong.binary);
    traffic_free(loop->traffic);
    seen_free(loop->seen);
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
