#include "core/cluster/node_answer.h"

#include "core/base/json.h"
#include "core/base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_LIMIT 64
#define NAME_LIMIT 255               /* of a host, as in DNS */
#define COUNT_LIMIT 9007199254740992.0   /* 2^53: what a Lua number, which the counters are, holds exactly */
#define CHECK_ADDRESS "check the address in fleet.ini"

/* HTTP said it already: what no successful answer is. */
static char *status_trouble(const struct answer *answer)
{
    if (answer->status >= 300 && answer->status < 400)
        return mem_printf("redirects to %.200s instead of answering; give the Admin API's own address in fleet.ini",
                          answer->location != NULL ? answer->location : "another address");
    if (answer->status == 401 || answer->status == 403)
        return mem_printf("refuses to answer without credentials (HTTP %ld); name what it asks for in fleet.ini as header = NAME:"
                          " ${VARIABLE}, or give an address of the Admin API that asks for none",
                          answer->status);
    if (answer->status == 404)
        return mem_printf("has nothing at %s (HTTP 404), so it is not Kong's Admin API, perhaps its proxy port; " CHECK_ADDRESS, answer->path);
    if (answer->status >= 500)
        return mem_printf("answers GET %s with an error (HTTP %ld), perhaps for want of its database; see its error.log", answer->path,
                          answer->status);
    return mem_printf("answers GET %s with HTTP %ld, not as Kong's Admin API does; " CHECK_ADDRESS, answer->path, answer->status);
}

static bool looks_like_html(const struct answer *answer)
{
    size_t start = 0;
    while (start < answer->length && isspace((unsigned char)answer->body[start]))
        start++;
    if (answer->content_type != NULL && strncasecmp(answer->content_type, "text/html", 9) == 0)
        return true;
    return start < answer->length && answer->body[start] == '<';
}

/* The object that the answer holds; NULL and a sentence otherwise. */
static json_t *read_object(const struct answer *answer, char **trouble)
{
    *trouble = NULL;
    if (answer->status != 200)
        *trouble = status_trouble(answer);
    else if (answer->length == 0)
        *trouble = mem_printf("answers GET %s with nothing; " CHECK_ADDRESS, answer->path);
    else if (looks_like_html(answer))
        *trouble = mem_dup("answers with HTML: this is a web page, not Kong's Admin API; " CHECK_ADDRESS);
    if (*trouble != NULL)
        return NULL;
    json_t *json = json_loadb(answer->body, answer->length, 0, NULL);
    if (json_is_object(json))
        return json;
    *trouble = json == NULL ? mem_dup("answers with something that is not JSON, so it is not Kong's Admin API; " CHECK_ADDRESS)
                            : mem_dup("answers with JSON, but with no object, so it is not Kong's Admin API; " CHECK_ADDRESS);
    json_decref(json);
    return NULL;
}

static char *not_kong(const struct answer *answer, const char *member)
{
    return mem_printf("answers GET %s with JSON, but not as Kong's Admin API does: '%s' is missing or of the wrong kind; " CHECK_ADDRESS,
                      answer->path, member);
}

/* A text of 1 to `limit` bytes, or NULL. */
static const char *get_short(const json_t *object, const char *key, size_t limit)
{
    const json_t *member = json_object_get(object, key);
    size_t length = json_string_length(member);
    return json_is_string(member) && length > 0 && length <= limit ? json_string_value(member) : NULL;
}

/* A count: 0 or more, whole. -1 where it is none. Kong's JSON writes large ones as 1e+15. */
static int64_t get_count(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);
    double value = json_number_value(member);
    return json_is_number(member) && value >= 0 && value <= COUNT_LIMIT ? (int64_t)value : -1;
}

bool answer_is_1_3(const char *version)
{
    return version != NULL && strncmp(version, "1.3", 3) == 0 && !isdigit((unsigned char)version[3]);
}

static void set_text(char **text, const char *value)
{
    if (*text != NULL && value != NULL && strcmp(*text, value) == 0)
        return;
    free(*text);
    *text = mem_dup(value);
}

static int get_port(const json_t *configuration)
{
    const json_t *port = json_object_get(configuration, "pg_port");
    if (json_is_string(port))
        return atoi(json_string_value(port));
    int64_t number = get_count(configuration, "pg_port");
    return number > 65535 ? -1 : (int)number;
}

static bool is_default_schema(const char *schema)
{
    return schema == NULL || schema[0] == '\0' || strcmp(schema, "public") == 0;
}

/* A schema that is not set is the connection's current one, mostly `public`, but a role may have another by its search_path; and
 * Kong before 1.1 has no such setting. So unset against a name leaves it open. */
