/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads network_setting.conf as Intel's tool does: all white space of a line goes first, also
 * inside values; '#' begins a comment line; the first '=' divides; keys in any case; the later of
 * two equal keys counts; unknown keys are passed over.
 *
 * Takes the file's bytes; gives values with their lines, or the line that is wrong: unlike Intel's
 * tool, a value that nobody would understand is refused and not silently dropped. Pure; the program
 * calls it once, a fuzzer often.
 */
#include "pckid/network_setting.h"

#include <ctype.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/reader.h"
#include "base/url.h"

static const char *const key_words[NETWORK_KEY_COUNT] = {
    [NETWORK_PCCS_URL] = "PCCS_URL",
    [NETWORK_USE_SECURE_CERT] = "USE_SECURE_CERT",
    [NETWORK_TCB_UPDATE_TYPE] = "TCB_UPDATE_TYPE",
    [NETWORK_USER_TOKEN] = "USER_TOKEN",
    [NETWORK_PROXY_TYPE] = "PROXY_TYPE",
    [NETWORK_PROXY_URL] = "PROXY_URL",
};

const char *
network_key_word(enum network_key key)
{
    return key_words[key];
}

/* ---- words ---- */

bool
pckid_bool_parse(const char *word, bool *ret_value)
{
    bool is_true = span_is_nocase(span_of_text(word), "true");
    if (!is_true && !span_is_nocase(span_of_text(word), "false")) {
        return false;
    }
    *ret_value = is_true;
    return true;
}

bool
pckid_update_parse(const char *word, enum pckid_update *ret_update)
{
    static const char *const words[] = {"standard", "early", "all"};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (span_is_nocase(span_of_text(word), words[i])) {
            *ret_update = (enum pckid_update)i;
            return true;
        }
    }
    return false;
}

bool
pckid_proxy_type_parse(const char *word, enum pckid_proxy_type *ret_type)
{
    /* auto means to libcurl what default means */
    static const struct {
        const char *word;
        enum pckid_proxy_type type;
    } rows[] = {{"default", PCKID_PROXY_DEFAULT},
                {"auto", PCKID_PROXY_DEFAULT},
                {"direct", PCKID_PROXY_DIRECT},
                {"manual", PCKID_PROXY_MANUAL}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (span_is_nocase(span_of_text(word), rows[i].word)) {
            *ret_type = rows[i].type;
            return true;
        }
    }
    return false;
}

bool
pckid_url_is_good(const char *url)
{
    struct url_parts parts;
    return strlen(url) <= LIMIT_URL_CHARS && url_split(span_of_text(url), &parts) == 0;
}

/* ---- lines ---- */

static bool
value_is_good(enum network_key key, const char *value)
{
    bool flag;
    enum pckid_update update;
    enum pckid_proxy_type type;
    switch (key) {
    case NETWORK_PCCS_URL:
        return pckid_url_is_good(value);
    case NETWORK_USE_SECURE_CERT:
        return pckid_bool_parse(value, &flag);
    case NETWORK_TCB_UPDATE_TYPE:
        return pckid_update_parse(value, &update);
    case NETWORK_PROXY_TYPE:
        return pckid_proxy_type_parse(value, &type);
    case NETWORK_USER_TOKEN:
    case NETWORK_PROXY_URL:
    case NETWORK_KEY_COUNT:
        break;
    }
    return true;
}

/* The line without white space; false if it does not fit. */
static bool
line_squeeze(struct span line, char out[NETWORK_VALUE_SIZE])
{
    size_t size = 0;
    for (size_t i = 0; i < line.size; i++) {
        if (isspace(line.data[i])) {
            continue;
        }
        if (size == NETWORK_VALUE_SIZE - 1) {
            return false;
        }
        out[size++] = (char)line.data[i];
    }
    out[size] = '\0';
    return true;
}

static int
line_parse(struct span line, unsigned number, struct network_setting *setting, struct fault *why)
{
    char text[NETWORK_VALUE_SIZE];
    if (memchr(line.data, '\0', line.size) != NULL) {
        return fault_set(why, FAULT_INPUT, "settings", "line %u holds a NUL byte", number);
    }
    if (!line_squeeze(line, text)) {
        return fault_set(why, FAULT_INPUT, "settings", "line %u is longer than %d bytes", number,
                         NETWORK_VALUE_SIZE - 1);
    }
    if (text[0] == '\0' || text[0] == '#') {
        return 0;
    }
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        setting->ignored_line = setting->ignored_line != 0 ? setting->ignored_line : number;
        return 0;
    }
    struct span key = span_of(text, (size_t)(equals - text));
    for (int i = 0; i < NETWORK_KEY_COUNT; i++) {
        if (!span_is_nocase(key, key_words[i])) {
            continue;
        }
        const char *value = equals + 1;
        if (value[0] != '\0' && !value_is_good((enum network_key)i, value)) {
            return fault_set(why, FAULT_INPUT, "settings", "line %u: %s = %s is not understood",
                             number, key_words[i], value);
        }
        memcpy(setting->values[i], value, strlen(value) + 1);
        setting->lines[i] = number;
    }
    return 0;
}

int
network_setting_parse(struct span text, struct network_setting *ret_setting, struct fault *why)
{
    auto_free struct network_setting *setting = calloc(1, sizeof *setting);
    if (setting == NULL) {
        return fault_set(why, FAULT_MEMORY, "settings", "no memory for the settings");
    }
    struct reader r = reader_of(text);
    for (unsigned number = 1; !reader_at_end(&r); number++) {
        struct span line;
        if (!reader_until(&r, '\n', &line)) {
            line = r.rest;
            r = reader_of(span_of(NULL, 0));
        }
        int rc = line.size > 0 ? line_parse(line, number, setting, why) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    *ret_setting = *setting;
    return 0;
}
