/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Narrows what the process may ask of the kernel once it runs: serving, fetching, storing, and no
 * more. A list of what is allowed; everything else is EPERM, and what only injected code would ask
 * for ends the process. docs/decisions/0003-system-call-filter.md.
 * Takes nothing; changes all threads at once (SECCOMP_FILTER_FLAG_TSYNC); later ones inherit.
 * Called by the main thread, when all is open and before the service says that it is ready.
 * Must never stand in the way of a newer libc: calls that this list cannot know are ENOSYS, which
 * makes a libc fall back, and never EPERM. seccomp(2).
 */
#include "pccsd/syscall_filter.h"

#ifndef PCCSD_SECCOMP

int
syscall_filter_install(struct fault *why)
{
    return fault_set(why, FAULT_CONFIG, "sandbox", "this build has no filter of system calls");
}

#else

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* glibc 2.38 names its arenas */
#endif

enum {
    SYSCALL_NUMBERS_MAX = 1024, /* all architectures number from 0 and are below 500 today */
    SYSCALL_NUMBERS_AHEAD = 64  /* the kernel gains three a year */
};

/* By name, so that an architecture or a libseccomp that lacks one builds all the same. */
static const char *const allowed[] = {
    /* files: configuration, TLS files, log, database; libraries that are loaded late */
    "access", "chmod", "close", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64",
    "fallocate", "fchmod", "fchmodat", "fchown", "fcntl", "fdatasync", "flock", "fstat", "fstatfs",
    "fsync", "ftruncate", "getcwd", "getdents64", "lseek", "lstat", "mkdir", "mkdirat",
    "newfstatat", "open", "openat", "pipe2", "pread64", "preadv", "pwrite64", "pwritev", "read",
    "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir", "stat", "statfs",
    "statx", "umask", "unlink", "unlinkat", "write", "writev",
    /* memory; mmap and mprotect stand below */
    "brk", "madvise", "membarrier", "mremap", "munmap",
    /* threads; clone stands below */
    "exit", "exit_group", "futex", "getcpu", "gettid", "restart_syscall", "rseq",
    "sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address",
    /* signals, to wait for and to die from */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack",
    /* time */
    "clock_getres", "clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep", "time",
    /* what the process may know of itself and the machine */
    "getegid", "geteuid", "getgid", "getpid", "getppid", "getrandom", "getrlimit", "getrusage",
    "getuid", "sysinfo", "uname",
    /* network; socket stands below */
    "accept", "accept4", "bind", "connect", "epoll_create1", "epoll_ctl", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "eventfd2", "getpeername", "getsockname", "getsockopt", "listen",
    "poll", "ppoll", "pselect6", "recvfrom", "recvmmsg", "recvmsg", "select", "sendmmsg", "sendmsg",
    "sendto", "setsockopt", "shutdown", "socketpair"};

/* No library of ours probes with these. */
static const char *const deadly[] = {"execve", "execveat", "ptrace", "process_vm_readv",
                                     "process_vm_writev"};

/* Negative: unknown to this libseccomp or missing on this architecture. */
static int
number_of(const char *name)
{
    return seccomp_syscall_resolve_name(name);
}

static int
add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t count)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < count; i++) {
        int number = number_of(names[i]);
        if (number >= 0) {
            failed = seccomp_rule_add(filter, action, number, 0);
        }
    }
    return failed;
}

/* ---- allowed with some arguments only: (argument & mask) == value ---- */

struct allowed_argument {
    const char *name;
    unsigned argument;
    uint64_t mask, value;
};

#define ALL_BITS UINT64_MAX
#define LOW_BITS 0xffffffff /* of an int; what stands above them is nothing the kernel reads */

