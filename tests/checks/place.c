#include "tests/checks/place.h"

#include "core/base/mem.h"
#include "core/migrations/legacy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *program, *postgres_sh;
static char folder[64];
static int port, server_version;

void place_arguments(const char *the_program, const char *the_script)
{
    program = the_program;
    postgres_sh = the_script;
}

int place_port(void)
{
    return port;
}

const char *place_socket(void)
{
    static char path[80];
    snprintf(path, sizeof path, "%s/pg", folder);
    return path;
}

int place_version(void)
{
    return server_version;
}

PGconn *place_session(const char *database, const char *role)
{
    char *place = mem_printf("host=127.0.0.1 port=%d dbname='%s' user='%s' password=kong", port, database, role);
    PGconn *session = PQconnectdb(place);
    /* The server may need a moment to know that the sessions before this one are gone. */
    for (int tries = 0; PQstatus(session) != CONNECTION_OK && strstr(PQerrorMessage(session), "too many connections") != NULL && tries < 50; tries++) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        PQfinish(session);
        session = PQconnectdb(place);
    }
    free(place);
    if (PQstatus(session) != CONNECTION_OK)
        print_error("%s", PQerrorMessage(session));
    assert_int_equal(PQstatus(session), CONNECTION_OK);
    return session;
}

void place_sql(const char *database, const char *sql)
{
    PGconn *session = place_session(database, "postgres");
    PGresult *result = PQexec(session, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        print_error("%s%.600s\n", PQerrorMessage(session), sql);
    assert_true(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
    PQclear(result);
    PQfinish(session);
}

static int make_schema(const char *database, const char *version)
{
    char *create = mem_printf("CREATE DATABASE %s OWNER kong", database);
    char *bootstrap = mem_printf("bootstrap -q -y --to %s", version);
    struct buf output = {0};
    place_sql("postgres", create);
    int exit_code = place_program(database, bootstrap, &output);
    if (exit_code != 0)
        print_error("%s\n", buf_text(&output));
    buf_free(&output);
    free(bootstrap);
    free(create);
    return exit_code;
}

int place_open(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/kong-checks-%d", (int)getpid());
    char *command = mem_printf("PG_OPTIONS='-c max_prepared_transactions=5 -c max_connections=60' sh %s start %s/pg", postgres_sh, folder);
    char *make = mem_printf("mkdir -m 755 -p %s", folder);
    int made = system(make);
    FILE *start = popen(command, "r");
    free(make);
    free(command);
    if (made != 0 || start == NULL || fscanf(start, "%d", &port) != 1 || pclose(start) != 0)
        return -1;
    PGconn *session = place_session("postgres", "postgres");
    server_version = PQserverVersion(session);
    PQfinish(session);
    place_sql("postgres", "CREATE ROLE other; CREATE ROLE \"o\"\"ther\nrole\"");
    return make_schema("k12", "1.2") == 0 && make_schema("k10", "1.0") == 0 ? 0 : -1;
}

int place_standby(void)
{
    char *command = mem_printf("dir=%s/standby; { sh %s start $dir && touch $dir/data/standby.signal && sh %s crash $dir; } >/dev/null && cat $dir/port",
                               folder, postgres_sh, postgres_sh);
    int standby_port = 0;
    FILE *start = popen(command, "r");
    free(command);
    assert_non_null(start);
    assert_int_equal(fscanf(start, "%d", &standby_port), 1);
    assert_int_equal(pclose(start), 0);
    return standby_port;
}

void place_standby_end(void)
{
    char *command = mem_printf("sh %s stop %s/standby", postgres_sh, folder);
    assert_int_equal(system(command), 0);
    free(command);
}

int place_close(void **state)
{
    (void)state;
    char *command = mem_printf("sh %s stop %s/pg; rm -rf %s", postgres_sh, folder, folder);
    int stopped = system(command);
    free(command);
    return stopped;
}

const char *place_database(const char *template, const char *owner)
{
    static char name[16];
    static int count;
    snprintf(name, sizeof name, "t%d", ++count);
    char *sql = mem_printf("CREATE DATABASE %s TEMPLATE %s OWNER %s", name, template, owner);
    place_sql("postgres", sql);
    free(sql);
    return name;
}

void place_make_014(const char *database)
{
    struct buf sql = {0};
    buf_add(&sql, "SET ROLE kong; DROP TABLE schema_meta, locks; ALTER TABLE plugins DROP cache_key;"
                  " ALTER TABLE ratelimiting_metrics ALTER period_date TYPE timestamp;"
                  " ALTER TABLE ratelimiting_metrics ADD api_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',"
                  " DROP CONSTRAINT ratelimiting_metrics_pkey, ADD PRIMARY KEY (identifier, period, period_date, service_id, route_id, api_id);"
                  " CREATE TABLE schema_migrations (id text PRIMARY KEY, migrations varchar(100)[]);");
    for (size_t i = 0; i < legacy_migration_count; i++)
        buf_addf(&sql, "INSERT INTO schema_migrations VALUES ('%s', '{%s}') ON CONFLICT (id) DO UPDATE SET migrations ="
                       " schema_migrations.migrations || EXCLUDED.migrations;", legacy_migrations[i].component, legacy_migrations[i].name);
    place_sql(database, buf_text(&sql));
    buf_free(&sql);
}

void place_check(const char *database, const char *const *environment, struct check_results *results)
{
    *results = (struct check_results){0};
    place_check_each(database, environment, NULL, NULL, check_results_take, results);
}

void place_check_each(const char *database, const char *const *environment, const struct fleet *own, const volatile bool *stop, check_taker *take,
                      void *context)
{
    static const char *const nowhere[] = {NULL};
    char *all[16] = {mem_printf("KONG_PG_PORT=%d", port), mem_printf("KONG_PG_DATABASE=%s", database), mem_dup("KONG_PG_PASSWORD=kong")};
    size_t count = 3;
    struct kong_conf conf = {0};
    struct fleet fleet = {0};
    struct error error = {0};
    struct names ids = {0};
    for (; environment != NULL && *environment != NULL; environment++) {
        for (size_t i = 0; i < 3; i++)
            if (strncmp(all[i], *environment, strcspn(all[i], "=") + 1) == 0)
                all[i][0] = '~';   /* the test's own goes before it */
        all[count++] = mem_dup(*environment);
    }
    assert_true(kong_conf_load(&conf, NULL, nowhere, all, &error));
    assert_true(fleet_add(&fleet, CLUSTER_OLD, "old-1", "http://127.0.0.1:1", &error));
    assert_true(fleet_add(&fleet, CLUSTER_NEW, "new-1", "http://127.0.0.1:2", &error));
    checks_run(&conf, own != NULL ? own : &fleet, &ids, stop, take, context);
    kong_conf_free(&conf);
    fleet_free(&fleet);
    for (size_t i = 0; i < count; i++)
        free(all[i]);
}

const struct check_result *place_find(const struct check_results *results, const char *id)
{
    for (size_t i = 0; i < results->count; i++)
        if (strcmp(results->list[i].check->id, id) == 0)
            return &results->list[i];
    fail_msg("no result of %s", id);
    return NULL;
}

int place_program(const char *database, const char *arguments, struct buf *output)
{
    char *command = mem_printf("KONG_PG_PORT=%d KONG_PG_DATABASE=%s KONG_PG_PASSWORD=${PASSWORD-kong} XDG_STATE_HOME=%s/state XDG_CONFIG_HOME=%s/config"
                               " LC_ALL=C.UTF-8 '%s' %s 2>&1", port, database, folder, folder, program, arguments);
    FILE *pipe = popen(command, "r");
    char part[4096];
    size_t length;
    free(command);
    assert_non_null(pipe);
    while ((length = fread(part, 1, sizeof part, pipe)) > 0)
        buf_add_bytes(output, part, length);
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What stands between us and the server. */

static pid_t relay_process;
static int relay_port;   /* 0: there is none */

/* Passes everything on: announcing another backend than the one that answers, as a pooler does; or the server's answers only up to so
 * many bytes, and then nothing more, as a network that has gone away. */
static void relay(int from, int limit)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)place_port()), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un near = {.sun_family = AF_UNIX};
    bool local = limit == PLACE_POOLER_LOCAL;
    static const unsigned char key_data[] = {'K', 0, 0, 0, 12};
    unsigned char part[8192];
    long passed = 0;
    int to = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    snprintf(near.sun_path, sizeof near.sun_path, "%s/.s.PGSQL.%d", place_socket(), place_port());
    if (to < 0 || connect(to, local ? (struct sockaddr *)&near : (struct sockaddr *)&server, local ? sizeof near : sizeof server) != 0)
        _exit(1);
    for (;;) {
        struct pollfd ends[] = {{.fd = from, .events = POLLIN}, {.fd = to, .events = POLLIN}};
        poll(ends, 2, -1);
        int one = ends[0].revents != 0 ? from : to, other = one == from ? to : from;
        ssize_t length = read(one, part, sizeof part);
        if (length <= 0)
            _exit(0);
        unsigned char *found = one == to && (limit == PLACE_POOLER || local) ? memmem(part, (size_t)length, key_data, sizeof key_data) : NULL;
        if (found != NULL)
            found[8] = (unsigned char)(found[8] + 1);
        passed += one == to ? length : 0;
        bool lost = limit >= 0 && one == to && passed > limit;
        if (!lost && write(other, part, (size_t)length) != length)
            _exit(1);
    }
}

