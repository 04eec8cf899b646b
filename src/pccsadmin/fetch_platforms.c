/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The platforms of the list: many at once, written in the list's order as they come, so that
 * nothing of ten thousand platforms is held. A platform that fails goes to the file of failed ones
 * and stops nobody (tools.md, fetch).
 * Takes the list and the shelf of TCB infos; gives the parts of the output file.
 * Called by cmd_fetch.c; produce and consume run on the main thread, work on threads.
 * Must never write a platform without certificates: a PCCS refuses the whole file for it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pccsadmin/fetch.h"
#include "pccsadmin/json_style.h"
#include "pccsadmin/parallel.h"
#include "json/json_scan.h"

enum { ENTRY_BYTES_MAX = 2 * LIMIT_UPSTREAM_BODY_BYTES + 2 * PLATFORM_ROW_BYTES_MAX };

/* ---- produce ---- */

/* The same platform stands in the list once for each of its raw TCBs: asked once. */
static struct seen_entry *
seen_of(struct fetch *fetch, const struct platform_row *row, bool *ret_is_new)
{
    struct platform_id id = {0};
    char key[sizeof id.qeid + 16];
    if (!qeid_parse(span_of_text(platform_row_get(row, "qe_id")), &id) ||
        !pceid_parse(span_of_text(platform_row_get(row, "pce_id")), &id)) {
        *ret_is_new = true; /* a broken row; it fails by itself */
        return NULL;
    }
    int size = snprintf(key, sizeof key, "%s/%s", id.qeid, id.pceid);
    return seen_add(&fetch->seen, span_of(key, (size_t)size), ret_is_new);
}

static bool
produce(void *self, void *task_pointer)
{
    struct fetch *fetch = self;
    struct platform_task *task = task_pointer;
    struct buf text = BUF_INIT(PLATFORM_ROW_BYTES_MAX);
    struct fault why;
    int failed =
        fetch->broken != 0 ? FAULT_NOT_FOUND : platform_list_next(&fetch->list, &text, &why);
    if (failed != 0) {
        buf_done(&text);
        if (failed != FAULT_NOT_FOUND) {
            fetch_broken(fetch, failed, &why);
        }
        return false;
    }
    task->failed = platform_row_parse(&text, &task->row, &task->why);
    bool is_new = true;
    if (task->failed == 0) {
        seen_of(fetch, &task->row, &is_new);
    }
    task->is_repeated = !is_new;
    return true;
}

static void
work(void *self, void *task)
{
    struct fetch *fetch = self;
    platform_task_run(task, &fetch->side, &fetch->shelf);
}

/* ---- consume ---- */

static void
add_member(const struct platform_task *task, const char *name, struct buf *b)
{
    struct span value;
    struct fault why;
    bool is_there = json_find_member(buf_span(&task->row.text), name, &value, &why) == 0;
    buf_add_format(b, "\"%s\": ", name);
    if (json_style_add(b, is_there ? value : span_of_text("\"\"")) == 0) {
        buf_add_text(b, ", ");
    }
}

static int
write_certificates(struct fetch *fetch, const struct platform_task *task, struct fault *why)
{
    static const char *const names[] = {"qe_id", "pce_id", "enc_ppid", "platform_manifest"};
    auto_cleanup(buf_done) struct buf entry = BUF_INIT(ENTRY_BYTES_MAX);
    buf_add_text(&entry, fetch->pck_count == 0 ? "{" : ", {");
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        add_member(task, names[i], &entry);
    }
    buf_add_text(&entry, "\"certs\": ");
    int failed = platform_task_add_certs(task, &entry);
    if (failed != 0 || buf_add_text(&entry, "}") != 0) {
        return fault_set(why, FAULT_MEMORY, "file", "memory ran out");
    }
    out_file_write(&fetch->pck_part, buf_span(&entry));
    fetch->pck_count++;
    return 0;
}

static int
write_row(struct fetch *fetch, const struct platform_task *task, struct fault *why)
{
    auto_cleanup(buf_done) struct buf row = BUF_INIT(ENTRY_BYTES_MAX);
    buf_add_text(&row, fetch->got == 0 ? "" : ", ");
    if (json_style_add(&row, buf_span(&task->row.text)) != 0) {
        return fault_set(why, FAULT_MEMORY, "file", "memory ran out");
    }
    out_file_write(&fetch->file, buf_span(&row));
    fetch->got++;
    return 0;
}

