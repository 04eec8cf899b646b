/* SPDX-License-Identifier: BSD-3-Clause */
/* A store that several instances share, as far as the cache can tell: the fixture's own, with
 * claims and news that a test writes. */
#ifndef CACHE_SHARED_STORE_H
#define CACHE_SHARED_STORE_H

#include "cache_fixture.h"

struct shared_store {
    struct fixture *fixture;
    const struct store_driver *real;
    struct store_driver driver;

    /* claims */
    unsigned refusals;       /* so many claims are held elsewhere, then they are given */
    enum fault_code fault;   /* of claiming, releasing and waiting */
    _Atomic unsigned claims; /* asked for */
    _Atomic unsigned releases;
    char name[ITEM_KEY_TEXT_SIZE]; /* the last one claimed */
    int ttl_s;
    int64_t claim_ms; /* the fixture's time goes on by so much with each claim */
    void (*on_claim)(struct fixture *f);
    void (*on_release)(struct fixture *f);

    /* news, told by the next wait */
    const struct item_key *news;
    size_t news_count;
    bool is_anything; /* NULL is told, behind the news */
    void (*between_news)(struct fixture *f);

    enum fault_code load_fault; /* of reading items and platforms */
    bool tampers;               /* what is read of an item is not what was written */
};

/* Makes the fixture's store a shared one; there is only one at a time. */
struct shared_store *shared_store_begin(struct fixture *f);
/* Before the fixture is taken down. */
void shared_store_end(struct fixture *f);

#endif
