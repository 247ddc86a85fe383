/* Ways to nodes: TLS that is checked, headers from the environment, names with many addresses, two names for one node. */
#include "tests/cluster/fixture.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cluster/resolve.h"

#include <dlfcn.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY "many.invalid"
#define SLOW "slow.invalid"

/* What the name server says of MANY; NULL ends it. Read in lookups' threads, changed between them. */
static const char *const *volatile many;

/* Stands before the C library's. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    struct addrinfo **last = result;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (name != NULL && strcmp(name, SLOW) == 0) {
        sleep(20);
        return EAI_AGAIN;
    }
    if (name == NULL || strcmp(name, MANY) != 0)
        return real(name, service, hints, result);
    if (many == NULL)
        return EAI_AGAIN;
    *result = NULL;
    for (const char *const *each = many; *each != NULL; each++) {
        real(*each, service, hints, last);
        last = &(*last)->ai_next;
    }
    return *result != NULL ? 0 : EAI_NONAME;
}

static void add(struct watching *watching, enum cluster cluster, const char *name, const char *format, int port)
{
    struct error error = {0};
    char address[128];
    snprintf(address, sizeof address, "%s:%d", format, port);
    if (!fleet_add(&watching->fleet, cluster, name, address, &error))
        fail_msg("%s", error.message);
}

static void set(struct watching *watching, enum cluster cluster, const char *key, const char *value)
{
    struct error error = {0};
    if (!fleet_access_set(&watching->fleet.access[cluster], key, value, &error))
        fail_msg("%s", error.message);
}

static void assert_says(const struct node *node, enum node_state state, const char *part)
{
    if (node->state != state || (part == NULL) != (node->problem == NULL) || (part != NULL && strstr(node->problem, part) == NULL))
        fail_msg("%s is %s: %s", node->name, node_state_name(node->state), node->problem != NULL ? node->problem : "no problem");
}

/* TLS. */

static const char *pem(const char *name)
{
    static char paths[4][512];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", fixture_folder(), name);
    return path;
}

/* A CA, and what it signed: a certificate for 127.0.0.1, one that has expired, one for another name; another CA; Kong's own kind. */
static int make_certificates(void **state)
{
    static const char script[] =
        "set -e; cd \"$1\"; exec 2>/dev/null; new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n"
        "for ca in ca other; do openssl req -x509 $new -keyout $ca.key -out $ca.pem -days 2 -subj /CN=$ca; done\n"
        "openssl req -x509 $new -keyout self.key -out self.pem -days 2 -subj /CN=localhost\n"
        "openssl req $new -keyout node.key -out node.csr -subj /CN=node\n"
        "echo subjectAltName=IP:127.0.0.1,DNS:many.invalid >here; echo subjectAltName=DNS:elsewhere.invalid >there\n"
        "sign() { openssl x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $1 -extfile $2 -out $3; }\n"
        "sign 2 here good.pem; sign -1 here expired.pem; sign 2 there there.pem; openssl pkcs8 -topk8 -passout pass:x -in node.key -out locked.key\n";
    (void)state;
    struct child child = child_start("/bin/sh", "-c", script, "sh", fixture_folder(), NULL);
    assert_int_equal(child_end(&child), 0);
    return 0;
}

static struct fake serve(const char *certificate, const char *key)
{
    return fake_start(0, "--version", "1.3.0", "--no-database", "--tls-cert", pem(certificate), "--tls-key", pem(key), NULL);
}

