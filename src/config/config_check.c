/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Do the values fit one another? Asked once all layers are in.
 *
 * Takes the configuration; normalises uri (lower-case scheme and host, a slash at its end), learns
 * the upstream's version from it, and copies the chosen database section to db_server. Called by
 * setup/options.c. Must never open or look for a file: that is told apart later, with its own
 * words. config.md, Configuration file.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/url.h"
#include "config/config.h"
#include "config/config_priv.h"

static int
refuse(const struct config *config, enum config_option option, const char *expected,
       struct fault *why)
{
    const char *origin = config->origins[option];
    return fault_set(why, FAULT_CONFIG, "config", "%s: %s: expected %s",
                     origin != NULL ? origin : "default", config_rows[option].key, expected);
}

/* config_init leaves NULL where memory ran out. */
static int
check_memory(const struct config *config, struct fault *why)
{
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        enum config_kind kind = config_rows[i].kind;
        bool is_text =
            kind == CONFIG_KIND_TEXT || kind == CONFIG_KIND_WORD || kind == CONFIG_KIND_HASH;
        if (is_text && *(char **)config_member(config, (enum config_option)i) == NULL) {
            return fault_set(why, FAULT_MEMORY, "config", "no memory for %s", config_rows[i].key);
        }
    }
    return 0;
}

static bool
is_host_name(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.') {
            return false;
        }
    }
    /* digits and dots alone are an address that inet_pton refused */
    return text.size > 0 && strspn((const char *)text.data, "0123456789.") < text.size;
}

static bool
is_address(struct span text)
{
    char address[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    return span_to_text(text, address, sizeof address) &&
           (inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1);
}

static struct span
trim_blanks(struct span text)
{
    while (text.size > 0 && text.data[0] == ' ') {
        text = span_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && text.data[text.size - 1] == ' ') {
        text.size--;
    }
    return text;
}

static int
check_hosts(const struct config *config, struct fault *why)
{
    struct span hosts[LIMIT_CONFIG_HOSTS];
    size_t count;
    bool split = config_split(span_of_text(config->hosts), ',', hosts, ARRAY_COUNT(hosts), &count);
    bool good = split && count > 0;
    for (size_t i = 0; good && i < count; i++) {
        struct span host = trim_blanks(hosts[i]);
        good = is_address(host) || is_host_name(host);
    }
    return good ? 0
                : refuse(config, CONFIG_HOSTS,
                         "1 to 16 addresses or host names with commas between", why);
}

/* The version that the path ends in: ".../sgx/certification/v4/". */
static bool
upstream_version(struct span path, unsigned *ret_version)
{
    static const char tail[] = "/sgx/certification/v?/";
    size_t size = sizeof(tail) - 1;
    if (path.size < size) {
        return false;
    }
    struct span end = span_of(path.data + path.size - size, size);
    uint8_t digit = end.data[size - 2];
    if (!span_starts_with(end, "/sgx/certification/v") || end.data[size - 1] != '/' ||
        (digit != '3' && digit != '4')) {
        return false;
    }
    *ret_version = (unsigned)(digit - '0');
    return true;
}

/* A copy that ends in a slash, scheme and host in lower case. */
static char *
uri_normalised(const char *uri, struct span path)
{
    size_t size = strlen(uri);
    bool has_slash = size > 0 && uri[size - 1] == '/';
    char *copy = malloc(size + 2);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, uri, size);
    memcpy(copy + size, "/", 2);
    copy[has_slash ? size : size + 1] = '\0';
    for (size_t i = 0; i < size - path.size; i++) {
        copy[i] = (char)(copy[i] >= 'A' && copy[i] <= 'Z' ? copy[i] | 0x20 : copy[i]);
    }
    return copy;
}

static int
check_uri(struct config *config, struct fault *why)
{
    struct url_parts parts;
    if (url_split(span_of_text(config->uri), &parts) != 0 ||
        (parts.path.size > 0 && memchr(parts.path.data, '?', parts.path.size) != NULL)) {
        return refuse(config, CONFIG_URI, "https://HOST[:PORT]/sgx/certification/v4/ or v3", why);
    }
    auto_free char *uri = uri_normalised(config->uri, parts.path);
    if (uri == NULL) {
        return fault_set(why, FAULT_MEMORY, "config", "no memory for uri");
    }
    size_t before_path = strlen(config->uri) - parts.path.size;
    unsigned version;
    if (!upstream_version(span_of_text(uri + before_path), &version)) {
        return refuse(config, CONFIG_URI, "a path that ends in /sgx/certification/v4/ or v3", why);
    }
    if (!parts.https && !url_host_is_loopback(parts.host)) {
        return refuse(config, CONFIG_URI, "https (http only for loopback addresses)", why);
    }
    if (strlen(uri) > LIMIT_URL_CHARS / 2) { /* parameters follow it */
        return refuse(config, CONFIG_URI, "at most 1024 characters", why);
    }
    free(config->uri);
    config->uri = take(&uri);
    config->upstream_version = version;
    return 0;
}

