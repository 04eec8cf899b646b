/* SPDX-License-Identifier: BSD-3-Clause */
/* verify() of TCB infos, identities and evaluation data numbers: each single defect is refused
 * (trust.md; reference_faults.md, Trust), then what must be taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/realdata.h"
#include "verify_fixture.h"

static const struct item_key SGX_TCB = {
    .kind = ITEM_TCBINFO, .api_version = 4, .product = PRODUCT_SGX, .fmspc = {"00906EA10000"}};
static const struct item_key QE_IDENTITY = {
    .kind = ITEM_IDENTITY, .api_version = 4, .enclave = ENCLAVE_QE};

/* Signs inner as TCB info and judges it. */
static int
judge_inner(struct verify_fixture *f, const struct item_key *key, const char *member,
            const char *inner)
{
    auto_free char *text = testpki_signed(f->pki->signer_key, member, inner);
    return verify_text(f, key, text, f->pki->signer_chain);
}

static int
judge_tcbinfo(struct verify_fixture *f, const struct item_key *key,
              const struct testpki_tcbinfo *spec)
{
    auto_free char *inner = testpki_tcbinfo_inner(spec);
    return judge_inner(f, key, "tcbInfo", inner);
}

static int
judge_identity(struct verify_fixture *f, const struct item_key *key,
               const struct testpki_identity *spec)
{
    auto_free char *inner = testpki_identity_inner(spec);
    return judge_inner(f, key, "enclaveIdentity", inner);
}

/* ---- signature and envelope ---- */

static void
test_refuses_one_changed_bit_anywhere(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *text = testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){0});
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i += 41) {
        text[i] ^= 1;
        int fault = verify_text(f, &SGX_TCB, text, f->pki->signer_chain);
        if (fault != FAULT_SIGNATURE && fault != FAULT_INPUT) {
            fail_msg("byte %zu: %s", i, fault_word(fault));
        }
        text[i] ^= 1;
    }
    assert_int_equal(verify_text(f, &SGX_TCB, text, f->pki->signer_chain), 0);
}

static void
test_refuses_a_changed_value_under_the_old_signature(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *text = testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){0});
    auto_free char *changed = replace_text(text, "UpToDate", "OutOfDate");
    assert_refused(f, verify_text(f, &SGX_TCB, changed, f->pki->signer_chain), FAULT_SIGNATURE,
                   "signature");
}

static void
test_refuses_reordered_members_under_the_old_signature(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *text = testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){0});
    auto_free char *changed =
        replace_text(text, "\"id\":\"SGX\",\"version\":3,", "\"version\":3,\"id\":\"SGX\",");
    assert_refused(f, verify_text(f, &SGX_TCB, changed, f->pki->signer_chain), FAULT_SIGNATURE,
                   "signature");
}

static void
test_refuses_a_signature_by_a_pck_ca(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *inner = testpki_tcbinfo_inner(&(struct testpki_tcbinfo){0});
    auto_free char *text = testpki_signed(f->pki->ca_keys[0], "tcbInfo", inner);
    assert_refused(f, verify_text(f, &SGX_TCB, text, f->pki->ca_chains[0]), FAULT_CHAIN,
                   "not that of this kind");
    auto_free char *by_root = testpki_signed(f->pki->root_key, "tcbInfo", inner);
    assert_refused(f, verify_text(f, &SGX_TCB, by_root, f->pki->root_pem), FAULT_CHAIN,
                   "two certificates");
}

static void
test_refuses_a_signature_by_a_pck_leaf(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_sgx sgx = testpki_sgx_plain();
    X509 *leaf = testpki_leaf(f->pki, 0, &sgx, 1);
    auto_free char *chain = testpki_pem((X509 *[]){leaf, f->pki->cas[0], f->pki->root}, 3);
    auto_free char *inner = testpki_tcbinfo_inner(&(struct testpki_tcbinfo){0});
    auto_free char *text = testpki_signed(f->pki->leaf_key, "tcbInfo", inner);
    assert_refused(f, verify_text(f, &SGX_TCB, text, chain), FAULT_CHAIN, "two certificates");
    X509_free(leaf);
}

