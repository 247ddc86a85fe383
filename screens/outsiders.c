#include "screens/outsiders.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/cluster/node.h"
#include "screens/say.h"

#include <curl/curl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STATEMENT_MS 5000

struct outsiders {
    uv_async_t looked;           /* tells the loop that a look has ended */
    pthread_mutex_t mutex;       /* guards the two that follow */
    int holders;                 /* the loop, and the thread while there is one: the last frees */
    bool stopped;                /* the loop may be gone: it is not to be told any more */
    bool looking;                /* the loop's word; meanwhile the thread alone touches what follows */
    struct datastore datastore;
    struct names hosts;          /* of the fleet, until they are resolved */
    struct names addresses;      /* of the fleet; written in the first look only */
    struct pg *pg;
    struct sessions found;
    struct error error;
    /* The loop's: */
    struct sessions sessions;    /* of the last look */
    char *complained;            /* what was said last; NULL: nothing is wrong */
};

static void add_host(struct names *hosts, const char *url)
{
    CURLU *parsed = curl_url();
    char *host = NULL;
    if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK && curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        char *bare = mem_dup(host[0] == '[' ? host + 1 : host);
        bare[strcspn(bare, "]")] = '\0';
        if (!names_have(hosts, bare))
            names_add(hosts, bare);
        free(bare);
    }
    curl_free(host);
    curl_url_cleanup(parsed);
}

