/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The platform collaterals file: what it must have, what Intel's tools write into it, and the
 * nearest forms that are refused (clients.md 5.2). One test reads a real file, where it is at hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "collateral/collaterals_file.h"

#define CPUSVN "0b0b1a18ffff04000000000000000000"
#define TCBM "0B0B0202FF01000000000000000000000D00"
#define PLATFORM                                                                                   \
    "{\"qe_id\": \"aa\", \"pce_id\": \"0a00\", \"cpu_svn\": \"" CPUSVN                             \
    "\", \"pce_svn\": \"0f00\", \"enc_ppid\": \"\", \"platform_manifest\": null, "                 \
    "\"pckid_filename\": \"node1\"}"
#define CERT(text)                                                                                 \
    "{\"tcb\": {\"sgxtcbcomp01svn\": 11, \"sgxtcbcomp02svn\": 11, \"sgxtcbcomp03svn\": 2, "        \
    "\"sgxtcbcomp04svn\": 2, \"sgxtcbcomp05svn\": 255, \"sgxtcbcomp06svn\": 1, "                   \
    "\"sgxtcbcomp07svn\": 0, \"sgxtcbcomp08svn\": 0, \"sgxtcbcomp09svn\": 0, "                     \
    "\"sgxtcbcomp10svn\": 0, \"sgxtcbcomp11svn\": 0, \"sgxtcbcomp12svn\": 0, "                     \
    "\"sgxtcbcomp13svn\": 0, \"sgxtcbcomp14svn\": 0, \"sgxtcbcomp15svn\": 0, "                     \
    "\"sgxtcbcomp16svn\": 0, \"pcesvn\": 13}, \"tcbm\": \"" TCBM "\", \"cert\": \"" text "\"}"
#define PCK(qeid, text)                                                                            \
    "{\"qe_id\": \"" qeid "\", \"pce_id\": \"0a00\", \"enc_ppid\": \"\", "                         \
    "\"platform_manifest\": \"ab\", \"certs\": [" CERT(text) "]}"
#define TCBINFO "{\"tcbInfo\": {\"id\": \"SGX\", \"note\": \"a : b, c\"}, \"signature\": \"00\"}"
#define CHAINS                                                                                     \
    "{\"SGX-PCK-Certificate-Issuer-Chain\": {\"PROCESSOR\": \"p%0A\", \"PLATFORM\": \"q%0A\"}, "   \
    "\"TCB-Info-Issuer-Chain\": \"t%0A\", \"SGX-Enclave-Identity-Issuer-Chain\": \"i%0A\"}"

/* The parts of a file; NULL leaves a member out. */
struct parts {
    const char *platforms, *version, *pck_certs, *tcbinfos, *certificates;
    const char *rest; /* further members, each with a comma before it */
};

static struct parts
parts_whole(void)
{
    return (struct parts){
        .platforms = "[" PLATFORM "]",
        .version = "4",
        .pck_certs = "[" PCK("AA", "x%20y%0A") "]",
        .tcbinfos = "[{\"fmspc\": \"00a067110000\", \"sgx_tcbinfo\": " TCBINFO "}]",
        .certificates = CHAINS,
        .rest = ", \"pckcacrl\": {\"processorCrl\": \"3003\", \"platformCrl\": \"30ff\"}"
                ", \"qeidentity\": \"{\\\"enclaveIdentity\\\":{}}\""
                ", \"tdqeidentity\": \"\", \"qveidentity\": \"{ \\\"a\\\" : 1 }\""
                ", \"rootcacrl\": \"3081\""
                ", \"rootcacrl_cdp\": \"https://certificates.example/IntelSGXRootCA.der\""
                ", \"qeidentity_early\": \"{}\"",
    };
}

static void
add_member(struct buf *b, const char *name, const char *value)
{
    if (value != NULL) {
        bool is_first = b->data[b->size - 1] == '{';
        buf_add_format(b, "%s\"%s\": %s", is_first ? "" : ", ", name, value);
    }
}

static int
parse(const struct parts *parts, unsigned version, struct collaterals_file *ret_file,
      struct fault *why)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(16 * 1024 * 1024);
    buf_add_text(&b, "{");
    add_member(&b, "platforms", parts->platforms);
    add_member(&b, "collaterals", "{");
    add_member(&b, "version", parts->version);
    add_member(&b, "pck_certs", parts->pck_certs);
    add_member(&b, "tcbinfos", parts->tcbinfos);
    add_member(&b, "certificates", parts->certificates);
    buf_add_text(&b, parts->rest != NULL ? parts->rest : "");
    assert_int_equal(buf_add_text(&b, "}}"), 0);
    return collaterals_file_parse(buf_span(&b), version, ret_file, why);
}

