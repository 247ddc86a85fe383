/* The nodes of the fleet, and their traffic. */
#include "screens/loop_internal.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEEN_MS 1000   /* between looks at what the report will tell */

static bool knows_polls(const struct loop *loop)
{
    return loop->wizard->model.has_state && !loop->wizard->model.sessions.restricted && census_is_ready(loop->census);
}

static int poll_age_of(const struct loop *loop, const struct node *node)
{
    const struct fleet_node from = {.url = node->url, .ssh = node->ssh};
    return knows_polls(loop) ? census_poll_age(loop->census, &from, node->address) : POLLS_UNKNOWN;
}

void loop_take_nodes(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    size_t before = model->node_count;
    model->node_count = nodes_count(loop->nodes);
    model->nodes = mem_grow(model->nodes, model->node_count, sizeof *model->nodes);
    for (size_t i = 0; i < model->node_count; i++) {
        const struct node *node = nodes_get(loop->nodes, i);
        int poll_age = i < before && model->nodes[i].node == node ? model->nodes[i].poll_age : poll_age_of(loop, node);
        model->nodes[i] = (struct node_view){node, traffic_node_rps(loop->traffic, node), poll_age};
    }
    if (model_count_nodes(model, CLUSTER_OLD, node_is_there) > 0)
        model->old_answered_at = clock_ms();
    for (int cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++) {
        for (int step = 0; step < TRAFFIC_STEPS; step++)
            model->history[step][cluster] = traffic_history(loop->traffic, (enum cluster)cluster, (enum traffic_step)step, &model->history_count[step][cluster]);
        model->metrics[cluster] = *traffic_metrics(loop->traffic, (enum cluster)cluster);
        model->rps[cluster] = traffic_cluster_rps(loop->traffic, (enum cluster)cluster);
    }
    model->verdict = *traffic_verdict(loop->traffic);
    model->old_quiet_ms = traffic_old_quiet_ms(loop->traffic, clock_ms());
}

void loop_restart_nodes(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    struct error error = {0};
    nodes_stop(loop->nodes);
    model->node_count = 0;
    loop->nodes = nodes_start(&loop->uv, &model->app.fleet, &model->app.conf.pg, NULL, NULL, &error);
    if (loop->nodes == NULL)
        wizard_say_error(loop->wizard, &error);
    loop_take_nodes(loop);
    census_know(loop->census, &model->app.fleet);
    loop_take_census(loop);
}

static bool is_same(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* Whatever reads the fleet beside the screen has ended. A file that is being written, or is wrong, leaves the fleet as it was; `finish` is
 * refused meanwhile. */
void loop_renew_fleet(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    struct error error = {0};
    struct fleet_stamp stamp;
    struct fleet fleet;
    if (loop->jobs > 0 || !fleet_has_changed(&model->app.fleet, &stamp) || fleet_stamp_equal(&stamp, &loop->bad_fleet))
        return;
    if (!fleet_load(&fleet, loop->wizard->options->fleet, &error)) {
        loop->bad_fleet = stamp;
        wizard_say_error(loop->wizard, &error);
        return;
    }
    wizard_say(loop->wizard, MARK_INFO, "fleet.ini has been changed, by hand or by another kong-upgrade: it was read anew.");
    loop->loads = !is_same(fleet.kong_conf, model->app.fleet.kong_conf);
    fleet_free(&model->app.fleet);
    model->app.fleet = fleet;
    model->fleet_poll_count = 0;
    loop_restart_nodes(loop);
}

void loop_note_traffic(struct loop *loop)
{
    if (loop->nodes == NULL)
        return;
    traffic_allow(loop->traffic, loop->wizard->model.app.fleet.quiet_rps);
    traffic_moved(loop->traffic, loop->wizard->model.diverted_at);
    traffic_note(loop->traffic, loop->nodes, clock_ms());
}

/* Before the first thing is done, and after the last, there is nothing to tell. */
static bool is_under_way(const struct model *model)
{
    enum stage stage = model->state.stage;
    return model->has_state && (stage == STAGE_UPGRADABLE || stage == STAGE_LEGACY_014 || stage == STAGE_PENDING);
}

static void open_seen(struct loop *loop)
{
    char *folder = journal_folder(&loop->wizard->model.app.conf.pg, false, NULL);
    if (folder != NULL && access(folder, W_OK) == 0)
        loop->seen = seen_new(folder);
    free(folder);
}

void loop_note_seen(struct loop *loop)
{
    const struct model *model = &loop->wizard->model;
    int64_t now = clock_ms();
    if (!is_under_way(model) || now - loop->seen_at < SEEN_MS)
        return;
    loop->seen_at = now;
    if (loop->seen == NULL)
        open_seen(loop);
    if (loop->seen == NULL)
        return;
    for (size_t i = 0; i < model->node_count; i++)
        seen_node(loop->seen, model->nodes[i].node, now);
    const struct seen_traffic traffic = {{model->rps[CLUSTER_OLD], model->rps[CLUSTER_NEW]}, {&model->metrics[CLUSTER_OLD], &model->metrics[CLUSTER_NEW]}, model->verdict.level};
    seen_traffic(loop->seen, &traffic, now);
}

/* A node of the fleet that another address leads to, too. */
static bool is_of_the_fleet(const struct model *model, const struct stranger *stranger)
{
    for (size_t i = 0; stranger->node_id != NULL && i < model->node_count; i++) {
        const char *node_id = model->nodes[i].node->node_id;
        if (node_id != NULL && strcmp(node_id, stranger->node_id) == 0)
            return true;
    }
    return false;
}

static void take_strangers(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    model->strangers = mem_grow(model->strangers, census_count(loop->census), sizeof *model->strangers);
    model->stranger_count = 0;
    for (size_t i = 0; i < census_count(loop->census); i++)
        if (!is_of_the_fleet(model, census_get(loop->census, i)))
            model->strangers[model->stranger_count++] = census_get(loop->census, i);
}

void loop_take_census(struct loop *loop)
{
    struct model *model = &loop->wizard->model;
    const struct fleet *fleet = &model->app.fleet;
    take_strangers(loop);
    model->old_polls = census_count_old(loop->census);
    for (size_t i = 0; i < model->node_count; i++)
        model->nodes[i].poll_age = poll_age_of(loop, model->nodes[i].node);
    model->fleet_poll_count = knows_polls(loop) ? fleet->count : 0;
    model->fleet_polls = mem_grow(model->fleet_polls, model->fleet_poll_count, sizeof *model->fleet_polls);
    for (size_t i = 0; i < model->fleet_poll_count; i++)
        model->fleet_polls[i] = census_poll_age(loop->census, &fleet->nodes[i], NULL);
}

void loop_knock(struct loop *loop)
{
    if (loop->wizard->view.shown != STEP_WELCOME)
        return;
    census_knock(loop->census);
    take_strangers(loop);
}

void loop_watch_nodes(struct wizard *wizard)
{
    if (wizard->loop != NULL)
        loop_restart_nodes(wizard->loop);
}
