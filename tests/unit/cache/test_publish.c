/* SPDX-License-Identifier: BSD-3-Clause */
/* Generations: what was read or refused before a write is not published after it. */
#include "cache_fixture.h"

#include <string.h>

static struct response *
some_response(struct fixture *f)
{
    struct response *response = response_new(200, span_of_text("H"), span_of_text("B"));
    response->fresh_until = f->next_at;
    return response;
}

static bool
is_in_memory(struct fixture *f, struct span key)
{
    struct response *response = memory_get(f->cache->memory, key, f->monotonic_ms);
    response_unref(response);
    return response != NULL;
}

/* Publishes something under key as read at generation; does it get in? */
static bool
gets_in(struct fixture *f, const char *key, uint32_t generation)
{
    struct response *response = some_response(f);
    publish_loaded(f->cache, span_of_text(key), generation, response, INT64_MAX);
    response_unref(response);
    return is_in_memory(f, span_of_text(key));
}

static void
refuse(struct fixture *f, const char *key, uint32_t generation, enum fault_code code)
{
    struct fault why = {.code = code};
    struct response *refusal = response_of_fault(&why, true, 0);
    publish_refusal(f->cache, span_of_text(key), generation, refusal);
    response_unref(refusal);
}

static void
test_what_was_read_before_a_write_is_not_published_after_it(void **state)
{
    struct fixture *f = *state;
    struct span key = span_of_text("tcb/SGX/4/STANDARD/X");
    uint32_t generation = publish_generation(f->cache, key);
    publish_drop(f->cache, key);
    assert_false(gets_in(f, "tcb/SGX/4/STANDARD/X", generation));
    assert_true(gets_in(f, "tcb/SGX/4/STANDARD/X", publish_generation(f->cache, key)));
}

static void
test_a_refusal_from_before_a_write_does_not_hide_it(void **state)
{
    struct fixture *f = *state;
    uint32_t generation = publish_generation(f->cache, span_of_text("identity/QE/4/X"));
    publish_drop(f->cache, span_of_text("identity/QE/4/X"));
    refuse(f, "identity/QE/4/X", generation, FAULT_NOT_FOUND);
    assert_false(is_in_memory(f, span_of_text("identity/QE/4/X")));
}

static void
test_only_a_404_for_ten_seconds_and_a_503_for_five_are_remembered(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum fault_code code;
        int seconds;
    } cases[] = {{FAULT_NOT_FOUND, 10},
                 {FAULT_UPSTREAM_DOWN, 5},
                 {FAULT_UPSTREAM_REFUSED, 0},
                 {FAULT_UPSTREAM_ODD, 0},
                 {FAULT_UPSTREAM_UNPROVEN, 0},
                 {FAULT_BUSY, 0},
                 {FAULT_INPUT, 0},
                 {FAULT_MEMORY, 0},
                 {FAULT_STORE, 0}};
    struct span key = span_of_text("remembered");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        publish_drop(f->cache, key);
        refuse(f, "remembered", publish_generation(f->cache, key), cases[i].code);
        assert_int_equal(is_in_memory(f, key), cases[i].seconds > 0);
        f->monotonic_ms += cases[i].seconds * 1000 - (cases[i].seconds > 0);
        assert_int_equal(is_in_memory(f, key), cases[i].seconds > 0);
        f->monotonic_ms += 1;
        assert_false(is_in_memory(f, key));
    }
}

static void
test_all_raw_tcbs_of_a_platform_share_a_generation(void **state)
{
    struct fixture *f = *state;
    const struct platform_id id = {.qeid = "Q/1", .pceid = "0000"};
    uint32_t generation = publish_generation(f->cache, span_of_text("pck/Q%2F1/0000/AA/BB"));
    uint32_t other = publish_generation(f->cache, span_of_text("pck/Q%2F1/0001/AA/BB"));
    publish_platform(f->cache, &id, NULL, 0); /* a write that knew none of them */
    assert_false(gets_in(f, "pck/Q%2F1/0000/AA/BB", generation));
    assert_true(gets_in(f, "pck/Q%2F1/0001/AA/BB", other));
}

static void
test_a_new_root_crl_forgets_all_and_raises_all_generations(void **state)
{
    struct fixture *f = *state;
    const struct item_key root = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    fixture_put(f, &root);
    uint32_t generation = publish_generation(f->cache, span_of_text("any"));
    uint32_t epoch = publish_epoch(f->cache);
    assert_true(gets_in(f, "any", generation));
    f->issued_at += 60;
    fixture_put(f, &root);
    assert_false(is_in_memory(f, span_of_text("any")));
    assert_false(gets_in(f, "any", generation));
    assert_int_not_equal(publish_epoch(f->cache), epoch);
}

static void
test_the_same_root_crl_again_forgets_nothing(void **state)
{
    struct fixture *f = *state;
    const struct item_key root = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    struct proven *proven = fixture_proven(f, &root);
    pthread_mutex_lock(&f->cache->write_mutex);
    publish_item(f->cache, proven, publish_epoch(f->cache));
    assert_true(gets_in(f, "any", publish_generation(f->cache, span_of_text("any"))));
    publish_item(f->cache, proven, publish_epoch(f->cache));
    pthread_mutex_unlock(&f->cache->write_mutex);
    assert_true(is_in_memory(f, span_of_text("any")));
    proven_unref(proven);
}

static void
test_what_was_proven_before_a_root_crl_is_not_published_by_it(void **state)
{
    struct fixture *f = *state;
    struct item_key key = tcb_key();
    const struct item_key root = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    uint32_t epoch = publish_epoch(f->cache);
    struct proven *proven = fixture_proven(f, &key);
    fixture_put(f, &root);
    pthread_mutex_lock(&f->cache->write_mutex);
    publish_item(f->cache, proven, epoch);
    pthread_mutex_unlock(&f->cache->write_mutex);
    assert_null(fixture_look(f, TCB_TARGET));
    proven_unref(proven);
}

static void
test_publishing_forgets_that_the_pcs_was_asked_in_vain(void **state)
{
    struct fixture *f = *state;
    struct item_key key = tcb_key();
    char text[PUBLISH_KEY_SIZE];
    struct span asked = span_of(text, publish_asked_key(&key, text));
    struct fault why = {.code = FAULT_NOT_FOUND, .text = "unknown"};
    int retry_after_s = 0;
    publish_remember(f->cache, asked, &why, 0);
    why = (struct fault){0};
    assert_true(publish_remembered(f->cache, asked, &why, &retry_after_s));
    assert_int_equal(why.code, FAULT_NOT_FOUND);
    assert_string_equal(why.stage, "remembered");
    assert_null(fixture_look(f, TCB_TARGET)); /* no look-up sees it */
    fixture_put(f, &key);
    assert_false(publish_remembered(f->cache, asked, &why, &retry_after_s));
    struct response *response = fixture_look(f, TCB_TARGET);
    assert_non_null(response);
    response_unref(response);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_read_before_a_write_is_not_published_after_it),
        TEST(test_a_refusal_from_before_a_write_does_not_hide_it),
        TEST(test_only_a_404_for_ten_seconds_and_a_503_for_five_are_remembered),
        TEST(test_all_raw_tcbs_of_a_platform_share_a_generation),
        TEST(test_a_new_root_crl_forgets_all_and_raises_all_generations),
        TEST(test_the_same_root_crl_again_forgets_nothing),
        TEST(test_what_was_proven_before_a_root_crl_is_not_published_by_it),
        TEST(test_publishing_forgets_that_the_pcs_was_asked_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
