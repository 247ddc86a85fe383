/* The node's Admin API and its proxy port. */
#include "tests/sandbox/fake_node.h"

#include "core/base/json.h"
#include "core/base/mem.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The Admin API's own connection; libmicrohttpd answers in one thread. */
static PGconn *admin_connection;

static PGresult *ask(const struct fake_node *node, const char *sql)
{
    for (int tries = 0; tries < 2; tries++) {
        if (admin_connection == NULL)
            admin_connection = fake_database_connect(node, false);
        PGresult *result = admin_connection != NULL ? PQexec(admin_connection, sql) : NULL;
        if (PQresultStatus(result) == PGRES_TUPLES_OK)
            return result;
        PQclear(result);
        if (admin_connection != NULL && PQstatus(admin_connection) == CONNECTION_OK)
            return NULL;
        PQfinish(admin_connection);
        admin_connection = NULL;
    }
    return NULL;
}

static bool is_reachable(const struct fake_node *node)
{
    if (node->no_database)
        return true;
    PGresult *result = ask(node, "SELECT 1");
    PQclear(result);
    return result != NULL;
}

static json_t *configuration_json(const struct fake_node *node)
{
    const struct datastore *pg = &node->conf.pg;
    json_t *json = json_pack("{s:s, s:s, s:i, s:s, s:s, s:b, s:b, s:i, s:i, s:b, s:s, s:s}", "database", "postgres", "pg_host", pg->host,
                             "pg_port", pg->port, "pg_database", pg->database, "pg_user", pg->user, "pg_ssl", pg->ssl, "pg_ssl_verify",
                             pg->ssl_verify, "db_update_frequency", 5, "db_update_propagation", 0, "anonymous_reports", false, "prefix",
                             "/usr/local/kong", "log_level", "notice");
    if (pg->password != NULL)
        json_object_set_new(json, "pg_password", json_string("******"));
    if (pg->schema != NULL && node->minor >= 1)
        json_object_set_new(json, "pg_schema", json_string(pg->schema));
    if (node->minor >= 0)
        json_object_set_new(json, "pg_timeout", json_integer(pg->timeout_ms));
    char *admin = mem_printf("%s:%d", node->address, node->admin_port), *proxy = mem_printf("%s:%d", node->address, node->proxy_port);
    json_object_set_new(json, "admin_listen", json_pack("[s]", admin));
    json_object_set_new(json, "proxy_listen", json_pack("[s]", proxy));
    json_object_set_new(json, "plugins", json_pack("[s]", "bundled"));
    free(admin);
    free(proxy);
    return json;
}

/* Lua writes an empty table as an object. */
static json_t *enabled_json(const struct fake_node *node)
{
    json_t *array = json_array();
    PGresult *rows = node->no_database ? NULL : ask(node, "SELECT DISTINCT name FROM plugins WHERE enabled ORDER BY 1");
    if (rows == NULL && !node->no_database) {
        json_decref(array);
        return NULL;
    }
    for (int row = 0; row < PQntuples(rows); row++)
        json_array_append_new(array, json_text(PQgetvalue(rows, row, 0)));
    PQclear(rows);
    if (json_array_size(array) > 0)
        return array;
    json_decref(array);
    return json_object();
}

static json_t *root_json(const struct fake_node *node)
{
    char hostname[256] = "localhost";
    json_t *available = json_object(), *enabled = enabled_json(node);
    gethostname(hostname, sizeof hostname - 1);
    for (size_t i = 0; i < node->conf.plugins.count; i++)
        if (node->minor >= 3 || strcmp(node->conf.plugins.list[i], "session") != 0)
            json_object_set_new(available, node->conf.plugins.list[i], json_true());
    if (enabled == NULL) {
        json_decref(available);
        return NULL;
    }
    json_t *json = json_pack("{s:s, s:o, s:s, s:s, s:{s:o, s:o}, s:{s:i, s:i}, s:s, s:o, s:{s:I}}", "tagline", "Welcome to kong", "version",
                             json_text(node->version), "hostname", hostname, "node_id", node->node_id, "plugins", "available_on_server",
                             available, "enabled_in_cluster", enabled, "timers", "running", 0, "pending", 5, "lua_version",
                             "LuaJIT 2.1.0-beta3", "configuration", configuration_json(node), "prng_seeds", "pid: 71", (json_int_t)223231712511);
    return json;
}

static json_t *status_json(struct fake_node *node)
{
    json_int_t requests = atomic_load(&node->requests);
    json_t *json = json_pack("{s:{s:i, s:i, s:i, s:i, s:I, s:I, s:I}, s:{s:b}}", "server", "connections_active", 1, "connections_reading", 0,
                             "connections_writing", 1, "connections_waiting", 0, "connections_accepted", requests, "connections_handled",
                             requests, "total_requests", requests, "database", "reachable", is_reachable(node));
    if (node->minor >= 2)
        json_object_set_new(json, "memory",
                            json_pack("{s:{s:{s:s, s:s}}, s:[{s:s, s:i}]}", "lua_shared_dicts", "kong", "allocated_slabs", "0.04 MiB",
                                      "capacity", "5.00 MiB", "workers_lua_vms", "http_allocated_gc", "0.02 MiB", "pid", 71));
    return json;
}

