#include "core/cluster/ssh.h"

#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Whether a variable of the environment is kept from ssh. */
static bool is_kept_back(const char *assignment, const struct names *secrets)
{
    size_t length = strcspn(assignment, "=");
    if (strncmp(assignment, "KONG_", 5) == 0 || strncmp(assignment, "PG", 2) == 0)
        return true;
    for (size_t i = 0; i < secrets->count; i++)
        if (strlen(secrets->list[i]) == length && strncmp(secrets->list[i], assignment, length) == 0)
            return true;
    return false;
}

/* Given before anything of the operator's ssh configuration, so these hold. No sharing of connections (ControlMaster): the process must
 * be the tunnel, and end with it. LogLevel: refused connections are told at INFO. */
static const char *const ssh_options[] = {
    "ssh", "-N", "-T", "-a", "-x", "-oBatchMode=yes", "-oExitOnForwardFailure=yes", "-oServerAliveInterval=5", "-oServerAliveCountMax=3",
    "-oConnectTimeout=10", "-oControlMaster=no", "-oControlPath=none", "-oStreamLocalBindUnlink=yes", "-oStreamLocalBindMask=0177",
    "-oLogLevel=INFO", "-oPermitLocalCommand=no",
};

static void add_arguments(const struct fleet_ssh *to, char *const *sockets, const struct names *targets, struct names *arguments)
{
    for (size_t i = 0; i < sizeof ssh_options / sizeof ssh_options[0]; i++)
        names_add(arguments, ssh_options[i]);
    if (to->port > 0) {
        char *port = mem_printf("-p%d", to->port);
        names_add(arguments, port);
        free(port);
    }
    if (to->user != NULL) {
        names_add(arguments, "-l");
        names_add(arguments, to->user);
    }
    for (size_t i = 0; i < targets->count; i++) {
        char *forward = mem_printf("-L%s:%s", sockets[i], targets->list[i]);
        names_add(arguments, forward);
        free(forward);
    }
    names_add(arguments, "--");
    names_add(arguments, to->host);
}

/* Only calls that are safe between fork and exec in a program with threads. A session of its own: no key on our terminal reaches it. */
static void run_ssh(char **arguments, char **environment, int stderr_fd, pid_t parent)
{
    static const char message[] = "ssh can't be started: is it installed?\n";
    sigset_t none;
    for (int signal_number = 1; signal_number < 32; signal_number++)
        signal(signal_number, SIG_DFL);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    setsid();
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(stderr_fd, STDERR_FILENO) < 0)
        _exit(1);
    execvpe(arguments[0], arguments, environment);
    (void)!write(STDERR_FILENO, message, sizeof message - 1);
    _exit(127);
}

/* What is handed to exec: pointers that a NULL ends. The names stay the names'. */
static char **vector(const struct names *names)
{
    char **list = mem_zero(names->count + 1, sizeof *list);
    memcpy(list, names->list, names->count * sizeof *list);
    return list;
}

static pid_t fork_ssh(const struct names *arguments, const struct names *kept, int stderr_fd)
{
    char **list = vector(arguments), **environment = vector(kept);
    pid_t parent = getpid();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);   /* a handler of ours must not run in the child: it would tell us of its signal */
    pid_t pid = fork();
    if (pid == 0)
        run_ssh(list, environment, stderr_fd, parent);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(list);
    free(environment);
    return pid;
}

pid_t ssh_start(const struct fleet_ssh *to, char *const *sockets, const struct names *targets, const struct names *secrets, int *stderr_fd)
{
    struct names arguments = {0}, kept = {0};
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    add_arguments(to, sockets, targets, &arguments);
    for (char **each = environ; *each != NULL; each++)
        if (!is_kept_back(*each, secrets))
            names_add(&kept, *each);
    pid_t pid = fork_ssh(&arguments, &kept, fds[1]);
    int failure = errno;
    names_free(&arguments);
    names_free(&kept);
    close(fds[1]);
    if (pid < 0)
        close(fds[0]);
    else
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
    *stderr_fd = fds[0];
    errno = failure;
    return pid;
}
