/*
 * Databases of real Kong nodes, and what real Kong 1.3.0 makes of them: ours must come out the same, schema and rows, but for the
 * corrections. The reference folder is not part of the project; where it is not there, what needs it is skipped.
 */
#include "tests/db/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* rows.sql's lines come in the order of its tables; the reference files are sorted bytewise. */
static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *sorted(char *text)
{
    size_t count = 0, length = strlen(text);
    for (const char *c = text; *c != '\0'; c++)
        count += *c == '\n' ? 1 : 0;
    char **lines = calloc(count + 1, sizeof *lines), *copy = text_printf("%s", text), *rest, *end = text;
    assert_non_null(lines);
    count = 0;
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        lines[count++] = line;
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++)
        end += snprintf(end, length + 1 - (size_t)(end - text), "%s\n", lines[i]);
    free(lines);
    return text;
}

static char *catalog(const char *database)
{
    return db_psql(database, harness_reference("catalog.sql"));
}

static char *rows(const char *database)
{
    return sorted(db_psql(database, harness_reference("rows.sql")));
}

/* The listings were made on PostgreSQL 15; other servers print defaults and triggers differently. */
static bool comparable(void)
{
    static bool noted;
    int version = atoi(db_ask("postgres", "SHOW server_version_num"));
    bool same = version / 10000 == 15;
    if (!same && !noted)
        print_message("[  NOTE    ] the reference listings are PostgreSQL 15's, this server is %d: catalogs are compared with a fresh 1.3 of ours instead\n", version);
    noted = true;
    return same;
}

static void expect_same(const char *what, const char *kongs, const char *ours)
{
    char *difference = text_difference(kongs, ours);
    if (difference[0] != '\0')
        fail_msg("%s (- Kong's, + ours):\n%.6000s", what, difference);
}

/* `line` is one of those that `difference` may have; all that is not such a line fails. */
typedef bool tolerated(const char *line);

