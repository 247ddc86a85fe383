/*
 * The whole report of an upgrade, item by item: who, when, from and to, each step with its times, acknowledged warnings, overrulings,
 * corrections, stalls, nodes, the traffic at each stage, the backup; and that it stays well-formed, whatever names there are.
 */
#include "tests/unit/unit.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/cluster/seen.h"
#include "core/decisions.h"
#include "core/journal.h"
#include "core/report.h"

#define T(time_) "\"t\":\"2026-11-24T" time_ "Z\""
#define STARTED(command_, time_) "{\"event\":\"start\"," T(time_) ",\"command\":\"" command_ "\",\"pid\":42,\"host\":\"bastion\",\"user\":\"ann\",\"to\":\"1.3\"}\n"
#define ENDED(time_) "{\"event\":\"end\"," T(time_) ",\"result\":\"done\",\"exit\":0,\"message\":\"complete\"}\n"
#define HOSTILE "\\u001b[31m\\n| x |\\n## Not ours <script>[a](b)\\u009b\\\\|`"

static const struct {
    const char *file, *text;
} files[] = {
    {"2026-11-20T10-00-00.000Z-up.jsonl", "{\"event\":\"start\",\"t\":\"2026-11-20T10:00:00.000Z\",\"command\":\"up\",\"host\":\"old\",\"user\":\"eve\",\"to\":\"1.3\"}\n"},
    {"2026-11-24T10-00-00.000Z-up.jsonl",
     STARTED("up", "10:00:00.000") "{\"event\":\"plan\"," T("10:00:01.000") ",\"from\":\"1.2\",\"changes\":[{\"id\":\"a\",\"what\":\"add column a\",\"table\":\"t\","
     "\"lock\":\"ACCESS EXCLUSIVE\",\"correction\":\"C3\"}]}\n{\"event\":\"change\"," T("10:00:02.000") ",\"id\":\"a\",\"state\":\"done\",\"ms\":12}\n"
     "{\"event\":\"stall\"," T("10:00:02.000") ",\"id\":\"a\",\"worst_ms\":41.5,\"p99_ms\":7.2,\"samples\":9}\n" ENDED("10:00:05.000")},
    {"2026-11-24T10-10-00.000Z-provision.hook",
     "{\"event\":\"start\"," T("10:10:00.000") ",\"hook\":\"provision\",\"arguments\":[\"/bin/p\"],\"user\":\"bob\",\"host\":\"ops\",\"pid\":1}\n"
     "{\"event\":\"end\"," T("10:10:09.000") ",\"result\":\"done\",\"exit\":0,\"lines\":[]}\n"},
    {"2026-11-24T11-00-00.000Z-finish.jsonl", STARTED("finish", "11:00:00.000") "{\"event\":\"plan\"," T("11:00:01.000") ",\"from\":\"1.2\",\"changes\":[]}\n" ENDED("11:00:03.000")},
    {"seen.log",
     "{\"event\":\"node\",\"cluster\":\"old\",\"name\":\"was\",\"url\":\"http://w\",\"version\":\"1.1.0\",\"state\":\"answers\",\"t\":\"2026-11-20T10:00:00.000Z\"}\n"
     "{\"event\":\"node\",\"cluster\":\"old\",\"name\":\"old-1\",\"url\":\"http://o\",\"version\":\"1.2.3\",\"state\":\"answers\"," T("10:00:00.000") "}\n"
     "{\"event\":\"node\",\"cluster\":\"new\",\"name\":\"new-1\",\"url\":\"http://n\",\"version\":\"1.3.0\",\"state\":\"answers\"," T("10:10:12.000") "}\n"
     "{\"event\":\"traffic\",\"at\":\"begin\",\"stage\":\"0\",\"share\":0.0,\"old\":{\"rps\":240.0},\"new\":{\"rps\":0.0},\"verdict\":\"few\"," T("10:10:13.000") "}\n"
     "not json\n{\"event\":7}\n[]\n"
     "{\"event\":\"traffic\",\"at\":\"begin\",\"stage\":\"5\",\"share\":5.2,\"old\":{\"rps\":228.0,\"errors_5xx\":0.1,\"p95_ms\":46.0},\"new\":{\"rps\":12.5,"
     "\"errors_5xx\":null,\"p95_ms\":47.5},\"verdict\":\"fine\"," T("10:20:00.000") "}\n"
     "{\"event\":\"traffic\",\"at\":\"begin\",\"stage\":\"100\",\"share\":100.0,\"old\":{\"rps\":0.0},\"new\":{\"rps\":240.0},\"verdict\":\"fine\"," T("10:30:00.000") "}\n"
     "{\"event\":\"node\",\"cluster\":\"old\",\"name\":\"old-1\",\"url\":\"http://o\",\"version\":\"1.2.3\",\"state\":\"silent\"," T("10:40:00.000") "}\n"},
    {"decisions.log",
     "{\"t\":\"2026-11-20T11:00:00.000Z\",\"user\":\"eve\",\"decision\":\"over\",\"what\":\"upgrade\",\"why\":\"\"}\n"
     "{" T("09:59:00.000") ",\"user\":\"ann\",\"decision\":\"acknowledged\",\"what\":\"router\",\"why\":\"2 requests\"}\n"
     "{" T("10:35:00.000") ",\"user\":\"ann\",\"decision\":\"overruled\",\"what\":\"decommission\",\"why\":\"served traffic\"}\n"
     "{" T("09:59:30.000") ",\"user\":\"ann\",\"decision\":\"declared\",\"what\":\"another backup\",\"why\":\"asked before up\"}\n"
     "{" T("11:00:03.000") ",\"user\":\"ann\",\"decision\":\"over\",\"what\":\"upgrade\",\"why\":\"\"}\n"},
};

