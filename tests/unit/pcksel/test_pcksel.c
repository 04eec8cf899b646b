/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCK certificate selection against what Intel's C++ library was seen to do: every worked example
 * of selection.md 6 that reaches the selection (the others are about the parser of TCB info, see
 * test_pcksel_tcbinfo.c), and the vendor's own sample.
 *
 * A TCB is written as the table writes it: "5.4/10" is CPUSVN bytes 5, 4 and fourteen zeros,
 * PCESVN 10.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pcksel/pcksel.h"

enum { MAX = 8 };

struct tcb_text {
    uint8_t bytes[16];
    uint16_t pcesvn;
};

static struct tcb_text
tcb_read(const char *text)
{
    struct tcb_text tcb = {0};
    const char *at = text;
    for (size_t i = 0; i < 16; i++) {
        char *end = NULL;
        tcb.bytes[i] = (uint8_t)strtoul(at, &end, 10);
        at = end;
        if (*at != '.') {
            break;
        }
        at++;
    }
    assert_int_equal(*at, '/');
    tcb.pcesvn = (uint16_t)strtoul(at + 1, NULL, 10);
    return tcb;
}

/* One question: levels, certificates, raw TCB; the fixture of selection.md 6. */
struct question {
    struct tcbinfo tcbinfo;
    struct tcb_level levels[MAX];
    struct sgx_ext exts[MAX];
    const struct sgx_ext *certs[MAX];
    struct pcksel_input input;
};

static void
question_init(struct question *q, const char *const *levels, const char *const *certs,
              const char *raw)
{
    *q = (struct question){.tcbinfo = {.version = 3, .product = PRODUCT_SGX}};
    snprintf(q->tcbinfo.fmspc.hex, sizeof q->tcbinfo.fmspc.hex, "00906EA10000");
    q->tcbinfo.levels = q->levels;
    for (size_t i = 0; i < MAX && levels[i] != NULL; i++) {
        struct tcb_text tcb = tcb_read(levels[i]);
        memcpy(q->levels[i].components, tcb.bytes, 16);
        q->levels[i].pcesvn = tcb.pcesvn;
        snprintf(q->levels[i].status, sizeof q->levels[i].status, "UpToDate");
        q->tcbinfo.level_count++;
    }
    for (size_t i = 0; i < MAX && certs[i] != NULL; i++) {
        struct tcb_text tcb = tcb_read(certs[i]);
        struct sgx_ext *ext = &q->exts[i];
        memcpy(ext->components, tcb.bytes, 16);
        memcpy(ext->cpusvn, tcb.bytes, 16);
        ext->pcesvn = tcb.pcesvn;
        memcpy(ext->fmspc, "\x00\x90\x6e\xa1\x00\x00", 6);
        memset(ext->ppid, 0x5a, sizeof ext->ppid);
        q->certs[i] = ext;
        q->input.cert_count++;
    }
    struct tcb_text tcb = tcb_read(raw);
    memcpy(q->input.cpusvn, tcb.bytes, 16);
    q->input.pcesvn = tcb.pcesvn;
    q->input.tcbinfo = &q->tcbinfo;
    q->input.certs = q->certs;
}

static const char *const LEVELS[MAX] = {"5.5/10", "3.3/10", "3.3/7", "1.1/5"};
static const char *const S[MAX] = {"5.5/10", "3.3/10", "3.3/7", "1.1/5"};
enum { NONE = 12 };

static void
expect_index(const struct question *q, size_t expected, int example)
{
    size_t index = 99;
    struct fault why = {0};
    int rc = pcksel_select(&q->input, &index, &why);
    if (rc != 0 || index != expected) {
        fail_msg("example %d: fault %d (%s), index %zu, not %zu", example, rc, why.text, index,
                 expected);
    }
}

static void
expect_fault(const struct question *q, int expected_rc, long expected_number, int example)
{
    size_t index = 99;
    struct fault why = {0};
    int rc = pcksel_select(&q->input, &index, &why);
    if (rc != expected_rc || why.number != expected_number || index != 99) {
        fail_msg("example %d: fault %d number %ld (%s), index %zu", example, rc, why.number,
                 why.text, index);
    }
}

/* ---- refusals ---- */

static void
test_refuses_no_certificates(void **state)
{
    struct question q;
    question_init(&q, LEVELS, (const char *const[MAX]){NULL}, "5.5/10");
    expect_fault(&q, FAULT_NOT_FOUND, 0, 44);
}

static void
test_refuses_tcb_type_not_zero(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    q.tcbinfo.tcb_type = 1;
    expect_fault(&q, FAULT_INPUT, 9, 34);
}

