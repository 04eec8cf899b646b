/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Picks the store's driver by DB_CONFIG and gives it what it needs of the configuration.
 * Called at start and by --check, on the main thread.
 */
#include "setup/store_open.h"

#include <stdio.h>

#include "base/log.h"
#include "base/url.h"
#include "store/store.h"

static void
log_notice(void *self, const char *text)
{
    (void)self;
    log_event(LOG_EVENT_STORE_NOTICE, NULL, LOG_TEXT("text", text));
}

static void
print_notice(void *self, const char *text)
{
    (void)self;
    printf("store: %s\n", text);
}

/* host is what server_addr borrows. */
static int
store_options_of(const struct config *config, const struct clock *clock, char host[256],
                 struct store_options *ret_options, struct fault *why)
{
    struct url_parts parts;
    host[0] = '\0';
    if (strcmp(config->db_config, "sqlite") != 0) {
        return fault_set(why, FAULT_CONFIG, "store",
                         "DB_CONFIG: \"%s\" is not built in; \"sqlite\" is", config->db_config);
    }
    if (url_split(span_of_text(config->uri), &parts) == 0) {
        span_to_text(parts.host, host, 256);
    }
    *ret_options = (struct store_options){
        .path = config->sqlite_storage,
        .server_addr = host,
        .api_version = (int)config->upstream_version,
        .init_db = config->init_db,
        .clock = clock,
        .on_notice = log_notice,
    };
    return 0;
}

int
store_open(const struct config *config, const struct clock *clock, struct store **ret_store,
           struct fault *why)
{
    struct store_options options;
    char host[256];
    int failed = store_options_of(config, clock, host, &options, why);
    return failed == 0 ? store_open_sqlite(&options, ret_store, why) : failed;
}

int
store_check_with(const struct config *config, const struct clock *clock,
                 void (*on_notice)(void *self, const char *text), void *self, struct fault *why)
{
    struct store_options options;
    char host[256];
    int failed = store_options_of(config, clock, host, &options, why);
    if (failed != 0) {
        return failed;
    }
    options.on_notice = on_notice;
    options.self = self;
    return store_check_sqlite(&options, why);
}

int
store_check(const struct config *config, const struct clock *clock, struct fault *why)
{
    return store_check_with(config, clock, print_notice, NULL, why);
}
