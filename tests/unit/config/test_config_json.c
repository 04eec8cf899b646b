/* SPDX-License-Identifier: BSD-3-Clause */
/* The file: comments, the reference's own layout, unknown keys by name, strict otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/mem.h"
#include "config_help.h"

static void
test_refuses_what_is_no_json(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "{",
                                        "{]",
                                        "{} {}",
                                        "{'a': 1}",
                                        "{a: 1}",
                                        "{\"a\" 1}",
                                        "{\"a\": 01}",
                                        "{\"a\": 1,,}",
                                        "{,}",
                                        "{\"a\": [,]}",
                                        "{\"a\": +1}",
                                        "{\"a\": \"\n\"}",
                                        "// only a comment",
                                        "{\"a\": 1} /"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_true(is_refused(texts[i], "test.json: expected JSON with comments", "", ""));
    }
    assert_true(is_refused("[]", "expected a JSON object", "", ""));
    assert_true(is_refused("null", "expected a JSON object", "", ""));
}

static void
test_refuses_a_comment_that_is_not_closed(void **state)
{
    assert_true(is_refused("{} /* ", "a comment is not closed", "", ""));
    assert_true(is_refused("{} /*/", "a comment is not closed", "", ""));
    assert_true(is_refused("{} /", "expected JSON", "", ""));
}

static void
test_refuses_a_key_that_stands_twice(void **state)
{
    assert_true(is_refused("{\"HTTPS_PORT\": 1, \"HTTPS_PORT\": 2}", "twice", "", ""));
}

static void
test_refuses_a_section_that_is_no_object(void **state)
{
    assert_true(is_refused("{\"mysql\": \"x\"}", "mysql: expected an object", "", ""));
    assert_true(is_refused("{\"mysql\": {\"options\": []}}", "mysql.options: expected", "", ""));
    assert_true(
        is_refused("{\"mysql\": {\"options\": {\"pool\": 5}}}", "mysql.options.pool", "", ""));
    assert_true(is_refused("{\"sqlite\": null}", "sqlite: expected an object", "", ""));
}

static void
test_refuses_files_above_the_ceiling(void **state)
{
    auto_free char *text = malloc(LIMIT_CONFIG_BYTES + 2);
    assert_non_null(text);
    memset(text, ' ', LIMIT_CONFIG_BYTES + 2);
    memcpy(text, "{}", 2);
    for (size_t extra = 0; extra <= 1; extra++) {
        struct config config;
        config_init(&config);
        assert_int_equal(config_apply_json(&config, "x", span_of(text, LIMIT_CONFIG_BYTES + extra),
                                           NULL, NULL, NULL),
                         extra == 0 ? 0 : FAULT_CONFIG);
        config_done(&config);
    }
}

static void
test_refuses_json_that_is_too_deep(void **state)
{
    char text[200] = "{\"mysql\": ";
    memset(text + strlen(text), '[', 100);
    assert_true(is_refused(text, "test.json: ", "", ""));
}

static void
test_comments_are_blanks_but_not_in_strings(void **state)
{
    static const char text[] =
        "\xef\xbb\xbf// first\r\n{ /* port: */ \"HTTPS_PORT\" : /**/ 9, // x\n"
        "  /* \"HTTPS_PORT\": 1, // */ \"TlsKey\": \"a//b/*c*/\\\"//d\",\n"
        "  \"LogFile\": \"\\\\\" // \"\n"
        "} // the end";
    struct config config;
    struct warnings warnings = {0};
    assert_int_equal(apply(&config, text, &warnings, NULL), 0);
    assert_int_equal(warnings.count, 0);
    assert_int_equal(config.https_port, 9);
    assert_string_equal(config.tls_key, "a//b/*c*/\"//d");
    assert_string_equal(config.log_file, "\\");
    config_done(&config);
}

/* Layout and keys as in the reference's default.json: a comma stays behind once the example section
 * is a comment. */
static const char reference_layout[] =
    "{\n"
    "    \"HTTPS_PORT\" : 8082,\n"
    "    \"hosts\" : \"0.0.0.0\",\n"
    "    \"uri\": \"https://api.trustedservices.intel.com/sgx/certification/v4/\",\n"
    "    \"ApiKey\": \"\",\n"
    "    \"proxy\" : \"\",\n"
    "    \"RefreshSchedule\": \"0 0 1 * * *\",\n"
    "    \"UserTokenHash\" : \"\",\n"
    "    \"AdminTokenHash\" : \"\",\n"
    "    \"CachingFillMode\" : \"REQ\",\n"
    "    \"OPENSSL_FIPS_MODE\" : false,\n"
    "    \"LogLevel\" : \"info\",\n"
    "    \"DB_CONFIG\" : \"sqlite\",\n"
    "    \"sqlite\" : {\n"
    "        \"database\" : \"d\", \"username\" : \"u\", \"password\" : \"p\",\n"
    "        \"options\" : {\n"
    "            \"host\": \"localhost\", \"dialect\": \"sqlite\",\n"
    "            \"pool\": {\"max\": 5, \"min\": 0, \"acquire\": 30000, \"idle\": 10000},\n"
    "            \"define\": {\"freezeTableName\": true},\n"
    "            \"logging\" : false,\n"
    "            \"storage\": \"my.db\"\n"
    "        }\n"
    "    },\n"
    "    //\"mysql\" : {   // only if DB_CONFIG == \"mysql\"\n"
    "    //}\n"
    "}\n";

