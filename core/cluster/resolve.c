#include "core/cluster/resolve.h"

#include "core/base/mem.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

unsigned resolve_ms = 30000;

/* One lookup. The thread's until it has ended, then the loop's; where the loop has given it up by then, the thread frees it. */
struct lookup {
    pthread_mutex_t mutex;
    struct resolve *resolve;       /* NULL: given up */
    bool ended;
    char *host;
    struct addrinfo *list;
    int code;                      /* of getaddrinfo */
};

struct resolve {
    uv_timer_t timer;
    uv_async_t ended;
    char *host;
    struct lookup *lookup;         /* under way, or NULL */
    void (*found)(void *context, const struct names *addresses, const char *problem);
    void *context;
    int open_handles;
};

static void free_lookup(struct lookup *lookup)
{
    pthread_mutex_destroy(&lookup->mutex);
    if (lookup->list != NULL)
        freeaddrinfo(lookup->list);
    free(lookup->host);
    free(lookup);
}

/* The lock is held over uv_async_send, so that resolve_stop does not close what is being sent to. */
static void *look_up(void *context)
{
    struct lookup *lookup = context;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int code = getaddrinfo(lookup->host, NULL, &hints, &lookup->list);
    pthread_mutex_lock(&lookup->mutex);
    lookup->code = code;
    lookup->ended = true;
    struct resolve *resolve = lookup->resolve;
    if (resolve != NULL)
        uv_async_send(&resolve->ended);
    pthread_mutex_unlock(&lookup->mutex);
    if (resolve == NULL)
        free_lookup(lookup);
    return NULL;
}

static bool start_thread(struct lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool started = pthread_create(&thread, &attributes, look_up, lookup) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

static void on_due(uv_timer_t *timer)
{
    struct resolve *resolve = timer->data;
    struct lookup *lookup = mem_zero(1, sizeof *lookup);
    pthread_mutex_init(&lookup->mutex, NULL);
    lookup->resolve = resolve;
    lookup->host = mem_dup(resolve->host);
    resolve->lookup = lookup;
    if (start_thread(lookup))
        return;
    lookup->ended = true;
    lookup->code = EAI_MEMORY;
    uv_async_send(&resolve->ended);
}

static int compare(const void *one, const void *other)
{
    const struct sockaddr *a = *(const struct sockaddr *const *)one, *b = *(const struct sockaddr *const *)other;
    if (a->sa_family != b->sa_family)
        return a->sa_family == AF_INET ? -1 : 1;
    if (a->sa_family == AF_INET)
        return memcmp(&((const struct sockaddr_in *)(const void *)a)->sin_addr, &((const struct sockaddr_in *)(const void *)b)->sin_addr, 4);
    return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, 16);
}

static void collect(struct lookup *lookup, struct names *addresses)
{
    size_t count = 0;
    for (const struct addrinfo *each = lookup->list; each != NULL; each = each->ai_next)
        count++;
    const struct sockaddr **sorted = mem_zero(count, sizeof *sorted);
    count = 0;
    for (const struct addrinfo *each = lookup->list; each != NULL; each = each->ai_next)
        if (each->ai_family == AF_INET || each->ai_family == AF_INET6)
            sorted[count++] = each->ai_addr;
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < count; i++) {
        char text[INET6_ADDRSTRLEN];
        socklen_t size = sorted[i]->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        bool again = i > 0 && sorted[i]->sa_family == sorted[i - 1]->sa_family && compare(&sorted[i], &sorted[i - 1]) == 0;
        if (!again && getnameinfo(sorted[i], size, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
            names_add(addresses, text);
    }
    free(sorted);
}

static void on_ended(uv_async_t *async)
{
    struct resolve *resolve = async->data;
    struct lookup *lookup = resolve->lookup;
    if (lookup == NULL)
        return;
    pthread_mutex_lock(&lookup->mutex);
    bool ended = lookup->ended;
    pthread_mutex_unlock(&lookup->mutex);
    if (!ended)
        return;
    struct names addresses = {0};
    char *problem = NULL;
    if (lookup->code == 0)
        collect(lookup, &addresses);
    if (addresses.count == 0)
        problem = mem_printf("can't be asked: the name %s has no addresses (%s); check it in fleet.ini, or take it out where its nodes are"
                             " stopped", resolve->host,
                             lookup->code != 0 ? gai_strerror(lookup->code) : "none of IP");
    free_lookup(lookup);
    resolve->lookup = NULL;
    uv_timer_start(&resolve->timer, on_due, problem == NULL || resolve_ms < RESOLVE_AGAIN_MS ? resolve_ms : RESOLVE_AGAIN_MS, 0);
    resolve->found(resolve->context, &addresses, problem);
    names_free(&addresses);
    free(problem);
}

struct resolve *resolve_start(uv_loop_t *loop, const char *host, void (*found)(void *context, const struct names *addresses, const char *problem),
                              void *context)
{
    struct resolve *resolve = mem_zero(1, sizeof *resolve);
    if (uv_async_init(loop, &resolve->ended, on_ended) != 0) {
        free(resolve);
        return NULL;
    }
    resolve->ended.data = resolve;
    resolve->host = mem_dup(host);
    resolve->found = found;
    resolve->context = context;
    uv_timer_init(loop, &resolve->timer);
    resolve->timer.data = resolve;
    uv_timer_start(&resolve->timer, on_due, 0, 0);
    resolve->open_handles = 2;
    return resolve;
}

static void on_closed(uv_handle_t *handle)
{
    struct resolve *resolve = handle->data;
    if (--resolve->open_handles > 0)
        return;
    free(resolve->host);
    free(resolve);
}

void resolve_stop(struct resolve *resolve)
{
    if (resolve == NULL)
        return;
    if (resolve->lookup != NULL) {
        pthread_mutex_lock(&resolve->lookup->mutex);
        bool ended = resolve->lookup->ended;
        resolve->lookup->resolve = NULL;
        pthread_mutex_unlock(&resolve->lookup->mutex);
        if (ended)
            free_lookup(resolve->lookup);
    }
    uv_close((uv_handle_t *)&resolve->timer, on_closed);
    uv_close((uv_handle_t *)&resolve->ended, on_closed);
}
