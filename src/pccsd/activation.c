/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes the listening sockets that systemd passes on: descriptors from 3 upwards, their number in
 * LISTEN_FDS, the process they are meant for in LISTEN_PID (sd_listen_fds(3)). No library is needed
 * for two variables.
 * Gives descriptors; whether they are listening sockets, http judges. Called by main.c at the
 * start, before any thread is. Must never take descriptors that were meant for another process.
 */
#include "pccsd/activation.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

/* -1: no number. */
static long
number_of(const char *text)
{
    char *end = NULL;
    long number = text != NULL && *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
    return end != NULL && *end == '\0' ? number : -1;
}

int
activation_take(int ret_fds[LIMIT_CONFIG_HOSTS], size_t *ret_count, struct fault *why)
{
    const char *pid = getenv("LISTEN_PID");
    const char *fds = getenv("LISTEN_FDS");
    long count = number_of(fds);
    bool is_ours = pid != NULL && number_of(pid) == (long)getpid();
    bool is_given = fds != NULL;
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    if (!is_ours || !is_given) {
        *ret_count = 0;
        return 0;
    }
    if (count < 0 || count > LIMIT_CONFIG_HOSTS) {
        return fault_set(why, FAULT_CONFIG, "listen",
                         "LISTEN_FDS: expected 0 to %d sockets; see pccs.socket",
                         LIMIT_CONFIG_HOSTS);
    }
    for (int i = 0; i < count; i++) {
        ret_fds[i] = FIRST_FD + i;
        (void)fcntl(ret_fds[i], F_SETFD, FD_CLOEXEC);
    }
    *ret_count = (size_t)count;
    return 0;
}
