/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies appraisal policies, default or not. They are the operator's own: nothing is signed by
 * Intel, and they have no date.
 * Takes the run; the target's policies are known by their hashes, each that is missing is put, and
 * all are compared once more in the end. Called by store_copy.c on the main thread.
 * Must never take the place of a default policy that the target has chosen for itself, nor keep the
 * texts of all policies in memory.
 */
#include <openssl/evp.h>

#include "base/mem.h"
#include "pccsadmin/store_copy.h"

enum { DIGEST_BYTES = 32, POLICIES_AT_FIRST = 64, POLICIES_MAX = 1000000 };

/* One of the target's. */
struct policy_seen {
    char id[96 + 1];
    int type;
    struct fmspc fmspc;
    bool is_default;
    uint8_t digest[DIGEST_BYTES];
};

struct policies {
    struct store_copy *copy;
    struct policy_seen *seen;
    size_t seen_count, capacity;
    size_t written;
    struct fault why;
    int code;
};

static void
policies_done(struct policies *p)
{
    free(p->seen);
}

static int
policy_see(const struct policy_row *row, struct policy_seen *ret_seen, struct fault *why)
{
    struct policy_seen seen = {
        .type = row->type, .fmspc = row->fmspc, .is_default = row->is_default};
    memcpy(seen.id, row->id, sizeof seen.id);
    if (EVP_Digest(row->policy.data, row->policy.size, seen.digest, NULL, EVP_sha256(), NULL) !=
        1) {
        return fault_set(why, FAULT_INTERNAL, "store", "OpenSSL could not make a SHA-256");
    }
    *ret_seen = seen;
    return 0;
}

static int
seen_make_room(struct policies *p, struct fault *why)
{
    if (p->seen_count < p->capacity) {
        return 0;
    }
    size_t capacity = p->capacity == 0 ? POLICIES_AT_FIRST : 2 * p->capacity;
    struct policy_seen *seen =
        capacity <= POLICIES_MAX ? reallocarray(p->seen, capacity, sizeof *seen) : NULL;
    if (seen == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for the target's policies");
    }
    p->seen = seen;
    p->capacity = capacity;
    return 0;
}

/* By id, as store_each_policy gives them. */
static bool
on_target(void *self, const struct policy_row *row)
{
    struct policies *p = self;
    p->code = seen_make_room(p, &p->why);
    p->code = p->code != 0 ? p->code : policy_see(row, &p->seen[p->seen_count], &p->why);
    p->seen_count += p->code == 0 ? 1 : 0;
    return p->code == 0;
}

static const struct policy_seen *
seen_find(const struct policies *p, const char *id)
{
    for (size_t i = 0; i < p->seen_count; i++) {
        if (strcmp(p->seen[i].id, id) == 0) {
            return &p->seen[i];
        }
    }
    return NULL;
}

/* Has the target chosen another default than this one? */
static bool
has_other_default(const struct policies *p, const struct policy_row *row)
{
    for (size_t i = 0; i < p->seen_count; i++) {
        const struct policy_seen *seen = &p->seen[i];
        if (seen->is_default && seen->type == row->type &&
            strcmp(seen->fmspc.hex, row->fmspc.hex) == 0 && strcmp(seen->id, row->id) != 0) {
            return true;
        }
    }
    return false;
}

static int
policy_judge(const struct policies *p, const struct policy_row *row, enum copy_verdict *ret_verdict,
             struct fault *why)
{
    const struct policy_seen *there = seen_find(p, row->id);
    struct policy_seen here;
    int code = policy_see(row, &here, why);
    if (code != 0) {
        return code;
    }
    bool is_same = there != NULL && there->type == here.type &&
                   strcmp(there->fmspc.hex, here.fmspc.hex) == 0 &&
                   memcmp(there->digest, here.digest, sizeof here.digest) == 0;
    if (there == NULL || !is_same) {
        *ret_verdict = there == NULL ? COPY_MISSING : COPY_DIFFERS;
    } else if (there->is_default == here.is_default) {
        *ret_verdict = COPY_SAME;
    } else {
        *ret_verdict = there->is_default || has_other_default(p, row) ? COPY_NEWER : COPY_DIFFERS;
    }
    return 0;
}

/* First round: puts what is missing, tells nothing. */
static int
policy_put(struct policies *p, const struct policy_row *row, struct fault *why)
{
    enum copy_verdict verdict = COPY_MISSING;
    int code = policy_judge(p, row, &verdict, why);
    if (code != 0 || verdict == COPY_SAME || verdict == COPY_NEWER) {
        return code;
    }
    struct policy_row own = *row;
    own.is_default = own.is_default && !has_other_default(p, row);
    p->written++;
    return store_put_policy(p->copy->to, &own, why);
}

static bool
on_source_put(void *self, const struct policy_row *row)
{
    struct policies *p = self;
    p->code = policy_put(p, row, &p->why);
    return p->code == 0;
}

/* Second round: what is there now. */
static int
policy_tell(struct policies *p, const struct policy_row *row, struct fault *why)
{
    enum copy_verdict verdict = COPY_MISSING;
    char name[COPY_NAME_SIZE];
    int code = policy_judge(p, row, &verdict, why);
    if (code != 0) {
        return code;
    }
    copy_name_policy(row, name);
    switch (verdict) {
    case COPY_SAME:
        copy_tell_same(p->copy, COPY_POLICIES);
        return 0;
    case COPY_NEWER:
        copy_tell_newer(p->copy, COPY_POLICIES, name,
                        "the target has chosen its default policy itself");
        return 0;
    case COPY_MISSING:
    case COPY_DIFFERS:
        break;
    }
    copy_tell_differs(p->copy, COPY_POLICIES, name, verdict);
    return 0;
}

static bool
on_source_tell(void *self, const struct policy_row *row)
{
    struct policies *p = self;
    p->code = policy_tell(p, row, &p->why);
    return p->code == 0;
}

static int
each_run(struct policies *p, struct store *store, store_policy_fn *each, struct fault *why)
{
    int code = store_each_policy(store, each, p, why);
    if (code == 0 && p->code != 0) {
        *why = p->why;
        return p->code;
    }
    return code;
}

static int
round_run(struct policies *p, store_policy_fn *on_source, struct fault *why)
{
    p->seen_count = 0;
    int code = each_run(p, p->copy->to, on_target, why);
    return code != 0 ? code : each_run(p, p->copy->from, on_source, why);
}

int
store_copy_policies(struct store_copy *copy, struct fault *why)
{
    auto_cleanup(policies_done) struct policies p = {.copy = copy};
    struct copy_counts *counts = &copy->counts[COPY_POLICIES];
    progress_start_long(&copy->progress, copy->args, "policies", 0);
    int code = copy->only_verify ? 0 : round_run(&p, on_source_put, why);
    code = code != 0 ? code : round_run(&p, on_source_tell, why);
    if (code == 0) {
        size_t copied = p.written < counts->same ? p.written : counts->same;
        counts->same -= copied;
        counts->copied += copied;
    }
    progress_end(&copy->progress);
    return code;
}
