#include "screens/fleet_nodes.h"

#include "core/base/mem.h"
#include "core/cluster/ask.h"
#include "core/conf/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SSH_MS 10000

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

bool fleet_is_newer(const struct node *node, enum kong_version release)
{
    int major = 0, minor = 0, back_major = 0, back_minor = 0;
    bool known = node_is_there(node) && node->version != NULL && sscanf(node->version, "%d.%d", &major, &minor) == 2 &&
                 sscanf(kong_version_names[release], "%d.%d", &back_major, &back_minor) == 2;
    return known && (major > back_major || (major == back_major && minor > back_minor));
}

/* An old node of a later release than `to` needs what would be undone. */
static char *too_new(const struct node *node, enum kong_version to)
{
    if (!fleet_is_newer(node, to))
        return NULL;
    return mem_printf("old node %s runs Kong %s and needs what a rollback to %s undoes: roll back to its release, or stop it", node->name, node->version,
                      kong_version_names[to]);
}

static bool ask_fleet(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, node_judge *judge, void *context,
                      struct error *error)
{
    return nodes_ask(fleet, datastore, milliseconds + (fleet_has_ssh(fleet) ? SSH_MS : 0), judge, context, error);
}

struct ahead {
    struct names *against;
    size_t new_nodes;
};

static void judge_for_finish(const struct node *node, void *context)
{
    struct ahead *ahead = context;
    ahead->new_nodes += node->cluster == CLUSTER_NEW ? 1 : 0;
    if (node->cluster == CLUSTER_OLD)
        take(ahead->against, not_stopped(node));
    else if (node_is_misplaced(node))
        take(ahead->against, mem_printf("new node %s runs Kong %s, not 1.3: stop it, or start Kong 1.3 there", node->name, node->version));
}

bool fleet_against_finish(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, struct names *against,
                          size_t *new_nodes, struct error *error)
{
    struct ahead ahead = {against, 0};
    bool asked = ask_fleet(fleet, datastore, milliseconds, judge_for_finish, &ahead, error);
    *new_nodes = ahead.new_nodes;
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
