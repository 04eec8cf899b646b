/* SPDX-License-Identifier: BSD-3-Clause */
/* Platforms: whole, in brief, one certificate; their mappings and the ceiling on them. */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

static struct store_platform
load(struct fixture *f, const char *qeid)
{
    struct platform_id id = fixture_platform(qeid);
    struct store_platform platform;
    struct fault why = {0};
    if (store_load_platform(f->store, &id, &platform, &why) != 0) {
        fail_msg("%s", why.text);
    }
    return platform;
}

static int
load_pck(struct fixture *f, const char *qeid, unsigned raw_number, struct raw_reply *ret_raw)
{
    struct platform_id id = fixture_platform(qeid);
    struct raw_tcb raw = fixture_raw(raw_number);
    struct fault why = {0};
    return store_load_pck(f->store, &id, &raw, ret_raw, &why);
}

static void
test_an_unknown_platform_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct store_platform platform;
    struct store_mapping mapping = fixture_mapping(1, "");
    struct raw_reply raw;
    assert_int_equal(FAULT_NOT_FOUND, store_load_platform(f->store, &id, &platform, NULL));
    assert_int_equal(FAULT_NOT_FOUND, store_load_platform_brief(f->store, &id, &platform, NULL));
    assert_int_equal(FAULT_NOT_FOUND, store_put_mapping(f->store, &id, &mapping, NULL));
    assert_int_equal(FAULT_NOT_FOUND, load_pck(f, FIXTURE_Q1, 1, &raw));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM platform_tcbs"));
}

static void
test_an_unmapped_raw_tcb_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct raw_reply raw;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 2));
    assert_int_equal(FAULT_NOT_FOUND, load_pck(f, FIXTURE_Q1, 2, &raw));
    /* Known but not selected is not mapped either. */
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct store_mapping mapping = fixture_mapping(2, "");
    assert_int_equal(0, store_put_mapping(f->store, &id, &mapping, NULL));
    assert_int_equal(FAULT_NOT_FOUND, load_pck(f, FIXTURE_Q1, 2, &raw));
}

static void
test_refuses_a_manifest_that_is_not_hex_and_keeps_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_platform_put put = {
        .id = fixture_platform(FIXTURE_Q1),
        .manifest = span_of_text("ABC"),
        .certs = fixture_pcks(f, FIXTURE_Q1, PCK_CA_PLATFORM, 1),
    };
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    assert_int_equal(FAULT_INPUT, store_put(f->store, &batch, NULL));
    put.manifest = span_of_text("zz");
    assert_int_equal(FAULT_INPUT, store_put(f->store, &batch, NULL));
    char *long_hex = malloc(LIMIT_MANIFEST_HEX + 2);
    memset(long_hex, 'a', LIMIT_MANIFEST_HEX + 2);
    put.manifest = span_of(long_hex, LIMIT_MANIFEST_HEX + 2);
    assert_int_equal(FAULT_INPUT, store_put(f->store, &batch, NULL));
    put.manifest = span_of(long_hex, 2);
    put.enc_ppid = span_of(long_hex, LIMIT_PPID_HEX + 2);
    assert_int_equal(FAULT_INPUT, store_put(f->store, &batch, NULL));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM platforms"));
    put.manifest = span_of(long_hex, LIMIT_MANIFEST_HEX);
    put.enc_ppid = span_of(long_hex, LIMIT_PPID_HEX);
    assert_int_equal(0, store_put(f->store, &batch, NULL));
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_int_equal(LIMIT_MANIFEST_HEX, strlen(platform.manifest));
    store_platform_done(&platform);
    free(long_hex);
}

static void
test_refuses_mappings_for_an_unknown_platform(void **state)
{
    struct fixture *f = *state;
    struct store_mapping mapping = fixture_mapping(1, FIXTURE_TCBM);
    const struct store_platform_put put = {
        .id = fixture_platform(FIXTURE_Q1), .mappings = &mapping, .mapping_count = 1};
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    assert_int_equal(FAULT_NOT_FOUND, store_put(f->store, &batch, NULL));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM platform_tcbs"));
}

