/* SPDX-License-Identifier: BSD-3-Clause */
/* See postgres_between.h. One thread serves all connections; what fails there ends a connection. */
#include "postgres_between.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/span.h"

enum { CHUNK = 65536, SSL_REQUEST_SIZE = 8 };

struct pair {
    int client, server;
    bool has_begun; /* the first message was seen */
    bool is_deaf;   /* what the server says is dropped, then the connection ends */
};

struct work {
    struct between *between;
    struct pair pairs[BETWEEN_CONNECTIONS_MAX];
    size_t count;
};

static struct sockaddr_in
address_of(const char *address, int port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, address, &in.sin_addr);
    return in;
}

int
between_silent(const char *address, int port, int *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in in = address_of(address, port);
    socklen_t size = sizeof in;
    assert_int_equal(0, bind(fd, (struct sockaddr *)&in, sizeof in));
    assert_int_equal(0, listen(fd, BETWEEN_CONNECTIONS_MAX));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&in, &size));
    *ret_port = ntohs(in.sin_port);
    return fd;
}

static bool
send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

static char *
find(char *bytes, size_t size, struct span word)
{
    return memmem(bytes, size, word.data, word.size);
}

/* Changes what the client says; a message of ours comes in one piece. */
static void
listen_in(struct between *between, struct pair *pair, char *bytes, size_t size)
{
    static const char *const words[] = {"LISTEN ", "NOTIFY "};
    for (size_t i = 0; atomic_load(&between->without_listen) && i < 2; i++) {
        char *at = find(bytes, size, span_of_text(words[i]));
        if (at != NULL) {
            at[5] = 'X';
        }
    }
    if (find(bytes, size, span_of("COMMIT", sizeof "COMMIT")) != NULL) {
        atomic_fetch_add(&between->commits, 1);
        pair->is_deaf = atomic_exchange(&between->loses_commit, false);
    }
}

static bool
is_ssl_request(const char *bytes, ssize_t size)
{
    static const char request[SSL_REQUEST_SIZE] = {0, 0, 0, 8, 4, (char)210, 22, 47};
    return size == SSL_REQUEST_SIZE && memcmp(bytes, request, sizeof request) == 0;
}

static bool
from_client(struct between *between, struct pair *pair)
{
    static char bytes[CHUNK];
    ssize_t size = recv(pair->client, bytes, sizeof bytes, 0);
    if (size <= 0) {
        return false;
    }
    if (!pair->has_begun && is_ssl_request(bytes, size)) {
        return send_all(pair->client, "N", 1);
    }
    pair->has_begun = true;
    listen_in(between, pair, bytes, (size_t)size);
    return send_all(pair->server, bytes, (size_t)size);
}

static bool
from_server(struct pair *pair)
{
    static char bytes[CHUNK];
    ssize_t size = recv(pair->server, bytes, sizeof bytes, 0);
    return size > 0 && !pair->is_deaf && send_all(pair->client, bytes, (size_t)size);
}

static void
take_connection(struct work *work)
{
    int client = accept(work->between->listening, NULL, NULL);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = address_of("127.0.0.1", work->between->server_port);
    if (work->count == BETWEEN_CONNECTIONS_MAX ||
        connect(server, (struct sockaddr *)&in, sizeof in) != 0) {
        close(client);
        close(server);
        return;
    }
    work->pairs[work->count++] = (struct pair){.client = client, .server = server};
}

static void
end_pair(struct work *work, size_t index)
{
    close(work->pairs[index].client);
    close(work->pairs[index].server);
    work->pairs[index] = work->pairs[--work->count];
}

/* False: stop. */
static bool
serve_once(struct work *work)
{
    struct pollfd entries[2 + 2 * BETWEEN_CONNECTIONS_MAX];
    size_t count = work->count;
    entries[0] = (struct pollfd){.fd = work->between->stop[0], .events = POLLIN};
    entries[1] = (struct pollfd){.fd = work->between->listening, .events = POLLIN};
    for (size_t i = 0; i < count; i++) {
        entries[2 + 2 * i] = (struct pollfd){.fd = work->pairs[i].client, .events = POLLIN};
        entries[3 + 2 * i] = (struct pollfd){.fd = work->pairs[i].server, .events = POLLIN};
    }
    (void)poll(entries, 2 + 2 * count, -1);
    for (size_t i = count; i-- > 0;) {
        struct pair *pair = &work->pairs[i];
        bool goes_on = entries[2 + 2 * i].revents == 0 || from_client(work->between, pair);
        goes_on = goes_on && (entries[3 + 2 * i].revents == 0 || from_server(pair));
        if (!goes_on) {
            end_pair(work, i);
        }
    }
    if (entries[1].revents != 0) {
        take_connection(work);
    }
    return entries[0].revents == 0;
}

static void *
serve(void *self)
{
    struct work work = {.between = self};
    while (serve_once(&work)) {
    }
    while (work.count > 0) {
        end_pair(&work, work.count - 1);
    }
    return NULL;
}

void
between_start(struct between *between, int server_port)
{
    *between = (struct between){.server_port = server_port};
    between->listening = between_silent("127.0.0.1", 0, &between->port);
    assert_int_equal(0, pipe(between->stop));
    assert_int_equal(0, pthread_create(&between->thread, NULL, serve, between));
}

void
between_stop(struct between *between)
{
    close(between->stop[1]);
    pthread_join(between->thread, NULL);
    close(between->stop[0]);
    close(between->listening);
}
