/* What may be run in which state, and what `status` says of it. States are built here; no database is asked. */
#include "tests/unit/unit.h"

#include "core/base/json.h"
#include "core/migrations/legacy.h"
#include "core/migrations/order.h"

/* A state of core alone, with one name in `pending` (NULL: none) and one in `new`. */
static struct state state_of(enum stage stage, const char *pending, const char *new)
{
    struct state state = {.stage = stage, .subsystems = mem_zero(1, sizeof *state.subsystems), .subsystem_count = 1};
    state.subsystems[0].subsystem = &subsystem_core;
    if (pending != NULL)
        names_add(&state.subsystems[0].pending, pending);
    if (new != NULL)
        names_add(&state.subsystems[0].new, new);
    if (stage == STAGE_TOO_OLD || stage == STAGE_AHEAD || stage == STAGE_FOREIGN)
        state.reason = mem_dup("This is why not.");
    return state;
}

#define OLD "001_14_to_15"     /* pending: from an upgrade to 1.0 */
#define NEW "005_120_to_130"   /* pending: from the one to 1.3 */
#define TO_DO "004_110_to_120"

static void each_command_has_its_states(void **ignored)
{
    static const struct {
        enum plan_kind kind;
        enum stage stage;
        const char *pending, *new;
        bool resume;
        enum order order;
        int exit_code;
        const char *part;
    } cases[] = {
        {PLAN_BOOTSTRAP, STAGE_EMPTY, NULL, NEW, false, ORDER_GO, 0, NULL},
        {PLAN_BOOTSTRAP, STAGE_CURRENT, NULL, NULL, false, ORDER_NOTHING, 0, "nothing to do"},
        {PLAN_BOOTSTRAP, STAGE_PENDING, NEW, NULL, false, ORDER_REFUSED, 4, "an upgrade is under way"},
        {PLAN_BOOTSTRAP, STAGE_UPGRADABLE, NULL, NEW, false, ORDER_REFUSED, 5, "run `up`"},
        {PLAN_BOOTSTRAP, STAGE_LEGACY_014, NULL, NEW, false, ORDER_REFUSED, 5, "run `up`"},
        {PLAN_UP, STAGE_EMPTY, NULL, NEW, false, ORDER_REFUSED, 3, "run `bootstrap`"},
        {PLAN_UP, STAGE_CURRENT, NULL, NULL, false, ORDER_NOTHING, 0, "nothing to do"},
        {PLAN_UP, STAGE_UPGRADABLE, NULL, NEW, false, ORDER_GO, 0, NULL},
        {PLAN_UP, STAGE_LEGACY_014, NULL, NEW, false, ORDER_GO, 0, NULL},
        {PLAN_UP, STAGE_PENDING, NEW, NULL, false, ORDER_NOTHING, 0, "what remains is `finish`"},
        {PLAN_UP, STAGE_PENDING, OLD, NULL, false, ORDER_NOTHING, 0, "what remains is `finish`"},
        {PLAN_UP, STAGE_PENDING, NEW, TO_DO, false, ORDER_GO, 0, NULL},
        {PLAN_UP, STAGE_PENDING, OLD, TO_DO, false, ORDER_REFUSED, 4, "run `finish` first"},
        {PLAN_UP, STAGE_PENDING, OLD, TO_DO, true, ORDER_GO, 0, NULL},
        {PLAN_FINISH, STAGE_EMPTY, NULL, NEW, false, ORDER_REFUSED, 3, "nothing to finish"},
        {PLAN_FINISH, STAGE_CURRENT, NULL, NULL, false, ORDER_NOTHING, 0, "nothing is pending"},
        {PLAN_FINISH, STAGE_UPGRADABLE, NULL, NEW, false, ORDER_REFUSED, 5, "run `up` first"},
        {PLAN_FINISH, STAGE_LEGACY_014, NULL, NEW, false, ORDER_REFUSED, 5, "run `up` first"},
        {PLAN_FINISH, STAGE_PENDING, NEW, NULL, false, ORDER_GO, 0, NULL},
        {PLAN_FINISH, STAGE_PENDING, OLD, NULL, true, ORDER_GO, 0, NULL},
        {PLAN_FINISH, STAGE_PENDING, NEW, TO_DO, false, ORDER_REFUSED, 5, "run `up` first"},
        {PLAN_FINISH, STAGE_PENDING, OLD, TO_DO, false, ORDER_GO, 0, NULL},      /* the earlier upgrade's */
        {PLAN_FINISH, STAGE_PENDING, OLD, TO_DO, true, ORDER_REFUSED, 5, "run `up` first"},
    };
    (void)ignored;
    for (EACH(cases)) {
        struct state state = state_of(cases[i].stage, cases[i].pending, cases[i].new);
        struct verdict verdict = order_check(&state, cases[i].kind, cases[i].resume);
        if (verdict.order != cases[i].order || verdict.exit_code != cases[i].exit_code)
            fail_msg("case %zu: order %d, exit %d, %s", i, (int)verdict.order, verdict.exit_code, verdict.sentence != NULL ? verdict.sentence : "");
        if (cases[i].part != NULL)
            assert_has(verdict.sentence, cases[i].part);
        else
            assert_null(verdict.sentence);
        free(verdict.sentence);
        state_free(&state);
    }
}

