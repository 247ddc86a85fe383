/* A fleet's nodes asked once, on a loop of its own which is waited for: call it off any other loop. */
#ifndef CORE_CLUSTER_ASK_H
#define CORE_CLUSTER_ASK_H

#include "core/cluster/node.h"

typedef void node_judge(const struct node *node, void *context);

/* Asks them until each has given a result, or `milliseconds` have passed; then each goes to `judge`. false: nothing could be asked. */
bool nodes_ask(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, node_judge *judge, void *context, struct error *error);

#endif
