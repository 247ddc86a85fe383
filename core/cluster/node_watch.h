/*
 * The nodes that are watched, for node*.c alone: node_watch.c asks each of them, node_note.c notes what that says, node_plugin.c asks
 * its Prometheus plugin, node_entry.c makes them of what fleet.ini says, node.c begins and ends.
 */
#ifndef CORE_CLUSTER_NODE_WATCH_H
#define CORE_CLUSTER_NODE_WATCH_H

#include "core/base/buf.h"
#include "core/cluster/multi.h"
#include "core/cluster/node.h"
#include "core/cluster/node_request.h"
#include "core/cluster/resolve.h"
#include "core/cluster/tunnel.h"

#include <curl/curl.h>

enum request { REQUEST_ROOT, REQUEST_STATUS, REQUESTS };
extern const char *const request_paths[REQUESTS];

/* What a handle of libcurl's is for. */
struct call {
    struct watch *watch;
    void (*ended)(struct watch *watch, CURLcode code);
};

/* The node's Prometheus plugin. */
struct plugin {
    CURL *easy;                   /* NULL: none is needed now */
    struct call call;
    bool under_way;
    bool counted;                 /* the request under way is in `reached` */
    int64_t started_at, due;      /* due 0: at once */
    size_t received;              /* bytes, headers included */
    struct metrics_window window;
    struct metrics_reader reader; /* of the answer that comes in */
};

struct watch {
    struct nodes *nodes;
    struct node node;
    CURL *easy;
    struct call call;
    struct curl_slist *connect_to;
    char *urls[REQUESTS];
    size_t index;                 /* among all */
    struct way *way;              /* through ssh, or NULL */
    size_t target;                /* of its tunnel */
    uv_timer_t timer;             /* until the next request */
    enum request request;         /* the one under way, or the last */
    bool under_way;
    bool timed_out;               /* the last one: what came of its connection may be told yet */
    unsigned unsure;              /* times in a row that it may have been refused, or another behind its ssh */
    bool identified;              /* `GET /` has answered since the last silence */
    bool counter_fell;            /* and node_id has not been looked at since */
    bool status_strange;          /* what made it strange was `GET /status` */
    bool left;                    /* its address is not its name's any more */
    bool hidden;                  /* and it is silent: it is not asked, and is none of the nodes */
    const struct watch *twin;     /* answers with the same node_id */
    int64_t started_at, identified_at;
    int64_t failed_at;            /* the last request that ended without a byte */
    int64_t reached;              /* requests of ours since the node's counter began */
    int64_t reached_then;         /* as of the last count */
    struct plugin plugin;
    struct tunnel_tally tally;    /* of its tunnel when the request began */
    struct buf body;
    int socket_error;             /* errno of making a socket; 0: none */
    size_t received;              /* bytes, headers included */
    char reason[CURL_ERROR_SIZE];
};

/* A node of fleet.ini. */
struct entry {
    struct nodes *nodes;
    struct fleet_node from;
    struct resolve *resolve;      /* NULL: the name has no `*` */
    struct watch *self;           /* the node; or, of a name with a `*`, what is shown while it has no addresses */
    struct watch **members;       /* in the order of their numbers: each keeps its address and its name */
    size_t member_count;
    bool overflows;               /* there are more */
};

/* One ssh, and the nodes behind it. */
struct way {
    struct tunnel *tunnel;
    char *ssh;
    struct names targets;
    char *problem;                /* why there is no tunnel */
};

struct nodes {
    uv_loop_t *loop;
    struct multi *multi;
    struct entry *entries;
    size_t entry_count;
    struct way *ways;
    size_t way_count;
    struct watch **all;           /* that were ever made: they stay until the end, so that no one's pointer dangles */
    size_t all_count;
    struct watch **list;          /* that are shown, in the fleet's order */
    size_t count;
    struct request_access access[2];   /* by enum cluster */
    struct datastore datastore;
    void (*changed)(void *context);
    void *context;
    int64_t metrics_poll_ms, metrics_first_ms, metrics_window_ms;
    size_t open_timers;           /* memory is freed when the last has closed */
    bool stopped;
};

/* node_watch.c */

/* One more node, named `name` (which it takes), not asked yet. */
struct watch *watch_new(struct nodes *nodes, const struct fleet_node *from, char *name);

/* From now on it is asked, at `address` where that is not NULL. */
void watch_ask(struct watch *watch, const char *address);

/* Asked now, or when `milliseconds` have passed. */
void watch_ask_in(struct watch *watch, uint64_t milliseconds);

/* For multi_start. */
void watch_ended(void *private_pointer, CURLcode code);

void watch_free(struct watch *watch);

/* node_note.c */

/* It is not as it should be, for `problem`, which it takes. */
void watch_trouble(struct watch *watch, enum node_state state, char *problem);

/* Its request has ended with an answer, whatever that is; or without a whole one. */
void watch_note_answer(struct watch *watch, int64_t now);
void watch_note_failure(struct watch *watch, CURLcode code);

/* node_plugin.c */

/* Asks it, where that is due: `GET /status` has just ended, and the node is well. */
void plugin_ask(struct watch *watch, int64_t now);

/* Another request is going to begin: whether one of the plugin's is counted by the node is settled now. */
void plugin_settle(struct watch *watch, int64_t now);

/* Another process counts anew, and may have the plugin where the one before had not. */
void plugin_forget(struct watch *watch);

void plugin_stop(struct watch *watch);
void plugin_ended(struct watch *watch, CURLcode code);   /* for struct call */

/* node_entry.c */

/* Makes entries, watches and ssh of what the fleet says, and starts them. */
void entries_start(struct nodes *nodes, const struct fleet *fleet);
void entries_stop(struct nodes *nodes);
void entries_free(struct nodes *nodes);

#endif
