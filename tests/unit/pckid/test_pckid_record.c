/* SPDX-License-Identifier: BSD-3-Clause */
/* Records: what a saved CSV must not hold, then the bytes of CSV and registration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pckid/pckid_record.h"

static char ppid_lower[769];
static char line[8192];

static int
prepare(void **state)
{
    for (size_t i = 0; i < 768; i += 2) {
        memcpy(ppid_lower + i, "ee", 3);
    }
    return 0;
}

#define REST ",0000,0102030405060708090a0b0c0d0e0f10,0d00,a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"

static const char *
enclave_line(const char *rest)
{
    snprintf(line, sizeof line, "%s%s", ppid_lower, rest);
    return line;
}

static void
assert_refused(const char *text, const char *reason)
{
    struct pckid_record record = {.id_size = 77};
    struct fault why = {.number = 0};
    assert_int_equal(pckid_record_parse(span_of_text(text), &record, &why), FAULT_INPUT);
    if (strstr(why.text, reason) == NULL) {
        fail_msg("'%s' does not say '%s'", why.text, reason);
    }
    assert_int_equal(record.id_size, 77);
}

static void
test_refuses_another_number_of_fields(void **state)
{
    assert_refused("", "1 fields");
    assert_refused(",,,", "4 fields");
    assert_refused(enclave_line(REST ",00,"), "7 fields");
    assert_refused(",,,,,,,,,,,,,,,,", "17 fields");
}

static void
test_refuses_fields_of_another_length_or_no_hex(void **state)
{
    assert_refused("ee,0000,00,0d00,a0", "enc_ppid");
    assert_refused(enclave_line(",000,0102030405060708090a0b0c0d0e0f10,0d00,"
                                "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"),
                   "pce_id");
    assert_refused(enclave_line(",0000,0102030405060708090a0b0c0d0e0fzz,0d00,"
                                "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"),
                   "cpu_svn");
    assert_refused(enclave_line(",0000,0102030405060708090a0b0c0d0e0f10, d00,"
                                "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"),
                   "pce_svn");
    assert_refused(enclave_line(",0000,0102030405060708090a0b0c0d0e0f10,0d00,a0a1"), "qe_id");
    assert_refused(enclave_line(REST ",abc"), "platform_manifest");
    assert_refused(enclave_line(REST ",0x"), "platform_manifest");
}

static void
test_refuses_a_manifest_above_the_ceiling(void **state)
{
    size_t digits = 2 * (LIMIT_EFI_VARIABLE_BYTES + 1);
    char *long_line = malloc(2048 + digits);
    assert_non_null(long_line);
    size_t used = (size_t)snprintf(long_line, 2048, "%s%s,", ppid_lower, REST);
    memset(long_line + used, '0', digits);
    long_line[used + digits] = '\0';
    assert_refused(long_line, "platform_manifest");
    free(long_line);
}

static void
test_refuses_a_platform_id_without_manifest_or_in_another_form(void **state)
{
    assert_refused(",0000,,,61", "platform_manifest");
    assert_refused(",0000,,,61,", "platform_manifest");
    assert_refused(",0001,,,61,00", "pce_id");
    assert_refused(",0000,00,,61,00", "pce_id");
    assert_refused(",0000,,,,00", "qe_id");
    assert_refused(",0000,,,6,00", "qe_id");
    snprintf(line, sizeof line, ",0000,,,%0*d,00", 2 * (LIMIT_PLATFORM_ID_BYTES + 1), 0);
    assert_refused(line, "qe_id");
}

static struct sgx_identity
identity(void)
{
    struct sgx_identity i = {.pce_id = {0, 0}, .pce_svn = {0x0d, 0}};
    memset(i.enc_ppid, 0xee, sizeof i.enc_ppid);
    for (size_t at = 0; at < 16; at++) {
        i.cpu_svn[at] = (uint8_t)(1 + at);
        i.qe_id[at] = (uint8_t)(0xa0 + at);
    }
    return i;
}

static void
assert_csv_and_json(const struct pckid_record *record, const char *csv, const char *json)
{
    struct buf out = BUF_INIT(PCKID_CSV_LINE_MAX);
    assert_int_equal(pckid_record_add_csv(record, &out), 0);
    assert_string_equal(buf_text(&out), csv);
    struct pckid_record again;
    assert_int_equal(pckid_record_parse(buf_span(&out), &again, NULL), 0);
    buf_clear(&out);
    assert_int_equal(pckid_record_add_json(&again, &out), 0);
    assert_string_equal(buf_text(&out), json);
    pckid_record_done(&again);
    buf_done(&out);
}

static void
test_writes_an_enclave_record_as_intels_tool(void **state)
{
    struct sgx_identity i = identity();
    struct pckid_record record;
    char ppid_upper[769];
    char json[2048];
    for (size_t at = 0; at < 768; at++) {
        ppid_upper[at] = 'E';
    }
    ppid_upper[768] = '\0';
    static const char *const manifests[] = {"", "17ABCD"};
    for (size_t m = 0; m < 2; m++) {
        struct span manifest = span_of("\x17\xab\xcd", m == 0 ? 0 : 3);
        assert_int_equal(pckid_record_of_identity(&i, manifest, &record, NULL), 0);
        snprintf(json, sizeof json,
                 "{\"enc_ppid\": \"%s\" ,\"pce_id\": \"0000\" ,\"cpu_svn\": "
                 "\"0102030405060708090A0B0C0D0E0F10\" ,\"pce_svn\": \"0D00\" ,\"qe_id\": "
                 "\"A0A1A2A3A4A5A6A7A8A9AAABACADAEAF\" ,\"platform_manifest\": \"%s\" }",
                 ppid_upper, manifests[m]);
        assert_csv_and_json(&record, enclave_line(m == 0 ? REST : REST ",17abcd"), json);
        pckid_record_done(&record);
    }
}

static void
test_writes_a_platform_id_as_intels_tool(void **state)
{
    struct pckid_record record;
    assert_int_equal(
        pckid_record_of_id(span_of_text("ab12"), span_of("\x17\xab", 2), &record, NULL), 0);
    assert_csv_and_json(
        &record, ",0000,,,61623132,17ab",
        "{\"pce_id\": \"0000\" ,\"qe_id\": \"61623132\" ,\"platform_manifest\": \"17AB\" }");
    pckid_record_done(&record);
}

static void
test_knows_an_all_zero_ppid(void **state)
{
    struct sgx_identity i = identity();
    struct pckid_record record;
    assert_int_equal(pckid_record_of_identity(&i, span_of(NULL, 0), &record, NULL), 0);
    assert_false(pckid_record_ppid_is_zero(&record));
    memset(record.identity.enc_ppid, 0, sizeof record.identity.enc_ppid);
    assert_true(pckid_record_ppid_is_zero(&record));
    record.has_identity = false;
    assert_false(pckid_record_ppid_is_zero(&record));
    pckid_record_done(&record);
}

/* ---- files ---- */