static void
test_refuses_another_envelope(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *inner = testpki_tcbinfo_inner(&(struct testpki_tcbinfo){0});
    auto_free char *signature = testpki_signature(f->pki->signer_key, inner);
    static const char *const formats[] = {
        "{\"signature\":\"%2$s\",\"tcbInfo\":%1$s}",
        "{\"tcbInfo\":%1$s,\"signature\":\"%2$s\",\"x\":1}",
        "{\"x\":1,\"tcbInfo\":%1$s,\"signature\":\"%2$s\"}",
        "{\"tcbInfo\":%1$s,\"x\":1,\"signature\":\"%2$s\"}",
        "{\"tcbInfo\":%1$s,\"tcbInfo\":%1$s,\"signature\":\"%2$s\"}",
        "{\"tcbInfo\":%1$s,\"signature\":\"%2$s\",\"signature\":\"%2$s\"}",
        "{\"tcbInfo\":%1$s,\"signature\":\"%2$.127s\"}",
        "{\"tcbInfo\":%1$s,\"signature\":\"%2$.127sg\"}",
        "{\"tcbInfo\":%1$s,\"signature\":\"%2$s0\"}",
        "{\"tcbInfo\":%1$s,\"signature\":null,\"y\":\"%2$s\"}",
        "{\"tcbInfo\":%1$s,\"Signature\":\"%2$s\"}",
        "{\"enclaveIdentity\":%1$s,\"signature\":\"%2$s\"}",
        "[{\"tcbInfo\":%1$s,\"signature\":\"%2$s\"}]",
        "{\"tcbInfo\":%1$s,\"signature\":\"%2$s\"} x",
        "{\"tcbInfo\":\"%2$s\",\"x\":%1$s}",
        "{\"tcbInfo\":%1$s,\"signature\":\"%2$s\"",
    };
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        char text[8192];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        assert_true(snprintf(text, sizeof text, formats[i], inner, signature) < (int)sizeof text);
#pragma GCC diagnostic pop
        int fault = verify_text(f, &SGX_TCB, text, f->pki->signer_chain);
        if (fault != FAULT_INPUT) {
            fail_msg("%s: %s", formats[i], fault_word(fault));
        }
    }
}

static void
test_refuses_any_200_that_is_not_json(void **state)
{
    struct verify_fixture *f = *state;
    static const char *const texts[] = {"",  "hello", "<html></html>", "null",    "{}", "[]",
                                        "0", "\"x\"", "{\"tcbInfo\":", "\xff\xfe"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_int_equal(verify_text(f, &SGX_TCB, texts[i], f->pki->signer_chain), FAULT_INPUT);
        assert_int_equal(verify_text(f, &QE_IDENTITY, texts[i], f->pki->signer_chain), FAULT_INPUT);
    }
}

static void
test_refuses_a_duplicate_member_even_if_signed(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *inner = testpki_tcbinfo_inner(&(struct testpki_tcbinfo){0});
    auto_free char *twice = replace_text(inner, "\"tcbType\":0", "\"tcbType\":0,\"tcbType\":0");
    assert_refused(f, judge_inner(f, &SGX_TCB, "tcbInfo", twice), FAULT_INPUT, "twice");
    auto_free char *deep = replace_text(inner, "{\"svn\":0}", "{\"svn\":0,\"svn\":0}");
    assert_refused(f, judge_inner(f, &SGX_TCB, "tcbInfo", deep), FAULT_INPUT, "twice");
}

static void
test_refuses_nesting_beyond_the_ceiling(void **state)
{
    struct verify_fixture *f = *state;
    char nest[1000];
    memset(nest, '[', 500);
    memset(nest + 500, ']', 499);
    nest[999] = '\0';
    auto_free char *inner = testpki_tcbinfo_inner(&(struct testpki_tcbinfo){0});
    auto_free char *to = NULL;
    assert_true(asprintf(&to, "\"x\":[%s,\"tcbType\"", nest) > 0);
    auto_free char *deep = replace_text(inner, "\"tcbType\"", to);
    assert_int_equal(judge_inner(f, &SGX_TCB, "tcbInfo", deep), FAULT_INPUT);
}