static const struct tls_case {
    const char *certificate, *key;   /* the node's */
    const char *settings[6];         /* keys and values of fleet.ini; a value with a dot is a file of ours */
    const char *said;                /* NULL: it answers, and nothing is wrong */
} tls_cases[] = {
    {"good.pem", "node.key", {"ca", "ca.pem"}, NULL},
    {"good.pem", "node.key", {NULL}, "name the file of its CA in fleet.ini under [new] as ca = FILE"},
    {"good.pem", "node.key", {"ca", "other.pem"}, "can't be trusted by /"},
    {"good.pem", "node.key", {"ca", "none.pem"}, "the file of ca under [new] in fleet.ini can't be used"},
    {"good.pem", "node.key", {"ca", "node.csr"}, "the file of ca under [new] in fleet.ini can't be used"},
    {"good.pem", "node.key", {"ca", "ca.pem", "certificate", "none.pem"}, "the certificate or key under [new] in fleet.ini can't be used"},
    {"good.pem", "node.key", {"ca", "ca.pem", "certificate", "good.pem", "key", "locked.key"}, "a key must have no passphrase"},
    {"good.pem", "node.key", {"ca", "ca.pem", "certificate", "good.pem", "key", "node.key"}, NULL},
    {"expired.pem", "node.key", {"ca", "ca.pem"}, "certificate has expired"},
    {"there.pem", "node.key", {"ca", "ca.pem"}, "(SSL: no alternative certificate subject name matches"},
    {"self.pem", "self.key", {NULL}, "or, where it is Kong's own self-signed one, say insecure = on there"},
    {"self.pem", "self.key", {"insecure", "on"}, NULL},
    {"expired.pem", "node.key", {"insecure", "on"}, NULL},
};

static void certificates_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tls_cases / sizeof tls_cases[0]; i++) {
        const struct tls_case *each = &tls_cases[i];
        struct watching watching = {0};
        struct fake fake = serve(each->certificate, each->key);
        for (size_t setting = 0; setting < 6 && each->settings[setting] != NULL; setting += 2)
            set(&watching, CLUSTER_NEW, each->settings[setting],
                strchr(each->settings[setting + 1], '.') != NULL ? pem(each->settings[setting + 1]) : each->settings[setting + 1]);
        add(&watching, CLUSTER_NEW, "tls", "https://127.0.0.1", fake.admin);
        watching_start(&watching);
        assert_true(watching_until(&watching, watching_all_asked, 10000));
        const struct node *node = watching_node(&watching, "tls");
        assert_says(node, each->said != NULL ? NODE_STRANGE : NODE_ANSWERS, each->said);
        assert_true(node_is_there(node));
        watching_end(&watching);
        child_kill(&fake.child, SIGTERM);
    }
}

/* Settings are a cluster's, not the fleet's. */
static void clusters_have_their_own_settings(void **state)
{
    struct watching watching = {0};
    struct fake old = serve("self.pem", "self.key"), new = serve("good.pem", "node.key");
    (void)state;
    set(&watching, CLUSTER_OLD, "insecure", "on");
    set(&watching, CLUSTER_NEW, "ca", pem("ca.pem"));
    add(&watching, CLUSTER_OLD, "old", "https://127.0.0.1", old.admin);
    add(&watching, CLUSTER_NEW, "new", "https://127.0.0.1", new.admin);
    add(&watching, CLUSTER_NEW, "crossed", "https://localhost", old.admin);
    watching_start(&watching);
    assert_true(watching_until(&watching, watching_all_asked, 10000));
    assert_int_equal(watching_node(&watching, "old")->state, NODE_ANSWERS);
    assert_int_equal(watching_node(&watching, "new")->state, NODE_ANSWERS);
    assert_says(watching_node(&watching, "crossed"), NODE_STRANGE, "can't be trusted");
    watching_end(&watching);
    child_kill(&old.child, SIGTERM);
    child_kill(&new.child, SIGTERM);
}

/* Headers. */

