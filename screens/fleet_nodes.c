#include "screens/fleet_nodes.h"

#include "core/base/mem.h"
#include "core/cluster/node.h"
#include "core/conf/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define SSH_MS 10000

/* Asking nodes once: ends when each has given a result, or when time is up. */
struct asking {
    struct nodes *nodes;
    uv_timer_t deadline;
    bool ended;
};

/* A node says first that it is there, and then who it is. */
static bool all_asked(const struct nodes *nodes)
{
    for (size_t i = 0; i < nodes_count(nodes); i++) {
        const struct node *node = nodes_get(nodes, i);
        if (node->state == NODE_UNASKED || (node->state == NODE_ANSWERS && node->version == NULL))
            return false;
    }
    return true;
}

/* What the nodes are is read before they are forgotten: so the loop is stopped here, and the handles closed after. */
static void end(struct asking *asking)
{
    asking->ended = true;
    uv_stop(asking->deadline.loop);
}

static void on_changed(void *context)
{
    struct asking *asking = context;
    if (all_asked(asking->nodes))
        end(asking);
}

static void on_deadline(uv_timer_t *timer)
{
    end(timer->data);
}

static void copy_old_nodes(const struct fleet *fleet, struct fleet *old)
{
    fleet_copy(old, fleet);
    for (size_t i = old->count; i-- > 0;)
        if (old->nodes[i].cluster != CLUSTER_OLD)
            fleet_remove(old, old->nodes[i].name);
}

static void take(struct names *against, char *sentence)
{
    if (sentence != NULL)
        names_add(against, sentence);
    free(sentence);
}

/* Why the node can't be taken for stopped, or NULL. The caller frees. */
static char *not_stopped(const struct node *node)
{
    const char *cluster = cluster_name(node->cluster);
    if (node_is_there(node))
        return mem_printf("%s node %s still answers: stop it, or take it out of fleet.ini", cluster, node->name);
    if (node->state == NODE_UNASKED)
        return mem_printf("%s node %s has not answered yet, so whether it is stopped is not known: try again, or take it out of fleet.ini", cluster,
                          node->name);
    if (node->state == NODE_UNKNOWN)
        return mem_printf("%s node %s %s; so whether it is stopped is not known: mend that, or take it out of fleet.ini", cluster, node->name,
                          node->problem != NULL ? node->problem : "can't be asked");
    return NULL;
}

/* An old node of a later release than `to` needs what would be undone. */
static char *too_new(const struct node *node, enum kong_version to)
{
    int major = 0, minor = 0, back_major = 0, back_minor = 0;
    if (!node_is_there(node) || node->version == NULL || sscanf(node->version, "%d.%d", &major, &minor) != 2 ||
        sscanf(kong_version_names[to], "%d.%d", &back_major, &back_minor) != 2 || major < back_major || (major == back_major && minor <= back_minor))
        return NULL;
    return mem_printf("old node %s runs Kong %s and needs what a rollback to %s undoes: roll back to its release, or stop it", node->name, node->version,
                      kong_version_names[to]);
}

typedef void judgement(const struct node *node, void *context);

static bool ask_all(uv_loop_t *loop, const struct fleet *fleet, const struct datastore *datastore, int milliseconds, judgement *judge, void *context,
                    struct error *error)
{
    struct asking asking = {0};
    asking.nodes = nodes_start(loop, fleet, datastore, on_changed, &asking, error);
    if (asking.nodes == NULL)
        return false;
    uv_timer_init(loop, &asking.deadline);
    asking.deadline.data = &asking;
    uv_timer_start(&asking.deadline, on_deadline, (uint64_t)milliseconds, 0);
    while (!asking.ended)
        uv_run(loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < nodes_count(asking.nodes); i++)
        judge(nodes_get(asking.nodes, i), context);
    nodes_stop(asking.nodes);
    uv_close((uv_handle_t *)&asking.deadline, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return true;
}

static bool ask_fleet(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, judgement *judge, void *context,
                      struct error *error)
{
    uv_loop_t loop;
    if (fleet->count == 0)
        return true;
    uv_loop_init(&loop);
    bool asked = ask_all(&loop, fleet, datastore, milliseconds + (fleet_has_ssh(fleet) ? SSH_MS : 0), judge, context, error);
    uv_loop_close(&loop);
    return asked;
}

static void judge_for_finish(const struct node *node, void *against)
{
    take(against, not_stopped(node));
}

bool fleet_answering_old_nodes(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, struct names *against,
                               struct error *error)
{
    struct fleet old;
    copy_old_nodes(fleet, &old);
    bool asked = ask_fleet(&old, datastore, milliseconds, judge_for_finish, against, error);
    fleet_free(&old);
    return asked;
}

struct back {
    enum kong_version to;
    struct names *against;
    size_t old_nodes;
};

static void judge_for_rollback(const struct node *node, void *context)
{
    struct back *back = context;
    back->old_nodes += node->cluster == CLUSTER_OLD ? 1 : 0;
    take(back->against, node->cluster == CLUSTER_OLD ? too_new(node, back->to) : not_stopped(node));
}

bool fleet_against_rollback(const struct fleet *fleet, const struct datastore *datastore, enum kong_version to, int milliseconds,
                            struct names *against, size_t *old_nodes, struct error *error)
{
    struct back back = {to, against, 0};
    bool asked = ask_fleet(fleet, datastore, milliseconds, judge_for_rollback, &back, error);
    *old_nodes = back.old_nodes;
    return asked;
}

static void judge_for_finish_first(const struct node *node, void *against)
{
    bool known = node->state == NODE_ANSWERS && node->version != NULL;
    if (!known)
        take(against, not_stopped(node));
    else if (strncmp(node->version, "0.", 2) == 0)
        take(against, mem_printf("old node %s of Kong %s still answers: stop it, since 0.14 does not work after this", node->name, node->version));
}

bool fleet_against_finish_first(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, struct names *against,
                                struct error *error)
{
    struct fleet old;
    copy_old_nodes(fleet, &old);
    bool asked = ask_fleet(&old, datastore, milliseconds, judge_for_finish_first, against, error);
    fleet_free(&old);
    return asked;
}
