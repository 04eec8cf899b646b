/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration as a table: one row per key, one way in for every value.
 *
 * Takes values from the layers (config_json.c, config_env.c), checks each against its row of
 * schema.def, and keeps which layer set it. Called by setup/options.c at the start and on SIGHUP,
 * on the main thread, into a fresh struct config each time. Must never put a secret into a fault's
 * text. config.md, Configuration file.
 */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "config/config_priv.h"

enum { PLAIN = false, SECRET = true };

const struct config_row config_rows[CONFIG_OPTION_COUNT] = {
#define OPTION(id, key, kind, member, least, most, initial, words, secrecy, help)                  \
    [CONFIG_##id] = {key,                                                                          \
                     CONFIG_KIND_##kind,                                                           \
                     offsetof(struct config, member),                                              \
                     least,                                                                        \
                     most,                                                                         \
                     initial,                                                                      \
                     words,                                                                        \
                     secrecy,                                                                      \
                     help},
#include "config/schema.def"
#undef OPTION
};

void *
config_member(const struct config *config, enum config_option option)
{
    return (uint8_t *)(uintptr_t)config + config_rows[option].offset;
}

const char *
config_option_key(enum config_option option)
{
    return config_rows[option].key;
}

const char *
config_option_help(enum config_option option)
{
    return config_rows[option].help;
}

/* Decimal digits and nothing else; no sign. */
static bool
digits_parse(struct span text, int64_t *ret_number)
{
    int64_t number = 0;
    if (text.size == 0 || text.size > 15) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    *ret_number = number;
    return true;
}

/* A number and a unit behind it, blanks between them allowed. */
static bool
quantity_parse(struct span text, int64_t *ret_number, struct span *ret_unit)
{
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    size_t unit = digits;
    while (unit < text.size && text.data[unit] == ' ') {
        unit++;
    }
    if (!digits_parse(span_of(text.data, digits), ret_number)) {
        return false;
    }
    *ret_unit = span_of(text.data + unit, text.size - unit);
    return true;
}

struct unit {
    const char *word;
    int64_t factor;
};

static bool
scaled_parse(struct span text, const struct unit *units, size_t count, int64_t *ret_number)
{
    int64_t number;
    struct span unit;
    if (!quantity_parse(text, &number, &unit)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (span_is_nocase(unit, units[i].word)) {
            return !__builtin_mul_overflow(number, units[i].factor, ret_number);
        }
    }
    return false;
}

static bool
size_parse(struct span text, int64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1}, {"B", 1}, {"KB", 1024}, {"MB", 1024 * 1024}, {"GB", 1024 * 1024 * 1024}};
    return scaled_parse(text, units, ARRAY_COUNT(units), ret_bytes);
}

/* A number without a unit would be a guess; 0 needs none. */
static bool
duration_parse(struct span text, int64_t *ret_seconds)
{
    static const struct unit units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    if (span_is(text, "0")) {
        *ret_seconds = 0;
        return true;
    }
    return scaled_parse(text, units, ARRAY_COUNT(units), ret_seconds);
}

static bool
switch_parse(struct span text, bool *ret_truth)
{
    bool truth = span_is_nocase(text, "true") || span_is(text, "1");
    if (!truth && !span_is_nocase(text, "false") && !span_is(text, "0")) {
        return false;
    }
    *ret_truth = truth;
    return true;
}

/* The index of text among words ("a|b|c"), in any case. */
static bool
word_find(const char *words, struct span text, size_t *ret_index, struct span *ret_word)
{
    struct span list[8];
    size_t count;
    must(config_split(span_of_text(words), '|', list, ARRAY_COUNT(list), &count));
    for (size_t i = 0; i < count; i++) {
        char word[16];
        must(span_to_text(list[i], word, sizeof word));
        if (span_is_nocase(text, word)) {
            *ret_index = i;
            *ret_word = list[i];
            return true;
        }
    }
    return false;
}

