/* All nodes of a fleet: their beginning and their end. */
#include "core/cluster/node_watch.h"

#include "core/base/mem.h"

#include <stdlib.h>

static void forget_all(struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->all_count; i++)
        watch_free(nodes->all[i]);
    entries_free(nodes);
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        request_access_free(&nodes->access[cluster]);
    free(nodes->all);
    free(nodes->list);
    datastore_free(&nodes->datastore);
    free(nodes);
    curl_global_cleanup();
}

static void copy_without_password(struct datastore *to, const struct datastore *from)
{
    struct datastore open = *from;
    open.password = NULL;
    datastore_copy(to, &open);
}

struct nodes *nodes_start(uv_loop_t *loop, const struct fleet *fleet, const struct datastore *datastore, void (*changed)(void *context),
                          void *context, struct error *error)
{
    bool prepared = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    struct nodes *nodes = mem_zero(1, sizeof *nodes);
    nodes->loop = loop;
    nodes->changed = changed;
    nodes->context = context;
    nodes->metrics_first_ms = METRICS_FIRST_MS;
    nodes->metrics_poll_ms = METRICS_POLL_MS;
    nodes->metrics_window_ms = METRICS_WINDOW_MS;
    copy_without_password(&nodes->datastore, datastore);
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        request_access_init(&nodes->access[cluster], &fleet->access[cluster]);
    nodes->multi = prepared ? multi_start(loop, watch_ended) : NULL;
    if (nodes->multi == NULL) {
        forget_all(nodes);
        error_set(error, ERROR_SYSTEM, "libcurl can't be used (not enough memory?), so the nodes can't be watched");
        return NULL;
    }
    nodes->open_timers = 1;   /* our own hold on it */
    entries_start(nodes, fleet);
    return nodes;
}

static void let_nodes_go(struct nodes *nodes)
{
    if (--nodes->open_timers == 0)
        forget_all(nodes);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    let_nodes_go(watch->nodes);
}

void nodes_stop(struct nodes *nodes)
{
    if (nodes == NULL || nodes->stopped)
        return;
    nodes->stopped = true;
    for (size_t i = 0; i < nodes->all_count; i++) {
        if (nodes->all[i]->under_way)
            multi_remove(nodes->multi, nodes->all[i]->easy);
        curl_easy_cleanup(nodes->all[i]->easy);
        plugin_stop(nodes->all[i]);
    }
    multi_stop(nodes->multi);
    entries_stop(nodes);
    for (size_t i = 0; i < nodes->all_count; i++)
        uv_close((uv_handle_t *)&nodes->all[i]->timer, on_timer_closed);
    let_nodes_go(nodes);
}

void nodes_set_pace(struct nodes *nodes, int64_t metrics_poll_ms, int64_t metrics_window_ms)
{
    nodes->metrics_first_ms = nodes->metrics_poll_ms = metrics_poll_ms;
    nodes->metrics_window_ms = metrics_window_ms;
}

size_t nodes_count(const struct nodes *nodes)
{
    return nodes != NULL ? nodes->count : 0;
}

const struct node *nodes_get(const struct nodes *nodes, size_t index)
{
    return &nodes->list[index]->node;
}
