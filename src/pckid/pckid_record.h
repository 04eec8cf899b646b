/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What identifies a platform, as one record: a line of CSV byte for byte as Intel's tool writes it,
 * and the JSON body of a registration.
 */
#ifndef PCKID_PCKID_RECORD_H
#define PCKID_PCKID_RECORD_H

#include "base/buf.h"
#include "base/limits.h"
#include "platform/sgx_collect.h"

enum { PCKID_CSV_LINE_MAX = 4096 + 2 * LIMIT_EFI_VARIABLE_BYTES };

struct pckid_record {
    bool has_identity;                   /* false: of platform-id mode, only id and manifest */
    struct sgx_identity identity;        /* its qe_id is not used: see id */
    uint8_t id[LIMIT_PLATFORM_ID_BYTES]; /* QE ID, or the platform id's bytes */
    size_t id_size;
    struct buf manifest; /* empty: none */
};

/* A record of the enclaves, or of a platform id (at most LIMIT_PLATFORM_ID_BYTES). FAULT_MEMORY. */
int pckid_record_of_identity(const struct sgx_identity *identity, struct span manifest,
                             struct pckid_record *ret_record, struct fault *why) must_check;
int pckid_record_of_id(struct span id, struct span manifest, struct pckid_record *ret_record,
                       struct fault *why) must_check;
void pckid_record_done(struct pckid_record *record);

/* No header, no end of line, lower-case hex. */
int pckid_record_add_csv(const struct pckid_record *record, struct buf *out);
/* Upper-case hex, Intel's order and white space. */
int pckid_record_add_json(const struct pckid_record *record, struct buf *out);
bool pckid_record_ppid_is_zero(const struct pckid_record *record);

/* One line, without its end. FAULT_INPUT with the field. */
int pckid_record_parse(struct span line, struct pckid_record *ret_record,
                       struct fault *why) must_check;

/* All records of a file; empty lines are passed over. FAULT_INPUT with the line; also if there is
 * no record at all. The caller frees it. */
struct pckid_records {
    struct pckid_record *list;
    size_t count;
};
int pckid_records_parse(struct span text, struct pckid_records *ret_records,
                        struct fault *why) must_check;
void pckid_records_done(struct pckid_records *records);

#endif
