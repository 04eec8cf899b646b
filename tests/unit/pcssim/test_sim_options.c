/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line: wrong usage is refused with a line that names the option.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pcssim/sim_options.h"

static int
parse(const char *const *words, struct sim_options *options, struct fault *why)
{
    char *argv[16] = {(char *)"pcs-sim"};
    int argc = 1;
    while (words[argc - 1] != NULL) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    return sim_options_parse(argc, argv, options, why);
}

static void
test_refuses_wrong_usage(void **state)
{
    static const char *const bad[][4] = {
        {"--bogus"},          {"--port"},       {"--port", "x"},
        {"--port", "65536"},  {"--port", "-1"}, {"--generate", "1000001"},
        {"--fail", "*:rain"}, {"surplus"},      {"--time-shift", "1y"},
        {"--delay-ms", "-1"}, {"--seed", ""},   {"--generate-fmspcs", "0"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct sim_options options;
        struct fault why = {0};
        assert_int_equal(parse(bad[i], &options, &why), FAULT_INPUT);
        assert_true(why.text[0] != '\0');
    }
}

static void
test_refuses_plain_http_beyond_loopback(void **state)
{
    static const char *const plain[] = {"--host", "0.0.0.0", NULL};
    static const char *const tls[] = {"--host", "0.0.0.0", "--tls", NULL};
    struct sim_options options;
    struct fault why = {0};
    assert_int_equal(parse(plain, &options, &why), FAULT_INPUT);
    assert_non_null(strstr(why.text, "--tls"));
    assert_int_equal(parse(tls, &options, &why), 0);
    assert_true(options.tls);
}

static void
test_takes_every_spelling_of_help(void **state)
{
    static const char *const words[][2] = {{"-h"}, {"-help"}, {"-?"}, {"--help"}};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        struct sim_options options;
        assert_int_equal(parse(words[i], &options, NULL), 0);
        assert_true(options.help);
    }
}

static void
test_reads_what_is_given(void **state)
{
    static const char *const words[] = {"--port",       "0",      "--fleet-size",  "10000",
                                        "--fail",       "*:drop", "--fail",        "pckcrl:expired",
                                        "--time-shift", "-99",    "--require-key", NULL};
    struct sim_options options;
    assert_int_equal(parse(words, &options, NULL), 0);
    assert_int_equal(options.generate, 10000);
    assert_int_equal(options.faults.count, 2);
    assert_int_equal(options.faults.list[1].endpoint, SIM_PCKCRL);
    assert_int_equal(options.time_shift_s, -99);
    assert_true(options.key_required);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_wrong_usage),
        cmocka_unit_test(test_refuses_plain_http_beyond_loopback),
        cmocka_unit_test(test_takes_every_spelling_of_help),
        cmocka_unit_test(test_reads_what_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