bool
config_split(struct span text, uint8_t separator, struct span *ret_elements, size_t most,
             size_t *ret_count)
{
    size_t count = 0;
    while (text.data != NULL && text.size > 0) {
        if (count == most) {
            return false;
        }
        const uint8_t *end = memchr(text.data, separator, text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        ret_elements[count++] = span_of(text.data, size);
        size_t used = end != NULL ? size + 1 : size;
        text = span_of(text.data + used, text.size - used);
    }
    *ret_count = count;
    return true;
}

/* Replaces a text of the configuration. Control bytes have no place in any of them: they would end
 * in headers, paths and the log. */
static int
store_text(char **member, struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return FAULT_CONFIG;
        }
    }
    if (text.size > LIMIT_CONFIG_VALUE_BYTES) {
        return FAULT_CONFIG;
    }
    char *copy = span_dup_text(text);
    if (copy == NULL) {
        return FAULT_MEMORY;
    }
    free(*member);
    *member = copy;
    return 0;
}

static int
store_hash(char **member, struct span text)
{
    if (text.size != 0 && !hex_is_sized(text, 128)) {
        return FAULT_CONFIG;
    }
    int code = store_text(member, text);
    for (char *c = *member; code == 0 && *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
    }
    return code;
}

static void
list_free(struct config *config)
{
    for (size_t i = 0; i < config->trust_anchor_count; i++) {
        free(config->trust_anchors[i]);
    }
    free(config->trust_anchors);
    config->trust_anchors = NULL;
    config->trust_anchor_count = 0;
}

static int
store_list(struct config *config, const struct config_value *value, size_t most)
{
    struct span elements[LIMIT_TRUST_ANCHORS];
    size_t count = value->element_count;
    const struct span *source = value->elements;
    if (value->type == CONFIG_VALUE_TEXT && !value->is_json) {
        if (!config_split(value->text, ':', elements, most, &count)) {
            return FAULT_CONFIG;
        }
        source = elements;
    } else if (value->type != CONFIG_VALUE_LIST || count > most) {
        return FAULT_CONFIG;
    }
    struct config fresh = {0}; /* only its list is used */
    fresh.trust_anchors = calloc(count + 1, sizeof *fresh.trust_anchors);
    int code = fresh.trust_anchors == NULL ? FAULT_MEMORY : 0;
    for (size_t i = 0; i < count && code == 0; i++) {
        fresh.trust_anchor_count = i + 1;
        code = source[i].size == 0 ? FAULT_CONFIG : store_text(&fresh.trust_anchors[i], source[i]);
    }
    if (code != 0) {
        list_free(&fresh);
        return code;
    }
    list_free(config);
    config->trust_anchors = fresh.trust_anchors;
    config->trust_anchor_count = fresh.trust_anchor_count;
    return 0;
}

/* The number of a value, in the unit of its member. */
static bool
value_number(const struct config_row *row, const struct config_value *value, int64_t *ret_number)
{
    bool is_text = value->type == CONFIG_VALUE_TEXT;
    if (row->kind == CONFIG_KIND_DURATION) {
        if (value->type == CONFIG_VALUE_NUMBER && value->number == 0) {
            *ret_number = 0;
            return true;
        }
        return is_text && duration_parse(value->text, ret_number);
    }
    if (value->type == CONFIG_VALUE_NUMBER) {
        *ret_number = value->number;
        return true;
    }
    if (row->kind == CONFIG_KIND_SIZE) {
        return is_text && size_parse(value->text, ret_number);
    }
    return is_text && (!value->is_json || row->kind == CONFIG_KIND_PORT) &&
           digits_parse(value->text, ret_number);
}

static int
store_number(const struct config_row *row, const struct config_value *value, void *member)
{
    int64_t number;
    if (!value_number(row, value, &number) || number < row->least || number > row->most) {
        return FAULT_CONFIG;
    }
    if (row->kind == CONFIG_KIND_SIZE || row->kind == CONFIG_KIND_DURATION) {
        *(int64_t *)member = number;
    } else {
        *(int *)member = (int)number;
    }
    return 0;
}

