/* SPDX-License-Identifier: BSD-3-Clause */
/* A fleet in the database: what is asked for is found by a key, and a listing reads each row once
 * and keeps none. PCCS_TEST_ROWS=1000000 makes it a large one; by itself it is a small one. */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The sanitizers keep what was freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY_KB = 1024 * 1024 };
#else
enum { MEMORY_KB = 32 * 1024 };
#endif
enum { ROWS = 20000, AT_ONCE = 50000, KINDS = 4, LOOKUPS = 200 };

static struct fixture *fleet; /* filled once, for all tests */

static unsigned
fleet_size(void)
{
    const char *text = getenv("PCCS_TEST_ROWS");
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : ROWS;
}

static void
fill_some(unsigned from, unsigned to)
{
    static const struct {
        const char *table, *values;
    } rows[] = {
        {"platforms", "zeroblob(0), unhex('AB'), '00906EA1000' || (i % 4), 'PROCESSOR'"},
        {"platform_tcbs", "hex_pad(1, 32), '0A00', '" FIXTURE_TCBM "'"},
        {"pck_cert", "'" FIXTURE_TCBM "', 'PEM'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "INSERT INTO %s WITH RECURSIVE n(i) AS (SELECT %u UNION ALL SELECT i + 1 FROM n"
                 " WHERE i < %u) SELECT hex_pad(i, 32), '0000', %s, " BEHIND_TIMES " FROM n",
                 rows[i].table, from, to - 1, rows[i].values);
        fixture_sql(fleet, text);
    }
}

static void
fill(void)
{
    for (unsigned from = 0; from < fleet_size(); from += AT_ONCE) {
        unsigned left = fleet_size() - from;
        fill_some(from, from + (left < AT_ONCE ? left : AT_ONCE));
    }
    fixture_sql(fleet, "INSERT INTO pcs_certificates VALUES (1, 'ROOT', NULL, " BEHIND_TIMES
                       "), (2, 'CA', NULL, " BEHIND_TIMES ");"
                       "INSERT INTO pck_certchain VALUES ('PROCESSOR', 1, 2, " BEHIND_TIMES ")");
    /* Servers do so by themselves, by and by. */
    if (behind_kind() == BEHIND_POSTGRES) {
        fixture_sql(fleet, "ANALYZE");
    } else if (behind_kind() == BEHIND_MARIADB) {
        fixture_sql(fleet, "ANALYZE TABLE platforms, platform_tcbs, pck_cert");
    }
}

static int
set_up(void **state)
{
    if (fleet == NULL) {
        void *made = NULL;
        if (fixture_set_up_closed(&made) != 0) {
            return -1;
        }
        fleet = made;
        fixture_open(fleet);
        fixture_close(fleet); /* its tables are there */
        fill();
    }
    fixture_open(fleet);
    *state = fleet;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fixture_close(fleet);
    return 0;
}

static int
tear_down_fleet(void **state)
{
    void *made = fleet;
    (void)fixture_tear_down(&made);
    return fixture_group_tear_down(state);
}

/* ---- what the server read ---- */

/* Rows of all tables so far; 0 with SQLite. PostgreSQL counts those of connections that ended. */
static int64_t
rows_read(void)
{
    switch (behind_kind()) {
    case BEHIND_SQLITE:
        break;
    case BEHIND_POSTGRES:
        return fixture_number(fleet, "SELECT sum(seq_tup_read + COALESCE(idx_tup_fetch, 0))::bigint"
                                     " FROM pg_stat_user_tables WHERE relname IN ('platforms',"
                                     " 'platform_tcbs', 'pck_cert', 'pccs_platforms')");
    case BEHIND_MARIADB:
        return fixture_number(fleet, "SELECT sum(variable_value) FROM information_schema"
                                     ".global_status WHERE variable_name LIKE 'HANDLER_READ%'");
    }
    return 0;
}

/* At least so many were read since; no more than that may be. */
static void
assert_rows_read(int64_t since, int64_t least, int64_t most)
{
    fixture_close(fleet);
    if (fixture_is_sqlite()) {
        return;
    }
    int64_t read = rows_read() - since;
    for (int tries = 0; read < least && tries < 500; tries++) {
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 10000000}, NULL);
        read = rows_read() - since;
    }
    if (read < least || read > most) {
        fail_msg("%lld rows were read, not %lld to %lld", (long long)read, (long long)least,
                 (long long)most);
    }
}

