/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RequestsPerSecond (api.md, Ceilings): one address cannot take more than its share, and no number
 * of addresses can take another one's, nor memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "pccsd/client_rate.h"

enum { LIMIT = 5, NOW_MS = 1000 * 1000 };

static struct client_rate *
rate_of(unsigned limit)
{
    struct client_rate *rate = NULL;
    assert_int_equal(client_rate_new(limit, &rate, NULL), 0);
    return rate;
}

static unsigned
allowed(struct client_rate *rate, const char *peer, unsigned tries, int64_t now_ms)
{
    unsigned count = 0;
    for (unsigned i = 0; i < tries; i++) {
        count += client_rate_allows(rate, peer, now_ms);
    }
    return count;
}

static void
test_refuses_what_is_beyond_the_limit_within_one_second(void **state)
{
    struct client_rate *rate = rate_of(LIMIT);
    assert_int_equal(allowed(rate, "192.0.2.1", 100, NOW_MS), LIMIT);
    assert_false(client_rate_allows(rate, "192.0.2.1", NOW_MS + 999));
    client_rate_free(rate);
}

static void
test_the_next_second_starts_anew(void **state)
{
    struct client_rate *rate = rate_of(LIMIT);
    allowed(rate, "192.0.2.1", 100, NOW_MS);
    assert_int_equal(allowed(rate, "192.0.2.1", 100, NOW_MS + 1000), LIMIT);
    client_rate_free(rate);
}

static void
test_one_address_does_not_use_up_the_share_of_another(void **state)
{
    struct client_rate *rate = rate_of(LIMIT);
    allowed(rate, "192.0.2.1", 100, NOW_MS);
    assert_int_equal(allowed(rate, "192.0.2.2", 100, NOW_MS), LIMIT);
    assert_int_equal(allowed(rate, "2001:db8::1", 100, NOW_MS), LIMIT);
    client_rate_free(rate);
}

static void
test_an_ipv6_client_counts_by_its_64_bit_prefix(void **state)
{
    struct client_rate *rate = rate_of(LIMIT);
    allowed(rate, "2001:db8::1", 100, NOW_MS);
    assert_false(client_rate_allows(rate, "2001:db8::ffff:2", NOW_MS));
    assert_true(client_rate_allows(rate, "2001:db8:0:1::1", NOW_MS));
    client_rate_free(rate);
}

static void
test_ipv4_in_ipv6_counts_by_the_whole_address(void **state)
{
    struct client_rate *rate = rate_of(LIMIT);
    allowed(rate, "::ffff:192.0.2.1", 100, NOW_MS);
    assert_true(client_rate_allows(rate, "::ffff:192.0.2.2", NOW_MS));
    client_rate_free(rate);
}

static void
test_a_full_table_refuses_nobody(void **state)
{
    struct client_rate *rate = rate_of(1);
    for (unsigned i = 0; i < 100000; i++) {
        char peer[46];
        snprintf(peer, sizeof peer, "10.%u.%u.%u", i >> 16, (i >> 8) & 255, i & 255);
        assert_true(client_rate_allows(rate, peer, NOW_MS));
    }
    client_rate_free(rate);
}

static void
test_slots_of_the_last_second_are_free_again(void **state)
{
    struct client_rate *rate = rate_of(1);
    for (unsigned i = 0; i < 100000; i++) {
        char peer[46];
        snprintf(peer, sizeof peer, "10.%u.%u.%u", i >> 16, (i >> 8) & 255, i & 255);
        client_rate_allows(rate, peer, NOW_MS);
    }
    assert_int_equal(allowed(rate, "192.0.2.1", 10, NOW_MS + 1000), 1);
    client_rate_free(rate);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_is_beyond_the_limit_within_one_second),
        cmocka_unit_test(test_the_next_second_starts_anew),
        cmocka_unit_test(test_one_address_does_not_use_up_the_share_of_another),
        cmocka_unit_test(test_an_ipv6_client_counts_by_its_64_bit_prefix),
        cmocka_unit_test(test_ipv4_in_ipv6_counts_by_the_whole_address),
        cmocka_unit_test(test_a_full_table_refuses_nobody),
        cmocka_unit_test(test_slots_of_the_last_second_are_free_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