/* Takes the reference; NULL: the node failed to make it. */
static enum MHD_Result send_json(const struct fake_node *node, struct MHD_Connection *connection, unsigned status, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : mem_dup("{\"message\":\"An unexpected error occurred\"}");
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Type", "application/json; charset=utf-8");
    if (node->minor >= 3) {
        char *server = mem_printf("kong/%s", node->version);
        MHD_add_response_header(response, "Server", server);
        free(server);
    }
    enum MHD_Result sent = MHD_queue_response(connection, json != NULL ? status : 500, response);
    MHD_destroy_response(response);
    json_decref(json);
    return sent;
}

static struct MHD_Response *file_response(const char *file)
{
    struct stat status;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &status) == 0)
        return MHD_create_response_from_fd((uint64_t)status.st_size, fd);
    return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_metrics(struct fake_node *node, struct MHD_Connection *connection)
{
    char *text = node->metrics_file == NULL ? fake_metrics_text(node) : NULL;
    struct MHD_Response *response = text == NULL ? file_response(node->metrics_file)
                                                 : MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, "Content-Type", "text/plain; charset=UTF-8");
    enum MHD_Result sent = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return sent;
}

/* nginx counts a request when its head is there; whatever body comes is not looked at. */
static bool is_first_call(struct fake_node *node, size_t *size, void **request)
{
    static int seen;
    bool first = *request == NULL;
    if (first)
        atomic_fetch_add(&node->requests, 1);
    *request = &seen;
    bool body = *size > 0;
    *size = 0;
    return first || body;
}

static bool has_header(const struct fake_node *node, struct MHD_Connection *connection)
{
    if (node->header == NULL)
        return true;
    size_t length = strcspn(node->header, ":");
    char *name = mem_ndup(node->header, length);
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    bool right = value != NULL && strcmp(value, node->header + length + strspn(node->header + length, ": ")) == 0;
    free(name);
    return right;
}

static enum MHD_Result on_admin(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                const char *data, size_t *size, void **request)
{
    struct fake_node *node = context;
    (void)version, (void)data;
    if (is_first_call(node, size, request))
        return MHD_YES;
    if (!has_header(node, connection))
        return send_json(node, connection, 401, json_pack("{s:s}", "message", "No API key found in request"));
    if (strcmp(method, "GET") != 0)
        return send_json(node, connection, 405, json_pack("{s:s}", "message", "Method not allowed"));
    if (strcmp(url, "/") == 0)
        return send_json(node, connection, 200, root_json(node));
    if (strcmp(url, "/status") == 0)
        return send_json(node, connection, 200, status_json(node));
    if (node->metrics_hang && strcmp(url, "/metrics") == 0) {
        MHD_suspend_connection(connection);   /* for ever */
        return MHD_YES;
    }
    if ((node->prometheus || node->metrics_file != NULL) && strcmp(url, "/metrics") == 0)
        return send_metrics(node, connection);
    return send_json(node, connection, 404, json_pack("{s:s}", "message", "Not found"));
}

static enum MHD_Result on_proxy(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                const char *data, size_t *size, void **request)
{
    struct fake_node *node = context;
    (void)url, (void)method, (void)version, (void)data;
    if (is_first_call(node, size, request))
        return MHD_YES;
    long long number = atomic_fetch_add(&node->served, 1);
    int percent = node->fail_percent;
    bool fails = number * percent / 100 != (number + 1) * percent / 100;
    fake_metrics_count(node, 1);
    return send_json(node, connection, fails ? 500 : 200, json_pack("{s:b}", "ok", !fails));
}

/* NULL where there is none. */
static char *read_pem(const char *path)
{
    static char text[65536];
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    if (file == NULL)
        return NULL;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return mem_dup(text);
}

static bool start(struct fake_node *node, int *port, MHD_AccessHandlerCallback handler, unsigned flags)
{
    char *key = handler == on_admin ? read_pem(node->tls_key) : NULL, *certificate = handler == on_admin ? read_pem(node->tls_cert) : NULL;
    const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_KEY, 0, key}, {MHD_OPTION_HTTPS_MEM_CERT, 0, certificate}, {MHD_OPTION_END, 0, NULL}};
    flags |= key != NULL ? MHD_USE_TLS : 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    if (inet_pton(AF_INET, node->address, &address.sin_addr) != 1)
        return false;
    struct MHD_Daemon *daemon = MHD_start_daemon(flags, 0, NULL, NULL, handler, node, MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)&address,
                                                 MHD_OPTION_CONNECTION_TIMEOUT, 75u, MHD_OPTION_ARRAY, key != NULL ? tls : plain, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = daemon != NULL ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (info == NULL) {
        fprintf(stderr, "Error: bind() to %s:%d failed\n", node->address, *port);
        return false;
    }
    *port = info->port;
    return true;
}

/* Each request is answered in its time: the Admin API by one thread, the proxy port by one more. */
bool fake_http_start(struct fake_node *node)
{
    const unsigned flags = MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    return start(node, &node->proxy_port, on_proxy, flags) && (node->mode != NULL || start(node, &node->admin_port, on_admin, flags));
}
