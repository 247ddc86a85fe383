/* Nodes behind a real sshd on loopback, as whoever runs this. */
#include "tests/cluster/fixture.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/checks/check.h"
#include "tests/tui/session.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST_PIDS 64

static const char sshd_path[] = "/usr/sbin/sshd";
static int sshd_port;

/* Keys, the server's configuration and the client's, and a `ssh` before the real one in PATH that reads ours instead of the user's. */
static int make_place(void **state)
{
    static const char script[] =
        "set -e; cd \"$1\"; mkdir -p bin; for key in host other user; do ssh-keygen -q -t ed25519 -N '' -C '' -f $key; done\n"
        "cp user.pub authorized; real=$(command -v ssh); here=$(pwd)\n"
        "printf '#!/bin/sh\\nexec %s -F %s/config \"$@\"\\n' \"$real\" \"$here\" >bin/ssh; chmod 755 bin/ssh\n"
        "for host in 127.0.0.1 '[127.0.0.1]:'$2; do printf '%s %s\\n' \"$host\" \"$(cat host.pub)\"; done >known\n"
        "printf '%s\\n' 'Host *' \"IdentityFile $here/user\" 'IdentitiesOnly yes' \"UserKnownHostsFile $here/known\" 'GlobalKnownHostsFile none'"
        " 'StrictHostKeyChecking yes' 'LogLevel QUIET' 'ControlMaster auto' \"ControlPath $here/%C\" >config\n"
        "[ \"$(id -u)\" != 0 ] || mkdir -p /run/sshd\n";
    char port[16], *runtime = fixture_path("runtime"), *bin = fixture_path("bin");
    (void)state;
    sshd_port = fixture_free_port();
    snprintf(port, sizeof port, "%d", sshd_port);
    struct child child = child_start("/bin/sh", "-c", script, "sh", fixture_folder(), port, NULL);
    assert_int_equal(child_end(&child), 0);
    char *path = mem_printf("%s:%s", bin, getenv("PATH"));
    setenv("PATH", path, 1);
    assert_int_equal(mkdir(runtime, 0700), 0);
    setenv("XDG_RUNTIME_DIR", runtime, 1);
    free(path);
    free(bin);
    free(runtime);
    return 0;
}

static bool listens(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return connected;
}

static struct child start_sshd(const char *more)
{
    char *config = fixture_path("sshd_config"), *log = fixture_path("sshd.log");
    fixture_write(config, "Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %s/authorized\nStrictModes no\nUsePAM no\n"
                  "PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n%s\n", sshd_port, fixture_folder(), fixture_folder(),
                  more);
    struct child sshd = child_start(sshd_path, "-D", "-f", config, "-E", log, NULL);
    for (int tries = 0; tries < 500 && !listens(sshd_port); tries++)
        usleep(10000);
    free(config);
    free(log);
    return sshd;
}

/* Processes. */

static size_t children_of(pid_t pid, pid_t list[MOST_PIDS])
{
    char path[512];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    for (const struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", (int)pid, task->d_name);
        FILE *file = task->d_name[0] != '.' ? fopen(path, "re") : NULL;
        for (int child; file != NULL && count < MOST_PIDS && fscanf(file, "%d", &child) == 1;)
            list[count++] = child;
        if (file != NULL)
            fclose(file);
    }
    if (tasks != NULL)
        closedir(tasks);
    return count;
}

static void read_all(const char *format, int pid, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, format, pid);
    FILE *file = fopen(path, "re");
    text[0] = '\0';
    size_t length = file != NULL ? fread(text, 1, size - 1, file) : 0;
    text[length] = '\0';
    for (size_t i = 0; i < length; i++)
        text[i] = text[i] == '\0' ? '\n' : text[i];
    if (file != NULL)
        fclose(file);
}

/* The ssh processes that `parent` has started. */
static size_t find_ssh(pid_t parent, pid_t found[MOST_PIDS])
{
    pid_t children[MOST_PIDS];
    size_t count = 0;
    for (size_t i = 0, all = children_of(parent, children); i < all; i++) {
        char name[64];
        read_all("/proc/%d/comm", children[i], name, sizeof name);
        if (strcmp(name, "ssh\n") == 0)
            found[count++] = children[i];
    }
    return count;
}

