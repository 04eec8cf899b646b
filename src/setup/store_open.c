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

/* What the options borrow. */
struct borrowed {
    char host[256];
    struct store_server_options server;
};

typedef int open_fn(const struct store_options *options, struct store **ret_store,
                    struct fault *why);
typedef int check_fn(const struct store_options *options, struct fault *why);

/* DB_CONFIG's words; config_check takes no others. */
static const struct driver {
    const char *word;
    open_fn *open;
    check_fn *check;
} drivers[] = {
    {"sqlite", store_open_sqlite, store_check_sqlite},
    {"postgres", store_open_postgres, store_check_postgres},
    {"mariadb", store_open_mariadb, store_check_mariadb},
    {"mysql", store_open_mariadb, store_check_mariadb},
};

static const struct driver *
driver_find(const struct config *config, struct fault *why)
{
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
        if (strcmp(config->db_config, drivers[i].word) == 0) {
            return &drivers[i];
        }
    }
    fault_set(why, FAULT_CONFIG, "store", "DB_CONFIG: \"%s\" is not known", config->db_config);
    return NULL;
}

static void
store_options_of(const struct config *config, const struct clock *clock, struct borrowed *borrowed,
                 struct store_options *ret_options)
{
    const struct config_db_server *section = &config->db_server;
    struct url_parts parts;
    *borrowed = (struct borrowed){.server = {.database = section->database,
                                             .username = section->username,
                                             .password = section->password,
                                             .host = section->host,
                                             .port = section->port,
                                             .pool_max = section->pool_max,
                                             .ssl_required = section->ssl_required,
                                             .ssl_ca = section->ssl_ca}};
    if (url_split(span_of_text(config->uri), &parts) == 0) {
        span_to_text(parts.host, borrowed->host, sizeof borrowed->host);
    }
    *ret_options = (struct store_options){
        .path = config->sqlite_storage,
        .server = &borrowed->server,
        .server_addr = borrowed->host,
        .api_version = (int)config->upstream_version,
        .init_db = config->init_db,
        .clock = clock,
    };
}

int
store_open_with(const struct config *config, const struct clock *clock,
                void (*on_notice)(void *self, const char *text), void *self,
                struct store **ret_store, struct fault *why)
{
    const struct driver *driver = driver_find(config, why);
    if (driver == NULL) {
        return FAULT_CONFIG;
    }
    struct store_options options;
    struct borrowed borrowed;
    store_options_of(config, clock, &borrowed, &options);
    options.on_notice = on_notice;
    options.self = self;
    return driver->open(&options, ret_store, why);
}

int
store_open(const struct config *config, const struct clock *clock, struct store **ret_store,
           struct fault *why)
{
    return store_open_with(config, clock, log_notice, NULL, ret_store, why);
}

int
store_check_with(const struct config *config, const struct clock *clock,
                 void (*on_notice)(void *self, const char *text), void *self, struct fault *why)
{
    const struct driver *driver = driver_find(config, why);
    if (driver == NULL) {
        return FAULT_CONFIG;
    }
    struct store_options options;
    struct borrowed borrowed;
    store_options_of(config, clock, &borrowed, &options);
    options.on_notice = on_notice;
    options.self = self;
    return driver->check(&options, why);
}

int
store_check(const struct config *config, const struct clock *clock, struct fault *why)
{
    return store_check_with(config, clock, print_notice, NULL, why);
}
