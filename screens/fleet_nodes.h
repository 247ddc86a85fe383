/* The fleet's nodes for faces without a screen: asked on a loop of their own, which is waited for. */
#ifndef SCREENS_FLEET_NODES_H
#define SCREENS_FLEET_NODES_H

#include "core/cluster/node.h"
#include "core/migrations/change.h"
#include "screens/app.h"

/* What speaks against taking the old cluster for stopped, a sentence a node ("old node old-1 still answers: stop it, …"), after every
 * node has been asked, within `milliseconds` (10 s more where some are behind ssh). That includes what is not known of old nodes: those
 * that have given no result by then, or can't be asked; and new ones that run another Kong than 1.3. *new_nodes: how many new ones there
 * are. */
bool fleet_against_finish(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, struct names *against,
                          size_t *new_nodes, struct error *error);

/* What speaks against going back to that release, likewise: new nodes that answer, or of which that is not known; and old ones that run
 * a newer Kong. *old_nodes: how many old ones there are. */
bool fleet_against_rollback(const struct fleet *fleet, const struct datastore *datastore, enum kong_version to, int milliseconds,
                            struct names *against, size_t *old_nodes, struct error *error);

/* Whether the node answers as a later Kong than that. */
bool fleet_is_newer(const struct node *node, enum kong_version release);

/* What speaks against finishing an earlier upgrade from 0.14 (order_finish_first), likewise: old nodes of 0.14 that answer, or of which it
 * is not known that they are none. Nodes of 1.0 to 1.2 work on. */
bool fleet_against_finish_first(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, struct names *against,
                                struct error *error);

#endif