static void
test_a_damaged_platform_counts_as_not_cached(void **state)
{
    struct fixture *f = *state;
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    const char *const damages[] = {
        "UPDATE platforms SET fmspc = NULL",
        "UPDATE platforms SET fmspc = 'XX906EA10000'",
        "UPDATE platforms SET fmspc = '00906EA10000', ca = 'ROOT'",
        "UPDATE platforms SET ca = NULL",
        "UPDATE platforms SET ca = 'PLATFORM', platform_manifest = zeroblob(524289)",
        "UPDATE platforms SET platform_manifest = '', enc_ppid = zeroblob(385)",
    };
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct store_platform platform;
        struct fault why = {0};
        fixture_sql(f, damages[i]);
        assert_int_equal(FAULT_NOT_FOUND, store_load_platform(f->store, &id, &platform, &why));
        assert_non_null(strstr(why.text, "damaged"));
    }
}

static void
test_damaged_certificates_and_mappings_are_passed_over(void **state)
{
    struct fixture *f = *state;
    struct raw_reply raw;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 2));
    fixture_sql(f, "INSERT INTO pck_cert VALUES"
                   " ('" FIXTURE_Q1 "', '0000', 'A', NULL, " BEHIND_LATER "),"
                   " ('" FIXTURE_Q1 "', '0000', 'B', unhex('610062'), " BEHIND_LATER "),"
                   " ('" FIXTURE_Q1 "', '0000', repeat(' ', 40), 'x', " BEHIND_LATER "),"
                   " ('" FIXTURE_Q1 "', '0000', 'D', zeroblob(30000), " BEHIND_LATER ");"
                   "INSERT INTO platform_tcbs VALUES"
                   " ('" FIXTURE_Q1 "', '0000', 'x', '0A00', '', " BEHIND_LATER "),"
                   " ('" FIXTURE_Q1 "', '0000', hex_pad(7, 32), '0A00', 'E', " BEHIND_LATER "),"
                   " ('" FIXTURE_Q1 "', '0000', hex_pad(8, 32), '0A00', NULL, " BEHIND_LATER ")");
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_int_equal(2, platform.certs.pck_count);
    assert_int_equal(3, platform.mapping_count);
    assert_string_equal(FIXTURE_TCBM, platform.mappings[0].tcbm);
    assert_string_equal("", platform.mappings[1].tcbm);
    assert_string_equal("", platform.mappings[2].tcbm);
    store_platform_done(&platform);
    assert_int_equal(FAULT_NOT_FOUND, load_pck(f, FIXTURE_Q1, 7, &raw));
}

static void
test_at_most_so_many_certificates_are_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    fixture_sql(f,
                "INSERT INTO pck_cert"
                " WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 599)"
                " SELECT '" FIXTURE_Q1 "', '0000', hex_pad(i, 36), 'PEM', " BEHIND_TIMES " FROM n");
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_int_equal(LIMIT_PCK_CERTS, platform.certs.pck_count);
    store_platform_done(&platform);
}

static void
test_not_available_in_an_old_database_is_no_certificate(void **state)
{
    struct fixture *f = *state;
    struct raw_reply raw;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    fixture_sql(f, "INSERT INTO pck_cert VALUES ('" FIXTURE_Q1 "', '0000', '" FIXTURE_CPUSVN
                   "0B01', 'Not available', " BEHIND_LATER ");"
                   "INSERT INTO platform_tcbs VALUES ('" FIXTURE_Q1 "', '0000', hex_pad(9, 32),"
                   " '0A00', '" FIXTURE_CPUSVN "0B01', " BEHIND_LATER ")");
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_int_equal(2, platform.certs.pck_count);
    assert_true(platform.certs.pcks[0].available);
    assert_false(platform.certs.pcks[1].available);
    assert_null(platform.certs.pcks[1].cert);
    assert_int_equal(0x010B, platform.certs.pcks[1].pcesvn);
    store_platform_done(&platform);
    assert_int_equal(FAULT_NOT_FOUND, load_pck(f, FIXTURE_Q1, 9, &raw));
}

