#include "core/conf/kong_conf.h"

#include "core/base/ascii.h"
#include "core/base/mem.h"
#include "core/conf/conf_file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const kong_bundled_plugins[] = {
    "jwt", "acl", "correlation-id", "cors", "oauth2", "tcp-log", "udp-log", "file-log", "http-log", "key-auth", "hmac-auth",
    "basic-auth", "ip-restriction", "request-transformer", "response-transformer", "request-size-limiting", "rate-limiting",
    "response-ratelimiting", "syslog", "loggly", "datadog", "ldap-auth", "statsd", "bot-detection", "aws-lambda",
    "request-termination", "azure-functions", "kubernetes-sidecar-injector", "zipkin", "pre-function", "post-function",
    "prometheus", "proxy-cache", "session", NULL,
};

/* A type that Kong declares; UNTYPED ones must turn out to be texts, DECLARED_TEXT ones are made texts. */
enum setting_type { UNTYPED, DECLARED_TEXT, NUMBER, BOOLEAN, LIST, ENUM_DATABASE };

static const struct specification {
    const char *name;
    enum setting_type type;
    const char *default_value;
    bool secret;
} specifications[] = {
    {"prefix", UNTYPED, "/usr/local/kong/", false},
    {"plugins", LIST, "bundled", false},
    {"custom_plugins", LIST, NULL, false},
    {"anonymous_reports", BOOLEAN, "on", false},
    {"proxy_listen", LIST, "0.0.0.0:8000, 0.0.0.0:8443 ssl", false},
    {"stream_listen", LIST, "off", false},
    {"admin_listen", LIST, "127.0.0.1:8001, 127.0.0.1:8444 ssl", false},
    {"database", ENUM_DATABASE, "postgres", false},
    {"pg_host", UNTYPED, "127.0.0.1", false},
    {"pg_port", NUMBER, "5432", false},
    {"pg_timeout", NUMBER, "5000", false},
    {"pg_user", UNTYPED, "kong", false},
    {"pg_password", DECLARED_TEXT, NULL, true},
    {"pg_database", UNTYPED, "kong", false},
    {"pg_schema", UNTYPED, NULL, false},
    {"pg_ssl", BOOLEAN, "off", false},
    {"pg_ssl_verify", BOOLEAN, "off", false},
    {"pg_max_concurrent_queries", NUMBER, "0", false},
    {"pg_semaphore_timeout", NUMBER, "60000", false},
    {"db_update_frequency", NUMBER, "5", false},
    {"db_update_propagation", NUMBER, "0", false},
    {"lua_ssl_trusted_certificate", UNTYPED, NULL, false},
    {"lua_ssl_verify_depth", NUMBER, "1", false},
    {"lua_socket_pool_size", NUMBER, "30", false},
    {"upstream_keepalive", NUMBER, NULL, false},
    {"nginx_http_upstream_keepalive", DECLARED_TEXT, "60", false},
    {"nginx_http_upstream_keepalive_requests", DECLARED_TEXT, "100", false},
    {"nginx_http_upstream_keepalive_timeout", DECLARED_TEXT, "60s", false},
};
#define SPECIFICATIONS (sizeof specifications / sizeof specifications[0])

void datastore_copy(struct datastore *to, const struct datastore *from)
{
    *to = *from;
    to->host = mem_dup(from->host);
    to->database = mem_dup(from->database);
    to->user = mem_dup(from->user);
    to->password = mem_dup(from->password);
    to->schema = mem_dup(from->schema);
    to->trusted_certificate = mem_dup(from->trusted_certificate);
}

void datastore_free(struct datastore *datastore)
{
    free(datastore->host);
    free(datastore->database);
    free(datastore->user);
    mem_wipe(datastore->password);
    free(datastore->schema);
    free(datastore->trusted_certificate);
    *datastore = (struct datastore){0};
}

struct datastore_tls datastore_tls(const struct datastore *datastore)
{
    static const char no_file[] = "/dev/null/none";
    if (!datastore->ssl)
        return (struct datastore_tls){"disable", no_file};
    if (!datastore->ssl_verify)
        return (struct datastore_tls){"require", no_file};
    return (struct datastore_tls){"verify-ca", datastore->trusted_certificate != NULL ? datastore->trusted_certificate : no_file};
}

static void copy_names(struct names *to, const struct names *from)
{
    *to = (struct names){0};
    for (size_t i = 0; i < from->count; i++)
        names_add(to, from->list[i]);
}

