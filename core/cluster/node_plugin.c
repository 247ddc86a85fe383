/*
 * Asking a node's Prometheus plugin, beside `GET /status` and never before it: whatever the plugin does, the node is asked each second.
 *
 * The node counts this request with all others, so it must be known whether it is in a counter that `GET /status` tells. A node counts a
 * request when its head is there (nginx). So it is begun when `GET /status` has ended; when the next request begins it has been sent,
 * and is counted, or is given up.
 */
#include "core/cluster/node_watch.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <stdlib.h>

static long info_long(const struct plugin *plugin, CURLINFO info)
{
    long value = 0;
    curl_easy_getinfo(plugin->easy, info, &value);
    return value;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct watch *watch = context;
    (void)data;
    watch->plugin.received += size * count;
    return watch->plugin.received > METRICS_ANSWER_LIMIT ? 0 : size * count;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct watch *watch = context;
    size_t taken = take_header(data, size, count, context);
    metrics_feed(&watch->plugin.reader, data, taken);
    return taken;
}

/* Most nodes have no plugin: a handle is made when it is needed. */
static bool make_handle(struct watch *watch)
{
    struct plugin *plugin = &watch->plugin;
    const char *socket = watch->way != NULL ? tunnel_socket(watch->way->tunnel, watch->target) : NULL;
    if (plugin->easy != NULL)
        return true;
    plugin->easy = request_new_easy(&watch->nodes->access[watch->node.cluster], watch->connect_to, socket);
    if (plugin->easy == NULL)
        return false;
    char *url = mem_printf("%s/metrics", watch->node.url);
    plugin->call = (struct call){watch, plugin_ended};
    curl_easy_setopt(plugin->easy, CURLOPT_URL, url);
    curl_easy_setopt(plugin->easy, CURLOPT_PRIVATE, &plugin->call);
    curl_easy_setopt(plugin->easy, CURLOPT_TIMEOUT_MS, (long)METRICS_DEADLINE_MS);
    curl_easy_setopt(plugin->easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(plugin->easy, CURLOPT_HEADERDATA, watch);
    curl_easy_setopt(plugin->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(plugin->easy, CURLOPT_WRITEDATA, watch);
    free(url);
    return true;
}

void plugin_ask(struct watch *watch, int64_t now)
{
    struct plugin *plugin = &watch->plugin;
    if (plugin->under_way || now < plugin->due || !make_handle(watch))
        return;
    plugin->reader = (struct metrics_reader){0};
    plugin->started_at = now;
    plugin->received = 0;
    plugin->counted = false;
    plugin->under_way = true;
    multi_add(watch->nodes->multi, plugin->easy);
}

static void give_up(struct watch *watch, int64_t due)
{
    struct plugin *plugin = &watch->plugin;
    if (!plugin->under_way)
        return;
    multi_remove(watch->nodes->multi, plugin->easy);
    plugin->under_way = false;
    plugin->due = due;
}

static void count_once(struct watch *watch)
{
    watch->reached += watch->plugin.counted ? 0 : 1;
    watch->plugin.counted = true;
}

void plugin_settle(struct watch *watch, int64_t now)
{
    struct plugin *plugin = &watch->plugin;
    if (!plugin->under_way || plugin->counted)
        return;
    if (info_long(plugin, CURLINFO_REQUEST_SIZE) > 0)
        count_once(watch);
    else
        give_up(watch, now + watch->nodes->metrics_poll_ms);
}

void plugin_forget(struct watch *watch)
{
    give_up(watch, 0);
    metrics_forget(&watch->plugin.window);
    watch->node.minute = (struct metrics_minute){0};
    watch->node.metrics = METRICS_UNASKED;
    watch->plugin.due = 0;
}

void plugin_stop(struct watch *watch)
{
    give_up(watch, 0);
    curl_easy_cleanup(watch->plugin.easy);
    watch->plugin.easy = NULL;
}

/* What is known of the last minute stays until it is too old. */
static void note_none(struct watch *watch, enum metrics_state state, int64_t pause, int64_t now)
{
    watch->node.metrics = state;
    watch->plugin.due = now + pause;
}

static void note_metrics(struct watch *watch, int64_t now)
{
    const struct nodes *nodes = watch->nodes;
    struct plugin *plugin = &watch->plugin;
    metrics_end(&plugin->reader);
    if (!plugin->reader.is_kong) {
        note_none(watch, METRICS_STRANGE, METRICS_FAILED_MS, now);
        return;
    }
    metrics_note(&plugin->window, &plugin->reader.counts, now, nodes->metrics_window_ms);
    metrics_minute(&plugin->window, &watch->node.minute);
    watch->node.metrics = METRICS_ANSWERS;
    plugin->due = plugin->started_at + (plugin->window.count == 1 ? nodes->metrics_first_ms : nodes->metrics_poll_ms);
}

/* A node that can't be reached, `GET /status` will tell soon. */
void plugin_ended(struct watch *watch, CURLcode code)
{
    struct nodes *nodes = watch->nodes;
    struct plugin *plugin = &watch->plugin;
    int64_t now = clock_ms();
    long status = info_long(plugin, CURLINFO_RESPONSE_CODE);
    plugin->under_way = false;
    if (info_long(plugin, CURLINFO_REQUEST_SIZE) > 0)
        count_once(watch);
    if (code == CURLE_COULDNT_CONNECT)
        plugin->due = now + nodes->metrics_poll_ms;
    else if (code == CURLE_OK && status == 404)
        note_none(watch, METRICS_ABSENT, METRICS_ABSENT_MS, now);
    else if (code == CURLE_OK && status == 200)
        note_metrics(watch, now);
    else
        note_none(watch, METRICS_STRANGE, METRICS_FAILED_MS, now);
    if (watch->node.metrics == METRICS_ABSENT)
        plugin_stop(watch);
    if (nodes->changed != NULL)
        nodes->changed(nodes->context);
}
