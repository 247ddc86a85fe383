/* The tables of changes: that each row is whole, that names fit PostgreSQL, and that migrations are those that Kong has. */
#include "tests/unit/unit.h"

#include "core/base/names.h"
#include "core/migrations/corrections.h"
#include "core/migrations/meaning.h"
#include "core/migrations/plan.h"
#include "core/migrations/subsystems.h"

#define NAME_BYTES 63   /* PostgreSQL's NAMEDATALEN - 1: longer names are cut in silence */

struct place {
    const struct subsystem *subsystem;
    const struct migration *migration;
    const struct change *change;
};

/* Calls `check` for every change there is. */
static void for_each(void (*check)(const struct place *place))
{
    for (const struct subsystem *const *each = subsystems; *each != NULL; each++)
        for (size_t m = 0; m < (*each)->migration_count; m++)
            for (size_t c = 0; c < (*each)->migrations[m].change_count; c++)
                check(&(struct place){*each, &(*each)->migrations[m], &(*each)->migrations[m].changes[c]});
    static const struct migration own = {.name = "bookkeeping"};
    for (size_t c = 0; c < bookkeeping_count; c++)
        check(&(struct place){&subsystem_core, &own, &bookkeeping[c]});
}

#define fail_at(place_, ...) \
    do { \
        char *id_ = change_id((place_)->change); \
        fprintf(stderr, "%s/%s/%s: ", (place_)->subsystem->name, (place_)->migration->name, id_); \
        free(id_); \
        fail_msg(__VA_ARGS__); \
    } while (false)

/* migrations.md, section 2: in Kong's order. */
static const struct {
    const char *subsystem, *name;
    enum kong_version since;
    bool teardown;
} expected[] = {
    {"core", "000_base", KONG_0_14, false},
    {"core", "001_14_to_15", KONG_1_0, true},
    {"core", "002_15_to_1", KONG_1_0, true},
    {"core", "003_100_to_110", KONG_1_1, false},
    {"core", "004_110_to_120", KONG_1_2, false},
    {"core", "005_120_to_130", KONG_1_3, true},
    {"acl", "000_base_acl", KONG_0_14, false},
    {"acl", "001_14_to_15", KONG_1_0, true},
    {"basic-auth", "000_base_basic_auth", KONG_0_14, false},
    {"basic-auth", "001_14_to_15", KONG_1_0, false},
    {"hmac-auth", "000_base_hmac_auth", KONG_0_14, false},
    {"hmac-auth", "001_14_to_15", KONG_1_0, false},
    {"jwt", "000_base_jwt", KONG_0_14, false},
    {"jwt", "001_14_to_15", KONG_1_0, false},
    {"key-auth", "000_base_key_auth", KONG_0_14, false},
    {"key-auth", "001_14_to_15", KONG_1_0, false},
    {"oauth2", "000_base_oauth2", KONG_0_14, false},
    {"oauth2", "001_14_to_15", KONG_1_0, true},
    {"oauth2", "002_15_to_10", KONG_1_0, true},
    {"rate-limiting", "000_base_rate_limiting", KONG_0_14, false},
    {"rate-limiting", "001_14_to_15", KONG_1_0, true},
    {"rate-limiting", "002_15_to_10", KONG_1_0, true},
    {"rate-limiting", "003_10_to_112", KONG_1_1, false},
    {"response-ratelimiting", "000_base_response_rate_limiting", KONG_0_14, false},
    {"response-ratelimiting", "001_14_to_15", KONG_1_0, true},
    {"response-ratelimiting", "002_15_to_10", KONG_1_0, true},
    {"session", "000_base_session", KONG_1_3, false},
};

