/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Puts what was proven into the database: all of a batch, or nothing of it.
 * Step 6 of 8: store.
 * Takes proven items and platforms, gives 0 once they are on disk: one transaction, committed
 * before anybody is answered.
 * Called by the cache on a worker, after verify and before publish.
 * Must never take anything that is not a struct proven for what Intel signs, nor leave half a
 * batch behind, whatever fails.
 * trust.md; design.md, the way of one request; reference_faults.md, "Losing data".
 */
#include "store/store_priv.h"

static int
batch_put(struct db_connection *connection, void *self, struct fault *why)
{
    const struct store_batch *batch = self;
    int code = 0;
    for (size_t i = 0; code == 0 && i < batch->item_count; i++) {
        code = db_item_put(connection, batch->items[i], batch->root_crl_url, why);
    }
    for (size_t i = 0; code == 0 && i < batch->platform_count; i++) {
        code = db_platform_put(connection, &batch->platforms[i], why);
    }
    return code;
}

int
db_put(struct store *store, const struct store_batch *batch, struct fault *why)
{
    struct store_batch own = *batch;
    return db_write(db_of(store), batch_put, &own, why);
}
