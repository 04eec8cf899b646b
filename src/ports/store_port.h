/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one store contract: the durable cache, Intel's schema version 5 (database.md) and our own
 * pccs_ tables. The rooms above call these functions; a driver (store/) fills the table behind
 * them; tests may plug in another. Blocking; called on workers; safe from many threads. A write
 * that returned 0 is on disk (synchronous commit) and was one transaction. What is read back is
 * raw: prove it again.
 *
 * Faults: FAULT_NOT_FOUND (no such row), FAULT_STORE (failed; why->text says which: full, locked,
 * read-only, corrupt; nothing was changed), FAULT_CONFIG (cannot be opened or taken over).
 */
#ifndef PORTS_STORE_PORT_H
#define PORTS_STORE_PORT_H

#include "collateral/proven.h"
#include "collateral/raw_reply.h"

/* A driver's object starts with this. */
struct store {
    const struct store_driver *driver;
};

static inline void store_close(struct store *store);
static inline int store_ping(struct store *store,
                             struct fault *why) must_check; /* can be read and written */

/* ---- what Intel signed ---- */

/* Body and issuer chain of any kind but ITEM_PCK. FAULT_NOT_FOUND also if its chain never came
 * (wire_details.md 14). The caller frees with raw_reply_done. */
static inline int store_load_item(struct store *store, const struct item_key *key,
                                  struct raw_reply *ret_raw, struct fault *why) must_check;
/* The issuer chains at hand, PEM decoded ("" if incomplete), for verify_context. The caller frees.
 */
struct store_chains {
    char *pck_chain_pems[2];
    char *tcb_signing_chain_pem;
    char *root_pem;
};
static inline int store_load_chains(struct store *store, struct store_chains *ret_chains,
                                    struct fault *why) must_check;
void store_chains_done(struct store_chains *chains);

/* A cached platform. */
struct store_mapping {
    struct raw_tcb raw;
    char tcbm[36 + 1]; /* "" : known but not selected */
};
struct store_platform {
    struct platform_id id;
    char *manifest; /* upper-case hex, "" if none */
    char *enc_ppid; /* upper-case hex, "" if none */
    char fmspc[12 + 1];
    char ca[16];
    struct raw_reply certs;         /* pcks and issuer_chain filled; raw.fmspc and raw.ca too */
    struct store_mapping *mappings; /* every known raw TCB */
    size_t mapping_count;
    int64_t not_available_at; /* when the PCS last said Not available for some; 0: never */
};
static inline int store_load_platform(struct store *store, const struct platform_id *id,
                                      struct store_platform *ret_platform,
                                      struct fault *why) must_check;
void store_platform_done(struct store_platform *platform);
/* Without certificates and chain: manifest, enc_ppid, fmspc, ca, mappings. */
static inline int store_load_platform_brief(struct store *store, const struct platform_id *id,
                                            struct store_platform *ret_platform,
                                            struct fault *why) must_check;

/* One mapped certificate: the one look-up of a pckcert miss. ret_raw gets one pck, the issuer
 * chain, fmspc, ca. FAULT_NOT_FOUND if the platform is unknown or this raw TCB is not mapped. */
static inline int store_load_pck(struct store *store, const struct platform_id *id,
                                 const struct raw_tcb *raw, struct raw_reply *ret_raw,
                                 struct fault *why) must_check;

/* What one transaction writes. All members may be empty. */
struct store_platform_put {
    struct platform_id id;
    struct span manifest; /* hex; empty: none */
    struct span enc_ppid; /* hex; empty: none */
    bool keep_identity; /* leave manifest and enc_ppid as they are if the platform exists (refresh)
                         */
    const struct proven
        *certs; /* ITEM_PCK: replaces the platform's certificates; its chain is stored */
    const struct store_mapping *mappings; /* replaces all mappings of the platform */
    size_t mapping_count;
    int64_t not_available_at;
};
struct store_batch {
    const struct proven *const *items; /* any kind but ITEM_PCK; body, chain; rows replaced */
    size_t item_count;
    const struct store_platform_put *platforms;
    size_t platform_count;
    const char *root_crl_url; /* rootcacrl_cdp: the root CRL item is put into crl_cache under it
                                 too; NULL: no */
};
static inline int store_put(struct store *store, const struct store_batch *batch,
                            struct fault *why) must_check;
/* Adds one mapping; beyond LIMIT_RAW_TCBS_PER_PLATFORM the least recently added goes. */
static inline int store_put_mapping(struct store *store, const struct platform_id *id,
                                    const struct store_mapping *mapping,
                                    struct fault *why) must_check;