static void migrations_are_kongs_in_kongs_order(void **state)
{
    size_t row = 0;
    (void)state;
    for (const struct subsystem *const *each = subsystems; *each != NULL; each++) {
        assert_ptr_equal(subsystem_find((*each)->name), *each);
        for (size_t m = 0; m < (*each)->migration_count; m++, row++) {
            const struct migration *migration = &(*each)->migrations[m];
            assert_true(row < sizeof expected / sizeof expected[0]);
            assert_string_equal((*each)->name, expected[row].subsystem);
            assert_string_equal(migration->name, expected[row].name);
            assert_int_equal(migration->since, expected[row].since);
            assert_int_equal(migration->teardown, expected[row].teardown);
            assert_ptr_equal(subsystem_migration(*each, migration->name), migration);
        }
    }
    assert_int_equal(row, sizeof expected / sizeof expected[0]);
    assert_null(subsystem_find("cors"));
    assert_null(subsystem_find(""));
    assert_null(subsystem_migration(&subsystem_core, "006_130_to_140"));
    for (int version = 0; version < KONG_VERSIONS; version++) {
        char name[8];
        snprintf(name, sizeof name, version == KONG_0_14 ? "0.14" : "1.%d", version - KONG_1_0);
        assert_string_equal(kong_version_names[version], name);
    }
}

/* What change.h says that each kind has: T table, N name, D definition, A arguments, S set, W where, O to. The others it has not,
 * but for those after the `+`, which it may have. */
static const char *const fields[CHANGE_KINDS] = {
    [CHANGE_CREATE_TABLE] = "TD", [CHANGE_CREATE_INDEX] = "TND+O", [CHANGE_CREATE_FUNCTION] = "NAD", [CHANGE_CREATE_TRIGGER] = "TND",
    [CHANGE_ADD_COLUMN] = "TND+O", [CHANGE_SET_TYPE] = "TND+S", [CHANGE_SET_PRIMARY_KEY] = "TND+W", [CHANGE_ADD_UNIQUE] = "TND",
    [CHANGE_RENAME_INDEX] = "TNO", [CHANGE_RENAME_CONSTRAINT] = "TNO", [CHANGE_DROP_INDEX] = "TN", [CHANGE_DROP_COLUMN] = "TN",
    [CHANGE_DROP_TRIGGER] = "TN", [CHANGE_DROP_UNIQUE] = "TN", [CHANGE_DROP_TABLE] = "T", [CHANGE_DROP_FUNCTION] = "NA", [CHANGE_BACKFILL] = "TNSW", [CHANGE_DELETE_ROWS] = "TNW",
};

static void check_fields(const struct place *place)
{
    const struct change *change = place->change;
    const struct {
        char letter;
        const char *value;
    } given[] = {{'T', change->table}, {'N', change->name}, {'D', change->definition}, {'A', change->arguments},
                 {'S', change->set},   {'W', change->where}, {'O', change->to}};
    const char *wanted = fields[change->kind], *plus = strchr(wanted, '+');
    for (EACH(given)) {
        const char *found = strchr(wanted, given[i].letter);
        bool needed = found != NULL && (plus == NULL || found < plus);
        if (needed && given[i].value == NULL)
            fail_at(place, "%c is missing", given[i].letter);
        if (found == NULL && given[i].value != NULL)
            fail_at(place, "%c is there: %s", given[i].letter, given[i].value);
        if (given[i].value != NULL && given[i].value[0] == '\0' && given[i].letter != 'A')
            fail_at(place, "%c is empty", given[i].letter);
    }
    if (change->unique && change->kind != CHANGE_CREATE_INDEX)
        fail_at(place, "unique");
}

static void every_kind_has_what_it_needs(void **state)
{
    (void)state;
    for (int kind = 0; kind < CHANGE_KINDS; kind++) {
        assert_non_null(fields[kind]);
        assert_non_null(change_kind_name((enum change_kind)kind));
        assert_true(strlen(change_kind_name((enum change_kind)kind)) > 0);
    }
    for_each(check_fields);
}

