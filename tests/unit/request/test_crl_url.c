/* SPDX-License-Identifier: BSD-3-Clause */
/* crl?uri=: what may be fetched, and every trick that must not change it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "request/request.h"

static bool
allowed(const char *url, const struct request_policy *policy)
{
    return crl_url_is_allowed(span_of_text(url), policy);
}

static void
test_refuses_hosts_of_the_callers_choosing(void **state)
{
    static const char *const urls[] = {
        "",
        "https://",
        "https://evil.example/IntelSGXRootCA.der",
        "https://certificates.trustedservices.intel.com.evil.example/IntelSGXRootCA.der",
        "https://evil.certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://a.b.certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://certificates.trustedservices.intel.com./IntelSGXRootCA.der",
        "https://certificatesXtrustedservices.intel.com/IntelSGXRootCA.der",
        "https://evil_certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://x.certprx.adsdcsp.com/IntelSGXRootCA.der",
        "https://xcertprx.adsdcsp.com/IntelSGXRootCA.der",
        "https://127.0.0.1/IntelSGXRootCA.der",
        "https://[::1]/IntelSGXRootCA.der",
        "https://evil.example/sgx/certification/v4/pckcrl?ca=platform",
        "https://a.b.api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform",
        "https://.api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform",
        "https://az.sgxprod.adsdcsp.com/sgx/certification/v4/pckcrl?ca=platform",
        "https://.az.sgxprod.adsdcsp.com/sgx/certification/v4/pckcrl?ca=platform",
        "https://a.b.az.sgxprod.adsdcsp.com/sgx/certification/v4/pckcrl?ca=platform",
        "https://a.az.sgxdev.adsdcsp.com/sgx/certification/v4/pckcrl?ca=platform",
    };
    for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
        assert_false(allowed(urls[i], NULL));
    }
}

static void
test_refuses_urls_that_look_like_intels(void **state)
{
    static const char *const urls[] = {
        /* scheme */
        "http://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "ftp://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "HTTPS://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "//certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        " https://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        /* user information and ports */
        "https://certificates.trustedservices.intel.com@evil.example/IntelSGXRootCA.der",
        "https://evil.example@certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://u:p@certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://certificates.trustedservices.intel.com:443/IntelSGXRootCA.der",
        "https://certificates.trustedservices.intel.com:8443/IntelSGXRootCA.der",
        "https://certificates.trustedservices.intel.com:@evil.example/IntelSGXRootCA.der",
        /* another host behind or before */
        "https://evil.example\\certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://evil.example/certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://evil.example?certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://evil.example#certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://evil.example%2Fcertificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https:///certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        /* bytes that have no place in a URL */
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der#x",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.d er",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der\n",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der\r\nHost: x",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.\\x",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.\x7f",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.\xc3\xa4",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.<x>",
    };
    for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
        assert_false(allowed(urls[i], NULL));
    }
    static const char nul[] = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.\0r";
    assert_false(crl_url_is_allowed(span_of(nul, sizeof(nul) - 1), NULL));
}

static void
test_refuses_other_paths_of_intels_hosts(void **state)
{
    static const char *const urls[] = {
        "https://certificates.trustedservices.intel.com",
        "https://certificates.trustedservices.intel.com/",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA",
        "https://certificates.trustedservices.intel.com/intelsgxrootca.der",
        "https://certificates.trustedservices.intel.com/x/IntelSGXRootCA.der",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA./../secret",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA./%2e%2E/secret",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA./..",
        /* each kind of path has its own hosts */
        "https://certificates.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform",
        "https://api.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://api.trustedservices.intel.com/sgx/certification/v4/pckcerts?x",
        "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl",
        "https://api.trustedservices.intel.com/sgx/certification/v0/pckcrl?ca=platform",
        "https://api.trustedservices.intel.com/sgx/certification/v/pckcrl?ca=platform",
        "https://api.trustedservices.intel.com/sgx/certification/v4x/pckcrl?ca=platform",
        "https://api.trustedservices.intel.com/tdx/certification/v4/pckcrl?ca=platform",
        "https://api.trustedservices.intel.com/sgx/certification/v4/../pckcrl?ca=platform",
    };
    for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
        assert_false(allowed(urls[i], NULL));
    }
}

