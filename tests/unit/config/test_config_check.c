/* SPDX-License-Identifier: BSD-3-Clause */
/* Cross checks: uri, hosts, proxy, the database section. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config_help.h"

static int
check(struct config *config, const char *text, struct fault *why)
{
    assert_int_equal(apply(config, text, NULL, why), 0);
    return config_check(config, why);
}

static void
assert_refused(const char *text, const char *word, const char *second)
{
    struct config config;
    struct fault why = {0};
    assert_int_equal(check(&config, text, &why), FAULT_CONFIG);
    assert_non_null(strstr(why.text, "test.json: "));
    assert_non_null(strstr(why.text, word));
    assert_non_null(strstr(why.text, second));
    config_done(&config);
}

static void
test_refuses_uris_of_no_pcs(void **state)
{
    static const char *const uris[] = {
        "",
        "api.trustedservices.intel.com",
        "ftp://h/sgx/certification/v4/",
        "https://h",
        "https://h/",
        "https://h/sgx/certification/",
        "https://h/sgx/certification/v2/",
        "https://h/sgx/certification/v5/",
        "https://h/sgx/certification/v44/",
        "https://h/sgx/certification/v4/pckcert",
        "https://h/tdx/certification/v4/",
        "https://u:p@h/sgx/certification/v4/",
        "https://h/sgx/certification/v4/?x=/sgx/certification/v4/",
        "https://h/sgx/certification/v4/#x",
        "https://h h/sgx/certification/v4/",
        "https://h:0/sgx/certification/v4/",
    };
    char text[200];
    for (size_t i = 0; i < ARRAY_COUNT(uris); i++) {
        snprintf(text, sizeof text, "{\"uri\": \"%s\"}", uris[i]);
        assert_refused(text, "uri: expected", "v4");
    }
}

static void
test_plain_http_is_for_loopback_only(void **state)
{
    assert_refused("{\"uri\": \"http://pcs.example/sgx/certification/v4/\"}", "uri", "loopback");
    assert_refused("{\"uri\": \"http://localhost.example/sgx/certification/v4/\"}", "uri",
                   "loopback");
    assert_refused("{\"uri\": \"http://10.0.0.1/sgx/certification/v4/\"}", "uri", "loopback");
    static const char *const good[] = {"http://127.0.0.1:9000/sgx/certification/v4/",
                                       "http://localhost/sgx/certification/v4/",
                                       "http://[::1]:1/sgx/certification/v3/"};
    char text[200];
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        struct config config;
        snprintf(text, sizeof text, "{\"uri\": \"%s\"}", good[i]);
        assert_int_equal(check(&config, text, NULL), 0);
        assert_string_equal(config.uri, good[i]);
        config_done(&config);
    }
}

static void
test_refuses_a_uri_above_its_ceiling(void **state)
{
    char text[1200] = "{\"uri\": \"https://h/";
    memset(text + strlen(text), 'x', 1000);
    memcpy(text + strlen(text), "/sgx/certification/v4/\"}", 25);
    assert_refused(text, "uri", "1024");
}

static void
test_refuses_hosts_that_cannot_be_bound(void **state)
{
    static const char *const hosts[] = {
        "",    ",",   "127.0.0.1,,::1", "127.0.0.256",   "1.2.3", "[::1]", "a b",
        "a/b", "::g", "127.0.0.1:8081", "127.0.0.1;::1", " "};
    char text[200];
    for (size_t i = 0; i < ARRAY_COUNT(hosts); i++) {
        snprintf(text, sizeof text, "{\"hosts\": \"%s\"}", hosts[i]);
        assert_refused(text, "hosts: expected", "addresses");
    }
    assert_refused("{\"hosts\": \"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\"}", "hosts", "16");
}

static void
test_refuses_other_proxies_and_keys(void **state)
{
    assert_refused("{\"proxy\": \"192.168.1.1:80\"}", "proxy", "http://HOST:PORT");
    assert_refused("{\"proxy\": \"http://\"}", "proxy", "http://HOST:PORT");
    assert_refused("{\"proxy\": \"http://a b\"}", "proxy", "http://HOST:PORT");
    assert_refused("{\"proxy\": \"ftp://h\"}", "proxy", "http://HOST:PORT");
    assert_refused("{\"ApiKey\": \"two words\"}", "ApiKey", "printable");
    assert_refused("{\"ApiKey\": \"k\xc3\xa4y\"}", "ApiKey", "printable");
    assert_refused("{\"TlsKey\": \"\"}", "TlsKey", "not empty");
    assert_refused("{\"TlsCertificate\": \"\"}", "TlsCertificate", "not empty");
    assert_refused("{\"RefreshSchedule\": \"\"}", "RefreshSchedule", "not empty");
}

static void
test_the_chosen_database_section_must_be_complete(void **state)
{
    assert_refused("{\"DB_CONFIG\": \"mysql\", \"mysql\": {\"username\": \"\"}}", "mysql.username",
                   "user");
    assert_refused("{\"DB_CONFIG\": \"mariadb\", \"mariadb\": {\"username\": \"u\","
                   "\"database\": \"\"}}",
                   "mariadb.database", "database");
    assert_refused("{\"DB_CONFIG\": \"postgres\", \"postgres\": {\"username\": \"u\","
                   "\"options\": {\"host\": \"\"}}}",
                   "postgres.options.host", "server");
}

static void
test_only_the_chosen_section_counts(void **state)
{
    struct config config;
    assert_int_equal(check(&config,
                           "{\"DB_CONFIG\": \"postgres\", \"mysql\": {\"username\": \"m\"},"
                           "\"postgres\": {\"username\": \"p\"}}",
                           NULL),
                     0);
    assert_string_equal(config.db_server.username, "p");
    assert_int_equal(config.db_server.port, 5432);
    /* a later layer chooses another */
    char *environment[] = {"PCCS_DB_CONFIG=mysql", NULL};
    assert_int_equal(config_apply_environment(&config, environment, NULL, NULL, NULL), 0);
    assert_int_equal(config_check(&config, NULL), 0);
    assert_string_equal(config.db_server.username, "m");
    assert_int_equal(config.db_server.port, 3306);
    config_done(&config);
}

