/*
 * bench-fleet [--nodes N] [--seconds N]: what watching many nodes costs. A child process answers as N Admin APIs, each on a port of its own;
 * this one watches them as the wizard does. Prints its own CPU time, its memory, and how old the oldest answer ever was. Fails only
 * where nodes were not seen to answer.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cluster/node.h"
#include "core/cluster/traffic.h"

#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 100
#define WARM_UP_MS 3000        /* connections are made in it; not measured */
#define BODY_SIZE 10000        /* bytes of `GET /`, as of a Kong 1.2 with its plugins */

/* The nodes. */

struct port {
    uv_tcp_t listener;
    int number;
    long long requests;
};

struct visit {
    uv_tcp_t tcp;
    struct port *port;
    char request[4096];
    size_t length;
};

static char padding[BODY_SIZE];   /* of the configuration's values */

static void on_visit_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct visit *visit = handle->data;
    (void)suggested;
    *buf = uv_buf_init(visit->request + visit->length, (unsigned)(sizeof visit->request - 1 - visit->length));
}

static void answer(struct visit *visit)
{
    static char body[BODY_SIZE + 1000], head[256];
    bool status = strstr(visit->request, "GET /status ") != NULL;
    visit->port->requests++;
    int length = status ? snprintf(body, sizeof body,
                                   "{\"server\":{\"connections_active\":1,\"total_requests\":%lld,\"connections_handled\":1},"
                                   "\"database\":{\"reachable\":true},\"memory\":{\"lua_shared_dicts\":{\"kong\":{\"capacity\":\"5.00 MiB\"}}}}",
                                   visit->port->requests)
                        : snprintf(body, sizeof body,
                                   "{\"version\":\"1.2.3\",\"hostname\":\"h\",\"node_id\":\"00000000-0000-4000-8000-%012d\",\"configuration\":{"
                                   "\"database\":\"postgres\",\"pg_host\":\"127.0.0.1\",\"pg_port\":5432,\"pg_database\":\"kong\"%s},"
                                   "\"tagline\":\"\"}",
                                   visit->port->number, padding);
    bool metrics = strstr(visit->request, "GET /metrics ") != NULL;   /* its plugin is not loaded */
    int head_length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                               metrics ? "404 Not Found" : "200 OK", length);
    uv_buf_t bufs[] = {uv_buf_init(head, (unsigned)head_length), uv_buf_init(body, (unsigned)length)};
    if (uv_try_write((uv_stream_t *)&visit->tcp, bufs, 2) != head_length + length)
        fprintf(stderr, "an answer did not fit in a socket's buffer\n");
    visit->length = 0;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct visit *visit = stream->data;
    (void)buf;
    if (count < 0) {
        uv_close((uv_handle_t *)stream, on_visit_closed);
        return;
    }
    visit->length += (size_t)count;
    visit->request[visit->length] = '\0';
    if (strstr(visit->request, "\r\n\r\n") != NULL)
        answer(visit);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct visit *visit = mem_zero(1, sizeof *visit);
    visit->port = listener->data;
    visit->tcp.data = visit;
    uv_tcp_init(listener->loop, &visit->tcp);
    if (status == 0 && uv_accept(listener, (uv_stream_t *)&visit->tcp) == 0)
        uv_read_start((uv_stream_t *)&visit->tcp, on_room, on_read);
    else
        uv_close((uv_handle_t *)&visit->tcp, on_visit_closed);
}

static void raise_files(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_port(uv_loop_t *loop, struct port *port)
{
    struct sockaddr_in address;
    struct sockaddr_storage bound;
    int size = sizeof bound;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &port->listener);
    port->listener.data = port;
    if (uv_tcp_bind(&port->listener, (const struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&port->listener, 16, on_connection) != 0 ||
        uv_tcp_getsockname(&port->listener, (struct sockaddr *)&bound, &size) != 0)
        return -1;
    return ntohs(((struct sockaddr_in *)(void *)&bound)->sin_port);
}

/* Writes the ports to `out`, and answers for ever. */
static void serve(int count, int out)
{
    uv_loop_t loop;
    struct port *ports = mem_zero((size_t)count, sizeof *ports);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    raise_files();
    uv_loop_init(&loop);
    for (size_t length = 0, i = 0; length < BODY_SIZE - 400; i++)
        length += (size_t)snprintf(padding + length, sizeof padding - length, ",\"setting_%zu\":[\"0.0.0.0:8000\",true,%zu]", i, i);
    for (int i = 0; i < count; i++) {
        int number = open_port(&loop, &ports[i]);
        ports[i].number = i + 1;
        if (number < 0 || write(out, &number, sizeof number) != sizeof number)
            _exit(1);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(1);
}

/* The watching. */

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
    if (now - bench->noted_at >= 1000) {
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

static bool fill(struct fleet *fleet, int nodes, int in)
{
    struct error error = {0};
    for (int i = 0, port; i < nodes; i++) {
        char name[32], url[64];
        if (read(in, &port, sizeof port) != sizeof port)
            return fprintf(stderr, "the nodes can't listen: too few ports or file descriptors\n"), false;
        snprintf(name, sizeof name, "node-%d", i + 1);
        snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
        if (!fleet_add(fleet, CLUSTER_OLD, name, url, &error))
            return fprintf(stderr, "%s\n", error.message), false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"nodes", required_argument, NULL, 'n'}, {"seconds", required_argument, NULL, 's'}, {0}};
    int nodes = 1000, seconds = 60, option, out[2];
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        nodes = option == 'n' ? atoi(optarg) : nodes;
        seconds = option == 's' ? atoi(optarg) : seconds;
    }
    if (nodes < 1 || seconds < 1 || pipe(out) != 0)
        return 64;
    pid_t child = fork();
    if (child == 0)
        serve(nodes, out[1]);
    close(out[1]);
    struct fleet fleet = {0};
    int exit_code = fill(&fleet, nodes, out[0]) ? watch(&fleet, seconds) : 1;
    fleet_free(&fleet);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return exit_code;
}
