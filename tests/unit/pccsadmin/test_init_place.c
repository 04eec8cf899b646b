/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of a takeover change places together, or all stays as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "pccsadmin/init_place.h"

static char folder[64];
static char names[8][PATH_MAX];

static const char *
in_folder(size_t slot, const char *name)
{
    snprintf(names[slot], PATH_MAX, "%s/%s", folder, name);
    return names[slot];
}

static void
write_file(const char *name, const char *content)
{
    assert_int_equal(file_write_atomic(in_folder(7, name), span_of_text(content), 0600, NULL), 0);
}

static void
assert_content(const char *name, const char *wanted)
{
    struct buf b = BUF_INIT(256);
    assert_int_equal(file_read(in_folder(7, name), &b, NULL), 0);
    assert_string_equal(buf_text(&b), wanted);
    buf_done(&b);
}

static void
assert_absent(const char *name)
{
    assert_int_equal(access(in_folder(7, name), F_OK), -1);
}

static int
make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/pccs-place-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

/* Fails if anything was left behind that the test does not name. */
static int
remove_folder(void **state)
{
    static const char *const known[] = {
        "a", "a-wal", "b", "a.before-takeover", "a.before-takeover-wal", "a.before-takeover.2"};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        unlink(in_folder(7, known[i]));
    }
    rmdir(in_folder(7, "new"));
    return rmdir(folder);
}

static void
test_refuses_a_path_that_is_too_long(void **state)
{
    static struct placing placing;
    char path[PATH_MAX];
    struct placing_item *item = NULL;
    struct fault why;
    (void)state;
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(placing_add(&placing, path, &item, &why), FAULT_CONFIG);
    assert_int_equal(placing.count, 0);
}

static void
test_refuses_where_the_folder_cannot_be_made(void **state)
{
    static struct placing placing;
    struct fault why;
    (void)state;
    assert_int_equal(
        placing_add_text(&placing, in_folder(0, "no/way/a"), span_of_text("x"), 0600, &why),
        FAULT_IO);
    assert_non_null(strstr(why.text, "/no/way"));
}

static void
test_a_failure_half_way_takes_all_back(void **state)
{
    static struct placing placing;
    struct placing_item *item = NULL;
    struct fault why;
    (void)state;
    write_file("a", "old");
    write_file("a-wal", "old log");
    assert_int_equal(placing_add_text(&placing, in_folder(0, "a"), span_of_text("new"), 0600, &why),
                     0);
    /* nobody writes what the second one shall be */
    assert_int_equal(placing_add(&placing, in_folder(1, "b"), &item, &why), 0);
    assert_int_equal(placing_commit(&placing, &why), FAULT_IO);
    assert_content("a", "old");
    assert_content("a-wal", "old log");
    assert_absent("b");
    assert_absent("a.before-takeover");
    placing_done(&placing);
    assert_absent("a.taking-over");
}

static void
test_what_is_not_placed_is_removed(void **state)
{
    static struct placing placing;
    struct fault why;
    (void)state;
    assert_int_equal(placing_add_text(&placing, in_folder(0, "a"), span_of_text("new"), 0600, &why),
                     0);
    placing_done(&placing);
    assert_absent("a");
    assert_absent("a.taking-over");
}

static void
test_the_old_file_keeps_its_journal_under_a_new_name(void **state)
{
    static struct placing placing;
    struct fault why;
    (void)state;
    write_file("a", "old");
    write_file("a-wal", "old log");
    assert_int_equal(placing_add_text(&placing, in_folder(0, "a"), span_of_text("new"), 0600, &why),
                     0);
    assert_int_equal(placing_commit(&placing, &why), 0);
    assert_string_equal(placing.items[0].kept, in_folder(1, "a.before-takeover"));
    placing_done(&placing);
    assert_content("a", "new");
    assert_absent("a-wal");
    assert_content("a.before-takeover", "old");
    assert_content("a.before-takeover-wal", "old log");
    assert_int_equal(
        placing_add_text(&placing, in_folder(0, "a"), span_of_text("newer"), 0600, &why), 0);
    assert_int_equal(placing_commit(&placing, &why), 0);
    placing_done(&placing);
    assert_content("a.before-takeover", "old");
    assert_content("a.before-takeover.2", "new");
}

static void
test_what_a_killed_run_left_is_replaced(void **state)
{
    static struct placing placing;
    struct fault why;
    struct stat status;
    (void)state;
    write_file("a.taking-over", "half");
    write_file("a.taking-over-journal", "half");
    assert_int_equal(placing_add_text(&placing, in_folder(0, "a"), span_of_text("new"), 0640, &why),
                     0);
    assert_int_equal(placing_commit(&placing, &why), 0);
    placing_done(&placing);
    assert_content("a", "new");
    assert_int_equal(stat(in_folder(1, "a"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refuses_a_path_that_is_too_long, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_refuses_where_the_folder_cannot_be_made, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_a_failure_half_way_takes_all_back, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_what_is_not_placed_is_removed, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_the_old_file_keeps_its_journal_under_a_new_name,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_what_a_killed_run_left_is_replaced, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
