/* The fleet's nodes for faces without a screen: asked on a loop of their own, which is waited for. */
#ifndef SCREENS_FLEET_NODES_H
#define SCREENS_FLEET_NODES_H

#include "screens/app.h"

/* The names of nodes of the old cluster that are there (node_is_there), after every old node has been asked, within
 * `milliseconds`. A node that has given no result by then counts as there: what is not known speaks against. */
bool fleet_answering_old_nodes(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, struct names *answering,
                               struct error *error);

#endif
