/* SPDX-License-Identifier: BSD-3-Clause */
/* The hashes of the tokens, which a reload may change while loops compare against them. */
#ifndef PCCSD_TOKENS_H
#define PCCSD_TOKENS_H

#include <pthread.h>

#include "base/span.h"
#include "config/config.h"

enum token_kind { TOKEN_USER, TOKEN_ADMIN, TOKEN_METRICS, TOKEN_KIND_COUNT };

enum { TOKEN_HASH_SIZE = 128 + 1 };

struct tokens {
    pthread_mutex_t lock; /* of hashes */
    char hashes[TOKEN_KIND_COUNT][TOKEN_HASH_SIZE];
};

void tokens_init(struct tokens *tokens, const struct config *config);
void tokens_done(struct tokens *tokens);
/* Takes over the hashes of a newer configuration. */
void tokens_set(struct tokens *tokens, const struct config *config);
/* Is a hash configured at all? */
bool tokens_have(struct tokens *tokens, enum token_kind kind);
/* Constant time; false if none is configured. */
bool tokens_accept(struct tokens *tokens, enum token_kind kind, struct span token);

#endif
