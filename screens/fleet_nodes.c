#include "screens/fleet_nodes.h"

#include "core/base/mem.h"
#include "core/cluster/node.h"
#include "core/conf/fleet.h"

#include <stdlib.h>
#include <uv.h>

#define SSH_MS 10000

/* Asking the old nodes once: ends when each has given a result, or when time is up. */
struct asking {
    struct nodes *nodes;
    uv_timer_t deadline;
    bool ended;
};

static bool all_asked(const struct nodes *nodes)
{
    for (size_t i = 0; i < nodes_count(nodes); i++)
        if (nodes_get(nodes, i)->state == NODE_UNASKED)
            return false;
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

static void add_sentence(const struct node *node, struct names *against)
{
    char *sentence = NULL;
    if (node_is_there(node))
        sentence = mem_printf("old node %s still answers: stop it, or take it out of fleet.ini", node->name);
    else if (node->state == NODE_UNASKED)
        sentence = mem_printf("old node %s has not answered yet, so whether it is stopped is not known: try again, or take it out of fleet.ini",
                              node->name);
    else if (node->state == NODE_UNKNOWN)
        sentence = mem_printf("old node %s %s; so whether it is stopped is not known: mend that, or take it out of fleet.ini", node->name,
                              node->problem != NULL ? node->problem : "can't be asked");
    if (sentence != NULL)
        names_add(against, sentence);
    free(sentence);
}

static bool ask_all(uv_loop_t *loop, const struct fleet *old, const struct datastore *datastore, int milliseconds, struct names *against,
                    struct error *error)
{
    struct asking asking = {0};
    asking.nodes = nodes_start(loop, old, datastore, on_changed, &asking, error);
    if (asking.nodes == NULL)
        return false;
    uv_timer_init(loop, &asking.deadline);
    asking.deadline.data = &asking;
    uv_timer_start(&asking.deadline, on_deadline, (uint64_t)milliseconds, 0);
    while (!asking.ended)
        uv_run(loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < nodes_count(asking.nodes); i++)
        add_sentence(nodes_get(asking.nodes, i), against);
    nodes_stop(asking.nodes);
    uv_close((uv_handle_t *)&asking.deadline, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return true;
}

bool fleet_answering_old_nodes(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, struct names *against,
                               struct error *error)
{
    struct fleet old;
    uv_loop_t loop;
    bool asked = true;
    copy_old_nodes(fleet, &old);
    milliseconds += fleet_has_ssh(&old) ? SSH_MS : 0;
    if (old.count > 0) {
        uv_loop_init(&loop);
        asked = ask_all(&loop, &old, datastore, milliseconds, against, error);
        uv_loop_close(&loop);
    }
    fleet_free(&old);
    return asked;
}
