/* fleet.ini: what is read, what is refused and how that is said, and that what is saved is read back equal. */
#include "tests/unit/unit.h"

#include "core/conf/fleet.h"

static bool load(void **state, const char *text, struct fleet *fleet, struct error *error)
{
    char *path = path_in(*state, "fleet.ini");
    write_text(path, text);
    bool loaded = fleet_load(fleet, path, error);
    free(path);
    return loaded;
}

static void assert_node(const struct fleet *fleet, size_t i, enum cluster cluster, const char *name, const char *url)
{
    assert_true(i < fleet->count);
    assert_int_equal(fleet->nodes[i].cluster, cluster);
    assert_string_equal(fleet->nodes[i].name, name);
    assert_string_equal(fleet->nodes[i].url, url);
}

static const char whole[] =
    "; comment\n# another\n\n[datastore]\nkong_conf = /etc/kong/kong.conf\n"
    "[old]\nnode = old-1 http://10.0.0.11:8001\nnode = old.2   https://kong.example:8444/admin/ ; behind a proxy\n"
    "[new]\nnode: new_1 http://[::1]:8001\n[gates]\nquiet = 60\nquiet_rps = 0.5\nlock_deadline = 30\n[old]\nnode=old-3\thttp://h\n";

static void a_whole_file_is_read(void **state)
{
    struct fleet fleet;
    struct error error = {0};
    if (!load(state, whole, &fleet, &error))
        fail_msg("%s", error.message);
    assert_string_equal(fleet.kong_conf, "/etc/kong/kong.conf");
    assert_int_equal(fleet.quiet_seconds, 60);
    assert_true(fleet.quiet_rps == 0.5);
    assert_int_equal(fleet.lock_deadline_seconds, 30);
    assert_int_equal(fleet.count, 4);
    assert_node(&fleet, 0, CLUSTER_OLD, "old-1", "http://10.0.0.11:8001");
    assert_node(&fleet, 1, CLUSTER_OLD, "old.2", "https://kong.example:8444/admin");
    assert_node(&fleet, 2, CLUSTER_NEW, "new_1", "http://[::1]:8001");
    assert_node(&fleet, 3, CLUSTER_OLD, "old-3", "http://h");
    assert_int_equal(fleet_count(&fleet, CLUSTER_OLD), 3);
    assert_int_equal(fleet_count(&fleet, CLUSTER_NEW), 1);
    fleet_remove(&fleet, "old.2");
    fleet_remove(&fleet, "no such");
    assert_int_equal(fleet.count, 3);
    assert_node(&fleet, 2, CLUSTER_OLD, "old-3", "http://h");
    fleet_free(&fleet);
    fleet_free(&fleet);
}

static void other_ways_of_writing_it_mean_the_same(void **state)
{
    static const char *const texts[] = {
        "[old]\nnode = a http://h:1\n", "[old]\r\nnode = a http://h:1\r\n", "[old]\nnode = a http://h:1", "\xEF\xBB\xBF[old]\nnode = a http://h:1\n",
        "[old]\n  ; an indented comment\n   \n\t\r\nnode = a http://h:1\n", "[old]\nnode = a http://h:1/\n", "[old]\nnode = a http://h:1///  \n",
        "[old]\nnode = a http://h:1 ;comment\n", "[old] ; comment\nnode = a http://h:1\n", "[gates]\nquiet = 120\n[old]\nnode = a http://h:1\n",
    };
    for (EACH(texts)) {
        struct fleet fleet;
        struct error error = {0};
        if (!load(state, texts[i], &fleet, &error))
            fail_msg("%zu: %s", i, error.message);
        assert_int_equal(fleet.count, 1);
        assert_node(&fleet, 0, CLUSTER_OLD, "a", "http://h:1");
        assert_int_equal(fleet.quiet_seconds, FLEET_QUIET_SECONDS);
        assert_int_equal(fleet.lock_deadline_seconds, FLEET_LOCK_DEADLINE_SECONDS);
        fleet_free(&fleet);
    }
}

#define NAME64 "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhh"

