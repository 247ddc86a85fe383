#include "core/supervise.h"

#include "core/base/mem.h"
#include "core/hook_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define WATCH_MS 100
#define OUTPUT_LIMIT (4 << 20)   /* from there on the room of what was said first is given back: only the last lines count */

struct supervisor {
    const struct supervision *job;
    struct supervised *outcome;
    uv_loop_t loop;
    uv_process_t process;
    uv_timer_t deadline, grace, watch;
    int write_fd, read_fd;       /* of the output */
    int64_t offset;
    pid_t group;
    bool killed, exited;
    int exit_code, signal_number;
};

/* Of a group that is being ended, those who are left after its first process count too; what a child has left running on purpose
 * does not. */
static void finish_if_over(struct supervisor *supervisor)
{
    bool ending = (supervisor->outcome->late || supervisor->outcome->stopped) && !supervisor->killed;
    if (supervisor->exited && (!ending || kill(-supervisor->group, 0) != 0))
        uv_stop(&supervisor->loop);
}

static void on_ended(uv_process_t *process, int64_t exit_status, int signal_number)
{
    struct supervisor *supervisor = process->data;
    supervisor->exited = true;
    supervisor->exit_code = (int)exit_status;
    supervisor->signal_number = signal_number;
    finish_if_over(supervisor);
}

static void on_grace(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    kill(-supervisor->group, SIGKILL);
    supervisor->killed = true;
    finish_if_over(supervisor);
}

static void end_group(struct supervisor *supervisor, bool *why)
{
    if (supervisor->outcome->late || supervisor->outcome->stopped)
        return;
    *why = true;
    kill(-supervisor->group, SIGTERM);
    uv_timer_start(&supervisor->grace, on_grace, SUPERVISE_GRACE_MS, 0);
}

static void on_deadline(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    end_group(supervisor, &supervisor->outcome->late);
}

/* What has been read needs no room on the disk. A file system that can't do that keeps it until the end. */
static void on_watch(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    const struct supervision *job = supervisor->job;
    hook_output_read(supervisor->read_fd, &supervisor->offset, &supervisor->outcome->lines);
    if (supervisor->offset > OUTPUT_LIMIT)
        (void)!fallocate(supervisor->write_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, supervisor->offset);
    if (*job->stop)
        end_group(supervisor, &supervisor->outcome->stopped);
    if (job->tick != NULL)
        job->tick(job->context, &supervisor->outcome->lines);
    finish_if_over(supervisor);
}

static void begin(struct supervisor *supervisor)
{
    uv_timer_t *const timers[] = {&supervisor->deadline, &supervisor->grace, &supervisor->watch};
    uv_loop_init(&supervisor->loop);
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        uv_timer_init(&supervisor->loop, timers[i]);
        timers[i]->data = supervisor;
    }
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void end(struct supervisor *supervisor)
{
    uv_walk(&supervisor->loop, close_handle, NULL);
    uv_run(&supervisor->loop, UV_RUN_DEFAULT);
    uv_loop_close(&supervisor->loop);
}

static int spawn(struct supervisor *supervisor)
{
    const struct supervision *job = supervisor->job;
    uv_stdio_container_t streams[3] = {{.flags = UV_IGNORE},
                                       {.flags = UV_INHERIT_FD, .data.fd = supervisor->write_fd},
                                       {.flags = UV_INHERIT_FD, .data.fd = supervisor->write_fd}};
    const uv_process_options_t options = {
        .exit_cb = on_ended, .file = job->arguments[0], .args = (char **)(uintptr_t)job->arguments, .env = (char **)(uintptr_t)job->environment,
        .flags = UV_PROCESS_DETACHED, .stdio_count = 3, .stdio = streams,
    };
    supervisor->process.data = supervisor;
    int code = uv_spawn(&supervisor->loop, &supervisor->process, &options);
    supervisor->group = code == 0 ? supervisor->process.pid : 0;
    return code;
}

static char *spawn_problem(const char *command, int code)
{
    struct stat status;
    if (code == UV_ENOENT && access(command, F_OK) != 0)
        return mem_printf("there is no file %s; mend fleet.ini", command);
    if (code == UV_ENOENT)
        return mem_printf("the interpreter that the first line of %s names is not there", command);
    if (code == UV_EACCES && stat(command, &status) == 0 && S_ISDIR(status.st_mode))
        return mem_printf("%s is a folder, not a command; mend fleet.ini", command);
    if (code == UV_EACCES)
        return mem_printf("%s is not executable by this user: chmod +x", command);
    return mem_printf("%s can't be started: %s", command, uv_strerror(code));
}

static void judge(struct supervisor *supervisor)
{
    struct supervised *outcome = supervisor->outcome;
    hook_output_read(supervisor->read_fd, &supervisor->offset, &outcome->lines);
    hook_lines_end(&outcome->lines);
    outcome->exit_code = supervisor->signal_number == 0 ? supervisor->exit_code : -1;
    if (outcome->late)
        outcome->problem = mem_printf("it was not done after %d s", supervisor->job->deadline_seconds);
    else if (outcome->stopped)
        outcome->problem = mem_dup("");
    else if (supervisor->signal_number != 0)
        outcome->problem = mem_printf("signal %d (%s)", supervisor->signal_number, strsignal(supervisor->signal_number));
    else if (supervisor->exit_code != 0)
        outcome->problem = mem_printf("exit code %d", supervisor->exit_code);
}

static bool open_output(struct supervisor *supervisor, struct error *error)
{
    const char *path = supervisor->job->output_path;
    supervisor->write_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    supervisor->read_fd = supervisor->write_fd >= 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (supervisor->read_fd < 0)
        error_set(error, ERROR_FILE, "can't write %s: %s; free disk space or make the folder writable", path, strerror(errno));
    return supervisor->read_fd >= 0;
}

static void close_output(struct supervisor *supervisor)
{
    if (supervisor->read_fd >= 0)
        close(supervisor->read_fd);
    if (supervisor->write_fd >= 0) {
        close(supervisor->write_fd);
        unlink(supervisor->job->output_path);
    }
}

static void run(struct supervisor *supervisor)
{
    const struct supervision *job = supervisor->job;
    begin(supervisor);
    int code = spawn(supervisor);
    if (code == 0) {
        uv_timer_start(&supervisor->deadline, on_deadline, (uint64_t)job->deadline_seconds * 1000, 0);
        uv_timer_start(&supervisor->watch, on_watch, WATCH_MS, WATCH_MS);
    }
    if (job->started != NULL)
        job->started(job->context);
    if (code == 0) {
        uv_run(&supervisor->loop, UV_RUN_DEFAULT);
        judge(supervisor);
    } else {
        supervisor->outcome->problem = spawn_problem(job->arguments[0], code);
    }
    end(supervisor);
}

bool supervise(const struct supervision *supervision, struct supervised *outcome, struct error *error)
{
    struct supervisor supervisor = {.job = supervision, .outcome = outcome, .write_fd = -1, .read_fd = -1};
    outcome->exit_code = -1;
    bool opened = open_output(&supervisor, error);
    if (opened)
        run(&supervisor);
    close_output(&supervisor);
    return opened;
}

void supervised_free(struct supervised *outcome)
{
    free(outcome->problem);
    hook_lines_free(&outcome->lines);
    *outcome = (struct supervised){0};
}
