#include "screens/answers.h"

#include "core/backup/backup.h"
#include "core/base/mem.h"
#include "core/checks/check.h"
#include "core/conf/ini_file.h"
#include "screens/hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_LIMIT_S 604800   /* a week */

static bool read_seconds(const char *value, int least, int *field)
{
    char *end = NULL;
    long seconds = strtol(value, &end, 10);
    bool good = end != value && *end == '\0' && seconds >= least && seconds <= WAIT_LIMIT_S;
    if (good)
        *field = (int)seconds;
    return good;
}

static bool read_yes(const char *value, bool *field)
{
    *field = strcmp(value, "yes") == 0;
    return *field || strcmp(value, "no") == 0;
}

/* The words of a list, which blanks or commas part. */
static void split(const char *value, struct names *words)
{
    for (const char *at = value + strspn(value, " \t,"); *at != '\0'; at += strspn(at, " \t,")) {
        size_t length = strcspn(at, " \t,");
        char *word = mem_ndup(at, length);
        names_add(words, word);
        free(word);
        at += length;
    }
}

static bool set_acknowledge(struct answers *answers, enum step step, const char *value, struct error *error)
{
    struct names ids = {0};
    bool good = true;
    (void)step;
    split(value, &ids);
    for (size_t i = 0; i < ids.count && good; i++) {
        good = check_find(ids.list[i]) != NULL;
        if (good)
            names_add(&answers->acknowledged, ids.list[i]);
        else
            error_set(error, ERROR_CONFIG, "there is no check '%s'; `kong-upgrade check` names them", ids.list[i]);
    }
    names_free(&ids);
    return good;
}

static bool set_wait(struct answers *answers, enum step step, const char *value, struct error *error)
{
    return read_seconds(value, 0, &answers->wait_s[step]) || error_set(error, ERROR_CONFIG, "wait is a number of seconds, from 0 to %d", WAIT_LIMIT_S);
}

static bool set_overrule(struct answers *answers, enum step step, const char *value, struct error *error)
{
    return read_yes(value, &answers->overrule[step]) || error_set(error, ERROR_CONFIG, "overrule is yes or no");
}

static bool set_hook(struct answers *answers, enum step step, const char *value, struct error *error)
{
    return read_yes(value, &answers->hook[step]) || error_set(error, ERROR_CONFIG, "hook is yes or no");
}

static bool set_backup(struct answers *answers, enum step step, const char *value, struct error *error)
{
    (void)step;
    if (value[0] != '/' && strcmp(value, "another") != 0)
        return error_set(error, ERROR_CONFIG, "backup is a folder, by its full path, or the word another");
    free(answers->backup);
    answers->backup = mem_dup(value);
    return true;
}

static bool set_percent(struct answers *answers, enum step step, const char *value, struct error *error)
{
    struct names words = {0};
    bool good = true;
    (void)step;
    answers->percent_count = 0;
    split(value, &words);
    for (size_t i = 0; i < words.count && good; i++) {
        int percent = -1;
        good = answers->percent_count < ANSWERS_STAGES && read_seconds(words.list[i], 1, &percent) && hooks_is_stage(percent) &&
               (answers->percent_count == 0 || percent > answers->percents[answers->percent_count - 1]);
        if (good)
            answers->percents[answers->percent_count++] = percent;
    }
    good = good && answers->percent_count > 0 && answers->percents[answers->percent_count - 1] == 100;
    names_free(&words);
    return good || error_set(error, ERROR_CONFIG, "percent is a row of 1, 5, 25, 50 and 100 that rises and ends with 100");
}

static bool set_pause(struct answers *answers, enum step step, const char *value, struct error *error)
{
    (void)step;
    return read_seconds(value, 0, &answers->pause_s) || error_set(error, ERROR_CONFIG, "pause is a number of seconds, from 0 to %d", WAIT_LIMIT_S);
}

