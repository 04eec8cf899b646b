/* SPDX-License-Identifier: BSD-3-Clause */
/* Listing platforms: a page at a time, each once, with nothing held while the callback works. */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

struct met {
    struct fixture *f;
    size_t count, stop_at, mappings;
    char last[sizeof(((struct platform_id *)0)->qeid)];
    bool writes;
};

static bool
meet(void *self, const struct store_platform *platform)
{
    struct met *met = self;
    assert_true(strcmp(met->last, platform->id.qeid) < 0 || met->count == 0);
    snprintf(met->last, sizeof met->last, "%s", platform->id.qeid);
    met->count += 1;
    met->mappings += platform->mapping_count;
    assert_int_equal(0, platform->certs.pck_count);
    if (met->writes) {
        struct store_mapping mapping = fixture_mapping(77, FIXTURE_TCBM);
        assert_int_equal(0, store_put_mapping(met->f->store, &platform->id, &mapping, NULL));
    }
    return met->count != met->stop_at;
}

static void
make_platforms(struct fixture *f, unsigned count, const char *fmspc)
{
    char text[600];
    snprintf(text, sizeof text,
             "INSERT INTO platforms"
             " WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %u - 1)"
             " SELECT '%s' || hex_pad(i, 8), '0000', zeroblob(0), unhex('AB'), '%s',"
             " 'PLATFORM', " BEHIND_TIMES " FROM n",
             count, fmspc, fmspc);
    fixture_sql(f, text);
    snprintf(
        text, sizeof text,
        "INSERT INTO platform_tcbs SELECT qe_id, pce_id, hex_pad(1, 32), '0A00', '', " BEHIND_TIMES
        " FROM platforms WHERE fmspc = '%s'",
        fmspc);
    fixture_sql(f, text);
}

static void
test_no_platforms_no_calls(void **state)
{
    struct met met = {.f = *state};
    struct fmspc fmspc = {"00906EA10000"};
    assert_int_equal(0, store_each_platform(met.f->store, NULL, 0, meet, &met, NULL));
    assert_int_equal(0, store_each_platform(met.f->store, &fmspc, 1, meet, &met, NULL));
    assert_int_equal(0, met.count);
}

static void
test_every_platform_is_met_once_over_pages(void **state)
{
    struct met met = {.f = *state};
    make_platforms(met.f, 1203, "00906EA10000");
    assert_int_equal(0, store_each_platform(met.f->store, NULL, 0, meet, &met, NULL));
    assert_int_equal(1203, met.count);
    assert_int_equal(1203, met.mappings);
}

static void
test_the_callback_may_write_and_may_stop(void **state)
{
    struct met met = {.f = *state, .writes = true, .stop_at = 21};
    make_platforms(met.f, 40, "00906EA10000");
    assert_int_equal(0, store_each_platform(met.f->store, NULL, 0, meet, &met, NULL));
    assert_int_equal(21, met.count);
    assert_int_equal(61, fixture_number(met.f, "SELECT count(*) FROM platform_tcbs"));
}

static void
test_only_the_listed_fmspcs_are_met_each_once(void **state)
{
    struct met met = {.f = *state};
    make_platforms(met.f, 5, "00906EA10000");
    make_platforms(met.f, 7, "10906EA10000");
    make_platforms(met.f, 9, "20906EA10000");
    struct fmspc fmspcs[] = {
        {"00906EA10000"}, {"20906EA10000"}, {"00906EA10000"}, {"30606A000000"}};
    assert_int_equal(0, store_each_platform(met.f->store, fmspcs, 4, meet, &met, NULL));
    assert_int_equal(14, met.count);
}

static void
test_damaged_rows_are_passed_over_and_do_not_stop_the_listing(void **state)
{
    struct met met = {.f = *state};
    make_platforms(met.f, 3, "00906EA10000");
    fixture_sql(met.f, "INSERT INTO platforms VALUES"
                       " ('', '0000', '', '', '00906EA10000', 'PLATFORM', " BEHIND_TIMES "),"
                       " ('A', 'zzzz', '', '', '00906EA10000', 'PLATFORM', " BEHIND_TIMES "),"
                       " ('C', '0000', '', '', NULL, 'PLATFORM', " BEHIND_TIMES "),"
                       " ('D', '0000', '', '', '00906EA1', 'PLATFORM', " BEHIND_TIMES "),"
                       " ('E', '0000', '', '', '00906EA10000', 'ROOT', " BEHIND_TIMES ")");
    assert_int_equal(0, store_each_platform(met.f->store, NULL, 0, meet, &met, NULL));
    assert_int_equal(3, met.count);
}

static void
test_large_manifests_make_small_pages(void **state)
{
    struct met met = {.f = *state};
    make_platforms(met.f, 24, "00906EA10000");
    fixture_sql(met.f, "UPDATE platforms SET platform_manifest = zeroblob(524288)");
    assert_int_equal(0, store_each_platform(met.f->store, NULL, 0, meet, &met, NULL));
    assert_int_equal(24, met.count);
}

struct counted {
    struct fmspc fmspcs[4];
    uint64_t counts[4];
    size_t count;
};

static void
keep_count(void *self, const struct fmspc *fmspc, uint64_t count)
{
    struct counted *counted = self;
    assert_true(counted->count < 4);
    counted->fmspcs[counted->count] = *fmspc;
    counted->counts[counted->count++] = count;
}

static void
test_fmspcs_are_counted_the_most_first_and_no_more_than_asked_for(void **state)
{
    struct fixture *f = *state;
    struct counted counted = {0};
    assert_int_equal(0, store_count_fmspcs(f->store, 4, keep_count, &counted, NULL));
    assert_int_equal(0, counted.count);
    make_platforms(f, 2, "00906EA10000");
    make_platforms(f, 5, "30606A000000");
    make_platforms(f, 1, "nonsense");
    assert_int_equal(0, store_count_fmspcs(f->store, 4, keep_count, &counted, NULL));
    assert_int_equal(3, counted.count);
    assert_string_equal("30606A000000", counted.fmspcs[0].hex);
    assert_int_equal(5, counted.counts[0]);
    assert_string_equal("00906EA10000", counted.fmspcs[1].hex);
    assert_int_equal(2, counted.counts[1]);
    assert_string_equal("", counted.fmspcs[2].hex);
    counted.count = 0;
    assert_int_equal(0, store_count_fmspcs(f->store, 1, keep_count, &counted, NULL));
    assert_int_equal(1, counted.count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_no_platforms_no_calls),
        FIXTURE_TEST(test_every_platform_is_met_once_over_pages),
        FIXTURE_TEST(test_the_callback_may_write_and_may_stop),
        FIXTURE_TEST(test_only_the_listed_fmspcs_are_met_each_once),
        FIXTURE_TEST(test_damaged_rows_are_passed_over_and_do_not_stop_the_listing),
        FIXTURE_TEST(test_large_manifests_make_small_pages),
        FIXTURE_TEST(test_fmspcs_are_counted_the_most_first_and_no_more_than_asked_for),
    };
    return FIXTURE_RUN(tests);
}
