/* What is made of journals: the view of a run, the report; and decisions. No database is asked. */
#include "tests/unit/unit.h"

#include "core/backup/made.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/decisions.h"
#include "core/journal.h"
#include "core/report.h"
#include "core/run_view.h"

static void apply_text(struct run_view *view, const char *text)
{
    json_error_t problem;
    json_t *event = json_loads(text, 0, &problem);
    if (event == NULL)
        fail_msg("%s: %s", text, problem.text);
    run_view_apply(view, event);
    json_decref(event);
}

#define START "{\"event\":\"start\",\"t\":\"2026-11-24T10:00:00.500Z\",\"command\":\"up\",\"pid\":42,\"host\":\"bastion\",\"user\":\"ann\"," \
              "\"database\":{\"name\":\"kong\",\"host\":\"db\",\"port\":5432}}"
#define PLAN "{\"event\":\"plan\",\"t\":\"2026-11-24T10:00:01.000Z\",\"changes\":[" \
             "{\"id\":\"a\",\"what\":\"add column a\",\"table\":\"t\",\"lock\":\"ACCESS EXCLUSIVE\",\"rewrite\":false,\"scan\":false,\"rows\":5,\"bytes\":8192,\"correction\":null}," \
             "{\"id\":\"b\",\"what\":\"backfill b\",\"table\":\"t\",\"lock\":\"ROW EXCLUSIVE\",\"scan\":true,\"rows\":1000,\"bytes\":81920,\"correction\":\"C4\"}]}"

static void a_run_is_seen_as_its_journal_tells(void **state)
{
    struct run_view view = {0};
    (void)state;
    apply_text(&view, START);
    assert_string_equal(view.command, "up");
    assert_string_equal(view.log.list[0], "up begins on database kong at db:5432 (worker 42 of ann@bastion)");
    assert_int_equal(view.started_ms, run_view_time("2026-11-24T10:00:00.500Z"));
    apply_text(&view, PLAN);
    assert_int_equal(view.change_count, 2);
    assert_int_equal(view.current, 2);
    assert_string_equal(view.changes[0].correction, "");
    assert_string_equal(view.changes[1].correction, "C4");
    assert_int_equal(view.changes[1].rows, 1000);
    assert_int_equal(view.changes[0].ms, -1);
    apply_text(&view, "{\"event\":\"lock\",\"t\":\"2026-11-24T10:00:01.100Z\",\"state\":\"taken\"}");
    apply_text(&view, "{\"event\":\"change\",\"t\":\"2026-11-24T10:00:02.000Z\",\"id\":\"a\",\"state\":\"begin\"}");
    assert_int_equal(view.current, 0);
    assert_int_equal(view.changes[0].progress, CHANGE_BEGUN);
    apply_text(&view, "{\"event\":\"wait\",\"t\":\"2026-11-24T10:00:03.000Z\",\"id\":\"a\",\"what\":\"lock timeout\",\"blockers\":[{\"pid\":7,"
                      "\"application\":\"\",\"address\":\"10.0.0.1\",\"state\":\"idle in transaction\",\"seconds\":90,\"query\":\"SELECT 1\"}]}");
    assert_true(view.waiting);
    assert_int_equal(view.blocker_count, 1);
    assert_has(view.log.list[view.log.count - 1], "backend 7 (no application name, 10.0.0.1, idle in transaction for 90 s) is in the way");
    apply_text(&view, "{\"event\":\"note\",\"t\":\"2026-11-24T10:00:03.000Z\",\"text\":\"known\"}");
    assert_true(view.waiting);
    apply_text(&view, "{\"event\":\"change\",\"t\":\"2026-11-24T10:00:04.000Z\",\"id\":\"a\",\"state\":\"done\",\"ms\":12}");
    assert_false(view.waiting);
    assert_int_equal(view.done_count, 1);
    assert_string_equal(view.log.list[view.log.count - 1], "[1/2] add column a: done (12 ms)");
    apply_text(&view, "{\"event\":\"change\",\"t\":\"2026-11-24T10:00:05.000Z\",\"id\":\"b\",\"state\":\"begin\"}");
    apply_text(&view, "{\"event\":\"progress\",\"t\":\"2026-11-24T10:00:07.000Z\",\"id\":\"b\",\"rows\":500,\"total\":1000}");
    assert_int_equal(view.changes[1].rows_done, 500);
    assert_true(run_view_rate(&view) > 249.9 && run_view_rate(&view) < 250.1);
    apply_text(&view, "{\"event\":\"stop\",\"t\":\"2026-11-24T10:00:07.000Z\"}");
    assert_true(view.stop_asked);
    apply_text(&view, "{\"event\":\"change\",\"t\":\"2026-11-24T10:00:08.000Z\",\"id\":\"b\",\"state\":\"already\"}");
    assert_int_equal(view.done_count, 2);
    apply_text(&view, "{\"event\":\"record\",\"t\":\"2026-11-24T10:00:08.000Z\",\"subsystem\":\"core\",\"migration\":\"005\",\"state\":\"pending\"}");
    assert_string_equal(view.log.list[view.log.count - 1], "core 005 is recorded as pending");
    apply_text(&view, "{\"event\":\"end\",\"t\":\"2026-11-24T10:00:09.000Z\",\"result\":\"paused\",\"exit\":10,\"message\":\"stopped\"}");
    assert_true(view.ended);
    assert_int_equal(view.exit_code, 10);
    assert_string_equal(view.result, "paused");
    assert_string_equal(view.message, "stopped");
    run_view_free(&view);
    run_view_free(&view);
}

