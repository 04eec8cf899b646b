/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worked examples of selection.md 6 that the parser of TCB info decides: the JSON text goes
 * through tcbinfo_parse and then through the selection, as in the service. What Intel's C++ library
 * answered with code 9 must be refused by one of the two.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pcksel/pcksel.h"

/* What an example changes; the rest is the fixture: version 3, levels 5.5/10, 3.3/10, 3.3/7, 1.1/5.
 */
struct text {
    int version, tcb_type;
    const char *id, *fmspc;
    const char *extra; /* members more, each with a comma before it */
    int first_svn;     /* of the first level's second component */
    int first_pcesvn;
    bool repeats_first, has_no_levels;
};

static const struct text fixture = {.version = 3,
                                    .id = "SGX",
                                    .fmspc = "00906EA10000",
                                    .extra = "",
                                    .first_svn = 5,
                                    .first_pcesvn = 10};

static void
add_level(struct buf *b, const struct text *text, int first, int second, int pcesvn)
{
    buf_add_text(b, b->data[b->size - 1] == '[' ? "{\"tcb\":{" : ",{\"tcb\":{");
    if (text->version != 2) {
        buf_add_text(b, "\"sgxtcbcomponents\":[");
    }
    for (int i = 0; i < 16; i++) {
        int svn = i == 0 ? first : i == 1 ? second : 0;
        if (text->version == 2) {
            buf_add_format(b, "\"sgxtcbcomp%02dsvn\":%d,", i + 1, svn);
        } else {
            buf_add_format(b, "%s{\"svn\":%d}", i == 0 ? "" : ",", svn);
        }
    }
    buf_add_format(b,
                   "%s\"pcesvn\":%d},\"tcbDate\":\"2024-03-13T00:00:00Z\","
                   "\"tcbStatus\":\"UpToDate\"}",
                   text->version == 2 ? "" : "],", pcesvn);
}

static void
add_text(struct buf *b, const struct text *text)
{
    buf_add_text(b, "{");
    if (text->version != 2) {
        buf_add_format(b, "\"id\":\"%s\",", text->id);
    }
    buf_add_format(b,
                   "\"version\":%d,\"issueDate\":\"2025-06-19T10:56:11Z\",\"nextUpdate\":"
                   "\"2025-07-19T10:56:11Z\",\"fmspc\":\"%s\",\"pceId\":\"0000\",\"tcbType\":%d,"
                   "\"tcbEvaluationDataNumber\":17%s,\"tcbLevels\":[",
                   text->version, text->fmspc, text->tcb_type, text->extra);
    if (!text->has_no_levels) {
        add_level(b, text, 5, text->first_svn, text->first_pcesvn);
        if (text->repeats_first) {
            add_level(b, text, 5, text->first_svn, text->first_pcesvn);
        }
        add_level(b, text, 3, 3, 10);
        add_level(b, text, 3, 3, 7);
        add_level(b, text, 1, 1, 5);
    }
    assert_int_equal(buf_add_text(b, "]}"), 0);
}

/* Parses, then selects among 5.5/10, 3.3/10, 3.3/7, 1.1/5 for the raw TCB 5.5/10. */
static int
parse_and_select(const struct text *text, size_t *ret_index, struct fault *why)
{
    static const uint8_t tcbs[4][3] = {{5, 5, 10}, {3, 3, 10}, {3, 3, 7}, {1, 1, 5}};
    struct sgx_ext exts[4] = {0};
    const struct sgx_ext *certs[4];
    for (size_t i = 0; i < 4; i++) {
        memcpy(exts[i].components, tcbs[i], 2);
        memcpy(exts[i].cpusvn, tcbs[i], 2);
        exts[i].pcesvn = tcbs[i][2];
        memcpy(exts[i].fmspc, "\x00\x90\x6e\xa1\x00\x00", 6);
        certs[i] = &exts[i];
    }
    auto_cleanup(buf_done) struct buf b = BUF_INIT(64 * 1024);
    add_text(&b, text);
    struct tcbinfo *tcbinfo = NULL;
    int rc = tcbinfo_parse(buf_span(&b), &tcbinfo, why);
    if (rc != 0) {
        return rc;
    }
    struct pcksel_input input = {
        .cpusvn = {5, 5}, .pcesvn = 10, .tcbinfo = tcbinfo, .certs = certs, .cert_count = 4};
    rc = pcksel_select(&input, ret_index, why);
    tcbinfo_free(tcbinfo);
    return rc;
}

static void
expect_refused(struct text text, int example)
{
    size_t index = 99;
    struct fault why = {0};
    int rc = parse_and_select(&text, &index, &why);
    if (rc != FAULT_INPUT || index != 99) {
        fail_msg("example %d: fault %d (%s), index %zu", example, rc, why.text, index);
    }
}

static void
expect_first(struct text text, int example)
{
    size_t index = 99;
    struct fault why = {0};
    int rc = parse_and_select(&text, &index, &why);
    if (rc != 0 || index != 0) {
        fail_msg("example %d: fault %d (%s), index %zu", example, rc, why.text, index);
    }
}

static void
test_refuses_what_the_library_calls_invalid(void **state)
{
    struct text text = fixture;
    text.repeats_first = true;
    expect_refused(text, 31);
    text = fixture;
    text.version = 4;
    expect_refused(text, 33);
    text = fixture;
    text.tcb_type = 1;
    expect_refused(text, 34);
    text = fixture;
    text.fmspc = "00906EA10001"; /* code 8: the certificates' is another */
    expect_refused(text, 36);
    text = fixture;
    text.has_no_levels = true;
    expect_refused(text, 47);
    text = fixture;
    text.first_pcesvn = -1;
    expect_refused(text, 48);
    text = fixture;
    text.id = "TDX";
    expect_refused(text, 51);
}

static void
test_takes_version_2_with_the_same_levels(void **state)
{
    struct text text = fixture;
    text.version = 2;
    expect_first(text, 32);
}

static void
test_takes_an_fmspc_in_lower_case(void **state)
{
    struct text text = fixture;
    text.fmspc = "00906ea10000";
    expect_first(text, 35);
}

static void
test_a_component_of_256_wraps_to_0(void **state)
{
    struct text text = fixture;
    text.first_svn = 256;
    expect_first(text, 49);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_the_library_calls_invalid),
        cmocka_unit_test(test_takes_version_2_with_the_same_levels),
        cmocka_unit_test(test_takes_an_fmspc_in_lower_case),
        cmocka_unit_test(test_a_component_of_256_wraps_to_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