/* ---- chain ---- */

static void
test_refuses_a_chain_to_another_root(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki *other = testpki_new();
    auto_free char *text = testpki_tcbinfo(other, &(struct testpki_tcbinfo){0});
    assert_refused(f, verify_text(f, &SGX_TCB, text, other->signer_chain), FAULT_CHAIN, "anchor");
    /* their item under our chain */
    assert_refused(f, verify_text(f, &SGX_TCB, text, f->pki->signer_chain), FAULT_SIGNATURE, "");
    testpki_free(other);
}

static void
test_refuses_a_chain_in_the_wrong_order(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *text = testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){0});
    auto_free char *chain = testpki_pem((X509 *[]){f->pki->root, f->pki->signer}, 2);
    assert_refused(f, verify_text(f, &SGX_TCB, text, chain), FAULT_CHAIN, "names do not chain");
}

static void
test_refuses_when_no_chain_came_and_none_is_at_hand(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *text = testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){0});
    assert_refused(f, verify_text(f, &SGX_TCB, text, NULL), FAULT_NO_CHAIN, "rule 8");
    assert_refused(f, verify_text(f, &SGX_TCB, text, ""), FAULT_NO_CHAIN, "rule 8");
    f->context.tcb_signing_chain_pem = f->pki->signer_chain;
    assert_int_equal(verify_text(f, &SGX_TCB, text, NULL), 0);
    /* a bad chain that came is not replaced by the good one at hand */
    assert_int_equal(verify_text(f, &SGX_TCB, text, "hello"), FAULT_CHAIN);
    f->context.tcb_signing_chain_pem = NULL;
}

static void
test_refuses_a_signer_expired_at_issue(void **state)
{
    struct verify_fixture *f = *state;
    X509 *signer = testpki_certify(&(struct testpki_cert){.common_name = "Intel SGX TCB Signing",
                                                          .key = f->pki->signer_key,
                                                          .issuer = f->pki->root,
                                                          .issuer_key = f->pki->root_key,
                                                          .not_after = TESTPKI_NOW - TESTPKI_DAY,
                                                          .key_usage = "digitalSignature"});
    auto_free char *chain = testpki_pem((X509 *[]){signer, f->pki->root}, 2);
    auto_free char *late =
        testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){.issued = "2025-06-30T12:00:00Z"});
    assert_refused(f, verify_text(f, &SGX_TCB, late, chain), FAULT_CHAIN, "not valid when");
    /* issued before the end: authentic, but stale since then (rules 1 and 5) */
    auto_free char *early = testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){0});
    auto_proven struct proven *proven = verify_needed(f, &SGX_TCB, span_of_text(early), chain);
    assert_true(proven->fresh_until == TESTPKI_NOW - TESTPKI_DAY);
    assert_false(proven_is_fresh(proven, TESTPKI_NOW));
    X509_free(signer);
}

static void
test_refuses_a_new_item_by_a_revoked_signer(void **state)
{
    struct verify_fixture *f = *state;
    struct x509_crl *crl = make_crl(f->pki->root, f->pki->root_key, 102);
    auto_free char *text = testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){0});
    f->context.root_crl = crl;
    assert_refused(f, verify_text(f, &SGX_TCB, text, f->pki->signer_chain), FAULT_REVOKED,
                   "rule 1");
    f->context.origin = VERIFY_UPLOAD;
    assert_int_equal(verify_text(f, &SGX_TCB, text, f->pki->signer_chain), FAULT_REVOKED);
    f->context.origin = VERIFY_STORE; /* cached: stale and reported */
    auto_proven struct proven *proven =
        verify_needed(f, &SGX_TCB, span_of_text(text), f->pki->signer_chain);
    assert_true(proven->signer_revoked);
    assert_false(proven_is_fresh(proven, TESTPKI_NOW));
    f->context.origin = VERIFY_UPSTREAM;
    f->context.root_crl = NULL;
    x509_crl_free(crl);
}

