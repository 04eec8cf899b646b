/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signatures: the published example of RFC 6979 A.2.5 (P-256, SHA-256), and that OpenSSL takes
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "pcssim/sim_sign.h"

/* The key of RFC 6979 A.2.5 as SEC 1 has it, without its public half. */
static const char rfc_key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MDECAQEEIMmvqdhFunUWa1whV2ex1pNOUMPbNuibEnuKYisSD2choAoGCCqGSM49\n"
                              "AwEH\n"
                              "-----END EC PRIVATE KEY-----\n";

static int
folder_setup(void **state)
{
    static char path[] = "/tmp/pcs-sim-sign-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, rfc_key, sizeof(rfc_key) - 1), sizeof(rfc_key) - 1);
    close(fd);
    *state = path;
    return 0;
}

static int
folder_teardown(void **state)
{
    return unlink(*state);
}

static void
test_refuses_a_file_that_is_no_p256_key(void **state)
{
    struct sim_key *key = NULL;
    assert_int_equal(sim_key_load_or_make("/dev/null", &key, NULL), FAULT_INPUT);
    assert_null(key);
}

static void
test_signs_as_rfc_6979_says(void **state)
{
    struct sim_key *key = NULL;
    uint8_t raw[SIM_SIGNATURE_SIZE];
    char hex[2 * SIM_SIGNATURE_SIZE + 1];
    assert_int_equal(sim_key_load_or_make(*state, &key, NULL), 0);
    assert_int_equal(sim_sign_raw(key, span_of_text("sample"), raw, NULL), 0);
    hex_encode_upper(span_of(raw, sizeof(raw)), hex);
    assert_string_equal(hex, "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
                             "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
    assert_int_equal(sim_sign_raw(key, span_of_text("test"), raw, NULL), 0);
    hex_encode_upper(span_of(raw, sizeof(raw)), hex);
    assert_string_equal(hex, "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367"
                             "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083");
    sim_key_free(key);
}

static void
test_openssl_verifies_what_is_signed(void **state)
{
    struct sim_key *key = NULL;
    uint8_t der[SIM_SIGNATURE_DER_SIZE_MAX];
    size_t size = 0;
    assert_int_equal(sim_key_new(&key, NULL), 0);
    for (char c = 'a'; c <= 'z'; c++) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        assert_int_equal(sim_sign_der(key, span_of(&c, 1), der, &size, NULL), 0);
        assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, sim_key_pkey(key)), 1);
        assert_int_equal(EVP_DigestVerify(ctx, der, size, (const uint8_t *)&c, 1), 1);
        EVP_MD_CTX_free(ctx);
    }
    sim_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_a_file_that_is_no_p256_key),
        cmocka_unit_test(test_signs_as_rfc_6979_says),
        cmocka_unit_test(test_openssl_verifies_what_is_signed),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
