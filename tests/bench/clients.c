/*
 * What the nodes of a cluster do to their database, all day: connections that read and write at a steady pace, and time what they
 * wait. It is started as nodes of one version, becomes those of 1.3 on SIGUSR1 (the new cluster), and ends on SIGTERM, or by itself
 * after LIMIT_S.
 *
 *   bench-clients CONNINFO 0.14|1.0|1.3 CONSUMERS TOKENS ROUTES
 *
 * A node gives a query up after 5 s (pg_timeout): it closes its socket, the server notices nothing; here the same request is then sent
 * again on a new connection, and its wait goes on. A stall is one request's wait, from sending it first to its answer. A connection
 * that waits can't send what it would have sent meanwhile: those requests are counted as sent in time and answered with this one, or
 * one long stall would look like one slow request among thousands.
 *
 * For each of its two parts it prints a line: requests, worst, 99 %, 99.9 % (ms), over 100 ms, given up, errors. With BENCH_VERBOSE set,
 * the slowest requests and the first errors go to standard error.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLIENTS 8
#define EVERY_US 20000        /* each client's pace */
#define GIVE_UP_US 5000000
#define SLOW_US 100000
#define LIMIT_S 3600
#define PARTS 2
#define SHOWN 12
#define HALVINGS 40           /* histogram: powers of two of microseconds, each in STEPS parts */
#define STEPS 64
#define COUNT_OF(array_) (sizeof(array_) / sizeof((array_)[0]))

enum version { V_014, V_10, V_13, VERSIONS };
static const char *const version_names[VERSIONS] = {"0.14", "1.0", "1.3"};

enum range { NONE, CONSUMER, TOKEN, ROUTE, RANGES };

#define FRESH "md5(random()::text || clock_timestamp()::text)"
#define ROUND "date_trunc('minute', CURRENT_TIMESTAMP)"

/* $1 is the number of an entity of the range; names and ids are fill.sql's. NULL: as nodes of the version before do it. No consumer,
 * plugin, upstream or target is updated: an update that waits for a row of Kong's whole-table UPDATE deadlocks with the ALTER TABLE that
 * follows in the same transaction, and Kong's own way would never end. */