/* ---- listing, a page at a time; the callback returns false to stop ---- */
typedef bool store_platform_fn(void *self, const struct store_platform *brief);
/* Every cached platform (brief), or those of the listed FMSPCs (count 0: all). */
static inline int store_each_platform(struct store *store, const struct fmspc *fmspcs, size_t count,
                                      store_platform_fn *each, void *self,
                                      struct fault *why) must_check;
typedef bool store_key_fn(void *self, const struct item_key *key);
/* The key of every stored item (not PCK). */
static inline int store_each_item(struct store *store, store_key_fn *each, void *self,
                                  struct fault *why) must_check;
static inline int store_count_crl_urls(struct store *store, size_t *ret_count,
                                       struct fault *why) must_check;

/* ---- the registration queue (platforms_registered) ---- */
enum queue_state { QUEUE_NEW = 0, QUEUE_NOT_AVAILABLE = 1, QUEUE_DONE = 9 };
struct queue_row {
    struct platform_id id;
    char cpusvn[32 + 1], pcesvn[4 + 1]; /* upper case; "" with a manifest in state new */
    char *enc_ppid;                     /* lower-case hex, "" */
    char *manifest;                     /* lower-case hex, "" */
    enum queue_state state;
};
void queue_row_done(struct queue_row *row);
/* Inserts or replaces (a changed row becomes state's). */
static inline int store_queue_put(struct store *store, const struct queue_row *rows, size_t count,
                                  struct fault *why) must_check;
/* Marks rows as QUEUE_DONE by key; unknown ones are ignored; *ret_count: how many were there. */
static inline int store_queue_mark_done(struct store *store, const struct queue_row *rows,
                                        size_t count, size_t *ret_count,
                                        struct fault *why) must_check;
enum queue_source { QUEUE_SOURCE_REG, QUEUE_SOURCE_REG_NA, QUEUE_SOURCE_REG_PENDING };
/* The rows; with mark they become QUEUE_DONE in the same transaction (never for REG_PENDING). The
 * caller frees each row and the array. REG_PENDING: state 9 rows whose platform has no
 * certificates. */
static inline int store_queue_list(struct store *store, enum queue_source source, bool mark,
                                   struct queue_row **ret_rows, size_t *ret_count,
                                   struct fault *why) must_check;
/* Every row in any state, the oldest first, a page at a time; damaged ones are passed over. The
 * callback borrows the row, may use the store, and returns false to stop. */
typedef bool store_queue_fn(void *self, const struct queue_row *row);
static inline int store_each_queue_row(struct store *store, store_queue_fn *each, void *self,
                                       struct fault *why) must_check;
/* The row with the key of `key`. The caller frees with queue_row_done. */
static inline int store_load_queue_row(struct store *store, const struct queue_row *key,
                                       struct queue_row *ret_row, struct fault *why) must_check;
/* Rows by state, for metrics: counts[0] new, [1] not available, [2] handed out or done. */
static inline int store_queue_counts(struct store *store, uint64_t counts[3],
                                     struct fault *why) must_check;

/* ---- appraisal policies: not signed by Intel, a door of their own ---- */
struct policy_row {
    char id[96 + 1];
    int type;
    struct fmspc fmspc;
    bool is_default;
    struct span policy; /* the JWT */
};
/* A new default unsets the old default of that FMSPC and type. */
static inline int store_put_policy(struct store *store, const struct policy_row *row,
                                   struct fault *why) must_check;
/* Default policies of the FMSPC joined by commas, appended to b; FAULT_NOT_FOUND. */
static inline int store_load_policies(struct store *store, const struct fmspc *fmspc, struct buf *b,
                                      struct fault *why) must_check;

typedef bool store_policy_fn(void *self, const struct policy_row *row);
/* Every policy, default or not, for a copy. */
static inline int store_each_policy(struct store *store, store_policy_fn *each, void *self,
                                    struct fault *why) must_check;

/* ---- several instances on one database (docs/decisions/0007). A store that is its process's alone
 * grants every claim, and nobody else changes it. ---- */
static inline bool store_is_shared(const struct store *store);
/* Takes or renews a claim for ttl_s seconds of the database's own clock; *ret_held: false while
 * another instance holds it. Whoever dies loses his claims when their time is up. */
static inline int store_claim(struct store *store, const char *name, int ttl_s, bool *ret_held,
                              struct fault *why) must_check;
