/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes EFI variables byte by byte from their description, with nothing of the product's.
 */
#include "efi_bytes.h"

#include <string.h>

static size_t
put(uint8_t *out, size_t at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        out[at + i] = (uint8_t)(value >> (8 * i) & 0xff);
    }
    return at + size;
}

size_t
efi_request_bytes(uint8_t out[EFI_BYTES_MAX], unsigned version, const char *guid, size_t size)
{
    size_t at = put(out, 0, 6, 4);
    at = put(out, at, version, 2);
    at = put(out, at, size, version == 3 ? 4 : 2);
    for (size_t i = 0; i < size; i++) {
        out[at + i] = i < 16 ? (uint8_t)guid[i] : (uint8_t)i;
    }
    return at + size;
}

size_t
efi_status_bytes(uint8_t out[EFI_BYTES_MAX], unsigned bits, unsigned error)
{
    size_t at = put(out, 0, 7, 4);
    at = put(out, at, 1, 2);
    at = put(out, at, 3, 2);
    at = put(out, at, bits, 2);
    return put(out, at, error, 1);
}

size_t
efi_configuration_bytes(uint8_t out[EFI_BYTES_MAX], unsigned flags)
{
    size_t at = put(out, 0, 6, 4);
    at = put(out, at, 1, 2);
    at = put(out, at, 1518, 2);
    at = put(out, at, flags, 2);
    memset(out + at, 0, 1516);
    return at + 1516;
}