static void
expect_refused(const struct parts *parts, const char *named)
{
    struct collaterals_file file = {.version = 77};
    struct fault why = {0};
    assert_int_equal(parse(parts, 4, &file, &why), FAULT_INPUT);
    assert_int_equal(file.version, 77);
    if (strstr(why.text, named) == NULL) {
        fail_msg("\"%s\" does not name %s", why.text, named);
    }
}

static struct collaterals_file
expect_taken(const struct parts *parts, unsigned version)
{
    struct collaterals_file file = {0};
    struct fault why = {0};
    if (parse(parts, version, &file, &why) != 0) {
        fail_msg("refused: %s", why.text);
    }
    return file;
}

static const struct collaterals_item *
find_item(const struct collaterals_file *file, struct item_key key)
{
    for (size_t i = 0; i < file->item_count; i++) {
        if (item_key_equal(&file->items[i].key, &key)) {
            return &file->items[i];
        }
    }
    return NULL;
}

static void
expect_body(const struct collaterals_item *item, const char *text)
{
    assert_non_null(item);
    assert_int_equal(item->raw.body.size, strlen(text));
    assert_memory_equal(item->raw.body.data, text, strlen(text));
}

static struct item_key
tcb_key(enum product product, unsigned version, enum update_type update, const char *fmspc)
{
    struct item_key key = {
        .kind = ITEM_TCBINFO, .product = product, .api_version = version, .update = update};
    assert_true(fmspc_parse(span_of_text(fmspc), &key.fmspc));
    return key;
}

/* ---- refusals ---- */

static void
test_refuses_what_is_not_a_json_object(void **state)
{
    static const char *const bodies[] = {"", "[]", "{", "null", "{\"platforms\": []} x"};
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct collaterals_file file;
        assert_int_equal(collaterals_file_parse(span_of_text(bodies[i]), 4, &file, NULL),
                         FAULT_INPUT);
    }
}

static void
test_refuses_a_missing_required_member(void **state)
{
    struct parts parts = parts_whole();
    parts.platforms = NULL;
    expect_refused(&parts, "platforms");
    parts = parts_whole();
    parts.version = NULL;
    expect_refused(&parts, "version");
    parts = parts_whole();
    parts.pck_certs = NULL;
    expect_refused(&parts, "pck_certs");
    parts = parts_whole();
    parts.tcbinfos = NULL;
    expect_refused(&parts, "tcbinfos");
    parts = parts_whole();
    parts.certificates = NULL;
    expect_refused(&parts, "certificates");
    parts = parts_whole();
    parts.certificates = "{\"TCB-Info-Issuer-Chain\": \"\"}";
    expect_refused(&parts, "SGX-PCK-Certificate-Issuer-Chain");
}

static void
test_refuses_members_of_another_type(void **state)
{
    struct parts parts = parts_whole();
    parts.platforms = "{}";
    expect_refused(&parts, "platforms");
    parts = parts_whole();
    parts.platforms = "[[]]";
    expect_refused(&parts, "platforms[0]");
    parts = parts_whole();
    parts.pck_certs = "\"\"";
    expect_refused(&parts, "pck_certs");
    parts = parts_whole();
    parts.tcbinfos = "[{\"fmspc\": \"00a067110000\", \"sgx_tcbinfo\": \"{}\"}]";
    expect_refused(&parts, "tcbinfos[0].sgx_tcbinfo");
    parts = parts_whole();
    parts.certificates = "{\"SGX-PCK-Certificate-Issuer-Chain\": \"\"}";
    expect_refused(&parts, "SGX-PCK-Certificate-Issuer-Chain");
    parts = parts_whole();
    parts.rest = ", \"qeidentity\": {}";
    expect_refused(&parts, "qeidentity");
    parts = parts_whole();
    parts.rest = ", \"pckcacrl\": {\"platformCrl\": 1}";
    expect_refused(&parts, "platformCrl");
}

static void
test_refuses_a_version_that_is_not_the_paths(void **state)
{
    static const char *const versions[] = {"3", "\"4\"", "4.0", "5", "null", "40"};
    for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
        struct parts parts = parts_whole();
        parts.version = versions[i];
        expect_refused(&parts, "collaterals.version");
    }
}