static void write_all(const char *folder)
{
    for (EACH(files)) {
        char *path = path_in(folder, files[i].file);
        write_text(path, files[i].text);
        free(path);
    }
}

static void the_report_has_all_that_is_asked_of_it(void **state)
{
    static const char *const parts[] = {
        "\n| from | 1.2 |\n| to | 1.3 |\n| by | ann on bastion, bob on ops |\n",
        "\n| 1 Migrate up | 2026-11-24T10:00:00.000Z | 2026-11-24T10:00:05.000Z | 5.0 s |\n",
        "\n| 2 Provision | 2026-11-24T10:10:00.000Z | 2026-11-24T10:10:12.000Z | 12.0 s |\n",
        "\n| 3 Divert | 2026-11-24T10:20:00.000Z | 2026-11-24T10:30:00.000Z | 600.0 s |\n",
        "\n| 4 Decommission | 2026-11-24T10:40:00.000Z | 2026-11-24T10:40:00.000Z | 0.0 s |\n",
        "\n| 5 Finish | 2026-11-24T11:00:00.000Z | 2026-11-24T11:00:03.000Z | 3.0 s |\n",
        "\n| add column a | made | 12 | ACCESS EXCLUSIVE | 41.5 | 7.2 | C3 |\n",
        "\nC3: ",
        "\n| old | old-1 | http://o | 1.2.3 | 2026-11-24T10:00:00.000Z | silent | 2026-11-24T10:40:00.000Z |\n",
        "\n| new | new-1 | http://n | 1.3.0 | 2026-11-24T10:10:12.000Z | answers | 2026-11-24T10:10:12.000Z |\n",
        "\n| 2026-11-24T10:20:00.000Z | 5 %, begin | 5.2 | 228.0 | 12.5 | 0.1 | | 46.0 | 47.5 | fine |\n",
        " acknowledged router (2 requests)\n", " overruled decommission (served traffic)\n", " declared another backup (asked before up)\n",
    };
    write_all(*state);
    char *markdown = report_markdown(*state, NULL);
    for (EACH(parts))
        assert_has(markdown, parts[i]);
    assert_has_not(markdown, "http://w");   /* of the upgrade before */
    assert_has_not(markdown, "| by | eve");
    free(markdown);
}