static void a_view_tells_what_was_proven(void **state)
{
    struct run_view view = {0};
    (void)state;
    apply_text(&view, "{\"event\":\"proof\",\"subsystem\":null,\"migration\":null,\"versions\":[\"1.2\"],\"statements\":3,\"state\":\"passed\",\"ms\":4}");
    assert_string_equal(view.log.list[view.log.count - 1], "proof: 3 statements of Kong 1.2 work (4 ms)");
    assert_null(view.unproven);
    apply_text(&view, "{\"event\":\"proof\",\"subsystem\":\"core\",\"migration\":\"005\",\"versions\":[\"1.2\",\"1.3\"],\"statements\":5,\"state\":\"failed\","
                      "\"statement\":\"SELECT 1\",\"ms\":4}");
    assert_string_equal(view.log.list[view.log.count - 1], "proof after core 005: of 5 statements of Kong 1.2, 1.3 one fails: SELECT 1");
    assert_int_equal(view.proven, 3);
    assert_string_equal(view.unproven, "SELECT 1");
    run_view_free(&view);
}

static void a_change_made_again_is_counted_once(void **state)
{
    struct run_view view = {0};
    (void)state;
    apply_text(&view, PLAN);
    for (int n = 0; n < 3; n++) {
        apply_text(&view, "{\"event\":\"change\",\"id\":\"a\",\"state\":\"begin\"}");
        assert_int_equal(view.done_count, 0);
        apply_text(&view, "{\"event\":\"change\",\"id\":\"a\",\"state\":\"done\"}");
        apply_text(&view, "{\"event\":\"change\",\"id\":\"a\",\"state\":\"already\"}");
        assert_int_equal(view.done_count, 1);
    }
    apply_text(&view, "{\"event\":\"change\",\"id\":\"a\",\"state\":\"failed\"}");
    assert_int_equal(view.done_count, 0);
    apply_text(&view, PLAN);   /* planned anew */
    assert_int_equal(view.done_count, 0);
    assert_int_equal(view.changes[0].progress, CHANGE_TO_DO);
    run_view_free(&view);
}

