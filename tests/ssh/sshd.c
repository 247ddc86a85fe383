#include "tests/ssh/sshd.h"

#include "tests/db/harness.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <shadow.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SSHD "/usr/sbin/sshd"
#define SSH "/usr/bin/ssh"

static struct {
    struct process process;
    int port;
    pid_t proxy;
} sshd;

/* sshd. */

/* sshd gives each terminal to the group tty, which only root can do where the system has not done it already. */
static bool gives_terminals(void)
{
    const struct group *group = getgrnam("tty");
    struct stat status;
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool gives = getuid() == 0 || group == NULL ||
                 (fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0 && stat(ptsname(fd), &status) == 0 && status.st_gid == group->gr_gid);
    if (fd >= 0)
        close(fd);
    return gives;
}

bool sshd_is_there(void)
{
    const struct passwd *user = getpwuid(getuid());
    bool shell = user != NULL && strstr(user->pw_shell, "nologin") == NULL && strstr(user->pw_shell, "/false") == NULL;
    return shell && gives_terminals() && access(SSHD, X_OK) == 0 && access(SSH, X_OK) == 0;
}

static int listen_on_loopback(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void make_key(const char *path)
{
    const char *const arguments[] = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path, NULL};
    struct process process = program_start(arguments, NULL, NULL);
    struct result result = kong_wait(&process);
    expect_exit(&result, 0);
}

/* An account without a password can be marked in a way that sshd takes for locked, unless it asks PAM. Only root can see that. */
static bool account_is_locked(void)
{
    const struct passwd *user = getpwuid(getuid());
    const struct spwd *shadow = getuid() == 0 ? getspnam(user->pw_name) : NULL;
    return shadow != NULL && shadow->sp_pwdp[0] == '!';
}

static void await_port(void)
{
    for (int tries = 0; tries < 500; tries++) {
        int fd = connect_to(sshd.port);
        if (fd >= 0) {
            close(fd);
            return;
        }
        pause_ms(20);
    }
    fail_msg("sshd does not listen: %s", text_file(sshd.process.err_path));
}

void sshd_start(void)
{
    char *host_key = text_printf("%s/host_key", harness.folder), *key = text_printf("%s/key", harness.folder);
    char *conf = text_printf("%s/sshd_config", harness.folder);
    make_key(host_key);
    make_key(key);
    close(listen_on_loopback(&sshd.port));
    text_save(conf, text_printf("ListenAddress 127.0.0.1\nPort %d\nHostKey %s\nAuthorizedKeysFile %s.pub\nPidFile none\nUsePAM %s\n"
                                "StrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                                "ClientAliveInterval 1\nClientAliveCountMax 2\nPrintMotd no\nPrintLastLog no\n",
                                sshd.port, host_key, key, account_is_locked() ? "yes" : "no"));
    if (getuid() == 0)
        mkdir("/run/sshd", 0755);   /* where Debian's sshd, as root, locks its unprivileged half in */
    const char *const arguments[] = {SSHD, "-D", "-e", "-f", conf, NULL};
    sshd.process = program_start(arguments, NULL, NULL);
    await_port();
}

void sshd_stop(void)
{
    if (sshd.process.pid > 0) {
        kill(sshd.process.pid, SIGTERM);
        waitpid(sshd.process.pid, NULL, 0);
    }
    sshd.process.pid = 0;
}

int sshd_port(void)
{
    return sshd.port;
}

const char *const *sshd_login(int port, const char *command)
{
    static const char *arguments[32];
    const char *const all[] = {SSH, "-tt", "-q", "-F", "none", "-p", text_printf("%d", port), "-i", text_printf("%s/key", harness.folder),
                               "-o", text_printf("UserKnownHostsFile=%s/known_hosts", harness.folder), "-o", "StrictHostKeyChecking=no",
                               "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=0", "-e", "none",
                               "127.0.0.1", command, NULL};
    memcpy(arguments, all, sizeof all);
    return arguments;
}

