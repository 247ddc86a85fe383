#include "core/launch.h"

#include "core/base/buf.h"
#include "core/base/child.h"
#include "core/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY "ok"
#define JOB_LIMIT (1 << 20)

struct launch {
    const struct launch_request *request;
    char program[PATH_MAX];       /* ours */
    char *runner;                 /* what starts it; NULL: it is started itself */
    const char *arguments[LINGER_ARGUMENTS];
    int job[2], ready[2], log;
};

/* Only calls that are safe between fork and exec in a program with threads. The process becomes a child of init: no one has to
 * wait for it. */
static void launch_child(const struct launch *launch)
{
    char *const *arguments = (char *const *)(uintptr_t)launch->arguments;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int signal_number = 1; signal_number < 32; signal_number++)
        signal(signal_number, SIG_DFL);
    setsid();
    pid_t process = fork();
    if (process != 0)
        _exit(process < 0 ? 1 : 0);
    if (dup2(launch->job[0], STDIN_FILENO) < 0 || dup2(launch->ready[1], STDOUT_FILENO) < 0 || dup2(launch->log, STDERR_FILENO) < 0)
        _exit(1);
    for (int fd = 3; fd < 256; fd++)
        close(fd);
    execve(launch->runner != NULL ? launch->runner : launch->program, arguments, launch->request->environment);
    if (launch->runner == NULL)
        execve("/proc/self/exe", arguments, launch->request->environment);   /* the file was replaced while this ran */
    static const char message[] = "kong-upgrade: the worker can't be started: the program's file is gone\n";
    (void)!write(STDOUT_FILENO, message, sizeof message - 1);
    _exit(1);
}

/* What the process says when it is up: "ok", or why it is not. */
static char *await_ready(int fd)
{
    struct buf answer = {0};
    char bytes[512];
    ssize_t got;
    while ((got = read(fd, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0)
            buf_add_bytes(&answer, bytes, (size_t)got);
    return buf_take(&answer);
}

/* It is to outlive the login session; a worker's arguments end with the command. */
static void choose_runner(struct launch *launch)
{
    enum lingers linger = linger_find(NULL);
    size_t count = 0;
    linger_command(linger, NULL, launch->program, launch->arguments);
    while (launch->arguments[count] != NULL)
        count++;
    launch->arguments[count - 1] = launch->request->command;
    launch->runner = linger == LINGER_SCOPE ? child_find(launch->arguments[0]) : NULL;
}

static bool open_launch(struct launch *launch, const struct launch_request *request, struct error *error)
{
    *launch = (struct launch){.request = request, .job = {-1, -1}, .ready = {-1, -1}, .log = -1};
    ssize_t length = readlink("/proc/self/exe", launch->program, sizeof launch->program - 1);
    launch->log = open(request->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (launch->log < 0)
        return error_set(error, ERROR_FILE, "can't write %s: %s; free disk space or make the folder writable", request->log_path, strerror(errno));
    if (length <= 0 || pipe2(launch->job, O_CLOEXEC) != 0 || pipe2(launch->ready, O_CLOEXEC) != 0)
        return error_set(error, ERROR_SYSTEM, "can't start the worker: %s", strerror(errno));
    choose_runner(launch);
    return true;
}

static void close_launch(struct launch *launch)
{
    int *const fds[] = {&launch->job[0], &launch->job[1], &launch->ready[0], &launch->ready[1], &launch->log};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (*fds[i] >= 0)
            close(*fds[i]);
    free(launch->runner);
}

static bool launch_process(struct launch *launch, struct error *error)
{
    const char *job = launch->request->job;
    pid_t child = fork();
    if (child == 0)
        launch_child(launch);
    if (child < 0)
        return error_set(error, ERROR_SYSTEM, "can't start the worker: %s", strerror(errno));
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(launch->job[0]);
    close(launch->ready[1]);
    launch->job[0] = launch->ready[1] = -1;
    bool told = write(launch->job[1], job, strlen(job)) == (ssize_t)strlen(job);
    close(launch->job[1]);
    launch->job[1] = -1;
    char *answer = await_ready(launch->ready[0]);
    bool ready = told && strcmp(answer, READY) == 0;
    if (!ready)
        error_set(error, ERROR_SYSTEM, "%s", answer[0] != '\0' ? answer : "the worker ended before it began; see the .log file beside the journals");
    free(answer);
    return ready;
}

bool launch_start(const struct launch_request *request, struct error *error)
{
    struct launch launch;
    struct stat log;
    bool started = open_launch(&launch, request, error) && launch_process(&launch, error);
    close_launch(&launch);
    if (!started && stat(request->log_path, &log) == 0 && log.st_size == 0)
        unlink(request->log_path);
    return started;
}

json_t *launch_read_job(void)
{
    struct buf text = {0};
    char bytes[4096];
    ssize_t got;
    while ((got = read(STDIN_FILENO, bytes, sizeof bytes)) > 0 && text.length < JOB_LIMIT)
        buf_add_bytes(&text, bytes, (size_t)got);
    json_t *json = json_loads(buf_text(&text), 0, NULL);
    if (text.data != NULL)
        explicit_bzero(text.data, text.capacity);
    explicit_bzero(bytes, sizeof bytes);
    buf_free(&text);
    return json;
}

void launch_answer(const char *problem)
{
    const char *answer = problem != NULL ? problem : READY;
    (void)!write(STDOUT_FILENO, answer, strlen(answer));
    dup2(STDERR_FILENO, STDOUT_FILENO);
}
