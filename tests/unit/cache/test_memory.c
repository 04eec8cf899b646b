/* SPDX-License-Identifier: BSD-3-Clause */
/* The bounded table of finished responses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/memory.h"

enum { BODY = 1000, NOW_MS = 1000 };

static void
put(struct memory *memory, const char *key, int64_t lives_until_ms)
{
    static const char body[BODY];
    struct response *response = response_new(200, span_of_text(key), span_of(body, BODY));
    assert_non_null(response);
    memory_put(memory, span_of_text(key), response, lives_until_ms);
    response_unref(response);
}

static bool
has(struct memory *memory, const char *key)
{
    struct response *response = memory_get(memory, span_of_text(key), NOW_MS);
    bool found = response != NULL;
    if (found) {
        assert_true(span_is(response->head, key));
    }
    response_unref(response);
    return found;
}

static uint64_t
items_of(struct memory *memory)
{
    uint64_t items = 0;
    uint64_t bytes = 0;
    memory_count(memory, &items, &bytes);
    return items;
}

static uint64_t
bytes_of(struct memory *memory)
{
    uint64_t items = 0;
    uint64_t bytes = 0;
    memory_count(memory, &items, &bytes);
    return bytes;
}

static void
test_what_does_not_fit_is_not_kept_and_drives_nothing_out(void **state)
{
    struct memory *memory = memory_new(4 * BODY);
    static const char large[8 * BODY];
    put(memory, "small", INT64_MAX);
    put(memory, "large", INT64_MAX);
    struct response *response = response_new(200, span_of_text("large"), span_of(large, 8 * BODY));
    memory_put(memory, span_of_text("large"), response, INT64_MAX);
    response_unref(response);
    assert_false(has(memory, "large")); /* nor what stood there before: it is no longer true */
    assert_true(has(memory, "small"));
    memory_free(memory);
}

static void
test_a_memory_of_nothing_keeps_nothing(void **state)
{
    struct memory *memory = memory_new(0);
    put(memory, "a", INT64_MAX);
    assert_false(has(memory, "a"));
    assert_int_equal(items_of(memory), 0);
    memory_free(memory);
}

static void
test_an_entry_past_its_life_is_not_found(void **state)
{
    struct memory *memory = memory_new(1 << 20);
    put(memory, "dead", NOW_MS);
    put(memory, "alive", NOW_MS + 1);
    assert_false(has(memory, "dead"));
    assert_true(has(memory, "alive"));
    memory_free(memory);
}

static void
test_the_bound_is_kept_and_bytes_are_counted(void **state)
{
    struct memory *memory = memory_new(64 * BODY);
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "key%d", i);
        put(memory, key, INT64_MAX);
        assert_true(bytes_of(memory) <= 64 * BODY);
    }
    assert_true(items_of(memory) > 30);
    assert_true(has(memory, "key999"));
    assert_false(has(memory, "key0"));
    memory_free(memory);
}

static void
test_what_is_used_gets_a_second_chance(void **state)
{
    struct memory *memory = memory_new(32 * BODY);
    char key[16];
    put(memory, "popular", INT64_MAX);
    for (int i = 0; i < 500; i++) { /* as somebody does who asks for what nobody needs */
        assert_true(has(memory, "popular"));
        snprintf(key, sizeof key, "once%d", i);
        put(memory, key, INT64_MAX);
    }
    assert_true(has(memory, "popular"));
    memory_free(memory);
}

static void
test_a_key_is_replaced_and_counted_once(void **state)
{
    struct memory *memory = memory_new(1 << 20);
    put(memory, "a", INT64_MAX);
    uint64_t bytes = bytes_of(memory);
    put(memory, "a", INT64_MAX);
    assert_int_equal(items_of(memory), 1);
    assert_int_equal(bytes_of(memory), bytes);
    memory_free(memory);
}

static void
test_drop_and_clear_leave_nothing_behind(void **state)
{
    struct memory *memory = memory_new(1 << 20);
    memory_drop(memory, span_of_text("never there"));
    put(memory, "a", INT64_MAX);
    put(memory, "b", INT64_MAX);
    put(memory, "c", INT64_MAX);
    memory_drop(memory, span_of_text("b"));
    assert_true(has(memory, "a") && !has(memory, "b") && has(memory, "c"));
    memory_clear(memory);
    assert_false(has(memory, "a"));
    assert_int_equal(items_of(memory), 0);
    assert_int_equal(bytes_of(memory), 0);
    put(memory, "d", INT64_MAX);
    assert_true(has(memory, "d"));
    memory_free(memory);
}

static void
test_a_reference_outlives_its_entry(void **state)
{
    struct memory *memory = memory_new(1 << 20);
    put(memory, "a", INT64_MAX);
    struct response *response = memory_get(memory, span_of_text("a"), NOW_MS);
    memory_clear(memory);
    memory_free(memory);
    assert_true(span_is(response->head, "a"));
    response_unref(response);
}

/* ---- many at once ---- */

struct crowd {
    struct memory *memory;
    _Atomic bool is_over;
    _Atomic unsigned wrong, found;
};

static void *
crowd_read(void *crowd_pointer)
{
    struct crowd *crowd = crowd_pointer;
    char key[16];
    memory_thread_start();
    for (unsigned i = 0; !crowd->is_over || i < 1000; i++) {
        snprintf(key, sizeof key, "key%u", i % 64);
        struct response *response = memory_get(crowd->memory, span_of_text(key), NOW_MS);
        if (response != NULL) {
            crowd->found++;
            crowd->wrong += !span_is(response->head, key);
            response_unref(response);
        }
    }
    memory_thread_stop();
    return NULL;
}

static void *
crowd_write(void *crowd_pointer)
{
    struct crowd *crowd = crowd_pointer;
    char key[16];
    memory_thread_start();
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "key%u", i * 7 % 64);
        if (i % 5 == 0) {
            memory_drop(crowd->memory, span_of_text(key));
        } else if (i % 997 == 0) {
            memory_clear(crowd->memory);
        } else {
            put(crowd->memory, key, INT64_MAX);
        }
    }
    memory_thread_stop();
    return NULL;
}

static void
test_readers_see_whole_entries_while_writers_write(void **state)
{
    struct crowd crowd = {.memory = memory_new(32 * BODY)};
    pthread_t readers[2], writers[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, crowd_read, &crowd), 0);
        assert_int_equal(pthread_create(&writers[i], NULL, crowd_write, &crowd), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(writers[i], NULL);
    }
    crowd.is_over = true;
    for (int i = 0; i < 2; i++) {
        pthread_join(readers[i], NULL);
    }
    assert_int_equal(crowd.wrong, 0);
    assert_true(crowd.found > 0);
    assert_true(bytes_of(crowd.memory) <= 32 * BODY);
    memory_free(crowd.memory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_does_not_fit_is_not_kept_and_drives_nothing_out),
        cmocka_unit_test(test_a_memory_of_nothing_keeps_nothing),
        cmocka_unit_test(test_an_entry_past_its_life_is_not_found),
        cmocka_unit_test(test_the_bound_is_kept_and_bytes_are_counted),
        cmocka_unit_test(test_what_is_used_gets_a_second_chance),
        cmocka_unit_test(test_a_key_is_replaced_and_counted_once),
        cmocka_unit_test(test_drop_and_clear_leave_nothing_behind),
        cmocka_unit_test(test_a_reference_outlives_its_entry),
        cmocka_unit_test(test_readers_see_whole_entries_while_writers_write),
    };
    memory_thread_start();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    memory_thread_stop();
    return failed;
}
