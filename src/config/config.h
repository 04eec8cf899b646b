/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration: one row per option in schema.def (key, type, least, most, default, help), read
 * from JSON with comments, overridden by local files and the environment (config.md). Pure: texts
 * in, values out; setup/options.c reads the files.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/log.h"
#include "terms/terms.h"

enum config_option {
#define OPTION(id, key, kind, member, least, most, initial, words, secrecy, help) CONFIG_##id,
#include "config/schema.def"
#undef OPTION
    CONFIG_OPTION_COUNT
};

enum { CONFIG_DB_SERVER_SECTIONS = 3 }; /* mysql, mariadb, postgres */

/* Every text is heap-owned by the configuration. */
struct config {
    int https_port;
    char *hosts;               /* comma-separated */
    char *uri;                 /* normalised: ends in '/', contains /sgx/certification/vN/ */
    unsigned upstream_version; /* 3 or 4, from uri */
    char *api_key, *proxy;
    char *refresh_schedule;
    char *user_token_hash, *admin_token_hash, *metrics_token_hash; /* "" : not configured */
    enum cache_mode mode;
    enum log_level log_level;
    int64_t max_request_body_bytes;
    int headers_timeout_s, request_timeout_s, keep_alive_timeout_s;
    bool openssl_fips_mode;
    char *db_config; /* "sqlite", "postgres", ... */
    char *sqlite_storage;
    struct config_db_server {
        char *database, *username, *password, *host;
        int port;
        int pool_max;
        bool ssl_required;
        char *ssl_ca;
    } db_server; /* the section that db_config names, filled by config_check; else empty */
    struct config_db_server db_sections[CONFIG_DB_SERVER_SECTIONS];
    bool init_db;
    char *data_directory, *tls_key, *tls_certificate;
    char **trust_anchors;
    size_t trust_anchor_count;
    char *upstream_ca_file;
    bool stale_reject;
    int64_t refresh_before_s;
    int upstream_concurrency, upstream_timeout_s, upstream_retries;
    int client_cache_s;
    int lazy_new_platforms_per_minute, requests_per_second;
    int workers; /* 0: number of cores */
    int64_t memory_cache_bytes;
    bool log_json;
    char *log_file; /* "" : the default of config.md */
    bool dashboard_enabled, metrics_enabled;
    bool system_call_filter;
    char *origins[CONFIG_OPTION_COUNT]; /* which layer set it last; NULL: the default stands */
};

/* The defaults. Where memory runs out a text is NULL, and config_check says so. */
void config_init(struct config *config);
void config_done(struct config *config); /* wipes secrets; NULL is fine */

typedef void config_warn_fn(void *self, const char *text); /* unknown keys */

/* Applies one layer (a JSON text with comments). source names it in faults. FAULT_CONFIG: source,
 * key, what was expected; the keys before it are set then, so throw the configuration away. */
int config_apply_json(struct config *config, const char *source, struct span text,
                      config_warn_fn *warn, void *warn_self, struct fault *why) must_check;
/* Only the first step of it: the value that such a text holds, comments gone (json_decref it). */
struct json_t;
int config_parse_json(const char *source, struct span text, struct json_t **ret_root,
                      struct fault *why) must_check;
/* Applies PCCS_... variables of environment (as environ). read_file reads ..._FILE values (NULL:
 * refused); the last line end of a file is dropped. */
typedef int config_read_file_fn(void *self, const char *path, struct buf *b, struct fault *why);
int config_apply_environment(struct config *config, char *const *environment,
                             config_read_file_fn *read_file, void *read_self,
                             struct fault *why) must_check;
/* Tells of every PCCS_... variable that no key and no tool of this project answers to. */
void config_warn_environment(char *const *environment, config_warn_fn *warn, void *warn_self);
/* Cross checks (loopback rule of uri, hosts, the database section, ...) once all layers are in;
 * normalises uri and fills db_server. May be called again after further layers. */
int config_check(struct config *config, struct fault *why) must_check;
/* "KEY = value  # from" lines, secrets as "(set)" or "(not set)": pccsd --check. */
int config_print(const struct config *config, struct buf *b);

/* Of schema.def, for manuals, --help and tests. */
const char *config_option_key(enum config_option option);
const char *config_option_help(enum config_option option);
/* "UserTokenHash" is PCCS_USER_TOKEN_HASH, "mysql.options.host" PCCS_MYSQL_OPTIONS_HOST. */
enum { CONFIG_ENVIRONMENT_NAME_SIZE = 64 };
void config_option_environment_name(enum config_option option,
                                    char out[CONFIG_ENVIRONMENT_NAME_SIZE]);

#endif
