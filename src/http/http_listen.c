/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Binds the server's listening sockets, one per address, shared by all loops, or takes those that
 * somebody else has bound.
 *
 * Takes host names and a port; gives listening sockets, or a fault that names the address and says
 * what is in the way. Called by http_server_new on its caller's thread. Must never use
 * SO_REUSEPORT: with it a second service on the same port would start without a word and take half
 * of the connections. One shared queue with EPOLLEXCLUSIVE also gives a waiting client to
 * whichever loop is free, where SO_REUSEPORT may have queued it behind a busy one.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "http/http_priv.h"

enum { BACKLOG = 4096 }; /* the kernel lowers it to net.core.somaxconn */

static int
fault_of_address(const char *host, uint16_t port, int error, struct fault *why)
{
    const char *reason = error == EADDRINUSE ? "in use by another process"
                         : error == EACCES   ? "not permitted (ports below 1024 need a privilege)"
                         : error == EADDRNOTAVAIL ? "not an address of this machine"
                                                  : strerror(error);
    return fault_set_number(why, FAULT_IO, "listen", error, "address %s port %u: %s", host,
                            (unsigned)port, reason);
}

static void
set_port(struct sockaddr *address, uint16_t port)
{
    if (address->sa_family == AF_INET6) {
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)address)->sin_port = htons(port);
    }
}

static uint16_t
get_port(int fd)
{
    struct sockaddr_storage room = {0};
    socklen_t size = sizeof room;
    if (getsockname(fd, (struct sockaddr *)&room, &size) != 0) {
        return 0;
    }
    return ntohs(room.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&room)->sin6_port
                                            : ((struct sockaddr_in *)&room)->sin_port);
}

/* A listening socket, or -1 with errno. */
static int
open_listener(const struct addrinfo *info, bool v6_only)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    int only = v6_only;
    /* REUSEADDR: connections of the last run in TIME_WAIT are no hindrance; a listener still is.
     * NODELAY is inherited by what is accepted. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (info->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0) ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int
listen_host(struct http_server *server, const char *host, bool v6_only, struct fault *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(host, NULL, &hints, &list);
    if (error != 0) {
        return fault_set_number(why, FAULT_IO, "listen", error, "address %s: %s", host,
                                gai_strerror(error));
    }
    size_t before = server->listener_count;
    int failed = 0;
    for (const struct addrinfo *at = list; at != NULL && failed == 0; at = at->ai_next) {
        if (server->listener_count == HTTP_LISTENERS_MAX) {
            failed = fault_set(why, FAULT_IO, "listen", "more than %d addresses",
                               (int)HTTP_LISTENERS_MAX);
            break;
        }
        set_port(at->ai_addr, server->port);
        int fd = open_listener(at, v6_only);
        if (fd >= 0) {
            server->listeners[server->listener_count++] = fd;
            server->port = get_port(fd);
        } else if (at->ai_next == NULL && server->listener_count == before) {
            failed = fault_of_address(host, server->port, errno, why);
        } else if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) {
            /* a name may stand for addresses that this machine has not got */
            failed = fault_of_address(host, server->port, errno, why);
        }
    }
    freeaddrinfo(list);
    return failed;
}

/* What a listener of ours has, the address apart. */
static int
adopt(struct http_server *server, int fd, struct fault *why)
{
    int is_listening = 0;
    int domain = 0;
    int on = 1;
    socklen_t size = sizeof is_listening;
    bool is_fine = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) == 0 &&
                   getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
                   is_listening != 0 && (domain == AF_INET || domain == AF_INET6);
    int flags = is_fine ? fcntl(fd, F_GETFL) : -1;
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        return fault_set(why, FAULT_IO, "listen", "descriptor %d, passed on, is no TCP listener",
                         fd);
    }
    server->listeners[server->listener_count++] = fd;
    server->port = get_port(fd);
    return 0;
}

static int
adopt_all(struct http_server *server, const struct http_server_options *options, struct fault *why)
{
    int failed = 0;
    if (options->listener_count > HTTP_LISTENERS_MAX) {
        return fault_set(why, FAULT_IO, "listen", "more than %d addresses",
                         (int)HTTP_LISTENERS_MAX);
    }
    for (size_t i = 0; failed == 0 && i < options->listener_count; i++) {
        failed = adopt(server, options->listeners[i], why);
    }
    if (failed != 0) {
        http_listen_close(server);
    }
    return failed;
}

int
http_listen(struct http_server *server, const struct http_server_options *options,
            struct fault *why)
{
    server->port = options->port;
    if (options->listener_count > 0) {
        return adopt_all(server, options, why);
    }
    /* "::" takes IPv4 too, unless IPv4 is asked for beside it */
    bool v6_only = false;
    for (size_t i = 0; i < options->host_count; i++) {
        v6_only |= strchr(options->hosts[i], ':') == NULL;
    }
    for (size_t i = 0; i < options->host_count; i++) {
        int failed = listen_host(server, options->hosts[i], v6_only, why);
        if (failed != 0) {
            http_listen_close(server);
            return failed;
        }
    }
    if (server->listener_count == 0) {
        return fault_set(why, FAULT_IO, "listen", "no address to listen on");
    }
    return 0;
}

void
http_listen_close(struct http_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        close(server->listeners[i]);
    }
    server->listener_count = 0;
}
