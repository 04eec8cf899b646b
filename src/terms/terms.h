/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The field's own words as types: products, enclaves, update types, CAs, FMSPCs, and the key of
 * every item that is cached. Forms and normal forms: api.md, Values.
 */
#ifndef TERMS_TERMS_H
#define TERMS_TERMS_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/span.h"

enum product { PRODUCT_SGX = 0, PRODUCT_TDX = 1 }; /* fmspc_tcbs.type */
enum enclave {
    ENCLAVE_QE = 1,
    ENCLAVE_QVE = 2,
    ENCLAVE_TDQE = 3,
    ENCLAVE_QAE = 4
}; /* 1-3: enclave_identities.id */
enum update_type { UPDATE_STANDARD, UPDATE_EARLY, UPDATE_ALL, UPDATE_NUMBERED };
enum pck_ca { PCK_CA_PROCESSOR, PCK_CA_PLATFORM };
enum cache_mode { CACHE_MODE_LAZY, CACHE_MODE_REQ, CACHE_MODE_OFFLINE };

const char *product_word(enum product product); /* "SGX", "TDX" */
const char *
enclave_word(enum enclave enclave); /* as in enclaveIdentity.id: "QE", "QVE", "TD_QE", "QAE" */
const char *update_type_word(enum update_type type); /* "STANDARD", "EARLY", "ALL", "NUMBERED" */
const char *pck_ca_word(enum pck_ca ca);             /* "PROCESSOR", "PLATFORM" */
const char *cache_mode_word(enum cache_mode mode);   /* "LAZY", "REQ", "OFFLINE" */

/* Any case. False (output untouched) on anything else. */
bool update_type_parse(struct span word, enum update_type *ret_type); /* standard, early, all */
bool pck_ca_parse(struct span word, enum pck_ca *ret_ca);
bool cache_mode_parse(struct span word, enum cache_mode *ret_mode);

struct fmspc {
    char hex[12 + 1]; /* upper case */
};
bool fmspc_parse(struct span text, struct fmspc *ret_fmspc); /* 12 hex digits, any case */

/* A platform: (qe_id, pce_id), normal form. */
struct platform_id {
    char qeid[LIMIT_QEID_CHARS * 4 + 1]; /* upper case; UTF-8, so up to four bytes a character */
    char pceid[4 + 1];                   /* upper case, little-endian hex */
};
/* 1 to 260 characters, upper-cased (ASCII letters; other characters stay as they are). */
bool qeid_parse(struct span text, struct platform_id *ret_id);
bool pceid_parse(struct span text, struct platform_id *ret_id);

/* The raw TCB of a platform. */
struct raw_tcb {
    char cpusvn[32 + 1]; /* upper case */
    char pcesvn[4 + 1];  /* upper case, little-endian */
};
bool raw_tcb_parse(struct span cpusvn, struct span pcesvn, struct raw_tcb *ret_tcb);
/* pcesvn as number (little-endian hex); cpusvn as 16 bytes. */
uint16_t raw_tcb_pcesvn(const struct raw_tcb *tcb);
void raw_tcb_cpusvn(const struct raw_tcb *tcb, uint8_t out[16]);

enum item_kind {
    ITEM_TCBINFO,     /* product, api_version, fmspc, update[, eval_number] */
    ITEM_IDENTITY,    /* enclave, api_version, update[, eval_number] */
    ITEM_PCK_CRL,     /* ca */
    ITEM_ROOT_CRL,    /* - */
    ITEM_CRL,         /* url */
    ITEM_PCK,         /* platform; and raw where one certificate is meant */
    ITEM_EVALNUMBERS, /* product: tcbevaluationdatanumbers */
    ITEM_FMSPCS,      /* url: the platform parameter ("all", "client", "E3", "E5") */
    ITEM_POLICIES     /* fmspc: its default appraisal policies */
};

/* The key of a cached item. Members that the kind does not name are 0, texts empty (make keys with
 * designated initialisers). What stands behind the end of a text means nothing. */
struct item_key {
    enum item_kind kind;
    unsigned api_version; /* 3 or 4: of TCB info and identities; 4 for all else */
    enum product product;
    enum enclave enclave;
    enum update_type update;
    uint32_t eval_number; /* with UPDATE_NUMBERED */
    enum pck_ca ca;
    struct fmspc fmspc;
    struct platform_id platform;
    struct raw_tcb raw;
    char url[LIMIT_URL_CHARS + 1];
};

/* Appends the canonical text of a key, unique per key: "tcb/SGX/4/STANDARD/00906EA10000",
 * "identity/QE/4/EARLY", "pckcrl/PLATFORM", "rootcrl", "crl/<url>", "pck/<qeid>/<pceid>[/cpusvn/
 * pcesvn]", "evalnumbers/SGX", "fmspcs/all", "policies/<fmspc>". */
enum { ITEM_KEY_TEXT_SIZE = LIMIT_URL_CHARS + 64 };
size_t item_key_text(const struct item_key *key,
                     char out[ITEM_KEY_TEXT_SIZE]); /* length; NUL-terminated */
bool item_key_equal(const struct item_key *a, const struct item_key *b);

#endif