static const struct allowed_argument allowed_arguments[] = {
    /* threads, never processes */
    {"clone", 0, CLONE_THREAD, CLONE_THREAD},
    /* memory is never writable and executable at once, nor one after the other */
    {"mmap", 2, PROT_WRITE | PROT_EXEC, 0},
    {"mmap", 2, PROT_WRITE | PROT_EXEC, PROT_WRITE},
    {"mmap", 2, PROT_WRITE | PROT_EXEC, PROT_EXEC},
    {"mprotect", 2, PROT_EXEC, 0},
    /* clients and the PCS; systemd and a local database; getaddrinfo's look at the addresses */
    {"socket", 0, LOW_BITS, AF_INET},
    {"socket", 0, LOW_BITS, AF_INET6},
    {"socket", 0, LOW_BITS, AF_UNIX},
    {"socket", 0, LOW_BITS, AF_NETLINK},
    /* isatty of stdio, libcurl */
    {"ioctl", 1, LOW_BITS, TCGETS},
    {"ioctl", 1, LOW_BITS, FIONREAD},
    {"ioctl", 1, LOW_BITS, FIONBIO},
    {"prctl", 0, LOW_BITS, PR_SET_NAME},
    {"prctl", 0, LOW_BITS, PR_SET_VMA},
    /* to read a limit; the third argument would set one */
    {"prlimit64", 2, ALL_BITS, 0},
};

static int
add_arguments(scmp_filter_ctx filter)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < ARRAY_COUNT(allowed_arguments); i++) {
        const struct allowed_argument *row = &allowed_arguments[i];
        int number = number_of(row->name);
        if (number >= 0) {
            failed = seccomp_rule_add(
                filter, SCMP_ACT_ALLOW, number, 1,
                SCMP_CMP(row->argument, SCMP_CMP_MASKED_EQ, row->mask, row->value));
        }
    }
    int tgkill = number_of("tgkill");
    if (failed == 0 && tgkill >= 0) { /* abort() is one of these to itself */
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, tgkill, 1,
                                  SCMP_CMP(0, SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    }
    return failed;
}

/* ---- what is newer than this list ---- */

static int
newest_number(void)
{
    int newest = 0;
    for (int number = 0; number < SYSCALL_NUMBERS_MAX; number++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
        newest = name != NULL ? number : newest;
        free(name);
    }
    return newest;
}

/* ENOSYS lets a libc fall back. clone3 is among them: it hides its flags behind a pointer, where no
 * filter can look, and without it clone is called. */
static int
add_unknown(scmp_filter_ctx filter)
{
    int first = newest_number() + 1;
    int clone3 = number_of("clone3");
    int failed = 0;
    for (int number = first; failed == 0 && number < first + SYSCALL_NUMBERS_AHEAD; number++) {
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
    }
    if (failed == 0 && clone3 >= 0 && clone3 < first) {
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), clone3, 0);
    }
    return failed;
}

/* ---- all of it ---- */

static int
set_attributes(scmp_filter_ctx filter)
{
    /* refusals are not logged by the kernel: every new thread would be a line, for its clone3 */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* libseccomp 2.5: a tree */
    /* kernels before 5.16 would slow the whole process down, against a fault in sandboxes that run
     * strangers' code (speculative store bypass): nothing here does */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    return seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
}

int
syscall_filter_install(struct fault *why)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) {
        return fault_set(why, FAULT_MEMORY, "sandbox", "no memory for the filter of system calls");
    }
    int failed = set_attributes(filter);
    failed =
        failed != 0 ? failed : add_names(filter, SCMP_ACT_ALLOW, allowed, ARRAY_COUNT(allowed));
    failed = failed != 0 ? failed
                         : add_names(filter, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_COUNT(deadly));
    failed = failed != 0 ? failed : add_arguments(filter);
    failed = failed != 0 ? failed : add_unknown(filter);
    failed = failed != 0 ? failed : seccomp_load(filter);
    seccomp_release(filter);
    return failed == 0
               ? 0
               : fault_set(why, FAULT_IO, "sandbox",
                           "the kernel takes no filter of system calls: %s", strerror(-failed));
}

#endif
