/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * network_setting.conf: every value that is taken ends, holds no white space, and is a word that
 * its key knows.
 */
#include <ctype.h>

#include "base/mem.h"
#include "pckid/network_setting.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct network_setting setting;
    struct fault why;
    bool flag;
    enum pckid_update update;
    if (network_setting_parse(span_of(data, size), &setting, &why) != 0) {
        return 0;
    }
    for (int key = 0; key < NETWORK_KEY_COUNT; key++) {
        const char *value = setting.values[key];
        must(strnlen(value, NETWORK_VALUE_SIZE) < NETWORK_VALUE_SIZE);
        for (const char *c = value; *c != '\0'; c++) {
            must(!isspace((unsigned char)*c));
        }
    }
    const char *secure = setting.values[NETWORK_USE_SECURE_CERT];
    const char *type = setting.values[NETWORK_TCB_UPDATE_TYPE];
    const char *url = setting.values[NETWORK_PCCS_URL];
    must(secure[0] == '\0' || pckid_bool_parse(secure, &flag));
    must(type[0] == '\0' || pckid_update_parse(type, &update));
    must(url[0] == '\0' || pckid_url_is_good(url));
    return 0;
}