/* Gives a claim back; nothing happens if it is not ours. */
static inline int store_release(struct store *store, const char *name,
                                struct fault *why) must_check;
/* Waits at most timeout_ms for writes of other instances and tells of each key they wrote; NULL:
 * anything may have changed. Shared stores only; called by one thread. */
typedef void store_change_fn(void *self, const struct item_key *key);
static inline int store_wait_changes(struct store *store, int timeout_ms, store_change_fn *each,
                                     void *self, struct fault *why) must_check;

struct store_counts {
    uint64_t platforms, pck_certs, tcb_infos, identities, crls, raw_tcbs;
};
static inline int store_counts(struct store *store, struct store_counts *ret_counts,
                               struct fault *why) must_check;
/* How many platforms an FMSPC has ("" : those without one), the most first, at most `most` of them.
 * The callback must not call the store. */
typedef void store_fmspc_fn(void *self, const struct fmspc *fmspc, uint64_t count);
static inline int store_count_fmspcs(struct store *store, unsigned most, store_fmspc_fn *each,
                                     void *self, struct fault *why) must_check;

/* ---- what a driver fills in; the names and meanings are those above ---- */

struct store_driver {
    const char *name; /* "sqlite" */
    void (*close)(struct store *store);
    int (*ping)(struct store *store, struct fault *why);
    int (*load_item)(struct store *store, const struct item_key *key, struct raw_reply *ret_raw,
                     struct fault *why);
    int (*load_chains)(struct store *store, struct store_chains *ret_chains, struct fault *why);
    int (*load_platform)(struct store *store, const struct platform_id *id,
                         struct store_platform *ret_platform, struct fault *why);
    int (*load_platform_brief)(struct store *store, const struct platform_id *id,
                               struct store_platform *ret_platform, struct fault *why);
    int (*load_pck)(struct store *store, const struct platform_id *id, const struct raw_tcb *raw,
                    struct raw_reply *ret_raw, struct fault *why);
    int (*put)(struct store *store, const struct store_batch *batch, struct fault *why);
    int (*put_mapping)(struct store *store, const struct platform_id *id,
                       const struct store_mapping *mapping, struct fault *why);
    int (*each_platform)(struct store *store, const struct fmspc *fmspcs, size_t count,
                         store_platform_fn *each, void *self, struct fault *why);
    int (*each_item)(struct store *store, store_key_fn *each, void *self, struct fault *why);
    int (*count_crl_urls)(struct store *store, size_t *ret_count, struct fault *why);
    int (*queue_put)(struct store *store, const struct queue_row *rows, size_t count,
                     struct fault *why);
    int (*queue_mark_done)(struct store *store, const struct queue_row *rows, size_t count,
                           size_t *ret_count, struct fault *why);
    int (*queue_list)(struct store *store, enum queue_source source, bool mark,
                      struct queue_row **ret_rows, size_t *ret_count, struct fault *why);
    int (*each_queue_row)(struct store *store, store_queue_fn *each, void *self, struct fault *why);
    int (*load_queue_row)(struct store *store, const struct queue_row *key,
                          struct queue_row *ret_row, struct fault *why);
    int (*queue_counts)(struct store *store, uint64_t counts[3], struct fault *why);
    int (*put_policy)(struct store *store, const struct policy_row *row, struct fault *why);
    int (*load_policies)(struct store *store, const struct fmspc *fmspc, struct buf *b,
                         struct fault *why);
    int (*each_policy)(struct store *store, store_policy_fn *each, void *self, struct fault *why);
    /* NULL, all three, unless the store can be shared. */
    int (*claim)(struct store *store, const char *name, int ttl_s, bool *ret_held,
                 struct fault *why);
    int (*release)(struct store *store, const char *name, struct fault *why);
    int (*wait_changes)(struct store *store, int timeout_ms, store_change_fn *each, void *self,
                        struct fault *why);
    int (*counts)(struct store *store, struct store_counts *ret_counts, struct fault *why);
    int (*count_fmspcs)(struct store *store, unsigned most, store_fmspc_fn *each, void *self,
                        struct fault *why);
};

static inline void
store_close(struct store *store)
{
    store->driver->close(store);
}

static inline int
store_ping(struct store *store, struct fault *why)
{
    return store->driver->ping(store, why);
}

static inline int
store_load_item(struct store *store, const struct item_key *key, struct raw_reply *ret_raw,
                struct fault *why)
{
    return store->driver->load_item(store, key, ret_raw, why);
}

