/* SPDX-License-Identifier: BSD-3-Clause */
/* Of the instances on one database one prefetches and one does each scheduled refresh; two of them
 * are played here, with a clock and a database of claims that the test has in hand. */
#include "pccsd/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/metrics.h"
#include "pccsd/daemon.h"

enum { CLAIMS_MAX = 16, SLOT = 1763770000, HOUR_S = 3600 };

/* ---- the database of claims, and its clock ---- */

static int64_t now_s;
static struct {
    char name[64];
    const struct store *holder;
    int64_t until;
} claims[CLAIMS_MAX];
static enum fault_code fault;
static unsigned asked;

static int64_t
now_ms(void *self)
{
    (void)self;
    return 1000000 + 1000 * now_s;
}

static const struct clock test_clock = {.monotonic_ms = now_ms};

static int
claim(struct store *store, const char *name, int ttl_s, bool *ret_held, struct fault *why)
{
    asked++;
    if (fault != 0) {
        return fault_set(why, fault, "store", "scripted");
    }
    for (size_t i = 0; i < CLAIMS_MAX; i++) {
        bool is_it = strcmp(claims[i].name, name) == 0;
        if (is_it && claims[i].holder != store && now_s <= claims[i].until) {
            *ret_held = false;
            return 0;
        }
        if (is_it || claims[i].name[0] == '\0') {
            snprintf(claims[i].name, sizeof claims[i].name, "%s", name);
            claims[i].holder = store;
            claims[i].until = now_s + ttl_s;
            *ret_held = true;
            return 0;
        }
    }
    fail_msg("too many claims");
    return FAULT_STORE;
}

static int
release(struct store *store, const char *name, struct fault *why)
{
    asked++;
    for (size_t i = 0; fault == 0 && i < CLAIMS_MAX; i++) {
        if (strcmp(claims[i].name, name) == 0 && claims[i].holder == store) {
            claims[i].until = -1;
        }
    }
    return fault != 0 ? fault_set(why, fault, "store", "scripted") : 0;
}

static const struct store_driver shared = {.name = "test", .claim = claim, .release = release};
static const struct store_driver alone = {.name = "test"};

/* ---- two instances ---- */

struct instance {
    struct daemon daemon;
    struct store store;
    struct turn turn;
    bool is_refreshing;
    unsigned refreshes;
};
static struct instance *a, *b;

static struct instance *
instance_of(struct cache *cache)
{
    return (struct instance *)cache;
}

void
cache_refresh_all(struct cache *cache)
{
    instance_of(cache)->is_refreshing = true;
    instance_of(cache)->refreshes++;
}

bool
cache_is_refreshing(struct cache *cache)
{
    return instance_of(cache)->is_refreshing;
}

static struct instance *
instance_new(void)
{
    struct instance *instance = calloc(1, sizeof *instance);
    assert_non_null(instance);
    instance->store.driver = &shared;
    instance->daemon.store = &instance->store;
    instance->daemon.clock = &test_clock;
    instance->daemon.cache = (struct cache *)instance;
    return instance;
}

static int
setup(void **state)
{
    (void)state;
    memset(claims, 0, sizeof claims);
    now_s = 0;
    fault = 0;
    asked = 0;
    a = instance_new();
    b = instance_new();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    free(a);
    free(b);
    return 0;
}

/* Time goes by, and the timers tick: b's may be NULL, for one that has died. */
static void
seconds(int count, struct instance *first, struct instance *second)
{
    for (int i = 0; i < count; i++) {
        now_s++;
        turn_tick(&first->turn, &first->daemon);
        if (second != NULL) {
            turn_tick(&second->turn, &second->daemon);
        }
    }
}

static void
due(int64_t slot)
{
    turn_due(&a->turn, slot);
    turn_due(&b->turn, slot);
}

static void
expect_refreshes(unsigned of_a, unsigned of_b)
{
    assert_int_equal(a->refreshes, of_a);
    assert_int_equal(b->refreshes, of_b);
}

/* ---- refusals ---- */

static void
test_nothing_is_begun_while_the_database_cannot_be_asked(void **state)
{
    (void)state;
    due(SLOT);
    fault = FAULT_STORE;
    seconds(30, a, b);
    expect_refreshes(0, 0);
    assert_false(a->turn.prefetches || b->turn.prefetches);
    fault = 0;
    seconds(10, a, b);
    assert_int_equal(a->refreshes + b->refreshes, 1);
    assert_int_equal(a->turn.prefetches + b->turn.prefetches, 1);
}

static void
test_a_database_that_cannot_be_asked_is_not_asked_all_the_time(void **state)
{
    (void)state;
    turn_due(&a->turn, SLOT);
    fault = FAULT_STORE;
    seconds(60, a, NULL);
    assert_in_range(asked, 2, 2 * (60 / 3 + 1));
}

/* ---- one of them ---- */

static void
test_one_alone_has_every_turn_and_asks_nobody(void **state)
{
    (void)state;
    a->store.driver = &alone;
    seconds(1, a, NULL);
    assert_true(a->turn.prefetches);
    turn_due(&a->turn, SLOT);
    seconds(1, a, NULL);
    expect_refreshes(1, 0);
    a->is_refreshing = false;
    seconds(3 * HOUR_S, a, NULL);
    expect_refreshes(1, 0);
    assert_int_equal(asked, 0);
}

