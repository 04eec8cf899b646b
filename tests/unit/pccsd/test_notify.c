/* SPDX-License-Identifier: BSD-3-Clause */
/* What systemd hears: datagrams at the socket it named, and nothing where it named none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pccsd/notify.h"

/* A socket that listens as systemd does; '@' makes its name abstract. */
static int
listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    return fd;
}

/* "" if nothing came. */
static const char *
heard(int fd)
{
    static char text[128];
    ssize_t size = recv(fd, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void
abstract_name(char out[64])
{
    snprintf(out, 64, "@pccs-test-notify-%ld", (long)getpid());
}

static void
test_says_nothing_to_what_is_no_socket_name(void **state)
{
    char name[64];
    abstract_name(name);
    int fd = listen_at(name);
    char long_name[512] = "/";
    memset(long_name + 1, 'x', sizeof long_name - 2);
    const char *const names[] = {"", "@", "/", name + 1, "vsock:2:1234", long_name, "/nowhere/at"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        notify_ready();
    }
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    assert_string_equal(heard(fd), "");
    close(fd);
}

static void
test_speaks_to_an_abstract_socket(void **state)
{
    char name[64];
    abstract_name(name);
    int fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_ready();
    assert_string_equal(heard(fd), "READY=1");
    notify_watchdog();
    assert_string_equal(heard(fd), "WATCHDOG=1");
    notify_stopping();
    assert_string_equal(heard(fd), "STOPPING=1");
    close(fd);
}

static void
test_speaks_to_a_socket_in_the_file_system(void **state)
{
    char folder[] = "/tmp/pccs-notify-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char name[64];
    snprintf(name, sizeof name, "%s/socket", folder);
    int fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_ready();
    assert_string_equal(heard(fd), "READY=1");
    close(fd);
    unlink(name);
    rmdir(folder);
}

static void
test_says_when_a_reload_began(void **state)
{
    char name[64];
    abstract_name(name);
    int fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    long long before = (long long)clock_system_monotonic_us();
    notify_reloading();
    long long began = 0;
    assert_int_equal(sscanf(heard(fd), "RELOADING=1\nMONOTONIC_USEC=%lld", &began), 1);
    assert_true(began >= before && began <= (long long)clock_system_monotonic_us());
    close(fd);
}

static void
test_does_not_wait_for_a_deaf_listener(void **state)
{
    char name[64];
    abstract_name(name);
    int fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    for (int i = 0; i < 2000; i++) { /* more than its queue holds */
        notify_watchdog();
    }
    assert_string_equal(heard(fd), "WATCHDOG=1");
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_nothing_to_what_is_no_socket_name),
        cmocka_unit_test(test_speaks_to_an_abstract_socket),
        cmocka_unit_test(test_speaks_to_a_socket_in_the_file_system),
        cmocka_unit_test(test_says_when_a_reload_began),
        cmocka_unit_test(test_does_not_wait_for_a_deaf_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