/* The proxy. */

static bool pass_on(int from, int to)
{
    char bytes[16384];
    ssize_t got = read(from, bytes, sizeof bytes);
    for (ssize_t sent = 0, count; sent < got; sent += count)
        if ((count = write(to, bytes + sent, (size_t)(got - sent))) <= 0)
            return false;
    return got > 0;
}

static void be_proxy(int listening)
{
    int client = accept(listening, NULL, NULL), server = connect_to(sshd.port);
    struct pollfd fds[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    bool open = client >= 0 && server >= 0;
    while (open && poll(fds, 2, -1) > 0)
        open = (fds[0].revents == 0 || pass_on(client, server)) && (fds[1].revents == 0 || pass_on(server, client));
    _exit(0);
}

int sshd_proxy_start(void)
{
    int port, listening = listen_on_loopback(&port);
    sshd.proxy = fork();
    assert_true(sshd.proxy >= 0);
    if (sshd.proxy == 0)
        be_proxy(listening);
    close(listening);
    return port;
}

void sshd_proxy_silence(void)
{
    assert_int_equal(kill(sshd.proxy, SIGSTOP), 0);
}

void sshd_proxy_stop(void)
{
    if (sshd.proxy > 0) {
        kill(sshd.proxy, SIGKILL);
        waitpid(sshd.proxy, NULL, 0);
    }
    sshd.proxy = 0;
}

/* Processes. */

struct stat_line {
    char name[32], state;
    pid_t parent;
    unsigned long user_ticks, system_ticks;
};

/* The name, in brackets, may hold anything. */
static bool read_stat(pid_t pid, struct stat_line *line)
{
    const char *text = text_file(text_printf("/proc/%d/stat", (int)pid));
    const char *open = text != NULL ? strchr(text, '(') : NULL, *close = text != NULL ? strrchr(text, ')') : NULL;
    int parent = 0;
    if (open == NULL || close == NULL)
        return false;
    snprintf(line->name, sizeof line->name, "%.*s", (int)(close - open - 1), open + 1);
    bool good = sscanf(close + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &line->state, &parent, &line->user_ticks,
                       &line->system_ticks) == 4;
    line->parent = (pid_t)parent;
    return good;
}

bool process_alive(pid_t pid)
{
    struct stat_line line;
    return read_stat(pid, &line) && line.state != 'Z' && line.state != 'X';
}

double process_seconds(pid_t pid)
{
    struct stat_line line;
    return read_stat(pid, &line) ? (double)(line.user_ticks + line.system_ticks) / (double)sysconf(_SC_CLK_TCK) : 0;
}

pid_t sshd_session_of(pid_t pid)
{
    struct stat_line line;
    while (pid > 1 && read_stat(pid, &line)) {
        if (strncmp(line.name, "sshd", 4) == 0)
            return pid;
        pid = line.parent;
    }
    return 0;
}

static bool runs(const char *entry, const char *program, const char *argument)
{
    char words[4096];
    int fd = open(text_printf("/proc/%s/cmdline", entry), O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, words, sizeof words - 1) : 0;
    if (fd >= 0)
        close(fd);
    words[length > 0 ? length : 0] = '\0';
    bool found = false;
    if (strcmp(words, program) == 0)
        for (const char *word = words; word < words + length; word += strlen(word) + 1)
            found = found || strcmp(word, argument) == 0;
    return found;
}

pid_t process_find(const char *program, const char *argument)
{
    DIR *folder = opendir("/proc");
    pid_t found = 0;
    assert_non_null(folder);
    for (const struct dirent *entry; found == 0 && (entry = readdir(folder)) != NULL;)
        if (isdigit((unsigned char)entry->d_name[0]) && runs(entry->d_name, program, argument) && process_alive((pid_t)atoi(entry->d_name)))
            found = (pid_t)atoi(entry->d_name);
    closedir(folder);
    return found;
}
