/*
 * The dialogue line by line without a database: what it reads from and writes to may be a pipe, a file, nothing, or somebody who stalls;
 * how it ends; nodes that are entered; and files of answers that are wrong. Arguments: the binary.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_SIZE 400000

static const char *binary;
static char folder[64];

static struct run {
    pid_t child;
    int in, out;                 /* ends of pipes; -1: none */
    char text[TEXT_SIZE];        /* all that was said */
    size_t length, heard;
} run = {.in = -1, .out = -1};

static char *in_folder(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* No server listens there. */
static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/dialogue-test-%d", (int)getpid());
    if (mkdir(folder, 0700) != 0)
        return -1;
    write_file("kong.conf", "pg_host = 127.0.0.1\npg_port = 1\n");
    write_file("fleet.ini", "");
    return 0;
}

static int remove_all(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    if (run.child > 0) {
        kill(run.child, SIGKILL);
        waitpid(run.child, NULL, 0);
    }
    if (run.in >= 0)
        close(run.in);
    if (run.out >= 0)
        close(run.out);
    run.child = 0;
    run.in = run.out = -1;
    return 0;
}

/* `in`: a descriptor to read from, -1: a pipe from here. */
static void start(int in, const char *option, const char *value)
{
    int to[2] = {-1, -1}, from[2];
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    if (in < 0)
        assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    run.length = run.heard = 0;
    run.text[0] = '\0';
    run.child = fork();
    assert_true(run.child >= 0);
    if (run.child == 0) {
        dup2(in < 0 ? to[0] : in, STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        dup2(from[1], STDERR_FILENO);
        setenv("HOME", folder, 1);
        setenv("XDG_STATE_HOME", in_folder("state"), 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        execl(binary, binary, "--conf", in_folder("kong.conf"), "--fleet", in_folder("fleet.ini"), option, value, NULL);
        _exit(127);
    }
    if (in < 0)
        close(to[0]);
    else
        close(in);
    close(from[1]);
    run.in = to[1];
    run.out = from[0];
    fcntl(run.out, F_SETFL, O_NONBLOCK);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void take(void)
{
    ssize_t count = run.out >= 0 ? read(run.out, run.text + run.length, TEXT_SIZE - 1 - run.length) : -1;
    run.length += count > 0 ? (size_t)count : 0;
    run.text[run.length] = '\0';
    usleep(10000);
}

static void hear(const char *text)
{
    char *found = NULL;
    for (int64_t until = now_ms() + 20000; found == NULL && now_ms() < until; take())
        found = strstr(run.text + run.heard, text);
    if (found == NULL)
        fail_msg("not heard: %s, after: %s", text, run.text + run.heard);
    else
        run.heard = (size_t)(found - run.text) + strlen(text);
}

static void answer(const char *line)
{
    assert_int_equal(write(run.in, line, strlen(line)), strlen(line));
    assert_int_equal(write(run.in, "\n", 1), 1);
}

static void hear_and_answer(const char *text, const char *line)
{
    hear(text);
    hear("\n> ");
    answer(line);
}

/* The exit code; -1: it does not end. `reads`: what it says meanwhile. */
static int ended(bool reads)
{
    int status = 0;
    for (int64_t until = now_ms() + 10000; now_ms() < until;) {
        if (waitpid(run.child, &status, WNOHANG) == run.child) {
            run.child = 0;
            for (size_t before = run.length + 1; reads && before != run.length;) {
                before = run.length;
                take();
            }
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
        if (reads)
            take();
        else
            usleep(10000);
    }
    return -1;
}

static void the_end_of_the_input_ends_the_view(void **state)
{
    (void)state;
    start(open("/dev/null", O_RDONLY | O_CLOEXEC), "--plain", NULL);
    assert_int_equal(ended(true), 75);
    start(-1, "--plain", NULL);
    hear("== Welcome");
    close(run.in);
    run.in = -1;
    assert_int_equal(ended(true), 75);
}

static void a_file_is_read_line_by_line(void **state)
{
    (void)state;
    write_file("lines", "next\nnonsense\n\nquit");
    start(open(in_folder("lines"), O_RDONLY | O_CLOEXEC), "--plain", NULL);
    assert_int_equal(ended(true), 75);   /* the last line has no end */
    assert_non_null(strstr(run.text, "== Preflight"));
    assert_non_null(strstr(run.text, "There is no choice 'nonsense'. Write ? for help."));
    write_file("lines", "quit\n");
    start(open(in_folder("lines"), O_RDONLY | O_CLOEXEC), "--plain", NULL);
    assert_int_equal(ended(true), 0);
}

static void signals_are_heard(void **state)
{
    (void)state;
    start(-1, "--plain", NULL);
    hear("== Welcome");
    kill(run.child, SIGINT);
    hear("q leaves, and so does Ctrl-C once more. Nothing is lost.");
    answer("next");                      /* begins anew */
    hear("== Preflight");
    kill(run.child, SIGINT);
    hear("Ctrl-C once more");
    kill(run.child, SIGINT);
    assert_int_equal(ended(true), 75);
    start(-1, "--plain", NULL);
    hear("== Welcome");
    kill(run.child, SIGHUP);
    assert_int_equal(ended(true), 75);
    start(-1, "--plain", NULL);
    hear("== Welcome");
    kill(run.child, SIGTERM);
    assert_int_equal(ended(true), 0);
}

static void nohup_is_respected(void **state)
{
    (void)state;
    signal(SIGHUP, SIG_IGN);             /* as nohup hands it on */
    start(-1, "--plain", NULL);
    signal(SIGHUP, SIG_DFL);
    hear("== Welcome");
    kill(run.child, SIGHUP);
    hear_and_answer("Choices: ", "q");
    assert_int_equal(ended(true), 0);
}

static void nobody_who_reads_ends_it(void **state)
{
    (void)state;
    start(-1, "--plain", NULL);
    hear("== Welcome");
    close(run.out);
    run.out = -1;
    assert_int_equal(ended(false), 75);
}

/* Much more is asked for than the pipe holds, and none of it read: no signal waits for the reader, and no processor time is burned. */
static void a_reader_who_stalls_holds_up_nothing(void **state)
{
    struct rusage before, after;
    (void)state;
    getrusage(RUSAGE_CHILDREN, &before);
    start(-1, "--plain", NULL);
    hear("== Welcome");
    fcntl(run.in, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 2000; i++)
        (void)!write(run.in, "?\nall\n", 6);
    usleep(3000000);
    kill(run.child, SIGTERM);
    assert_int_equal(ended(false), 75);
    getrusage(RUSAGE_CHILDREN, &after);
    assert_true(after.ru_utime.tv_sec - before.ru_utime.tv_sec < 2);
}

static void what_is_no_choice_is_refused(void **state)
{
    (void)state;
    start(-1, "--plain", NULL);
    hear_and_answer("Choices: ", "zz\x1b[31m");
    hear_and_answer("There is no choice 'zz\xEF\xBF\xBD[31m'", "t");
    hear_and_answer("That is for the full screen.", "details 7");
    hear_and_answer("There is no choice 'details'", "5");   /* there is no list */
    hear_and_answer("== Step 5 of 5: Finish", "f");
    hear_and_answer("That can't be done now. The database has not answered yet.", "?");
    hear_and_answer("Ctrl-C asks a running worker to stop", "why");
    hear_and_answer("Removes from the database", "q");
    assert_int_equal(ended(true), 0);
    for (size_t i = 0; i < run.length; i++)
        assert_false(((unsigned char)run.text[i] < ' ' && run.text[i] != '\n') || run.text[i] == 0x7F);
}

static void nodes_are_entered(void **state)
{
    char text[512] = "";
    (void)state;
    start(-1, "--plain", NULL);
    hear_and_answer("Choices: ", "a");
    hear_and_answer("a single dot: none", "somewhere");
    hear_and_answer("Write: old NAME URL", "old one http://127.0.0.1:1");
    hear_and_answer("Added; saved to", "add node");
    hear_and_answer("a single dot: none", ".");
    hear("Choices: ");
    answer("add node");
    hear_and_answer("a single dot: none", "new two http://127.0.0.1:2");
    hear_and_answer("Added; saved to", "remove 1");
    hear_and_answer("Took one out", "q");
    assert_int_equal(ended(true), 0);
    FILE *file = fopen(in_folder("fleet.ini"), "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, "node = two http://127.0.0.1:2"));
    assert_null(strstr(text, "node = one"));
}

static void wrong_answers_are_said_with_their_line(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"[up]\nwait = soon\n", "answers.ini line 2: wait is a number of seconds"},
        {"[nowhere]\nwait = 1\n", "line 2: there is no section [nowhere]"},
        {"[welcome]\nwait = 1\n", "line 2: there is no section [welcome]"},
        {"\n[up]\nconfirm = kong\n", "line 3: [up] has no key 'confirm'"},
        {"[up]\noverrule = yes\n", "line 2: [up] has no key 'overrule'"},
        {"wait = 1\n", "line 1: there is no section []"},
        {"[preflight]\nacknowledge = router, nonsense\n", "line 2: there is no check 'nonsense'"},
        {"[up]\nbackup = here\n", "line 2: backup is a folder, by its full path, or the word another"},
        {"[divert]\npercent = 5 1 100\n", "line 2: percent is a row of"},
        {"[divert]\npercent = 5 30 100\n", "line 2: percent is a row of"},
        {"[divert]\npercent = 5 25\n", "line 2: percent is a row of"},
        {"[divert]\npercent =\n", "line 2: percent is a row of"},
        {"[divert]\nworse = maybe\n", "line 2: worse is back, stop or ignore"},
        {"[provision]\nhook = perhaps\n", "line 2: hook is yes or no"},
        {"[finish]\nconfirm =\n", "line 2: confirm is the database's name"},
        {"[done]\nreport = report.md\n", "line 2: report is a file, by its full path"},
        {"[finish]\n  confirm = kong\n", "line 2: the line begins with white space"},
        {"[finish]\nconfirm\n", "line 2: not understood"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file("answers.ini", cases[i].text);
        start(open("/dev/null", O_RDONLY | O_CLOEXEC), "--answers", in_folder("answers.ini"));
        assert_int_equal(ended(true), 64);
        if (strstr(run.text, cases[i].said) == NULL)
            fail_msg("%s: said: %s", cases[i].said, run.text);
        tear_down(NULL);
    }
    start(open("/dev/null", O_RDONLY | O_CLOEXEC), "--answers", in_folder("missing.ini"));
    assert_int_equal(ended(true), 64);
    assert_non_null(strstr(run.text, "give the file of answers with --answers"));
}

static void answers_stop_where_there_is_no_configuration(void **state)
{
    (void)state;
    write_file("answers.ini", "[finish]\nconfirm = kong\n");
    write_file("kong.conf", "database = cassandra\n");
    start(open("/dev/null", O_RDONLY | O_CLOEXEC), "--answers", in_folder("answers.ini"));
    assert_int_equal(ended(true), 1);
    assert_non_null(strstr(run.text, "kong-upgrade: stopped: "));
    assert_non_null(strstr(run.text, "upgrades PostgreSQL only"));
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: %s KONG_UPGRADE\n", arguments[0]);
        return 64;
    }
    binary = arguments[1];
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_end_of_the_input_ends_the_view, tear_down),
        cmocka_unit_test_teardown(a_file_is_read_line_by_line, tear_down),
        cmocka_unit_test_teardown(signals_are_heard, tear_down),
        cmocka_unit_test_teardown(nohup_is_respected, tear_down),
        cmocka_unit_test_teardown(nobody_who_reads_ends_it, tear_down),
        cmocka_unit_test_teardown(a_reader_who_stalls_holds_up_nothing, tear_down),
        cmocka_unit_test_teardown(what_is_no_choice_is_refused, tear_down),
        cmocka_unit_test_teardown(nodes_are_entered, tear_down),
        cmocka_unit_test_teardown(wrong_answers_are_said_with_their_line, tear_down),
        cmocka_unit_test_teardown(answers_stop_where_there_is_no_configuration, tear_down),
    };
    return cmocka_run_group_tests(tests, set_up, remove_all);
}
