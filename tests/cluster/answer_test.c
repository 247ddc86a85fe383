/* What answers mean: Kong's of all releases, and the rest. */
#include "core/cluster/node_answer.h"
#include "core/cluster/node_failure.h"

#include "core/base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOT(version_, configuration_) \
    "{\"tagline\":\"Welcome to kong\",\"version\":" version_ ",\"hostname\":\"host-1\",\"node_id\":\"6a1b\",\"configuration\":" configuration_ "}"
#define PG "{\"database\":\"postgres\",\"pg_host\":\"db\",\"pg_port\":5432,\"pg_database\":\"kong\"}"

static const struct datastore ours = {.host = (char[]){"db"}, .port = 5432, .database = (char[]){"kong"}};

static void forget(struct node *node)
{
    free(node->version);
    free(node->hostname);
    free(node->node_id);
    free(node->match_text);
    free(node->problem);
    *node = (struct node){0};
}

/* The sentence, or NULL where it is read. */
static char *read_as(const char *path, const char *body, size_t length, const struct datastore *datastore, struct node *node)
{
    struct answer answer = {.path = path, .status = 200, .content_type = "application/json", .body = body, .length = length};
    return strcmp(path, "/") == 0 ? answer_read_root(&answer, datastore, node) : answer_read_status(&answer, node);
}

static void root_is_read(void **state)
{
    static const char *const versions[] = {"0.14.1", "1.0.4", "1.1.3", "1.2.3", "1.3.0", "1.3.0rc1", "0.36-1-enterprise-edition"};
    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct node node = {0};
        char *body = mem_printf(ROOT("\"%s\"", PG), versions[i]);
        assert_null(read_as("/", body, strlen(body), &ours, &node));
        assert_string_equal(node.version, versions[i]);
        assert_string_equal(node.hostname, "host-1");
        assert_string_equal(node.node_id, "6a1b");
        assert_int_equal(node.match, MATCH_SAME);
        free(body);
        forget(&node);
    }
}

