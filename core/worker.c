#include "core/worker.h"

#include "core/backup/backup.h"
#include "core/base/child.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/conf/conf_copy.h"
#include "core/decisions.h"
#include "core/journal.h"
#include "core/run_view.h"
#include "core/kong_run.h"
#include "core/launch.h"
#include "core/migrations/rollback.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The job as JSON, through the pipe. */

static char *job_text(const struct run_job *job, const char *journal_path)
{
    const struct datastore *store = job->datastore;
    json_t *json = json_pack("{s:s, s:i, s:i, s:b, s:b, s:i, s:s, s:o, s:{s:s, s:i, s:s, s:s, s:s?, s:s?, s:i, s:b, s:b, s:s?}, s:s?, s:s?, s:s?, s:i}",
        "command", job->command, "kind", job->kind, "to", job->to, "resume", job->resume, "clear_dead_lock", job->clear_dead_lock,
        "deadline_ms", job->deadline_ms, "journal", journal_path, "plugins", json_names(job->plugins), "datastore", "host", store->host,
        "port", store->port, "database", store->database, "user", store->user, "password", store->password, "schema", store->schema,
        "timeout_ms", store->timeout_ms, "ssl", store->ssl, "ssl_verify", store->ssl_verify, "trusted_certificate",
        store->trusted_certificate, "folder", job->folder, "kong", job->kong, "kong_conf", job->kong_conf, "kong_deadline", job->kong_deadline);
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

static char *log_path_of(const char *journal_path)
{
    return mem_printf("%.*s.log", (int)(strlen(journal_path) - strlen(".jsonl")), journal_path);
}

/* What a killed worker of Kong's own command has left has passwords in it. */
static void sweep(const char *folder)
{
    char *running = journal_find_running(folder);
    if (running == NULL)
        conf_copy_sweep(folder);
    free(running);
}

char *worker_start(const struct run_job *job, struct error *error)
{
    char *folder = journal_folder(job->datastore, true, error);
    if (folder == NULL)
        return NULL;
    sweep(folder);
    char *path = journal_new_path(folder, job->command), *log_path = log_path_of(path), *text = job_text(job, path);
    char **environment = job->environment == NULL ? child_environment() : NULL;
    const struct launch_request request = {WORKER_COMMAND, text, environment != NULL ? environment : job->environment, log_path};
    bool started = false;
    if (text == NULL)
        error_set(error, ERROR_CONFIG, "a setting of kong.conf is not valid UTF-8: host, database, user, password and schema must be");
    else
        started = launch_start(&request, error);
    if (environment != NULL)
        child_free_environment(environment);
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
    bool nothing;                 /* there was nothing to do */
    pid_t pid;
    int64_t first_ms, last_ms;    /* wall clock, of its events */
};

static void glance_at(void *context, const json_t *event)
{
    struct glance *glance = context;
    const char *kind = json_get_text(event, "event");
    int64_t at = run_view_time(json_get_text(event, "t"));
    glance->first_ms = glance->first_ms == 0 ? at : glance->first_ms;
    glance->last_ms = at != 0 ? at : glance->last_ms;
    if (strcmp(kind, "start") == 0) {
        snprintf(glance->command, sizeof glance->command, "%s", json_get_text(event, "command"));
        snprintf(glance->host, sizeof glance->host, "%s", json_get_text(event, "host"));
        glance->pid = (pid_t)json_integer_value(json_object_get(event, "pid"));
    } else if (strcmp(kind, "lock") == 0 || strcmp(kind, "plan") == 0) {
        glance->begun = true;
    } else if (strcmp(kind, "end") == 0) {
        const char *result = json_get_text(event, "result");
        glance->nothing = strcmp(result, "nothing") == 0;
        glance->ended_well = strcmp(result, "done") == 0 || glance->nothing;
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

void worker_upgrade_times(const char *folder, int64_t *began_ms, int64_t *ended_ms)
{
    struct names paths = {0};
    struct glance glance;
    *began_ms = *ended_ms = 0;
    journal_list(folder, &paths);
    for (size_t i = 0; i < paths.count; i++) {
        if (!read_glance(paths.list[i], &glance, NULL) || !glance.begun || glance.nothing)
            continue;
        bool ups = strcmp(glance.command, "up") == 0 || strcmp(glance.command, "bootstrap") == 0;
        bool finishes = strcmp(glance.command, "finish") == 0 || strcmp(glance.command, "bootstrap") == 0;
        if (ups && (*began_ms == 0 || *ended_ms != 0)) {
            *began_ms = glance.first_ms;
            *ended_ms = 0;
        }
        if (finishes && glance.ended_well)
            *ended_ms = glance.last_ms;
        if (strcmp(glance.command, ROLLBACK_COMMAND) == 0 && glance.ended_well)
            *began_ms = *ended_ms = 0;
    }
    names_free(&paths);
}

/* The last of those runs that may be resumed: whether it is of that command, and was cut short. */
static bool is_interrupted(const char *folder, const char *command)
{
    struct names paths = {0};
    struct glance glance;
    bool found = false, interrupted = false;
    journal_list(folder, &paths);
    for (size_t i = paths.count; i > 0 && !found; i--) {
        found = read_glance(paths.list[i - 1], &glance, NULL) && glance.begun &&
                (strcmp(glance.command, "up") == 0 || strcmp(glance.command, ROLLBACK_COMMAND) == 0);
        interrupted = found && strcmp(glance.command, command) == 0 && !glance.ended_well && !journal_alive(paths.list[i - 1]);
    }
    names_free(&paths);
    return interrupted;
}

bool worker_up_interrupted(const char *folder)
{
    return is_interrupted(folder, "up");
}

bool worker_rollback_interrupted(const char *folder)
{
    return is_interrupted(folder, ROLLBACK_COMMAND);
}

bool worker_resumes(const struct datastore *datastore, bool (*interrupted)(const char *folder))
{
    char *folder = journal_folder(datastore, false, NULL);
    bool resumes = folder != NULL && interrupted(folder);
    free(folder);
    return resumes;
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
    journal_add(journal, true, json_pack("{s:s, s:s, s:i, s:o, s:o, s:s, s:s, s:o, s:{s:o, s:i, s:o, s:o}}", "event", "start", "command",
        job->command, "pid", (int)getpid(), "host", json_text(host), "user", json_text(user != NULL ? user->pw_name : "?"), "program",
        "kong-upgrade " KONG_UPGRADE_VERSION, "to", kong_version_names[job->to], "kong", json_text(job->kong), "database", "host", json_text(store->host), "port",
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
    struct run_outcome outcome = is_backup ? backup_run(job, journal, &stop_asked) : job->kong != NULL ? kong_run(job, journal, &stop_asked)
                                                                                                       : run_job(job, journal, &stop_asked);
    bool over = strcmp(job->command, "finish") == 0 || job->kind == PLAN_ROLLBACK;
    if (over && outcome.result == RUN_DONE)
        close_decisions(journal);
    journal_add(journal, true, json_pack("{s:s, s:s, s:i, s:o}", "event", "end", "result", run_result_name(outcome.result), "exit",
        outcome.exit_code, "message", json_text(outcome.message)));
    free(outcome.message);
    return outcome.exit_code;
}

int worker_main(void)
{
    struct error error = {0};
    struct datastore store = {0};
    struct names plugins = {0};
    set_signals();
    umask(077);
    json_t *json = launch_read_job(), *plugin;
    if (!is_job(json)) {
        json_decref(json);
        launch_answer("kong-upgrade: the worker was given no job; it is not meant to be started by hand\n");
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
        .kong = copy_text(json, "kong"),
        .kong_conf = copy_text(json, "kong_conf"),
        .kong_deadline = (int)json_integer_value(json_object_get(json, "kong_deadline")),
    };
    const char *path = json_get_text(json, "journal");
    struct journal *journal = open_journal(path, &job, &error);
    int exit_code = 1;
    launch_answer(journal != NULL ? NULL : error.message);
    if (journal != NULL)
        exit_code = work(&job, journal);
    journal_close(journal);
    kong_job_free(&job, journal != NULL);
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
