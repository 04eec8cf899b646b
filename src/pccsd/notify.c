/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells systemd how the service is: READY, RELOADING, STOPPING, WATCHDOG (config.md, Programs).
 * One datagram to the socket that NOTIFY_SOCKET names: a path, or an abstract name after '@'.
 * Called by the main thread only. Where systemd did not start the service it does nothing.
 * Must never block nor fail the service: who cannot be told is not told. sd_notify(3).
 */
#include "pccsd/notify.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* False where there is nobody to tell. */
static bool
notify_address(struct sockaddr_un *ret_address, socklen_t *ret_size)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t size = name != NULL ? strlen(name) : 0;
    if (size < 2 || size >= sizeof ret_address->sun_path || (name[0] != '/' && name[0] != '@')) {
        return false;
    }
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, name, size);
    if (name[0] == '@') {
        ret_address->sun_path[0] = '\0'; /* unix(7): abstract, and its length counts */
    }
    *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    return true;
}

static void
notify_send(const char *text)
{
    struct sockaddr_un address;
    socklen_t address_size;
    if (!notify_address(&address, &address_size)) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
                     (const struct sockaddr *)&address, address_size);
        close(fd);
    }
}

void
notify_ready(void)
{
    notify_send("READY=1");
}

void
notify_waiting(const char *what, unsigned seconds)
{
    char text[128];
    snprintf(text, sizeof text, "STATUS=%s\nEXTEND_TIMEOUT_USEC=%u000000", what, seconds);
    notify_send(text);
}

void
notify_reloading(void)
{
    char text[64];
    /* Type=notify-reload wants the time at which the reload began */
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)clock_system_monotonic_us());
    notify_send(text);
}

void
notify_stopping(void)
{
    notify_send("STOPPING=1");
}

void
notify_watchdog(void)
{
    notify_send("WATCHDOG=1");
}
