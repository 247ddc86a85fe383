/* `nodes`: the cluster once, as soon as every node has given a result. `watch`: a line, or a JSON object, a second. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cluster/node.h"
#include "core/cluster/traffic.h"
#include "screens/outsiders.h"
#include "screens/plain.h"
#include "screens/say.h"
#include "tui/text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#define ONCE_TICK_MS 100
#define ONCE_MS 5000           /* `nodes` does not wait longer for a node */
#define ONCE_SSH_MS 10000      /* but longer where ssh has to connect first */
#define ONCE_LOOK_MS 11000     /* nor longer for the database, to which connecting may take 10 s */
#define WATCH_TICK_MS 1000
#define LOOK_MS 5000           /* between two looks at the database */

static const int signal_numbers[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNALS (sizeof signal_numbers / sizeof signal_numbers[0])

struct view {
    const struct app *app;
    bool watch;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[SIGNALS];
    struct nodes *nodes;
    struct traffic *traffic;
    struct outsiders *outsiders;
    char **said;               /* by node: its row when it was last said, without the figures */
    size_t said_count;
    enum verdict_level said_level;
    int64_t started_at, looked_at;
    bool ended;
    int exit_code;
};

static json_t *cluster_json(const struct view *view, enum cluster cluster, int64_t now)
{
    json_t *array = json_array();
    for (size_t i = 0; i < nodes_count(view->nodes); i++) {
        const struct node *node = nodes_get(view->nodes, i);
        if (node->cluster == cluster)
            json_array_append_new(array, node_json(node, traffic_node_rps(view->traffic, node), now));
    }
    return array;
}

static json_t *comparison_json(const struct view *view)
{
    json_t *json = verdict_json(traffic_verdict(view->traffic));
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        json_object_set_new(json, cluster_name(cluster), cluster_metrics_json(traffic_metrics(view->traffic, cluster)));
    return json;
}

static void say_all_json(const struct view *view, int64_t now)
{
    char at[CLOCK_TEXT_SIZE];
    json_t *json = json_object();
    if (view->watch)
        json_object_set_new(json, "at", json_string(clock_text(clock_wall_ms(), at)));
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        json_object_set_new(json, cluster_name(cluster), cluster_json(view, cluster, now));
    json_object_set_new(json, "unknown", outsiders_json(view->outsiders));
    json_object_set_new(json, "comparison", comparison_json(view));
    say_json(json, !view->watch);
}

static const char *rate_text(double rps, char text[SAY_SIZE])
{
    if (rps < 0)
        snprintf(text, SAY_SIZE, "-");
    else
        snprintf(text, SAY_SIZE, "%.1f", rps < 9e9 ? rps : 9e9);
    return text;
}

static void say_head(void)
{
    say("%-16s %-7s %-7s %-12s %9s %-8s %s\n", "NODE", "CLUSTER", "STATE", "VERSION", "REQ/S", "DATABASE", "PROBLEM");
}

static void say_node(const struct view *view, const struct node *node)
{
    char rate[SAY_SIZE];
    char *version = text_cut(node->version != NULL ? node->version : "-", 12, text_locale_charset());
    char *problem = text_plain(node->problem != NULL ? node->problem : node->match_text != NULL ? node->match_text : "");
    say("%-16s %-7s %-7s %-12s %9s %-8s %s\n", node->name, cluster_name(node->cluster), node_state_name(node->state), version,
        rate_text(traffic_node_rps(view->traffic, node), rate), node_match_name(node->match), problem);
    free(problem);
    free(version);
}

static void say_outsiders(const struct view *view)
{
    const struct sessions *sessions = outsiders_sessions(view->outsiders);
    for (size_t i = 0; i < sessions->count; i++) {
        const struct session *session = &sessions->list[i];
        if (!outsiders_is_one(view->outsiders, session))
            continue;
        say("%-16s Kong %s uses this database from %s, which is not in fleet.ini: %d connections", "unknown",
            session->legacy ? "0.14" : "1.x", session->address, session->connections);
        if (session->poll_age >= 0)
            say(", last poll %d s ago\n", session->poll_age);
        else
            say(", no poll seen\n");
    }
}

static const char *percent_text(double share, char text[SAY_SIZE])
{
    if (share < 0)
        snprintf(text, SAY_SIZE, "-");
    else
        snprintf(text, SAY_SIZE, "%.1f %%", share * 100);
    return text;
}

/* "4xx 1.2/s (1.0 %), 5xx 0.0/s (0.0 %), p95 40 ms", where the Prometheus plugin tells. */
static void say_metrics(const struct cluster_metrics *metrics)
{
    double p95 = cluster_metrics_ms(metrics, 0.95);
    for (int hundreds = 4; hundreds <= 5; hundreds++) {
        char rate[SAY_SIZE], share[SAY_SIZE];
        say("%s%dxx %s/s (%s)", hundreds == 4 ? "" : ", ", hundreds, rate_text(cluster_metrics_rate(metrics, hundreds), rate),
            percent_text(cluster_metrics_share(metrics, hundreds), share));
    }
    if (p95 >= 0)
        say(", p95 %.0f ms", p95);
}

/* The same for a line that holds both clusters: parts of a hundred alone. */
static void say_metrics_briefly(const struct cluster_metrics *metrics)
{
    char share_4xx[SAY_SIZE], share_5xx[SAY_SIZE];
    double p95 = cluster_metrics_ms(metrics, 0.95);
    if (metrics->counted == 0 || p95 < 0)
        return;
    say(", 4xx %s, 5xx %s, p95 %.0f ms", percent_text(cluster_metrics_share(metrics, 4), share_4xx),
        percent_text(cluster_metrics_share(metrics, 5), share_5xx), p95);
}

static void say_verdict(const struct view *view)
{
    const struct traffic_verdict *verdict = traffic_verdict(view->traffic);
    say("%s%s\n", verdict->level == VERDICT_WORSE ? "warning: " : "", verdict->sentence);
}

/* Nothing of it where neither cluster has the plugin: its want is no finding. */
static void say_comparison(const struct view *view)
{
    bool any = false;
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++) {
        const struct cluster_metrics *metrics = traffic_metrics(view->traffic, cluster);
        if (metrics->counted == 0)
            continue;
        say("%s: ", cluster_name(cluster));
        say_metrics(metrics);
        say("\n");
        any = true;
    }
    if (any)
        say_verdict(view);
}

