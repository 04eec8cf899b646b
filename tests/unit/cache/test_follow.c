/* SPDX-License-Identifier: BSD-3-Clause */
/* What another instance on the same database wrote is served here, proved; what it replaces is
 * not. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "shared_store.h"

enum { SIGNER_SERIAL = 102 };

static struct shared_store *shared;

static int
setup(void **state)
{
    int failed = fixture_setup(state);
    if (failed == 0) {
        shared = shared_store_begin(*state);
    }
    return failed;
}

static int
teardown(void **state)
{
    shared_store_end(*state);
    return fixture_teardown(state);
}

/* Writes as another instance does: into the store, and nothing here knows of it. */
static void
write_elsewhere(struct fixture *f, const struct item_key *key)
{
    struct fault why = {0};
    struct proven *proven = fixture_proven(f, key);
    const struct proven *items[] = {proven};
    const struct store_batch batch = {.items = items, .item_count = 1};
    assert_int_equal(store_put(f->store, &batch, &why), 0);
    proven_unref(proven);
}

static void
follow(struct fixture *f, const struct item_key *keys, size_t count)
{
    struct fault why = {0};
    shared->news = keys;
    shared->news_count = count;
    assert_int_equal(cache_follow(f->cache, 0, &why), 0);
}

static void
follow_anything(struct fixture *f)
{
    shared->is_anything = true;
    follow(f, NULL, 0);
}

static void
expect_kept(struct fixture *f, const char *target, int status, bool is_stale)
{
    struct response *response = fixture_look(f, target);
    if (status == 0) {
        assert_null(response);
        return;
    }
    assert_non_null(response);
    assert_int_equal(response->status, status);
    assert_int_equal(response->is_stale, is_stale);
    response_unref(response);
}

static void
ask(struct fixture *f, const char *target, int status)
{
    struct response *response = fixture_ask(f, "GET", target);
    assert_int_equal(response->status, status);
    response_unref(response);
}

static bool
memory_says(struct fixture *f, const char *target, const char *text)
{
    struct response *response = fixture_look(f, target);
    bool says = response != NULL &&
                memmem(response->body.data, response->body.size, text, strlen(text)) != NULL;
    response_unref(response);
    return says;
}

/* ---- refusals ---- */

static void
test_what_does_not_verify_is_not_served(void **state)
{
    struct fixture *f = *state;
    struct item_key key = tcb_key();
    ask(f, TCB_TARGET, 200);
    f->number = 18;
    write_elsewhere(f, &key);
    shared->tampers = true;
    follow(f, &key, 1);
    expect_kept(f, TCB_TARGET, 0, false);
}

static void
test_what_cannot_be_read_now_is_no_longer_served_from_memory(void **state)
{
    struct fixture *f = *state;
    struct item_key key = tcb_key();
    struct item_key platform = {
        .kind = ITEM_PCK, .api_version = 4, .platform = {.qeid = "P1", .pceid = "0000"}};
    ask(f, TCB_TARGET, 200);
    shared->load_fault = FAULT_STORE;
    follow(f, &key, 1);
    follow(f, &platform, 1);
    expect_kept(f, TCB_TARGET, 0, false);
}

static void
test_a_store_that_cannot_be_asked_is_told_of(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    shared->fault = FAULT_STORE;
    assert_int_equal(cache_follow(f->cache, 0, &why), FAULT_STORE);
    assert_string_equal(why.text, "scripted");
}

/* ---- following ---- */

static void
test_what_another_instance_wrote_is_served_from_memory(void **state)
{
    struct fixture *f = *state;
    struct item_key key = tcb_key();
    ask(f, TCB_TARGET, 200);
    f->number = 18;
    write_elsewhere(f, &key);
    assert_true(memory_says(f, TCB_TARGET, "\"tcbEvaluationDataNumber\":17"));
    follow(f, &key, 1);
    assert_true(memory_says(f, TCB_TARGET, "\"tcbEvaluationDataNumber\":18"));
    assert_int_equal(f->fetches, 1);
}