static void
test_a_platform_comes_back_whole(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 3));
    fixture_reopen(f);
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_string_equal(FIXTURE_Q1, platform.id.qeid);
    assert_string_equal("0000", platform.id.pceid);
    assert_string_equal("0A0B0C", platform.manifest);
    assert_string_equal("ABCDEF", platform.enc_ppid);
    assert_string_equal("00906EA10000", platform.fmspc);
    assert_string_equal("PROCESSOR", platform.ca);
    assert_string_equal("00906EA10000", platform.certs.fmspc);
    assert_string_equal("PROCESSOR", platform.certs.ca);
    assert_int_equal(0, platform.not_available_at);
    assert_int_equal(3, platform.certs.pck_count);
    assert_string_equal(FIXTURE_CPUSVN "0C00", platform.certs.pcks[2].tcbm);
    assert_int_equal(12, platform.certs.pcks[2].pcesvn);
    assert_string_equal(fixture_pem("leaf 2 of " FIXTURE_Q1), platform.certs.pcks[2].cert);
    assert_non_null(strstr(platform.certs.issuer_chain, "processor"));
    assert_int_equal(1, platform.mapping_count);
    assert_string_equal(FIXTURE_TCBM, platform.mappings[0].tcbm);
    store_platform_done(&platform);
}

static void
test_rows_are_written_as_the_reference_writes_them(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    assert_string_equal("0A0B0C ABCDEF 00906EA10000 PROCESSOR " FIXTURE_NOW_TEXT,
                        fixture_text(f, "SELECT hex(platform_manifest) || ' ' || hex(enc_ppid) ||"
                                        " ' ' || fmspc || ' ' || ca || ' ' ||"
                                        " stamp_text(updated_time) FROM platforms"));
    assert_string_equal("PROCESSOR 1 2",
                        fixture_text(f, "SELECT ca || ' ' || root_cert_id || ' ' || intmd_cert_id"
                                        " FROM pck_certchain"));
    assert_string_equal(fixture_pem("leaf 0 of " FIXTURE_Q1),
                        fixture_text(f, "SELECT text_of(pck_cert) FROM pck_cert"));
    assert_string_equal("00000000000000000000000000000001 0A00 " FIXTURE_TCBM,
                        fixture_text(f, "SELECT cpu_svn || ' ' || pce_svn || ' ' || tcbm"
                                        " FROM platform_tcbs"));
}

static void
test_without_manifest_the_blobs_are_empty_not_null(void **state)
{
    struct fixture *f = *state;
    const struct store_platform_put put = {
        .id = fixture_platform(FIXTURE_Q2),
        .certs = fixture_pcks(f, FIXTURE_Q2, PCK_CA_PLATFORM, 1),
    };
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    assert_int_equal(0, store_put(f->store, &batch, NULL));
    assert_string_equal("0 0", fixture_text(f, "SELECT length(platform_manifest) || ' ' ||"
                                               " length(enc_ppid) FROM platforms"));
    struct store_platform platform = load(f, FIXTURE_Q2);
    assert_string_equal("", platform.manifest);
    assert_string_equal("", platform.enc_ppid);
    assert_null(platform.mappings);
    store_platform_done(&platform);
}

static void
test_a_brief_has_no_certificates(void **state)
{
    struct fixture *f = *state;
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct store_platform platform;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 3));
    assert_int_equal(0, store_load_platform_brief(f->store, &id, &platform, NULL));
    assert_string_equal("0A0B0C", platform.manifest);
    assert_int_equal(1, platform.mapping_count);
    assert_int_equal(0, platform.certs.pck_count);
    assert_null(platform.certs.issuer_chain);
    store_platform_done(&platform);
}

static void
test_one_certificate_is_found_by_its_raw_tcb(void **state)
{
    struct fixture *f = *state;
    struct raw_reply raw;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 3));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q2, 1));
    assert_int_equal(0, load_pck(f, FIXTURE_Q1, 1, &raw));
    assert_int_equal(1, raw.pck_count);
    assert_string_equal(fixture_pem("leaf 0 of " FIXTURE_Q1), raw.pcks[0].cert);
    assert_string_equal(FIXTURE_TCBM, raw.pcks[0].tcbm);
    assert_string_equal("00906EA10000", raw.fmspc);
    assert_string_equal("PROCESSOR", raw.ca);
    assert_non_null(strstr(raw.issuer_chain, "processor"));
    assert_non_null(strstr(raw.issuer_chain, "root"));
    raw_reply_done(&raw);
}

