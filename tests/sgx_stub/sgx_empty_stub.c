/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A library that is no SGX runtime: it can be loaded, but has none of the functions. Tests give it
 * where a runtime is expected.
 */
int sgx_nothing(void);

int
sgx_nothing(void)
{
    return 0;
}