static const struct operation {
    const char *name;
    int weight;
    enum range range;
    const char *sql[VERSIONS];
} operations[] = {
    {"consumer by id", 12, CONSUMER, {"SELECT * FROM consumers WHERE id = md5('c' || $1)::uuid", NULL, NULL}},
    {"key-auth by key", 20, CONSUMER, {"SELECT * FROM keyauth_credentials WHERE key = 'key-' || $1", NULL, NULL}},
    {"acls of a consumer", 12, CONSUMER, {"SELECT * FROM acls WHERE consumer_id = md5('c' || $1)::uuid", NULL, NULL}},
    {"token by access_token", 6, TOKEN, {"SELECT * FROM oauth2_tokens WHERE access_token = 'access-' || $1", NULL, NULL}},
    {"plugin of a route", 8, ROUTE,
     {"SELECT * FROM plugins WHERE name = 'rate-limiting' AND route_id = md5('r' || $1)::uuid",
      "SELECT * FROM plugins WHERE cache_key = concat('plugins:rate-limiting:', md5('r' || $1)::uuid, '::::')", NULL}},
    {"route by id", 4, ROUTE, {"SELECT * FROM routes WHERE id = md5('r' || $1)::uuid", NULL, NULL}},
    {"service by id", 4, ROUTE, {"SELECT * FROM services WHERE id = md5('s' || $1)::uuid", NULL, NULL}},
    {"upstream by name", 2, ROUTE, {"SELECT * FROM upstreams WHERE name = 'upstream-' || $1", NULL, NULL}},
    {"targets of an upstream", 2, ROUTE, {"SELECT * FROM targets WHERE upstream_id = md5('u' || $1)::uuid", NULL, NULL}},
    {"cluster_events poll", 6, NONE,
     {"SELECT id, node_id, channel, extract(epoch FROM at), extract(epoch FROM nbf), data FROM cluster_events WHERE channel IN"
      " ('invalidations', 'balancer:targets', 'balancer:upstreams') AND at > now() - interval '5 s' AND at <= now()", NULL, NULL}},
    {"insert cluster_events", 2, NONE,
     {"INSERT INTO cluster_events (id, node_id, at, expire_at, channel, data) VALUES (" FRESH "::uuid, " FRESH "::uuid, now(),"
      " now() + interval '1 hour', 'invalidations', 'routes:' || " FRESH ")", NULL, NULL}},
    {"insert consumer", 3, NONE, {"INSERT INTO consumers (id, username) VALUES (" FRESH "::uuid, 'new-' || " FRESH ")", NULL, NULL}},
    {"insert key-auth", 3, CONSUMER,
     {"INSERT INTO keyauth_credentials (id, consumer_id, key) VALUES (" FRESH "::uuid, md5('c' || $1)::uuid, 'new-' || " FRESH ")", NULL, NULL}},
    {"insert acl", 2, CONSUMER,
     {"INSERT INTO acls (id, consumer_id, \"group\") VALUES (" FRESH "::uuid, md5('c' || $1)::uuid, " FRESH ")",
      "INSERT INTO acls (id, consumer_id, \"group\", cache_key) SELECT " FRESH "::uuid, c, g, concat('acls:', c, ':', g, ':::')"
      " FROM (SELECT md5('c' || $1)::uuid AS c, " FRESH " AS g) AS new", NULL}},
    {"update key-auth", 2, CONSUMER, {"UPDATE keyauth_credentials SET key = key WHERE id = md5('k' || $1)::uuid", NULL, NULL}},
    {"update acl", 2, CONSUMER, {"UPDATE acls SET \"group\" = \"group\" WHERE id = md5('a' || $1)::uuid", NULL, NULL}},
    {"update route", 3, ROUTE, {"UPDATE routes SET updated_at = now() WHERE id = md5('r' || $1)::uuid", NULL, NULL}},
    {"update service", 2, ROUTE, {"UPDATE services SET updated_at = now() WHERE id = md5('s' || $1)::uuid", NULL, NULL}},
    {"rate-limiting", 10, ROUTE,
     {"SELECT increment_rate_limits(md5('r' || $1)::uuid, md5('s' || $1)::uuid, '10.0.0.1', 'minute', " ROUND ", 1)",
      "INSERT INTO ratelimiting_metrics AS m (identifier, period, period_date, service_id, route_id, value)"
      " VALUES ('10.0.0.1', 'minute', " ROUND ", md5('s' || $1)::uuid, md5('r' || $1)::uuid, 1)"
      " ON CONFLICT (identifier, period, period_date, service_id, route_id) DO UPDATE SET value = m.value + EXCLUDED.value", NULL}},
    {"insert token", 2, ROUTE,
     {"INSERT INTO oauth2_tokens (id, access_token, token_type, expires_in) VALUES (" FRESH "::uuid, " FRESH ", 'bearer', 7200)",
      "INSERT INTO oauth2_tokens (id, access_token, token_type, expires_in, ttl) VALUES (" FRESH "::uuid, " FRESH ", 'bearer', 7200,"
      " now() + interval '2 hours')", NULL}},
    {"the token's ttl", 2, NONE,
     {"SELECT upsert_ttl(" FRESH ", NULL, 'id', 'oauth2_tokens', CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC' + interval '2 hours')", "SELECT 1", NULL}},
};

struct slow {
    int64_t took, at;
    const char *name;
};

struct figures {
    uint64_t histogram[HALVINGS * STEPS];
    uint64_t requests, over, given_up, errors;
    int64_t worst;
    struct slow slow[SHOWN];
};

struct client {
    pthread_t thread;
    PGconn *pg;
    uint64_t random;
    struct figures parts[PARTS];
};

static volatile sig_atomic_t part, ended;
static const char *conninfo;
static enum version versions[PARTS];
static long ranges[RANGES] = {[NONE] = 1};
static int64_t begun;
static bool verbose;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void sleep_us(int64_t us)
{
    struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    if (us > 0)
        nanosleep(&pause, NULL);
}

