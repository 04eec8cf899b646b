/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies what Intel signed but for PCK certificates: TCB infos, identities, revocation lists, also
 * those cached by URL, evaluation numbers, the FMSPC list.
 * Takes the run; each item is loaded, judged, put in a transaction of its own and read back.
 * Called by store_copy.c on the main thread.
 * Must never put an item that does not verify, nor an older one over a newer (trust.md, rule 6).
 */
#include "base/mem.h"
#include "pccsadmin/store_copy.h"

/* ret_raw is to be freed in any case. */
static int
item_load(struct store *store, const struct item_key *key, struct raw_reply *ret_raw,
          struct fault *why)
{
    raw_reply_init(ret_raw);
    return store_load_item(store, key, ret_raw, why);
}

/* NULL if it does not verify; then why says so. Other faults end the run. */
static int
item_prove(struct store_copy *copy, const struct item_key *key, const struct raw_reply *raw,
           struct proven **ret_proven, struct fault *why)
{
    int code = verify(&copy->context, key, raw, ret_proven, why);
    return code == FAULT_MEMORY ? code : 0;
}

/* What the target has. */
static int
target_judge(struct store_copy *copy, const struct proven *item, const struct raw_reply *raw,
             enum copy_verdict *ret_verdict, struct fault *why)
{
    struct fault detail;
    auto_proven struct proven *kept = NULL;
    int code = item_prove(copy, &item->key, raw, &kept, &detail);
    if (code != 0) {
        *why = detail;
        return code;
    }
    *ret_verdict = kept == NULL ? COPY_DIFFERS : copy_item_judge(item, kept);
    return 0;
}

static int
item_read_back(struct store_copy *copy, const struct proven *item, enum copy_verdict *ret_verdict,
               struct fault *why)
{
    struct raw_reply raw;
    int code = item_load(copy->to, &item->key, &raw, why);
    if (code == 0) {
        code = target_judge(copy, item, &raw, ret_verdict, why);
    } else if (code == FAULT_NOT_FOUND) {
        *ret_verdict = COPY_MISSING;
        code = 0;
    }
    raw_reply_done(&raw);
    return code;
}

static int
item_put(struct store_copy *copy, const struct proven *item, const char *name, struct fault *why)
{
    const struct store_batch batch = {.items = &item, .item_count = 1};
    enum copy_verdict verdict = COPY_MISSING;
    int code = store_put(copy->to, &batch, why);
    if (code != 0) {
        return store_copy_refused(copy, COPY_ITEMS, name, code, why);
    }
    copy->refusals = 0;
    code = item_read_back(copy, item, &verdict, why);
    if (code == 0 && (verdict == COPY_SAME || verdict == COPY_NEWER)) {
        copy_tell_copied(copy, COPY_ITEMS);
    } else if (code == 0) {
        copy_tell_differs(copy, COPY_ITEMS, name, verdict);
    }
    return code;
}

/* The source's item is proven; there: what the target has, NULL: nothing. */
static int
item_copy_proven(struct store_copy *copy, const struct proven *item, const struct raw_reply *there,
                 struct fault *why)
{
    char name[COPY_NAME_SIZE];
    enum copy_verdict verdict = COPY_MISSING;
    copy_name_item(&item->key, name);
    int code = there != NULL ? target_judge(copy, item, there, &verdict, why) : 0;
    if (code != 0) {
        return code;
    }
    switch (verdict) {
    case COPY_SAME:
        copy_tell_same(copy, COPY_ITEMS);
        return 0;
    case COPY_NEWER:
        copy_tell_newer(copy, COPY_ITEMS, name, "the target's was issued later");
        return 0;
    case COPY_MISSING:
    case COPY_DIFFERS:
        break;
    }
    if (copy->only_verify) {
        copy_tell_differs(copy, COPY_ITEMS, name, verdict);
        return 0;
    }
    return item_put(copy, item, name, why);
}

static int
item_copy_found(struct store_copy *copy, const struct item_key *key, const struct raw_reply *raw,
                const struct raw_reply *there, struct fault *why)
{
    if (there != NULL && copy_raw_is_equal(raw, there)) {
        copy_tell_same(copy, COPY_ITEMS);
        return 0;
    }
    struct fault detail;
    auto_proven struct proven *item = NULL;
    int code = item_prove(copy, key, raw, &item, &detail);
    if (code != 0) {
        *why = detail;
        return code;
    }
    if (item == NULL) {
        char name[COPY_NAME_SIZE];
        copy_name_item(key, name);
        copy_tell_skipped(copy, COPY_ITEMS, name, detail.text);
        return 0;
    }
    return item_copy_proven(copy, item, there, why);
}

/* ---- signers ---- */

enum signer { SIGNER_PROCESSOR_CA, SIGNER_PLATFORM_CA, SIGNER_TCB, SIGNERS };

