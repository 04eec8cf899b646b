/* SPDX-License-Identifier: BSD-3-Clause */
/* The environment: names from keys, text for every kind, files for secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config_help.h"

/* A file system of one file. */
static int
read_one(void *self, const char *path, struct buf *b, struct fault *why)
{
    if (strcmp(path, "/run/secret") != 0) {
        return fault_set(why, FAULT_IO, "file", "no such file");
    }
    return buf_add_text(b, self);
}

static int
apply_one(struct config *config, char *entry, const char *file, struct fault *why)
{
    char *environment[] = {"PATH=/bin", entry, NULL};
    config_init(config);
    return config_apply_environment(config, environment, read_one, (void *)(uintptr_t)file, why);
}

static void
assert_refused(char *entry, const char *file, const char *word, const char *second)
{
    struct config config;
    struct fault why = {0};
    assert_int_equal(apply_one(&config, entry, file, &why), FAULT_CONFIG);
    assert_non_null(strstr(why.text, word));
    assert_non_null(strstr(why.text, second));
    config_done(&config);
}

static void
test_refuses_bad_values_and_names_the_variable(void **state)
{
    assert_refused("PCCS_HTTPS_PORT=", "", "PCCS_HTTPS_PORT: HTTPS_PORT: expected", "0 to 65535");
    assert_refused("PCCS_HTTPS_PORT=8081x", "", "PCCS_HTTPS_PORT", "not \"8081x\"");
    assert_refused("PCCS_HTTPS_PORT= 8081", "", "PCCS_HTTPS_PORT", "65535");
    assert_refused("PCCS_INIT_DB=maybe", "", "init_db", "true or false");
    assert_refused("PCCS_CACHING_FILL_MODE=EAGER", "", "CachingFillMode", "LAZY");
    assert_refused("PCCS_TRUST_ANCHORS=a::b", "", "TrustAnchors", "list");
    assert_refused("PCCS_TRUST_ANCHORS=1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:g:h", "", "TrustAnchors",
                   "at most 16");
    assert_refused("PCCS_REFRESH_BEFORE=6", "", "RefreshBefore", "duration");
}

static void
test_refuses_a_variable_and_its_file_together(void **state)
{
    char *environment[] = {"PCCS_API_KEY=a", "PCCS_API_KEY_FILE=/run/secret", NULL};
    struct config config;
    struct fault why = {0};
    config_init(&config);
    assert_int_equal(config_apply_environment(&config, environment, read_one, "b", &why),
                     FAULT_CONFIG);
    assert_non_null(strstr(why.text, "both set"));
    config_done(&config);
}

static void
test_refuses_files_that_cannot_be_read(void **state)
{
    assert_refused("PCCS_API_KEY_FILE=/none", "", "PCCS_API_KEY_FILE", "no such file");
    static char large[LIMIT_CONFIG_VALUE_BYTES + 10];
    memset(large, 'x', sizeof large - 1);
    assert_refused("PCCS_API_KEY_FILE=/run/secret", large, "PCCS_API_KEY_FILE", "4096");
    assert_refused("PCCS_HTTPS_PORT_FILE=/run/secret", "x", "PCCS_HTTPS_PORT_FILE", "65535");
    char *environment[] = {"PCCS_API_KEY_FILE=/run/secret", NULL};
    struct config config;
    config_init(&config);
    assert_int_equal(config_apply_environment(&config, environment, NULL, NULL, NULL),
                     FAULT_CONFIG);
    config_done(&config);
}

static void
test_secrets_stay_out_of_the_refusal(void **state)
{
    struct config config;
    struct fault why = {0};
    assert_int_equal(apply_one(&config, "PCCS_USER_TOKEN_HASH_FILE=/run/secret", "hunter2", &why),
                     FAULT_CONFIG);
    assert_null(strstr(why.text, "hunter2"));
    config_done(&config);
}

static void
test_names_follow_from_the_keys(void **state)
{
    static const struct {
        enum config_option option;
        const char *name;
    } cases[] = {{CONFIG_HTTPS_PORT, "PCCS_HTTPS_PORT"},
                 {CONFIG_HOSTS, "PCCS_HOSTS"},
                 {CONFIG_URI, "PCCS_URI"},
                 {CONFIG_API_KEY, "PCCS_API_KEY"},
                 {CONFIG_USER_TOKEN_HASH, "PCCS_USER_TOKEN_HASH"},
                 {CONFIG_CACHING_FILL_MODE, "PCCS_CACHING_FILL_MODE"},
                 {CONFIG_OPENSSL_FIPS_MODE, "PCCS_OPENSSL_FIPS_MODE"},
                 {CONFIG_INIT_DB, "PCCS_INIT_DB"},
                 {CONFIG_UPSTREAM_CA_FILE, "PCCS_UPSTREAM_CA_FILE"},
                 {CONFIG_LOG_FILE, "PCCS_LOG_FILE"},
                 {CONFIG_SQLITE_STORAGE, "PCCS_SQLITE_OPTIONS_STORAGE"},
                 {CONFIG_POSTGRES_POOL_MAX, "PCCS_POSTGRES_OPTIONS_POOL_MAX"}};
    char name[CONFIG_ENVIRONMENT_NAME_SIZE];
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        config_option_environment_name(cases[i].option, name);
        assert_string_equal(name, cases[i].name);
    }
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        char other[CONFIG_ENVIRONMENT_NAME_SIZE];
        config_option_environment_name((enum config_option)i, name);
        for (int j = 0; j < i; j++) {
            config_option_environment_name((enum config_option)j, other);
            assert_string_not_equal(name, other);
        }
    }
}

