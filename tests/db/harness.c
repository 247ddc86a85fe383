#include "tests/db/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 60000
#define AWAIT_MS 20000

struct harness harness;

/* Everything handed out is kept here, so that tests need not free it. */
static char **pool;
static size_t pool_count;

static char *keep(char *text)
{
    pool = realloc(pool, (pool_count + 1) * sizeof *pool);
    assert_non_null(pool);
    pool[pool_count++] = text;
    return text;
}

char *text_printf(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        fail_msg("out of memory");
    va_end(arguments);
    return keep(text);
}

char *text_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    char *text = NULL;
    size_t length = 0, got;
    do {
        text = realloc(text, length + 65537);
        assert_non_null(text);
        got = fread(text + length, 1, 65536, file);
        length += got;
    } while (got > 0);
    text[length] = '\0';
    fclose(file);
    return keep(text);
}

void text_save(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        fail_msg("can't write %s: %s", path, strerror(errno));
}

/* Programs. */

static const char *passed_on(const char *name)
{
    const char *value = getenv(name);
    return value != NULL ? text_printf("%s=%s", name, value) : NULL;
}

/* What a sanitizer finds in a worker goes to a file, where harness_teardown sees it. */
static const char *sanitizer(const char *name)
{
    const char *value = getenv(name);
    return text_printf("%s=%s%slog_path=%s/sanitizer", name, value != NULL ? value : "", value != NULL ? ":" : "", harness.folder);
}

static const char **own_environment(const char *database, const char *const *more)
{
    const char *const all[] = {
        text_printf("HOME=%s", harness.folder), text_printf("XDG_STATE_HOME=%s", harness.state),
        text_printf("XDG_CONFIG_HOME=%s/config", harness.folder), "LC_ALL=C.UTF-8", "TERM=dumb",
        database != NULL ? text_printf("KONG_PG_DATABASE=%s", database) : NULL, passed_on("PATH"), sanitizer("ASAN_OPTIONS"),
        sanitizer("UBSAN_OPTIONS"), sanitizer("LSAN_OPTIONS"), passed_on("PG_BIN"), passed_on("PG_OPTIONS"),
    };
    size_t count = 0, more_count = 0;
    while (more != NULL && more[more_count] != NULL)
        more_count++;
    const char **environment = calloc(sizeof all / sizeof all[0] + more_count + 1, sizeof *environment);
    assert_non_null(environment);
    for (; count < more_count; count++)   /* of two with the same name the first counts */
        environment[count] = more[count];
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] != NULL)
            environment[count++] = all[i];
    keep((char *)environment);
    return environment;
}

static void become(const char *const *arguments, const char *const *environment, const char *in, const char *out, const char *err)
{
    int fds[] = {open(in, O_RDONLY), open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600)};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* As a login shell starts it, whatever runs the tests (nohup) ignores. */
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    execvpe(arguments[0], (char *const *)(uintptr_t)arguments, (char *const *)(uintptr_t)environment);
    dprintf(STDERR_FILENO, "can't run %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

struct process program_start(const char *const *arguments, const char *const *environment, const char *input)
{
    static int number;
    number++;
    struct process process = {
        .out_path = text_printf("%s/run-%d.out", harness.folder, number),
        .err_path = text_printf("%s/run-%d.err", harness.folder, number),
    };
    const char *in = "/dev/null";
    if (input != NULL) {
        in = text_printf("%s/run-%d.in", harness.folder, number);
        text_save(in, input);
    }
    if (environment == NULL)
        environment = own_environment(NULL, NULL);
    process.pid = fork();
    assert_true(process.pid >= 0);
    if (process.pid == 0)
        become(arguments, environment, in, process.out_path, process.err_path);
    return process;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause_ms(long milliseconds)
{
    struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

struct result kong_wait(const struct process *process)
{
    int status = 0;
    int64_t end = now_ms() + WAIT_MS;
    pid_t ended;
    while ((ended = waitpid(process->pid, &status, WNOHANG)) == 0 && now_ms() < end)
        pause_ms(5);
    struct result result = {-1, text_file(process->out_path), text_file(process->err_path)};
    if (ended == 0) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
        fail_msg("a program did not end within %d s; it wrote:\n%s\n%s", WAIT_MS / 1000, result.out, result.err);
    }
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

static struct result run_program(const char *const *arguments)
{
    struct process process = program_start(arguments, NULL, NULL);
    return kong_wait(&process);
}

struct process kong_start(const char *database, const char *line)
{
    const char *arguments[64] = {harness.binary, "-c", harness.conf}, *environment[16] = {0};
    size_t count = 3, variables = 0;
    char *words = text_printf("%s", line), *rest;
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (count == 3 && strchr(word, '=') != NULL && word[0] != '-')
            environment[variables++] = word;
        else
            arguments[count++] = word;
    }
    arguments[count] = NULL;
    return program_start(arguments, own_environment(database, environment), NULL);
}

struct result kong(const char *database, const char *line)
{
    struct process process = kong_start(database, line);
    return kong_wait(&process);
}

void expect_exit(const struct result *result, int exit_code)
{
    if (result->exit_code != exit_code)
        fail_msg("exit code %d, not %d; stdout:\n%s\nstderr:\n%s", result->exit_code, exit_code, result->out, result->err);
}

void expect_part(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, text != NULL ? text : "(nothing)");
}

/* The server. */

bool harness_arguments(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s BINARY POSTGRES.SH REFERENCE\n", argv[0]);
        return false;
    }
    harness.binary = argv[1];
    harness.postgres_sh = argv[2];
    harness.reference = argv[3];
    return true;
}

