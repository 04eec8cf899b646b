/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes the registration variables of the firmware apart: the request (in its three versions), the
 * status and the configuration.
 *
 * Takes the bytes of an efivarfs file; gives fields and spans, or the rule that is broken. Pure;
 * any thread; manifest.c calls it. Must never take a variable whose sizes disagree: what it calls a
 * manifest is registered, and then marked as done.
 *
 * Intel's registration guide (variables); sizes and GUIDs as in memory, integers little-endian.
 */
#include "platform/efi_registration.h"

#include "base/mem.h"
#include "base/reader.h"

enum {
    GUID_SIZE = 16,
    STRUCTURE_HEADER_SIZE = 32, /* the plain and the extended one alike */
    STATUS_DATA_SIZE = 3,
};

static const uint8_t manifest_guid[GUID_SIZE] = {0x17, 0x8E, 0x87, 0x4B, 0x49, 0xE4, 0x4A, 0xA5,
                                                 0x99, 0xBB, 0x30, 0x57, 0x17, 0x09, 0x25, 0xB4};
static const uint8_t add_request_guid[GUID_SIZE] = {0x69, 0x65, 0x19, 0xCA, 0x73, 0xC1, 0x47, 0x85,
                                                    0xA0, 0xF6, 0x4D, 0x28, 0x9D, 0x37, 0xE9, 0x95};

static int
refuse_short(struct fault *why)
{
    return fault_set(why, FAULT_INPUT, "efi", "the variable ends in the middle of its header");
}

/* The size field: 2 bytes in versions 1 and 2, 4 bytes in version 3. */
static bool
request_read_size(struct reader *r, uint16_t version, uint32_t *ret_size)
{
    if (version == 3) {
        return reader_u32_le(r, ret_size);
    }
    uint16_t size;
    if (!reader_u16_le(r, &size)) {
        return false;
    }
    *ret_size = size;
    return true;
}

int
efi_request_parse(struct span file, struct efi_request *ret_request, struct fault *why)
{
    struct reader r = reader_of(file);
    uint32_t attributes;
    uint16_t version;
    uint32_t size;
    if (!reader_u32_le(&r, &attributes) || !reader_u16_le(&r, &version)) {
        return refuse_short(why);
    }
    if (version < 1 || version > 3) {
        return fault_set(why, FAULT_INPUT, "efi", "the request has version %u, not 1, 2 or 3",
                         version);
    }
    if (!request_read_size(&r, version, &size)) {
        return refuse_short(why);
    }
    if (size != r.rest.size) {
        return fault_set(why, FAULT_INPUT, "efi",
                         "the request's size field says %u bytes, but %zu follow", size,
                         r.rest.size);
    }
    if (size < STRUCTURE_HEADER_SIZE) {
        return fault_set(why, FAULT_INPUT, "efi", "the request has only %u bytes", size);
    }
    struct efi_request request = {.version = version, .payload = r.rest};
    if (memcmp(r.rest.data, manifest_guid, GUID_SIZE) == 0) {
        request.kind = EFI_REQUEST_MANIFEST;
    } else if (memcmp(r.rest.data, add_request_guid, GUID_SIZE) == 0) {
        request.kind = EFI_REQUEST_ADD_PACKAGE;
    } else {
        return fault_set(why, FAULT_INPUT, "efi",
                         "the request's first GUID is neither a manifest's nor an add request's");
    }
    *ret_request = request;
    return 0;
}

int
efi_status_parse(struct span file, struct efi_status *ret_status, struct fault *why)
{
    struct reader r = reader_of(file);
    struct efi_status status;
    uint16_t version;
    uint16_t size;
    if (!reader_u32_le(&r, &status.attributes) || !reader_u16_le(&r, &version) ||
        !reader_u16_le(&r, &size)) {
        return refuse_short(why);
    }
    if (version != 1 || size != STATUS_DATA_SIZE || r.rest.size != STATUS_DATA_SIZE) {
        return fault_set(why, FAULT_INPUT, "efi",
                         "the status has version %u, size field %u and %zu bytes, not 1, 3 and 3",
                         version, size, r.rest.size);
    }
    must(reader_u16_le(&r, &status.bits) && reader_byte(&r, &status.error));
    *ret_status = status;
    return 0;
}

