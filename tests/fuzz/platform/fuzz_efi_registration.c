/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The firmware's registration variables: what is taken for a request lies in the variable to its
 * end, and a status is rendered as it was read.
 */
#include "base/mem.h"
#include "platform/efi_registration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span file = span_of(data, size);
    struct efi_request request;
    struct efi_status status;
    struct efi_configuration configuration;
    struct fault why;
    if (efi_request_parse(file, &request, &why) == 0) {
        must(request.version >= 1 && request.version <= 3);
        must(request.payload.size >= 32);
        must(request.payload.data + request.payload.size == data + size);
    }
    if (efi_status_parse(file, &status, &why) == 0) {
        uint8_t again[EFI_STATUS_FILE_SIZE];
        efi_status_render(&status, again);
        must(span_equal(file, span_of(again, sizeof again)));
        must(efi_error_words(status.error)[0] != '\0');
    }
    if (efi_configuration_parse(file, &configuration, &why) == 0) {
        must(size >= 10);
    }
    return 0;
}
