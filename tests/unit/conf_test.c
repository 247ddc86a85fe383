/* kong.conf and KONG_* as Kong 1.3 reads them: each rule of its reader, each default, and files that are none. */
#include "tests/unit/unit.h"

#include "core/conf/conf_file.h"
#include "core/conf/kong_conf.h"

static char *const no_environment[] = {NULL};

/* Loads `text` as kong.conf from the test's folder. */
static bool load(void **state, const char *text, char *const *environment, struct kong_conf *conf, struct error *error)
{
    char *path = path_in(*state, "kong.conf");
    write_text(path, text);
    bool loaded = kong_conf_load(conf, path, NULL, environment, error);
    free(path);
    return loaded;
}

static void assert_setting(const struct kong_conf *conf, const char *name, const char *value)
{
    const struct setting *setting = kong_conf_get(conf, name);
    assert_non_null(setting);
    if (value == NULL && setting->value != NULL)
        fail_msg("%s is '%s', but should be unset", name, setting->value);
    if (value != NULL && (setting->value == NULL || strcmp(setting->value, value) != 0))
        fail_msg("%s is '%s', not '%s'", name, setting->value != NULL ? setting->value : "(unset)", value);
}

struct rule {
    const char *text, *name, *value;   /* NULL: unset */
};

static void assert_rules(void **state, const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct kong_conf conf;
        struct error error = {0};
        if (!load(state, rules[i].text, no_environment, &conf, &error))
            fail_msg("'%s': %s", rules[i].text, error.message);
        assert_setting(&conf, rules[i].name, rules[i].value);
        kong_conf_free(&conf);
    }
}

#define assert_each_rule(rules_) assert_rules(state, rules_, sizeof(rules_) / sizeof((rules_)[0]))

static void lines_are_taken_apart_as_by_penlight(void **state)
{
    static const struct rule rules[] = {
        /* Comments. */
        {"# pg_host = a\n", "pg_host", "127.0.0.1"},
        {"  \t # pg_host = a\n", "pg_host", "127.0.0.1"},
        {";pg_host = a\n", "pg_host", "127.0.0.1"},
        {" ; pg_host = a\n", "pg_host", "127.0.0.1"},
        {"pg_host = a;b\n", "pg_host", "a;b"},
        {"pg_host = a ; b\n", "pg_host", "a ; b"},
        /* Continuations. */
        {"pg_host = a\\\nb\n", "pg_host", "ab"},
        {"pg_host = a\\  \t\nb\n", "pg_host", "ab"},
        {"pg_host = a\\\r\nb\r\n", "pg_host", "ab"},
        {"pg_host = a\\\n  b\n", "pg_host", "a  b"},
        {"pg_host = a\\\n# comment\n\n  ; another\nb\n", "pg_host", "ab"},
        {"pg_host = a\\\nb\\\nc\n", "pg_host", "abc"},
        {"pg_host = \\\na\n", "pg_host", "a"},
        {"\\\npg_host = a\n", "pg_host", "a"},
        {"pg_host = a\\b\n", "pg_host", "a\\b"},
        {"pg_host = a\npg_host = b\\", "pg_host", "a"},   /* a last line to be continued is lost */
        {"pg_host = a\npg_host = b\\\n", "pg_host", "a"},
        /* Sections. */
        {"[kong]\npg_host = a\n", "pg_host", "127.0.0.1"},
        {"pg_host = a\n[kong]\npg_host = b\n", "pg_host", "a"},
        {" [kong]\npg_host = a\n", "pg_host", "a"},
        {"[a]\n[b]\npg_host = a\n", "pg_host", "127.0.0.1"},
        /* Keys. */
        {"pg_host=a=b\n", "pg_host", "a=b"},
        {"pg_host==b\n", "pg_host", "=b"},
        {"pg-host = a\n", "pg_host", "a"},
        {"pg host = a\n", "pg_host", "a"},
        {"  pg_host = a\n", "pg_host", "a"},
        {"pg_host\t=\ta\t\n", "pg_host", "a"},
        {"PG_HOST = a\n", "pg_host", "127.0.0.1"},
        {"pg_host = a\npg_host = b\n", "pg_host", "b"},
        {"pg_host = a\npg-host = b\n", "pg_host", "b"},
        {"pg_host\n= a\n", "pg_host", "127.0.0.1"},
        {"no such = thing\nplain text\n", "pg_host", "127.0.0.1"},
        {"\xEF\xBB\xBFpg_host = a\n", "pg_host", "127.0.0.1"},
        {"\xEF\xBB\xBF# comment\npg_host = a\n", "pg_host", "a"},
        {"pg_host = a\r\npg_user = b\r\n", "pg_host", "a"},
        {"\r\n\r\npg_host = a\r\n", "pg_host", "a"},
        {"pg_host = a", "pg_host", "a"},
        {"", "pg_host", "127.0.0.1"},
        {"\n\n\n", "pg_host", "127.0.0.1"},
    };
    assert_each_rule(rules);
}

