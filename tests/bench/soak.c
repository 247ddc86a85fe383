/*
 * bench-soak [--minutes N] [--old N] [--new N] [--bad N] [--by-hand] KONG_UPGRADE POSTGRES.SH REFERENCE: whether the wizard, and `watch
 * --json`, grow while they are left open. Both watch the same nodes (10 old and 10 new ones by default, of which the last 6 of each
 * misbehave, each in its own way) and a real database after `up`; all traffic moves to the new nodes and back every ten minutes, the
 * wizard's keys are pressed, its terminal changes its size, and the database ends all sessions every five minutes. Each minute it prints
 * resident memory, open file descriptors and processor time of both, and in the end how they grew. Fails where the nodes are not seen,
 * or one of the two has ended; and, over ten minutes or more, where file descriptors grew, or memory by more than 64 kB a minute in the
 * second half (a day of that were 90 MB).
 *
 * The program is copied first, so that it may be built anew meanwhile. --by-hand: it only sets all up, says how to open the wizard on
 * it, and waits for the end of its input.
 *
 * One hour on two shared cores, build of type debugoptimized: see README.md.
 */
#include "tests/bench/many_nodes.h"
#include "tests/db/harness.h"
#include "tests/tui/session.h"

#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLES_LIMIT (24 * 60)
#define STEP_SECONDS 5               /* between two keys */
#define RECONNECT_MINUTES 5
#define SURE_MINUTES 10
#define GROWTH_LIMIT 64.0            /* kB a minute */

static struct many_nodes_plan plan = {.old = 10, .new = 10, .bad = 6, .rps = 400, .prometheus = true};
static struct many_nodes nodes;
static int minutes = 60;
static bool by_hand;
static char *binary, *fleet_path;

struct sample {
    long kilobytes, files;
    double cpu;                      /* seconds */
};

static struct watched {
    const char *name;
    pid_t pid;
    struct sample samples[SAMPLES_LIMIT];
} watched[] = {{.name = "wizard"}, {.name = "watch"}};

static int samples;

static void set_up_database(void)
{
    db_create("kong", NULL);
    struct result result = kong("kong", "bootstrap --to 1.2 --yes --quiet");
    expect_exit(&result, 0);
    result = kong("kong", "up --yes --quiet");
    expect_exit(&result, 0);
}

static void copy_program(void)
{
    const char *const arguments[] = {"/bin/cp", harness.binary, binary, NULL};
    struct process copy = program_start(arguments, NULL, NULL);
    struct result result = kong_wait(&copy);
    expect_exit(&result, 0);
}

static void write_fleet(void)
{
    FILE *file = fopen(fleet_path, "we");
    assert_non_null(file);
    for (int i = 0; i < nodes.count; i++) {
        if (i == 0 || i == plan.old)
            fprintf(file, "[%s]\n", i < plan.old ? "old" : "new");
        fprintf(file, "node = %s-%d http://127.0.0.1:%d\n", i < plan.old ? "old" : "new", i < plan.old ? i + 1 : i + 1 - plan.old, nodes.ports[i]);
    }
    fprintf(file, "[hooks]\nprovision = /bin/true\ndivert = /bin/echo {percent}\ndecommission = /bin/echo {node}\n");
    assert_int_equal(fclose(file), 0);
}

static pid_t start_watch(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    setenv("KONG_PG_DATABASE", "kong", 1);
    execl(binary, binary, "--conf", harness.conf, "--fleet", fleet_path, "watch", "--json", (char *)NULL);
    _exit(127);
}

static void start_wizard(void)
{
    const char *const arguments[] = {binary, "--conf", harness.conf, "--fleet", fleet_path, NULL};
    const char *const environment[] = {text_printf("HOME=%s", harness.folder), text_printf("XDG_STATE_HOME=%s", harness.state),
                                       "KONG_PG_DATABASE=kong", NULL};
    session_start(80, 24, arguments, environment);
    session_see("Kong");
}

/* Sampling. */

static long count_files(pid_t pid)
{
    DIR *folder = opendir(text_printf("/proc/%d/fd", (int)pid));
    long count = 0;
    if (folder == NULL)
        return -1;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.' ? 1 : 0;
    closedir(folder);
    return count;
}

static struct sample take_sample(pid_t pid)
{
    struct sample sample = {.files = count_files(pid)};
    unsigned long user = 0, system = 0;
    long pages = -1;
    FILE *file = fopen(text_printf("/proc/%d/statm", (int)pid), "re");
    if (file != NULL) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = -1;
        fclose(file);
    }
    sample.kilobytes = pages < 0 ? -1 : pages * (sysconf(_SC_PAGESIZE) / 1024);
    file = fopen(text_printf("/proc/%d/stat", (int)pid), "re");
    if (file != NULL) {
        if (fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2)
            sample.cpu = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
        fclose(file);
    }
    return sample;
}

static void sample_all(void)
{
    printf("minute %3d", samples);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        struct watched *one = &watched[i];
        struct sample sample = one->samples[samples] = take_sample(one->pid);
        printf("   %s %ld kB, %ld files, %.1f s", one->name, sample.kilobytes, sample.files, sample.cpu);
        if (sample.kilobytes <= 0)
            fail_msg("%s has ended", one->name);
    }
    printf("\n");
    fflush(stdout);
    samples++;
}