static void
test_refuses_a_member_twice(void **state)
{
    struct parts parts = parts_whole();
    parts.rest = ", \"tcbinfos\": []";
    expect_refused(&parts, "twice");
    parts = parts_whole();
    parts.platforms = "[{\"qe_id\": \"a\", \"pce_id\": \"0000\", \"qe_id\": \"b\"}]";
    expect_refused(&parts, "platforms[0]: member qe_id stands twice");
}

static void
test_refuses_values_without_their_form(void **state)
{
#define P(members) "[" PLATFORM ", {" members "}]"
    static const struct {
        const char *platforms, *named;
    } cases[] = {
        {P("\"pce_id\": \"0000\""), "platforms[1]: member qe_id is missing"},
        {P("\"qe_id\": \"a\""), "platforms[1]: member pce_id is missing"},
        {P("\"qe_id\": \"\", \"pce_id\": \"0000\""), "platforms[1].qe_id"},
        {P("\"qe_id\": null, \"pce_id\": \"0000\""), "platforms[1].qe_id"},
        {P("\"qe_id\": \"a\\u0000b\", \"pce_id\": \"0000\""), "platforms[1].qe_id"},
        {P("\"qe_id\": \"a\", \"pce_id\": \"000\""), "platforms[1].pce_id"},
        {P("\"qe_id\": \"a\", \"pce_id\": \"000g\""), "platforms[1].pce_id"},
        {P("\"qe_id\": \"a\", \"pce_id\": \"0000\", \"cpu_svn\": \"00\", \"pce_svn\": \"0000\""),
         "platforms[1]: cpu_svn"},
        {P("\"qe_id\": \"a\", \"pce_id\": \"0000\", \"cpu_svn\": \"00\", \"pce_svn\": \"\""),
         "platforms[1]: cpu_svn"},
        {P("\"qe_id\": \"a\", \"pce_id\": \"0000\", \"pce_svn\": \"0g00\""),
         "platforms[1]: cpu_svn"},
        {P("\"qe_id\": \"a\", \"pce_id\": \"0000\", \"enc_ppid\": \"00\""),
         "platforms[1].enc_ppid"},
        {P("\"qe_id\": \"a\", \"pce_id\": \"0000\", \"platform_manifest\": \"abc\""),
         "platforms[1].platform_manifest"},
        {P("\"qe_id\": \"a\", \"pce_id\": \"0000\", \"platform_manifest\": \"zz\""),
         "platforms[1].platform_manifest"},
    };
#undef P
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct parts parts = parts_whole();
        parts.platforms = cases[i].platforms;
        expect_refused(&parts, cases[i].named);
    }
}

static void
test_refuses_a_manifest_above_its_ceiling(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(2 * LIMIT_MANIFEST_HEX);
    buf_add_text(&b, "[{\"qe_id\": \"a\", \"pce_id\": \"0000\", \"platform_manifest\": \"");
    uint8_t *digits = buf_reserve(&b, LIMIT_MANIFEST_HEX + 2);
    assert_non_null(digits);
    memset(digits, 'a', LIMIT_MANIFEST_HEX + 2);
    buf_grew(&b, LIMIT_MANIFEST_HEX + 2);
    assert_int_equal(buf_add_text(&b, "\"}]"), 0);
    struct parts parts = parts_whole();
    parts.platforms = buf_text(&b);
    expect_refused(&parts, "platforms[0].platform_manifest");
}

static void
test_refuses_more_certificates_than_a_platform_may_have(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(16 * 1024 * 1024);
    buf_add_text(&b, "[{\"qe_id\": \"a\", \"pce_id\": \"0000\", \"enc_ppid\": \"\", "
                     "\"certs\": [" CERT("x"));
    for (int i = 0; i < LIMIT_PCK_CERTS; i++) {
        buf_add_text(&b, ", " CERT("x"));
    }
    assert_int_equal(buf_add_text(&b, "]}]"), 0);
    struct parts parts = parts_whole();
    parts.pck_certs = buf_text(&b);
    expect_refused(&parts, "pck_certs[0].certs");
}

