#include "core/hook.h"

#include "core/base/child.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/hook_record.h"
#include "core/journal.h"
#include "core/launch.h"
#include "core/supervise.h"

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

char **hook_environment(const struct fleet *fleet)
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

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

static void set_signals(void)
{
    const struct sigaction stop = {.sa_handler = ask_to_stop};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
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

static void add_start(struct journal *journal, const json_t *job)
{
    char host[256] = "unknown";
    const struct passwd *user = getpwuid(getuid());
    gethostname(host, sizeof host - 1);
    json_t *event = json_pack("{s:s, s:s, s:O, s:o, s:o, s:i}", "event", "start", "hook", json_get_text(job, "hook"), "arguments",
                              json_object_get(job, "arguments"), "user", json_text(user != NULL ? user->pw_name : "?"), "host",
                              json_text(host), "pid", (int)getpid());
    static const char *const more[] = {"percent", "node"};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (json_object_get(job, more[i]) != NULL)
            json_object_set(event, more[i], json_object_get(job, more[i]));
    journal_add(journal, true, event);
}

static void add_end(struct journal *journal, const struct supervised *outcome)
{
    json_t *lines = json_array();
    for (size_t i = 0; i < outcome->lines.count; i++)
        json_array_append_new(lines, json_text(hook_lines_get(&outcome->lines, i)));
    enum hook_result result = outcome->problem == NULL ? HOOK_DONE : outcome->late ? HOOK_LATE : outcome->stopped ? HOOK_STOPPED : HOOK_FAILED;
    journal_add(journal, true, json_pack("{s:s, s:s, s:i, s:o, s:i, s:o}", "event", "end", "result", hook_result_name(result), "exit",
                outcome->exit_code, "message", json_text(outcome->problem != NULL ? outcome->problem : ""), "dropped", (int)outcome->lines.dropped, "lines",
                lines));
}

static void tell_started(void *context)
{
    (void)context;
    launch_answer(NULL);
}

/* Runs it from beginning to end; the caller is told that it was begun. */
static bool run(const json_t *job, const char *path, struct error *error)
{
    struct supervised outcome = {0};
    struct journal *journal = journal_create(path, error);
    if (journal == NULL)
        return false;
    char **arguments = arguments_of(job), *output_path = hook_output_path(path);
    const struct supervision supervision = {
        .arguments = arguments, .output_path = output_path, .deadline_seconds = (int)json_integer_value(json_object_get(job, "deadline")),
        .stop = &stop_asked, .started = tell_started,
    };
    add_start(journal, job);
    bool done = supervise(&supervision, &outcome, error);
    if (done)
        add_end(journal, &outcome);
    else
        unlink(path);
    supervised_free(&outcome);
    free(output_path);
    free(arguments);
    journal_close(journal);
    return done;
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
    struct error error = {0};
    set_signals();
    json_t *job = launch_read_job();
    if (!is_job(job)) {
        json_decref(job);
        launch_answer("kong-upgrade: no hook was given; this is not meant to be started by hand\n");
        return 64;
    }
    const char *path = json_get_text(job, "record");
    bool done = take_turn(path, &error) && run(job, path, &error);
    if (!done)
        launch_answer(error.message);
    char *log_path = path_beside(path, ".log");
    struct stat log;
    if (stat(log_path, &log) == 0 && log.st_size == 0)
        unlink(log_path);
    free(log_path);
    error_clear(&error);
    json_decref(job);
    return done ? 0 : 1;
}
