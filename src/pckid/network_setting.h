/* SPDX-License-Identifier: BSD-3-Clause */
/* network_setting.conf: KEY = VALUE lines as Intel's tool reads them. */
#ifndef PCKID_NETWORK_SETTING_H
#define PCKID_NETWORK_SETTING_H

#include "base/fault.h"
#include "base/span.h"

enum network_key {
    NETWORK_PCCS_URL,
    NETWORK_USE_SECURE_CERT,
    NETWORK_TCB_UPDATE_TYPE,
    NETWORK_USER_TOKEN,
    NETWORK_PROXY_TYPE,
    NETWORK_PROXY_URL,
    NETWORK_KEY_COUNT
};

enum { NETWORK_VALUE_SIZE = 4096 };

struct network_setting {
    char values[NETWORK_KEY_COUNT][NETWORK_VALUE_SIZE]; /* "" where not set */
    unsigned lines[NETWORK_KEY_COUNT];                  /* where the value stands, from 1 */
    unsigned ignored_line;                              /* the first without a '=', or 0 */
};

enum pckid_update { PCKID_UPDATE_STANDARD, PCKID_UPDATE_EARLY, PCKID_UPDATE_ALL };
enum pckid_proxy_type { PCKID_PROXY_DEFAULT, PCKID_PROXY_DIRECT, PCKID_PROXY_MANUAL };

/* FAULT_INPUT with the line: a value too long, a NUL byte, a bad word, a bad URL. */
int network_setting_parse(struct span text, struct network_setting *ret_setting,
                          struct fault *why) must_check;
const char *network_key_word(enum network_key key);

/* The words that command line and file share, in any case; false if it is none of them. */
bool pckid_bool_parse(const char *word, bool *ret_value);
bool pckid_update_parse(const char *word, enum pckid_update *ret_update);
bool pckid_proxy_type_parse(const char *word, enum pckid_proxy_type *ret_type);
/* http(s)://host..., no user information, at most LIMIT_URL_CHARS. */
bool pckid_url_is_good(const char *url);

#endif
