/*
 * Whatever is wrong with what we are given (settings, server, rights, the terminal's end of a pipe, our own state folder), the
 * operator gets one sentence on standard error that says what, where and what to do, and an exit code; and nothing is lost.
 */
#include "tests/db/harness.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *catalog_before, *rows_before;

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    db_create("base", NULL);
    struct result result = kong("base", "bootstrap --to 1.2");
    expect_exit(&result, 0);
    db_run("base", "INSERT INTO upstreams (id, name, hash_on, slots) VALUES (md5('u')::uuid, 'u', 'none', 10)");
    db_ask("postgres", "CREATE ROLE guest LOGIN PASSWORD '" HARNESS_PASSWORD "'");
    catalog_before = db_catalog("base");
    rows_before = db_rows("base");
    return 0;
}

static void expect_untouched(const char *database)
{
    assert_string_equal(catalog_before, db_catalog(database));
    assert_string_equal(rows_before, db_rows(database));
}

/* One line on standard error, nothing on standard output. */
static void expect_sentence(const struct result *result, int exit_code, const char *what, const char *remedy)
{
    expect_exit(result, exit_code);
    expect_part(result->err, "kong-upgrade: ");
    expect_part(result->err, what);
    expect_part(result->err, remedy);
    const char *newline = strchr(result->err, '\n');
    if (newline == NULL || newline[1] != '\0')
        fail_msg("not one line: %s", result->err);
    if (strstr(result->err, HARNESS_PASSWORD) != NULL)
        fail_msg("the password is shown: %s", result->err);
}

static void refused(const char *line, int exit_code, const char *what, const char *remedy)
{
    struct result result = kong("base", line);
    expect_sentence(&result, exit_code, what, remedy);
    assert_string_equal(result.out, "");
}