/* Least squares over the samples from `first` on; kB a minute. */
static double slope(const struct watched *one, int first)
{
    double n = samples - first, x = 0, y = 0, xx = 0, xy = 0;
    for (int i = first; i < samples; i++) {
        double kilobytes = (double)one->samples[i].kilobytes;
        x += i;
        y += kilobytes;
        xx += (double)i * i;
        xy += i * kilobytes;
    }
    double divisor = n * xx - x * x;
    return divisor > 0 ? (n * xy - x * y) / divisor : 0;
}

static void tell(const struct watched *one)
{
    int middle = samples / 2;
    const struct sample *first = &one->samples[samples > 2 ? 2 : 0], *last = &one->samples[samples - 1];
    double growth = slope(one, middle);
    printf("%s: %ld kB after two minutes, %ld kB after %d; %+.2f kB a minute in the second half (%+.1f MB a day); %ld files then, %ld in the "
           "end; %.2f %% of a core\n",
           one->name, first->kilobytes, last->kilobytes, samples - 1, growth, growth * 1440 / 1024, first->files, last->files,
           100 * last->cpu / (60.0 * (samples > 1 ? samples - 1 : 1)));
    fflush(stdout);
    if (samples <= SURE_MINUTES)
        return;
    if (growth > GROWTH_LIMIT)
        fail_msg("%s grows by %.1f kB a minute", one->name, growth);
    if (last->files > one->samples[middle].files + 2 * nodes.count)   /* connections come and go */
        fail_msg("%s has %ld open files, and had %ld", one->name, last->files, one->samples[middle].files);
}

/* The wizard's keys: screens, details, help, the chart's length. None of them changes anything. */
static void press_one(int number)
{
    static const char *const keys[] = {"3", "+", "+", "j", "\r", "\033", "-", "-", "4", "j", "\r", "\033", "2", "?", "\033", "1", "5", "w", "w"};
    session_press(keys[(size_t)number % (sizeof keys / sizeof keys[0])]);
}

static void one_minute(int minute)
{
    int64_t ends = session_now_ms() + 60000;
    session_resize(minute % 2 == 0 ? 160 : 80, minute % 2 == 0 ? 50 : 24);
    for (int number = minute * (60 / STEP_SECONDS); session_now_ms() < ends; number++) {
        int64_t next = session_now_ms() + STEP_SECONDS * 1000;
        press_one(number);
        while (session_now_ms() < next && session_now_ms() < ends)
            session_listen((int)(next - session_now_ms()));
    }
    if (minute % RECONNECT_MINUTES == RECONNECT_MINUTES - 1)
        db_ask("postgres", "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'kong'");
}

/* A frame or two after the screens were gone through. */
static void see_nodes(void)
{
    session_press("\033");
    session_listen(300);
    session_press("3");
    session_see("new cluster");
    session_see("old-1");
}

static void soak(void **state)
{
    (void)state;
    watched[0].pid = session.child;
    watched[1].pid = start_watch();
    session_listen(5000);
    sample_all();
    for (int minute = 0; minute < minutes; minute++) {
        one_minute(minute);
        sample_all();
    }
    see_nodes();
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
        tell(&watched[i]);
    kill(watched[1].pid, SIGTERM);
    session_press("q");
    assert_int_equal(session_ended(true, NULL), 0);
}

static void bench_soak(void **state)
{
    binary = text_printf("%s/kong-upgrade", harness.folder);
    fleet_path = text_printf("%s/fleet.ini", harness.folder);
    set_up_database();
    copy_program();
    plan.pg_port = harness.port;
    assert_true(many_nodes_start(&nodes, &plan));
    write_fleet();
    if (by_hand) {
        printf("HOME=%s XDG_STATE_HOME=%s KONG_PG_DATABASE=kong %s --conf %s --fleet %s\n", harness.folder, harness.state, binary, harness.conf,
               fleet_path);
        fflush(stdout);
        while (getchar() != EOF)
            continue;
    } else {
        start_wizard();
        soak(state);
    }
    many_nodes_stop(&nodes);
}

static bool take_options(int argc, char **argv)
{
    static const struct option options[] = {{"minutes", required_argument, NULL, 'm'}, {"old", required_argument, NULL, 'o'},
                                            {"new", required_argument, NULL, 'n'},     {"bad", required_argument, NULL, 'b'},
                                            {"by-hand", no_argument, NULL, 'h'},       {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        minutes = option == 'm' ? atoi(optarg) : minutes;
        plan.old = option == 'o' ? atoi(optarg) : plan.old;
        plan.new = option == 'n' ? atoi(optarg) : plan.new;
        plan.bad = option == 'b' ? atoi(optarg) : plan.bad;
        by_hand = option == 'h' || by_hand;
    }
    return minutes > 0 && minutes < SAMPLES_LIMIT && plan.old > 0 && plan.new > 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(bench_soak, session_tear_down)};
    if (!take_options(argc, argv) || !harness_arguments(argc - optind + 1, argv + optind - 1))
        return 64;
    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
