#include "core/hook.h"

#include "core/base/child.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/hook_record.h"
#include "core/journal.h"
#include "core/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define WATCH_MS 100
#define OUTPUT_LIMIT (4 << 20)   /* from there on the room of what was said first is given back: only the last lines count */

/* Starting. */

/* `variable`: NAME=VALUE. */
static bool is_header(const struct fleet *fleet, const char *variable)
{
    size_t length = strcspn(variable, "=");
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        for (size_t i = 0; i < fleet->access[cluster].header_count; i++) {
            const char *name = fleet->access[cluster].headers[i].variable;
            if (strlen(name) == length && strncmp(name, variable, length) == 0)
                return true;
        }
    return false;
}

/* Passwords of Kong's and of libpq's, and keys of Admin APIs, are not for whatever a hook calls. */
static bool is_harmless(const struct fleet *fleet, const char *variable)
{
    return strncmp(variable, "KONG_", strlen("KONG_")) != 0 && strncmp(variable, "PG", strlen("PG")) != 0 && !is_header(fleet, variable);
}

static char **hook_environment(const struct fleet *fleet)
{
    size_t count = 0, kept = 0;
    while (environ[count] != NULL)
        count++;
    char **environment = mem_zero(count + 1, sizeof *environment);
    for (size_t i = 0; i < count; i++)
        if (is_harmless(fleet, environ[i]))
            environment[kept++] = mem_dup(environ[i]);
    return environment;
}

static char *path_beside(const char *record_path, const char *ending)
{
    return mem_printf("%.*s%s", (int)(strrchr(record_path, '.') - record_path), record_path, ending);
}

static char *new_path(const char *folder, enum hook_kind kind)
{
    char *journal = journal_new_path(folder, hook_name(kind)), *path = path_beside(journal, ".hook");
    free(journal);
    return path;
}

static json_t *job_json(const struct hook_job *job, const struct names *arguments, const char *path)
{
    json_t *json = json_pack("{s:s, s:s, s:o, s:i}", "record", path, "hook", hook_name(job->kind), "arguments", json_names(arguments),
                             "deadline", hooks_deadline(&job->fleet->hooks));
    if (job->kind == HOOK_DIVERT)
        json_object_set_new(json, "percent", json_integer(job->values.percent));
    if (job->kind == HOOK_DECOMMISSION)
        json_object_set_new(json, "node", json_text(job->values.node));
    return json;
}

char *hook_start(const struct hook_job *job, struct error *error)
{
    const struct hook *hook = &job->fleet->hooks.list[job->kind];
    struct names arguments = {0};
    if (hook->text == NULL) {
        error_set(error, ERROR_CONFIG, "fleet.ini has no %s hook: add it to [hooks]", hook_name(job->kind));
        return NULL;
    }
    hook_fill(hook, &job->values, &arguments);
    char *path = new_path(job->folder, job->kind), *log_path = path_beside(path, ".log");
    json_t *json = job_json(job, &arguments, path);
    char *text = json_dumps(json, JSON_COMPACT), **environment = hook_environment(job->fleet);
    const struct launch_request request = {HOOK_COMMAND, text, environment, log_path};
    if (!launch_start(&request, error)) {
        free(path);
        path = NULL;
    }
    child_free_environment(environment);
    free(text);
    json_decref(json);
    free(log_path);
    names_free(&arguments);
    return path;
}

bool hook_stop(const char *record_path, struct error *error)
{
    struct hook_record record;
    char host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    bool found = hook_record_read(record_path, &record), stopped = false;
    if (!found || record.result != HOOK_RUNS || record.pid <= 1)
        error_set(error, ERROR_REFUSED, "the hook has ended: there is nothing to stop");
    else if (strcmp(record.host, host) != 0)   /* a state folder that several machines share */
        error_set(error, ERROR_REFUSED, "the hook runs on %s: stop it there", record.host);
    else if (kill(record.pid, SIGTERM) != 0)
        error_set(error, ERROR_SYSTEM, "can't stop the hook (pid %ld): %s; stop it as the user who started it", (long)record.pid, strerror(errno));
    else
        stopped = true;
    hook_record_free(&record);
    return stopped;
}

char *hook_find_running(const char *folder)
{
    struct names paths = {0};
    char *running = NULL;
    hook_record_list(folder, &paths);
    for (size_t i = paths.count; i > 0 && running == NULL; i--)
        if (journal_alive(paths.list[i - 1]))
            running = mem_dup(paths.list[i - 1]);
    names_free(&paths);
    return running;
}

/* Being the process that runs it. */

struct supervisor {
    uv_loop_t loop;
    uv_process_t process;
    uv_timer_t deadline, grace, watch;
    uv_signal_t terminate, interrupt;
    const json_t *job;
    struct journal *journal;
    char *output_path;
    int write_fd, read_fd;       /* of the output */
    int64_t offset;
    struct hook_lines lines;
    pid_t group;
    bool late, stopped, killed, exited;
    int exit_code, signal_number;
};