static void headers_are_sent_and_not_shown(void **state)
{
    struct watching watching = {0};
    struct fake fake = fake_start(0, "--version", "1.3.0", "--no-database", "--require-header", "apikey: hunter2 and more", NULL);
    (void)state;
    setenv("REACH_TEST_KEY", "hunter2 and more", 1);
    set(&watching, CLUSTER_NEW, "header", "ApiKey: ${REACH_TEST_KEY}");
    unsetenv("REACH_TEST_KEY");   /* it was taken when the file was read */
    add(&watching, CLUSTER_NEW, "new", "http://127.0.0.1", fake.admin);
    add(&watching, CLUSTER_OLD, "old", "http://localhost", fake.admin);
    watching_start(&watching);
    assert_true(watching_until(&watching, watching_all_asked, 10000));
    assert_says(watching_node(&watching, "new"), NODE_ANSWERS, NULL);
    assert_says(watching_node(&watching, "old"), NODE_STRANGE, "name what it asks for in fleet.ini as header = NAME: ${VARIABLE}");
    for (size_t i = 0; i < nodes_count(watching.nodes); i++) {
        json_t *json = node_json(nodes_get(watching.nodes, i), -1, clock_ms());
        char *text = json_dumps(json, 0);
        assert_null(strstr(text, "hunter2"));
        free(text);
        json_decref(json);
    }
    watching_end(&watching);
    child_kill(&fake.child, SIGTERM);
}

/* Names with many addresses. */

static const char *const three[] = {"127.0.0.3", "127.0.0.1", "127.0.0.2", "127.0.0.1", NULL};
static const char *const other_three[] = {"127.0.0.4", "127.0.0.3", "127.0.0.1", NULL};
static const char *const none[] = {NULL};

static struct fake fakes[5];   /* at 127.0.0.1 to 127.0.0.4, the same port */

static int start_fakes(void **state)
{
    (void)state;
    fakes[1] = fake_start(0, "--version", "1.2.1", "--no-database", NULL);
    for (int i = 2; i <= 4; i++) {
        char address[16];
        snprintf(address, sizeof address, "127.0.0.%d", i);
        fakes[i] = fake_start(fakes[1].admin, "--version", "1.2.1", "--address", address, "--no-database", NULL);
    }
    return 0;
}

static int end_fakes(void **state)
{
    (void)state;
    for (int i = 1; i <= 4; i++)
        child_kill(&fakes[i].child, SIGTERM);
    return 0;
}

static bool three_answer(struct watching *watching)
{
    size_t count = 0;
    for (size_t i = 0; i < nodes_count(watching->nodes); i++)
        count += nodes_get(watching->nodes, i)->state == NODE_ANSWERS ? 1 : 0;
    return count == 3;
}

static bool four_are_there(struct watching *watching)
{
    return nodes_count(watching->nodes) == 4 && nodes_get(watching->nodes, 3)->state == NODE_ANSWERS &&
           nodes_get(watching->nodes, 1)->problem != NULL;
}

static bool all_four_answer(struct watching *watching)
{
    for (size_t i = 0; i < nodes_count(watching->nodes); i++)
        if (nodes_get(watching->nodes, i)->state != NODE_ANSWERS)
            return false;
    return nodes_count(watching->nodes) == 4;
}

static bool three_are_there(struct watching *watching)
{
    return nodes_count(watching->nodes) == 3;
}

static void assert_at(struct watching *watching, size_t index, const char *name, const char *address)
{
    const struct node *node = nodes_get(watching->nodes, index);
    assert_string_equal(node->name, name);
    assert_string_equal(node->address, address);
}

