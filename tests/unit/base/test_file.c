/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole files: ceilings on reading, all or nothing on writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

static char folder[64];

static const char *
path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int
make_folder(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/pccs-file-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static unsigned
count_files(void)
{
    unsigned count = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        count += e->d_name[0] != '.';
    }
    closedir(d);
    return count;
}

static int
remove_folder(void **state)
{
    DIR *d = opendir(folder);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (e->d_name[0] != '.') {
            unlink(path_of(e->d_name));
        }
    }
    closedir(d);
    return rmdir(folder);
}

static void
test_refuses_a_missing_file_with_errno(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(100);
    struct fault why = {0};
    assert_int_equal(file_read(path_of("missing"), &b, &why), FAULT_IO);
    assert_int_equal(why.number, ENOENT);
    assert_non_null(strstr(why.text, "missing"));
    assert_int_equal(file_read(folder, &b, &why), FAULT_IO);
    assert_int_equal(why.number, EISDIR);
}

static void
test_refuses_a_file_one_byte_too_large(void **state)
{
    struct fault why = {0};
    assert_int_equal(file_write_atomic(path_of("five"), span_of_text("12345"), 0600, &why), 0);
    auto_cleanup(buf_done) struct buf small = BUF_INIT(4);
    assert_int_equal(file_read(path_of("five"), &small, &why), FAULT_TOO_LARGE);
    assert_int_equal(small.size, 0);
    auto_cleanup(buf_done) struct buf enough = BUF_INIT(5);
    assert_int_equal(file_read(path_of("five"), &enough, &why), 0);
    assert_string_equal(buf_text(&enough), "12345");
}

static void
test_refuses_an_endless_file(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(10000);
    struct fault why = {0};
    assert_int_equal(file_read("/dev/zero", &b, &why), FAULT_TOO_LARGE);
    assert_int_equal(b.size, 0);
}

static void
test_refuses_a_buf_that_has_failed(void **state)
{
    struct buf b = {.failed = FAULT_MEMORY};
    struct fault why = {0};
    assert_int_equal(file_read("/dev/null", &b, &why), FAULT_MEMORY);
}

static void
test_reads_files_that_do_not_tell_their_size(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(100000);
    struct fault why = {0};
    buf_add_text(&b, "before:");
    assert_int_equal(file_read("/proc/self/status", &b, &why), 0);
    assert_memory_equal(b.data, "before:Name:", 12);
    assert_true(b.size > 100);
}

static void
test_replaces_the_old_file_and_leaves_nothing_beside_it(void **state)
{
    struct fault why = {0};
    auto_cleanup(buf_done) struct buf b = BUF_INIT(100);
    assert_int_equal(file_write_atomic(path_of("kept"), span_of_text("old"), 0640, &why), 0);
    assert_int_equal(file_write_atomic(path_of("kept"), span_of_text("new!"), 0600, &why), 0);
    assert_int_equal(file_read(path_of("kept"), &b, &why), 0);
    assert_string_equal(buf_text(&b), "new!");
    struct stat status;
    assert_int_equal(stat(path_of("kept"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(count_files(), 1);
}

static void
test_a_failed_write_keeps_the_old_file(void **state)
{
    struct fault why = {0};
    assert_int_equal(file_write_atomic(path_of("old"), span_of_text("old"), 0600, &why), 0);
    unsigned before = count_files();
    /* a full disk, played by the limit on file sizes, in a process of its own */
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {.rlim_cur = 2, .rlim_max = 2};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        int code = file_write_atomic(path_of("old"), span_of_text("longer"), 0600, &why);
        _exit(code == FAULT_IO && why.number == EFBIG ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    auto_cleanup(buf_done) struct buf b = BUF_INIT(100);
    assert_int_equal(file_read(path_of("old"), &b, &why), 0);
    assert_string_equal(buf_text(&b), "old");
    assert_int_equal(count_files(), before);
}

static void
test_refuses_to_write_where_no_folder_is(void **state)
{
    struct fault why = {0};
    assert_int_equal(file_write_atomic(path_of("no/such"), span_of_text("x"), 0600, &why),
                     FAULT_IO);
    assert_int_equal(why.number, ENOENT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refuses_a_missing_file_with_errno, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_refuses_a_file_one_byte_too_large, make_folder,
                                        remove_folder),
        cmocka_unit_test(test_refuses_an_endless_file),
        cmocka_unit_test(test_refuses_a_buf_that_has_failed),
        cmocka_unit_test(test_reads_files_that_do_not_tell_their_size),
        cmocka_unit_test_setup_teardown(test_replaces_the_old_file_and_leaves_nothing_beside_it,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_failed_write_keeps_the_old_file, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_refuses_to_write_where_no_folder_is, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
