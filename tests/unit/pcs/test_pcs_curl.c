/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A machine without libcurl: the client is made all the same, and each fetch says what is missing,
 * at once and without a try. What dlopen finds is decided here, in its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>

#include "pcs/pcs.h"

static int dlopen_calls;

void *
dlopen(const char *name, int flags)
{
    assert_string_equal(name, "libcurl.so.4");
    assert_int_equal(flags, RTLD_NOW | RTLD_LOCAL);
    dlopen_calls++;
    return NULL;
}

char *
dlerror(void)
{
    static char text[] = "libcurl.so.4: cannot open shared object file";
    return text;
}

static void
on_exchange(void *self, const char *endpoint, int status, long milliseconds)
{
    fail_msg("an exchange without libcurl");
}

static void
test_a_client_without_libcurl_names_it_at_the_first_fetch(void **state)
{
    struct pcs_options options = {
        .uri = "http://127.0.0.1:1/sgx/certification/v4/",
        .timeout_s = 60,
        .retries = 6,
        .on_exchange = on_exchange,
    };
    struct upstream *upstream = NULL;
    struct fault why = {0};
    assert_int_equal(pcs_client_new(&options, &upstream, &why), 0);
    assert_int_equal(dlopen_calls, 0);

    struct item_key key = {.kind = ITEM_EVALNUMBERS, .api_version = 4};
    struct upstream_query query = {.key = &key};
    struct raw_reply raw;
    raw_reply_init(&raw);
    int retry_after_s = -1;
    assert_int_equal(upstream->fetch(upstream, &query, &raw, &retry_after_s, &why),
                     FAULT_UPSTREAM_DOWN);
    assert_non_null(strstr(why.text, "libcurl cannot be loaded: libcurl.so.4: cannot open"));
    assert_int_equal(retry_after_s, 0);
    assert_int_equal(pcs_client_check(&why), FAULT_UPSTREAM_DOWN);
    assert_int_equal(dlopen_calls, 1);
    raw_reply_done(&raw);
    pcs_client_free(upstream);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_client_without_libcurl_names_it_at_the_first_fetch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