static void values_are_inferred_as_by_kong(void **state)
{
    static const struct rule rules[] = {
        /* Quotes are kept. */
        {"pg_user = \"kong\"\n", "pg_user", "\"kong\""},
        {"pg_user = 'kong'\n", "pg_user", "'kong'"},
        /* Comments inside a line. */
        {"pg_user = abc # c\n", "pg_user", "abc"},
        {"pg_user = abc#def\n", "pg_user", "ab"},
        {"pg_user = abc\\#def\n", "pg_user", "abc#def"},
        {"pg_user = a\\#b#c\n", "pg_user", "a#"},
        {"pg_user = a\\#b # c # d\n", "pg_user", "a#b"},
        {"pg_user = # text\n", "pg_user", "# text"},
        {"pg_password = #secret\n", "pg_password", "#secret"},
        {"pg_password = a##b\n", "pg_password", NULL},
        {"pg_password = \\##b\n", "pg_password", "\\"},
        {"pg_password = \\#\n", "pg_password", "#"},
        /* Numbers. */
        {"pg_password = 0123\n", "pg_password", "123"},
        {"pg_password = 1e3\n", "pg_password", "1000"},
        {"pg_password = 0x10\n", "pg_password", "16"},
        {"pg_password = +5\n", "pg_password", "5"},
        {"pg_password = -05.50\n", "pg_password", "-5.5"},
        {"pg_password = 12345678901234567890\n", "pg_password", "1.2345678901235e+19"},
        {"pg_password = 0123 # c\n", "pg_password", "0123"},
        {"pg_password = 0123abc\n", "pg_password", "0123abc"},
        {"pg_password = +abc\n", "pg_password", "+abc"},
        {"pg_password = .5\n", "pg_password", ".5"},
        {"pg_password = 1 2\n", "pg_password", "1 2"},
        {"pg_database = 123 # c\n", "pg_database", "123"},
        {"pg_database = 12a\n", "pg_database", "12a"},
        {"pg_port = 6432\n", "pg_port", "6432"},
        {"pg_port = 0x1920\n", "pg_port", "6432"},
        {"pg_port = 6432 # c\n", "pg_port", "6432"},
        {"pg_port = abc\n", "pg_port", NULL},
        {"pg_port = \"6432\"\n", "pg_port", NULL},
        {"pg_timeout = 5s\n", "pg_timeout", NULL},
        {"nginx_http_upstream_keepalive = 0100\n", "nginx_http_upstream_keepalive", "100"},
        /* Booleans. */
        {"pg_ssl = on\n", "pg_ssl", "on"},
        {"pg_ssl = true\n", "pg_ssl", "on"},
        {"pg_ssl = on # c\n", "pg_ssl", "on"},
        {"pg_ssl = TRUE\n", "pg_ssl", "off"},
        {"pg_ssl = On\n", "pg_ssl", "off"},
        {"pg_ssl = yes\n", "pg_ssl", "off"},
        {"pg_ssl = 1\n", "pg_ssl", "off"},
        {"pg_ssl = \"on\"\n", "pg_ssl", "off"},
        /* Empty is unset, not the default. */
        {"pg_schema =\n", "pg_schema", NULL},
        {"pg_host =\n", "pg_host", NULL},
        {"pg_port = \n", "pg_port", NULL},
        {"pg_password =   \n", "pg_password", NULL},
        {"pg_host = a\npg_host =\n", "pg_host", NULL},
    };
    assert_each_rule(rules);
}