/* The server with the connections that it has. */
static void kill_sshd(struct child *sshd)
{
    pid_t children[MOST_PIDS];
    size_t count = children_of(sshd->pid, children);
    child_kill(sshd, SIGKILL);
    for (size_t i = 0; i < count; i++) {
        pid_t grandchildren[MOST_PIDS];
        for (size_t k = 0, all = children_of(children[i], grandchildren); k < all; k++)
            kill(grandchildren[k], SIGKILL);
        kill(children[i], SIGKILL);
    }
}

static bool ends_within(pid_t pid, int milliseconds)
{
    for (int waited = 0; kill(pid, 0) == 0; waited += 10) {
        char state[64];
        read_all("/proc/%d/stat", pid, state, sizeof state);
        if (strstr(state, ") Z ") != NULL)
            return true;
        if (waited >= milliseconds)
            return false;
        usleep(10000);
    }
    return true;
}

static size_t count_in(const char *folder)
{
    size_t count = 0;
    DIR *entries = opendir(folder);
    for (const struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;)
        count += entry->d_name[0] != '.' ? 1 : 0;
    if (entries != NULL)
        closedir(entries);
    return count;
}

/* The nodes. */

static char *behind_ssh(int port)
{
    const struct passwd *user = getpwuid(getuid());
    return mem_printf("ssh://%s@127.0.0.1:%d http://127.0.0.1:%d", user->pw_name, sshd_port, port);
}

static void add(struct watching *watching, enum cluster cluster, const char *name, int port)
{
    struct error error = {0};
    char *address = behind_ssh(port);
    if (!fleet_add(&watching->fleet, cluster, name, address, &error))
        fail_msg("%s", error.message);
    free(address);
}

static bool are_all(struct watching *watching, enum node_state state)
{
    for (size_t i = 0; i < nodes_count(watching->nodes); i++)
        if (nodes_get(watching->nodes, i)->state != state)
            return false;
    return true;
}

static bool all_answer(struct watching *watching)
{
    return are_all(watching, NODE_ANSWERS);
}

static bool all_are_silent(struct watching *watching)
{
    return are_all(watching, NODE_SILENT);
}

static bool all_are_unknown(struct watching *watching)
{
    return are_all(watching, NODE_UNKNOWN);
}

/* Silent for as long as `finish` wants it. */
static bool all_are_gone(struct watching *watching)
{
    for (size_t i = 0; i < nodes_count(watching->nodes); i++)
        if (!node_is_gone(nodes_get(watching->nodes, i), clock_ms(), 5000))
            return false;
    return true;
}

static bool one_is_silent(struct watching *watching)
{
    return watching_node(watching, "one")->state == NODE_SILENT;
}

static void assert_problem(const struct node *node, const char *part)
{
    if (node->problem == NULL || strstr(node->problem, part) == NULL)
        fail_msg("%s is %s: %s", node->name, node_state_name(node->state), node->problem != NULL ? node->problem : "no problem");
}

