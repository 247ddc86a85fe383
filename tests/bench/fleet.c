/*
 * bench-fleet [--nodes N] [--seconds N]: what watching many nodes costs. A child process answers as N Admin APIs, each on a port of its own;
 * this one watches them as the wizard does. Prints its own CPU time, its memory, and how old the oldest answer ever was. Fails only
 * where nodes were not seen to answer.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cluster/node.h"
#include "core/cluster/traffic.h"
#include "tests/bench/many_nodes.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define LOOK_MS 100
#define NOTE_MS 250            /* between two looks at the counters, as the wizard's tick has it */
#define WARM_UP_MS 3000        /* connections are made in it; not measured */

struct bench {
    uv_loop_t loop;
    uv_timer_t timer;
    struct nodes *nodes;
    struct traffic *traffic;
    int64_t began, ends, noted_at, oldest;
    struct rusage before;
    int64_t polls_before;
    size_t answering;          /* at the end */
};

static int64_t count_polls(const struct bench *bench)
{
    int64_t polls = 0;
    for (size_t i = 0; i < nodes_count(bench->nodes); i++)
        polls += nodes_get(bench->nodes, i)->own_requests;
    return polls;
}

static void look(struct bench *bench, int64_t now)
{
    bench->answering = 0;
    for (size_t i = 0; i < nodes_count(bench->nodes); i++) {
        const struct node *node = nodes_get(bench->nodes, i);
        int64_t age = now - (node->answered_at > 0 ? node->answered_at : bench->began);
        bench->answering += node->state == NODE_ANSWERS ? 1 : 0;
        bench->oldest = age > bench->oldest ? age : bench->oldest;
    }
}

static void on_look(uv_timer_t *timer)
{
    struct bench *bench = timer->data;
    int64_t now = clock_ms();
    if (now - bench->noted_at >= NOTE_MS) {
        traffic_note(bench->traffic, bench->nodes, now);
        bench->noted_at = now;
    }
    for (size_t i = 0; i < nodes_count(bench->nodes); i++)   /* as the wizard does for each frame */
        traffic_node_rps(bench->traffic, nodes_get(bench->nodes, i));
    if (bench->polls_before == 0 && now - bench->began >= WARM_UP_MS) {
        bench->polls_before = count_polls(bench);
        bench->oldest = 0;
        getrusage(RUSAGE_SELF, &bench->before);
    }
    look(bench, now);
    if (now >= bench->ends)
        uv_stop(timer->loop);
}

static double seconds_of(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) + (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static int watch(struct fleet *fleet, int seconds)
{
    static struct bench bench;
    struct error error = {0};
    struct rusage after;
    struct datastore datastore = {.host = (char[]){"127.0.0.1"}, .port = 5432, .database = (char[]){"kong"}};
    uv_loop_init(&bench.loop);
    bench.began = bench.noted_at = clock_ms();
    bench.ends = bench.began + WARM_UP_MS + seconds * 1000;
    bench.traffic = traffic_new();
    bench.nodes = nodes_start(&bench.loop, fleet, &datastore, NULL, NULL, &error);
    if (bench.nodes == NULL)
        return fprintf(stderr, "%s\n", error.message), 1;
    uv_timer_init(&bench.loop, &bench.timer);
    bench.timer.data = &bench;
    uv_timer_start(&bench.timer, on_look, LOOK_MS, LOOK_MS);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    getrusage(RUSAGE_SELF, &after);
    double cpu = seconds_of(&after) - seconds_of(&bench.before);
    int64_t polls = count_polls(&bench) - bench.polls_before;
    size_t count = nodes_count(bench.nodes), answering = bench.answering;
    printf("%zu of %zu nodes answer; %lld requests in %d s; CPU %.1f %% of a core, %.0f us a request; %ld MB at most; the oldest answer %lld ms\n",
           answering, count, (long long)polls, seconds, cpu * 100 / seconds, polls > 0 ? cpu * 1e6 / (double)polls : 0, after.ru_maxrss / 1024,
           (long long)bench.oldest);
    nodes_stop(bench.nodes);
    uv_close((uv_handle_t *)&bench.timer, NULL);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    uv_loop_close(&bench.loop);
    traffic_free(bench.traffic);
    return answering == count ? 0 : 1;
}

static bool fill(struct fleet *fleet, const struct many_nodes *nodes)
{
    struct error error = {0};
    for (int i = 0; i < nodes->count; i++) {
        char name[32], url[64];
        snprintf(name, sizeof name, "node-%d", i + 1);
        snprintf(url, sizeof url, "http://127.0.0.1:%d", nodes->ports[i]);
        if (!fleet_add(fleet, CLUSTER_OLD, name, url, &error))
            return fprintf(stderr, "%s\n", error.message), false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"nodes", required_argument, NULL, 'n'}, {"seconds", required_argument, NULL, 's'}, {0}};
    int count = 1000, seconds = 60, option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        count = option == 'n' ? atoi(optarg) : count;
        seconds = option == 's' ? atoi(optarg) : seconds;
    }
    if (count < 1 || seconds < 1)
        return 64;
    struct many_nodes nodes;
    struct fleet fleet = {0};
    bool ready = many_nodes_start(&nodes, &(struct many_nodes_plan){.old = count, .pg_port = 5432});
    int exit_code = ready && fill(&fleet, &nodes) ? watch(&fleet, seconds) : 1;
    fleet_free(&fleet);
    many_nodes_stop(&nodes);
    return exit_code;
}
