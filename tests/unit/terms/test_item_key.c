/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys: one text per key, and no two keys with one text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "terms/terms.h"

static void
assert_text(const struct item_key *key, const char *expected)
{
    char text[ITEM_KEY_TEXT_SIZE];
    assert_int_equal(item_key_text(key, text), strlen(expected));
    assert_string_equal(text, expected);
}

static void
test_a_qeid_cannot_look_like_another_key(void **state)
{
    /* without the encoding both would read pck/X/0000/<cpusvn>/0D00 */
    struct item_key one = {.kind = ITEM_PCK,
                           .platform = {.qeid = "X", .pceid = "0000"},
                           .raw = {.cpusvn = "0102030405060708090A0B0C0D0E0FFF", .pcesvn = "0D00"}};
    struct item_key other = {
        .kind = ITEM_PCK,
        .platform = {.qeid = "X/0000/0102030405060708090A0B0C0D0E0FFF", .pceid = "0D00"}};
    assert_text(&one, "pck/X/0000/0102030405060708090A0B0C0D0E0FFF/0D00");
    assert_text(&other, "pck/X%2F0000%2F0102030405060708090A0B0C0D0E0FFF/0D00");
    /* nor can it fake the encoding */
    struct item_key faker = {.kind = ITEM_PCK, .platform = {.qeid = "X%2F", .pceid = "0000"}};
    assert_text(&faker, "pck/X%252F/0000");
    assert_false(item_key_equal(&one, &other));
}

static void
test_the_largest_keys_fit(void **state)
{
    struct item_key key = {.kind = ITEM_CRL};
    char text[ITEM_KEY_TEXT_SIZE];
    memset(key.url, 'u', LIMIT_URL_CHARS);
    assert_int_equal(item_key_text(&key, text), 4 + LIMIT_URL_CHARS);
    key =
        (struct item_key){.kind = ITEM_PCK,
                          .platform.pceid = "0000",
                          .raw = {.cpusvn = "00000000000000000000000000000000", .pcesvn = "0000"}};
    memset(key.platform.qeid, '/', LIMIT_QEID_CHARS);
    assert_int_equal(item_key_text(&key, text), 4 + 3 * LIMIT_QEID_CHARS + 5 + 33 + 5);
    for (size_t i = 0; i < LIMIT_QEID_CHARS; i++) {
        memcpy(key.platform.qeid + 4 * i, "\xf0\x9f\x98\x80", 5);
    }
    assert_int_equal(item_key_text(&key, text), 4 + 4 * LIMIT_QEID_CHARS + 5 + 33 + 5);
}

static void
test_every_kind_has_its_text(void **state)
{
    const struct {
        struct item_key key;
        const char *text;
    } rows[] = {
        {{.kind = ITEM_TCBINFO, .api_version = 4, .fmspc = {"00906EA10000"}},
         "tcb/SGX/4/STANDARD/00906EA10000"},
        {{.kind = ITEM_TCBINFO,
          .api_version = 3,
          .product = PRODUCT_TDX,
          .update = UPDATE_EARLY,
          .fmspc = {"00906EA10000"}},
         "tcb/TDX/3/EARLY/00906EA10000"},
        {{.kind = ITEM_TCBINFO,
          .api_version = 4,
          .update = UPDATE_NUMBERED,
          .eval_number = 17,
          .fmspc = {"00906EA10000"}},
         "tcb/SGX/4/17/00906EA10000"},
        {{.kind = ITEM_IDENTITY, .enclave = ENCLAVE_QE, .api_version = 4, .update = UPDATE_EARLY},
         "identity/QE/4/EARLY"},
        {{.kind = ITEM_IDENTITY, .enclave = ENCLAVE_TDQE, .api_version = 4},
         "identity/TD_QE/4/STANDARD"},
        {{.kind = ITEM_PCK_CRL, .ca = PCK_CA_PLATFORM}, "pckcrl/PLATFORM"},
        {{.kind = ITEM_ROOT_CRL}, "rootcrl"},
        {{.kind = ITEM_CRL, .url = "https://h/IntelSGXRootCA.der"},
         "crl/https://h/IntelSGXRootCA.der"},
        {{.kind = ITEM_PCK, .platform = {.qeid = "AB", .pceid = "0000"}}, "pck/AB/0000"},
        {{.kind = ITEM_EVALNUMBERS, .product = PRODUCT_TDX}, "evalnumbers/TDX"},
        {{.kind = ITEM_FMSPCS, .url = "all"}, "fmspcs/all"},
        {{.kind = ITEM_POLICIES, .fmspc = {"00906EA10000"}}, "policies/00906EA10000"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_text(&rows[i].key, rows[i].text);
        for (size_t j = 0; j < ARRAY_COUNT(rows); j++) {
            assert_int_equal(item_key_equal(&rows[i].key, &rows[j].key), i == j);
        }
    }
}

static void
test_every_member_counts_in_equality(void **state)
{
    const struct item_key base = {.kind = ITEM_TCBINFO};
    struct item_key others[12];
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        others[i] = base;
    }
    others[0].kind = ITEM_IDENTITY;
    others[1].api_version = 4;
    others[2].product = PRODUCT_TDX;
    others[3].enclave = ENCLAVE_QE;
    others[4].update = UPDATE_EARLY;
    others[5].eval_number = 1;
    others[6].ca = PCK_CA_PLATFORM;
    others[7].fmspc.hex[0] = 'A';
    others[8].platform.qeid[0] = 'A';
    others[9].platform.pceid[0] = 'A';
    others[10].raw.cpusvn[0] = 'A';
    others[11].url[0] = 'A';
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        assert_false(item_key_equal(&base, &others[i]));
        assert_true(item_key_equal(&others[i], &others[i]));
    }
    struct item_key pcesvn = base;
    pcesvn.raw.pcesvn[0] = 'A';
    assert_false(item_key_equal(&base, &pcesvn));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_qeid_cannot_look_like_another_key),
        cmocka_unit_test(test_the_largest_keys_fit),
        cmocka_unit_test(test_every_kind_has_its_text),
        cmocka_unit_test(test_every_member_counts_in_equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
