#include "core/base/child.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char **child_environment(void)
{
    static const char *const kept[] = {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
                                       "DBUS_SESSION_BUS_ADDRESS", "TMPDIR", "KONG_UPGRADE_PG_BIN", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                       "LSAN_OPTIONS"};
    const size_t kept_count = sizeof kept / sizeof kept[0];
    char **environment = mem_zero(kept_count + 1, sizeof *environment);
    size_t count = 0;
    for (size_t i = 0; i < kept_count; i++)
        if (getenv(kept[i]) != NULL)
            environment[count++] = mem_printf("%s=%s", kept[i], getenv(kept[i]));
    return environment;
}

void child_free_environment(char **environment)
{
    for (char **each = environment; *each != NULL; each++)
        free(*each);
    free(environment);
}

char *child_find(const char *name)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/') != NULL)
        return access(name, X_OK) == 0 ? mem_dup(name) : NULL;
    for (const char *each = path != NULL ? path : "/usr/bin:/bin"; *each != '\0'; each += *each == ':' ? 1 : 0) {
        int length = (int)strcspn(each, ":");
        char *file = mem_printf("%.*s/%s", length, each, name);
        if (length > 0 && access(file, X_OK) == 0)
            return file;
        free(file);
        each += length;
    }
    return NULL;
}

/* Reads until the other end is closed; false where that takes too long, or is too much. */
static bool read_all(int fd, int64_t until, struct buf *out)
{
    char bytes[1024];
    ssize_t got = 1;
    size_t total = 0;
    while (got != 0) {
        int64_t left = until - clock_ms();
        struct pollfd poll_fd = {fd, POLLIN, 0};
        if (left <= 0 || total > CHILD_LIMIT || (poll(&poll_fd, 1, (int)left) <= 0 && errno != EINTR))
            return false;
        got = poll_fd.revents != 0 ? read(fd, bytes, sizeof bytes) : -1;
        total += got > 0 ? (size_t)got : 0;
        if (got > 0 && out != NULL)
            buf_add_bytes(out, bytes, (size_t)got);
        else if (got < 0 && errno != EINTR)
            return false;
    }
    return true;
}

static bool end_well(pid_t child, int64_t until)
{
    int status = 0;
    pid_t ended;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0 && clock_ms() < until)
        poll(NULL, 0, 5);
    if (ended == 0) {
        kill(-child, SIGKILL);
        waitpid(child, &status, 0);
    }
    return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool child_run(const char *const *arguments, int milliseconds, struct buf *out)
{
    int64_t until = clock_ms() + milliseconds;
    int fds[2];
    pid_t child = 0;
    char *program = child_find(arguments[0]), **environment = child_environment();
    bool good = program != NULL && pipe2(fds, O_CLOEXEC) == 0;
    if (good) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);   /* a group of its own, so that all of it can be ended */
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        good = posix_spawn(&child, program, &actions, &attributes, (char *const *)(uintptr_t)arguments, environment) == 0;
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        close(fds[1]);
        if (good) {
            bool in_time = read_all(fds[0], until, out);
            good = end_well(child, in_time ? until : 0);
        }
        close(fds[0]);
    }
    child_free_environment(environment);
    free(program);
    return good;
}
