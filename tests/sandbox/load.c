/*
 * load: a bounded number of requests to an HTTP server on loopback, over connections that are kept open, as clients of a gateway send
 * them. For the sandbox and the tests.
 *
 *   load --port PORT --rate N --seconds T --summary FILE [--connections C]
 *
 * N requests a second for at most T seconds, evenly over C connections (default 8), each of which waits for its answer. SIGTERM ends it.
 * A request fails if its answer is not 200, not whole, or not there within 5 s; nothing is sent twice. The summary is written anew twice
 * a second, and once in the end: a name and a number a line (requests, succeeded, failed, mean_us, p99_us, max_us). It ends where that
 * can't be written: then the sandbox is gone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_LIMIT 64
#define RATE_LIMIT 5000
#define SECONDS_LIMIT 86400
#define ANSWER_SECONDS 5
#define ANSWER_SIZE 65536
#define BUCKETS 64            /* of latency, each a quarter of a power of two */
#define SUMMARY_MS 500

static struct {
    int port, rate, seconds, connections;
    const char *summary;
} settings = {.connections = 8};

static atomic_bool stopping;
static atomic_llong succeeded, failed, total_us, max_us, buckets[BUCKETS];

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void sleep_until(int64_t us)
{
    const struct timespec until = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        continue;
}

/* Latency. Bucket b holds those below bucket_end(b). */

static int64_t bucket_end(int bucket)
{
    int64_t power = (int64_t)1 << (bucket / 4 + 6);
    return power + power * (bucket % 4 + 1) / 4;
}

static void note(int64_t us)
{
    int bucket = 0;
    while (bucket < BUCKETS - 1 && us >= bucket_end(bucket))
        bucket++;
    atomic_fetch_add(&buckets[bucket], 1);
    atomic_fetch_add(&total_us, us);
    long long most = atomic_load(&max_us);
    while (us > most && !atomic_compare_exchange_weak(&max_us, &most, us))
        continue;
}

static long long percentile(int percent, long long count)
{
    long long seen = 0;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        seen += atomic_load(&buckets[bucket]);
        if (count > 0 && seen * 100 >= count * percent)
            return bucket_end(bucket);
    }
    return 0;
}

/* One connection. */

static int connect_to_server(void)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)settings.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const struct timeval wait = {.tv_sec = ANSWER_SECONDS};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The bytes of the body, by its header; -1: not said. `head` ends with an empty line. */
static long body_length(const char *head)
{
    static const char name[] = "\r\ncontent-length:";
    for (const char *line = strchr(head, '\r'); line != NULL; line = strchr(line + 1, '\r'))
        if (strncasecmp(line, name, strlen(name)) == 0)
            return strtol(line + strlen(name), NULL, 10);
    return -1;
}

static bool closes(const char *head)
{
    return strcasestr(head, "\r\nconnection: close") != NULL;
}

/* Whether a whole answer came; *keep: the connection goes on. */
static bool read_answer(int fd, bool *keep)
{
    static _Thread_local char answer[ANSWER_SIZE];
    size_t length = 0;
    char *end = NULL;
    *keep = false;
    while (end == NULL && length < sizeof answer - 1) {
        ssize_t got = recv(fd, answer + length, sizeof answer - 1 - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        answer[length] = '\0';
        end = strstr(answer, "\r\n\r\n");
    }
    if (end == NULL)
        return false;
    end[2] = '\0';
    long body = body_length(answer), there = (long)(answer + length - (end + 4));
    while (body >= 0 && there < body) {
        ssize_t got = recv(fd, end + 4, sizeof answer - (size_t)(end + 4 - answer), 0);
        if (got <= 0)
            return false;
        there += got;
    }
    *keep = body >= 0 && !closes(answer);
    return strncmp(answer, "HTTP/1.1 200", strlen("HTTP/1.1 200")) == 0 && there == body;
}

static bool send_request(int *fd)
{
    static const char request[] = "GET /orders/1 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: load\r\n\r\n";
    bool keep = false;
    if (*fd < 0)
        *fd = connect_to_server();
    bool good = *fd >= 0 && send(*fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1 && read_answer(*fd, &keep);
    if (!keep && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return good;
}

/* Every so many microseconds one; what was late is not made up for, so that a pause causes no burst. */
static void *keep_sending(void *context)
{
    int64_t interval = (int64_t)settings.connections * 1000000 / settings.rate;
    int64_t next = now_us() + (int64_t)(intptr_t)context * interval / settings.connections;
    int fd = -1;
    while (!atomic_load(&stopping)) {
        sleep_until(next);
        int64_t begun = now_us();
        bool good = send_request(&fd);
        int64_t ended = now_us();
        note(ended - begun);
        atomic_fetch_add(good ? &succeeded : &failed, 1);
        next = next + interval > ended ? next + interval : ended;
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Whole or not at all, for whoever reads it. */
static bool write_summary(void)
{
    char path[4096];
    long long good = atomic_load(&succeeded), bad = atomic_load(&failed), count = good + bad;
    snprintf(path, sizeof path, "%s.new", settings.summary);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    fprintf(file, "requests %lld\nsucceeded %lld\nfailed %lld\nmean_us %lld\np99_us %lld\nmax_us %lld\n", count, good, bad,
            count > 0 ? atomic_load(&total_us) / count : 0, percentile(99, count), atomic_load(&max_us));
    return fclose(file) == 0 && rename(path, settings.summary) == 0;
}

static bool read_options(int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},    {"rate", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 's'}, {"summary", required_argument, NULL, 'f'},
                                            {"connections", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'f')
            settings.summary = optarg;
        else if (option == 'p')
            settings.port = atoi(optarg);
        else if (option == 'r')
            settings.rate = atoi(optarg);
        else if (option == 's')
            settings.seconds = atoi(optarg);
        else if (option == 'c')
            settings.connections = atoi(optarg);
        else
            return false;
    }
    return optind == argc && settings.summary != NULL && settings.port > 0 && settings.port < 65536 && settings.rate > 0 &&
           settings.rate <= RATE_LIMIT && settings.seconds > 0 && settings.seconds <= SECONDS_LIMIT && settings.connections > 0 && settings.connections <= CONNECTIONS_LIMIT;
}

/* Until the time is over, SIGTERM, or the summary's folder is gone. */
static void wait_for_the_end(const sigset_t *signals)
{
    const struct timespec pause = {.tv_nsec = SUMMARY_MS * 1000000L};
    int64_t end = now_us() + (int64_t)settings.seconds * 1000000;
    while (now_us() < end && write_summary() && sigtimedwait(signals, NULL, &pause) < 0)
        continue;
}

int main(int argc, char **argv)
{
    pthread_t threads[CONNECTIONS_LIMIT];
    sigset_t signals;
    if (!read_options(argc, argv)) {
        fprintf(stderr, "usage: see the head of tests/sandbox/load.c\n");
        return 64;
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    for (int i = 0; i < settings.connections; i++)
        if (pthread_create(&threads[i], NULL, keep_sending, (void *)(intptr_t)i) != 0) {
            fprintf(stderr, "load: no thread could be started\n");
            return 1;
        }
    wait_for_the_end(&signals);
    atomic_store(&stopping, true);
    for (int i = 0; i < settings.connections; i++)
        pthread_join(threads[i], NULL);
    return write_summary() ? 0 : 1;
}
