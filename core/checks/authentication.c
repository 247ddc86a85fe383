/* Check: can the nodes log in, too. libpq knows ways to authenticate that Kong's own driver does not. */
#include "core/checks/look.h"

#include "core/base/mem.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PROTOCOL_3 196608
#define ASK_SECONDS 3

/* What the server asks for, of protocol 3.0's authentication requests. */
enum request { REQUEST_SASL = 10, REQUEST_UNKNOWN = -1 };

static int open_socket(const struct datastore *to)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    const struct timeval patience = {.tv_sec = ASK_SECONDS};
    char port[16];
    int fd = -1;
    snprintf(port, sizeof port, "%d", to->port);
    if (getaddrinfo(to->host, port, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *each = found; each != NULL && fd < 0; each = each->ai_next) {
        fd = socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
        if (fd < 0)
            continue;
        /* On Linux the sending patience holds for connect, too. */
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (connect(fd, each->ai_addr, each->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static void add_number(struct buf *buf, unsigned number)
{
    const char bytes[] = {(char)(number >> 24), (char)(number >> 16), (char)(number >> 8), (char)number};
    buf_add_bytes(buf, bytes, sizeof bytes);
}

/* Length, version, and pairs of texts, each with its NUL. */
static bool send_startup(int fd, const struct datastore *to)
{
    struct buf pairs = {0}, message = {0};
    const char *const texts[] = {"user", to->user, "database", to->database};
    for (size_t i = 0; i < 4; i++)
        buf_add_bytes(&pairs, texts[i], strlen(texts[i]) + 1);
    buf_add_bytes(&pairs, "", 1);
    add_number(&message, (unsigned)pairs.length + 8);
    add_number(&message, PROTOCOL_3);
    buf_add_bytes(&message, pairs.data, pairs.length);
    bool sent = send(fd, message.data, message.length, MSG_NOSIGNAL) == (ssize_t)message.length;
    buf_free(&pairs);
    buf_free(&message);
    return sent;
}

/* Begins to connect as a node does and leaves when the server has said how it wants to be convinced. */
static enum request ask_server(const struct datastore *to)
{
    unsigned char answer[9] = {0};
    int fd = open_socket(to);
    if (fd < 0)
        return REQUEST_UNKNOWN;
    bool answered = send_startup(fd, to) && recv(fd, answer, sizeof answer, MSG_WAITALL) == (ssize_t)sizeof answer && answer[0] == 'R';
    close(fd);
    if (!answered)
        return REQUEST_UNKNOWN;
    return (enum request)((unsigned)answer[5] << 24 | (unsigned)answer[6] << 16 | (unsigned)answer[7] << 8 | answer[8]);
}

/* How the role's password is kept, where we may see that. */
static bool read_hash(const struct check_subject *subject, struct check_result *result, bool *scram)
{
    bool may = false;
    return look_ask(subject, result, "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')", &may) && may &&
           look_ask(subject, result, "SELECT coalesce((SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_catalog.pg_authid WHERE rolname = session_user), false)", scram);
}

static void look_authentication(const struct check_subject *subject, struct check_result *result)
{
    const struct datastore *to = &subject->conf->pg;
    if (subject->pg == NULL) {
        look_has_state(subject, result);
        return;
    }
    bool direct = !to->ssl && to->host[0] != '/';
    enum request request = direct ? ask_server(to) : REQUEST_UNKNOWN;
    bool scram = request == REQUEST_SASL;
    if (request == REQUEST_UNKNOWN && !read_hash(subject, result, &scram)) {
        look_note(result, "what the server asks for %s is seen only by a superuser, in pg_authid",
                  to->ssl ? "over TLS" : direct ? "did not come to light: how the password is kept" : "over a Unix socket");
        return;
    }
    if (!scram) {
        look_note(result, "the server asks role %s for nothing that Kong's driver does not know", to->user);
        return;
    }
    char *role = look_identifier(to->user);
    look_found(result, CHECK_INFORMS, "the server asks role %s for SCRAM, which Kong 1.3's driver does not know: a node that connects as we do can't log in", to->user);
    look_remedy(result, "SET password_encryption = 'md5'; ALTER ROLE %s PASSWORD '...';  -- the same password again; and md5 for it in pg_hba.conf", role);
    free(role);
}

const struct check check_authentication = {
    .id = "authentication", .title = "How nodes log in", .severity = CHECK_INFORMS, .reach = CHECK_SERVER, .look = look_authentication,
    .why = "Nodes say \"don't know how to auth: 10\" where the role's password is kept for SCRAM, PostgreSQL's default since 14. If your old nodes "
           "log in through something else (a pooler), so will the new ones.",
    .source = "Kong issues #6035, #9374",
};
