/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pccsadmin cache: the certificates of platforms as local cache files for Intel's client library,
 * for machines that reach no PCCS (clients.md 5.4, byte by byte).
 * Takes a list of platforms; gives a file for each: header, TCB components, TCB info, issuer chain
 * and certificates. Fetched and verified as fetch does it, many at once.
 * Called by main.c; produce and consume run on the main thread, work on threads.
 * Must never let two platforms write one file: the library would take the wrong certificates.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/url.h"
#include "pccsadmin/parallel.h"
#include "pccsadmin/platform_task.h"
#include "pccsadmin/progress.h"
#include "pccsadmin/seen.h"

enum {
    CACHE_VERSION = 1,
    CACHE_TYPE_MULTIPLE = 4,
    CACHE_BYTES_MAX = 4 * LIMIT_UPSTREAM_BODY_BYTES,
    HOURS_MAX = 8760,
    HOURS_DEFAULT = 2160,
    PATH_BYTES_MAX = 4096,
};

static const char UNKNOWN_COMPONENTS[] = "ffffffffffffffffffffffffffffffff";
static const char UNKNOWN_NAME[] = "0000000000000000_0000";

struct cache_run {
    const struct arguments *args;
    const char *folder;
    int64_t expires_at;
    struct pcs_side side;
    struct tcb_shelf shelf;
    struct platform_list list;
    struct progress progress;
    struct seen files;
    size_t row_count, written, failed_count;
    bool troubles[TROUBLE_COUNT];
    int broken;
};

static bool
produce(void *self, void *task_pointer)
{
    struct cache_run *run = self;
    struct platform_task *task = task_pointer;
    struct buf text = BUF_INIT(PLATFORM_ROW_BYTES_MAX);
    struct fault why;
    int failed = platform_list_next(&run->list, &text, &why);
    if (failed != 0) {
        buf_done(&text);
        if (failed != FAULT_NOT_FOUND) {
            say_error("%s", why.text);
            run->broken = failed;
        }
        return false;
    }
    task->failed = platform_row_parse(&text, &task->row, &task->why);
    return true;
}

static void
work(void *self, void *task)
{
    struct cache_run *run = self;
    platform_task_run(task, &run->side, &run->shelf);
}

/* ---- the file ---- */

/* A name from the list that becomes part of a path. */
static bool
name_is_safe(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

static int
folder_make(const char *path, struct fault *why)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        return fault_set_number(why, FAULT_IO, "file", errno, "cannot make the folder %s: %s", path,
                                strerror(errno));
    }
    return 0;
}

/* OUT[/pckid_filename][/qe_id]/<name>; folders are made. */
static int
path_build(const struct cache_run *run, const struct platform_task *task, struct buf *path,
           struct fault *why)
{
    const char *csv = platform_row_get(&task->row, "pckid_filename");
    const char *qeid = platform_row_get(&task->row, "qe_id");
    const char *components = platform_row_get(&task->row, "cpu_svn");
    bool is_known = components[0] != '\0' && strcmp(components, UNKNOWN_COMPONENTS) != 0;
    if ((csv[0] != '\0' && !name_is_safe(csv)) || !name_is_safe(qeid)) {
        return fault_set(why, FAULT_INPUT, "parse", "pckid_filename or qe_id is no file name");
    }
    buf_add_text(path, run->folder);
    int failed = folder_make(buf_text(path), why);
    if (csv[0] != '\0') {
        buf_add_format(path, "/%s", csv);
        failed = failed != 0 ? failed : folder_make(buf_text(path), why);
    }
    if (arguments_have(run->args, ADMIN_SUB_DIR)) {
        buf_add_format(path, "/%s", qeid);
        failed = failed != 0 ? failed : folder_make(buf_text(path), why);
    }
    size_t name_at = path->size + 1;
    if (is_known) {
        buf_add_format(path, "/%s_%s", qeid, platform_row_get(&task->row, "pce_id"));
    } else {
        buf_add_format(path, "/%s", UNKNOWN_NAME);
    }
    for (size_t i = name_at; i < path->size; i++) {
        uint8_t c = path->data[i];
        path->data[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
    }
    return failed == 0 && path->failed != 0
               ? fault_set(why, FAULT_INPUT, "parse", "the path of the file is too long")
               : failed;
}

static void
add_number(struct buf *b, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        buf_add_byte(b, (uint8_t)(number >> (8 * i)));
    }
}

static void
add_record(struct buf *b, struct span bytes)
{
    add_number(b, bytes.size, 4);
    buf_add(b, bytes);
}

static int
content_build(const struct cache_run *run, const struct platform_task *task, struct buf *b,
              struct fault *why)
{
    auto_cleanup(buf_done) struct buf chain = BUF_INIT(3 * LIMIT_CHAIN_PEM_BYTES);
    auto_cleanup(buf_done) struct buf certs = BUF_INIT(2 * LIMIT_UPSTREAM_BODY_BYTES);
    const char *components = platform_row_get(&task->row, "cpu_svn");
    if (task->raw.issuer_chain != NULL && task->raw.issuer_chain[0] != '\0') {
        buf_add_text(&chain, task->raw.issuer_chain); /* as the PCS sent it, and proven */
    } else {
        url_add_encoded(&chain, span_of_text(task->proven->chain_pem));
    }
    int failed = platform_task_add_certs(task, &certs);
    add_number(b, CACHE_VERSION, 2);
    add_number(b, CACHE_TYPE_MULTIPLE, 4);
    add_number(b, (uint64_t)run->expires_at, 8);
    add_record(b, span_of_text(components[0] != '\0' ? components : UNKNOWN_COMPONENTS));
    add_record(b, buf_span(&task->tcb->sgx));
    add_record(b, buf_span(&chain));
    add_record(b, buf_span(&certs));
    return failed != 0 || chain.failed != 0 || b->failed != 0
               ? fault_set(why, FAULT_MEMORY, "memory", "memory ran out")
               : 0;
}

