/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin hash-token: the SHA-512 of a token in lower-case hex, as UserTokenHash and
 * AdminTokenHash want it (api.md, Authentication).
 * Takes the token from standard input: a line, or on a terminal twice without echo; prints the
 * hash. Called by main.c. Must never echo the token, nor take one that no HTTP header can carry.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "pccsadmin/admin.h"

static int
token_ask(struct buf *token, struct fault *why)
{
    auto_cleanup(buf_done_secret) struct buf again = secret_buf();
    int failed = ask_secret("Token: ", token, why);
    if (failed == 0) {
        failed = ask_secret("The same token again: ", &again, why);
    }
    if (failed == 0 && !span_equal(buf_span(token), buf_span(&again))) {
        return fault_set(why, FAULT_CONFIG, "ask", "the two tokens differ");
    }
    return failed;
}

/* All of standard input, less one line end. */
static int
token_read(struct buf *token, struct fault *why)
{
    uint8_t bytes[256];
    ssize_t count;
    while ((count = read(STDIN_FILENO, bytes, sizeof bytes)) > 0) {
        if (buf_add(token, span_of(bytes, (size_t)count)) != 0) {
            return fault_set(why, FAULT_CONFIG, "input", "a token has at most %d bytes",
                             SECRET_BYTES_MAX);
        }
    }
    if (count < 0) {
        return fault_set(why, FAULT_IO, "input", "cannot read standard input");
    }
    if (token->size > 0 && token->data[token->size - 1] == '\n') {
        token->size--;
    }
    if (token->size > 0 && token->data[token->size - 1] == '\r') {
        token->size--;
    }
    return 0;
}

static int
token_check(struct span token, struct fault *why)
{
    if (token.size == 0) {
        return fault_set(why, FAULT_CONFIG, "input", "no token: give it on standard input");
    }
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] < ' ' || token.data[i] == 0x7f) {
            return fault_set(why, FAULT_CONFIG, "input",
                             "the token holds a control character or a second line; no HTTP header "
                             "can carry it");
        }
    }
    return 0;
}

int
cmd_hash_token(const struct arguments *args)
{
    auto_cleanup(buf_done_secret) struct buf token = secret_buf();
    struct fault why;
    char hash[128 + 1];
    int failed = ask_is_possible() ? token_ask(&token, &why) : token_read(&token, &why);
    if (failed == 0) {
        failed = token_check(buf_span(&token), &why);
    }
    if (failed != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    if (!secret_hash(buf_span(&token), hash)) {
        say_error("OpenSSL could not make a SHA-512");
        return ADMIN_FAILED;
    }
    if (arguments_have(args, ADMIN_JSON)) {
        say_json(args, json_pack("{s:s}", "sha512", hash));
    } else {
        puts(hash);
    }
    return ADMIN_DONE;
}
