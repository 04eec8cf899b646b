/* SPDX-License-Identifier: BSD-3-Clause */
/* The body of PUT platformcollateral, read as either version: whatever is taken must be released
 * whole. */
#include "collateral/collaterals_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned version = 3; version <= 4; version++) {
        struct collaterals_file file;
        struct fault why;
        if (collaterals_file_parse(span_of(data, size), version, &file, &why) == 0) {
            collaterals_file_done(&file);
        }
    }
    return 0;
}
