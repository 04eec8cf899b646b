/* SPDX-License-Identifier: BSD-3-Clause */
/* The manifest's states, told from a folder that stands in for efivarfs; and the completion bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "efi_bytes.h"
#include "platform/manifest.h"

#define REQUEST "SgxRegistrationServerRequest-304e0796-d515-4698-ac6e-e76cb1a71c28"
#define STATUS "SgxRegistrationStatus-f236c5dc-a491-4bbe-bcdd-88885770df45"
#define CONFIGURATION "SgxRegistrationConfiguration-18b3bc81-e210-42b9-9ec8-2c5a7d4d89b6"

static char folder[] = "/tmp/test_manifest_XXXXXX";
static uint8_t bytes[EFI_BYTES_MAX];

static void
path_of(const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", folder, name);
}

static void
put(const char *name, size_t size)
{
    char path[256];
    path_of(name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void
put_request(unsigned version, const char *guid)
{
    put(REQUEST, efi_request_bytes(bytes, version, guid, 300));
}

static void
put_status(unsigned bits, unsigned error)
{
    put(STATUS, efi_status_bytes(bytes, bits, error));
}

static void
put_configuration(void)
{
    put(CONFIGURATION, efi_configuration_bytes(bytes, 0));
}

static int
make_folder(void **state)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 7); /* the template anew */
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
remove_folder(void **state)
{
    static const char *const names[] = {REQUEST, STATUS, CONFIGURATION};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[256];
        path_of(names[i], path);
        unlink(path);
        rmdir(path);
    }
    return rmdir(folder);
}

static void
assert_state(enum platform_state expected, size_t payload_size)
{
    struct manifest manifest;
    assert_int_equal(manifest_read(folder, &manifest, NULL), 0);
    assert_string_equal(platform_state_word(manifest.finding.state), platform_state_word(expected));
    assert_int_equal(manifest.payload.size, payload_size);
    assert_true(manifest.finding.seen[0] != '\0');
    manifest_done(&manifest);
}

static void
assert_status(unsigned bits, unsigned error)
{
    uint8_t expected[EFI_BYTES_MAX];
    char path[256];
    struct buf got = BUF_INIT(4096);
    path_of(STATUS, path);
    assert_int_equal(file_read(path, &got, NULL), 0);
    size_t size = efi_status_bytes(expected, bits, error);
    assert_int_equal(got.size, size);
    assert_memory_equal(got.data, expected, size);
    buf_done(&got);
}

/* ---- states ---- */

static void
test_nothing_there_was_never_offered(void **state)
{
    assert_state(STATE_MANIFEST_NEVER_OFFERED, 0);
}

static void
test_no_folder_is_no_efi(void **state)
{
    struct manifest manifest;
    assert_int_equal(manifest_read("/nonexistent/efivars", &manifest, NULL), 0);
    assert_int_equal(manifest.finding.state, STATE_MANIFEST_NO_EFI);
    manifest_done(&manifest);
}

static void
test_waiting_in_all_versions(void **state)
{
    put_configuration();
    put_status(0, 0);
    for (unsigned version = 1; version <= 3; version++) {
        put_request(version, GUID_MANIFEST);
        assert_state(STATE_MANIFEST_WAITING, 300);
    }
}

static void
test_waiting_without_a_status(void **state)
{
    put_request(1, GUID_MANIFEST);
    assert_state(STATE_MANIFEST_WAITING, 300);
}

static void
test_waiting_after_an_error_of_the_firmware(void **state)
{
    put_request(1, GUID_MANIFEST);
    put_status(0, 0x16);
    assert_state(STATE_MANIFEST_WAITING, 300);
}

static void
test_reboot_pending_can_be_read_again(void **state)
{
    put_request(2, GUID_MANIFEST);
    put_status(1, 0);
    assert_state(STATE_MANIFEST_REBOOT_PENDING, 300);
}

static void
test_consumed(void **state)
{
    put_configuration();
    put_status(3, 0);
    assert_state(STATE_MANIFEST_CONSUMED, 0);
}

static void
test_refused_earlier(void **state)
{
    put_status(1, 0xA3);
    assert_state(STATE_MANIFEST_REFUSED, 0);
}

static void
test_error_of_the_firmware(void **state)
{
    put_status(1, 0x16);
    assert_state(STATE_MANIFEST_FIRMWARE_ERROR, 0);
    put_status(0, 0x01);
    assert_state(STATE_MANIFEST_FIRMWARE_ERROR, 0);
}

static void
test_withheld(void **state)
{
    put_configuration();
    assert_state(STATE_MANIFEST_WITHHELD, 0);
    put_status(0, 0);
    assert_state(STATE_MANIFEST_WITHHELD, 0);
}

static void
test_an_add_request_is_no_manifest(void **state)
{
    put_request(1, GUID_ADD_REQUEST);
    assert_state(STATE_MANIFEST_ADD_PACKAGE, 0);
}

