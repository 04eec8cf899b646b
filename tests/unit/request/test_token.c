/* SPDX-License-Identifier: BSD-3-Clause */
/* Tokens: SHA-512, any length, and nothing matches what is not configured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "request/request.h"

/* FIPS 180-2, C.1 and C.3: "abc", and a million letters a. */
static const char abc[] = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                          "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
static const char million[] = "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
                              "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b";
static const char empty[] = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                            "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";

static void
test_nothing_matches_a_token_that_is_not_configured(void **state)
{
    assert_false(token_matches(span_of_text("abc"), ""));
    assert_false(token_matches(span_of_text(""), ""));
    assert_false(token_matches(span_of_text("abc"), NULL));
}

static void
test_refuses_a_hash_of_another_form(void **state)
{
    char hash[sizeof abc];
    memcpy(hash, abc, sizeof abc);
    hash[127] = '\0';
    assert_false(token_matches(span_of_text("abc"), hash));
    hash[127] = 'g';
    assert_false(token_matches(span_of_text("abc"), hash));
    assert_false(token_matches(span_of_text("abc"), "abc"));
}

static void
test_refuses_other_tokens(void **state)
{
    static const char *const others[] = {"ab", "abcd", "ABC", "abc ", " abc", "", "abd"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        assert_false(token_matches(span_of_text(others[i]), abc));
    }
    assert_false(token_matches(span_of("abc\0", 4), abc));
    assert_false(token_matches(span_of_text(abc), abc)); /* the hash itself opens nothing */
}

static void
test_the_empty_token_never_matches(void **state)
{
    assert_false(token_matches(span_of_text(""), empty));
    assert_false(token_matches((struct span){0}, empty));
}

static void
test_matches_tokens_of_any_length(void **state)
{
    assert_true(token_matches(span_of_text("abc"), abc));
    auto_free char *long_token = malloc(1000000);
    assert_non_null(long_token);
    memset(long_token, 'a', 1000000);
    assert_true(token_matches(span_of(long_token, 1000000), million));
    assert_false(token_matches(span_of(long_token, 999999), million));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_matches_a_token_that_is_not_configured),
        cmocka_unit_test(test_refuses_a_hash_of_another_form),
        cmocka_unit_test(test_refuses_other_tokens),
        cmocka_unit_test(test_the_empty_token_never_matches),
        cmocka_unit_test(test_matches_tokens_of_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
