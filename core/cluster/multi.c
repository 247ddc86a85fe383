#include "core/cluster/multi.h"

#include "core/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>

/* Connections that are kept for the next request. libcurl's default goes by the transfers of the moment, and so would close most of
 * them. */
#define MULTI_IDLE_LIMIT 20000

/* A socket of libcurl's that the loop watches. */
struct watched_socket {
    uv_poll_t poll;
    curl_socket_t fd;
    struct multi *multi;
    struct watched_socket *next;
};

struct multi {
    CURLM *curl;
    uv_loop_t *loop;
    uv_timer_t timeout;
    struct watched_socket *sockets;
    void (*ended)(void *private_pointer, CURLcode code);
    size_t open_handles;          /* of the loop; memory is freed when the last has closed */
    bool stopped;
};

static void handle_closed(struct multi *multi)
{
    if (--multi->open_handles == 0)
        free(multi);
}

/* `ended` may stop everything: then nothing of libcurl's is there any more. */
static void collect_ended(struct multi *multi)
{
    int left;
    while (!multi->stopped) {
        CURLMsg *message = curl_multi_info_read(multi->curl, &left);
        char *private_pointer = NULL;
        if (message == NULL)
            return;
        CURLcode code = message->data.result;
        CURL *easy = message->easy_handle;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private_pointer);
        curl_multi_remove_handle(multi->curl, easy);
        multi->ended(private_pointer, code);
    }
}

static void on_timeout(uv_timer_t *timer)
{
    struct multi *multi = timer->data;
    int running;
    curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    collect_ended(multi);
}

static int set_timeout(CURLM *curl, long milliseconds, void *context)
{
    struct multi *multi = context;
    (void)curl;
    if (multi->stopped || milliseconds < 0)
        uv_timer_stop(&multi->timeout);
    else
        uv_timer_start(&multi->timeout, on_timeout, (uint64_t)milliseconds, 0);
    return 0;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watched_socket *socket = poll->data;
    struct multi *multi = socket->multi;
    int running, what = status < 0 ? CURL_CSELECT_ERR : 0;
    what |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    what |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    curl_multi_socket_action(multi->curl, socket->fd, what, &running);
    collect_ended(multi);
}

static void on_socket_closed(uv_handle_t *handle)
{
    struct watched_socket *socket = handle->data;
    struct multi *multi = socket->multi;
    free(socket);
    handle_closed(multi);
}

static void unwatch_socket(struct watched_socket *socket)
{
    struct watched_socket **link = &socket->multi->sockets;
    while (*link != socket)
        link = &(*link)->next;
    *link = socket->next;
    uv_poll_stop(&socket->poll);
    uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
}

static struct watched_socket *watch_new_socket(struct multi *multi, curl_socket_t fd)
{
    struct watched_socket *socket = mem_zero(1, sizeof *socket);
    if (uv_poll_init_socket(multi->loop, &socket->poll, fd) != 0) {
        free(socket);
        return NULL;
    }
    socket->fd = fd;
    socket->multi = multi;
    socket->poll.data = socket;
    socket->next = multi->sockets;
    multi->sockets = socket;
    multi->open_handles++;
    curl_multi_assign(multi->curl, fd, socket);
    return socket;
}

/* A socket that can't be watched makes its request run into the deadline, which says what there is to say. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
    struct multi *multi = context;
    struct watched_socket *socket = assigned;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (socket != NULL)
            unwatch_socket(socket);
        curl_multi_assign(multi->curl, fd, NULL);
        return 0;
    }
    if (socket == NULL && !multi->stopped)
        socket = watch_new_socket(multi, fd);
    if (socket != NULL)
        uv_poll_start(&socket->poll, events, on_socket);
    return 0;
}

struct multi *multi_start(uv_loop_t *loop, void (*ended)(void *private_pointer, CURLcode code))
{
    CURLM *curl = curl_multi_init();
    if (curl == NULL)
        return NULL;
    struct multi *multi = mem_zero(1, sizeof *multi);
    multi->curl = curl;
    multi->loop = loop;
    multi->ended = ended;
    uv_timer_init(loop, &multi->timeout);
    multi->timeout.data = multi;
    multi->open_handles = 1;
    curl_multi_setopt(curl, CURLMOPT_MAXCONNECTS, (long)MULTI_IDLE_LIMIT);
    curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, set_timeout);
    curl_multi_setopt(curl, CURLMOPT_TIMERDATA, multi);
    return multi;
}

void multi_add(struct multi *multi, CURL *easy)
{
    curl_multi_add_handle(multi->curl, easy);
}

void multi_remove(struct multi *multi, CURL *easy)
{
    curl_multi_remove_handle(multi->curl, easy);
}

static void on_timeout_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

void multi_stop(struct multi *multi)
{
    multi->stopped = true;
    curl_multi_cleanup(multi->curl);
    while (multi->sockets != NULL)
        unwatch_socket(multi->sockets);
    uv_close((uv_handle_t *)&multi->timeout, on_timeout_closed);
}
