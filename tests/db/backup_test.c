/*
 * The backup: whole and verified, or not there at all; it gives nothing secret away, writes over nothing, and what the report says
 * about restoring it works.
 */
#include "tests/db/harness.h"

#include "core/backup/copy_rows.h"

#include <dirent.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char data[] =
    "INSERT INTO services (id, name, host, protocol, port) SELECT md5('s' || n)::uuid, 's' || n, 'h', 'http', 80 FROM generate_series(1, 50) n;"
    "INSERT INTO consumers (id, username) SELECT md5('c' || n)::uuid, E'c\\n\\\\.\\nCOPY x FROM stdin;\\t' || n FROM generate_series(1, 3000) n";

static char *usual_conf;

/* After tests that have a kong.conf of their own. */
static int reset_conf(void **state)
{
    (void)state;
    text_save(harness.conf, usual_conf);
    db_ask("postgres", "ALTER ROLE kong PASSWORD '" HARNESS_PASSWORD "'");
    return 0;
}

/* A server of a newer version than the pg_dump that is installed has no backup here: nothing to test. */
static bool pg_dump_is_old(void)
{
    int major = 0;
    const char *const arguments[] = {"pg_dump", "--version", NULL};
    struct process process = program_start(arguments, NULL, NULL);
    struct result result = kong_wait(&process);
    return sscanf(result.out, "pg_dump (PostgreSQL) %4d", &major) != 1 || major < atoi(db_ask("postgres", "SHOW server_version_num")) / 10000;
}

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    if (pg_dump_is_old()) {
        print_message("[  NOTE    ] pg_dump is not there, or older than the server: all is skipped\n");
        harness_teardown(state);
        exit(77);   /* meson's for "skipped" */
    }
    usual_conf = text_file(harness.conf);
    db_create("base", NULL);
    struct result result = kong("base", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    db_run("base", data);
    return 0;
}

static char *folder_of(const char *name)
{
    return text_printf("%s/%s", harness.folder, name);
}

/* The names in a folder that have the part, a line each. */
static char *files_in(const char *folder, const char *part)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    char *names = text_printf("%s", "");
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '\0' && strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0 && strstr(entries[i]->d_name, part) != NULL)
            names = text_printf("%s%s%s", names, names[0] != '\0' ? "\n" : "", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return names;
}

static void expect_nothing_in(const char *folder)
{
    assert_string_equal(files_in(folder, ""), "");
}

