/* The command conf: the settings in effect, and kong.conf mended for 1.3. */
#include "screens/plain.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/conf/conf_fix.h"
#include "screens/say.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int show_settings(const struct app *app)
{
    static const char *const origins[] = {"default", "file", "environment"};
    json_t *settings = json_object();
    if (!app->options->json)
        say("kong.conf  %s\n", app->conf.file != NULL ? app->conf.file : "none found: Kong's defaults");
    for (size_t i = 0; i < app->conf.setting_count; i++) {
        const struct setting *each = &app->conf.settings[i];
        const char *value = each->value != NULL && each->secret ? "******" : each->value;
        if (app->options->json)
            json_object_set_new(settings, each->name, json_pack("{s:o, s:s}", "value", json_text(value), "origin", origins[each->origin]));
        else if (each->origin == SETTING_FILE)
            say("%s = %s  (line %d)\n", each->name, value != NULL ? value : "", each->line);
        else
            say("%s = %s  (%s)\n", each->name, value != NULL ? value : "", origins[each->origin]);
    }
    if (app->options->json)
        say_json(json_pack("{s:o, s:o, s:o, s:o}", "file", json_text(app->conf.file), "settings", settings, "plugins", json_names(&app->conf.plugins),
                           "warnings", json_names(&app->conf.warnings)), true);
    else
        json_decref(settings);
    for (size_t i = 0; i < app->conf.warnings.count; i++)
        complain_text("%s", app->conf.warnings.list[i]);
    return 0;
}

/* As --fix=FILE, or as the word after the command. */
static char *choose_target(const struct options *options, const char *original)
{
    const char *given = options->fix_file != NULL ? options->fix_file : options->argument_count > 0 ? options->arguments[0] : NULL;
    return given != NULL ? mem_dup(given) : mem_printf("%s.1.3", original);
}

/* The original is never replaced without being told to, twice: by its name, and by --yes or an answer. Returns an exit code, or -1. */
static int may_replace(const struct options *options, const struct conf_fix *fix)
{
    if (options->yes)
        return -1;
    if (!isatty(STDIN_FILENO)) {
        complain_text("%s is the original: it is replaced only with --yes; or name another file for the copy", fix->file);
        return EXIT_ERROR;
    }
    return ask("Replace %s itself?", fix->file) ? -1 : EXIT_ERROR;
}

static void say_fix(const struct conf_fix *fix, const char *target)
{
    for (size_t i = 0; i < fix->changes.count; i++)
        say("%s\n", fix->changes.list[i]);
    if (fix->diff == NULL)
        say("%s: nothing to mend\n", fix->file);
    else
        say("--- %s\n+++ %s\n", fix->file, target);
    if (fix->diff != NULL)
        say_text(fix->diff);
}

static void say_fix_json(const struct conf_fix *fix, const char *written)
{
    say_json(json_pack("{s:o, s:o, s:o, s:o, s:o}", "file", json_text(fix->file), "written", json_text(written), "changes", json_names(&fix->changes),
                       "notes", json_names(&fix->notes), "diff", json_text(fix->diff)), true);
}

static int write_fix(const struct app *app, const struct conf_fix *fix, const char *target, struct error *error)
{
    bool is_original = conf_fix_is_original(fix, target);
    int refused = is_original ? may_replace(app->options, fix) : -1;
    if (refused >= 0)
        return refused;
    if (!conf_fix_write(fix, target, error))
        return complain(error);
    if (!app->options->json && !app->options->quiet)
        say(is_original ? "Replaced: %s. Kong reads the rest of it as before.\n" : "Written: %s%s. Kong reads the rest of it as before.\n", target,
            fix->holds_secret ? ", readable by you alone, since it holds a password" : "");
    return 0;
}

static int mend(const struct app *app)
{
    struct conf_fix fix;
    struct error error = {0};
    if (app->conf.file == NULL) {
        complain_text("no kong.conf was found to mend: name it with --conf");
        return EXIT_ERROR;
    }
    if (!conf_fix_make(&fix, app->conf.file, environ, &error))
        return complain(&error);
    char *target = choose_target(app->options, fix.file);
    if (!app->options->json && !app->options->quiet)
        say_fix(&fix, target);
    for (size_t i = 0; i < fix.notes.count; i++)
        complain_text("%s", fix.notes.list[i]);
    int exit_code = fix.diff != NULL ? write_fix(app, &fix, target, &error) : 0;
    if (app->options->json && exit_code == 0)
        say_fix_json(&fix, fix.diff != NULL ? target : NULL);
    free(target);
    conf_fix_free(&fix);
    return exit_code;
}

int plain_conf(struct app *app)
{
    if (app->options->fix)
        return mend(app);
    if (app->options->argument_count > 0)
        return options_wrong("conf takes no argument '%s' without --fix", app->options->arguments[0]);
    return show_settings(app);
}
