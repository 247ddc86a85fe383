/* The nodes of the fleet: which names and addresses are taken. */
#include "core/conf/fleet.h"

#include "core/base/ascii.h"
#include "core/base/mem.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LIMIT 64
#define ADDRESS_LIMIT (FLEET_LINE_LIMIT - NAME_LIMIT - (int)sizeof "node = ")   /* what a line has room for */
#define SSH "ssh://"

static bool is_made_of(const char *text, const char *also)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!ascii_is_alnum(*c) && strchr(also, *c) == NULL)
            return false;
    return text[0] != '\0';
}

char *fleet_numbered(const char *name, unsigned number)
{
    const char *star = strchr(name, '*');
    return star != NULL ? mem_printf("%.*s%u%s", (int)(star - name), name, number, star + 1) : mem_dup(name);
}

/* Whether the pattern may come to that name: its `*` for a number. */
static bool may_become(const char *pattern, const char *name)
{
    const char *star = strchr(pattern, '*');
    size_t before = star != NULL ? (size_t)(star - pattern) : 0, length = strlen(name);
    if (star == NULL || length <= strlen(pattern) - 1 || strncmp(pattern, name, before) != 0)
        return false;
    size_t digits = strspn(name + before, "0123456789*");
    return strcmp(name + length - strlen(star + 1), star + 1) == 0 && before + digits >= length - strlen(star + 1);
}

static bool check_name(const struct fleet *fleet, const char *name, struct error *error)
{
    if (name[0] == '\0' || strlen(name) > NAME_LIMIT)
        return error_set(error, ERROR_CONFIG, "a node's name has 1 to %d letters", NAME_LIMIT);
    if (!is_made_of(name, "-_.*"))
        return error_set(error, ERROR_CONFIG, "a node's name has letters, digits, '-', '_' and '.' only");
    if (strchr(name, '*') != strrchr(name, '*'))
        return error_set(error, ERROR_CONFIG, "a node's name has one '*' at most, which stands for a number");
    for (size_t i = 0; i < fleet->count; i++) {
        const char *other = fleet->nodes[i].name;
        if (strcmp(other, name) == 0)
            return error_set(error, ERROR_CONFIG, "there is a node %s already: give each its own name", name);
        if (may_become(other, name) || may_become(name, other))
            return error_set(error, ERROR_CONFIG, "nodes %s and %s may come to the same name: give each its own", other, name);
    }
    return true;
}

static bool has_part(CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    bool there = curl_url_get(parsed, part, &text, 0) == CURLUE_OK && text != NULL && text[0] != '\0';
    curl_free(text);
    return there;
}

static bool is_http(CURLU *parsed)
{
    char *scheme = NULL;
    bool good = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    return good;
}

/* Nothing but printable ASCII, and nothing that a line of fleet.ini, or a shell, takes for something else. */
static bool is_plain(const char *url)
{
    for (const char *c = url; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || strchr(";#\"'\\", *c) != NULL)
            return false;
    return true;
}

/* Where there is an `@` or a `?`, the text may hold a secret: then it is not repeated. */
static bool check_url(const char *url, struct error *error)
{
    if (strchr(url, '@') != NULL)
        return error_set(error, ERROR_CONFIG, "an address with a user or password in it is refused: fleet.ini holds no secrets");
    if (strpbrk(url, "?#") != NULL)
        return error_set(error, ERROR_CONFIG, "an address with a query or a fragment is refused: the address of an Admin API has none");
    if (strlen(url) > ADDRESS_LIMIT)
        return error_set(error, ERROR_CONFIG, "an address has at most %d letters", ADDRESS_LIMIT);
    CURLU *parsed = curl_url();
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    bool good = code == CURLUE_OK && is_plain(url) && is_http(parsed) && has_part(parsed, CURLUPART_HOST);
    if (!good)
        error_set(error, ERROR_CONFIG, "'%s' is not the address of an Admin API: write http://HOST:PORT or https://HOST:PORT", url);
    curl_url_cleanup(parsed);
    return good;
}

