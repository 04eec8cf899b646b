/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PUT platformcollateral: a file of collateral, carried by hand or sent by a tool, is proven item
 * by item, compared with what is kept, and stored in one transaction, or refused and leaves no
 * trace. First everything is proven (no lock held), then, under the write mutex, older items are
 * left out, raw TCBs are selected, all is written and published. Called on the local lane. Must
 * never store anything before the whole file is judged. api.md, PUT platformcollateral; trust.md
 * rules 5, 6, 8; wire_details.md 1, 13.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cache/cache_priv.h"
#include "collateral/collaterals_file.h"

struct upload {
    struct cache *cache;
    const struct ask *ask;
    struct collaterals_file file;
    struct trust_view view;
    uint32_t epoch;        /* of the view */
    struct proven **items; /* as file.items; NULL: left out */
    struct proven **certs; /* as file.pcks; NULL: left out */
    const struct proven **batch_items;
    struct store_platform_put *puts;
    struct store_platform *known; /* as puts: owns the mappings */
    size_t batch_count, put_count;
    size_t left_out, older, expired, unselected; /* told to the uploader */
};

static int
upload_init(struct upload *u, struct fault *why)
{
    const struct collaterals_file *file = &u->file;
    u->items = calloc(file->item_count + 1, sizeof *u->items);
    u->certs = calloc(file->pck_count + 1, sizeof *u->certs);
    u->batch_items = calloc(file->item_count + 1, sizeof *u->batch_items);
    u->puts = calloc(file->pck_count + 1, sizeof *u->puts);
    u->known = calloc(file->pck_count + 1, sizeof *u->known);
    if (u->items == NULL || u->certs == NULL || u->batch_items == NULL || u->puts == NULL ||
        u->known == NULL) {
        return fault_set(why, FAULT_MEMORY, "upload", "no memory for the upload");
    }
    return 0;
}

static void
upload_done(struct upload *u)
{
    for (size_t i = 0; u->items != NULL && i < u->file.item_count; i++) {
        proven_unref(u->items[i]);
    }
    for (size_t i = 0; u->certs != NULL && i < u->file.pck_count; i++) {
        proven_unref(u->certs[i]);
    }
    for (size_t i = 0; u->known != NULL && i < u->put_count; i++) {
        store_platform_done(&u->known[i]);
    }
    free(u->items);
    free(u->certs);
    free(u->batch_items);
    free(u->puts);
    free(u->known);
    trust_view_done(&u->view);
    collaterals_file_done(&u->file);
}

/* ---- everything is proven ---- */

/* Judges one part of the file. FAULT_NO_CHAIN is not a refusal: the part is left out (rule 8). */
static int
upload_verify(struct upload *u, const struct item_key *key, const struct raw_reply *raw,
              struct proven **ret_proven, struct fault *why)
{
    int code = verify(&u->view.context, key, raw, ret_proven, why);
    if (code == FAULT_NO_CHAIN) {
        char text[ITEM_KEY_TEXT_SIZE];
        item_key_text(key, text);
        log_event(LOG_EVENT_COLLATERAL_LEFT_OUT, u->ask->request_id, LOG_TEXT("item", text),
                  LOG_FAULT(why));
        u->left_out++;
        return 0;
    }
    if (code == FAULT_NOT_FOUND) { /* certificates, and none of them available */
        return fault_set(why, FAULT_INPUT, "upload", "an entry of pck_certs has no certificate");
    }
    if (code != 0 && code != FAULT_MEMORY) {
        fill_report_unproven(u->cache, key, "upload", u->ask->request_id, why);
        code = code == FAULT_INPUT ? fault_recode(why, FAULT_SIGNATURE) : code; /* 460 */
    }
    return code;
}

/* A CRL of the upload revokes for the rest of the upload, unless an even newer one is kept. */
static void
upload_use_crl(struct upload *u, const struct proven *crl)
{
    struct trust_view *view = &u->view;
    if (crl->key.kind == ITEM_ROOT_CRL &&
        (view->root_crl == NULL || !proven_is_older(crl, view->root_crl))) {
        view->context.root_crl = crl->crl;
    }
    if (crl->key.kind == ITEM_PCK_CRL && (view->pck_crls[crl->key.ca] == NULL ||
                                          !proven_is_older(crl, view->pck_crls[crl->key.ca]))) {
        view->context.pck_crls[crl->key.ca] = crl->crl;
    }
}

