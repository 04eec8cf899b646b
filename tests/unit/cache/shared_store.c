/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared store of the cache's tests: the driver of the fixture's SQLite store with claims,
 * releases and news that are written down by a test, and reads that it can break.
 * Called by the cache on the test's thread, and by the threads that a test starts.
 */
#include "shared_store.h"

#include <stdatomic.h>
#include <string.h>

static struct shared_store shared;

static int
scripted_fault(enum fault_code code, struct fault *why)
{
    return code != 0 ? fault_set(why, code, "store", "scripted") : 0;
}

static int
claim(struct store *store, const char *name, int ttl_s, bool *ret_held, struct fault *why)
{
    (void)store;
    atomic_fetch_add(&shared.claims, 1);
    strncpy(shared.name, name, sizeof shared.name - 1);
    shared.ttl_s = ttl_s;
    shared.fixture->monotonic_ms += shared.claim_ms;
    if (shared.on_claim != NULL) {
        shared.on_claim(shared.fixture);
    }
    if (shared.fault != 0) {
        return scripted_fault(shared.fault, why);
    }
    *ret_held = shared.refusals == 0;
    shared.refusals -= shared.refusals > 0;
    return 0;
}

static int
release(struct store *store, const char *name, struct fault *why)
{
    (void)store;
    (void)name;
    atomic_fetch_add(&shared.releases, 1);
    if (shared.on_release != NULL) {
        shared.on_release(shared.fixture);
    }
    return scripted_fault(shared.fault, why);
}

static int
wait_changes(struct store *store, int timeout_ms, store_change_fn *each, void *self,
             struct fault *why)
{
    (void)store;
    (void)timeout_ms;
    for (size_t i = 0; i < shared.news_count; i++) {
        each(self, &shared.news[i]);
        if (shared.between_news != NULL) {
            shared.between_news(shared.fixture);
        }
    }
    if (shared.is_anything) {
        each(self, NULL);
    }
    shared.news_count = 0;
    shared.is_anything = false;
    return scripted_fault(shared.fault, why);
}

static int
load_item(struct store *store, const struct item_key *key, struct raw_reply *ret_raw,
          struct fault *why)
{
    if (shared.load_fault != 0) {
        return scripted_fault(shared.load_fault, why);
    }
    int code = shared.real->load_item(store, key, ret_raw, why);
    if (code == 0 && shared.tampers) {
        ret_raw->body.data[ret_raw->body.size / 2] ^= 1;
    }
    return code;
}

static int
load_platform_brief(struct store *store, const struct platform_id *id,
                    struct store_platform *ret_platform, struct fault *why)
{
    return shared.load_fault != 0 ? scripted_fault(shared.load_fault, why)
                                  : shared.real->load_platform_brief(store, id, ret_platform, why);
}

struct shared_store *
shared_store_begin(struct fixture *f)
{
    shared = (struct shared_store){.fixture = f, .real = f->store->driver};
    shared.driver = *shared.real;
    shared.driver.claim = claim;
    shared.driver.release = release;
    shared.driver.wait_changes = wait_changes;
    shared.driver.load_item = load_item;
    shared.driver.load_platform_brief = load_platform_brief;
    f->store->driver = &shared.driver;
    return &shared;
}

void
shared_store_end(struct fixture *f)
{
    f->store->driver = shared.real;
}
