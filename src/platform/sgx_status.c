/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names and plain words for the numbers that the SGX runtime and the PCE return.
 *
 * Takes a number, gives constant texts of sgx_status.def. Pure; any thread.
 * Must never be silent: a number that is in no table is said to be unknown.
 * The platform's manual page lists the same table.
 */
#include "platform/sgx_status.h"

#include "base/mem.h"

struct row {
    uint32_t code;
    const char *name;
    const char *words;
};

static const struct row statuses[] = {
#define SGX_STATUS(code, name, words) {code, name, words},
#include "platform/sgx_status.def"
#undef SGX_STATUS
};

static const struct row pce_errors[] = {
    {1, "", "The PCE failed without a reason."},
    {15, "", "The PCE did not take its parameters: enclave packages of different versions."},
    {17, "", "The PCE ran out of memory."},
    {18, "", "The PCE wants more room: enclave packages of different versions."},
    {206, "", "The PCE failed unexpectedly: reinstall libsgx-ae-pce, update the microcode."},
    {207, "",
     "The PCE refuses its caller: the ID enclave has no provisioning right. Reinstall "
     "libsgx-ae-id-enclave."},
    {208, "", "The PCE does not accept the ID enclave's report: reinstall both enclave packages."},
    {215, "",
     "The PCE says that key and report do not belong together: reinstall both enclave "
     "packages."},
};

static const struct row *
row_find(const struct row *rows, size_t count, uint32_t code)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *
sgx_status_name(uint32_t status)
{
    const struct row *row = row_find(statuses, ARRAY_COUNT(statuses), status);
    return row != NULL ? row->name : "unknown";
}

const char *
sgx_status_words(uint32_t status)
{
    const struct row *row = row_find(statuses, ARRAY_COUNT(statuses), status);
    return row != NULL ? row->words
                       : "This number is not known here; the runtime's own documents may list it.";
}

const char *
sgx_pce_words(uint32_t error)
{
    const struct row *row = row_find(pce_errors, ARRAY_COUNT(pce_errors), error);
    return row != NULL ? row->words : "This number of the PCE is not known here.";
}
