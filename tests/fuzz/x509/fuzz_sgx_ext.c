/* SPDX-License-Identifier: BSD-3-Clause */
/* The SGX extension: nothing behind it is accepted, and a failure leaves the output untouched. */
#include "base/mem.h"
#include "x509/sgx_ext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sgx_ext ext = {.sgx_type = 99};
    if (sgx_ext_parse_der(span_of(data, size), &ext, NULL) != 0) {
        must(ext.sgx_type == 99);
        return 0;
    }
    must(ext.sgx_type >= 0 && ext.sgx_type <= 2);
    must(sgx_ext_parse_der(span_of(data, size - 1), &ext, NULL) == FAULT_INPUT);
    return 0;
}