static void check_names(const struct place *place)
{
    const struct change *change = place->change;
    char *new_index = mem_printf("%s_new", change->kind == CHANGE_SET_PRIMARY_KEY ? change->name : "");
    bool refers = change->kind == CHANGE_ADD_COLUMN && change->to != NULL;
    char *foreign_key = mem_printf("%s_%s_fkey", refers ? change->table : "", refers ? change->name : "");
    const char *const names[] = {change->table, change->kind == CHANGE_DELETE_ROWS ? NULL : change->name, change->to, new_index, foreign_key};
    for (EACH(names)) {
        if (names[i] == NULL)
            continue;
        if (strlen(names[i]) > NAME_BYTES)
            fail_at(place, "%s is longer than %d bytes", names[i], NAME_BYTES);
        if (strspn(names[i], "abcdefghijklmnopqrstuvwxyz_0123456789") != strlen(names[i]))
            fail_at(place, "'%s' would need quotes", names[i]);
    }
    free(new_index);
    free(foreign_key);
}

static void check_texts(const struct place *place);

/* But for what it writes into rows, all that `up` does can be undone, by changes that are as whole as those of the tables. */
static void check_undo(const struct place *place)
{
    struct change undo[CHANGE_UNDOS];
    size_t count = change_undo(place->change, undo);
    bool is_undone = place->change->phase == PHASE_UP && place->change->kind != CHANGE_BACKFILL;
    if ((count > 0) != is_undone && place->change->phase == PHASE_UP)
        fail_at(place, "%zu changes undo it", count);
    for (size_t i = 0; i < count; i++) {
        const struct place one = {place->subsystem, place->migration, &undo[i]};
        check_fields(&one);
        check_names(&one);
        check_texts(&one);
        if (undo[i].phase != PHASE_UP || undo[i].origin != ORIGIN_ANY)
            fail_at(&one, "is of another phase or origin");
    }
}

static void what_up_does_can_be_undone(void **state)
{
    (void)state;
    for_each(check_undo);
}

static void names_fit_postgresql(void **state)
{
    (void)state;
    for_each(check_names);
}

static void check_texts(const struct place *place)
{
    char *text = change_text(place->change), *id = change_id(place->change);
    const char *name = change_kind_name(place->change->kind);
    if (strstr(text, "(null)") != NULL || strstr(id, "(null)") != NULL || strchr(text, '\n') != NULL)
        fail_at(place, "text '%s'", text);
    bool begins_well = strncmp(text, name, strlen(name)) == 0 || place->change->kind == CHANGE_DELETE_ROWS;
    if (!begins_well || strlen(text) <= strlen(name) + 1)
        fail_at(place, "text '%s'", text);
    if (id[0] == '\0' || strchr(id, '/') != NULL)
        fail_at(place, "id");
    free(text);
    free(id);
}

static void every_change_has_a_text_and_an_id_of_its_own(void **state)
{
    (void)state;
    for_each(check_texts);
    for (const struct subsystem *const *each = subsystems; *each != NULL; each++) {
        for (size_t m = 0; m < (*each)->migration_count; m++) {
            const struct migration *migration = &(*each)->migrations[m];
            struct names ids = {0};
            for (size_t c = 0; c < migration->change_count; c++) {
                char *id = change_id(&migration->changes[c]);
                if (names_have(&ids, id))
                    fail_msg("%s/%s: %s is there twice", (*each)->name, migration->name, id);
                names_add(&ids, id);
                free(id);
            }
            names_free(&ids);
        }
    }
}

static void ids_and_texts_read_well(void **state)
{
    static const struct {
        const char *subsystem, *migration, *id, *text;
    } cases[] = {
        {"core", "005_120_to_130", "routes.headers", "add column routes.headers jsonb"},
        {"core", "005_120_to_130", "upstreams.algorithm.backfill", "backfill upstreams.algorithm"},
        {"core", "005_120_to_130", "ca_certificates", "create table ca_certificates"},
        {"core", "003_100_to_110", "upsert_ttl(text, uuid, text, text, timestamp without time zone).drop",
         "drop function upsert_ttl(text, uuid, text, text, timestamp without time zone)"},
        {"core", "002_15_to_1", "plugins.galileo plugins.delete", "delete galileo plugins from plugins"},
        {"core", "001_14_to_15", "plugins.plugins_pkey", "set primary key of plugins (id)"},
        {"core", "001_14_to_15", "snis.snis_name_unique.rename", "rename constraint snis_name_unique to snis_name_key"},
        {"session", "000_base_session", "sessions.session_sessions_expires_idx", "create index session_sessions_expires_idx on sessions"},
    };
    (void)state;
    for (EACH(cases)) {
        const struct migration *migration = subsystem_migration(subsystem_find(cases[i].subsystem), cases[i].migration);
        bool found = false;
        for (size_t c = 0; c < migration->change_count; c++) {
            char *id = change_id(&migration->changes[c]), *text = change_text(&migration->changes[c]);
            if (strcmp(id, cases[i].id) == 0) {
                assert_string_equal(text, cases[i].text);
                found = true;
            }
            free(id);
            free(text);
        }
        if (!found)
            fail_msg("%s is not there", cases[i].id);
    }
}

