/*
 * The proof that the nodes' SQL works: that its statements are right (each runs on a database of its release, and no column that 1.3
 * uses goes unnoticed), that it is made at every stage and leaves no trace, that a failure stops the run before the next change, and
 * that it would have found what Kong's own migrations do wrong (C1, C2).
 *
 * What breaks the schema in the middle of a run is an event trigger: it acts when a migration creates its table.
 */
#include "tests/db/harness.h"

#include "core/migrations/proof_statements.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct proof_table *const tables[] = {&proof_core, &proof_legacy, &proof_plugins};

#define FOR_EACH_STATEMENT(each_, version_) \
    for (size_t table_ = 0; table_ < 3; table_++) \
        for (const struct proof_statement *each_ = tables[table_]->list; each_ < tables[table_]->list + tables[table_]->count; each_++) \
            if (each_->from <= (version_) && (version_) <= each_->to)

static const char *name_of(enum proof_version version)
{
    static const char *const names[] = {"0.14", "1.0", "1.1", "1.2", "1.3"};
    return names[version];
}

static bool is_issued(const struct proof_statement *statement, unsigned versions)
{
    for (enum proof_version version = statement->from; version <= statement->to; version++)
        if ((versions & 1u << version) != 0)
            return true;
    return false;
}

static long long count_issued(unsigned versions)
{
    long long count = 0;
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < tables[i]->count; j++)
            count += tables[i]->list[j].parent == NULL && is_issued(&tables[i]->list[j], versions) ? 1 : 0;
    return count;
}

/* Databases as each release makes them; that of 0.14.1 is real Kong's. */
static const char *const bases[] = {"base-0.14", "base-1.0", "base-1.1", "base-1.2", "base-1.3"};
static bool have_014;

static const char rows[] =
    "INSERT INTO services (id, name, host) SELECT md5('s' || n)::uuid, 's' || n, 'h' FROM generate_series(1, 9) n;"
    "INSERT INTO routes (id, name, service_id) SELECT md5('r' || n)::uuid, 'r' || n, md5('s' || n)::uuid FROM generate_series(1, 9) n;"
    "INSERT INTO upstreams (id, name, hash_on, slots) SELECT md5('u' || n)::uuid, 'u' || n, 'none', 10 FROM generate_series(1, 9) n;"
    "INSERT INTO cluster_ca (pk, key, cert) VALUES (true, 'k', 'c');"
    "INSERT INTO oauth2_tokens (id, access_token, ttl) VALUES (md5('t')::uuid, 't', '2019-01-01');"
    "INSERT INTO ratelimiting_metrics (identifier, period, period_date, value) VALUES ('i', 'minute', '2019-01-01', 1);"
    "ALTER TABLE cluster_events DISABLE TRIGGER delete_expired_cluster_events_trigger;"
    "INSERT INTO cluster_events (id, node_id, at, expire_at) VALUES (md5('e')::uuid, md5('n')::uuid, '2019-01-01', '2019-01-02');"
    "ALTER TABLE cluster_events ENABLE TRIGGER delete_expired_cluster_events_trigger";

static int setup(void **state)
{
    if (harness_setup(state) != 0)
        return -1;
    for (enum proof_version version = PROOF_1_0; version < PROOF_VERSIONS; version++) {
        db_create(bases[version], NULL);
        struct result result = kong(bases[version], version == PROOF_1_3 ? "bootstrap" : text_printf("bootstrap --to %s", name_of(version)));
        expect_exit(&result, 0);
    }
    have_014 = harness_have("kong-0.14.1-data.sql");
    if (have_014) {
        db_create(bases[PROOF_0_14], NULL);
        db_load(bases[PROOF_0_14], harness_reference("kong-0.14.1-data.sql"));
    }
    return 0;
}

/* The statements themselves. */

static const char *command(const PGresult *result)
{
    return PQcmdStatus((PGresult *)(uintptr_t)result);
}

static void begin_as_kong(PGconn *connection)
{
    PQclear(PQexec(connection, "BEGIN; SET LOCAL TimeZone = 'UTC'"));
}

/* What is written is written: a proof of an UPDATE that finds no row would be none. */
static void expect_effect(const struct proof_statement *statement, const PGresult *result)
{
    bool writes = strncmp(statement->sql, "INSERT", 6) == 0 || strncmp(statement->sql, "UPDATE", 6) == 0;
    if (writes && statement->parent == NULL && atoi(PQcmdTuples((PGresult *)(uintptr_t)result)) != 1)
        fail_msg("%s: %s", command(result), statement->sql);
}

