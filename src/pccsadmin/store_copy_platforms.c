/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies platforms: certificates with their chain, raw TCBs, manifest, encrypted PPID.
 * Takes the run; platforms are gathered into batches. What the target has just so is passed over as
 * it is read; of a batch all certificates are judged on several threads, then one transaction
 * writes what is to be written, and each platform of it is read back.
 * Called by store_copy.c on the main thread; certs_prove on threads of its own.
 * Must never put certificates that do not verify, lose a manifest that only the target has (a
 * platform offers it once), or hold more than a batch in memory.
 */
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "pccsadmin/parallel.h"
#include "pccsadmin/store_copy.h"

enum {
    BATCH_PLATFORMS = 128,         /* the keys of so many fit a change's row (store_connection.c) */
    BATCH_BYTES = 4 * 1024 * 1024, /* manifests are large: a batch ends early with so much */
};

/* What the target has of it, if it has anything: there.row.id is "" else. */
struct entry {
    struct copy_platform here, there;
    int code, there_code; /* of judging */
    struct fault why, there_why;
    enum copy_verdict verdict;
};

struct platforms {
    struct store_copy *copy;
    struct entry *entries; /* BATCH_PLATFORMS of them */
    size_t count, bytes;
    struct store_platform_put puts[BATCH_PLATFORMS];
    uint64_t met, certs, mappings; /* of the source */
    struct fault why;
    int code;
};

static void
copy_platform_done(struct copy_platform *platform)
{
    store_platform_done(&platform->row);
    proven_unref(platform->certs);
    *platform = (struct copy_platform){0};
}

static void
batch_clear(struct platforms *p)
{
    for (size_t i = 0; i < p->count; i++) {
        copy_platform_done(&p->entries[i].here);
        copy_platform_done(&p->entries[i].there);
        p->entries[i] = (struct entry){0};
    }
    p->count = 0;
    p->bytes = 0;
}

static void
platforms_done(struct platforms *p)
{
    batch_clear(p);
    free(p->entries);
}

static bool
is_there(const struct entry *entry)
{
    return entry->there.row.id.qeid[0] != '\0';
}

/* ---- judging ---- */

static int
certs_prove(const struct verify_context *context, struct copy_platform *platform, struct fault *why)
{
    struct item_key key = {.kind = ITEM_PCK, .api_version = 4, .platform = platform->row.id};
    fmspc_parse(span_of_text(platform->row.fmspc), &key.fmspc);
    return verify(context, &key, &platform->row.certs, &platform->certs, why);
}

struct proving {
    struct platforms *platforms;
    size_t next;
};

struct proving_task {
    struct entry *entry;
};

static bool
task_produce(void *self, void *task)
{
    struct proving *proving = self;
    if (proving->next == proving->platforms->count) {
        return false;
    }
    ((struct proving_task *)task)->entry = &proving->platforms->entries[proving->next++];
    return true;
}

/* On some thread; the entry is its own. */
static void
task_work(void *self, void *task)
{
    const struct proving *proving = self;
    const struct verify_context *context = &proving->platforms->copy->context;
    struct entry *entry = ((struct proving_task *)task)->entry;
    entry->code = certs_prove(context, &entry->here, &entry->why);
    if (entry->code == 0 && is_there(entry)) {
        entry->there_code = certs_prove(context, &entry->there, &entry->there_why);
    }
}

static void
task_consume(void *self, void *task)
{
    (void)self;
    (void)task;
}

static int
batch_prove(struct platforms *p, struct fault *why)
{
    struct proving proving = {.platforms = p};
    const struct parallel parallel = {.self = &proving,
                                      .jobs = p->copy->jobs,
                                      .task_size = sizeof(struct proving_task),
                                      .produce = task_produce,
                                      .work = task_work,
                                      .consume = task_consume};
    int code = parallel_run(&parallel, why);
    for (size_t i = 0; code == 0 && i < p->count; i++) {
        const struct entry *entry = &p->entries[i];
        if (entry->code == FAULT_MEMORY || entry->there_code == FAULT_MEMORY) {
            code = fault_set(why, FAULT_MEMORY, "verify", "memory ran out");
        }
    }
    return code;
}

/* The source's row takes on what only the target knows, if it is about to be written over it. */
static int
row_complete(struct store_platform *row, struct store_platform *there, struct fault *why)
{
    char **const ours[] = {&row->manifest, &row->enc_ppid};
    char *const theirs[] = {there->manifest, there->enc_ppid};
    for (size_t i = 0; i < ARRAY_COUNT(ours); i++) {
        if ((*ours[i])[0] != '\0' || theirs[i][0] == '\0') {
            continue;
        }
        char *text = strdup(theirs[i]);
        if (text == NULL) {
            return fault_set(why, FAULT_MEMORY, "store", "memory ran out");
        }
        free(*ours[i]);
        *ours[i] = text;
    }
    if (there->not_available_at > row->not_available_at) {
        row->not_available_at = there->not_available_at;
    }
    return 0;
}

