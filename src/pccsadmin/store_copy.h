/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run of store copy. Everything is read from one store, judged, written to the other and read
 * back there, kind by kind; what the other has already is not written again, so that a run that was
 * killed goes on where it was. All on the main thread, but for the judging of certificates.
 */
#ifndef PCCSADMIN_STORE_COPY_H
#define PCCSADMIN_STORE_COPY_H

#include "collateral/verify.h"
#include "pccsadmin/admin.h"
#include "pccsadmin/progress.h"
#include "ports/store_port.h"

enum copy_kind { COPY_ITEMS, COPY_PLATFORMS, COPY_QUEUE, COPY_POLICIES, COPY_KINDS };

/* What the target has of a thing, compared with the source. */
enum copy_verdict {
    COPY_SAME,
    COPY_NEWER,   /* what the target has must not be replaced */
    COPY_MISSING, /* it has nothing */
    COPY_DIFFERS  /* it has something else, to be replaced */
};

struct copy_counts {
    size_t copied;  /* written and read back */
    size_t same;    /* were there already */
    size_t newer;   /* the target's is kept */
    size_t skipped; /* the source's cannot be used */
    size_t differs; /* only verifying: missing or different; else: read back differently */
};

struct store_copy {
    const struct arguments *args;
    struct store *from, *to;
    bool only_verify;              /* writes nothing */
    unsigned jobs;                 /* threads that judge certificates */
    struct verify_context context; /* for what comes out of either store */
    struct proven *crls[3];        /* that the context names: of the PCK CAs, of the root */
    struct store_chains chains;    /* of the source */
    struct copy_counts counts[COPY_KINDS];
    unsigned refusals; /* how many things the target refused in a row */
    struct progress progress;
    json_t *listed; /* what was not simply copied, with its reason; COPY_LISTED_MAX at most */
};

/* ---- store_copy.c ---- */

/* Copies all. 0 also if something was left; else the run cannot go on (may be run again). */
int store_copy_run(struct store_copy *copy, struct fault *why) must_check;
void store_copy_done(struct store_copy *copy);
/* The target did not take one thing: 0 if that is the thing's fault, which is told, and the run may
 * go on; else the code. */
int store_copy_refused(struct store_copy *copy, enum copy_kind kind, const char *name, int code,
                       const struct fault *why) must_check;
/* Are both stores one and the same database, whatever their configurations say? */
int store_copy_check_distinct(struct store *from, struct store *to, struct fault *why) must_check;

/* ---- store_copy_*.c: one kind each ---- */

int store_copy_items(struct store_copy *copy, struct fault *why) must_check;
int store_copy_platforms(struct store_copy *copy, struct fault *why) must_check;
int store_copy_queue(struct store_copy *copy, struct fault *why) must_check;
int store_copy_policies(struct store_copy *copy, struct fault *why) must_check;

/* ---- store_copy_compare.c: pure ---- */

/* Order does not matter where a database server does not keep it. */
bool copy_platform_is_equal(const struct store_platform *a, const struct store_platform *b);
bool copy_queue_row_is_equal(const struct queue_row *a, const struct queue_row *b);
bool copy_raw_is_equal(const struct raw_reply *a, const struct raw_reply *b);
/* Both proven. */
enum copy_verdict copy_item_judge(const struct proven *from, const struct proven *to);
/* Both with their certificates proven; what those brought is not looked at. */
struct copy_platform {
    struct store_platform row;
    struct proven *certs;
};
enum copy_verdict copy_platform_judge(const struct copy_platform *from,
                                      const struct copy_platform *to);
/* Is what was put there, to the byte? */
bool copy_platform_is_put(const struct copy_platform *put, const struct store_platform *there);
enum copy_verdict copy_queue_row_judge(const struct queue_row *from, const struct queue_row *to);

/* ---- store_copy_tell.c ---- */

enum { COPY_NAME_SIZE = 512, COPY_LISTED_MAX = 10000 };
/* What messages call a thing; printable, cut if it is too long. */
void copy_name_item(const struct item_key *key, char out[COPY_NAME_SIZE]);
void copy_name_platform(const struct platform_id *id, char out[COPY_NAME_SIZE]);
void copy_name_queue_row(const struct queue_row *row, char out[COPY_NAME_SIZE]);
void copy_name_policy(const struct policy_row *row, char out[COPY_NAME_SIZE]);
/* Counts it, and says so unless all is well with it. */
void copy_tell_same(struct store_copy *copy, enum copy_kind kind);
void copy_tell_copied(struct store_copy *copy, enum copy_kind kind);
void copy_tell_newer(struct store_copy *copy, enum copy_kind kind, const char *name,
                     const char *reason);
void copy_tell_skipped(struct store_copy *copy, enum copy_kind kind, const char *name,
                       const char *reason);
void copy_tell_differs(struct store_copy *copy, enum copy_kind kind, const char *name,
                       enum copy_verdict verdict);
/* Rows that the store passed over: it had so many more than were met. */
void copy_tell_unread(struct store_copy *copy, enum copy_kind kind, const char *what,
                      uint64_t count, uint64_t met);
/* The counts at the end; the exit status that they mean. */
int copy_tell_end(struct store_copy *copy, const char *from, const char *to);
/* One more is dealt with. */
void copy_step(struct store_copy *copy);

#endif