static void run_each(enum proof_version version)
{
    char *before = db_rows(bases[version]), *events = db_ask(bases[version], "SELECT * FROM cluster_events");
    PGconn *connection = db_connect("kong", bases[version]);
    begin_as_kong(connection);
    FOR_EACH_STATEMENT(each, version) {
        PGresult *result = PQexec(connection, each->sql);
        if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
            fail_msg("%s: %s%s", name_of(version), PQerrorMessage(connection), each->sql);
        expect_effect(each, result);
        PQclear(result);
    }
    assert_int_equal(PQtransactionStatus(connection), PQTRANS_INTRANS);
    PQclear(PQexec(connection, "ROLLBACK"));
    PQfinish(connection);
    assert_string_equal(before, db_rows(bases[version]));
    assert_string_equal(events, db_ask(bases[version], "SELECT * FROM cluster_events"));
}

/* Every table that the release has, but for those that it only inherited. */
static void expect_every_table(enum proof_version version)
{
    char *names = db_ask(bases[version], "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"), *rest;
    for (char *name = strtok_r(names, "\n", &rest); name != NULL; name = strtok_r(NULL, "\n", &rest)) {
        bool found = version > PROOF_0_14 && (strcmp(name, "apis") == 0 || strcmp(name, "ttls") == 0);
        FOR_EACH_STATEMENT(each, version)
            found = found || (each->parent == NULL && strcmp(each->table, name) == 0);
        if (!found)
            fail_msg("no statement of %s is about %s", name_of(version), name);
    }
}

static void test_each_statement_works_on_its_release(void **state)
{
    (void)state;
    for (enum proof_version version = have_014 ? PROOF_0_14 : PROOF_1_0; version < PROOF_VERSIONS; version++) {
        run_each(version);
        expect_every_table(version);
    }
}

/* The SQLSTATE of the first of the table's statements (of all tables', where NULL) that fails, or "". */
static char *first_failure(PGconn *connection, enum proof_version version, const char *table)
{
    FOR_EACH_STATEMENT(each, version) {
        if (table != NULL && strcmp(each->table, table) != 0)
            continue;
        PGresult *result = PQexec(connection, each->sql);
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        char *failure = text_printf("%s", state != NULL ? state : "");
        PQclear(result);
        if (failure[0] != '\0')
            return failure;
    }
    return text_printf("%s", "");
}

/* A release uses every column of its tables, but for what it inherited; the proof must miss each. */
static void expect_no_column_unproven(enum proof_version version)
{
    char *columns = db_ask(bases[version],
        "SELECT format('%I.%I', relname, attname) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid AND relkind = 'r'"
        " AND relnamespace = current_schema()::regnamespace WHERE attnum > 0 AND NOT attisdropped AND relname NOT IN ('apis', 'ttls',"
        " 'schema_meta', 'schema_migrations', 'locks')"), *rest;
    PGconn *connection = db_connect("kong", bases[version]);
    for (char *column = strtok_r(columns, "\n", &rest); column != NULL; column = strtok_r(NULL, "\n", &rest)) {
        char *dot = strchr(column, '.');
        *dot = '\0';
        begin_as_kong(connection);
        PGresult *result = PQexec(connection, text_printf("ALTER TABLE %s RENAME COLUMN %s TO unknown", column, dot + 1));
        assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
        PQclear(result);
        if (first_failure(connection, version, column)[0] == '\0')
            fail_msg("%s: no statement misses %s.%s", name_of(version), column, dot + 1);
        PQclear(PQexec(connection, "ROLLBACK"));
    }
    PQfinish(connection);
}

static void test_no_column_goes_unproven(void **state)
{
    (void)state;
    for (enum proof_version version = have_014 ? PROOF_0_14 : PROOF_1_0; version < PROOF_VERSIONS; version++)
        expect_no_column_unproven(version);
}

/* Runs. */

struct proofs {
    size_t count, failed;
    long long last_statements;
    char *last_versions, *last_migration, *statement;
};

