#include "screens/options.h"

#include "screens/say.h"
#include "screens/version.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: kong-upgrade [OPTIONS] [COMMAND [ARGS]]\n"
    "\n"
    "Upgrades a Kong Gateway database on PostgreSQL to 1.3, with no downtime, in five guided steps.\n"
    "Without a command: the wizard.\n"
    "\n"
    "Commands:\n"
    "  status                    where the database and the upgrade stand\n"
    "  check [ID...]             look for everything that could go wrong (--ignore ID)\n"
    "  plan                      the changes still to be made (--sql, --finish)\n"
    "  bootstrap                 install Kong 1.3 on an empty database, or a new one (--to VERSION, --dry-run)\n"
    "  up                        step 1: migrate up; destroys nothing (--dry-run)\n"
    "  finish --confirm DBNAME   step 5: finish; irreversible (--dry-run)\n"
    "  rollback --to VERSION     undo `up`, until finish (--confirm DBNAME, --dry-run)\n"
    "  backup [DIR]              back up Kong's schema with pg_dump into a folder, and verify it\n"
    "  attach, stop              follow the running worker, stop it at a safe point\n"
    "  nodes, watch              the nodes of both clusters, once or continuously\n"
    "  routes                    requests that 1.3 sends elsewhere (--request 'METHOD URL', --requests FILE)\n"
    "  conf [--fix [FILE]]       the settings in effect, and where they come from; kong.conf mended for 1.3\n"
    "  report                    what has been done, as Markdown\n"
    "\n"
    "Options:\n"
    "  -c, --conf FILE           kong.conf (default: Kong's own search path; KONG_* goes before it)\n"
    "  -f, --fleet FILE          fleet.ini, the nodes of both clusters\n"
    "      --json                machine-readable output\n"
    "  -y, --yes                 no questions (never enough for finish and rollback)\n"
    "  -q, --quiet               say only what is wrong\n"
    "  -v, --verbose             say more\n"
    "      --plain               the wizard line by line, for screen readers and plain terminals\n"
    "      --answers FILE        the same, answered by a file: a whole upgrade with nobody there\n"
    "      --ascii               no characters beyond ASCII\n"
    "      --theme NAME          dark, light, contrast, mono\n"
    "      --copy WAY            how y copies: auto, terminal (its clipboard, by OSC 52), file, off\n"
    "      --trace FILE          the wizard's keys and frames into a file, for a bug report\n"
    "      --version, -h, --help\n"
    "\n"
    "Exit codes: 0 done or nothing to do, 1 error, 2 older than 0.14, 3 needs bootstrap, 4 pending, 5 new migrations,\n"
    "6 warnings, differences, 7 blocked, 8 newer or not Kong's, 9 lock held, 10 paused, 64 wrong usage, 75 terminal lost.\n";

enum long_option { OPTION_JSON = 256, OPTION_PLAIN, OPTION_ASCII, OPTION_THEME, OPTION_COPY, OPTION_TRACE, OPTION_VERSION, OPTION_DRY_RUN, OPTION_SQL,
                   OPTION_FINISH, OPTION_FIX, OPTION_CONFIRM, OPTION_TO, OPTION_IGNORE, OPTION_REQUEST, OPTION_REQUESTS, OPTION_ANSWERS };

static const struct option long_options[] = {
    {"conf", required_argument, NULL, 'c'},
    {"fleet", required_argument, NULL, 'f'},
    {"json", no_argument, NULL, OPTION_JSON},
    {"yes", no_argument, NULL, 'y'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"plain", no_argument, NULL, OPTION_PLAIN},
    {"ascii", no_argument, NULL, OPTION_ASCII},
    {"theme", required_argument, NULL, OPTION_THEME},
    {"copy", required_argument, NULL, OPTION_COPY},
    {"trace", required_argument, NULL, OPTION_TRACE},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, 'h'},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"sql", no_argument, NULL, OPTION_SQL},
    {"finish", no_argument, NULL, OPTION_FINISH},
    {"fix", optional_argument, NULL, OPTION_FIX},
    {"confirm", required_argument, NULL, OPTION_CONFIRM},
    {"to", required_argument, NULL, OPTION_TO},
    {"ignore", required_argument, NULL, OPTION_IGNORE},
    {"request", required_argument, NULL, OPTION_REQUEST},
    {"requests", required_argument, NULL, OPTION_REQUESTS},
    {"answers", required_argument, NULL, OPTION_ANSWERS},
    {NULL, 0, NULL, 0},
};

