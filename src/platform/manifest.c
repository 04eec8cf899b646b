/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the platform manifest from efivarfs, tells why there is none, and sets the completion bit.
 *
 * Takes the folder of EFI variables; gives the manifest's bytes and a state. Called by the program,
 * on its only thread: reading first, marking last, when what was read is safe. Must never create a
 * variable, write one that the firmware protects or reports an error in, or change another bit than
 * the completion bit.
 *
 * Linux, Documentation/filesystems/efivarfs: four bytes of attributes, one write, immutable flag.
 */
#include "platform/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"

#define EFI_FOLDER "/sys/firmware/efi"
#define REQUEST "SgxRegistrationServerRequest-304e0796-d515-4698-ac6e-e76cb1a71c28"
#define STATUS "SgxRegistrationStatus-f236c5dc-a491-4bbe-bcdd-88885770df45"
#define CONFIGURATION "SgxRegistrationConfiguration-18b3bc81-e210-42b9-9ec8-2c5a7d4d89b6"

enum { PATH_SIZE = 4096 };

/* Of include/uapi/linux/magic.h, by value: older headers lack it. */
static const unsigned long efivarfs_magic = 0xde5e81e4UL;

/* ---- reading ---- */

/* 0, or the errno; ENAMETOOLONG included. */
static int
variable_read(const char *efivars, const char *name, struct buf *b, struct fault *why)
{
    char path[PATH_SIZE];
    if (snprintf(path, sizeof path, "%s/%s", efivars, name) >= (int)sizeof path) {
        (void)fault_set(why, FAULT_IO, "efi", "the path of the EFI variables is too long");
        return ENAMETOOLONG;
    }
    int rc = file_read(path, b, why);
    if (rc == FAULT_IO) {
        return why->number != 0 ? (int)why->number : EIO;
    }
    return rc == 0 ? 0 : rc == FAULT_MEMORY ? ENOMEM : EFBIG;
}

static void
state_set(struct manifest *manifest, enum platform_state state, const char *seen)
{
    manifest->finding.state = state;
    (void)snprintf(manifest->finding.seen, sizeof manifest->finding.seen, "%s", seen);
}

/* No registration variable at all: is it the platform, or does nobody show the variables? */
static void
judge_none(struct manifest *manifest, const char *efivars)
{
    struct stat status;
    struct statfs kind;
    bool is_default = strcmp(efivars, MANIFEST_EFIVARS) == 0;
    if (is_default && stat(EFI_FOLDER, &status) != 0) {
        state_set(manifest, STATE_MANIFEST_NO_EFI, EFI_FOLDER " does not exist.");
    } else if (stat(efivars, &status) != 0) {
        state_set(manifest, STATE_MANIFEST_NO_EFI, "The folder of the EFI variables is missing.");
    } else if (is_default &&
               (statfs(efivars, &kind) != 0 || (unsigned long)kind.f_type != efivarfs_magic)) {
        state_set(manifest, STATE_MANIFEST_NOT_MOUNTED, efivars);
    } else {
        state_set(manifest, STATE_MANIFEST_NEVER_OFFERED,
                  "None of the variables SgxRegistrationConfiguration, ...ServerRequest and "
                  "...Status exists.");
    }
}

/* The request is absent: status and configuration tell why, unless they are in trouble. */
static void
judge_absent(struct manifest *manifest, const char *efivars, const struct finding *trouble)
{
    char seen[FINDING_SEEN_SIZE];
    if (trouble->seen[0] != '\0') {
        manifest->finding = *trouble;
        return;
    }
    if (!manifest->has_status && !manifest->has_configuration) {
        judge_none(manifest, efivars);
        return;
    }
    if (!manifest->has_status) {
        state_set(manifest, STATE_MANIFEST_WITHHELD,
                  "There is a registration configuration, but neither request nor status.");
        return;
    }
    uint8_t error = manifest->status.error;
    bool is_complete = (manifest->status.bits & EFI_STATUS_COMPLETE) != 0;
    (void)snprintf(seen, sizeof seen,
                   "There is no request; the status has the completion bit %s and error 0x%02x "
                   "(%s).",
                   is_complete ? "set" : "clear", error, efi_error_words(error));
    enum platform_state state = STATE_MANIFEST_WITHHELD;
    if (error != 0 && error < 0x80) {
        state = STATE_MANIFEST_FIRMWARE_ERROR;
    } else if (is_complete) {
        state = error == 0 ? STATE_MANIFEST_CONSUMED : STATE_MANIFEST_REFUSED;
    }
    state_set(manifest, state, seen);
}