/* The address with everything that may be left out: the port, the path. The caller frees. */
static char *whole_url(const char *url)
{
    CURLU *parsed = curl_url();
    char *whole = NULL, *copy;
    if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
        curl_url_get(parsed, CURLUPART_URL, &whole, CURLU_DEFAULT_PORT);
    copy = mem_dup(whole != NULL ? whole : url);
    curl_free(whole);
    curl_url_cleanup(parsed);
    return copy;
}

static bool check_twice(const struct fleet *fleet, const char *name, const char *ssh, const char *whole, struct error *error)
{
    for (size_t i = 0; i < fleet->count; i++) {
        struct fleet_node *node = &fleet->nodes[i];
        bool same_way = ssh == NULL ? node->ssh == NULL : node->ssh != NULL && strcasecmp(ssh, node->ssh) == 0;
        if (node->whole == NULL)
            node->whole = whole_url(node->url);
        if (same_way && strcasecmp(whole, node->whole) == 0)
            return error_set(error, ERROR_CONFIG, "nodes %s and %s have the same address: a node is in fleet.ini once", node->name, name);
    }
    return true;
}

/* ssh. */

static bool is_port(const char *text, int *port)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);
    *port = (int)number;
    return ascii_is_digit(text[0]) && *end == '\0' && strlen(text) <= 5 && number >= 1 && number <= 65535;
}

void fleet_ssh_free(struct fleet_ssh *parts)
{
    free(parts->user);
    free(parts->host);
    *parts = (struct fleet_ssh){0};
}

/* "HOST[:PORT]" or "[IPV6][:PORT]". */
static bool parse_host(char *text, struct fleet_ssh *parts)
{
    bool bracketed = text[0] == '[';
    char *end = bracketed ? strchr(text, ']') : strchrnul(text, ':');
    if (end == NULL)
        return false;
    const char *rest = bracketed ? end + 1 : end;
    bool good = *rest == '\0' || (*rest == ':' && is_port(rest + 1, &parts->port));
    parts->host = bracketed ? mem_ndup(text + 1, (size_t)(end - text - 1)) : mem_ndup(text, (size_t)(end - text));
    return good && is_made_of(parts->host, bracketed ? ":." : "-_.") && parts->host[0] != '-';
}

bool fleet_parse_ssh(const char *ssh, struct fleet_ssh *parts)
{
    *parts = (struct fleet_ssh){0};
    if (strncmp(ssh, SSH, strlen(SSH)) != 0)
        return false;
    char *copy = mem_dup(ssh + strlen(SSH)), *at = strchr(copy, '@'), *host = at != NULL ? at + 1 : copy;
    bool good = true;
    if (at != NULL) {
        *at = '\0';
        parts->user = mem_dup(copy);
        good = is_made_of(copy, "-_.") && copy[0] != '-';
    }
    good = parse_host(host, parts) && good;
    free(copy);
    if (!good)
        fleet_ssh_free(parts);
    return good;
}

static bool check_ssh(const char *name, const char *ssh, const char *url, struct error *error)
{
    struct fleet_ssh parts;
    if (url[0] == '\0' || !fleet_parse_ssh(ssh, &parts))
        return error_set(error, ERROR_CONFIG, "a node behind ssh is NAME ssh://USER@HOST:PORT URL, such as: node = old-1 ssh://ops@10.0.0.11"
                                              " http://127.0.0.1:8001 (no password: ssh asks your agent)");
    fleet_ssh_free(&parts);
    if (strchr(name, '*') != NULL)
        return error_set(error, ERROR_CONFIG, "a name with '*' stands for the addresses of a host name, so it can't be behind ssh: one node a line");
    if (strlen(ssh) + 1 + strlen(url) > ADDRESS_LIMIT)
        return error_set(error, ERROR_CONFIG, "an address has at most %d letters", ADDRESS_LIMIT);
    const char *host = strstr(url, "://");
    size_t length = host != NULL ? strcspn(host + 3, "/") : 0;
    char *authority = mem_ndup(host != NULL ? host + 3 : "", length);
    bool good = is_made_of(authority, "-_.:[]") && authority[0] != '-';
    free(authority);
    return good || error_set(error, ERROR_CONFIG, "the host of an address behind ssh has letters, digits, '-', '_' and '.' only");
}

