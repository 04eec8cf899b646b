/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes of EFI variables for tests, as efivarfs shows them: attributes first. */
#ifndef UNIT_PLATFORM_EFI_BYTES_H
#define UNIT_PLATFORM_EFI_BYTES_H

#include <stddef.h>
#include <stdint.h>

enum { EFI_BYTES_MAX = 4096 };

#define GUID_MANIFEST "\x17\x8E\x87\x4B\x49\xE4\x4A\xA5\x99\xBB\x30\x57\x17\x09\x25\xB4"
#define GUID_ADD_REQUEST "\x69\x65\x19\xCA\x73\xC1\x47\x85\xA0\xF6\x4D\x28\x9D\x37\xE9\x95"
#define GUID_OTHER "\x84\x94\x7A\xC6\x84\x40\x41\x89\x90\x2A\x7E\x76\xCD\x65\x89\x26"

/* A request of that version: header, first the GUID's 16 bytes, then 0, 1, 2...; returns its
 * size. size: of the payload. */
size_t efi_request_bytes(uint8_t out[EFI_BYTES_MAX], unsigned version, const char *guid,
                         size_t size);
/* attributes 7, version 1, size 3. */
size_t efi_status_bytes(uint8_t out[EFI_BYTES_MAX], unsigned bits, unsigned error);
size_t efi_configuration_bytes(uint8_t out[EFI_BYTES_MAX], unsigned flags);

#endif