static void nodes_on_one_host_share_an_ssh(void **state)
{
    struct watching watching = {0};
    struct child sshd = start_sshd("");
    struct fake one = fake_start(0, "--version", "1.2.1", "--no-database", NULL), other = fake_start(0, "--version", "1.2.1", "--no-database", NULL);
    pid_t found[MOST_PIDS];
    (void)state;
    setenv("KONG_PG_PASSWORD", "hunter2", 1);
    setenv("PGPASSWORD", "hunter2", 1);
    setenv("TUNNEL_TEST_KEY", "hunter2", 1);
    add(&watching, CLUSTER_OLD, "one", one.admin);
    add(&watching, CLUSTER_OLD, "other", other.admin);
    assert_true(fleet_access_set(&watching.fleet.access[CLUSTER_NEW], "header", "apikey: ${TUNNEL_TEST_KEY}", NULL));
    watching_start(&watching);
    assert_int_equal(watching_node(&watching, "one")->state, NODE_UNASKED);
    if (!watching_until(&watching, all_answer, 15000))
        fail_msg("%s", watching_node(&watching, "one")->problem);
    assert_string_equal(watching_node(&watching, "one")->node_id, one.node_id);
    assert_string_equal(watching_node(&watching, "other")->node_id, other.node_id);
    assert_null(watching_node(&watching, "one")->problem);
    assert_int_equal(find_ssh(getpid(), found), 1);
    static char text[1 << 17];
    read_all("/proc/%d/environ", found[0], text, sizeof text);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "PATH="));
    read_all("/proc/%d/cmdline", found[0], text, sizeof text);
    assert_null(strstr(text, "hunter2"));
    assert_int_equal(count_in(getenv("XDG_RUNTIME_DIR")), 1);

    /* Refused there is silent: the tunnel works. */
    child_kill(&one.child, SIGKILL);
    assert_true(watching_until(&watching, one_is_silent, 10000));
    assert_problem(watching_node(&watching, "one"), "Connection refused, as seen from ssh://");
    assert_int_equal(watching_node(&watching, "other")->state, NODE_ANSWERS);
    int64_t since = watching_node(&watching, "one")->silent_since;
    watching_until(&watching, NULL, 3000);
    assert_int_equal(watching_node(&watching, "one")->silent_since, since);
    assert_int_equal(watching_node(&watching, "other")->state, NODE_ANSWERS);
    child_kill(&other.child, SIGKILL);
    assert_true(watching_until(&watching, all_are_silent, 10000));
    assert_true(watching_until(&watching, all_are_gone, 20000));
    one = fake_start(one.admin, "--version", "1.2.1", "--no-database", NULL);
    other = fake_start(other.admin, "--version", "1.2.1", "--no-database", NULL);
    assert_true(watching_until(&watching, all_answer, 10000));

    watching_end(&watching);
    assert_true(kill(found[0], 0) != 0);
    assert_int_equal(count_in(getenv("XDG_RUNTIME_DIR")), 0);
    child_kill(&one.child, SIGTERM);
    child_kill(&other.child, SIGTERM);
    kill_sshd(&sshd);
}

static void a_dead_tunnel_says_nothing_of_the_node(void **state)
{
    struct watching watching = {0};
    struct child sshd = start_sshd("");
    struct fake one = fake_start(0, "--version", "1.2.1", "--no-database", NULL);
    (void)state;
    add(&watching, CLUSTER_OLD, "one", one.admin);
    watching_start(&watching);
    assert_true(watching_until(&watching, all_answer, 15000));
    const struct node *node = watching_node(&watching, "one");
    kill_sshd(&sshd);
    assert_true(watching_until(&watching, all_are_unknown, 10000));
    assert_problem(node, "can't be asked: ssh://");
    assert_non_null(node->version);
    watching_until(&watching, NULL, 3000);   /* ssh is refused meanwhile: that is not the node's refusal */
    assert_int_equal(node->state, NODE_UNKNOWN);
    assert_problem(node, "Connection refused");
    assert_problem(node, "tried again in");
    assert_false(node_is_gone(node, clock_ms() + 1000000, 0));
    assert_false(node_is_there(node));
    assert_int_equal(traffic_old_quiet_ms(watching.traffic, clock_ms()), -1);
    sshd = start_sshd("");
    assert_true(watching_until(&watching, all_answer, 15000));
    assert_null(node->problem);
    assert_int_equal(node->restarts, 0);
    watching_end(&watching);
    child_kill(&one.child, SIGTERM);
    kill_sshd(&sshd);
}