static void nothing_runs_where_nothing_can(void **ignored)
{
    static const struct {
        enum stage stage;
        int exit_code;
    } cases[] = {{STAGE_TOO_OLD, 2}, {STAGE_AHEAD, 8}, {STAGE_FOREIGN, 8}};
    (void)ignored;
    for (EACH(cases)) {
        for (int n = 0; n < 6; n++) {
            struct state state = state_of(cases[i].stage, NULL, NEW);
            struct verdict verdict = order_check(&state, (enum plan_kind)(n / 2), n % 2 == 0);
            assert_int_equal(verdict.order, ORDER_REFUSED);
            assert_int_equal(verdict.exit_code, cases[i].exit_code);
            assert_string_equal(verdict.sentence, "This is why not.");
            free(verdict.sentence);
            state_free(&state);
        }
    }
    struct state elsewhere = state_of(STAGE_EMPTY, NULL, NEW);
    elsewhere.reason = mem_dup("set pg_schema");
    for (int kind = PLAN_UP; kind <= PLAN_BOOTSTRAP; kind++) {
        struct verdict verdict = order_check(&elsewhere, (enum plan_kind)kind, false);
        assert_int_equal(verdict.order, ORDER_REFUSED);
        assert_int_equal(verdict.exit_code, 3);
        assert_string_equal(verdict.sentence, "set pg_schema");
        free(verdict.sentence);
    }
    state_free(&elsewhere);
}

/* What the wizard plans: the same that order_check lets be run. */
static void what_comes_next_is_what_may_be_run(void **ignored)
{
    static const struct {
        enum stage stage;
        const char *pending, *new;
        bool resume;
        enum plan_kind next;
        bool finish_first;
    } cases[] = {
        {STAGE_EMPTY, NULL, NEW, false, PLAN_BOOTSTRAP, false}, {STAGE_LEGACY_014, NULL, NEW, false, PLAN_UP, false},
        {STAGE_UPGRADABLE, NULL, NEW, false, PLAN_UP, false},   {STAGE_PENDING, NEW, NULL, false, PLAN_FINISH, false},
        {STAGE_PENDING, OLD, NULL, false, PLAN_FINISH, false},  {STAGE_PENDING, OLD, TO_DO, false, PLAN_FINISH, true},
        {STAGE_PENDING, OLD, TO_DO, true, PLAN_UP, false},      {STAGE_PENDING, NEW, TO_DO, false, PLAN_UP, false},
    };
    (void)ignored;
    for (EACH(cases)) {
        struct state state = state_of(cases[i].stage, cases[i].pending, cases[i].new);
        struct verdict verdict = order_check(&state, cases[i].next, cases[i].resume);
        assert_int_equal(order_next(&state, cases[i].resume), cases[i].next);
        assert_int_equal(order_finish_first(&state, cases[i].resume), cases[i].finish_first);
        assert_int_equal(verdict.order, ORDER_GO);
        free(verdict.sentence);
        state_free(&state);
    }
}

/* The table of `status`: 0 current, 2 older than 0.14, 3 needs bootstrap, 4 pending, 5 new, 8 newer or not Kong's. */
static void stages_have_words_and_exit_codes(void **ignored)
{
    static const struct {
        enum stage stage;
        const char *name;
        int exit_code;
    } cases[] = {
        {STAGE_EMPTY, "empty", 3}, {STAGE_TOO_OLD, "too_old", 2}, {STAGE_LEGACY_014, "legacy_014", 5}, {STAGE_UPGRADABLE, "upgradable", 5},
        {STAGE_PENDING, "pending", 4}, {STAGE_CURRENT, "current", 0}, {STAGE_AHEAD, "ahead", 8}, {STAGE_FOREIGN, "foreign", 8},
    };
    (void)ignored;
    for (EACH(cases)) {
        struct state state = {.stage = cases[i].stage};
        assert_string_equal(stage_name(cases[i].stage), cases[i].name);
        assert_int_equal(state_exit_code(&state), cases[i].exit_code);
    }
}

