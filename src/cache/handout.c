/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GET platforms and POST platforms/ack: the registration queue is handed out, looked at, or
 * acknowledged; the cached platforms are listed. What is handed out stays recoverable
 * (source=reg_pending) until the platform's certificates have arrived.
 * Called on the local lane.
 * Must never forget a row because somebody read it.
 * api.md, GET platforms; wire_details.md 9; clients.md 5.1 (order of members).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cache/cache_priv.h"
#include "json/json_scan.h"

static void
handout_add_member(struct buf *json, const char *name, const char *value, bool is_last)
{
    buf_add_format(json, "\"%s\":", name);
    json_add_quoted(json, span_of_text(value));
    buf_add_text(json, is_last ? "}" : ",");
}

static void
handout_add_queue_row(struct buf *json, const struct queue_row *row)
{
    buf_add_text(json, json->size > 1 ? ",{" : "{");
    handout_add_member(json, "enc_ppid", row->enc_ppid, false);
    handout_add_member(json, "platform_manifest", row->manifest, false);
    handout_add_member(json, "qe_id", row->id.qeid, false);
    handout_add_member(json, "pce_id", row->id.pceid, false);
    handout_add_member(json, "cpu_svn", row->cpusvn, false);
    handout_add_member(json, "pce_svn", row->pcesvn, true);
}

struct handout {
    struct buf json;
    size_t count;
};

static struct response *
handout_finish(struct handout *handout)
{
    char head[64];
    struct fault why = {0};
    buf_add_text(&handout->json, "]");
    if (handout->json.failed) {
        fault_set(&why, FAULT_MEMORY, "platforms", "the list does not fit into memory");
        return cache_refuse(&why, false, 0);
    }
    snprintf(head, sizeof head, "platform-count: %zu\r\n", handout->count);
    struct response *response = respond_json(buf_span(&handout->json), head);
    if (response == NULL) {
        fault_set(&why, FAULT_MEMORY, "platforms", "the list does not fit into memory");
        return cache_refuse(&why, false, 0);
    }
    return response;
}

static struct response *
handout_queue(struct cache *cache, const struct ask *ask)
{
    enum queue_source source = QUEUE_SOURCE_REG;
    if (ask->request.source == PLATFORMS_SOURCE_REG_NA) {
        source = QUEUE_SOURCE_REG_NA;
    } else if (ask->request.source == PLATFORMS_SOURCE_REG_PENDING) {
        source = QUEUE_SOURCE_REG_PENDING;
    }
    bool mark = source != QUEUE_SOURCE_REG_PENDING && !ask->request.peek;
    struct queue_row *rows = NULL;
    struct handout handout = {.json = BUF_INIT(LIMIT_COLLATERALS_FILE_BYTES)};
    struct fault why = {0};
    int code = store_queue_list(cache->options.store, source, mark, &rows, &handout.count, &why);
    if (code != 0) {
        store_trouble(ask->request_id, &why);
        return cache_refuse(&why, false, 0);
    }
    buf_add_text(&handout.json, "[");
    for (size_t i = 0; i < handout.count; i++) {
        handout_add_queue_row(&handout.json, &rows[i]);
        queue_row_done(&rows[i]);
    }
    free(rows);
    if (mark && handout.count > 0) {
        log_event(LOG_EVENT_QUEUE_HANDED_OUT, ask->request_id,
                  LOG_NUMBER("rows", (int64_t)handout.count));
    }
    struct response *response = handout_finish(&handout);
    buf_done(&handout.json);
    return response;
}

/* A row per known raw TCB. */
static bool
handout_each_platform(void *self, const struct store_platform *platform)
{
    struct handout *handout = self;
    for (size_t i = 0; i < platform->mapping_count; i++) {
        buf_add_text(&handout->json, handout->json.size > 1 ? ",{" : "{");
        handout_add_member(&handout->json, "qe_id", platform->id.qeid, false);
        handout_add_member(&handout->json, "pce_id", platform->id.pceid, false);
        handout_add_member(&handout->json, "cpu_svn", platform->mappings[i].raw.cpusvn, false);
        handout_add_member(&handout->json, "pce_svn", platform->mappings[i].raw.pcesvn, false);
        handout_add_member(&handout->json, "enc_ppid", platform->enc_ppid, false);
        handout_add_member(&handout->json, "platform_manifest", platform->manifest, true);
        handout->count++;
    }
    return handout->json.failed == 0;
}

struct fmspc *
handout_fmspcs(const struct request *request, size_t *ret_count)
{
    size_t position = 0;
    size_t count = 0;
    struct fmspc fmspc;
    while (request_next_fmspc(request, &position, &fmspc)) {
        count++;
    }
    struct fmspc *fmspcs = calloc(count + 1, sizeof *fmspcs);
    position = 0;
    for (size_t i = 0; fmspcs != NULL && i < count; i++) {
        request_next_fmspc(request, &position, &fmspcs[i]);
    }
    *ret_count = count;
    return fmspcs;
}

static struct response *
handout_cached(struct cache *cache, const struct ask *ask)
{
    size_t count = 0;
    auto_free struct fmspc *fmspcs = handout_fmspcs(&ask->request, &count);
    struct handout handout = {.json = BUF_INIT(LIMIT_COLLATERALS_FILE_BYTES)};
    struct fault why = {0};
    int code = fmspcs == NULL ? fault_set(&why, FAULT_MEMORY, "platforms", "no memory") : 0;
    buf_add_text(&handout.json, "[");
    if (code == 0) {
        code = store_each_platform(cache->options.store, fmspcs, count, handout_each_platform,
                                   &handout, &why);
        store_trouble(ask->request_id, &why);
    }
    struct response *response = code == 0 ? handout_finish(&handout) : cache_refuse(&why, false, 0);
    buf_done(&handout.json);
    return response;
}

static struct response *
handout_acknowledge(struct cache *cache, struct ask *ask)
{
    struct ack_row *acks = NULL;
    size_t count = 0;
    struct fault why = {0};
    int code = ack_parse(buf_span(&ask->body), &acks, &count, &why);
    auto_free struct queue_row *rows = calloc(count + 1, sizeof *rows);
    if (code == 0 && rows == NULL) {
        code = fault_set(&why, FAULT_MEMORY, "ack", "no memory for the rows");
    }
    size_t acknowledged = 0;
    if (code == 0) {
        for (size_t i = 0; i < count; i++) {
            rows[i].id = acks[i].platform;
            memcpy(rows[i].cpusvn, acks[i].cpusvn, sizeof rows[i].cpusvn);
            memcpy(rows[i].pcesvn, acks[i].pcesvn, sizeof rows[i].pcesvn);
        }
        code = store_queue_mark_done(cache->options.store, rows, count, &acknowledged, &why);
        store_trouble(ask->request_id, &why);
    }
    free(acks);
    if (code != 0) {
        return cache_refuse(&why, false, 0);
    }
    char json[64];
    int size = snprintf(json, sizeof json, "{\"acknowledged\": %zu}", acknowledged);
    struct response *response = respond_json(span_of(json, (size_t)size), NULL);
    if (response == NULL) {
        fault_set(&why, FAULT_MEMORY, "ack", "no memory for the answer");
        return cache_refuse(&why, false, 0);
    }
    return response;
}

struct response *
handout_run(struct cache *cache, struct ask *ask)
{
    if (ask->request.route == ROUTE_PLATFORMS_ACK) {
        return handout_acknowledge(cache, ask);
    }
    return ask->request.source == PLATFORMS_SOURCE_CACHED ? handout_cached(cache, ask)
                                                          : handout_queue(cache, ask);
}