/* False for what has no chain. */
static bool
signer_of(const struct item_key *key, enum signer *ret_signer)
{
    switch (key->kind) {
    case ITEM_PCK_CRL:
        *ret_signer = key->ca == PCK_CA_PLATFORM ? SIGNER_PLATFORM_CA : SIGNER_PROCESSOR_CA;
        return true;
    case ITEM_TCBINFO:
    case ITEM_IDENTITY:
    case ITEM_EVALNUMBERS:
        *ret_signer = SIGNER_TCB;
        return true;
    case ITEM_ROOT_CRL:
    case ITEM_CRL:
    case ITEM_PCK:
    case ITEM_FMSPCS:
    case ITEM_POLICIES:
        break;
    }
    return false;
}

static const char *
chain_of(const struct store_chains *chains, enum signer signer)
{
    return signer == SIGNER_TCB ? chains->tcb_signing_chain_pem : chains->pck_chain_pems[signer];
}

struct items {
    struct store_copy *copy;
    uint64_t counted;                /* of those that store_counts counts */
    struct item_key latest[SIGNERS]; /* an item of the source's latest signer */
    bool has_latest[SIGNERS];
    struct fault why;
    int code;
};

/* Keeps it if its chain is the one that the source would judge chainless uploads by. */
static void
latest_note(struct items *items, const struct item_key *key, const struct raw_reply *raw)
{
    enum signer signer;
    if (!signer_of(key, &signer) || items->has_latest[signer] || raw->issuer_chain == NULL) {
        return;
    }
    const char *latest = chain_of(&items->copy->chains, signer);
    items->has_latest[signer] = strcmp(latest, raw->issuer_chain) == 0;
    if (items->has_latest[signer]) {
        items->latest[signer] = *key;
    }
}

static int
latest_put(struct store_copy *copy, const struct item_key *key, struct fault *why)
{
    auto_cleanup(raw_reply_done) struct raw_reply raw;
    auto_proven struct proven *item = NULL;
    int code = item_load(copy->from, key, &raw, why);
    code = code != 0 ? code : item_prove(copy, key, &raw, &item, why);
    if (code != 0 || item == NULL) {
        return code == FAULT_NOT_FOUND ? 0 : code;
    }
    const struct proven *const one = item;
    const struct store_batch batch = {.items = &one, .item_count = 1};
    return store_put(copy->to, &batch, why);
}

/* The tables have one place for the signer of all items: the one that was put last. Where signers
 * were renewed that must be the newer one, as in the source. */
static int
signers_settle(struct items *items, struct fault *why)
{
    struct store_copy *copy = items->copy;
    auto_cleanup(store_chains_done) struct store_chains there = {0};
    if (copy->only_verify || copy->counts[COPY_ITEMS].newer > 0) {
        return 0;
    }
    int code = store_load_chains(copy->to, &there, why);
    for (int i = 0; code == 0 && i < SIGNERS; i++) {
        enum signer signer = (enum signer)i;
        if (items->has_latest[i] &&
            strcmp(chain_of(&copy->chains, signer), chain_of(&there, signer)) != 0) {
            code = latest_put(copy, &items->latest[i], why);
        }
    }
    return code;
}

/* ---- all ---- */

static int
item_copy(struct items *items, const struct item_key *key, struct fault *why)
{
    struct store_copy *copy = items->copy;
    auto_cleanup(raw_reply_done) struct raw_reply raw;
    auto_cleanup(raw_reply_done) struct raw_reply there;
    raw_reply_init(&there);
    int code = item_load(copy->from, key, &raw, why);
    if (code == FAULT_NOT_FOUND) {
        char name[COPY_NAME_SIZE];
        copy_name_item(key, name);
        copy_tell_skipped(copy, COPY_ITEMS, name, why->text);
        return 0;
    }
    if (code == 0) {
        latest_note(items, key, &raw);
        code = item_load(copy->to, key, &there, why);
    }
    if (code != 0 && code != FAULT_NOT_FOUND) {
        return code;
    }
    return item_copy_found(copy, key, &raw, code == 0 ? &there : NULL, why);
}

static bool
on_key(void *self, const struct item_key *key)
{
    struct items *items = self;
    items->counted += key->kind != ITEM_EVALNUMBERS && key->kind != ITEM_FMSPCS ? 1 : 0;
    items->code = item_copy(items, key, &items->why);
    return items->code == 0;
}

int
store_copy_items(struct store_copy *copy, struct fault *why)
{
    struct items items = {.copy = copy};
    struct store_counts counts = {0};
    int code = store_counts(copy->from, &counts, why);
    if (code != 0) {
        return code;
    }
    uint64_t total = counts.tcb_infos + counts.identities + counts.crls;
    progress_start_long(&copy->progress, copy->args, "items", (size_t)total);
    code = store_each_item(copy->from, on_key, &items, why);
    if (code == 0 && items.code != 0) {
        *why = items.why;
        return items.code;
    }
    code = code != 0 ? code : signers_settle(&items, why);
    if (code == 0) {
        copy_tell_unread(copy, COPY_ITEMS, "items", total, items.counted);
    }
    progress_end(&copy->progress);
    return code;
}