/* The request is there and well-formed. */
static void
judge_present(struct manifest *manifest, const struct efi_request *request)
{
    char seen[FINDING_SEEN_SIZE];
    bool is_complete = manifest->has_status && (manifest->status.bits & EFI_STATUS_COMPLETE) != 0;
    uint8_t error = manifest->has_status ? manifest->status.error : 0;
    (void)snprintf(seen, sizeof seen,
                   "The request (version %u) holds %zu bytes; the completion bit is %s; error "
                   "0x%02x (%s).",
                   request->version, request->payload.size,
                   !manifest->has_status ? "not to be seen, for there is no status variable"
                   : is_complete         ? "set"
                                         : "clear",
                   error, efi_error_words(error));
    if (request->kind == EFI_REQUEST_ADD_PACKAGE) {
        state_set(manifest, STATE_MANIFEST_ADD_PACKAGE, seen);
        return;
    }
    manifest->payload = request->payload;
    state_set(manifest, is_complete ? STATE_MANIFEST_REBOOT_PENDING : STATE_MANIFEST_WAITING, seen);
}

static void
trouble_set(struct finding *trouble, int error, const char *name, const struct fault *why)
{
    trouble->state = error == 0 ? STATE_MANIFEST_MALFORMED : STATE_MANIFEST_UNREADABLE;
    (void)snprintf(trouble->seen, sizeof trouble->seen, "%.40s: %s", name, why->text);
}

/* Status and configuration; what is wrong with one of them goes to ret_trouble. */
static void
read_others(const char *efivars, struct manifest *manifest, struct finding *ret_trouble)
{
    auto_cleanup(buf_done) struct buf file = BUF_INIT(LIMIT_EFI_VARIABLE_BYTES);
    struct fault why = {.number = 0};
    int error = variable_read(efivars, CONFIGURATION, &file, &why);
    manifest->has_configuration =
        error == 0 && efi_configuration_parse(buf_span(&file), &manifest->configuration, &why) == 0;
    if (!manifest->has_configuration && error != ENOENT && error != ENOTDIR) {
        trouble_set(ret_trouble, error, CONFIGURATION, &why);
    }
    buf_clear(&file);
    error = variable_read(efivars, STATUS, &file, &why);
    manifest->has_status =
        error == 0 && efi_status_parse(buf_span(&file), &manifest->status, &why) == 0;
    if (!manifest->has_status && error != ENOENT && error != ENOTDIR) {
        trouble_set(ret_trouble, error, STATUS, &why);
    }
}

int
manifest_read(const char *efivars, struct manifest *ret_manifest, struct fault *why)
{
    struct manifest manifest = {.file = BUF_INIT(LIMIT_EFI_VARIABLE_BYTES)};
    struct efi_request request;
    struct fault reason = {.number = 0};
    struct finding trouble = {.seen = ""};
    read_others(efivars, &manifest, &trouble);
    int error = variable_read(efivars, REQUEST, &manifest.file, &reason);
    if (error == ENOMEM) {
        buf_done(&manifest.file);
        return fault_set(why, FAULT_MEMORY, "efi", "no memory for the platform manifest");
    }
    if (error == ENOENT || error == ENOTDIR) {
        judge_absent(&manifest, efivars, &trouble);
    } else if (error == EFBIG) {
        state_set(&manifest, STATE_MANIFEST_MALFORMED, reason.text);
    } else if (error != 0) {
        state_set(&manifest, STATE_MANIFEST_UNREADABLE, reason.text);
    } else if (efi_request_parse(buf_span(&manifest.file), &request, &reason) != 0) {
        state_set(&manifest, STATE_MANIFEST_MALFORMED, reason.text);
    } else {
        manifest.version = request.version;
        judge_present(&manifest, &request);
    }
    *ret_manifest = manifest;
    return 0;
}

void
manifest_done(struct manifest *manifest)
{
    buf_done(&manifest->file);
    manifest->payload = span_of(NULL, 0);
}

/* ---- marking ---- */

/* The kernel makes most EFI variables immutable. File systems without such flags (a folder that
 * stands in for efivarfs) are fine. Returns the flags before, or -1 if there are none. */
static int
immutable_clear(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int flags = 0;
    if (fd < 0) {
        return -1;
    }
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) {
        close(fd);
        return -1;
    }
    int without = flags & ~FS_IMMUTABLE_FL;
    if (without != flags) {
        (void)ioctl(fd, FS_IOC_SETFLAGS, &without); /* if it fails, the write will say so */
    }
    close(fd);
    return flags;
}