static void on_signal(int signal_number)
{
    if (signal_number == SIGUSR1)
        part = 1;
    else
        ended = 1;
}

/* xorshift64*: as good as is needed, and each client's own. */
static uint64_t random_below(struct client *client, uint64_t end)
{
    client->random ^= client->random >> 12;
    client->random ^= client->random << 25;
    client->random ^= client->random >> 27;
    return (client->random * 2685821657736338717ULL >> 33) % end;
}

static size_t bucket_of(int64_t us)
{
    int halving = 0;
    while (us >= 2 * STEPS) {
        us /= 2;
        halving++;
    }
    return us < STEPS ? (size_t)us : (size_t)(halving * STEPS + us);
}

static int64_t bucket_end(size_t bucket)
{
    size_t halving = bucket < STEPS ? 0 : bucket / STEPS - 1;
    return (int64_t)(bucket - halving * STEPS + 1) << halving;
}

static void keep_slow(struct figures *figures, struct slow slow)
{
    size_t least = 0;
    for (size_t i = 1; i < SHOWN; i++)
        least = figures->slow[i].took < figures->slow[least].took ? i : least;
    if (slow.took > figures->slow[least].took)
        figures->slow[least] = slow;
}

static void add_request(struct figures *figures, int64_t took, const char *name, int64_t at)
{
    figures->worst = took > figures->worst ? took : figures->worst;
    keep_slow(figures, (struct slow){took, at, name});
    for (int64_t wait = took; wait == took || wait > EVERY_US; wait -= EVERY_US) {
        figures->histogram[bucket_of(wait)]++;
        figures->requests++;
        figures->over += wait > SLOW_US ? 1 : 0;
    }
}

static bool reconnect(struct client *client)
{
    PQfinish(client->pg);
    client->pg = PQconnectdb(conninfo);
    if (PQstatus(client->pg) == CONNECTION_OK)
        return true;
    if (verbose)
        fprintf(stderr, "%s", PQerrorMessage(client->pg));
    return false;
}

enum answer { ANSWERED, FAILED, GIVEN_UP };

static enum answer await_answer(PGconn *pg, int64_t deadline)
{
    enum answer answer = ANSWERED;
    for (;;) {
        while (PQisBusy(pg)) {
            struct pollfd socket = {.fd = PQsocket(pg), .events = POLLIN};
            int64_t left = deadline - now_us();
            if (left <= 0)
                return GIVEN_UP;
            if (poll(&socket, 1, (int)(left / 1000) + 1) < 0 && errno != EINTR)
                return FAILED;
            if (!PQconsumeInput(pg))
                return FAILED;
        }
        PGresult *result = PQgetResult(pg);
        if (result == NULL)
            return answer;
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            answer = FAILED;
            if (verbose)
                fprintf(stderr, "%.1f s: %s", (double)(now_us() - begun) / 1e6, PQresultErrorMessage(result));
        }
        PQclear(result);
    }
}

static enum answer ask(struct client *client, const char *sql, const char *number)
{
    const char *const values[] = {number};
    if (PQstatus(client->pg) != CONNECTION_OK && !reconnect(client))
        return FAILED;
    if (!PQsendQueryParams(client->pg, sql, strchr(sql, '$') != NULL ? 1 : 0, NULL, values, NULL, NULL, 0))
        return FAILED;
    enum answer answer = await_answer(client->pg, now_us() + GIVE_UP_US);
    if (answer == GIVEN_UP)
        reconnect(client);
    return answer;
}

static const struct operation *pick(struct client *client)
{
    int total = 0;
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        total += operations[i].weight;
    int left = (int)random_below(client, (uint64_t)total);
    size_t i = 0;
    while (left >= operations[i].weight)
        left -= operations[i++].weight;
    return &operations[i];
}

/* What nodes of a version don't do otherwise than those before them stands with those before. */
static const char *sql_for(const struct operation *operation, enum version version)
{
    while (operation->sql[version] == NULL)
        version--;
    return operation->sql[version];
}