/* ---- the right place, the right time ---- */

static void
test_refuses_tcb_info_of_another_place(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key tdx = SGX_TCB, v3 = SGX_TCB, numbered = SGX_TCB;
    tdx.product = PRODUCT_TDX;
    v3.api_version = 3;
    numbered.update = UPDATE_NUMBERED;
    numbered.eval_number = 18;
    struct testpki_tcbinfo plain = {0}, other = {.fmspc = "00906EA10001"};
    struct testpki_tcbinfo tdx_info = {.id = "TDX"}, old = {.version = 2};
    assert_refused(f, judge_tcbinfo(f, &SGX_TCB, &other), FAULT_MISMATCH, "FMSPC");
    assert_refused(f, judge_tcbinfo(f, &SGX_TCB, &tdx_info), FAULT_MISMATCH, "id is TDX");
    assert_refused(f, judge_tcbinfo(f, &tdx, &plain), FAULT_MISMATCH, "id is SGX");
    assert_refused(f, judge_tcbinfo(f, &SGX_TCB, &old), FAULT_MISMATCH, "version 2");
    assert_refused(f, judge_tcbinfo(f, &v3, &plain), FAULT_MISMATCH, "version 3");
    assert_refused(f, judge_tcbinfo(f, &numbered, &plain), FAULT_MISMATCH, "is 17, not 18");
    numbered.eval_number = 17;
    assert_int_equal(judge_tcbinfo(f, &numbered, &plain), 0);
    assert_int_equal(judge_tcbinfo(f, &tdx, &tdx_info), 0);
    assert_int_equal(judge_tcbinfo(f, &v3, &old), 0);
}

static void
test_takes_an_fmspc_in_either_case(void **state)
{
    struct verify_fixture *f = *state;
    assert_int_equal(judge_tcbinfo(f, &SGX_TCB, &(struct testpki_tcbinfo){.fmspc = "00906ea10000"}),
                     0);
}

static void
test_refuses_the_identity_of_another_enclave(void **state)
{
    struct verify_fixture *f = *state;
    static const enum enclave enclaves[] = {ENCLAVE_QE, ENCLAVE_QVE, ENCLAVE_TDQE, ENCLAVE_QAE};
    for (size_t i = 0; i < ARRAY_COUNT(enclaves); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(enclaves); j++) {
            struct item_key key = QE_IDENTITY;
            key.enclave = enclaves[j];
            struct testpki_identity spec = {.id = enclave_word(enclaves[i])};
            assert_int_equal(judge_identity(f, &key, &spec), i == j ? 0 : FAULT_MISMATCH);
        }
    }
}

static void
test_refuses_unknown_versions_and_other_numbers(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key numbered = QE_IDENTITY;
    numbered.update = UPDATE_NUMBERED;
    numbered.eval_number = 16;
    assert_int_equal(judge_identity(f, &QE_IDENTITY, &(struct testpki_identity){.version = 3}),
                     FAULT_MISMATCH);
    assert_int_equal(judge_identity(f, &QE_IDENTITY, &(struct testpki_identity){.version = 1}),
                     FAULT_MISMATCH);
    assert_int_equal(judge_identity(f, &numbered, &(struct testpki_identity){.number = 17}),
                     FAULT_MISMATCH);
    assert_int_equal(judge_identity(f, &numbered, &(struct testpki_identity){.number = 16}), 0);
    assert_int_equal(judge_tcbinfo(f, &SGX_TCB, &(struct testpki_tcbinfo){.version = 4}),
                     FAULT_INPUT);
}

static void
test_refuses_an_issue_date_more_than_a_day_ahead(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_tcbinfo ahead = {.issued = "2025-07-02T00:00:01Z"};
    assert_refused(f, judge_tcbinfo(f, &SGX_TCB, &ahead), FAULT_MISMATCH, "24 hours");
    ahead.issued = "2025-07-02T00:00:00Z";
    assert_int_equal(judge_tcbinfo(f, &SGX_TCB, &ahead), 0);
    struct testpki_identity identity = {.issued = "2030-01-01T00:00:00Z"};
    assert_refused(f, judge_identity(f, &QE_IDENTITY, &identity), FAULT_MISMATCH, "24 hours");
}

