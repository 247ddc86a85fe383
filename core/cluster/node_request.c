#include "core/cluster/node_request.h"

#include "core/base/mem.h"
#include "core/cluster/node.h"

#include <stdlib.h>
#include <string.h>

void request_access_init(struct request_access *to, const struct fleet_access *from)
{
    to->headers = NULL;
    fleet_access_copy(&to->access, from);
    for (size_t i = 0; i < from->header_count; i++) {
        char *line = mem_printf("%s: %s", from->headers[i].name, from->headers[i].value);
        struct curl_slist *longer = curl_slist_append(to->headers, line);
        to->headers = longer != NULL ? longer : to->headers;
        mem_wipe(line);
    }
}

void request_access_free(struct request_access *access)
{
    for (struct curl_slist *each = access->headers; each != NULL; each = each->next)
        explicit_bzero(each->data, strlen(each->data));
    curl_slist_free_all(access->headers);
    access->headers = NULL;
    fleet_access_free(&access->access);
}

/* With a CA of the operator's own the system's don't count: a CAPATH that libcurl was built with would add them. The empty passphrase:
 * else OpenSSL asks for one on the terminal. */
static void set_tls(CURL *easy, const struct fleet_access *access)
{
    long verify = access->insecure ? 0 : 1;
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify * 2);
    if (access->ca != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, access->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    curl_easy_setopt(easy, CURLOPT_KEYPASSWD, "");
    if (access->certificate != NULL) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, access->certificate);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, access->key != NULL ? access->key : access->certificate);
    }
}

/* The Host header and the name in TLS stay those of the address in fleet.ini. */
struct curl_slist *request_connect_to(const char *address)
{
    bool v6 = strchr(address, ':') != NULL;
    char *text = mem_printf("::%s%s%s:", v6 ? "[" : "", address, v6 ? "]" : "");
    struct curl_slist *list = curl_slist_append(NULL, text);
    free(text);
    return list;
}

/* Nothing but the address asked for: no proxy, no .netrc, no redirect. QUICK_EXIT: else giving up a name that does not resolve waits for
 * the resolver's thread. */
CURL *request_new_easy(const struct request_access *access, struct curl_slist *connect_to, const char *socket)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)NODE_DEADLINE_MS);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "kong-upgrade/" KONG_UPGRADE_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, access->headers);
    set_tls(easy, &access->access);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to);
    if (socket != NULL)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket);
    return easy;
}
