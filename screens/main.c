/* Where it begins: the options, the command, or the wizard. */
#include "core/base/mem.h"
#include "core/hook.h"
#include "core/worker.h"
#include "screens/app.h"
#include "screens/plain.h"
#include "screens/say.h"
#include "screens/wizard.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct command {
    const char *name;
    int (*run)(struct app *app);
    const char *options;      /* that may stand with it, beside the general ones */
    int most_arguments;       /* -1: any number */
} commands[] = {
    {"status", plain_status, "", 0},
    {"check", plain_check, "ignore", -1},
    {"plan", plain_plan, "sql finish", 0},
    {"up", plain_up, "dry-run", 0},
    {"bootstrap", plain_bootstrap, "dry-run to", 0},
    {"finish", plain_finish, "confirm dry-run", 0},
    {"rollback", plain_rollback, "to confirm dry-run", 0},
    {"backup", plain_backup, "", 1},
    {"attach", plain_attach, "", 0},
    {"stop", plain_stop, "", 0},
    {"nodes", plain_nodes, "", 0},
    {"watch", plain_watch, "", 0},
    {"routes", plain_routes, "request requests", 0},
    {"conf", plain_conf, "fix", 1},
    {"report", plain_report, "", 0},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Kong reads none of libpq's own variables (all begin with PG, and there are more with every release), and a password must not be
 * in a core dump or a child's environment. */
static void protect(void)
{
    char **each = environ;
    while (*each != NULL) {
        if (strncmp(*each, "PG", 2) != 0) {
            each++;
            continue;
        }
        char *name = mem_ndup(*each, strcspn(*each, "="));
        unsetenv(name);
        free(name);
        each = environ;
    }
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGPIPE, SIG_IGN);
}

/* A descriptor that is closed would be given to the next file or socket, and output written into it. What is opened here can't be
 * written, so that output is known to be lost. */
static void fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
            abort();
}

/* Output that did not arrive must not look like success. */
static int close_output(int exit_code)
{
    bool written = fflush(stdout) == 0 && !say_failed();
    if (written || exit_code == EXIT_TERMINAL_LOST)
        return exit_code;
    complain_text("standard output can't be written (%s): what is above, if anything, is not complete", strerror(errno != 0 ? errno : EIO));
    return EXIT_ERROR;
}

static int run(const struct options *options, const struct command *command)
{
    struct error error = {0};
    struct app app;
    if (command == NULL)
        return wizard_main(options);
    if (!app_load(&app, options, &error))
        return complain(&error);
    int exit_code = command->run(&app);
    app_free(&app);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct options options;
    fill_standard_streams();
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C");   /* kong.conf, JSON and SQL write 1.5 */
    protect();
    if (argc == 2 && strcmp(argv[1], WORKER_COMMAND) == 0)
        return worker_main();
    if (argc == 2 && strcmp(argv[1], HOOK_COMMAND) == 0)
        return hook_main();
    int exit_code = options_read(&options, argc, argv);
    if (exit_code < 0) {
        const struct command *command = options.command != NULL ? find_command(options.command) : NULL;
        if (options.command != NULL && command == NULL)
            exit_code = options_wrong("there is no command '%s'", options.command);
        else
            exit_code = options_check(&options, command != NULL ? command->options : "trace answers", command != NULL ? command->most_arguments : 0);
        if (exit_code < 0) {
            curl_global_init(CURL_GLOBAL_DEFAULT);
            exit_code = run(&options, command);
            curl_global_cleanup();
        }
    }
    options_free(&options);
    return close_output(exit_code);
}
