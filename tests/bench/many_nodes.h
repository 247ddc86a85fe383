/*
 * Many Admin APIs in one child process, each on a port of its own on loopback: Kong 1.2 and 1.3 nodes as far as watching goes, with
 * traffic that moves from the old ones to the new ones and back, and some that do not behave. For benches, and for looking at screens.
 */
#ifndef TESTS_BENCH_MANY_NODES_H
#define TESTS_BENCH_MANY_NODES_H

#include <stdbool.h>
#include <sys/types.h>

#define MANY_NODES_PERIOD 600       /* seconds in which all traffic goes to the new nodes and comes back */

struct many_nodes_plan {
    int old, new;              /* so many of Kong 1.2.3, then so many of 1.3.0 */
    int bad;                   /* so many of each, the last ones, misbehave: each in its own way, as long as there are ways */
    double rps;                /* of all together */
    bool prometheus;           /* the plugin answers at /metrics */
    int pg_port;               /* of their database, which is `kong` on 127.0.0.1 */
};

struct many_nodes {
    pid_t process;
    int count, *ports;
};

/* False, and a message on stderr, where they can't listen. */
bool many_nodes_start(struct many_nodes *nodes, const struct many_nodes_plan *plan);
void many_nodes_stop(struct many_nodes *nodes);

#endif
