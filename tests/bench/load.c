/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client of the benchmark: many TLS 1.3 connections on one thread, each with one request under
 * way (a closed loop). Three ways of asking:
 *   keepalive  one request after another on connections that stay
 *   handshake  a new connection, without resumption, for each request
 *   once       all connections are opened first; then each asks once, all at the same moment
 * Takes options (see usage); gives one line of JSON: counts by status, latencies, and the processor
 * time that the process --cpu-of used meanwhile. Connections come from many addresses of 127/8, so
 * that ports do not run out. Certificates are not verified: that would be the client's cost.
 * Must never count an answer that is not complete, nor be slower than the server that is measured:
 * a server that waits for its clients is measured waiting.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 24 * 1024,
    REQUEST_BYTES = 4 * 1024,
    CONNECTIONS_MAX = 20000,
    SAMPLES_MAX = 4000000,
    STATUS_MAX = 600
};

enum mode { MODE_KEEPALIVE, MODE_HANDSHAKE, MODE_ONCE };

struct conn {
    int fd;
    SSL *ssl;
    enum { CONN_CONNECT, CONN_READY, CONN_WRITE, CONN_READ, CONN_DONE } state;
    int64_t started_us;
    size_t request_size, head_size, body_left;
    bool has_head;
    int status;
    char request[REQUEST_BYTES];
    char head[HEAD_BYTES];
};

static struct {
    enum mode mode;
    int port, connections;
    double seconds, warm_up;
    long requests; /* ends after so many; 0: after the time */
    const char *path;
    char **paths; /* of --paths, in order */
    size_t path_count;
    const char *request; /* a whole one, instead of a GET of a path; NULL: none */
    uint64_t range;      /* of the %n in a path or request */
    uint64_t seed;
    int cpu_of;
    bool hold;
} options = {.connections = 32, .seconds = 3, .warm_up = 0.5, .path = "/", .range = 1};

static SSL_CTX *tls;
static int epoll_fd;
static struct conn *conns;
static uint32_t *samples;
static size_t sample_count;
static long started, finished, errors, statuses[STATUS_MAX];
static bool measuring, stopping;
static int waiting; /* mode once: connections that are not yet ready or not yet done */

static int64_t
now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t
random_number(void)
{
    static uint64_t state;
    if (state == 0) {
        state = 0x9e3779b97f4a7c15U ^ (options.seed * 0xbf58476d1ce4e5b9U);
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* ---- one connection ---- */

static void
conn_open(struct conn *conn)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sockaddr_in own = {.sin_family = AF_INET};
    own.sin_addr.s_addr = htonl(0x7f010000U + (uint32_t)(random_number() % 0xfffd) + 1);
    int on = 1;
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        die("socket");
    }
    setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(conn->fd, (struct sockaddr *)&own, sizeof own) != 0) {
        die("bind");
    }
    if (connect(conn->fd, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS) {
        die("connect");
    }
    conn->ssl = SSL_new(tls);
    SSL_set_fd(conn->ssl, conn->fd);
    SSL_set_connect_state(conn->ssl);
    conn->state = CONN_CONNECT;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = conn};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) != 0) {
        die("epoll_ctl");
    }
}

static void
conn_close(struct conn *conn)
{
    if (conn->ssl != NULL) {
        SSL_shutdown(conn->ssl);
        SSL_free(conn->ssl);
        close(conn->fd);
    }
    ERR_clear_error();
    conn->ssl = NULL;
    conn->state = CONN_DONE;
}

/* Appends text, a random number for each %n of it; the whole request has the same one. */
static void
request_add(struct conn *conn, const char *text, const char *number)
{
    while (*text != '\0') {
        const char *mark = strstr(text, "%n");
        size_t size = mark != NULL ? (size_t)(mark - text) : strlen(text);
        size_t number_size = mark != NULL ? strlen(number) : 0;
        if (conn->request_size + size + number_size > sizeof conn->request) {
            fprintf(stderr, "a request is too long\n");
            exit(1);
        }
        memcpy(conn->request + conn->request_size, text, size);
        memcpy(conn->request + conn->request_size + size, number, number_size);
        conn->request_size += size + number_size;
        text += size + (mark != NULL ? 2 : 0);
    }
}