static void
test_refuses_unreadable_and_missing_dates(void **state)
{
    struct verify_fixture *f = *state;
    static const char *const dates[] = {"", "yesterday", "2025-02-30T00:00:00Z", "2025-06-19",
                                        "2025-06-19T10:56:11+00:00"};
    for (size_t i = 0; i < ARRAY_COUNT(dates); i++) {
        assert_int_equal(judge_tcbinfo(f, &SGX_TCB, &(struct testpki_tcbinfo){.issued = dates[i]}),
                         FAULT_INPUT);
        assert_int_equal(
            judge_identity(f, &QE_IDENTITY, &(struct testpki_identity){.next = dates[i]}),
            FAULT_INPUT);
    }
    auto_free char *inner = testpki_tcbinfo_inner(&(struct testpki_tcbinfo){0});
    auto_free char *without = replace_text(inner, "\"nextUpdate\":\"" TESTPKI_NEXT "\",", "");
    assert_refused(f, judge_inner(f, &SGX_TCB, "tcbInfo", without), FAULT_INPUT, "nextUpdate");
}

static void
test_expired_is_not_forged(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *text =
        testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){.issued = "2024-01-01T00:00:00Z",
                                                          .next = "2024-02-01T00:00:00Z"});
    auto_proven struct proven *proven =
        verify_needed(f, &SGX_TCB, span_of_text(text), f->pki->signer_chain);
    assert_false(proven_is_fresh(proven, TESTPKI_NOW));
    assert_true(proven->next_update_at == 1706745600);
}

static void
test_refuses_what_breaks_clients_by_size(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *inner = testpki_tcbinfo_inner(&(struct testpki_tcbinfo){0});
    size_t chain = strlen(f->pki->signer_chain);
    size_t envelope = strlen("{\"tcbInfo\":,\"signature\":\"\"}") + 128;
    size_t frame = strlen("\"x\":\"\",");
    size_t room = LIMIT_ITEM_WITH_CHAIN_BYTES - chain - envelope - strlen(inner) - frame;
    for (size_t more = 0; more < 2; more++) {
        auto_free char *to = malloc(room + 64);
        memcpy(to, "{\"x\":\"", 6);
        memset(to + 6, 'A', room + more);
        memcpy(to + 6 + room + more, "\",", 3);
        auto_free char *padded = replace_text(inner, "{", to);
        int fault = judge_inner(f, &SGX_TCB, "tcbInfo", padded);
        assert_int_equal(fault, more == 0 ? 0 : FAULT_OVERSIZE);
    }
}

static void
test_refuses_large_qe_identities_but_not_qve(void **state)
{
    struct verify_fixture *f = *state;
    static const struct {
        enum enclave enclave;
        int fault;
    } rows[] = {{ENCLAVE_QE, FAULT_OVERSIZE},
                {ENCLAVE_TDQE, FAULT_OVERSIZE},
                {ENCLAVE_QVE, 0},
                {ENCLAVE_QAE, 0}};
    auto_free char *to = malloc(70001);
    memcpy(to, "{\"x\":\"", 6);
    memset(to + 6, 'A', 70000 - 8);
    memcpy(to + 70000 - 2, "\",", 3);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct item_key key = QE_IDENTITY;
        key.enclave = rows[i].enclave;
        auto_free char *inner =
            testpki_identity_inner(&(struct testpki_identity){.id = enclave_word(rows[i].enclave)});
        auto_free char *padded = replace_text(inner, "{", to);
        assert_int_equal(judge_inner(f, &key, "enclaveIdentity", padded), rows[i].fault);
    }
}

/* ---- evaluation data numbers, FMSPCs, policies ---- */

