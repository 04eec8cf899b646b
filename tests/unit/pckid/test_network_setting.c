/* SPDX-License-Identifier: BSD-3-Clause */
/* network_setting.conf and the words that it shares with the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "pckid/network_setting.h"
#include "pckid/pckid_options.h"
#include "pckid/pckid_upload.h"

static struct network_setting setting;

static void
assert_refused(const char *text, const char *reason)
{
    struct fault why = {.number = 0};
    setting.ignored_line = 77;
    assert_int_equal(network_setting_parse(span_of_text(text), &setting, &why), FAULT_INPUT);
    if (strstr(why.text, reason) == NULL) {
        fail_msg("'%s' does not say '%s'", why.text, reason);
    }
    assert_int_equal(setting.ignored_line, 77);
}

static void
assert_value(const char *text, enum network_key key, const char *expected)
{
    assert_int_equal(network_setting_parse(span_of_text(text), &setting, NULL), 0);
    assert_string_equal(setting.values[key], expected);
}

static void
test_refuses_words_that_nobody_would_understand(void **state)
{
    assert_refused("USE_SECURE_CERT = maybe", "line 1: USE_SECURE_CERT");
    assert_refused("\n#\nTCB_UPDATE_TYPE=late", "line 3: TCB_UPDATE_TYPE");
    assert_refused("PROXY_TYPE = none", "line 1: PROXY_TYPE");
    assert_refused("PCCS_URL = localhost:8081", "line 1: PCCS_URL");
    assert_refused("PCCS_URL = https://user:word@localhost/", "line 1: PCCS_URL");
}

static void
test_refuses_a_line_above_the_ceiling_and_nul(void **state)
{
    char text[NETWORK_VALUE_SIZE + 16];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_refused(text, "longer than");
    struct fault why;
    assert_int_equal(network_setting_parse(span_of("USER_TOKEN=a\0b", 14), &setting, &why),
                     FAULT_INPUT);
    assert_non_null(strstr(why.text, "NUL"));
}

static void
test_white_space_goes_first_also_inside_values(void **state)
{
    assert_value("  USER \t_TOKEN =  to k\ten \r\n", NETWORK_USER_TOKEN, "token");
}

static void
test_a_value_may_hold_an_equals_sign_but_no_comment(void **state)
{
    assert_value("user_token = a=b#c", NETWORK_USER_TOKEN, "a=b#c");
}

static void
test_the_later_of_two_keys_counts(void **state)
{
    assert_value("User_Token=a\nUSER_TOKEN=b\nCOLOUR=red\n", NETWORK_USER_TOKEN, "b");
    assert_int_equal(setting.lines[NETWORK_USER_TOKEN], 2);
    assert_int_equal(setting.ignored_line, 0);
}

static void
test_comments_and_empty_values_set_nothing(void **state)
{
    assert_value("# USER_TOKEN = a\n   # USER_TOKEN = b\n\nUSE_SECURE_CERT =\n", NETWORK_USER_TOKEN,
                 "");
    assert_string_equal(setting.values[NETWORK_USE_SECURE_CERT], "");
}

static void
test_a_line_without_equals_is_remembered(void **state)
{
    assert_value("\nhello\nUSER_TOKEN=a", NETWORK_USER_TOKEN, "a");
    assert_int_equal(setting.ignored_line, 2);
}

static void
test_words_in_any_case(void **state)
{
    enum pckid_update update;
    enum pckid_proxy_type type;
    bool flag;
    assert_true(pckid_update_parse("EARLY", &update) && update == PCKID_UPDATE_EARLY);
    assert_true(pckid_update_parse("Standard", &update) && update == PCKID_UPDATE_STANDARD);
    assert_true(pckid_update_parse("all", &update) && update == PCKID_UPDATE_ALL);
    assert_false(pckid_update_parse("", &update));
    assert_true(pckid_proxy_type_parse("Auto", &type) && type == PCKID_PROXY_DEFAULT);
    assert_true(pckid_proxy_type_parse("MANUAL", &type) && type == PCKID_PROXY_MANUAL);
    assert_true(pckid_proxy_type_parse("direct", &type) && type == PCKID_PROXY_DIRECT);
    assert_false(pckid_proxy_type_parse("directly", &type));
    assert_true(pckid_bool_parse("False", &flag) && !flag);
    assert_false(pckid_bool_parse("0", &flag));
}

/* ---- the command line ---- */