static void a_name_stands_for_its_addresses(void **state)
{
    struct watching watching = {0};
    (void)state;
    resolve_ms = 300;
    many = three;
    add(&watching, CLUSTER_OLD, "pod-*.x", "http://" MANY, fakes[1].admin);
    watching_start(&watching);
    assert_true(watching_until(&watching, three_answer, 10000));
    for (size_t i = 0; i < 3; i++) {
        char name[16], address[16];
        snprintf(name, sizeof name, "pod-%zu.x", i + 1);
        snprintf(address, sizeof address, "127.0.0.%zu", i + 1);
        assert_at(&watching, i, name, address);
        assert_string_equal(nodes_get(watching.nodes, i)->node_id, fakes[i + 1].node_id);
        assert_null(nodes_get(watching.nodes, i)->problem);
    }

    /* One comes and one leaves: identities stay, and the one that left is watched while it answers. */
    many = other_three;
    assert_true(watching_until(&watching, four_are_there, 10000));
    assert_at(&watching, 1, "pod-2.x", "127.0.0.2");
    assert_at(&watching, 3, "pod-4.x", "127.0.0.4");
    assert_non_null(strstr(nodes_get(watching.nodes, 1)->problem, "has left the name"));
    const struct node *third = nodes_get(watching.nodes, 2), *second = nodes_get(watching.nodes, 1);
    child_kill(&fakes[2].child, SIGKILL);
    assert_true(watching_until(&watching, three_are_there, 10000));
    assert_at(&watching, 1, "pod-3.x", "127.0.0.3");
    assert_ptr_equal(nodes_get(watching.nodes, 1), third);
    assert_int_equal(second->state, NODE_SILENT);

    /* A name server that fails takes no one away; nor does a name that has gone. Back, it is who it was. */
    many = NULL;
    watching_until(&watching, NULL, 1000);
    assert_int_equal(nodes_count(watching.nodes), 3);
    assert_int_equal(nodes_get(watching.nodes, 1)->state, NODE_ANSWERS);
    many = none;
    watching_until(&watching, NULL, 1000);
    assert_int_equal(nodes_count(watching.nodes), 3);
    fakes[2] = fake_start(fakes[1].admin, "--version", "1.2.1", "--address", "127.0.0.2", "--no-database", NULL);
    many = three;
    assert_true(watching_until(&watching, all_four_answer, 10000));
    assert_ptr_equal(nodes_get(watching.nodes, 1), second);
    assert_int_equal(second->restarts, 1);
    watching_end(&watching);
}

static bool only_one_is_known(struct watching *watching)
{
    return nodes_count(watching->nodes) == 1 && nodes_get(watching->nodes, 0)->problem != NULL;
}

static void a_name_without_addresses_is_unknown(void **state)
{
    (void)state;
    resolve_ms = 300;
    for (int round = 0; round < 2; round++) {
        struct watching watching = {0};
        many = round == 0 ? NULL : none;
        add(&watching, CLUSTER_OLD, "pod-*", "http://" MANY, fakes[1].admin);
        watching_start(&watching);
        assert_int_equal(nodes_count(watching.nodes), 1);
        assert_int_equal(nodes_get(watching.nodes, 0)->state, NODE_UNASKED);
        assert_true(watching_until(&watching, only_one_is_known, 5000));
        const struct node *node = nodes_get(watching.nodes, 0);
        assert_says(node, NODE_UNKNOWN, "the name many.invalid has no addresses");
        assert_string_equal(node->name, "pod-*");
        assert_false(node_is_there(node));
        assert_false(node_is_gone(node, clock_ms() + 1000000, 0));
        many = three;
        assert_true(watching_until(&watching, three_answer, 10000));
        watching_end(&watching);
    }
}

static void a_lookup_under_way_is_not_waited_for(void **state)
{
    struct watching watching = {0};
    int64_t began = clock_ms();
    (void)state;
    add(&watching, CLUSTER_OLD, "pod-*", "http://" SLOW, 1);
    watching_start(&watching);
    watching_until(&watching, NULL, 200);
    watching_end(&watching);
    assert_true(clock_ms() - began < 5000);
}

/* The certificate must be the name's, not the address's. */
static void tls_means_the_name(void **state)
{
    struct watching watching = {0};
    struct fake fake = serve("good.pem", "node.key");
    static const char *const one[] = {"127.0.0.1", NULL};
    (void)state;
    many = one;
    set(&watching, CLUSTER_NEW, "ca", pem("ca.pem"));
    add(&watching, CLUSTER_NEW, "pod-*", "https://" MANY, fake.admin);
    watching_start(&watching);
    watching_until(&watching, NULL, 500);
    assert_true(watching_until(&watching, watching_all_asked, 5000));
    assert_says(watching_node(&watching, "pod-1"), NODE_ANSWERS, NULL);
    watching_end(&watching);
    child_kill(&fake.child, SIGTERM);
}

static bool both_have_problems(struct watching *watching)
{
    return watching_node(watching, "one")->problem != NULL && watching_node(watching, "other")->problem != NULL;
}