static void
test_text_is_taken_for_every_kind(void **state)
{
    char *environment[] = {"PCCS_HTTPS_PORT=9443",
                           "PCCS_HOSTS=0.0.0.0,::",
                           "PCCS_CACHING_FILL_MODE=OFFLINE",
                           "PCCS_LOG_LEVEL=warn",
                           "PCCS_MAX_REQUEST_BODY_SIZE=4MB",
                           "PCCS_REFRESH_BEFORE=0",
                           "PCCS_INIT_DB=false",
                           "PCCS_DASHBOARD_ENABLED=0",
                           "PCCS_OPENSSL_FIPS_MODE=1",
                           "PCCS_TRUST_ANCHORS=/a.pem:/b.pem",
                           "PCCS_STALE_POLICY=reject",
                           "PCCS_LOG_FILE=-",
                           "PCCS_API_KEY=",
                           "PCCS_MYSQL_PASSWORD=a=b",
                           "PCCS_UPSTREAM_CA_FILE=/ca.pem",
                           NULL};
    struct config config;
    struct fault why = {0};
    config_init(&config);
    assert_int_equal(config_apply_environment(&config, environment, NULL, NULL, &why), 0);
    assert_int_equal(config.https_port, 9443);
    assert_string_equal(config.hosts, "0.0.0.0,::");
    assert_int_equal(config.mode, CACHE_MODE_OFFLINE);
    assert_int_equal(config.log_level, LOG_WARN);
    assert_int_equal(config.max_request_body_bytes, 4194304);
    assert_int_equal(config.refresh_before_s, 0);
    assert_false(config.init_db);
    assert_false(config.dashboard_enabled);
    assert_true(config.openssl_fips_mode);
    assert_int_equal(config.trust_anchor_count, 2);
    assert_string_equal(config.trust_anchors[1], "/b.pem");
    assert_true(config.stale_reject);
    assert_string_equal(config.log_file, "-");
    assert_string_equal(config.db_sections[0].password, "a=b");
    assert_string_equal(config.upstream_ca_file, "/ca.pem");
    assert_string_equal(config.origins[CONFIG_HTTPS_PORT], "PCCS_HTTPS_PORT");
    config_done(&config);
}

static void
test_a_file_loses_its_last_line_end_only(void **state)
{
    static const struct {
        const char *file, *value;
    } cases[] = {{"key\n", "key"}, {"key\r\n", "key"}, {"key", "key"}, {"", ""}, {"\n", ""}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct config config;
        assert_int_equal(apply_one(&config, "PCCS_API_KEY_FILE=/run/secret", cases[i].file, NULL),
                         0);
        assert_string_equal(config.api_key, cases[i].value);
        assert_string_equal(config.origins[CONFIG_API_KEY], "PCCS_API_KEY_FILE");
        config_done(&config);
    }
    assert_refused("PCCS_API_KEY_FILE=/run/secret", "key\n\n", "ApiKey", "control");
}

static void
test_warns_of_variables_that_nothing_answers_to(void **state)
{
    char *environment[] = {"PCCS_HTTP_PORT=1",
                           "PCCS_httpS_PORT=1",
                           "PCCS_=1",
                           "PCCS_API_KEY_FILE_FILE=1",
                           "PCCS_NOVALUE",
                           "NOTPCCS_X=1",
                           "PCCS_API_KEY=secret",
                           "PCCS_API_KEY_FILE=1",
                           "PCCS_ENV=production",
                           "PCCS_ADMIN_TOKEN=secret",
                           "PCCS_TEST_TIME_OFFSET=1",
                           "PCCS_PORT=tcp://10.0.0.1:8081",
                           "PCCS_PORT_8081_TCP=tcp://10.0.0.1:8081",
                           "PCCS_SERVICE_HOST=10.0.0.1",
                           NULL};
    struct warnings warnings = {0};
    config_warn_environment(environment, keep_warning, &warnings);
    assert_int_equal(warnings.count, 5);
    assert_non_null(strstr(warnings.text, "PCCS_HTTP_PORT\n"));
    assert_non_null(strstr(warnings.text, "PCCS_API_KEY_FILE_FILE\n"));
    assert_null(strstr(warnings.text, "="));
    assert_null(strstr(warnings.text, "secret"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_bad_values_and_names_the_variable),
        cmocka_unit_test(test_refuses_a_variable_and_its_file_together),
        cmocka_unit_test(test_refuses_files_that_cannot_be_read),
        cmocka_unit_test(test_secrets_stay_out_of_the_refusal),
        cmocka_unit_test(test_names_follow_from_the_keys),
        cmocka_unit_test(test_text_is_taken_for_every_kind),
        cmocka_unit_test(test_a_file_loses_its_last_line_end_only),
        cmocka_unit_test(test_warns_of_variables_that_nothing_answers_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