/* The strongest lock on the table, as PostgreSQL's documentation of each statement says. */
static const char *lock_of(const struct change *change, int version)
{
    switch (change->kind) {
    case CHANGE_CREATE_TABLE:
        return strstr(change->definition, "REFERENCES") != NULL ? "SHARE ROW EXCLUSIVE" : "";   /* on the referenced one */
    case CHANGE_CREATE_FUNCTION:
    case CHANGE_DROP_FUNCTION:
        return "";
    case CHANGE_CREATE_INDEX:   /* CONCURRENTLY */
    case CHANGE_DROP_INDEX:
        return "SHARE UPDATE EXCLUSIVE";
    case CHANGE_RENAME_INDEX:   /* less since 12 */
        return version >= 120000 ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE";
    case CHANGE_CREATE_TRIGGER:
        return "SHARE ROW EXCLUSIVE";
    case CHANGE_BACKFILL:
    case CHANGE_DELETE_ROWS:
        return "ROW EXCLUSIVE";
    default:                    /* ALTER TABLE, DROP TABLE; ADD … USING INDEX, too */
        return "ACCESS EXCLUSIVE";
    }
}

static void check_cost(const struct place *place)
{
    static const int versions[] = {90600, 110000, 120000, 150000};
    for (EACH(versions)) {
        const struct change *change = place->change;
        struct change_cost cost = change_cost(change, versions[i]);
        if (strcmp(cost.lock, lock_of(change, versions[i])) != 0)
            fail_at(place, "on %d: lock %s", versions[i], cost.lock);
        bool is_type = change->kind == CHANGE_SET_TYPE, is_time = is_type && strcmp(change->definition, TIMESTAMPTZ) == 0;
        if (cost.rewrite != (is_type && !(is_time && versions[i] >= 120000)))
            fail_at(place, "on %d: rewrite %d", versions[i], cost.rewrite);
        bool reads = change->kind == CHANGE_CREATE_INDEX || change->kind == CHANGE_ADD_UNIQUE || change->kind == CHANGE_SET_PRIMARY_KEY ||
                     change_asks_rows(change) || cost.rewrite;
        if (cost.scan != reads)
            fail_at(place, "on %d: scan %d", versions[i], cost.scan);
    }
}

static void costs_are_what_postgresql_takes(void **state)
{
    (void)state;
    for_each(check_cost);
}

/* Below PostgreSQL 12, and for json everywhere, a new type rewrites the table: the plan tells for how long, from its size. */
static void a_rewrite_is_told_in_time(void **state)
{
    (void)state;
    static const struct change time = SET_TIMESTAMPTZ("consumers", "created_at", 0), column = COLUMN("consumers", "tags", "text[]");
    static const struct change json = {.kind = CHANGE_SET_TYPE, .table = "plugins", .name = "config", .definition = "jsonb"};
    static const int64_t ten_seconds = 10 * PLAN_REWRITE_BYTES_PER_SECOND;
    const struct {
        const struct change *change;
        int version;
        int64_t bytes, least, most;
        bool done;
    } cases[] = {
        {&time, 110000, ten_seconds, 10000, 10001, false}, {&time, 90600, ten_seconds, 10000, 10001, false},
        {&time, 119999, 8192, 1, 1, false},                {&time, 110000, INT64_C(1) << 50, INT64_C(26843545600), INT64_C(26843545601), false},
        {&json, 150000, ten_seconds, 10000, 10001, false}, {&json, 110000, ten_seconds, 10000, 10001, false},
        {&time, 120000, ten_seconds, 0, 0, false},         {&time, 150000, ten_seconds, 0, 0, false},
        {&column, 110000, ten_seconds, 0, 0, false},       {&time, 110000, -1, 0, 0, false},
        {&time, 110000, 0, 0, 0, false},                   {&time, 110000, ten_seconds, 0, 0, true},
    };
    for (EACH(cases)) {
        struct plan_change planned = {.change = cases[i].change, .cost = change_cost(cases[i].change, cases[i].version), .bytes = cases[i].bytes, .done = cases[i].done};
        assert_in_range(plan_lock_ms(&planned), cases[i].least, cases[i].most);
    }
}

