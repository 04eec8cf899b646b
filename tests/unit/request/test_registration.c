/* SPDX-License-Identifier: BSD-3-Clause */
/* POST platforms: which members, in which forms, with and without a manifest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "request/request.h"

static char ppid[LIMIT_PPID_HEX + 1];

static int
fill_ppid(void **state)
{
    memset(ppid, 'a', LIMIT_PPID_HEX);
    return 0;
}

#define IDS "\"qe_id\": \"ab\", \"pce_id\": \"0a00\""
#define CPU "\"cpu_svn\": \"0102030405060708090a0b0c0d0e0f10\""
#define PCE "\"pce_svn\": \"0d00\""

/* "%" stands for 768 digits. */
static int
parse(const char *body, struct registration *ret_registration, struct fault *why)
{
    static char text[4096];
    const char *percent = strchr(body, '%');
    if (percent == NULL) {
        return registration_parse(span_of_text(body), ret_registration, why);
    }
    snprintf(text, sizeof text, "%.*s%s%s", (int)(percent - body), body, ppid, percent + 1);
    return registration_parse(span_of_text(text), ret_registration, why);
}

static void
assert_refused(const char *body)
{
    struct registration registration = {.has_raw = true};
    struct fault why = {0};
    assert_int_equal(parse(body, &registration, &why), FAULT_INPUT);
    assert_int_equal(why.code, FAULT_INPUT);
    assert_true(why.text[0] != '\0');
    assert_true(registration.has_raw);         /* untouched */
    assert_null(strstr(why.text, "aaaaaaaa")); /* no PPID in faults */
}

static void
test_refuses_bodies_that_are_no_json_objects(void **state)
{
    static const char *const bodies[] = {"",   "{",    "[]",         "null", "\"x\"",     "1",
                                         "{}", "{} x", "{" IDS "}}", "\xff", "{" IDS ",}"};
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        assert_refused(bodies[i]);
    }
}

static void
test_refuses_missing_and_malformed_ids(void **state)
{
    assert_refused("{\"qe_id\": \"ab\", " CPU ", " PCE ", \"enc_ppid\": \"%\"}");
    assert_refused("{\"pce_id\": \"0a00\", " CPU ", " PCE ", \"enc_ppid\": \"%\"}");
    assert_refused("{\"qe_id\": \"\", \"pce_id\": \"0a00\", \"platform_manifest\": \"00\"}");
    assert_refused("{\"qe_id\": null, \"pce_id\": \"0a00\", \"platform_manifest\": \"00\"}");
    assert_refused("{\"qe_id\": 1, \"pce_id\": \"0a00\", \"platform_manifest\": \"00\"}");
    assert_refused("{\"qe_id\": \"ab\", \"pce_id\": \"0a0\", \"platform_manifest\": \"00\"}");
    assert_refused("{\"qe_id\": \"ab\", \"pce_id\": 0, \"platform_manifest\": \"00\"}");
    assert_refused("{\"qe_id\": \"ab\", \"pce_id\": \"\", \"platform_manifest\": \"00\"}");
    char body[600];
    char qeid[262];
    memset(qeid, 'x', 261);
    qeid[261] = '\0';
    snprintf(body, sizeof body,
             "{\"qe_id\": \"%s\", \"pce_id\": \"0a00\", "
             "\"platform_manifest\": \"00\"}",
             qeid);
    assert_refused(body);
}

static void
test_without_a_manifest_all_three_are_required(void **state)
{
    assert_refused("{" IDS "}");
    assert_refused("{" IDS ", " PCE ", \"enc_ppid\": \"%\"}");
    assert_refused("{" IDS ", " CPU ", \"enc_ppid\": \"%\"}");
    assert_refused("{" IDS ", " CPU ", " PCE "}");
    assert_refused("{" IDS ", " CPU ", " PCE ", \"platform_manifest\": \"\"}");
    assert_refused("{" IDS ", " CPU ", " PCE ", \"platform_manifest\": null}");
}

static void
test_empty_and_null_members_are_refused_even_beside_a_manifest(void **state)
{
    static const char *const members[] = {"cpu_svn", "pce_svn", "enc_ppid"};
    static const char *const values[] = {"\"\"", "null", "0", "\"0g\"", "[]", "\"000\"", "true"};
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(values); j++) {
            char body[200];
            snprintf(body, sizeof body, "{" IDS ", \"platform_manifest\": \"00\", \"%s\": %s}",
                     members[i], values[j]);
            assert_refused(body);
        }
    }
}

