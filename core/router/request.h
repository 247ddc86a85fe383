/* Requests as an operator writes them: METHOD URL. */
#ifndef CORE_ROUTER_REQUEST_H
#define CORE_ROUTER_REQUEST_H

#include "core/base/error.h"
#include "core/router/router.h"

struct written_request {
    char *method, *host, *path, *sni;   /* sni NULL: none */
};

struct written_requests {
    struct written_request *list;
    size_t count;
};

/* Adds "GET https://host:port/path", "GET host/path" (http) or "GET /path" (no host). Of https the SNI is the host, where that is a
 * name. false and an error that says what is wrong with it. */
bool requests_add(struct written_requests *requests, const char *line, struct error *error);

/* Adds a file's lines ("-": standard input), but empty ones and those that begin with `#`. The error names the file and the line. */
bool requests_add_file(struct written_requests *requests, const char *path, struct error *error);

void requests_free(struct written_requests *requests);

struct request request_of(const struct written_request *written);

/* "https://host/path", or "/path" where there is no host. The caller frees. */
char *request_url(const struct request *request);

#endif
