/* SPDX-License-Identifier: BSD-3-Clause */
/* Output files appear whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pccsadmin/out_file.h"

static char folder[64];
static char path[128];

static int
make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/pccs-out-XXXXXX");
    char *made = mkdtemp(folder);
    snprintf(path, sizeof path, "%s/out.json", folder);
    return made == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails if something was left behind */
}

static void
assert_content(const char *wanted)
{
    struct buf b = BUF_INIT(256);
    assert_int_equal(file_read(path, &b, NULL), 0);
    assert_string_equal(buf_text(&b), wanted);
    buf_done(&b);
}

static void
test_refuses_a_folder_that_is_not_there(void **state)
{
    struct out_file file = {0};
    struct fault why;
    (void)state;
    assert_int_equal(out_file_open("/nonexistent/x/y", &file, &why), FAULT_IO);
    assert_null(file.stream);
    out_file_abort(&file);
}

static void
test_an_aborted_file_leaves_the_old_one_and_nothing_else(void **state)
{
    struct out_file file;
    struct fault why;
    (void)state;
    assert_int_equal(file_write_atomic(path, span_of_text("old"), 0644, &why), 0);
    assert_int_equal(out_file_open(path, &file, &why), 0);
    out_file_write_text(&file, "new");
    assert_content("old");
    out_file_abort(&file);
    assert_content("old");
}

static void
test_a_committed_file_is_whole_with_its_parts(void **state)
{
    struct out_file file;
    struct out_file part;
    struct fault why;
    (void)state;
    assert_int_equal(out_file_open(path, &file, &why), 0);
    assert_int_equal(out_file_open(path, &part, &why), 0);
    out_file_write_text(&part, "middle");
    out_file_write_text(&file, "<");
    assert_int_equal(out_file_append(&file, &part, &why), 0);
    out_file_write_text(&file, ">");
    out_file_abort(&part);
    assert_int_equal(out_file_commit(&file, &why), 0);
    assert_content("<middle>");
}

static void
test_a_full_disk_is_told_and_the_old_file_stays(void **state)
{
    struct out_file file;
    struct fault why;
    (void)state;
    assert_int_equal(file_write_atomic(path, span_of_text("old"), 0644, &why), 0);
    assert_int_equal(out_file_open(path, &file, &why), 0);
    fclose(file.stream);
    file.stream = fopen("/dev/full", "w");
    assert_non_null(file.stream);
    out_file_write_text(&file, "new");
    assert_int_equal(out_file_commit(&file, &why), FAULT_IO);
    assert_content("old");
}

static void
test_an_array_without_elements_is_no_file(void **state)
{
    struct out_array array = {.path = path};
    struct fault why;
    (void)state;
    assert_int_equal(out_array_commit(&array, &why), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(out_array_add(&array, span_of_text("1"), &why), 0);
    assert_int_equal(out_array_add(&array, span_of_text("2"), &why), 0);
    assert_int_equal(out_array_commit(&array, &why), 0);
    assert_content("[1, 2]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_refuses_a_folder_that_is_not_there),
        TEST(test_an_aborted_file_leaves_the_old_one_and_nothing_else),
        TEST(test_a_committed_file_is_whole_with_its_parts),
        TEST(test_a_full_disk_is_told_and_the_old_file_stays),
        TEST(test_an_array_without_elements_is_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
