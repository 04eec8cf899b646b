/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies an SQLite file with its journals and lets SQLite put the copy in order: what was committed
 * is in it, what was not is rolled back.
 * Takes open descriptors, since the caller decides which links may be followed; gives one file.
 * Called by pccsadmin init --from, on the main thread.
 * Must never write to the original, nor copy while somebody else may write: a shared lock of the
 * kind that SQLite takes is held meanwhile (sqlite.org/lockingv3.html).
 */
#include "setup/database_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    LOCK_START = 0x40000000, /* sqlite.org/fileformat2.html, 1.4: the lock-byte page */
    LOCK_SHARED_START = LOCK_START + 2,
    LOCK_SHARED_SIZE = 510,
    LOCK_SIZE = 512,
    CHUNK_BYTES = 1024 * 1024,
    ROOM_EXTRA_BYTES = 16 * 1024 * 1024,
    COPY_MODE = 0640, /* as the service's own: PPIDs and manifests are in it */
    SUFFIX_COUNT = 4,
};

static const char *const suffixes[SUFFIX_COUNT] = {"", "-wal", "-journal", "-shm"};

static int
fault_errno(struct fault *why, const char *doing, const char *path)
{
    int number = errno;
    return fault_set_number(why, FAULT_IO, "database", number, "cannot %s %s: %s", doing, path,
                            strerror(number));
}

/* ---- is it idle ---- */

static int
fault_busy(struct fault *why, const char *shown, const char *pid, const char *what)
{
    char path[64];
    char name[32] = "?";
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, name, sizeof name - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (size > 0) {
        name[size] = '\0';
        name[strcspn(name, "\n")] = '\0';
    }
    return fault_set(why, FAULT_BUSY, "database",
                     "process %.20s (%s) has %s %s: stop that service first (systemctl stop pccs, "
                     "docker stop ...)",
                     pid, name, shown, what);
}

/* True if one of the process's descriptors is this file. */
static bool
process_has_open(const char *pid, const struct stat *file)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *folder = opendir(path);
    bool has = false;
    const struct dirent *entry;
    while (folder != NULL && !has && (entry = readdir(folder)) != NULL) {
        struct stat status;
        has = entry->d_name[0] != '.' && fstatat(dirfd(folder), entry->d_name, &status, 0) == 0 &&
              status.st_dev == file->st_dev && status.st_ino == file->st_ino;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return has;
}

/* An idle service holds no lock, but it has the file open. Without root only one's own processes
 * can be seen. */
static int
check_open(const struct database_files *files, struct fault *why)
{
    struct stat file;
    if (fstat(files->file, &file) != 0) {
        return fault_errno(why, "look at", files->shown);
    }
    DIR *folder = opendir("/proc");
    pid_t own = getpid();
    int failed = 0;
    const struct dirent *entry;
    while (folder != NULL && failed == 0 && (entry = readdir(folder)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10); /* 0: no process */
        if (pid > 0 && pid != own && process_has_open(entry->d_name, &file)) {
            failed = fault_busy(why, files->shown, entry->d_name, "open");
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return failed;
}

static int
check_locks(const struct database_files *files, struct fault *why)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_START, .l_len = LOCK_SIZE};
    if (fcntl(files->file, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) {
        return 0; /* file systems without locks: nobody can tell */
    }
    char pid[24];
    snprintf(pid, sizeof pid, "%ld", (long)lock.l_pid);
    return fault_busy(why, files->shown, pid, "locked");
}

int
database_check_idle(const struct database_files *files, struct fault *why)
{
    int failed = check_locks(files, why);
    return failed != 0 ? failed : check_open(files, why);
}

/* ---- copying ---- */

static int
lock_shared(const struct database_files *files, struct fault *why)
{
    struct flock lock = {.l_type = F_RDLCK,
                         .l_whence = SEEK_SET,
                         .l_start = LOCK_SHARED_START,
                         .l_len = LOCK_SHARED_SIZE};
    if (fcntl(files->file, F_SETLK, &lock) != 0 && (errno == EAGAIN || errno == EACCES)) {
        return fault_set(why, FAULT_BUSY, "database", "%s is locked: somebody writes to it",
                         files->shown);
    }
    return 0;
}

static void
unlock(const struct database_files *files)
{
    struct flock lock = {
        .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = LOCK_START, .l_len = LOCK_SIZE};
    (void)fcntl(files->file, F_SETLK, &lock);
}

static uint64_t
size_of(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static int
check_room(const struct database_files *files, const char *to, struct fault *why)
{
    char folder[PATH_MAX];
    struct statvfs disk;
    snprintf(folder, sizeof folder, "%s", to);
    char *slash = strrchr(folder, '/');
    must(slash != NULL); /* callers name an absolute path */
    *(slash == folder ? slash + 1 : slash) = '\0';
    if (statvfs(folder, &disk) != 0) {
        return fault_errno(why, "look at the disk of", folder);
    }
    uint64_t wanted = size_of(files->file) + 2 * size_of(files->wal) + 2 * size_of(files->journal) +
                      ROOM_EXTRA_BYTES;
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room < wanted) {
        return fault_set(why, FAULT_IO, "database",
                         "%s has room for %llu MB, the copy of the database needs %llu", folder,
                         (unsigned long long)(room >> 20), (unsigned long long)(wanted >> 20));
    }
    return 0;
}

static bool
write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = write(fd, bytes, size);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        bytes += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool
copy_bytes(int from, int to, uint8_t *chunk)
{
    off_t at = 0;
    for (;;) {
        ssize_t count = pread(from, chunk, CHUNK_BYTES, at);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count == 0;
        }
        if (!write_all(to, chunk, (size_t)count)) {
            return false;
        }
        at += count;
    }
}

