#include "core/cluster/tunnel.h"

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/cluster/ssh.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 100
#define TICK_UP_MS 500         /* while it is up; the end of stderr tells earlier */
#define STOP_TICK_MS 5
#define KILL_MS 1000           /* after SIGTERM */
#define STEADY_MS 60000        /* a tunnel that held for so long begins with the shortest pause again */
#define LINE_LIMIT 400
#define PARENT_LIMIT 60        /* letters: a socket's address has room for 107 */
#define PLAIN "/-_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define OPEN_FAILED ": open failed: "   /* channels.c of OpenSSH: "channel 2: open failed: connect failed: Connection refused" */

struct tunnel {
    uv_loop_t *loop;
    uv_timer_t tick;
    uv_poll_t *poll;           /* of stderr_fd; NULL: none */
    int stderr_fd;             /* -1: none */
    pid_t pid;                 /* 0: none */
    char *ssh, *folder;
    struct fleet_ssh to;
    char **sockets;
    struct names targets, secrets;
    bool up, stopped;
    bool slow;                 /* not up in time: told to end */
    bool news;                 /* `changed` is to be called */
    char *problem;
    int64_t started_at, up_at, again_at, stopped_at;
    int pause_ms;              /* before the next start */
    struct buf line;           /* of its stderr, not ended yet */
    char *last_line;           /* that was no channel's; or NULL */
    char *last_failure;
    unsigned refused, failed;
    void (*changed)(void *context, struct tunnel *tunnel);
    void *context;
};

const char *tunnel_socket(const struct tunnel *tunnel, size_t target)
{
    return tunnel->sockets[target];
}

const char *tunnel_ssh(const struct tunnel *tunnel)
{
    return tunnel->ssh;
}

bool tunnel_is_up(const struct tunnel *tunnel)
{
    return tunnel->up;
}

const char *tunnel_problem(const struct tunnel *tunnel)
{
    return tunnel->problem;
}

/* What ssh says. */

static void take_line(struct tunnel *tunnel)
{
    char *line = utf8_clean(buf_text(&tunnel->line));
    line[strcspn(line, "\r")] = '\0';
    buf_clear(&tunnel->line);
    const char *reason = strstr(line, OPEN_FAILED);
    if (reason != NULL && strncmp(line, "channel ", 8) == 0) {
        reason += strlen(OPEN_FAILED);
        bool refused = strstr(reason, "connect failed: Connection refused") != NULL;
        tunnel->refused += refused ? 1 : 0;
        tunnel->failed += refused ? 0 : 1;
        if (!refused) {
            free(tunnel->last_failure);
            tunnel->last_failure = mem_dup(reason);
        }
    } else if (line[0] != '\0') {
        free(tunnel->last_line);
        tunnel->last_line = line;
        return;
    }
    free(line);
}

