/* SPDX-License-Identifier: BSD-3-Clause */
/* Ownership helpers, and the end of the process on a broken rule of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

static void
test_a_broken_rule_aborts_and_names_its_place(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        int one = 1;
        dup2(ends[1], STDERR_FILENO);
        must(one == 2);
        _exit(0);
    }
    close(ends[1]);
    char text[256] = "";
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "one == 2"));
    assert_non_null(strstr(text, "test_mem.c"));
}

static void
test_taken_ownership_leaves_null_behind(void **state)
{
    auto_free char *text = malloc(4);
    assert_non_null(text);
    char *before = text;
    auto_free char *taken = take(&text);
    assert_ptr_equal(taken, before);
    assert_null(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broken_rule_aborts_and_names_its_place),
        cmocka_unit_test(test_taken_ownership_leaves_null_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