static void
test_refuses_unknown_version(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    q.tcbinfo.version = 4;
    expect_fault(&q, FAULT_INPUT, 9, 33);
}

static void
test_refuses_tcb_info_of_tdx(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    q.tcbinfo.product = PRODUCT_TDX;
    expect_fault(&q, FAULT_INPUT, 9, 51);
}

static void
test_refuses_no_levels(void **state)
{
    struct question q;
    question_init(&q, (const char *const[MAX]){NULL}, S, "5.5/10");
    expect_fault(&q, FAULT_INPUT, 9, 47);
}

static void
test_refuses_equal_levels(void **state)
{
    struct question q;
    question_init(&q, (const char *const[MAX]){"5.5/10", "5.5/10"},
                  (const char *const[MAX]){"5.5/10"}, "9.9/20");
    expect_fault(&q, FAULT_INPUT, 9, 31);
}

static void
test_refuses_fmspc_of_another_model(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    snprintf(q.tcbinfo.fmspc.hex, sizeof q.tcbinfo.fmspc.hex, "00906EA10001");
    expect_fault(&q, FAULT_INPUT, 8, 36);
}

static void
test_refuses_second_certificate_with_other_ppid(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    q.exts[1].ppid[15] ^= 1;
    expect_fault(&q, FAULT_INPUT, 7, 37);
}

static void
test_refuses_certificate_with_other_pceid(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    q.exts[0].pceid[1] = 1;
    expect_fault(&q, FAULT_INPUT, 6, 38);
}

static void
test_refuses_cpusvn_that_differs_from_components(void **state)
{
    struct question q;
    question_init(&q, LEVELS, (const char *const[MAX]){"5.5/10"}, "5.5/10");
    memcpy(q.exts[0].cpusvn, "\x04\x04", 2);
    expect_fault(&q, FAULT_INPUT, 3, 42);

    question_init(&q, LEVELS, (const char *const[MAX]){"5.5/10"}, "1.1/10");
    memcpy(q.exts[0].cpusvn, "\x01\x01", 2);
    expect_fault(&q, FAULT_INPUT, 3, 43);
}

static void
test_checks_in_the_order_of_the_library(void **state)
{
    /* 3 before 6 before 8 before 7 in one certificate; the first certificate before the second */
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    q.exts[1].ppid[0] ^= 1;
    expect_fault(&q, FAULT_INPUT, 7, 0);
    q.exts[1].fmspc[0] ^= 1;
    expect_fault(&q, FAULT_INPUT, 8, 0);
    q.exts[1].pceid[0] ^= 1;
    expect_fault(&q, FAULT_INPUT, 6, 0);
    q.exts[1].cpusvn[0] ^= 1;
    expect_fault(&q, FAULT_INPUT, 3, 0);
    q.exts[0].fmspc[0] ^= 1;
    expect_fault(&q, FAULT_INPUT, 8, 0);
    q.tcbinfo.pceid[1] ^= 1;
    expect_fault(&q, FAULT_INPUT, 10, 0);
    q.levels[1] = q.levels[0];
    expect_fault(&q, FAULT_INPUT, 9, 0);
}

static void
test_pceid_of_tcb_info_is_big_endian(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    q.tcbinfo.pceid[1] = 1;
    for (size_t i = 0; i < 4; i++) {
        q.exts[i].pceid[1] = 1;
    }
    q.input.pceid = 1;
    expect_index(&q, 0, 39);
    q.input.pceid = 256;
    expect_fault(&q, FAULT_INPUT, 10, 40);
}

static void
test_pceid_with_top_bit_never_matches(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    q.tcbinfo.pceid[0] = 0x80;
    for (size_t i = 0; i < 4; i++) {
        q.exts[i].pceid[0] = 0x80;
    }
    q.input.pceid = 0x8000;
    expect_fault(&q, FAULT_INPUT, 10, 41);
}

/* ---- the worked examples ---- */