void harness_server(const char *command)
{
    const char *const arguments[] = {harness.postgres_sh, command, harness.server, NULL};
    struct result result = run_program(arguments);
    expect_exit(&result, 0);
    if (strcmp(command, "start") == 0)
        harness.port = atoi(result.out);
}

/* The server runs as another user where we are root: it must be able to reach its folder. */
int harness_setup(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(harness.folder, sizeof harness.folder, "%s/kong-upgrade-test-XXXXXX", temporary != NULL && strlen(temporary) < 30 ? temporary : "/tmp");
    if (mkdtemp(harness.folder) == NULL || chmod(harness.folder, 0755) != 0)
        return -1;
    snprintf(harness.server, sizeof harness.server, "%s/pg", harness.folder);
    snprintf(harness.state, sizeof harness.state, "%s/state", harness.folder);
    snprintf(harness.conf, sizeof harness.conf, "%s/kong.conf", harness.folder);
    harness_server("start");
    if (harness.port <= 0)
        return -1;
    db_ask("postgres", "ALTER ROLE kong PASSWORD '" HARNESS_PASSWORD "'");
    text_save(harness.conf, text_printf("pg_host = 127.0.0.1\npg_port = %d\npg_user = kong\npg_password = %s\n", harness.port, HARNESS_PASSWORD));
    return 0;
}

static bool sanitizers_are_silent(void)
{
    struct dirent **entries = NULL;
    int count = scandir(harness.folder, &entries, NULL, alphasort);
    bool silent = true;
    for (int i = 0; i < count; i++) {
        if (strncmp(entries[i]->d_name, "sanitizer.", strlen("sanitizer.")) == 0) {
            print_error("%s\n", text_file(text_printf("%s/%s", harness.folder, entries[i]->d_name)));
            silent = false;
        }
        free(entries[i]);
    }
    free(entries);
    return silent;
}

int harness_teardown(void **state)
{
    (void)state;
    harness_server("stop");
    bool silent = sanitizers_are_silent();
    const char *const arguments[] = {"rm", "-rf", harness.folder, NULL};
    run_program(arguments);
    for (size_t i = 0; i < pool_count; i++)
        free(pool[i]);
    free(pool);
    pool = NULL;
    pool_count = 0;
    if (!silent)
        exit(1);
    return 0;
}

char *harness_reference(const char *file)
{
    return text_printf("%s/%s", harness.reference, file);
}

bool harness_have(const char *file)
{
    char *path = harness_reference(file);
    bool have = access(path, R_OK) == 0;
    if (!have)
        print_message("[  NOTE    ] %s is not there: what needs it is skipped\n", path);
    return have;
}

/* Databases. */

PGconn *db_connect(const char *user, const char *name)
{
    const char *port = text_printf("%d", harness.port);
    const char *const keywords[] = {"host", "port", "user", "dbname", "application_name", "client_encoding", NULL};
    const char *const values[] = {harness.server, port, user, name, "test", "UTF8", NULL};
    PGconn *connection = PQconnectdbParams(keywords, values, 0);
    if (PQstatus(connection) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(connection));
    return connection;
}

