#include "core/cluster/census.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cluster/resolve.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROUND_MS 6000          /* longer than a request's deadline */

int census_port = CENSUS_PORT;

/* A host that fleet.ini, or kong.conf, names. */
struct place {
    char *host;
    bool has[2];               /* nodes, by enum cluster */
    struct names addresses;
    struct resolve *resolve;   /* NULL: it is an address, or can't be looked up */
    bool known;                /* looked up once */
};

struct census {
    uv_loop_t *loop;
    struct datastore datastore;
    struct place **places;     /* of the fleet; each once */
    size_t place_count;
    struct place *database;    /* its server's host; NULL: this machine */
    struct sessions sessions;  /* of the last look */
    struct stranger **strangers;
    size_t count;
    struct nodes *knocks;      /* under way; NULL: none */
    int64_t knocking_since;
};

/* Hosts and their addresses. */

/* The two that everything on one machine uses for it. */
static bool is_here(const char *host)
{
    return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0 || strcasecmp(host, "localhost") == 0;
}

static bool is_loopback(const char *host)
{
    return is_here(host) || strncmp(host, "127.", 4) == 0;
}

static void on_found(void *context, const struct names *addresses, const char *problem)
{
    struct place *place = context;
    place->known = true;
    if (problem != NULL)
        return;   /* as it was */
    names_free(&place->addresses);
    for (size_t i = 0; i < addresses->count; i++)
        names_add(&place->addresses, addresses->list[i]);
}

/* As the database writes it. */
static bool is_address(const char *host, char text[INET6_ADDRSTRLEN])
{
    unsigned char bytes[sizeof(struct in6_addr)];
    for (size_t i = 0; i < 2; i++) {
        int family = i == 0 ? AF_INET : AF_INET6;
        if (inet_pton(family, host, bytes) == 1 && inet_ntop(family, bytes, text, INET6_ADDRSTRLEN) != NULL)
            return true;
    }
    return false;
}

static struct place *place_new(struct census *census, const char *host)
{
    struct place *place = mem_zero(1, sizeof *place);
    char address[INET6_ADDRSTRLEN];
    place->host = mem_dup(host);
    if (is_address(host, address))
        names_add(&place->addresses, address);
    else
        place->resolve = resolve_start(census->loop, host, on_found, place);
    place->known = place->resolve == NULL;
    return place;
}

static void place_free(struct place *place)
{
    if (place == NULL)
        return;
    resolve_stop(place->resolve);
    names_free(&place->addresses);
    free(place->host);
    free(place);
}

static struct place *find_place(const struct census *census, const char *host)
{
    for (size_t i = 0; i < census->place_count; i++)
        if (strcasecmp(census->places[i]->host, host) == 0)
            return census->places[i];
    return NULL;
}

/* The host that a node of the fleet is at; of one behind ssh its address is as seen from there. NULL where none can be read. */
static char *host_of(const struct fleet_node *node)
{
    struct fleet_ssh ssh;
    if (node->ssh != NULL && fleet_parse_ssh(node->ssh, &ssh)) {
        char *host = mem_dup(ssh.host);
        fleet_ssh_free(&ssh);
        return host;
    }
    CURLU *parsed = curl_url();
    char *host = NULL, *bare = NULL;
    if (curl_url_set(parsed, CURLUPART_URL, node->url, 0) == CURLUE_OK && curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        bare = host[0] == '[' ? mem_ndup(host + 1, strcspn(host + 1, "]")) : mem_dup(host);
    curl_free(host);
    curl_url_cleanup(parsed);
    return bare;
}

/* What the database's server takes for its own machine is, from here, the server's host. */
static const char *seen_from_here(const struct census *census, const char *address)
{
    bool local = strcmp(address, "local") == 0;
    if (census->database != NULL && (local || is_loopback(address)))
        return census->database->host;
    return local ? "127.0.0.1" : address;
}

static bool place_has(const struct place *place, const char *host)
{
    return strcasecmp(place->host, host) == 0 || names_have(&place->addresses, host);
}

/* Whether the two are one machine, as far as names tell. */
static bool is_at(const struct census *census, const struct place *place, const char *host)
{
    if (place_has(place, host) || (is_here(place->host) && is_here(host)))
        return true;
    const struct place *database = census->database;
    for (size_t i = 0; database != NULL && strcasecmp(database->host, host) == 0 && i < database->addresses.count; i++)
        if (place_has(place, database->addresses.list[i]))
            return true;
    return false;
}

static bool knows(const struct census *census, const char *host)
{
    for (size_t i = 0; i < census->place_count; i++)
        if (is_at(census, census->places[i], host))
            return true;
    return false;
}

bool census_is_stranger(const struct census *census, const struct session *session)
{
    bool kong = !session->legacy || session->poll_age >= 0;
    return kong && strcmp(session->address, "hidden") != 0 && !knows(census, seen_from_here(census, session->address));
}

bool census_is_ready(const struct census *census)
{
    for (size_t i = 0; i < census->place_count; i++)
        if (!census->places[i]->known)
            return false;
    return census->database == NULL || census->database->known;
}

/* Strangers. */

static void forget_knock(struct stranger *stranger)
{
    free(stranger->problem);
    free(stranger->version);
    free(stranger->node_id);
    free(stranger->hostname);
    stranger->problem = stranger->version = stranger->node_id = stranger->hostname = NULL;
}

static void stranger_free(struct stranger *stranger)
{
    forget_knock(stranger);
    free(stranger->address);
    free(stranger->host);
    free(stranger->url);
    free(stranger);
}

static struct stranger *take_from(struct stranger **list, size_t count, const char *host)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] != NULL && strcmp(list[i]->host, host) == 0) {
            struct stranger *stranger = list[i];
            list[i] = NULL;
            return stranger;
        }
    return NULL;
}

