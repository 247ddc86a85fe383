#include "core/worker.h"

#include "core/backup/backup.h"
#include "core/base/child.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/decisions.h"
#include "core/journal.h"
#include "core/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY "ok"
#define JOB_LIMIT (1 << 20)

/* The job as JSON, through the pipe. */

static char *job_text(const struct run_job *job, const char *journal_path)
{
    const struct datastore *store = job->datastore;
    json_t *json = json_pack("{s:s, s:i, s:i, s:b, s:b, s:i, s:s, s:o, s:{s:s, s:i, s:s, s:s, s:s?, s:s?, s:i, s:b, s:b, s:s?}, s:s?}",
        "command", job->command, "kind", job->kind, "to", job->to, "resume", job->resume, "clear_dead_lock", job->clear_dead_lock,
        "deadline_ms", job->deadline_ms, "journal", journal_path, "plugins", json_names(job->plugins), "datastore", "host", store->host,
        "port", store->port, "database", store->database, "user", store->user, "password", store->password, "schema", store->schema,
        "timeout_ms", store->timeout_ms, "ssl", store->ssl, "ssl_verify", store->ssl_verify, "trusted_certificate",
        store->trusted_certificate, "folder", job->folder);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

static char *copy_text(const json_t *object, const char *key)
{
    return mem_dup(json_string_value(json_object_get(object, key)));
}

static void read_datastore(const json_t *json, struct datastore *store)
{
    *store = (struct datastore){
        .host = copy_text(json, "host"),
        .port = (int)json_integer_value(json_object_get(json, "port")),
        .database = copy_text(json, "database"),
        .user = copy_text(json, "user"),
        .password = copy_text(json, "password"),
        .schema = copy_text(json, "schema"),
        .timeout_ms = (int)json_integer_value(json_object_get(json, "timeout_ms")),
        .ssl = json_is_true(json_object_get(json, "ssl")),
        .ssl_verify = json_is_true(json_object_get(json, "ssl_verify")),
        .trusted_certificate = copy_text(json, "trusted_certificate"),
    };
}

/* Starting. */

struct launch {
    char program[PATH_MAX];       /* ours */
    char *runner;                 /* what starts it; NULL: it is started itself */
    const char *arguments[LINGER_ARGUMENTS];
    char **environment;
    int job[2], ready[2], log;
};

/* Only calls that are safe between fork and exec in a program with threads. The worker becomes a child of init: no one has to
 * wait for it. */
static void launch_child(const struct launch *launch)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int signal_number = 1; signal_number < 32; signal_number++)
        signal(signal_number, SIG_DFL);
    setsid();
    pid_t worker = fork();
    if (worker != 0)
        _exit(worker < 0 ? 1 : 0);
    if (dup2(launch->job[0], STDIN_FILENO) < 0 || dup2(launch->ready[1], STDOUT_FILENO) < 0 || dup2(launch->log, STDERR_FILENO) < 0)
        _exit(1);
    for (int fd = 3; fd < 256; fd++)
        close(fd);
    execve(launch->runner != NULL ? launch->runner : launch->program, (char *const *)(uintptr_t)launch->arguments, launch->environment);
    if (launch->runner == NULL)
        execve("/proc/self/exe", (char *const *)(uintptr_t)launch->arguments, launch->environment);   /* the file was replaced while this ran */
    static const char message[] = "kong-upgrade: the worker can't be started: the program's file is gone\n";
    (void)!write(STDOUT_FILENO, message, sizeof message - 1);
    _exit(1);
}

/* What the worker says when it is up: "ok", or why it is not. */
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

static bool open_launch(struct launch *launch, const char *log_path, struct error *error)
{
    *launch = (struct launch){.job = {-1, -1}, .ready = {-1, -1}, .log = -1};
    ssize_t length = readlink("/proc/self/exe", launch->program, sizeof launch->program - 1);
    launch->log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (launch->log < 0)
        return error_set(error, ERROR_FILE, "can't write %s: %s; free disk space or make the folder writable", log_path, strerror(errno));
    if (length <= 0 || pipe2(launch->job, O_CLOEXEC) != 0 || pipe2(launch->ready, O_CLOEXEC) != 0)
        return error_set(error, ERROR_SYSTEM, "can't start the worker: %s", strerror(errno));
    launch->environment = child_environment();
    enum lingers linger = linger_find(NULL);
    linger_command(linger, NULL, launch->program, launch->arguments);
    launch->runner = linger == LINGER_SCOPE ? child_find(launch->arguments[0]) : NULL;
    return true;
}

