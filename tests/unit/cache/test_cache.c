/* SPDX-License-Identifier: BSD-3-Clause */
/* Moments that a scenario cannot choose: what happens while the PCS is being asked, while jobs
 * wait, and when the service ends. */
#include "cache_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNER_SERIAL = 102, PROCESSOR_SERIAL = 100 };

static void
expect_answer(struct fixture *f, const char *target, int status, bool is_stale)
{
    struct response *response = fixture_ask(f, "GET", target);
    if (response->status != status || response->is_stale != is_stale) {
        fail_msg("%s: %d, stale %d, %s", target, response->status, response->is_stale,
                 response->detail);
    }
    response_unref(response);
}

static void
put_tcb(struct fixture *f)
{
    struct item_key key = tcb_key();
    fixture_put(f, &key);
}

static void
test_an_upload_during_a_fetch_in_vain_is_not_hidden_by_it(void **state)
{
    struct fixture *f = *state;
    static const enum fault_code faults[] = {FAULT_NOT_FOUND, FAULT_UPSTREAM_DOWN};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        f->fault = faults[i];
        f->meanwhile = put_tcb;
        f->issued_at += 60;
        response_unref(fixture_ask(f, "GET", TCB_TARGET));
        expect_answer(f, TCB_TARGET, 200, false);
        f->now += 60 * TESTPKI_DAY; /* and what was remembered of it hides nothing later */
        f->monotonic_ms += 60000;
        f->next_at = f->now + TESTPKI_DAY;
    }
}

static void
revoke_signer(struct fixture *f)
{
    const struct item_key root = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    f->revoked_by_root = SIGNER_SERIAL;
    fixture_put(f, &root);
}

static void
test_a_signer_revoked_during_a_fetch_leaves_no_fresh_answer_behind(void **state)
{
    struct fixture *f = *state;
    f->meanwhile = revoke_signer; /* the answer of the PCS is already on its way */
    expect_answer(f, TCB_TARGET, 502, false);
    f->revoked_by_root = 0;
    expect_answer(f, TCB_TARGET, 502, false);
}

static void
test_a_signer_revoked_later_makes_the_cached_item_stale(void **state)
{
    struct fixture *f = *state;
    expect_answer(f, TCB_TARGET, 200, false);
    f->issued_at += 60;
    revoke_signer(f);
    expect_answer(f, TCB_TARGET, 200, true);
    fixture_restart(f, CACHE_MODE_OFFLINE, 0, 0);
    expect_answer(f, TCB_TARGET, 200, true);
    struct response *response = fixture_look(f, TCB_TARGET);
    assert_non_null(response); /* stale for good: it is kept in memory */
    assert_true(response->is_stale);
    response_unref(response);
}

static void
test_a_certificate_by_a_revoked_ca_is_stale(void **state)
{
    struct fixture *f = *state;
    char target[2048];
    pckcert_target("P1", 9, target);
    expect_answer(f, target, 200, false);
    const struct item_key root = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    f->revoked_by_root = PROCESSOR_SERIAL;
    fixture_put(f, &root);
    expect_answer(f, target, 200, true);
    pckcert_target("P1", 8, target); /* a raw TCB that is selected now */
    expect_answer(f, target, 200, true);
}

static void
test_the_best_certificate_is_served_from_memory_while_the_pcs_is_down(void **state)
{
    struct fixture *f = *state;
    char target[2048];
    pckcert_target("P1", 9, target);
    f->pck_misses_one = true;
    expect_answer(f, target, 200, false);
    f->now += 3700;
    f->monotonic_ms += 3700000;
    f->fault = FAULT_UPSTREAM_DOWN;
    f->fetches = 0;
    expect_answer(f, target, 200, false);
    struct response *response = fixture_look(f, target);
    assert_non_null(response);
    response_unref(response);
    assert_int_equal(f->fetches, 1);
    f->now += 6;
    f->monotonic_ms += 6000;
    assert_null(fixture_look(f, target)); /* then the PCS is asked again */
}

static void
refresh_certs(struct fixture *f)
{
    const struct item_key key = {
        .kind = ITEM_PCK, .api_version = 4, .platform = {.qeid = "P1", .pceid = "0000"}};
    struct fault why = {0};
    f->pck_first = 7;
    struct proven *certs = fixture_proven(f, &key);
    const struct store_platform_put put = {
        .id = key.platform, .keep_identity = true, .certs = certs};
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    pthread_mutex_lock(&f->cache->write_mutex);
    assert_int_equal(store_put(f->store, &batch, &why), 0);
    publish_platform(f->cache, &key.platform, NULL, 0);
    pthread_mutex_unlock(&f->cache->write_mutex);
    proven_unref(certs);
}