static inline int
store_load_chains(struct store *store, struct store_chains *ret_chains, struct fault *why)
{
    return store->driver->load_chains(store, ret_chains, why);
}

static inline int
store_load_platform(struct store *store, const struct platform_id *id,
                    struct store_platform *ret_platform, struct fault *why)
{
    return store->driver->load_platform(store, id, ret_platform, why);
}

static inline int
store_load_platform_brief(struct store *store, const struct platform_id *id,
                          struct store_platform *ret_platform, struct fault *why)
{
    return store->driver->load_platform_brief(store, id, ret_platform, why);
}

static inline int
store_load_pck(struct store *store, const struct platform_id *id, const struct raw_tcb *raw,
               struct raw_reply *ret_raw, struct fault *why)
{
    return store->driver->load_pck(store, id, raw, ret_raw, why);
}

static inline int
store_put(struct store *store, const struct store_batch *batch, struct fault *why)
{
    return store->driver->put(store, batch, why);
}

static inline int
store_put_mapping(struct store *store, const struct platform_id *id,
                  const struct store_mapping *mapping, struct fault *why)
{
    return store->driver->put_mapping(store, id, mapping, why);
}

static inline int
store_each_platform(struct store *store, const struct fmspc *fmspcs, size_t count,
                    store_platform_fn *each, void *self, struct fault *why)
{
    return store->driver->each_platform(store, fmspcs, count, each, self, why);
}

static inline int
store_each_item(struct store *store, store_key_fn *each, void *self, struct fault *why)
{
    return store->driver->each_item(store, each, self, why);
}

static inline int
store_count_crl_urls(struct store *store, size_t *ret_count, struct fault *why)
{
    return store->driver->count_crl_urls(store, ret_count, why);
}

static inline int
store_queue_put(struct store *store, const struct queue_row *rows, size_t count, struct fault *why)
{
    return store->driver->queue_put(store, rows, count, why);
}

static inline int
store_queue_mark_done(struct store *store, const struct queue_row *rows, size_t count,
                      size_t *ret_count, struct fault *why)
{
    return store->driver->queue_mark_done(store, rows, count, ret_count, why);
}

static inline int
store_queue_list(struct store *store, enum queue_source source, bool mark,
                 struct queue_row **ret_rows, size_t *ret_count, struct fault *why)
{
    return store->driver->queue_list(store, source, mark, ret_rows, ret_count, why);
}

static inline int
store_each_queue_row(struct store *store, store_queue_fn *each, void *self, struct fault *why)
{
    return store->driver->each_queue_row(store, each, self, why);
}

static inline int
store_load_queue_row(struct store *store, const struct queue_row *key, struct queue_row *ret_row,
                     struct fault *why)
{
    return store->driver->load_queue_row(store, key, ret_row, why);
}

static inline int
store_queue_counts(struct store *store, uint64_t counts[3], struct fault *why)
{
    return store->driver->queue_counts(store, counts, why);
}

static inline int
store_put_policy(struct store *store, const struct policy_row *row, struct fault *why)
{
    return store->driver->put_policy(store, row, why);
}

static inline int
store_load_policies(struct store *store, const struct fmspc *fmspc, struct buf *b,
                    struct fault *why)
{
    return store->driver->load_policies(store, fmspc, b, why);
}

static inline int
store_each_policy(struct store *store, store_policy_fn *each, void *self, struct fault *why)
{
    return store->driver->each_policy(store, each, self, why);
}

static inline bool
store_is_shared(const struct store *store)
{
    return store->driver->claim != NULL;
}

static inline int
store_claim(struct store *store, const char *name, int ttl_s, bool *ret_held, struct fault *why)
{
    if (store->driver->claim == NULL) {
        *ret_held = true;
        return 0;
    }
    return store->driver->claim(store, name, ttl_s, ret_held, why);
}

static inline int
store_release(struct store *store, const char *name, struct fault *why)
{
    return store->driver->release == NULL ? 0 : store->driver->release(store, name, why);
}

static inline int
store_wait_changes(struct store *store, int timeout_ms, store_change_fn *each, void *self,
                   struct fault *why)
{
    return store->driver->wait_changes(store, timeout_ms, each, self, why);
}

static inline int
store_counts(struct store *store, struct store_counts *ret_counts, struct fault *why)
{
    return store->driver->counts(store, ret_counts, why);
}

static inline int
store_count_fmspcs(struct store *store, unsigned most, store_fmspc_fn *each, void *self,
                   struct fault *why)
{
    return store->driver->count_fmspcs(store, most, each, self, why);
}

#endif
