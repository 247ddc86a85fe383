#include "tests/bench/many_nodes.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"

#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#define ROOT_SIZE 10000        /* bytes of `GET /`, as of a Kong 1.2 with its plugins */
#define LARGE_SIZE (10 << 20)
#define RESTART_SECONDS 47

/* What a node does. The ways of misbehaving in the order in which they are given out. */
enum mood { MOOD_WELL, MOOD_RESTARTS, MOOD_ERRS, MOOD_HANGS, MOOD_CLOSES, MOOD_CUTS, MOOD_LARGE, MOODS };

struct port {
    uv_tcp_t listener;
    int number;
    bool is_new;
    enum mood mood;
    long long requests;        /* to its Admin API */
    double served;             /* by its proxy, since it was started */
    int64_t started_at, served_at;
};

struct visit {
    uv_tcp_t tcp;
    struct port *port;
    char request[4096];
    size_t length;
};

static struct many_nodes_plan the_plan;
static int64_t began;
static char padding[ROOT_SIZE];   /* of the configuration's values */
static char *large;

static void on_visit_closed(uv_handle_t *handle)
{
    free(handle);
}

static void leave(struct visit *visit)
{
    if (!uv_is_closing((uv_handle_t *)&visit->tcp))
        uv_close((uv_handle_t *)&visit->tcp, on_visit_closed);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct visit *visit = handle->data;
    (void)suggested;
    *buf = uv_buf_init(visit->request + visit->length, (unsigned)(sizeof visit->request - 1 - visit->length));
}

/* 0 to 1, and back, once in MANY_NODES_PERIOD. */
static double share_of_new(int64_t now)
{
    return 0.5 - 0.5 * cos(2 * 3.14159265358979 * (double)(now - began) / (MANY_NODES_PERIOD * 1000.0));
}

static void serve_traffic(struct port *port, int64_t now)
{
    double share = share_of_new(now), rps = port->is_new ? the_plan.rps * share / the_plan.new : the_plan.rps * (1 - share) / the_plan.old;
    if (port->mood == MOOD_RESTARTS && now - port->started_at > RESTART_SECONDS * 1000) {
        port->started_at = now;
        port->served = 0;
        port->requests = 0;
    }
    port->served += rps * (double)(now - port->served_at) / 1000;
    port->served_at = now;
}

static void add_root(struct buf *body, const struct port *port)
{
    buf_addf(body, "{\"version\":\"%s\",\"hostname\":\"h%d\",\"node_id\":\"%08llx-0000-4000-8000-%012d\",\"configuration\":{\"database\":\"postgres\","
                   "\"pg_host\":\"127.0.0.1\",\"pg_port\":%d,\"pg_database\":\"kong\"%s},\"tagline\":\"\"}",
             port->is_new ? "1.3.0" : "1.2.3", port->number, (long long)port->started_at & 0xffffffff, port->number, the_plan.pg_port, padding);
}

static void add_status(struct buf *body, const struct port *port)
{
    buf_addf(body, "{\"server\":{\"connections_active\":%d,\"total_requests\":%lld,\"connections_handled\":1},\"database\":{\"reachable\":true},"
                   "\"memory\":{\"lua_shared_dicts\":{\"kong\":{\"capacity\":\"5.00 MiB\"}}}}",
             1 + port->number % 7, port->requests + (long long)port->served);
}

static void add_metrics(struct buf *body, const struct port *port)
{
    static const struct { const char *bound; double part; } buckets[] = {{"00010.0", 0.7}, {"00020.0", 0.9}, {"00050.0", 0.98}, {"+Inf", 1}};
    buf_addf(body, "kong_datastore_reachable 1\nkong_http_status{code=\"200\",service=\"orders\"} %.0f\n", floor(port->served * 0.998));
    buf_addf(body, "kong_http_status{code=\"500\",service=\"orders\"} %.0f\n", floor(port->served * 0.002));
    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0]; i++)
        buf_addf(body, "kong_latency_bucket{type=\"request\",service=\"orders\",le=\"%s\"} %.0f\n", buckets[i].bound, floor(port->served * buckets[i].part));
}

static void write_all(struct visit *visit, const char *status, const char *type, const struct buf *body)
{
    char head[256];
    int length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status, type, body->length);
    uv_buf_t bufs[] = {uv_buf_init(head, (unsigned)length), uv_buf_init(body->data, (unsigned)body->length)};
    if (uv_try_write((uv_stream_t *)&visit->tcp, bufs, 2) != length + (int)body->length)
        fprintf(stderr, "an answer did not fit in a socket's buffer\n");
}