static int
file_write(struct cache_run *run, const struct platform_task *task, struct fault *why)
{
    auto_cleanup(buf_done) struct buf path = BUF_INIT(PATH_BYTES_MAX);
    auto_cleanup(buf_done) struct buf content = BUF_INIT(CACHE_BYTES_MAX);
    bool is_new = false;
    int failed = path_build(run, task, &path, why);
    if (failed != 0) {
        return failed;
    }
    if (task->tcb->tcb_type != 0) {
        return fault_set(why, FAULT_INPUT, "tcbinfo", "TCB type %d is not known to the library",
                         task->tcb->tcb_type);
    }
    if (seen_add(&run->files, buf_span(&path), &is_new) == NULL) {
        return fault_set(why, FAULT_MEMORY, "memory", "memory ran out");
    }
    if (!is_new) {
        return fault_set(why, FAULT_MISMATCH, "file",
                         "another platform of the list has written %s; -s, or a list with cpu_svn, "
                         "keeps them apart",
                         buf_text(&path));
    }
    failed = content_build(run, task, &content, why);
    failed =
        failed != 0 ? failed : file_write_atomic(buf_text(&path), buf_span(&content), 0644, why);
    if (failed == 0) {
        progress_clear(&run->progress);
        say(run->args, "%s saved successfully.", buf_text(&path));
    }
    return failed;
}

static void
consume(void *self, void *task_pointer)
{
    struct cache_run *run = self;
    struct platform_task *task = task_pointer;
    bool has_manifest = platform_row_get(&task->row, "platform_manifest")[0] != '\0';
    run->progress.done++;
    int failed = task->failed;
    if (failed != 0) {
        run->troubles[trouble_of(&task->why, has_manifest)] = true;
    } else {
        failed = file_write(run, task, &task->why);
    }
    if (failed == 0) {
        run->written++;
    } else {
        char name[64];
        platform_task_name(task, name);
        progress_clear(&run->progress);
        say_error("platform %s: %s", name, task->why.text);
        run->failed_count++;
        run->progress.failed++;
    }
    platform_task_done(task);
}

static void
tick(void *self)
{
    struct cache_run *run = self;
    progress_show(&run->progress);
}

/* ---- the command ---- */

static int
run_all(struct cache_run *run)
{
    struct parallel parallel = {.self = run,
                                .jobs = run->side.jobs,
                                .task_size = sizeof(struct platform_task),
                                .produce = produce,
                                .work = work,
                                .consume = consume,
                                .tick = tick};
    struct fault why;
    progress_start(&run->progress, run->args, "platforms", run->row_count);
    int failed = parallel_run(&parallel, &why);
    progress_end(&run->progress);
    if (failed != 0) {
        say_error("%s", why.text);
    }
    for (int i = 0; i < TROUBLE_COUNT; i++) {
        if (run->troubles[i]) {
            trouble_explain((enum trouble)i);
        }
    }
    say_json(run->args, json_pack("{s:s, s:i, s:i}", "folder", run->folder, "files",
                                  (int)run->written, "failed", (int)run->failed_count));
    return failed == 0 && run->broken == 0 && run->failed_count == 0 ? ADMIN_DONE : ADMIN_FAILED;
}

static int
crls_get(struct cache_run *run)
{
    if (pcs_side_get_crls(&run->side)) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_COUNT(run->side.crl_why); i++) {
        const struct fault *why = &run->side.crl_why[i];
        if (why->code != FAULT_NONE) {
            say_error("a revocation list: %s", why->text);
            trouble_explain(trouble_of(why, true));
            return ADMIN_FAILED;
        }
    }
    return ADMIN_FAILED;
}

static void
cache_done(struct cache_run *run)
{
    platform_list_close(&run->list);
    seen_done(&run->files);
    tcb_shelf_done(&run->shelf);
    pcs_side_done(&run->side);
}

int
cmd_cache(const struct arguments *args)
{
    static const long hours_range[] = {0, HOURS_MAX, HOURS_DEFAULT};
    auto_cleanup(cache_done) struct cache_run run = {.args = args};
    const char *update = arguments_text(args, ADMIN_UPDATE_TYPE, "standard");
    const char *path = arguments_text(args, ADMIN_INPUT_FILE, "platform_list.json");
    bool is_early = strcmp(update, "early") == 0;
    struct fault why;
    long hours = 0;
    run.folder = arguments_text(args, ADMIN_OUTPUT_DIR, "./cache");
    if (!is_early && strcmp(update, "standard") != 0) {
        fault_set(&why, FAULT_INPUT, "usage", "-t: standard or early is wanted");
        return say_usage(args, &why);
    }
    if (arguments_number(args, ADMIN_EXPIRE, hours_range, &hours, &why) != 0) {
        return say_usage(args, &why);
    }
    if (platform_list_count(path, &run.row_count, &why) != 0 ||
        platform_list_open(path, &run.list, &why) != 0) {
        say_error("%s", why.text);
        return ADMIN_FAILED;
    }
    int status = pcs_side_open(args, &run.side);
    status = status != 0 ? status : crls_get(&run);
    if (status != 0) {
        return status;
    }
    run.expires_at = run.side.now + (int64_t)hours * 3600;
    tcb_shelf_init(&run.shelf, &run.side,
                   (struct tcb_wants){.standard = !is_early, .early = is_early});
    run.shelf.keeps_sgx = true;
    return run_all(&run);
}