#define EVALNUMBERS(id, version)                                                                   \
    "{\"id\":\"" id "\",\"version\":" version ",\"issueDate\":\"" TESTPKI_ISSUED                   \
    "\",\"nextUpdate\":\"" TESTPKI_NEXT "\",\"tcbEvalNumbers\":[{\"tcbEvaluationDataNumber\":17,"  \
    "\"tcbRecoveryEventDate\":\"2024-11-12T00:00:00Z\",\"tcbDate\":\"2024-11-13T00:00:00Z\"}]}"

static void
test_evaluation_numbers_belong_to_their_product(void **state)
{
    struct verify_fixture *f = *state;
    const char *member = "tcbEvaluationDataNumbers";
    struct item_key sgx = {.kind = ITEM_EVALNUMBERS, .api_version = 4, .product = PRODUCT_SGX};
    struct item_key tdx = {.kind = ITEM_EVALNUMBERS, .api_version = 4, .product = PRODUCT_TDX};
    assert_int_equal(judge_inner(f, &tdx, member, EVALNUMBERS("SGX", "1")), FAULT_MISMATCH);
    assert_int_equal(judge_inner(f, &sgx, member, EVALNUMBERS("TDX", "1")), FAULT_MISMATCH);
    assert_int_equal(judge_inner(f, &sgx, member, EVALNUMBERS("SGX", "2")), FAULT_MISMATCH);
    assert_int_equal(judge_inner(f, &sgx, "tcbInfo", EVALNUMBERS("SGX", "1")), FAULT_INPUT);
    auto_free char *empty = replace_text(EVALNUMBERS("SGX", "1"), "[{", "[],\"x\":[{");
    assert_int_equal(judge_inner(f, &sgx, member, empty), FAULT_INPUT);
    assert_int_equal(judge_inner(f, &sgx, member, EVALNUMBERS("SGX", "1")), 0);
    assert_int_equal(judge_inner(f, &tdx, member, EVALNUMBERS("TDX", "1")), 0);
}

static void
test_fmspcs_are_checked_in_form(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = {.kind = ITEM_FMSPCS, .api_version = 4, .url = "all"};
    static const char *const bad[] = {
        "",
        "{}",
        "[1]",
        "[{}]",
        "hello",
        "[{\"fmspc\":\"00906EA10000\"}]",
        "[{\"fmspc\":\"00906EA1000\",\"platform\":\"E3\"}]",
        "[{\"fmspc\":\"00906EA10000\",\"platform\":7}]",
        "[{\"fmspc\":\"00906EA10000\",\"fmspc\":\"00906EA10000\",\"platform\":\"E3\"}]"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(verify_text(f, &key, bad[i], NULL), FAULT_INPUT);
    }
    assert_int_equal(verify_text(f, &key, "[]", NULL), 0);
    auto_proven struct proven *proven = verify_needed(
        f, &key, span_of_text("[ {\"fmspc\": \"00906EA10000\", \"platform\": \"E3\"} ]"), NULL);
    assert_string_equal(buf_text(&proven->body),
                        "[{\"fmspc\":\"00906EA10000\",\"platform\":\"E3\"}]");
    assert_true(proven->fresh_until == INT64_MAX);
}

static void
test_more_fmspcs_than_the_ceiling_are_refused(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = {.kind = ITEM_FMSPCS, .api_version = 4, .url = "all"};
    auto_cleanup(buf_done) struct buf list = BUF_INIT(LIMIT_UPSTREAM_BODY_BYTES);
    buf_add_byte(&list, '[');
    for (int i = 0; i <= LIMIT_FMSPCS; i++) {
        buf_add_format(&list, "%s{\"fmspc\":\"%012X\",\"platform\":\"E3\"}", i > 0 ? "," : "", i);
    }
    buf_add_byte(&list, ']');
    assert_refused(f, verify_bytes(f, &key, buf_span(&list), NULL), FAULT_INPUT, "more than");
}

static void
test_policies_have_a_door_of_their_own(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = {.kind = ITEM_POLICIES, .api_version = 4};
    assert_int_equal(verify_text(f, &key, "x", f->pki->signer_chain), FAULT_INTERNAL);
}

