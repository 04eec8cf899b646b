/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tokens and the API key: from the environment, from a file that the environment names, from a
 * human without echo; never from the command line, which every user of the machine can read
 * (tools.md, Tokens). No keyring: what runs headless has none.
 * Takes which one; gives its bytes in a buffer that is wiped. Called by the commands, main thread.
 * Must never put a secret into a fault, a log or a buffer that is not wiped.
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "pccsadmin/admin.h"

static const struct {
    const char *variable, *file_variable, *question;
} secrets[] = {
    [SECRET_ADMIN_TOKEN] = {"PCCS_ADMIN_TOKEN", "PCCS_ADMIN_TOKEN_FILE",
                            "Please input your administrator password for PCCS service:"},
    [SECRET_USER_TOKEN] = {"PCCS_USER_TOKEN", "PCCS_USER_TOKEN_FILE",
                           "Please input your user password for PCCS service:"},
    [SECRET_API_KEY] = {"PCS_API_KEY", "PCS_API_KEY_FILE", NULL},
};

struct buf
secret_buf(void)
{
    struct buf b = BUF_INIT(SECRET_BYTES_MAX);
    buf_reserve(&b, SECRET_BYTES_MAX - 1);
    return b;
}

/* A header cannot hold it otherwise, and a line end in a file is the editor's. */
static int
secret_check(const char *name, struct buf *b, struct fault *why)
{
    while (b->size > 0 && (b->data[b->size - 1] == '\n' || b->data[b->size - 1] == '\r')) {
        b->data[--b->size] = '\0';
    }
    for (size_t i = 0; i < b->size; i++) {
        if (b->data[i] < ' ' || b->data[i] == 0x7f) {
            return fault_set(why, FAULT_CONFIG, "secret",
                             "%s holds a control character, which no HTTP header can carry", name);
        }
    }
    return 0;
}

static int
secret_from_file(const char *variable, const char *path, struct buf *b, struct fault *why)
{
    struct fault cause;
    if (file_read(path, b, &cause) != 0) {
        return fault_set_number(why, FAULT_CONFIG, "secret", cause.number, "%s: %s", variable,
                                cause.text);
    }
    return secret_check(variable, b, why);
}

int
secret_get(enum secret secret, struct buf *ret_secret, struct fault *why)
{
    const char *variable = secrets[secret].variable;
    const char *value = getenv(variable);
    const char *path = getenv(secrets[secret].file_variable);
    if (value != NULL && value[0] != '\0') {
        if (buf_add_text(ret_secret, value) != 0) {
            return fault_set(why, FAULT_CONFIG, "secret", "%s is longer than %d bytes", variable,
                             SECRET_BYTES_MAX);
        }
        return secret_check(variable, ret_secret, why);
    }
    if (path != NULL && path[0] != '\0') {
        return secret_from_file(secrets[secret].file_variable, path, ret_secret, why);
    }
    if (secrets[secret].question == NULL) {
        return 0;
    }
    if (!ask_is_possible()) {
        return fault_set(why, FAULT_INPUT, "secret",
                         "no token: set %s, or %s to a file that holds it (nothing is asked where "
                         "standard input is no terminal)",
                         variable, secrets[secret].file_variable);
    }
    int failed = ask_secret(secrets[secret].question, ret_secret, why);
    return failed != 0 ? failed : secret_check("the token", ret_secret, why);
}

bool
secret_hash(struct span secret, char out[128 + 1])
{
    uint8_t digest[64];
    if (EVP_Digest(secret.data, secret.size, digest, NULL, EVP_sha512(), NULL) != 1) {
        return false;
    }
    hex_encode_lower(span_of(digest, sizeof digest), out);
    return true;
}