static int
entry_judge(struct entry *entry, struct fault *why)
{
    entry->verdict = COPY_MISSING;
    if (!is_there(entry)) {
        return 0;
    }
    int code = row_complete(&entry->here.row, &entry->there.row, why);
    entry->verdict = code == 0 && entry->there_code == 0
                         ? copy_platform_judge(&entry->here, &entry->there)
                         : COPY_DIFFERS;
    return code;
}

/* Says what became of it, unless it is to be written: then true. */
static bool
entry_is_wanted(struct store_copy *copy, const struct entry *entry)
{
    char name[COPY_NAME_SIZE];
    copy_name_platform(&entry->here.row.id, name);
    if (entry->code != 0) {
        copy_tell_skipped(copy, COPY_PLATFORMS, name, entry->why.text);
        return false;
    }
    switch (entry->verdict) {
    case COPY_SAME:
        copy_tell_same(copy, COPY_PLATFORMS);
        return false;
    case COPY_NEWER:
        copy_tell_newer(copy, COPY_PLATFORMS, name,
                        "the target's certificates are newer, or it knows more raw TCBs");
        return false;
    case COPY_MISSING:
    case COPY_DIFFERS:
        break;
    }
    if (copy->only_verify) {
        copy_tell_differs(copy, COPY_PLATFORMS, name, entry->verdict);
    }
    return !copy->only_verify;
}

/* ---- writing ---- */

static struct store_platform_put
put_of(const struct entry *entry)
{
    const struct store_platform *row = &entry->here.row;
    return (struct store_platform_put){.id = row->id,
                                       .manifest = span_of_text(row->manifest),
                                       .enc_ppid = span_of_text(row->enc_ppid),
                                       .certs = entry->here.certs,
                                       .mappings = row->mappings,
                                       .mapping_count = row->mapping_count,
                                       .not_available_at = row->not_available_at};
}

/* Something else is there than what was put: whoever else writes there may have been faster, newer
 * is well, too. */
static int
entry_judge_again(struct store_copy *copy, struct entry *entry, enum copy_verdict *ret_verdict,
                  struct fault *why)
{
    struct fault detail;
    int code = certs_prove(&copy->context, &entry->there, &detail);
    if (code == FAULT_MEMORY) {
        *why = detail;
        return code;
    }
    *ret_verdict = code == 0 ? copy_platform_judge(&entry->here, &entry->there) : COPY_DIFFERS;
    return 0;
}

static int
entry_read_back(struct store_copy *copy, struct entry *entry, struct fault *why)
{
    enum copy_verdict verdict = COPY_SAME;
    copy_platform_done(&entry->there);
    int code = store_load_platform(copy->to, &entry->here.row.id, &entry->there.row, why);
    if (code == FAULT_NOT_FOUND) {
        verdict = COPY_MISSING;
        code = 0;
    } else if (code == 0 && !copy_platform_is_put(&entry->here, &entry->there.row)) {
        code = entry_judge_again(copy, entry, &verdict, why);
    }
    if (code == 0 && (verdict == COPY_SAME || verdict == COPY_NEWER)) {
        copy_tell_copied(copy, COPY_PLATFORMS);
    } else if (code == 0) {
        char name[COPY_NAME_SIZE];
        copy_name_platform(&entry->here.row.id, name);
        copy_tell_differs(copy, COPY_PLATFORMS, name, verdict);
    }
    return code;
}

/* Those of puts from first on, in one transaction. */
static int
puts_run(struct platforms *p, const size_t *wanted, size_t first, size_t count, struct fault *why)
{
    const struct store_batch batch = {.platforms = &p->puts[first], .platform_count = count};
    int code = store_put(p->copy->to, &batch, why);
    if (code != 0) {
        return code;
    }
    p->copy->refusals = 0;
    for (size_t i = first; code == 0 && i < first + count; i++) {
        code = entry_read_back(p->copy, &p->entries[wanted[i]], why);
    }
    return code;
}

