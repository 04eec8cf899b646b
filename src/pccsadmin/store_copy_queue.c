/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies the registration queue, rows in every state: what waits, what lacked certificates, what
 * was handed out. Nothing of it is signed.
 * Takes the run; rows are gathered into batches, each is one transaction and is read back.
 * Called by store_copy.c on the main thread.
 * Must never let a row wait again that the target has handed out, nor lose a manifest.
 */
#include <stdio.h>

#include "base/mem.h"
#include "pccsadmin/store_copy.h"

enum { BATCH_ROWS = 128, BATCH_BYTES = 4 * 1024 * 1024 };

struct queue {
    struct store_copy *copy;
    struct queue_row rows[BATCH_ROWS];
    size_t count, bytes;
    uint64_t met;
    struct fault why;
    int code;
};

static void
batch_clear(struct queue *q)
{
    for (size_t i = 0; i < q->count; i++) {
        queue_row_done(&q->rows[i]);
    }
    q->count = 0;
    q->bytes = 0;
}

static void
queue_free(struct queue **q)
{
    if (*q != NULL) {
        batch_clear(*q);
    }
    free(*q);
}

static int
row_judge(struct store_copy *copy, const struct queue_row *row, enum copy_verdict *ret_verdict,
          struct fault *why)
{
    auto_cleanup(queue_row_done) struct queue_row there = {0};
    int code = store_load_queue_row(copy->to, row, &there, why);
    if (code == 0 || code == FAULT_NOT_FOUND) {
        *ret_verdict = code == 0 ? copy_queue_row_judge(row, &there) : COPY_MISSING;
        return 0;
    }
    return code;
}

/* Those from first on, in one transaction. */
static int
rows_put(struct queue *q, size_t first, size_t count, struct fault *why)
{
    int code = store_queue_put(q->copy->to, &q->rows[first], count, why);
    if (code != 0) {
        return code;
    }
    q->copy->refusals = 0;
    for (size_t i = first; code == 0 && i < first + count; i++) {
        enum copy_verdict verdict = COPY_MISSING;
        char name[COPY_NAME_SIZE];
        code = row_judge(q->copy, &q->rows[i], &verdict, why);
        copy_name_queue_row(&q->rows[i], name);
        if (code == 0 && (verdict == COPY_SAME || verdict == COPY_NEWER)) {
            copy_tell_copied(q->copy, COPY_QUEUE);
        } else if (code == 0) {
            copy_tell_differs(q->copy, COPY_QUEUE, name, verdict);
        }
    }
    return code;
}

/* All in one transaction; if that is refused each alone, so that one does not keep out the rest. */
static int
batch_put(struct queue *q, struct fault *why)
{
    size_t done = q->copy->counts[COPY_QUEUE].copied;
    int code = q->count > 0 ? rows_put(q, 0, q->count, why) : 0;
    if (code == 0 || done != q->copy->counts[COPY_QUEUE].copied) {
        return code; /* what failed was reading back */
    }
    code = 0;
    for (size_t i = 0; code == 0 && i < q->count; i++) {
        code = rows_put(q, i, 1, why);
        if (code != 0) {
            char name[COPY_NAME_SIZE];
            copy_name_queue_row(&q->rows[i], name);
            code = store_copy_refused(q->copy, COPY_QUEUE, name, code, why);
        }
    }
    return code;
}

static int
batch_flush(struct queue *q, struct fault *why)
{
    int code = batch_put(q, why);
    batch_clear(q);
    return code;
}

static int
row_take(struct queue *q, const struct queue_row *row, struct fault *why)
{
    struct queue_row copy = *row;
    copy.enc_ppid = strdup(row->enc_ppid);
    copy.manifest = strdup(row->manifest);
    if (copy.enc_ppid == NULL || copy.manifest == NULL) {
        queue_row_done(&copy);
        return fault_set(why, FAULT_MEMORY, "store", "memory ran out");
    }
    q->rows[q->count++] = copy;
    q->bytes += strlen(copy.enc_ppid) + strlen(copy.manifest);
    return q->count == BATCH_ROWS || q->bytes >= BATCH_BYTES ? batch_flush(q, why) : 0;
}

static int
row_copy(struct queue *q, const struct queue_row *row, struct fault *why)
{
    enum copy_verdict verdict = COPY_MISSING;
    char name[COPY_NAME_SIZE];
    int code = row_judge(q->copy, row, &verdict, why);
    if (code != 0) {
        return code;
    }
    copy_name_queue_row(row, name);
    switch (verdict) {
    case COPY_SAME:
        copy_tell_same(q->copy, COPY_QUEUE);
        return 0;
    case COPY_NEWER:
        copy_tell_newer(q->copy, COPY_QUEUE, name, "the target has handed it out, or has more");
        return 0;
    case COPY_MISSING:
    case COPY_DIFFERS:
        break;
    }
    if (q->copy->only_verify) {
        copy_tell_differs(q->copy, COPY_QUEUE, name, verdict);
        return 0;
    }
    return row_take(q, row, why);
}

static bool
on_row(void *self, const struct queue_row *row)
{
    struct queue *q = self;
    q->met += 1;
    q->code = row_copy(q, row, &q->why);
    return q->code == 0;
}

int
store_copy_queue(struct store_copy *copy, struct fault *why)
{
    auto_cleanup(queue_free) struct queue *q = calloc(1, sizeof *q);
    uint64_t counts[3] = {0};
    if (q == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a batch of registrations");
    }
    q->copy = copy;
    int code = store_queue_counts(copy->from, counts, why);
    if (code != 0) {
        return code;
    }
    uint64_t total = counts[0] + counts[1] + counts[2];
    progress_start_long(&copy->progress, copy->args, "registrations", (size_t)total);
    code = store_each_queue_row(copy->from, on_row, q, why);
    if (code == 0 && q->code != 0) {
        *why = q->why;
        return q->code;
    }
    code = code != 0 ? code : batch_flush(q, why);
    if (code == 0) {
        copy_tell_unread(copy, COPY_QUEUE, "registrations", total, q->met);
    }
    progress_end(&copy->progress);
    return code;
}