/* A GET of the next path, or the request given. */
static void
conn_begin_request(struct conn *conn)
{
    const char *path =
        options.path_count > 0 ? options.paths[(size_t)started % options.path_count] : options.path;
    char number[33] = "";
    snprintf(number, sizeof number, "%032llX",
             (unsigned long long)(random_number() % options.range));
    conn->request_size = 0;
    if (options.request != NULL) {
        request_add(conn, options.request, number);
    } else {
        request_add(conn, "GET ", number);
        request_add(conn, path, number);
        request_add(conn, " HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", number);
    }
    conn->head_size = 0;
    conn->has_head = false;
    conn->state = CONN_WRITE;
    started++;
}

static bool
all_started(void)
{
    return stopping || (options.requests > 0 && started >= options.requests);
}

static void
conn_fail(struct conn *conn)
{
    errors++;
    conn_close(conn);
    if (options.mode == MODE_ONCE) {
        waiting--;
    } else if (!all_started() && errors < 1000) {
        conn_open(conn);
        conn->started_us = now_us();
    }
}

static void
conn_finished(struct conn *conn)
{
    int64_t took_us = now_us() - conn->started_us;
    finished++;
    if (measuring) {
        statuses[conn->status]++;
        if (sample_count < SAMPLES_MAX) {
            samples[sample_count++] = (uint32_t)took_us;
        }
    }
    if (options.mode == MODE_ONCE) {
        conn->state = CONN_DONE;
        waiting--;
        return;
    }
    if (options.mode == MODE_HANDSHAKE) {
        conn_close(conn);
    }
    if (all_started()) {
        conn->state = CONN_DONE;
        return;
    }
    conn->started_us = now_us();
    if (options.mode == MODE_HANDSHAKE) {
        conn_open(conn);
    } else {
        conn_begin_request(conn);
    }
}

/* ---- reading an answer ---- */

static bool
head_parse(struct conn *conn, size_t end)
{
    conn->head[end] = '\0';
    const char *length = strcasestr(conn->head, "\r\ncontent-length:");
    if (sscanf(conn->head, "HTTP/1.1 %3d", &conn->status) != 1 || length == NULL ||
        conn->status >= STATUS_MAX || conn->status < 100) {
        return false;
    }
    conn->body_left = (size_t)strtoull(length + 17, NULL, 10);
    conn->has_head = true;
    return true;
}

/* Takes bytes; false if they are no answer. */
static bool
answer_take(struct conn *conn, const char *bytes, size_t size)
{
    if (!conn->has_head) {
        if (conn->head_size + size >= HEAD_BYTES) {
            return false;
        }
        memcpy(conn->head + conn->head_size, bytes, size);
        conn->head_size += size;
        char *end = memmem(conn->head, conn->head_size, "\r\n\r\n", 4);
        if (end == NULL) {
            return true;
        }
        size_t head = (size_t)(end - conn->head) + 4;
        size = conn->head_size - head;
        if (!head_parse(conn, head - 2)) {
            return false;
        }
    }
    if (size > conn->body_left) {
        return false;
    }
    conn->body_left -= size;
    return true;
}

