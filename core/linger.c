#include "core/linger.h"

#include "core/base/buf.h"
#include "core/base/child.h"
#include "core/base/mem.h"
#include "core/base/names.h"

#include <ini.h>

#include <dirent.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ASK_MS 3000

const char *linger_root = "";

const char linger_warning[] =
    "This machine ends a user's processes at logout (systemd-logind), the worker among them: `loginctl enable-linger` lets it stay (start again"
    " then); otherwise stay logged in until it has ended. Cut short, it leaves nothing half done, and the same command goes on from there.";

/* What logind does. */

struct settings {
    int kills;                     /* KillUserProcesses; -1: not said */
    struct names only, exclude;
};

static bool is_yes(const char *value)
{
    static const char *const words[] = {"yes", "true", "on", "1", "y", "t"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

/* Lists add up; an empty one begins anew. */
static void add_users(struct names *names, const char *value)
{
    char *copy = mem_dup(value), *rest;
    if (value[0] == '\0')
        names_free(names);
    for (char *user = strtok_r(copy, " \t", &rest); user != NULL; user = strtok_r(NULL, " \t", &rest))
        names_add(names, user);
    free(copy);
}

static void set(struct settings *settings, const char *name, const char *value)
{
    if (strcmp(name, "KillUserProcesses") == 0)
        settings->kills = is_yes(value);
    else if (strcmp(name, "KillOnlyUsers") == 0)
        add_users(&settings->only, value);
    else if (strcmp(name, "KillExcludeUsers") == 0)
        add_users(&settings->exclude, value);
}

/* By its own word. */
static bool ask_logind(struct settings *settings)
{
    static const char *const question[] = {"loginctl", "show-session", "--no-pager", "-p", "KillUserProcesses", "-p", "KillOnlyUsers", "-p",
                                           "KillExcludeUsers", NULL};
    struct buf answer = {0};
    char *rest;
    if (child_run(question, ASK_MS, &answer) && answer.data != NULL)
        for (char *line = strtok_r(answer.data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
            char *value = strchr(line, '=');
            if (value != NULL) {
                *value = '\0';
                set(settings, line, value + 1);
            }
        }
    buf_free(&answer);
    return settings->kills >= 0;
}

static int on_setting(void *context, const char *section, const char *name, const char *value)
{
    if (strcmp(section, "Login") == 0)
        set(context, name, value);
    return 1;
}

static bool read_file(struct settings *settings, const char *folder, const char *name)
{
    char *path = mem_printf("%s%s/%s", linger_root, folder, name);
    bool read = ini_parse(path, on_setting, settings) >= 0;
    free(path);
    return read;
}

static int is_conf(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* By its files: one main file, then the drop-ins of all folders by name; of two with the same name the first folder's counts. */
static void read_files(struct settings *settings)
{
    static const char *const folders[] = {"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"};
    const size_t folder_count = sizeof folders / sizeof folders[0];
    struct names drop_ins = {0};
    bool read = false;
    names_add(&settings->exclude, "root");
    for (size_t i = 0; i < folder_count && !read; i++)
        read = read_file(settings, folders[i], "logind.conf");
    for (size_t i = 0; i < folder_count; i++) {
        char *path = mem_printf("%s%s/logind.conf.d", linger_root, folders[i]);
        struct dirent **entries = NULL;
        int count = scandir(path, &entries, is_conf, NULL);
        for (int entry = 0; entry < count; entry++) {
            if (!names_have(&drop_ins, entries[entry]->d_name))
                names_add(&drop_ins, entries[entry]->d_name);
            free(entries[entry]);
        }
        free(entries);
        free(path);
    }
    if (drop_ins.count > 0)
        qsort(drop_ins.list, drop_ins.count, sizeof *drop_ins.list, compare_names);
    for (size_t i = 0; i < drop_ins.count; i++) {
        char *name = mem_printf("logind.conf.d/%s", drop_ins.list[i]);
        read = false;
        for (size_t folder = 0; folder < folder_count && !read; folder++)
            read = read_file(settings, folders[folder], name);
        free(name);
    }
    names_free(&drop_ins);
}

/* As logind decides. Where nothing says it, it is `yes`: systemd's own default, though not every distribution's. */
static bool session_is_killed(const char *user)
{
    struct settings settings = {.kills = -1};
    if (!ask_logind(&settings))
        read_files(&settings);
    bool killed = settings.kills != 0 && !names_have(&settings.exclude, user) && (settings.only.count == 0 || names_have(&settings.only, user));
    names_free(&settings.only);
    names_free(&settings.exclude);
    return killed;
}

/* Where we are. */

static bool is_there(const char *folder, const char *name)
{
    char *path = mem_printf("%s%s/%s", linger_root, folder, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static char *own_cgroup(void)
{
    char *path = mem_printf("%s/proc/self/cgroup", linger_root), bytes[4096];
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(bytes, 1, sizeof bytes - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    bytes[length] = '\0';
    free(path);
    return mem_dup(bytes);
}

/* Under the user's own systemd we are safe only if it stays. */
static bool is_ended(const char *user, bool lingers)
{
    char *cgroup = own_cgroup();
    const char *session = strstr(cgroup, "/session-");
    bool in_session = session != NULL && strstr(session, ".scope") != NULL, in_manager = strstr(cgroup, "/user@") != NULL;
    free(cgroup);
    return in_manager ? !lingers : in_session && session_is_killed(user);
}

static const char *who_we_are(const char *user)
{
    const struct passwd *passwd = user == NULL ? getpwuid(getuid()) : NULL;
    return user != NULL ? user : passwd != NULL ? passwd->pw_name : "?";
}

static bool scope_works(const char *user)
{
    const char *arguments[LINGER_ARGUMENTS];
    linger_command(LINGER_SCOPE, user, "true", arguments);
    for (size_t i = 0; arguments[i] != NULL; i++)
        if (strcmp(arguments[i], "true") == 0)
            arguments[i + 1] = NULL;
    return child_run(arguments, ASK_MS, NULL);
}

enum lingers linger_find(const char *user)
{
    user = who_we_are(user);
    bool root = strcmp(user, "root") == 0, lingers = is_there("/var/lib/systemd/linger", user);
    if (!is_there("/run/systemd", "system") || !is_ended(user, lingers))
        return LINGER_STAYS;
    return (root || lingers) && scope_works(user) ? LINGER_SCOPE : LINGER_ENDS;
}

/* root's goes to the system's manager, which has no session to end with. */
void linger_command(enum lingers linger, const char *user, const char *program, const char *arguments[LINGER_ARGUMENTS])
{
    size_t count = 0;
    if (linger == LINGER_SCOPE) {
        arguments[count++] = "systemd-run";
        arguments[count++] = "--quiet";
        if (strcmp(who_we_are(user), "root") != 0)
            arguments[count++] = "--user";
        arguments[count++] = "--scope";
        arguments[count++] = "--";
        arguments[count++] = program;
    } else {
        arguments[count++] = "kong-upgrade";
    }
    arguments[count++] = "worker";
    arguments[count] = NULL;
}