/* False at the end of it. */
static bool take_stderr(struct tunnel *tunnel)
{
    char bytes[1024];
    ssize_t count = -1;
    while (tunnel->stderr_fd >= 0 && (count = read(tunnel->stderr_fd, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < count; i++) {
            if (bytes[i] == '\n')
                take_line(tunnel);
            else if (tunnel->line.length < LINE_LIMIT && bytes[i] != '\0')
                buf_add_bytes(&tunnel->line, &bytes[i], 1);
        }
    return count != 0;
}

struct tunnel_tally tunnel_tally(struct tunnel *tunnel)
{
    take_stderr(tunnel);
    return (struct tunnel_tally){tunnel->refused, tunnel->failed, tunnel->last_failure};
}

static void on_tick(uv_timer_t *timer);

/* The end of stderr is mostly that of ssh, though what it has started (ProxyCommand) may hold it open longer, or ssh may close it. */
static void on_stderr(uv_poll_t *poll, int status, int events)
{
    struct tunnel *tunnel = poll->data;
    (void)events;
    if (status >= 0 && take_stderr(tunnel))
        return;
    uv_poll_stop(poll);
    uv_timer_start(&tunnel->tick, on_tick, 1, TICK_MS);
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void close_stderr(struct tunnel *tunnel)
{
    if (tunnel->poll != NULL)
        uv_close((uv_handle_t *)tunnel->poll, on_poll_closed);
    if (tunnel->stderr_fd >= 0)
        close(tunnel->stderr_fd);
    tunnel->poll = NULL;
    tunnel->stderr_fd = -1;
}

static void watch_stderr(struct tunnel *tunnel, int fd)
{
    tunnel->stderr_fd = fd;
    tunnel->poll = mem_zero(1, sizeof *tunnel->poll);
    if (uv_poll_init(tunnel->loop, tunnel->poll, fd) != 0) {
        free(tunnel->poll);
        tunnel->poll = NULL;
        return;
    }
    tunnel->poll->data = tunnel;
    uv_poll_start(tunnel->poll, UV_READABLE, on_stderr);
}

/* The process. */

static void set_problem(struct tunnel *tunnel, char *problem)
{
    free(tunnel->problem);
    tunnel->problem = problem;
}

static void plan_again(struct tunnel *tunnel, int64_t now)
{
    tunnel->again_at = now + tunnel->pause_ms;
    tunnel->pause_ms = tunnel->pause_ms * 2 < TUNNEL_LONGEST_PAUSE_MS ? tunnel->pause_ms * 2 : TUNNEL_LONGEST_PAUSE_MS;
}

static void start(struct tunnel *tunnel, int64_t now)
{
    int stderr_fd = -1;
    buf_clear(&tunnel->line);
    free(tunnel->last_line);
    tunnel->last_line = NULL;
    tunnel->slow = false;
    tunnel->started_at = now;
    for (size_t i = 0; i < tunnel->targets.count; i++)
        unlink(tunnel->sockets[i]);
    tunnel->pid = ssh_start(&tunnel->to, tunnel->sockets, &tunnel->targets, &tunnel->secrets, &stderr_fd);
    if (tunnel->pid > 0) {
        watch_stderr(tunnel, stderr_fd);
        return;
    }
    set_problem(tunnel, mem_printf("can't be asked: ssh can't be started: %s", strerror(errno)));
    tunnel->pid = 0;
    tunnel->news = true;
    plan_again(tunnel, now);
}

/* The sockets are there once ssh has connected and been let in. */
static bool sockets_are_there(const struct tunnel *tunnel)
{
    struct stat status;
    for (size_t i = 0; i < tunnel->targets.count; i++)
        if (lstat(tunnel->sockets[i], &status) != 0 || !S_ISSOCK(status.st_mode))
            return false;
    return true;
}

/* With what it has started; itself alone where it has no session of its own yet. */
static void signal_ssh(const struct tunnel *tunnel, int signal_number)
{
    if (kill(-tunnel->pid, signal_number) != 0)
        kill(tunnel->pid, signal_number);
}

static void await_up(struct tunnel *tunnel, int64_t now)
{
    if (sockets_are_there(tunnel)) {
        tunnel->up = tunnel->news = true;
        tunnel->up_at = now;
        set_problem(tunnel, NULL);
    } else if (now - tunnel->started_at > TUNNEL_PATIENCE_MS && !tunnel->slow) {
        tunnel->slow = true;
        signal_ssh(tunnel, SIGTERM);
    }
}

static char *end_text(const struct tunnel *tunnel, int status)
{
    if (tunnel->slow)
        return mem_printf("no connection within %d s", TUNNEL_PATIENCE_MS / 1000);
    if (tunnel->last_line != NULL)
        return mem_dup(tunnel->last_line);
    return WIFSIGNALED(status) ? mem_printf("signal %d", WTERMSIG(status)) : mem_printf("exit code %d", WEXITSTATUS(status));
}

static void note_end(struct tunnel *tunnel, int status, int64_t now)
{
    take_stderr(tunnel);
    if (tunnel->line.length > 0)
        take_line(tunnel);
    close_stderr(tunnel);
    if (tunnel->up && now - tunnel->up_at >= STEADY_MS)
        tunnel->pause_ms = TUNNEL_PAUSE_MS;
    char *why = end_text(tunnel, status);
    set_problem(tunnel, mem_printf("can't be asked: %s %s (%s); tried again in %d s", tunnel->ssh, tunnel->up ? "ended" : "does not connect", why,
                                   tunnel->pause_ms / 1000));
    free(why);
    tunnel->up = false;
    tunnel->pid = 0;
    plan_again(tunnel, now);
    tunnel->news = true;
}

/* The end. */

static void remove_folder(const struct tunnel *tunnel)
{
    for (size_t i = 0; i < tunnel->targets.count; i++)
        unlink(tunnel->sockets[i]);
    rmdir(tunnel->folder);
}

static void forget(struct tunnel *tunnel)
{
    for (size_t i = 0; tunnel->sockets != NULL && i < tunnel->targets.count; i++)
        free(tunnel->sockets[i]);
    free(tunnel->sockets);
    free(tunnel->ssh);
    free(tunnel->folder);
    free(tunnel->problem);
    free(tunnel->last_line);
    free(tunnel->last_failure);
    buf_free(&tunnel->line);
    fleet_ssh_free(&tunnel->to);
    names_free(&tunnel->targets);
    names_free(&tunnel->secrets);
    free(tunnel);
}

static void on_tick_closed(uv_handle_t *handle)
{
    forget(handle->data);
}

static void finish(struct tunnel *tunnel)
{
    remove_folder(tunnel);
    close_stderr(tunnel);
    uv_close((uv_handle_t *)&tunnel->tick, on_tick_closed);
}

/* Where the process is another's child by now, it is gone for us. */
static void reap(struct tunnel *tunnel, int64_t now)
{
    int status = 0;
    pid_t ended = tunnel->pid > 0 ? waitpid(tunnel->pid, &status, WNOHANG) : 0;
    if (ended > 0 || (ended < 0 && errno == ECHILD))
        note_end(tunnel, status, now);
}

static void on_tick(uv_timer_t *timer)
{
    struct tunnel *tunnel = timer->data;
    int64_t now = clock_ms();
    reap(tunnel, now);
    if (tunnel->stopped) {
        if (tunnel->pid == 0)
            finish(tunnel);
        else if (now - tunnel->stopped_at >= KILL_MS)
            signal_ssh(tunnel, SIGKILL);
        return;
    }
    if (tunnel->pid == 0 && now >= tunnel->again_at)
        start(tunnel, now);
    else if (tunnel->pid > 0 && !tunnel->up)
        await_up(tunnel, now);
    uv_timer_set_repeat(timer, tunnel->up ? TICK_UP_MS : TICK_MS);
    bool news = tunnel->news;
    tunnel->news = false;
    if (news)
        tunnel->changed(tunnel->context, tunnel);
}

void tunnel_stop(struct tunnel *tunnel)
{
    tunnel->stopped = true;
    tunnel->stopped_at = clock_ms();
    if (tunnel->pid > 0)
        signal_ssh(tunnel, SIGTERM);
    uv_timer_start(&tunnel->tick, on_tick, tunnel->pid > 0 ? STOP_TICK_MS : 0, STOP_TICK_MS);
}

/* The beginning. */

/* Within what a socket's address holds, and without what -L takes for something else. */
static bool is_good_parent(const char *path)
{
    return path != NULL && path[0] == '/' && strlen(path) <= PARENT_LIMIT && path[strspn(path, PLAIN)] == '\0' && access(path, W_OK | X_OK) == 0;
}

static bool make_folder(struct tunnel *tunnel, struct error *error)
{
    const char *const parents[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
    for (size_t i = 0; i < sizeof parents / sizeof parents[0]; i++) {
        if (!is_good_parent(parents[i]))
            continue;
        char *folder = mem_printf("%s/kong-upgrade-XXXXXX", parents[i]);
        if (mkdtemp(folder) != NULL) {
            tunnel->folder = folder;
            return true;
        }
        free(folder);
    }
    return error_set(error, ERROR_FILE, "can't make a folder for the sockets of ssh in /tmp: %s", strerror(errno));
}

struct tunnel *tunnel_start(uv_loop_t *loop, const char *ssh, const struct names *targets, const struct names *secrets,
                            void (*changed)(void *context, struct tunnel *tunnel), void *context, struct error *error)
{
    struct tunnel *tunnel = mem_zero(1, sizeof *tunnel);
    tunnel->stderr_fd = -1;
    if (!make_folder(tunnel, error) || !fleet_parse_ssh(ssh, &tunnel->to)) {
        forget(tunnel);
        return NULL;
    }
    tunnel->loop = loop;
    tunnel->ssh = mem_dup(ssh);
    tunnel->pause_ms = TUNNEL_PAUSE_MS;
    tunnel->changed = changed;
    tunnel->context = context;
    tunnel->sockets = mem_zero(targets->count, sizeof *tunnel->sockets);
    for (size_t i = 0; i < targets->count; i++) {
        names_add(&tunnel->targets, targets->list[i]);
        tunnel->sockets[i] = mem_printf("%s/%zu", tunnel->folder, i);
    }
    for (size_t i = 0; i < secrets->count; i++)
        names_add(&tunnel->secrets, secrets->list[i]);
    uv_timer_init(loop, &tunnel->tick);
    tunnel->tick.data = tunnel;
    uv_timer_start(&tunnel->tick, on_tick, 0, TICK_MS);
    return tunnel;
}
