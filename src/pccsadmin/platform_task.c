/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The certificates of one platform: asked by manifest or encrypted PPID, verified, with the TCB
 * info of their FMSPC, without which no PCCS could choose among them.
 * Takes a row of the list; gives the proven certificates and the PCS's own entries for files.
 * platform_task_run is called by the threads of parallel_run, the rest by fetch and cache on the
 * main thread.
 * Must never give an entry of an answer that did not verify as a whole.
 */
#include "pccsadmin/platform_task.h"

#include <ctype.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/mem.h"
#include "pccsadmin/json_style.h"
#include "json/json_scan.h"

static int
certificates_get(struct platform_task *task, struct pcs_side *side)
{
    struct item_key key = {.kind = ITEM_PCK, .api_version = 4};
    struct span pceid = span_of_text(platform_row_get(&task->row, "pce_id"));
    struct span qeid = span_of_text(platform_row_get(&task->row, "qe_id"));
    struct span manifest = span_of_text(platform_row_get(&task->row, "platform_manifest"));
    if (!pceid_parse(pceid, &key.platform) || !qeid_parse(qeid, &key.platform)) {
        return fault_set(&task->why, FAULT_INPUT, "parse", "qe_id: expected 1 to %d characters",
                         LIMIT_QEID_CHARS);
    }
    struct upstream_query query = {.key = &key, .manifest = manifest};
    if (manifest.size == 0) {
        query.encrypted_ppid = span_of_text(platform_row_get(&task->row, "enc_ppid"));
    }
    return pcs_side_get(side, &query, &task->raw, &task->proven, &task->why);
}

void
platform_task_run(struct platform_task *task, struct pcs_side *side, struct tcb_shelf *shelf)
{
    raw_reply_init(&task->raw);
    if (task->is_repeated || task->failed != 0) {
        return;
    }
    task->failed = platform_row_check(&task->row, &task->why);
    if (task->failed == 0) {
        task->failed = certificates_get(task, side);
    }
    if (task->failed != 0) {
        return;
    }
    task->tcb = tcb_shelf_get(shelf, task->proven->fmspc.hex);
    if (task->tcb == NULL || task->tcb->failed != 0) {
        task->failed =
            fault_set(&task->why, task->tcb != NULL ? task->tcb->failed : FAULT_MEMORY, "tcbinfo",
                      "no TCB info of its FMSPC %s: %s", task->proven->fmspc.hex,
                      task->tcb != NULL ? task->tcb->why.text : "memory ran out");
    }
}

void
platform_task_done(struct platform_task *task)
{
    platform_row_done(&task->row);
    raw_reply_done(&task->raw);
    proven_unref(task->proven);
    task->proven = NULL;
}

void
platform_task_name(const struct platform_task *task, char out[64])
{
    const char *csv = platform_row_get(&task->row, "pckid_filename");
    const char *qeid = platform_row_get(&task->row, "qe_id");
    if (csv[0] != '\0') {
        snprintf(out, 64, "%.40s (QE ID %.8s...)", csv, qeid);
    } else {
        snprintf(out, 64, "QE ID %.48s", qeid[0] != '\0' ? qeid : "missing");
    }
    for (char *c = out; *c != '\0'; c++) {
        *c = isprint((unsigned char)*c) ? *c : '?';
    }
}

int
platform_task_add_certs(const struct platform_task *task, struct buf *b)
{
    struct json_walk walk;
    struct span name, value;
    struct fault why;
    size_t number = 0;
    const char *separator = "[";
    int failed = json_walk_init(&walk, buf_span(&task->raw.body), &why);
    while (failed == 0 && number < task->raw.pck_count &&
           json_walk_next(&walk, &name, &value) == 0) {
        if (task->raw.pcks[number++].available) {
            buf_add_text(b, separator);
            failed = json_style_add(b, value);
            separator = ", ";
        }
    }
    return failed != 0 ? failed : buf_add_text(b, separator[0] == '[' ? "[]" : "]");
}

/* A text member as the row has it, or null. */
static void
add_member(const struct platform_task *task, const char *name, struct buf *b)
{
    json_t *value = json_object_get(task->row.object, name);
    buf_add_format(b, "\"%s\": ", name);
    if (json_is_null(value)) {
        buf_add_text(b, "null");
    } else {
        json_style_add_text(b, span_of_text(platform_row_get(&task->row, name)));
    }
}

size_t
platform_task_add_not_available(const struct platform_task *task, struct buf *b)
{
    size_t count = 0;
    for (size_t i = 0; i < task->raw.pck_count; i++) {
        const struct raw_pck *pck = &task->raw.pcks[i];
        if (pck->available) {
            continue;
        }
        char cpusvn[32 + 1];
        uint8_t pcesvn[2] = {(uint8_t)(pck->pcesvn & 0xff), (uint8_t)(pck->pcesvn >> 8)};
        char pcesvn_hex[4 + 1];
        hex_encode_upper(span_of(pck->components, sizeof pck->components), cpusvn);
        hex_encode_upper(span_of(pcesvn, sizeof pcesvn), pcesvn_hex);
        buf_add_text(b, count++ == 0 ? "{" : ", {");
        add_member(task, "enc_ppid", b);
        buf_add_text(b, ", ");
        add_member(task, "platform_manifest", b);
        buf_add_text(b, ", \"qe_id\": \"\", ");
        add_member(task, "pce_id", b);
        buf_add_format(b, ", \"cpu_svn\": \"%s\", \"pce_svn\": \"%s\"}", cpusvn, pcesvn_hex);
    }
    return count;
}
