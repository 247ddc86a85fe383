#include "core/cluster/ask.h"

#include <uv.h>

/* Ends when each has given a result, or when time is up. */
struct asking {
    struct nodes *nodes;
    uv_timer_t deadline;
    bool ended;
};

/* A node says first that it is there, and then who it is. */
static bool all_asked(const struct nodes *nodes)
{
    for (size_t i = 0; i < nodes_count(nodes); i++) {
        const struct node *node = nodes_get(nodes, i);
        if (node->state == NODE_UNASKED || (node->state == NODE_ANSWERS && node->version == NULL))
            return false;
    }
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

static bool ask_all(uv_loop_t *loop, const struct fleet *fleet, const struct datastore *datastore, int milliseconds, node_judge *judge, void *context,
                    struct error *error)
{
    struct asking asking = {0};
    asking.nodes = nodes_start(loop, fleet, datastore, on_changed, &asking, error);
    if (asking.nodes == NULL)
        return false;
    uv_timer_init(loop, &asking.deadline);
    asking.deadline.data = &asking;
    uv_timer_start(&asking.deadline, on_deadline, (uint64_t)milliseconds, 0);
    while (!asking.ended)
        uv_run(loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < nodes_count(asking.nodes); i++)
        judge(nodes_get(asking.nodes, i), context);
    nodes_stop(asking.nodes);
    uv_close((uv_handle_t *)&asking.deadline, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return true;
}

bool nodes_ask(const struct fleet *fleet, const struct datastore *datastore, int milliseconds, node_judge *judge, void *context, struct error *error)
{
    uv_loop_t loop;
    if (fleet->count == 0)
        return true;
    uv_loop_init(&loop);
    bool asked = ask_all(&loop, fleet, datastore, milliseconds, judge, context, error);
    uv_loop_close(&loop);
    return asked;
}
