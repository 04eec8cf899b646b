/* SPDX-License-Identifier: BSD-3-Clause */
/* Each distinct question on its way once; each distinct item locked once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cache/flight.h"

static unsigned answered;
static struct response *last_response;

static void
count_answer(struct ask *ask, struct response *response)
{
    answered++;
    last_response = response;
    response_unref(response);
}

static struct response *
some_response(void)
{
    struct response *response = response_new(200, span_of_text("H"), span_of_text("B"));
    assert_non_null(response);
    return response;
}

static void
test_refuses_a_flight_beyond_the_ceiling(void **state)
{
    struct flights *flights = flights_new();
    struct ask *asks = calloc(LIMIT_FLIGHTS + 1, sizeof *asks);
    struct flight **started = calloc(LIMIT_FLIGHTS + 1, sizeof(struct flight *));
    char key[32];
    for (int i = 0; i < LIMIT_FLIGHTS; i++) {
        asks[i].done = count_answer;
        int size = snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(flight_join(flights, span_of(key, (size_t)size), &asks[i], &started[i]),
                         0);
        assert_non_null(started[i]);
    }
    assert_int_equal(flight_join(flights, span_of_text("one more"), &asks[LIMIT_FLIGHTS],
                                 &started[LIMIT_FLIGHTS]),
                     FAULT_BUSY);
    assert_int_equal(flights_count(flights), LIMIT_FLIGHTS);
    answered = 0;
    for (int i = 0; i < LIMIT_FLIGHTS; i++) {
        flight_land(flights, started[i], some_response());
    }
    assert_int_equal(answered, LIMIT_FLIGHTS);
    flights_free(flights);
    free(asks);
    free(started);
}

static void
test_refuses_a_waiter_beyond_the_ceiling_of_all_flights(void **state)
{
    struct flights *flights = flights_new();
    struct ask *asks = calloc(LIMIT_WAITERS + 1, sizeof *asks);
    struct flight *a = NULL;
    struct flight *b = NULL;
    struct flight *none = NULL;
    for (int i = 0; i < LIMIT_WAITERS; i++) {
        asks[i].done = count_answer;
        struct flight **started = i == 0 ? &a : i == 1 ? &b : &none;
        assert_int_equal(
            flight_join(flights, span_of_text(i % 2 == 0 ? "a" : "b"), &asks[i], started), 0);
    }
    assert_int_equal(flight_join(flights, span_of_text("a"), &asks[LIMIT_WAITERS], &none),
                     FAULT_BUSY);
    assert_int_equal(flight_join(flights, span_of_text("c"), &asks[LIMIT_WAITERS], &none),
                     FAULT_BUSY);
    answered = 0;
    flight_land(flights, a, some_response());
    assert_int_equal(answered, LIMIT_WAITERS / 2);
    /* their places are free again */
    asks[LIMIT_WAITERS].done = count_answer;
    assert_int_equal(flight_join(flights, span_of_text("b"), &asks[LIMIT_WAITERS], &none), 0);
    flight_land(flights, b, some_response());
    assert_int_equal(answered, LIMIT_WAITERS + 1);
    flights_free(flights);
    free(asks);
}

static void
test_who_comes_later_joins_and_all_get_the_one_answer(void **state)
{
    struct flights *flights = flights_new();
    struct ask asks[3] = {{.done = count_answer}, {.done = count_answer}, {.done = count_answer}};
    struct flight *first = NULL;
    struct flight *other = NULL;
    struct flight *joined = NULL;
    assert_int_equal(flight_join(flights, span_of_text("k"), &asks[0], &first), 0);
    assert_int_equal(flight_join(flights, span_of_text("k"), &asks[1], &joined), 0);
    assert_int_equal(flight_join(flights, span_of_text("K"), &asks[2], &other), 0);
    assert_non_null(first);
    assert_null(joined);
    assert_non_null(other);
    assert_ptr_equal(first->first, &asks[0]);
    struct response *response = some_response();
    answered = 0;
    flight_land(flights, first, response_ref(response));
    assert_int_equal(answered, 2);
    assert_ptr_equal(last_response, response);
    flight_land(flights, other, response_ref(response));
    assert_int_equal(answered, 3);
    assert_int_equal(flights_count(flights), 0);
    assert_int_equal(response->references, 1);
    response_unref(response);
    flights_free(flights);
}

static void
test_a_landed_key_flies_again(void **state)
{
    struct flights *flights = flights_new();
    struct ask ask = {.done = count_answer};
    for (int i = 0; i < 2; i++) {
        struct flight *started = NULL;
        assert_int_equal(flight_join(flights, span_of_text("k"), &ask, &started), 0);
        assert_non_null(started);
        flight_land(flights, started, some_response());
    }
    flights_free(flights);
}

/* ---- item locks ---- */

struct two {
    struct item_locks *locks;
    _Atomic bool has_it, is_free;
    _Atomic unsigned inside, most_inside, rounds;
};

static void *
lock_same(void *two_pointer)
{
    struct two *two = two_pointer;
    assert_true(item_lock(two->locks, "same"));
    two->has_it = true;
    assert_true(two->is_free); /* not before the other let go */
    item_unlock(two->locks, "same");
    return NULL;
}

static void
test_an_item_is_held_by_one_and_other_items_are_free(void **state)
{
    struct two two = {.locks = item_locks_new()};
    pthread_t other;
    assert_true(item_lock(two.locks, "same"));
    assert_true(item_lock(two.locks, "another"));
    assert_int_equal(pthread_create(&other, NULL, lock_same, &two), 0);
    usleep(5000);
    assert_false(two.has_it);
    item_unlock(two.locks, "another");
    usleep(2000);
    assert_false(two.has_it);
    two.is_free = true;
    item_unlock(two.locks, "same");
    pthread_join(other, NULL);
    assert_true(two.has_it);
    item_locks_free(two.locks); /* must hold none */
}

static void *
lock_often(void *two_pointer)
{
    struct two *two = two_pointer;
    for (int i = 0; i < 2000; i++) {
        assert_true(item_lock(two->locks, i % 2 == 0 ? "same" : "same too"));
        if (i % 2 == 0) {
            unsigned inside = ++two->inside;
            two->most_inside = inside > two->most_inside ? inside : two->most_inside;
            two->rounds++;
            two->inside--;
        }
        item_unlock(two->locks, i % 2 == 0 ? "same" : "same too");
    }
    return NULL;
}

static void
test_no_wake_up_is_lost_among_many(void **state)
{
    struct two two = {.locks = item_locks_new()};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, lock_often, &two), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(two.most_inside, 1);
    assert_int_equal(two.rounds, 4 * 1000);
    item_locks_free(two.locks);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_a_flight_beyond_the_ceiling),
        cmocka_unit_test(test_refuses_a_waiter_beyond_the_ceiling_of_all_flights),
        cmocka_unit_test(test_who_comes_later_joins_and_all_get_the_one_answer),
        cmocka_unit_test(test_a_landed_key_flies_again),
        cmocka_unit_test(test_an_item_is_held_by_one_and_other_items_are_free),
        cmocka_unit_test(test_no_wake_up_is_lost_among_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
