/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is this the token whose SHA-512 the configuration holds?
 *
 * Takes the token as presented, of any length, and the stored hash as lower-case hex. The hashes
 * are compared in constant time, so that nothing is learnt of one by trying. Called by the server's
 * loops. Must never keep, log or return the token. api.md, Authentication.
 */
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/hex.h"
#include "request/request.h"

bool
token_matches(struct span token, const char *hash_hex)
{
    uint8_t expected[SHA512_DIGEST_LENGTH];
    if (!hex_decode(span_of_text(hash_hex), expected, sizeof expected)) {
        return false; /* not configured */
    }
    if (token.size == 0) {
        return false; /* an empty header is no token, whatever was hashed */
    }
    uint8_t presented[SHA512_DIGEST_LENGTH];
    if (SHA512(token.data, token.size, presented) == NULL) {
        return false;
    }
    return CRYPTO_memcmp(presented, expected, sizeof expected) == 0;
}