static void say_once(const struct view *view)
{
    bool quiet = view->app->options->quiet;
    if (!quiet && nodes_count(view->nodes) > 0)
        say_head();
    for (size_t i = 0; i < nodes_count(view->nodes); i++)
        if (!quiet || nodes_get(view->nodes, i)->problem != NULL)
            say_node(view, nodes_get(view->nodes, i));
    say_outsiders(view);
    if (!quiet)
        say_comparison(view);
    else if (traffic_verdict(view->traffic)->level == VERDICT_WORSE)
        say_verdict(view);
}

/* A node's row is said again only when something but its figures has changed: what a second brings is one line. */
static void say_changed_nodes(struct view *view)
{
    bool quiet = view->app->options->quiet;
    for (size_t i = 0; i < nodes_count(view->nodes); i++) {
        const struct node *node = nodes_get(view->nodes, i);
        if (i == view->said_count) {
            view->said = mem_grow(view->said, ++view->said_count, sizeof *view->said);
            view->said[i] = NULL;
        }
        char *row = mem_printf("%s %d %s %d %s", node->name, node->state, node->version != NULL ? node->version : "", node->match,
                               node->problem != NULL ? node->problem : "");
        bool changed = view->said[i] == NULL || strcmp(view->said[i], row) != 0;
        if (changed && (!quiet || node->problem != NULL))
            say_node(view, node);
        free(view->said[i]);
        view->said[i] = row;
    }
}

static void say_cluster(const struct view *view, enum cluster cluster)
{
    char rate[SAY_SIZE];
    size_t answering = 0, all = 0;
    for (size_t i = 0; i < nodes_count(view->nodes); i++) {
        const struct node *node = nodes_get(view->nodes, i);
        all += node->cluster == cluster ? 1 : 0;
        answering += node->cluster == cluster && node->state == NODE_ANSWERS ? 1 : 0;
    }
    say("  %s: %zu of %zu answer, %s req/s", cluster_name(cluster), answering, all, rate_text(traffic_cluster_rps(view->traffic, cluster), rate));
    say_metrics_briefly(traffic_metrics(view->traffic, cluster));
}

/* When it begins and when it ends. */
static void say_changed_verdict(struct view *view)
{
    enum verdict_level level = traffic_verdict(view->traffic)->level;
    bool is_worse = level == VERDICT_WORSE, was_worse = view->said_level == VERDICT_WORSE;
    if (is_worse != was_worse)
        say_verdict(view);
    view->said_level = level;
}

static void say_second(struct view *view)
{
    char clock[16] = "";
    time_t now = time(NULL);
    struct tm local;
    if (localtime_r(&now, &local) != NULL)
        strftime(clock, sizeof clock, "%H:%M:%S", &local);
    bool quiet = view->app->options->quiet;
    if (!quiet && view->said_count == 0 && nodes_count(view->nodes) > 0)
        say_head();
    say_changed_nodes(view);
    say_changed_verdict(view);
    if (quiet)
        return;
    say("%s", clock);
    say_cluster(view, CLUSTER_OLD);
    say_cluster(view, CLUSTER_NEW);
    size_t unknown = 0;
    const struct sessions *sessions = outsiders_sessions(view->outsiders);
    for (size_t i = 0; i < sessions->count; i++)
        unknown += outsiders_is_one(view->outsiders, &sessions->list[i]) ? 1 : 0;
    if (unknown > 0)
        say("  unknown: %zu", unknown);
    say("\n");
}