/* ---- what is taken, and kept ---- */

static void
test_drops_blanks_and_changes_nothing_else(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *text = testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){0});
    auto_free char *spaced = with_blanks(text);
    assert_true(strlen(spaced) > strlen(text));
    auto_proven struct proven *proven =
        verify_needed(f, &SGX_TCB, span_of_text(spaced), f->pki->signer_chain);
    assert_string_equal(buf_text(&proven->body), text);
    assert_int_equal(proven->tcbinfo->level_count, 2);
    assert_int_equal(proven->tcbinfo->tcb_evaluation_data_number, 17);
}

static void
test_blanks_within_strings_are_signed_bytes(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *text = testpki_tcbinfo(f->pki, &(struct testpki_tcbinfo){0});
    auto_free char *changed = replace_text(text, "Early Microcode", "EarlyMicrocode");
    assert_int_equal(verify_text(f, &SGX_TCB, changed, f->pki->signer_chain), FAULT_SIGNATURE);
}

static void
test_keeps_dates_and_writes_the_chain_anew(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *text = testpki_identity(f->pki, &(struct testpki_identity){0});
    auto_free char *crlf = replace_text(f->pki->signer_chain, "\n", "\r\n");
    auto_free char *encoded = testpki_percent_encode(crlf);
    auto_proven struct proven *proven = verify_needed(f, &QE_IDENTITY, span_of_text(text), encoded);
    assert_string_equal(proven->chain_pem, f->pki->signer_chain);
    assert_null(strchr(proven->chain_pem, '\r'));
    assert_string_equal(proven->root_pem, f->pki->root_pem);
    assert_int_equal(strncmp(proven->signer_pem, proven->chain_pem, strlen(proven->signer_pem)), 0);
    assert_true(proven->issued_at == 1750330571);
    assert_true(proven->next_update_at == proven->issued_at + 30 * TESTPKI_DAY);
    assert_true(proven->fresh_until == proven->next_update_at);
    assert_true(proven_is_fresh(proven, TESTPKI_NOW));
    assert_false(proven_is_fresh(proven, proven->next_update_at));
    assert_true(item_key_equal(&proven->key, &QE_IDENTITY));
}

static void
test_refuses_foreign_bytes_in_a_chain(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *text = testpki_identity(f->pki, &(struct testpki_identity){0});
    static const char *const between[] = {"\nSet-Cookie: a=b\n", "\r\n\r\nhello\n", "\n\x01\n"};
    for (size_t i = 0; i < ARRAY_COUNT(between); i++) {
        auto_free char *chain = replace_text(f->pki->signer_chain, "\n", between[i]);
        assert_int_equal(verify_text(f, &QE_IDENTITY, text, chain), FAULT_CHAIN);
        auto_free char *encoded = testpki_percent_encode(chain);
        assert_int_equal(verify_text(f, &QE_IDENTITY, text, encoded), FAULT_CHAIN);
    }
}

static void
test_an_older_item_is_known_by_its_date(void **state)
{
    struct verify_fixture *f = *state;
    auto_free char *old_text =
        testpki_identity(f->pki, &(struct testpki_identity){.issued = "2025-06-18T00:00:00Z"});
    auto_free char *new_text = testpki_identity(f->pki, &(struct testpki_identity){0});
    auto_proven struct proven *old =
        verify_needed(f, &QE_IDENTITY, span_of_text(old_text), f->pki->signer_chain);
    auto_proven struct proven *new =
        verify_needed(f, &QE_IDENTITY, span_of_text(new_text), f->pki->signer_chain);
    assert_true(proven_is_older(old, new));
    assert_false(proven_is_older(new, old));
    assert_false(proven_is_older(new, new)); /* equal dates: the new one is taken */
    struct proven *shared = proven_ref(new);
    proven_unref(shared);
    assert_true(new->issued_at == 1750330571);
}