/* ---- a store that a test can steer ---- */

static struct fixture *steered;
static struct store_driver driver;
static const struct store_driver *real_driver;
static int load_fault;
static void (*after_load_platform)(struct fixture *f);

static int
steered_load_item(struct store *store, const struct item_key *key, struct raw_reply *ret_raw,
                  struct fault *why)
{
    return load_fault != 0 ? fault_set(why, (enum fault_code)load_fault, "store", "scripted")
                           : real_driver->load_item(store, key, ret_raw, why);
}

static int
steered_load_platform(struct store *store, const struct platform_id *id,
                      struct store_platform *ret_platform, struct fault *why)
{
    int code = real_driver->load_platform(store, id, ret_platform, why);
    void (*after)(struct fixture *) = after_load_platform;
    after_load_platform = NULL;
    if (after != NULL) {
        after(steered);
    }
    return code;
}

static void
steer_store(struct fixture *f)
{
    steered = f;
    real_driver = f->store->driver;
    driver = *real_driver;
    driver.load_item = steered_load_item;
    driver.load_platform = steered_load_platform;
    load_fault = 0;
    f->store->driver = &driver;
}

static void
test_a_selection_from_certificates_replaced_meanwhile_does_not_stay(void **state)
{
    struct fixture *f = *state;
    char target[2048];
    pckcert_target("P1", 9, target);
    expect_answer(f, target, 200, false);
    steer_store(f);
    after_load_platform = refresh_certs;
    pckcert_target("P1", 8, target);
    expect_answer(f, target, 200, false); /* by what was there when it was asked */
    assert_null(fixture_look(f, target));
    struct response *response = fixture_ask(f, "GET", target);
    assert_non_null(memmem(response->head.data, response->head.size, "SGX-TCBm: 0700", 14));
    response_unref(response);
    f->store->driver = real_driver;
}

static void
test_nothing_is_written_while_the_store_cannot_say_what_is_kept(void **state)
{
    struct fixture *f = *state;
    f->number = 18;
    put_tcb(f);
    memory_clear(f->cache->memory);
    steer_store(f);
    f->number = 17;
    f->issued_at -= TESTPKI_DAY; /* older */
    struct item_key key = tcb_key();
    struct fill fill = {.query.key = &key, .request_id = "unit"};
    struct proven *proven = NULL;
    struct fault why = {0};
    load_fault = FAULT_STORE;
    assert_int_equal(fill_run(f->cache, &fill, &proven, &why), FAULT_STORE);
    assert_null(proven);
    load_fault = 0;
    assert_int_equal(fill_run(f->cache, &fill, &proven, &why), 0);
    assert_int_equal(proven->tcbinfo->tcb_evaluation_data_number, 18);
    proven_unref(proven);
    f->store->driver = real_driver;
}

static void
test_a_root_crl_does_not_replace_a_newer_list_under_its_url(void **state)
{
    struct fixture *f = *state;
    struct item_key by_url = {.kind = ITEM_CRL, .api_version = 4};
    struct item_key root = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    memcpy(by_url.url, FIXTURE_CRL_URL, sizeof FIXTURE_CRL_URL);
    fixture_put(f, &by_url);
    int64_t newer = f->issued_at;
    f->issued_at -= TESTPKI_DAY;
    struct fill fill = {.query = {.key = &root, .crl_url = FIXTURE_CRL_URL}, .request_id = "unit"};
    struct proven *proven = NULL;
    struct proven *kept = NULL;
    struct fault why = {0};
    assert_int_equal(fill_run(f->cache, &fill, &proven, &why), 0);
    proven_unref(proven);
    assert_int_equal(lookup_item(f->cache, &by_url, &kept, &why), 0);
    assert_int_equal(kept->issued_at, newer);
    proven_unref(kept);
    f->issued_at = newer + 60; /* a newer one does */
    assert_int_equal(fill_run(f->cache, &fill, &proven, &why), 0);
    proven_unref(proven);
    assert_int_equal(lookup_item(f->cache, &by_url, &kept, &why), 0);
    assert_int_equal(kept->issued_at, newer + 60);
    proven_unref(kept);
}

