#include "core/backup/tools.h"

#include "core/base/ascii.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/names.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 250
#define POLL_MS 100
#define GRACE_MS 3000
#define PASSFILE_FD 3
#define HIGHEST_FD 256

/* What the programs are told. */

/* libpq looks for "host:port:database:user:password"; a colon or backslash is written with a backslash before it. */
static bool open_passfile(struct tools *tools, const char *password, struct error *error)
{
    struct buf line = {0};
    tools->passfile = -1;
    if (password == NULL || password[0] == '\0')
        return true;
    if (strpbrk(password, "\r\n") != NULL)
        return error_set(error, ERROR_CONFIG, "the password has a line break in it, which no PGPASSFILE can hold: pg_dump can't be run with it");
    buf_add(&line, "*:*:*:*:");
    for (const char *c = password; *c != '\0'; c++) {
        if (*c == ':' || *c == '\\')
            buf_add(&line, "\\");
        buf_add_bytes(&line, c, 1);
    }
    buf_add(&line, "\n");
    tools->passfile = memfd_create("passfile", MFD_CLOEXEC);
    bool written = tools->passfile >= 0 && fchmod(tools->passfile, 0600) == 0 &&
                   write(tools->passfile, line.data, line.length) == (ssize_t)line.length;
    explicit_bzero(line.data, line.capacity);
    buf_free(&line);
    return written || error_set(error, ERROR_SYSTEM, "can't hand the password over to pg_dump: %s", strerror(errno));
}

static char *variable(const char *name, const char *value)
{
    return mem_printf("%s=%s", name, value);
}

static char **make_environment(const struct tools *tools, const struct datastore *store)
{
    static const char *const kept[] = {"PATH", "HOME", "TMPDIR"};
    struct datastore_tls tls = datastore_tls(store);
    char port[16], passfile[40];
    snprintf(port, sizeof port, "%d", store->port);
    snprintf(passfile, sizeof passfile, "/proc/self/fd/%d", PASSFILE_FD);
    const char *const set[][2] = {
        {"PGHOST", store->host}, {"PGPORT", port}, {"PGDATABASE", store->database}, {"PGUSER", store->user},
        {"PGPASSFILE", tools->passfile >= 0 ? passfile : "/dev/null/none"}, {"PGSSLMODE", tls.sslmode}, {"PGSSLROOTCERT", tls.sslrootcert},
        {"PGCONNECT_TIMEOUT", "10"}, {"PGAPPNAME", "kong-upgrade pg_dump"}, {"LC_ALL", "C"},
    };
    char **environment = mem_zero(sizeof kept / sizeof kept[0] + sizeof set / sizeof set[0] + 1, sizeof *environment);
    size_t count = 0;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (getenv(kept[i]) != NULL)
            environment[count++] = variable(kept[i], getenv(kept[i]));
    for (size_t i = 0; i < sizeof set / sizeof set[0]; i++)
        environment[count++] = variable(set[i][0], set[i][1]);
    return environment;
}

/* Running. */

struct run_state {
    const struct tool_call *call;
    pid_t pid;
    int out, err;             /* -1: at its end */
    struct buf line;          /* of standard error, as far as it came */
    char *complaint;          /* the first line that names an error, else the last one */
    bool is_error;
    int64_t ticked_at, stopped_at;
};

/* Only calls that are safe between fork and exec. */
static void become(const struct tools *tools, const struct tool_call *call, pid_t parent, int out, int err)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    int in = call->input >= 0 ? call->input : open("/dev/null", O_RDONLY);
    /* First out of the way of 0 to 3. */
    int fds[] = {in, out, err, tools->passfile};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        fds[i] = fds[i] >= 0 ? fcntl(fds[i], F_DUPFD, PASSFILE_FD + 1) : -1;
    for (int i = 0; i <= PASSFILE_FD; i++)
        if (fds[i] >= 0 && dup2(fds[i], i) < 0)
            _exit(127);
    for (int fd = tools->passfile >= 0 ? PASSFILE_FD + 1 : PASSFILE_FD; fd < HIGHEST_FD; fd++)
        close(fd);
    execve(call->arguments[0], (char *const *)(uintptr_t)call->arguments, tools->environment);
    _exit(127);
}

static void take_line(struct run_state *state)
{
    const char *text = buf_text(&state->line);
    bool is_error = strstr(text, "error:") != NULL || strstr(text, "ERROR:") != NULL || strstr(text, "FATAL:") != NULL;
    if (text[0] != '\0' && !state->is_error) {
        free(state->complaint);
        state->complaint = mem_dup(text);
        state->is_error = is_error;
    }
    if (state->call->on_line != NULL)
        state->call->on_line(state->call->context, text, state->line.length);
    buf_clear(&state->line);
}

