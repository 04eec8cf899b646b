/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCB infos by FMSPC: one request per item however many platforms need it (tools.md, fetch).
 * Takes FMSPCs; gives the parts of an entry of "tcbinfos" (clients.md 5.2), or why there are none.
 * An FMSPC without early TCB info keeps its standard part; TDX TCB info is optional.
 * Called by the threads of parallel_run; lock protects the list, an entry that is done does not
 * change any more.
 * Must never ask twice for the same FMSPC, nor hold the lock over a request.
 */
#include "pccsadmin/tcb_shelf.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/url.h"
#include "pccsadmin/json_style.h"

enum { ENTRY_BYTES_MAX = 16 * LIMIT_ITEM_WITH_CHAIN_BYTES };

void
tcb_shelf_init(struct tcb_shelf *shelf, struct pcs_side *side, struct tcb_wants wants)
{
    *shelf = (struct tcb_shelf){.side = side, .wants = wants};
    shelf->wants.tdx = wants.tdx && side->version >= 4;
    pthread_mutex_init(&shelf->lock, NULL);
    pthread_cond_init(&shelf->changed, NULL);
}

void
tcb_shelf_done(struct tcb_shelf *shelf)
{
    if (shelf->side == NULL) {
        return;
    }
    for (size_t i = 0; i < shelf->count; i++) {
        buf_done(&shelf->entries[i]->text);
        buf_done(&shelf->entries[i]->sgx);
        free(shelf->entries[i]->chain);
        free(shelf->entries[i]);
    }
    free(shelf->entries);
    pthread_mutex_destroy(&shelf->lock);
    pthread_cond_destroy(&shelf->changed);
    *shelf = (struct tcb_shelf){0};
}

/* ---- one FMSPC ---- */

struct part {
    enum product product;
    enum update_type update;
    const char *name, *name_v3; /* the member of "tcbinfos" */
};

static const struct part sgx_standard = {PRODUCT_SGX, UPDATE_STANDARD, "sgx_tcbinfo", "tcbinfo"};
static const struct part sgx_early = {PRODUCT_SGX, UPDATE_EARLY, "sgx_tcbinfo_early",
                                      "tcbinfo_early"};
static const struct part tdx_standard = {PRODUCT_TDX, UPDATE_STANDARD, "tdx_tcbinfo", NULL};
static const struct part tdx_early = {PRODUCT_TDX, UPDATE_EARLY, "tdx_tcbinfo_early", NULL};

static void
part_add(const struct tcb_shelf *shelf, struct tcb_entry *entry, const struct part *part,
         const struct proven *proven)
{
    const char *name = shelf->side->version == 3 ? part->name_v3 : part->name;
    buf_add_format(&entry->text, ", \"%s\": ", name);
    int failed = json_style_add(&entry->text, buf_span(&proven->body));
    if (failed == 0 && entry->chain == NULL && proven->chain_pem != NULL) {
        struct buf chain = BUF_INIT(3 * LIMIT_CHAIN_PEM_BYTES);
        url_add_encoded(&chain, span_of_text(proven->chain_pem));
        entry->chain = buf_take(&chain, NULL);
    }
    if (part->product == PRODUCT_SGX && shelf->keeps_sgx) {
        buf_clear(&entry->sgx);
        buf_add(&entry->sgx, buf_span(&proven->body));
        entry->tcb_type = proven->tcbinfo->tcb_type;
    }
    if (proven->fresh_until < entry->fresh_until) {
        entry->fresh_until = proven->fresh_until;
    }
}

/* Fetches a part into the entry. */
static int
part_get(struct tcb_shelf *shelf, struct tcb_entry *entry, const struct part *part,
         struct fault *why)
{
    struct item_key key = {.kind = ITEM_TCBINFO,
                           .api_version = shelf->side->version,
                           .product = part->product,
                           .update = part->update};
    memcpy(key.fmspc.hex, entry->fmspc, sizeof key.fmspc.hex);
    struct upstream_query query = {.key = &key};
    auto_proven struct proven *proven = NULL;
    int failed = pcs_side_get(shelf->side, &query, NULL, &proven, why);
    if (failed == 0) {
        part_add(shelf, entry, part, proven);
    }
    return failed;
}

