/* SPDX-License-Identifier: BSD-3-Clause */
/* pccsd --check: every key with its value and origin, no secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config_help.h"

static void
print(const char *text, struct buf *b)
{
    struct config config;
    assert_int_equal(apply(&config, text, NULL, NULL), 0);
    assert_int_equal(config_print(&config, b), 0);
    config_done(&config);
}

static void
assert_line(const struct buf *b, const char *line)
{
    assert_non_null(strstr(buf_text(b), line));
}

static void
test_shows_no_secret(void **state)
{
    char text[400] =
        "{\"ApiKey\": \"hunter2\", \"DB_CONFIG\": \"mysql\", \"mysql\": {\"password\": "
        "\"hunter2\"}, \"proxy\": \"http://me:hunter2@proxy:80\", \"MetricsToken\": \"";
    memset(text + strlen(text), 'd', 128);
    memcpy(text + strlen(text), "\"}", 3);
    auto_cleanup(buf_done) struct buf b = BUF_INIT(65536);
    print(text, &b);
    assert_null(strstr(buf_text(&b), "hunter2"));
    assert_null(strstr(buf_text(&b), "dddd"));
    assert_line(&b, "ApiKey = (set)  # test.json\n");
    assert_line(&b, "UserTokenHash = (not set)  # default\n");
    assert_line(&b, "MetricsToken = (set)  # test.json\n");
    assert_line(&b, "mysql.password = (set)  # test.json\n");
    assert_line(&b, "proxy = \"(user)@proxy:80\"  # test.json\n");
}

static void
test_shows_values_as_they_are_written(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(65536);
    print("{\"MaxRequestBodySize\": \"1536KB\", \"RefreshBefore\": \"90m\", \"HTTPS_PORT\": 1,"
          "\"TrustAnchors\": [\"a\", \"b\"], \"LogFormat\": \"json\", \"LogLevel\": \"http\"}",
          &b);
    assert_line(&b, "HTTPS_PORT = 1  # test.json\n");
    assert_line(&b, "MaxRequestBodySize = 1536KB  # test.json\n");
    assert_line(&b, "MemoryCacheSize = 64MB  # default\n");
    assert_line(&b, "RefreshBefore = 90m  # test.json\n");
    assert_line(&b, "CachingFillMode = LAZY  # default\n");
    assert_line(&b, "LogLevel = http  # test.json\n");
    assert_line(&b, "LogFormat = json  # test.json\n");
    assert_line(&b, "StalePolicy = serve  # default\n");
    assert_line(&b, "TrustAnchors = [\"a\", \"b\"]  # test.json\n");
    assert_line(&b, "init_db = true  # default\n");
    assert_line(&b, "hosts = \"127.0.0.1\"  # default\n");
}

static void
test_shows_only_the_database_section_in_use(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(65536);
    print("{\"DB_CONFIG\": \"postgres\", \"mysql\": {\"username\": \"m\"}}", &b);
    assert_line(&b, "postgres.options.port = 5432");
    assert_null(strstr(buf_text(&b), "mysql"));
    assert_null(strstr(buf_text(&b), "sqlite."));
}

static void
test_shows_every_key(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(65536);
    print("{}", &b);
    for (int i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const char *key = config_option_key((enum config_option)i);
        if (strchr(key, '.') == NULL) {
            char line[100];
            snprintf(line, sizeof line, "%s = ", key);
            assert_line(&b, line);
        }
        assert_true(config_option_help((enum config_option)i)[0] != '\0');
    }
}

static void
test_a_full_buffer_is_a_failure(void **state)
{
    struct config config;
    auto_cleanup(buf_done) struct buf b = BUF_INIT(100);
    config_init(&config);
    assert_int_equal(config_print(&config, &b), FAULT_TOO_LARGE);
    config_done(&config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shows_no_secret),
        cmocka_unit_test(test_shows_values_as_they_are_written),
        cmocka_unit_test(test_shows_only_the_database_section_in_use),
        cmocka_unit_test(test_shows_every_key),
        cmocka_unit_test(test_a_full_buffer_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
