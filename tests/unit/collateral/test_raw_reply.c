/* SPDX-License-Identifier: BSD-3-Clause */
/* The form of a pckcerts answer (pcs.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "collateral/raw_reply.h"

#define TCB                                                                                        \
    "{\"sgxtcbcomp01svn\":11,\"sgxtcbcomp02svn\":255,\"sgxtcbcomp03svn\":0,"                       \
    "\"sgxtcbcomp04svn\":0,\"sgxtcbcomp05svn\":0,\"sgxtcbcomp06svn\":0,\"sgxtcbcomp07svn\":0,"     \
    "\"sgxtcbcomp08svn\":0,\"sgxtcbcomp09svn\":0,\"sgxtcbcomp10svn\":0,\"sgxtcbcomp11svn\":0,"     \
    "\"sgxtcbcomp12svn\":0,\"sgxtcbcomp13svn\":0,\"sgxtcbcomp14svn\":0,\"sgxtcbcomp15svn\":0,"     \
    "\"sgxtcbcomp16svn\":1,\"pcesvn\":300}"
#define TCBM "0bff00000000000000000000000000012C01"
#define ENTRY(cert) "{\"tcb\":" TCB ",\"tcbm\":\"" TCBM "\",\"cert\":\"" cert "\"}"

static struct fault why;

static int
parse(struct raw_reply *raw, const char *text)
{
    raw_reply_init(raw);
    assert_int_equal(buf_add_text(&raw->body, text), 0);
    return raw_reply_parse_pcks(raw, &why);
}

static void
test_refuses_another_form(void **state)
{
    static const char *const texts[] = {
        "",
        "hello",
        "{}",
        "null",
        "[1]",
        "[[]]",
        "[{}]",
        "[" ENTRY("x") "," ENTRY("x") "",
        "[{\"tcb\":" TCB ",\"cert\":\"x\"}]",
        "[{\"tcb\":" TCB ",\"tcbm\":\"" TCBM "\"}]",
        "[{\"tcb\":" TCB ",\"tcbm\":\"" TCBM "\",\"cert\":\"\"}]",
        "[{\"tcb\":" TCB ",\"tcbm\":\"" TCBM "\",\"cert\":7}]",
        "[{\"tcb\":" TCB ",\"tcbm\":\"" TCBM "00\",\"cert\":\"x\"}]",
        "[{\"tcb\":" TCB ",\"tcbm\":\"zz\",\"cert\":\"x\"}]",
        "[{\"tcb\":{},\"tcbm\":\"" TCBM "\",\"cert\":\"x\"}]",
        "[{\"tcb\":7,\"tcbm\":\"" TCBM "\",\"cert\":\"x\"}]",
        "[{\"tcbm\":\"" TCBM "\",\"tcbm\":\"" TCBM "\",\"cert\":\"x\"}]",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct raw_reply raw;
        if (parse(&raw, texts[i]) != FAULT_INPUT) {
            fail_msg("%s", texts[i]);
        }
        assert_int_equal(raw.pck_count, 0);
        assert_null(raw.pcks);
        raw_reply_done(&raw);
    }
}

static void
test_refuses_a_component_above_a_byte(void **state)
{
    struct raw_pck pck;
    const char *text = "{\"tcb\":{\"sgxtcbcomp01svn\":256},\"tcbm\":\"" TCBM "\",\"cert\":\"x\"}";
    assert_int_equal(raw_pck_parse(span_of_text(text), &pck, &why), FAULT_INPUT);
}

static void
test_refuses_more_entries_and_longer_certificates_than_the_ceilings(void **state)
{
    struct raw_reply raw;
    auto_cleanup(buf_done) struct buf text = BUF_INIT(1024 * 1024);
    for (int i = 0; i <= LIMIT_PCK_CERTS; i++) {
        buf_add_format(&text, "%s{\"tcbm\":\"" TCBM "\",\"cert\":\"x\"}", i == 0 ? "[" : ",");
    }
    buf_add_byte(&text, ']');
    assert_int_equal(parse(&raw, buf_text(&text)), FAULT_INPUT);
    raw_reply_done(&raw);
    auto_free char *cert = malloc(3 * LIMIT_CERT_PEM_BYTES + 2);
    memset(cert, 'x', 3 * LIMIT_CERT_PEM_BYTES + 1);
    cert[3 * LIMIT_CERT_PEM_BYTES + 1] = '\0';
    buf_clear(&text);
    buf_add_format(&text, "[{\"tcbm\":\"" TCBM "\",\"cert\":\"%s\"}]", cert);
    assert_int_equal(parse(&raw, buf_text(&text)), FAULT_INPUT);
    raw_reply_done(&raw);
}

static void
test_reads_available_and_other_entries(void **state)
{
    struct raw_reply raw;
    assert_int_equal(parse(&raw, "[ " ENTRY("-----BEGIN%20") ", " ENTRY("Not available") " ]"), 0);
    assert_int_equal(raw.pck_count, 2);
    assert_true(raw.pcks[0].available);
    assert_string_equal(raw.pcks[0].cert, "-----BEGIN%20");
    assert_string_equal(raw.pcks[0].tcbm, "0BFF00000000000000000000000000012C01");
    assert_false(raw.pcks[1].available);
    assert_string_equal(raw.pcks[1].cert, "");
    assert_int_equal(raw.pcks[1].components[1], 255);
    assert_int_equal(raw.pcks[1].components[15], 1);
    assert_int_equal(raw.pcks[1].pcesvn, 300);
    raw_reply_done(&raw);
    assert_int_equal(parse(&raw, "[]"), 0);
    assert_int_equal(raw.pck_count, 0);
    raw_reply_done(&raw);
}

static void
test_takes_the_tcb_from_the_tcbm_if_there_is_none(void **state)
{
    struct raw_pck pck;
    const char *text = "{\"tcbm\":\"" TCBM "\",\"cert\":\"x\"}";
    assert_int_equal(raw_pck_parse(span_of_text(text), &pck, &why), 0);
    assert_int_equal(pck.components[0], 11);
    assert_int_equal(pck.pcesvn, 300);
    free(pck.cert);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_another_form),
        cmocka_unit_test(test_refuses_a_component_above_a_byte),
        cmocka_unit_test(test_refuses_more_entries_and_longer_certificates_than_the_ceilings),
        cmocka_unit_test(test_reads_available_and_other_entries),
        cmocka_unit_test(test_takes_the_tcb_from_the_tcbm_if_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