static void what_is_wrong_is_said_with_its_line(void **state)
{
    static const struct {
        const char *text;
        int line;
        const char *part;
    } cases[] = {
        {"[old]\n\nnodes = a http://h\n", 3, "[old] has no key 'nodes'"},
        {"[datastore]\npassword = x\n", 2, "[datastore] has no key 'password'"},
        {"[middle]\nnode = a http://h\n", 2, "there is no section [middle]"},
        {"node = a http://h\n", 1, "there is no section []"},
        {"[old\nnode = a http://h\n", 2, "there is no section []"},
        {"[old]\nnode a http\n", 2, "not understood"},
        {"[old]\nnode = a\n", 2, "a node is NAME URL"},
        {"[old]\nnode =\n", 2, "a node is NAME URL"},
        {"[old]\nnode = http://h:8001\n", 2, "a node is NAME URL"},
        {"[old]\nnode = a/b http://h\n", 2, "a node's name has letters"},
        {"[old]\nnode = a\x1B[31m http://h\n", 2, "a node's name has letters"},
        {"[old]\nnode = \xC3\xA4 http://h\n", 2, "a node's name has letters"},
        {"[old]\nnode = " NAME64 "x http://h\n", 2, "1 to 64 letters"},
        {"[old]\nnode = a http://h\n[new]\nnode = a http://i\n", 4, "there is a node a already"},
        {"[old]\nnode = a h:8001\n", 2, "'h:8001' is not the address of an Admin API"},
        {"[old]\nnode = a 10.0.0.1:8001\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a ftp://h\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a file:///etc/passwd\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a http://\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a http://h:99999\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a http://h:port\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a http://h and more\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a http://h\"x\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a http://h;x\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a http://h\x1B[31m\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a http://\xFF\xFE\n", 2, "is not the address of an Admin API"},
        {"[old]\nnode = a http://user@h\n", 2, "a user or password"},
        {"[old]\nnode = a http://h/?a=b\n", 2, "a query or a fragment"},
        {"[old]\nnode = a http://h/#a\n", 2, "a query or a fragment"},
        {"[datastore]\nkong_conf = kong.conf\n", 2, "a full path"},
        {"[datastore]\nkong_conf =\n", 2, "a full path"},
        {"[kong]\nbin = kong\n", 2, "bin is the full path"},
        {"[kong]\nbin =\n", 2, "bin is the full path"},
        {"[kong]\nbin = /a\x1B[2J\n", 2, "bin is the full path"},
        {"[kong]\nengine = both\n", 2, "engine is kong-upgrade (the default) or kong"},
        {"[kong]\ndeadline = 0\n", 2, "deadline is a number of seconds from 1 to 86400"},
        {"[kong]\npath = /usr/local/bin/kong\n", 2, "[kong] has no key 'path'"},
        {"[gates]\nquiet = 0\n", 2, "from 1 to 86400"},
        {"[gates]\nquiet = 86401\n", 2, "from 1 to 86400"},
        {"[gates]\nlock_deadline = 0\n", 2, "lock_deadline is a number of seconds from 1 to 86400"},
        {"[gates]\nquiet = 99999999999999999999\n", 2, "from 1 to 86400"},
        {"[gates]\nquiet = 10s\n", 2, "from 1 to 86400"},
        {"[gates]\nquiet =\n", 2, "from 1 to 86400"},
        {"[gates]\nquiet_rps = -1\n", 2, "from 0 to 1000"},
        {"[gates]\nquiet_rps = 1001\n", 2, "from 0 to 1000"},
        {"[gates]\nquiet_rps = 1e2\n", 2, "from 0 to 1000"},
        {"[gates]\nquiet_rps = nan\n", 2, "from 0 to 1000"},
        {"[gates]\nquiet_rps = 1.2.3\n", 2, "from 0 to 1000"},
        {"[gates]\nquiet_rps =\n", 2, "from 0 to 1000"},
        {"[old]\nnode = a http://h\n  node = b http://i\n", 3, "begins with white space"},
        {"[old]\nnode = a http://h\n\vb http://i\n", 3, "begins with white space"},
        {"[old]\nnode = a http://h\n\thttp://i\n[", 3, "begins with white space"},
        {"[old]\nnode = a http://h:1\nnode = b http://h:1/\n", 3, "nodes a and b have the same address"},
        {"[old]\nnode = a http://h\n[new]\nnode = b http://H:80\n", 4, "nodes a and b have the same address"},
        {"[old]\nnode = a ssh://h http://l:1\nnode = b ssh://h http://l:1\n", 3, "nodes a and b have the same address"},
        {"[old]\nnode = a-*-* http://h\n", 2, "one '*' at most"},
        {"[old]\nnode = a-* http://h\nnode = a-12 http://i\n", 3, "nodes a-* and a-12 may come to the same name"},
        {"[old]\nnode = a-12 http://h\nnode = a-* http://i\n", 3, "nodes a-12 and a-* may come to the same name"},
        {"[old]\nnode = a* http://h\nnode = a1* http://i\n", 3, "may come to the same name"},
        {"[old]\nnode = a-* ssh://h http://h\n", 2, "so it can't be behind ssh"},
        {"[old]\nnode = a ssh://h\n", 2, "a node behind ssh is NAME"},
        {"[old]\nnode = a ssh:// http://h\n", 2, "a node behind ssh is NAME"},
        {"[old]\nnode = a ssh://-oProxyCommand=x http://h\n", 2, "a node behind ssh is NAME"},
        {"[old]\nnode = a ssh://-h http://h\n", 2, "a node behind ssh is NAME"},
        {"[old]\nnode = a ssh://-l@h http://h\n", 2, "a node behind ssh is NAME"},
        {"[old]\nnode = a ssh://h:0 http://h\n", 2, "a node behind ssh is NAME"},
        {"[old]\nnode = a ssh://h:65536 http://h\n", 2, "a node behind ssh is NAME"},
        {"[old]\nnode = a ssh://h/x http://h\n", 2, "a node behind ssh is NAME"},
        {"[old]\nnode = a ssh://h$(x) http://h\n", 2, "a node behind ssh is NAME"},
        {"[old]\nnode = a ssh://@h http://h\n", 2, "a node behind ssh is NAME"},
        {"[old]\nnode = a ssh://h http://-h\n", 2, "the host of an address behind ssh"},
        {"[old]\nca = ca.pem\n", 2, "ca is a full path"},
        {"[new]\ncertificate =\n", 2, "certificate is a full path"},
        {"[new]\ninsecure = yes\n", 2, "insecure is on or off"},
        {"[new]\ninsecure = on\nca = /ca\n", 3, "contradict each other"},
        {"[new]\nca = /ca\ninsecure = on\n", 3, "contradict each other"},
        {"[gates]\nca = /ca\n", 2, "[gates] has no key 'ca'"},
        {"[old]\nheader = apikey\n", 2, "a header is NAME: ${VARIABLE}"},
        {"[old]\nheader = apikey: hunter2\n", 2, "a header's value is ${VARIABLE}"},
        {"[old]\nheader = apikey: ${X\n", 2, "a header's value is ${VARIABLE}"},
        {"[old]\nheader = apikey: x${X}\n", 2, "a header's value is ${VARIABLE}"},
        {"[old]\nheader = apikey: ${}\n", 2, "a header's value is ${VARIABLE}"},
        {"[old]\nheader = apikey: ${1X}\n", 2, "a header's value is ${VARIABLE}"},
        {"[old]\nheader = a b: ${FLEET_TEST_KEY}\n", 2, "no name for a header"},
        {"[old]\nheader = Host: ${FLEET_TEST_KEY}\n", 2, "no name for a header"},
        {"[old]\nheader = : ${FLEET_TEST_KEY}\n", 2, "no name for a header"},
        {"[old]\nheader = apikey: ${FLEET_TEST_MISSING}\n", 2, "FLEET_TEST_MISSING is not set in the environment"},
        {"[old]\nheader = apikey: ${FLEET_TEST_EMPTY}\n", 2, "FLEET_TEST_EMPTY is not set in the environment"},
        {"[old]\nheader = apikey: ${FLEET_TEST_BROKEN}\n", 2, "a line break"},
        {"[old]\nheader = apikey: ${FLEET_TEST_KEY}\nheader = APIKEY: ${FLEET_TEST_KEY}\n", 3, "the header APIKEY is there twice"},
    };
    setenv("FLEET_TEST_KEY", "hunter2", 1);
    setenv("FLEET_TEST_EMPTY", "", 1);
    setenv("FLEET_TEST_BROKEN", "hunter2\r\nX-Other: 1", 1);
    for (EACH(cases)) {
        struct fleet fleet;
        struct error error = {0};
        if (load(state, cases[i].text, &fleet, &error))
            fail_msg("'%s' was taken", cases[i].text);
        char *where = mem_printf("/fleet.ini line %d: ", cases[i].line);
        assert_has(error.message, where);
        free(where);
        assert_has_not(error.message, "\n");
        assert_has_not(error.message, "hunter2");
        assert_error(&error, ERROR_CONFIG, cases[i].part);
        assert_int_equal(fleet.count, 0);
        assert_null(fleet.file);
    }
}

