#include "screens/fleet_nodes.h"

#include "core/base/mem.h"
#include "core/cluster/ask.h"
#include "core/conf/fleet.h"

#include <stdlib.h>

#define SSH_MS 10000

static void copy_old_nodes(const struct fleet *fleet, struct fleet *old)
{
    fleet_copy(old, fleet);
    for (size_t i = old->count; i-- > 0;)
        if (old->nodes[i].cluster != CLUSTER_OLD)
            fleet_remove(old, old->nodes[i].name);
}

static void add_sentence(void *context, const struct node *node)
{
    struct names *against = context;
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

bool fleet_answering_old_nodes(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, struct names *against,
                               struct error *error)
{
    struct fleet old;
    copy_old_nodes(fleet, &old);
    bool asked = nodes_ask(&old, datastore, milliseconds + (fleet_has_ssh(&old) ? SSH_MS : 0), add_sentence, against, error);
    fleet_free(&old);
    return asked;
}
