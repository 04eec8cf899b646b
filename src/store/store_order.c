/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order in which a transaction writes what it was given: by key, whoever gives it and how, so
 * that two transactions that write the same rows wait for one another in one direction only.
 * Takes a batch, gives pointers into it. Of two with one key the later stays the later. A database
 * with a single writer has no such trouble: there the batch's own order stays.
 * Called by the rooms' operations before a write transaction, on any worker.
 * Must never leave anything of a batch out.
 * docs/decisions/0007.
 */
#include "store/store_priv.h"

typedef int compare_fn(const void *a, const void *b);

static int
by_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int
by_platform(const struct platform_id *a, const struct platform_id *b)
{
    int order = strcmp(a->qeid, b->qeid);
    return order != 0 ? order : strcmp(a->pceid, b->pceid);
}

/* Both point into the same array. */
static int
by_place(const void *a, const void *b)
{
    return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

static int
compare_items(const void *a, const void *b)
{
    const void *const *first = a, *const *second = b;
    const struct item_key *x = &(*(const struct proven *const *)*first)->key;
    const struct item_key *y = &(*(const struct proven *const *)*second)->key;
    int orders[] = {
        by_number(x->kind, y->kind),
        by_number(x->api_version, y->api_version),
        by_number(x->product, y->product),
        by_number(x->enclave, y->enclave),
        by_number(x->update, y->update),
        by_number(x->eval_number, y->eval_number),
        by_number(x->ca, y->ca),
        strcmp(x->fmspc.hex, y->fmspc.hex),
        strcmp(x->url, y->url),
        by_place(*first, *second),
    };
    size_t i = 0;
    while (orders[i] == 0 && i + 1 < ARRAY_COUNT(orders)) {
        i++;
    }
    return orders[i];
}

static int
compare_platforms(const void *a, const void *b)
{
    const struct store_platform_put *const *x = a, *const *y = b;
    int order = by_platform(&(*x)->id, &(*y)->id);
    return order != 0 ? order : by_place(*x, *y);
}

static int
compare_rows(const void *a, const void *b)
{
    const struct queue_row *const *x = a, *const *y = b;
    int orders[] = {
        by_platform(&(*x)->id, &(*y)->id),
        strcmp((*x)->cpusvn, (*y)->cpusvn),
        strcmp((*x)->pcesvn, (*y)->pcesvn),
        by_place(*x, *y),
    };
    size_t i = 0;
    while (orders[i] == 0 && i + 1 < ARRAY_COUNT(orders)) {
        i++;
    }
    return orders[i];
}

int
db_order(struct db *db, const struct db_unordered *what, const void ***ret_list, struct fault *why)
{
    static compare_fn *const compares[] = {
        [DB_ORDER_ITEMS] = compare_items,
        [DB_ORDER_PLATFORMS] = compare_platforms,
        [DB_ORDER_ROWS] = compare_rows,
    };
    static const size_t sizes[] = {
        [DB_ORDER_ITEMS] = sizeof(const struct proven *),
        [DB_ORDER_PLATFORMS] = sizeof(struct store_platform_put),
        [DB_ORDER_ROWS] = sizeof(struct queue_row),
    };
    const void **list = calloc(what->count + 1, sizeof(list[0]));
    if (list == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a batch");
    }
    for (size_t i = 0; i < what->count; i++) {
        list[i] = (const uint8_t *)what->elements + i * sizes[what->kind];
    }
    if (!db->has_writer) {
        qsort(list, what->count, sizeof(list[0]), compares[what->kind]);
    }
    *ret_list = list;
    return 0;
}