static struct proofs proofs_of(const char *database)
{
    struct proofs proofs = {0};
    char *text = text_printf("%s", text_file(journal_newest(database))), *rest;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        json_t *event = json_loads(line, 0, NULL);
        const char *name = json_string_value(json_object_get(event, "event")), *sql = json_string_value(json_object_get(event, "statement"));
        if (name != NULL && strcmp(name, "proof") == 0) {
            const char *migration = json_string_value(json_object_get(event, "migration"));
            char *versions = json_dumps(json_object_get(event, "versions"), JSON_COMPACT);
            proofs.count++;
            proofs.failed += strcmp(json_string_value(json_object_get(event, "state")), "passed") != 0 ? 1 : 0;
            proofs.last_statements = json_integer_value(json_object_get(event, "statements"));
            proofs.last_versions = text_printf("%s", versions);
            proofs.last_migration = text_printf("%s", migration != NULL ? migration : "");
            proofs.statement = sql != NULL ? text_printf("%s", sql) : NULL;
            free(versions);
        }
        json_decref(event);
    }
    return proofs;
}

static void run_well(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
}

static void finish_well(const char *database)
{
    run_well(database, text_printf("finish --confirm %s", database));
}

static void expect_proven(const char *database, size_t least, unsigned versions, const char *names)
{
    struct proofs proofs = proofs_of(database);
    assert_true(proofs.count >= least);
    assert_int_equal(proofs.failed, 0);
    assert_string_equal(proofs.last_versions, names);
    assert_string_equal(proofs.last_migration, "");
    assert_int_equal(proofs.last_statements, count_issued(versions));
}

static void upgrade_from(enum proof_version version)
{
    char *database = text_printf("from-%s", name_of(version));
    db_create(database, bases[version]);
    if (version > PROOF_0_14)
        db_run(database, rows);
    run_well(database, "up");
    expect_proven(database, 3, 1u << version | 1u << PROOF_1_3, text_printf("[\"%s\",\"1.3\"]", name_of(version)));
    assert_string_equal(db_ask(database, "SELECT count(*) FROM locks"), "0");
    finish_well(database);
    expect_proven(database, 2, 1u << PROOF_1_3, "[\"1.3\"]");
    if (version > PROOF_0_14) {
        assert_string_equal(db_ask(database, "SELECT count(*) FROM cluster_events"), "1");
        assert_string_equal(db_ask(database, "SELECT count(*) FROM oauth2_tokens"), "1");
    }
    struct result report = kong(database, "report");
    expect_part(report.out, text_printf("Proven: "));
    db_drop(database);
}

static void test_both_releases_are_proven(void **state)
{
    (void)state;
    for (enum proof_version version = have_014 ? PROOF_0_14 : PROOF_1_0; version < PROOF_1_3; version++)
        upgrade_from(version);
}

static void test_bootstrap_is_proven(void **state)
{
    (void)state;
    for (enum proof_version version = PROOF_1_0; version < PROOF_VERSIONS; version++)
        expect_proven(bases[version], 1, 1u << version, text_printf("[\"%s\"]", name_of(version)));
}

/* Rows of the operator's are neither written nor locked, though some have expired. */
static void test_it_keeps_to_its_own_rows(void **state)
{
    (void)state;
    db_create("own", "base-1.2");
    db_run("own", rows);
    db_run("own", "INSERT INTO locks (key, owner, ttl) VALUES ('another', 'o', '2019-01-01')");
    PGconn *holder = db_connect("kong", "own");
    PGresult *result = PQexec(holder, "BEGIN; SELECT 1 FROM services FOR UPDATE; SELECT 1 FROM routes FOR UPDATE; SELECT 1 FROM upstreams FOR UPDATE;"
                                      " SELECT 1 FROM cluster_ca FOR UPDATE; SELECT 1 FROM oauth2_tokens FOR UPDATE; SELECT 1 FROM cluster_events FOR UPDATE;"
                                      " SELECT 1 FROM ratelimiting_metrics FOR UPDATE; SELECT 1 FROM schema_meta FOR UPDATE");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
    struct process up = kong_start("own", "up");
    char *journal = text_file(await_journal("own", "\"event\":\"wait\""));
    expect_part(journal, "\"state\":\"passed\"");
    assert_true(strstr(journal, "\"state\":\"passed\"") < strstr(journal, "\"event\":\"wait\""));
    PQfinish(holder);
    struct result ended = kong_wait(&up);
    expect_exit(&ended, 0);
    db_drop("own");
}

