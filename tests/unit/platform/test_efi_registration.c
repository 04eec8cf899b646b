/* SPDX-License-Identifier: BSD-3-Clause */
/* The firmware's registration variables: every rule that they can break, then all versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "efi_bytes.h"
#include "platform/efi_registration.h"

static uint8_t bytes[EFI_BYTES_MAX];

static void
assert_refused(size_t size, const char *reason)
{
    struct efi_request request = {.version = 77};
    struct fault why = {.number = 0};
    assert_int_equal(efi_request_parse(span_of(bytes, size), &request, &why), FAULT_INPUT);
    assert_non_null(strstr(why.text, reason));
    assert_int_equal(request.version, 77);
}

static void
test_refuses_every_truncation(void **state)
{
    for (unsigned version = 1; version <= 3; version++) {
        size_t size = efi_request_bytes(bytes, version, GUID_MANIFEST, 100);
        for (size_t cut = 0; cut < size; cut++) {
            struct efi_request request;
            assert_int_equal(efi_request_parse(span_of(bytes, cut), &request, NULL), FAULT_INPUT);
        }
    }
}

static void
test_refuses_a_byte_too_many(void **state)
{
    size_t size = efi_request_bytes(bytes, 2, GUID_MANIFEST, 100);
    assert_refused(size + 1, "size field says 100 bytes, but 101 follow");
}

static void
test_refuses_other_versions(void **state)
{
    static const unsigned versions[] = {0, 4, 0x0100, 0xffff};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        assert_refused(efi_request_bytes(bytes, versions[i], GUID_MANIFEST, 100), "version");
    }
}

static void
test_refuses_another_guid(void **state)
{
    assert_refused(efi_request_bytes(bytes, 1, GUID_OTHER, 100), "GUID");
}

static void
test_refuses_less_than_a_structure_header(void **state)
{
    assert_refused(efi_request_bytes(bytes, 1, GUID_MANIFEST, 31), "only 31 bytes");
    assert_refused(efi_request_bytes(bytes, 3, GUID_MANIFEST, 0), "only 0 bytes");
}

static void
test_takes_manifests_of_all_versions(void **state)
{
    for (unsigned version = 1; version <= 3; version++) {
        struct efi_request request;
        size_t size = efi_request_bytes(bytes, version, GUID_MANIFEST, 300);
        assert_int_equal(efi_request_parse(span_of(bytes, size), &request, NULL), 0);
        assert_int_equal(request.version, version);
        assert_int_equal(request.kind, EFI_REQUEST_MANIFEST);
        assert_int_equal(request.payload.size, 300);
        assert_memory_equal(request.payload.data, GUID_MANIFEST, 16);
        assert_ptr_equal(request.payload.data + 300, bytes + size);
    }
}

static void
test_takes_an_add_request(void **state)
{
    struct efi_request request;
    size_t size = efi_request_bytes(bytes, 1, GUID_ADD_REQUEST, 211);
    assert_int_equal(efi_request_parse(span_of(bytes, size), &request, NULL), 0);
    assert_int_equal(request.kind, EFI_REQUEST_ADD_PACKAGE);
}

static void
test_refuses_a_status_of_another_size(void **state)
{
    struct efi_status status = {.error = 77};
    size_t size = efi_status_bytes(bytes, 1, 0);
    assert_int_equal(size, EFI_STATUS_FILE_SIZE);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(efi_status_parse(span_of(bytes, cut), &status, NULL), FAULT_INPUT);
    }
    assert_int_equal(efi_status_parse(span_of(bytes, size + 1), &status, NULL), FAULT_INPUT);
    bytes[4] = 2; /* version */
    assert_int_equal(efi_status_parse(span_of(bytes, size), &status, NULL), FAULT_INPUT);
    bytes[4] = 1;
    bytes[6] = 4; /* size field */
    assert_int_equal(efi_status_parse(span_of(bytes, size), &status, NULL), FAULT_INPUT);
    assert_int_equal(status.error, 77);
}

static void
test_renders_a_status_as_it_was_read(void **state)
{
    struct efi_status status;
    uint8_t again[EFI_STATUS_FILE_SIZE];
    size_t size = efi_status_bytes(bytes, 0x8002, 0x85);
    bytes[1] = 0x12; /* an attribute bit that nobody knows */
    assert_int_equal(efi_status_parse(span_of(bytes, size), &status, NULL), 0);
    assert_int_equal(status.bits, 0x8002);
    assert_int_equal(status.error, 0x85);
    efi_status_render(&status, again);
    assert_memory_equal(again, bytes, sizeof again);
}

static void
test_reads_the_flags_of_a_configuration(void **state)
{
    struct efi_configuration configuration;
    size_t size = efi_configuration_bytes(bytes, 1);
    assert_int_equal(efi_configuration_parse(span_of(bytes, size), &configuration, NULL), 0);
    assert_int_equal(configuration.flags, 1);
    assert_int_equal(efi_configuration_parse(span_of(bytes, 9), &configuration, NULL), FAULT_INPUT);
    bytes[4] = 9;
    assert_int_equal(efi_configuration_parse(span_of(bytes, size), &configuration, NULL),
                     FAULT_INPUT);
}

static void
test_has_words_for_every_error(void **state)
{
    for (unsigned error = 0; error < 256; error++) {
        assert_true(strlen(efi_error_words((uint8_t)error)) > 4);
    }
    assert_string_equal(efi_error_words(0x16), "firmware, before memory: SGX is disabled");
    assert_non_null(strstr(efi_error_words(0xA3), "package not found"));
    assert_non_null(strstr(efi_error_words(0x77), "firmware"));
    assert_non_null(strstr(efi_error_words(0xF0), "program"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_every_truncation),
        cmocka_unit_test(test_refuses_a_byte_too_many),
        cmocka_unit_test(test_refuses_other_versions),
        cmocka_unit_test(test_refuses_another_guid),
        cmocka_unit_test(test_refuses_less_than_a_structure_header),
        cmocka_unit_test(test_refuses_a_status_of_another_size),
        cmocka_unit_test(test_takes_manifests_of_all_versions),
        cmocka_unit_test(test_takes_an_add_request),
        cmocka_unit_test(test_renders_a_status_as_it_was_read),
        cmocka_unit_test(test_reads_the_flags_of_a_configuration),
        cmocka_unit_test(test_has_words_for_every_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
