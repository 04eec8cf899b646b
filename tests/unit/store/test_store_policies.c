/* SPDX-License-Identifier: BSD-3-Clause */
/* Appraisal policies: one default per FMSPC and type. */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

static int
put(struct fixture *f, const char *id, int type, bool is_default, const char *policy)
{
    struct policy_row row = {
        .type = type, .is_default = is_default, .policy = span_of_text(policy)};
    snprintf(row.id, sizeof row.id, "%s", id);
    snprintf(row.fmspc.hex, sizeof row.fmspc.hex, "00906EA10000");
    return store_put_policy(f->store, &row, NULL);
}

static const char *
load(struct fixture *f, const char *fmspc_hex)
{
    static char text[256];
    struct fmspc fmspc;
    assert_true(fmspc_parse(span_of_text(fmspc_hex), &fmspc));
    struct buf b = BUF_INIT(200);
    assert_int_equal(0, buf_add_text(&b, "<"));
    int code = store_load_policies(f->store, &fmspc, &b, NULL);
    assert_true(code == 0 || code == FAULT_NOT_FOUND);
    snprintf(text, sizeof text, "%s", buf_text(&b));
    buf_done(&b);
    return text;
}

static void
test_no_default_policy_is_not_found(void **state)
{
    struct fixture *f = *state;
    assert_string_equal("<", load(f, "00906EA10000"));
    assert_int_equal(0, put(f, "id1", 0, false, "a.b.c"));
    assert_string_equal("<", load(f, "00906EA10000"));
}

static void
test_refuses_a_policy_above_its_ceiling(void **state)
{
    struct fixture *f = *state;
    char *policy = malloc(LIMIT_POLICY_BYTES + 2);
    memset(policy, 'a', LIMIT_POLICY_BYTES + 1);
    policy[LIMIT_POLICY_BYTES + 1] = '\0';
    assert_int_equal(FAULT_TOO_LARGE, put(f, "id", 0, true, policy));
    policy[LIMIT_POLICY_BYTES] = '\0';
    assert_int_equal(0, put(f, "id", 0, true, policy));
    free(policy);
}

static void
test_policies_that_do_not_fit_leave_the_buffer_as_it_was(void **state)
{
    struct fixture *f = *state;
    char policy[150];
    memset(policy, 'a', sizeof policy - 1);
    policy[sizeof policy - 1] = '\0';
    assert_int_equal(0, put(f, "id1", 0, true, policy));
    assert_int_equal(0, put(f, "id2", 1, true, policy));
    struct fmspc fmspc = {"00906EA10000"};
    struct buf b = BUF_INIT(200);
    assert_int_equal(0, buf_add_text(&b, "<"));
    assert_int_equal(FAULT_STORE, store_load_policies(f->store, &fmspc, &b, NULL));
    assert_string_equal("<", buf_text(&b));
    buf_done(&b);
}

static void
test_default_policies_are_joined_by_commas(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, put(f, "id1", 0, true, "sgx"));
    assert_string_equal("<sgx", load(f, "00906EA10000"));
    assert_int_equal(0, put(f, "id2", 1, true, "tdx"));
    assert_string_equal("<sgx,tdx", load(f, "00906EA10000"));
    assert_string_equal("<", load(f, "30606A000000"));
}

static void
test_a_new_default_unsets_only_its_own_type(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, put(f, "id1", 0, true, "sgx"));
    assert_int_equal(0, put(f, "id2", 1, true, "tdx"));
    assert_int_equal(0, put(f, "id3", 1, true, "tdx2"));
    assert_string_equal("<sgx,tdx2", load(f, "00906EA10000"));
    assert_int_equal(3, fixture_number(f, "SELECT count(*) FROM appraisal_policies"));
}

static void
test_a_policy_put_again_takes_its_new_default(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, put(f, "id1", 0, true, "sgx"));
    assert_int_equal(0, put(f, "id2", 0, false, "other"));
    assert_string_equal("<sgx", load(f, "00906EA10000"));
    assert_int_equal(0, put(f, "id2", 0, true, "other"));
    assert_string_equal("<other", load(f, "00906EA10000"));
    assert_int_equal(0, put(f, "id2", 0, false, "other"));
    assert_string_equal("<", load(f, "00906EA10000"));
}

static void
test_a_failed_put_leaves_the_old_default(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, put(f, "id1", 0, true, "sgx"));
    fixture_fail(f, "INSERT", "appraisal_policies", NULL);
    assert_int_equal(FAULT_STORE, put(f, "id2", 0, true, "new"));
    assert_string_equal("<sgx", load(f, "00906EA10000"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_no_default_policy_is_not_found),
        FIXTURE_TEST(test_refuses_a_policy_above_its_ceiling),
        FIXTURE_TEST(test_policies_that_do_not_fit_leave_the_buffer_as_it_was),
        FIXTURE_TEST(test_default_policies_are_joined_by_commas),
        FIXTURE_TEST(test_a_new_default_unsets_only_its_own_type),
        FIXTURE_TEST(test_a_policy_put_again_takes_its_new_default),
        FIXTURE_TEST(test_a_failed_put_leaves_the_old_default),
    };
    return FIXTURE_RUN(tests);
}
