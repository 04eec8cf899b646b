/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole files, read with a ceiling and written so that a crash leaves the old or the new one.
 * Takes a path and a buf or bytes, gives the content or a fault with errno.
 * Called at start, on reload and by the tools; any thread, but it blocks on the disk, so never on a
 * server loop.
 * Must never leave a half-written file under the final name, nor a secret readable by more than
 * mode says at any moment: the temporary file is created with that mode.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static int
fault_errno(struct fault *why, const char *doing, const char *path)
{
    int number = errno;
    return fault_set_number(why, FAULT_IO, "file", number, "cannot %s %s: %s", doing, path,
                            strerrordesc_np(number) != NULL ? strerrordesc_np(number) : "?");
}

static ssize_t
read_again(int fd, void *out, size_t size)
{
    ssize_t count;
    do {
        count = read(fd, out, size);
    } while (count < 0 && errno == EINTR);
    return count;
}

/* Reserves the size of a regular file at once, so that reading it never copies it (a key file must
 * not leave copies in the heap). */
static void
reserve_for(int fd, struct buf *b)
{
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
        (uintmax_t)status.st_size <= b->size_max - b->size) {
        buf_reserve(b, (size_t)status.st_size);
    }
}

/* Reads to the end. When the room is used up, one byte more tells whether this is the end. */
static int
fault_full(struct fault *why, const char *path, const struct buf *b)
{
    if (b->failed == FAULT_MEMORY) {
        return fault_set(why, FAULT_MEMORY, "file", "no memory to read %s", path);
    }
    return fault_set(why, FAULT_TOO_LARGE, "file", "%s has more than the %zu bytes that are taken",
                     path, b->size_max);
}

/* Reads to the end. When the room is used up, one byte more tells whether this is the end. */
static int
read_all(int fd, const char *path, struct buf *b, struct fault *why)
{
    reserve_for(fd, b);
    while (b->failed == 0) {
        uint8_t extra;
        size_t room = b->capacity > b->size + 1 ? b->capacity - b->size - 1 : 0;
        ssize_t count =
            room != 0 ? read_again(fd, b->data + b->size, room) : read_again(fd, &extra, 1);
        if (count < 0) {
            return fault_errno(why, "read", path);
        }
        if (count == 0) {
            return 0;
        }
        if (room != 0) {
            buf_grew(b, (size_t)count);
        } else {
            buf_add_byte(b, extra);
        }
    }
    return fault_full(why, path, b);
}

int
file_read(const char *path, struct buf *b, struct fault *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return fault_errno(why, "open", path);
    }
    size_t size_before = b->size;
    int failed = read_all(fd, path, b, why);
    close(fd);
    if (failed != 0 && b->data != NULL) {
        b->size = size_before;
        b->data[b->size] = '\0';
    }
    return failed;
}

enum { TEMPORARY_NAME_TRIES = 100 };

/* Opens a new file beside path; its name goes to temporary. */
static int
open_temporary(const char *path, mode_t mode, char temporary[PATH_MAX])
{
    for (int tries = 0; tries < TEMPORARY_NAME_TRIES; tries++) {
        uint32_t random = 0;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
            return -1;
        }
        if (snprintf(temporary, PATH_MAX, "%s.%08x.tmp", path, random) >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

static bool
write_all(int fd, struct span bytes)
{
    for (size_t at = 0; at < bytes.size;) {
        ssize_t count = write(fd, bytes.data + at, bytes.size - at);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        at += count > 0 ? (size_t)count : 0;
    }
    return true;
}

/* Makes the rename itself durable. Some file systems cannot sync a directory and say EINVAL: they
 * give no better promise than that. */
static bool
sync_folder_of(const char *path)
{
    char copy[PATH_MAX];
    if (!span_to_text(span_of_text(path), copy, sizeof copy)) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool ok = fsync(fd) == 0 || errno == EINVAL;
    int number = errno;
    close(fd);
    errno = number;
    return ok;
}

int
file_write_atomic(const char *path, struct span bytes, mode_t mode, struct fault *why)
{
    char temporary[PATH_MAX];
    int fd = open_temporary(path, mode, temporary);
    if (fd < 0) {
        return fault_errno(why, "create a file beside", path);
    }
    bool ok = write_all(fd, bytes) && fsync(fd) == 0;
    int number = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        number = errno;
    }
    if (ok && rename(temporary, path) != 0) {
        ok = false;
        number = errno;
    }
    if (!ok) {
        unlink(temporary);
        errno = number;
        return fault_errno(why, "write", path);
    }
    return sync_folder_of(path) ? 0 : fault_errno(why, "sync the folder of", path);
}
