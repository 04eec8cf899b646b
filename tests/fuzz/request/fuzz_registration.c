/* SPDX-License-Identifier: BSD-3-Clause */
/* The body of POST platforms: with a manifest nothing else, without one everything. */
#include "base/mem.h"
#include "request/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct registration registration;
    struct fault why;
    if (registration_parse(span_of(data, size), &registration, &why) == 0) {
        must(registration.has_raw == (registration.manifest[0] == '\0'));
        must(strlen(registration.encrypted_ppid) == (registration.has_raw ? LIMIT_PPID_HEX : 0));
        must(strlen(registration.manifest) % 2 == 0);
        registration_done(&registration);
    }
    return 0;
}
