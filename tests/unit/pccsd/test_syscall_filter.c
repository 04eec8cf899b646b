/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the service can no longer do once its system calls are narrowed, and what it still can. Each
 * test narrows a child of its own, which says by its exit status which step went wrong: a filter
 * is for good.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pccsd/syscall_filter.h"

enum { NOT_NARROWED = 99, PAGE_BYTES = 4096 };

/* 0: as it should be. */
typedef int child_fn(void);

static int
run_child(child_fn *child)
{
    pid_t id = fork();
    assert_true(id >= 0);
    if (id == 0) {
        struct fault why;
        _exit(syscall_filter_install(&why) == 0 ? child() : NOT_NARROWED);
    }
    int status = 0;
    assert_int_equal(waitpid(id, &status, 0), id);
    return status;
}

static void
assert_child_ends_well(child_fn *child)
{
    int status = run_child(child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Returns its caller with step if the call was not refused with number. */
#define REFUSED(step, call, number)                                                                \
    do {                                                                                           \
        errno = 0;                                                                                 \
        if ((call) != -1 || errno != (number)) {                                                   \
            return (step);                                                                         \
        }                                                                                          \
    } while (0)

/* ---- refusals ---- */

static int
child_starts_program(void)
{
    char *arguments[] = {(char *)(uintptr_t) "true", NULL};
    execve("/bin/true", arguments, arguments + 1);
    return 1;
}

static void
test_starting_a_program_ends_the_process(void **state)
{
    (void)state;
    int status = run_child(child_starts_program);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int
child_reads_another_process(void)
{
    syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
    return 1;
}

static void
test_reading_another_process_ends_the_process(void **state)
{
    (void)state;
    int status = run_child(child_reads_another_process);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int
child_leaves_its_place(void)
{
    REFUSED(1, mount("none", "/", NULL, MS_REMOUNT, NULL), EPERM);
    REFUSED(2, chroot("/"), EPERM);
    REFUSED(3, unshare(CLONE_NEWUSER), EPERM);
    REFUSED(4, setuid(0), EPERM);
    REFUSED(5, kill(getppid(), 0), EPERM);
    REFUSED(6, (int)syscall(SYS_tgkill, getppid(), getppid(), 0), EPERM);
    REFUSED(7, (int)syscall(SYS_bpf, 0, NULL, 0), EPERM);
    REFUSED(8, (int)syscall(SYS_io_uring_setup, 1, NULL), EPERM);
    return 0;
}

static void
test_refuses_what_leaves_its_place(void **state)
{
    (void)state;
    assert_child_ends_well(child_leaves_its_place);
}

static int
child_forks(void)
{
    REFUSED(1, fork(), EPERM);
    REFUSED(2, (int)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL), EPERM);
    REFUSED(3, (int)syscall(SYS_clone3, NULL, 0), ENOSYS);
    return 0;
}

static void
test_refuses_new_processes(void **state)
{
    (void)state;
    assert_child_ends_well(child_forks);
}

static int
child_makes_code(void)
{
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED || errno != EPERM) {
        return 1;
    }
    page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return 2;
    }
    REFUSED(3, mprotect(page, PAGE_BYTES, PROT_READ | PROT_EXEC), EPERM);
    return mprotect(page, PAGE_BYTES, PROT_READ) == 0 ? 0 : 4;
}

static void
test_refuses_code_made_at_run_time(void **state)
{
    (void)state;
    assert_child_ends_well(child_makes_code);
}

static int
child_opens_odd_sockets(void)
{
    REFUSED(1, socket(AF_PACKET, SOCK_RAW, 0), EPERM);
    REFUSED(2, socket(AF_VSOCK, SOCK_STREAM, 0), EPERM);
    REFUSED(3, socket(AF_ALG, SOCK_SEQPACKET, 0), EPERM);
    return 0;
}

static void
test_refuses_sockets_of_other_families(void **state)
{
    (void)state;
    assert_child_ends_well(child_opens_odd_sockets);
}

static int
child_is_ahead_of_its_time(void)
{
    REFUSED(1, (int)syscall(SYS_mount, NULL, NULL, NULL, 0, NULL), EPERM);
    REFUSED(2, (int)syscall(480), ENOSYS);
    return 0;
}

static void
test_calls_newer_than_the_list_do_not_exist(void **state)
{
    (void)state;
    assert_child_ends_well(child_is_ahead_of_its_time);
}

static pthread_barrier_t narrowed;

static void *
wait_and_leave(void *ret_step)
{
    pthread_barrier_wait(&narrowed);
    errno = 0;
    *(int *)ret_step = chroot("/") == -1 && errno == EPERM ? 0 : 1;
    return NULL;
}

/* The thread is older than the filter: this child narrows itself. */
static void
test_threads_that_run_already_are_narrowed(void **state)
{
    (void)state;
    pid_t id = fork();
    assert_true(id >= 0);
    if (id == 0) {
        struct fault why;
        pthread_t thread;
        int step = 2;
        pthread_barrier_init(&narrowed, NULL, 2);
        pthread_create(&thread, NULL, wait_and_leave, &step);
        int failed = syscall_filter_install(&why);
        pthread_barrier_wait(&narrowed);
        pthread_join(thread, NULL);
        _exit(failed == 0 ? step : NOT_NARROWED);
    }
    int status = 0;
    assert_int_equal(waitpid(id, &status, 0), id);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- what goes on ---- */

static void *
return_at_once(void *argument)
{
    return argument;
}

static int
child_serves(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, return_at_once, NULL) != 0 ||
        pthread_join(thread, NULL) != 0) {
        return 1;
    }
    FILE *file = tmpfile(); /* made and unlinked, as SQLite's journals are */
    if (file == NULL || fputs("x", file) < 0 || fflush(file) != 0 || fsync(fileno(file)) != 0) {
        return 2;
    }
    int families[] = {AF_INET, AF_INET6, AF_UNIX};
    for (int i = 0; i < 3; i++) {
        int fd = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 && errno != EAFNOSUPPORT) {
            return 3 + i;
        }
    }
    struct timespec moment = {.tv_nsec = 1};
    return nanosleep(&moment, NULL) == 0 ? 0 : 6;
}

static void
test_threads_files_and_sockets_go_on(void **state)
{
    (void)state;
    assert_child_ends_well(child_serves);
}

static int
child_aborts(void)
{
    abort();
}

static void
test_an_abort_is_still_an_abort(void **state)
{
    (void)state;
    int status = run_child(child_aborts);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starting_a_program_ends_the_process),
        cmocka_unit_test(test_reading_another_process_ends_the_process),
        cmocka_unit_test(test_refuses_what_leaves_its_place),
        cmocka_unit_test(test_refuses_new_processes),
        cmocka_unit_test(test_refuses_code_made_at_run_time),
        cmocka_unit_test(test_refuses_sockets_of_other_families),
        cmocka_unit_test(test_calls_newer_than_the_list_do_not_exist),
        cmocka_unit_test(test_threads_that_run_already_are_narrowed),
        cmocka_unit_test(test_threads_files_and_sockets_go_on),
        cmocka_unit_test(test_an_abort_is_still_an_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