static void
test_a_remembered_refusal_ends_with_a_write_elsewhere(void **state)
{
    struct fixture *f = *state;
    static const enum fault_code faults[] = {FAULT_NOT_FOUND, FAULT_UPSTREAM_DOWN};
    struct item_key key = {.kind = ITEM_IDENTITY, .api_version = 4, .update = UPDATE_STANDARD};
    static const char *const targets[] = {"/sgx/certification/v4/qe/identity",
                                          "/sgx/certification/v4/qve/identity"};
    static const enum enclave enclaves[] = {ENCLAVE_QE, ENCLAVE_QVE};
    for (size_t i = 0; i < ARRAY_COUNT(faults); i++) {
        f->fault = faults[i];
        ask(f, targets[i], faults[i] == FAULT_NOT_FOUND ? 404 : 503);
        f->fetches = 0;
        ask(f, targets[i], faults[i] == FAULT_NOT_FOUND ? 404 : 503);
        assert_int_equal(f->fetches, 0); /* it is remembered */
        key.enclave = enclaves[i];
        write_elsewhere(f, &key);
        follow(f, &key, 1);
        expect_kept(f, targets[i], 200, false);
        assert_int_equal(f->fetches, 0);
    }
}

static void
test_a_pck_crl_is_served_in_every_encoding(void **state)
{
    struct fixture *f = *state;
    static const char *const targets[] = {"/sgx/certification/v4/pckcrl?ca=processor",
                                          "/sgx/certification/v4/pckcrl?ca=processor&encoding=der",
                                          "/sgx/certification/v4/pckcrl?ca=processor&encoding=pem"};
    struct item_key key = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PROCESSOR};
    struct response *before[ARRAY_COUNT(targets)];
    for (size_t i = 0; i < ARRAY_COUNT(targets); i++) {
        before[i] = fixture_ask(f, "GET", targets[i]);
    }
    f->issued_at += 60;
    write_elsewhere(f, &key);
    follow(f, &key, 1);
    for (size_t i = 0; i < ARRAY_COUNT(targets); i++) {
        struct response *after = fixture_look(f, targets[i]);
        assert_non_null(after);
        assert_false(span_equal(before[i]->body, after->body));
        response_unref(before[i]);
        response_unref(after);
    }
}

static void
test_a_revocation_elsewhere_judges_everything_anew(void **state)
{
    struct fixture *f = *state;
    const struct item_key root = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    ask(f, TCB_TARGET, 200);
    f->issued_at += 60;
    f->revoked_by_root = SIGNER_SERIAL;
    write_elsewhere(f, &root);
    follow(f, &root, 1);
    expect_kept(f, TCB_TARGET, 0, false);
    struct response *response = fixture_ask(f, "GET", TCB_TARGET);
    assert_true(response->is_stale);
    response_unref(response);
}

static void
test_anything_may_have_changed(void **state)
{
    struct fixture *f = *state;
    const struct item_key root = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    ask(f, TCB_TARGET, 200);
    f->revoked_by_root = SIGNER_SERIAL;
    f->issued_at += 60;
    write_elsewhere(f, &root);
    follow_anything(f);
    expect_kept(f, TCB_TARGET, 0, false);
    struct response *response = fixture_ask(f, "GET", TCB_TARGET);
    assert_true(response->is_stale); /* the CRLs were read, too */
    response_unref(response);
}

static void
put_certs_elsewhere(struct fixture *f, const struct item_key *key)
{
    struct fault why = {0};
    struct store_platform known = {0};
    assert_int_equal(store_load_platform_brief(f->store, &key->platform, &known, &why), 0);
    struct proven *certs = fixture_proven(f, key);
    for (size_t i = 0; i < known.mapping_count; i++) {
        memcpy(known.mappings[i].tcbm, certs->pcks[0].tcbm, sizeof certs->pcks[0].tcbm);
    }
    const struct store_platform_put put = {.id = key->platform,
                                           .keep_identity = true,
                                           .certs = certs,
                                           .mappings = known.mappings,
                                           .mapping_count = known.mapping_count};
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    assert_int_equal(store_put(f->store, &batch, &why), 0);
    proven_unref(certs);
    store_platform_done(&known);
}

