/* SPDX-License-Identifier: BSD-3-Clause */
/* The cache with its threads: many ask at once while items change, platforms are fetched and the
 * root CRL is renewed. Everybody is answered once, with what was true then. */
#include "cache_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    if (client->response->status != 200) {
        crowd->wrong++;
        fprintf(stderr, "%.60s: %d, %s\n", target, client->response->status,
                client->response->detail);
    }
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

static bool
count_platform(void *self, const struct store_platform *brief)
{
    unsigned *count = self;
    (void)brief;
    (*count)++;
    return true;
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
        cache_tick(f->cache, true);
    }
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(askers[i], NULL);
    }
    assert_int_equal(crowd.wrong, 0);
    unsigned platforms = 0;
    struct fault why = {0};
    assert_int_equal(store_each_platform(f->store, NULL, 0, count_platform, &platforms, &why), 0);
    assert_int_equal(platforms, 3);
    assert_int_equal(flights_count(f->cache->flights), 0);
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

/* ---- a PCS that hangs ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int (*fetch_behind)(struct upstream *self, const struct upstream_query *query,
                           struct raw_reply *ret_raw, int *ret_retry_after_s, struct fault *why);

/* Hangs for identities and CRLs until the gate opens. */
static int
fetch_or_hang(struct upstream *self, const struct upstream_query *query, struct raw_reply *ret_raw,
              int *ret_retry_after_s, struct fault *why)
{
    if (query->key->kind != ITEM_TCBINFO) {
        pthread_mutex_lock(&gate);
        pthread_mutex_unlock(&gate);
    }
    return fetch_behind(self, query, ret_raw, ret_retry_after_s, why);
}

static void
put_much(struct fixture *f)
{
    static const enum enclave enclaves[] = {ENCLAVE_QE, ENCLAVE_QVE, ENCLAVE_TDQE};
    for (int i = 0; i < 6; i++) {
        const struct item_key key = {.kind = ITEM_IDENTITY,
                                     .api_version = 4,
                                     .enclave = enclaves[i / 2],
                                     .update = i % 2 == 0 ? UPDATE_STANDARD : UPDATE_EARLY};
        fixture_put(f, &key);
    }
    for (int ca = 0; ca < 2; ca++) {
        const struct item_key key = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = (enum pck_ca)ca};
        fixture_put(f, &key);
    }
}

static void
test_two_refreshes_that_hang_leave_a_worker_to_requests(void **state)
{
    struct fixture *f = *state;
    fixture_restart(f, CACHE_MODE_LAZY, 8, 2);
    put_much(f);
    fetch_behind = f->upstream.fetch;
    f->upstream.fetch = fetch_or_hang;
    pthread_mutex_lock(&gate);
    struct client *refresh = client_new(f, "POST", "/sgx/certification/v4/refresh", NULL);
    cache_refresh_all(f->cache);
    cache_ask(f->cache, &refresh->ask);
    for (int i = 0; f->cache->refresh_workers < 7 && i < 2000; i++) {
        usleep(1000); /* until both have begun */
    }
    struct client *client = client_new(f, "GET", TCB_TARGET, NULL);
    client_send(f, client);
    for (int i = 0; client->answers == 0 && i < 2000; i++) {
        usleep(1000);
    }
    int answers = client->answers;
    int refreshed = refresh->answers;
    pthread_mutex_unlock(&gate);
    cache_free(f->cache);
    f->cache = NULL;
    assert_int_equal(answers, 1);
    assert_int_equal(refreshed, 0);
    assert_int_equal(client->response->status, 200);
    assert_int_equal(refresh->answers, 1);
    assert_int_equal(refresh->response->status, 200);
    client_free(client);
    client_free(refresh);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_everybody_is_answered_once_while_everything_changes),
        TEST(test_a_burst_for_one_item_is_one_question_to_the_pcs),
        TEST(test_two_refreshes_that_hang_leave_a_worker_to_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
