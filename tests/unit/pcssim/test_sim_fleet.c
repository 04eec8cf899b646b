/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fleet files: refusals first, then what is derived, found and generated.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/mem.h"
#include "sim_fixture.h"

#define LEVEL(components, pcesvn)                                                                  \
    "{\"components\":\"" components "\",\"pcesvn\":" pcesvn                                        \
    ",\"status\":\"UpToDate\",\"date\":\"2025-03-13T00:00:00Z\"}"
#define ZERO "00000000000000000000000000000000"
#define FAMILY(levels) "{\"fmspc\":\"00906EA10000\",\"ca\":\"processor\",\"levels\":[" levels "]}"
#define FLEET(family, platforms) "{\"fmspcs\":[" family "],\"platforms\":[" platforms "]}"

static void
assert_refused(const char *text, const char *reason)
{
    struct sim_fleet *fleet = NULL;
    struct fault why = {0};
    assert_int_equal(sim_fleet_parse(span_of_text(text), NULL, &fleet, &why), FAULT_INPUT);
    assert_null(fleet);
    if (strstr(why.text, reason) == NULL) {
        fail_msg("'%s' does not name '%s'", why.text, reason);
    }
}

static void
test_refuses_what_is_not_a_fleet(void **state)
{
    assert_refused("", "");
    assert_refused("[]", "");
    assert_refused("{}", "fmspcs");
    assert_refused("{\"fmspcs\":[],\"platforms\":[]}", "fmspcs");
    assert_refused("{\"fmspcs\":[" FAMILY(LEVEL(ZERO, "1")) "]}", "platforms");
}

static void
test_refuses_levels_that_intel_could_not_issue(void **state)
{
    assert_refused(FLEET(FAMILY(""), ""), "levels");
    assert_refused(FLEET(FAMILY(LEVEL("00", "1")), ""), "components");
    assert_refused(FLEET(FAMILY(LEVEL(ZERO, "-1")), ""), "pcesvn");
    assert_refused(FLEET(FAMILY(LEVEL(ZERO, "65536")), ""), "pcesvn");
    assert_refused(FLEET(FAMILY(LEVEL(ZERO, "1") "," LEVEL(ZERO, "1")), ""), "equal");
    assert_refused(FLEET(FAMILY("{\"components\":\"" ZERO "\",\"pcesvn\":1,\"status\":\"Fine\","
                                "\"date\":\"2025-03-13T00:00:00Z\"}"),
                         ""),
                   "Fine");
    assert_refused(FLEET(FAMILY("{\"components\":\"" ZERO "\",\"pcesvn\":1,"
                                "\"status\":\"UpToDate\",\"date\":\"13 March\"}"),
                         ""),
                   "date");
}

static void
test_refuses_platforms_of_unknown_fmspcs_and_odd_manifests(void **state)
{
#define ONE FAMILY(LEVEL(ZERO, "1"))
    assert_refused(FLEET(ONE, "{\"name\":\"a\",\"fmspc\":\"FFFFFFFFFFFF\"}"), "fmspc");
    assert_refused(FLEET(ONE, "{\"fmspc\":\"00906EA10000\"}"), "name");
    assert_refused(FLEET(ONE, "{\"name\":\"a\",\"fmspc\":\"00906EA10000\",\"manifest\":8430}"),
                   "manifest");
    assert_refused(FLEET(ONE, "{\"name\":\"a\",\"fmspc\":\"00906EA10000\",\"manifest\":56443}"),
                   "manifest");
    assert_refused(FLEET(ONE, "{\"name\":\"a\",\"fmspc\":\"00906EA10000\",\"cpu_svn\":\"0\"}"),
                   "cpu_svn");
    assert_refused(FLEET(ONE, "{\"name\":\"a\",\"fmspc\":\"00906EA10000\",\"certs\":[]}"), "certs");
#undef ONE
}

static void
test_refuses_more_levels_than_the_ceiling(void **state)
{
    struct buf text = BUF_INIT(65536);
    buf_add_text(&text, "{\"fmspcs\":[{\"fmspc\":\"00906EA10000\",\"ca\":\"processor\","
                        "\"levels\":[");
    for (int i = 0; i <= LIMIT_SIM_LEVELS; i++) {
        buf_add_format(&text, "%s" LEVEL(ZERO, "%d"), i == 0 ? "" : ",", i);
    }
    assert_int_equal(buf_add_text(&text, "]}],\"platforms\":[]}"), 0);
    assert_refused(buf_text(&text), "levels");
    buf_done(&text);
}

static void
test_refuses_to_generate_more_than_the_ceiling(void **state)
{
    struct sim_fixture *fixture = *state;
    assert_int_equal(sim_fleet_generate(fixture->sim.fleet, LIMIT_SIM_PLATFORMS + 1, 4, NULL),
                     FAULT_INPUT);
    assert_int_equal(sim_fleet_generate(fixture->sim.fleet, 4, LIMIT_SIM_FMSPCS, NULL),
                     FAULT_INPUT);
    assert_int_equal(sim_fleet_generate(fixture->sim.fleet, 4, 0, NULL), FAULT_INPUT);
}