static void
test_refuses_a_broken_percent_escape(void **state)
{
    static const char *const certs[] = {"[" PCK("aa", "%zz") "]", "[" PCK("aa", "x%") "]",
                                        "[" PCK("aa", "x%0") "]"};
    for (size_t i = 0; i < ARRAY_COUNT(certs); i++) {
        struct parts parts = parts_whole();
        parts.pck_certs = certs[i];
        expect_refused(&parts, "pck_certs[0].certs[0].cert");
    }
    struct parts parts = parts_whole();
    parts.certificates = "{\"SGX-PCK-Certificate-Issuer-Chain\": {\"PLATFORM\": \"%0\"}}";
    expect_refused(&parts, "PLATFORM");
    parts.certificates = "{\"SGX-PCK-Certificate-Issuer-Chain\": {}, "
                         "\"TCB-Info-Issuer-Chain\": \"%%41\"}";
    expect_refused(&parts, "TCB-Info-Issuer-Chain");
}

static void
test_refuses_a_certificate_entry_without_its_form(void **state)
{
#define P(members) "[{\"qe_id\": \"a\", \"pce_id\": \"0000\"" members "}]"
#define PPID ", \"enc_ppid\": \"\""
    static const struct {
        const char *pck_certs, *named;
    } cases[] = {
        {P(PPID ", \"certs\": [{\"tcb\": {}, \"cert\": \"x\"}]"), "pck_certs[0].certs[0]: tcbm"},
        {P(PPID ", \"certs\": [{\"tcb\": {}, \"tcbm\": \"" TCBM "\", \"cert\": \"x\"}]"),
         "pck_certs[0].certs[0]: sgxtcbcomp01svn"},
        {P(PPID ", \"certs\": [{\"tcbm\": \"" TCBM "\", \"cert\": \"x\"}]"),
         "pck_certs[0].certs[0]: member tcb is missing"},
        {P(PPID), "certs is missing"},
        {P(", \"certs\": [" CERT("x") "]"), "enc_ppid is missing"},
    };
#undef PPID
#undef P
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct parts parts = parts_whole();
        parts.pck_certs = cases[i].pck_certs;
        expect_refused(&parts, cases[i].named);
    }
}

static void
test_refuses_a_platform_of_which_no_certificate_is_left(void **state)
{
    static const char *const certs[] = {"[]", "[" CERT("Not available") "]",
                                        "[" CERT("Not available") ", " CERT("Not available") "]"};
    for (size_t i = 0; i < ARRAY_COUNT(certs); i++) {
        auto_cleanup(buf_done) struct buf b = BUF_INIT(16 * 1024);
        buf_add_format(&b,
                       "[" PCK("b", "x") ", {\"qe_id\": \"a\", \"pce_id\": \"0000\", "
                                         "\"enc_ppid\": \"\", \"certs\": %s}]",
                       certs[i]);
        struct parts parts = parts_whole();
        parts.pck_certs = buf_text(&b);
        expect_refused(&parts, "pck_certs[1].certs: no certificate");
    }
}