static int
store_switch(const struct config_value *value, bool *member)
{
    if (value->type == CONFIG_VALUE_BOOL) {
        *member = value->truth;
        return 0;
    }
    bool is_text = value->type == CONFIG_VALUE_TEXT && !value->is_json;
    return is_text && switch_parse(value->text, member) ? 0 : FAULT_CONFIG;
}

/* What is a text in every layer. */
static int
store_word(const struct config_row *row, struct span text, void *member)
{
    size_t index;
    struct span word;
    switch (row->kind) {
    case CONFIG_KIND_TEXT:
        return store_text(member, text);
    case CONFIG_KIND_HASH:
        return store_hash(member, text);
    case CONFIG_KIND_WORD:
        return word_find(row->words, text, &index, &word) ? store_text(member, word) : FAULT_CONFIG;
    case CONFIG_KIND_CHOICE:
        if (!word_find(row->words, text, &index, &word)) {
            return FAULT_CONFIG;
        }
        *(bool *)member = index == 1;
        return 0;
    case CONFIG_KIND_MODE:
        return cache_mode_parse(text, member) ? 0 : FAULT_CONFIG;
    case CONFIG_KIND_LEVEL:
        return log_level_parse(text, member) ? 0 : FAULT_CONFIG;
    case CONFIG_KIND_COUNT:
    case CONFIG_KIND_PORT:
    case CONFIG_KIND_SIZE:
    case CONFIG_KIND_DURATION:
    case CONFIG_KIND_SWITCH:
    case CONFIG_KIND_LIST:
        break;
    }
    return FAULT_INTERNAL;
}

static int
store(struct config *config, enum config_option option, const struct config_value *value)
{
    const struct config_row *row = &config_rows[option];
    void *member = config_member(config, option);
    switch (row->kind) {
    case CONFIG_KIND_COUNT:
    case CONFIG_KIND_PORT:
    case CONFIG_KIND_SIZE:
    case CONFIG_KIND_DURATION:
        return store_number(row, value, member);
    case CONFIG_KIND_SWITCH:
        return store_switch(value, member);
    case CONFIG_KIND_LIST:
        return store_list(config, value, (size_t)row->most);
    case CONFIG_KIND_TEXT:
    case CONFIG_KIND_WORD:
    case CONFIG_KIND_CHOICE:
    case CONFIG_KIND_HASH:
    case CONFIG_KIND_MODE:
    case CONFIG_KIND_LEVEL:
        break;
    }
    return value->type == CONFIG_VALUE_TEXT ? store_word(row, value->text, member) : FAULT_CONFIG;
}

/* "a whole number from 1 to 65535": what a refusal says was expected. */
static void
expected_text(const struct config_row *row, char *out, size_t out_size)
{
    switch (row->kind) {
    case CONFIG_KIND_COUNT:
    case CONFIG_KIND_PORT:
        snprintf(out, out_size, "a whole number from %lld to %lld", (long long)row->least,
                 (long long)row->most);
        return;
    case CONFIG_KIND_SIZE:
        snprintf(out, out_size, "a size such as 2MB, from %lld to %lld bytes",
                 (long long)row->least, (long long)row->most);
        return;
    case CONFIG_KIND_DURATION:
        snprintf(out, out_size, "a duration such as 90s, 30m, 6h or 2d, or 0, at most %lld s",
                 (long long)row->most);
        return;
    case CONFIG_KIND_SWITCH:
        snprintf(out, out_size, "true or false");
        return;
    case CONFIG_KIND_TEXT:
        snprintf(out, out_size, "a text without control characters, at most %d bytes",
                 LIMIT_CONFIG_VALUE_BYTES);
        return;
    case CONFIG_KIND_WORD:
    case CONFIG_KIND_CHOICE:
        snprintf(out, out_size, "one of %s", row->words);
        return;
    case CONFIG_KIND_HASH:
        snprintf(out, out_size, "128 hex digits (SHA-512) or an empty text");
        return;
    case CONFIG_KIND_MODE:
        snprintf(out, out_size, "one of LAZY|REQ|OFFLINE");
        return;
    case CONFIG_KIND_LEVEL:
        snprintf(out, out_size, "one of error|warn|info|http|verbose|debug|silly");
        return;
    case CONFIG_KIND_LIST:
        snprintf(out, out_size, "a list of at most %lld paths", (long long)row->most);
        return;
    }
}