/* Someone holds a table: it is tried again, and who it is is said. */
static void test_it_waits_for_a_table(void **state)
{
    (void)state;
    db_create("held", "base-1.2");
    PGconn *holder = db_connect("kong", "held");
    PQclear(PQexec(holder, "BEGIN; LOCK TABLE consumers IN EXCLUSIVE MODE"));
    struct process up = kong_start("held", "up");
    char *journal = text_file(await_journal("held", "\"event\":\"wait\""));
    assert_null(strstr(journal, "\"event\":\"change\""));
    PQfinish(holder);
    struct result ended = kong_wait(&up);
    expect_exit(&ended, 0);
    assert_int_equal(proofs_of("held").failed, 0);
    db_drop("held");
}

/* Sabotage. */

struct standing {
    char *catalog, *rows, *meta;
};

static struct standing stand(const char *database)
{
    return (struct standing){db_catalog(database), db_rows(database), db_meta(database)};
}

static void expect_stands(const char *database, const struct standing *as)
{
    assert_string_equal(as->catalog, db_catalog(database));
    assert_string_equal(as->rows, db_rows(database));
    assert_string_equal(as->meta, db_meta(database));
}

/* The run stops with exit code 1, and says at which statement on which table. */
static void expect_unproven(const char *database, const char *line, const char *where, const char *statement)
{
    struct result result = kong(database, line);
    expect_exit(&result, 1);
    expect_part(result.err, where);
    expect_part(result.err, statement);
    struct proofs proofs = proofs_of(database);
    assert_int_equal(proofs.failed, 1);
    assert_non_null(strstr(proofs.statement, statement));
    expect_part(result.out, statement);
    struct result report = kong(database, "report");
    expect_part(report.out, "Not proven");
    expect_part(report.out, statement);
    report = kong(database, "report --json");
    expect_part(report.out, "\"unproven\": \"");
}

#define REFUSE(command_, table_) \
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'not here'; END $f$;" \
    "CREATE TRIGGER refusal BEFORE " command_ " ON " table_ " FOR EACH ROW EXECUTE PROCEDURE refuse()"
#define ALLOW(table_) "DROP TRIGGER refusal ON " table_ "; DROP FUNCTION refuse()"

static void test_what_is_broken_before_is_left_alone(void **state)
{
    (void)state;
    db_create("before", "base-1.2");
    db_run("before", rows);
    db_run("before", "ALTER TABLE routes ADD CONSTRAINT none_of_them CHECK (name IS NULL) NOT VALID");
    struct standing was = stand("before");
    expect_unproven("before", "up", "before the first change a statement that Kong 1.2 issues on routes does not work", "INSERT INTO \"routes\"");
    expect_unproven("before", "up", "nothing was changed", "INSERT INTO \"routes\"");
    expect_stands("before", &was);
    db_run("before", "ALTER TABLE routes DROP CONSTRAINT none_of_them");
    run_well("before", "up");
    finish_well("before");
    assert_string_equal(db_catalog("base-1.3"), db_catalog("before"));
    db_drop("before");
}

/* `sql` runs when that table has been created. */
static void sabotage(const char *database, const char *table, const char *sql)
{
    db_ask(database, text_printf("CREATE FUNCTION public.sabotage() RETURNS event_trigger LANGUAGE plpgsql AS $body$ BEGIN"
                                 " IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'public.%s') THEN %s; END IF; END $body$;"
                                 "CREATE EVENT TRIGGER sabotage ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE PROCEDURE public.sabotage()", table, sql));
}

static void end_sabotage(const char *database)
{
    db_ask(database, "DROP EVENT TRIGGER sabotage; DROP FUNCTION public.sabotage()");
}

static void expect_as_fresh(const char *database)
{
    finish_well(database);
    assert_string_equal(db_catalog("base-1.3"), db_catalog(database));
    assert_string_equal(db_meta("base-1.3"), db_meta(database));
    db_drop(database);
}

/* After core's 005 the old cluster can't insert routes any more: no further change is made, nor is one on the next try. */
static void test_a_migration_that_breaks_the_old_cluster(void **state)
{
    (void)state;
    db_create("meanwhile", "base-1.2");
    db_run("meanwhile", rows);
    sabotage("meanwhile", "ca_certificates", REFUSE("INSERT", "routes"));
    char *rows_before = db_ask("meanwhile", "SELECT id, name FROM routes ORDER BY id");
    expect_unproven("meanwhile", "up", "after core/005_120_to_130 a statement that Kong 1.2 issues on routes does not work", "INSERT INTO \"routes\"");
    end_sabotage("meanwhile");
    expect_part(db_meta("meanwhile"), "|{005_120_to_130}");
    assert_string_equal(db_ask("meanwhile", "SELECT to_regclass('sessions') IS NULL"), "t");
    struct standing was = stand("meanwhile");
    expect_unproven("meanwhile", "up", "nothing was changed", "INSERT INTO \"routes\"");
    expect_stands("meanwhile", &was);
    assert_string_equal(rows_before, db_ask("meanwhile", "SELECT id, name FROM routes ORDER BY id"));
    db_run("meanwhile", ALLOW("routes"));
    run_well("meanwhile", "up");
    expect_as_fresh("meanwhile");
}

