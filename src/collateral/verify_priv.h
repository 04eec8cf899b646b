/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of a verification share: one <kind>_prove per kind of item, called by verify.c
 * alone, each filling the proven that verify.c has made and will drop on failure.
 */
#ifndef COLLATERAL_VERIFY_PRIV_H
#define COLLATERAL_VERIFY_PRIV_H

#include <jansson.h>

#include "collateral/verify.h"

/* One verification under way; all pointers are borrowed from verify(). */
struct verification {
    const struct verify_context *context;
    const struct item_key *key;
    const struct raw_reply *raw;
    struct proven *proven; /* being filled */
};

/* Only verify.c calls this (tidy checks the name). One reference; NULL if memory ran out. */
struct proven *proven_new(const struct item_key *key);

int tcbinfo_prove(const struct verification *v, struct fault *why) must_check;
int identity_prove(const struct verification *v, struct fault *why) must_check;
int evalnumbers_prove(const struct verification *v, struct fault *why) must_check;
int pck_crl_prove(const struct verification *v, struct fault *why) must_check;
int root_crl_prove(const struct verification *v, struct fault *why) must_check;
int url_crl_prove(const struct verification *v, struct fault *why) must_check;
int pck_certs_prove(const struct verification *v, struct fault *why) must_check;
int fmspcs_prove(const struct verification *v, struct fault *why) must_check;

/* ---- issuer.c ---- */

/* Fills issued_at, next_update_at, fresh_until; FAULT_MISMATCH if issued_at is more than 24 hours
 * ahead of now (trust.md rule 2). */
int issue_dates_prove(const struct verification *v, int64_t issued_at, int64_t next_update_at,
                      struct fault *why) must_check;
/* Judges a parsed chain as [signer, root], valid at issued_at and not revoked; fills
 * signer_revoked, lowers fresh_until. */
int issuer_judge(const struct verification *v, const struct x509_chain *chain, int64_t issued_at,
                 struct fault *why) must_check;
/* As issuer_judge on the chain that came with the item or, if none came, kept_pem (may be NULL:
 * FAULT_NO_CHAIN); fills chain_pem, signer_pem and root_pem too. *ret_chain: free with
 * x509_chain_free. */
int issuer_prove(const struct verification *v, const char *kept_pem, int64_t issued_at,
                 struct x509_chain **ret_chain, struct fault *why) must_check;
/* Is the first certificate of chain of that role? FAULT_CHAIN if not. */
int issuer_check_role(const struct x509_chain *chain, enum x509_role role,
                      struct fault *why) must_check;
/* The role of a PCK CA's certificate, and back; false for other roles. */
enum x509_role pck_ca_role(enum pck_ca ca);
bool pck_ca_of_role(enum x509_role role, enum pck_ca *ret_ca);
/* body_bytes as served and the decoded chain against LIMIT_ITEM_WITH_CHAIN_BYTES (clients.md 1.5).
 * FAULT_OVERSIZE. */
int client_size_check(const struct verification *v, size_t body_bytes,
                      struct fault *why) must_check;

/* ---- signed_json.c ---- */

/* {"member":{...},"signature":"<128 hex>"}, nothing else and in this order. */
struct signed_json {
    struct buf text;       /* the whole, compact: what is stored and served */
    struct span inner;     /* the exact signed bytes; in text */
    struct span signature; /* the hex digits; in text */
};
/* Fills *json; free with signed_json_done also after a failure. FAULT_INPUT. */
int signed_json_parse(struct signed_json *json, struct span body, const char *member,
                      struct fault *why) must_check;
void signed_json_done(struct signed_json *json);
/* Dates, issuer chain (a TCB signing certificate) and signature; moves the text into
 * proven->body. */
int signed_json_prove(const struct verification *v, struct signed_json *json, int64_t issued_at,
                      int64_t next_update_at, struct fault *why) must_check;

/* Members of a parsed object; absent or of another form: FAULT_INPUT. Strings belong to object. */
int signed_get_string(const json_t *object, const char *name, struct span *ret_text,
                      struct fault *why) must_check;
int signed_get_number(const json_t *object, const char *name, uint32_t most, uint32_t *ret_number,
                      struct fault *why) must_check;
int signed_get_date(const json_t *object, const char *name, int64_t *ret_at,
                    struct fault *why) must_check;
int signed_get_hex(const json_t *object, const char *name, size_t digits, struct span *ret_text,
                   struct fault *why) must_check;
/* An array with at least one element. */
int signed_get_array(const json_t *object, const char *name, json_t **ret_array,
                     struct fault *why) must_check;
int signed_get_object(const json_t *object, const char *name, json_t **ret_object,
                      struct fault *why) must_check;
/* advisoryIDs: absent, or an array of strings. */
int signed_check_advisories(const json_t *object, struct fault *why) must_check;

#endif
