/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chooses the PCK certificate for a platform's raw TCB, as Intel's C++ library does, because that
 * is what clients that select for themselves get, and because its order is total.
 *
 * Takes the raw TCB, the SGX TCB info of the FMSPC (early if there is one) and the platform's
 * certificates as parsed facts; gives the index of the chosen one. Called on a hit for a new raw
 * TCB (loops), and for every known raw TCB when a platform is stored (workers). Pure. Must never
 * look at signatures, dates, revocation or tcbStatus: a revoked level is a bucket like any other,
 * and the rest was verify.c's.
 *
 * selection.md 4 and 5; "C++ n" in the faults is the library's result code.
 */
#include "pcksel/pcksel.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"

/* The library's result codes that a caller may want to tell apart. */
enum {
    CXX_CPUSVN_MISMATCH = 3,
    CXX_CERT_PCEID = 6,
    CXX_PPID = 7,
    CXX_FMSPC = 8,
    CXX_TCBINFO = 9,
    CXX_TCBINFO_PCEID = 10,
};

/* Seventeen values: 16 component bytes and the PCESVN. */
struct tcb {
    const uint8_t *components;
    uint16_t pcesvn;
};

/* Buckets as lists of certificate indexes: one per TCB level, highest first, and an extra one for
 * certificates below every level. */
static const size_t NOBODY = SIZE_MAX;
struct buckets {
    size_t *heads; /* level_count + 1 */
    size_t *nexts; /* by certificate */
};

static struct tcb
tcb_of_level(const struct tcb_level *level)
{
    return (struct tcb){level->components, level->pcesvn};
}

static struct tcb
tcb_of_cert(const struct sgx_ext *cert)
{
    return (struct tcb){cert->components, cert->pcesvn};
}

/* Not lower and not incomparable (selection.md 4): no value is smaller. */
static bool
tcb_is_equal_or_greater(struct tcb a, struct tcb b)
{
    for (size_t i = 0; i < 16; i++) {
        if (a.components[i] < b.components[i]) {
            return false;
        }
    }
    return a.pcesvn >= b.pcesvn;
}

/* The total order of the levels: components as bytes, first the most significant, then PCESVN. */
static int
level_order(struct tcb a, struct tcb b)
{
    int order = memcmp(a.components, b.components, 16);
    return order != 0 ? order : (int)a.pcesvn - (int)b.pcesvn;
}

static int
level_compare_descending(const void *a, const void *b)
{
    const struct tcb_level *const *x = a;
    const struct tcb_level *const *y = b;
    return level_order(tcb_of_level(*y), tcb_of_level(*x));
}

static int
tcbinfo_check(const struct tcbinfo *tcbinfo, struct fault *why)
{
    if (tcbinfo->version != 2 && tcbinfo->version != 3) {
        return fault_set_number(why, FAULT_INPUT, "pcksel", CXX_TCBINFO,
                                "TCB info version %d, not 2 or 3", tcbinfo->version);
    }
    if (tcbinfo->product != PRODUCT_SGX) {
        return fault_set_number(why, FAULT_INPUT, "pcksel", CXX_TCBINFO,
                                "TCB info of TDX: certificates are selected by that of SGX");
    }
    if (tcbinfo->tcb_type != 0) {
        return fault_set_number(why, FAULT_INPUT, "pcksel", CXX_TCBINFO,
                                "tcbType %d: only 0 is known", tcbinfo->tcb_type);
    }
    if (tcbinfo->level_count == 0) {
        return fault_set_number(why, FAULT_INPUT, "pcksel", CXX_TCBINFO, "TCB info without levels");
    }
    return 0;
}

/* The text is big-endian; the library reads it as a signed 16-bit number, so that what has the top
 * bit set matches no platform. */
static int
pceid_check(const struct tcbinfo *tcbinfo, uint16_t pceid, struct fault *why)
{
    unsigned in_text = (unsigned)tcbinfo->pceid[0] << 8 | tcbinfo->pceid[1];
    if (in_text != pceid || in_text >= 0x8000) {
        return fault_set_number(why, FAULT_INPUT, "pcksel", CXX_TCBINFO_PCEID,
                                "TCB info is for PCE ID %04X, the platform has %04X", in_text,
                                pceid);
    }
    return 0;
}