static void
test_every_raw_tcb_of_a_platform_gets_its_new_certificate(void **state)
{
    struct fixture *f = *state;
    struct item_key key = {
        .kind = ITEM_PCK, .api_version = 4, .platform = {.qeid = "P1", .pceid = "0000"}};
    char targets[2][2048];
    for (int i = 0; i < 2; i++) {
        pckcert_target("P1", 9 - i, targets[i]);
        ask(f, targets[i], 200);
        expect_kept(f, targets[i], 200, false);
    }
    f->pck_first = 7;
    put_certs_elsewhere(f, &key);
    follow(f, &key, 1);
    for (int i = 0; i < 2; i++) {
        struct response *response = fixture_ask(f, "GET", targets[i]);
        assert_non_null(memmem(response->head.data, response->head.size, "SGX-TCBm: 0700", 14));
        response_unref(response);
    }
}

static void
test_policies_are_read_again(void **state)
{
    struct fixture *f = *state;
    static const char target[] = "/sgx/certification/v4/appraisalpolicy?fmspc=" FIXTURE_FMSPC;
    struct policy_row row = {.id = "one", .is_default = true, .policy = span_of_text("a.b.c")};
    struct item_key key = {.kind = ITEM_POLICIES, .api_version = 4};
    struct fault why = {0};
    memcpy(row.fmspc.hex, FIXTURE_FMSPC, sizeof FIXTURE_FMSPC);
    key.fmspc = row.fmspc;
    ask(f, target, 404);
    assert_int_equal(store_put_policy(f->store, &row, &why), 0);
    follow(f, &key, 1);
    ask(f, target, 200);
    assert_true(memory_says(f, target, "a.b.c"));
    row.policy = span_of_text("d.e.f");
    assert_int_equal(store_put_policy(f->store, &row, &why), 0);
    follow(f, &key, 1);
    ask(f, target, 200);
    assert_true(memory_says(f, target, "d.e.f"));
}

/* ---- claims ---- */

static void
six_seconds(struct fixture *f)
{
    f->monotonic_ms += 6000;
}

static void
test_claims_are_renewed_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct item_key keys[4] = {tcb_key(), tcb_key(), tcb_key(), tcb_key()};
    follow(f, NULL, 0);
    assert_int_equal(exclusive_begin(f->cache, "key", EXCLUSIVE_INSTANCES, NULL), 0);
    shared->claims = 0;
    follow(f, NULL, 0);
    assert_int_equal(shared->claims, 0); /* not yet */
    six_seconds(f);
    follow(f, NULL, 0);
    assert_int_equal(shared->claims, 1);
    shared->between_news = six_seconds; /* there is much to follow */
    follow(f, keys, ARRAY_COUNT(keys));
    assert_int_equal(shared->claims, 1 + ARRAY_COUNT(keys));
    exclusive_end(f->cache, "key");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_does_not_verify_is_not_served),
        TEST(test_what_cannot_be_read_now_is_no_longer_served_from_memory),
        TEST(test_a_store_that_cannot_be_asked_is_told_of),
        TEST(test_what_another_instance_wrote_is_served_from_memory),
        TEST(test_a_remembered_refusal_ends_with_a_write_elsewhere),
        TEST(test_a_pck_crl_is_served_in_every_encoding),
        TEST(test_a_revocation_elsewhere_judges_everything_anew),
        TEST(test_anything_may_have_changed),
        TEST(test_every_raw_tcb_of_a_platform_gets_its_new_certificate),
        TEST(test_policies_are_read_again),
        TEST(test_claims_are_renewed_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