static void an_address_with_a_secret_is_not_repeated(void **state)
{
    static const char *const nodes[] = {
        "a http://kong:hunter2@h:8001", "a http://kong:hun#ter2hunter2@h", "a http://kong:hunter2 @h", "a ftp://kong:hunter2@h", "a kong:hunter2@h",
        "a http://kong:hunter2\\@h", "a http://h/?apikey=hunter2", "a h?hunter2", "a http://h/#hunter2", "http://kong:hunter2@h a",
        "http://kong:hunter2@h", "kong:hunter2@h http://h", "a ssh://kong:hunter2@h http://h", "a ssh://h http://kong:hunter2@h",
    };
    for (EACH(nodes)) {
        struct fleet fleet;
        struct error error = {0};
        char *text = mem_printf("[old]\nnode = %s\n", nodes[i]);
        assert_false(load(state, text, &fleet, &error));
        assert_has_not(error.message, "hunter2");
        error_clear(&error);
        free(text);
    }
}

static void over_long_lines_are_refused_whole_ones_taken(void **state)
{
    struct fleet fleet;
    struct error error = {0};
    char text[400];
    for (int length = 190; length < 210; length++) {
        for (int ending = 0; ending < 3; ending++) {
            static const char *const endings[] = {"\n", "", "\n[gates]\n"};
            int used = snprintf(text, sizeof text, "[datastore]\nkong_conf = /");
            memset(text + used, 'x', (size_t)(length - 13));
            snprintf(text + used + length - 13, 20, "%s", endings[ending]);
            bool loaded = load(state, text, &fleet, &error);
            assert_int_equal(loaded, length <= FLEET_LINE_LIMIT || (length == FLEET_LINE_LIMIT + 1 && ending == 1));
            if (loaded)
                assert_int_equal(strlen(fleet.kong_conf), length - 12);
            else
                assert_error(&error, ERROR_CONFIG, "line 2: the line is longer than 198 bytes");
            fleet_free(&fleet);
        }
    }
}