static bool
is_visible(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((uint8_t)*text <= 0x20 || (uint8_t)*text >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* As libcurl takes it; the reference's proxies are "http://HOST:PORT". */
static int
check_proxy(const struct config *config, struct fault *why)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
    bool good = config->proxy[0] == '\0';
    for (size_t i = 0; !good && i < ARRAY_COUNT(schemes); i++) {
        size_t size = strlen(schemes[i]);
        good = strncmp(config->proxy, schemes[i], size) == 0 && config->proxy[size] != '\0';
    }
    return good && is_visible(config->proxy)
               ? 0
               : refuse(config, CONFIG_PROXY, "http://HOST:PORT, or https, socks5, socks5h", why);
}

static int
check_not_empty(const struct config *config, struct fault *why)
{
    static const enum config_option options[] = {CONFIG_REFRESH_SCHEDULE, CONFIG_TLS_KEY,
                                                 CONFIG_TLS_CERTIFICATE, CONFIG_SQLITE_STORAGE};
    for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
        if (**(char **)config_member(config, options[i]) == '\0') {
            return refuse(config, options[i], "a text that is not empty", why);
        }
    }
    /* it becomes a header */
    return is_visible(config->api_key)
               ? 0
               : refuse(config, CONFIG_API_KEY, "printable ASCII without blanks", why);
}

static int
copy_text(char **to, const char *from)
{
    char *copy = span_dup_text(span_of_text(from));
    if (copy == NULL) {
        return FAULT_MEMORY;
    }
    free(*to);
    *to = copy;
    return 0;
}

static int
copy_section(struct config_db_server *to, const struct config_db_server *from, struct fault *why)
{
    to->port = from->port;
    to->pool_max = from->pool_max;
    to->ssl_required = from->ssl_required;
    if (copy_text(&to->database, from->database) != 0 ||
        copy_text(&to->username, from->username) != 0 ||
        copy_text(&to->password, from->password) != 0 || copy_text(&to->host, from->host) != 0 ||
        copy_text(&to->ssl_ca, from->ssl_ca) != 0) {
        return fault_set(why, FAULT_MEMORY, "config", "no memory for a database section");
    }
    return 0;
}

/* Only the section that is used has to be complete. */
static int
check_database(struct config *config, struct fault *why)
{
    static const struct {
        const char *word;
        enum config_option database, username, host;
    } sections[CONFIG_DB_SERVER_SECTIONS] = {
        {"mysql", CONFIG_MYSQL_DATABASE, CONFIG_MYSQL_USERNAME, CONFIG_MYSQL_HOST},
        {"mariadb", CONFIG_MARIADB_DATABASE, CONFIG_MARIADB_USERNAME, CONFIG_MARIADB_HOST},
        {"postgres", CONFIG_POSTGRES_DATABASE, CONFIG_POSTGRES_USERNAME, CONFIG_POSTGRES_HOST}};
    for (size_t i = 0; i < ARRAY_COUNT(sections); i++) {
        if (strcmp(config->db_config, sections[i].word) != 0) {
            continue;
        }
        const struct config_db_server *section = &config->db_sections[i];
        if (section->database[0] == '\0') {
            return refuse(config, sections[i].database, "the name of a database", why);
        }
        if (section->username[0] == '\0') {
            return refuse(config, sections[i].username, "the name of a database user", why);
        }
        if (section->host[0] == '\0') {
            return refuse(config, sections[i].host, "the name of a database server", why);
        }
        return copy_section(&config->db_server, section, why);
    }
    return 0;
}

int
config_check(struct config *config, struct fault *why)
{
    int code = check_memory(config, why);
    if (code == 0) {
        code = check_hosts(config, why);
    }
    if (code == 0) {
        code = check_uri(config, why);
    }
    if (code == 0) {
        code = check_proxy(config, why);
    }
    if (code == 0) {
        code = check_not_empty(config, why);
    }
    if (code == 0) {
        code = check_database(config, why);
    }
    return code;
}