static void events_that_are_wrong_do_no_harm(void **state)
{
    static const char *const events[] = {
        "{}", "{\"event\":null}", "{\"event\":7}", "{\"event\":\"unheard of\"}", "{\"event\":\"start\"}", "{\"event\":\"plan\"}", "{\"event\":\"wait\"}",
        "{\"event\":\"start\",\"pid\":\"x\",\"command\":7,\"database\":[]}", "{\"event\":\"start\",\"pid\":99999999999999,\"database\":{\"port\":1e300}}",
        "{\"event\":\"plan\",\"changes\":{}}", "{\"event\":\"plan\",\"changes\":[null,7,\"x\",[],{}]}", "{\"event\":\"plan\",\"changes\":\"x\"}",
        "{\"event\":\"change\"}", "{\"event\":\"change\",\"id\":\"\",\"state\":\"done\"}", "{\"event\":\"change\",\"id\":\"nobody\",\"state\":\"done\"}",
        "{\"event\":\"change\",\"id\":\"\",\"state\":\"flying\",\"ms\":\"x\"}", "{\"event\":\"change\",\"id\":7,\"state\":[]}",
        "{\"event\":\"progress\"}", "{\"event\":\"progress\",\"id\":\"\",\"rows\":-5,\"total\":-1}", "{\"event\":\"progress\",\"id\":\"\",\"rows\":9223372036854775807}",
        "{\"event\":\"wait\",\"blockers\":{}}", "{\"event\":\"wait\",\"blockers\":[7,null,{\"pid\":\"x\",\"seconds\":1e9}]}",
        "{\"event\":\"lock\"}", "{\"event\":\"record\"}", "{\"event\":\"note\"}", "{\"event\":\"note\",\"text\":{}}", "{\"event\":\"stop\",\"t\":7}",
        "{\"event\":\"note\",\"t\":\"yesterday\"}", "{\"event\":\"note\",\"t\":\"2026-99-99T99:99:99.9Z\"}", "{\"event\":\"end\"}",
        "{\"event\":\"proof\"}", "{\"event\":\"proof\",\"versions\":{},\"statements\":9223372036854775807,\"state\":\"passed\"}",
        "{\"event\":\"proof\",\"versions\":[7,null,\"\\u001b[31m\"],\"statements\":-1,\"state\":\"failed\",\"statement\":[]}",
        "{\"event\":\"end\",\"exit\":\"0\",\"result\":7,\"message\":null}",
    };
    (void)state;
    for (size_t with_plan = 0; with_plan < 2; with_plan++) {
        struct run_view view = {0};
        if (with_plan)
            apply_text(&view, PLAN);
        for (EACH(events)) {
            apply_text(&view, events[i]);
            assert_true(view.done_count <= view.change_count);
            assert_true(run_view_rate(&view) >= 0);
        }
        assert_true(view.ended);
        assert_int_equal(view.exit_code, 1);   /* an end that says nothing is no success */
        run_view_free(&view);
    }

    static const struct {
        const char *end;
        int exit_code;
    } ends[] = {{"{\"event\":\"end\",\"exit\":0}", 0}, {"{\"event\":\"end\",\"exit\":-1}", 1}, {"{\"event\":\"end\",\"exit\":256}", 1},
                {"{\"event\":\"end\",\"exit\":99999999999}", 1}, {"{\"event\":\"end\",\"exit\":true}", 1}, {"{\"event\":\"end\",\"exit\":75}", 75}};
    for (EACH(ends)) {
        struct run_view ended = {0};
        apply_text(&ended, ends[i].end);
        assert_int_equal(ended.exit_code, ends[i].exit_code);
        run_view_free(&ended);
    }

    /* What is not said is not known, which is not the same as none. */
    struct run_view view = {0};
    apply_text(&view, "{\"event\":\"plan\",\"changes\":[{\"id\":\"a\",\"rows\":\"many\"}]}");
    assert_int_equal(view.changes[0].rows, -1);
    assert_int_equal(view.changes[0].bytes, -1);
    apply_text(&view, "{\"event\":\"change\",\"id\":\"a\",\"state\":\"done\",\"ms\":\"x\"}");
    assert_int_equal(view.changes[0].ms, -1);
    run_view_free(&view);
    apply_text(&view, START);
    apply_text(&view, "{\"event\":\"note\",\"text\":\"without a time\"}");
    assert_int_equal(view.last_ms, view.started_ms);
    run_view_free(&view);
}

static void times_are_read_as_they_are_written(void **state)
{
    char text[CLOCK_TEXT_SIZE];
    (void)state;
    assert_int_equal(run_view_time(clock_text(1700000000123, text)), 1700000000123);
    assert_int_equal(run_view_time("2023-11-14T22:13:20Z"), 1700000000000);
    assert_int_equal(run_view_time("2023-11-14T22:13:20.5Z"), 1700000000500);
    assert_int_equal(run_view_time("2023-11-14T22:13:20.1239999999999999999999Z"), 1700000000123);
    assert_int_equal(run_view_time("2023-11-14T22:13:20.-5Z"), 1700000000000);
    assert_int_equal(run_view_time(""), 0);
    assert_int_equal(run_view_time("now"), 0);
}