static void on_large_written(uv_write_t *write, int status)
{
    (void)status;
    free(write);
}

static void write_large(struct visit *visit)
{
    static char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10485760\r\n\r\n";
    uv_buf_t bufs[] = {uv_buf_init(head, sizeof head - 1), uv_buf_init(large, LARGE_SIZE)};
    uv_write(mem_zero(1, sizeof(uv_write_t)), (uv_stream_t *)&visit->tcp, bufs, 2, on_large_written);
}

static void answer_well(struct visit *visit)
{
    struct buf body = {0};
    bool metrics = strstr(visit->request, "GET /metrics ") != NULL, absent = metrics && !the_plan.prometheus;
    if (absent)
        buf_add(&body, "{\"message\":\"Not found\"}");
    else if (metrics)
        add_metrics(&body, visit->port);
    else if (strstr(visit->request, "GET /status ") != NULL)
        add_status(&body, visit->port);
    else
        add_root(&body, visit->port);
    write_all(visit, absent ? "404 Not Found" : "200 OK", metrics && !absent ? "text/plain" : "application/json", &body);
    buf_free(&body);
}

static void answer(struct visit *visit)
{
    static char cut[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"version\":\"1.2.3\",";
    uv_buf_t part = uv_buf_init(cut, sizeof cut - 1);
    struct buf error = {0};
    visit->port->requests++;
    serve_traffic(visit->port, clock_ms());
    switch (visit->port->mood) {
    case MOOD_ERRS:
        buf_add(&error, "{\"message\":\"An unexpected error occurred\"}");
        write_all(visit, "500 Internal Server Error", "application/json", &error);
        buf_free(&error);
        break;
    case MOOD_HANGS:
        break;
    case MOOD_CUTS:
        uv_try_write((uv_stream_t *)&visit->tcp, &part, 1);
        leave(visit);
        break;
    case MOOD_LARGE:
        write_large(visit);
        break;
    default:
        answer_well(visit);
        if (visit->port->mood == MOOD_CLOSES)
            leave(visit);
    }
    visit->length = 0;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct visit *visit = stream->data;
    (void)buf;
    if (count < 0) {
        leave(visit);
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
        leave(visit);
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

/* Of the last ones of its cluster each another. */
static enum mood mood_of(int index)
{
    bool is_new = index >= the_plan.old;
    int from_end = is_new ? the_plan.old + the_plan.new - 1 - index : the_plan.old - 1 - index;
    return from_end < the_plan.bad ? (enum mood)(1 + from_end % (MOODS - 1)) : MOOD_WELL;
}

/* Writes the ports to `out`, and answers for ever. */
static void serve(int count, int out)
{
    uv_loop_t loop;
    struct port *ports = mem_zero((size_t)count, sizeof *ports);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    raise_files();
    uv_loop_init(&loop);
    began = clock_ms();
    large = mem_zero(1, LARGE_SIZE);
    memset(large, '<', LARGE_SIZE);
    for (size_t length = 0, i = 0; length < ROOT_SIZE - 400; i++)
        length += (size_t)snprintf(padding + length, sizeof padding - length, ",\"setting_%zu\":[\"0.0.0.0:8000\",true,%zu]", i, i);
    for (int i = 0; i < count; i++) {
        int number = open_port(&loop, &ports[i]);
        ports[i].number = i + 1;
        ports[i].is_new = i >= the_plan.old;
        ports[i].mood = mood_of(i);
        ports[i].started_at = ports[i].served_at = began;
        if (number < 0 || write(out, &number, sizeof number) != sizeof number)
            _exit(1);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    _exit(1);
}

bool many_nodes_start(struct many_nodes *nodes, const struct many_nodes_plan *plan)
{
    int out[2];
    the_plan = *plan;
    *nodes = (struct many_nodes){.count = plan->old + plan->new};
    if (pipe(out) != 0)
        return fprintf(stderr, "no pipe\n"), false;
    nodes->process = fork();
    if (nodes->process == 0)
        serve(nodes->count, out[1]);
    close(out[1]);
    nodes->ports = mem_zero((size_t)nodes->count, sizeof *nodes->ports);
    bool listen = true;
    for (int i = 0; listen && i < nodes->count; i++)
        listen = read(out[0], &nodes->ports[i], sizeof nodes->ports[i]) == sizeof nodes->ports[i];
    close(out[0]);
    if (!listen)
        fprintf(stderr, "the nodes can't listen: too few ports or file descriptors\n");
    return listen;
}

void many_nodes_stop(struct many_nodes *nodes)
{
    kill(nodes->process, SIGKILL);
    waitpid(nodes->process, NULL, 0);
    free(nodes->ports);
}
