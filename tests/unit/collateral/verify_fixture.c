/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of verify() share; see verify_fixture.h. */
#include "verify_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

int
verify_fixture_setup(void **state)
{
    struct verify_fixture *f = calloc(1, sizeof *f);
    f->pki = testpki_new();
    struct span pem = span_of_text(f->pki->root_pem);
    if (trust_anchors_from_pem(&pem, 1, &f->anchors, &f->why) != 0) {
        return 1;
    }
    f->context = (struct verify_context){
        .anchors = f->anchors, .now = TESTPKI_NOW, .origin = VERIFY_UPSTREAM};
    *state = f;
    return 0;
}

int
verify_fixture_teardown(void **state)
{
    struct verify_fixture *f = *state;
    trust_anchors_free(f->anchors);
    testpki_free(f->pki);
    free(f);
    return 0;
}

static int
judge(struct verify_fixture *f, const struct item_key *key, struct span bytes, const char *chain,
      struct proven **ret_proven)
{
    struct raw_reply raw;
    raw_reply_init(&raw);
    assert_int_equal(buf_add(&raw.body, bytes), 0);
    raw.issuer_chain = chain != NULL ? strdup(chain) : NULL;
    f->why = (struct fault){0};
    int fault = verify(&f->context, key, &raw, ret_proven, &f->why);
    assert_int_equal(fault, f->why.code);
    raw_reply_done(&raw);
    return fault;
}

int
verify_bytes(struct verify_fixture *f, const struct item_key *key, struct span bytes,
             const char *chain)
{
    auto_proven struct proven *proven = NULL;
    int fault = judge(f, key, bytes, chain, &proven);
    assert_true((fault == 0) == (proven != NULL));
    return fault;
}

int
verify_text(struct verify_fixture *f, const struct item_key *key, const char *text,
            const char *chain)
{
    return verify_bytes(f, key, span_of_text(text), chain);
}

struct proven *
verify_needed(struct verify_fixture *f, const struct item_key *key, struct span bytes,
              const char *chain)
{
    struct proven *proven = NULL;
    if (judge(f, key, bytes, chain, &proven) != 0) {
        fail_msg("refused: %s", f->why.text);
    }
    return proven;
}

void
assert_refused(const struct verify_fixture *f, int fault, int expected, const char *word)
{
    if (fault != expected || strstr(f->why.text, word) == NULL) {
        fail_msg("%s \"%s\" instead of %s \"%s\"", fault_word(fault), f->why.text,
                 fault_word(expected), word);
    }
}

struct x509_crl *
make_crl(X509 *issuer, EVP_PKEY *key, uint64_t serial)
{
    size_t size = 0;
    auto_free uint8_t *der =
        testpki_crl_der(&(struct testpki_crl){.issuer = issuer,
                                              .key = key,
                                              .this_update = TESTPKI_NOW - TESTPKI_DAY,
                                              .next_update = TESTPKI_NOW + 30 * TESTPKI_DAY,
                                              .serials = &serial,
                                              .serial_count = serial != 0 ? 1 : 0},
                        &size);
    struct x509_crl *crl = NULL;
    assert_int_equal(x509_crl_parse(span_of(der, size), &crl, NULL), 0);
    return crl;
}

char *
replace_text(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    char *replaced = NULL;
    assert_true(asprintf(&replaced, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) >=
                0);
    return replaced;
}

char *
with_blanks(const char *text)
{
    char *spaced = malloc(2 * strlen(text) + 1);
    assert_non_null(spaced);
    char *out = spaced;
    bool is_in_string = false;
    for (const char *at = text; *at != '\0'; at++) {
        *out++ = *at;
        is_in_string ^= *at == '"';
        if (!is_in_string && (*at == ',' || *at == ':')) {
            *out++ = ' ';
        }
    }
    *out = '\0';
    return spaced;
}
