/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the configuration again on SIGHUP and takes over what may change while the service runs
 * (config.md, Programs); everything else waits for a restart.
 * Takes the same files as the start did; changes tokens, TLS context, log and timer, each behind
 * its own lock.
 * Called by the main thread.
 * Must never drop a connection, and never take over half of a configuration: all that can fail is
 * done before the first change.
 */
#include "pccsd/reload.h"

#include "base/mem.h"
#include "pccsd/daemon.h"
#include "pccsd/notify.h"
#include "setup/tls_files.h"

static int
reload_take(struct daemon *daemon, const struct config *next, struct fault *why)
{
    struct cron schedule;
    SSL_CTX *tls = NULL;
    int64_t not_after = 0;
    int failed = cron_parse(span_of_text(next->refresh_schedule), &schedule, why);
    if (failed == 0) {
        failed = tls_files_load(next, &tls, &not_after, why);
    }
    if (failed == 0) {
        failed = log_reopen(why);
    }
    if (failed == 0) {
        log_set_level(next->log_level);
        tokens_set(&daemon->tokens, next);
        timer_set_schedule(&daemon->timer, &schedule);
        http_server_set_tls(daemon->server, tls);
        health_set_tls_end(&daemon->health, next->tls_certificate, not_after);
    }
    SSL_CTX_free(tls);
    return failed;
}

void
reload(struct daemon *daemon)
{
    struct config next;
    struct fault why = {0};
    auto_cleanup(buf_done) struct buf warnings = BUF_INIT(OPTIONS_WARNINGS_BYTES_MAX);
    notify_reloading();
    int failed = options_read(&daemon->options, &next, &warnings, &why);
    if (failed == 0) {
        failed = reload_take(daemon, &next, &why);
        config_done(&next);
    }
    options_log_warnings(&warnings);
    if (failed == 0) {
        log_event(LOG_EVENT_RELOAD, NULL, LOG_TEXT("file", daemon->options.config_path));
    } else {
        log_event(LOG_EVENT_RELOAD_FAILED, NULL, LOG_FAULT(&why));
    }
    notify_ready();
}