static void
test_a_file_of_the_reference_works_as_it_is(void **state)
{
    struct config config;
    struct warnings warnings = {0};
    struct fault why = {0};
    assert_int_equal(apply(&config, reference_layout, &warnings, &why), 0);
    assert_int_equal(config_check(&config, &why), 0);
    assert_string_equal(warnings.text, "");
    assert_int_equal(config.https_port, 8082);
    assert_int_equal(config.mode, CACHE_MODE_REQ);
    assert_string_equal(config.sqlite_storage, "my.db");
    config_done(&config);
}

static void
test_a_database_section_of_the_reference_works_as_it_is(void **state)
{
    static const char text[] =
        "{\"DB_CONFIG\": \"mysql\", \"mysql\" : { \"database\" : \"cache\", \"username\" : "
        "\"pccs\","
        "\"password\" : \"p\", \"options\" : {\"host\": \"db\", \"port\": \"3307\","
        "\"dialect\": \"mysql\", \"pool\": {\"max\": 7, \"min\": 0, \"acquire\": 1, \"idle\": 1},"
        "\"define\": {\"freezeTableName\": true}, \"logging\" : false, \"dialectOptions\": {}},"
        "\"ssl\":{\"required\": true, \"ca\":\"/ca.pem\"}}}";
    struct config config;
    struct warnings warnings = {0};
    assert_int_equal(apply(&config, text, &warnings, NULL), 0);
    assert_int_equal(config_check(&config, NULL), 0);
    assert_string_equal(warnings.text, "");
    assert_string_equal(config.db_server.database, "cache");
    assert_string_equal(config.db_server.username, "pccs");
    assert_string_equal(config.db_server.password, "p");
    assert_string_equal(config.db_server.host, "db");
    assert_int_equal(config.db_server.port, 3307);
    assert_int_equal(config.db_server.pool_max, 7);
    assert_true(config.db_server.ssl_required);
    assert_string_equal(config.db_server.ssl_ca, "/ca.pem");
    config_done(&config);
}

static void
test_unknown_keys_are_told_by_name_and_do_no_harm(void **state)
{
    struct config config;
    struct warnings warnings = {0};
    assert_int_equal(apply(&config,
                           "{\"Colour\": {\"a\": [1]}, \"mysql\": {\"options\": {\"depth\": 1}},"
                           "\"https_port\": 7, \"max_request_body_size\": 1, \"mysql.password\": 1,"
                           "\"ssl\": null, \"\": 1, \"HTTPS_PORT\": 9}",
                           &warnings, NULL),
                     0);
    assert_int_equal(warnings.count, 7);
    assert_non_null(strstr(warnings.text, "test.json: unknown key Colour\n"));
    assert_non_null(strstr(warnings.text, "unknown key mysql.options.depth\n"));
    assert_non_null(strstr(warnings.text, "unknown key https_port; is HTTPS_PORT meant?\n"));
    assert_non_null(
        strstr(warnings.text, "unknown key max_request_body_size; is MaxRequestBodySize meant?\n"));
    assert_int_equal(config.https_port, 9);
    assert_string_equal(config.db_sections[0].password, "");
    config_done(&config);
}

static void
test_very_long_names_are_only_unknown(void **state)
{
    char text[1000] = "{\"";
    memset(text + 2, 'x', 700);
    memcpy(text + 702, "\": 1}", 6);
    struct config config;
    struct warnings warnings = {0};
    assert_int_equal(apply(&config, text, &warnings, NULL), 0);
    assert_int_equal(warnings.count, 1);
    config_done(&config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_is_no_json),
        cmocka_unit_test(test_refuses_a_comment_that_is_not_closed),
        cmocka_unit_test(test_refuses_a_key_that_stands_twice),
        cmocka_unit_test(test_refuses_a_section_that_is_no_object),
        cmocka_unit_test(test_refuses_files_above_the_ceiling),
        cmocka_unit_test(test_refuses_json_that_is_too_deep),
        cmocka_unit_test(test_comments_are_blanks_but_not_in_strings),
        cmocka_unit_test(test_a_file_of_the_reference_works_as_it_is),
        cmocka_unit_test(test_a_database_section_of_the_reference_works_as_it_is),
        cmocka_unit_test(test_unknown_keys_are_told_by_name_and_do_no_harm),
        cmocka_unit_test(test_very_long_names_are_only_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