/* ---- what SQLite would read ---- */

#define SQL_UPSERT(keys) " ON CONFLICT (" keys ") DO UPDATE SET"
#define SQL_NEW(column) "excluded." column
#define SQL_INSERT_NEW "INSERT"
#define SQL_IF_NEW(keys) " ON CONFLICT (" keys ") DO NOTHING"
#define SQL_OLDEST_FIRST(keys) "rowid"
#define SQL_NEWEST_FIRST(keys_descending) "rowid DESC"
#define SQL_TIME_TEXT(column) column
#define SQL_IS_TEXT(column) " AND typeof(" column ") = 'text'"
#define SQL_FOR_UPDATE ""
#define SQL_NOW "0"

static const struct {
    const char *name, *text;
} statements[] = {
#define STATEMENT(name, text) {#name, text},
#include "store/store_sql.def"
#undef STATEMENT
};

/* The statement goes through no table; a page of a listing is not sorted either. */
static void
assert_plan_uses_keys(const char *name)
{
    for (size_t i = 0; fixture_is_sqlite() && i < sizeof statements / sizeof statements[0]; i++) {
        if (strcmp(statements[i].name, name) == 0) {
            char text[4096];
            snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", statements[i].text);
            const char *plan = behind_lines(fleet->path, text);
            bool scans = strncmp(plan, "SCAN", 4) == 0 || strstr(plan, "\nSCAN") != NULL;
            bool sorts = strstr(plan, "TEMP B-TREE") != NULL && strncmp(name, "PAGE", 4) == 0;
            if (scans || sorts || strstr(plan, "SEARCH") == NULL) {
                fail_msg("%s: %s", name, plan);
            }
        }
    }
}

/* ---- listing ---- */

static long
memory_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(1, fscanf(file, "%*d %ld", &pages));
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

struct met {
    unsigned count, step;
    long first_kb, most_kb;
};

/* Each once and in order, none left out. */
static bool
meet(void *self, const struct store_platform *platform)
{
    struct met *met = self;
    unsigned number = (unsigned)strtoul(platform->id.qeid, NULL, 16);
    assert_int_equal(met->count * met->step + (met->step > 1), number);
    assert_int_equal(1, platform->mapping_count);
    met->count += 1;
    if (met->count % 1000 == 0) {
        long kb = memory_kb();
        met->first_kb = met->first_kb == 0 ? kb : met->first_kb;
        met->most_kb = kb > met->most_kb ? kb : met->most_kb;
    }
    return true;
}

static void
test_a_listing_reads_each_platform_once_and_keeps_none(void **state)
{
    struct fixture *f = *state;
    struct met met = {.step = 1};
    int64_t size = fleet_size(), before = rows_read();
    assert_plan_uses_keys("PAGE_PLATFORMS");
    assert_plan_uses_keys("LOAD_MAPPINGS");
    assert_int_equal(0, store_each_platform(f->store, NULL, 0, meet, &met, NULL));
    assert_int_equal(size, met.count);
    assert_true(met.most_kb - met.first_kb < MEMORY_KB);
    assert_rows_read(before, size, 8 * size + 2000);
}

static void
test_a_listing_of_one_fmspc_reads_its_platforms_only(void **state)
{
    struct fixture *f = *state;
    struct met met = {.step = KINDS};
    struct fmspc fmspc = {"00906EA10001"};
    int64_t size = fleet_size() / KINDS, before = rows_read();
    assert_plan_uses_keys("PAGE_PLATFORMS_OF");
    assert_int_equal(0, store_each_platform(f->store, &fmspc, 1, meet, &met, NULL));
    assert_int_equal(size, met.count);
    assert_rows_read(before, size, 8 * size + 2000);
}