static char *ask_as(const char *user, const char *name, const char *sql)
{
    PGconn *connection = db_connect(user, name);
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        fail_msg("%s\n%s", PQerrorMessage(connection), sql);
    size_t length = 1;
    for (int row = 0; row < PQntuples(result); row++)
        length += (size_t)PQgetlength(result, row, 0) + 1;
    char *text = calloc(length, 1), *end = text;
    assert_non_null(text);
    for (int row = 0; row < PQntuples(result); row++)
        end += sprintf(end, "%s%s", row > 0 ? "\n" : "", PQgetvalue(result, row, 0));
    PQclear(result);
    PQfinish(connection);
    return keep(text);
}

char *db_ask(const char *name, const char *sql)
{
    return ask_as("postgres", name, sql);
}

void db_run(const char *name, const char *sql)
{
    ask_as("kong", name, sql);
}

void db_create(const char *name, const char *like)
{
    db_ask("postgres", text_printf("CREATE DATABASE \"%s\" OWNER kong TEMPLATE \"%s\"", name, like != NULL ? like : "template0"));
}

void db_drop(const char *name)
{
    db_ask("postgres", text_printf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'", name));
    db_ask("postgres", text_printf("DROP DATABASE IF EXISTS \"%s\"", name));
}

static const char *psql_program(void)
{
    const char *bin = getenv("PG_BIN");
    const char *program = bin != NULL ? text_printf("%s/psql", bin) : "psql";
    return bin != NULL && access(program, X_OK) == 0 ? program : "psql";
}

char *db_psql(const char *name, const char *file)
{
    const char *port = text_printf("%d", harness.port);
    const char *const arguments[] = {psql_program(), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", harness.server, "-p", port, "-U", "kong", "-d", name,
                                     "-f", file, NULL};
    struct result result = run_program(arguments);
    if (result.exit_code != 0)
        fail_msg("psql -f %s: %s", file, result.err);
    return result.out;
}

/* Of a dump that a newer server made. */
static char *replaced(const char *text, const char *old, const char *new)
{
    size_t length = 0;
    char *out = NULL;
    FILE *file = open_memstream(&out, &length);
    assert_non_null(file);
    for (const char *found; (found = strstr(text, old)) != NULL; text = found + strlen(old))
        fprintf(file, "%.*s%s", (int)(found - text), text, new);
    fputs(text, file);
    fclose(file);
    return keep(out);
}

void db_load(const char *name, const char *dump)
{
    if (atoi(db_ask(name, "SHOW server_version_num")) >= 120000) {
        db_psql(name, dump);
        return;
    }
    char *text = replaced(text_file(dump), "SET default_table_access_method", "-- SET default_table_access_method");
    const char *copy = text_printf("%s/dump.sql", harness.folder);
    text_save(copy, replaced(text, "EXECUTE FUNCTION", "EXECUTE PROCEDURE"));
    db_psql(name, copy);
}

static bool is_one_of(const char *line, const char *const *names)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        if (strncmp(line, names[i], strlen(names[i])) == 0 && line[strlen(names[i])] == '\n')
            return true;
    return false;
}

/* A heading of the script begins each migration's part. */
void db_kongs_own(const char *name, const char *script, const char *const *without)
{
    static const char heading[] = "-- --- ";
    char *folder = text_printf("%s", harness.postgres_sh), *text = NULL;
    size_t length = 0;
    *strrchr(folder, '/') = '\0';
    const char *rest = text_file(text_printf("%s/../bench/kong_%s.sql", folder, script));
    FILE *out = open_memstream(&text, &length);
    assert_non_null(rest);
    assert_non_null(out);
    fputs("\\set from_014 1\n", out);
    for (const char *next; rest != NULL; rest = next) {
        next = strstr(rest + 1, heading);
        bool left_out = strncmp(rest, heading, strlen(heading)) == 0 && is_one_of(rest + strlen(heading), without);
        if (!left_out)
            fprintf(out, "%.*s", next != NULL ? (int)(next - rest) : (int)strlen(rest), rest);
    }
    fclose(out);
    const char *file = text_printf("%s/kongs_own.sql", harness.folder);
    text_save(file, keep(text));
    db_psql(name, file);
}