static void
test_one_refreshes_though_all_are_due(void **state)
{
    (void)state;
    due(SLOT);
    seconds(2 * HOUR_S, a, b);
    expect_refreshes(1, 0);
    a->is_refreshing = false;
    seconds(20 * HOUR_S, a, b);
    expect_refreshes(1, 0);
}

static void
test_each_time_that_is_due_is_another_turn(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        due(SLOT + 60 * i);
        seconds(1, i % 2 == 0 ? a : b, i % 2 == 0 ? b : a);
        assert_int_equal(a->refreshes + b->refreshes, i + 1);
        a->is_refreshing = false;
        b->is_refreshing = false;
        seconds(59, a, b);
    }
    expect_refreshes(3, 2);
}

static void
test_a_refresh_that_took_no_time_is_not_done_again(void **state)
{
    (void)state;
    due(SLOT);
    turn_tick(&a->turn, &a->daemon);
    a->is_refreshing = false;
    turn_tick(&b->turn, &b->daemon);
    turn_tick(&a->turn, &a->daemon);
    seconds(HOUR_S, b, a);
    expect_refreshes(1, 0);
}

static void
test_a_schedule_of_once_a_month_is_not_done_once_a_day(void **state)
{
    (void)state;
    due(SLOT);
    seconds(10, a, b);
    a->is_refreshing = false;
    seconds(31 * 24 * HOUR_S, a, b);
    expect_refreshes(1, 0);
    unsigned before = asked;
    seconds(HOUR_S, a, b);
    assert_in_range(asked - before, 0, 2 * (HOUR_S / 3 + 1)); /* who prefetches, and no more */
}

/* ---- one dies ---- */

static void
test_another_takes_over_within_the_time_of_a_claim(void **state)
{
    (void)state;
    due(SLOT);
    seconds(10, a, b);
    expect_refreshes(1, 0);
    seconds(20, b, NULL); /* a is dead: 15 s, and 3 until b asks */
    expect_refreshes(1, 1);
    assert_true(b->turn.prefetches);
    b->is_refreshing = false;
    seconds(HOUR_S, b, NULL);
    expect_refreshes(1, 1);
}

static void
test_one_that_is_ended_leaves_nothing_to_wait_for(void **state)
{
    (void)state;
    due(SLOT);
    seconds(10, a, b);
    turn_end(&a->turn, &a->daemon);
    seconds(5, b, NULL);
    expect_refreshes(1, 1);
    assert_true(b->turn.prefetches);
}

static void
test_the_end_does_not_ask_a_database_that_did_not_answer(void **state)
{
    (void)state;
    seconds(10, a, b);
    fault = FAULT_STORE;
    seconds(10, a, b);
    unsigned before = asked;
    turn_end(&a->turn, &a->daemon);
    assert_int_equal(asked, before);
}

static void
test_nobody_takes_over_from_one_that_lives_and_takes_long(void **state)
{
    (void)state;
    due(SLOT);
    seconds(11 * HOUR_S, a, b);
    expect_refreshes(1, 0);
    assert_true(a->turn.prefetches);
    assert_false(b->turn.prefetches);
}

static void
test_an_end_that_nobody_could_be_told_of_is_told_later(void **state)
{
    (void)state;
    due(SLOT);
    seconds(2, a, b);
    a->is_refreshing = false;
    fault = FAULT_STORE; /* shorter than a claim lives */
    seconds(10, a, b);
    fault = 0;
    seconds(HOUR_S, a, b);
    expect_refreshes(1, 0);
}

static void
test_one_that_lost_its_claim_ends_in_peace(void **state)
{
    (void)state;
    due(SLOT);
    seconds(2, a, b);
    fault = FAULT_STORE; /* longer than a claim lives */
    seconds(60, a, b);
    fault = 0;
    seconds(10, b, a);
    expect_refreshes(1, 1);
    a->is_refreshing = false;
    seconds(10, b, a);
    b->is_refreshing = false;
    unsigned before = asked;
    seconds(60, b, a);
    expect_refreshes(1, 1);
    assert_in_range(asked - before, 1, 4 * (60 / 3 + 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_begun_while_the_database_cannot_be_asked),
        TEST(test_a_database_that_cannot_be_asked_is_not_asked_all_the_time),
        TEST(test_one_alone_has_every_turn_and_asks_nobody),
        TEST(test_one_refreshes_though_all_are_due),
        TEST(test_each_time_that_is_due_is_another_turn),
        TEST(test_a_refresh_that_took_no_time_is_not_done_again),
        TEST(test_a_schedule_of_once_a_month_is_not_done_once_a_day),
        TEST(test_another_takes_over_within_the_time_of_a_claim),
        TEST(test_one_that_is_ended_leaves_nothing_to_wait_for),
        TEST(test_the_end_does_not_ask_a_database_that_did_not_answer),
        TEST(test_nobody_takes_over_from_one_that_lives_and_takes_long),
        TEST(test_an_end_that_nobody_could_be_told_of_is_told_later),
        TEST(test_one_that_lost_its_claim_ends_in_peace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