/* Of a group that is being ended, those who are left after its first process count too; what a hook has left running on purpose
 * does not. */
static void finish_if_over(struct supervisor *supervisor)
{
    bool ending = (supervisor->late || supervisor->stopped) && !supervisor->killed;
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

static void end_group(struct supervisor *supervisor)
{
    if (uv_is_active((uv_handle_t *)&supervisor->grace))
        return;
    kill(-supervisor->group, SIGTERM);
    uv_timer_start(&supervisor->grace, on_grace, HOOK_GRACE_MS, 0);
}

static void on_deadline(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    supervisor->late = !supervisor->stopped;
    end_group(supervisor);
}

static void on_stop(uv_signal_t *handle, int signal_number)
{
    struct supervisor *supervisor = handle->data;
    (void)signal_number;
    supervisor->stopped = !supervisor->late;
    end_group(supervisor);
}

/* What has been read needs no room on the disk. A file system that can't do that keeps it until the end. */
static void on_watch(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    hook_output_read(supervisor->read_fd, &supervisor->offset, &supervisor->lines);
    if (supervisor->offset > OUTPUT_LIMIT)
        (void)!fallocate(supervisor->write_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, supervisor->offset);
    finish_if_over(supervisor);
}

static void begin(struct supervisor *supervisor)
{
    uv_timer_t *const timers[] = {&supervisor->deadline, &supervisor->grace, &supervisor->watch};
    uv_signal_t *const signals[] = {&supervisor->terminate, &supervisor->interrupt};
    uv_loop_init(&supervisor->loop);
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        uv_timer_init(&supervisor->loop, timers[i]);
        timers[i]->data = supervisor;
    }
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        uv_signal_init(&supervisor->loop, signals[i]);
        signals[i]->data = supervisor;
        uv_signal_start(signals[i], on_stop, i == 0 ? SIGTERM : SIGINT);
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

/* NULL-terminated; points into the job. The caller frees the array. */
static char **arguments_of(const json_t *job)
{
    const json_t *array = json_object_get(job, "arguments");
    char **arguments = mem_zero(json_array_size(array) + 1, sizeof *arguments);
    for (size_t i = 0; i < json_array_size(array); i++)
        arguments[i] = (char *)json_string_value(json_array_get(array, i));
    return arguments;
}

static int spawn(struct supervisor *supervisor)
{
    char **arguments = arguments_of(supervisor->job);
    uv_stdio_container_t streams[3] = {{.flags = UV_IGNORE},
                                       {.flags = UV_INHERIT_FD, .data.fd = supervisor->write_fd},
                                       {.flags = UV_INHERIT_FD, .data.fd = supervisor->write_fd}};
    const uv_process_options_t options = {
        .exit_cb = on_ended, .file = arguments[0], .args = arguments, .flags = UV_PROCESS_DETACHED, .stdio_count = 3, .stdio = streams,
    };
    supervisor->process.data = supervisor;
    int code = uv_spawn(&supervisor->loop, &supervisor->process, &options);
    supervisor->group = code == 0 ? supervisor->process.pid : 0;
    free(arguments);
    return code;
}

/* The record. */

static void add_start(const struct supervisor *supervisor)
{
    char host[256] = "unknown";
    const struct passwd *user = getpwuid(getuid());
    gethostname(host, sizeof host - 1);
    json_t *event = json_pack("{s:s, s:s, s:O, s:o, s:o, s:i}", "event", "start", "hook", json_get_text(supervisor->job, "hook"), "arguments",
                              json_object_get(supervisor->job, "arguments"), "user", json_text(user != NULL ? user->pw_name : "?"), "host",
                              json_text(host), "pid", (int)getpid());
    static const char *const more[] = {"percent", "node"};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (json_object_get(supervisor->job, more[i]) != NULL)
            json_object_set(event, more[i], json_object_get(supervisor->job, more[i]));
    journal_add(supervisor->journal, true, event);
}

static void add_end(struct supervisor *supervisor, enum hook_result result, const char *message)
{
    json_t *lines = json_array();
    for (size_t i = 0; i < supervisor->lines.count; i++)
        json_array_append_new(lines, json_text(hook_lines_get(&supervisor->lines, i)));
    bool ended = supervisor->exited && supervisor->signal_number == 0;
    journal_add(supervisor->journal, true, json_pack("{s:s, s:s, s:i, s:s, s:i, s:o}", "event", "end", "result", hook_result_name(result), "exit",
                ended ? supervisor->exit_code : -1, "message", message, "dropped", (int)supervisor->lines.dropped, "lines", lines));
}

static char *spawn_problem(const struct supervisor *supervisor, int code)
{
    const char *command = json_string_value(json_array_get(json_object_get(supervisor->job, "arguments"), 0));
    struct stat status;
    if (code == UV_ENOENT && access(command, F_OK) != 0)
        return mem_printf("there is no file %s; mend [hooks] in fleet.ini", command);
    if (code == UV_ENOENT)
        return mem_printf("the interpreter that the first line of %s names is not there", command);
    if (code == UV_EACCES && stat(command, &status) == 0 && S_ISDIR(status.st_mode))
        return mem_printf("%s is a folder, not a command; mend [hooks] in fleet.ini", command);
    if (code == UV_EACCES)
        return mem_printf("%s is not executable by this user: chmod +x", command);
    return mem_printf("%s can't be started: %s", command, uv_strerror(code));
}

static void record_end(struct supervisor *supervisor)
{
    hook_output_read(supervisor->read_fd, &supervisor->offset, &supervisor->lines);
    hook_lines_end(&supervisor->lines);
    enum hook_result result = supervisor->late ? HOOK_LATE : supervisor->stopped ? HOOK_STOPPED : HOOK_FAILED;
    char *message = NULL;
    if (supervisor->late)
        message = mem_printf("it was not done after %lld s", (long long)json_integer_value(json_object_get(supervisor->job, "deadline")));
    else if (supervisor->stopped)
        message = mem_dup("");
    else if (supervisor->signal_number != 0)
        message = mem_printf("signal %d (%s)", supervisor->signal_number, strsignal(supervisor->signal_number));
    else if (supervisor->exit_code != 0)
        message = mem_printf("exit code %d", supervisor->exit_code);
    add_end(supervisor, message == NULL ? HOOK_DONE : result, message != NULL ? message : "");
    free(message);
}

/* Runs it from beginning to end; the caller is told that it was begun. */
static void run(struct supervisor *supervisor)
{
    begin(supervisor);
    add_start(supervisor);
    int code = spawn(supervisor);
    if (code != 0) {
        char *problem = spawn_problem(supervisor, code);
        add_end(supervisor, HOOK_FAILED, problem);
        free(problem);
        launch_answer(NULL);
        end(supervisor);
        return;
    }
    uint64_t deadline_ms = (uint64_t)json_integer_value(json_object_get(supervisor->job, "deadline")) * 1000;
    uv_timer_start(&supervisor->deadline, on_deadline, deadline_ms, 0);
    uv_timer_start(&supervisor->watch, on_watch, WATCH_MS, WATCH_MS);
    launch_answer(NULL);
    uv_run(&supervisor->loop, UV_RUN_DEFAULT);
    record_end(supervisor);
    end(supervisor);
}

static bool open_output(struct supervisor *supervisor, const char *path, struct error *error)
{
    supervisor->output_path = hook_output_path(path);
    supervisor->write_fd = open(supervisor->output_path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    supervisor->read_fd = supervisor->write_fd >= 0 ? open(supervisor->output_path, O_RDONLY | O_CLOEXEC) : -1;
    if (supervisor->read_fd < 0)
        return error_set(error, ERROR_FILE, "can't write %s: %s; free disk space or make the folder writable", supervisor->output_path, strerror(errno));
    return true;
}

static bool open_record(struct supervisor *supervisor, const char *path, struct error *error)
{
    supervisor->journal = journal_create(path, error);
    return supervisor->journal != NULL && open_output(supervisor, path, error);
}

/* Held until this process ends. */
static bool take_turn(const char *record_path, struct error *error)
{
    char *path = mem_printf("%.*s/hook.lock", (int)(strrchr(record_path, '/') - record_path), record_path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd < 0)
        error_set(error, ERROR_FILE, "can't write %s: %s; make the folder writable", path, strerror(errno));
    else if (!locked)
        error_set(error, ERROR_HELD, "another hook runs: one at a time; wait until it has ended");
    free(path);
    return locked;
}

static bool is_job(const json_t *job)
{
    const json_t *arguments = json_object_get(job, "arguments"), *each;
    size_t i;
    bool complete = json_get_text(job, "record")[0] == '/' && json_get_text(job, "hook")[0] != '\0' && json_array_size(arguments) > 0;
    json_array_foreach(arguments, i, each)
        complete = complete && json_is_string(each);
    return complete;
}

int hook_main(void)
{
    struct supervisor supervisor = {.write_fd = -1, .read_fd = -1};
    struct error error = {0};
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    json_t *job = launch_read_job();
    if (!is_job(job)) {
        json_decref(job);
        launch_answer("kong-upgrade: no hook was given; this is not meant to be started by hand\n");
        return 64;
    }
    const char *path = json_get_text(job, "record");
    supervisor.job = job;
    bool opened = take_turn(path, &error) && open_record(&supervisor, path, &error);
    if (opened)
        run(&supervisor);
    else
        launch_answer(error.message);
    if (supervisor.output_path != NULL)
        unlink(supervisor.output_path);
    char *log_path = path_beside(path, ".log");
    struct stat log;
    if (stat(log_path, &log) == 0 && log.st_size == 0)
        unlink(log_path);
    free(log_path);
    free(supervisor.output_path);
    hook_lines_free(&supervisor.lines);
    journal_close(supervisor.journal);
    error_clear(&error);
    json_decref(job);
    return opened ? 0 : 1;
}