static void what_ssh_says_is_shown(void **state)
{
    struct watching watching = {0};
    struct fake one = fake_start(0, "--version", "1.2.1", "--no-database", NULL);
    struct child sshd = start_sshd("AllowTcpForwarding no");
    char *known = fixture_path("known"), *aside = fixture_path("aside");
    (void)state;
    add(&watching, CLUSTER_OLD, "one", one.admin);
    watching_start(&watching);
    assert_true(watching_until(&watching, all_are_unknown, 15000));
    assert_problem(watching_node(&watching, "one"), "can't connect to it (administratively prohibited");
    assert_int_equal(rename(known, aside), 0);
    kill_sshd(&sshd);
    watching_end(&watching);
    sshd = start_sshd("");
    struct watching again = {0};
    add(&again, CLUSTER_OLD, "one", one.admin);
    watching_start(&again);
    assert_true(watching_until(&again, all_are_unknown, 15000));
    assert_problem(watching_node(&again, "one"), "does not connect (Host key verification failed.)");
    watching_end(&again);
    assert_int_equal(rename(aside, known), 0);
    free(known);
    free(aside);
    child_kill(&one.child, SIGTERM);
    kill_sshd(&sshd);
}

/* Before ssh has a session, while it connects, and once it is up. */
static void stop_at_any_time(void **state)
{
    struct fake one = fake_start(0, "--version", "1.2.1", "--no-database", NULL);
    struct child sshd = start_sshd("");
    pid_t found[MOST_PIDS];
    (void)state;
    for (int wait = 0; wait <= 300; wait = wait * 3 + 1) {
        struct watching watching = {0};
        add(&watching, CLUSTER_OLD, "one", one.admin);
        watching_start(&watching);
        watching_until(&watching, NULL, wait);
        watching_end(&watching);
        assert_int_equal(find_ssh(getpid(), found), 0);
        assert_int_equal(count_in(getenv("XDG_RUNTIME_DIR")), 0);
    }
    child_kill(&one.child, SIGTERM);
    kill_sshd(&sshd);
}

/* Without a `ssh`, and where there can be no folder. */
/* The preflight asks them, too, and leaves nothing behind. */
static void the_check_asks_behind_ssh(void **state)
{
    (void)state;
    struct child sshd = start_sshd("");
    struct fake one = fake_start(0, "--version", "1.2.1", "--no-database", NULL), other = fake_start(0, "--version", "1.2.1", "--no-database", NULL);
    struct watching watching = {0};
    struct check_results results = {0};
    struct kong_conf conf = {.pg = {.host = "127.0.0.1", .port = 5432, .user = "kong", .database = "kong"}};
    struct names ids = {0};
    pid_t found[MOST_PIDS];
    size_t folders = count_in(getenv("XDG_RUNTIME_DIR"));
    names_add(&ids, "nodes");
    add(&watching, CLUSTER_OLD, "one", one.admin);
    add(&watching, CLUSTER_NEW, "other", other.admin);
    checks_run(&conf, &watching.fleet, &ids, NULL, check_results_take, &results);
    assert_int_equal(results.count, 1);
    const struct names *evidence = &results.list[0].evidence;
    assert_non_null(strstr(evidence->list[0], "new node other runs Kong 1.2.1"));
    assert_string_equal(evidence->list[evidence->count - 1], "1 old and 1 new node answer, 0 do not");
    assert_non_null(strstr(results.list[0].remedy, "ssh ssh://"));
    assert_int_equal(find_ssh(getpid(), found), 0);
    assert_int_equal(count_in(getenv("XDG_RUNTIME_DIR")), folders);
    check_results_free(&results);
    names_free(&ids);
    fleet_free(&watching.fleet);
    child_kill(&one.child, SIGKILL);
    child_kill(&other.child, SIGKILL);
    kill_sshd(&sshd);
}

static void without_ssh(void **state)
{
    struct watching watching = {0};
    char *path = mem_dup(getenv("PATH"));
    (void)state;
    setenv("PATH", "/nonexistent", 1);
    add(&watching, CLUSTER_OLD, "one", 1);
    watching_start(&watching);
    assert_true(watching_until(&watching, all_are_unknown, 10000));
    assert_problem(watching_node(&watching, "one"), "ssh can't be started: is it installed?");
    watching_end(&watching);
    setenv("PATH", path, 1);
    free(path);
}

