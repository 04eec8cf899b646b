/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Appraisal policies: not signed by Intel, so they have a door of their own (the administrator's).
 * PUT keeps one and answers its id; GET answers the default policies of an FMSPC.
 * Called on the local lane.
 * api.md, appraisalpolicy; wire_details.md 18.
 */
#include <stdlib.h>

#include "cache/cache_priv.h"

struct response *
policy_put_run(struct cache *cache, struct ask *ask)
{
    struct policy_upload upload = {0};
    struct fault why = {0};
    int code = policy_upload_parse(buf_span(&ask->body), &upload, &why);
    if (code != 0) {
        return cache_refuse(&why, false, 0);
    }
    struct policy_row row = {.type = upload.type,
                             .fmspc = upload.fmspc,
                             .is_default = upload.is_default,
                             .policy = span_of_text(upload.policy)};
    memcpy(row.id, upload.id, sizeof row.id);
    pthread_mutex_lock(&cache->write_mutex);
    code = store_put_policy(cache->options.store, &row, &why);
    store_trouble(ask->request_id, &why);
    if (code == 0) {
        struct item_key key = {.kind = ITEM_POLICIES, .api_version = 4, .fmspc = upload.fmspc};
        char text[ITEM_KEY_TEXT_SIZE];
        publish_drop(cache, span_of(text, item_key_text(&key, text)));
    }
    pthread_mutex_unlock(&cache->write_mutex);
    policy_upload_done(&upload);
    struct response *response = code == 0 ? respond_text(span_of_text(row.id)) : NULL;
    if (code == 0 && response == NULL) {
        fault_set(&why, FAULT_MEMORY, "respond", "stored, but no memory for the answer");
    }
    return response != NULL ? response : cache_refuse(&why, false, 0);
}

struct response *
policy_answer(struct cache *cache, const struct ask *ask)
{
    char key_text[ITEM_KEY_TEXT_SIZE + 8];
    struct span key = span_of(key_text, lookup_key(&ask->request, key_text));
    uint32_t generation = publish_generation(cache, key);
    struct buf policies = BUF_INIT(LIMIT_UPSTREAM_BODY_BYTES);
    struct fault why = {0};
    struct response *response = NULL;
    if (store_load_policies(cache->options.store, &ask->request.key.fmspc, &policies, &why) == 0) {
        response = respond_policies(buf_span(&policies));
        if (response == NULL) {
            fault_set(&why, FAULT_MEMORY, "respond", "no memory for the answer");
        }
    }
    buf_done(&policies);
    if (response == NULL) {
        return cache_refuse(&why, true, 0);
    }
    publish_loaded(cache, key, generation, response, INT64_MAX);
    return response;
}