/* A process a connection; each ends with its connection. */
static void relay_all(int listener, int limit)
{
    size_t taken = 0;
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int from = accept(listener, NULL, NULL);
        if (from < 0)
            _exit(1);
        if (limit == PLACE_SINGLE && taken++ > 0) {
            close(from);
            continue;
        }
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(listener);
            relay(from, limit);
        }
        close(from);
    }
}

static int listen_somewhere(int *port_number)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *port_number = ntohs(address.sin_port);
    return listener;
}

int place_relay(int limit)
{
    int listener = listen_somewhere(&relay_port);
    relay_process = fork();
    if (relay_process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);
        relay_all(listener, limit);
    }
    setpgid(relay_process, relay_process);
    close(listener);
    return relay_port;
}

void place_relay_end(void)
{
    relay_port = 0;
    kill(-relay_process, SIGKILL);
    waitpid(relay_process, NULL, 0);
}

/* Nodes. */

static pid_t node_processes[8];
static size_t node_count;

static void answer_all(int listener, const char *body)
{
    char request[4096];
    char *answer = mem_printf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            _exit(1);
        bool answered = read(client, request, sizeof request) > 0 && write(client, answer, strlen(answer)) > 0;
        close(client);
        if (!answered)
            continue;
    }
}

void place_node(struct fleet *fleet, enum cluster cluster, const char *name, const char *version, const char *node_id, const char *database)
{
    struct error error = {0};
    int node_port, listener = listen_somewhere(&node_port);
    char *url = mem_printf("http://127.0.0.1:%d", node_port);
    char *body = mem_printf("{\"version\":\"%s\",\"hostname\":\"%s\",\"node_id\":\"%s\",\"configuration\":{\"database\":\"postgres\",\"pg_host\":\"127.0.0.1\","
                            "\"pg_port\":%d,\"pg_database\":\"%s\"},\"server\":{\"total_requests\":1,\"connections_active\":1},\"database\":{\"reachable\":true}}",
                            version, name, node_id, relay_port != 0 ? relay_port : port, database);
    assert_true(node_count < sizeof node_processes / sizeof node_processes[0]);
    pid_t process = fork();
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        answer_all(listener, body);
    }
    close(listener);
    node_processes[node_count++] = process;
    assert_true(fleet_add(fleet, cluster, name, url, &error));
    free(body);
    free(url);
}

void place_nodes_end(void)
{
    while (node_count > 0) {
        kill(node_processes[--node_count], SIGKILL);
        waitpid(node_processes[node_count], NULL, 0);
    }
}