static void
test_refuses_manifests_that_are_not_hex(void **state)
{
    assert_refused("{" IDS ", \"platform_manifest\": \"0\"}");
    assert_refused("{" IDS ", \"platform_manifest\": \"xx\"}");
    assert_refused("{" IDS ", \"platform_manifest\": \"00 \"}");
    assert_refused("{" IDS ", \"platform_manifest\": 0}");
    assert_refused("{" IDS ", \"platform_manifest\": {}}");
}

static void
test_refuses_a_manifest_above_its_ceiling(void **state)
{
    size_t size = LIMIT_MANIFEST_HEX + 2 + 200;
    auto_free char *body = calloc(1, size);
    assert_non_null(body);
    for (size_t extra = 0; extra <= 2; extra += 2) {
        size_t at = (size_t)snprintf(body, size, "{" IDS ", \"platform_manifest\": \"");
        memset(body + at, '0', LIMIT_MANIFEST_HEX + extra);
        memcpy(body + at + LIMIT_MANIFEST_HEX + extra, "\"}", 3);
        struct registration registration = {0};
        int code = registration_parse(span_of_text(body), &registration, NULL);
        assert_int_equal(code, extra == 0 ? 0 : FAULT_INPUT);
        registration_done(&registration);
    }
}

static void
test_refuses_a_member_that_stands_twice(void **state)
{
    assert_refused("{" IDS ", \"qe_id\": \"cd\", \"platform_manifest\": \"00\"}");
    assert_refused("{" IDS ", \"platform_manifest\": \"00\", \"platform_manifest\": \"01\"}");
}

static void
test_takes_a_platform_without_a_manifest(void **state)
{
    static const char *const bodies[] = {
        "{" IDS ", " CPU ", " PCE ", \"enc_ppid\": \"%\"}",
        "{" IDS ", " CPU ", " PCE ", \"enc_ppid\": \"%\", \"platform_manifest\": null}",
        "{" IDS ", " CPU ", " PCE ", \"enc_ppid\": \"%\", \"platform_manifest\": \"\", \"x\": []}"};
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct registration registration = {0};
        assert_int_equal(parse(bodies[i], &registration, NULL), 0);
        assert_string_equal(registration.platform.qeid, "AB");
        assert_string_equal(registration.platform.pceid, "0A00");
        assert_true(registration.has_raw);
        assert_string_equal(registration.raw.cpusvn, "0102030405060708090A0B0C0D0E0F10");
        assert_string_equal(registration.raw.pcesvn, "0D00");
        assert_int_equal(strlen(registration.encrypted_ppid), LIMIT_PPID_HEX);
        assert_int_equal(registration.encrypted_ppid[0], 'A');
        assert_string_equal(registration.manifest, "");
        registration_done(&registration);
        assert_null(registration.manifest);
        registration_done(&registration);
    }
    registration_done(NULL);
}

static void
test_a_manifest_makes_the_other_three_nothing(void **state)
{
    static const char *const bodies[] = {"{" IDS ", \"platform_manifest\": \"aB01\"}",
                                         "{" IDS ", " CPU ", " PCE
                                         ", \"enc_ppid\": \"%\", \"platform_manifest\": \"aB01\"}"};
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct registration registration = {0};
        assert_int_equal(parse(bodies[i], &registration, NULL), 0);
        assert_false(registration.has_raw);
        assert_string_equal(registration.raw.cpusvn, "");
        assert_string_equal(registration.encrypted_ppid, "");
        assert_string_equal(registration.manifest, "AB01");
        registration_done(&registration);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_bodies_that_are_no_json_objects),
        cmocka_unit_test(test_refuses_missing_and_malformed_ids),
        cmocka_unit_test(test_without_a_manifest_all_three_are_required),
        cmocka_unit_test(test_empty_and_null_members_are_refused_even_beside_a_manifest),
        cmocka_unit_test(test_refuses_manifests_that_are_not_hex),
        cmocka_unit_test(test_refuses_a_manifest_above_its_ceiling),
        cmocka_unit_test(test_refuses_a_member_that_stands_twice),
        cmocka_unit_test(test_takes_a_platform_without_a_manifest),
        cmocka_unit_test(test_a_manifest_makes_the_other_three_nothing),
    };
    return cmocka_run_group_tests(tests, fill_ppid, NULL);
}
