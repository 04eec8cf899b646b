/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Picks the store's driver by DB_CONFIG and gives it what it needs of the configuration.
 * Called at start and by --check, on the main thread.
 */
#include "pccsd/store_open.h"

#include "base/log.h"
#include "base/url.h"
#include "store/store.h"

static void
log_notice(void *self, const char *text)
{
    (void)self;
    log_event(LOG_EVENT_STORE_NOTICE, NULL, LOG_TEXT("text", text));
}

int
store_open(const struct config *config, const struct clock *clock, bool init_db,
           struct store **ret_store, struct fault *why)
{
    struct url_parts parts;
    char host[256] = "";
    if (strcmp(config->db_config, "sqlite") != 0) {
        return fault_set(why, FAULT_CONFIG, "store",
                         "DB_CONFIG: \"%s\" is not built in; \"sqlite\" is", config->db_config);
    }
    if (url_split(span_of_text(config->uri), &parts) == 0) {
        span_to_text(parts.host, host, sizeof host);
    }
    struct store_options options = {
        .path = config->sqlite_storage,
        .server_addr = host,
        .api_version = (int)config->upstream_version,
        .init_db = init_db,
        .clock = clock,
        .on_notice = log_notice,
    };
    return store_open_sqlite(&options, ret_store, why);
}
