/* SPDX-License-Identifier: BSD-3-Clause */
/* The table that schema.def becomes, and the one way in which a value enters a configuration. */
#ifndef CONFIG_CONFIG_PRIV_H
#define CONFIG_CONFIG_PRIV_H

#include "config/config.h"

enum config_kind {
    CONFIG_KIND_COUNT,
    CONFIG_KIND_PORT,
    CONFIG_KIND_SIZE,
    CONFIG_KIND_DURATION,
    CONFIG_KIND_SWITCH,
    CONFIG_KIND_TEXT,
    CONFIG_KIND_WORD,
    CONFIG_KIND_CHOICE,
    CONFIG_KIND_HASH,
    CONFIG_KIND_MODE,
    CONFIG_KIND_LEVEL,
    CONFIG_KIND_LIST
};

struct config_row {
    const char *key;
    enum config_kind kind;
    size_t offset; /* of the member in struct config */
    int64_t least, most;
    const char *initial, *words;
    bool is_secret;
    const char *help;
};
extern const struct config_row config_rows[CONFIG_OPTION_COUNT];

/* The member of an option, as its kind has it: int, int64_t, bool, char * ... */
void *config_member(const struct config *config, enum config_option option);

/* A value as its layer has it. From JSON a number is a number and a switch is a switch; in the
 * environment everything is text. */
struct config_value {
    enum { CONFIG_VALUE_TEXT, CONFIG_VALUE_NUMBER, CONFIG_VALUE_BOOL, CONFIG_VALUE_LIST } type;
    bool is_json;
    struct span text;
    int64_t number;
    bool truth;
    const struct span *elements; /* of a list */
    size_t element_count;
};

/* Checks the value against its row and stores it with its origin. FAULT_CONFIG: source, key, what
 * was expected. */
int config_set(struct config *config, enum config_option option, const struct config_value *value,
               const char *source, struct fault *why) must_check;

/* The refusal that every layer uses. got may be NULL; it is left out for secrets. */
int config_refuse(enum config_option option, const char *source, const char *got,
                  struct fault *why);

/* The elements of a text with separators; false if there are more than most. */
bool config_split(struct span text, uint8_t separator, struct span *ret_elements, size_t most,
                  size_t *ret_count);

#endif