static void what_kong_refuses_is_refused(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"\npg_user = 007\n", "line 2: pg_user is not a string"},
        {"pg_database = 123\n", "line 1: pg_database is not a string"},
        {"pg_host = 10\n", "pg_host is not a string"},
        {"plugins = 123\n", "plugins is a number"},
        {"database = Postgres\n", "database has an invalid value"},
        {"database = \"postgres\"\n", "database has an invalid value"},
        {"database = 1\n", "database has an invalid value"},
        {"database =\n", "database is empty"},
        {"database = cassandra\n", "database is cassandra: this program upgrades PostgreSQL only"},
        {"database = off\n", "database is off: a Kong without a database has nothing to migrate"},
        {"# one\n# two\npg_user = \\\n\\\n\n", NULL},
        {"pg_user =\n", "pg_user is empty"},
        {"pg_database =\n", "pg_database is empty"},
        {"pg_port = 0\n", "pg_port is not a port"},
        {"pg_port = -1\n", "pg_port is not a port"},
        {"pg_port = 65536\n", "pg_port is not a port"},
        {"pg_port = 1e300\n", "pg_port is not a port"},
        {"pg_port = -1e300\n", "pg_port is not a port"},
        {"pg_port = +inf\n", "pg_port is not a port"},
    };
    for (EACH(cases)) {
        struct kong_conf conf;
        struct error error = {0};
        bool loaded = load(state, cases[i].text, no_environment, &conf, &error);
        assert_int_equal(loaded, cases[i].part == NULL);
        if (loaded) {
            kong_conf_free(&conf);
            continue;
        }
        assert_has(error.message, "kong.conf line ");
        assert_error(&error, ERROR_CONFIG, cases[i].part);
        assert_null(conf.settings);
        assert_null(conf.file);
    }
}

static void the_environment_goes_before_the_file(void **state)
{
    static const struct {
        const char *variable, *name, *value;
    } cases[] = {
        {"KONG_PG_HOST=b", "pg_host", "b"},
        {"KONG_PG_HOST=", "pg_host", NULL},
        {"KONG_pg_host=b", "pg_host", "a"},
        {"kong_PG_HOST=b", "pg_host", "a"},
        {"KONG_PG_HOSTS=b", "pg_host", "a"},
        {"KONG_PG=b", "pg_host", "a"},
        {"KONG_PG_HOST", "pg_host", "a"},
        {"PG_HOST=b", "pg_host", "a"},
        {"KONG_PG_HOST=b=c", "pg_host", "b=c"},
        {"KONG_PG_HOST= b ", "pg_host", "b"},
        {"KONG_PG_PASSWORD=ab#cd", "pg_password", "a"},
        {"KONG_PG_PASSWORD=ab\\#cd", "pg_password", "ab#cd"},
        {"KONG_PG_PASSWORD=0123", "pg_password", "0123"},
        {"KONG_PG_USER=007", "pg_user", "007"},
        {"KONG_PG_DATABASE=123", "pg_database", "123"},
        {"KONG_PG_PORT=0x1920", "pg_port", "6432"},
        {"KONG_PG_PORT=abc", "pg_port", NULL},
        {"KONG_PG_TIMEOUT=60000", "pg_timeout", "60000"},
        {"KONG_PG_SSL=true", "pg_ssl", "on"},
        {"KONG_PG_SSL=1", "pg_ssl", "off"},
        {"KONG_LUA_SSL_TRUSTED_CERTIFICATE=/ca", "lua_ssl_trusted_certificate", "/ca"},
    };
    for (EACH(cases)) {
        char *variable = mem_dup(cases[i].variable);
        char *const environment[] = {"KONG_PREFIX=/first", variable, "KONG_PREFIX=/second", NULL};
        struct kong_conf conf;
        struct error error = {0};
        if (!load(state, "pg_host = a\n", environment, &conf, &error))
            fail_msg("%s: %s", variable, error.message);
        assert_setting(&conf, cases[i].name, cases[i].value);
        assert_setting(&conf, "prefix", "/first");
        kong_conf_free(&conf);
        free(variable);
    }
    char *const bad[] = {"KONG_DATABASE=cassandra", NULL};
    struct kong_conf conf;
    struct error error = {0};
    assert_false(load(state, "", bad, &conf, &error));
    assert_error(&error, ERROR_CONFIG, "KONG_DATABASE: database is cassandra");
}