static void decisions_stand_until_the_upgrade_is_over(void **state)
{
    struct error error = {0};
    struct names names = {0};
    char *path = path_in(*state, "decisions.log");
    decisions_read(*state, DECISION_ACKNOWLEDGED, &names);
    assert_int_equal(names.count, 0);
    umask(0);
    assert_true(decisions_add(*state, DECISION_ACKNOWLEDGED, "big-tables", "3 tables", &error));
    assert_true(decisions_add(*state, DECISION_OVERRULED, "divert", "no node", &error));
    assert_true(decisions_add(*state, DECISION_ACKNOWLEDGED, "big-tables", "again", &error));
    assert_true(decisions_add(*state, DECISION_ACKNOWLEDGED, "x\n\xFF", "\x1B[31m", &error));
    assert_int_equal(mode_of(path), 0600);
    decisions_read(*state, DECISION_ACKNOWLEDGED, &names);
    assert_int_equal(names.count, 2);
    assert_true(names_have(&names, "big-tables"));
    assert_true(names_have(&names, "x\n\xEF\xBF\xBD"));
    names_free(&names);
    decisions_read(*state, DECISION_OVERRULED, &names);
    assert_int_equal(names.count, 1);
    assert_string_equal(names.list[0], "divert");
    names_free(&names);

    /* A line cut short, by a full disk, and garbage: the next decision stands all the same. */
    append_text(path, "{}\nnot json\n[]\n{\"decision\":7}\n{\"decision\":\"acknow");
    assert_true(decisions_add(*state, DECISION_ACKNOWLEDGED, "after", "", &error));
    decisions_read(*state, DECISION_ACKNOWLEDGED, &names);
    assert_true(names_have(&names, "after"));
    names_free(&names);

    assert_true(decisions_close(*state, &error));
    decisions_read(*state, DECISION_ACKNOWLEDGED, &names);
    decisions_read(*state, DECISION_OVERRULED, &names);
    assert_int_equal(names.count, 0);
    assert_true(decisions_add(*state, DECISION_OVERRULED, "finish", "new one", &error));
    decisions_read(*state, DECISION_OVERRULED, &names);
    assert_int_equal(names.count, 1);
    names_free(&names);

    decisions_list(*state, &names);   /* all that was ever decided */
    assert_has(names.list[0], " acknowledged big-tables (3 tables)");
    assert_has(names.list[names.count - 1], " overruled finish (new one)");
    names_free(&names);
    assert_false(decisions_add("/nonexistent", DECISION_OVERRULED, "x", "y", &error));
    assert_error(&error, ERROR_FILE, "can't write /nonexistent/decisions.log");
    free(path);
}

#define HOSTILE "\\u001b[31m\\n| x |\\n## Not ours <script>\\\\|"

static void write_journals(const char *folder)
{
    static const struct {
        const char *file, *text;
    } journals[] = {
        {"2026-11-24T10-00-00.000Z-up.jsonl",
         START "\n" PLAN "\n{\"event\":\"change\",\"t\":\"2026-11-24T10:00:02.000Z\",\"id\":\"a\",\"state\":\"done\",\"ms\":12}\n"
               "{\"event\":\"change\",\"t\":\"2026-11-24T10:00:02.000Z\",\"id\":\"b\",\"state\":\"begin\"}\n"
               "{\"event\":\"stall\",\"t\":\"2026-11-24T10:00:02.000Z\",\"id\":\"b\",\"worst_ms\":41.5,\"p99_ms\":7.2,\"samples\":99}\n"
               "{\"event\":\"end\",\"t\":\"2026-11-24T10:00:03.000Z\",\"result\":\"paused\",\"exit\":10,\"message\":\"asked to stop\"}\n"},
        {"2026-11-24T11-00-00.000Z-up.jsonl", START "\n" PLAN "\n{\"event\":\"cha"},
        {"2026-11-24T12-00-00.000Z-up.jsonl", ""},
        {"2026-11-24T13-00-00.000Z-up.jsonl",
         "{\"event\":\"start\",\"t\":\"2026-11-24T13:00:00.000Z\",\"command\":\"" HOSTILE "\",\"user\":\"" HOSTILE "\",\"host\":\"" HOSTILE "\"}\n"
         "{\"event\":\"plan\",\"changes\":[{\"id\":\"x\",\"what\":\"" HOSTILE "\",\"lock\":\"" HOSTILE "\",\"correction\":\"" HOSTILE "\"}]}\n"
         "{\"event\":\"end\",\"result\":\"" HOSTILE "\",\"exit\":1,\"message\":\"" HOSTILE "\"}\n"},
    };
    for (EACH(journals)) {
        char *path = path_in(folder, journals[i].file);
        write_text(path, journals[i].text);
        free(path);
    }
}

