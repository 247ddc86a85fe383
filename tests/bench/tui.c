/*
 * bench-tui KONG-UPGRADE SANDBOX.SH [--quick]: what the wizard costs on the terminal, measured on the program in a pseudo-terminal of
 * 80x24, on a whole cluster whose traffic is half diverted. Prints a table; fails only where a screen does not come. --quick: a few samples,
 * to see that it works.
 *
 *   first frame   from before the fork to the moment at which the whole first frame has arrived, the median
 *   idle          on the traffic screen, no key pressed: processor time, resident memory, bytes written a second
 *   key to frame  from the write of a cursor key to the last byte of the frame that answers it; 99 of 100 are quicker
 */
#include "tests/tui/drawn.h"
#include "tests/tui/session.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST 1000

static const char *binary, *sandbox_sh;
static char folder[64], home[96], state_folder[96], config_folder[96], conf[96], fleet[96];

static struct amounts {
    int starts, idle_seconds, keys;
} amounts = {21, 30, 400};

static int sandbox(const char *command, const char *arguments)
{
    char line[512];
    snprintf(line, sizeof line, "sh '%s' %s %s %s </dev/null >%s/output 2>&1", sandbox_sh, command, folder, arguments, folder);
    int status = system(line);
    if (status != 0)
        fprintf(stderr, "bench-tui: sandbox.sh %s failed: see %s/output\n", command, folder);
    return status;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

static void start(void)
{
    const char *const arguments[] = {binary, "--conf", conf, "--fleet", fleet, NULL};
    const char *const environment[] = {home, state_folder, config_folder, NULL};
    session_start(80, 24, arguments, environment);
}

static void leave(void)
{
    session_press("q");
    if (session_ended(true, NULL) != 0)
        fprintf(stderr, "bench-tui: the wizard did not leave as it should\n");
    session_tear_down(NULL);
}

/* Takes what has come within that time; returns how many bytes, and when the last of them came. */
static size_t take(int milliseconds, double *at)
{
    char bytes[65536];
    struct pollfd fd = {session.master, POLLIN, 0};
    if (poll(&fd, 1, milliseconds) <= 0)
        return 0;
    ssize_t count = read(session.master, bytes, sizeof bytes);
    *at = now_ms();
    if (count <= 0)
        return 0;
    vterm_input_write(session.vterm, bytes, (size_t)count);
    return (size_t)count;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The value below which that part of them lies; sorts them. */
static double quantile(double *values, int count, double part)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    int at = (int)(part * count);
    return values[at < count ? at : count - 1];
}

static double first_frame(void)
{
    static double times[MOST];
    for (int i = 0; i < amounts.starts; i++) {
        double begun = now_ms(), at = begun;
        start();
        while (now_ms() - begun < 10000 && strstr(session_text(), "q quit") == NULL)
            take(100, &at);
        times[i] = at - begun;
        session_listen(300);
        leave();
    }
    return quantile(times, amounts.starts, 0.5);
}

static double processor_seconds(void)
{
    char path[64];
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)session.child);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        fprintf(stderr, "bench-tui: can't read %s\n", path);
    if (file != NULL)
        fclose(file);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* A line of /proc/PID/status, in KB. */
static long status_kb(const char *name)
{
    char path[64], line[256], format[64];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)session.child);
    snprintf(format, sizeof format, "%s: %%ld", name);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, format, &value) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return value;
}

struct idle {
    double cpu, bytes;            /* %; a second */
    long resident, own;           /* KB; of them not a file's */
};

static struct idle idle(void)
{
    size_t bytes = 0;
    double at, before = processor_seconds(), begun = now_ms(), ends = begun + amounts.idle_seconds * 1000;
    while (now_ms() < ends)
        bytes += take((int)(ends - now_ms()) + 1, &at);
    double seconds = (now_ms() - begun) / 1000;
    return (struct idle){(processor_seconds() - before) / seconds * 100, (double)bytes / seconds, status_kb("VmRSS"), status_kb("RssAnon")};
}

/* A key may come at any moment between two refreshes. */
static double key_to_frame(void)
{
    static double times[MOST];
    for (int i = 0; i < amounts.keys; i++) {
        double at, answered = 0;
        while (take(20 + i % 7 * 9, &at) > 0)
            continue;
        double pressed = now_ms();
        session_press(i % 2 == 0 ? "\033OB" : "\033OA");
        for (int patience = 1000; take(patience, &at) > 0; patience = 3)
            answered = at;
        if (answered == 0)
            fprintf(stderr, "bench-tui: key %d was not answered\n", i);
        times[i] = answered - pressed;
    }
    return quantile(times, amounts.keys, 0.99);
}

static void measure(void **state)
{
    (void)state;
    double first = first_frame();
    start();
    session_see("Kong 1.2 to 1.3");
    session_press("3");
    session_see("old-1");
    session_see(" 50 %");
    struct idle quiet = idle();
    double key = key_to_frame();
    long most = status_kb("VmHWM");
    leave();
    printf("| what | measured | goal |\n| --- | ---: | ---: |\n");
    printf("| first frame after exec | %.1f ms | < 50 ms |\n", first);
    printf("| processor time, idle on the traffic screen | %.2f %% | < 0.5 %% |\n", quiet.cpu);
    printf("| resident memory (of it no file's; at most) | %.1f MB (%.1f; %.1f) | < 20 MB |\n", (double)quiet.resident / 1024, (double)quiet.own / 1024,
           (double)most / 1024);
    printf("| bytes written a second there, 80x24 | %.0f | < 1,500 |\n", quiet.bytes);
    printf("| key to frame, 99th percentile | %.1f ms | < 20 ms |\n", key);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/bench-tui-%d", (int)getpid());
    snprintf(home, sizeof home, "HOME=%s", folder);
    snprintf(state_folder, sizeof state_folder, "XDG_STATE_HOME=%s/state", folder);
    snprintf(config_folder, sizeof config_folder, "XDG_CONFIG_HOME=%s/config", folder);
    snprintf(conf, sizeof conf, "%s/kong.conf", folder);
    snprintf(fleet, sizeof fleet, "%s/fleet.ini", folder);
    mkdir(folder, 0711);
    return sandbox("start", "") != 0 || sandbox("run", "up --yes --quiet") != 0 || sandbox("new", "") != 0 || sandbox("divert", "50") != 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    char line[96];
    session_tear_down(state);
    sandbox("stop", "");
    snprintf(line, sizeof line, "rm -rf %s", folder);
    return system(line);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s KONG-UPGRADE SANDBOX.SH [--quick]\n", argv[0]);
        return 64;
    }
    binary = argv[1];
    sandbox_sh = argv[2];
    if (argc > 3 && strcmp(argv[3], "--quick") == 0)
        amounts = (struct amounts){2, 2, 10};
    const struct CMUnitTest tests[] = {cmocka_unit_test(measure)};
    setlocale(LC_ALL, "C.UTF-8");
    return cmocka_run_group_tests_name("bench-tui", tests, set_up, tear_down);
}