static int
upload_verify_items(struct upload *u, enum item_kind kind, bool is_others, struct fault *why)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < u->file.item_count; i++) {
        const struct collaterals_item *item = &u->file.items[i];
        bool is_crl = item->key.kind == ITEM_ROOT_CRL || item->key.kind == ITEM_PCK_CRL;
        if (is_others ? is_crl : item->key.kind != kind) {
            continue;
        }
        code = upload_verify(u, &item->key, &item->raw, &u->items[i], why);
        if (code == 0 && u->items[i] != NULL && is_crl) {
            upload_use_crl(u, u->items[i]);
        }
    }
    return code;
}

/* Every chain of the file ends in the anchor, used or not (api.md: else 460). */
static int
upload_check_pck_chains(struct upload *u, struct fault *why)
{
    for (int ca = 0; ca < 2; ca++) {
        if (u->file.pck_chains[ca] == NULL) {
            continue;
        }
        struct x509_chain *chain = NULL;
        int code = x509_chain_parse(span_of_text(u->file.pck_chains[ca]), &chain, why);
        if (code == 0 && !trust_anchors_hold(u->cache->options.anchors,
                                             x509_chain_get(chain, x509_chain_count(chain) - 1))) {
            code = fault_set(why, FAULT_CHAIN, "chain",
                             "the %s issuer chain does not end in the trust anchor (trust.md, 1)",
                             pck_ca_word((enum pck_ca)ca));
        }
        x509_chain_free(chain);
        if (code != 0) {
            return code == FAULT_MEMORY ? code : fault_recode(why, FAULT_CHAIN);
        }
        u->view.context.pck_chain_pems[ca] = u->file.pck_chains[ca];
    }
    return 0;
}

static int
upload_verify_certs(struct upload *u, struct fault *why)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < u->file.pck_count; i++) {
        const struct item_key key = {
            .kind = ITEM_PCK, .api_version = 4, .platform = u->file.pcks[i].id};
        code = upload_verify(u, &key, &u->file.pcks[i].raw, &u->certs[i], why);
    }
    return code;
}

static int
upload_prove(struct upload *u, struct fault *why)
{
    u->epoch = publish_epoch(u->cache);
    trust_view_init(&u->view, u->cache, VERIFY_UPLOAD);
    trust_view_add_chains(&u->view, u->cache);
    int code = upload_check_pck_chains(u, why);
    if (code == 0) {
        code = upload_verify_items(u, ITEM_ROOT_CRL, false, why);
    }
    if (code == 0) {
        code = upload_verify_items(u, ITEM_PCK_CRL, false, why);
    }
    if (code == 0) {
        code = upload_verify_items(u, ITEM_TCBINFO, true, why);
    }
    return code == 0 ? upload_verify_certs(u, why) : code;
}

/* ---- under the write mutex: compared, selected, written, published ---- */

static void
upload_leave_out_older(struct upload *u, size_t index, const struct proven *newer)
{
    const struct proven *item = u->items[index];
    char text[ITEM_KEY_TEXT_SIZE];
    item_key_text(&item->key, text);
    log_event(LOG_EVENT_COLLATERAL_OLDER, u->ask->request_id, LOG_TEXT("item", text),
              LOG_NUMBER("issued_at", item->issued_at),
              LOG_NUMBER("kept_issued_at", newer->issued_at));
    u->older++;
    proven_unref(u->items[index]);
    u->items[index] = NULL;
}

/* Of what the file holds twice the newer one counts; of equally old ones the last. */
static void
upload_leave_out_twins(struct upload *u)
{
    for (size_t i = 0; i < u->file.item_count; i++) {
        for (size_t j = i + 1; u->items[i] != NULL && j < u->file.item_count; j++) {
            if (u->items[j] == NULL || !item_key_equal(&u->items[i]->key, &u->items[j]->key)) {
                continue;
            }
            if (proven_is_older(u->items[j], u->items[i])) {
                upload_leave_out_older(u, j, u->items[i]);
            } else if (proven_is_older(u->items[i], u->items[j])) {
                upload_leave_out_older(u, i, u->items[j]);
            } else {
                proven_unref(u->items[i]);
                u->items[i] = NULL;
            }
        }
    }
}