static void take_errors(struct run_state *state, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] == '\n')
            take_line(state);
        else if (state->line.length < TOOL_LINE_LIMIT && bytes[i] != '\0')
            buf_add_bytes(&state->line, &bytes[i], 1);
}

static void read_some(struct run_state *state, int *fd)
{
    char bytes[65536];
    ssize_t got = read(*fd, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        close(*fd);
        *fd = -1;
    } else if (fd == &state->err) {
        take_errors(state, bytes, (size_t)got);
    } else if (state->call->on_output != NULL) {
        state->call->on_output(state->call->context, bytes, (size_t)got);
    }
}

static void stop_if_asked(struct run_state *state)
{
    if (state->call->stop == NULL || !*state->call->stop)
        return;
    int64_t now = clock_ms();
    if (state->stopped_at == 0) {
        state->stopped_at = now;
        kill(-state->pid, SIGTERM);
    } else if (now - state->stopped_at > GRACE_MS) {
        kill(-state->pid, SIGKILL);
    }
}

static void tick(struct run_state *state)
{
    stop_if_asked(state);
    if (state->call->on_tick == NULL || clock_ms() - state->ticked_at < TICK_MS)
        return;
    state->ticked_at = clock_ms();
    state->call->on_tick(state->call->context);
}

/* Its pipes may end before it does, or be held open by a child of its own after it. */
static int attend(struct run_state *state)
{
    int status = 0;
    bool ended = false;
    while (!ended || state->out >= 0 || state->err >= 0) {
        struct pollfd fds[] = {{.fd = state->out, .events = POLLIN}, {.fd = state->err, .events = POLLIN}};
        int ready = poll(fds, 2, ended ? 0 : POLL_MS);
        if (ready > 0 && fds[0].revents != 0)
            read_some(state, &state->out);
        if (ready > 0 && fds[1].revents != 0)
            read_some(state, &state->err);
        if (ended && ready <= 0)
            break;
        tick(state);
        ended = ended || waitpid(state->pid, &status, WNOHANG) == state->pid;
    }
    if (state->out >= 0)
        close(state->out);
    if (state->err >= 0)
        close(state->err);
    if (state->line.length > 0)
        take_line(state);
    return status;
}

static bool judge(const struct run_state *state, int status, struct error *error)
{
    const char *program = strrchr(state->call->arguments[0], '/') + 1;
    if (state->stopped_at != 0)
        return error_set(error, ERROR_STOPPED, "stopped as asked");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (state->complaint != NULL)
        return error_set(error, ERROR_SYSTEM, "%s failed (%s)", program, state->complaint);
    if (WIFSIGNALED(status))
        return error_set(error, ERROR_SYSTEM, "%s was ended by signal %d", program, WTERMSIG(status));
    return error_set(error, ERROR_SYSTEM, "%s failed with exit code %d and said nothing", program, WEXITSTATUS(status));
}

bool tool_run(const struct tools *tools, const struct tool_call *call, struct error *error)
{
    struct run_state state = {.call = call, .out = -1, .err = -1};
    int out[2] = {-1, -1}, err[2];
    if (pipe2(err, O_CLOEXEC) != 0)
        return error_set(error, ERROR_SYSTEM, "can't start %s: %s", call->arguments[0], strerror(errno));
    bool piped = call->output >= 0 || pipe2(out, O_CLOEXEC) == 0;
    pid_t parent = getpid();
    state.pid = piped ? fork() : -1;
    if (state.pid == 0)
        become(tools, call, parent, call->output >= 0 ? call->output : out[1], err[1]);
    int problem = errno;
    close(err[1]);
    if (out[1] >= 0)
        close(out[1]);
    state.out = out[0];
    state.err = err[0];
    if (state.pid < 0) {
        if (out[0] >= 0)
            close(out[0]);
        close(err[0]);
        return error_set(error, ERROR_SYSTEM, "can't start %s: %s", call->arguments[0], strerror(problem));
    }
    setpgid(state.pid, state.pid);   /* as it does itself: whoever is first */
    int status = attend(&state);
    bool good = judge(&state, status, error);
    buf_free(&state.line);
    free(state.complaint);
    return good;
}

/* Finding. */

/* A major version as libpq counts: 150000; before 10 it has two parts: 90600. */
static int major_of(int version)
{
    return version >= 100000 ? version / 10000 * 10000 : version / 100 * 100;
}

