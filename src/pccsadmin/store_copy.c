/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole cache from one store into another, kind by kind: what Intel signed first, for the
 * platforms' certificates are judged with its revocation lists; then platforms, registrations,
 * policies. Takes two open stores and trust anchors; gives counts, and what was left.
 * Called by cmd_store.c on the main thread.
 * Must never write what was not proven, replace a newer thing by an older one, or keep a state of
 * its own: what is done is seen in the target. trust.md.
 */
#include "pccsadmin/store_copy.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"

enum {
    CLAIM_TTL_S = 60,
    REFUSALS_MAX = 5, /* in a row: then it is not the things' fault */
};

/* ---- the same database under two names ---- */

static int
claim_name_make(char out[64], struct fault *why)
{
    uint8_t bytes[16];
    char hex[2 * sizeof bytes + 1];
    if (getentropy(bytes, sizeof bytes) != 0) {
        return fault_set(why, FAULT_INTERNAL, "store", "no random bytes");
    }
    hex_encode_lower(span_of(bytes, sizeof bytes), hex);
    snprintf(out, 64, "copy/%s", hex);
    return 0;
}

/* A claim that is held in one cannot be had in the other, if it is the same. */
int
store_copy_check_distinct(struct store *from, struct store *to, struct fault *why)
{
    char name[64];
    bool is_held = false;
    if (!store_is_shared(from) || !store_is_shared(to)) {
        return 0;
    }
    int failed = claim_name_make(name, why);
    failed = failed != 0 ? failed : store_claim(from, name, CLAIM_TTL_S, &is_held, why);
    if (failed != 0) {
        return failed;
    }
    failed = store_claim(to, name, CLAIM_TTL_S, &is_held, why);
    if (failed == 0 && is_held) {
        failed = store_release(to, name, why);
    } else if (failed == 0) {
        failed = fault_set(why, FAULT_CONFIG, "store", "both are one and the same database");
    }
    int released = store_release(from, name, failed == 0 ? why : NULL);
    return failed != 0 ? failed : released;
}

/* ---- what the target does not take ---- */

int
store_copy_refused(struct store_copy *copy, enum copy_kind kind, const char *name, int code,
                   const struct fault *why)
{
    copy->refusals += 1;
    if (code == FAULT_MEMORY || copy->refusals >= REFUSALS_MAX || store_ping(copy->to, NULL) != 0) {
        return code;
    }
    copy_tell_skipped(copy, kind, name, why->text);
    return 0;
}

/* ---- what judging needs ---- */

/* One that is missing or does not verify is as if none were at hand; its own turn comes. */
static int
crl_load(struct store_copy *copy, const struct item_key *key, struct proven **ret_crl,
         struct fault *why)
{
    struct raw_reply raw;
    raw_reply_init(&raw);
    int code = store_load_item(copy->from, key, &raw, why);
    if (code == 0) {
        code = verify(&copy->context, key, &raw, ret_crl, why);
        code = code == FAULT_MEMORY ? code : 0;
    }
    raw_reply_done(&raw);
    return code == FAULT_NOT_FOUND ? 0 : code;
}

static const char *
chain_or_null(const char *pem)
{
    return pem != NULL && pem[0] != '\0' ? pem : NULL;
}

static int
context_make(struct store_copy *copy, struct fault *why)
{
    const struct item_key keys[] = {
        {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PROCESSOR},
        {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM},
        {.kind = ITEM_ROOT_CRL, .api_version = 4},
    };
    copy->context.now = clock_now(clock_system());
    copy->context.origin = VERIFY_STORE;
    int code = 0;
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(keys); i++) {
        code = crl_load(copy, &keys[i], &copy->crls[i], why);
    }
    code = code != 0 ? code : store_load_chains(copy->from, &copy->chains, why);
    if (code != 0) {
        return code;
    }
    for (int ca = 0; ca < 2; ca++) {
        copy->context.pck_crls[ca] = copy->crls[ca] != NULL ? copy->crls[ca]->crl : NULL;
        copy->context.pck_chain_pems[ca] = chain_or_null(copy->chains.pck_chain_pems[ca]);
    }
    copy->context.root_crl = copy->crls[2] != NULL ? copy->crls[2]->crl : NULL;
    copy->context.tcb_signing_chain_pem = chain_or_null(copy->chains.tcb_signing_chain_pem);
    return 0;
}

/* ---- all ---- */

int
store_copy_run(struct store_copy *copy, struct fault *why)
{
    static int (*const steps[])(struct store_copy * copy, struct fault * why) = {
        context_make, store_copy_items, store_copy_platforms, store_copy_queue,
        store_copy_policies};
    int code = 0;
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(steps); i++) {
        code = steps[i](copy, why);
    }
    progress_end(&copy->progress);
    return code;
}

void
store_copy_done(struct store_copy *copy)
{
    for (size_t i = 0; i < ARRAY_COUNT(copy->crls); i++) {
        proven_unref(copy->crls[i]);
    }
    store_chains_done(&copy->chains);
    json_decref(copy->listed);
}