static void datastores_are_compared(void **state)
{
    static const struct {
        const char *configuration, *our_schema;
        enum node_match match;
        const char *text;
    } cases[] = {
        {PG, NULL, MATCH_SAME, NULL},
        {PG, "public", MATCH_SAME, NULL},
        {"{\"pg_host\":\"DB\",\"pg_port\":5432,\"pg_database\":\"kong\",\"pg_schema\":\"public\"}", NULL, MATCH_SAME, NULL},
        {"{\"pg_host\":\"db\",\"pg_port\":\"5432\",\"pg_database\":\"kong\"}", NULL, MATCH_SAME, NULL},
        {"{\"pg_host\":\"10.0.0.5\",\"pg_port\":5432,\"pg_database\":\"kong\"}", NULL, MATCH_PERHAPS,
         "pg_host is 10.0.0.5, not db, which may be the same server"},
        {"{\"pg_host\":\"db\",\"pg_port\":5433,\"pg_database\":\"kong\"}", NULL, MATCH_PERHAPS,
         "pg_port is 5433, not 5432, which may lead to the same server"},
        {"{\"pg_host\":\"db\",\"pg_port\":5432,\"pg_database\":\"kong2\"}", NULL, MATCH_OTHER, "pg_database is kong2, not kong"},
        {"{\"pg_host\":\"db\",\"pg_port\":5432,\"pg_database\":\"kong\",\"pg_schema\":\"a\"}", "b", MATCH_OTHER, "pg_schema is a, not b"},
        {PG, "b", MATCH_PERHAPS, "pg_schema is not set, while here it is b"},
        {"{\"pg_host\":\"db\",\"pg_port\":5432,\"pg_database\":\"kong\",\"pg_schema\":\"a\"}", NULL, MATCH_PERHAPS, "pg_schema is a, not unset"},
        {"{\"database\":\"cassandra\",\"pg_host\":\"db\",\"pg_port\":5432,\"pg_database\":\"kong\"}", NULL, MATCH_OTHER,
         "its database is cassandra, not postgres"},
        {"{}", NULL, MATCH_UNKNOWN, NULL},
        {"{\"pg_host\":[],\"pg_port\":{},\"pg_database\":1}", NULL, MATCH_UNKNOWN, NULL},
        {"{\"pg_host\":\"db\",\"pg_port\":1e300,\"pg_database\":\"kong\"}", NULL, MATCH_UNKNOWN, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct node node = {0};
        struct datastore datastore = ours;
        char *schema = mem_dup(cases[i].our_schema), *body = mem_printf(ROOT("\"1.2.3\"", "%s"), cases[i].configuration);
        datastore.schema = schema;
        assert_null(read_as("/", body, strlen(body), &datastore, &node));
        if (node.match != cases[i].match)
            fail_msg("%s: %s", cases[i].configuration, node_match_name(node.match));
        if (cases[i].text == NULL)
            assert_null(node.match_text);
        else
            assert_string_equal(node.match_text, cases[i].text);
        free(body);
        free(schema);
        forget(&node);
    }
}

static void status_is_read(void **state)
{
    static const char body[] = "{\"server\":{\"connections_active\":3,\"total_requests\":1.5e+15},\"database\":{\"reachable\":false}}";
    struct node node = {0};
    (void)state;
    assert_null(read_as("/status", body, sizeof body - 1, &ours, &node));
    assert_true(node.total_requests == 1500000000000000);
    assert_int_equal(node.connections, 3);
    assert_int_equal(node.database_reachable, 0);
}

/* Nothing is noted of what is not Kong's. */
static void the_rest_is_refused(void **state)
{
    static const struct {
        const char *path, *body, *sentence;
    } cases[] = {
        {"/", "", "with nothing"},
        {"/", "  <html>", "HTML"},
        {"/", "true", "not JSON"},
        {"/", "[]", "no object"},
        {"/", "{}", "'version'"},
        {"/", "{\"version\":", "not JSON"},
        {"/", ROOT("\"1.3.0\"", "[]"), "'configuration'"},
        {"/", ROOT("\"\"", PG), "'version'"},
        {"/", ROOT("\"\\u001b[31m1.3.0\"", PG), "'version'"},
        {"/", ROOT("1.3", PG), "'version'"},
        {"/", ROOT("{\"number\":\"7.10.2\"}", PG), "'version'"},
        {"/", "{\"version\":\"1.3.0\",\"hostname\":\"h\",\"configuration\":{}}", "'node_id'"},
        {"/", "{\"version\":\"1.3.0\",\"node_id\":\"x\",\"configuration\":{}}", "'hostname'"},
        {"/status", "{}", "'server.total_requests'"},
        {"/status", "{\"server\":[]}", "'server.total_requests'"},
        {"/status", "{\"server\":{\"total_requests\":-1}}", "'server.total_requests'"},
        {"/status", "{\"server\":{\"total_requests\":1e300}}", "'server.total_requests'"},
        {"/status", "{\"server\":{\"total_requests\":99999999999999999999}}", "not JSON"},
        {"/status", "{\"server\":{\"total_requests\":1,\"connections_active\":\"2\"}}", "'server.connections_active'"},
        {"/status", "{\"server\":{\"total_requests\":1,\"connections_active\":2},\"database\":{\"reachable\":1}}", "'database.reachable'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct node node = {.total_requests = -1};
        char *sentence = read_as(cases[i].path, cases[i].body, strlen(cases[i].body), &ours, &node);
        if (sentence == NULL || strstr(sentence, cases[i].sentence) == NULL)
            fail_msg("%s: %s", cases[i].body, sentence);
        assert_null(node.version);
        assert_int_equal(node.total_requests, -1);
        free(sentence);
    }
}

static void long_texts_are_refused(void **state)
{
    struct node node = {0};
    char *version = mem_zero(10001, 1);
    (void)state;
    memset(version, '1', 10000);
    char *body = mem_printf(ROOT("\"%s\"", PG), version);
    char *sentence = read_as("/", body, strlen(body), &ours, &node);
    assert_non_null(sentence);
    assert_true(strlen(sentence) < 300);
    free(sentence);
    free(body);
    free(version);
}

static void deep_nesting_is_refused(void **state)
{
    struct node node = {0};
    char *body = mem_zero(NODE_ANSWER_LIMIT + 1, 1);
    (void)state;
    memset(body, '[', NODE_ANSWER_LIMIT);
    char *sentence = read_as("/", body, NODE_ANSWER_LIMIT, &ours, &node);
    assert_non_null(strstr(sentence, "not JSON"));
    free(sentence);
    free(body);
}

static void http_errors_are_said(void **state)
{
    static const struct {
        long status;
        const char *sentence;
    } cases[] = {
        {301, "redirects to http://elsewhere"}, {401, "credentials"}, {403, "credentials"}, {404, "HTTP 404"},
        {400, "HTTP 400"},                      {500, "HTTP 500"},    {503, "HTTP 503"},    {204, "HTTP 204"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static const char body[] = ROOT("\"1.3.0\"", PG);
        struct node node = {0};
        struct answer answer = {.path = "/", .status = cases[i].status, .location = "http://elsewhere", .body = body, .length = sizeof body - 1};
        char *sentence = answer_read_root(&answer, &ours, &node);
        assert_non_null(sentence);
        assert_non_null(strstr(sentence, cases[i].sentence));
        assert_null(node.version);
        free(sentence);
    }
}

static void problems_are_said(void **state)
{
    static const struct {
        enum cluster cluster;
        const char *version;
        enum node_match match;
        int reachable;
        const char *sentence;
    } cases[] = {
        {CLUSTER_NEW, "1.3.0", MATCH_SAME, 1, NULL},
        {CLUSTER_NEW, "1.3.1", MATCH_PERHAPS, -1, NULL},
        {CLUSTER_OLD, "1.2.3", MATCH_SAME, 1, NULL},
        {CLUSTER_NEW, "1.2.3", MATCH_SAME, 1, "runs Kong 1.2.3, not 1.3"},
        {CLUSTER_NEW, "1.30.0", MATCH_SAME, 1, "runs Kong 1.30.0, not 1.3"},
        {CLUSTER_OLD, "1.3.0", MATCH_SAME, 1, "runs Kong 1.3.0 already"},
        {CLUSTER_NEW, "1.2.3", MATCH_OTHER, 0, "another database (x)"},
        {CLUSTER_OLD, "0.14.1", MATCH_SAME, 0, "does not reach its database"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct node node = {.cluster = cases[i].cluster, .version = (char *)(uintptr_t)cases[i].version, .match = cases[i].match,
                            .match_text = (char[]){"x"}, .database_reachable = cases[i].reachable, .state = NODE_ANSWERS};
        char *sentence = answer_problem(&node);
        if (cases[i].sentence == NULL)
            assert_null(sentence);
        else if (sentence == NULL || strstr(sentence, cases[i].sentence) == NULL)
            fail_msg("%zu: %s", i, sentence);
        free(sentence);
        bool ready = cases[i].cluster == CLUSTER_NEW && cases[i].sentence == NULL;
        assert_int_equal(node_is_ready(&node), ready);
    }
}

/* Bytes changed, cut off and doubled at random: whatever comes is read or refused. */
static void mangled_answers_do_no_harm(void **state)
{
    static const char *const bodies[] = {
        ROOT("\"1.3.0\"", PG), "{\"server\":{\"connections_active\":3,\"total_requests\":17},\"database\":{\"reachable\":true}}"};
    (void)state;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        struct node node = {0};
        char body[600];
        size_t length = strlen(bodies[round % 2]);
        memcpy(body, bodies[round % 2], length);
        for (int i = rand() % 4; i >= 0; i--)
            body[(size_t)rand() % length] = (char)(rand() % 256);
        length -= rand() % 3 == 0 ? (size_t)rand() % length : 0;
        free(read_as(round % 2 == 0 ? "/" : "/status", body, length, &ours, &node));
        json_t *json = node_json(&node, 1, 1);
        assert_non_null(json);
        json_decref(json);
        forget(&node);
    }
}

/* Only what is certain to be the node's own silence is silence. */
static void failures_are_told_apart(void **state)
{
    static const struct {
        struct failure failure;
        enum node_state state;
        const char *part;
    } cases[] = {
        {{.code = CURLE_COULDNT_CONNECT, .os_error = ECONNREFUSED}, NODE_SILENT, "can't be reached: Connection refused"},
        {{.code = CURLE_COULDNT_CONNECT, .os_error = EHOSTUNREACH}, NODE_SILENT, "can't be reached: No route to host"},
        {{.code = CURLE_OPERATION_TIMEDOUT, .resolved = true}, NODE_SILENT, "no connection within 4 s"},
        {{.code = CURLE_OPERATION_TIMEDOUT}, NODE_UNKNOWN, "could not be resolved within 4 s"},
        {{.code = CURLE_OPERATION_TIMEDOUT, .resolved = true, .connected = true}, NODE_STRANGE, "no whole answer"},
        {{.code = CURLE_COULDNT_RESOLVE_HOST}, NODE_UNKNOWN, "its name can't be resolved"},
        {{.code = CURLE_COULDNT_CONNECT}, NODE_UNKNOWN, "can't be asked: why"},
        {{.code = CURLE_COULDNT_CONNECT, .os_error = EMFILE}, NODE_UNKNOWN, "Too many open files on this machine; raise the limit"},
        {{.code = CURLE_COULDNT_CONNECT, .os_error = ENOMEM}, NODE_UNKNOWN, "can't be asked: Cannot allocate memory on this machine"},
        {{.code = CURLE_COULDNT_CONNECT, .os_error = EADDRNOTAVAIL}, NODE_UNKNOWN, "can't be asked"},
        {{.code = CURLE_COULDNT_CONNECT, .os_error = ENETUNREACH}, NODE_UNKNOWN, "Network is unreachable from this machine"},
        {{.code = CURLE_COULDNT_CONNECT, .os_error = EPERM}, NODE_UNKNOWN, "can't be asked"},
        {{.code = CURLE_GOT_NOTHING}, NODE_STRANGE, "closes them without an answer"},
        {{.code = CURLE_RECV_ERROR}, NODE_STRANGE, "closes them without an answer"},
        {{.code = CURLE_RECV_ERROR, .received = 5}, NODE_STRANGE, "in the middle of its answer"},
        {{.code = CURLE_PARTIAL_FILE, .received = 5}, NODE_STRANGE, "in the middle of its answer"},
        {{.code = CURLE_WEIRD_SERVER_REPLY, .received = 5}, NODE_STRANGE, "does not answer as Kong's Admin API does (why)"},
        {{.code = CURLE_WRITE_ERROR, .received = NODE_ANSWER_LIMIT + 1}, NODE_STRANGE, "more than 1024 kB"},
        {{.code = CURLE_COULDNT_CONNECT, .os_error = ECONNREFUSED, .ssh = "ssh://h"}, NODE_UNKNOWN, "the connection through ssh://h broke"},
        {{.code = CURLE_COULDNT_CONNECT, .os_error = ENOENT, .ssh = "ssh://h", .ssh_problem = "is down"}, NODE_UNKNOWN, "is down"},
        {{.code = CURLE_GOT_NOTHING, .ssh = "ssh://h", .ssh_problem = "is down", .refused_there = true}, NODE_UNKNOWN, "is down"},
        {{.code = CURLE_GOT_NOTHING, .ssh = "ssh://h", .refused_there = true}, NODE_SILENT, "Connection refused, as seen from ssh://h"},
        {{.code = CURLE_GOT_NOTHING, .ssh = "ssh://h", .perhaps_refused = true}, NODE_UNKNOWN, "but not yet whose"},
        {{.code = CURLE_SSL_CONNECT_ERROR, .ssh = "ssh://h", .refused_there = true}, NODE_SILENT, "Connection refused, as seen from ssh://h"},
        {{.code = CURLE_RECV_ERROR, .ssh = "ssh://h", .failed_there = "prohibited"}, NODE_UNKNOWN, "ssh://h can't connect to it (prohibited)"},
        {{.code = CURLE_GOT_NOTHING, .ssh = "ssh://h"}, NODE_STRANGE, "closes them without an answer"},
        {{.code = CURLE_RECV_ERROR, .received = 5, .ssh = "ssh://h", .refused_there = true}, NODE_STRANGE, "in the middle of its answer"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct failure failure = cases[i].failure;
        char *problem = NULL;
        failure.reason = "why";
        enum node_state found = failure_read(&failure, &problem);
        if (found != cases[i].state || strstr(problem, cases[i].part) == NULL)
            fail_msg("%zu: %s, %s", i, node_state_name(found), problem);
        free(problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_are_told_apart),
        cmocka_unit_test(root_is_read),
        cmocka_unit_test(datastores_are_compared),
        cmocka_unit_test(status_is_read),
        cmocka_unit_test(the_rest_is_refused),
        cmocka_unit_test(long_texts_are_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(http_errors_are_said),
        cmocka_unit_test(problems_are_said),
        cmocka_unit_test(mangled_answers_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