static bool
is_blocked(struct conn *conn, int result)
{
    int error = SSL_get_error(conn->ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* As far as the socket lets it. */
static void
conn_run(struct conn *conn)
{
    static char bytes[16 * 1024];
    int result = 1;
    while (conn->state != CONN_DONE && conn->state != CONN_READY) {
        if (conn->state == CONN_CONNECT) {
            result = SSL_do_handshake(conn->ssl);
            if (result == 1 && options.mode == MODE_ONCE) {
                conn->state = CONN_READY;
                waiting--;
            } else if (result == 1) {
                conn_begin_request(conn);
            }
        } else if (conn->state == CONN_WRITE) {
            result = SSL_write(conn->ssl, conn->request, (int)conn->request_size);
            if (result > 0) {
                conn->state = CONN_READ;
                return; /* all has been read: its answer is an event of its own */
            }
        } else {
            result = SSL_read(conn->ssl, bytes, sizeof bytes);
            if (result > 0 && !answer_take(conn, bytes, (size_t)result)) {
                conn_fail(conn);
                return;
            }
            if (result > 0 && conn->has_head && conn->body_left == 0) {
                conn_finished(conn);
            }
        }
        if (result <= 0) {
            if (!is_blocked(conn, result)) {
                conn_fail(conn);
            }
            return;
        }
    }
}

/* ---- all of them ---- */

static void
wait_and_run(int timeout_ms)
{
    struct epoll_event events[256];
    int count = epoll_wait(epoll_fd, events, 256, timeout_ms);
    for (int i = 0; i < count; i++) {
        conn_run(events[i].data.ptr);
    }
}

static bool
any_open(void)
{
    for (int i = 0; i < options.connections; i++) {
        if (conns[i].state != CONN_DONE) {
            return true;
        }
    }
    return false;
}

/* What all threads of a process have used, in microseconds. */
static int64_t
cpu_us(int pid)
{
    clockid_t clock;
    struct timespec used;
    if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static int
compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static unsigned
percentile(double share)
{
    return sample_count > 0 ? samples[(size_t)(share * (double)(sample_count - 1))] : 0;
}

static void
report(long requests, int64_t took_us, int64_t used_us)
{
    qsort(samples, sample_count, sizeof *samples, compare);
    printf("{\"requests\": %ld, \"errors\": %ld, \"seconds\": %.3f, \"cpu_us\": %lld, "
           "\"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u, \"statuses\": {",
           requests, errors, (double)took_us / 1e6, (long long)used_us, percentile(0.5),
           percentile(0.99), percentile(1));
    const char *comma = "";
    for (int i = 0; i < STATUS_MAX; i++) {
        if (statuses[i] > 0) {
            printf("%s\"%d\": %ld", comma, i, statuses[i]);
            comma = ", ";
        }
    }
    printf("}}\n");
    fflush(stdout);
}

static void
run_loop(void)
{
    int64_t begin_us = now_us();
    for (int i = 0; i < options.connections && !all_started(); i++) {
        conns[i].started_us = begin_us;
        conn_open(&conns[i]);
    }
    int64_t measure_at = begin_us + (int64_t)(options.warm_up * 1e6);
    while (now_us() < measure_at && options.requests == 0) {
        wait_and_run(20);
    }
    measuring = true;
    int64_t from_us = now_us();
    int64_t cpu_from_us = cpu_us(options.cpu_of);
    long from = options.requests > 0 ? 0 : finished;
    int64_t until_us = from_us + (int64_t)(options.seconds * 1e6);
    while (options.requests > 0 ? any_open() : now_us() < until_us) {
        wait_and_run(20);
    }
    int64_t used_us = cpu_us(options.cpu_of) - cpu_from_us;
    measuring = false;
    stopping = true;
    report(finished - from, now_us() - from_us, used_us);
}

static void
run_once(void)
{
    waiting = options.connections;
    for (int i = 0; i < options.connections; i++) {
        conn_open(&conns[i]);
        wait_and_run(0); /* no more than the listener's queue holds */
    }
    while (waiting > 0) {
        wait_and_run(100);
    }
    measuring = true;
    int64_t from_us = now_us();
    int64_t cpu_from_us = cpu_us(options.cpu_of);
    for (int i = 0; i < options.connections; i++) {
        if (conns[i].state == CONN_READY) {
            waiting++;
            conns[i].started_us = now_us();
            conn_begin_request(&conns[i]);
            conn_run(&conns[i]);
        }
    }
    while (waiting > 0) {
        wait_and_run(100);
    }
    report(finished, now_us() - from_us, cpu_us(options.cpu_of) - cpu_from_us);
    if (options.hold) {
        (void)getchar(); /* the connections stay open until the caller has looked */
    }
}

/* ---- options ---- */

static void
read_paths(const char *file_name)
{
    FILE *file = fopen(file_name, "re");
    if (file == NULL) {
        die(file_name);
    }
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while ((size = getline(&line, &room, file)) > 0) {
        line[size - 1] = '\0';
        options.paths = reallocarray(options.paths, options.path_count + 1, sizeof *options.paths);
        options.paths[options.path_count++] = strdup(line);
    }
    free(line);
    fclose(file);
}

/* A whole request with its body, as it goes over the wire. */
static void
read_request(const char *file_name)
{
    static char text[REQUEST_BYTES + 1];
    FILE *file = fopen(file_name, "re");
    if (file == NULL || fread(text, 1, REQUEST_BYTES, file) == 0) {
        die(file_name);
    }
    fclose(file);
    options.request = text;
}

static int
usage(void)
{
    fputs("usage: load keepalive|handshake|once --port N [--connections N] [--seconds S]\n"
          "  [--warm-up S] [--requests N] [--path P | --paths FILE | --request FILE]\n"
          "  [--range N] [--seed N] [--cpu-of PID] [--hold]\n"
          "%n in a path or request becomes a random number below --range, as 32 hex digits.\n",
          stderr);
    return 2;
}

static bool
parse_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", 1, NULL, 'p'},
        {"connections", 1, NULL, 'c'},
        {"seconds", 1, NULL, 's'},
        {"warm-up", 1, NULL, 'w'},
        {"requests", 1, NULL, 'r'},
        {"path", 1, NULL, 'a'},
        {"paths", 1, NULL, 'f'},
        {"request", 1, NULL, 'b'},
        {"range", 1, NULL, 'n'},
        {"seed", 1, NULL, 'e'},
        {"cpu-of", 1, NULL, 'u'},
        {"hold", 0, NULL, 'h'},
        {0},
    };
    static const char *const modes[] = {"keepalive", "handshake", "once"};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 'p':
            options.port = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            options.connections = (int)strtol(optarg, NULL, 10);
            break;
        case 's':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'w':
            options.warm_up = strtod(optarg, NULL);
            break;
        case 'r':
            options.requests = strtol(optarg, NULL, 10);
            break;
        case 'a':
            options.path = optarg;
            break;
        case 'f':
            read_paths(optarg);
            break;
        case 'b':
            read_request(optarg);
            break;
        case 'e':
            options.seed = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            options.range = strtoull(optarg, NULL, 10);
            break;
        case 'u':
            options.cpu_of = (int)strtol(optarg, NULL, 10);
            break;
        case 'h':
            options.hold = true;
            break;
        default:
            return false;
        }
    }
    for (int i = 0; optind + 1 == argc && i < 3; i++) {
        if (strcmp(argv[optind], modes[i]) == 0) {
            options.mode = (enum mode)i;
            return options.port > 0 && options.range > 0 && options.connections > 0 &&
                   options.connections <= CONNECTIONS_MAX;
        }
    }
    return false;
}

static void
make_tls(void)
{
    tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256") != 1) {
        die("TLS");
    }
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(tls, 1); /* a record in one read(2): the server, not we, shall be busy */
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
}

int
main(int argc, char **argv)
{
    if (!parse_options(argc, argv)) {
        return usage();
    }
    struct rlimit descriptors;
    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        descriptors.rlim_cur = descriptors.rlim_max;
        setrlimit(RLIMIT_NOFILE, &descriptors);
    }
    make_tls();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc((size_t)options.connections, sizeof *conns);
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    if (epoll_fd < 0 || conns == NULL || samples == NULL) {
        die("start");
    }
    for (int i = 0; i < options.connections; i++) {
        conns[i].state = CONN_DONE;
    }
    if (options.mode == MODE_ONCE) {
        run_once();
    } else {
        run_loop();
    }
    return errors > 0;
}
