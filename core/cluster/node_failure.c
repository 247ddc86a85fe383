#include "core/cluster/node_failure.h"

#include "core/base/mem.h"

#include <errno.h>
#include <string.h>

#define CHECK_ADDRESS "check the address in fleet.ini"

/* Want of file descriptors or memory on this side says nothing about the node, least of all that it is stopped. */
static bool is_our_own_want(long os_error)
{
    return os_error == EMFILE || os_error == ENFILE || os_error == ENOMEM || os_error == ENOBUFS || os_error == EADDRNOTAVAIL;
}

/* Nor does a network that this machine is not on, or is not let out to. */
static bool is_our_network(long os_error)
{
    return os_error == ENETUNREACH || os_error == ENETDOWN || os_error == EACCES || os_error == EPERM;
}

static enum node_state read_timeout(const struct failure *failure, char **problem)
{
    int seconds = NODE_DEADLINE_MS / 1000;
    if (failure->connected) {
        *problem = mem_printf("accepts connections, but gave no whole answer within %d s; see whether it hangs or is overloaded", seconds);
        return NODE_STRANGE;
    }
    *problem = failure->resolved ? mem_printf("can't be reached: no connection within %d s", seconds)
                                 : mem_printf("can't be asked: its name could not be resolved within %d s", seconds);
    return failure->resolved ? NODE_SILENT : NODE_UNKNOWN;
}

static enum node_state read_no_connection(const struct failure *failure, char **problem)
{
    if (is_our_own_want(failure->os_error)) {
        bool files = failure->os_error == EMFILE || failure->os_error == ENFILE;
        *problem = mem_printf("can't be asked: %s on this machine%s", strerror((int)failure->os_error),
                              files ? "; raise the limit of open files (ulimit -n)" : "");
        return NODE_UNKNOWN;
    }
    if (is_our_network(failure->os_error)) {
        *problem = mem_printf("can't be asked: %s from this machine", strerror((int)failure->os_error));
        return NODE_UNKNOWN;
    }
    bool told = failure->os_error != 0;
    *problem = told ? mem_printf("can't be reached: %s", strerror((int)failure->os_error)) : mem_printf("can't be asked: %s", failure->reason);
    return told ? NODE_SILENT : NODE_UNKNOWN;
}

/* TLS: what listens there is not what fleet.ini says, or we are not what it wants. */
static char *tls_problem(const struct failure *failure)
{
    const char *section = cluster_name(failure->cluster);
    if (failure->code == CURLE_PEER_FAILED_VERIFICATION && failure->ca == NULL)
        return mem_printf("has a certificate that can't be trusted (%s); name the file of its CA in fleet.ini under [%s] as ca = FILE, or, where it"
                          " is Kong's own self-signed one, say insecure = on there", failure->reason, section);
    if (failure->code == CURLE_PEER_FAILED_VERIFICATION)
        return mem_printf("has a certificate that can't be trusted by %s (%s); see whether that is its CA's file, or say insecure = on"
                          " in place of ca under [%s] in fleet.ini", failure->ca, failure->reason, section);
    if (failure->code == CURLE_SSL_CACERT_BADFILE)
        return mem_printf("can't be asked: the file of ca under [%s] in fleet.ini can't be used (%s)", section, failure->reason);
    if (failure->code == CURLE_SSL_CERTPROBLEM)
        return mem_printf("can't be asked: the certificate or key under [%s] in fleet.ini can't be used (%s); a key must have no passphrase", section,
                          failure->reason);
    if (strstr(failure->reason, "alert") != NULL)
        return mem_printf("refuses our TLS (%s); where it wants a certificate, name it under [%s] in fleet.ini as certificate = FILE, key = FILE",
                          failure->reason, section);
    return NULL;
}

/* Behind ssh nothing is known but what ssh says: its socket here says nothing of the node. */
static enum node_state read_tunnel(const struct failure *failure, char **problem)
{
    if (failure->ssh_problem != NULL)
        *problem = mem_dup(failure->ssh_problem);
    else if (failure->refused_there)
        *problem = mem_printf("can't be reached: Connection refused, as seen from %s", failure->ssh);
    else if (failure->perhaps_refused)
        *problem = mem_printf("can't be asked: %s says that a connection was refused, but not yet whose", failure->ssh);
    else if (failure->failed_there != NULL)
        *problem = mem_printf("can't be asked: %s can't connect to it (%s)", failure->ssh, failure->failed_there);
    else
        *problem = mem_printf("can't be asked: the connection through %s broke", failure->ssh);
    return failure->ssh_problem == NULL && failure->refused_there ? NODE_SILENT : NODE_UNKNOWN;
}

enum node_state failure_read(const struct failure *failure, char **problem)
{
    bool broke = failure->code == CURLE_RECV_ERROR || failure->code == CURLE_SEND_ERROR;
    bool nothing = failure->received == 0 && failure->code != CURLE_OPERATION_TIMEDOUT;
    bool told = failure->ssh_problem != NULL || failure->refused_there || failure->perhaps_refused || failure->failed_there != NULL;
    if (failure->ssh != NULL && ((nothing && told) || failure->code == CURLE_COULDNT_CONNECT))
        return read_tunnel(failure, problem);
    if (failure->code == CURLE_OPERATION_TIMEDOUT)
        return read_timeout(failure, problem);
    if (failure->code == CURLE_COULDNT_RESOLVE_HOST) {
        *problem = mem_dup("can't be asked: its name can't be resolved; " CHECK_ADDRESS);
        return NODE_UNKNOWN;
    }
    if (failure->code == CURLE_COULDNT_CONNECT)
        return read_no_connection(failure, problem);
    *problem = tls_problem(failure);
    if (*problem != NULL)
        return NODE_STRANGE;
    if (failure->received > NODE_ANSWER_LIMIT)
        *problem = mem_printf("answers with more than %d kB, so it is not Kong's Admin API; " CHECK_ADDRESS, NODE_ANSWER_LIMIT / 1024);
    else if (failure->code == CURLE_GOT_NOTHING || (broke && failure->received == 0))
        *problem = mem_dup("accepts connections, but closes them without an answer; " CHECK_ADDRESS);
    else if (failure->code == CURLE_PARTIAL_FILE || broke)
        *problem = mem_dup("closes the connection in the middle of its answer; see its error.log, and " CHECK_ADDRESS);
    else
        *problem = mem_printf("does not answer as Kong's Admin API does (%s); " CHECK_ADDRESS, failure->reason);
    return NODE_STRANGE;
}