static void test_a_column_that_goes_meanwhile(void **state)
{
    (void)state;
    db_create("column", "base-1.0");
    sabotage("column", "tags", "ALTER TABLE plugins RENAME COLUMN run_on TO runs_on");
    expect_unproven("column", "up", "after core/003_100_to_110 a statement that Kong 1.0 issues on plugins does not work", "\"run_on\"");
    end_sabotage("column");
    assert_string_equal(db_ask("column", "SELECT to_regclass('ca_certificates') IS NULL"), "t");
    db_run("column", "ALTER TABLE plugins RENAME COLUMN runs_on TO run_on");
    run_well("column", "up");
    expect_as_fresh("column");
}

/* The last proof fails: the last migration is not recorded, so that `up` is not over, and proves it again. */
static void test_the_last_proof(void **state)
{
    (void)state;
    db_create("last", "base-1.2");
    sabotage("last", "sessions", "ALTER TABLE sessions DROP CONSTRAINT sessions_session_id_key");
    expect_unproven("last", "up", "after all changes a statement that Kong 1.3 issues on sessions does not work", "INSERT INTO \"sessions\"");
    end_sabotage("last");
    assert_null(strstr(db_meta("last"), "session|"));
    expect_unproven("last", "up", "nothing further was changed", "ON CONFLICT (\"session_id\")");
    db_run("last", "ALTER TABLE sessions ADD UNIQUE (session_id)");
    run_well("last", "up");
    struct result again = kong("last", "up");
    expect_exit(&again, 0);
    expect_part(again.out, "nothing to do");
    expect_as_fresh("last");
}

static void test_a_finish_that_breaks_the_new_cluster(void **state)
{
    (void)state;
    db_create("finishing", "base-1.2");
    db_run("finishing", rows);
    run_well("finishing", "up");
    db_run("finishing", REFUSE("DELETE", "upstreams"));
    expect_unproven("finishing", "finish --confirm finishing", "after all changes a statement that Kong 1.3 issues on upstreams", "DELETE FROM \"upstreams\"");
    expect_part(db_meta("finishing"), "|{005_120_to_130}");
    expect_unproven("finishing", "finish --confirm finishing", "nothing further was changed", "DELETE FROM \"upstreams\"");
    db_run("finishing", ALLOW("upstreams"));
    db_run("finishing", REFUSE("INSERT", "consumers"));
    struct standing was = stand("finishing");
    expect_unproven("finishing", "finish --confirm finishing", "before the first change", "INSERT INTO \"consumers\"");
    expect_stands("finishing", &was);
    db_run("finishing", ALLOW("consumers"));
    expect_as_fresh("finishing");
}

/* An empty database stays empty. */
static void test_a_bootstrap_that_fails(void **state)
{
    (void)state;
    db_create("fresh", NULL);
    sabotage("fresh", "sessions", "ALTER TABLE sessions DROP CONSTRAINT sessions_session_id_key");
    struct result result = kong("fresh", "bootstrap");
    expect_exit(&result, 1);
    expect_part(result.err, "sessions");
    expect_part(result.err, "all of it was rolled back");
    assert_string_equal(db_ask("fresh", "SELECT to_regclass('services') IS NULL"), "t");
    end_sabotage("fresh");
    run_well("fresh", "bootstrap");
    assert_string_equal(db_catalog("base-1.3"), db_catalog("fresh"));
    db_drop("fresh");
}

/* What Kong's own migrations do wrong: C1, a function that 0.14's oauth2 calls is gone; C2, 1.3 counts by a key that is not there. */

static char *failure_on(const char *database, enum proof_version version, const char *table)
{
    PGconn *connection = db_connect("kong", database);
    begin_as_kong(connection);
    char *failure = first_failure(connection, version, table);
    PQfinish(connection);
    return failure;
}