static struct names created;

static void note_table(const struct place *place)
{
    if (place->change->kind == CHANGE_CREATE_TABLE)
        names_add(&created, place->change->table);
}

/* `up` destroys nothing, teardowns are where Kong has them, and what is changed exists. */
static void check_phase(const struct place *place)
{
    const struct change *change = place->change;
    bool destroys = change->kind == CHANGE_DROP_COLUMN || change->kind == CHANGE_DROP_TABLE || change->kind == CHANGE_DELETE_ROWS ||
                    (change->kind == CHANGE_DROP_FUNCTION && change->origin != ORIGIN_SINCE_1_0);
    if (destroys && change->phase != PHASE_FINISH)
        fail_at(place, "destroys in `up`");
    if (change->phase == PHASE_FINISH && !place->migration->teardown)
        fail_at(place, "belongs to `finish`, but the migration has no teardown");
    bool known = change->table == NULL || names_have(&created, change->table) || strcmp(change->table, "schema_migrations") == 0;
    if (!known)
        fail_at(place, "nothing creates %s", change->table);
    if (change->to != NULL && change->kind == CHANGE_ADD_COLUMN && !names_have(&created, change->to))
        fail_at(place, "nothing creates %s", change->to);
}

static void up_destroys_nothing(void **state)
{
    (void)state;
    for_each(note_table);
    for_each(check_phase);
    names_free(&created);
}

static const struct place *renaming;
static bool renamed_from_there;

static void check_renamed(const struct place *place)
{
    const struct change *created_as = place->change, *renamed = renaming->change;
    if (place->subsystem != renaming->subsystem || created_as->kind != CHANGE_CREATE_INDEX || strcmp(created_as->name, renamed->name) != 0)
        return;
    if (created_as->to == NULL || strcmp(created_as->to, renamed->to) != 0)
        fail_at(place, "it is renamed to %s later, which the row does not say", renamed->to);
    renamed_from_there = true;
}

/* An index that gets another name later is known under both (change.h), whichever of the two rows one looks at. */
static void check_rename(const struct place *place)
{
    static const char made_by_0_14_only[] = "ssl_certificates_pkey";
    if (place->change->kind != CHANGE_RENAME_INDEX)
        return;
    renaming = place;
    renamed_from_there = false;
    for_each(check_renamed);
    if (!renamed_from_there && strcmp(place->change->name, made_by_0_14_only) != 0)
        fail_at(place, "nothing creates that index");
}

static void renamed_indexes_are_known_under_both_names(void **state)
{
    (void)state;
    for_each(check_rename);
}

/* Quotes and parentheses close, in the questions and in what the tables hold. */
static void check_balance(const struct place *place, const char *sql)
{
    int depth = 0;
    bool quoted = false;
    for (const char *c = sql; c != NULL && *c != '\0'; c++) {
        quoted = *c == '\'' ? !quoted : quoted;
        depth += quoted ? 0 : *c == '(' ? 1 : *c == ')' ? -1 : 0;
        if (depth < 0)
            break;
    }
    if (quoted || depth != 0)
        fail_at(place, "not balanced: %s", sql);
}