static const struct example {
    int number;
    const char *levels[MAX]; /* none: the fixture's */
    const char *certs[MAX];
    const char *raw;
    size_t expected; /* the C++ column */
} examples[] = {
    {1, {0}, {"5.5/10", "3.3/10", "3.3/7", "1.1/5"}, "5.5/10", 0},
    {2, {0}, {"5.5/10", "3.3/10", "3.3/7", "1.1/5"}, "9.9.9/99", 0},
    {3, {0}, {"5.5/10", "3.3/10", "3.3/7", "1.1/5"}, "3.3/10", 1},
    {4, {0}, {"5.5/10", "3.3/10", "3.3/7", "1.1/5"}, "5.5/9", 2},
    {5, {0}, {"5.5/10", "3.3/10", "3.3/7", "1.1/5"}, "5.4/10", 1},
    {6, {0}, {"5.5/10", "3.3/10", "3.3/7", "1.1/5"}, "1.0/10", NONE},
    {7, {0}, {"5.5/10", "3.3/10", "3.3/7", "1.1/5"}, "9.9/4", NONE},
    {8, {0}, {"1.1/5", "3.3/7", "3.3/10", "5.5/10"}, "3.3/10", 2},
    {9, {0}, {"5.5/255", "5.5/10"}, "5.5/256", 0},
    {10, {0}, {"5.5/10", "6.5/12"}, "9.9/20", 1},
    {11, {0}, {"5.5/10", "5.5/10", "5.5/10"}, "9.9/20", 2},
    {12, {0}, {"9.2/10", "3.3/10"}, "9.9/20", 1},
    {13, {0}, {"6.5/12", "5.6/13"}, "9.9/20", 0},
    {14, {0}, {"8.5/10", "5.5/10", "5.8/10"}, "9.9/20", 0},
    {15, {0}, {"8.5/10", "5.5/10", "5.8/10"}, "5.9/20", 2},
    {16, {0}, {"8.5/10", "5.5/10", "6.6/10"}, "9.9/20", 0},
    {17, {0}, {"8.5/10", "5.5/10", "6.6/10"}, "7.7/20", 2},
    {18, {0}, {"8.5/10", "7.5/10", "5.5/10", "6.6/10"}, "9.9/20", 0},
    {19, {0}, {"8.5/10", "7.5/10", "5.5/10", "6.6/10"}, "7.7/20", 1},
    {20, {0}, {"5.5/12", "6.6/10", "7.7/11"}, "9.9/20", 0},
    {21, {0}, {"6.6/10", "5.5/12", "7.7/11"}, "9.9/20", 2},
    {22, {0}, {"0.0/3", "0.0/4"}, "0.0/9", 1},
    {23, {0}, {"0.0/4", "0.0/3"}, "0.0/9", 0},
    {24, {0}, {"1.0/5", "0.1/5"}, "0.1/9", 1},
    {25, {0}, {"4.9/6", "1.1/5"}, "9.9/20", 0},
    {26, {0}, {"4.9/6", "3.3/7", "1.1/5"}, "9.9/20", 1},
    {27, {"1.1/5", "5.5/10", "3.3/10"}, {"1.1/5", "3.3/10", "5.5/10"}, "9.9/20", 2},
    {28, {"2.6/10", "6.2/10", "1.1/1"}, {"2.6/10", "6.2/10"}, "9.9/20", 1},
    {29, {"6.2/10", "2.6/10", "1.1/1"}, {"2.6/10", "6.2/10"}, "9.9/20", 1},
    {30, {"2.6/10", "6.2/10", "1.1/1"}, {"6.2/10", "2.6/10"}, "9.9/20", 0},
    {50, {0}, {"5.5/10", "3.3/10", "3.3/7", "1.1/5"}, "255.255/65535", 0},
};

static void
test_selects_as_the_library_in_every_worked_example(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        const struct example *e = &examples[i];
        struct question q;
        question_init(&q, e->levels[0] != NULL ? e->levels : LEVELS, e->certs, e->raw);
        if (e->expected == NONE) {
            expect_fault(&q, FAULT_NOT_FOUND, 0, e->number);
        } else {
            expect_index(&q, e->expected, e->number);
        }
    }
}

static void
test_takes_version_2(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    q.tcbinfo.version = 2;
    expect_index(&q, 0, 32);
}

static void
test_takes_certificates_of_both_cas(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "5.5/10");
    q.exts[0].has_platform_part = true;
    expect_index(&q, 0, 46);
    q.exts[1].has_platform_part = q.exts[2].has_platform_part = true;
    q.exts[3].has_platform_part = true;
    expect_index(&q, 0, 45);
}

static void
test_ignores_the_status_of_levels(void **state)
{
    struct question q;
    question_init(&q, LEVELS, S, "9.9/20");
    snprintf(q.levels[0].status, sizeof q.levels[0].status, "Revoked");
    expect_index(&q, 0, 0);
}

/* The vendor's sample: components are so many ones, then zeros. Levels from the highest; the
 * certificates in the order in which the sample hands them in, with the TCBs they carry. */
struct ones {
    int count;
    uint16_t pcesvn;
};
static const struct ones vendor_levels[7] = {{14, 7}, {12, 6}, {10, 5}, {8, 4},
                                             {6, 3},  {4, 2},  {0, 1}};