/* Runs the commands of the report, the same in Markdown and JSON. */
static void restore_as_reported(const char *database)
{
    struct result report = kong(database, "report --json");
    expect_exit(&report, 0);
    json_t *json = json_loads(report.out, 0, NULL), *backups = json_object_get(json, "backups");
    assert_true(json_array_size(backups) > 0);
    const char *commands = json_string_value(json_object_get(json_array_get(backups, json_array_size(backups) - 1), "restore"));
    struct result markdown = kong(database, "report");
    char *lines = text_printf("%s", commands), *rest;
    for (const char *line = strtok_r(lines, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        expect_part(markdown.out, text_printf("    %s\n", line));
    char *script = text_printf("set -e\nPATH=%s:$PATH\n%s", getenv("PG_BIN") != NULL ? getenv("PG_BIN") : "/usr/bin", commands);
    json_decref(json);
    const char *const arguments[] = {"sh", "-c", script, NULL};
    struct process process = program_start(arguments, NULL, NULL);   /* the server trusts `postgres` */
    struct result result = kong_wait(&process);
    expect_exit(&result, 0);
}

static char *grants(const char *database)
{
    return db_ask(database, "SELECT line FROM (SELECT 'schema ' || pg_get_userbyid(nspowner) || ' ' || x.grantee::regrole::text || ' ' || x.privilege_type AS line"
        " FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) x WHERE oid = quote_ident(current_schema())::regnamespace"
        " UNION ALL SELECT 'table ' || relname || ' ' || pg_get_userbyid(relowner) || ' ' || coalesce(relacl::text, '') FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = quote_ident(current_schema())::regnamespace) l ORDER BY line COLLATE \"C\"");
}

static char *only_dump(const char *folder)
{
    char *name = files_in(folder, ".dump");
    if (name[0] == '\0' || strchr(name, '\n') != NULL || name[0] == '.')
        fail_msg("not one backup is in %s:\n%s", folder, name);
    return text_printf("%s/%s", folder, name);
}

static void test_the_whole_cycle(void **state)
{
    (void)state;
    struct stat file, folder;
    db_create("whole", "base");
    db_ask("postgres", "DROP ROLE IF EXISTS reader");
    db_ask("postgres", "CREATE ROLE reader");
    db_ask("whole", "GRANT SELECT ON consumers TO reader; GRANT CREATE ON SCHEMA public TO reader");
    db_run("whole", "CREATE TABLE \"hostile\"\"; \n-- COPY public.x FROM stdin;\n'\" (\"a\nb;\" text, \"COPY\" int);"
                    "INSERT INTO \"hostile\"\"; \n-- COPY public.x FROM stdin;\n'\" SELECT '\\.', n FROM generate_series(1, 7) n;"
                    "CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; CREATE SEQUENCE \"'; COPY y FROM stdin;\n\"");
    char *catalog = db_catalog("whole"), *rows = db_rows("whole"), *meta = db_meta("whole"), *acl = grants("whole");
    struct result result = kong("whole", text_printf("backup %s", folder_of("whole")));
    expect_exit(&result, 0);
    expect_part(result.out, "made and verified");
    char *path = only_dump(folder_of("whole"));
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(stat(folder_of("whole"), &folder), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(folder.st_mode & 0777, 0700);
    expect_part(text_file(journal_newest("whole")), "{\"name\":\"consumers\",\"rows\":3000}");
    expect_part(text_file(journal_newest("whole")), "{\"name\":\"nothing\",\"rows\":1}");
    result = kong("whole", "up");
    expect_exit(&result, 0);
    db_run("whole", "DELETE FROM consumers WHERE username LIKE '%7'; CREATE VIEW newer AS SELECT * FROM routes");
    restore_as_reported("whole");
    assert_string_equal(text_difference(catalog, db_catalog("whole")), "");
    assert_string_equal(rows, db_rows("whole"));
    assert_string_equal(meta, db_meta("whole"));
    assert_string_equal(text_difference(acl, grants("whole")), "");
    assert_string_equal(db_ask("whole", "SELECT count(*) FROM public_before_restore.consumers"), "2700");
    result = kong("whole", "up");
    expect_exit(&result, 0);
    db_drop("whole");
}

static void test_another_schema(void **state)
{
    (void)state;
    text_save(harness.conf, text_printf("%spg_schema = Kong.1*\n", usual_conf));
    db_create("schemas", NULL);
    db_run("schemas", "CREATE SCHEMA \"Kong.1*\"; CREATE SCHEMA \"Kong.12\"; CREATE TABLE \"Kong.12\".other AS SELECT 1 AS one;"
                      "ALTER DATABASE schemas SET search_path TO \"Kong.1*\"; GRANT USAGE ON SCHEMA \"Kong.1*\" TO PUBLIC");
    struct result result = kong("schemas", "bootstrap");
    expect_exit(&result, 0);
    char *catalog = db_catalog("schemas"), *rows = db_rows("schemas"), *acl = grants("schemas");
    result = kong("schemas", text_printf("backup %s", folder_of("schemas")));
    expect_exit(&result, 0);
    db_run("schemas", "DELETE FROM schema_meta; DROP TABLE oauth2_tokens; DELETE FROM \"Kong.12\".other");
    restore_as_reported("schemas");
    assert_string_equal(text_difference(catalog, db_catalog("schemas")), "");
    assert_string_equal(rows, db_rows("schemas"));
    assert_string_equal(acl, grants("schemas"));
    assert_string_equal(db_ask("schemas", "SELECT count(*) FROM \"Kong.12\".other"), "0");
    db_drop("schemas");
}

static char *proc_text(const char *pid, const char *name)
{
    char bytes[65536];
    FILE *file = fopen(text_printf("/proc/%s/%s", pid, name), "re");
    size_t length = file != NULL ? fread(bytes, 1, sizeof bytes - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    for (size_t i = 0; i < length; i++)
        bytes[i] = bytes[i] == '\0' ? ' ' : bytes[i];
    bytes[length] = '\0';
    return text_printf("%s", bytes);
}

/* A stand-in for both programs that does `body` first and then what the real one does. */
static const char *tools_that(const char *name, const char *dump, const char *restore)
{
    const char *const programs[] = {"pg_dump", "pg_restore"}, *const bodies[] = {dump, restore};
    char *folder = folder_of(name);
    assert_int_equal(mkdir(folder, 0755), 0);
    for (int i = 0; i < 2; i++) {
        char *path = text_printf("%s/%s", folder, programs[i]);
        text_save(path, text_printf("#!/bin/sh\nreal() { exec %s \"$@\"; }\n%s\nreal \"$@\"\n", programs[i], bodies[i] != NULL ? bodies[i] : ""));
        assert_int_equal(chmod(path, 0755), 0);
    }
    return text_printf("KONG_UPGRADE_PG_BIN=%s", folder);
}

#define AT_WORK(what_) "[ \"$1\" = --version ] || { " what_ "; }"

/* With a password in which passfiles' own characters are. */
static void test_the_password_is_nowhere(void **state)
{
    (void)state;
    static const char secret[] = "Se:sa\\me:\\\\47";
    char *look = folder_of("seen");
    const char *tools = tools_that("looking", text_printf(AT_WORK("cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline /proc/$PPID/environ | tr '\\0' '\\n' >%s; touch %s.now;"
                                   " while [ ! -e %s.go ]; do sleep 0.05; done"), look, look, look), NULL);
    db_ask("postgres", text_printf("ALTER ROLE kong PASSWORD '%s'", secret));
    text_save(harness.conf, text_printf("pg_host = 127.0.0.1\npg_port = %d\npg_user = kong\n", harness.port));
    db_create("secret", "base");
    struct process process = kong_start("secret", text_printf("%s KONG_PG_PASSWORD=%s backup %s", tools, secret, folder_of("secret")));
    for (int i = 0; i < 400 && access(text_printf("%s.now", look), F_OK) != 0; i++)
        pause_ms(50);
    struct dirent **entries = NULL;
    int count = scandir("/proc", &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        bool own = atoi(entries[i]->d_name) == process.pid;   /* was given it by this test, in its environment */
        if (atoi(entries[i]->d_name) > 0 && strstr(proc_text(entries[i]->d_name, "cmdline"), secret) != NULL)
            fail_msg("process %s has it in its arguments", entries[i]->d_name);
        if (!own && atoi(entries[i]->d_name) > 0 && strstr(proc_text(entries[i]->d_name, "environ"), secret) != NULL)
            fail_msg("process %s has it in its environment: %s", entries[i]->d_name, proc_text(entries[i]->d_name, "cmdline"));
        free(entries[i]);
    }
    free(entries);
    text_save(text_printf("%s.go", look), "");
    struct result result = kong_wait(&process);
    expect_exit(&result, 0);
    only_dump(folder_of("secret"));
    expect_part(text_file(look), "PGPASSFILE=/proc/self/fd/3");
    assert_null(strstr(text_file(look), "Se:sa"));
    assert_null(strstr(text_file(look), "sa\\me"));
    assert_null(strstr(text_file(journal_newest("secret")), "Se:sa"));
    result = kong("secret", "KONG_PG_PASSWORD=no:\\ backup");
    expect_exit(&result, 1);
    db_drop("secret");
}

/* Whatever is in it: quotes and what a shell or a passfile could take for its own. A line break is the one thing that no passfile can hold. */
static void test_a_password_of_signs(void **state)
{
    (void)state;
    static const char *const passwords[] = {"'\"`$(x)\\\\::\\:\xC3\xA9%s\t*;", ":", "\\"};
    text_save(harness.conf, text_printf("pg_host = 127.0.0.1\npg_port = %d\npg_user = kong\n", harness.port));
    for (size_t i = 0; i < sizeof passwords / sizeof passwords[0]; i++) {
        PGconn *chief = db_connect("postgres", "postgres");
        char *literal = PQescapeLiteral(chief, passwords[i], strlen(passwords[i])), *sql = text_printf("ALTER ROLE kong PASSWORD %s", literal);
        PQclear(PQexec(chief, sql));
        PQfreemem(literal);
        PQfinish(chief);
        text_save(harness.conf, text_printf("pg_host = 127.0.0.1\npg_port = %d\npg_user = kong\n", harness.port));
        char *variable = text_printf("KONG_PG_PASSWORD=%s", passwords[i]);
        const char *const arguments[] = {"env", variable, "KONG_PG_DATABASE=base", harness.binary, "-c", harness.conf, "backup", folder_of(text_printf("signs%zu", i)), NULL};
        struct process process = program_start(arguments, NULL, NULL);
        struct result result = kong_wait(&process);
        expect_exit(&result, 0);
    }
    const char *const broken[] = {"env", "KONG_PG_PASSWORD=two\nlines", "KONG_PG_DATABASE=base", harness.binary, "-c", harness.conf, "backup", folder_of("lines"), NULL};
    db_ask("postgres", "ALTER ROLE kong PASSWORD E'two\\nlines'");
    struct process process = program_start(broken, NULL, NULL);
    struct result result = kong_wait(&process);
    expect_exit(&result, 1);
    expect_part(result.err, "the password has a line break in it, which no PGPASSFILE can hold");
    assert_null(strstr(result.err, "lines\n"));
    assert_int_not_equal(access(folder_of("lines"), F_OK), 0);
}

static void test_the_default_folder(void **state)
{
    (void)state;
    struct result result = kong("base", "backup --json");
    expect_exit(&result, 0);
    expect_part(result.out, "\"event\":\"backup\"");
    only_dump(text_printf("%s/kong-upgrade/127.0.0.1_%d_base_default/backups", harness.state, harness.port));
    result = kong("base", "backup a b");
    expect_exit(&result, 64);
}

/* To pg_dump, which inherits the limit, the disk is full. */
static void test_the_disk_fills_up(void **state)
{
    (void)state;
    char *folder = folder_of("full");
    char *script = text_printf("(ulimit -f 20; KONG_PG_DATABASE=base exec %s -c %s backup %s) 2>&1 | cat", harness.binary, harness.conf, folder);
    const char *const arguments[] = {"sh", "-c", script, NULL};
    struct process process = program_start(arguments, NULL, NULL);
    struct result result = kong_wait(&process);
    expect_part(result.out, "no backup was made: pg_dump failed");
    expect_part(result.out, "File too large");
    expect_nothing_in(folder);
}

/* Backs up into a file system of its own, where one may be mounted; `said` is part of why that fails. Returns what is left in it. */
static char *back_up_into(const char *name, const char *options, const char *tools, const char *said)
{
    char *folder = folder_of(name);
    const char *const mount[] = {"mount", "-t", "tmpfs", "-o", options, "tmpfs", folder, NULL}, *const unmount[] = {"umount", folder, NULL};
    assert_int_equal(mkdir(folder, 0755), 0);
    struct process process = program_start(mount, NULL, NULL);
    struct result mounted = kong_wait(&process);
    if (mounted.exit_code != 0)
        skip();
    struct result result = kong("base", text_printf("%s%sbackup %s", tools, tools[0] != '\0' ? " " : "", folder));
    char *left = files_in(folder, "");
    process = program_start(unmount, NULL, NULL);
    kong_wait(&process);
    expect_exit(&result, 1);
    expect_part(result.err, "no backup was made: ");
    expect_part(result.err, said);
    return left;
}

static void test_no_room(void **state)
{
    (void)state;
    assert_string_equal(back_up_into("tiny", "size=4m", "", "MB of room, and the backup may need"), "");
}

static void test_a_read_only_folder(void **state)
{
    (void)state;
    assert_string_equal(back_up_into("read-only", "ro", "", "Read-only file system; make it writable, or choose another one"), "");
}

/* There was room enough as it began; then someone else takes it. */
static void test_the_room_is_taken(void **state)
{
    (void)state;
    const char *tools = tools_that("taking", text_printf(AT_WORK("head -c 60M /dev/zero >%s/of-others 2>/dev/null"), folder_of("taken")), NULL);
    assert_string_equal(back_up_into("taken", "size=40m", tools, "No space left on device"), "of-others");
}

static void test_without_pg_dump(void **state)
{
    (void)state;
    struct result result = kong("base", text_printf("KONG_UPGRADE_PG_BIN=/nonexistent backup %s", folder_of("missing")));
    expect_exit(&result, 1);
    expect_part(result.err, "install postgresql-client-");
    assert_int_not_equal(access(folder_of("missing"), F_OK), 0);
    const char *old = tools_that("old", "echo 'pg_dump (PostgreSQL) 9.4.26'; exit 0", NULL);
    result = kong("base", text_printf("%s backup %s", old, folder_of("missing")));
    expect_exit(&result, 1);
    expect_part(result.err, "pg_dump here is of 9.4: it can't dump a newer server");
}

/* The one that is nearest to the server's version is taken. */
static void test_the_nearest_pg_dump(void **state)
{
    (void)state;
    const char *newer = tools_that("newer", "echo 'pg_dump (PostgreSQL) 99.1'; exit 0", NULL), *own = tools_that("own", NULL, NULL);
    struct result result = kong("base", text_printf("%s:%s backup %s", newer, strchr(own, '=') + 1, folder_of("nearest")));
    expect_exit(&result, 0);
    expect_part(text_file(journal_newest("base")), "/own/pg_restore\"");
}

static void test_a_bad_folder(void **state)
{
    (void)state;
    const char *const folders[] = {harness.conf, "/proc", "/proc/kong-upgrade", "/nonexistent/one/two"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct result result = kong("base", text_printf("backup %s", folders[i]));
        expect_exit(&result, 1);
        expect_part(result.err, "no backup was made: ");
        expect_part(result.err, folders[i]);
    }
}

/* Someone else may write into the folder, knows the name to come and puts links in its place. */
static void test_nothing_is_written_over(void **state)
{
    (void)state;
    char *folder = folder_of("links"), *victim = folder_of("victim");
    text_save(victim, "precious");
    const char *tools = tools_that("linking", text_printf(AT_WORK("f=$(ls -A %s | sed 's/^\\.//; s/\\.part$//'); ln -s %s %s/$f"), folder, victim, folder), NULL);
    struct result result = kong("base", text_printf("%s backup %s", tools, folder));
    expect_exit(&result, 1);
    expect_part(result.err, "File exists");
    assert_string_equal(text_file(victim), "precious");
    char *left = files_in(folder, "");
    assert_null(strchr(left, '\n'));
    assert_non_null(strstr(left, ".dump"));
    assert_null(strstr(left, ".part"));
}

static void test_it_is_not_whole(void **state)
{
    (void)state;
    /* An archive from another moment; one without a table; one that is cut. */
    static const char more[] = "psql -h 127.0.0.1 -qc \"INSERT INTO consumers (id, username) VALUES (md5('late')::uuid, 'late')\" >/dev/null;"
                               " exec pg_dump --format=custom --no-password --schema=public";
    const struct {
        const char *name, *body, *said;
    } broken[] = {
        {"later", more, "rows of table consumers, the database had 3000"},
        {"lacking", "exec pg_dump \"$@\" --exclude-table-data=services", "no data of table services"},
        {"cut", "pg_dump \"$@\" | head -c 20000; exit 0", "pg_restore failed"},
        {"failing", "pg_dump \"$@\"; echo 'pg_dump: error: the end' >&2; exit 3", "pg_dump failed (pg_dump: error: the end)"},
        {"killed-dump", "kill -9 $$", "ended by signal 9"},
        {"silent", "exit 5", "exit code 5 and said nothing"},
    };
    db_create("broken", "base");
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        const char *tools = tools_that(broken[i].name, text_printf(AT_WORK("%s"), broken[i].body), NULL);
        char *folder = folder_of(text_printf("to-%s", broken[i].name));
        struct result result = kong("broken", text_printf("%s backup %s", tools, folder));
        expect_exit(&result, 1);
        expect_part(result.err, broken[i].said);
        expect_nothing_in(folder);
        db_run("broken", "DELETE FROM consumers WHERE username = 'late'");
    }
    struct result report = kong("broken", "report");
    expect_part(report.out, "None was made from this machine");
    db_drop("broken");
}

/* A dump that waits in its middle until it is let go. */
static struct process start_held(const char *name, const char *database)
{
    char *go = folder_of(text_printf("%s.go", name));
    const char *tools = tools_that(name, text_printf(AT_WORK("pg_dump \"$@\"; touch %s.at; while [ ! -e %s ]; do sleep 0.05; done; exit 0"), go, go), NULL);
    struct process process = kong_start(database, text_printf("%s backup %s", tools, folder_of(text_printf("to-%s", name))));
    for (int i = 0; i < 400 && access(text_printf("%s.at", go), F_OK) != 0; i++)
        pause_ms(50);
    assert_int_equal(access(text_printf("%s.at", go), F_OK), 0);
    expect_part(files_in(folder_of(text_printf("to-%s", name)), ".part"), ".kong-");
    return process;
}

static void let_go(const char *name)
{
    text_save(folder_of(text_printf("%s.go", name)), "");
}

static void test_it_is_stopped(void **state)
{
    (void)state;
    db_create("stop", "base");
    struct process process = start_held("stop", "stop");
    struct result result = kong("stop", "stop");
    expect_exit(&result, 0);
    result = kong_wait(&process);
    expect_exit(&result, 10);
    expect_part(result.err, "no backup was made, and nothing of it is left");
    expect_nothing_in(folder_of("to-stop"));
    await_true("stop", "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'stop' AND application_name LIKE 'kong-upgrade %'");
    process = start_held("stop2", "stop");
    pid_t worker = journal_pid(journal_newest("stop"));
    kill(worker, SIGKILL);
    result = kong_wait(&process);
    expect_exit(&result, 1);
    await_gone(worker);
    await_true("stop", "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'stop' AND application_name LIKE 'kong-upgrade %'");
    let_go("stop2");
    pause_ms(200);   /* the stand-in's own child may outlive it so long */
    result = kong("stop", text_printf("backup %s", folder_of("to-stop2")));
    expect_exit(&result, 0);
    only_dump(folder_of("to-stop2"));
    db_drop("stop");
}

/* Before it has read anything; and when all has been read. */
static void test_the_server_crashes(void **state)
{
    (void)state;
    char *go = folder_of("crashing.go");
    const char *tools = tools_that("crashing", text_printf(AT_WORK("touch %s.at; while [ ! -e %s ]; do sleep 0.05; done"), go, go), NULL);
    struct process process = kong_start("base", text_printf("%s backup %s", tools, folder_of("crashed")));
    for (int i = 0; i < 400 && access(text_printf("%s.at", go), F_OK) != 0; i++)
        pause_ms(50);
    harness_server("crash");
    let_go("crashing");
    struct result result = kong_wait(&process);
    expect_exit(&result, 1);
    expect_part(result.err, "no backup was made: pg_dump failed");
    expect_nothing_in(folder_of("crashed"));
    process = start_held("crashing2", "base");
    harness_server("crash");
    let_go("crashing2");
    result = kong_wait(&process);
    expect_exit(&result, 0);
    only_dump(folder_of("to-crashing2"));
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    db_create("busy", "base");
    struct process process = start_held("busy", "busy");
    struct result result = kong("busy", "up -y");
    expect_exit(&result, 9);
    expect_part(result.err, "`backup` runs on this database");
    result = kong("busy", text_printf("XDG_STATE_HOME=%s up -y", folder_of("elsewhere")));
    expect_exit(&result, 9);
    expect_part(result.err, "has been backing it up since");
    result = kong("busy", text_printf("XDG_STATE_HOME=%s backup", folder_of("elsewhere")));
    expect_exit(&result, 9);
    let_go("busy");
    result = kong_wait(&process);
    expect_exit(&result, 0);
    db_run("busy", "INSERT INTO locks (key, owner, ttl) VALUES ('migrations', '8f1a3c5e', now() + interval '40 s')");
    result = kong("busy", "backup");
    expect_exit(&result, 9);
    expect_part(result.err, "8f1a3c5e");
    db_run("busy", "DELETE FROM locks");
    PGconn *holder = db_connect("kong", "busy");
    PQclear(PQexec(holder, "BEGIN; LOCK TABLE routes"));
    process = kong_start("busy", text_printf("backup %s", folder_of("busy-locked")));
    await_true("busy", "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'routes'::regclass");
    result = kong("busy", "stop");
    expect_exit(&result, 0);
    result = kong_wait(&process);
    expect_exit(&result, 10);
    PQfinish(holder);
    result = kong("busy", "up -y");
    expect_exit(&result, 0);
    db_drop("busy");
}

/* The counter of rows, fed byte by byte and at once. */
struct seen {
    char text[400];
};

static void on_table(void *context, const char *table, int64_t rows)
{
    struct seen *seen = context;
    size_t length = strlen(seen->text);
    snprintf(seen->text + length, sizeof seen->text - length, "%s=%lld ", table, (long long)rows);
}

static void expect_counts(const char *script, const char *counts, bool complete)
{
    for (size_t step = 1; step < 1000; step = step * 3) {
        struct seen seen = {""};
        struct copy_rows rows = {.table = on_table, .context = &seen};
        size_t length = strlen(script);
        for (size_t at = 0; at < length; at += step)
            copy_rows_feed(&rows, script + at, length - at < step ? length - at : step);
        assert_string_equal(seen.text, counts);
        assert_int_equal(copy_rows_complete(&rows), complete);
    }
}

static void test_rows_are_counted(void **state)
{
    (void)state;
    expect_counts("", "", true);
    expect_counts("-- COPY a FROM stdin;\nSET x = 'COPY b (c) FROM stdin;\n';\nCOPY public.t (a, \"FROM stdin;\n\") FROM stdin;\n1\t2\n\\.\n\n", "t=1 ", true);
    expect_counts("\\restrict abc;'\nCOPY t (a) FROM stdin;\n\\\\.\n\\.x\n\\N\n\\.\n\\unrestrict abc\n", "t=3 ", true);
    expect_counts("COPY \"p.\"\"q\".\"a\"\"b.;\n('\" (x) FROM stdin;\n\\.\nCOPY u  FROM stdin;\n\n\n\\.\n", "a\"b.;\n('=0 u=2 ", true);
    expect_counts("SELECT pg_catalog.setval('public.\"it''s\nCOPY v FROM stdin;\n\"', 1, false);\nCOPY w (a) WITH OIDS FROM stdin;\n1\n\\.\n", "w=1 ", true);
    expect_counts("COPY t (a) FROM stdin;\n1\n2\n\\", "", false);
    expect_counts("COPY t (a) FROM stdin;", "", false);
    expect_counts("SELECT 'x' -- COPY\n;COPYING t FROM stdin;\n1\n;", "", true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_counted),
        cmocka_unit_test(test_the_whole_cycle),
        cmocka_unit_test_teardown(test_another_schema, reset_conf),
        cmocka_unit_test_teardown(test_the_password_is_nowhere, reset_conf),
        cmocka_unit_test_teardown(test_a_password_of_signs, reset_conf),
        cmocka_unit_test(test_the_default_folder),
        cmocka_unit_test(test_the_disk_fills_up),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_a_read_only_folder),
        cmocka_unit_test(test_the_room_is_taken),
        cmocka_unit_test(test_without_pg_dump),
        cmocka_unit_test(test_the_nearest_pg_dump),
        cmocka_unit_test(test_a_bad_folder),
        cmocka_unit_test(test_nothing_is_written_over),
        cmocka_unit_test(test_it_is_not_whole),
        cmocka_unit_test(test_it_is_stopped),
        cmocka_unit_test(test_the_server_crashes),
        cmocka_unit_test(test_one_at_a_time),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