/* Rule 6: what is older than the kept one is left out, and told. */
static int
upload_compare(struct upload *u, struct fault *why)
{
    for (size_t i = 0; i < u->file.item_count; i++) {
        const struct proven *item = u->items[i];
        auto_proven struct proven *kept = NULL;
        if (item == NULL) {
            continue;
        }
        int code = lookup_item(u->cache, &item->key, &kept, why);
        if (code != 0 && code != FAULT_NOT_FOUND) {
            return code; /* perhaps a newer one is kept */
        }
        if (code == 0 && proven_is_older(item, kept)) {
            upload_leave_out_older(u, i, kept);
            continue;
        }
        u->expired += !proven_is_fresh(item, cache_now(u->cache));
        u->batch_items[u->batch_count++] = item;
    }
    return 0;
}

static struct proven *
upload_find_item(const struct upload *u, const struct item_key *key)
{
    for (size_t i = 0; i < u->file.item_count; i++) {
        if (u->items[i] != NULL && item_key_equal(&u->items[i]->key, key)) {
            return u->items[i];
        }
    }
    return NULL;
}

/* The TCB info that selection will find once the upload is stored. *ret_proven is a reference. */
static int
upload_tcbinfo(const struct upload *u, const struct fmspc *fmspc, struct proven **ret_proven,
               struct fault *why)
{
    struct item_key keys[SELECT_CANDIDATES];
    select_candidates(fmspc, keys);
    for (size_t i = 0; i < SELECT_CANDIDATES; i++) {
        struct proven *item = upload_find_item(u, &keys[i]);
        if (item != NULL) {
            *ret_proven = proven_ref(item);
            return 0;
        }
        int code = lookup_item(u->cache, &keys[i], ret_proven, why);
        if (code != FAULT_NOT_FOUND) {
            return code;
        }
    }
    return fault_set(why, FAULT_INPUT, "upload", "there is no SGX TCB info of FMSPC %s that holds",
                     fmspc->hex);
}

static bool
upload_has_tcbinfo(const struct upload *u, const struct fmspc *fmspc)
{
    for (size_t i = 0; i < u->file.item_count; i++) {
        const struct item_key *key = &u->file.items[i].key;
        if (key->kind == ITEM_TCBINFO && key->product == PRODUCT_SGX &&
            strcmp(key->fmspc.hex, fmspc->hex) == 0) {
            return true;
        }
    }
    return false;
}

static bool
platform_id_equal(const struct platform_id *a, const struct platform_id *b)
{
    return strcmp(a->qeid, b->qeid) == 0 && strcmp(a->pceid, b->pceid) == 0;
}

/* Adds the raw TCBs that "platforms" names for this platform to the known ones. */
static int
upload_add_raws(const struct upload *u, const struct platform_id *id, struct store_platform *known,
                struct fault *why)
{
    for (size_t i = 0; i < u->file.platform_count; i++) {
        const struct collaterals_platform *entry = &u->file.platforms[i];
        if (!entry->has_raw || !platform_id_equal(&entry->id, id)) {
            continue;
        }
        bool is_known = false;
        for (size_t m = 0; m < known->mapping_count; m++) {
            is_known |= memcmp(&known->mappings[m].raw, &entry->raw, sizeof entry->raw) == 0;
        }
        if (is_known || known->mapping_count >= LIMIT_RAW_TCBS_PER_PLATFORM) {
            continue;
        }
        struct store_mapping *mappings =
            realloc(known->mappings, (known->mapping_count + 1) * sizeof *mappings);
        if (mappings == NULL) {
            return fault_set(why, FAULT_MEMORY, "upload", "no memory for the raw TCBs");
        }
        known->mappings = mappings;
        mappings[known->mapping_count++] = (struct store_mapping){.raw = entry->raw};
    }
    return 0;
}

/* A raw TCB that the file itself names and that no certificate suits: refused, as the reference
 * does. One that was known before stays known, unmapped. */