/* Where a setting comes from: `conf` shows it. */
static void origins_and_lines_are_known(void **state)
{
    char *const environment[] = {"KONG_PG_USER=u", "KONG_PG_SCHEMA=", NULL};
    struct kong_conf conf;
    struct error error = {0};
    assert_true(load(state, "# c\npg_host = a\\\n\nb\npg_user = x\npg_ssl = on\npg_ssl = off\n", environment, &conf, &error));
    assert_int_equal(kong_conf_get(&conf, "pg_host")->origin, SETTING_FILE);
    assert_int_equal(kong_conf_get(&conf, "pg_host")->line, 2);
    assert_int_equal(kong_conf_get(&conf, "pg_ssl")->line, 7);
    assert_int_equal(kong_conf_get(&conf, "pg_user")->origin, SETTING_ENVIRONMENT);
    assert_int_equal(kong_conf_get(&conf, "pg_schema")->origin, SETTING_ENVIRONMENT);
    assert_int_equal(kong_conf_get(&conf, "pg_port")->origin, SETTING_DEFAULT);
    assert_null(kong_conf_get(&conf, "no_such_setting"));
    assert_null(kong_conf_get(&conf, "PG_HOST"));
    kong_conf_free(&conf);
}

static void defaults_are_those_of_1_3(void **state)
{
    static const struct {
        const char *name, *value;
    } defaults[] = {
        {"database", "postgres"}, {"pg_host", "127.0.0.1"}, {"pg_port", "5432"}, {"pg_database", "kong"}, {"pg_user", "kong"},
        {"pg_password", NULL}, {"pg_timeout", "5000"}, {"pg_schema", NULL}, {"pg_ssl", "off"}, {"pg_ssl_verify", "off"},
        {"pg_max_concurrent_queries", "0"}, {"pg_semaphore_timeout", "60000"}, {"lua_ssl_trusted_certificate", NULL},
        {"lua_ssl_verify_depth", "1"}, {"lua_socket_pool_size", "30"}, {"prefix", "/usr/local/kong/"},
        {"proxy_listen", "0.0.0.0:8000, 0.0.0.0:8443 ssl"}, {"admin_listen", "127.0.0.1:8001, 127.0.0.1:8444 ssl"},
        {"stream_listen", "off"}, {"plugins", "bundled"}, {"custom_plugins", NULL}, {"upstream_keepalive", NULL},
        {"nginx_http_upstream_keepalive", "60"}, {"nginx_http_upstream_keepalive_requests", "100"},
        {"nginx_http_upstream_keepalive_timeout", "60s"},
    };
    static const char *const nowhere[] = {"/nonexistent/kong.conf", NULL};
    struct kong_conf conf;
    struct error error = {0};
    (void)state;
    assert_true(kong_conf_load(&conf, NULL, nowhere, NULL, &error));
    assert_null(conf.file);
    for (EACH(defaults))
        assert_setting(&conf, defaults[i].name, defaults[i].value);
    for (size_t i = 0; i < conf.setting_count; i++) {
        assert_int_equal(conf.settings[i].origin, SETTING_DEFAULT);
        assert_int_equal(conf.settings[i].secret, strcmp(conf.settings[i].name, "pg_password") == 0);
    }
    assert_string_equal(conf.pg.host, "127.0.0.1");
    assert_int_equal(conf.pg.port, 5432);
    assert_string_equal(conf.pg.database, "kong");
    assert_string_equal(conf.pg.user, "kong");
    assert_null(conf.pg.password);
    assert_null(conf.pg.schema);
    assert_int_equal(conf.pg.timeout_ms, 5000);
    assert_false(conf.pg.ssl || conf.pg.ssl_verify);
    assert_null(conf.pg.trusted_certificate);
    assert_int_equal(conf.warnings.count, 0);
    kong_conf_free(&conf);
    kong_conf_free(&conf);
}