static void the_report_tells_what_was_done(void **state)
{
    struct error error = {0};
    char *empty = report_markdown(*state, NULL);
    assert_has(empty, "# Kong upgrade to 1.3\n");
    assert_has(empty, "The database does not answer.");
    assert_has(empty, "None from this machine.");
    assert_has(empty, "## Decisions\n\nNone.\n");
    free(empty);
    write_journals(*state);
    assert_true(decisions_add(*state, DECISION_OVERRULED, "divert", "no\nnode | <b>", &error));
    char *markdown = report_markdown(*state, NULL);
    assert_has(markdown, "\n### up, 2026-11-24T10:00:00.500Z: paused\n\nBy ann on bastion, 2.5 s, 0 waits for a lock.\n\nasked to stop.\n");
    assert_has(markdown, "\n| add column a | made | 12 | ACCESS EXCLUSIVE | | |  |\n");
    assert_has(markdown, "\n| backfill b | begun | | ROW EXCLUSIVE | 41.5 | 7.2 | C4 |\n");
    assert_has(markdown, "\nC4: OAuth2 tokens whose expires_in is 0");
    assert_has(markdown, "\n### up, 2026-11-24T10:00:00.500Z: cut short\n");
    assert_has(markdown, " overruled divert (no node \\| \\<b>)\n");
    assert_has_not(markdown, "\x1B");
    assert_has_not(markdown, "\n| x |");
    assert_has_not(markdown, "\n## Not ours");
    assert_has_not(markdown, " <script>");
    assert_has(markdown, "\\<script>\\\\\\|");

    char *path = path_in(*state, "report.md");
    umask(0);
    assert_true(report_save(path, markdown, &error));
    assert_int_equal(mode_of(path), 0600);
    char *saved = read_whole(path);
    assert_string_equal(saved, markdown);
    assert_false(report_save(path, markdown, &error));   /* never over an older one */
    assert_error(&error, ERROR_FILE, "File exists; choose another place");
    free(saved);
    free(path);
    free(markdown);
}

static void a_run_that_lives_is_said_to_run(void **state)
{
    struct error error = {0};
    char *path = path_in(*state, "2026-11-24T10-00-00.000Z-up.jsonl");
    struct journal *journal = journal_create(path, &error);
    journal_add(journal, true, json_loads(START, 0, NULL));
    char *markdown = report_markdown(*state, NULL);
    assert_has(markdown, ": running\n");
    free(markdown);
    journal_close(journal);
    free(path);
}

static void the_report_in_json_has_the_same_facts(void **state)
{
    struct error error = {0};
    write_journals(*state);
    assert_true(decisions_add(*state, DECISION_ACKNOWLEDGED, "big-tables", "3 tables", &error));
    json_t *report = report_json(*state, NULL), *runs = json_object_get(report, "runs");
    assert_true(json_is_null(json_object_get(report, "state")));
    assert_int_equal(json_array_size(runs), 3);
    json_t *first = json_array_get(runs, 0);
    assert_string_equal(json_get_text(first, "command"), "up");
    assert_string_equal(json_get_text(first, "outcome"), "paused");
    assert_string_equal(json_get_text(first, "began"), "2026-11-24T10:00:00.500Z");
    assert_int_equal(json_integer_value(json_object_get(first, "ms")), 2500);
    json_t *change = json_array_get(json_object_get(first, "changes"), 1);
    assert_string_equal(json_get_text(change, "outcome"), "begun");
    assert_string_equal(json_get_text(change, "correction"), "C4");
    assert_true(json_real_value(json_object_get(change, "worst_stall_ms")) == 41.5);
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(first, "changes"), 0), "worst_stall_ms")));
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(first, "changes"), 0), "correction")));
    assert_string_equal(json_get_text(json_array_get(runs, 1), "outcome"), "cut short");
    assert_true(json_is_null(json_object_get(json_array_get(runs, 1), "message")));
    assert_int_equal(json_array_size(json_object_get(report, "decisions")), 1);
    json_decref(report);
}

