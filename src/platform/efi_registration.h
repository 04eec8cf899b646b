/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The firmware's variables of the registration of a multi-package platform, taken apart: files of
 * efivarfs, which begin with four bytes of attributes. Pure; spans lie in what was given.
 */
#ifndef PLATFORM_EFI_REGISTRATION_H
#define PLATFORM_EFI_REGISTRATION_H

#include "base/fault.h"
#include "base/span.h"

enum { EFI_NON_VOLATILE = 1, EFI_STATUS_FILE_SIZE = 11, EFI_STATUS_COMPLETE = 1 };

enum efi_request_kind { EFI_REQUEST_MANIFEST, EFI_REQUEST_ADD_PACKAGE };

struct efi_request {
    uint16_t version; /* 1, 2 or 3 */
    enum efi_request_kind kind;
    struct span payload; /* what is handed on: from the first GUID to the end */
};

struct efi_status {
    uint32_t attributes;
    uint16_t bits; /* 0: registration complete, 1: package info read, others reserved */
    uint8_t error; /* 0 none, 0x01-0x7f the firmware's, 0x80-0xff a program's */
};

struct efi_configuration {
    uint16_t flags; /* bit 0: the registration service keeps no keys (indirect registration) */
};

/* FAULT_INPUT with the rule that is broken. */
int efi_request_parse(struct span file, struct efi_request *ret_request,
                      struct fault *why) must_check;
int efi_status_parse(struct span file, struct efi_status *ret_status, struct fault *why) must_check;
int efi_configuration_parse(struct span file, struct efi_configuration *ret_configuration,
                            struct fault *why) must_check;
void efi_status_render(const struct efi_status *status, uint8_t out[EFI_STATUS_FILE_SIZE]);

/* An error of the status variable in plain words. Never NULL. */
const char *efi_error_words(uint8_t error);

#endif
