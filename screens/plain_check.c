/* `check`: the preflight in plain text or JSON. */
#include "core/base/buf.h"
#include "core/checks/check.h"
#include "core/decisions.h"
#include "core/journal.h"
#include "screens/plain.h"
#include "screens/say.h"
#include "tui/mark.h"
#include "tui/text.h"

#include <stdlib.h>
#include <string.h>

#define EXIT_WARNINGS 6
#define EXIT_BLOCKED 7

static char *known_ids(void)
{
    struct buf ids = {0};
    for (const struct check *const *each = checks; *each != NULL; each++)
        buf_addf(&ids, "%s%s", ids.length > 0 ? ", " : "", (*each)->id);
    return buf_take(&ids);
}

/* Returns -1 where all are known. */
static int refuse_unknown(const char *what, char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (check_find(ids[i]) != NULL)
            continue;
        char *known = known_ids();
        int exit_code = options_wrong("%s '%.100s' is no check; there are %s", what, ids[i], known);
        free(known);
        return exit_code;
    }
    return -1;
}

static bool is_ignored(const struct check_result *result, const struct names *ignore)
{
    return check_is_open(result, NULL) && !check_is_open(result, ignore);
}

static enum mark mark_of(const struct check_result *result)
{
    static const enum mark found[] = {[CHECK_INFORMS] = MARK_INFO, [CHECK_WARNS] = MARK_WARN, [CHECK_BLOCKS] = MARK_DANGER};
    if (result->outcome == CHECK_UNABLE)
        return MARK_UNKNOWN;
    return result->outcome == CHECK_OK ? MARK_OK : found[result->severity];
}

static void say_lines(const char *label, const char *text)
{
    for (const char *line = text; line != NULL;) {
        const char *end = strchr(line, '\n');
        say("      %-8s %.*s\n", line == text ? label : "", end != NULL ? (int)(end - line) : (int)strlen(line), line);
        line = end != NULL ? end + 1 : NULL;
    }
}

/* Evidence is one sentence a line, whatever is in it. */
static void say_sentence(const char *label, const char *text)
{
    char *line = text_plain(text);
    say("      %-8s %s\n", label, line);
    free(line);
}

static void say_result(const struct app *app, const struct check_result *result)
{
    const struct options *options = app->options;
    bool wrong = result->outcome == CHECK_FOUND || result->outcome == CHECK_UNABLE;
    if (options->quiet && !check_is_open(result, &options->ignore))
        return;
    enum charset charset = options->ascii ? CHARSET_ASCII : text_locale_charset();
    const char *mark = result->outcome == CHECK_UNABLE ? "? unable" : mark_text(charset, mark_of(result));
    say("%s%*s%-22s %s%s\n", mark, MARK_WIDTH - text_width(mark, charset), "", result->check->id, result->check->title,
        is_ignored(result, &options->ignore) ? " (ignored)" : "");
    for (size_t i = 0; i < result->evidence.count && (wrong || options->verbose); i++)
        say_sentence("", result->evidence.list[i]);
    if (result->outcome != CHECK_FOUND)
        return;
    say_sentence("why", result->check->why);
    if (result->remedy != NULL)
        say_lines("remedy", result->remedy);
    if (options->verbose)
        say_sentence("source", result->check->source);
}

static void say_sum(const struct app *app, const struct check_results *results)
{
    size_t blocking = 0, warnings = 0, ignored = 0, fine = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct check_result *each = &results->list[i];
        bool blocks = each->outcome == CHECK_FOUND && each->severity == CHECK_BLOCKS;
        blocking += blocks ? 1 : 0;
        warnings += !blocks && check_is_open(each, &app->options->ignore) ? 1 : 0;
        ignored += is_ignored(each, &app->options->ignore) ? 1 : 0;
        fine += check_is_open(each, NULL) ? 0 : 1;
    }
    if (!app->options->quiet)
        say("%zu blocking, %zu warning%s, %zu ignored, %zu fine\n", blocking, warnings, warnings == 1 ? "" : "s", ignored, fine);
}

static void say_json_results(const struct app *app, const struct check_results *results)
{
    json_t *json = check_results_json(results), *list = json_object_get(json, "checks");
    for (size_t i = 0; i < results->count; i++)
        json_object_set_new(json_array_get(list, i), "ignored", json_boolean(is_ignored(&results->list[i], &app->options->ignore)));
    say_json(json, true);
}

/* The report lists them; one that stands already is not written again. */
static bool record_ignored(const struct app *app, const struct check_results *results, struct error *error)
{
    struct names standing = {0};
    char *folder = NULL;
    bool recorded = true;
    for (size_t i = 0; recorded && i < results->count; i++) {
        const struct check_result *each = &results->list[i];
        if (!is_ignored(each, &app->options->ignore))
            continue;
        if (folder == NULL) {
            folder = journal_folder(&app->conf.pg, true, error);
            recorded = folder != NULL;
            if (recorded)
                decisions_read(folder, DECISION_ACKNOWLEDGED, &standing);
        }
        if (recorded && !names_have(&standing, each->check->id))
            recorded = decisions_add(folder, DECISION_ACKNOWLEDGED, each->check->id, each->evidence.count > 0 ? each->evidence.list[0] : "", error);
    }
    names_free(&standing);
    free(folder);
    return recorded;
}

static int exit_code_of(const struct app *app, const struct check_results *results)
{
    int exit_code = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct check_result *each = &results->list[i];
        bool blocks = each->outcome == CHECK_FOUND && each->severity == CHECK_BLOCKS;
        if (blocks && names_have(&app->options->ignore, each->check->id))
            complain_text("--ignore %s has no effect: what it found blocks, and must be mended first", each->check->id);
        if (blocks)
            exit_code = EXIT_BLOCKED;
        else if (exit_code == 0 && check_is_open(each, &app->options->ignore))
            exit_code = EXIT_WARNINGS;
    }
    return exit_code;
}

int plain_check(struct app *app)
{
    struct error error = {0};
    struct names ids = {0};
    struct check_results results = {0};
    int exit_code = refuse_unknown("argument", app->options->arguments, (size_t)app->options->argument_count);
    if (exit_code < 0)
        exit_code = refuse_unknown("--ignore", app->options->ignore.list, app->options->ignore.count);
    if (exit_code >= 0)
        return exit_code;
    for (int i = 0; i < app->options->argument_count; i++)
        names_add(&ids, app->options->arguments[i]);
    checks_run(&app->conf, &app->fleet, &ids, NULL, check_results_take, &results);
    if (app->options->json)
        say_json_results(app, &results);
    for (size_t i = 0; !app->options->json && i < results.count; i++)
        say_result(app, &results.list[i]);
    if (!app->options->json)
        say_sum(app, &results);
    exit_code = exit_code_of(app, &results);
    if (!record_ignored(app, &results, &error))
        exit_code = complain(&error);
    check_results_free(&results);
    names_free(&ids);
    return exit_code;
}