static void collect(void *context, const char *bytes, size_t length)
{
    struct buf *text = context;
    if (text->length < TOOL_LINE_LIMIT)
        buf_add_bytes(text, bytes, length < TOOL_LINE_LIMIT ? length : TOOL_LINE_LIMIT);
}

/* "pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"; 0 where it says something else. */
static int ask_version(const struct tools *tools, const char *program, const volatile sig_atomic_t *stop)
{
    struct buf text = {0};
    const char *const arguments[] = {program, "--version", NULL};
    const struct tool_call call = {.arguments = arguments, .input = -1, .output = -1, .on_output = collect, .context = &text, .stop = stop};
    int first = 0, second = 0, version = 0;
    if (tool_run(tools, &call, NULL)) {
        const char *found = strstr(buf_text(&text), "(PostgreSQL) ");
        if (found != NULL && sscanf(found + strlen("(PostgreSQL) "), "%4d.%4d", &first, &second) >= 1)
            version = first >= 10 ? first * 10000 : first * 10000 + second * 100;
    }
    buf_free(&text);
    return version;
}

static void add_folders(struct names *folders, const char *path)
{
    while (path != NULL && *path != '\0') {
        size_t length = strcspn(path, ":");
        char *folder = mem_ndup(path, length);
        if (folder[0] == '/' && !names_have(folders, folder))
            names_add(folders, folder);
        free(folder);
        path += length + (path[length] == ':' ? 1 : 0);
    }
}

static void add_packaged(struct names *folders)
{
    static const char *const patterns[] = {"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        glob_t found = {0};
        if (glob(patterns[i], 0, NULL, &found) == 0)
            for (size_t j = 0; j < found.gl_pathc; j++)
                names_add(folders, found.gl_pathv[j]);
        globfree(&found);
    }
}

static void consider(struct tools *tools, const char *folder, int wanted, int *newest, const volatile sig_atomic_t *stop)
{
    char *dump = mem_printf("%s/pg_dump", folder), *restore = mem_printf("%s/pg_restore", folder);
    int version = access(dump, X_OK) == 0 && access(restore, X_OK) == 0 ? ask_version(tools, dump, stop) : 0;
    bool better = version >= wanted && (tools->dump == NULL || version < tools->version);
    *newest = version > *newest ? version : *newest;
    if (better) {
        free(tools->dump);
        free(tools->restore);
        tools->dump = dump;
        tools->restore = restore;
        tools->version = version;
    } else {
        free(dump);
        free(restore);
    }
}

static const char *version_text(int version, char text[16])
{
    snprintf(text, 16, version >= 100000 ? "%d" : "%d.%d", version / 10000, version / 100 % 100);
    return text;
}

bool tools_find(struct tools *tools, const struct datastore *datastore, int server_version, const volatile sig_atomic_t *stop, struct error *error)
{
    const char *own = getenv("KONG_UPGRADE_PG_BIN");
    struct names folders = {0};
    char wanted[16], found[16];
    int newest = 0;
    *tools = (struct tools){.passfile = -1};
    if (!open_passfile(tools, datastore->password, error))
        return false;
    tools->environment = make_environment(tools, datastore);
    add_folders(&folders, own != NULL ? own : getenv("PATH"));
    if (own == NULL)
        add_packaged(&folders);
    for (size_t i = 0; i < folders.count; i++)
        consider(tools, folders.list[i], major_of(server_version), &newest, stop);
    names_free(&folders);
    if (tools->dump != NULL)
        return true;
    version_text(major_of(server_version), wanted);
    if (newest > 0)
        error_set(error, ERROR_SYSTEM, "the server is PostgreSQL %s, and pg_dump here is of %s: it can't dump a newer server; install postgresql-client-%s,"
                  " or set KONG_UPGRADE_PG_BIN to the folder of a newer one", wanted, version_text(newest, found), wanted);
    else
        error_set(error, ERROR_SYSTEM, "pg_dump and pg_restore are not there: install postgresql-client-%s, or set KONG_UPGRADE_PG_BIN to their folder", wanted);
    tools_free(tools);
    return false;
}

void tools_free(struct tools *tools)
{
    for (char **each = tools->environment; each != NULL && *each != NULL; each++)
        free(*each);
    free(tools->environment);
    free(tools->dump);
    free(tools->restore);
    if (tools->passfile >= 0)
        close(tools->passfile);
    *tools = (struct tools){.passfile = -1};
}
