/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCK certificate selection on what is cached: which TCB info it uses, which certificate a raw TCB
 * gets, and the second selection of everything known when the TCB info of an FMSPC has changed.
 * Called on workers. Must never select among what is not proven.
 * selection.md 1 (caller rules), api.md pckcert.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "cache/cache_priv.h"
#include "pcksel/pcksel.h"

void
select_candidates(const struct fmspc *fmspc, struct item_key out[SELECT_CANDIDATES])
{
    static const struct {
        unsigned api_version;
        enum update_type update;
    } order[SELECT_CANDIDATES] = {
        {4, UPDATE_EARLY}, {4, UPDATE_STANDARD}, {3, UPDATE_EARLY}, {3, UPDATE_STANDARD}};
    for (size_t i = 0; i < SELECT_CANDIDATES; i++) {
        out[i] = (struct item_key){.kind = ITEM_TCBINFO,
                                   .api_version = order[i].api_version,
                                   .product = PRODUCT_SGX,
                                   .update = order[i].update,
                                   .fmspc = *fmspc};
    }
}

uint32_t
select_generation(struct cache *cache, const struct fmspc *fmspc)
{
    struct item_key keys[SELECT_CANDIDATES];
    select_candidates(fmspc, keys);
    uint32_t generation = 0; /* each part only ever grows, so their sum tells every change */
    for (size_t i = 0; i < SELECT_CANDIDATES; i++) {
        char text[ITEM_KEY_TEXT_SIZE];
        generation += publish_generation(cache, span_of(text, item_key_text(&keys[i], text)));
    }
    return generation;
}

int
select_tcbinfo(struct cache *cache, const struct fmspc *fmspc, struct proven **ret_proven,
               struct fault *why)
{
    struct item_key keys[SELECT_CANDIDATES];
    select_candidates(fmspc, keys);
    for (size_t i = 0; i < SELECT_CANDIDATES; i++) {
        int code = lookup_item(cache, &keys[i], ret_proven, why);
        if (code != FAULT_NOT_FOUND) {
            return code;
        }
    }
    return fault_set(why, FAULT_NOT_FOUND, "select", "no SGX TCB info of FMSPC %s is cached",
                     fmspc->hex);
}

int
select_pck(const struct proven *certs, const struct proven *tcbinfo, const struct platform_id *id,
           const struct raw_tcb *raw, size_t *ret_index, struct fault *why)
{
    auto_free const struct sgx_ext **exts = calloc(certs->pck_count + 1, sizeof *exts);
    if (exts == NULL) {
        return fault_set(why, FAULT_MEMORY, "select", "no memory for the selection");
    }
    for (size_t i = 0; i < certs->pck_count; i++) {
        exts[i] = &certs->pcks[i].ext;
    }
    uint8_t pceid[2] = {0};
    if (!hex_decode(span_of_text(id->pceid), pceid, sizeof pceid)) {
        return fault_set(why, FAULT_INPUT, "select", "pce_id is not 4 hex digits");
    }
    struct pcksel_input input = {
        .pcesvn = raw_tcb_pcesvn(raw),
        .pceid = (uint16_t)(pceid[0] | pceid[1] << 8),
        .tcbinfo = tcbinfo->tcbinfo,
        .certs = exts,
        .cert_count = certs->pck_count,
    };
    raw_tcb_cpusvn(raw, input.cpusvn);
    return pcksel_select(&input, ret_index, why);
}

bool
select_mappings(const struct proven *certs, const struct proven *tcbinfo,
                const struct platform_id *id, struct store_mapping *mappings, size_t count)
{
    bool changed = false;
    for (size_t i = 0; i < count; i++) {
        size_t index = 0;
        const char *tcbm = "";
        if (select_pck(certs, tcbinfo, id, &mappings[i].raw, &index, NULL) == 0) {
            tcbm = certs->pcks[index].tcbm;
        }
        if (strcmp(mappings[i].tcbm, tcbm) != 0) {
            memcpy(mappings[i].tcbm, tcbm, strlen(tcbm) + 1);
            changed = true;
        }
    }
    return changed;
}