char *db_catalog(const char *name)
{
    static const char sql[] =
        "SELECT line FROM (SELECT format('column %s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
        " pg_get_expr(d.adbin, d.adrelid)) AS line FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = quote_ident(current_schema())::regnamespace"
        " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attnum > 0 AND NOT a.attisdropped"
        " UNION ALL SELECT format('index %s %s %s', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisready)"
        " FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = quote_ident(current_schema())::regnamespace"
        " UNION ALL SELECT format('constraint %s %s %s %s', c.relname, k.conname, pg_get_constraintdef(k.oid), k.convalidated)"
        " FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid AND c.relnamespace = quote_ident(current_schema())::regnamespace"
        " UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " AND c.relnamespace = quote_ident(current_schema())::regnamespace WHERE NOT t.tgisinternal"
        " UNION ALL SELECT format('function %s(%s) %s', p.proname, pg_get_function_identity_arguments(p.oid), p.prosrc)"
        " FROM pg_proc p WHERE p.pronamespace = quote_ident(current_schema())::regnamespace) listing ORDER BY line COLLATE \"C\"";
    return db_ask(name, sql);
}

char *db_rows(const char *name)
{
    char *selects = db_ask(name,
        "SELECT string_agg(format('SELECT %L || '' '' || to_jsonb(t)::text AS line FROM %I t', relname, relname), ' UNION ALL ')"
        " FROM pg_class WHERE relkind = 'r' AND relnamespace = quote_ident(current_schema())::regnamespace AND relname NOT IN ('locks', 'cluster_events')");
    return selects[0] == '\0' ? selects : db_ask(name, text_printf("SELECT line FROM (%s) rows ORDER BY line COLLATE \"C\"", selects));
}

char *db_meta(const char *name)
{
    return db_ask(name, "SELECT format('%s|%s|%s|%s', subsystem, last_executed, executed, pending) FROM schema_meta"
                        " WHERE key = 'schema_meta' ORDER BY subsystem COLLATE \"C\"");
}

void await_true(const char *database, const char *sql)
{
    int64_t end = now_ms() + AWAIT_MS;
    while (strcmp(db_ask(database, sql), "t") != 0) {
        if (now_ms() > end)
            fail_msg("was not true within %d s: %s", AWAIT_MS / 1000, sql);
        pause_ms(20);
    }
}

/* Journals. */

char *await_journal(const char *database, const char *part)
{
    int64_t end = now_ms() + AWAIT_MS;
    for (;;) {
        char *path = journal_newest(database), *text = path != NULL ? text_file(path) : NULL;
        if (text != NULL && strstr(text, part) != NULL)
            return path;
        if (now_ms() > end)
            fail_msg("the journal %s has no %s within %d s:\n%.3000s", path != NULL ? path : "(none)", part, AWAIT_MS / 1000, text != NULL ? text : "");
        pause_ms(20);
    }
}

void await_gone(pid_t pid)
{
    int64_t end = now_ms() + AWAIT_MS;
    while (kill(pid, 0) == 0) {
        if (now_ms() > end)
            fail_msg("process %d did not end within %d s", (int)pid, AWAIT_MS / 1000);
        pause_ms(10);
    }
}

char *journal_newest(const char *database)
{
    char *folder = text_printf("%s/kong-upgrade/127.0.0.1_%d_%s_default", harness.state, harness.port, database);
    struct dirent **entries = NULL;
    char *newest = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (strstr(entries[i]->d_name, ".jsonl") != NULL)
            newest = text_printf("%s/%s", folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return newest;
}

pid_t journal_pid(const char *path)
{
    const char *found = strstr(text_file(path), "\"pid\":");
    if (found == NULL)
        fail_msg("no pid in %s", path);
    return (pid_t)atoi(found + strlen("\"pid\":"));
}

/* Texts. */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **split_sorted(const char *text, size_t *count)
{
    char *copy = text_printf("%s", text), *rest;
    char **lines = NULL;
    *count = 0;
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        lines = realloc(lines, (*count + 1) * sizeof *lines);
        assert_non_null(lines);
        lines[(*count)++] = line;
    }
    if (*count > 0)
        qsort(lines, *count, sizeof *lines, compare_lines);
    return lines;
}

char *text_difference(const char *before, const char *after)
{
    size_t before_count, after_count, i = 0, j = 0, length = 0;
    char **old_lines = split_sorted(before, &before_count), **new_lines = split_sorted(after, &after_count), *text = NULL;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    while (i < before_count || j < after_count) {
        int order = i >= before_count ? 1 : j >= after_count ? -1 : strcmp(old_lines[i], new_lines[j]);
        if (order < 0)
            fprintf(out, "- %s\n", old_lines[i]);
        if (order > 0)
            fprintf(out, "+ %s\n", new_lines[j]);
        i += order <= 0 ? 1 : 0;
        j += order >= 0 ? 1 : 0;
    }
    fclose(out);
    free(old_lines);
    free(new_lines);
    return keep(text);
}
