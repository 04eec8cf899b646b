/* SPDX-License-Identifier: BSD-3-Clause */
/* The cache with its threads: many ask at once while items change, platforms are fetched and the
 * root CRL is renewed. Everybody is answered once, with what was true then. */
#include "cache_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { ASKERS = 4, ROUNDS = 40 };

struct crowd {
    struct fixture *f;
    _Atomic unsigned wrong, next;
};

static void
ask_and_wait(struct crowd *crowd, const char *target)
{
    struct client *client = client_new(crowd->f, "GET", target, NULL);
    client_send(crowd->f, client);
    while (client->answers == 0) {
        sched_yield();
    }
    crowd->wrong += client->response->status != 200;
    client_free(client);
}

static void *
crowd_ask(void *crowd_pointer)
{
    struct crowd *crowd = crowd_pointer;
    char pckcert[2048];
    cache_thread_start();
    unsigned who = crowd->next++;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char qeid[16];
        snprintf(qeid, sizeof qeid, "P%u", (i + who) % 3);
        pckcert_target(qeid, 9 + (int)(i % 5), pckcert);
        ask_and_wait(crowd, pckcert);
        ask_and_wait(crowd, TCB_TARGET);
        ask_and_wait(crowd, "/sgx/certification/v4/pckcrl?ca=platform&encoding=der");
        ask_and_wait(crowd, "/sgx/certification/v4/rootcacrl");
    }
    cache_thread_stop();
    return NULL;
}

static void
test_everybody_is_answered_once_while_everything_changes(void **state)
{
    struct fixture *f = *state;
    fixture_restart(f, CACHE_MODE_LAZY, 4, 2);
    struct crowd crowd = {.f = f};
    const struct item_key root = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    pthread_t askers[ASKERS];
    for (int i = 0; i < ASKERS; i++) {
        assert_int_equal(pthread_create(&askers[i], NULL, crowd_ask, &crowd), 0);
    }
    for (int i = 0; i < 5; i++) {
        struct item_key key = tcb_key();
        fixture_put(f, &key);
        fixture_put(f, &root);
        select_again_later(f->cache, &key.fmspc);
        cache_refresh_all(f->cache);
        f->monotonic_ms += 1000;
        cache_tick(f->cache);
    }
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(askers[i], NULL);
    }
    assert_int_equal(crowd.wrong, 0);
    struct cache_counts counts;
    struct fault why = {0};
    assert_int_equal(cache_counts(f->cache, &counts, &why), 0);
    assert_int_equal(counts.store.platforms, 3);
    assert_int_equal(counts.flights, 0);
}

static void
test_a_burst_for_one_item_is_one_question_to_the_pcs(void **state)
{
    struct fixture *f = *state;
    enum { CLIENTS = 50 };
    struct client *clients[CLIENTS];
    fixture_restart(f, CACHE_MODE_LAZY, 8, 2);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_new(f, "GET", TCB_TARGET, NULL);
        cache_ask(f->cache, &clients[i]->ask); /* as if all had looked before the first asked */
    }
    for (int i = 0; i < CLIENTS; i++) {
        while (clients[i]->answers == 0) {
            sched_yield();
        }
        assert_int_equal(clients[i]->response->status, 200);
    }
    assert_int_equal(f->fetches, 1);
    cache_free(f->cache); /* joins: nobody answers a second time */
    f->cache = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(clients[i]->answers, 1);
        client_free(clients[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_everybody_is_answered_once_while_everything_changes),
        TEST(test_a_burst_for_one_item_is_one_question_to_the_pcs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