static void show(struct view *view, int64_t now)
{
    if (view->app->options->json)
        say_all_json(view, now);
    else if (view->watch)
        say_second(view);
    else
        say_once(view);
}

static void end(struct view *view, int exit_code)
{
    if (view->ended)
        return;
    view->ended = true;
    view->exit_code = exit_code;
    nodes_stop(view->nodes);
    outsiders_stop(view->outsiders);
    uv_close((uv_handle_t *)&view->timer, NULL);
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&view->signals[i], NULL);
}

/* Two counts make a rate, of requests and of errors. */
static bool all_known(const struct view *view)
{
    for (size_t i = 0; i < nodes_count(view->nodes); i++) {
        const struct node *node = nodes_get(view->nodes, i);
        bool waits = node->metrics == METRICS_UNASKED || (node->metrics == METRICS_ANSWERS && node->minute.span_ms == 0);
        if (node->state == NODE_UNASKED || (node->state == NODE_ANSWERS && (waits || traffic_node_rps(view->traffic, node) < 0)))
            return false;
    }
    return true;
}

/* As much as `nodes` is going to know. */
static bool is_complete(const struct view *view, int64_t now)
{
    int64_t waited = now - view->started_at;
    const char *slow = outsiders_waiting(view->outsiders);
    if (slow != NULL) {
        if (waited < ONCE_LOOK_MS)
            return false;
        complain_text("%s has not answered for %d s, so nodes that fleet.ini does not name can't be told", slow, ONCE_LOOK_MS / 1000);
    }
    return waited >= ONCE_MS + (fleet_has_ssh(&view->app->fleet) ? ONCE_SSH_MS : 0) || all_known(view);
}

static void on_tick(uv_timer_t *timer)
{
    struct view *view = timer->data;
    int64_t now = clock_ms();
    traffic_note(view->traffic, view->nodes, now);
    if (view->watch && now - view->looked_at >= LOOK_MS) {
        view->looked_at = now;
        outsiders_look(view->outsiders);
    }
    if (view->watch || is_complete(view, now)) {
        show(view, now);
        if (say_failed() || !view->watch)
            end(view, say_failed() ? EXIT_TERMINAL_LOST : 0);
    }
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    end(handle->data, signal_number == SIGHUP ? EXIT_TERMINAL_LOST : 0);
}

/* Who was started by `nohup` is to go on. */
static bool is_ignored(int signal_number)
{
    struct sigaction before;
    return sigaction(signal_number, NULL, &before) == 0 && before.sa_handler == SIG_IGN;
}

static void run(struct view *view)
{
    uint64_t tick = view->watch ? WATCH_TICK_MS : ONCE_TICK_MS;
    view->started_at = view->looked_at = clock_ms();
    outsiders_look(view->outsiders);
    uv_timer_init(&view->loop, &view->timer);
    view->timer.data = view;
    uv_timer_start(&view->timer, on_tick, tick, tick);
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_signal_init(&view->loop, &view->signals[i]);
        view->signals[i].data = view;
        if (!is_ignored(signal_numbers[i]))
            uv_signal_start(&view->signals[i], on_signal, signal_numbers[i]);
    }
    uv_run(&view->loop, UV_RUN_DEFAULT);
}

static int show_nodes(struct app *app, bool watch)
{
    struct error error = {0};
    struct view view = {.app = app, .watch = watch};
    if (app->fleet.count == 0)
        complain_text("no nodes are known: list them in %s under [old] and [new], as node = NAME URL", app->fleet.file);
    uv_loop_init(&view.loop);
    view.nodes = nodes_start(&view.loop, &app->fleet, &app->conf.pg, NULL, NULL, &error);
    if (view.nodes == NULL) {
        uv_loop_close(&view.loop);
        return complain(&error);
    }
    view.traffic = traffic_new();
    view.outsiders = outsiders_start(&view.loop, app);
    run(&view);
    uv_loop_close(&view.loop);
    for (size_t i = 0; i < view.said_count; i++)
        free(view.said[i]);
    free(view.said);
    traffic_free(view.traffic);
    return view.exit_code;
}

int plain_nodes(struct app *app)
{
    return show_nodes(app, false);
}

int plain_watch(struct app *app)
{
    return show_nodes(app, true);
}
