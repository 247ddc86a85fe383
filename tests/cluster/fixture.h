/* What the tests of this folder share: children that end with the test, fake nodes, a loop that runs until something is so. */
#ifndef TESTS_CLUSTER_FIXTURE_H
#define TESTS_CLUSTER_FIXTURE_H

#include "core/cluster/node.h"
#include "core/cluster/traffic.h"

#include <stdbool.h>
#include <sys/types.h>

/* Given by meson. */
extern const char *fixture_kong_upgrade, *fixture_fake_node, *fixture_postgres;
bool fixture_arguments(int argc, char **argv);

/* A folder of this test's own, under TMPDIR; removed by fixture_end. */
const char *fixture_folder(void);
char *fixture_path(const char *name);                        /* in it; the caller frees */
void fixture_write(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fixture_end(void);
int fixture_tear_down(void **state);   /* the same, for cmocka's teardown */

/* A port of 127.0.0.1 that nothing listens on; whether nothing listens on that one. */
int fixture_free_port(void);
bool fixture_port_is_free(const char *address, int port);

/* A running program; NULL ends its arguments. */
struct child {
    pid_t pid;
    int out;                 /* its stdout, to be read */
};

struct child child_start(const char *program, ...) __attribute__((sentinel));
char *child_line(struct child *child);                       /* the next line, without the newline; NULL at the end. The caller frees */
char *child_rest(struct child *child);                       /* all that is left; the caller frees */
int child_end(struct child *child);                          /* closes its stdout, waits; its exit code, or -1 */
int child_kill(struct child *child, int signal_number);      /* and waits likewise */

struct fake {
    struct child child;
    int admin, proxy;
    char node_id[40];
};

/* Options beyond --admin; it is a failure of the test if it doesn't start. */
struct fake fake_start(int admin, const char *first, ...) __attribute__((sentinel));

/* Nodes watched on a loop of the test's own. */
struct watching {
    uv_loop_t loop;
    struct fleet fleet;
    struct datastore datastore;
    struct nodes *nodes;
    struct traffic *traffic;
    int changes;
};

void watching_add(struct watching *watching, enum cluster cluster, const char *name, int port);
void watching_start(struct watching *watching);
const struct node *watching_node(const struct watching *watching, const char *name);

/* Runs the loop, noting the traffic meanwhile, until `is_so`, or, NULL, for the time. False if it isn't in that time. */
bool watching_until(struct watching *watching, bool (*is_so)(struct watching *watching), int milliseconds);
bool watching_all_asked(struct watching *watching);           /* each node has given a result: for watching_until */
void watching_end(struct watching *watching);

#endif