static void
immutable_restore(const char *path, int flags)
{
    if (flags == -1 || (flags & FS_IMMUTABLE_FL) == 0) {
        return;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
        close(fd);
    }
}

/* efivarfs wants attributes and data in one write. Returns 0 or the errno. */
static int
variable_write(const char *path, const uint8_t bytes[EFI_STATUS_FILE_SIZE])
{
    int flags = immutable_clear(path);
    int error = 0;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        error = errno;
    } else {
        ssize_t count = write(fd, bytes, EFI_STATUS_FILE_SIZE);
        error = count == EFI_STATUS_FILE_SIZE ? 0 : count < 0 ? errno : EIO;
        if (close(fd) != 0 && error == 0) {
            error = errno;
        }
    }
    immutable_restore(path, flags);
    return error;
}

static enum manifest_mark
mark_write(const char *efivars, const struct efi_status *status, struct fault *why)
{
    char path[PATH_SIZE];
    uint8_t bytes[EFI_STATUS_FILE_SIZE];
    struct efi_status wanted = *status;
    wanted.bits |= EFI_STATUS_COMPLETE;
    wanted.error = 0; /* of a program's earlier, failed try */
    efi_status_render(&wanted, bytes);
    if (snprintf(path, sizeof path, "%s/" STATUS, efivars) >= (int)sizeof path) {
        (void)fault_set(why, FAULT_IO, "efi", "the path of the EFI variables is too long");
        return MANIFEST_MARK_FAILED;
    }
    int error = variable_write(path, bytes);
    if (error == EROFS || error == EPERM) {
        (void)fault_set_number(why, FAULT_IO, "efi", error,
                               "the status variable is read-only (%s): the manifest will be "
                               "offered again at the next boot, which does no harm",
                               strerrordesc_np(error));
        return MANIFEST_MARK_READ_ONLY;
    }
    if (error != 0) {
        (void)fault_set_number(why, FAULT_IO, "efi", error,
                               "the status variable cannot be written: %s", strerrordesc_np(error));
        return MANIFEST_MARK_FAILED;
    }
    auto_cleanup(buf_done) struct buf again = BUF_INIT(LIMIT_EFI_VARIABLE_BYTES);
    struct fault ignored = {.number = 0};
    if (variable_read(efivars, STATUS, &again, &ignored) != 0 ||
        !span_equal(buf_span(&again), span_of(bytes, sizeof bytes))) {
        (void)fault_set(why, FAULT_IO, "efi", "the status variable did not keep what was written");
        return MANIFEST_MARK_FAILED;
    }
    (void)fault_set(why, FAULT_NONE, "efi", "the registration is marked as complete");
    return MANIFEST_MARKED;
}

enum manifest_mark
manifest_mark_complete(const char *efivars, struct fault *why)
{
    auto_cleanup(buf_done) struct buf file = BUF_INIT(LIMIT_EFI_VARIABLE_BYTES);
    struct fault reason = {.number = 0};
    struct efi_status status;
    int error = variable_read(efivars, STATUS, &file, &reason);
    if (error == ENOENT) {
        (void)fault_set(why, FAULT_NOT_FOUND, "efi",
                        "there is no status variable, so completion cannot be recorded: the "
                        "manifest will be offered again at the next boot, which does no harm");
        return MANIFEST_MARK_NO_STATUS;
    }
    if (error != 0) {
        (void)fault_set_number(why, FAULT_IO, "efi", error, "%s", reason.text);
        return MANIFEST_MARK_FAILED;
    }
    if (efi_status_parse(buf_span(&file), &status, &reason) != 0) {
        (void)fault_set(why, FAULT_INPUT, "efi", "%s; the variable is left alone", reason.text);
        return MANIFEST_MARK_MALFORMED;
    }
    if (status.error != 0 && status.error < 0x80) {
        (void)fault_set(why, FAULT_INPUT, "efi",
                        "the status variable holds an error of the firmware, 0x%02x (%s); it is "
                        "left alone",
                        status.error, efi_error_words(status.error));
        return MANIFEST_MARK_FIRMWARE;
    }
    if ((status.bits & EFI_STATUS_COMPLETE) != 0) {
        (void)fault_set(why, FAULT_NONE, "efi", "the registration was marked as complete before");
        return MANIFEST_MARKED_BEFORE;
    }
    if ((status.attributes & EFI_NON_VOLATILE) == 0) {
        (void)fault_set(why, FAULT_IO, "efi",
                        "the firmware has made the status variable read-only: the manifest will "
                        "be offered again at the next boot, which does no harm");
        return MANIFEST_MARK_READ_ONLY;
    }
    return mark_write(efivars, &status, why);
}