int options_wrong(const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    complain_text("%s; see kong-upgrade --help", text);
    return EXIT_USAGE;
}

/* Returns an exit code, or -1. */
static int read_one(struct options *options, int option)
{
    switch (option) {
    case 'c': options->conf = optarg; break;
    case 'f': options->fleet = optarg; break;
    case 'y': options->yes = true; break;
    case 'q': options->quiet = true; break;
    case 'v': options->verbose = true; break;
    case OPTION_JSON: options->json = true; break;
    case OPTION_PLAIN: options->plain = true; break;
    case OPTION_ASCII: options->ascii = true; break;
    case OPTION_THEME: options->theme = optarg; break;
    case OPTION_COPY: options->copy = optarg; break;
    case OPTION_TRACE: options->trace = optarg; break;
    case OPTION_DRY_RUN: options->dry_run = true; break;
    case OPTION_SQL: options->sql = true; break;
    case OPTION_FINISH: options->finish = true; break;
    case OPTION_FIX: options->fix = true; options->fix_file = optarg; break;
    case OPTION_CONFIRM: options->confirm = optarg; break;
    case OPTION_TO: options->to = optarg; break;
    case OPTION_IGNORE: names_add(&options->ignore, optarg); break;
    case OPTION_REQUEST: names_add(&options->requests, optarg); break;
    case OPTION_REQUESTS: options->requests_file = optarg; break;
    case OPTION_ANSWERS: options->answers = optarg; break;
    case OPTION_VERSION: version_say(); return 0;
    case 'h': fputs(usage, stdout); return 0;
    }
    return -1;
}

/* `given`: the argument that getopt has just looked at. It tells a value that is missing by ':'. */
static int refuse(int option, const char *given)
{
    if (option == ':')
        return options_wrong("%s wants a value", given);
    if (strncmp(given, "--", 2) != 0)
        return options_wrong("there is no option -%c", optopt);
    return options_wrong(optopt != 0 ? "%s: that option takes no value" : "there is no option %s, or more than one begins so", given);
}

int options_read(struct options *options, int argc, char **argv)
{
    int option;
    opterr = 0;
    *options = (struct options){0};
    while ((option = getopt_long(argc, argv, ":c:f:yqvh", long_options, NULL)) != -1) {
        bool is_wrong = option == '?' || option == ':';
        int exit_code = is_wrong ? refuse(option, argv[optind - 1]) : read_one(options, option);
        if (exit_code >= 0)
            return exit_code;
    }
    if (optind < argc) {
        options->command = argv[optind];
        options->arguments = argv + optind + 1;
        options->argument_count = argc - optind - 1;
    }
    return -1;
}

void options_free(struct options *options)
{
    names_free(&options->ignore);
    names_free(&options->requests);
}

static bool is_allowed(const char *allowed, const char *name)
{
    size_t length = strlen(name);
    for (const char *found = strstr(allowed, name); found != NULL; found = strstr(found + 1, name)) {
        bool whole = (found == allowed || found[-1] == ' ') && (found[length] == '\0' || found[length] == ' ');
        if (whole)
            return true;
    }
    return false;
}

int options_check(const struct options *options, const char *allowed, int most_arguments)
{
    const struct {
        const char *name;
        bool given;
    } given[] = {
        {"dry-run", options->dry_run}, {"sql", options->sql}, {"finish", options->finish}, {"fix", options->fix},
        {"confirm", options->confirm != NULL}, {"to", options->to != NULL}, {"ignore", options->ignore.count > 0},
        {"request", options->requests.count > 0}, {"requests", options->requests_file != NULL},
        {"trace", options->trace != NULL}, {"answers", options->answers != NULL},
    };
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        if (given[i].given && !is_allowed(allowed, given[i].name))
            return options_wrong("--%s does not go with %s", given[i].name, options->command != NULL ? options->command : "the wizard");
    if (most_arguments >= 0 && options->argument_count > most_arguments)
        return options_wrong("%s takes no argument '%s'", options->command, options->arguments[most_arguments]);
    return -1;
}
