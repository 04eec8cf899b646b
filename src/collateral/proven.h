/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Intel signed and we have verified. Only collateral/verify.c makes one (tidy checks the name
 * proven_new); store and publish take nothing else for what Intel signs. Immutable once made,
 * reference-counted (atomic), so workers may share it.
 */
#ifndef COLLATERAL_PROVEN_H
#define COLLATERAL_PROVEN_H

#include "collateral/tcbinfo.h"
#include "terms/terms.h"
#include "x509/sgx_ext.h"
#include "x509/x509_crl.h"

struct proven_pck {
    char tcbm[36 + 1]; /* upper case, agrees with the certificate */
    char *pem;         /* written anew, ends in LF */
    struct sgx_ext ext;
    int64_t not_after;
    bool revoked; /* by the CA's CRL at hand: served and reported */
};

struct proven {
    struct item_key key;
    struct buf body;   /* exactly what is stored and served: compact JSON, or DER. PCK: empty */
    char *chain_pem;   /* decoded PEM, signer or CA first, root last, ends in LF; NULL for the
                          root CRL and other CRLs of crl?uri= */
    char *root_pem;    /* the last certificate of chain_pem alone */
    char *signer_pem;  /* the first certificate of chain_pem alone (TCB signing or PCK CA) */
    int64_t issued_at; /* issueDate, thisUpdate; 0 for PCK */
    int64_t next_update_at; /* nextUpdate as signed; 0 for PCK */
    int64_t fresh_until; /* min(next_update_at, end of the chain's validity); INT64_MAX for PCK and
                            FMSPCS */
    bool signer_revoked; /* only for what came out of the store: stale and to be reported */
    /* by kind */
    struct tcbinfo *tcbinfo; /* ITEM_TCBINFO */
    struct x509_crl *crl;    /* ITEM_PCK_CRL, ITEM_ROOT_CRL, ITEM_CRL */
    struct proven_pck *pcks; /* ITEM_PCK: available ones, input order */
    size_t pck_count;
    struct fmspc fmspc; /* ITEM_PCK: of the certificates */
    enum pck_ca ca;     /* ITEM_PCK */
    _Atomic int references;
};

struct proven *proven_ref(struct proven *proven);
void proven_unref(struct proven *proven);    /* NULL is fine */
void proven_cleanup(struct proven **proven); /* for auto_cleanup */
#define auto_proven __attribute__((cleanup(proven_cleanup)))

/* Fresh: now < fresh_until and the signer is not revoked. */
bool proven_is_fresh(const struct proven *proven, int64_t now);
/* trust.md rule 6: is candidate older than kept (issueDate or thisUpdate)? Equal is not older. */
bool proven_is_older(const struct proven *candidate, const struct proven *kept);

#endif
