/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of verify() share: a PKI, its anchors, a context at TESTPKI_NOW. */
#ifndef VERIFY_FIXTURE_H
#define VERIFY_FIXTURE_H

#include "collateral/verify.h"
#include "support/testpki.h"

struct verify_fixture {
    struct testpki *pki;
    struct trust_anchors *anchors;
    struct verify_context context; /* anchors, now, upstream; nothing else at hand */
    struct fault why;              /* of the last judgement */
};

/* cmocka group fixtures; *state is the fixture. */
int verify_fixture_setup(void **state);
int verify_fixture_teardown(void **state);

/* verify() of a text with an issuer chain (NULL: none came); the proven, if any, is let go. */
int verify_text(struct verify_fixture *f, const struct item_key *key, const char *text,
                const char *chain);
int verify_bytes(struct verify_fixture *f, const struct item_key *key, struct span bytes,
                 const char *chain);
/* As verify_text, where the proven is wanted: fails the test if it is refused. */
struct proven *verify_needed(struct verify_fixture *f, const struct item_key *key,
                             struct span bytes, const char *chain);
/* Fails the test unless fault is expected and the reason holds that word. */
void assert_refused(const struct verify_fixture *f, int fault, int expected, const char *word);

/* A parsed CRL of an issuer of the PKI revoking one serial (0: none); free with x509_crl_free. */
struct x509_crl *make_crl(X509 *issuer, EVP_PKEY *key, uint64_t serial);
/* A heap copy of text with the first from replaced by to; fails the test if there is none. */
char *replace_text(const char *text, const char *from, const char *to);
/* A heap copy with a blank after each ',' and ':' outside strings, as Python writes it. */
char *with_blanks(const char *text);

#endif