static void
test_refuses_more_than_2048_characters(void **state)
{
    static const char start[] = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.";
    char url[LIMIT_URL_CHARS + 2];
    memset(url, 'x', sizeof url);
    memcpy(url, start, sizeof(start) - 1);
    assert_true(crl_url_is_allowed(span_of(url, LIMIT_URL_CHARS), NULL));
    assert_false(crl_url_is_allowed(span_of(url, LIMIT_URL_CHARS + 1), NULL));
}

static void
test_allows_what_the_contract_lists(void **state)
{
    static const char *const urls[] = {
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.",
        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der?x=/../1",
        "https://sbx-certificates.trustedservices.intel.com/IntelSGXRootCA.crl",
        "https://certprx.adsdcsp.com/IntelSGXRootCA.der",
        "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform",
        "https://api.trustedservices.intel.com/sgx/certification/v3/pckcrl?ca=x&encoding=der",
        "https://api.trustedservices.intel.com/sgx/certification/v12/pckcrl?",
        "https://sbx.api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform",
        "https://pre-api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform",
        "https://west.az.sgxprod.adsdcsp.com/sgx/certification/v4/pckcrl?ca=platform",
        "https://west.az.sgxnp.adsdcsp.com/sgx/certification/v4/pckcrl?ca=platform",
    };
    for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
        assert_true(allowed(urls[i], NULL));
    }
}

static void
test_configured_origins_open_the_same_paths_and_nothing_else(void **state)
{
    struct request_policy policy = {
        .extra_origins = {{0}},
        .extra_origin_count = 3,
    };
    policy.extra_origins[0] = span_of_text("http://127.0.0.1:8080");
    policy.extra_origins[1] = span_of_text("https://PCS.example/sgx/certification/v4/");
    policy.extra_origins[2] = span_of_text("not a url");
    static const char *const yes[] = {
        "http://127.0.0.1:8080/IntelSGXRootCA.der",
        "http://127.0.0.1:8080/sgx/certification/v4/pckcrl?ca=platform",
        "https://pcs.example/IntelSGXRootCA.der",
        "https://pcs.EXAMPLE:443/IntelSGXRootCA.der",
    };
    static const char *const no[] = {
        "https://127.0.0.1:8080/IntelSGXRootCA.der",
        "http://127.0.0.1:8081/IntelSGXRootCA.der",
        "http://127.0.0.1/IntelSGXRootCA.der",
        "http://127.0.0.2:8080/IntelSGXRootCA.der",
        "http://127.0.0.1:8080@evil.example/IntelSGXRootCA.der",
        "http://127.0.0.1:8080/secret",
        "http://127.0.0.1:8080/IntelSGXRootCA./../secret",
        "http://pcs.example/IntelSGXRootCA.der",
        "https://pcs.example:8443/IntelSGXRootCA.der",
        "https://x.pcs.example/IntelSGXRootCA.der",
        "https://pcs.example.evil/IntelSGXRootCA.der",
        "https://pcs.example/sgx/certification/v4/pckcerts?x",
    };
    for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
        assert_true(allowed(yes[i], &policy));
        assert_false(allowed(yes[i], NULL));
    }
    for (size_t i = 0; i < ARRAY_COUNT(no); i++) {
        assert_false(allowed(no[i], &policy));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_hosts_of_the_callers_choosing),
        cmocka_unit_test(test_refuses_urls_that_look_like_intels),
        cmocka_unit_test(test_refuses_other_paths_of_intels_hosts),
        cmocka_unit_test(test_refuses_more_than_2048_characters),
        cmocka_unit_test(test_allows_what_the_contract_lists),
        cmocka_unit_test(test_configured_origins_open_the_same_paths_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
