/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated PKI: Intel's names (trust.md, The shapes) over keys of its own, kept in a folder.
 * The keys stay for ever; the certificates are issued anew at each start, because their CRL
 * distribution points carry the simulator's address. The same keys and address give the same bytes.
 */
#ifndef PCSSIM_SIM_PKI_H
#define PCSSIM_SIM_PKI_H

#include "pcssim/sim_cert.h"
#include "terms/terms.h"

/* What a fault asks to be done wrong while an item is issued. */
struct sim_twist {
    bool tamper;           /* one byte differs from what was signed */
    bool wrong_signer;     /* signed by a key that the chain does not show */
    int64_t issue_shift_s; /* added to the time of issue */
};

enum sim_crl { SIM_CRL_ROOT, SIM_CRL_PROCESSOR, SIM_CRL_PLATFORM, SIM_CRL_COUNT };

struct sim_pki;

/* folder is made if it is missing (0700); keys are made at the first start, 0600; root.pem and the
 * other certificates are written when they changed. url: "http://127.0.0.1:PORT", no slash behind.
 */
int sim_pki_open(const char *folder, const char *url, struct sim_pki **ret_pki,
                 struct fault *why) must_check;
void sim_pki_free(struct sim_pki *pki);

/* Percent-encoded PEM, signer first, root last; owned by pki, until the signer is rotated. */
struct span sim_pki_tcb_chain(const struct sim_pki *pki);
struct span sim_pki_pck_chain(const struct sim_pki *pki, enum pck_ca ca);
struct span sim_pki_root_pem(const struct sim_pki *pki); /* not encoded */

/* Appends 128 hex digits: r||s of the TCB signing key over text. */
int sim_pki_add_signature(struct buf *b, const struct sim_pki *pki, struct span text,
                          const struct sim_twist *twist, struct fault *why) must_check;
/* Appends a PCK certificate as PEM. label makes its serial number. */
int sim_pki_add_pck(struct buf *b, const struct sim_pki *pki, const struct sim_sgx_values *values,
                    const char *label, const struct sim_twist *twist) must_check;
/* Appends DER. */
int sim_pki_add_crl(struct buf *b, const struct sim_pki *pki, enum sim_crl which,
                    const int64_t issued_valid[2], const struct sim_twist *twist) must_check;

/* Revocations last until sim_pki_reset. FAULT_BUSY at LIMIT_SIM_REVOCATIONS. */
int sim_pki_revoke_signer(struct sim_pki *pki, int64_t at, struct fault *why) must_check;
int sim_pki_revoke_ca(struct sim_pki *pki, enum pck_ca ca, int64_t at,
                      struct fault *why) must_check;
int sim_pki_revoke_pck(struct sim_pki *pki, enum pck_ca ca, const char *label, int64_t at,
                       struct fault *why) must_check;
/* A new TCB signing certificate: another key, another serial number. */
int sim_pki_rotate_signer(struct sim_pki *pki, struct fault *why) must_check;
/* Forgets revocations and rotations. */
int sim_pki_reset(struct sim_pki *pki, struct fault *why) must_check;

#endif
