/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsd --check: would the service start? The configuration has been read by now; here its values
 * are printed (secrets as "(set)"), and schedule, anchors, TLS files and store are opened.
 * Takes a configuration; gives text on standard output and a fault for the first thing that is
 * wrong. Called by main.
 * Must never create or change a file: it may run as another user than the service.
 */
#include "pccsd/check.h"

#include <stdio.h>

#include "base/mem.h"
#include "pcs/pcs.h"
#include "schedule/cron.h"
#include "setup/store_open.h"
#include "setup/tls_files.h"
#include "setup/trust_files.h"

enum { VALUES_BYTES_MAX = 4 * LIMIT_CONFIG_BYTES };

static int
print_schedule(const struct config *config, const struct clock *clock, struct fault *why)
{
    struct cron schedule;
    char text[CLOCK_ISO8601_SIZE] = "never";
    int failed = cron_parse(span_of_text(config->refresh_schedule), &schedule, why);
    if (failed == 0) {
        int64_t at = cron_next(&schedule, clock_now(clock));
        if (at != 0) {
            clock_format_iso8601(at, text);
        }
        printf("next refresh: %s\n", text);
    }
    return failed;
}

static int
check_anchors(const struct config *config, struct fault *why)
{
    struct trust_anchors *anchors = NULL;
    int failed = trust_files_read(config, &anchors, why);
    for (size_t i = 0; failed == 0 && i < trust_anchors_count(anchors); i++) {
        char fingerprint[65];
        trust_anchors_fingerprint(anchors, i, fingerprint);
        printf("trust anchor: %s, key SHA-256 %s\n",
               trust_anchors_are_builtin(anchors) ? "Intel SGX Root CA"
                                                  : "REPLACED by TrustAnchors",
               fingerprint);
    }
    trust_anchors_free(anchors);
    return failed;
}

static int
check_tls(const struct config *config, struct fault *why)
{
    SSL_CTX *tls = NULL;
    int64_t not_after;
    int failed = tls_files_load(config, &tls, &not_after, why);
    if (failed == 0) {
        char text[CLOCK_ISO8601_SIZE];
        clock_format_iso8601(not_after, text);
        printf("TLS key pair: fine, certificate until %s\n", text);
    }
    SSL_CTX_free(tls);
    return failed;
}

/* The service itself loads libcurl when it first fetches. */
static int
check_upstream(const struct config *config, struct fault *why)
{
    if (config->mode == CACHE_MODE_OFFLINE) {
        return 0;
    }
    int failed = pcs_client_check(why);
    if (failed == 0) {
        puts("upstream: libcurl can be loaded");
    }
    return failed;
}

int
check_configuration(const struct config *config, const struct buf *warnings,
                    const struct clock *clock, struct fault *why)
{
    auto_cleanup(buf_done) struct buf values = BUF_INIT(VALUES_BYTES_MAX);
    if (config_print(config, &values) != 0) {
        return fault_set(why, FAULT_MEMORY, "config", "no memory to print the configuration");
    }
    fputs(buf_text(&values), stdout);
    fputs(buf_text(warnings), stderr);
    int failed = print_schedule(config, clock, why);
    if (failed == 0) {
        failed = check_anchors(config, why);
    }
    if (failed == 0) {
        failed = check_tls(config, why);
    }
    if (failed == 0) {
        failed = store_check(config, clock, why);
        if (failed == 0) {
            puts("store: fine");
        }
    }
    if (failed == 0) {
        failed = check_upstream(config, why);
    }
    if (failed == 0) {
        puts("the configuration is fine");
    }
    return failed;
}
