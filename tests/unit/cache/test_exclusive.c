/* SPDX-License-Identifier: BSD-3-Clause */
/* One fetch at a time of one item: among the workers of an instance, and among the instances on one
 * database. */
#include <pthread.h>
#include <string.h>

#include "shared_store.h"

static const char KEY[] = "tcb/sgx/00906EA10000";

static struct shared_store *shared;

static int
setup(void **state)
{
    int failed = fixture_setup(state);
    if (failed == 0) {
        shared = shared_store_begin(*state);
    }
    return failed;
}

static int
teardown(void **state)
{
    shared_store_end(*state);
    return fixture_teardown(state);
}

static void
expect_free(struct fixture *f)
{
    shared->fault = 0;
    shared->refusals = 0;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), 0);
    exclusive_end(f->cache, KEY);
}

/* ---- refusals ---- */

static void
test_a_store_that_cannot_be_asked_refuses_and_holds_nothing(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    shared->fault = FAULT_STORE;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, &why), FAULT_STORE);
    assert_string_equal(why.text, "scripted");
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), FAULT_STORE);
    assert_int_equal(shared->releases, 0);
    expect_free(f);
}

static void
test_nobody_waits_for_ever_for_another_instance(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    shared->refusals = 1000;
    shared->claim_ms = 50000;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, &why), FAULT_BUSY);
    assert_int_equal(shared->claims, 3);
    shared->claim_ms = 0;
    expect_free(f);
}

static void
stop_waiting(struct fixture *f)
{
    cache_stop_waiting(f->cache);
}

static void
test_the_end_of_the_program_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    shared->refusals = 1000;
    shared->on_claim = stop_waiting;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), FAULT_BUSY);
    assert_int_equal(shared->claims, 1);
    expect_free(f);
}

/* ---- taking and giving back ---- */

static void
test_a_store_of_its_own_is_asked_for_no_claim(void **state)
{
    struct fixture *f = *state;
    shared->driver.claim = NULL; /* as SQLite's */
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), 0);
    exclusive_end(f->cache, KEY);
    assert_int_equal(shared->claims + shared->releases, 0);
}

static void
test_what_only_workers_exclude_is_not_claimed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_WORKERS, NULL), 0);
    exclusive_renew(f->cache);
    exclusive_end(f->cache, KEY);
    assert_int_equal(shared->claims + shared->releases, 0);
}

static void
test_a_claim_held_elsewhere_is_waited_for(void **state)
{
    struct fixture *f = *state;
    shared->refusals = 3;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), 0);
    assert_int_equal(shared->claims, 4);
    assert_string_equal(shared->name, KEY);
    assert_int_equal(shared->releases, 0);
    exclusive_end(f->cache, KEY);
    assert_int_equal(shared->releases, 1);
}

static void
test_a_claim_that_cannot_be_given_back_keeps_nobody_here(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), 0);
    shared->fault = FAULT_STORE;
    exclusive_end(f->cache, KEY);
    expect_free(f);
}

static void
test_what_could_not_be_given_back_is_given_back_later(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), 0);
    shared->fault = FAULT_STORE;
    exclusive_end(f->cache, KEY);
    exclusive_settle(f->cache); /* the database is still away */
    assert_int_equal(shared->releases, 2);
    shared->fault = 0;
    exclusive_settle(f->cache);
    assert_int_equal(shared->releases, 3);
    exclusive_settle(f->cache);
    assert_int_equal(shared->releases, 3);
}

static void
test_what_is_claimed_again_is_not_given_back_meanwhile(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), 0);
    shared->fault = FAULT_STORE;
    exclusive_end(f->cache, KEY);
    shared->fault = 0;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), 0);
    exclusive_settle(f->cache);
    assert_int_equal(shared->releases, 1);
    exclusive_end(f->cache, KEY);
    exclusive_settle(f->cache);
    assert_int_equal(shared->releases, 2);
}

/* ---- renewing ---- */

static void
test_a_claim_is_renewed_for_as_long_as_it_is_held(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), 0);
    int ttl_s = shared->ttl_s;
    shared->claims = 0;
    exclusive_renew(f->cache);
    assert_int_equal(shared->claims, 1);
    assert_int_equal(shared->ttl_s, ttl_s);
    exclusive_end(f->cache, KEY);
    exclusive_renew(f->cache);
    assert_int_equal(shared->claims, 1);
}

static void *
renew(void *self)
{
    exclusive_renew(self);
    return NULL;
}

static pthread_t renewer;
static unsigned claims_at_release;

static void
start_renewer(struct fixture *f)
{
    claims_at_release = shared->claims;
    shared->on_release = NULL;
    assert_int_equal(pthread_create(&renewer, NULL, renew, f->cache), 0);
}

static void
test_a_claim_that_is_being_given_back_is_not_taken_again(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(exclusive_begin(f->cache, KEY, EXCLUSIVE_INSTANCES, NULL), 0);
        shared->on_release = start_renewer; /* it sees the claim listed, perhaps */
        exclusive_end(f->cache, KEY);
        pthread_join(renewer, NULL);
        assert_int_equal(shared->claims, claims_at_release);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_store_that_cannot_be_asked_refuses_and_holds_nothing),
        TEST(test_nobody_waits_for_ever_for_another_instance),
        TEST(test_the_end_of_the_program_ends_the_wait),
        TEST(test_a_store_of_its_own_is_asked_for_no_claim),
        TEST(test_what_only_workers_exclude_is_not_claimed),
        TEST(test_a_claim_held_elsewhere_is_waited_for),
        TEST(test_a_claim_that_cannot_be_given_back_keeps_nobody_here),
        TEST(test_what_could_not_be_given_back_is_given_back_later),
        TEST(test_what_is_claimed_again_is_not_given_back_meanwhile),
        TEST(test_a_claim_is_renewed_for_as_long_as_it_is_held),
        TEST(test_a_claim_that_is_being_given_back_is_not_taken_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