static int
upload_check_selected(struct upload *u, const struct store_platform *known,
                      const struct platform_id *id, struct fault *why)
{
    for (size_t m = 0; m < known->mapping_count; m++) {
        const struct raw_tcb *raw = &known->mappings[m].raw;
        if (known->mappings[m].tcbm[0] != '\0') {
            continue;
        }
        u->unselected++;
        for (size_t i = 0; i < u->file.platform_count; i++) {
            const struct collaterals_platform *entry = &u->file.platforms[i];
            if (entry->has_raw && platform_id_equal(&entry->id, id) &&
                memcmp(&entry->raw, raw, sizeof *raw) == 0) {
                return fault_set(why, FAULT_INPUT, "upload",
                                 "platforms[%zu]: no certificate suits its cpu_svn %s, pce_svn %s",
                                 i, raw->cpusvn, raw->pcesvn);
            }
        }
    }
    return 0;
}

/* Manifest and encrypted PPID: of the pck_certs entry, else of the platforms entry. */
static void
upload_set_identity(const struct upload *u, const struct collaterals_pck *pck,
                    struct store_platform_put *put)
{
    put->manifest = span_of_text(pck->manifest);
    put->enc_ppid = span_of_text(pck->enc_ppid);
    for (size_t i = 0; i < u->file.platform_count; i++) {
        const struct collaterals_platform *entry = &u->file.platforms[i];
        if (put->manifest.size == 0 && put->enc_ppid.size == 0 &&
            platform_id_equal(&entry->id, &pck->id)) {
            put->manifest = span_of_text(entry->manifest);
            put->enc_ppid = span_of_text(entry->enc_ppid);
        }
    }
    /* a file without them must not wipe what a registration brought */
    put->keep_identity = put->manifest.size == 0 && put->enc_ppid.size == 0;
}

static int
upload_add_platform(struct upload *u, size_t index, struct fault *why)
{
    const struct collaterals_pck *pck = &u->file.pcks[index];
    const struct proven *certs = u->certs[index];
    if (!upload_has_tcbinfo(u, &certs->fmspc)) {
        return fault_set(why, FAULT_INPUT, "upload",
                         "tcbinfos has no SGX TCB info of FMSPC %s, which pck_certs needs",
                         certs->fmspc.hex);
    }
    struct store_platform *known = &u->known[u->put_count];
    int code = store_load_platform_brief(u->cache->options.store, &pck->id, known, why);
    if (code != 0 && code != FAULT_NOT_FOUND) {
        return code;
    }
    struct store_platform_put *put = &u->puts[u->put_count++]; /* known is freed from now on */
    auto_proven struct proven *tcbinfo = NULL;
    code = upload_add_raws(u, &pck->id, known, why);
    if (code == 0) {
        code = upload_tcbinfo(u, &certs->fmspc, &tcbinfo, why);
    }
    if (code != 0) {
        return code;
    }
    select_mappings(certs, tcbinfo, &pck->id, known->mappings, known->mapping_count);
    code = upload_check_selected(u, known, &pck->id, why);
    if (code != 0) {
        return code;
    }
    *put = (struct store_platform_put){.id = pck->id,
                                       .certs = certs,
                                       .mappings = known->mappings,
                                       .mapping_count = known->mapping_count};
    upload_set_identity(u, pck, put);
    return 0;
}

/* Where the root CRL is to be kept too: an allowed URL, and nothing newer kept there. */
static int
upload_root_crl_url(struct upload *u, const char **ret_url, struct fault *why)
{
    const struct item_key key = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    const char *url = u->file.root_crl_url;
    const struct proven *root_crl = upload_find_item(u, &key);
    *ret_url = NULL;
    if (url == NULL || url[0] == '\0') {
        return 0;
    }
    if (!crl_url_is_allowed(span_of_text(url), u->cache->options.policy)) {
        log_event(LOG_EVENT_COLLATERAL_LEFT_OUT, u->ask->request_id,
                  LOG_TEXT("item", "rootcacrl_cdp"), LOG_TEXT("reason", "not on the allow-list"));
        u->left_out++;
        return 0;
    }
    return root_crl != NULL ? fill_check_crl_url(u->cache, url, root_crl, ret_url, why) : 0;
}

