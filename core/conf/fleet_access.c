/* How the Admin APIs of a cluster are asked: TLS, and headers whose values are the environment's. */
#include "core/conf/fleet.h"

#include "core/base/ascii.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define HEADERS_LIMIT 16
#define VALUE_LIMIT 8192       /* of a header, as most servers take it */

const char *const fleet_access_keys[] = {"ca", "certificate", "key", "insecure", "header", NULL};

/* Those that HTTP itself, or libcurl, sees to. */
static const char *const reserved[] = {"host", "connection", "content-length", "transfer-encoding", "expect", "te", "trailer", "upgrade"};

void fleet_access_free(struct fleet_access *access)
{
    free(access->ca);
    free(access->certificate);
    free(access->key);
    for (size_t i = 0; i < access->header_count; i++) {
        free(access->headers[i].name);
        free(access->headers[i].variable);
        mem_wipe(access->headers[i].value);
    }
    free(access->headers);
    *access = (struct fleet_access){0};
}

void fleet_access_copy(struct fleet_access *to, const struct fleet_access *from)
{
    *to = (struct fleet_access){.ca = mem_dup(from->ca), .certificate = mem_dup(from->certificate), .key = mem_dup(from->key),
                                .insecure = from->insecure, .header_count = from->header_count};
    to->headers = mem_zero(from->header_count, sizeof *to->headers);
    for (size_t i = 0; i < from->header_count; i++)
        to->headers[i] = (struct fleet_header){mem_dup(from->headers[i].name), mem_dup(from->headers[i].variable), mem_dup(from->headers[i].value)};
}

static bool set_file(char **file, const char *key, const char *value, struct error *error)
{
    if (value[0] != '/')
        return error_set(error, ERROR_CONFIG, "%s is a full path of a PEM file, beginning with /", key);
    if (strlen(value) + sizeof "certificate = " > FLEET_LINE_LIMIT)
        return error_set(error, ERROR_CONFIG, "the path of %s is too long", key);
    free(*file);
    *file = mem_dup(value);
    return true;
}

static bool set_insecure(struct fleet_access *access, const char *value, struct error *error)
{
    access->insecure = strcmp(value, "on") == 0;
    return access->insecure || strcmp(value, "off") == 0 || error_set(error, ERROR_CONFIG, "insecure is on or off");
}

/* A token of HTTP (RFC 9110, 5.6.2). */
static bool is_token(const char *name)
{
    for (const char *c = name; *c != '\0'; c++)
        if (!ascii_is_alnum(*c) && strchr("!#$%&'*+-.^_`|~", *c) == NULL)
            return false;
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcasecmp(reserved[i], name) == 0)
            return false;
    return name[0] != '\0';
}

/* "${VARIABLE}"; the caller frees. NULL where it is anything else. */
static char *parse_variable(const char *value)
{
    size_t length = strlen(value);
    if (length < 4 || strncmp(value, "${", 2) != 0 || value[length - 1] != '}' || ascii_is_digit(value[2]))
        return NULL;
    for (size_t i = 2; i < length - 1; i++)
        if (!ascii_is_alnum(value[i]) && value[i] != '_')
            return NULL;
    return mem_ndup(value + 2, length - 3);
}

/* A line break in it would begin another header. */
static bool check_value(const char *header, const char *variable, const char *value, struct error *error)
{
    if (value == NULL || value[0] == '\0')
        return error_set(error, ERROR_CONFIG, "%s is not set in the environment, where the header %s takes its value from", variable, header);
    if (strlen(value) > VALUE_LIMIT)
        return error_set(error, ERROR_CONFIG, "the value of %s is longer than %d bytes, too long for the header %s", variable, VALUE_LIMIT, header);
    for (const char *c = value; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            return error_set(error, ERROR_CONFIG, "the value of %s has a line break or another control character in it, so it can't be a header's",
                             variable);
    return true;
}

static bool add_header(struct fleet_access *access, char *name, char *variable, struct error *error)
{
    const char *value = getenv(variable);
    if (access->header_count == HEADERS_LIMIT)
        return error_set(error, ERROR_CONFIG, "there are more than %d headers", HEADERS_LIMIT);
    for (size_t i = 0; i < access->header_count; i++)
        if (strcasecmp(access->headers[i].name, name) == 0)
            return error_set(error, ERROR_CONFIG, "the header %s is there twice", name);
    if (!check_value(name, variable, value, error))
        return false;
    access->headers = mem_grow(access->headers, access->header_count + 1, sizeof *access->headers);
    access->headers[access->header_count++] = (struct fleet_header){mem_dup(name), mem_dup(variable), mem_dup(value)};
    return true;
}

/* What was written may be the secret itself: it is not repeated. */
static bool set_header(struct fleet_access *access, const char *value, struct error *error)
{
    const char *colon = strchr(value, ':');
    if (colon == NULL)
        return error_set(error, ERROR_CONFIG, "a header is NAME: ${VARIABLE}, with a variable of the environment that holds its value");
    size_t length = (size_t)(colon - value);
    while (length > 0 && ascii_is_space(value[length - 1]))
        length--;
    char *name = mem_ndup(value, length), *variable = parse_variable(colon + 1 + strspn(colon + 1, " \t"));
    bool set = false;
    if (variable == NULL)
        error_set(error, ERROR_CONFIG, "a header's value is ${VARIABLE}, of the environment, and nothing else: fleet.ini holds no secrets");
    else if (!is_token(name))
        error_set(error, ERROR_CONFIG, "this is no name for a header, or of one that HTTP itself needs");
    else if (strlen(name) + strlen(variable) + sizeof "header = : ${}" > FLEET_LINE_LIMIT)
        error_set(error, ERROR_CONFIG, "the names of a header and its variable are too long");
    else
        set = add_header(access, name, variable, error);
    free(name);
    free(variable);
    return set;
}

bool fleet_access_set(struct fleet_access *access, const char *key, const char *value, struct error *error)
{
    bool set;
    if (strcmp(key, "header") == 0)
        return set_header(access, value, error);
    if (strcmp(key, "insecure") == 0)
        set = set_insecure(access, value, error);
    else
        set = set_file(key[0] == 'k' ? &access->key : strcmp(key, "ca") == 0 ? &access->ca : &access->certificate, key, value, error);
    if (set && access->insecure && access->ca != NULL)
        return error_set(error, ERROR_CONFIG, "insecure = on and ca contradict each other: take one of them out");
    return set;
}