static void a_backup_is_in_the_report_with_how_to_restore_it(void **state)
{
    struct error error = {0};
    struct backups backups = {0};
    char *journal = mem_printf("%s/2026-11-24T10-00-00.000Z-backup.jsonl", (char *)*state), *dump = mem_printf("%s/it's <b>`a` $(b).dump", (char *)*state);
    backups_read(&backups, *state);
    assert_int_equal(backups.count, 0);
    assert_null(backups_newest(&backups));
    assert_true(report_save(dump, "12345", &error));
    struct journal *out = journal_create(journal, &error);
    journal_add(out, true, json_pack("{s:s, s:s, s:s, s:{}}", "event", "start", "command", "backup", "user", "ann", "database"));
    journal_add(out, true, json_pack("{s:s, s:s}", "event", "backup", "path", "relative"));
    journal_add(out, true, json_pack("{s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:i, s:s, s:s, s:s, s:i, s:s}", "event", "backup", "path", dump, "bytes", 5, "rows", 7,
                                     "tables", 2, "as_of", "2026-11-24T10:00:00.000Z", "host", "db;x", "port", 5432, "database", "ko\ng'", "schema", "we\"ird",
                                     "owner", "kong", "server", 140000, "restore", "/usr/bin/pg_restore"));
    journal_add(out, true, json_pack("{s:s, s:s, s:i, s:s}", "event", "end", "result", "done", "exit", 0, "message", "made"));
    backups_read(&backups, *state);
    assert_int_equal(backups.count, 1);
    assert_true(backups.list[0].there);
    assert_ptr_equal(backups_newest(&backups), &backups.list[0]);
    char *text = report_markdown(*state, NULL);
    assert_has(text, "### Backup as of 2026-11-24T10:00:00.000Z\n");
    assert_has(text, "    psql -h 'db;x' -p 5432 -U postgres -d 'ko?g'\\''' -X -1 -v ON_ERROR_STOP=1"
                     " -c 'ALTER SCHEMA \"we\"\"ird\" RENAME TO \"we\"\"ird_before_restore\"'\n");
    assert_has(text, "/it'\\''s <b>`a` $(b).dump'\n");
    assert_has(text, "is lost to it");
    free(text);
    unlink(dump);
    journal_add(out, true, json_pack("{s:s, s:s, s:i, s:s}", "event", "end", "result", "failed", "exit", 1, "message", "no room"));
    journal_close(out);
    backups_read(&backups, *state);
    assert_null(backups_newest(&backups));
    assert_string_equal(backups.failure, "no room");
    assert_true(decisions_add(*state, DECISION_DECLARED, DECISION_OTHER_BACKUP, "asked before up", &error));
    text = report_markdown(*state, NULL);
    assert_has(text, ": the file is gone");
    assert_null(strstr(text, "psql"));
    assert_has(text, " declared another backup (asked before up)");
    backups_free(&backups);
    free(text);
    free(dump);
    free(journal);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_run_is_seen_as_its_journal_tells),
        TEST(a_change_made_again_is_counted_once),
        TEST(a_view_tells_what_was_proven),
        TEST(events_that_are_wrong_do_no_harm),
        TEST(times_are_read_as_they_are_written),
        TEST(decisions_stand_until_the_upgrade_is_over),
        TEST(the_report_tells_what_was_done),
        TEST(a_run_that_lives_is_said_to_run),
        TEST(the_report_in_json_has_the_same_facts),
        TEST(a_backup_is_in_the_report_with_how_to_restore_it),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