static void
test_a_scheduled_refresh_runs_though_a_prefetch_is_running(void **state)
{
    struct fixture *f = *state;
    put_tcb(f);
    f->options.refresh_before_s = 3600;
    fixture_restart(f, CACHE_MODE_LAZY, 0, 0);
    f->fetches = 0;
    cache_tick(f->cache, true); /* its look waits in the queue */
    cache_refresh_all(f->cache);
    cache_refresh_all(f->cache); /* only one */
    cache_run_jobs(f->cache);
    assert_int_equal(f->fetches, 1);
    cache_refresh_all(f->cache);
    cache_run_jobs(f->cache);
    assert_int_equal(f->fetches, 2);
}

static void
tick(struct fixture *f)
{
    for (int i = 0; i < 2; i++) { /* platforms are counted first */
        f->monotonic_ms += 3600000;
        cache_tick(f->cache, false);
        cache_run_jobs(f->cache);
    }
}

static void
test_rows_that_are_there_and_not_served_are_named(void **state)
{
    struct fixture *f = *state;
    struct cache_unserved unserved;
    put_tcb(f);
    tick(f);
    cache_unserved(f->cache, &unserved);
    assert_int_equal(unserved.count, 0);
    steer_store(f);
    load_fault = FAULT_NOT_FOUND; /* as for a row that does not verify */
    tick(f);
    cache_unserved(f->cache, &unserved);
    assert_int_equal(unserved.count, 1);
    assert_non_null(strstr(unserved.names[0], FIXTURE_FMSPC));
    load_fault = 0;
    tick(f);
    cache_unserved(f->cache, &unserved);
    assert_int_equal(unserved.count, 0);
    f->store->driver = real_driver;
}

static void
test_remembered_refusals_do_not_use_up_the_new_platforms(void **state)
{
    struct fixture *f = *state;
    char target[2048];
    f->options.lazy_new_platforms_per_minute = 2;
    fixture_restart(f, CACHE_MODE_LAZY, 0, 0);
    f->fault = FAULT_NOT_FOUND;
    f->has_faulty = true;
    f->faulty = ITEM_PCK;
    pckcert_target("P1", 9, target);
    for (int i = 0; i < 5; i++) {
        expect_answer(f, target, 404, false);
    }
    f->fault = 0;
    pckcert_target("P2", 9, target);
    expect_answer(f, target, 200, false);
    pckcert_target("P3", 9, target);
    expect_answer(f, target, 503, false);
}

static void
test_the_end_answers_everybody_who_waits(void **state)
{
    struct fixture *f = *state;
    enum { CLIENTS = 6 };
    struct client *clients[CLIENTS];
    char target[2048];
    pckcert_target("P1", 9, target);
    for (int i = 0; i < CLIENTS; i++) {
        const char *targets[] = {TCB_TARGET, target, "/sgx/certification/v4/refresh"};
        clients[i] = client_new(f, i % 3 == 2 ? "POST" : "GET", targets[i % 3], NULL);
        cache_ask(f->cache, &clients[i]->ask);
    }
    f->fault = FAULT_UPSTREAM_DOWN; /* as a client of the PCS that is being stopped */
    cache_free(f->cache);
    f->cache = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(clients[i]->answers, 1);
        assert_int_equal(clients[i]->response->status, i % 3 == 2 ? 200 : 503);
        client_free(clients[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_upload_during_a_fetch_in_vain_is_not_hidden_by_it),
        TEST(test_a_signer_revoked_during_a_fetch_leaves_no_fresh_answer_behind),
        TEST(test_a_signer_revoked_later_makes_the_cached_item_stale),
        TEST(test_a_certificate_by_a_revoked_ca_is_stale),
        TEST(test_the_best_certificate_is_served_from_memory_while_the_pcs_is_down),
        TEST(test_a_selection_from_certificates_replaced_meanwhile_does_not_stay),
        TEST(test_nothing_is_written_while_the_store_cannot_say_what_is_kept),
        TEST(test_a_root_crl_does_not_replace_a_newer_list_under_its_url),
        TEST(test_a_scheduled_refresh_runs_though_a_prefetch_is_running),
        TEST(test_rows_that_are_there_and_not_served_are_named),
        TEST(test_remembered_refusals_do_not_use_up_the_new_platforms),
        TEST(test_the_end_answers_everybody_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