static void
test_refuses_a_file_with_one_bad_line_as_a_whole(void **state)
{
    struct pckid_records records = {.count = 77};
    struct fault why;
    static const char text[] = ",0000,,,61,00\n\n,0000,,,61,0\n";
    assert_int_equal(pckid_records_parse(span_of_text(text), &records, &why), FAULT_INPUT);
    assert_non_null(strstr(why.text, "line 3: platform_manifest"));
    assert_int_equal(records.count, 77);
}

static void
test_refuses_a_file_without_a_record(void **state)
{
    struct pckid_records records;
    static const char *const texts[] = {"", "\n", "\r\n\n"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_int_equal(pckid_records_parse(span_of_text(texts[i]), &records, NULL), FAULT_INPUT);
    }
}

static void
test_refuses_more_records_than_the_ceiling(void **state)
{
    struct pckid_records records;
    static const char row[] = ",0000,,,61,00\n";
    size_t size = (sizeof row - 1) * (LIMIT_PCKID_RECORDS + 1);
    char *text = malloc(size);
    assert_non_null(text);
    for (size_t at = 0; at < size; at += sizeof row - 1) {
        memcpy(text + at, row, sizeof row - 1);
    }
    assert_int_equal(pckid_records_parse(span_of(text, size), &records, NULL), FAULT_TOO_LARGE);
    free(text);
}

static void
test_reads_every_record_whatever_ends_its_line(void **state)
{
    struct pckid_records records;
    static const char text[] = ",0000,,,61,00\r\n\n,0000,,,62,01\n,0000,,,63,02";
    assert_int_equal(pckid_records_parse(span_of_text(text), &records, NULL), 0);
    assert_int_equal(records.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(records.list[i].id[0], 'a' + i);
        assert_int_equal(records.list[i].manifest.data[0], i);
    }
    pckid_records_done(&records);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_another_number_of_fields),
        cmocka_unit_test(test_refuses_fields_of_another_length_or_no_hex),
        cmocka_unit_test(test_refuses_a_manifest_above_the_ceiling),
        cmocka_unit_test(test_refuses_a_platform_id_without_manifest_or_in_another_form),
        cmocka_unit_test(test_refuses_a_file_with_one_bad_line_as_a_whole),
        cmocka_unit_test(test_refuses_a_file_without_a_record),
        cmocka_unit_test(test_refuses_more_records_than_the_ceiling),
        cmocka_unit_test(test_writes_an_enclave_record_as_intels_tool),
        cmocka_unit_test(test_writes_a_platform_id_as_intels_tool),
        cmocka_unit_test(test_knows_an_all_zero_ppid),
        cmocka_unit_test(test_reads_every_record_whatever_ends_its_line),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