/* The row with the reason as a further member: fetch -i takes the file as it is. */
static int
write_failure(struct fetch *fetch, const struct platform_task *task, struct fault *why)
{
    auto_cleanup(buf_done) struct buf row = BUF_INIT(ENTRY_BYTES_MAX);
    json_t *members = task->row.object;
    json_object_del(members, "reason");
    char *text = json_dumps(members, JSON_ENSURE_ASCII);
    size_t size = text != NULL ? strlen(text) : 0;
    if (size < 2) {
        free(text);
        return fault_set(why, FAULT_MEMORY, "file", "memory ran out");
    }
    buf_add(&row, span_of(text, size - 1)); /* without its '}' */
    buf_add_text(&row, json_object_size(members) > 0 ? ", \"reason\": " : "\"reason\": ");
    json_style_add_text(&row, span_of_text(task->why.text));
    free(text);
    if (buf_add_text(&row, "}") != 0) {
        return fault_set(why, FAULT_MEMORY, "file", "memory ran out");
    }
    return out_array_add(&fetch->failed, buf_span(&row), why);
}

static void
name_failure(struct fetch *fetch, const struct platform_task *task)
{
    char name[64];
    if (++fetch->named_failures > FETCH_NAMED_FAILURES_MAX) {
        return;
    }
    platform_task_name(task, name);
    progress_clear(&fetch->progress);
    say_error("platform %s: %s", name, task->why.text);
}

static void
consume_failure(struct fetch *fetch, struct platform_task *task, struct fault *why)
{
    bool has_manifest = platform_row_get(&task->row, "platform_manifest")[0] != '\0';
    if (task->is_repeated) {
        fault_set(&task->why, FAULT_NOT_FOUND, "list", "the platform failed earlier in the list");
    } else {
        fetch->troubles[trouble_of(&task->why, has_manifest)] = true;
        name_failure(fetch, task);
    }
    fetch->failed_count++;
    fetch->progress.failed++;
    int failed = write_failure(fetch, task, why);
    if (failed != 0) {
        fetch_broken(fetch, failed, why);
    }
}

static int
write_not_available(struct fetch *fetch, const struct platform_task *task, struct fault *why)
{
    auto_cleanup(buf_done) struct buf rows =
        BUF_INIT((size_t)LIMIT_PCK_CERTS * PLATFORM_ROW_BYTES_MAX);
    size_t count = platform_task_add_not_available(task, &rows);
    if (count == 0) {
        return 0;
    }
    fetch->missing_count += count;
    return rows.failed != 0 ? fault_set(why, FAULT_MEMORY, "file", "memory ran out")
                            : out_array_add(&fetch->not_available, buf_span(&rows), why);
}

static void
consume(void *self, void *task_pointer)
{
    struct fetch *fetch = self;
    struct platform_task *task = task_pointer;
    struct fault why;
    bool is_new = true;
    struct seen_entry *seen = task->row.object != NULL ? seen_of(fetch, &task->row, &is_new) : NULL;
    fetch->progress.done++;
    int failed = write_not_available(fetch, task, &why);
    if (task->failed != 0 || (task->is_repeated && (seen == NULL || !seen->is_good))) {
        consume_failure(fetch, task, &why);
    } else {
        if (!task->is_repeated && failed == 0) {
            failed = write_certificates(fetch, task, &why);
            fetch_write_tcb(fetch, (struct tcb_entry *)(uintptr_t)task->tcb);
        }
        if (seen != NULL) {
            seen->is_good = true;
        }
        failed = failed != 0 ? failed : write_row(fetch, task, &why);
    }
    if (failed != 0) {
        fetch_broken(fetch, failed, &why);
    }
    platform_task_done(task);
}

static void
tick(void *self)
{
    struct fetch *fetch = self;
    progress_show(&fetch->progress);
}

void
fetch_platforms(struct fetch *fetch)
{
    struct parallel parallel = {.self = fetch,
                                .jobs = fetch->side.jobs,
                                .task_size = sizeof(struct platform_task),
                                .produce = produce,
                                .work = work,
                                .consume = consume,
                                .tick = tick};
    struct fault why;
    progress_start(&fetch->progress, fetch->args, "platforms", fetch->row_count);
    int failed = parallel_run(&parallel, &why);
    progress_end(&fetch->progress);
    if (failed != 0) {
        fetch_broken(fetch, failed, &why);
    }
    if (fetch->named_failures > FETCH_NAMED_FAILURES_MAX) {
        say_error("... and %zu more platforms", fetch->named_failures - FETCH_NAMED_FAILURES_MAX);
    }
}