static void expect_only(const char *what, const char *kongs, const char *ours, tolerated *allowed)
{
    char *difference = text_difference(kongs, ours), *rest;
    for (char *line = strtok_r(difference, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (!allowed(line))
            fail_msg("%s (- Kong's, + ours):\n%.3000s", what, line);
}

static void run_well(const char *database, const char *line)
{
    struct result result = kong(database, line);
    expect_exit(&result, 0);
}

/* A command that has nothing to do changes nothing, byte for byte. */
static void expect_no_effect(const char *database, const char *line)
{
    char *catalog_before = db_catalog(database), *rows_before = db_rows(database), *meta_before = db_meta(database);
    struct result result = kong(database, line);
    expect_exit(&result, 0);
    expect_part(result.out, "nothing to do");
    assert_string_equal(catalog_before, db_catalog(database));
    assert_string_equal(rows_before, db_rows(database));
    assert_string_equal(meta_before, db_meta(database));
}

/* Every row that was there is there still: the same number in every table that Kong's own migration left as many in. */
static void expect_rows_kept(const char *before, const char *after, const char *table)
{
    size_t counts[2] = {0, 0};
    const char *const texts[2] = {before, after};
    char *begin = text_printf("\n%s {", table);
    for (int i = 0; i < 2; i++) {
        char *text = text_printf("\n%s", texts[i]);
        for (const char *found = strstr(text, begin); found != NULL; found = strstr(found + 1, begin))
            counts[i]++;
    }
    if (counts[0] != counts[1])
        fail_msg("%s: %zu rows before, %zu after", table, counts[0], counts[1]);
}

static void expect_all_rows_kept(const char *before, const char *after)
{
    static const char *const tables[] = {"services", "routes", "certificates", "snis", "consumers", "plugins", "upstreams", "targets", "acls",
                                         "basicauth_credentials", "hmacauth_credentials", "jwt_secrets", "keyauth_credentials", "oauth2_credentials",
                                         "oauth2_authorization_codes", "oauth2_tokens", "ratelimiting_metrics", "response_ratelimiting_metrics", "tags"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        expect_rows_kept(before, after, tables[i]);
}

/* From 1.0, 1.1 and 1.2 nothing may differ at all: C5 (acls.cache_key) concerns acl's 001, which those have behind them, and C1,
 * C2 and C4 databases of 0.14. */
static void upgrade_1_x(const char *database, const char *dump, const char *kongs)
{
    if (!harness_have(dump))
        skip();
    bool catalogs = comparable();
    db_create(database, NULL);
    db_load(database, harness_reference(dump));
    char *rows_before = rows(database);
    run_well(database, "up");
    if (catalogs)
        expect_same("schema after up", text_file(harness_reference(text_printf("%s-after-up.catalog.txt", kongs))), catalog(database));
    expect_same("rows after up", text_file(harness_reference(text_printf("%s-after-up.rows.txt", kongs))), rows(database));
    expect_no_effect(database, "up");
    run_well(database, text_printf("finish --confirm %s", database));
    if (catalogs)
        expect_same("schema after finish", text_file(harness_reference(text_printf("%s-after-finish.catalog.txt", kongs))), catalog(database));
    expect_same("schema after finish, with a fresh 1.3", catalog("fresh-1.3"), catalog(database));
    char *rows_after = rows(database);
    expect_same("rows after finish", text_file(harness_reference(text_printf("%s-after-finish.rows.txt", kongs))), rows_after);
    expect_all_rows_kept(rows_before, rows_after);
    expect_no_effect(database, "up");
    expect_no_effect(database, text_printf("finish --confirm %s", database));
    db_drop(database);
}

static void test_1_0_4(void **state)
{
    (void)state;
    upgrade_1_x("kong104", "kong-1.0.4-data.sql", "kong-1.0.4");
}

static void test_1_2_3(void **state)
{
    (void)state;
    upgrade_1_x("kong123", "kong-1.2.3-data.sql", "kong-1.2.3");
}

static void expect_finished(const char *database)
{
    assert_string_equal(db_ask(database, "SELECT count(*) FROM upstreams WHERE algorithm IS DISTINCT FROM"
                                         " CASE WHEN hash_on = 'none' THEN 'round-robin' ELSE 'consistent-hashing' END"), "0");
    expect_part(db_meta(database), "core|005_120_to_130|{000_base,001_14_to_15,002_15_to_1,003_100_to_110,004_110_to_120,005_120_to_130}|{}");
}

static bool is_record(const char *line)
{
    return line[1] == ' ' && strncmp(line + 2, "schema_meta {", strlen("schema_meta {")) == 0;
}

static bool is_record_or_upstream(const char *line)
{
    return is_record(line) || strncmp(line + 2, "upstreams {", strlen("upstreams {")) == 0;
}

/* C9: Kong's own `up` timed out at its client while the server committed; nothing was recorded. The dump is of another database
 * than the listings: its rows are compared with themselves. */
static void test_wedged_up(void **state)
{
    (void)state;
    if (!harness_have("kong-1.2.3-data-wedged-up.sql"))
        skip();
    db_create("wedged", NULL);
    db_load("wedged", harness_reference("kong-1.2.3-data-wedged-up.sql"));
    char *before = rows("wedged");
    run_well("wedged", "up");
    if (comparable())
        expect_same("schema after up", text_file(harness_reference("kong-1.2.3-after-up.catalog.txt")), catalog("wedged"));
    expect_only("rows after up", before, rows("wedged"), is_record);
    expect_part(db_meta("wedged"), "|{005_120_to_130}");
    expect_no_effect("wedged", "up");
    run_well("wedged", "finish --confirm wedged");
    if (comparable())
        expect_same("schema after finish", text_file(harness_reference("kong-1.2.3-after-finish.catalog.txt")), catalog("wedged"));
    expect_only("rows after finish", before, rows("wedged"), is_record_or_upstream);
    expect_all_rows_kept(before, rows("wedged"));
    expect_finished("wedged");
    expect_no_effect("wedged", "finish --confirm wedged");
    db_drop("wedged");
}

/* Kong's own `finish` was killed half-way. */
static void test_half_finish(void **state)
{
    (void)state;
    if (!harness_have("kong-1.2.3-data-half-finish.sql"))
        skip();
    db_create("half", NULL);
    db_load("half", harness_reference("kong-1.2.3-data-half-finish.sql"));
    expect_no_effect("half", "up");
    char *before = rows("half");
    run_well("half", "finish --confirm half");
    if (comparable())
        expect_same("schema after finish", text_file(harness_reference("kong-1.2.3-after-finish.catalog.txt")), catalog("half"));
    expect_all_rows_kept(before, rows("half"));
    expect_only("rows after finish", before, rows("half"), is_record_or_upstream);
    expect_finished("half");
    expect_no_effect("half", "finish --confirm half");
    db_drop("half");
}

static bool has(const char *line, const char *part)
{
    return strstr(line, part) != NULL;
}

/* After `up` from 0.14.1: C1 keeps upsert_ttl, C2 has the index on five columns built already. */
static bool is_corrected_catalog(const char *line)
{
    return (line[0] == '+' && has(line, "function   upsert_ttl(")) || (line[0] == '+' && has(line, "ratelimiting_metrics_pkey_new"));
}

/* Kong leaves that one, and so do we. */
static bool is_left_by_014(const char *line)
{
    return line[0] == '+' && has(line, "function   upsert_schema_migrations(");
}

/* C4: the TTL of tokens that never expire stays empty. The reference database has none, so the test adds one. */
static bool is_corrected_row(const char *line)
{
    return has(line, " oauth2_tokens {") && has(line, "\"expires_in\": 0");
}

/* C5 beside it: acls.cache_key is filled. */
static bool is_corrected_finished_row(const char *line)
{
    return is_corrected_row(line) || has(line, " acls {");
}

/* Where Kong's own `up` has run, C1's function is gone and C2's indexes are not there; `finish` is the same. */
static void finish_after_kongs_up(void)
{
    db_create("kongs014", NULL);
    db_load("kongs014", harness_reference("kong-0.14.1-data.sql"));
    db_kongs_own("kongs014", "up", NULL);
    if (comparable())
        expect_same("schema after Kong's up", text_file(harness_reference("kong-0.14.1-after-up.catalog.txt")), catalog("kongs014"));
    run_well("kongs014", "finish --confirm kongs014");
    if (comparable())
        expect_same("schema after finish", text_file(harness_reference("kong-0.14.1-after-finish.catalog.txt")), catalog("kongs014"));
    db_drop("kongs014");
}

/* Counters that differ in api_id alone can't share the new key: said, and nothing lost, until they are removed. */
static void test_duplicate_counters(void **state)
{
    (void)state;
    if (!harness_have("kong-0.14.1-data.sql"))
        skip();
    db_create("duplicates", NULL);
    db_load("duplicates", harness_reference("kong-0.14.1-data.sql"));
    db_run("duplicates", "INSERT INTO ratelimiting_metrics (identifier, period, period_date, api_id, value)"
                         " SELECT 'twice', 'day', '2020-01-01', md5(n::text)::uuid, 1 FROM generate_series(1, 2) n");
    char *before = db_ask("duplicates", "SELECT count(*) FROM ratelimiting_metrics");
    struct result result = kong("duplicates", "up");
    expect_exit(&result, 1);
    expect_part(result.err, "ratelimiting_metrics_pkey_new");
    expect_part(result.err, "duplicate rows");
    assert_string_equal(before, db_ask("duplicates", "SELECT count(*) FROM ratelimiting_metrics"));
    db_run("duplicates", "DELETE FROM ratelimiting_metrics WHERE identifier = 'twice'");
    run_well("duplicates", "up");
    if (comparable())
        expect_only("schema after up", text_file(harness_reference("kong-0.14.1-after-up.catalog.txt")), catalog("duplicates"), is_corrected_catalog);
    db_drop("duplicates");
}

static void test_0_14_1(void **state)
{
    (void)state;
    if (!harness_have("kong-0.14.1-data.sql"))
        skip();
    bool catalogs = comparable();
    db_create("kong014", NULL);
    db_load("kong014", harness_reference("kong-0.14.1-data.sql"));
    db_run("kong014", "INSERT INTO oauth2_tokens (id, credential_id, access_token, token_type, expires_in)"
                      " SELECT '11111111-1111-4111-8111-111111111111', id, 'never-expires', 'bearer', 0 FROM oauth2_credentials LIMIT 1");
    char *before = rows("kong014");
    run_well("kong014", "up");
    if (catalogs)
        expect_only("schema after up", text_file(harness_reference("kong-0.14.1-after-up.catalog.txt")), catalog("kong014"), is_corrected_catalog);
    expect_only("rows after up", text_file(harness_reference("kong-0.14.1-after-up.rows.txt")), rows("kong014"), is_corrected_row);
    assert_string_equal(db_ask("kong014", "SELECT count(*) FROM oauth2_tokens WHERE expires_in = 0 AND ttl IS NULL"), "1");
    expect_no_effect("kong014", "up");
    finish_after_kongs_up();
    run_well("kong014", "finish --confirm kong014");
    expect_only("schema after finish, with a fresh 1.3", catalog("fresh-1.3"), catalog("kong014"), is_left_by_014);
    /* C1's function is gone by now, C2's index is the key: nothing differs, 0.14's upsert_schema_migrations is left as Kong leaves it. */
    if (catalogs)
        expect_same("schema after finish", text_file(harness_reference("kong-0.14.1-after-finish.catalog.txt")), catalog("kong014"));
    expect_only("rows after finish", text_file(harness_reference("kong-0.14.1-after-finish.rows.txt")), rows("kong014"), is_corrected_finished_row);
    assert_string_equal(db_ask("kong014", "SELECT count(*) FROM acls WHERE cache_key IS DISTINCT FROM 'acls:' || consumer_id || ':' || \"group\" || ':::'"), "0");
    expect_all_rows_kept(before, rows("kong014"));
    expect_no_effect("kong014", "up");
    expect_no_effect("kong014", "finish --confirm kong014");
    db_drop("kong014");
}

/* A fresh database of each release, as that release makes it. */
static void bootstrap(const char *version)
{
    char *file = text_printf("catalog-%s.txt", version), *database = text_printf("fresh-%s", version);
    db_create(database, NULL);
    run_well(database, strcmp(version, "1.3") == 0 ? "bootstrap" : text_printf("bootstrap --to %s", version));
    if (harness_have(file) && comparable())
        expect_same(file, text_file(harness_reference(file)), catalog(database));
    expect_part(db_meta(database), strcmp(version, "1.0") == 0   ? "core|002_15_to_1|{000_base,001_14_to_15,002_15_to_1}|{}"
                                   : strcmp(version, "1.1") == 0 ? "core|003_100_to_110|{000_base,001_14_to_15,002_15_to_1,003_100_to_110}|{}"
                                   : strcmp(version, "1.2") == 0 ? "core|004_110_to_120|{000_base,001_14_to_15,002_15_to_1,003_100_to_110,004_110_to_120}|{}"
                                                                 : "core|005_120_to_130|{000_base,001_14_to_15,002_15_to_1,003_100_to_110,004_110_to_120,005_120_to_130}|{}");
    expect_part(db_meta(database), "acl|001_14_to_15|{000_base_acl,001_14_to_15}|{}");
    expect_part(db_meta(database), "jwt|001_14_to_15|{000_base_jwt,001_14_to_15}|\n");
    struct result status = kong(database, "status --json");
    expect_exit(&status, strcmp(version, "1.3") == 0 ? 0 : 5);
}

static void test_bootstrap(void **state)
{
    (void)state;
    bootstrap("1.0");
    bootstrap("1.1");
    bootstrap("1.2");
    bootstrap("1.3");
    expect_no_effect("fresh-1.3", "bootstrap");
}

/* From each release the schema comes out as a fresh 1.3 is, on whatever server this is. */
static void test_all_roads_lead_to_1_3(void **state)
{
    (void)state;
    static const char *const databases[] = {"fresh-1.0", "fresh-1.1", "fresh-1.2"};
    for (size_t i = 0; i < 3; i++) {
        run_well(databases[i], "up");
        expect_part(db_meta(databases[i]), "|{005_120_to_130}");
        run_well(databases[i], text_printf("finish --confirm %s", databases[i]));
        expect_same(databases[i], db_catalog("fresh-1.3"), db_catalog(databases[i]));
        assert_string_equal(db_meta(databases[i]), db_meta("fresh-1.3"));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bootstrap), cmocka_unit_test(test_1_0_4), cmocka_unit_test(test_1_2_3), cmocka_unit_test(test_wedged_up), cmocka_unit_test(test_half_finish),
        cmocka_unit_test(test_0_14_1), cmocka_unit_test(test_duplicate_counters), cmocka_unit_test(test_all_roads_lead_to_1_3),
    };
    return harness_arguments(argc, argv) ? cmocka_run_group_tests(tests, harness_setup, harness_teardown) : 64;
}
