/*
 * fake-node: a stand-in for a Kong node (fake_node.h).
 *
 *   fake-node --version 1.2.3 [--address A] [--admin PORT] [--proxy PORT] [--conf FILE] [--pg-host H] [--pg-port P] [--pg-database D]
 *             [--pg-user U] [--pg-schema S] [--no-database] [--poll-ms N] [--traffic FILE] [--fail-percent N] [--latency-ms N]
 *             [--prometheus] [--metrics FILE] [--metrics-hang] [--mode M] [--tls-cert FILE --tls-key FILE]
 *             [--require-header "NAME: VALUE"]
 *
 * Port 0, the default, is any that is free. KONG_* of the environment goes before the file, the password is KONG_PG_PASSWORD. When it
 * listens it prints `ready admin=PORT proxy=PORT node_id=UUID`; SIGTERM ends it. --traffic: the file holds a number, requests per
 * second that are added to its counters, and, if the line goes on, --fail-percent and --latency-ms from now on. --prometheus: the
 * plugin answers at /metrics; --metrics: with what is in the file; --metrics-hang: never. --mode: the Admin API misbehaves (node_hostile.c), and there is no database.
 */
#include "tests/sandbox/fake_node.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uuid.h>

#define TICK_MS 50
#define TRAFFIC_MS 200

enum option_code { OPTION_VERSION = 256, OPTION_ADDRESS, OPTION_ADMIN, OPTION_PROXY, OPTION_CONF, OPTION_PG_HOST, OPTION_PG_PORT,
                   OPTION_PG_DATABASE, OPTION_PG_USER, OPTION_PG_SCHEMA, OPTION_NO_DATABASE, OPTION_POLL_MS, OPTION_TRAFFIC,
                   OPTION_FAIL_PERCENT, OPTION_LATENCY_MS, OPTION_PROMETHEUS, OPTION_METRICS, OPTION_METRICS_HANG, OPTION_MODE, OPTION_TLS_CERT,
                   OPTION_TLS_KEY, OPTION_REQUIRE_HEADER };

static const struct option options[] = {
    {"version", required_argument, NULL, OPTION_VERSION},         {"address", required_argument, NULL, OPTION_ADDRESS},
    {"admin", required_argument, NULL, OPTION_ADMIN},             {"proxy", required_argument, NULL, OPTION_PROXY},
    {"conf", required_argument, NULL, OPTION_CONF},               {"pg-host", required_argument, NULL, OPTION_PG_HOST},
    {"pg-port", required_argument, NULL, OPTION_PG_PORT},         {"pg-database", required_argument, NULL, OPTION_PG_DATABASE},
    {"pg-user", required_argument, NULL, OPTION_PG_USER},         {"pg-schema", required_argument, NULL, OPTION_PG_SCHEMA},
    {"no-database", no_argument, NULL, OPTION_NO_DATABASE},       {"poll-ms", required_argument, NULL, OPTION_POLL_MS},
    {"traffic", required_argument, NULL, OPTION_TRAFFIC},         {"fail-percent", required_argument, NULL, OPTION_FAIL_PERCENT},
    {"latency-ms", required_argument, NULL, OPTION_LATENCY_MS},   {"prometheus", no_argument, NULL, OPTION_PROMETHEUS},
    {"metrics", required_argument, NULL, OPTION_METRICS},         {"mode", required_argument, NULL, OPTION_MODE},
    {"tls-cert", required_argument, NULL, OPTION_TLS_CERT},       {"tls-key", required_argument, NULL, OPTION_TLS_KEY},
    {"metrics-hang", no_argument, NULL, OPTION_METRICS_HANG},     {"require-header", required_argument, NULL, OPTION_REQUIRE_HEADER},
    {NULL, 0, NULL, 0},
};

static void replace(char **text, const char *value)
{
    free(*text);
    *text = mem_dup(value);
}