static void
test_the_uri_is_normalised_and_gives_the_version(void **state)
{
    struct config config;
    assert_int_equal(
        check(&config, "{\"uri\": \"HTTPS://PCS.Example:8443/Peer/sgx/certification/v3\"}", NULL),
        0);
    assert_string_equal(config.uri, "https://pcs.example:8443/Peer/sgx/certification/v3/");
    assert_int_equal(config.upstream_version, 3);
    assert_int_equal(config_check(&config, NULL), 0);
    assert_string_equal(config.uri, "https://pcs.example:8443/Peer/sgx/certification/v3/");
    config_done(&config);
}

static void
test_takes_lists_of_hosts_and_every_proxy_scheme(void **state)
{
    static const char *const texts[] = {"{\"hosts\": \"0.0.0.0\"}",
                                        "{\"hosts\": \"::\"}",
                                        "{\"hosts\": \"127.0.0.1, ::1\"}",
                                        "{\"hosts\": \"localhost\"}",
                                        "{\"proxy\": \"http://192.168.1.1:80\"}",
                                        "{\"proxy\": \"https://u:p@proxy:3128/\"}",
                                        "{\"proxy\": \"socks5h://proxy\"}"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct config config;
        assert_int_equal(check(&config, texts[i], NULL), 0);
        config_done(&config);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_uris_of_no_pcs),
        cmocka_unit_test(test_plain_http_is_for_loopback_only),
        cmocka_unit_test(test_refuses_a_uri_above_its_ceiling),
        cmocka_unit_test(test_refuses_hosts_that_cannot_be_bound),
        cmocka_unit_test(test_refuses_other_proxies_and_keys),
        cmocka_unit_test(test_the_chosen_database_section_must_be_complete),
        cmocka_unit_test(test_only_the_chosen_section_counts),
        cmocka_unit_test(test_the_uri_is_normalised_and_gives_the_version),
        cmocka_unit_test(test_takes_lists_of_hosts_and_every_proxy_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