void kong_conf_copy(struct kong_conf *to, const struct kong_conf *from)
{
    *to = *from;
    to->file = mem_dup(from->file);
    to->settings = mem_zero(from->setting_count, sizeof *to->settings);
    for (size_t i = 0; i < from->setting_count; i++) {
        to->settings[i] = from->settings[i];
        to->settings[i].value = mem_dup(from->settings[i].value);
    }
    datastore_copy(&to->pg, &from->pg);
    copy_names(&to->plugins, &from->plugins);
    copy_names(&to->warnings, &from->warnings);
}

bool kong_conf_equal(const struct kong_conf *a, const struct kong_conf *b)
{
    bool equal = a->setting_count == b->setting_count;
    for (size_t i = 0; equal && i < a->setting_count; i++) {
        const char *one = a->settings[i].value, *other = b->settings[i].value;
        equal = one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
    }
    return equal;
}

void kong_conf_free(struct kong_conf *conf)
{
    for (size_t i = 0; i < conf->setting_count; i++)
        mem_wipe(conf->settings[i].value);
    free(conf->settings);
    free(conf->file);
    datastore_free(&conf->pg);
    names_free(&conf->plugins);
    names_free(&conf->warnings);
    *conf = (struct kong_conf){0};
}

const struct setting *kong_conf_get(const struct kong_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->setting_count; i++)
        if (strcmp(conf->settings[i].name, name) == 0)
            return &conf->settings[i];
    return NULL;
}

/* Lua's tonumber: a decimal, hexadecimal or exponential number, all of the text. */
static bool is_number(const char *text, double *number)
{
    char *end = NULL;
    *number = strtod(text, &end);
    return end != text && end[strspn(end, " \t\r\n")] == '\0';
}

/* Penlight makes numbers of what begins like one; Kong turns some of them back into texts, by Lua's %.14g. */
static bool looks_like_number(const char *text, double *number)
{
    return (ascii_is_digit(text[0]) || text[0] == '+' || text[0] == '-') && is_number(text, number);
}

/* Kong's infer_value: what follows `#` goes, with the character before it, unless that is a backslash; `\#` is a literal `#`. */
static char *strip_comment(const char *text)
{
    char *value = mem_dup(text);
    for (char *c = value; *c != '\0'; c++)
        if (c[0] != '\\' && c[1] == '#') {
            *c = '\0';
            break;
        }
    char *to = value;
    for (const char *from = value; *from != '\0'; from++)
        if (!(from[0] == '\\' && from[1] == '#'))
            *to++ = *from;
    *to = '\0';
    size_t begin = strspn(value, " \t\r\n\v\f"), length = strlen(value);
    while (length > begin && ascii_is_space(value[length - 1]))
        length--;
    char *trimmed = mem_ndup(value + begin, length - begin);
    mem_wipe(value);
    return trimmed;
}

static char *number_text(double number)
{
    return mem_printf("%.14g", number);
}

/* "/etc/kong/kong.conf line 12", "KONG_PG_USER". */
static char *place_of(const struct kong_conf *conf, const struct setting *setting)
{
    if (setting->origin == SETTING_FILE)
        return mem_printf("%s line %d", conf->file, setting->line);
    char *place = mem_printf("KONG_%s", setting->name);
    for (char *c = place; *c != '\0'; c++)
        *c = ascii_upper(*c);
    return place;
}

static bool refuse(const struct kong_conf *conf, const struct setting *setting, struct error *error, const char *why)
{
    char *place = place_of(conf, setting);
    error_set(error, ERROR_CONFIG, "%s: %s %s", place, setting->name, why);
    free(place);
    return false;
}

static bool infer_enum(const struct kong_conf *conf, const struct setting *setting, const char *value, struct error *error)
{
    if (strcmp(value, "postgres") == 0)
        return true;
    if (strcmp(value, "cassandra") == 0)
        return refuse(conf, setting, error, "is cassandra: this program upgrades PostgreSQL only; use Kong's own `kong migrations` there");
    if (strcmp(value, "off") == 0)
        return refuse(conf, setting, error, "is off: a Kong without a database has nothing to migrate; just install 1.3");
    return refuse(conf, setting, error, "has an invalid value: it must be postgres (in lower case)");
}