static bool take_option(struct fake_node *node, int option)
{
    struct datastore *pg = &node->conf.pg;
    switch (option) {
    case OPTION_VERSION: node->version = optarg; break;
    case OPTION_ADDRESS: node->address = optarg; break;
    case OPTION_ADMIN: node->admin_port = atoi(optarg); break;
    case OPTION_PROXY: node->proxy_port = atoi(optarg); break;
    case OPTION_CONF: break;
    case OPTION_PG_HOST: replace(&pg->host, optarg); break;
    case OPTION_PG_PORT: pg->port = atoi(optarg); break;
    case OPTION_PG_DATABASE: replace(&pg->database, optarg); break;
    case OPTION_PG_USER: replace(&pg->user, optarg); break;
    case OPTION_PG_SCHEMA: replace(&pg->schema, optarg); break;
    case OPTION_NO_DATABASE: node->no_database = true; break;
    case OPTION_POLL_MS: node->poll_ms = atoi(optarg); break;
    case OPTION_TRAFFIC: node->traffic_file = optarg; break;
    case OPTION_FAIL_PERCENT: node->fail_percent = atoi(optarg); break;
    case OPTION_LATENCY_MS: node->latency_ms = atoi(optarg); break;
    case OPTION_PROMETHEUS: node->prometheus = true; break;
    case OPTION_METRICS: node->metrics_file = optarg; break;
    case OPTION_METRICS_HANG: node->metrics_hang = true; break;
    case OPTION_MODE: node->mode = optarg; break;
    case OPTION_TLS_CERT: node->tls_cert = optarg; break;
    case OPTION_TLS_KEY: node->tls_key = optarg; break;
    case OPTION_REQUIRE_HEADER: node->header = optarg; break;
    default: return false;
    }
    return true;
}

/* The file first, since options go before it. */
static bool read_conf(struct fake_node *node, int argc, char **argv)
{
    static const char *const nowhere[] = {NULL};
    const char *file = NULL;
    struct error error = {0};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        file = option == OPTION_CONF ? optarg : file;
    if (kong_conf_load(&node->conf, file, nowhere, environ, &error))
        return true;
    fprintf(stderr, "Error: %s\n", error.message);
    error_clear(&error);
    return false;
}

static int minor_of(const char *version)
{
    int major = 1, minor = 3;
    if (sscanf(version, "%d.%d", &major, &minor) != 2)
        return 3;
    return major == 0 ? -1 : minor;
}

static int read_options(struct fake_node *node, int argc, char **argv)
{
    int option;
    if (!read_conf(node, argc, argv))
        return 1;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(node, option))
            optind = argc + 1;
    node->minor = minor_of(node->version);
    if (optind == argc && (node->mode == NULL || fake_hostile_is_mode(node->mode)))
        return 0;
    fprintf(stderr, "usage: see the head of tests/sandbox/node.c\n");
    return 64;
}

static double read_rate(struct fake_node *node)
{
    char text[64] = "";
    double rate = 0;
    int fail_percent, latency_ms;
    FILE *file = node->traffic_file != NULL ? fopen(node->traffic_file, "re") : NULL;
    if (file == NULL)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    int count = sscanf(text, "%lf %d %d", &rate, &fail_percent, &latency_ms);
    if (count >= 2)
        node->fail_percent = fail_percent;
    if (count == 3)
        node->latency_ms = latency_ms;
    return rate > 0 && rate < 1e7 ? rate : 0;
}

/* Until SIGTERM or SIGINT, which are blocked in every thread and taken here: none of them can hold it up. */
static void live(struct fake_node *node, const sigset_t *signals)
{
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    int64_t last = clock_ms(), read_at = 0;
    double rate = 0, due = 0;
    while (sigtimedwait(signals, NULL, &tick) < 0) {
        int64_t now = clock_ms();
        if (now - read_at >= TRAFFIC_MS) {
            rate = read_rate(node);
            read_at = now;
        }
        due += rate * (double)(now - last) / 1000;
        last = now;
        long long whole = (long long)due;
        due -= (double)whole;
        atomic_fetch_add(&node->requests, whole);
        fake_metrics_count(node, whole);
    }
}

int main(int argc, char **argv)
{
    static struct fake_node node = {.version = "1.3.0", .address = "127.0.0.1", .poll_ms = 5000, .latency_ms = 20};
    sigset_t signals;
    uuid_t id;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    int exit_code = read_options(&node, argc, argv);
    if (exit_code != 0)
        return exit_code;
    node.no_database = node.no_database || node.mode != NULL;
    uuid_generate_random(id);
    uuid_unparse_lower(id, node.node_id);
    if (!node.no_database && !fake_database_check(&node))
        return 1;
    if (!fake_http_start(&node) || (node.mode != NULL && !fake_hostile_start(&node)))
        return 1;
    if (!node.no_database)
        fake_database_poll(&node);
    printf("ready admin=%d proxy=%d node_id=%s\n", node.admin_port, node.proxy_port, node.node_id);
    fflush(stdout);
    live(&node, &signals);
    _exit(0);
}