static void
test_refuses_crls_that_are_not_hex(void **state)
{
    static const struct {
        const char *rest, *named;
    } cases[] = {
        {", \"rootcacrl\": \"30x0\"", "rootcacrl"},
        {", \"rootcacrl\": \"308\"", "rootcacrl"},
        {", \"pckcacrl\": {\"processorCrl\": \"hello\"}", "processorCrl"},
        {", \"pckcacrl\": {\"platformCrl\": \"-----BEGIN X509 CRL-----\"}", "platformCrl"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct parts parts = parts_whole();
        parts.rest = cases[i].rest;
        expect_refused(&parts, cases[i].named);
    }
}

static void
test_refuses_identities_that_are_not_json(void **state)
{
    static const char *const rests[] = {", \"qeidentity\": \"hello\"",
                                        ", \"qeidentity\": \"{\\\"a\\\":}\"",
                                        ", \"qeidentity\": \"{} {}\""};
    for (size_t i = 0; i < ARRAY_COUNT(rests); i++) {
        struct parts parts = parts_whole();
        parts.rest = rests[i];
        expect_refused(&parts, "collaterals.qeidentity");
    }
}

static void
test_refuses_an_fmspc_without_its_form(void **state)
{
    struct parts parts = parts_whole();
    parts.tcbinfos = "[{\"fmspc\": \"00a06711000\"}]";
    expect_refused(&parts, "tcbinfos[0].fmspc");
    parts.tcbinfos = "[{\"sgx_tcbinfo\": {}}]";
    expect_refused(&parts, "fmspc is missing");
}

static void
test_refuses_a_distribution_point_that_is_no_url(void **state)
{
    struct parts parts = parts_whole();
    parts.rest = ", \"rootcacrl_cdp\": \"file:///etc/passwd\"";
    expect_refused(&parts, "rootcacrl_cdp");
}

/* ---- what is taken ---- */

static void
test_reads_platforms_in_normal_form(void **state)
{
    struct parts parts = parts_whole();
    struct collaterals_file file = expect_taken(&parts, 4);
    assert_int_equal(file.platform_count, 1);
    assert_string_equal(file.platforms[0].id.qeid, "AA");
    assert_string_equal(file.platforms[0].id.pceid, "0A00");
    assert_true(file.platforms[0].has_raw);
    assert_string_equal(file.platforms[0].raw.cpusvn, "0B0B1A18FFFF04000000000000000000");
    assert_string_equal(file.platforms[0].raw.pcesvn, "0F00");
    assert_string_equal(file.platforms[0].manifest, "");
    assert_int_equal(file.pck_count, 1);
    assert_string_equal(file.pcks[0].id.qeid, "AA");
    assert_string_equal(file.pcks[0].manifest, "AB");
    assert_int_equal(file.pcks[0].raw.pck_count, 1);
    assert_string_equal(file.pcks[0].raw.pcks[0].tcbm, TCBM);
    assert_string_equal(file.pcks[0].raw.pcks[0].cert, "x%20y%0A");
    assert_null(file.pcks[0].raw.issuer_chain);
    collaterals_file_done(&file);
}

static void
test_takes_platforms_without_raw_tcb(void **state)
{
    struct parts parts = parts_whole();
    parts.platforms = "[{\"qe_id\": \"a\", \"pce_id\": \"0000\", \"cpu_svn\": \"\", "
                      "\"pce_svn\": \"\", \"platform_manifest\": \"aB\"},"
                      "{\"qe_id\": \"b\", \"pce_id\": \"0000\"}]";
    struct collaterals_file file = expect_taken(&parts, 4);
    assert_int_equal(file.platform_count, 2);
    assert_false(file.platforms[0].has_raw);
    assert_string_equal(file.platforms[0].manifest, "AB");
    assert_false(file.platforms[1].has_raw);
    assert_string_equal(file.platforms[1].enc_ppid, "");
    collaterals_file_done(&file);
}

static void
test_stores_tcb_infos_compact_and_otherwise_unchanged(void **state)
{
    struct parts parts = parts_whole();
    struct collaterals_file file = expect_taken(&parts, 4);
    const struct collaterals_item *item =
        find_item(&file, tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00A067110000"));
    expect_body(item, "{\"tcbInfo\":{\"id\":\"SGX\",\"note\":\"a : b, c\"},\"signature\":\"00\"}");
    assert_string_equal(item->raw.issuer_chain, "t%0A");
    collaterals_file_done(&file);

    parts.tcbinfos = "[{\"fmspc\": \"00A067110000\", \"sgx_tcbinfo\": {\"b\": 3.0, \"a\": "
                     "\"\\u00e9 \\/\", \"b2\": 1e2}}]";
    file = expect_taken(&parts, 4);
    expect_body(find_item(&file, tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00A067110000")),
                "{\"b\":3.0,\"a\":\"\\u00e9 \\/\",\"b2\":1e2}");
    collaterals_file_done(&file);
}

static void
test_reads_every_part_of_a_tcb_info_entry(void **state)
{
    struct parts parts = parts_whole();
    parts.tcbinfos = "[{\"fmspc\": \"00A067110000\", \"sgx_tcbinfo\": {\"a\": 1}, "
                     "\"tdx_tcbinfo\": {\"a\": 2}, \"sgx_tcbinfo_early\": {\"a\": 3}, "
                     "\"tdx_tcbinfo_early\": {\"a\": 4}, \"tcbinfo\": {\"a\": 5}}, "
                     "{\"fmspc\": \"00A067110001\", \"tdx_tcbinfo\": {\"a\": 6}}]";
    parts.rest = "";
    struct collaterals_file file = expect_taken(&parts, 4);
    assert_int_equal(file.item_count, 5);
    expect_body(find_item(&file, tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00A067110000")),
                "{\"a\":1}");
    expect_body(find_item(&file, tcb_key(PRODUCT_TDX, 4, UPDATE_STANDARD, "00A067110000")),
                "{\"a\":2}");
    expect_body(find_item(&file, tcb_key(PRODUCT_SGX, 4, UPDATE_EARLY, "00A067110000")),
                "{\"a\":3}");
    expect_body(find_item(&file, tcb_key(PRODUCT_TDX, 4, UPDATE_EARLY, "00A067110000")),
                "{\"a\":4}");
    expect_body(find_item(&file, tcb_key(PRODUCT_TDX, 4, UPDATE_STANDARD, "00A067110001")),
                "{\"a\":6}");
    collaterals_file_done(&file);
}

/* None may be dropped unjudged: which one counts is decided by their dates (trust.md rule 6). */
static void
test_gives_every_part_of_one_fmspc_in_two_cases(void **state)
{
    struct parts parts = parts_whole();
    parts.tcbinfos =
        "[{\"fmspc\": \"00A067110000\", \"sgx_tcbinfo\": {\"a\": 1}, \"tdx_tcbinfo\": {\"a\": 2}},"
        "{\"fmspc\": \"00a067110000\", \"sgx_tcbinfo\": {\"a\": 3}}]";
    parts.rest = "";
    struct collaterals_file file = expect_taken(&parts, 4);
    assert_int_equal(file.item_count, 3);
    expect_body(&file.items[0], "{\"a\":1}");
    expect_body(&file.items[1], "{\"a\":2}");
    expect_body(&file.items[2], "{\"a\":3}");
    assert_true(item_key_equal(&file.items[0].key, &file.items[2].key));
    collaterals_file_done(&file);
}

static void
test_one_platform_in_two_cases_is_one_and_the_last_wins(void **state)
{
    struct parts parts = parts_whole();
    parts.pck_certs = "[" PCK("aB", "one") ", " PCK("cc", "two") ", " PCK("Ab", "three") "]";
    struct collaterals_file file = expect_taken(&parts, 4);
    assert_int_equal(file.pck_count, 2);
    assert_string_equal(file.pcks[0].id.qeid, "CC");
    assert_string_equal(file.pcks[1].id.qeid, "AB");
    assert_string_equal(file.pcks[1].raw.pcks[0].cert, "three");
    collaterals_file_done(&file);
}

static void
test_keeps_identities_byte_for_byte_and_compacts_the_others(void **state)
{
    struct parts parts = parts_whole();
    struct collaterals_file file = expect_taken(&parts, 4);
    struct item_key key = {.kind = ITEM_IDENTITY, .api_version = 4, .enclave = ENCLAVE_QE};
    const struct collaterals_item *item = find_item(&file, key);
    expect_body(item, "{\"enclaveIdentity\":{}}");
    assert_string_equal(item->raw.issuer_chain, "i%0A");
    key.update = UPDATE_EARLY;
    expect_body(find_item(&file, key), "{}");
    key.update = UPDATE_STANDARD;
    key.enclave = ENCLAVE_QVE;
    expect_body(find_item(&file, key), "{\"a\":1}");
    key.enclave = ENCLAVE_TDQE;
    assert_null(find_item(&file, key));
    collaterals_file_done(&file);
}

static void
test_turns_crls_into_der_with_the_chain_of_their_ca(void **state)
{
    struct parts parts = parts_whole();
    struct collaterals_file file = expect_taken(&parts, 4);
    struct item_key key = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM};
    const struct collaterals_item *item = find_item(&file, key);
    expect_body(item, "\x30\xff");
    assert_string_equal(item->raw.issuer_chain, "q%0A");
    key.ca = PCK_CA_PROCESSOR;
    item = find_item(&file, key);
    expect_body(item, "\x30\x03");
    assert_string_equal(item->raw.issuer_chain, "p%0A");
    item = find_item(&file, (struct item_key){.kind = ITEM_ROOT_CRL, .api_version = 4});
    expect_body(item, "\x30\x81");
    assert_null(item->raw.issuer_chain);
    assert_string_equal(file.root_crl_url, "https://certificates.example/IntelSGXRootCA.der");
    assert_string_equal(file.pck_chains[PCK_CA_PROCESSOR], "p%0A");
    collaterals_file_done(&file);
}

static void
test_crl_without_a_chain_in_the_file_has_none(void **state)
{
    struct parts parts = parts_whole();
    parts.certificates = "{\"SGX-PCK-Certificate-Issuer-Chain\": {\"PROCESSOR\": \"p\"}}";
    struct collaterals_file file = expect_taken(&parts, 4);
    struct item_key key = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM};
    assert_null(find_item(&file, key)->raw.issuer_chain);
    assert_null(file.pck_chains[PCK_CA_PLATFORM]);
    assert_null(find_item(&file, tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00A067110000"))
                    ->raw.issuer_chain);
    collaterals_file_done(&file);
}

static void
test_takes_the_skeleton_with_crls_only(void **state)
{
    struct parts parts = {
        .platforms = "[]",
        .version = "4",
        .pck_certs = "[]",
        .tcbinfos = "[]",
        .certificates = "{\"SGX-PCK-Certificate-Issuer-Chain\": {}, "
                        "\"TCB-Info-Issuer-Chain\": \"\", "
                        "\"SGX-Enclave-Identity-Issuer-Chain\": \"\"}",
        .rest = ", \"pckcacrl\": {\"processorCrl\": \"3000\", \"platformCrl\": \"3001\"}"
                ", \"qeidentity\": \"\", \"tdqeidentity\": \"\", \"qveidentity\": \"\""
                ", \"rootcacrl\": \"3002\", \"rootcacrl_cdp\": \"\"",
    };
    struct collaterals_file file = expect_taken(&parts, 4);
    assert_int_equal(file.item_count, 3);
    assert_int_equal(file.pck_count, 0);
    assert_null(file.root_crl_url);
    collaterals_file_done(&file);
}

static void
test_takes_what_certificates_there_are_beside_not_available(void **state)
{
    struct parts parts = parts_whole();
    parts.pck_certs = "[{\"qe_id\": \"a\", \"pce_id\": \"0000\", \"enc_ppid\": \"\", "
                      "\"certs\": [" CERT("Not available") ", " CERT("x") "]}]";
    struct collaterals_file file = expect_taken(&parts, 4);
    assert_int_equal(file.pck_count, 1);
    assert_false(file.pcks[0].raw.pcks[0].available);
    assert_true(file.pcks[0].raw.pcks[1].available);
    collaterals_file_done(&file);
}

static void
test_one_svn_without_the_other_is_no_raw_tcb(void **state)
{
    static const char *const svns[] = {"\"cpu_svn\": \"" CPUSVN "\"",
                                       "\"cpu_svn\": \"\", \"pce_svn\": \"0d00\""};
    for (size_t i = 0; i < ARRAY_COUNT(svns); i++) {
        auto_cleanup(buf_done) struct buf b = BUF_INIT(4096);
        buf_add_format(&b, "[{\"qe_id\": \"a\", \"pce_id\": \"0000\", %s}]", svns[i]);
        struct parts parts = parts_whole();
        parts.platforms = buf_text(&b);
        struct collaterals_file file = expect_taken(&parts, 4);
        assert_int_equal(file.platform_count, 1);
        assert_false(file.platforms[0].has_raw);
        collaterals_file_done(&file);
    }
}

static void
test_null_is_as_good_as_absent_where_the_reference_never_looks(void **state)
{
    struct parts parts = parts_whole();
    parts.tcbinfos = "[{\"fmspc\": \"00a067110000\", \"sgx_tcbinfo\": " TCBINFO
                     ", \"sgx_tcbinfo_early\": null, \"tdx_tcbinfo_early\": \"\"}]";
    parts.certificates = "{\"SGX-PCK-Certificate-Issuer-Chain\": {}, "
                         "\"TCB-Info-Issuer-Chain\": null}";
    parts.rest = ", \"qeidentity_early\": null, \"tdqeidentity_early\": \"\"";
    struct collaterals_file file = expect_taken(&parts, 4);
    assert_int_equal(file.item_count, 1);
    assert_null(file.items[0].raw.issuer_chain);
    collaterals_file_done(&file);
    parts.tcbinfos = "[{\"fmspc\": \"00a067110000\", \"sgx_tcbinfo\": null}]";
    expect_refused(&parts, "tcbinfos[0].sgx_tcbinfo");
}

static void
test_version_3_has_member_names_of_its_own(void **state)
{
    struct parts parts = parts_whole();
    parts.version = "3";
    parts.tcbinfos = "[{\"fmspc\": \"00A067110000\", \"tcbinfo\": {\"a\": 1}, "
                     "\"tcbinfo_early\": {\"a\": 2}, \"sgx_tcbinfo\": {\"a\": 3}}]";
    parts.certificates = "{\"SGX-PCK-Certificate-Issuer-Chain\": {}, "
                         "\"TCB-Info-Issuer-Chain\": \"four\", "
                         "\"SGX-TCB-Info-Issuer-Chain\": \"three\"}";
    parts.rest = ", \"qeidentity\": \"{}\", \"tdqeidentity\": \"{}\"";
    struct collaterals_file file = expect_taken(&parts, 3);
    assert_int_equal(file.item_count, 3);
    const struct collaterals_item *item =
        find_item(&file, tcb_key(PRODUCT_SGX, 3, UPDATE_STANDARD, "00A067110000"));
    expect_body(item, "{\"a\":1}");
    assert_string_equal(item->raw.issuer_chain, "three");
    expect_body(find_item(&file, tcb_key(PRODUCT_SGX, 3, UPDATE_EARLY, "00A067110000")),
                "{\"a\":2}");
    struct item_key key = {.kind = ITEM_IDENTITY, .api_version = 3, .enclave = ENCLAVE_QE};
    expect_body(find_item(&file, key), "{}");
    collaterals_file_done(&file);
}

static void
test_reads_a_real_file(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(1024 * 1024);
    if (file_read(REAL_FILE, &b, NULL) != 0) {
        print_message("no real file at %s: skipped\n", REAL_FILE);
        skip();
    }
    struct collaterals_file file = {0};
    struct fault why = {0};
    assert_int_equal(collaterals_file_parse(buf_span(&b), 4, &file, &why), 0);
    assert_int_equal(file.platform_count, 1);
    assert_string_equal(file.platforms[0].id.qeid, "3987622EE6968A54977C8626EF471235");
    assert_int_equal(file.pck_count, 1);
    assert_int_equal(file.pcks[0].raw.pck_count, 1);
    /* TCB info, QE identity, processor CRL, root CRL; the other identities are empty */
    assert_int_equal(file.item_count, 4);
    const struct collaterals_item *item =
        find_item(&file, tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00A067110000"));
    assert_non_null(item);
    assert_memory_equal(item->raw.body.data, "{\"tcbInfo\":{\"id\":\"SGX\",\"version\":3,", 35);
    assert_non_null(item->raw.issuer_chain);
    collaterals_file_done(&file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_is_not_a_json_object),
        cmocka_unit_test(test_refuses_a_missing_required_member),
        cmocka_unit_test(test_refuses_members_of_another_type),
        cmocka_unit_test(test_refuses_a_version_that_is_not_the_paths),
        cmocka_unit_test(test_refuses_a_member_twice),
        cmocka_unit_test(test_refuses_values_without_their_form),
        cmocka_unit_test(test_refuses_a_manifest_above_its_ceiling),
        cmocka_unit_test(test_refuses_more_certificates_than_a_platform_may_have),
        cmocka_unit_test(test_refuses_a_broken_percent_escape),
        cmocka_unit_test(test_refuses_a_certificate_entry_without_its_form),
        cmocka_unit_test(test_refuses_a_platform_of_which_no_certificate_is_left),
        cmocka_unit_test(test_refuses_crls_that_are_not_hex),
        cmocka_unit_test(test_refuses_identities_that_are_not_json),
        cmocka_unit_test(test_refuses_an_fmspc_without_its_form),
        cmocka_unit_test(test_refuses_a_distribution_point_that_is_no_url),
        cmocka_unit_test(test_reads_platforms_in_normal_form),
        cmocka_unit_test(test_takes_platforms_without_raw_tcb),
        cmocka_unit_test(test_stores_tcb_infos_compact_and_otherwise_unchanged),
        cmocka_unit_test(test_reads_every_part_of_a_tcb_info_entry),
        cmocka_unit_test(test_gives_every_part_of_one_fmspc_in_two_cases),
        cmocka_unit_test(test_one_platform_in_two_cases_is_one_and_the_last_wins),
        cmocka_unit_test(test_keeps_identities_byte_for_byte_and_compacts_the_others),
        cmocka_unit_test(test_turns_crls_into_der_with_the_chain_of_their_ca),
        cmocka_unit_test(test_crl_without_a_chain_in_the_file_has_none),
        cmocka_unit_test(test_takes_the_skeleton_with_crls_only),
        cmocka_unit_test(test_takes_what_certificates_there_are_beside_not_available),
        cmocka_unit_test(test_one_svn_without_the_other_is_no_raw_tcb),
        cmocka_unit_test(test_null_is_as_good_as_absent_where_the_reference_never_looks),
        cmocka_unit_test(test_version_3_has_member_names_of_its_own),
        cmocka_unit_test(test_reads_a_real_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