void
efi_status_render(const struct efi_status *status, uint8_t out[EFI_STATUS_FILE_SIZE])
{
    const uint8_t bytes[EFI_STATUS_FILE_SIZE] = {
        (uint8_t)(status->attributes & 0xff),
        (uint8_t)(status->attributes >> 8 & 0xff),
        (uint8_t)(status->attributes >> 16 & 0xff),
        (uint8_t)(status->attributes >> 24),
        1, /* version */
        0,
        STATUS_DATA_SIZE,
        0,
        (uint8_t)(status->bits & 0xff),
        (uint8_t)(status->bits >> 8),
        status->error,
    };
    memcpy(out, bytes, sizeof bytes);
}

int
efi_configuration_parse(struct span file, struct efi_configuration *ret_configuration,
                        struct fault *why)
{
    struct reader r = reader_of(file);
    uint32_t attributes;
    uint16_t version;
    uint16_t size;
    uint16_t flags;
    if (!reader_u32_le(&r, &attributes) || !reader_u16_le(&r, &version) ||
        !reader_u16_le(&r, &size) || !reader_u16_le(&r, &flags)) {
        return refuse_short(why);
    }
    if (version != 1) {
        return fault_set(why, FAULT_INPUT, "efi", "the configuration has version %u, not 1",
                         version);
    }
    *ret_configuration = (struct efi_configuration){.flags = flags};
    return 0;
}

const char *
efi_error_words(uint8_t error)
{
    static const struct {
        uint8_t code;
        const char *words;
    } rows[] = {
        {0x00, "no error"},
        {0x12, "firmware, before memory: not capable of SGX"},
        {0x13, "firmware, before memory: no valid PRMRR"},
        {0x14, "firmware, before memory: not capable of SGX"},
        {0x15, "firmware, before memory: memory encryption (TME) is disabled"},
        {0x16, "firmware, before memory: SGX is disabled"},
        {0x17, "firmware, before memory: wrong PRMRR size"},
        {0x19, "firmware, before memory: the memory's topology does not suit"},
        {0x28, "firmware, after memory: key blob"},
        {0x2B, "firmware, after memory: first boot"},
        {0x3A, "firmware, late: SGX is disabled"},
        {0x3B, "firmware, late: factory reset"},
        {0x3F, "firmware, late: variable lock"},
        {0x53, "firmware, callback: microcode launch"},
        {0x57, "firmware, callback: key blobs"},
        {0x58, "firmware, callback: TCB recovery"},
        {0x59, "firmware, callback: the manifest could not be stored"},
        {0x80, "program: unexpected error"},
        {0x81, "program: no memory"},
        {0x82, "program: network"},
        {0x83, "program: wrong parameter"},
        {0x84, "registration service: error 500"},
        {0x85, "registration service: no answer in time"},
        {0x86, "program: the firmware's protocol was not kept"},
        {0x87, "registration service: subscription key not accepted"},
        {0xA0, "registration service: syntax of the request"},
        {0xA1, "registration service: the platform belongs to another registration server"},
        {0xA2, "registration service: package invalid or revoked"},
        {0xA3, "registration service: package not found (not a production CPU or microcode, or "
               "debugging is unlocked)"},
        {0xA4, "registration service: package not compatible"},
        {0xA5, "registration service: manifest invalid"},
        {0xA6, "registration service: platform not found"},
        {0xA7, "registration service: add request invalid"},
        {0xA8, "registration service: unknown error"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (rows[i].code == error) {
            return rows[i].words;
        }
    }
    return error < 0x80 ? "an error of the firmware without a known name"
                        : "an error of the registering program without a known name";
}