static char *saved(const char *name, const char *bytes, size_t length)
{
    char *path = text_printf("%s/%s", harness.folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void test_kong_conf(void **state)
{
    (void)state;
    refused("-c /no/such/kong.conf status", 1, "/no/such/kong.conf", "");
    refused(text_printf("-c %s up", harness.folder), 1, harness.folder, "");
    refused("-c /dev/zero status", 1, "/dev/zero", "");
    refused(text_printf("-c %s up", saved("nul.conf", "pg_host = a\0b\n", 14)), 1, "nul.conf", "");
    refused(text_printf("-c %s status", harness.binary), 1, harness.binary, "");
    char *big = malloc(3 << 20);
    assert_non_null(big);
    memset(big, 'x', 3 << 20);
    refused(text_printf("-c %s status", saved("big.conf", big, 3 << 20)), 1, "big.conf", "");
    free(big);
    refused("KONG_DATABASE=cassandra status", 1, "cassandra", "");
    if (geteuid() != 0) {
        char *path = saved("secret.conf", "", 0);
        chmod(path, 0);
        refused(text_printf("-c %s status", path), 1, "secret.conf", "");
    }
    refused("-f /no/such/fleet.ini status", 1, "/no/such/fleet.ini", "");
}

static void test_no_server(void **state)
{
    (void)state;
    static const char *const commands[] = {"status", "plan", "up", "finish --confirm base", "bootstrap"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        refused(text_printf("KONG_PG_PORT=1 %s", commands[i]), 1, "database base at 127.0.0.1:1", "check that PostgreSQL runs there");
    refused("KONG_PG_HOST=no-such-host.invalid status", 1, "no-such-host.invalid", "pg_host");
    /* The report needs no database. */
    struct result result = kong("base", "KONG_PG_PORT=1 report");
    expect_exit(&result, 0);
    expect_part(result.out, "does not answer");
}

static void test_wrong_credentials(void **state)
{
    (void)state;
    refused("KONG_PG_PASSWORD=wrong-one up", 1, "password authentication failed", "KONG_PG_PASSWORD");
    refused("KONG_PG_PASSWORD= status", 1, "no password", "KONG_PG_PASSWORD");
    refused("KONG_PG_USER=nobody-here status", 1, "nobody-here", "pg_user");
    refused("KONG_PG_DATABASE=nowhere status", 1, "nowhere", "pg_database");
    expect_untouched("base");
}

static void test_tls(void **state)
{
    (void)state;
    refused("KONG_PG_SSL=on status", 1, "does not support SSL", "pg_ssl = off");
    expect_untouched("base");
}

static bool make_certificate(const char *name)
{
    const char *const find[] = {"sh", "-c", "command -v openssl", NULL};
    struct process process = program_start(find, NULL, NULL);
    struct result found = kong_wait(&process);
    if (found.exit_code != 0)
        return false;
    db_ask("postgres", text_printf("COPY (SELECT 1) TO PROGRAM 'openssl req -x509 -newkey rsa:2048 -nodes -keyout %s.key -out %s.crt -days 2"
                                   " -subj /CN=another-name 2>/dev/null && chmod 600 %s.key'", name, name, name));
    text_save(text_printf("%s/%s.crt", harness.folder, name), db_ask("postgres", text_printf("SELECT pg_read_file('%s.crt')", name)));
    return true;
}

/* As Kong's driver: the chain is checked where pg_ssl_verify is on, the name is not. */
static void test_tls_on_the_server(void **state)
{
    (void)state;
    if (strcmp(db_ask("postgres", "SELECT count(*) FROM pg_settings WHERE name = 'ssl_library' AND setting = ''"), "1") == 0 ||
        !make_certificate("server") || !make_certificate("other")) {
        print_message("[  NOTE    ] this server, or this machine, has no OpenSSL: TLS is not tested\n");
        skip();
    }
    db_ask("postgres", "ALTER SYSTEM SET ssl = on");
    db_ask("postgres", "SELECT pg_reload_conf()");
    await_true("postgres", "SELECT current_setting('ssl')::boolean");
    const char *verify = "KONG_PG_SSL=on KONG_PG_SSL_VERIFY=on", *trusted = text_printf("%s KONG_LUA_SSL_TRUSTED_CERTIFICATE=%s", verify, harness.folder);
    struct result result = kong("base", "KONG_PG_SSL=on status");
    expect_exit(&result, 5);
    refused(text_printf("%s status", verify), 1, "certificate", "lua_ssl_trusted_certificate");
    refused(text_printf("%s/other.crt status", trusted), 1, "certificate verify failed", "lua_ssl_trusted_certificate");
    refused(text_printf("%s/none.crt status", trusted), 1, "none.crt", "lua_ssl_trusted_certificate");
    db_create("tls", "base");
    result = kong("tls", text_printf("%s/server.crt up", trusted));
    expect_exit(&result, 0);
    db_ask("postgres", "ALTER SYSTEM RESET ssl");
    db_ask("postgres", "SELECT pg_reload_conf()");
}

/* Kong reads none of libpq's variables and files: no more do we. */
static void test_libpqs_own_settings(void **state)
{
    (void)state;
    text_save(text_printf("%s/.pgpass", harness.folder), text_printf("127.0.0.1:%d:*:kong:%s\n", harness.port, HARNESS_PASSWORD));
    chmod(text_printf("%s/.pgpass", harness.folder), 0600);
    refused("KONG_PG_PASSWORD= status", 1, "no password", "KONG_PG_PASSWORD");
    refused("KONG_PG_PASSWORD= PGPASSWORD=" HARNESS_PASSWORD " status", 1, "no password", "KONG_PG_PASSWORD");
    unlink(text_printf("%s/.pgpass", harness.folder));
    static const char *const variables[] = {"PGHOST=/nowhere", "PGHOSTADDR=192.0.2.1", "PGPORT=1", "PGDATABASE=x", "PGUSER=x", "PGPASSWORD=x", "PGSERVICE=none",
                                            "PGOPTIONS=-cdefault_transaction_read_only=on", "PGSSLMODE=verify-full", "PGGSSENCMODE=require",
                                            "PGREQUIREAUTH=none", "PGCONNECT_TIMEOUT=x", "PGTARGETSESSIONATTRS=read-only", "PGCHANNELBINDING=require",
                                            "PGTZ=Asia/Tokyo", "PGCLIENTENCODING=LATIN1", "PGMAXPROTOCOLVERSION=x", "PGSSLMINPROTOCOLVERSION=x"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        struct result result = kong("base", text_printf("%s status", variables[i]));
        expect_exit(&result, 5);
        assert_string_equal(result.err, "");
    }
}

static void test_no_connection_left(void **state)
{
    (void)state;
    db_ask("postgres", "ALTER ROLE kong CONNECTION LIMIT 0");
    struct result result = kong("base", "status");
    db_ask("postgres", "ALTER ROLE kong CONNECTION LIMIT 1");
    struct result up = kong("base", "up");
    db_ask("postgres", "ALTER ROLE kong CONNECTION LIMIT -1");
    expect_sentence(&result, 1, "too many connections", "end idle sessions");
    expect_sentence(&up, 1, "too many connections", "end idle sessions");
    expect_untouched("base");
}

static void as_guest(const char *database, const char *line, const char *what, const char *remedy)
{
    char *before = db_catalog(database), *rows = db_rows(database);
    struct result result = kong(database, text_printf("KONG_PG_USER=guest %s", line));
    expect_sentence(&result, 1, what, remedy);
    assert_string_equal(before, db_catalog(database));
    assert_string_equal(rows, db_rows(database));
}

static void test_no_rights(void **state)
{
    (void)state;
    db_create("locked", "base");
    db_ask("locked", "REVOKE ALL ON SCHEMA public FROM PUBLIC");
    as_guest("locked", "status", "may not use the schema public", "GRANT USAGE ON SCHEMA public TO guest");
    db_create("bare", NULL);
    db_ask("bare", "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO guest");
    as_guest("bare", "bootstrap", "may not create tables in schema public", "GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"guest\"");
    as_guest("bare", "KONG_PG_SCHEMA=gateway bootstrap", "may not create it", "GRANT CREATE ON DATABASE \"bare\" TO \"guest\"");
    db_create("rights", "base");
    db_ask("rights", "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO guest; GRANT ALL ON SCHEMA public TO kong");
    as_guest("rights", "status", " schema_meta", "grant the right");
    db_run("rights", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest");
    struct result status = kong("rights", "KONG_PG_USER=guest status");
    expect_exit(&status, 5);
    as_guest("rights", "up", " locks", "grant the right");
    db_run("rights", "GRANT ALL ON ALL TABLES IN SCHEMA public TO guest");
    as_guest("rights", "up", " upstreams", "grant the right");
    assert_string_equal(db_ask("rights", "SELECT count(*) FROM locks"), "0");
    struct result up = kong("rights", "up");
    expect_exit(&up, 0);
}

static void test_read_only(void **state)
{
    (void)state;
    db_create("readonly", "base");
    db_run("readonly", "ALTER DATABASE readonly SET default_transaction_read_only = on");
    struct result result = kong("readonly", "up");
    expect_sentence(&result, 1, "read-only transaction", "primary");
    expect_untouched("readonly");
}

/* What a DBA may have set for the role must not change what we do. */
static void test_odd_settings_of_the_role(void **state)
{
    (void)state;
    db_create("odd", "base");
    db_create("even", "base");
    static const char *const settings[] = {
        "TimeZone = 'America/New_York'", "quote_all_identifiers = on", "standard_conforming_strings = off", "DateStyle = 'SQL, DMY'",
        "IntervalStyle = 'sql_standard'", "search_path = pg_catalog", "default_transaction_isolation = 'serializable'",
        "client_min_messages = debug5", "lock_timeout = '1ms'", "row_security = off", "client_encoding = 'LATIN1'", "extra_float_digits = -15",
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        db_ask("postgres", text_printf("ALTER ROLE kong IN DATABASE odd SET %s", settings[i]));
    if (atoi(db_ask("odd", "SHOW server_version_num")) >= 140000)
        db_ask("postgres", "ALTER ROLE kong IN DATABASE odd SET idle_session_timeout = '200ms'");
    struct result result = kong("odd", "KONG_PG_SCHEMA=public up");
    expect_exit(&result, 0);
    result = kong("odd", "KONG_PG_SCHEMA=public finish --confirm odd");
    expect_exit(&result, 0);
    result = kong("even", "up");
    expect_exit(&result, 0);
    result = kong("even", "finish --confirm even");
    expect_exit(&result, 0);
    assert_string_equal(db_catalog("even"), db_catalog("odd"));
    assert_string_equal(db_rows("even"), db_rows("odd"));
    db_create("odd-new", NULL);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        db_ask("postgres", text_printf("ALTER ROLE kong IN DATABASE \"odd-new\" SET %s", settings[i]));
    result = kong("odd-new", "KONG_PG_SCHEMA=public bootstrap");
    expect_exit(&result, 0);
    assert_string_equal(db_catalog("even"), db_catalog("odd-new"));
}

/* The shell's exit code is the program's. */
static struct result by_shell(const char *database, const char *arguments, const char *redirections)
{
    char *script = text_printf("KONG_PG_DATABASE=%s %s -c %s %s %s", database, harness.binary, harness.conf, arguments, redirections);
    const char *const command[] = {"sh", "-c", script, NULL};
    struct process process = program_start(command, NULL, NULL);
    return kong_wait(&process);
}

static void test_output_can_not_be_written(void **state)
{
    (void)state;
    static const char *const commands[] = {"status", "status --json", "plan", "plan --json", "plan --sql", "report", "conf", "--help", "--version"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct result result = by_shell("base", commands[i], ">/dev/full");
        expect_sentence(&result, 1, "standard output", "");
        result = by_shell("base", commands[i], ">&-");
        expect_sentence(&result, 1, "standard output", "");
        result = by_shell("base", commands[i], "<&- 2>&-");
        assert_true(result.exit_code < 9);
    }
    struct result result = by_shell("base", "-q status", ">&-");
    expect_exit(&result, 5);
}

/* Whatever becomes of the view, the work goes on. */
static void test_the_view_of_a_run_is_lost(void **state)
{
    (void)state;
    static const char *const redirections[] = {">/dev/full", ">&-", "<&- >&- 2>&-", "| true", "2>/dev/full >/dev/full"};
    for (size_t i = 0; i < sizeof redirections / sizeof redirections[0]; i++) {
        char *name = text_printf("view%zu", i);
        db_create(name, "base");
        struct result result = by_shell(name, "up", redirections[i]);
        expect_exit(&result, strcmp(redirections[i], "| true") == 0 ? 0 : 75);
        await_journal(name, "\"result\":\"done\"");
        result = kong(name, "status");
        expect_exit(&result, 4);
    }
}

static char *state_folder(const char *database)
{
    return text_printf("%s/kong-upgrade/127.0.0.1_%d_%s_default", harness.state, harness.port, database);
}

/* Journals that are none. */
static void test_rubbish_in_the_state_folder(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "", "\n\n", "{", "[1,2]\n", "{\"event\":7,\"t\":{}}\n", "{\"event\":\"plan\",\"changes\":7}\n{\"event\":\"change\",\"id\":[],\"state\":9}\n",
        "{\"event\":\"start\",\"command\":null,\"pid\":\"x\"}\n{\"event\":\"plan\",\"changes\":[1,{\"id\":2,\"rows\":\"x\"},null]}\n"
        "{\"event\":\"change\",\"id\":\"\",\"state\":\"begin\"}\n{\"event\":\"progress\",\"id\":\"\",\"rows\":-5,\"total\":1e300}\n"
        "{\"event\":\"wait\",\"blockers\":[[],{\"pid\":{}}]}\n{\"event\":\"end\",\"exit\":\"x\"}\n",
        "{\"event\":\"start\",\"command\":\"up\\u001b[2J|a\\nb\",\"user\":\"\\u009b\",\"host\":\"`x`\",\"pid\":-1,\"t\":\"9999999999\"}\n",
        "\xff\xfe\x00\x01\x1b]0;x\x07\n", "{\"event\":\"start\"}\n{\"event\":\"plan\",\"changes\":[]}\n{\"event\":\"change\",\"id\":\"x\"}",
    };
    db_create("rubbish", "base");
    char *folder = state_folder("rubbish");
    const char *const make[] = {"mkdir", "-p", folder, NULL};
    struct process process = program_start(make, NULL, NULL);
    struct result result = kong_wait(&process);
    expect_exit(&result, 0);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        text_save(text_printf("%s/2026-01-0%zu-up.jsonl", folder, i), lines[i]);
    text_save(text_printf("%s/decisions.log", folder), "{\"decision\":[]}\n\x1b]0;x\x07\n{\"decision\":\"overruled\",\"what\":\"\\u001b[2J\"}\n");
    mkdir(text_printf("%s/2026-01-01-folder.jsonl", folder), 0700);
    assert_int_equal(symlink("loop.jsonl", text_printf("%s/loop.jsonl", folder)), 0);
    assert_int_equal(mkfifo(text_printf("%s/2026-01-01-pipe.jsonl", folder), 0600), 0);
    static const char *const commands[] = {"status", "report", "report --json", "attach", "stop", "up --dry-run"};
    static const int exit_codes[] = {5, 0, 0, 3, 3, 0};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        result = kong("rubbish", commands[i]);
        expect_exit(&result, exit_codes[i]);
        assert_null(strchr(result.out, '\x1b'));
    }
    json_t *json = json_loads(kong("rubbish", "report --json").out, 0, NULL);
    assert_non_null(json);
    json_decref(json);
    result = kong("rubbish", "up");
    expect_exit(&result, 0);
}

/* A worker that can't be stopped must not be mistaken: a journal's pid is not believed where no one holds the journal. */
static void test_no_home(void **state)
{
    (void)state;
    db_create("homeless", "base");
    refused("KONG_PG_DATABASE=homeless XDG_STATE_HOME= HOME= up", 1, "XDG_STATE_HOME", "set XDG_STATE_HOME");
    refused("KONG_PG_DATABASE=homeless XDG_STATE_HOME=/proc/nowhere up", 1, "/proc/nowhere", "set XDG_STATE_HOME");
    struct result result = kong("homeless", "XDG_STATE_HOME= HOME= status");
    expect_exit(&result, 5);
    expect_untouched("homeless");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kong_conf),
        cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_wrong_credentials),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_on_the_server),
        cmocka_unit_test(test_libpqs_own_settings),
        cmocka_unit_test(test_no_connection_left),
        cmocka_unit_test(test_no_rights),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_odd_settings_of_the_role),
        cmocka_unit_test(test_output_can_not_be_written),
        cmocka_unit_test(test_the_view_of_a_run_is_lost),
        cmocka_unit_test(test_rubbish_in_the_state_folder),
        cmocka_unit_test(test_no_home),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
