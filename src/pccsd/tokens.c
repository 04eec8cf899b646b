/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps the SHA-512 hashes of the user, admin and metrics tokens (api.md, Authentication).
 * Takes them from a configuration; gives yes or no for a presented token.
 * Loops ask, the main thread sets on SIGHUP: the lock is held for a copy of 129 bytes and no
 * longer, so that no loop waits for a hash being computed.
 * Must never hold, log or return a token itself.
 */
#include "pccsd/tokens.h"

#include "request/request.h"

static void
copy_hash(char out[TOKEN_HASH_SIZE], const char *hash)
{
    /* config_check has seen to the form; anything else counts as not configured */
    if (!span_to_text(span_of_text(hash), out, TOKEN_HASH_SIZE)) {
        out[0] = '\0';
    }
}

void
tokens_init(struct tokens *tokens, const struct config *config)
{
    pthread_mutex_init(&tokens->lock, NULL);
    tokens_set(tokens, config);
}

void
tokens_done(struct tokens *tokens)
{
    pthread_mutex_destroy(&tokens->lock);
}

void
tokens_set(struct tokens *tokens, const struct config *config)
{
    pthread_mutex_lock(&tokens->lock);
    copy_hash(tokens->hashes[TOKEN_USER], config->user_token_hash);
    copy_hash(tokens->hashes[TOKEN_ADMIN], config->admin_token_hash);
    copy_hash(tokens->hashes[TOKEN_METRICS], config->metrics_token_hash);
    pthread_mutex_unlock(&tokens->lock);
}

static void
tokens_get(struct tokens *tokens, enum token_kind kind, char out[TOKEN_HASH_SIZE])
{
    pthread_mutex_lock(&tokens->lock);
    memcpy(out, tokens->hashes[kind], TOKEN_HASH_SIZE);
    pthread_mutex_unlock(&tokens->lock);
}

bool
tokens_have(struct tokens *tokens, enum token_kind kind)
{
    char hash[TOKEN_HASH_SIZE];
    tokens_get(tokens, kind, hash);
    return hash[0] != '\0';
}

bool
tokens_accept(struct tokens *tokens, enum token_kind kind, struct span token)
{
    char hash[TOKEN_HASH_SIZE];
    tokens_get(tokens, kind, hash);
    return token_matches(token, hash);
}
