/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The effective configuration for human eyes: pccsd --check.
 *
 * Takes a checked configuration; appends a line per key, "KEY = value  # where it comes from".
 * Secrets are said to be set or not, never shown; of a proxy's user information only that there is
 * some. Database sections that are not used are left out. Called by setup/options.c.
 * config.md, Programs.
 */
#include "base/mem.h"
#include "config/config.h"
#include "config/config_priv.h"

static void
print_size(struct buf *b, int64_t bytes)
{
    static const struct {
        const char *word;
        int64_t factor;
    } units[] = {{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"", 1}};
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (bytes % units[i].factor == 0) {
            buf_add_format(b, "%lld%s", (long long)(bytes / units[i].factor), units[i].word);
            return;
        }
    }
}

static void
print_duration(struct buf *b, int64_t seconds)
{
    static const struct {
        const char *word;
        int64_t factor;
    } units[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
    for (size_t i = 0; seconds != 0 && i < ARRAY_COUNT(units); i++) {
        if (seconds % units[i].factor == 0) {
            buf_add_format(b, "%lld%s", (long long)(seconds / units[i].factor), units[i].word);
            return;
        }
    }
    buf_add_text(b, "0");
}

static void
print_text(struct buf *b, const struct config *config, enum config_option option)
{
    const char *text = *(char **)config_member(config, option);
    text = text != NULL ? text : "";
    if (config_rows[option].is_secret) {
        buf_add_text(b, text[0] != '\0' ? "(set)" : "(not set)");
        return;
    }
    const char *at = option == CONFIG_PROXY ? strrchr(text, '@') : NULL;
    const char *host = at != NULL ? at + 1 : text;
    buf_add_format(b, "\"%s%s\"", at != NULL ? "(user)@" : "", host);
}

static void
print_list(struct buf *b, const struct config *config)
{
    buf_add_text(b, "[");
    for (size_t i = 0; i < config->trust_anchor_count; i++) {
        buf_add_format(b, "%s\"%s\"", i > 0 ? ", " : "", config->trust_anchors[i]);
    }
    buf_add_text(b, "]");
}

/* The word of a choice: "serve|reject" by false and true. */
static void
print_choice(struct buf *b, const char *words, bool second)
{
    struct span both[2];
    size_t count;
    must(config_split(span_of_text(words), '|', both, 2, &count) && count == 2);
    buf_add(b, both[second ? 1 : 0]);
}

static const char *
level_word(enum log_level level)
{
    static const char *const words[] = {[LOG_ERROR] = "error",
                                        [LOG_WARN] = "warn",
                                        [LOG_INFO] = "info",
                                        [LOG_HTTP] = "http",
                                        [LOG_DEBUG] = "debug"};
    return words[level];
}

static void
print_value(struct buf *b, const struct config *config, enum config_option option)
{
    const struct config_row *row = &config_rows[option];
    const void *member = config_member(config, option);
    switch (row->kind) {
    case CONFIG_KIND_COUNT:
    case CONFIG_KIND_PORT:
        buf_add_format(b, "%d", *(const int *)member);
        return;
    case CONFIG_KIND_SIZE:
        print_size(b, *(const int64_t *)member);
        return;
    case CONFIG_KIND_DURATION:
        print_duration(b, *(const int64_t *)member);
        return;
    case CONFIG_KIND_SWITCH:
        buf_add_text(b, *(const bool *)member ? "true" : "false");
        return;
    case CONFIG_KIND_CHOICE:
        print_choice(b, row->words, *(const bool *)member);
        return;
    case CONFIG_KIND_TEXT:
    case CONFIG_KIND_WORD:
    case CONFIG_KIND_HASH:
        print_text(b, config, option);
        return;
    case CONFIG_KIND_MODE:
        buf_add_text(b, cache_mode_word(*(const enum cache_mode *)member));
        return;
    case CONFIG_KIND_LEVEL:
        buf_add_text(b, level_word(*(const enum log_level *)member));
        return;
    case CONFIG_KIND_LIST:
        print_list(b, config);
        return;
    }
}

/* A key of a database section that DB_CONFIG does not name. */
static bool
is_unused(const struct config *config, const char *key)
{
    const char *dot = strchr(key, '.');
    return dot != NULL && !span_is(span_of(key, (size_t)(dot - key)),
                                   config->db_config != NULL ? config->db_config : "");
}

int
config_print(const struct config *config, struct buf *b)
{
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        if (is_unused(config, config_rows[i].key)) {
            continue;
        }
        const char *origin = config->origins[i];
        buf_add_format(b, "%s = ", config_rows[i].key);
        print_value(b, config, (enum config_option)i);
        buf_add_format(b, "  # %s\n", origin != NULL ? origin : "default");
    }
    return b->failed;
}