static void test_kongs_own_way_is_found_out(void **state)
{
    (void)state;
    if (!have_014)
        skip();
    db_create("ours", "base-0.14");
    run_well("ours", "up");
    assert_string_equal(failure_on("ours", PROOF_0_14, NULL), "");
    assert_string_equal(failure_on("ours", PROOF_1_3, NULL), "");
    db_drop("ours");
    db_create("kongs", "base-0.14");
    db_kongs_own("kongs", "up", NULL);
    assert_string_equal(failure_on("kongs", PROOF_0_14, "oauth2_tokens"), "42883");
    assert_string_equal(failure_on("kongs", PROOF_0_14, "oauth2_authorization_codes"), "42883");
    assert_string_equal(failure_on("kongs", PROOF_0_14, "plugins"), "");
    assert_string_equal(failure_on("kongs", PROOF_1_3, "ratelimiting_metrics"), "42P10");
    assert_string_equal(failure_on("kongs", PROOF_1_3, "response_ratelimiting_metrics"), "42P10");
    /* Kong's `up` has left it so: that does not keep our `finish` from mending it. */
    finish_well("kongs");
    expect_proven("kongs", 2, 1u << PROOF_1_3, "[\"1.3\"]");
    db_drop("kongs");
}

/* C2 in a run: 1.3 can't count, so `up` is not complete. */
static void test_c2_stops_up(void **state)
{
    (void)state;
    if (!have_014)
        skip();
    db_create("six", "base-0.14");
    sabotage("six", "sessions", "DROP INDEX ratelimiting_metrics_pkey_new");
    expect_unproven("six", "up", "a statement that Kong 1.3 issues on ratelimiting_metrics does not work", "ON CONFLICT (\"identifier\", \"period\"");
    end_sabotage("six");
    db_run("six", "CREATE UNIQUE INDEX ratelimiting_metrics_pkey_new ON ratelimiting_metrics (identifier, period, period_date, service_id, route_id)");
    run_well("six", "up");
    finish_well("six");
    db_drop("six");
}

/* Rate limiting is new to a 1.2 database: its table has six key columns until `finish`, as one of 0.14 has. */
static void test_a_rate_limiter_that_is_new(void **state)
{
    (void)state;
    db_create("new", NULL);
    run_well("new", "KONG_PLUGINS=acl,jwt bootstrap --to 1.2");
    assert_string_equal(db_ask("new", "SELECT to_regclass('ratelimiting_metrics') IS NULL"), "t");
    run_well("new", "up");
    assert_int_equal(proofs_of("new").failed, 0);
    finish_well("new");
    assert_string_equal(db_catalog("base-1.3"), db_catalog("new"));
    db_drop("new");
}

/* A statement that takes longer than a node waits is no failure: it is planned. The others run meanwhile. */
static struct process slow;

static void test_a_slow_table_begins(void **state)
{
    (void)state;
    db_create("slow", "base-1.2");
    sabotage("slow", "sessions", "CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM pg_sleep(7); RETURN NEW; END $f$;"
                                 "CREATE TRIGGER doze BEFORE INSERT ON sessions FOR EACH ROW EXECUTE PROCEDURE doze()");
    slow = kong_start("slow", "up");
}

static void test_a_slow_table_is_no_failure(void **state)
{
    (void)state;
    struct result result = kong_wait(&slow);
    expect_exit(&result, 0);
    assert_int_equal(proofs_of("slow").failed, 0);
    end_sabotage("slow");
    db_drop("slow");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slow_table_begins),
        cmocka_unit_test(test_each_statement_works_on_its_release),
        cmocka_unit_test(test_no_column_goes_unproven),
        cmocka_unit_test(test_both_releases_are_proven),
        cmocka_unit_test(test_bootstrap_is_proven),
        cmocka_unit_test(test_it_keeps_to_its_own_rows),
        cmocka_unit_test(test_it_waits_for_a_table),
        cmocka_unit_test(test_what_is_broken_before_is_left_alone),
        cmocka_unit_test(test_a_migration_that_breaks_the_old_cluster),
        cmocka_unit_test(test_a_column_that_goes_meanwhile),
        cmocka_unit_test(test_the_last_proof),
        cmocka_unit_test(test_a_finish_that_breaks_the_new_cluster),
        cmocka_unit_test(test_a_bootstrap_that_fails),
        cmocka_unit_test(test_kongs_own_way_is_found_out),
        cmocka_unit_test(test_c2_stops_up),
        cmocka_unit_test(test_a_rate_limiter_that_is_new),
        cmocka_unit_test(test_a_slow_table_is_no_failure),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, setup, harness_teardown) : 64;
}
