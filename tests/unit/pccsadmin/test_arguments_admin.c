/* SPDX-License-Identifier: BSD-3-Clause */
/* Command lines: what is refused, and that the spellings of others hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pccsadmin/arguments_admin.h"

enum { WORDS_MAX = 40 };

static int
parse(enum command_id command, const char *const *words, struct arguments *args)
{
    char *argv[WORDS_MAX + 1];
    int argc = 0;
    struct fault why;
    argv[argc++] = (char *)(uintptr_t) "command";
    while (*words != NULL) {
        argv[argc++] = (char *)(uintptr_t)*words++;
    }
    argv[argc] = NULL;
    return arguments_parse(command, argc, argv, args, &why);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
test_refuses_options_of_other_commands_and_stray_words(void **state)
{
    struct arguments args;
    (void)state;
    assert_int_equal(parse(COMMAND_GET, WORDS("-i", "x"), &args), FAULT_INPUT);
    assert_int_equal(parse(COMMAND_GET, WORDS("--jobs", "1"), &args), FAULT_INPUT);
    assert_int_equal(parse(COMMAND_GET, WORDS("word"), &args), FAULT_INPUT);
    assert_int_equal(parse(COMMAND_GET, WORDS("-o"), &args), FAULT_INPUT);
    assert_int_equal(parse(COMMAND_VERIFY, WORDS("a", "b"), &args), FAULT_INPUT);
    assert_int_equal(parse(COMMAND_FETCH, WORDS("--crl=yes"), &args), FAULT_INPUT);
}

static void
test_the_same_letter_means_what_its_command_says(void **state)
{
    struct arguments args;
    (void)state;
    assert_int_equal(parse(COMMAND_GET, WORDS("-s", "[]"), &args), 0);
    assert_string_equal(args.values[ADMIN_SOURCE], "[]");
    assert_int_equal(parse(COMMAND_CACHE, WORDS("-s", "-o", "out"), &args), 0);
    assert_true(arguments_have(&args, ADMIN_SUB_DIR));
    assert_string_equal(args.values[ADMIN_OUTPUT_DIR], "out");
    assert_int_equal(parse(COMMAND_PUT, WORDS("-d"), &args), 0);
    assert_true(arguments_have(&args, ADMIN_DEFAULT));
    assert_int_equal(parse(COMMAND_COLLECT, WORDS("-d", "csv"), &args), 0);
    assert_string_equal(args.values[ADMIN_DIRECTORY], "csv");
}

static void
test_long_forms_and_their_unambiguous_beginnings(void **state)
{
    struct arguments args;
    (void)state;
    assert_int_equal(parse(COMMAND_FETCH, WORDS("--input_file=a", "--output", "b"), &args), 0);
    assert_string_equal(args.values[ADMIN_INPUT_FILE], "a");
    assert_string_equal(args.values[ADMIN_OUTPUT_FILE], "b");
    assert_int_equal(parse(COMMAND_FETCH, WORDS("--o", "b"), &args), FAULT_INPUT);
}

static void
test_repeated_options_are_all_kept_up_to_the_ceiling(void **state)
{
    const char *words[2 * (REPEATED_MAX + 1) + 1] = {0};
    struct arguments args;
    (void)state;
    for (size_t i = 0; i < REPEATED_MAX; i++) {
        words[2 * i] = "--trust-anchor";
        words[2 * i + 1] = "x";
    }
    assert_int_equal(parse(COMMAND_FETCH, words, &args), 0);
    assert_int_equal(args.repeated_count, REPEATED_MAX);
    words[2 * REPEATED_MAX] = "--trust-anchor";
    words[2 * REPEATED_MAX + 1] = "x";
    assert_int_equal(parse(COMMAND_FETCH, words, &args), FAULT_INPUT);
}

static void
test_numbers_keep_their_range(void **state)
{
    static const long range[] = {1, 64, 8};
    static const char *const refused[] = {"0", "65", "", "x", "8x", "-1", "99999999999999999999"};
    struct arguments args;
    struct fault why;
    long number = 0;
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(parse(COMMAND_FETCH, WORDS("--jobs", refused[i]), &args), 0);
        assert_int_equal(arguments_number(&args, ADMIN_JOBS, range, &number, &why), FAULT_INPUT);
    }
    assert_int_equal(parse(COMMAND_FETCH, WORDS("-c"), &args), 0);
    assert_int_equal(arguments_number(&args, ADMIN_JOBS, range, &number, &why), 0);
    assert_int_equal(number, 8);
}

static void
test_help_wins(void **state)
{
    struct arguments args;
    (void)state;
    assert_int_equal(parse(COMMAND_GET, WORDS("--nonsense", "-?"), &args), 0);
    assert_true(args.wants_help);
    assert_int_equal(parse(COMMAND_GET, WORDS("-help"), &args), 0);
    assert_true(args.wants_help);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_options_of_other_commands_and_stray_words),
        cmocka_unit_test(test_the_same_letter_means_what_its_command_says),
        cmocka_unit_test(test_long_forms_and_their_unambiguous_beginnings),
        cmocka_unit_test(test_repeated_options_are_all_kept_up_to_the_ceiling),
        cmocka_unit_test(test_numbers_keep_their_range),
        cmocka_unit_test(test_help_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