static void
test_a_certificate_without_chain_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct raw_reply raw;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    fixture_sql(f, "DELETE FROM pccs_platforms; DELETE FROM pck_certchain");
    assert_int_equal(FAULT_NOT_FOUND, load_pck(f, FIXTURE_Q1, 1, &raw));
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_null(platform.certs.issuer_chain); /* known all the same */
    store_platform_done(&platform);
}

static void
test_new_certificates_replace_the_old_ones(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 5));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q2, 2));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    assert_int_equal(
        1, fixture_number(f, "SELECT count(*) FROM pck_cert WHERE qe_id = '" FIXTURE_Q1 "'"));
    assert_int_equal(
        2, fixture_number(f, "SELECT count(*) FROM pck_cert WHERE qe_id = '" FIXTURE_Q2 "'"));
}

static void
test_a_refresh_keeps_manifest_and_ppid(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 2));
    const struct store_platform_put put = {
        .id = fixture_platform(FIXTURE_Q1),
        .keep_identity = true,
        .certs = fixture_pcks(f, FIXTURE_Q1, PCK_CA_PLATFORM, 1),
        .not_available_at = 1751328000,
    };
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    assert_int_equal(0, store_put(f->store, &batch, NULL));
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_string_equal("0A0B0C", platform.manifest);
    assert_string_equal("ABCDEF", platform.enc_ppid);
    assert_string_equal("PLATFORM", platform.ca);
    assert_non_null(strstr(platform.certs.issuer_chain, "platform"));
    assert_int_equal(0, platform.mapping_count);
    assert_int_equal(1751328000, platform.not_available_at);
    store_platform_done(&platform);
}

static void
test_mappings_alone_may_be_written_anew(void **state)
{
    struct fixture *f = *state;
    struct raw_reply raw;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 2));
    f->now += 60;
    struct store_mapping mappings[] = {fixture_mapping(1, FIXTURE_CPUSVN "0B00"),
                                       fixture_mapping(5, "")};
    const struct store_platform_put put = {
        .id = fixture_platform(FIXTURE_Q1),
        .keep_identity = true,
        .mappings = mappings,
        .mapping_count = 2,
    };
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    assert_int_equal(0, store_put(f->store, &batch, NULL));
    assert_int_equal(0, load_pck(f, FIXTURE_Q1, 1, &raw));
    assert_string_equal(fixture_pem("leaf 1 of " FIXTURE_Q1), raw.pcks[0].cert);
    assert_non_null(strstr(raw.issuer_chain, "processor"));
    raw_reply_done(&raw);
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_string_equal("00906EA10000", platform.fmspc);
    assert_string_equal("0A0B0C", platform.manifest);
    assert_int_equal(2, platform.certs.pck_count);
    assert_int_equal(2, platform.mapping_count);
    store_platform_done(&platform);
}

static void
test_a_renewed_ca_certificate_does_not_orphan_older_platforms(void **state)
{
    struct fixture *f = *state;
    struct raw_reply raw;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    fixture_sql(f, "UPDATE pcs_certificates SET cert = 'renewed' WHERE id = 2");
    assert_int_equal(0, load_pck(f, FIXTURE_Q1, 1, &raw));
    assert_non_null(strstr(raw.issuer_chain, "processor"));
    raw_reply_done(&raw);
    /* What the reference wrote since goes with what the reference keeps. */
    fixture_sql(f, "UPDATE pck_cert SET updated_time = '2025-07-02 11:12:13.456'");
    assert_int_equal(0, load_pck(f, FIXTURE_Q1, 1, &raw));
    assert_non_null(strstr(raw.issuer_chain, "renewed"));
    raw_reply_done(&raw);
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_non_null(strstr(platform.certs.issuer_chain, "renewed"));
    store_platform_done(&platform);
}

/* ---- the ceiling on raw TCBs ---- */