static void files_that_are_no_fleet_are_refused(void **state)
{
    char *path = path_in(*state, "bad.ini");
    struct fleet fleet;
    struct error error = {0};
    assert_false(fleet_load(&fleet, path, &error));
    assert_error(&error, ERROR_CONFIG, "No such file");
    assert_false(fleet_load(&fleet, "", &error));
    assert_error(&error, ERROR_CONFIG, "can't read");
    assert_false(fleet_load(&fleet, *state, &error));
    assert_error(&error, ERROR_CONFIG, "is not a file");
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(5);   /* opening it must not wait for a writer */
    assert_false(fleet_load(&fleet, path, &error));
    alarm(0);
    assert_error(&error, ERROR_CONFIG, "is not a file");
    assert_int_equal(unlink(path), 0);
    static const char *const with_nul[] = {"[old]\nnode = a http://h\0x\n", "[old]\nnode = a http://h\n\0x", "[old]\nnode = a http://h\n\0\n"};
    for (EACH(with_nul)) {
        write_bytes(path, with_nul[i], 26);
        assert_false(fleet_load(&fleet, path, &error));
        assert_error(&error, ERROR_CONFIG, "or no text");
    }
    char *large = mem_zero(10 << 20, 1);
    memset(large, ';', (10 << 20) - 1);
    write_bytes(path, large, (10 << 20) - 1);
    assert_false(fleet_load(&fleet, path, &error));
    assert_error(&error, ERROR_CONFIG, "line 1: the line is longer");
    free(large);
    free(path);
}

/* $XDG_CONFIG_HOME, ~/.config, and a user who has neither. */
static void the_first_file_is_the_users_own(void **state)
{
    struct fleet fleet;
    struct error error = {0};
    char *config = path_in(*state, "config"), *home = path_in(*state, "home");
    char *in_config = path_in(config, "kong-upgrade/fleet.ini"), *in_home = path_in(home, ".config/kong-upgrade/fleet.ini");
    setenv("XDG_CONFIG_HOME", config, 1);
    setenv("HOME", home, 1);
    if (access("/etc/kong-upgrade/fleet.ini", F_OK) == 0)
        skip();
    assert_true(fleet_load(&fleet, NULL, &error));
    assert_string_equal(fleet.file, in_config);
    assert_int_equal(fleet.count, 0);
    assert_true(fleet_add(&fleet, CLUSTER_NEW, "n", "http://n", &error));
    assert_true(fleet_save(&fleet, &error));
    fleet_free(&fleet);
    assert_true(fleet_load(&fleet, NULL, &error));
    assert_node(&fleet, 0, CLUSTER_NEW, "n", "http://n");
    fleet_free(&fleet);
    unsetenv("XDG_CONFIG_HOME");
    assert_true(fleet_load(&fleet, NULL, &error));
    assert_string_equal(fleet.file, in_home);
    fleet_free(&fleet);
    setenv("XDG_CONFIG_HOME", "relative", 1);   /* which the XDG specification has ignored */
    assert_true(fleet_load(&fleet, NULL, &error));
    assert_string_equal(fleet.file, in_home);
    fleet_free(&fleet);
    setenv("XDG_CONFIG_HOME", "/dev/null", 1);
    assert_true(fleet_load(&fleet, NULL, &error));
    fleet_free(&fleet);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("HOME");
    assert_true(fleet_load(&fleet, NULL, &error));
    assert_string_equal(fleet.file, "/etc/kong-upgrade/fleet.ini");
    fleet_free(&fleet);
    free(in_config);
    free(in_home);
    free(config);
    free(home);
}