/* One bad certificate fails the selection: it says that the set is not what it claims to be. */
static int
cert_check(const struct pcksel_input *input, size_t index, struct fault *why)
{
    const struct sgx_ext *cert = input->certs[index];
    if (memcmp(cert->cpusvn, cert->components, sizeof cert->cpusvn) != 0) {
        return fault_set_number(why, FAULT_INPUT, "pcksel", CXX_CPUSVN_MISMATCH,
                                "certificate %zu: CPUSVN differs from its components", index);
    }
    if (((unsigned)cert->pceid[0] << 8 | cert->pceid[1]) != input->pceid) {
        return fault_set_number(why, FAULT_INPUT, "pcksel", CXX_CERT_PCEID,
                                "certificate %zu: PCE ID is not the platform's", index);
    }
    uint8_t fmspc[sizeof cert->fmspc];
    if (!hex_decode(span_of_text(input->tcbinfo->fmspc.hex), fmspc, sizeof fmspc) ||
        memcmp(cert->fmspc, fmspc, sizeof fmspc) != 0) {
        return fault_set_number(why, FAULT_INPUT, "pcksel", CXX_FMSPC,
                                "certificate %zu: FMSPC is not that of the TCB info, %s", index,
                                input->tcbinfo->fmspc.hex);
    }
    if (memcmp(cert->ppid, input->certs[0]->ppid, sizeof cert->ppid) != 0) {
        return fault_set_number(why, FAULT_INPUT, "pcksel", CXX_PPID,
                                "certificate %zu: PPID is not that of the first", index);
    }
    return 0;
}

static int
levels_sort(const struct tcbinfo *tcbinfo, const struct tcb_level **levels, struct fault *why)
{
    for (size_t i = 0; i < tcbinfo->level_count; i++) {
        levels[i] = &tcbinfo->levels[i];
    }
    qsort(levels, tcbinfo->level_count, sizeof levels[0], level_compare_descending);
    for (size_t i = 0; i + 1 < tcbinfo->level_count; i++) {
        if (level_order(tcb_of_level(levels[i]), tcb_of_level(levels[i + 1])) == 0) {
            return fault_set_number(why, FAULT_INPUT, "pcksel", CXX_TCBINFO,
                                    "TCB info has the same level twice");
        }
    }
    return 0;
}

/* Into the first bucket whose level the certificate reaches, before the first member that it
 * equals or exceeds; members that it cannot be compared with are passed over. */
static void
bucket_add(struct buckets *buckets, const struct pcksel_input *input,
           const struct tcb_level *const *levels, size_t index)
{
    struct tcb tcb = tcb_of_cert(input->certs[index]);
    size_t bucket = 0;
    while (bucket < input->tcbinfo->level_count &&
           !tcb_is_equal_or_greater(tcb, tcb_of_level(levels[bucket]))) {
        bucket++;
    }
    size_t *link = &buckets->heads[bucket];
    while (*link != NOBODY && !tcb_is_equal_or_greater(tcb, tcb_of_cert(input->certs[*link]))) {
        link = &buckets->nexts[*link];
    }
    buckets->nexts[index] = *link;
    *link = index;
}

/* The first member, bucket by bucket, that the raw TCB equals or exceeds; NOBODY if none. */
static size_t
bucket_find(const struct buckets *buckets, const struct pcksel_input *input)
{
    struct tcb raw = {input->cpusvn, input->pcesvn};
    for (size_t bucket = 0; bucket <= input->tcbinfo->level_count; bucket++) {
        for (size_t i = buckets->heads[bucket]; i != NOBODY; i = buckets->nexts[i]) {
            if (tcb_is_equal_or_greater(raw, tcb_of_cert(input->certs[i]))) {
                return i;
            }
        }
    }
    return NOBODY;
}

/* The library's order of checks: TCB info, its PCE ID, then each certificate. */
static int
input_check(const struct pcksel_input *input, const struct tcb_level **levels, struct fault *why)
{
    int rc = levels_sort(input->tcbinfo, levels, why);
    rc = rc != 0 ? rc : pceid_check(input->tcbinfo, input->pceid, why);
    for (size_t i = 0; rc == 0 && i < input->cert_count; i++) {
        rc = cert_check(input, i, why);
    }
    return rc;
}

int
pcksel_select(const struct pcksel_input *input, size_t *ret_index, struct fault *why)
{
    if (input->cert_count == 0) {
        return fault_set(why, FAULT_NOT_FOUND, "pcksel", "the platform has no PCK certificates");
    }
    int rc = tcbinfo_check(input->tcbinfo, why);
    if (rc != 0) {
        return rc;
    }
    size_t level_count = input->tcbinfo->level_count;
    auto_free const struct tcb_level **levels = calloc(level_count, sizeof levels[0]);
    auto_free size_t *heads = calloc(level_count + 1, sizeof heads[0]);
    auto_free size_t *nexts = calloc(input->cert_count, sizeof nexts[0]);
    if (levels == NULL || heads == NULL || nexts == NULL) {
        return fault_set(why, FAULT_MEMORY, "pcksel", "no memory for a selection");
    }
    rc = input_check(input, levels, why);
    if (rc != 0) {
        return rc;
    }
    struct buckets buckets = {heads, nexts};
    for (size_t i = 0; i <= level_count; i++) {
        heads[i] = NOBODY;
    }
    for (size_t i = 0; i < input->cert_count; i++) {
        bucket_add(&buckets, input, levels, i);
    }
    size_t found = bucket_find(&buckets, input);
    if (found == NOBODY) {
        return fault_set(why, FAULT_NOT_FOUND, "pcksel",
                         "no certificate's TCB is at or below the platform's raw TCB");
    }
    *ret_index = found;
    return 0;
}
