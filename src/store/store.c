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

struct batch {
    const struct store_batch *given;
    const void **items, **platforms; /* pointers into what is given */
};

static void
batch_done(struct batch *batch)
{
    free(batch->items);
    free(batch->platforms);
}

static int
batch_put(struct db_connection *connection, void *self, struct fault *why)
{
    const struct batch *batch = self;
    int code = 0;
    for (size_t i = 0; code == 0 && i < batch->given->item_count; i++) {
        const struct proven *const *item = batch->items[i];
        code = db_item_put(connection, *item, batch->given->root_crl_url, why);
    }
    for (size_t i = 0; code == 0 && i < batch->given->platform_count; i++) {
        code = db_platform_put(connection, batch->platforms[i], why);
    }
    return code;
}

int
db_put(struct store *store, const struct store_batch *given, struct fault *why)
{
    struct db *db = db_of(store);
    auto_cleanup(batch_done) struct batch batch = {.given = given};
    const struct db_unordered items = {DB_ORDER_ITEMS, given->items, given->item_count};
    const struct db_unordered platforms = {DB_ORDER_PLATFORMS, given->platforms,
                                           given->platform_count};
    int code = db_order(db, &items, &batch.items, why);
    code = code != 0 ? code : db_order(db, &platforms, &batch.platforms, why);
    return code != 0 ? code : db_write(db, batch_put, &batch, why);
}