static void
test_intels_own_items_verify_and_stay_byte_for_byte(void **state)
{
    struct realdata *real = realdata_load();
    if (real == NULL) {
        skip();
    }
    struct verify_fixture *f = *state;
    struct trust_anchors *builtin = NULL;
    assert_int_equal(trust_anchors_builtin(&builtin, &f->why), 0);
    struct item_key tcb = SGX_TCB;
    assert_true(fmspc_parse(span_of_text("00A067110000"), &tcb.fmspc));
    assert_refused(f, verify_text(f, &tcb, real->tcbinfo, real->tcb_chain), FAULT_CHAIN, "anchor");
    f->context.anchors = builtin;
    auto_proven struct proven *proven =
        verify_needed(f, &tcb, span_of_text(real->tcbinfo_blanks), real->tcb_chain);
    assert_string_equal(buf_text(&proven->body), real->tcbinfo);
    assert_int_equal(proven->tcbinfo->level_count, 11);
    auto_proven struct proven *identity =
        verify_needed(f, &QE_IDENTITY, span_of_text(real->qe_identity), real->tcb_chain);
    assert_string_equal(buf_text(&identity->body), real->qe_identity);
    auto_free char *forged = replace_text(real->tcbinfo, "SWHardeningNeeded", "UpToDate");
    assert_int_equal(verify_text(f, &tcb, forged, real->tcb_chain), FAULT_SIGNATURE);
    f->context.anchors = f->anchors;
    trust_anchors_free(builtin);
    realdata_free(real);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_one_changed_bit_anywhere),
        cmocka_unit_test(test_refuses_a_changed_value_under_the_old_signature),
        cmocka_unit_test(test_refuses_reordered_members_under_the_old_signature),
        cmocka_unit_test(test_refuses_a_signature_by_a_pck_ca),
        cmocka_unit_test(test_refuses_a_signature_by_a_pck_leaf),
        cmocka_unit_test(test_refuses_another_envelope),
        cmocka_unit_test(test_refuses_any_200_that_is_not_json),
        cmocka_unit_test(test_refuses_a_duplicate_member_even_if_signed),
        cmocka_unit_test(test_refuses_nesting_beyond_the_ceiling),
        cmocka_unit_test(test_refuses_a_chain_to_another_root),
        cmocka_unit_test(test_refuses_a_chain_in_the_wrong_order),
        cmocka_unit_test(test_refuses_when_no_chain_came_and_none_is_at_hand),
        cmocka_unit_test(test_refuses_a_signer_expired_at_issue),
        cmocka_unit_test(test_refuses_a_new_item_by_a_revoked_signer),
        cmocka_unit_test(test_refuses_tcb_info_of_another_place),
        cmocka_unit_test(test_takes_an_fmspc_in_either_case),
        cmocka_unit_test(test_refuses_the_identity_of_another_enclave),
        cmocka_unit_test(test_refuses_unknown_versions_and_other_numbers),
        cmocka_unit_test(test_refuses_an_issue_date_more_than_a_day_ahead),
        cmocka_unit_test(test_refuses_unreadable_and_missing_dates),
        cmocka_unit_test(test_expired_is_not_forged),
        cmocka_unit_test(test_refuses_what_breaks_clients_by_size),
        cmocka_unit_test(test_refuses_large_qe_identities_but_not_qve),
        cmocka_unit_test(test_evaluation_numbers_belong_to_their_product),
        cmocka_unit_test(test_fmspcs_are_checked_in_form),
        cmocka_unit_test(test_more_fmspcs_than_the_ceiling_are_refused),
        cmocka_unit_test(test_policies_have_a_door_of_their_own),
        cmocka_unit_test(test_drops_blanks_and_changes_nothing_else),
        cmocka_unit_test(test_blanks_within_strings_are_signed_bytes),
        cmocka_unit_test(test_keeps_dates_and_writes_the_chain_anew),
        cmocka_unit_test(test_refuses_foreign_bytes_in_a_chain),
        cmocka_unit_test(test_an_older_item_is_known_by_its_date),
        cmocka_unit_test(test_intels_own_items_verify_and_stay_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, verify_fixture_setup, verify_fixture_teardown);
}