static void release(struct outsiders *outsiders)
{
    pthread_mutex_lock(&outsiders->mutex);
    bool last = --outsiders->holders == 0;
    pthread_mutex_unlock(&outsiders->mutex);
    if (!last)
        return;
    pthread_mutex_destroy(&outsiders->mutex);
    pg_close(outsiders->pg);
    datastore_free(&outsiders->datastore);
    names_free(&outsiders->hosts);
    names_free(&outsiders->addresses);
    sessions_free(&outsiders->found);
    sessions_free(&outsiders->sessions);
    error_clear(&outsiders->error);
    free(outsiders->complained);
    free(outsiders);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void outsiders_stop(struct outsiders *outsiders)
{
    pthread_mutex_lock(&outsiders->mutex);
    outsiders->stopped = true;
    pthread_mutex_unlock(&outsiders->mutex);
    uv_close((uv_handle_t *)&outsiders->looked, on_closed);
}

/* A node's address towards the database need not be its Admin API's, but mostly is. */
static void resolve_hosts(struct outsiders *outsiders)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    for (size_t i = 0; i < outsiders->hosts.count; i++) {
        struct addrinfo *found = NULL;
        if (getaddrinfo(outsiders->hosts.list[i], NULL, &hints, &found) != 0)
            continue;
        for (const struct addrinfo *each = found; each != NULL; each = each->ai_next) {
            char text[NI_MAXHOST];
            if (getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
                names_add(&outsiders->addresses, text);
        }
        freeaddrinfo(found);
    }
    names_free(&outsiders->hosts);
}

static void *look(void *context)
{
    struct outsiders *outsiders = context;
    resolve_hosts(outsiders);
    if (outsiders->pg != NULL && pg_lost(outsiders->pg)) {
        pg_close(outsiders->pg);
        outsiders->pg = NULL;
    }
    if (outsiders->pg == NULL)
        outsiders->pg = pg_connect(&outsiders->datastore, "nodes", STATEMENT_MS, &outsiders->error);
    if (outsiders->pg != NULL)
        sessions_read(outsiders->pg, &outsiders->found, &outsiders->error);
    pthread_mutex_lock(&outsiders->mutex);
    if (!outsiders->stopped)
        uv_async_send(&outsiders->looked);
    pthread_mutex_unlock(&outsiders->mutex);
    release(outsiders);
    return NULL;
}

/* The same sentence every few seconds would hide everything else. */
static void complain_once(struct outsiders *outsiders, const char *sentence)
{
    if (sentence != NULL && (outsiders->complained == NULL || strcmp(outsiders->complained, sentence) != 0))
        complain_text("%s", sentence);
    char *now = mem_dup(sentence);
    free(outsiders->complained);
    outsiders->complained = now;
}

static void on_looked(uv_async_t *looked)
{
    struct outsiders *outsiders = looked->data;
    outsiders->looking = false;
    sessions_free(&outsiders->sessions);
    outsiders->sessions = outsiders->found;
    outsiders->found = (struct sessions){0};
    const char *restricted = outsiders->sessions.restricted
        ? "the database's role may not see other roles' sessions, so nodes that fleet.ini does not name can't be seen: grant it pg_read_all_stats"
        : NULL;
    complain_once(outsiders, outsiders->error.code != ERROR_NONE ? outsiders->error.message : restricted);
    error_clear(&outsiders->error);
}

struct outsiders *outsiders_start(uv_loop_t *loop, const struct app *app)
{
    struct outsiders *outsiders = mem_zero(1, sizeof *outsiders);
    uv_async_init(loop, &outsiders->looked, on_looked);
    outsiders->looked.data = outsiders;
    pthread_mutex_init(&outsiders->mutex, NULL);
    outsiders->holders = 1;
    datastore_copy(&outsiders->datastore, &app->conf.pg);
    for (size_t i = 0; i < app->fleet.count; i++) {
        const struct fleet_node *node = &app->fleet.nodes[i];
        struct fleet_ssh ssh;
        if (node->ssh == NULL) {
            add_host(&outsiders->hosts, node->url);
        } else if (fleet_parse_ssh(node->ssh, &ssh)) {   /* the address is as seen from there */
            if (!names_have(&outsiders->hosts, ssh.host))
                names_add(&outsiders->hosts, ssh.host);
            fleet_ssh_free(&ssh);
        }
    }
    return outsiders;
}

/* Signals are the loop's thread's. */
void outsiders_look(struct outsiders *outsiders)
{
    sigset_t all, before;
    pthread_t thread;
    if (outsiders->looking)
        return;
    sigfillset(&all);
    pthread_mutex_lock(&outsiders->mutex);
    outsiders->holders++;
    pthread_mutex_unlock(&outsiders->mutex);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    outsiders->looking = pthread_create(&thread, NULL, look, outsiders) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (outsiders->looking)
        pthread_detach(thread);
    else
        release(outsiders);
}

bool outsiders_looking(const struct outsiders *outsiders)
{
    return outsiders->looking;
}

const struct sessions *outsiders_sessions(const struct outsiders *outsiders)
{
    return &outsiders->sessions;
}

/* A session without application_name that never polled `cluster_events` may be any program's. */
bool outsiders_is_one(const struct outsiders *outsiders, const struct session *session)
{
    bool kong = !session->legacy || session->poll_age >= 0;
    return kong && strcmp(session->address, "hidden") != 0 && !names_have(&outsiders->addresses, session->address);
}

json_t *outsiders_json(const struct outsiders *outsiders)
{
    json_t *array = json_array();
    for (size_t i = 0; i < outsiders->sessions.count; i++) {
        const struct session *session = &outsiders->sessions.list[i];
        if (!outsiders_is_one(outsiders, session))
            continue;
        json_t *json = json_object();
        json_object_set_new(json, "name", json_text(session->address));
        json_object_set_new(json, "url", json_null());
        json_object_set_new(json, "state", json_string("unknown"));
        json_object_set_new(json, "version", json_null());
        json_object_set_new(json, "node_id", json_null());
        json_object_set_new(json, "datastore", json_string(node_match_name(MATCH_SAME)));
        json_object_set_new(json, "requests_per_second", json_null());
        json_object_set_new(json, "age_ms", session->poll_age >= 0 ? json_integer(session->poll_age * 1000LL) : json_null());
        json_object_set_new(json, "problem", json_string("uses this database from an address that is not in fleet.ini"));
        json_object_set_new(json, "legacy", json_boolean(session->legacy));
        json_object_set_new(json, "connections", json_integer(session->connections));
        json_array_append_new(array, json);
    }
    return array;
}
