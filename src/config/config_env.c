/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The environment as a layer: PCCS_<KEY IN UPPER CASE WITH _>, and ..._FILE.
 *
 * Takes the environment as a list of "NAME=value" and a function that reads a file; sets what it
 * names. The name follows from the key: an underscore stands where a capital follows a small letter
 * or a digit, and for each dot. ..._FILE names a file that holds the value, for secrets of
 * containers. Called by setup/options.c behind the files. Must never put a value into a fault's
 * text where its key is secret. config.md, Configuration file.
 */
#include <ctype.h>
#include <stdio.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/config_priv.h"

/* Variables of this prefix that are no keys: of the tools, of the start, and those that Kubernetes
 * makes for a service called pccs. A name that ends in '*' stands for all that begin so. */
static const char *const other_names[] = {
    "PCCS_ENV",        "PCCS_ADMIN_TOKEN",     "PCCS_ADMIN_TOKEN_FILE",
    "PCCS_USER_TOKEN", "PCCS_USER_TOKEN_FILE", "PCCS_TEST_*",
    "PCCS_PORT",       "PCCS_PORT_*",          "PCCS_SERVICE_*"};

void
config_option_environment_name(enum config_option option, char out[CONFIG_ENVIRONMENT_NAME_SIZE])
{
    size_t at = (size_t)snprintf(out, CONFIG_ENVIRONMENT_NAME_SIZE, "PCCS_");
    char previous = '\0';
    for (const char *c = config_rows[option].key; *c != '\0'; c++) {
        bool boundary =
            isupper((uint8_t)*c) && (islower((uint8_t)previous) || isdigit((uint8_t)previous));
        must(at + 2 < CONFIG_ENVIRONMENT_NAME_SIZE);
        if (boundary) {
            out[at++] = '_';
        }
        out[at++] = *c == '.' ? '_' : (char)toupper((uint8_t)*c);
        previous = *c;
    }
    out[at] = '\0';
}

/* The value of NAME or NAME_FILE; NULL if it is not there. */
static const char *
find(char *const *environment, const char *name, const char *suffix)
{
    size_t name_size = strlen(name);
    size_t suffix_size = strlen(suffix);
    for (; *environment != NULL; environment++) {
        const char *entry = *environment;
        if (strncmp(entry, name, name_size) == 0 &&
            strncmp(entry + name_size, suffix, suffix_size) == 0 &&
            entry[name_size + suffix_size] == '=') {
            return entry + name_size + suffix_size + 1;
        }
    }
    return NULL;
}

static int
set_text(struct config *config, enum config_option option, struct span text, const char *source,
         struct fault *why)
{
    struct config_value value = {.type = CONFIG_VALUE_TEXT, .text = text};
    return config_set(config, option, &value, source, why);
}

struct file_reader {
    config_read_file_fn *read;
    void *self;
};

/* The value is the file's text without its last line end. */
static int
set_from_file(struct config *config, enum config_option option, const char *path,
              const struct file_reader *reader, struct fault *why)
{
    char source[CONFIG_ENVIRONMENT_NAME_SIZE + 8];
    char name[CONFIG_ENVIRONMENT_NAME_SIZE];
    config_option_environment_name(option, name);
    snprintf(source, sizeof source, "%s_FILE", name);
    if (reader->read == NULL) {
        return fault_set(why, FAULT_CONFIG, "config", "%s: files are not read here", source);
    }
    auto_cleanup(buf_done_secret) struct buf b = BUF_INIT(LIMIT_CONFIG_VALUE_BYTES + 2);
    struct fault inner = {.text = "it cannot be read"};
    int code = reader->read(reader->self, path, &b, &inner);
    if (code != 0) {
        return fault_set(why, code == FAULT_MEMORY ? FAULT_MEMORY : FAULT_CONFIG, "config",
                         "%s: expected a readable file of at most %d bytes: %s", source,
                         LIMIT_CONFIG_VALUE_BYTES, inner.text);
    }
    struct span text = buf_span(&b);
    if (text.size > 0 && text.data[text.size - 1] == '\n') {
        text.size--;
        text.size -= text.size > 0 && text.data[text.size - 1] == '\r';
    }
    return set_text(config, option, text, source, why);
}

int
config_apply_environment(struct config *config, char *const *environment,
                         config_read_file_fn *read_file, void *read_self, struct fault *why)
{
    struct file_reader reader = {.read = read_file, .self = read_self};
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        enum config_option option = (enum config_option)i;
        char name[CONFIG_ENVIRONMENT_NAME_SIZE];
        config_option_environment_name(option, name);
        const char *text = find(environment, name, "");
        const char *path = find(environment, name, "_FILE");
        int code = 0;
        if (text != NULL && path != NULL) {
            return fault_set(why, FAULT_CONFIG, "config",
                             "%s and %s_FILE are both set: expected one of them", name, name);
        }
        if (text != NULL) {
            code = set_text(config, option, span_of_text(text), name, why);
        } else if (path != NULL) {
            code = set_from_file(config, option, path, &reader, why);
        }
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

static bool
is_option_name(struct span name)
{
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        char known[CONFIG_ENVIRONMENT_NAME_SIZE];
        config_option_environment_name((enum config_option)i, known);
        size_t size = strlen(known);
        if (span_is(name, known) ||
            (span_starts_with(name, known) &&
             span_is(span_of(name.data + size, name.size - size), "_FILE"))) {
            return true;
        }
    }
    return false;
}

static bool
is_other_name(struct span name)
{
    for (size_t i = 0; i < ARRAY_COUNT(other_names); i++) {
        size_t size = strlen(other_names[i]) - 1;
        bool is_prefix = other_names[i][size] == '*';
        if (is_prefix ? name.size > size && memcmp(name.data, other_names[i], size) == 0
                      : span_is(name, other_names[i])) {
            return true;
        }
    }
    return false;
}

void
config_warn_environment(char *const *environment, config_warn_fn *warn, void *warn_self)
{
    for (; *environment != NULL; environment++) {
        struct span name = span_of(*environment, strcspn(*environment, "="));
        if (!span_starts_with(name, "PCCS_") || is_option_name(name) || is_other_name(name)) {
            continue;
        }
        char text[FAULT_TEXT_SIZE];
        int shown = name.size > 100 ? 100 : (int)name.size;
        snprintf(text, sizeof text, "environment: no key answers to %.*s", shown, *environment);
        warn(warn_self, text);
    }
}
