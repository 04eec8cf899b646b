/* SPDX-License-Identifier: BSD-3-Clause */
/* Values: each kind with its bounds, and refusals that say source, key and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config_help.h"

static void
test_refuses_wrong_types(void **state)
{
    assert_true(is_refused("{\"HTTPS_PORT\": \"8081\"}", "test.json: HTTPS_PORT", "0 to 65535",
                           "not \"8081\""));
    assert_true(is_refused("{\"HTTPS_PORT\": 80.5}", "HTTPS_PORT", "whole number", ""));
    assert_true(is_refused("{\"HTTPS_PORT\": null}", "HTTPS_PORT", "whole number", ""));
    assert_true(is_refused("{\"HTTPS_PORT\": true}", "HTTPS_PORT", "not true", ""));
    assert_true(is_refused("{\"HTTPS_PORT\": [8081]}", "HTTPS_PORT", "whole number", ""));
    assert_true(is_refused("{\"HTTPS_PORT\": {}}", "HTTPS_PORT", "whole number", ""));
    assert_true(is_refused("{\"hosts\": 1}", "hosts", "a text", "not 1"));
    assert_true(is_refused("{\"hosts\": [\"::1\"]}", "hosts", "a text", ""));
    assert_true(is_refused("{\"ApiKey\": null}", "ApiKey", "a text", ""));
    assert_true(is_refused("{\"init_db\": \"false\"}", "init_db", "true or false", ""));
    assert_true(is_refused("{\"init_db\": 0}", "init_db", "true or false", "not 0"));
    assert_true(is_refused("{\"LogLevel\": 3}", "LogLevel", "silly", ""));
    assert_true(is_refused("{\"TrustAnchors\": \"a.pem\"}", "TrustAnchors", "list", ""));
    assert_true(is_refused("{\"TrustAnchors\": [1]}", "TrustAnchors", "list", ""));
    assert_true(is_refused("{\"MaxRequestBodySize\": true}", "MaxRequestBodySize", "2MB", ""));
}

static void
test_refuses_numbers_out_of_bounds(void **state)
{
    static const char *const texts[] = {
        "{\"HTTPS_PORT\": 65536}",
        "{\"HTTPS_PORT\": -1}",
        "{\"HTTPS_PORT\": 9223372036854775807}",
        "{\"HeadersTimeoutSeconds\": 0}",
        "{\"RequestTimeoutSeconds\": 3601}",
        "{\"KeepAliveTimeoutSeconds\": 0}",
        "{\"UpstreamConcurrency\": 0}",
        "{\"UpstreamConcurrency\": 257}",
        "{\"UpstreamTimeoutSeconds\": 0}",
        "{\"UpstreamRetries\": -1}",
        "{\"UpstreamRetries\": 21}",
        "{\"ClientCacheSeconds\": 31536001}",
        "{\"LazyNewPlatformsPerMinute\": 1000001}",
        "{\"RequestsPerSecond\": -1}",
        "{\"Workers\": 1025}",
        "{\"MemoryCacheSize\": \"1023KB\"}",
        "{\"MaxRequestBodySize\": \"1023\"}",
        "{\"MaxRequestBodySize\": \"1025MB\"}",
        "{\"RefreshBefore\": \"366d\"}",
        "{\"mysql\": {\"options\": {\"pool\": {\"max\": 0}}}}",
        "{\"postgres\": {\"options\": {\"port\": \"0\"}}}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_true(is_refused(texts[i], "test.json: ", ": expected ", ", not "));
    }
}

static void
test_refuses_sizes_and_durations_of_other_forms(void **state)
{
    static const char *const sizes[] = {"",      "MB",   "2 M", "2TB",   "-2MB",
                                        "1.5MB", "2MB ", "0x2", "2MBMB", "99999999999999999MB"};
    static const char *const durations[] = {"", "6", "h", "6w", "-6h", "1.5h", "6 hours", "6h30m"};
    char text[100];
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        snprintf(text, sizeof text, "{\"MaxRequestBodySize\": \"%s\"}", sizes[i]);
        assert_true(is_refused(text, "MaxRequestBodySize", "a size such as 2MB", ""));
    }
    for (size_t i = 0; i < ARRAY_COUNT(durations); i++) {
        snprintf(text, sizeof text, "{\"RefreshBefore\": \"%s\"}", durations[i]);
        assert_true(is_refused(text, "RefreshBefore", "a duration such as", ""));
    }
    assert_true(is_refused("{\"RefreshBefore\": 6}", "RefreshBefore", "duration", "not 6"));
}

static void
test_refuses_unknown_words(void **state)
{
    assert_true(
        is_refused("{\"CachingFillMode\": \"EAGER\"}", "CachingFillMode", "OFFLINE", "\"EAGER\""));
    assert_true(is_refused("{\"LogLevel\": \"loud\"}", "LogLevel", "verbose", "\"loud\""));
    assert_true(is_refused("{\"DB_CONFIG\": \"oracle\"}", "DB_CONFIG", "postgres", "\"oracle\""));
    assert_true(is_refused("{\"StalePolicy\": \"\"}", "StalePolicy", "serve|reject", ""));
    assert_true(is_refused("{\"LogFormat\": \"xml\"}", "LogFormat", "text|json", ""));
}

static void
test_refuses_hashes_of_other_forms_and_never_shows_them(void **state)
{
    assert_true(is_refused("{\"UserTokenHash\": \"c0ffee\"}", "UserTokenHash", "128 hex", ""));
    assert_false(is_refused("{\"UserTokenHash\": \"c0ffee\"}", "c0ffee", "", ""));
    assert_true(is_refused("{\"AdminTokenHash\": 7777}", "AdminTokenHash", "128 hex", ""));
    assert_false(is_refused("{\"AdminTokenHash\": 7777}", "7777", "", ""));
    assert_true(is_refused("{\"mysql\": {\"password\": 7777}}", "mysql.password", "a text", ""));
    assert_false(is_refused("{\"mysql\": {\"password\": 7777}}", "7777", "", ""));
    char text[200] = "{\"MetricsToken\": \"";
    memset(text + strlen(text), 'g', 128);
    memcpy(text + strlen(text), "\"}", 3);
    assert_true(is_refused(text, "MetricsToken", "128 hex", ""));
}

static void
test_refuses_control_characters_and_texts_without_end(void **state)
{
    assert_true(is_refused("{\"ApiKey\": \"a\\r\\nX: y\"}", "ApiKey", "control", ""));
    assert_true(is_refused("{\"TlsKey\": \"a\\u007f\"}", "TlsKey", "control", ""));
    assert_true(is_refused("{\"TrustAnchors\": [\"a\\tb\"]}", "TrustAnchors", "list", ""));
    assert_true(is_refused("{\"TrustAnchors\": [\"a\", \"\"]}", "TrustAnchors", "list", ""));
    static char text[LIMIT_CONFIG_VALUE_BYTES + 100];
    for (int extra = 0; extra <= 1; extra++) {
        memset(text, 0, sizeof text);
        memcpy(text, "{\"LogFile\": \"", 13);
        memset(text + 13, 'x', (size_t)(LIMIT_CONFIG_VALUE_BYTES + extra));
        memcpy(text + strlen(text), "\"}", 3);
        assert_int_equal(is_refused(text, "LogFile", "4096", ""), extra == 1);
    }
}

static void
test_refuses_more_anchors_than_the_ceiling(void **state)
{
    char text[400] = "{\"TrustAnchors\": [\"0\"";
    for (int i = 1; i < LIMIT_TRUST_ANCHORS; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), ", \"%d\"", i);
    }
    size_t size = strlen(text);
    memcpy(text + size, "]}", 3);
    struct config config;
    assert_int_equal(apply(&config, text, NULL, NULL), 0);
    assert_int_equal(config.trust_anchor_count, LIMIT_TRUST_ANCHORS);
    assert_string_equal(config.trust_anchors[LIMIT_TRUST_ANCHORS - 1], "15");
    config_done(&config);
    memcpy(text + size, ", \"x\"]}", 8);
    assert_true(is_refused(text, "TrustAnchors", "at most 16", ""));
}

static void
test_a_refused_value_leaves_the_one_before(void **state)
{
    struct config config;
    config_init(&config);
    struct span bad = span_of_text("{\"TlsKey\": \"a\\u0001\", \"TrustAnchors\": []}");
    assert_int_equal(config_apply_json(&config, "x", bad, NULL, NULL, NULL), FAULT_CONFIG);
    assert_string_equal(config.tls_key, "ssl_key/private.pem");
    config_done(&config);
}

static void
test_defaults_are_those_of_the_contract(void **state)
{
    struct config config;
    struct fault why;
    config_init(&config);
    assert_int_equal(config_check(&config, &why), 0);
    assert_int_equal(config.https_port, 8081);
    assert_string_equal(config.hosts, "127.0.0.1");
    assert_string_equal(config.uri, "https://api.trustedservices.intel.com/sgx/certification/v4/");
    assert_int_equal(config.upstream_version, 4);
    assert_string_equal(config.api_key, "");
    assert_string_equal(config.proxy, "");
    assert_string_equal(config.refresh_schedule, "0 0 1 * * *");
    assert_string_equal(config.user_token_hash, "");
    assert_string_equal(config.admin_token_hash, "");
    assert_string_equal(config.metrics_token_hash, "");
    assert_int_equal(config.mode, CACHE_MODE_LAZY);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_int_equal(config.max_request_body_bytes, 2097152);
    assert_int_equal(config.headers_timeout_s, 10);
    assert_int_equal(config.request_timeout_s, 15);
    assert_int_equal(config.keep_alive_timeout_s, 60);
    assert_false(config.openssl_fips_mode);
    assert_string_equal(config.db_config, "sqlite");
    assert_string_equal(config.sqlite_storage, "pckcache.db");
    assert_true(config.init_db);
    assert_string_equal(config.data_directory, "");
    assert_string_equal(config.tls_key, "ssl_key/private.pem");
    assert_string_equal(config.tls_certificate, "ssl_key/file.crt");
    assert_int_equal(config.trust_anchor_count, 0);
    assert_string_equal(config.upstream_ca_file, "");
    assert_false(config.stale_reject);
    assert_int_equal(config.refresh_before_s, 6 * 3600);
    assert_int_equal(config.upstream_concurrency, 8);
    assert_int_equal(config.upstream_timeout_s, 120);
    assert_int_equal(config.upstream_retries, 6);
    assert_int_equal(config.client_cache_s, 86400);
    assert_int_equal(config.lazy_new_platforms_per_minute, 600);
    assert_int_equal(config.requests_per_second, 0);
    assert_int_equal(config.workers, 0);
    assert_int_equal(config.memory_cache_bytes, 64 * 1024 * 1024);
    assert_false(config.log_json);
    assert_string_equal(config.log_file, "");
    assert_true(config.dashboard_enabled);
    assert_true(config.metrics_enabled);
    config_done(&config);
    config_done(&config);
    config_done(NULL);
}

static void
test_takes_every_form_of_a_value(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"\"2MB\"", 2097152}, {"\"2mb\"", 2097152}, {"\"2 MB\"", 2097152},
                 {"\"3KB\"", 3072},    {"\"1GB\"", 1 << 30}, {"\"4096B\"", 4096},
                 {"\"4096\"", 4096},   {"4096", 4096}};
    static const struct {
        const char *text;
        int64_t seconds;
    } durations[] = {{"\"90s\"", 90}, {"\"30m\"", 1800}, {"\"6H\"", 21600}, {"\"2d\"", 172800},
                     {"\"0\"", 0},    {"0", 0},          {"\"0h\"", 0}};
    struct config config;
    char text[100];
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        snprintf(text, sizeof text, "{\"MaxRequestBodySize\": %s}", sizes[i].text);
        assert_int_equal(apply(&config, text, NULL, NULL), 0);
        assert_int_equal(config.max_request_body_bytes, sizes[i].bytes);
        config_done(&config);
    }
    for (size_t i = 0; i < ARRAY_COUNT(durations); i++) {
        snprintf(text, sizeof text, "{\"RefreshBefore\": %s}", durations[i].text);
        assert_int_equal(apply(&config, text, NULL, NULL), 0);
        assert_int_equal(config.refresh_before_s, durations[i].seconds);
        config_done(&config);
    }
}

static void
test_words_are_taken_in_any_case_and_kept_in_one(void **state)
{
    struct config config;
    assert_int_equal(apply(&config,
                           "{\"CachingFillMode\": \"offline\", \"LogLevel\": \"SILLY\","
                           "\"DB_CONFIG\": \"Postgres\", \"StalePolicy\": \"Reject\","
                           "\"LogFormat\": \"JSON\", \"OPENSSL_FIPS_MODE\": true}",
                           NULL, NULL),
                     0);
    assert_int_equal(config.mode, CACHE_MODE_OFFLINE);
    assert_int_equal(config.log_level, LOG_DEBUG);
    assert_string_equal(config.db_config, "postgres");
    assert_true(config.stale_reject);
    assert_true(config.log_json);
    assert_true(config.openssl_fips_mode);
    config_done(&config);
}

static void
test_hashes_are_kept_in_lower_case(void **state)
{
    struct config config;
    char text[200] = "{\"UserTokenHash\": \"";
    memset(text + strlen(text), 'A', 128);
    memcpy(text + strlen(text), "\"}", 3);
    assert_int_equal(apply(&config, text, NULL, NULL), 0);
    assert_int_equal(strspn(config.user_token_hash, "a"), 128);
    config_done(&config);
}

static void
test_a_later_layer_wins_and_is_named(void **state)
{
    struct config config;
    assert_int_equal(
        apply(&config, "{\"HTTPS_PORT\": 1, \"TrustAnchors\": [\"a\", \"b\"]}", NULL, NULL), 0);
    struct span second = span_of_text("{\"HTTPS_PORT\": 2, \"TrustAnchors\": [\"c\"]}");
    assert_int_equal(config_apply_json(&config, "local.json", second, NULL, NULL, NULL), 0);
    assert_int_equal(config.https_port, 2);
    assert_int_equal(config.trust_anchor_count, 1);
    assert_string_equal(config.trust_anchors[0], "c");
    assert_string_equal(config.origins[CONFIG_HTTPS_PORT], "local.json");
    assert_null(config.origins[CONFIG_HOSTS]);
    config_done(&config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_wrong_types),
        cmocka_unit_test(test_refuses_numbers_out_of_bounds),
        cmocka_unit_test(test_refuses_sizes_and_durations_of_other_forms),
        cmocka_unit_test(test_refuses_unknown_words),
        cmocka_unit_test(test_refuses_hashes_of_other_forms_and_never_shows_them),
        cmocka_unit_test(test_refuses_control_characters_and_texts_without_end),
        cmocka_unit_test(test_refuses_more_anchors_than_the_ceiling),
        cmocka_unit_test(test_a_refused_value_leaves_the_one_before),
        cmocka_unit_test(test_defaults_are_those_of_the_contract),
        cmocka_unit_test(test_takes_every_form_of_a_value),
        cmocka_unit_test(test_words_are_taken_in_any_case_and_kept_in_one),
        cmocka_unit_test(test_hashes_are_kept_in_lower_case),
        cmocka_unit_test(test_a_later_layer_wins_and_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
