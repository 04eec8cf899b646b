/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the files of TrustAnchors (trust.md, The anchor; config.md).
 * Takes the configuration; gives the anchors, immutable for the program's life.
 * Called at start and by --check, on the main thread.
 * Must never fall back to the built-in root when a named file cannot be used.
 */
#include "setup/trust_files.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

enum { TRUST_FILES_MAX = 32 };

static int
read_files(const struct config *config, struct buf *texts, struct span *pems, struct fault *why)
{
    for (size_t i = 0; i < config->trust_anchor_count; i++) {
        texts[i] = BUF_INIT(LIMIT_PEM_FILE_BYTES);
        if (file_read(config->trust_anchors[i], &texts[i], why) != 0) {
            return fault_recode(why, FAULT_CONFIG);
        }
        pems[i] = buf_span(&texts[i]);
    }
    return 0;
}

int
trust_files_read(const struct config *config, struct trust_anchors **ret_anchors, struct fault *why)
{
    struct buf texts[TRUST_FILES_MAX] = {0};
    struct span pems[TRUST_FILES_MAX];
    size_t count = config->trust_anchor_count;
    if (count == 0) {
        return trust_anchors_builtin(ret_anchors, why);
    }
    if (count > TRUST_FILES_MAX) {
        return fault_set(why, FAULT_CONFIG, "config", "TrustAnchors names %zu files, at most %d",
                         count, TRUST_FILES_MAX);
    }
    int failed = read_files(config, texts, pems, why);
    if (failed == 0 && trust_anchors_from_pem(pems, count, ret_anchors, why) != 0) {
        struct fault cause = *why;
        failed = fault_set(why, FAULT_CONFIG, "config", "TrustAnchors (%s%s): %s",
                           config->trust_anchors[0], count > 1 ? ", ..." : "", cause.text);
    }
    for (size_t i = 0; i < count; i++) {
        buf_done(&texts[i]);
    }
    return failed;
}

void
trust_files_log(const struct trust_anchors *anchors)
{
    bool builtin = trust_anchors_are_builtin(anchors);
    for (size_t i = 0; i < trust_anchors_count(anchors); i++) {
        char fingerprint[65];
        trust_anchors_fingerprint(anchors, i, fingerprint);
        log_event(builtin ? LOG_EVENT_ANCHOR : LOG_EVENT_ANCHOR_REPLACED, NULL,
                  LOG_TEXT("key_sha256", fingerprint),
                  LOG_TEXT("crl_url", trust_anchors_crl_url(anchors, i)));
    }
}
