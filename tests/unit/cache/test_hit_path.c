/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a hit must not do: allocate, or lock. The steps of serve_request between the parsed head and
 * the answer are run as the server's loop runs them, with the C library's functions wrapped for all
 * that is linked into this program (design.md: no lock and no heap on the hit path).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache/cache_priv.h"
#include "store/store.h"

enum { COUNTED = 200 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

static _Thread_local unsigned allocations, frees, locks;

void *
__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *
__wrap_realloc(void *block, size_t size)
{
    allocations++;
    return __real_realloc(block, size);
}

void
__wrap_free(void *block)
{
    frees++;
    __real_free(block);
}

int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    locks++;
    return __real_pthread_mutex_lock(mutex);
}

struct rig {
    struct store *store;
    struct cache *cache;
};

static int
rig_setup(void **state)
{
    static struct rig rig;
    struct fault why = {0};
    struct store_options store = {.path = ":memory:",
                                  .server_addr = "api.trustedservices.intel.com",
                                  .api_version = 4,
                                  .init_db = true,
                                  .clock = clock_system()};
    assert_int_equal(store_open_sqlite(&store, &rig.store, &why), 0);
    struct cache_options options = {.mode = CACHE_MODE_OFFLINE,
                                    .upstream_version = 4,
                                    .memory_bytes = 1024 * 1024,
                                    .clock = clock_system(),
                                    .store = rig.store};
    cache_thread_start();
    assert_int_equal(cache_new(&options, &rig.cache, &why), 0);
    *state = &rig;
    return 0;
}

static int
rig_teardown(void **state)
{
    struct rig *rig = *state;
    cache_free(rig->cache);
    store_close(rig->store);
    cache_thread_stop();
    return 0;
}

static int
parse(const char *path, const char *query, struct request *ret_request)
{
    struct route_match match;
    struct fault why;
    int failed = route_find(span_of_text("GET"), span_of_text(path), 4, &match);
    return failed != 0 ? failed
                       : request_parse(&match, span_of_text(query), NULL, ret_request, &why);
}

/* Steps 2, 3 and the part of 8 that is the cache's; the length of the extra lines, 0 on a miss. */
static size_t
hit(struct cache *cache, const char *path, const char *query)
{
    struct request request;
    struct response *response =
        parse(path, query, &request) == 0 ? cache_lookup(cache, &request) : NULL;
    if (response == NULL) {
        return 0;
    }
    struct response_extra extra = {
        .request_id = "0123456789abcdef0123456789abcdef",
        .now = clock_now(clock_system()),
        .client_cache_s = 86400,
    };
    char lines[RESPONSE_EXTRA_SIZE];
    size_t size = response_extra_lines(response, &extra, lines);
    (void)response_matches(response, span_of_text("\"other\", W/\"etag\""));
    response_unref(response);
    return size;
}

/* Publishes something under the key that the request asks for. */
static void
warm(struct cache *cache, const char *path, const char *query)
{
    struct request request;
    assert_int_equal(parse(path, query, &request), 0);
    char key[ITEM_KEY_TEXT_SIZE + 8];
    size_t size = lookup_key(&request, key);
    struct response *response =
        response_new(200, span_of_text("Content-Type: application/json\r\n"), span_of_text("{}"));
    assert_non_null(response);
    response->fresh_until = INT64_MAX;
    memcpy(response->etag, "\"etag\"", sizeof "\"etag\"");
    memory_put(cache->memory, span_of(key, size), response, INT64_MAX);
    response_unref(response);
}

#define SGX "/sgx/certification/v4/"
static const struct {
    const char *path, *query;
} targets[] = {
    {SGX "tcb", "fmspc=00906EA10000&update=standard"},
    {SGX "tcb", "fmspc=00906EA10000&tcbEvaluationDataNumber=17"},
    {"/tdx/certification/v4/tcb", "fmspc=00906ea10000&update=early"},
    {SGX "pckcert", "qeid=0FDA892C826E22D5D7611894CF93F4FE&cpusvn=12120204018000000000000000000000"
                    "&pcesvn=0D00&pceid=0000&encrypted_ppid=00"},
    {SGX "pckcrl", "ca=processor&encoding=der"},
    {SGX "qe/identity", "update=standard"},
    {SGX "qve/identity", ""},
    {SGX "rootcacrl", ""},
    {SGX "crl", "uri=https%3A%2F%2Fcertificates.trustedservices.intel.com%2FIntelSGXRootCA.der"},
    {SGX "fmspcs", "platform=all"},
};

static void
test_a_hit_neither_allocates_nor_frees_nor_locks(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        /* the encrypted PPID must have its length; whole ones make the table unreadable */
        char query[2048];
        const char *zero = strstr(targets[i].query, "encrypted_ppid=00");
        snprintf(query, sizeof query, "%s%0*d", targets[i].query, zero != NULL ? 766 : 0, 0);
        if (zero == NULL) {
            snprintf(query, sizeof query, "%s", targets[i].query);
        }
        warm(rig->cache, targets[i].path, query);
        assert_true(hit(rig->cache, targets[i].path, query) > 0);
        allocations = frees = locks = 0;
        for (int n = 0; n < COUNTED; n++) {
            assert_true(hit(rig->cache, targets[i].path, query) > 0);
        }
        assert_int_equal(allocations, 0);
        assert_int_equal(frees, 0);
        assert_int_equal(locks, 0);
    }
}

static void
test_the_counters_count(void **state)
{
    struct rig *rig = *state;
    allocations = frees = locks = 0;
    warm(rig->cache, SGX "rootcacrl", "");
    assert_true(allocations >= 2 && locks >= 1);
    struct response *response = response_new(200, span_of_text(""), span_of_text(""));
    frees = 0;
    response_unref(response);
    assert_int_equal(frees, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_counters_count),
        cmocka_unit_test(test_a_hit_neither_allocates_nor_frees_nor_locks),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