static bool set_worse(struct answers *answers, enum step step, const char *value, struct error *error)
{
    static const char *const words[] = {[WORSE_BACK] = "back", [WORSE_STOP] = "stop", [WORSE_IGNORE] = "ignore"};
    (void)step;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(words[i], value) == 0) {
            answers->worse = (enum answers_worse)i;
            return true;
        }
    return error_set(error, ERROR_CONFIG, "worse is back, stop or ignore");
}

static bool set_confirm(struct answers *answers, enum step step, const char *value, struct error *error)
{
    (void)step;
    if (value[0] == '\0')
        return error_set(error, ERROR_CONFIG, "confirm is the database's name");
    free(answers->confirm);
    answers->confirm = mem_dup(value);
    return true;
}

static bool set_report(struct answers *answers, enum step step, const char *value, struct error *error)
{
    (void)step;
    if (value[0] != '/')
        return error_set(error, ERROR_CONFIG, "report is a file, by its full path");
    free(answers->report);
    answers->report = mem_dup(value);
    return true;
}

/* Key by key, and in which steps' sections it may stand. */
static const struct grammar {
    const char *key;
    unsigned steps;
    bool (*set)(struct answers *answers, enum step step, const char *value, struct error *error);
} grammar[] = {
    {"acknowledge", 1u << STEP_PREFLIGHT, set_acknowledge},
    {"backup", 1u << STEP_UP, set_backup},
    {"hook", 1u << STEP_PROVISION | 1u << STEP_DECOMMISSION, set_hook},
    {"percent", 1u << STEP_DIVERT, set_percent},
    {"pause", 1u << STEP_DIVERT, set_pause},
    {"worse", 1u << STEP_DIVERT, set_worse},
    {"confirm", 1u << STEP_FINISH, set_confirm},
    {"report", 1u << STEP_DONE, set_report},
    {"wait", 1u << STEP_UP | 1u << STEP_PROVISION | 1u << STEP_DIVERT | 1u << STEP_DECOMMISSION | 1u << STEP_FINISH, set_wait},
    {"overrule", 1u << STEP_DIVERT | 1u << STEP_DECOMMISSION | 1u << STEP_FINISH, set_overrule},
};

static bool take(void *context, const char *section, const char *key, const char *value, struct error *error)
{
    int step = STEP_PREFLIGHT;
    while (step < STEPS && strcmp(step_texts[step].word, section) != 0)
        step++;
    if (step == STEPS)
        return error_set(error, ERROR_CONFIG, "there is no section [%s]: known are [preflight], [up], [provision], [divert], [decommission], [finish], [done]", section);
    for (size_t i = 0; i < COUNT_OF(grammar); i++)
        if (strcmp(grammar[i].key, key) == 0 && (grammar[i].steps & 1u << step) != 0)
            return grammar[i].set(context, (enum step)step, value, error);
    return error_set(error, ERROR_CONFIG, "[%s] has no key '%s'", section, key);
}

bool answers_load(struct answers *answers, const char *path, struct error *error)
{
    *answers = (struct answers){.pause_s = -1};
    for (int step = 0; step < STEPS; step++)
        answers->wait_s[step] = ANSWERS_WAIT_S;
    FILE *file = ini_file_open(path);
    if (file == NULL)
        return error_set(error, ERROR_CONFIG, "can't read %s: %s; give the file of answers with --answers", path, errno == EINVAL ? "it is no file" : strerror(errno));
    bool loaded = ini_file_read(file, path, take, answers, error);
    fclose(file);
    if (!loaded)
        answers_free(answers);
    return loaded;
}

void answers_free(struct answers *answers)
{
    names_free(&answers->acknowledged);
    names_free(&answers->lines);
    names_free(&answers->stopped);
    free(answers->retreat);
    free(answers->stopped_by);
    free(answers->backup);
    free(answers->confirm);
    free(answers->report);
    *answers = (struct answers){0};
}