static int
copy_file(int from, const char *to, struct fault *why)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, COPY_MODE);
    if (fd < 0) {
        return fault_errno(why, "make", to);
    }
    auto_free uint8_t *chunk = malloc(CHUNK_BYTES);
    int failed = chunk == NULL
                     ? fault_set(why, FAULT_MEMORY, "database", "no memory to copy a database")
                 : copy_bytes(from, fd, chunk) ? 0
                                               : fault_errno(why, "write", to);
    if (close(fd) != 0 && failed == 0) {
        failed = fault_errno(why, "write", to);
    }
    return failed;
}

static int
copy_files(const struct database_files *files, const char *to, struct fault *why)
{
    const int from[] = {files->file, files->wal, files->journal};
    int failed = lock_shared(files, why);
    for (size_t i = 0; failed == 0 && i < ARRAY_COUNT(from); i++) {
        char name[PATH_MAX];
        snprintf(name, sizeof name, "%s%s", to, suffixes[i]);
        failed = from[i] >= 0 ? copy_file(from[i], name, why) : 0;
    }
    unlock(files);
    return failed;
}

/* ---- putting in order ---- */

/* The first column of the first row must be `wanted`, if one is named. */
static bool
pragma_run(sqlite3 *handle, const char *text, const char *wanted)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(handle, text, -1, &statement, NULL);
    code = code == SQLITE_OK ? sqlite3_step(statement) : code;
    const char *got = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    bool good = code == SQLITE_ROW || code == SQLITE_DONE;
    good = good && (wanted == NULL || (got != NULL && strcmp(got, wanted) == 0));
    sqlite3_finalize(statement);
    return good;
}

static int
fault_damaged(sqlite3 *handle, const char *shown, struct fault *why)
{
    int code = sqlite3_errcode(handle);
    const char *reason = code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE
                             ? "pages of it do not fit together"
                             : sqlite3_errmsg(handle);
    return fault_set_number(why, FAULT_CONFIG, "database", code,
                            "%s is no sound SQLite database: %s; put a backup in its place, or go "
                            "on with --without-database",
                            shown, reason);
}

/* The file is a stranger's: nothing in its schema may run. */
static int
settle(const struct database_files *files, const char *to, struct fault *why)
{
    sqlite3 *handle = NULL;
    int code = sqlite3_open_v2(to, &handle, SQLITE_OPEN_READWRITE, NULL);
    bool good = code == SQLITE_OK &&
                sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
                sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) == SQLITE_OK &&
                pragma_run(handle, "PRAGMA cell_size_check = ON", NULL) &&
                pragma_run(handle, "PRAGMA quick_check(1)", "ok") &&
                pragma_run(handle, "PRAGMA journal_mode = DELETE", "delete");
    int failed = good ? 0 : fault_damaged(handle, files->shown, why);
    sqlite3_close(handle);
    return failed;
}

static int
sync_file(const char *path, struct fault *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int failed = fd < 0 || fsync(fd) != 0 ? fault_errno(why, "sync", path) : 0;
    if (fd >= 0) {
        close(fd);
    }
    return failed;
}

int
database_copy(const struct database_files *files, const char *to, struct fault *why)
{
    if (strlen(to) + sizeof "-journal" > PATH_MAX) {
        return fault_set(why, FAULT_CONFIG, "database", "the path of the copy is too long");
    }
    int failed = check_room(files, to, why);
    if (failed == 0 && access(to, F_OK) == 0) {
        return fault_set(why, FAULT_CONFIG, "database", "%s exists; it is not overwritten", to);
    }
    failed = failed != 0 ? failed : copy_files(files, to, why);
    failed = failed != 0 ? failed : settle(files, to, why);
    failed = failed != 0 ? failed : sync_file(to, why);
    for (size_t i = failed != 0 ? 0 : 1; i < SUFFIX_COUNT; i++) {
        char name[PATH_MAX];
        snprintf(name, sizeof name, "%s%s", to, suffixes[i]);
        (void)unlink(name);
    }
    return failed;
}
