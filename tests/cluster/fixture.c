#include "tests/cluster/fixture.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST_ARGUMENTS 40

const char *fixture_kong_upgrade, *fixture_fake_node, *fixture_postgres;

bool fixture_arguments(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: %s KONG-UPGRADE FAKE-NODE POSTGRES.SH\n", argv[0]), false;
    fixture_kong_upgrade = argv[1];
    fixture_fake_node = argv[2];
    fixture_postgres = argv[3];
    signal(SIGPIPE, SIG_IGN);
    return true;
}

static char folder[256];

const char *fixture_folder(void)
{
    const char *parent = getenv("TMPDIR");
    if (folder[0] != '\0')
        return folder;
    snprintf(folder, sizeof folder, "%s/kong-upgrade-cluster-XXXXXX", parent != NULL ? parent : "/tmp");
    assert_non_null(mkdtemp(folder));
    char *mode[] = {"/bin/chmod", "755", folder, NULL};   /* the database's user has to reach its part of it */
    struct child child = child_start(mode[0], mode[1], mode[2], NULL);
    assert_int_equal(child_end(&child), 0);
    return folder;
}

char *fixture_path(const char *name)
{
    return mem_printf("%s/%s", fixture_folder(), name);
}

void fixture_write(const char *path, const char *format, ...)
{
    va_list arguments;
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    assert_int_equal(fclose(file), 0);
}

void fixture_end(void)
{
    if (folder[0] == '\0')
        return;
    struct child child = child_start("/bin/rm", "-rf", folder, NULL);
    child_end(&child);
    folder[0] = '\0';
}

int fixture_tear_down(void **state)
{
    (void)state;
    fixture_end();
    return 0;
}

static struct child start(const char *program, char **arguments)
{
    int out[2];
    assert_int_equal(pipe(out), 0);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
        signal(SIGPIPE, SIG_DFL);
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execv(program, arguments);
        _exit(127);
    }
    close(out[1]);
    assert_true(pid > 0);
    return (struct child){pid, out[0]};
}

/* A NULL ends them. */
static void collect(char **arguments, size_t count, const char *first, va_list more)
{
    for (const char *each = first; each != NULL; each = va_arg(more, const char *)) {
        assert_true(count + 1 < MOST_ARGUMENTS);
        arguments[count++] = (char *)(uintptr_t)each;
    }
    arguments[count] = NULL;
}

struct child child_start(const char *program, ...)
{
    char *arguments[MOST_ARGUMENTS] = {(char *)(uintptr_t)program};
    va_list more;
    va_start(more, program);
    collect(arguments, 1, va_arg(more, const char *), more);
    va_end(more);
    return start(program, arguments);
}

char *child_line(struct child *child)
{
    struct buf line = {0};
    char byte;
    while (read(child->out, &byte, 1) == 1) {
        if (byte == '\n')
            return line.length > 0 ? buf_take(&line) : mem_dup("");
        buf_add_bytes(&line, &byte, 1);
    }
    buf_free(&line);
    return NULL;
}

char *child_rest(struct child *child)
{
    struct buf text = {0};
    char bytes[4096];
    for (ssize_t count; (count = read(child->out, bytes, sizeof bytes)) > 0;)
        buf_add_bytes(&text, bytes, (size_t)count);
    char *rest = mem_dup(buf_text(&text));
    buf_free(&text);
    return rest;
}

int child_end(struct child *child)
{
    int status = 0;
    if (child->pid <= 0)
        return -1;
    close(child->out);
    waitpid(child->pid, &status, 0);
    *child = (struct child){0, -1};
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int child_kill(struct child *child, int signal_number)
{
    if (child->pid > 0)
        kill(child->pid, signal_number);
    return child_end(child);
}

struct fake fake_start(int admin, const char *first, ...)
{
    char port[16], *arguments[MOST_ARGUMENTS] = {(char *)(uintptr_t)fixture_fake_node, "--admin", port};
    struct fake fake = {0};
    va_list more;
    snprintf(port, sizeof port, "%d", admin);
    va_start(more, first);
    collect(arguments, 3, first, more);
    va_end(more);
    fake.child = start(fixture_fake_node, arguments);
    char *line = child_line(&fake.child);
    assert_non_null(line);
    assert_int_equal(sscanf(line, "ready admin=%d proxy=%d node_id=%39s", &fake.admin, &fake.proxy, fake.node_id), 3);
    free(line);
    return fake;
}

int fixture_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

bool fixture_port_is_free(const char *address, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, address, &at.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    bool bound = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return bound;
}

void watching_add(struct watching *watching, enum cluster cluster, const char *name, int port)
{
    char url[64];
    struct error error = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    assert_true(fleet_add(&watching->fleet, cluster, name, url, &error));
}

static void on_changed(void *context)
{
    struct watching *watching = context;
    watching->changes++;
}

void watching_start(struct watching *watching)
{
    struct error error = {0};
    if (watching->datastore.host == NULL)
        watching->datastore = (struct datastore){.host = mem_dup("127.0.0.1"), .port = 5432, .database = mem_dup("kong"), .user = mem_dup("kong")};
    assert_int_equal(uv_loop_init(&watching->loop), 0);
    watching->traffic = traffic_new();
    watching->nodes = nodes_start(&watching->loop, &watching->fleet, &watching->datastore, on_changed, watching, &error);
    assert_non_null(watching->nodes);
}

const struct node *watching_node(const struct watching *watching, const char *name)
{
    for (size_t i = 0; i < nodes_count(watching->nodes); i++)
        if (strcmp(nodes_get(watching->nodes, i)->name, name) == 0)
            return nodes_get(watching->nodes, i);
    fail_msg("no node %s", name);
    return NULL;
}

struct waiting {
    struct watching *watching;
    bool (*is_so)(struct watching *watching);
    int64_t until;
    bool so;
};

static void on_look(uv_timer_t *timer)
{
    struct waiting *waiting = timer->data;
    int64_t now = clock_ms();
    traffic_note(waiting->watching->traffic, waiting->watching->nodes, now);
    waiting->so = waiting->is_so != NULL && waiting->is_so(waiting->watching);
    if (waiting->so || now >= waiting->until)
        uv_close((uv_handle_t *)timer, NULL);
    if (waiting->so || now >= waiting->until)
        uv_stop(timer->loop);
}

bool watching_until(struct watching *watching, bool (*is_so)(struct watching *watching), int milliseconds)
{
    struct waiting waiting = {watching, is_so, clock_ms() + milliseconds, false};
    uv_timer_t timer;
    uv_timer_init(&watching->loop, &timer);
    timer.data = &waiting;
    uv_timer_start(&timer, on_look, 0, 20);
    uv_run(&watching->loop, UV_RUN_DEFAULT);
    while (uv_is_active((uv_handle_t *)&timer))
        uv_run(&watching->loop, UV_RUN_DEFAULT);
    uv_run(&watching->loop, UV_RUN_NOWAIT);   /* the timer's closing, while it is still on the stack */
    return waiting.so;
}

bool watching_all_asked(struct watching *watching)
{
    for (size_t i = 0; i < nodes_count(watching->nodes); i++)
        if (nodes_get(watching->nodes, i)->state == NODE_UNASKED)
            return false;
    return nodes_count(watching->nodes) > 0;
}

void watching_end(struct watching *watching)
{
    nodes_stop(watching->nodes);
    watching->nodes = NULL;
    uv_run(&watching->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&watching->loop), 0);
    traffic_free(watching->traffic);
    fleet_free(&watching->fleet);
    datastore_free(&watching->datastore);
}