static struct stranger *stranger_new(const char *address, const char *host)
{
    struct stranger *stranger = mem_zero(1, sizeof *stranger);
    bool v6 = strchr(host, ':') != NULL;
    stranger->address = mem_dup(address);
    stranger->host = mem_dup(host);
    stranger->url = mem_printf("http://%s%s%s:%d", v6 ? "[" : "", host, v6 ? "]" : "", census_port);
    stranger->poll_age = -1;
    return stranger;
}

/* Both kinds of sessions of one address are one stranger; what polls is what counts. */
static void note_session(struct stranger *stranger, const struct session *session, bool first)
{
    bool younger = session->poll_age >= 0 && (stranger->poll_age < 0 || session->poll_age < stranger->poll_age);
    if (first || younger) {
        stranger->legacy = session->legacy;
        stranger->poll_age = session->poll_age;
    }
}

static struct stranger *find_stranger(const struct census *census, const char *host)
{
    for (size_t i = 0; i < census->count; i++)
        if (strcmp(census->strangers[i]->host, host) == 0)
            return census->strangers[i];
    return NULL;
}

static void sort_out(struct census *census)
{
    struct stranger **before = census->strangers;
    size_t count = census->count;
    bool ready = census_is_ready(census);
    census->strangers = NULL;
    census->count = 0;
    for (size_t i = 0; ready && i < census->sessions.count; i++) {
        const struct session *session = &census->sessions.list[i];
        if (!census_is_stranger(census, session))
            continue;
        const char *host = seen_from_here(census, session->address);
        struct stranger *stranger = find_stranger(census, host);
        bool first = stranger == NULL;
        if (first) {
            stranger = take_from(before, count, host);
            stranger = stranger != NULL ? stranger : stranger_new(session->address, host);
            census->strangers = mem_grow(census->strangers, census->count + 1, sizeof(struct stranger *));
            census->strangers[census->count++] = stranger;
        }
        note_session(stranger, session, first);
    }
    for (size_t i = 0; i < count; i++)
        if (before[i] != NULL)
            stranger_free(before[i]);
    free(before);
}

static void copy_sessions(struct sessions *to, const struct sessions *from)
{
    sessions_free(to);
    *to = *from;
    to->list = mem_zero(from->count, sizeof *to->list);
    for (size_t i = 0; i < from->count; i++) {
        to->list[i] = from->list[i];
        to->list[i].address = mem_dup(from->list[i].address);
    }
}

void census_see(struct census *census, const struct sessions *sessions)
{
    copy_sessions(&census->sessions, sessions);
    sort_out(census);
}

size_t census_count(const struct census *census)
{
    return census != NULL ? census->count : 0;
}

const struct stranger *census_get(const struct census *census, size_t index)
{
    return census->strangers[index];
}

static bool has_nodes_at(const struct census *census, enum cluster cluster, const char *host)
{
    for (size_t i = 0; i < census->place_count; i++)
        if (census->places[i]->has[cluster] && is_at(census, census->places[i], host))
            return true;
    return false;
}

size_t census_count_old(const struct census *census)
{
    size_t count = 0;
    for (size_t i = 0; i < census->sessions.count; i++) {
        const struct session *session = &census->sessions.list[i];
        const char *from = seen_from_here(census, session->address);
        bool fresh = session->poll_age >= 0 && session->poll_age <= SESSIONS_FRESH_S;
        count += fresh && has_nodes_at(census, CLUSTER_OLD, from) && !has_nodes_at(census, CLUSTER_NEW, from) ? 1 : 0;
    }
    return count;
}