/* All in one transaction; if that is refused each alone, so that one does not keep out the rest. */
static int
batch_put(struct platforms *p, const size_t *wanted, size_t count, struct fault *why)
{
    for (size_t i = 0; i < count; i++) {
        p->puts[i] = put_of(&p->entries[wanted[i]]);
    }
    size_t done = p->copy->counts[COPY_PLATFORMS].copied;
    int code = count > 0 ? puts_run(p, wanted, 0, count, why) : 0;
    if (code == 0 || done != p->copy->counts[COPY_PLATFORMS].copied) {
        return code; /* what failed was reading back */
    }
    code = 0;
    for (size_t i = 0; code == 0 && i < count; i++) {
        code = puts_run(p, wanted, i, 1, why);
        if (code != 0) {
            char name[COPY_NAME_SIZE];
            copy_name_platform(&p->puts[i].id, name);
            code = store_copy_refused(p->copy, COPY_PLATFORMS, name, code, why);
        }
    }
    return code;
}

static int
batch_flush(struct platforms *p, struct fault *why)
{
    size_t wanted[BATCH_PLATFORMS];
    size_t count = 0;
    int code = p->count > 0 ? batch_prove(p, why) : 0;
    for (size_t i = 0; code == 0 && i < p->count; i++) {
        code = entry_judge(&p->entries[i], why);
        if (code == 0 && entry_is_wanted(p->copy, &p->entries[i])) {
            wanted[count++] = i;
        }
    }
    code = code != 0 ? code : batch_put(p, wanted, count, why);
    batch_clear(p);
    return code;
}

/* ---- reading ---- */

static size_t
bytes_of(const struct store_platform *row)
{
    size_t bytes = strlen(row->manifest) + strlen(row->enc_ppid);
    for (size_t i = 0; i < row->certs.pck_count; i++) {
        bytes += row->certs.pcks[i].cert != NULL ? strlen(row->certs.pcks[i].cert) : 0;
    }
    return bytes;
}

/* Into the next place of the batch, unless there is nothing to be done. */
static int
platform_take(struct platforms *p, const struct platform_id *id, struct fault *why)
{
    struct entry *entry = &p->entries[p->count];
    int code = store_load_platform(p->copy->from, id, &entry->here.row, why);
    if (code == FAULT_NOT_FOUND) {
        char name[COPY_NAME_SIZE];
        copy_name_platform(id, name);
        copy_tell_skipped(p->copy, COPY_PLATFORMS, name, why->text);
        return 0;
    }
    if (code != 0) {
        return code;
    }
    p->certs += entry->here.row.certs.pck_count;
    p->mappings += entry->here.row.mapping_count;
    p->count += 1;
    code = store_load_platform(p->copy->to, id, &entry->there.row, why);
    if (code == 0 && copy_platform_is_equal(&entry->here.row, &entry->there.row)) {
        copy_platform_done(&entry->here);
        copy_platform_done(&entry->there);
        p->count -= 1;
        copy_tell_same(p->copy, COPY_PLATFORMS);
        return 0;
    }
    p->bytes += bytes_of(&entry->here.row);
    return code == FAULT_NOT_FOUND ? 0 : code;
}

static bool
on_platform(void *self, const struct store_platform *brief)
{
    struct platforms *p = self;
    p->met += 1;
    p->code = platform_take(p, &brief->id, &p->why);
    if (p->code == 0 && (p->count == BATCH_PLATFORMS || p->bytes >= BATCH_BYTES)) {
        p->code = batch_flush(p, &p->why);
    }
    return p->code == 0;
}

/* ---- all ---- */

static void
unread_tell(const struct platforms *p, const struct store_counts *counts)
{
    copy_tell_unread(p->copy, COPY_PLATFORMS, "platforms", counts->platforms, p->met);
    if (!store_is_shared(p->copy->from)) { /* else they may have been replaced meanwhile */
        copy_tell_unread(p->copy, COPY_PLATFORMS, "PCK certificates", counts->pck_certs, p->certs);
        copy_tell_unread(p->copy, COPY_PLATFORMS, "raw TCBs", counts->raw_tcbs, p->mappings);
    }
}

int
store_copy_platforms(struct store_copy *copy, struct fault *why)
{
    auto_cleanup(platforms_done) struct platforms p = {.copy = copy};
    struct store_counts counts = {0};
    p.entries = calloc(BATCH_PLATFORMS, sizeof *p.entries);
    if (p.entries == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a batch of platforms");
    }
    int code = store_counts(copy->from, &counts, why);
    if (code != 0) {
        return code;
    }
    progress_start_long(&copy->progress, copy->args, "platforms", (size_t)counts.platforms);
    code = store_each_platform(copy->from, NULL, 0, on_platform, &p, why);
    if (code == 0 && p.code != 0) {
        *why = p.why;
        return p.code;
    }
    code = code != 0 ? code : batch_flush(&p, why);
    if (code == 0) {
        unread_tell(&p, &counts);
    }
    progress_end(&copy->progress);
    return code;
}
