/* SPDX-License-Identifier: BSD-3-Clause */
/* Values and their normal form (api.md): the nearest wrong forms first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "terms/terms.h"

static void
test_refuses_words_that_are_not_of_the_wire(void **state)
{
    static const char *const bad[] = {"",          "numbered", "standar", "standards",
                                      " standard", "all ",     "0",       "early\n"};
    enum update_type type = UPDATE_EARLY;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(update_type_parse(span_of_text(bad[i]), &type));
    }
    assert_false(update_type_parse(span_of("all\0", 4), &type));
    assert_int_equal(type, UPDATE_EARLY);
    enum pck_ca ca = PCK_CA_PLATFORM;
    assert_false(pck_ca_parse(span_of_text("root"), &ca));
    assert_false(pck_ca_parse(span_of_text(""), &ca));
    assert_int_equal(ca, PCK_CA_PLATFORM);
    enum cache_mode mode = CACHE_MODE_REQ;
    assert_false(cache_mode_parse(span_of_text("EAGER"), &mode));
    assert_int_equal(mode, CACHE_MODE_REQ);
}

static void
test_words_are_taken_in_any_case_and_given_in_one(void **state)
{
    enum update_type type;
    assert_true(update_type_parse(span_of_text("Early"), &type));
    assert_string_equal(update_type_word(type), "EARLY");
    assert_true(update_type_parse(span_of_text("STANDARD"), &type));
    assert_string_equal(update_type_word(type), "STANDARD");
    assert_true(update_type_parse(span_of_text("all"), &type));
    assert_int_equal(type, UPDATE_ALL);
    assert_string_equal(update_type_word(UPDATE_NUMBERED), "NUMBERED");
    enum pck_ca ca;
    assert_true(pck_ca_parse(span_of_text("pRoCeSsOr"), &ca));
    assert_string_equal(pck_ca_word(ca), "PROCESSOR");
    assert_true(pck_ca_parse(span_of_text("platform"), &ca));
    assert_string_equal(pck_ca_word(ca), "PLATFORM");
    enum cache_mode mode;
    assert_true(cache_mode_parse(span_of_text("offline"), &mode));
    assert_string_equal(cache_mode_word(mode), "OFFLINE");
    assert_true(cache_mode_parse(span_of_text("LAZY"), &mode));
    assert_string_equal(cache_mode_word(mode), "LAZY");
    assert_true(cache_mode_parse(span_of_text("Req"), &mode));
    assert_string_equal(cache_mode_word(mode), "REQ");
}

static void
test_numbers_of_the_database_schema_stay(void **state)
{
    /* fmspc_tcbs.type and enclave_identities.id of schema version 5 */
    assert_int_equal(PRODUCT_SGX, 0);
    assert_int_equal(PRODUCT_TDX, 1);
    assert_int_equal(ENCLAVE_QE, 1);
    assert_int_equal(ENCLAVE_QVE, 2);
    assert_int_equal(ENCLAVE_TDQE, 3);
    assert_string_equal(product_word(PRODUCT_SGX), "SGX");
    assert_string_equal(product_word(PRODUCT_TDX), "TDX");
    assert_string_equal(enclave_word(ENCLAVE_QE), "QE");
    assert_string_equal(enclave_word(ENCLAVE_QVE), "QVE");
    assert_string_equal(enclave_word(ENCLAVE_TDQE), "TD_QE");
    assert_string_equal(enclave_word(ENCLAVE_QAE), "QAE");
}

static void
test_fmspc_is_twelve_hex_digits(void **state)
{
    struct fmspc fmspc = {"before"};
    assert_false(fmspc_parse(span_of_text(""), &fmspc));
    assert_false(fmspc_parse(span_of_text("00906ea1000"), &fmspc));
    assert_false(fmspc_parse(span_of_text("00906ea100000"), &fmspc));
    assert_false(fmspc_parse(span_of_text("00906ea1000g"), &fmspc));
    assert_false(fmspc_parse(span_of("00906ea1000\0", 12), &fmspc));
    assert_string_equal(fmspc.hex, "before");
    assert_true(fmspc_parse(span_of_text("00906ea1000f"), &fmspc));
    assert_string_equal(fmspc.hex, "00906EA1000F");
}

static void
test_pceid_is_four_hex_digits(void **state)
{
    struct platform_id id = {.pceid = "-"};
    assert_false(pceid_parse(span_of_text("000"), &id));
    assert_false(pceid_parse(span_of_text("00000"), &id));
    assert_false(pceid_parse(span_of_text("0x00"), &id));
    assert_string_equal(id.pceid, "-");
    assert_true(pceid_parse(span_of_text("0aBc"), &id));
    assert_string_equal(id.pceid, "0ABC");
}

static void
test_qeid_has_at_most_260_characters_not_bytes(void **state)
{
    struct platform_id id = {.qeid = "before", .pceid = "0001"};
    char text[4 * 261 + 1] = "";
    for (size_t i = 0; i < 261; i++) {
        memcpy(text + 4 * i, "\xf0\x9f\x98\x80", 5);
    }
    assert_false(qeid_parse(span_of_text(text), &id));
    assert_false(qeid_parse(span_of(NULL, 0), &id));
    memset(text, 'a', 261);
    assert_false(qeid_parse(span_of(text, 261), &id));
    assert_false(qeid_parse(span_of_text("a\xff"), &id));
    assert_false(qeid_parse(span_of("a\0b", 3), &id));
    assert_string_equal(id.qeid, "before");

    assert_true(qeid_parse(span_of(text, 260), &id));
    assert_int_equal(strlen(id.qeid), 260);
    assert_int_equal(id.qeid[259], 'A');
    for (size_t i = 0; i < 260; i++) {
        memcpy(text + 4 * i, "\xf0\x9f\x98\x80", 5);
    }
    assert_true(qeid_parse(span_of_text(text), &id));
    assert_string_equal(id.qeid, text);
    assert_true(qeid_parse(span_of_text("aZ-9 \xc3\xa4"), &id));
    assert_string_equal(id.qeid, "AZ-9 \xc3\xa4");
    assert_string_equal(id.pceid, "0001"); /* the other half is another parser's */
}

static void
test_raw_tcb_takes_both_or_none(void **state)
{
    static const char cpusvn[] = "0102030405060708090a0b0c0d0e0fff";
    struct raw_tcb tcb = {.cpusvn = "before"};
    assert_false(raw_tcb_parse(span_of_text(cpusvn), span_of_text("0b0"), &tcb));
    assert_false(raw_tcb_parse(span_of(cpusvn, 31), span_of_text("0b00"), &tcb));
    assert_string_equal(tcb.cpusvn, "before");
    assert_true(raw_tcb_parse(span_of_text(cpusvn), span_of_text("0b01"), &tcb));
    assert_string_equal(tcb.cpusvn, "0102030405060708090A0B0C0D0E0FFF");
    assert_string_equal(tcb.pcesvn, "0B01");
    assert_int_equal(raw_tcb_pcesvn(&tcb), 0x010b); /* little-endian */
    uint8_t bytes[16];
    raw_tcb_cpusvn(&tcb, bytes);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(bytes[15], 0xff);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_words_that_are_not_of_the_wire),
        cmocka_unit_test(test_words_are_taken_in_any_case_and_given_in_one),
        cmocka_unit_test(test_numbers_of_the_database_schema_stay),
        cmocka_unit_test(test_fmspc_is_twelve_hex_digits),
        cmocka_unit_test(test_pceid_is_four_hex_digits),
        cmocka_unit_test(test_qeid_has_at_most_260_characters_not_bytes),
        cmocka_unit_test(test_raw_tcb_takes_both_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