bool fleet_add(struct fleet *fleet, enum cluster cluster, const char *name, const char *address, struct error *error)
{
    size_t before = strncmp(address, SSH, strlen(SSH)) == 0 ? strcspn(address, " \t") : 0;
    char *ssh = before > 0 ? mem_ndup(address, before) : NULL;
    const char *rest = address + before;
    rest += before > 0 ? strspn(rest, " \t") : 0;
    size_t length = strlen(rest);
    bool good = check_name(fleet, name, error) && (ssh == NULL || check_ssh(name, ssh, rest, error)) && check_url(rest, error);
    while (length > 0 && rest[length - 1] == '/')
        length--;
    char *url = mem_ndup(rest, length), *whole = whole_url(url);
    good = good && check_twice(fleet, name, ssh, whole, error);
    if (!good) {
        free(ssh);
        free(url);
        free(whole);
        return false;
    }
    fleet->nodes = mem_grow(fleet->nodes, fleet->count + 1, sizeof *fleet->nodes);
    fleet->nodes[fleet->count++] = (struct fleet_node){.cluster = cluster, .name = mem_dup(name), .url = url, .ssh = ssh,
                                                             .whole = whole};
    return true;
}

static void forget(struct fleet_node *node)
{
    free(node->name);
    free(node->url);
    free(node->ssh);
    free(node->whole);
}

void fleet_remove(struct fleet *fleet, const char *name)
{
    for (size_t i = 0; i < fleet->count; i++) {
        if (strcmp(fleet->nodes[i].name, name) != 0)
            continue;
        forget(&fleet->nodes[i]);
        memmove(&fleet->nodes[i], &fleet->nodes[i + 1], (fleet->count - i - 1) * sizeof *fleet->nodes);
        fleet->count--;
        return;
    }
}

void fleet_copy(struct fleet *to, const struct fleet *from)
{
    *to = *from;
    to->file = mem_dup(from->file);
    to->kong_conf = mem_dup(from->kong_conf);
    to->kong_bin = mem_dup(from->kong_bin);
    hooks_copy(&to->hooks, &from->hooks);
    to->nodes = mem_zero(from->count, sizeof *to->nodes);
    for (to->count = 0; to->count < from->count; to->count++) {
        const struct fleet_node *node = &from->nodes[to->count];
        to->nodes[to->count] = (struct fleet_node){node->cluster, mem_dup(node->name), mem_dup(node->url), mem_dup(node->ssh),
                                                   mem_dup(node->whole)};
    }
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        fleet_access_copy(&to->access[cluster], &from->access[cluster]);
}

void fleet_free(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++)
        forget(&fleet->nodes[i]);
    free(fleet->nodes);
    free(fleet->file);
    free(fleet->kong_conf);
    free(fleet->kong_bin);
    hooks_free(&fleet->hooks);
    for (enum cluster cluster = CLUSTER_OLD; cluster <= CLUSTER_NEW; cluster++)
        fleet_access_free(&fleet->access[cluster]);
    *fleet = (struct fleet){0};
}

size_t fleet_count(const struct fleet *fleet, enum cluster cluster)
{
    size_t count = 0;
    for (size_t i = 0; i < fleet->count; i++)
        count += fleet->nodes[i].cluster == cluster ? 1 : 0;
    return count;
}

bool fleet_has_ssh(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++)
        if (fleet->nodes[i].ssh != NULL)
            return true;
    return false;
}
