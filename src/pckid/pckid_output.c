/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes records to disk, so that nothing is lost: what exists stays until its successor is
 * complete and synced.
 *
 * Takes a path and a line of CSV; gives a durable file. The program's only thread: checking first,
 * before the firmware or the enclaves are touched, writing last. Must never truncate an existing
 * file, nor replace one that nobody allowed to be replaced.
 *
 * tools.md, All (output files) and PCKIDRetrievalTool (private copy).
 */
#include "pckid/pckid_output.h"

#include <errno.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "pckid/pckid_ask.h"

enum { COPY_MODE = 0600, CSV_MODE = 0644, SHOWN_ID_BYTES = 32, SHOWN_HASH_BYTES = 8 };

/* ---- checking ---- */

static int
folder_check(const char *path, struct pckid_report *report)
{
    char copy[PCKID_PATH_SIZE];
    struct stat status;
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy) {
        return report_fail(report, PCKID_FAILED, "%s: the path is too long", path);
    }
    const char *folder = dirname(copy);
    if (stat(folder, &status) != 0) {
        return report_fail(report, PCKID_FAILED, "the folder %s of the CSV: %s", folder,
                           strerrordesc_np(errno));
    }
    if (!S_ISDIR(status.st_mode)) {
        return report_fail(report, PCKID_FAILED, "%s is no folder", folder);
    }
    if (access(folder, W_OK | X_OK) != 0) {
        return report_fail(report, PCKID_FAILED, "nothing can be written in the folder %s: %s",
                           folder, strerrordesc_np(errno));
    }
    return PCKID_DONE;
}

static int
overwrite_check(const struct pckid_settings *settings, struct pckid_report *report)
{
    const char *path = settings->csv_path;
    struct stat status;
    char question[PCKID_PATH_SIZE + 32];
    if (lstat(path, &status) != 0) {
        return PCKID_DONE;
    }
    if (!S_ISREG(status.st_mode)) {
        return report_fail(report, PCKID_FAILED, "%s exists and is no regular file", path);
    }
    if (settings->options->is_given[PCKID_OVERWRITE] || settings->options->is_given[PCKID_YES]) {
        return PCKID_DONE;
    }
    if (!pckid_can_ask()) {
        return report_fail(report, PCKID_FAILED,
                           "%s exists and was left as it is; --overwrite replaces it, -f FILE "
                           "takes another name",
                           path);
    }
    (void)snprintf(question, sizeof question, "%s exists. Replace it?", path);
    return pckid_ask_yes(question)
               ? PCKID_DONE
               : report_fail(report, PCKID_FAILED, "%s was left as it is", path);
}

/* Makes the folder and its parents. */
static int
folder_make(const char *path)
{
    char part[PCKID_PATH_SIZE];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof part) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; i < size; i++) {
        if (path[i] != '/') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST) {
            return -1;
        }
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

static int
state_check(const struct pckid_settings *settings, struct pckid_report *report)
{
    const char *path = settings->state_dir;
    if (folder_make(path) != 0 || access(path, W_OK | X_OK) != 0) {
        return report_fail(report, PCKID_FAILED,
                           "the folder of private copies, %s: %s; --state DIR names another", path,
                           strerrordesc_np(errno));
    }
    return PCKID_DONE;
}

int
output_check(const struct pckid_settings *settings, struct pckid_report *report)
{
    int rc = PCKID_DONE;
    if (settings->csv_path != NULL) {
        rc = folder_check(settings->csv_path, report);
        rc = rc != 0 ? rc : overwrite_check(settings, report);
    }
    return rc != 0 ? rc : state_check(settings, report);
}

/* ---- writing ---- */

static bool
add_hash(struct buf *out, struct span bytes)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    return EVP_Digest(bytes.data, bytes.size, hash, &size, EVP_sha256(), NULL) == 1 &&
           hex_add_lower(out, span_of(hash, SHOWN_HASH_BYTES)) == 0;
}

/* ID.csv, or ID-HASH.csv with the hash of the manifest. */
static bool
copy_name(const struct pckid_record *record, struct buf *out)
{
    struct span id = span_of(record->id, record->id_size);
    bool ok = id.size <= SHOWN_ID_BYTES ? hex_add_lower(out, id) == 0 : add_hash(out, id);
    if (record->manifest.size > 0) {
        buf_add_byte(out, '-');
        ok = ok && add_hash(out, buf_span(&record->manifest));
    }
    buf_add_text(out, ".csv");
    return ok && out->failed == 0;
}

int
output_keep_copy(const char *state_dir, const struct pckid_record *record, struct span csv,
                 char ret_path[PCKID_PATH_SIZE], struct fault *why)
{
    auto_cleanup(buf_done) struct buf name = BUF_INIT(256);
    char path[PCKID_PATH_SIZE];
    if (!copy_name(record, &name)) {
        return fault_set(why, FAULT_MEMORY, "copy", "no memory for a name");
    }
    if (snprintf(path, sizeof path, "%s/%s", state_dir, buf_text(&name)) >= (int)sizeof path) {
        return fault_set(why, FAULT_IO, "copy", "the path of the private copy is too long");
    }
    int rc = file_write_atomic(path, csv, COPY_MODE, why);
    if (rc == 0) {
        memcpy(ret_path, path, sizeof path);
    }
    return rc;
}

int
output_write_csv(const char *path, struct span csv, struct fault *why)
{
    return file_write_atomic(path, csv, CSV_MODE, why);
}