static void the_datastore_is_what_the_settings_say(void **state)
{
    struct kong_conf conf;
    struct error error = {0};
    struct datastore copy;
    assert_true(load(state, "pg_host =\npg_port = abc\npg_timeout = 1e300\npg_schema = own\npg_password = p\\#w\npg_ssl = on\n"
                            "pg_ssl_verify = true\nlua_ssl_trusted_certificate = /ca.pem\n", no_environment, &conf, &error));
    assert_string_equal(conf.pg.host, "127.0.0.1");
    assert_int_equal(conf.pg.port, 5432);
    assert_int_equal(conf.pg.timeout_ms, INT32_MAX);
    datastore_copy(&copy, &conf.pg);
    kong_conf_free(&conf);
    assert_string_equal(copy.schema, "own");
    assert_string_equal(copy.password, "p#w");
    assert_string_equal(copy.trusted_certificate, "/ca.pem");
    assert_true(copy.ssl && copy.ssl_verify);
    datastore_free(&copy);
    assert_null(copy.password);
    datastore_free(&copy);
}

static void tls_means_what_kong_means_by_it(void **state)
{
    static const struct {
        bool ssl, verify;
        char *certificate;
        const char *mode, *root;
    } cases[] = {
        {false, false, NULL, "disable", NULL},
        {false, true, "/ca", "disable", NULL},
        {true, false, NULL, "require", NULL},
        {true, false, "/ca", "require", NULL},   /* with an existing root file libpq would verify */
        {true, true, "/ca", "verify-ca", "/ca"},
        {true, true, NULL, "verify-ca", NULL},
    };
    (void)state;
    for (EACH(cases)) {
        struct datastore datastore = {.ssl = cases[i].ssl, .ssl_verify = cases[i].verify, .trusted_certificate = cases[i].certificate};
        struct datastore_tls tls = datastore_tls(&datastore);
        assert_string_equal(tls.sslmode, cases[i].mode);
        assert_non_null(tls.sslrootcert);
        if (cases[i].root != NULL)
            assert_string_equal(tls.sslrootcert, cases[i].root);
        else
            assert_int_not_equal(access(tls.sslrootcert, F_OK), 0);
    }
}

static void the_first_file_that_exists_is_read(void **state)
{
    char *first = path_in(*state, "first.conf"), *second = path_in(*state, "second.conf");
    const char *const search[] = {first, second, NULL};
    struct kong_conf conf;
    struct error error = {0};
    write_text(second, "pg_host = second\n");
    assert_true(kong_conf_load(&conf, NULL, search, no_environment, &error));
    assert_string_equal(conf.file, second);
    assert_setting(&conf, "pg_host", "second");
    kong_conf_free(&conf);
    write_text(first, "pg_host = first\n");
    assert_true(kong_conf_load(&conf, NULL, search, no_environment, &error));
    assert_string_equal(conf.file, first);
    kong_conf_free(&conf);
    assert_true(kong_conf_load(&conf, second, search, no_environment, &error));
    assert_string_equal(conf.file, second);
    kong_conf_free(&conf);
    assert_int_equal(unlink(first), 0);
    assert_false(kong_conf_load(&conf, first, search, no_environment, &error));
    assert_has(error.message, first);
    assert_error(&error, ERROR_CONFIG, "give the right file with --conf");
    free(first);
    free(second);
}