/* What Kong makes of a raw text. `from_file`: values there may have become numbers. */
static bool infer(const struct kong_conf *conf, const struct specification *specification, struct setting *setting, const char *raw,
                  bool from_file, struct error *error)
{
    double number;
    bool is_numeric = from_file && looks_like_number(raw, &number);
    char *value = is_numeric ? number_text(number) : strip_comment(raw);
    setting->value = NULL;
    if (value[0] == '\0') {
        free(value);
        return specification->type != ENUM_DATABASE || refuse(conf, setting, error, "is empty: it must be postgres; or remove the line");
    }
    bool good = true;
    if (specification->type == UNTYPED && is_numeric)
        good = refuse(conf, setting, error, "is not a string: Kong takes what looks like a number for one, and does not start; set it in"
                                            " the environment, where it does not");
    else if (specification->type == LIST && is_numeric)
        good = refuse(conf, setting, error, "is a number, where Kong wants a list, and does not start");
    else if (specification->type == ENUM_DATABASE)
        good = infer_enum(conf, setting, value, error);
    else if (specification->type == BOOLEAN)
        setting->value = mem_dup(strcmp(value, "on") == 0 || strcmp(value, "true") == 0 ? "on" : "off");
    else if (specification->type == NUMBER)
        setting->value = is_number(value, &number) ? number_text(number) : NULL;
    if (good && specification->type != BOOLEAN && specification->type != NUMBER)
        setting->value = mem_dup(value);
    mem_wipe(value);
    return good;
}

static const char *find_environment(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; environment != NULL && *environment != NULL; environment++) {
        const char *entry = *environment;
        if (strncmp(entry, "KONG_", 5) != 0)
            continue;
        size_t i = 0;
        while (i < length && entry[5 + i] == ascii_upper(name[i]))
            i++;
        if (i == length && entry[5 + i] == '=')
            return entry + 5 + length + 1;
    }
    return NULL;
}

static bool set_all(struct kong_conf *conf, const struct conf_entries *entries, char *const *environment, struct error *error)
{
    conf->settings = mem_zero(SPECIFICATIONS, sizeof *conf->settings);
    for (size_t i = 0; i < SPECIFICATIONS; i++) {
        const struct specification *specification = &specifications[i];
        struct setting *setting = &conf->settings[conf->setting_count++];
        const char *variable = find_environment(environment, specification->name);
        const struct conf_entry *entry = conf_entries_find(entries, specification->name);
        *setting = (struct setting){.name = specification->name, .secret = specification->secret};
        bool good = true;
        if (variable != NULL) {
            setting->origin = SETTING_ENVIRONMENT;
            good = infer(conf, specification, setting, variable, false, error);
        } else if (entry != NULL) {
            setting->origin = SETTING_FILE;
            setting->line = entry->line;
            good = infer(conf, specification, setting, entry->value, true, error);
        } else {
            setting->value = mem_dup(specification->default_value);
        }
        if (!good)
            return false;
    }
    return true;
}

static struct setting *find_setting(struct kong_conf *conf, const char *name)
{
    return (struct setting *)kong_conf_get(conf, name);
}

/* 1.3 copies the deprecated upstream_keepalive to where it stands now, unless that is set; 0 is NONE there. */
static void copy_deprecated(struct kong_conf *conf)
{
    const struct setting *from = kong_conf_get(conf, "upstream_keepalive");
    struct setting *to = find_setting(conf, "nginx_http_upstream_keepalive");
    if (from->value == NULL || to->origin != SETTING_DEFAULT)
        return;
    free(to->value);
    to->value = mem_dup(strcmp(from->value, "0") == 0 ? "NONE" : from->value);
    to->origin = from->origin;
    to->line = from->line;
}

static char *get_copy(const struct kong_conf *conf, const char *name)
{
    return mem_dup(kong_conf_get(conf, name)->value);
}

static bool get_switch(const struct kong_conf *conf, const char *name)
{
    const char *value = kong_conf_get(conf, name)->value;
    return value != NULL && strcmp(value, "on") == 0;
}

/* Unset numbers are what the driver takes then: its own default. Too large ones (Lua knows infinity, too) become the largest. */
static int get_number(const struct kong_conf *conf, const char *name, int otherwise)
{
    const char *value = kong_conf_get(conf, name)->value;
    double number = value != NULL ? strtod(value, NULL) : otherwise;
    if (number != number)
        return otherwise;
    return number >= INT_MAX ? INT_MAX : number <= INT_MIN ? INT_MIN : (int)number;
}