static const struct ones vendor_certs[7] = {{12, 5}, {14, 8}, {16, 7}, {11, 4},
                                            {4, 4},  {16, 5}, {12, 6}};

static void
vendor_init(struct question *q, const char *raw)
{
    question_init(q, (const char *const[MAX]){"0/7", "0/6", "0/5", "0/4", "0/3", "0/2", "0/1"},
                  (const char *const[MAX]){"0/5", "0/8", "0/7", "0/4", "0/4", "0/5", "0/6"}, raw);
    snprintf(q->tcbinfo.fmspc.hex, sizeof q->tcbinfo.fmspc.hex, "00707F000000");
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(q->levels[i].pcesvn, vendor_levels[i].pcesvn);
        assert_int_equal(q->exts[i].pcesvn, vendor_certs[i].pcesvn);
        memset(q->levels[i].components, 1, (size_t)vendor_levels[i].count);
        memset(q->exts[i].components, 1, (size_t)vendor_certs[i].count);
        memset(q->exts[i].cpusvn, 1, (size_t)vendor_certs[i].count);
        memcpy(q->exts[i].fmspc, "\x00\x70\x7f\x00\x00\x00", 6);
    }
}

static void
test_selects_as_the_vendors_sample(void **state)
{
    struct question q;
    vendor_init(&q, "2.2.1.1.1.1.1.1.1.1.1.1.1.1.1.1/6");
    expect_index(&q, 6, 101);
    vendor_init(&q, "1.1.1.1.1.1.1.1.0.0.0.0.0.0.0.0/4");
    expect_index(&q, 4, 102);
    vendor_init(&q, "0/1");
    expect_fault(&q, FAULT_NOT_FOUND, 0, 103);
    vendor_init(&q, "1.1.1.1.1.1.1.1.1.1.1.1.1.1.0.1/7");
    expect_index(&q, 6, 104);
}

/* More levels and certificates than any caller lets in end in bounded time. */
static void
test_selects_among_the_most_levels_and_certificates(void **state)
{
    static struct tcb_level levels[LIMIT_TCB_LEVELS];
    static struct sgx_ext exts[LIMIT_PCK_CERTS];
    static const struct sgx_ext *certs[LIMIT_PCK_CERTS];
    struct tcbinfo tcbinfo = {.version = 3, .levels = levels, .level_count = LIMIT_TCB_LEVELS};
    snprintf(tcbinfo.fmspc.hex, sizeof tcbinfo.fmspc.hex, "000000000000");
    for (size_t i = 0; i < LIMIT_TCB_LEVELS; i++) {
        levels[i].pcesvn = (uint16_t)(i + 1000); /* above every certificate */
    }
    for (size_t i = 0; i < LIMIT_PCK_CERTS; i++) {
        exts[i].pcesvn = (uint16_t)(LIMIT_PCK_CERTS - i);
        certs[i] = &exts[i];
    }
    struct pcksel_input input = {
        .pcesvn = 300, .tcbinfo = &tcbinfo, .certs = certs, .cert_count = LIMIT_PCK_CERTS};
    size_t index = 0;
    assert_int_equal(pcksel_select(&input, &index, NULL), 0);
    assert_int_equal(exts[index].pcesvn, 300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_no_certificates),
        cmocka_unit_test(test_refuses_tcb_type_not_zero),
        cmocka_unit_test(test_refuses_unknown_version),
        cmocka_unit_test(test_refuses_tcb_info_of_tdx),
        cmocka_unit_test(test_refuses_no_levels),
        cmocka_unit_test(test_refuses_equal_levels),
        cmocka_unit_test(test_refuses_fmspc_of_another_model),
        cmocka_unit_test(test_refuses_second_certificate_with_other_ppid),
        cmocka_unit_test(test_refuses_certificate_with_other_pceid),
        cmocka_unit_test(test_refuses_cpusvn_that_differs_from_components),
        cmocka_unit_test(test_checks_in_the_order_of_the_library),
        cmocka_unit_test(test_pceid_of_tcb_info_is_big_endian),
        cmocka_unit_test(test_pceid_with_top_bit_never_matches),
        cmocka_unit_test(test_selects_as_the_library_in_every_worked_example),
        cmocka_unit_test(test_takes_version_2),
        cmocka_unit_test(test_takes_certificates_of_both_cas),
        cmocka_unit_test(test_ignores_the_status_of_levels),
        cmocka_unit_test(test_selects_as_the_vendors_sample),
        cmocka_unit_test(test_selects_among_the_most_levels_and_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
