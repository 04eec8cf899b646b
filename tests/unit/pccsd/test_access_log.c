/* SPDX-License-Identifier: BSD-3-Clause */
/* A fault of the service's own is told to an operator at any level; other answers are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "pccsd/access_log.h"

static char path[] = "/tmp/pccs-access-XXXXXX";

/* What is logged, at level error, for one answer. */
static void
logged_for(int status, enum fault_code fault, struct buf *text)
{
    struct exchange exchange = {.request_id = "0123", .method = "GET", .path = "/x", .peer = "::1"};
    struct log_options options = {.level = LOG_ERROR, .path = path};
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(log_open(&options, NULL), 0);
    access_log_write(&exchange, status, 0, fault, "a rule was broken");
    log_close();
    assert_int_equal(file_read(path, text, NULL), 0);
}

static void
test_what_a_client_did_is_no_error_of_the_service(void **state)
{
    static const int statuses[] = {200, 400, 404, 502, 503};
    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct buf text = BUF_INIT(4096);
        logged_for(statuses[i], statuses[i] == 200 ? FAULT_NONE : FAULT_INPUT, &text);
        assert_string_equal(buf_text(&text), "");
        buf_done(&text);
    }
}

static void
test_a_500_is_an_internal_error_with_its_request_id_and_reason(void **state)
{
    struct buf text = BUF_INIT(4096);
    (void)state;
    logged_for(500, FAULT_INTERNAL, &text);
    assert_non_null(strstr(buf_text(&text), " error internal "));
    assert_non_null(strstr(buf_text(&text), "0123"));
    assert_non_null(strstr(buf_text(&text), "a rule was broken"));
    buf_done(&text);
}

static int
make_file(void **state)
{
    int fd = mkstemp(path);
    (void)state;
    return fd >= 0 ? close(fd) : -1;
}

static int
remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_client_did_is_no_error_of_the_service),
        cmocka_unit_test(test_a_500_is_an_internal_error_with_its_request_id_and_reason),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
