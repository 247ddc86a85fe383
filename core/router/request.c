#include "core/router/request.h"

#include "core/base/ascii.h"
#include "core/base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* nginx answers 400 to methods of other characters. */
static bool is_method(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((text[i] < 'A' || text[i] > 'Z') && text[i] != '_' && text[i] != '-')
            return false;
    return length > 0;
}

/* A request line holds neither spaces nor control characters. */
static bool is_url(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 127)
            return false;
    return text[0] != '\0';
}

static bool is_address(const char *host)
{
    struct in_addr address;
    return host[0] == '[' || inet_pton(AF_INET, host, &address) == 1;
}

/* Clients send a name alone, without port, and none for an address. */
static char *sni_of(const char *host)
{
    size_t length = strcspn(host, ":");
    char *name = mem_ndup(host, length);
    if (length > 0 && !is_address(name))
        return name;
    free(name);
    return NULL;
}

/* Behind the scheme; NULL where it is another one than http and https. */
static const char *skip_scheme(const char *url, bool *secure)
{
    const char *end = strstr(url, "://"), *slash = strpbrk(url, "/?");
    *secure = false;
    if (end == NULL || slash == NULL || slash < end)
        return url;
    size_t length = (size_t)(end - url);
    *secure = length == 5 && strncasecmp(url, "https", 5) == 0;
    return *secure || (length == 4 && strncasecmp(url, "http", 4) == 0) ? end + 3 : NULL;
}

/* As a client sends it: without fragment, with a path. */
static struct written_request split(const char *method, size_t method_length, const char *rest, bool secure)
{
    size_t host_length = strcspn(rest, "/?#"), length = strcspn(rest, "#");
    const char *path = rest + host_length;
    struct written_request written = {.method = mem_ndup(method, method_length), .host = mem_ndup(rest, host_length)};
    size_t path_length = length > host_length ? length - host_length : 0;
    written.path = mem_printf("%s%.*s", path_length > 0 && path[0] == '/' ? "" : "/", (int)path_length, path);
    written.sni = secure ? sni_of(written.host) : NULL;
    return written;
}

static char *trimmed(const char *line)
{
    while (ascii_is_space(*line))
        line++;
    size_t length = strlen(line);
    while (length > 0 && ascii_is_space(line[length - 1]))
        length--;
    return mem_ndup(line, length);
}

bool requests_add(struct written_requests *requests, const char *line, struct error *error)
{
    bool secure, added = true;
    char *text = trimmed(line);
    size_t method_length = strcspn(text, " \t");
    const char *url = text + method_length + strspn(text + method_length, " \t"), *rest = skip_scheme(url, &secure);
    if (!is_method(text, method_length)) {
        added = error_set(error, ERROR_USAGE, "'%.100s' does not begin with a method in capital letters; write METHOD URL, as GET https://host/path",
                          text);
    } else if (!is_url(url)) {
        added = error_set(error, ERROR_USAGE, "'%.100s' has no URL, or one with a space or control character; write METHOD URL, as"
                                              " GET https://host/path", text);
    } else if (rest == NULL) {
        added = error_set(error, ERROR_USAGE, "'%.100s' has another scheme than http and https", text);
    } else {
        requests->list = mem_grow(requests->list, requests->count + 1, sizeof *requests->list);
        requests->list[requests->count++] = split(text, method_length, rest, secure);
    }
    free(text);
    return added;
}

bool requests_add_file(struct written_requests *requests, const char *path, struct error *error)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *line = NULL;
    size_t size = 0, number = 0;
    ssize_t length;
    bool added = true;
    if (file == NULL)
        return error_set(error, ERROR_FILE, "can't read %s: %s", path, strerror(errno));
    while (added && (length = getline(&line, &size, file)) >= 0) {
        number++;
        const char *text = line + strspn(line, " \t\r\n");
        if (text[0] == '\0' && strlen(line) == (size_t)length)
            continue;
        if (text[0] == '#')
            continue;
        added = strlen(line) == (size_t)length ? requests_add(requests, text, error) : error_set(error, ERROR_USAGE, "there is a NUL byte");
        if (!added)
            error_prefix(error, "%s, line %zu", path, number);
    }
    if (added && ferror(file))
        added = error_set(error, ERROR_FILE, "can't read %s: %s", path, strerror(errno));
    free(line);
    if (file != stdin)
        fclose(file);
    return added;
}

void requests_free(struct written_requests *requests)
{
    for (size_t i = 0; i < requests->count; i++) {
        free(requests->list[i].method);
        free(requests->list[i].host);
        free(requests->list[i].path);
        free(requests->list[i].sni);
    }
    free(requests->list);
    *requests = (struct written_requests){0};
}

struct request request_of(const struct written_request *written)
{
    return (struct request){.method = written->method, .host = written->host, .path = written->path, .sni = written->sni};
}

char *request_url(const struct request *request)
{
    const char *host = request->host != NULL ? request->host : "";
    if (host[0] == '\0')
        return mem_dup(request->path);
    return mem_printf("%s://%s%s", request->sni != NULL ? "https" : "http", host, request->path);
}