static enum node_match match_schema(const char *theirs, const char *ours, char **text)
{
    if ((is_default_schema(theirs) && is_default_schema(ours)) || (theirs != NULL && ours != NULL && strcmp(theirs, ours) == 0))
        return MATCH_SAME;
    if (theirs == NULL || theirs[0] == '\0')
        *text = mem_printf("pg_schema is not set, while here it is %.100s", ours);
    else
        *text = mem_printf("pg_schema is %.100s, not %.100s", theirs, ours != NULL ? ours : "unset");
    return theirs == NULL || ours == NULL ? MATCH_PERHAPS : MATCH_OTHER;
}

/* Another host or port may lead to the same server: another name of it, a pooler, a tunnel. */
static enum node_match match_server(const char *host, int port, const struct datastore *ours, char **text)
{
    bool same_host = strcasecmp(host, ours->host) == 0;
    if (same_host && port == ours->port)
        return MATCH_SAME;
    if (same_host)
        *text = mem_printf("pg_port is %d, not %d, which may lead to the same server", port, ours->port);
    else
        *text = mem_printf("pg_host is %.100s, not %.100s, which may be the same server", host, ours->host);
    return MATCH_PERHAPS;
}

static enum node_match match_datastore(const json_t *configuration, const struct datastore *ours, char **text)
{
    const char *kind = json_get_text(configuration, "database"), *host = json_get_text(configuration, "pg_host");
    const char *database = json_get_text(configuration, "pg_database");
    int port = get_port(configuration);
    *text = NULL;
    if (kind[0] != '\0' && strcmp(kind, "postgres") != 0) {
        *text = mem_printf("its database is %.100s, not postgres", kind);
        return MATCH_OTHER;
    }
    if (host[0] == '\0' || database[0] == '\0' || port <= 0)
        return MATCH_UNKNOWN;
    if (strcmp(database, ours->database) != 0) {
        *text = mem_printf("pg_database is %.100s, not %.100s", database, ours->database);
        return MATCH_OTHER;
    }
    enum node_match match = match_schema(json_string_value(json_object_get(configuration, "pg_schema")), ours->schema, text);
    return match == MATCH_SAME ? match_server(host, port, ours, text) : match;
}

char *answer_read_root(const struct answer *answer, const struct datastore *datastore, struct node *node)
{
    char *trouble = NULL;
    json_t *json = read_object(answer, &trouble);
    if (json == NULL)
        return trouble;
    const char *version = get_short(json, "version", VERSION_LIMIT), *node_id = get_short(json, "node_id", NAME_LIMIT);
    const char *hostname = get_short(json, "hostname", NAME_LIMIT);
    const json_t *configuration = json_object_get(json, "configuration");
    if (version == NULL || !isdigit((unsigned char)version[0]))
        trouble = not_kong(answer, "version");
    else if (node_id == NULL)
        trouble = not_kong(answer, "node_id");
    else if (hostname == NULL)
        trouble = not_kong(answer, "hostname");
    else if (!json_is_object(configuration))
        trouble = not_kong(answer, "configuration");
    if (trouble == NULL) {
        set_text(&node->version, version);
        set_text(&node->node_id, node_id);
        set_text(&node->hostname, hostname);
        free(node->match_text);
        node->match = match_datastore(configuration, datastore, &node->match_text);
    }
    json_decref(json);
    return trouble;
}

char *answer_read_status(const struct answer *answer, struct node *node)
{
    char *trouble = NULL;
    json_t *json = read_object(answer, &trouble);
    if (json == NULL)
        return trouble;
    const json_t *server = json_object_get(json, "server");
    const json_t *reachable = json_object_get(json_object_get(json, "database"), "reachable");
    int64_t total = get_count(server, "total_requests"), connections = get_count(server, "connections_active");
    if (total < 0)
        trouble = not_kong(answer, "server.total_requests");
    else if (connections < 0 || connections > INT32_MAX)
        trouble = not_kong(answer, "server.connections_active");
    else if (!json_is_boolean(reachable))
        trouble = not_kong(answer, "database.reachable");
    if (trouble == NULL) {
        node->total_requests = total;
        node->connections = (int)connections;
        node->database_reachable = json_is_true(reachable) ? 1 : 0;
    }
    json_decref(json);
    return trouble;
}

char *answer_problem(const struct node *node)
{
    if (node->match == MATCH_OTHER)
        return mem_printf("uses another database (%s); point it at this one, or take it out of fleet.ini", node->match_text);
    if (node->version != NULL && node->cluster == CLUSTER_NEW && !answer_is_1_3(node->version))
        return mem_printf("runs Kong %s, not 1.3; start Kong 1.3 there, or move the node to [old] in fleet.ini", node->version);
    if (node->version != NULL && node->cluster == CLUSTER_OLD && answer_is_1_3(node->version))
        return mem_printf("runs Kong %s already, so it is no old node; move it to [new] in fleet.ini", node->version);
    if (node->database_reachable == 0)
        return mem_dup("does not reach its database; see its error.log");
    return NULL;
}