static void the_same_is_in_json(void **state)
{
    write_all(*state);
    json_t *report = report_json(*state, NULL), *upgrade = json_object_get(report, "upgrade"), *steps = json_object_get(upgrade, "steps");
    assert_string_equal(json_get_text(upgrade, "from"), "1.2");
    assert_string_equal(json_get_text(upgrade, "to"), "1.3");
    assert_int_equal(json_array_size(json_object_get(upgrade, "by")), 2);
    assert_int_equal(json_array_size(steps), 5);
    assert_string_equal(json_get_text(json_array_get(steps, 2), "name"), "divert");
    assert_string_equal(json_get_text(json_array_get(steps, 2), "began"), "2026-11-24T10:20:00.000Z");
    assert_string_equal(json_get_text(json_array_get(steps, 4), "ended"), "2026-11-24T11:00:03.000Z");
    assert_int_equal(json_array_size(json_object_get(report, "nodes")), 2);
    assert_int_equal(json_array_size(json_object_get(report, "traffic")), 3);
    assert_int_equal(json_array_size(json_object_get(report, "decisions")), 3);
    json_decref(report);
}

/* Every row of a table has as many cells as its head; no line but ours is a heading or a row. */
static void assert_well_formed(const char *markdown)
{
    size_t columns = 0;
    for (const char *line = markdown; *line != '\0';) {
        size_t length = strcspn(line, "\n"), bars = 0;
        for (size_t i = 0; i < length; i++) {
            assert_false((unsigned char)line[i] < ' ' || line[i] == 0x7F);
            assert_false((unsigned char)line[i] == 0xC2 && (unsigned char)line[i + 1] < 0xA0);
            bars += line[i] == '|' ? 1 : 0;
            i += line[i] == '\\' ? 1 : 0;
        }
        if (line[0] != '|')
            columns = 0;
        else if (columns == 0)
            columns = bars;
        else if (bars != columns)
            fail_msg("%zu instead of %zu bars: %.*s", bars, columns, (int)length, line);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
}

static void hostile_names_change_no_line(void **state)
{
    char *path = path_in(*state, "2026-11-24T10-00-00.000Z-up.jsonl"), *seen = path_in(*state, "seen.log");
    write_text(path, "{\"event\":\"start\"," T("10:00:00.000") ",\"command\":\"up\",\"user\":\"" HOSTILE "\",\"host\":\"" HOSTILE "\",\"to\":\"" HOSTILE "\"}\n"
                     "{\"event\":\"plan\",\"from\":\"" HOSTILE "\",\"changes\":[{\"id\":\"a\",\"what\":\"" HOSTILE "\",\"lock\":\"" HOSTILE "\"}]}\n");
    write_text(seen, "{\"event\":\"node\",\"cluster\":\"" HOSTILE "\",\"name\":\"" HOSTILE "\",\"url\":\"" HOSTILE "\",\"version\":\"" HOSTILE "\",\"state\":\"" HOSTILE "\","
                     T("10:01:00.000") "}\n{\"event\":\"node\",\"name\":7,\"cluster\":null}\n{\"event\":\"traffic\",\"stage\":\"" HOSTILE "\",\"at\":\"begin\",\"share\":\"x\","
                     "\"old\":7,\"new\":{\"rps\":{}},\"verdict\":\"" HOSTILE "\"," T("10:02:00.000") "}\n{\"event\":\"traffic\"}\n");
    char *markdown = report_markdown(*state, NULL);
    assert_well_formed(markdown);
    assert_has(markdown, "| from |");
    assert_has_not(markdown, "\n## Not ours");
    assert_has_not(markdown, " <script>");
    assert_has_not(markdown, " [a](b)");
    free(markdown);
    json_t *report = report_json(*state, NULL);
    char *text = json_dumps(report, 0);
    assert_non_null(text);
    free(text);
    json_decref(report);
    free(seen);
    free(path);
}

/* What is written down of nodes and traffic. */

static struct node made_up(enum cluster cluster, const char *name, enum node_state is)
{
    static char url[] = "http://x", version[] = "1.2.3";
    return (struct node){.cluster = cluster, .name = (char *)(uintptr_t)name, .url = url, .version = version, .state = is, .answered_at = 1};
}

static size_t count_events(const char *folder)
{
    json_t *all = seen_read(folder);
    size_t count = json_array_size(all);
    json_decref(all);
    return count;
}

static void a_node_is_noted_when_it_changes_and_stays_so(void **state)
{
    struct seen *seen = seen_new(*state), *other = seen_new(*state);
    struct node answers = made_up(CLUSTER_OLD, "old\n-1", NODE_ANSWERS), silent = made_up(CLUSTER_OLD, "old\n-1", NODE_SILENT), unasked = made_up(CLUSTER_NEW, "n", NODE_UNASKED);
    struct node never = made_up(CLUSTER_NEW, "never", NODE_SILENT);
    never.answered_at = 0;
    char *path = path_in(*state, "seen.log");
    for (int64_t now = 0; now <= 10000; now += 1000) {
        seen_node(seen, &answers, now);
        seen_node(other, &answers, now + 100);   /* another wizard sees the same */
        seen_node(seen, &unasked, now);
        seen_node(seen, &never, now);
    }
    assert_int_equal(count_events(*state), 1);
    assert_int_equal(mode_of(path), 0600);
    seen_node(seen, &silent, 11000);             /* it misses a poll */
    seen_node(seen, &answers, 12000);
    seen_node(seen, &answers, 20000);
    assert_int_equal(count_events(*state), 1);
    for (int64_t now = 21000; now <= 30000; now += 1000)
        seen_node(seen, &silent, now);
    json_t *all = seen_read(*state);
    assert_int_equal(json_array_size(all), 2);
    assert_string_equal(json_get_text(json_array_get(all, 0), "state"), "answers");
    assert_string_equal(json_get_text(json_array_get(all, 1), "state"), "silent");
    assert_string_equal(json_get_text(json_array_get(all, 1), "name"), "old\n-1");
    json_decref(all);
    seen_free(other);
    seen_free(seen);
    seen_free(NULL);
    free(path);
}

static void look(struct seen *seen, double old, double new, int64_t from, int64_t to)
{
    static const struct cluster_metrics none;
    const struct seen_traffic traffic = {{old, new}, {&none, &none}, VERDICT_FEW};
    for (int64_t now = from; now <= to; now += 1000)
        seen_traffic(seen, &traffic, now);
}

static void each_stage_of_traffic_is_noted(void **state)
{
    static const struct {
        const char *at, *stage;
    } expected[] = {{"begin", "0"}, {"end", "0"}, {"begin", "5"}, {"end", "5"}, {"begin", "25"}, {"end", "25"}, {"begin", "100"}};
    struct seen *seen = seen_new(*state);
    look(seen, -1, -1, 0, 5000);
    look(seen, 0, 0, 6000, 9000);
    look(seen, 240, -1, 10000, 15000);
    look(seen, 228, 12, 20000, 25000);
    look(seen, 120, 120, 26000, 26000);    /* on the way */
    look(seen, 180, 60, 27000, 32000);
    look(seen, 0, 240, 40000, 45000);
    json_t *all = seen_read(*state);
    assert_int_equal(json_array_size(all), sizeof expected / sizeof expected[0]);
    for (EACH(expected)) {
        assert_string_equal(json_get_text(json_array_get(all, i), "at"), expected[i].at);
        assert_string_equal(json_get_text(json_array_get(all, i), "stage"), expected[i].stage);
    }
    assert_true(json_real_value(json_object_get(json_array_get(all, 2), "share")) == 5.0);
    assert_true(json_is_null(json_object_get(json_object_get(json_array_get(all, 0), "new"), "rps")));
    json_decref(all);
    seen_free(seen);
    seen = seen_new(*state);               /* the wizard is opened anew */
    look(seen, 0, 240, 50000, 55000);
    assert_int_equal(count_events(*state), 7);
    seen_free(seen);
}

static void the_file_does_not_grow_without_end(void **state)
{
    char *path = path_in(*state, "seen.log");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < SEEN_LIMIT / 16; i++)
        fputs("{\"event\":\"none\"}\n", file);
    assert_int_equal(fclose(file), 0);
    struct seen *seen = seen_new(*state);
    size_t before = count_events(*state);
    look(seen, 240, 0, 0, 5000);
    assert_int_equal(count_events(*state), before);
    seen_free(seen);
    free(path);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(the_report_has_all_that_is_asked_of_it),
        TEST(the_same_is_in_json),
        TEST(hostile_names_change_no_line),
        TEST(a_node_is_noted_when_it_changes_and_stays_so),
        TEST(each_stage_of_traffic_is_noted),
        TEST(the_file_does_not_grow_without_end),
    };
    return cmocka_run_group_tests_name("report_summary", tests, NULL, NULL);
}
