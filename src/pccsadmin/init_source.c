/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opens files of another installation with the rights of root, though that folder belongs to a
 * service's account: the kernel holds every look-up beneath it (openat2(2), RESOLVE_BENEATH).
 * Takes names; gives descriptors of regular files, and bytes under the buffer's ceiling.
 * Called by pccsadmin init --from, on the main thread.
 * Must never wait for a pipe, nor write.
 */
#include "pccsadmin/init_source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

int
init_source_open(const char *path, struct init_source *ret_source, struct fault *why)
{
    struct init_source source;
    if (realpath(path, source.path) == NULL) {
        return fault_set_number(why, FAULT_CONFIG, "from", errno, "--from %s: %s", path,
                                strerror(errno));
    }
    source.fd = open(source.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (source.fd < 0) {
        return fault_set_number(why, FAULT_CONFIG, "from", errno,
                                "--from %s: %s; the folder of Intel's service is wanted, "
                                "readable for this user",
                                path, strerror(errno));
    }
    *ret_source = source;
    return 0;
}

void
init_source_close(struct init_source *source)
{
    if (source->fd >= 0) {
        close(source->fd);
    }
    source->fd = -1;
}

void
init_source_path(const struct init_source *source, const char *name, char out[PATH_MAX])
{
    int size = name[0] == '/' ? snprintf(out, PATH_MAX, "%s", name)
                              : snprintf(out, PATH_MAX, "%s/%s", source->path, name);
    if (size >= PATH_MAX) {
        snprintf(out, PATH_MAX, "(a path that is too long)"); /* it is nowhere */
    }
}

/* -1 with errno. Kernels and sandboxes without openat2 get the stricter rule: no link at the end.
 */
static int
open_beneath(int folder, const char *name)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
        fd = openat(folder, name, OPEN_FLAGS | O_NOFOLLOW);
    }
    return fd;
}

static int
fault_open(struct fault *why, const char *path, int number)
{
    if (number == ENOENT || number == ENOTDIR) {
        return fault_set_number(why, FAULT_NOT_FOUND, "from", number, "%s is not there", path);
    }
    if (number == EXDEV || number == ELOOP) {
        return fault_set_number(
            why, FAULT_CONFIG, "from", number,
            "%s leads out of the folder by a symbolic link or \"..\", which is not "
            "followed: put the file itself there, or name it by its absolute "
            "path",
            path);
    }
    return fault_set_number(why, FAULT_CONFIG, "from", number, "%s cannot be read: %s", path,
                            strerror(number));
}

int
init_source_open_file(const struct init_source *source, const char *name, int *ret_fd,
                      struct fault *why)
{
    char path[PATH_MAX];
    struct stat status;
    init_source_path(source, name, path);
    int fd = name[0] == '/' ? open(name, OPEN_FLAGS | O_NOFOLLOW) : open_beneath(source->fd, name);
    if (fd < 0) {
        return fault_open(why, path, errno);
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return fault_set(why, FAULT_CONFIG, "from", "%s is no regular file", path);
    }
    *ret_fd = fd;
    return 0;
}

/* Reserved at once: a key must not leave copies in the heap. */
static int
read_all(int fd, const char *path, struct buf *b, struct fault *why)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return fault_open(why, path, errno);
    }
    if ((uintmax_t)status.st_size > b->size_max) {
        return fault_set(why, FAULT_TOO_LARGE, "from",
                         "%s has more than the %zu bytes that are taken", path, b->size_max);
    }
    size_t room = (size_t)status.st_size;
    uint8_t *at = buf_reserve(b, room);
    while (at != NULL && room > 0) {
        ssize_t count = read(fd, at, room);
        if (count < 0 && errno != EINTR) {
            return fault_open(why, path, errno);
        }
        if (count == 0) {
            break; /* it became shorter meanwhile */
        }
        buf_grew(b, count > 0 ? (size_t)count : 0);
        at += count > 0 ? count : 0;
        room -= count > 0 ? (size_t)count : 0;
    }
    return at != NULL ? 0 : fault_set(why, FAULT_MEMORY, "from", "no memory to read %s", path);
}

int
init_source_read(const struct init_source *source, const char *name, struct buf *ret_text,
                 struct fault *why)
{
    char path[PATH_MAX];
    int fd = -1;
    int failed = init_source_open_file(source, name, &fd, why);
    if (failed != 0) {
        return failed;
    }
    init_source_path(source, name, path);
    failed = read_all(fd, path, ret_text, why);
    close(fd);
    return failed;
}
