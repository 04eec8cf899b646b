/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Output files that are never seen half written (tools.md, All): written beside their place,
 * synced, renamed; the old one stays until then. Streams, so that a file of ten thousand platforms
 * needs no memory. Takes pieces; gives the file on commit, or nothing. Called by the commands, on
 * the main thread. One list of the temporary files that exist serves a signal handler; it holds
 * paths only and is changed with the signals blocked. Must never leave a temporary file behind, not
 * even when interrupted.
 */
#include "pccsadmin/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { OPEN_FILES_MAX = 8, COPY_BYTES = 64 * 1024 };

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static char open_files[OPEN_FILES_MAX][PATH_MAX]; /* "": free */

static void
remove_and_die(int number)
{
    for (size_t i = 0; i < OPEN_FILES_MAX; i++) {
        if (open_files[i][0] != '\0') {
            unlink(open_files[i]);
        }
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void
signals_block(sigset_t *kept)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
        sigaddset(&set, signals[i]);
    }
    pthread_sigmask(SIG_BLOCK, &set, kept);
}

static void
handlers_install(void)
{
    static bool is_installed;
    struct sigaction action = {.sa_handler = remove_and_die};
    for (size_t i = 0; !is_installed && i < ARRAY_COUNT(signals); i++) {
        struct sigaction present;
        if (sigaction(signals[i], NULL, &present) == 0 && present.sa_handler == SIG_DFL) {
            sigaction(signals[i], &action, NULL);
        }
    }
    is_installed = true;
}

/* Exchanges one path of the list for another; "" is free. */
static bool
list_replace(const char *from, const char *to)
{
    sigset_t kept;
    bool is_found = false;
    signals_block(&kept);
    for (size_t i = 0; i < OPEN_FILES_MAX && !is_found; i++) {
        is_found = strcmp(open_files[i], from) == 0;
        if (is_found) {
            snprintf(open_files[i], PATH_MAX, "%s", to);
        }
    }
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    return is_found;
}

static int
fault_file(const char *doing, const char *path, struct fault *why)
{
    return fault_set_number(why, FAULT_IO, "file", errno, "cannot %s %s: %s", doing, path,
                            strerror(errno));
}

int
out_file_open(const char *path, struct out_file *ret_file, struct fault *why)
{
    struct out_file file = {0};
    if (snprintf(file.path, sizeof file.path, "%s", path) >= PATH_MAX ||
        snprintf(file.temporary, sizeof file.temporary, "%s.XXXXXX.tmp", path) >= PATH_MAX) {
        return fault_set(why, FAULT_IO, "file", "the path of the output is too long");
    }
    int fd = mkostemps(file.temporary, 4, O_CLOEXEC);
    if (fd < 0) {
        return fault_file("create a file beside", path, why);
    }
    mode_t mask = umask(0);
    umask(mask);
    handlers_install();
    if (fchmod(fd, 0666 & ~mask) != 0 || !list_replace("", file.temporary) ||
        (file.stream = fdopen(fd, "w+")) == NULL) {
        int failed = fault_file("prepare a file beside", path, why);
        list_replace(file.temporary, "");
        unlink(file.temporary);
        close(fd);
        return failed;
    }
    *ret_file = file;
    return 0;
}

void
out_file_write(struct out_file *file, struct span bytes)
{
    if (bytes.size > 0) {
        fwrite(bytes.data, 1, bytes.size, file->stream);
    }
}

void
out_file_write_text(struct out_file *file, const char *text)
{
    fputs(text, file->stream);
}

int
out_file_append(struct out_file *file, struct out_file *other, struct fault *why)
{
    uint8_t bytes[COPY_BYTES];
    if (fflush(other->stream) != 0 || fseeko(other->stream, 0, SEEK_SET) != 0) {
        return fault_file("read again", other->temporary, why);
    }
    size_t count;
    while ((count = fread(bytes, 1, sizeof bytes, other->stream)) > 0) {
        fwrite(bytes, 1, count, file->stream);
    }
    return ferror(other->stream) ? fault_file("read again", other->temporary, why) : 0;
}

/* Makes the rename itself durable where the file system can (EINVAL: it cannot). */
static bool
folder_sync(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

int
out_file_commit(struct out_file *file, struct fault *why)
{
    bool ok =
        fflush(file->stream) == 0 && !ferror(file->stream) && fsync(fileno(file->stream)) == 0;
    int number = errno;
    if (fclose(file->stream) != 0 && ok) {
        ok = false;
        number = errno;
    }
    file->stream = NULL;
    if (ok && rename(file->temporary, file->path) != 0) {
        ok = false;
        number = errno;
    }
    if (!ok) {
        unlink(file->temporary);
    }
    list_replace(file->temporary, "");
    errno = number;
    if (!ok) {
        return fault_file("write", file->path, why);
    }
    return folder_sync(file->path) ? 0 : fault_file("sync the folder of", file->path, why);
}

void
out_file_abort(struct out_file *file)
{
    if (file->stream != NULL) {
        fclose(file->stream);
        file->stream = NULL;
        unlink(file->temporary);
        list_replace(file->temporary, "");
    }
}

int
out_array_add(struct out_array *array, struct span element, struct fault *why)
{
    if (array->file.stream == NULL) {
        int failed = out_file_open(array->path, &array->file, why);
        if (failed != 0) {
            return failed;
        }
    }
    out_file_write_text(&array->file, array->count == 0 ? "[" : ", ");
    out_file_write(&array->file, element);
    array->count++;
    return 0;
}

int
out_array_commit(struct out_array *array, struct fault *why)
{
    if (array->file.stream == NULL) {
        return 0;
    }
    out_file_write_text(&array->file, "]");
    return out_file_commit(&array->file, why);
}