static void
test_malformed(void **state)
{
    put_request(9, GUID_MANIFEST);
    put_status(1, 0);
    assert_state(STATE_MANIFEST_MALFORMED, 0);
    put(REQUEST, 0);
    assert_state(STATE_MANIFEST_MALFORMED, 0);
}

static void
test_a_malformed_status_is_not_taken_for_none(void **state)
{
    put_configuration();
    put_status(1, 0);
    put(STATUS, 5);
    assert_state(STATE_MANIFEST_MALFORMED, 0);
}

static void
test_a_variable_above_the_ceiling_is_malformed(void **state)
{
    char path[256];
    path_of(REQUEST, path);
    put_request(1, GUID_MANIFEST);
    assert_int_equal(truncate(path, LIMIT_EFI_VARIABLE_BYTES + 1), 0);
    assert_state(STATE_MANIFEST_MALFORMED, 0);
}

static void
test_unreadable(void **state)
{
    char path[256];
    path_of(REQUEST, path);
    assert_int_equal(mkdir(path, 0700), 0); /* EISDIR, also for root */
    assert_state(STATE_MANIFEST_UNREADABLE, 0);
}

/* ---- marking ---- */

static void
test_does_not_create_a_status(void **state)
{
    struct fault why;
    char path[256];
    path_of(STATUS, path);
    assert_int_equal(manifest_mark_complete(folder, &why), MANIFEST_MARK_NO_STATUS);
    assert_int_equal(access(path, F_OK), -1);
}

static void
test_leaves_an_error_of_the_firmware_alone(void **state)
{
    struct fault why;
    put_status(0, 0x16);
    assert_int_equal(manifest_mark_complete(folder, &why), MANIFEST_MARK_FIRMWARE);
    assert_non_null(strstr(why.text, "SGX is disabled"));
    assert_status(0, 0x16);
}

static void
test_leaves_a_volatile_status_alone(void **state)
{
    struct fault why;
    put_status(0, 0);
    bytes[0] = 6; /* boot-service, runtime; not non-volatile */
    put(STATUS, EFI_STATUS_FILE_SIZE);
    assert_int_equal(manifest_mark_complete(folder, &why), MANIFEST_MARK_READ_ONLY);
}

static void
test_leaves_a_malformed_status_alone(void **state)
{
    struct fault why;
    put_status(0, 0);
    put(STATUS, 10);
    assert_int_equal(manifest_mark_complete(folder, &why), MANIFEST_MARK_MALFORMED);
}

static void
test_says_that_it_was_marked_before(void **state)
{
    struct fault why;
    put_status(1, 0x82);
    assert_int_equal(manifest_mark_complete(folder, &why), MANIFEST_MARKED_BEFORE);
    assert_status(1, 0x82);
}

static void
test_sets_the_one_bit_and_keeps_the_others(void **state)
{
    struct fault why;
    put_status(0x8002, 0);
    assert_int_equal(manifest_mark_complete(folder, &why), MANIFEST_MARKED);
    assert_status(0x8003, 0);
}

static void
test_clears_the_error_of_an_earlier_program(void **state)
{
    struct fault why;
    put_status(2, 0x85);
    assert_int_equal(manifest_mark_complete(folder, &why), MANIFEST_MARKED);
    assert_status(3, 0);
}

static void
test_does_not_write_through_a_link(void **state)
{
    struct fault why;
    char path[256];
    char target[256];
    put_status(0, 0);
    path_of(STATUS, path);
    path_of(CONFIGURATION, target);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(manifest_mark_complete(folder, &why), MANIFEST_MARK_FAILED);
    assert_int_not_equal(why.number, 0);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_nothing_there_was_never_offered),
        cmocka_unit_test(test_no_folder_is_no_efi),
        WITH_FOLDER(test_malformed),
        WITH_FOLDER(test_a_malformed_status_is_not_taken_for_none),
        WITH_FOLDER(test_a_variable_above_the_ceiling_is_malformed),
        WITH_FOLDER(test_unreadable),
        WITH_FOLDER(test_an_add_request_is_no_manifest),
        WITH_FOLDER(test_consumed),
        WITH_FOLDER(test_refused_earlier),
        WITH_FOLDER(test_error_of_the_firmware),
        WITH_FOLDER(test_withheld),
        WITH_FOLDER(test_waiting_in_all_versions),
        WITH_FOLDER(test_waiting_without_a_status),
        WITH_FOLDER(test_waiting_after_an_error_of_the_firmware),
        WITH_FOLDER(test_reboot_pending_can_be_read_again),
        WITH_FOLDER(test_does_not_create_a_status),
        WITH_FOLDER(test_leaves_an_error_of_the_firmware_alone),
        WITH_FOLDER(test_leaves_a_volatile_status_alone),
        WITH_FOLDER(test_leaves_a_malformed_status_alone),
        WITH_FOLDER(test_does_not_write_through_a_link),
        WITH_FOLDER(test_says_that_it_was_marked_before),
        WITH_FOLDER(test_sets_the_one_bit_and_keeps_the_others),
        WITH_FOLDER(test_clears_the_error_of_an_earlier_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
