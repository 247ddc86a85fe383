#include "tui/guard.h"

#include "tui/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#define REPEAT_US 50000

static int null_fd = -1;
static int real_fd = -1;
static volatile sig_atomic_t expired;
static pthread_t guarded_thread;
static volatile sig_atomic_t armed;

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void guard_close(void)
{
    close_one(&null_fd);
    close_one(&real_fd);
}

/* A signal to the process may reach any thread; only the one that writes can be freed by it. */
static void on_alarm(int signal_number)
{
    int saved = errno;
    if (!armed)
        return;
    if (pthread_equal(pthread_self(), guarded_thread)) {
        dup2(null_fd, STDOUT_FILENO);
        expired = 1;
    } else {
        pthread_kill(guarded_thread, signal_number);
    }
    errno = saved;
}

bool guard_open(void)
{
    null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    real_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    /* It stays installed: a signal that is late must find a handler, not the default, which is to die. */
    struct sigaction action = {.sa_handler = on_alarm};
    sigemptyset(&action.sa_mask);
    return null_fd >= 0 && real_fd >= 0 && sigaction(SIGALRM, &action, NULL) == 0;
}

void guard_begin(void)
{
    expired = 0;
    armed = 1;
    guarded_thread = pthread_self();
    /* Again and again: the first signal may come just before the write begins to wait. */
    struct itimerval timer = {{0, REPEAT_US}, {TERMINAL_PATIENCE_MS / 1000, TERMINAL_PATIENCE_MS % 1000 * 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

bool guard_end(void)
{
    struct itimerval off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &off, NULL);
    armed = 0;
    if (!expired)
        return true;
    dup2(real_fd, STDOUT_FILENO);
    return false;
}

void guard_silence(void)
{
    dup2(null_fd, STDOUT_FILENO);
}