static void close_launch(struct launch *launch)
{
    int *const fds[] = {&launch->job[0], &launch->job[1], &launch->ready[0], &launch->ready[1], &launch->log};
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (*fds[i] >= 0)
            close(*fds[i]);
    if (launch->environment != NULL)
        child_free_environment(launch->environment);
    free(launch->runner);
}

static bool launch_worker(struct launch *launch, const char *job, struct error *error)
{
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

static char *log_path_of(const char *journal_path)
{
    return mem_printf("%.*s.log", (int)(strlen(journal_path) - strlen(".jsonl")), journal_path);
}

char *worker_start(const struct run_job *job, struct error *error)
{
    char *folder = journal_folder(job->datastore, true, error);
    if (folder == NULL)
        return NULL;
    char *path = journal_new_path(folder, job->command), *log_path = log_path_of(path), *text = job_text(job, path);
    struct launch launch;
    bool started = false;
    if (text == NULL)
        error_set(error, ERROR_CONFIG, "a setting of kong.conf is not valid UTF-8: host, database, user, password and schema must be");
    else {
        started = open_launch(&launch, log_path, error) && launch_worker(&launch, text, error);
        close_launch(&launch);
    }
    struct stat log;
    if (!started && stat(log_path, &log) == 0 && log.st_size == 0)
        unlink(log_path);
    mem_wipe(text);
    free(log_path);
    free(folder);
    if (started)
        return path;
    free(path);
    return NULL;
}

/* Looking back at journals. A run that did not get Kong's lock has not begun. */

struct glance {
    char command[32];
    char host[256];
    bool begun, ended_well;
    pid_t pid;
};

static void glance_at(void *context, const json_t *event)
{
    struct glance *glance = context;
    const char *kind = json_get_text(event, "event");
    if (strcmp(kind, "start") == 0) {
        snprintf(glance->command, sizeof glance->command, "%s", json_get_text(event, "command"));
        snprintf(glance->host, sizeof glance->host, "%s", json_get_text(event, "host"));
        glance->pid = (pid_t)json_integer_value(json_object_get(event, "pid"));
    } else if (strcmp(kind, "lock") == 0 || strcmp(kind, "plan") == 0) {
        glance->begun = true;
    } else if (strcmp(kind, "end") == 0) {
        const char *result = json_get_text(event, "result");
        glance->ended_well = strcmp(result, "done") == 0 || strcmp(result, "nothing") == 0;
    }
}

static bool read_glance(const char *path, struct glance *glance, struct error *error)
{
    struct journal_reader reader;
    *glance = (struct glance){0};
    if (!journal_open(&reader, path, error))
        return false;
    journal_read(&reader, glance_at, glance);
    journal_reader_close(&reader);
    return true;
}

bool worker_stop(const char *journal_path, struct error *error)
{
    struct glance glance;
    if (!read_glance(journal_path, &glance, error))
        return false;
    if (!journal_alive(journal_path) || glance.pid <= 1)
        return error_set(error, ERROR_REFUSED, "no worker runs: there is nothing to stop");
    char host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    if (strcmp(host, glance.host) != 0)   /* a state folder that several machines share */
        return error_set(error, ERROR_REFUSED, "the worker runs on %s: stop it there", glance.host);
    if (kill(glance.pid, SIGTERM) != 0)
        return error_set(error, ERROR_SYSTEM, "can't stop the worker (pid %ld): %s; stop it as the user who started it", (long)glance.pid, strerror(errno));
    return true;
}

bool worker_up_interrupted(const char *folder)
{
    struct names paths = {0};
    struct glance glance;
    bool found = false, interrupted = false;
    journal_list(folder, &paths);
    for (size_t i = paths.count; i > 0 && !found; i--) {
        found = read_glance(paths.list[i - 1], &glance, NULL) && strcmp(glance.command, "up") == 0 && glance.begun;
        interrupted = found && !glance.ended_well && !journal_alive(paths.list[i - 1]);
    }
    names_free(&paths);
    return interrupted;
}

/* Being the worker. */

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

static void set_signals(void)
{
    struct sigaction stop = {.sa_handler = ask_to_stop};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);   /* a limit on the size of files is to be like a full disk */
}

static json_t *read_job(void)
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

static bool is_job(const json_t *json)
{
    static const char *const texts[] = {"host", "database", "user"};
    const json_t *store = json_object_get(json, "datastore"), *plugins = json_object_get(json, "plugins"), *plugin;
    size_t i;
    bool complete = json_get_text(json, "command")[0] != '\0' && json_get_text(json, "journal")[0] == '/' && json_is_array(plugins);
    for (i = 0; i < COUNT_OF(texts); i++)
        complete = complete && json_is_string(json_object_get(store, texts[i]));
    json_array_foreach(plugins, i, plugin)
        complete = complete && json_is_string(plugin);
    return complete;
}

