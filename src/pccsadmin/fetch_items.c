/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What belongs to no single platform: identities, Intel's list of FMSPCs and the TCB infos of those
 * that no platform had. Revocation lists: pcs_side.c.
 * Takes the side of the PCS; gives proven items, and counts what failed.
 * Called by cmd_fetch.c; work runs on threads, the rest on the main thread.
 * Must never fail the run for an FMSPC that Intel lists without TCB info: no platform has it here
 * (tools.md, fetch: a warning).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pccsadmin/fetch.h"
#include "pccsadmin/parallel.h"
#include "json/json_scan.h"
#include "json/json_value.h"

/* ---- identities ---- */

static const struct {
    const char *name, *name_early;
    enum enclave enclave;
} identity_names[] = {
    {"qeidentity", "qeidentity_early", ENCLAVE_QE},
    {"tdqeidentity", "tdqeidentity_early", ENCLAVE_TDQE},
    {"qveidentity", "qveidentity_early", ENCLAVE_QVE},
};

static bool
identity_produce(void *self, void *task)
{
    struct fetch *fetch = self;
    if (fetch->identity_next == fetch->identity_count) {
        return false;
    }
    *(struct fetch_identity **)task = &fetch->identities[fetch->identity_next++];
    return true;
}

static void
identity_work(void *self, void *task)
{
    struct fetch *fetch = self;
    struct fetch_identity *identity = *(struct fetch_identity **)task;
    struct upstream_query query = {.key = &identity->key};
    identity->failed = pcs_side_get(&fetch->side, &query, NULL, &identity->proven, &identity->why);
}

static void
identity_consume(void *self, void *task)
{
    struct fetch *fetch = self;
    const struct fetch_identity *identity = *(struct fetch_identity **)task;
    if (identity->failed != 0 && !(identity->is_optional && identity->failed == FAULT_NOT_FOUND)) {
        fetch_item_failed(fetch, identity->name, &identity->why);
    }
}

static void
identities_run(struct fetch *fetch)
{
    struct parallel parallel = {.self = fetch,
                                .jobs = fetch->side.jobs,
                                .task_size = sizeof(struct fetch_identity *),
                                .produce = identity_produce,
                                .work = identity_work,
                                .consume = identity_consume};
    struct fault why;
    int failed = parallel_run(&parallel, &why);
    if (failed != 0) {
        fetch_broken(fetch, failed, &why);
    }
}

static struct fetch_identity *
identity_add(struct fetch *fetch, size_t row, enum update_type update)
{
    must(fetch->identity_count < FETCH_IDENTITIES_MAX);
    struct fetch_identity *identity = &fetch->identities[fetch->identity_count++];
    bool is_early = update == UPDATE_EARLY;
    *identity = (struct fetch_identity){
        .name = is_early ? identity_names[row].name_early : identity_names[row].name,
        .key = {.kind = ITEM_IDENTITY,
                .api_version = fetch->side.version,
                .enclave = identity_names[row].enclave,
                .update = update},
        .is_optional = is_early,
    };
    return identity;
}

void
fetch_identities(struct fetch *fetch)
{
    for (size_t i = 0; i < ARRAY_COUNT(identity_names); i++) {
        if (identity_names[i].enclave == ENCLAVE_TDQE && fetch->side.version < 4) {
            continue;
        }
        if (fetch->wants.standard) {
            identity_add(fetch, i, UPDATE_STANDARD);
        }
        if (fetch->wants.early) {
            identity_add(fetch, i, UPDATE_EARLY);
        }
    }
    identities_run(fetch);
    size_t count = fetch->identity_count;
    for (size_t i = 0; !fetch->wants.standard && i < count; i++) {
        /* asked for early only, and there is none: the standard one stands in */
        if (fetch->identities[i].failed == FAULT_NOT_FOUND) {
            size_t row = 0;
            while (identity_names[row].enclave != fetch->identities[i].key.enclave) {
                row++;
            }
            identity_add(fetch, row, UPDATE_STANDARD);
        }
    }
    identities_run(fetch);
}

/* ---- FMSPCs ---- */

/* The number-th FMSPC of Intel's list; false at its end. */
static bool
fmspc_at(const struct fetch *fetch, size_t number, struct fmspc *ret_fmspc)
{
    json_t *row = json_array_get(fetch->fmspc_list, number);
    const char *text = json_string_value(json_object_get(row, "fmspc"));
    return text != NULL && fmspc_parse(span_of_text(text), ret_fmspc);
}

static bool
fmspc_produce(void *self, void *task)
{
    struct fetch *fetch = self;
    struct fmspc fmspc;
    if (fetch->broken != 0 || !fmspc_at(fetch, fetch->fmspc_at, &fmspc)) {
        return false;
    }
    fetch->fmspc_at++;
    memcpy(task, &fmspc, sizeof fmspc);
    return true;
}

static void
fmspc_work(void *self, void *task)
{
    struct fetch *fetch = self;
    const struct fmspc *fmspc = task;
    tcb_shelf_get(&fetch->shelf, fmspc->hex);
}

static void
fmspc_consume(void *self, void *task)
{
    struct fetch *fetch = self;
    const struct fmspc *fmspc = task;
    char what[64];
    struct tcb_entry *entry = tcb_shelf_get(&fetch->shelf, fmspc->hex);
    fetch->progress.done++;
    snprintf(what, sizeof what, "TCB info of FMSPC %s", fmspc->hex);
    if (entry == NULL) {
        fetch_broken(fetch, FAULT_MEMORY, NULL);
    } else if (entry->failed == FAULT_NOT_FOUND) {
        progress_clear(&fetch->progress);
        say_warning("Intel lists FMSPC %s, but has no TCB info of it; no platform here has it",
                    fmspc->hex);
    } else if (entry->failed != 0) {
        fetch_item_failed(fetch, what, &entry->why);
    } else {
        fetch_write_tcb(fetch, entry);
    }
}

static void
fmspc_tick(void *self)
{
    struct fetch *fetch = self;
    progress_show(&fetch->progress);
}

static void
fmspcs_run(struct fetch *fetch)
{
    struct parallel parallel = {.self = fetch,
                                .jobs = fetch->side.jobs,
                                .task_size = sizeof(struct fmspc),
                                .produce = fmspc_produce,
                                .work = fmspc_work,
                                .consume = fmspc_consume,
                                .tick = fmspc_tick};
    struct fault why;
    progress_start(&fetch->progress, fetch->args, "FMSPCs", json_array_size(fetch->fmspc_list));
    int failed = parallel_run(&parallel, &why);
    progress_end(&fetch->progress);
    if (failed != 0) {
        fetch_broken(fetch, failed, &why);
    }
}

void
fetch_fmspcs(struct fetch *fetch)
{
    struct item_key key = {.kind = ITEM_FMSPCS, .api_version = 4};
    struct upstream_query query = {.key = &key};
    struct fault why;
    snprintf(key.url, sizeof key.url, "%s", arguments_text(fetch->args, ADMIN_PLATFORM, "all"));
    int failed = pcs_side_get(&fetch->side, &query, NULL, &fetch->fmspcs, &why);
    if (failed == 0) {
        failed = json_value_parse(buf_span(&fetch->fmspcs->body), &fetch->fmspc_list, &why);
    }
    if (failed != 0) {
        fetch_item_failed(fetch, "Intel's list of FMSPCs", &why);
        return;
    }
    fmspcs_run(fetch);
}