/* ---- looking up ---- */

static void
test_a_certificate_is_looked_up_by_its_key(void **state)
{
    struct fixture *f = *state;
    int64_t before = rows_read();
    struct raw_tcb raw = fixture_raw(1);
    for (unsigned i = 0; i < LOOKUPS; i++) {
        char qeid[33];
        snprintf(qeid, sizeof qeid, "%032X", i * (fleet_size() / LOOKUPS));
        struct platform_id id = fixture_platform(qeid);
        struct raw_reply reply;
        assert_int_equal(0, store_load_pck(f->store, &id, &raw, &reply, NULL));
        assert_string_equal("PEM", reply.pcks[0].cert);
        raw_reply_done(&reply);
    }
    assert_plan_uses_keys("LOAD_PCK");
    assert_rows_read(before, LOOKUPS, 20 * LOOKUPS + 2000);
}

static void
test_a_platform_is_looked_up_by_its_key(void **state)
{
    struct fixture *f = *state;
    int64_t before = rows_read();
    for (unsigned i = 0; i < LOOKUPS; i++) {
        char qeid[33];
        snprintf(qeid, sizeof qeid, "%032X", i * (fleet_size() / LOOKUPS));
        struct platform_id id = fixture_platform(qeid);
        struct store_platform platform;
        assert_int_equal(0, store_load_platform(f->store, &id, &platform, NULL));
        assert_int_equal(1, platform.certs.pck_count);
        store_platform_done(&platform);
    }
    assert_plan_uses_keys("LOAD_PLATFORM");
    assert_plan_uses_keys("LOAD_PLATFORM_BRIEF");
    assert_plan_uses_keys("LOAD_MAPPINGS");
    assert_rows_read(before, LOOKUPS, 30 * LOOKUPS + 2000);
}

static void
test_a_mapping_is_added_by_keys(void **state)
{
    struct fixture *f = *state;
    int64_t before = rows_read();
    for (unsigned i = 0; i < LOOKUPS; i++) {
        char qeid[33];
        snprintf(qeid, sizeof qeid, "%032X", i * (fleet_size() / LOOKUPS));
        struct platform_id id = fixture_platform(qeid);
        struct store_mapping mapping = fixture_mapping(1, FIXTURE_TCBM);
        assert_int_equal(0, store_put_mapping(f->store, &id, &mapping, NULL));
    }
    assert_rows_read(before, LOOKUPS, 30 * LOOKUPS + 2000);
}

static void
add_up(void *self, const struct fmspc *fmspc, uint64_t count)
{
    (void)fmspc;
    *(uint64_t *)self += count;
}

static void
test_a_fleet_is_counted(void **state)
{
    struct fixture *f = *state;
    struct store_counts counts;
    uint64_t sum = 0;
    assert_int_equal(0, store_counts(f->store, &counts, NULL));
    assert_int_equal(fleet_size(), counts.platforms);
    assert_int_equal(fleet_size(), counts.pck_certs);
    assert_int_equal(fleet_size(), counts.raw_tcbs);
    assert_int_equal(0, store_count_fmspcs(f->store, 100, add_up, &sum, NULL));
    assert_int_equal(fleet_size(), sum);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_listing_reads_each_platform_once_and_keeps_none),
        TEST(test_a_listing_of_one_fmspc_reads_its_platforms_only),
        TEST(test_a_certificate_is_looked_up_by_its_key),
        TEST(test_a_platform_is_looked_up_by_its_key),
        TEST(test_a_mapping_is_added_by_keys),
        TEST(test_a_fleet_is_counted),
    };
    return fixture_can_run() ? cmocka_run_group_tests(tests, NULL, tear_down_fleet) : 77;
}