static void plugin_lists_are_spelled_out(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        const char *has, *has_not;
    } cases[] = {
        {"", 34, "session", "bundled"},
        {"plugins = bundled\n", 34, "acl", "bundled"},
        {"plugins = bundled, mine\n", 35, "mine", "bundled"},
        {"plugins = mine,bundled,mine\n", 35, "proxy-cache", NULL},
        {"plugins = acl,  key-auth ,acl\n", 2, "key-auth", "jwt"},
        {"plugins = acl\n", 1, "acl", "jwt"},
        {"plugins = off\n", 0, NULL, "off"},
        {"plugins = off, bundled\n", 0, NULL, "acl"},
        {"plugins = bundled, off\n", 34, "acl", "off"},
        {"plugins = acl, off, jwt\n", 2, "jwt", "off"},
        {"plugins =\n", 0, NULL, ""},
        {"plugins = ,,acl,,\n", 1, "acl", ""},
        {"plugins = acl # all we need\n", 1, "acl", NULL},
    };
    for (EACH(cases)) {
        struct kong_conf conf;
        struct error error = {0};
        assert_true(load(state, cases[i].text, no_environment, &conf, &error));
        if (conf.plugins.count != cases[i].count)
            fail_msg("'%s' has %zu plugins", cases[i].text, conf.plugins.count);
        assert_true(cases[i].has == NULL || names_have(&conf.plugins, cases[i].has));
        assert_false(cases[i].has_not != NULL && names_have(&conf.plugins, cases[i].has_not));
        kong_conf_free(&conf);
    }
}

static void warnings_name_what_breaks(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"pg_password = a\\#b\n", "pg_password holds a '#'"},
        {"pg_password = #b\n", "pg_password holds a '#'"},
        {"custom_plugins = mine\n", "custom_plugins is ignored since Kong 1.0"},
        {"upstream_keepalive = 30\n", "upstream_keepalive is deprecated in Kong 1.3"},
        {"pg_ssl = on\npg_ssl_verify = on\n", "lua_ssl_trusted_certificate is not set"},
        {"pg_password = a#b\npg_ssl_verify = on\ncustom_plugins =\n", NULL},
    };
    for (EACH(cases)) {
        struct kong_conf conf;
        struct error error = {0};
        assert_true(load(state, cases[i].text, no_environment, &conf, &error));
        assert_int_equal(conf.warnings.count, cases[i].part != NULL ? 1 : 0);
        if (cases[i].part != NULL)
            assert_has(conf.warnings.list[0], cases[i].part);
        kong_conf_free(&conf);
    }
}

static void the_deprecated_keepalive_is_copied(void **state)
{
    static const struct rule rules[] = {
        {"upstream_keepalive = 30\n", "nginx_http_upstream_keepalive", "30"},
        {"upstream_keepalive = 0\n", "nginx_http_upstream_keepalive", "NONE"},
        {"upstream_keepalive = 30\nnginx_http_upstream_keepalive = 40\n", "nginx_http_upstream_keepalive", "40"},
        {"upstream_keepalive = abc\n", "nginx_http_upstream_keepalive", "60"},
        {"upstream_keepalive =\n", "nginx_http_upstream_keepalive", "60"},
    };
    assert_each_rule(rules);
}