static void end_leaves_no_ssh(int signal_number)
{
    struct fake one = fake_start(0, "--version", "1.2.1", "--no-database", NULL);
    struct child sshd = start_sshd("");
    char *fleet = fixture_path("fleet.ini"), *conf = fixture_path("kong.conf"), *address = behind_ssh(one.admin), *line;
    pid_t found[MOST_PIDS];
    fixture_write(fleet, "[old]\nnode = one %s\n", address);
    fixture_write(conf, "pg_host = 127.0.0.1\npg_port = 1\n");
    struct child watch = child_start(fixture_kong_upgrade, "watch", "--json", "--conf", conf, "--fleet", fleet, NULL);
    bool answers = false;
    for (int lines = 0; !answers && lines < 20 && (line = child_line(&watch)) != NULL; lines++) {
        answers = strstr(line, "\"state\":\"answers\"") != NULL || strstr(line, "\"state\": \"answers\"") != NULL;
        free(line);
    }
    assert_true(answers);
    assert_int_equal(find_ssh(watch.pid, found), 1);
    child_kill(&watch, signal_number);
    assert_true(ends_within(found[0], 3000));
    free(fleet);
    free(conf);
    free(address);
    child_kill(&one.child, SIGTERM);
    kill_sshd(&sshd);
}

static void killed_we_leave_no_ssh(void **state)
{
    (void)state;
    end_leaves_no_ssh(SIGKILL);
}

static void ended_we_leave_no_ssh(void **state)
{
    (void)state;
    end_leaves_no_ssh(SIGTERM);
}

/* A node that is added on the Welcome screen is watched at once, and saved; with the wizard its ssh ends. */
static void the_wizard_takes_and_leaves_no_ssh(void **state)
{
    struct fake one = fake_start(0, "--version", "1.2.1", "--no-database", NULL);
    struct child sshd = start_sshd("");
    char *fleet = fixture_path("wizard.ini"), *conf = fixture_path("kong.conf"), *address = behind_ssh(one.admin), *text = fixture_path("state");
    char *typed = mem_printf("old far %s", address), *home = mem_printf("XDG_STATE_HOME=%s", text);
    const char *const arguments[] = {fixture_kong_upgrade, "--conf", conf, "--fleet", fleet, NULL}, *const environment[] = {home, NULL};
    pid_t found[MOST_PIDS];
    const size_t folders = count_in(getenv("XDG_RUNTIME_DIR"));   /* of those that were killed */
    (void)state;
    fixture_write(fleet, "[gates]\nquiet = 60\n");
    fixture_write(conf, "pg_host = 127.0.0.1\npg_port = 1\n");
    session_start(100, 30, arguments, environment);
    session_see("No node is known.");
    session_press("a");
    session_see("Add a node");
    session_press(typed);
    session_press("\r");
    session_see("old      far ");
    for (int tries = 0; tries < 100 && find_ssh(session.child, found) == 0; tries++)
        session_listen(50);
    assert_int_equal(find_ssh(session.child, found), 1);
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
    assert_true(ends_within(found[0], 3000));
    assert_int_equal(count_in(getenv("XDG_RUNTIME_DIR")), folders);
    static char saved[4096];
    FILE *file = fopen(fleet, "re");
    saved[fread(saved, 1, sizeof saved - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(saved, address));
    free(fleet);
    free(conf);
    free(address);
    free(text);
    free(typed);
    free(home);
    child_kill(&one.child, SIGTERM);
    kill_sshd(&sshd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_on_one_host_share_an_ssh),
        cmocka_unit_test(a_dead_tunnel_says_nothing_of_the_node),
        cmocka_unit_test(what_ssh_says_is_shown),
        cmocka_unit_test(stop_at_any_time),
        cmocka_unit_test(the_check_asks_behind_ssh),
        cmocka_unit_test(without_ssh),
        cmocka_unit_test(killed_we_leave_no_ssh),
        cmocka_unit_test(ended_we_leave_no_ssh),
        cmocka_unit_test_teardown(the_wizard_takes_and_leaves_no_ssh, session_tear_down),
    };
    if (!fixture_arguments(argc, argv))
        return 64;
    if (access(sshd_path, X_OK) != 0)
        return 77;
    return cmocka_run_group_tests(tests, make_place, fixture_tear_down);
}
