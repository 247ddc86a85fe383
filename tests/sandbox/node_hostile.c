/* Admin APIs that are none, or gone mad: what a wrong address in fleet.ini, a broken proxy or a hanging node looks like. */
#include "tests/sandbox/fake_node.h"

#include "core/base/buf.h"
#include "core/base/mem.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct visit {
    struct fake_node *node;
    int fd;
};

static bool send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void send_answer(int fd, const char *head, const char *body, size_t length)
{
    char *whole = mem_printf("HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", head, length);
    if (send_all(fd, whole, strlen(whole)))
        send_all(fd, body, length);
    free(whole);
}

static void send_text(int fd, const char *head, const char *body)
{
    send_answer(fd, head, body, strlen(body));
}

static void answer_html(int fd)
{
    send_text(fd, "200 OK\r\nContent-Type: text/html", "<!DOCTYPE html><html><body>It works!</body></html>");
}

static void answer_never(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static void answer_by_drips(int fd)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{\"version\":\"1.3.0\",";
    for (size_t i = 0; i < sizeof text - 1 && send_all(fd, text + i, 1); i++)
        sleep(1);
}

static void answer_huge(int fd)
{
    const size_t length = 10 << 20;
    char *body = mem_zero(1, length);
    memset(body, 'x', length);
    memcpy(body, "{\"version\":\"", 12);
    memcpy(body + length - 2, "\"}", 2);
    send_answer(fd, "200 OK\r\nContent-Type: application/json", body, length);
    free(body);
}

static void answer_heads_for_ever(int fd)
{
    static const char line[] = "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    bool open = send_all(fd, "HTTP/1.1 200 OK\r\n", 17);
    while (open)
        open = send_all(fd, line, sizeof line - 1);
}

static void answer_redirect(int fd)
{
    send_text(fd, "301 Moved Permanently\r\nLocation: http://127.0.0.1:9/elsewhere", "");
}

/* To where it was asked. */
static void answer_loop(int fd)
{
    send_text(fd, "302 Found\r\nLocation: /", "");
}

/* Closed in the middle of the body. */
static void answer_cut(int fd)
{
    static const char part[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{\"version\":\"1.3.0\",\"hostname\":";
    send_all(fd, part, sizeof part - 1);
}

static void answer_garbage(int fd)
{
    char bytes[5000];
    unsigned seed = 1;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(seed = seed * 1103515245 + 12345, seed >> 16);
    send_all(fd, bytes, sizeof bytes);
}

static void answer_nul(int fd)
{
    static const char body[] = "{\"version\":\"1.3.0\0\\u0000\",\"node_id\":\"x\"}";
    send_answer(fd, "200 OK\r\nContent-Type: application/json", body, sizeof body - 1);
}

static void answer_types(int fd)
{
    send_text(fd, "200 OK\r\nContent-Type: application/json",
              "{\"version\":{\"number\":\"7.1\"},\"hostname\":[],\"node_id\":null,\"configuration\":\"none\",\"tagline\":1,"
              "\"server\":{\"total_requests\":\"many\",\"connections_active\":-1e300},\"database\":{\"reachable\":\"yes\"}}");
}

static void answer_nothing(int fd)
{
    (void)fd;
}

static void answer_error(int fd)
{
    send_text(fd, "500 Internal Server Error\r\nContent-Type: application/json", "{\"message\":\"An unexpected error occurred\"}");
}

static void answer_array(int fd)
{
    send_text(fd, "200 OK\r\nContent-Type: application/json", "[1,2,3]");
}

static const struct mode {
    const char *name;
    void (*answer)(int fd);
} modes[] = {
    {"html", answer_html},         {"silent-accept", answer_never}, {"drip", answer_by_drips},   {"huge", answer_huge},
    {"heads", answer_heads_for_ever}, {"redirect", answer_redirect}, {"garbage", answer_garbage}, {"nul", answer_nul},
    {"types", answer_types},       {"close", answer_nothing},       {"500", answer_error},       {"array", answer_array},
    {"loop", answer_loop},         {"cut", answer_cut},
};

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    return NULL;
}

bool fake_hostile_is_mode(const char *mode)
{
    return find_mode(mode) != NULL;
}

/* One request a connection: its head is read, so that closing resets nothing. */
static void *attend(void *context)
{
    struct visit *visit = context;
    char head[8192];
    size_t length = 0;
    ssize_t got = 0;
    do {
        head[length] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL)
            break;
        got = recv(visit->fd, head + length, sizeof head - 1 - length, 0);
        length += got > 0 ? (size_t)got : 0;
    } while (got > 0 && length < sizeof head - 1);
    atomic_fetch_add(&visit->node->requests, 1);
    find_mode(visit->node->mode)->answer(visit->fd);
    close(visit->fd);
    free(visit);
    return NULL;
}

struct gate {
    struct fake_node *node;
    int fd;
};

static void *accept_for_ever(void *context)
{
    const struct gate *gate = context;
    for (;;) {
        pthread_t thread;
        int fd = accept(gate->fd, NULL, NULL);
        if (fd < 0)
            continue;
        struct visit *visit = mem_zero(1, sizeof *visit);
        *visit = (struct visit){gate->node, fd};
        if (pthread_create(&thread, NULL, attend, visit) == 0)
            pthread_detach(thread);
    }
    return NULL;
}

bool fake_hostile_start(struct fake_node *node)
{
    static struct gate gate;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)node->admin_port)};
    socklen_t size = sizeof address;
    pthread_t thread;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (inet_pton(AF_INET, node->address, &address.sin_addr) != 1 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        fprintf(stderr, "Error: bind() to %s:%d failed\n", node->address, node->admin_port);
        close(fd);
        return false;
    }
    node->admin_port = ntohs(address.sin_port);
    gate = (struct gate){node, fd};
    if (pthread_create(&thread, NULL, accept_for_ever, &gate) != 0)
        return false;
    pthread_detach(thread);
    return true;
}