static void request(struct client *client)
{
    const struct operation *operation = pick(client);
    int now_part = part;
    struct figures *figures = &client->parts[now_part];
    char number[24];
    snprintf(number, sizeof number, "%lu", (unsigned long)random_below(client, (uint64_t)ranges[operation->range]) + 1);
    int64_t sent = now_us();
    enum answer answer;
    do {
        answer = ask(client, sql_for(operation, versions[now_part]), number);
        figures->given_up += answer == GIVEN_UP ? 1 : 0;
    } while (answer == GIVEN_UP && !ended);
    figures->errors += answer == FAILED ? 1 : 0;
    add_request(figures, now_us() - sent, operation->name, sent - begun);
}

static void *work(void *context)
{
    struct client *client = context;
    sleep_us((int64_t)random_below(client, EVERY_US));
    while (!ended && now_us() - begun < LIMIT_S * 1000000LL) {
        int64_t due = now_us() + EVERY_US;
        request(client);
        sleep_us(due - now_us());
    }
    PQfinish(client->pg);
    return NULL;
}

static void merge(struct figures *all, const struct figures *one)
{
    for (size_t i = 0; i < COUNT_OF(all->histogram); i++)
        all->histogram[i] += one->histogram[i];
    for (size_t i = 0; i < SHOWN; i++)
        keep_slow(all, one->slow[i]);
    all->requests += one->requests;
    all->over += one->over;
    all->given_up += one->given_up;
    all->errors += one->errors;
    all->worst = one->worst > all->worst ? one->worst : all->worst;
}

static double percentile_ms(const struct figures *figures, double share)
{
    uint64_t left = (uint64_t)((double)figures->requests * share);
    for (size_t i = 0; i < COUNT_OF(figures->histogram); i++) {
        if (figures->histogram[i] > left) {
            int64_t end = bucket_end(i);
            return (double)(end < figures->worst ? end : figures->worst) / 1e3;
        }
        left -= figures->histogram[i];
    }
    return (double)figures->worst / 1e3;
}

static void print(const struct figures *figures)
{
    printf("%lu %.1f %.1f %.1f %lu %lu %lu\n", (unsigned long)figures->requests, (double)figures->worst / 1e3, percentile_ms(figures, 0.99),
           percentile_ms(figures, 0.999), (unsigned long)figures->over, (unsigned long)figures->given_up, (unsigned long)figures->errors);
    for (size_t i = 0; verbose && i < SHOWN; i++)
        if (figures->slow[i].took > 0)
            fprintf(stderr, "%8.1f ms at %7.2f s: %s\n", (double)figures->slow[i].took / 1e3, (double)figures->slow[i].at / 1e6, figures->slow[i].name);
}

static bool read_arguments(char **argv)
{
    conninfo = argv[1];
    for (versions[0] = V_014; versions[0] < VERSIONS && strcmp(argv[2], version_names[versions[0]]) != 0; versions[0]++)
        ;
    versions[1] = V_13;
    for (int i = CONSUMER; i < RANGES; i++)
        ranges[i] = atol(argv[2 + i]);
    verbose = getenv("BENCH_VERBOSE") != NULL;
    return versions[0] < VERSIONS && ranges[CONSUMER] > 0 && ranges[TOKEN] > 0 && ranges[ROUTE] > 0;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

int main(int argc, char **argv)
{
    static struct client clients[CLIENTS];
    static struct figures all[PARTS];
    if (argc != 3 + RANGES - 1 || !read_arguments(argv)) {
        fprintf(stderr, "usage: bench-clients CONNINFO 0.14|1.0|1.3 CONSUMERS TOKENS ROUTES\n");
        return 64;
    }
    catch_signals();
    begun = now_us();
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i].random = (uint64_t)begun + i * 7919 + 1;
        if (!reconnect(&clients[i]) || pthread_create(&clients[i].thread, NULL, work, &clients[i]) != 0) {
            fprintf(stderr, "bench-clients: client %zu could not start: %s\n", i, PQerrorMessage(clients[i].pg));
            return 1;
        }
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        for (size_t j = 0; j < PARTS; j++)
            merge(&all[j], &clients[i].parts[j]);
    }
    for (size_t j = 0; j < PARTS; j++)
        print(&all[j]);
    return 0;
}