enum { ARGUMENTS_MAX = 8 };

static int
parse(struct pckid_options *options, struct fault *why, const char *a, const char *b, const char *c)
{
    static char words[3][64];
    char *argv[ARGUMENTS_MAX] = {"PCKIDRetrievalTool"};
    const char *given[] = {a, b, c};
    int argc = 1;
    for (int i = 0; i < 3 && given[i] != NULL; i++) {
        strncpy(words[i], given[i], sizeof words[i] - 1);
        argv[argc++] = words[i];
    }
    return pckid_options_parse(argc, argv, options, why);
}

static void
test_refuses_parts_of_options_and_what_is_none(void **state)
{
    static const char *const wrong[] = {"-foo", "-urls",    "-fx.csv", "x.csv", "-", "--f",
                                        "-f=x", "--helper", "--send",  "-f",    "",  "--json=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct pckid_options options;
        struct fault why;
        if (parse(&options, &why, wrong[i], NULL, NULL) != FAULT_INPUT) {
            fail_msg("taken: %s", wrong[i]);
        }
    }
}

static void
test_a_value_is_no_option(void **state)
{
    struct pckid_options options;
    struct fault why;
    assert_int_equal(parse(&options, &why, "-f", "-url", "https://x"), FAULT_INPUT);
    assert_non_null(strstr(why.text, "-f needs a value"));
    assert_int_equal(parse(&options, &why, "-f", "", NULL), FAULT_INPUT);
}

static void
test_an_id_may_be_absent_and_skips_nothing(void **state)
{
    struct pckid_options options;
    assert_int_equal(parse(&options, NULL, "-platform_id", "-f", "x.csv"), 0);
    assert_true(options.is_given[PCKID_PLATFORM_ID]);
    assert_null(options.values[PCKID_PLATFORM_ID]);
    assert_string_equal(options.values[PCKID_FILE], "x.csv");
}

static void
test_help_has_four_names(void **state)
{
    static const char *const words[] = {"-h", "-help", "-?", "--help"};
    for (size_t i = 0; i < 4; i++) {
        struct pckid_options options;
        assert_int_equal(parse(&options, NULL, words[i], NULL, NULL), 0);
        assert_true(options.is_given[PCKID_HELP]);
    }
}

static void
test_values_come_as_words_or_behind_equals(void **state)
{
    struct pckid_options options;
    assert_int_equal(parse(&options, NULL, "--efivars=/a", "--state", "/b"), 0);
    assert_string_equal(options.values[PCKID_EFIVARS], "/a");
    assert_string_equal(options.values[PCKID_STATE], "/b");
}

/* ---- what answers mean ---- */

static void
test_every_status_of_a_pccs_has_its_words(void **state)
{
    static const int statuses[] = {400, 401, 404, 410, 413, 461, 462, 500, 502, 503, 201, 302, 418};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        assert_true(strlen(upload_status_words(statuses[i], span_of_text(""))) > 20);
    }
    assert_string_equal(upload_status_words(200, span_of_text("")), "");
    assert_non_null(
        strstr(upload_status_words(404, span_of_text("No cache data for this platform.")),
               "Factory Reset"));
    assert_non_null(strstr(upload_status_words(404, span_of_text("<html>")), "PCCS_URL"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_words_that_nobody_would_understand),
        cmocka_unit_test(test_refuses_a_line_above_the_ceiling_and_nul),
        cmocka_unit_test(test_refuses_parts_of_options_and_what_is_none),
        cmocka_unit_test(test_a_value_is_no_option),
        cmocka_unit_test(test_white_space_goes_first_also_inside_values),
        cmocka_unit_test(test_a_value_may_hold_an_equals_sign_but_no_comment),
        cmocka_unit_test(test_the_later_of_two_keys_counts),
        cmocka_unit_test(test_comments_and_empty_values_set_nothing),
        cmocka_unit_test(test_a_line_without_equals_is_remembered),
        cmocka_unit_test(test_words_in_any_case),
        cmocka_unit_test(test_an_id_may_be_absent_and_skips_nothing),
        cmocka_unit_test(test_help_has_four_names),
        cmocka_unit_test(test_values_come_as_words_or_behind_equals),
        cmocka_unit_test(test_every_status_of_a_pccs_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