static void two_names_of_one_node_are_seen(void **state)
{
    struct watching watching = {0};
    (void)state;
    add(&watching, CLUSTER_OLD, "one", "http://127.0.0.1", fakes[1].admin);
    add(&watching, CLUSTER_OLD, "other", "http://localhost", fakes[1].admin);
    add(&watching, CLUSTER_OLD, "third", "http://127.0.0.3", fakes[1].admin);
    watching_start(&watching);
    assert_true(watching_until(&watching, both_have_problems, 12000));
    assert_says(watching_node(&watching, "one"), NODE_ANSWERS, "is the same node as other");
    assert_says(watching_node(&watching, "other"), NODE_ANSWERS, "is the same node as one");
    assert_says(watching_node(&watching, "third"), NODE_ANSWERS, NULL);
    watching_end(&watching);
}

/* Open files. */

#define MANY_NODES 60
#define FEW_FILES 40

static bool all_answer(struct watching *watching)
{
    for (size_t i = 0; i < nodes_count(watching->nodes); i++)
        if (nodes_get(watching->nodes, i)->state != NODE_ANSWERS)
            return false;
    return true;
}

static void the_limit_of_files_is_raised(void **state)
{
    struct watching watching = {0};
    struct fake fake = fake_start(0, "--version", "1.2.1", "--address", "0.0.0.0", "--no-database", NULL);
    struct rlimit before, few;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 1; i <= MANY_NODES; i++) {
        char name[16], url[32];
        snprintf(name, sizeof name, "old-%d", i);
        snprintf(url, sizeof url, "http://127.0.0.%d", i);
        add(&watching, CLUSTER_OLD, name, url, fake.admin);
    }
    few = (struct rlimit){FEW_FILES, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    watching_start(&watching);
    assert_true(watching_until(&watching, all_answer, 10000));
    watching_end(&watching);
    setrlimit(RLIMIT_NOFILE, &before);
    child_kill(&fake.child, SIGTERM);
}

/* It is no one's silence. */
static void too_few_files_are_told(void **state)
{
    struct fake fake = fake_start(0, "--version", "1.2.1", "--address", "0.0.0.0", "--no-database", NULL);
    char *fleet = fixture_path("many.ini"), *conf = fixture_path("kong.conf");
    FILE *file = fopen(fleet, "we");
    (void)state;
    fprintf(file, "[old]\n");
    for (int i = 1; i <= MANY_NODES; i++)
        fprintf(file, "node = old-%d http://127.0.0.%d:%d\n", i, i, fake.admin);
    fclose(file);
    fixture_write(conf, "pg_host = 127.0.0.1\npg_port = 1\n");
    struct child child = child_start("/bin/sh", "-c", "ulimit -n 40; exec \"$0\" \"$@\" 2>&1", fixture_kong_upgrade, "nodes", "-c", conf, "-f",
                                     fleet, NULL);
    char *text = child_rest(&child);
    assert_int_equal(child_end(&child), 0);
    assert_non_null(strstr(text, "Too many open files on this machine; raise the limit of open files (ulimit -n)"));
    assert_null(strstr(text, " silent "));
    assert_non_null(strstr(text, " answers "));
    free(text);
    free(fleet);
    free(conf);
    child_kill(&fake.child, SIGTERM);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_are_checked),
        cmocka_unit_test(clusters_have_their_own_settings),
        cmocka_unit_test(headers_are_sent_and_not_shown),
        cmocka_unit_test_setup_teardown(a_name_stands_for_its_addresses, start_fakes, end_fakes),
        cmocka_unit_test_setup_teardown(a_name_without_addresses_is_unknown, start_fakes, end_fakes),
        cmocka_unit_test(a_lookup_under_way_is_not_waited_for),
        cmocka_unit_test(tls_means_the_name),
        cmocka_unit_test_setup_teardown(two_names_of_one_node_are_seen, start_fakes, end_fakes),
        cmocka_unit_test(the_limit_of_files_is_raised),
        cmocka_unit_test(too_few_files_are_told),
    };
    if (!fixture_arguments(argc, argv))
        return 64;
    return cmocka_run_group_tests(tests, make_certificates, fixture_tear_down);
}