static bool set_datastore(struct kong_conf *conf, struct error *error)
{
    static const char *const needed[] = {"pg_database", "pg_user"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (kong_conf_get(conf, needed[i])->value == NULL)
            return refuse(conf, kong_conf_get(conf, needed[i]), error, "is empty: set it, or remove the line to have Kong's default");
    conf->pg = (struct datastore){
        .host = get_copy(conf, "pg_host"),
        .port = get_number(conf, "pg_port", 5432),
        .database = get_copy(conf, "pg_database"),
        .user = get_copy(conf, "pg_user"),
        .password = get_copy(conf, "pg_password"),
        .schema = get_copy(conf, "pg_schema"),
        .timeout_ms = get_number(conf, "pg_timeout", 5000),
        .ssl = get_switch(conf, "pg_ssl"),
        .ssl_verify = get_switch(conf, "pg_ssl_verify"),
        .trusted_certificate = get_copy(conf, "lua_ssl_trusted_certificate"),
    };
    if (conf->pg.host == NULL)
        conf->pg.host = mem_dup("127.0.0.1");
    if (conf->pg.port < 1 || conf->pg.port > 65535)
        return refuse(conf, kong_conf_get(conf, "pg_port"), error, "is not a port: it must be from 1 to 65535");
    return true;
}

static void add_plugin(struct names *plugins, const char *name, size_t length)
{
    while (length > 0 && ascii_is_space(*name))
        name++, length--;
    while (length > 0 && ascii_is_space(name[length - 1]))
        length--;
    char *copy = mem_ndup(name, length);
    if (strcmp(copy, "bundled") == 0) {
        for (const char *const *each = kong_bundled_plugins; *each != NULL; each++)
            if (!names_have(plugins, *each))
                names_add(plugins, *each);
    } else if (length > 0 && (strcmp(copy, "off") != 0 || plugins->count == 0) && !names_have(plugins, copy)) {
        names_add(plugins, copy);
    }
    free(copy);
}

/* A list whose first item is `off` is empty, as a listener's is; a later `off` counts for nothing. */
static void set_plugins(struct kong_conf *conf)
{
    const char *value = kong_conf_get(conf, "plugins")->value;
    for (const char *item = value; item != NULL;) {
        size_t length = strcspn(item, ",");
        add_plugin(&conf->plugins, item, length);
        item = item[length] == ',' ? item + length + 1 : NULL;
    }
    if (conf->plugins.count > 0 && strcmp(conf->plugins.list[0], "off") == 0)
        names_free(&conf->plugins);
}

static void set_warnings(struct kong_conf *conf)
{
    if (conf->pg.password != NULL && strchr(conf->pg.password, '#') != NULL)
        names_add(&conf->warnings, "pg_password holds a '#': a started node's workers read it again from .kong_env, where it is taken for a comment; choose a password without '#'");
    const struct setting *custom = kong_conf_get(conf, "custom_plugins");
    if (custom->value != NULL)
        names_add(&conf->warnings, "custom_plugins is ignored since Kong 1.0: name those plugins in `plugins`, beside `bundled`");
    if (kong_conf_get(conf, "upstream_keepalive")->value != NULL)
        names_add(&conf->warnings, "upstream_keepalive is deprecated in Kong 1.3: use nginx_http_upstream_keepalive");
    if (conf->pg.ssl && conf->pg.ssl_verify && conf->pg.trusted_certificate == NULL)
        names_add(&conf->warnings, "pg_ssl_verify is on, but lua_ssl_trusted_certificate is not set: no server's certificate can be verified");
}

static const char *choose_file(const char *file, const char *const *search)
{
    static const char *const kongs_own[] = {"/etc/kong/kong.conf", "/etc/kong.conf", NULL};
    if (file != NULL)
        return file;
    for (const char *const *each = search != NULL ? search : kongs_own; *each != NULL; each++)
        if (access(*each, F_OK) == 0)
            return *each;
    return NULL;
}

bool kong_conf_load(struct kong_conf *conf, const char *file, const char *const *search, char *const *environment, struct error *error)
{
    struct conf_entries entries = {0};
    const char *chosen = choose_file(file, search);
    *conf = (struct kong_conf){.file = mem_dup(chosen)};
    bool loaded = (chosen == NULL || conf_file_read(chosen, &entries, error)) && set_all(conf, &entries, environment, error) &&
                  set_datastore(conf, error);
    conf_entries_free(&entries);
    if (!loaded) {
        kong_conf_free(conf);
        return false;
    }
    copy_deprecated(conf);
    set_plugins(conf);
    set_warnings(conf);
    return true;
}