int census_poll_age(const struct census *census, const struct fleet_node *node, const char *address)
{
    char *host = address == NULL ? host_of(node) : NULL;
    const struct place *place = host != NULL ? find_place(census, host) : NULL;
    int youngest = -1;
    for (size_t i = 0; (place != NULL || address != NULL) && i < census->sessions.count; i++) {
        const struct session *session = &census->sessions.list[i];
        const char *from = seen_from_here(census, session->address);
        bool younger = session->poll_age >= 0 && (youngest < 0 || session->poll_age < youngest);
        if (younger && (address != NULL ? strcmp(address, from) == 0 : is_at(census, place, from)))
            youngest = session->poll_age;
    }
    free(host);
    return youngest;
}

/* Knocking: a fleet of strangers, watched until each has given a result. */

static void begin_round(struct census *census, int64_t now)
{
    struct fleet fleet = {0};
    struct error error = {0};
    for (size_t i = 0; i < census->count; i++) {
        const struct stranger *stranger = census->strangers[i];
        char name[32];
        snprintf(name, sizeof name, "%zu", i);
        if (stranger->knocked_at == 0 || now - stranger->knocked_at >= CENSUS_AGAIN_MS)
            fleet_add(&fleet, CLUSTER_OLD, name, stranger->url, &error);
    }
    if (fleet.count > 0)
        census->knocks = nodes_start(census->loop, &fleet, &census->datastore, NULL, NULL, &error);
    census->knocking_since = now;
    error_clear(&error);
    fleet_free(&fleet);
}

static void take_result(struct stranger *stranger, const struct node *node, int64_t now)
{
    forget_knock(stranger);
    stranger->knocked_at = now;
    stranger->state = node->state == NODE_UNASKED ? NODE_UNKNOWN : node->state;
    stranger->version = mem_dup(node->version);
    stranger->node_id = mem_dup(node->node_id);
    stranger->hostname = mem_dup(node->hostname);
    stranger->match = node->match;
    if (node->state != NODE_ANSWERS)   /* else it is whether it fits into [old], which no one has said it is in */
        stranger->problem = mem_dup(node->problem != NULL ? node->problem : "has not been asked in time");
    else if (node->match == MATCH_OTHER)
        stranger->problem = mem_printf("uses another database (%s)", node->match_text);
}

static struct stranger *find_by_url(const struct census *census, const char *url)
{
    for (size_t i = 0; i < census->count; i++)
        if (strcmp(census->strangers[i]->url, url) == 0)
            return census->strangers[i];
    return NULL;
}

static void end_round(struct census *census, int64_t now)
{
    bool all = true;
    for (size_t i = 0; i < nodes_count(census->knocks); i++)
        all = all && nodes_get(census->knocks, i)->state != NODE_UNASKED;
    if (!all && now - census->knocking_since < ROUND_MS)
        return;
    for (size_t i = 0; i < nodes_count(census->knocks); i++) {
        const struct node *node = nodes_get(census->knocks, i);
        struct stranger *stranger = find_by_url(census, node->url);
        if (stranger != NULL)
            take_result(stranger, node, now);
    }
    nodes_stop(census->knocks);
    census->knocks = NULL;
}

void census_knock(struct census *census)
{
    int64_t now = clock_ms();
    if (census->knocks != NULL)
        end_round(census, now);
    else
        begin_round(census, now);
}

/* Beginning and end. */

static void free_places(struct census *census)
{
    for (size_t i = 0; i < census->place_count; i++)
        place_free(census->places[i]);
    free(census->places);
    census->places = NULL;
    census->place_count = 0;
}

void census_know(struct census *census, const struct fleet *fleet)
{
    free_places(census);
    for (size_t i = 0; i < fleet->count; i++) {
        char *host = host_of(&fleet->nodes[i]);
        if (host != NULL && find_place(census, host) == NULL) {
            census->places = mem_grow(census->places, census->place_count + 1, sizeof(struct place *));
            census->places[census->place_count++] = place_new(census, host);
        }
        if (host != NULL)
            find_place(census, host)->has[fleet->nodes[i].cluster] = true;
        free(host);
    }
    sort_out(census);
}

struct census *census_start(uv_loop_t *loop, const struct datastore *datastore)
{
    struct census *census = mem_zero(1, sizeof *census);
    struct datastore open = *datastore;
    open.password = NULL;
    census->loop = loop;
    datastore_copy(&census->datastore, &open);
    if (datastore->host[0] != '/' && !is_loopback(datastore->host))
        census->database = place_new(census, datastore->host);
    return census;
}

void census_stop(struct census *census)
{
    if (census == NULL)
        return;
    nodes_stop(census->knocks);
    free_places(census);
    place_free(census->database);
    sessions_free(&census->sessions);
    for (size_t i = 0; i < census->count; i++)
        stranger_free(census->strangers[i]);
    free(census->strangers);
    datastore_free(&census->datastore);
    free(census);
}