static void add_start_event(struct journal *journal, const struct run_job *job)
{
    char host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    const struct passwd *user = getpwuid(getuid());
    const struct datastore *store = job->datastore;
    journal_add(journal, true, json_pack("{s:s, s:s, s:i, s:o, s:o, s:s, s:s, s:{s:o, s:i, s:o, s:o}}", "event", "start", "command",
        job->command, "pid", (int)getpid(), "host", json_text(host), "user", json_text(user != NULL ? user->pw_name : "?"), "program",
        "kong-upgrade " KONG_UPGRADE_VERSION, "to", kong_version_names[job->to], "database", "host", json_text(store->host), "port",
        store->port, "name", json_text(store->database), "schema", json_text(store->schema)));
}

/* NULL where it can't be written: then nothing is begun. */
static struct journal *open_journal(const char *path, const struct run_job *job, struct error *error)
{
    struct journal *journal = journal_create(path, error);
    if (journal == NULL)
        return NULL;
    add_start_event(journal, job);
    if (!journal_failed(journal, error))
        return journal;
    error_prefix(error, "nothing was changed");
    journal_close(journal);
    unlink(path);
    return NULL;
}

/* What was acknowledged and overruled for this upgrade does not stand for another one. */
static void close_decisions(struct journal *journal)
{
    struct error error = {0};
    char *folder = mem_dup(journal_path(journal));
    *strrchr(folder, '/') = '\0';
    if (!decisions_close(folder, &error))
        journal_add(journal, false, json_pack("{s:s, s:o}", "event", "note", "text", json_text(error.message)));
    error_clear(&error);
    free(folder);
}

static int work(const struct run_job *job, struct journal *journal)
{
    bool is_backup = strcmp(job->command, BACKUP_COMMAND) == 0;
    struct run_outcome outcome = is_backup ? backup_run(job, journal, &stop_asked) : run_job(job, journal, &stop_asked);
    if (job->kind == PLAN_FINISH && outcome.result == RUN_DONE)
        close_decisions(journal);
    journal_add(journal, true, json_pack("{s:s, s:s, s:i, s:o}", "event", "end", "result", run_result_name(outcome.result), "exit",
        outcome.exit_code, "message", json_text(outcome.message)));
    free(outcome.message);
    return outcome.exit_code;
}

/* From here on standard output is the log, as standard error is. */
static void say_ready(const char *answer)
{
    (void)!write(STDOUT_FILENO, answer, strlen(answer));
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

int worker_main(void)
{
    struct error error = {0};
    struct datastore store = {0};
    struct names plugins = {0};
    set_signals();
    umask(077);
    json_t *json = read_job(), *plugin;
    if (!is_job(json)) {
        json_decref(json);
        say_ready("kong-upgrade: the worker was given no job; it is not meant to be started by hand\n");
        return 64;
    }
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    close(nothing);
    (void)!chdir("/");
    size_t i;
    json_array_foreach(json_object_get(json, "plugins"), i, plugin)
        names_add(&plugins, json_string_value(plugin));
    read_datastore(json_object_get(json, "datastore"), &store);
    struct run_job job = {
        .command = json_get_text(json, "command"),
        .kind = (enum plan_kind)json_integer_value(json_object_get(json, "kind")),
        .to = (enum kong_version)json_integer_value(json_object_get(json, "to")),
        .datastore = &store,
        .plugins = &plugins,
        .resume = json_is_true(json_object_get(json, "resume")),
        .clear_dead_lock = json_is_true(json_object_get(json, "clear_dead_lock")),
        .deadline_ms = (int)json_integer_value(json_object_get(json, "deadline_ms")),
        .folder = json_get_text(json, "folder"),
    };
    const char *path = json_get_text(json, "journal");
    struct journal *journal = open_journal(path, &job, &error);
    int exit_code = 1;
    say_ready(journal != NULL ? READY : error.message);
    if (journal != NULL)
        exit_code = work(&job, journal);
    journal_close(journal);
    char *log_path = log_path_of(path);
    struct stat log;
    if (stat(log_path, &log) == 0 && log.st_size == 0)
        unlink(log_path);
    free(log_path);
    error_clear(&error);
    names_free(&plugins);
    datastore_free(&store);
    json_decref(json);
    return exit_code;
}