static int count_files(const char *folder)
{
    char *command = mem_printf("ls -A '%s' | wc -l", folder);
    FILE *list = popen(command, "r");
    int count = -1;
    assert_non_null(list);
    assert_int_equal(fscanf(list, "%d", &count), 1);
    pclose(list);
    free(command);
    return count;
}

/* What someone else has written meanwhile is not written over. */
static void what_others_wrote_is_not_lost(void **state)
{
    struct fleet fleet, other;
    struct fleet_stamp stamp;
    struct error error = {0};
    char *path = path_in(*state, "shared.ini");
    assert_false(access(path, F_OK) == 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[old]\nnode = old-1 http://o1\n", file);
    fclose(file);
    assert_true(fleet_load(&fleet, path, &error));
    assert_true(fleet_load(&other, path, &error));
    assert_false(fleet_has_changed(&fleet, &stamp));
    assert_true(fleet_add(&other, CLUSTER_OLD, "old-2", "http://o2", &error));
    assert_true(fleet_save(&other, &error));
    assert_true(fleet_has_changed(&fleet, &stamp));
    assert_false(fleet_has_changed(&other, &stamp));
    assert_true(fleet_add(&fleet, CLUSTER_NEW, "new-1", "http://n1", &error));
    assert_false(fleet_save(&fleet, &error));
    assert_has(error.message, "has been changed since it was read");
    error_clear(&error);
    fleet_free(&fleet);
    assert_true(fleet_load(&fleet, path, &error));
    assert_int_equal(fleet.count, 2);
    assert_true(fleet_add(&fleet, CLUSTER_NEW, "new-1", "http://n1", &error));
    assert_true(fleet_save(&fleet, &error));
    assert_true(fleet_add(&fleet, CLUSTER_NEW, "new-2", "http://n2", &error));
    assert_true(fleet_save(&fleet, &error));
    unlink(path);
    assert_true(fleet_has_changed(&fleet, &stamp));
    fleet_free(&fleet);
    fleet_free(&other);
    free(path);
}

static void what_is_saved_is_read_back_equal(void **state)
{
    struct fleet fleet = {.quiet_seconds = 7, .quiet_rps = 0.067, .lock_deadline_seconds = 8}, again;
    struct error error = {0};
    char *folder = path_in(*state, "deep/er"), *path = path_in(folder, "fleet.ini");
    char *parent = path_in(*state, "deep");
    fleet.file = mem_dup(path);
    fleet.kong_conf = mem_dup("/srv/a;b #c = d/kong.conf");
    fleet.kong_bin = mem_dup("/opt/kong 1.3/bin/kong");
    fleet.kong_engine = true;
    fleet.kong_deadline_seconds = 77;
    assert_true(fleet_add(&fleet, CLUSTER_NEW, "n1", "https://n:8444/", &error));
    assert_true(fleet_add(&fleet, CLUSTER_OLD, NAME64, "http://[2001:db8::1]:8001/admin", &error));
    assert_true(fleet_add(&fleet, CLUSTER_NEW, "n2", "http://n2", &error));
    umask(0);
    assert_true(fleet_save(&fleet, &error));
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(mode_of(folder), 0700);
    assert_int_equal(mode_of(parent), 0700);
    assert_true(fleet_load(&again, path, &error));
    assert_string_equal(again.kong_conf, fleet.kong_conf);
    assert_int_equal(again.quiet_seconds, 7);
    assert_true(again.quiet_rps == 0.067);
    assert_int_equal(again.lock_deadline_seconds, 8);
    assert_string_equal(again.kong_bin, fleet.kong_bin);
    assert_true(again.kong_engine);
    assert_int_equal(fleet_kong_deadline(&again), 77);
    assert_int_equal(again.count, 3);
    assert_node(&again, 0, CLUSTER_OLD, NAME64, "http://[2001:db8::1]:8001/admin");
    assert_node(&again, 1, CLUSTER_NEW, "n1", "https://n:8444");
    assert_node(&again, 2, CLUSTER_NEW, "n2", "http://n2");
    fleet_free(&again);

    /* Over an old file that others could read, and beside what a crash has left. */
    assert_int_equal(chmod(path, 0666), 0);
    fleet_remove(&fleet, "n1");
    assert_true(fleet_save(&fleet, &error));
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(count_files(folder), 1);

    /* A longest name with a longest address still fits. */
    char *address = mem_zero(300, 1);
    size_t longest = 0;
    for (size_t length = 10; length < 250; length++) {
        snprintf(address, 300, "http://");
        memset(address + 7, 'h', length - 7);
        if (fleet_add(&again, CLUSTER_OLD, NAME64, address, &error))
            longest = length;
        fleet_free(&again);
        error_clear(&error);
    }
    assert_in_range(longest, 100, 198);
    address[longest] = '\0';
    fleet_remove(&fleet, NAME64);
    assert_true(fleet_add(&fleet, CLUSTER_OLD, NAME64, address, &error));
    assert_true(fleet_save(&fleet, &error));
    assert_true(fleet_load(&again, path, &error));
    assert_string_equal(again.nodes[0].url, address);
    fleet_free(&again);
    free(address);

    fleet_free(&fleet);
    free(parent);
    free(path);
    free(folder);
}

static void how_nodes_are_reached_is_read_back_equal(void **state)
{
    static const char text[] =
        "[old]\nnode = pod-* http://kong-old.internal:8001\nnode = far ssh://ops@[2001:db8::1]:2222 http://127.0.0.1:8001/\n"
        "node = near\tssh://h   http://127.0.0.1:8001\nheader = apikey: ${FLEET_TEST_KEY}\nheader = X-Other:${FLEET_TEST_OTHER}\ninsecure = on\n"
        "[new]\nca = /etc/ca;1.pem\ncertificate = /c.pem\nkey = /k.pem\ninsecure = off\n";
    struct fleet fleet, again, copy;
    struct error error = {0};
    setenv("FLEET_TEST_KEY", "hunter2", 1);
    setenv("FLEET_TEST_OTHER", "Bearer \xC3\xA4 x", 1);
    if (!load(state, text, &fleet, &error))
        fail_msg("%s", error.message);
    assert_true(fleet_save(&fleet, &error));
    char *saved = read_whole(fleet.file);
    assert_has_not(saved, "hunter2");
    assert_has(saved, "header = apikey: ${FLEET_TEST_KEY}\n");
    assert_true(fleet_load(&again, fleet.file, &error));
    fleet_copy(&copy, &again);
    fleet_free(&again);
    assert_int_equal(copy.count, 3);
    assert_node(&copy, 0, CLUSTER_OLD, "pod-*", "http://kong-old.internal:8001");
    assert_null(copy.nodes[0].ssh);
    assert_node(&copy, 1, CLUSTER_OLD, "far", "http://127.0.0.1:8001");
    assert_string_equal(copy.nodes[1].ssh, "ssh://ops@[2001:db8::1]:2222");
    assert_string_equal(copy.nodes[2].ssh, "ssh://h");
    const struct fleet_access *old = &copy.access[CLUSTER_OLD], *new = &copy.access[CLUSTER_NEW];
    assert_int_equal(old->header_count, 2);
    assert_string_equal(old->headers[0].name, "apikey");
    assert_string_equal(old->headers[0].value, "hunter2");
    assert_string_equal(old->headers[1].value, "Bearer \xC3\xA4 x");
    assert_true(old->insecure && !new->insecure);
    assert_null(old->ca);
    assert_string_equal(new->ca, "/etc/ca;1.pem");
    assert_string_equal(new->certificate, "/c.pem");
    assert_string_equal(new->key, "/k.pem");
    assert_true(fleet_save(&copy, &error));
    char *twice = read_whole(copy.file);
    assert_string_equal(twice, saved);
    free(twice);
    free(saved);
    fleet_free(&copy);
    fleet_free(&fleet);
    assert_false(load(state, "[new]\nkey = /k.pem\n", &fleet, &error));
    assert_error(&error, ERROR_CONFIG, "a key in [new], but no certificate");
}

static void the_way_through_ssh_has_parts(void **state)
{
    struct fleet_ssh parts;
    (void)state;
    assert_true(fleet_parse_ssh("ssh://ops@[2001:db8::1]:2222", &parts));
    assert_string_equal(parts.user, "ops");
    assert_string_equal(parts.host, "2001:db8::1");
    assert_int_equal(parts.port, 2222);
    fleet_ssh_free(&parts);
    assert_true(fleet_parse_ssh("ssh://kong-1.example", &parts));
    assert_null(parts.user);
    assert_string_equal(parts.host, "kong-1.example");
    assert_int_equal(parts.port, 0);
    fleet_ssh_free(&parts);
    assert_false(fleet_parse_ssh("ssh://[::1", &parts));
    assert_false(fleet_parse_ssh("ssh://h:", &parts));
    assert_false(fleet_parse_ssh("http://h", &parts));
    char *name = fleet_numbered("pod-*.x", 12);
    assert_string_equal(name, "pod-12.x");
    free(name);
}

static void what_could_not_be_read_back_is_not_saved(void **state)
{
    char path_too_long[300] = "/";
    memset(path_too_long + 1, 'x', 250);
    const char *const paths[] = {"/etc/a ; b", "/etc/a\nb", "/etc/a ", "relative", "", path_too_long, "/etc/\x01"};
    char *path = path_in(*state, "fleet.ini");
    for (EACH(paths)) {
        struct fleet fleet = {.file = mem_dup(path), .quiet_seconds = 120, .kong_conf = mem_dup(paths[i])};
        struct error error = {0};
        assert_false(fleet_save(&fleet, &error));
        assert_error(&error, ERROR_FILE, "the path of kong.conf");
        assert_int_not_equal(access(path, F_OK), 0);
        fleet_free(&fleet);
    }
    free(path);
}

static void a_failed_save_leaves_the_old_file(void **state)
{
    char *path = path_in(*state, "folder"), *inside = path_in(path, "x"), *below = path_in(inside, "fleet.ini");
    struct fleet fleet = {.file = mem_dup(path), .quiet_seconds = 120};
    struct error error = {0};
    assert_int_equal(mkdir(path, 0700), 0);
    write_text(inside, "keep");
    assert_false(fleet_save(&fleet, &error));   /* its place is taken by a folder */
    assert_error(&error, ERROR_FILE, "choose another place with --fleet");
    assert_int_equal(count_files(*state), 1);
    free(fleet.file);
    fleet.file = mem_dup(below);                /* its folder is a file */
    assert_false(fleet_save(&fleet, &error));
    assert_error(&error, ERROR_FILE, "Not a directory");
    char *kept = read_whole(inside);
    assert_string_equal(kept, "keep");
    free(kept);
    fleet_free(&fleet);
    free(below);
    free(inside);
    free(path);
}

static void random_files_are_survived(void **state)
{
    static const char *const pieces[] = {"[hooks]", "divert", "{percent}", "[old]", "[new]", "[gates]", "node", "quiet", "=", ":", " ", "\n", "\r\n", ";", "#", "a", "http://h", "@", "[", "]",
                                         "\xFF", "\"", "/", "9", NAME64};
    srand(13);
    for (int round = 0; round < 500; round++) {
        char text[4000] = "";
        for (int n = rand() % 50; n > 0; n--)
            strcat(text, pieces[(size_t)rand() % (sizeof pieces / sizeof pieces[0])]);
        struct fleet fleet;
        struct error error = {0};
        if (!load(state, text, &fleet, &error))
            assert_non_null(error.message);
        fleet_free(&fleet);
        error_clear(&error);
    }
}

/* The hooks. */

static const char hooks_text[] =
    "[hooks]\nprovision = /opt/start \"nodes of 1.3\"  -v\ndivert = /opt/a\" b\"/move --to={percent}% {percent} \"\" {\n"
    "decommission = /opt/stop {node} \"at {url}\" ; comment\ndeadline = 7\nwait = 3\n";

static void assert_arguments(const struct fleet *fleet, enum hook_kind kind, const char *const *expected, size_t count)
{
    const struct hook_values values = {25, "old-1", "http://10.0.0.11:8001"};
    struct names arguments = {0};
    hook_fill(&fleet->hooks.list[kind], &values, &arguments);
    assert_int_equal(arguments.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(arguments.list[i], expected[i]);
    names_free(&arguments);
}

static void assert_hooks(const struct fleet *fleet)
{
    static const char *const provision[] = {"/opt/start", "nodes of 1.3", "-v"};
    static const char *const divert[] = {"/opt/a b/move", "--to=25%", "25", "", "{"};
    static const char *const decommission[] = {"/opt/stop", "old-1", "at http://10.0.0.11:8001"};
    assert_arguments(fleet, HOOK_PROVISION, provision, 3);
    assert_arguments(fleet, HOOK_DIVERT, divert, 5);
    assert_arguments(fleet, HOOK_DECOMMISSION, decommission, 3);
    assert_int_equal(hooks_deadline(&fleet->hooks), 7);
    assert_int_equal(hooks_wait(&fleet->hooks), 3);
}

static void hooks_become_arguments_and_are_saved(void **state)
{
    struct fleet fleet, again;
    struct hooks copy;
    struct error error = {0};
    umask(022);
    if (!load(state, hooks_text, &fleet, &error))
        fail_msg("%s", error.message);
    assert_hooks(&fleet);
    if (!fleet_save(&fleet, &error) || !fleet_load(&again, fleet.file, &error))
        fail_msg("%s", error.message);
    assert_hooks(&again);
    hooks_copy(&copy, &fleet.hooks);
    hooks_free(&fleet.hooks);
    fleet.hooks = copy;
    assert_hooks(&fleet);
    fleet_free(&again);
    fleet_free(&fleet);
    assert_true(load(state, "", &fleet, &error));
    assert_int_equal(hooks_deadline(&fleet.hooks), 120);
    assert_int_equal(hooks_wait(&fleet.hooks), 30);
    assert_null(fleet.hooks.list[HOOK_DIVERT].text);
    fleet_free(&fleet);
}

static void hooks_that_can_not_work_are_refused(void **state)
{
    static const struct {
        const char *line, *said;
    } cases[] = {
        {"provision =", "names no command"},
        {"provision = start", "full path"},
        {"provision = ./start", "full path"},
        {"provision = \"\" /bin/true", "full path"},
        {"provision = /bin/start {percent}", "takes no placeholder {percent}"},
        {"divert = /bin/move", "lacks the argument {percent}"},
        {"divert = /bin/{percent}", "only arguments"},
        {"divert = /bin/move {percent} {node}", "takes no placeholder {node}"},
        {"divert = /bin/move {percent} {percents}", "{percents}"},
        {"divert = /bin/move {percent} {}", "{}"},
        {"divert = /bin/move \"{percent}", "not closed"},
        {"divert = /bin/move \"{percent} ; x\"", "not closed"},
        {"decommission = /bin/stop", "{node} or {url}"},
        {"decommission = /bin/stop {node} {NODE}", "{NODE}"},
        {"divert = /bin/move {percent} \xFF", "not plain text"},
        {"divert = /bin/move {percent} \033[2J", "not plain text"},
        {"deadline = 0", "seconds from 1 to 86400"},
        {"deadline = 10s", "seconds from 1 to 86400"},
        {"wait = -1", "seconds from 1 to 86400"},
        {"wait =", "seconds from 1 to 86400"},
        {"migrate = /bin/true", "no key 'migrate'"},
        {"provision = /bin/a\nprovision = /bin/b", "there twice"},
    };
    for (EACH(cases)) {
        struct fleet fleet;
        struct error error = {0};
        char *text = mem_printf("[hooks]\n%s\n", cases[i].line);
        bool loaded = load(state, text, &fleet, &error);
        if (loaded)
            fail_msg("taken: %s", cases[i].line);
        if (strstr(error.message, cases[i].said) == NULL || strstr(error.message, i < sizeof cases / sizeof cases[0] - 1 ? "fleet.ini line 2: " : "fleet.ini line 3: ") == NULL)
            fail_msg("%s: %s", cases[i].line, error.message);
        error_clear(&error);
        fleet_free(&fleet);
        free(text);
    }
}

static void hooks_that_anyone_could_have_written_are_refused(void **state)
{
    struct fleet fleet;
    struct error error = {0};
    char *path = path_in(*state, "fleet.ini");
    write_text(path, hooks_text);
    chmod(path, 0666);
    assert_false(fleet_load(&fleet, path, &error));
    assert_error(&error, ERROR_CONFIG, "chmod o-w");
    chmod(path, 0664);
    assert_true(fleet_load(&fleet, path, &error));
    fleet_free(&fleet);
    write_text(path, "[gates]\nquiet = 9\n");
    chmod(path, 0666);
    assert_true(fleet_load(&fleet, path, &error));
    fleet_free(&fleet);
    free(path);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_file_is_read),
        TEST(other_ways_of_writing_it_mean_the_same),
        TEST(what_is_wrong_is_said_with_its_line),
        TEST(an_address_with_a_secret_is_not_repeated),
        TEST(over_long_lines_are_refused_whole_ones_taken),
        TEST(files_that_are_no_fleet_are_refused),
        TEST(the_first_file_is_the_users_own),
        TEST(what_others_wrote_is_not_lost),
        TEST(what_is_saved_is_read_back_equal),
        TEST(how_nodes_are_reached_is_read_back_equal),
        TEST(the_way_through_ssh_has_parts),
        TEST(what_could_not_be_read_back_is_not_saved),
        TEST(a_failed_save_leaves_the_old_file),
        TEST(random_files_are_survived),
        TEST(hooks_become_arguments_and_are_saved),
        TEST(hooks_that_can_not_work_are_refused),
        TEST(hooks_that_anyone_could_have_written_are_refused),
    };
    return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}