static void
test_beyond_64_mappings_the_least_recently_added_goes(void **state)
{
    struct fixture *f = *state;
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1)); /* with mapping 1 */
    for (unsigned i = 2; i <= LIMIT_RAW_TCBS_PER_PLATFORM; i++) {
        struct store_mapping mapping = fixture_mapping(i, "");
        f->now += 1; /* servers tell who came first by the second */
        assert_int_equal(0, store_put_mapping(f->store, &id, &mapping, NULL));
    }
    /* To be mapped anew is not to be added. */
    struct store_mapping again = fixture_mapping(2, FIXTURE_TCBM);
    assert_int_equal(0, store_put_mapping(f->store, &id, &again, NULL));
    for (unsigned i = 65; i <= 66; i++) {
        f->now += 1;
        struct store_mapping mapping = fixture_mapping(i, FIXTURE_TCBM);
        assert_int_equal(0, store_put_mapping(f->store, &id, &mapping, NULL));
    }
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_int_equal(64, platform.mapping_count);
    assert_string_equal(fixture_raw(3).cpusvn, platform.mappings[0].raw.cpusvn);
    assert_string_equal(fixture_raw(66).cpusvn, platform.mappings[63].raw.cpusvn);
    store_platform_done(&platform);
    assert_int_equal(64, fixture_number(f, "SELECT count(*) FROM platform_tcbs"));
}

static void
test_of_too_many_mappings_at_once_the_last_64_stay(void **state)
{
    struct fixture *f = *state;
    struct store_mapping mappings[70];
    for (unsigned i = 0; i < 70; i++) {
        mappings[i] = fixture_mapping(i, "");
    }
    const struct store_platform_put put = {
        .id = fixture_platform(FIXTURE_Q1),
        .certs = fixture_pcks(f, FIXTURE_Q1, PCK_CA_PLATFORM, 1),
        .mappings = mappings,
        .mapping_count = 70,
    };
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    assert_int_equal(0, store_put(f->store, &batch, NULL));
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_int_equal(64, platform.mapping_count);
    assert_string_equal(fixture_raw(6).cpusvn, platform.mappings[0].raw.cpusvn);
    store_platform_done(&platform);
}

static void
test_of_too_many_in_an_old_database_the_last_64_are_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    /* The last to be added; none of them says when, but by its value. */
    fixture_sql(f, "UPDATE platform_tcbs SET created_time = " BEHIND_TIME);
    fixture_sql(
        f, "INSERT INTO platform_tcbs"
           " WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 299)"
           " SELECT '" FIXTURE_Q1 "', '0000', hex_pad(i, 32), '0A00', '', " BEHIND_TIMES " FROM n");
    struct store_platform platform = load(f, FIXTURE_Q1);
    assert_int_equal(64, platform.mapping_count);
    assert_string_equal(fixture_raw(236).cpusvn, platform.mappings[0].raw.cpusvn);
    store_platform_done(&platform);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_an_unknown_platform_is_not_found),
        FIXTURE_TEST(test_an_unmapped_raw_tcb_is_not_found),
        FIXTURE_TEST(test_refuses_a_manifest_that_is_not_hex_and_keeps_nothing),
        FIXTURE_TEST(test_refuses_mappings_for_an_unknown_platform),
        FIXTURE_TEST(test_a_damaged_platform_counts_as_not_cached),
        FIXTURE_TEST(test_damaged_certificates_and_mappings_are_passed_over),
        FIXTURE_TEST(test_at_most_so_many_certificates_are_read),
        FIXTURE_TEST(test_not_available_in_an_old_database_is_no_certificate),
        FIXTURE_TEST(test_a_platform_comes_back_whole),
        FIXTURE_TEST(test_rows_are_written_as_the_reference_writes_them),
        FIXTURE_TEST(test_without_manifest_the_blobs_are_empty_not_null),
        FIXTURE_TEST(test_a_brief_has_no_certificates),
        FIXTURE_TEST(test_one_certificate_is_found_by_its_raw_tcb),
        FIXTURE_TEST(test_a_certificate_without_chain_is_not_found),
        FIXTURE_TEST(test_new_certificates_replace_the_old_ones),
        FIXTURE_TEST(test_a_refresh_keeps_manifest_and_ppid),
        FIXTURE_TEST(test_mappings_alone_may_be_written_anew),
        FIXTURE_TEST(test_a_renewed_ca_certificate_does_not_orphan_older_platforms),
        FIXTURE_TEST(test_beyond_64_mappings_the_least_recently_added_goes),
        FIXTURE_TEST(test_of_too_many_mappings_at_once_the_last_64_stay),
        FIXTURE_TEST(test_of_too_many_in_an_old_database_the_last_64_are_read),
    };
    return FIXTURE_RUN(tests);
}
