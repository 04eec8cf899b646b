/* SPDX-License-Identifier: BSD-3-Clause */
/* The form of TCB info, as strict as Intel's library (selection.md 3, and examples 32 to 51). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "verify_fixture.h"

static struct fault why;

static int
parse_text(const char *inner)
{
    struct tcbinfo *tcbinfo = NULL;
    int fault = tcbinfo_parse(span_of_text(inner), &tcbinfo, &why);
    assert_true((fault == 0) == (tcbinfo != NULL));
    tcbinfo_free(tcbinfo);
    return fault;
}

static int
parse_changed(const struct testpki_tcbinfo *spec, const char *from, const char *to)
{
    auto_free char *inner = testpki_tcbinfo_inner(spec);
    auto_free char *changed = replace_text(inner, from, to);
    return parse_text(changed);
}

static void
test_refuses_each_member_missing_or_of_another_form(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"\"version\":3", "\"version\":4"},
        {"\"version\":3", "\"version\":1"},
        {"\"version\":3", "\"version\":\"3\""},
        {"\"version\":3", "\"version\":3.0"},
        {"\"version\":3,", ""},
        {"\"id\":\"SGX\",", ""},
        {"\"id\":\"SGX\"", "\"id\":\"sgx\""},
        {"\"id\":\"SGX\"", "\"id\":\"TDX\""}, /* without tdxModule: example 51 */
        {"\"id\":\"SGX\"", "\"id\":\"SGX\",\"tdxModule\":{}"},
        {"\"id\":\"SGX\"", "\"id\":\"SGX\",\"tdxModuleIdentities\":[]"},
        {"\"issueDate\"", "\"issuedate\""},
        {"\"fmspc\":\"00906EA10000\"", "\"fmspc\":\"00906EA1000\""},
        {"\"fmspc\":\"00906EA10000\"", "\"fmspc\":\"00906EA1000G\""},
        {"\"fmspc\":\"00906EA10000\"", "\"fmspc\":7"},
        {"\"pceId\":\"0000\"", "\"pceId\":\"000\""},
        {"\"pceId\":\"0000\",", ""},
        {"\"tcbType\":0,", ""},
        {"\"tcbType\":0", "\"tcbType\":\"0\""},
        {"\"tcbType\":0", "\"tcbType\":-1"},
        {"\"tcbEvaluationDataNumber\":17,", ""},
        {"\"tcbEvaluationDataNumber\":17", "\"tcbEvaluationDataNumber\":-1"},
        {"\"tcbLevels\":[", "\"tcbLevels\":[],\"x\":["}, /* example 47 */
        {"\"pcesvn\":10", "\"pcesvn\":-1"},              /* example 48 */
        {"\"pcesvn\":10", "\"pcesvn\":65536"},
        {"\"pcesvn\":10", "\"pcesvn\":10.0"},
        {",\"pcesvn\":10", ""},
        {"{\"svn\":0},", ""},
        {"{\"svn\":0}", "{\"svn\":0},{\"svn\":0}"},
        {"{\"svn\":0}", "{\"svn\":-1}"},
        {"{\"svn\":0}", "{\"svn\":\"0\"}"},
        {"{\"svn\":0}", "0"},
        {"\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"Fine\""},
        {",\"tcbStatus\":\"UpToDate\"", ""},
        {"\"tcbDate\":\"2024-03-13T00:00:00Z\"", "\"tcbDate\":\"2024-13-13T00:00:00Z\""},
        {"\"tcbStatus\"", "\"advisoryIDs\":\"x\",\"tcbStatus\""},
        {"\"tcbStatus\"", "\"advisoryIDs\":[1],\"tcbStatus\""},
        {"\"tcb\":{", "\"tcb\":[],\"x\":{"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        int fault = parse_changed(&(struct testpki_tcbinfo){0}, rows[i].from, rows[i].to);
        if (fault != FAULT_INPUT) {
            fail_msg("%s -> %s: %s", rows[i].from, rows[i].to, fault_word(fault));
        }
    }
}

static void
test_refuses_what_is_no_object(void **state)
{
    static const char *const texts[] = {"", "[]", "null", "7", "\"x\"", "{", "{}"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_int_equal(parse_text(texts[i]), FAULT_INPUT);
    }
}

static void
test_refuses_equal_levels(void **state)
{
    auto_free char *level = testpki_tcb_level(3, false, 5, 5, 10);
    auto_free char *other = testpki_tcb_level(3, false, 5, 5, 9);
    auto_free char *equal = NULL, *different = NULL;
    assert_true(asprintf(&equal, "[%s,%s,%s]", level, other, level) > 0);
    assert_true(asprintf(&different, "[%s,%s]", level, other) > 0);
    auto_free char *bad = testpki_tcbinfo_inner(&(struct testpki_tcbinfo){.levels = equal});
    auto_free char *good = testpki_tcbinfo_inner(&(struct testpki_tcbinfo){.levels = different});
    assert_int_equal(parse_text(bad), FAULT_INPUT); /* example 31 */
    assert_int_equal(parse_text(good), 0);
}