static void check_sql(const struct place *place)
{
    const struct change *change = place->change;
    struct buf sql = {0};
    change_done_sql(change, &sql);
    check_balance(place, buf_text(&sql));
    if (buf_text(&sql)[0] != '(' || strstr(buf_text(&sql), "(null)") != NULL)
        fail_at(place, "%s", buf_text(&sql));
    buf_free(&sql);
    check_balance(place, change->definition);
    check_balance(place, change->set);
    check_balance(place, change->where != NULL && change->kind != CHANGE_SET_PRIMARY_KEY ? change->where : NULL);
}

static void every_question_is_well_formed(void **state)
{
    (void)state;
    for_each(check_sql);
}

static bool used[11];

static void check_correction(const struct place *place)
{
    if (place->change->correction == NULL)
        return;
    if (correction_find(place->change->correction) == NULL)
        fail_at(place, "there is no correction %s", place->change->correction);
    used[atoi(place->change->correction + 1)] = true;
}

static void corrections_are_told_with_their_source(void **state)
{
    (void)state;
    for (int n = 1; n <= 10; n++) {
        char id[8];
        snprintf(id, sizeof id, "C%d", n);
        const struct correction *correction = correction_find(id);
        assert_non_null(correction);
        assert_string_equal(corrections[n - 1].id, id);
        assert_true(strlen(correction->fact) > 20);
        assert_true(strlen(correction->ours) > 5);
        assert_true(strlen(correction->source) > 5);
        assert_int_equal(correction->fact[strlen(correction->fact) - 1], '.');
        assert_int_equal(correction->ours[strlen(correction->ours) - 1], '.');
    }
    assert_null(corrections[10].id);
    assert_null(correction_find("C11"));
    assert_null(correction_find("C"));
    assert_null(correction_find(NULL));
    for_each(check_correction);
    for (int n = 1; n <= 10; n++)   /* those of the changes; the others are of the way they are run */
        assert_int_equal(used[n], n <= 5);
}

static void check_meaning(const struct place *place)
{
    char *id = change_id(place->change), *full = mem_printf("%s/%s/%s", place->subsystem->name, place->migration->name, id);
    char *source = change_source(full), *file = mem_printf("/%s.lua", place->migration->name);
    struct change_cost cost = change_cost(place->change, 100000);
    bool own = strcmp(place->migration->name, "bookkeeping") == 0;
    if (lock_meaning(cost.lock) == NULL)
        fail_at(place, "the lock %s is not explained", cost.lock);
    if (!own && change_find(full) != place->change)
        fail_at(place, "it is not found by its id");
    if (!own && (source == NULL || strstr(source, file) == NULL))
        fail_at(place, "its source is not known");
    free(file);
    free(source);
    free(full);
    free(id);
}

static void everything_is_explained(void **state)
{
    (void)state;
    for (int kind = 0; kind < CHANGE_KINDS; kind++)
        if (change_meaning((enum change_kind)kind) == NULL)
            fail_msg("%s is not explained", change_kind_name((enum change_kind)kind));
    for_each(check_meaning);
    static const char *const strange[] = {"", "core", "core/", "core/005_120_to_130", "core/005_120_to_130/nothing", "backup/dump", "nobody/x/y"};
    for (size_t i = 0; i < COUNT_OF(strange); i++)
        assert_null(change_find(strange[i]));
    assert_null(lock_meaning("EXCLUSIVE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(migrations_are_kongs_in_kongs_order),
        cmocka_unit_test(every_kind_has_what_it_needs),
        cmocka_unit_test(names_fit_postgresql),
        cmocka_unit_test(what_up_does_can_be_undone),
        cmocka_unit_test(every_change_has_a_text_and_an_id_of_its_own),
        cmocka_unit_test(ids_and_texts_read_well),
        cmocka_unit_test(costs_are_what_postgresql_takes),
        cmocka_unit_test(a_rewrite_is_told_in_time),
        cmocka_unit_test(up_destroys_nothing),
        cmocka_unit_test(renamed_indexes_are_known_under_both_names),
        cmocka_unit_test(every_question_is_well_formed),
        cmocka_unit_test(corrections_are_told_with_their_source),
        cmocka_unit_test(everything_is_explained),
    };
    return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