int
select_load_certs(struct cache *cache, const struct platform_id *id,
                  struct store_platform *ret_platform, struct proven **ret_certs, struct fault *why)
{
    struct store_platform platform = {0};
    struct fault detail = {0};
    int code = store_load_platform(cache->options.store, id, &platform, &detail);
    if (code == 0) {
        struct item_key key = {.kind = ITEM_PCK, .api_version = 4, .platform = *id};
        fmspc_parse(span_of_text(platform.fmspc), &key.fmspc);
        auto_trust_view struct trust_view view;
        trust_view_init(&view, cache, VERIFY_STORE);
        code = verify(&view.context, &key, &platform.certs, ret_certs, &detail);
        if (code != 0 && code != FAULT_NOT_FOUND) {
            log_event(LOG_EVENT_ROW_UNPROVEN, NULL, LOG_TEXT("item", "pck"), LOG_FAULT(&detail));
            code = fault_set(&detail, FAULT_NOT_FOUND, "store",
                             "the certificates kept of this platform do not verify");
        }
    }
    if (code != 0) {
        store_platform_done(&platform);
        if (why != NULL) {
            *why = detail;
        }
        return code;
    }
    *ret_platform = platform;
    return 0;
}

/* Selects again for one platform and keeps what changed. */
static int
select_again_platform(struct cache *cache, const struct platform_id *id,
                      const struct proven *tcbinfo, struct fault *why)
{
    struct store_platform platform = {0};
    auto_proven struct proven *certs = NULL;
    int code = select_load_certs(cache, id, &platform, &certs, why);
    if (code != 0) {
        return code;
    }
    if (select_mappings(certs, tcbinfo, id, platform.mappings, platform.mapping_count)) {
        const struct store_platform_put put = {
            .id = *id,
            .keep_identity = true,
            .certs = certs,
            .mappings = platform.mappings,
            .mapping_count = platform.mapping_count,
            .not_available_at = platform.not_available_at,
        };
        const struct store_batch batch = {.platforms = &put, .platform_count = 1};
        code = store_put(cache->options.store, &batch, why);
        publish_platform(cache, id, platform.mappings, platform.mapping_count);
    }
    store_platform_done(&platform);
    return code;
}

struct select_again {
    struct job job;
    struct cache *cache;
    struct fmspc fmspc;
    struct proven *tcbinfo; /* of generation; NULL: none */
    uint32_t generation;
};

/* The TCB info as it is now: it may change while the job goes through a fleet, and what is selected
 * by an old one after the new one's own job would stay. The write mutex is held. */
static int
select_again_look(struct select_again *again, struct fault *why)
{
    uint32_t generation = select_generation(again->cache, &again->fmspc);
    if (again->tcbinfo != NULL && generation == again->generation) {
        return 0;
    }
    proven_unref(again->tcbinfo);
    again->tcbinfo = NULL;
    again->generation = generation;
    return select_tcbinfo(again->cache, &again->fmspc, &again->tcbinfo, why);
}

static bool
select_again_each(void *self, const struct store_platform *brief)
{
    struct select_again *again = self;
    struct fault why = {0};
    pthread_mutex_lock(&again->cache->write_mutex);
    int code = select_again_look(again, &why);
    if (code == 0) {
        code = select_again_platform(again->cache, &brief->id, again->tcbinfo, &why);
    }
    pthread_mutex_unlock(&again->cache->write_mutex);
    if (code != 0) {
        store_trouble(NULL, &why);
    }
    return true;
}

static void
select_again_run(struct job *job)
{
    struct select_again *again = (struct select_again *)job;
    struct fault why = {0};
    int code = store_each_platform(again->cache->options.store, &again->fmspc, 1, select_again_each,
                                   again, &why);
    if (code != 0) {
        store_trouble(NULL, &why);
    }
    proven_unref(again->tcbinfo);
    free(again);
}

void
select_again_later(struct cache *cache, const struct fmspc *fmspc)
{
    struct select_again *again = calloc(1, sizeof *again);
    if (again == NULL) {
        return; /* the next change, or refresh type=certs, selects again */
    }
    again->job.run = select_again_run;
    again->cache = cache;
    again->fmspc = *fmspc;
    workers_add(cache->workers, LANE_LOCAL, &again->job);
}