/* A part that may be absent; other trouble is noted. */
static bool
part_get_optional(struct tcb_shelf *shelf, struct tcb_entry *entry, const struct part *part)
{
    struct fault why;
    int failed = part_get(shelf, entry, part, &why);
    if (failed != 0 && failed != FAULT_NOT_FOUND) {
        entry->why = why;
    }
    return failed == 0;
}

static void
entry_fill(struct tcb_shelf *shelf, struct tcb_entry *entry)
{
    const struct tcb_wants *wants = &shelf->wants;
    buf_add_format(&entry->text, "{\"fmspc\": \"%s\"", entry->fmspc);
    if (wants->standard) {
        entry->failed = part_get(shelf, entry, &sgx_standard, &entry->why);
        if (entry->failed == 0 && wants->tdx) {
            part_get_optional(shelf, entry, &tdx_standard);
        }
    }
    bool has_early =
        entry->failed == 0 && wants->early && part_get_optional(shelf, entry, &sgx_early);
    if (has_early && wants->tdx) {
        part_get_optional(shelf, entry, &tdx_early);
    }
    if (!wants->standard && !has_early) { /* the standard part stands in */
        entry->failed = part_get(shelf, entry, &sgx_standard, &entry->why);
        if (entry->failed == 0 && wants->tdx) {
            part_get_optional(shelf, entry, &tdx_standard);
        }
    }
    buf_add_text(&entry->text, "}");
    if (entry->text.failed != 0 || entry->sgx.failed != 0) {
        entry->failed = fault_set(&entry->why, FAULT_MEMORY, "memory", "memory ran out");
    }
}

/* ---- the shelf ---- */

/* Under the lock. *ret_is_new: the caller must fill it. */
static struct tcb_entry *
entry_find_or_add(struct tcb_shelf *shelf, const char *fmspc, bool *ret_is_new)
{
    for (size_t i = 0; i < shelf->count; i++) {
        if (memcmp(shelf->entries[i]->fmspc, fmspc, 12) == 0) {
            *ret_is_new = false;
            return shelf->entries[i];
        }
    }
    struct tcb_entry **entries = reallocarray(shelf->entries, shelf->count + 1, sizeof entries[0]);
    if (entries == NULL) {
        return NULL;
    }
    shelf->entries = entries;
    struct tcb_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return NULL;
    }
    memcpy(entry->fmspc, fmspc, sizeof entry->fmspc);
    entry->text = BUF_INIT(ENTRY_BYTES_MAX);
    entry->sgx = BUF_INIT(LIMIT_UPSTREAM_BODY_BYTES);
    entry->fresh_until = INT64_MAX;
    entries[shelf->count++] = entry;
    *ret_is_new = true;
    return entry;
}

struct tcb_entry *
tcb_shelf_get(struct tcb_shelf *shelf, const char *fmspc)
{
    bool is_new = false;
    struct fmspc normal;
    must(fmspc_parse(span_of_text(fmspc), &normal));
    pthread_mutex_lock(&shelf->lock);
    struct tcb_entry *entry = entry_find_or_add(shelf, normal.hex, &is_new);
    while (entry != NULL && !is_new && !entry->is_done) {
        pthread_cond_wait(&shelf->changed, &shelf->lock);
    }
    pthread_mutex_unlock(&shelf->lock);
    if (entry == NULL || !is_new) {
        return entry;
    }
    entry_fill(shelf, entry);
    pthread_mutex_lock(&shelf->lock);
    entry->is_done = true;
    pthread_cond_broadcast(&shelf->changed);
    pthread_mutex_unlock(&shelf->lock);
    return entry;
}