static void pending_from_before_is_told_by_the_release(void **ignored)
{
    static const struct {
        const char *pending;
        bool from_before;
    } cases[] = {{NULL, false}, {NEW, false}, {OLD, true}, {"002_15_to_1", true}, {"999_unknown", false}};
    (void)ignored;
    for (EACH(cases)) {
        struct state state = state_of(STAGE_PENDING, cases[i].pending, NULL);
        assert_int_equal(state_pending_from_before(&state), cases[i].from_before);
        assert_int_equal(state_count_pending(&state), cases[i].pending != NULL ? 1 : 0);
        names_add(&state.subsystems[0].missing, TO_DO);
        assert_int_equal(state_count_new(&state), 1);
        state_free(&state);
    }
}

static void status_has_the_members_that_scripts_read(void **ignored)
{
    static const char *const members[] = {"database", "stage", "version", "target", "subsystems", "unknown_subsystems", "lock", "worker"};
    static const char *const database[] = {"host", "port", "name", "schema", "server_version"};
    static const char *const lists[] = {"executed", "pending", "new", "missing"};
    (void)ignored;
    struct state state = state_of(STAGE_PENDING, NEW, NULL);
    state.host = mem_dup("db\xFF");
    state.database = mem_dup("kong\n");
    state.schema = mem_dup("public");
    state.server_version = mem_dup("15.4");
    state.port = 5432;
    state.version = "1.2";
    state.customs = mem_zero(1, sizeof *state.customs);
    state.customs[state.custom_count++] = (struct custom_state){.name = mem_dup("mine\xC3")};
    json_t *json = state_json(&state);
    assert_non_null(json);
    for (EACH(members))
        assert_non_null(json_object_get(json, members[i]));
    for (EACH(database))
        assert_non_null(json_object_get(json_object_get(json, "database"), database[i]));
    assert_string_equal(json_get_text(json, "stage"), "pending");
    assert_string_equal(json_get_text(json, "version"), "1.2");
    assert_string_equal(json_get_text(json, "target"), "1.3");
    assert_true(json_is_null(json_object_get(json, "lock")));
    assert_true(json_is_null(json_object_get(json, "worker")));
    json_t *core = json_array_get(json_object_get(json, "subsystems"), 0);
    assert_string_equal(json_get_text(core, "name"), "core");
    for (EACH(lists))
        assert_true(json_is_array(json_object_get(core, lists[i])));
    assert_string_equal(json_string_value(json_array_get(json_object_get(core, "pending"), 0)), NEW);
    json_decref(json);
    state.lock.held = true;
    state.lock.owner = mem_dup("x");
    json = state_json(&state);
    assert_string_equal(json_get_text(json_object_get(json, "lock"), "owner"), "x");
    assert_true(json_is_null(json_object_get(json_object_get(json, "lock"), "expires")));
    json_decref(json);
    state_free(&state);
}

/* legacy-014.md: how many there are of each component. */
static void a_0_14_database_has_all_of_them(void **ignored)
{
    static const struct {
        const char *component;
        size_t count;
    } counts[] = {
        {"core", 31}, {"response-transformer", 1}, {"jwt", 6}, {"ip-restriction", 1}, {"statsd", 1}, {"cors", 1}, {"basic-auth", 2}, {"key-auth", 2},
        {"ldap-auth", 1}, {"hmac-auth", 2}, {"datadog", 1}, {"tcp-log", 1}, {"acl", 1}, {"response-ratelimiting", 3}, {"request-transformer", 1},
        {"rate-limiting", 3}, {"oauth2", 9},
    };
    size_t all = 0;
    (void)ignored;
    for (EACH(counts)) {
        size_t count = 0;
        for (size_t n = 0; n < legacy_migration_count; n++)
            count += strcmp(legacy_migrations[n].component, counts[i].component) == 0 ? 1 : 0;
        assert_int_equal(count, counts[i].count);
        all += count;
    }
    assert_int_equal(all, legacy_migration_count);
    for (size_t n = 0; n < legacy_migration_count; n++)
        for (size_t m = 0; m < n; m++)
            assert_false(strcmp(legacy_migrations[n].component, legacy_migrations[m].component) == 0 &&
                         strcmp(legacy_migrations[n].name, legacy_migrations[m].name) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_has_its_states),
        cmocka_unit_test(what_comes_next_is_what_may_be_run),
        cmocka_unit_test(nothing_runs_where_nothing_can),
        cmocka_unit_test(stages_have_words_and_exit_codes),
        cmocka_unit_test(pending_from_before_is_told_by_the_release),
        cmocka_unit_test(status_has_the_members_that_scripts_read),
        cmocka_unit_test(a_0_14_database_has_all_of_them),
    };
    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