static void files_that_are_no_kong_conf_are_refused(void **state)
{
    char *path = path_in(*state, "bad.conf");
    struct kong_conf conf;
    struct error error = {0};

    write_bytes(path, "pg_host = a\npg_password = se\0cret\n", 33);
    assert_false(kong_conf_load(&conf, path, NULL, no_environment, &error));
    assert_has_not(error.message, "se");
    assert_error(&error, ERROR_CONFIG, "is not a text file (it has NUL bytes)");

    size_t large = 10 * 1024 * 1024;
    char *bytes = mem_zero(large, 1);
    memset(bytes, 'x', large);
    write_bytes(path, bytes, large);
    assert_false(kong_conf_load(&conf, path, NULL, no_environment, &error));
    assert_error(&error, ERROR_CONFIG, "is larger than 1 MiB");
    write_bytes(path, bytes, CONF_FILE_LIMIT);
    assert_true(kong_conf_load(&conf, path, NULL, no_environment, &error));
    kong_conf_free(&conf);
    free(bytes);

    assert_false(kong_conf_load(&conf, *state, NULL, no_environment, &error));
    assert_error(&error, ERROR_CONFIG, "is not a file");
    assert_false(kong_conf_load(&conf, "/dev/zero", NULL, no_environment, &error));
    assert_error(&error, ERROR_CONFIG, "is not a file");
    assert_false(kong_conf_load(&conf, "", NULL, no_environment, &error));
    assert_error(&error, ERROR_CONFIG, "can't read");

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(kong_conf_load(&conf, path, NULL, no_environment, &error));
    assert_error(&error, ERROR_CONFIG, "is not a file");

    assert_int_equal(unlink(path), 0);
    write_text(path, "pg_host = a\n");
    assert_int_equal(chmod(path, 0), 0);
    if (geteuid() != 0) {   /* root reads everything */
        assert_false(kong_conf_load(&conf, path, NULL, no_environment, &error));
        assert_error(&error, ERROR_CONFIG, "Permission denied");
    }
    free(path);
}

/* However wrong the password's line is, and whatever is wrong beside it. */
static void no_error_and_no_warning_tells_the_password(void **state)
{
    static const char *const texts[] = {
        "pg_password = hunter2\ndatabase = hunter2\n", "pg_password = hunter2\npg_user = 007\n", "pg_password = hunter2\npg_port = 0\n",
        "pg_password = hunter2\\#\n", "pg_password = hunter2\npg_user =\n", "pg_user = 1\\\npg_password = hunter2\ndatabase = cassandra\n",
    };
    for (EACH(texts)) {
        struct kong_conf conf;
        struct error error = {0};
        if (!load(state, texts[i], no_environment, &conf, &error))
            assert_has_not(error.message, "hunter2");
        for (size_t n = 0; n < conf.warnings.count; n++)
            assert_has_not(conf.warnings.list[n], "hunter2");
        kong_conf_free(&conf);
        error_clear(&error);
    }
}

static void random_files_are_survived(void **state)
{
    static const char *const pieces[] = {"pg_host", "pg_port", "database", "plugins", "=", " ", "\t", "\n", "\r", "\\", "#", ";", "[", "]", "\"",
                                         "0", "x", "1e999", "-", "\xFF", "\xEF\xBB\xBF", ",", "off", "bundled", "postgres"};
    srand(11);
    for (int round = 0; round < 500; round++) {
        char text[600] = "";
        for (int n = rand() % 60; n > 0; n--)
            strcat(text, pieces[(size_t)rand() % (sizeof pieces / sizeof pieces[0])]);
        struct kong_conf conf;
        struct error error = {0};
        if (!load(state, text, no_environment, &conf, &error))
            assert_non_null(error.message);
        kong_conf_free(&conf);
        error_clear(&error);
    }
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(lines_are_taken_apart_as_by_penlight),
        TEST(values_are_inferred_as_by_kong),
        TEST(what_kong_refuses_is_refused),
        TEST(the_environment_goes_before_the_file),
        TEST(origins_and_lines_are_known),
        TEST(defaults_are_those_of_1_3),
        TEST(the_datastore_is_what_the_settings_say),
        TEST(tls_means_what_kong_means_by_it),
        TEST(the_first_file_that_exists_is_read),
        TEST(plugin_lists_are_spelled_out),
        TEST(warnings_name_what_breaks),
        TEST(the_deprecated_keepalive_is_copied),
        TEST(files_that_are_no_kong_conf_are_refused),
        TEST(no_error_and_no_warning_tells_the_password),
        TEST(random_files_are_survived),
    };
    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