static int
upload_write(struct upload *u, struct fault *why)
{
    struct store_batch batch = {.items = u->batch_items,
                                .item_count = u->batch_count,
                                .platforms = u->puts,
                                .platform_count = u->put_count};
    int code = upload_root_crl_url(u, &batch.root_crl_url, why);
    if (code != 0) {
        return code;
    }
    code = store_put(u->cache->options.store, &batch, why);
    if (code != 0) {
        store_trouble(u->ask->request_id, why);
    }
    return code;
}

static void
upload_publish(struct upload *u)
{
    struct cache *cache = u->cache;
    for (size_t i = 0; i < u->file.item_count; i++) {
        if (u->items[i] == NULL) {
            continue;
        }
        char text[ITEM_KEY_TEXT_SIZE];
        item_key_text(&u->items[i]->key, text);
        publish_item(cache, u->items[i], u->epoch);
        log_event(LOG_EVENT_COLLATERAL_CHANGED, u->ask->request_id, LOG_TEXT("item", text),
                  LOG_NUMBER("issued_at", u->items[i]->issued_at),
                  LOG_NUMBER("fresh_until", u->items[i]->fresh_until));
        if (u->items[i]->key.kind == ITEM_TCBINFO && u->items[i]->key.product == PRODUCT_SGX) {
            select_again_later(cache, &u->items[i]->key.fmspc);
        }
    }
    if (u->file.root_crl_url != NULL) {
        struct item_key key = {.kind = ITEM_CRL, .api_version = 4};
        char text[ITEM_KEY_TEXT_SIZE];
        if (span_to_text(span_of_text(u->file.root_crl_url), key.url, sizeof key.url)) {
            publish_drop(cache, span_of(text, item_key_text(&key, text)));
        }
    }
    for (size_t i = 0; i < u->put_count; i++) {
        const struct store_platform_put *put = &u->puts[i];
        publish_platform(cache, &put->id, put->mappings, put->mapping_count);
        log_event(LOG_EVENT_PLATFORM_STORED, u->ask->request_id,
                  LOG_TEXT("fmspc", put->certs->fmspc.hex),
                  LOG_TEXT("ca", pck_ca_word(put->certs->ca)),
                  LOG_NUMBER("certificates", (int64_t)put->certs->pck_count));
    }
}

static int
upload_keep(struct upload *u, struct fault *why)
{
    upload_leave_out_twins(u);
    pthread_mutex_lock(&u->cache->write_mutex);
    int code = upload_compare(u, why);
    for (size_t i = 0; code == 0 && i < u->file.pck_count; i++) {
        if (u->certs[i] != NULL) {
            code = upload_add_platform(u, i, why);
        }
    }
    if (code == 0) {
        code = upload_write(u, why);
    }
    if (code == 0) {
        upload_publish(u);
    }
    pthread_mutex_unlock(&u->cache->write_mutex);
    return code;
}

/* What an uploader should know of a 200. */
static struct response *
upload_respond(const struct upload *u)
{
    struct response *response = respond_done();
    if (response != NULL && u->left_out + u->older + u->expired + u->unselected > 0) {
        snprintf(
            response->detail, sizeof response->detail,
            "%zu left out (no issuer chain at hand), %zu older than what is kept, %zu expired, "
            "%zu raw TCBs below every certificate",
            u->left_out, u->older, u->expired, u->unselected);
    }
    return response;
}

struct response *
upload_run(struct cache *cache, struct ask *ask)
{
    struct upload upload = {.cache = cache, .ask = ask};
    struct fault why = {0};
    struct response *response = NULL;
    int code =
        collaterals_file_parse(buf_span(&ask->body), ask->request.api_version, &upload.file, &why);
    if (code == 0) {
        code = upload_init(&upload, &why);
    }
    if (code == 0) {
        code = upload_prove(&upload, &why);
    }
    if (code == 0) {
        code = upload_keep(&upload, &why);
    }
    if (code == 0 && (response = upload_respond(&upload)) == NULL) {
        fault_set(&why, FAULT_MEMORY, "respond", "stored, but no memory for the answer");
    }
    upload_done(&upload);
    return response != NULL ? response : cache_refuse(&why, false, 0);
}