int
config_refuse(enum config_option option, const char *source, const char *got, struct fault *why)
{
    char expected[96];
    const struct config_row *row = &config_rows[option];
    expected_text(row, expected, sizeof expected);
    if (got == NULL || row->is_secret) {
        return fault_set(why, FAULT_CONFIG, "config", "%s: %s: expected %s", source, row->key,
                         expected);
    }
    return fault_set(why, FAULT_CONFIG, "config", "%s: %s: expected %s, not %s", source, row->key,
                     expected, got);
}

/* What was found instead, for the refusal: short, and never of a secret (config_refuse). */
static const char *
got_text(const struct config_value *value, char *out, size_t out_size)
{
    switch (value->type) {
    case CONFIG_VALUE_TEXT:
        snprintf(out, out_size, "\"%.*s\"", value->text.size > 40 ? 40 : SPAN_ARGS(value->text));
        return out;
    case CONFIG_VALUE_NUMBER:
        snprintf(out, out_size, "%lld", (long long)value->number);
        return out;
    case CONFIG_VALUE_BOOL:
        return value->truth ? "true" : "false";
    case CONFIG_VALUE_LIST:
        return "this list";
    }
    return "this";
}

static int
origin_set(struct config *config, enum config_option option, const char *source)
{
    char *origin = span_dup_text(span_of_text(source));
    if (origin == NULL) {
        return FAULT_MEMORY;
    }
    free(config->origins[option]);
    config->origins[option] = origin;
    return 0;
}

int
config_set(struct config *config, enum config_option option, const struct config_value *value,
           const char *source, struct fault *why)
{
    int code = store(config, option, value);
    if (code == FAULT_CONFIG) {
        char got[48];
        return config_refuse(option, source, got_text(value, got, sizeof got), why);
    }
    if (code == 0) {
        code = origin_set(config, option, source);
    }
    if (code != 0) {
        return fault_set(why, (enum fault_code)code, "config", "%s: no memory for %s", source,
                         config_rows[option].key);
    }
    return 0;
}

void
config_init(struct config *config)
{
    *config = (struct config){0};
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        struct config_value value = {.type = CONFIG_VALUE_TEXT,
                                     .text = span_of_text(config_rows[i].initial)};
        int code = store(config, (enum config_option)i, &value);
        must(code == 0 || code == FAULT_MEMORY); /* a default that its own row refuses */
    }
}

static bool
is_heap_text(enum config_kind kind)
{
    return kind == CONFIG_KIND_TEXT || kind == CONFIG_KIND_WORD || kind == CONFIG_KIND_HASH;
}

static void
text_free(char **text)
{
    if (*text != NULL) {
        explicit_bzero(*text, strlen(*text));
    }
    free(*text);
    *text = NULL;
}

void
config_done(struct config *config)
{
    if (config == NULL) {
        return;
    }
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        if (is_heap_text(config_rows[i].kind)) {
            text_free(config_member(config, (enum config_option)i));
        }
        free(config->origins[i]);
    }
    text_free(&config->db_server.database);
    text_free(&config->db_server.username);
    text_free(&config->db_server.password);
    text_free(&config->db_server.host);
    text_free(&config->db_server.ssl_ca);
    list_free(config);
    *config = (struct config){0};
}