static void
test_tdx_levels_may_differ_in_tdx_components_alone(void **state)
{
    auto_free char *level = testpki_tcb_level(3, true, 5, 5, 10);
    auto_free char *other =
        replace_text(level, "\"tdxtcbcomponents\":[{\"svn\":5", "\"tdxtcbcomponents\":[{\"svn\":4");
    auto_free char *levels = NULL;
    assert_true(asprintf(&levels, "[%s,%s]", level, other) > 0);
    auto_free char *good =
        testpki_tcbinfo_inner(&(struct testpki_tcbinfo){.id = "TDX", .levels = levels});
    assert_int_equal(parse_text(good), 0);
}

static void
test_refuses_more_levels_than_the_ceiling(void **state)
{
    auto_cleanup(buf_done) struct buf levels = BUF_INIT(1024 * 1024);
    for (int i = 0; i <= LIMIT_TCB_LEVELS; i++) {
        auto_free char *level = testpki_tcb_level(3, false, i / 256, i % 256, 10);
        buf_add_format(&levels, "%s%s", i == 0 ? "[" : ",", level);
    }
    buf_add_byte(&levels, ']');
    auto_free char *inner =
        testpki_tcbinfo_inner(&(struct testpki_tcbinfo){.levels = buf_text(&levels)});
    assert_int_equal(parse_text(inner), FAULT_INPUT);
}

static void
test_a_tdx_level_needs_tdx_components(void **state)
{
    assert_int_equal(
        parse_changed(&(struct testpki_tcbinfo){.id = "TDX"}, "\"tdxtcbcomponents\"", "\"x\""),
        FAULT_INPUT);
    assert_int_equal(parse_changed(&(struct testpki_tcbinfo){.id = "TDX"}, "\"tdxModule\":{",
                                   "\"tdxModule\":[],\"x\":{"),
                     FAULT_INPUT);
}

static void
test_version_2_has_a_layout_of_its_own(void **state)
{
    struct testpki_tcbinfo v2 = {.version = 2};
    assert_int_equal(parse_changed(&v2, "\"sgxtcbcomp16svn\":0,", ""), FAULT_INPUT);
    assert_int_equal(parse_changed(&v2, "\"version\":2", "\"version\":3"), FAULT_INPUT);
    auto_free char *inner = testpki_tcbinfo_inner(&v2);
    struct tcbinfo *tcbinfo = NULL;
    assert_int_equal(tcbinfo_parse(span_of_text(inner), &tcbinfo, &why), 0);
    assert_int_equal(tcbinfo->version, 2);
    assert_int_equal(tcbinfo->product, PRODUCT_SGX);
    assert_int_equal(tcbinfo->levels[0].components[1], 5);
    tcbinfo_free(tcbinfo);
}

static void
test_reads_what_selection_needs(void **state)
{
    auto_free char *inner =
        testpki_tcbinfo_inner(&(struct testpki_tcbinfo){.fmspc = "00906ea10000"});
    auto_free char *typed = replace_text(inner, "\"tcbType\":0", "\"tcbType\":1");
    auto_free char *wrapped = replace_text(typed, "{\"svn\":0}", "{\"svn\":257}");
    auto_free char *big = replace_text(wrapped, "\"pceId\":\"0000\"", "\"pceId\":\"00a1\"");
    struct tcbinfo *tcbinfo = NULL;
    assert_int_equal(tcbinfo_parse(span_of_text(big), &tcbinfo, &why), 0);
    assert_int_equal(tcbinfo->version, 3);
    assert_int_equal(tcbinfo->tcb_type, 1); /* selection refuses it */
    assert_string_equal(tcbinfo->fmspc.hex, "00906EA10000");
    assert_memory_equal(tcbinfo->pceid, "\x00\xa1", 2);
    assert_int_equal(tcbinfo->level_count, 2);
    assert_int_equal(tcbinfo->levels[0].components[2], 1); /* wraps: example 49 */
    assert_int_equal(tcbinfo->levels[1].pcesvn, 7);
    assert_string_equal(tcbinfo->levels[0].status, "UpToDate");
    assert_true(tcbinfo->issued_at == 1750330571);
    tcbinfo_free(tcbinfo);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_each_member_missing_or_of_another_form),
        cmocka_unit_test(test_refuses_what_is_no_object),
        cmocka_unit_test(test_refuses_equal_levels),
        cmocka_unit_test(test_tdx_levels_may_differ_in_tdx_components_alone),
        cmocka_unit_test(test_refuses_more_levels_than_the_ceiling),
        cmocka_unit_test(test_a_tdx_level_needs_tdx_components),
        cmocka_unit_test(test_version_2_has_a_layout_of_its_own),
        cmocka_unit_test(test_reads_what_selection_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