static void
test_the_built_in_fleet_has_every_kind_of_platform(void **state)
{
    const struct sim_fleet *fleet = ((struct sim_fixture *)*state)->sim.fleet;
    size_t manifests = 0, gaps = 0, cas[2] = {0}, tdx = 0, without_early = 0;
    for (size_t i = 0; i < sim_fleet_size(fleet); i++) {
        struct sim_platform platform;
        sim_fleet_platform(fleet, i, &platform);
        manifests += platform.manifest_bytes > 0;
        gaps += platform.missing != 0;
        cas[fleet->families[platform.family].ca]++;
    }
    for (size_t i = 0; i < fleet->family_count; i++) {
        tdx += fleet->families[i].tdx;
        without_early += !fleet->families[i].early;
    }
    assert_true(fleet->family_count >= 4 && manifests >= 2 && gaps >= 1);
    assert_true(cas[0] > 0 && cas[1] > 0 && tdx > 0 && tdx < fleet->family_count);
    assert_int_equal(without_early, 1);
}

static void
test_every_platform_is_found_by_what_it_sends(void **state)
{
    const struct sim_fleet *fleet = ((struct sim_fixture *)*state)->sim.fleet;
    for (size_t i = 0; i < sim_fleet_size(fleet); i++) {
        struct sim_platform platform;
        uint8_t enc_ppid[SIM_ENC_PPID_SIZE];
        size_t found = SIZE_MAX;
        struct buf manifest = BUF_INIT(SIM_MANIFEST_BYTES_MOST);
        sim_fleet_platform(fleet, i, &platform);
        sim_platform_enc_ppid(fleet, &platform, enc_ppid);
        assert_true(sim_fleet_find_enc_ppid(fleet, enc_ppid, &found));
        assert_int_equal(found, i);
        enc_ppid[SIM_ENC_PPID_SIZE - 1] ^= 1;
        assert_false(sim_fleet_find_enc_ppid(fleet, enc_ppid, &found));
        assert_int_equal(sim_platform_add_manifest(&manifest, fleet, &platform), 0);
        assert_int_equal(manifest.size, platform.manifest_bytes);
        if (manifest.size > 0) {
            found = SIZE_MAX;
            assert_true(sim_fleet_find_manifest(fleet, buf_span(&manifest), &found));
            assert_int_equal(found, i);
            manifest.data[manifest.size - 1] ^= 1;
            assert_false(sim_fleet_find_manifest(fleet, buf_span(&manifest), &found));
        }
        buf_done(&manifest);
    }
}

static void
test_generated_platforms_are_found_and_depend_on_the_seed(void **state)
{
    const char *const text = FLEET(FAMILY(LEVEL(ZERO, "1")), "");
    uint8_t first[SIM_ENC_PPID_SIZE], second[SIM_ENC_PPID_SIZE];
    struct sim_platform platform;
    for (int i = 0; i < 2; i++) {
        struct sim_fleet *fleet = NULL;
        size_t found = 0;
        assert_int_equal(sim_fleet_parse(span_of_text(text), i == 0 ? "one" : "two", &fleet, NULL),
                         0);
        assert_int_equal(sim_fleet_generate(fleet, 1000000, 16, NULL), 0);
        sim_fleet_platform(fleet, 999999, &platform);
        assert_string_equal(platform.name, "gen-999999");
        sim_platform_enc_ppid(fleet, &platform, i == 0 ? first : second);
        assert_true(sim_fleet_find_enc_ppid(fleet, i == 0 ? first : second, &found));
        assert_int_equal(found, 999999);
        assert_true(sim_fleet_find_name(fleet, "gen-999999", &found));
        assert_false(sim_fleet_find_name(fleet, "gen-1000000", &found));
        assert_false(sim_fleet_find_name(fleet, "gen-1", &found));
        sim_fleet_free(fleet);
    }
    assert_memory_not_equal(first, second, sizeof(first));
}

static void
test_a_recovery_puts_a_level_on_top_and_demotes_the_rest(void **state)
{
    const struct sim_fleet *fleet = ((struct sim_fixture *)*state)->sim.fleet;
    const struct sim_family *family = sim_fleet_family(fleet, span_of_text("00606a000000"));
    struct sim_level before[SIM_LEVELS_MAX], after[SIM_LEVELS_MAX];
    size_t count = sim_family_levels(family, SIM_NUMBER_BASE, before);
    assert_int_equal(sim_family_levels(family, SIM_NUMBER_BASE + 1, after), count + 1);
    assert_string_equal(before[0].status, "UpToDate");
    assert_string_equal(after[0].status, "UpToDate");
    assert_string_equal(after[1].status, "OutOfDate");
    assert_int_equal(after[0].tcb.components[0], before[0].tcb.components[0] + 1);
    assert_memory_equal(&after[1].tcb, &before[0].tcb, sizeof(after[1].tcb));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_is_not_a_fleet),
        cmocka_unit_test(test_refuses_levels_that_intel_could_not_issue),
        cmocka_unit_test(test_refuses_platforms_of_unknown_fmspcs_and_odd_manifests),
        cmocka_unit_test(test_refuses_more_levels_than_the_ceiling),
        cmocka_unit_test(test_refuses_to_generate_more_than_the_ceiling),
        cmocka_unit_test(test_the_built_in_fleet_has_every_kind_of_platform),
        cmocka_unit_test(test_every_platform_is_found_by_what_it_sends),
        cmocka_unit_test(test_generated_platforms_are_found_and_depend_on_the_seed),
        cmocka_unit_test(test_a_recovery_puts_a_level_on_top_and_demotes_the_rest),
    };
    return cmocka_run_group_tests(tests, sim_fixture_setup, sim_fixture_teardown);
}
