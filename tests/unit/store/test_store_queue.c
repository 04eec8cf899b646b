/* SPDX-License-Identifier: BSD-3-Clause */
/* The registration queue: what is handed out is marked, what is marked is not lost. */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

static struct queue_row
row_of(const char *qeid, const char *cpusvn, const char *pcesvn, enum queue_state state)
{
    struct queue_row row = {.id = fixture_platform(qeid), .state = state};
    snprintf(row.cpusvn, sizeof row.cpusvn, "%s", cpusvn);
    snprintf(row.pcesvn, sizeof row.pcesvn, "%s", pcesvn);
    return row;
}

static int
put(struct fixture *f, struct queue_row row, const char *enc_ppid, const char *manifest)
{
    row.enc_ppid = (char *)enc_ppid;
    row.manifest = (char *)manifest;
    struct fault why = {0};
    return store_queue_put(f->store, &row, 1, &why);
}

static void
put_new(struct fixture *f, const char *qeid)
{
    assert_int_equal(0, put(f, row_of(qeid, FIXTURE_CPUSVN, "0A00", QUEUE_NEW), "abcdef", ""));
}

struct listed {
    struct queue_row *rows;
    size_t count;
};

static struct listed
list(struct fixture *f, enum queue_source source, bool mark)
{
    struct listed listed = {0};
    assert_int_equal(0,
                     store_queue_list(f->store, source, mark, &listed.rows, &listed.count, NULL));
    return listed;
}

static void
listed_free(struct listed *listed)
{
    for (size_t i = 0; i < listed->count; i++) {
        queue_row_done(&listed->rows[i]);
    }
    free(listed->rows);
}

static size_t
count_of(struct fixture *f, enum queue_source source, bool mark)
{
    struct listed listed = list(f, source, mark);
    size_t count = listed.count;
    listed_free(&listed);
    return count;
}

static void
test_an_empty_queue_gives_no_rows(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, count_of(f, QUEUE_SOURCE_REG, true));
    assert_int_equal(0, count_of(f, QUEUE_SOURCE_REG_NA, true));
    assert_int_equal(0, count_of(f, QUEUE_SOURCE_REG_PENDING, false));
}

static void
test_refuses_a_row_that_is_not_hex_and_keeps_none_of_its_batch(void **state)
{
    struct fixture *f = *state;
    struct queue_row rows[] = {row_of(FIXTURE_Q1, "", "", QUEUE_NEW),
                               row_of(FIXTURE_Q2, "", "", QUEUE_NEW)};
    rows[0].manifest = "0a0b";
    rows[1].manifest = "0a0";
    assert_int_equal(FAULT_INPUT, store_queue_put(f->store, rows, 2, NULL));
    rows[1].manifest = "0a0x";
    assert_int_equal(FAULT_INPUT, store_queue_put(f->store, rows, 2, NULL));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM platforms_registered"));
}

static void
test_damaged_rows_are_neither_handed_out_nor_marked(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f, "INSERT INTO platforms_registered VALUES"
                   " ('', '0000', '', '', '', '', 0, " BEHIND_TIMES "),"
                   " ('A', 'x', '', '', '', '', 0, " BEHIND_TIMES "),"
                   " ('A', '0000', 'x', '', '', '', 0, " BEHIND_TIMES "),"
                   " ('A', '0000', '', '0A0', '', '', 0, " BEHIND_TIMES "),"
                   " ('B', '0000', '', '', zeroblob(385), '', 0, " BEHIND_TIMES "),"
                   " ('C', '0000', '', '', '', zeroblob(524289), 0, " BEHIND_TIMES "),"
                   " ('D', '0000', '', '', NULL, NULL, 0, " BEHIND_TIMES ")");
    struct listed listed = list(f, QUEUE_SOURCE_REG, true);
    assert_int_equal(1, listed.count);
    assert_string_equal("D", listed.rows[0].id.qeid);
    assert_string_equal("", listed.rows[0].enc_ppid);
    assert_string_equal("", listed.rows[0].manifest);
    listed_free(&listed);
    assert_int_equal(
        6, fixture_number(f, "SELECT count(*) FROM platforms_registered WHERE state = 0"));
}

static void
test_what_is_handed_out_is_marked_once(void **state)
{
    struct fixture *f = *state;
    put_new(f, FIXTURE_Q1);
    put_new(f, FIXTURE_Q2);
    assert_int_equal(2, count_of(f, QUEUE_SOURCE_REG, false)); /* peek */
    assert_int_equal(2, count_of(f, QUEUE_SOURCE_REG, false));
    assert_int_equal(2, count_of(f, QUEUE_SOURCE_REG, true));
    assert_int_equal(0, count_of(f, QUEUE_SOURCE_REG, true));
    assert_int_equal(
        2, fixture_number(f, "SELECT count(*) FROM platforms_registered WHERE state = 9"));
}

static void
test_rows_come_in_the_order_of_registration_in_lower_case(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, put(f, row_of("QE2", FIXTURE_CPUSVN, "0A00", QUEUE_NEW), "ABcdEF", ""));
    f->now += 1; /* servers tell who came first by the second */
    assert_int_equal(0, put(f, row_of("QE1", "", "", QUEUE_NEW), "", "0A0b"));
    struct listed listed = list(f, QUEUE_SOURCE_REG, false);
    assert_int_equal(2, listed.count);
    assert_string_equal("QE2", listed.rows[0].id.qeid);
    assert_string_equal("0000", listed.rows[0].id.pceid);
    assert_string_equal(FIXTURE_CPUSVN, listed.rows[0].cpusvn);
    assert_string_equal("0A00", listed.rows[0].pcesvn);
    assert_string_equal("abcdef", listed.rows[0].enc_ppid);
    assert_string_equal("", listed.rows[0].manifest);
    assert_int_equal(QUEUE_NEW, listed.rows[0].state);
    assert_string_equal("", listed.rows[1].cpusvn);
    assert_string_equal("0a0b", listed.rows[1].manifest);
    listed_free(&listed);
}

static void
test_the_next_manifest_replaces_the_row(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, put(f, row_of(FIXTURE_Q1, "", "", QUEUE_NEW), "", "0a"));
    assert_int_equal(1, count_of(f, QUEUE_SOURCE_REG, true));
    assert_int_equal(0, put(f, row_of(FIXTURE_Q1, "", "", QUEUE_NEW), "", "0b"));
    struct listed listed = list(f, QUEUE_SOURCE_REG, true);
    assert_int_equal(1, listed.count);
    assert_string_equal("0b", listed.rows[0].manifest);
    listed_free(&listed);
    assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM platforms_registered"));
}

static void
test_not_available_rows_have_a_queue_of_their_own(void **state)
{
    struct fixture *f = *state;
    put_new(f, FIXTURE_Q1);
    assert_int_equal(
        0, put(f, row_of(FIXTURE_Q2, FIXTURE_CPUSVN, "0B00", QUEUE_NOT_AVAILABLE), "", "0a"));
    struct listed listed = list(f, QUEUE_SOURCE_REG_NA, true);
    assert_int_equal(1, listed.count);
    assert_string_equal(FIXTURE_CPUSVN,
                        listed.rows[0].cpusvn); /* kept although there's a manifest */
    assert_string_equal("0a", listed.rows[0].manifest);
    assert_int_equal(QUEUE_NOT_AVAILABLE, listed.rows[0].state);
    listed_free(&listed);
    assert_int_equal(0, count_of(f, QUEUE_SOURCE_REG_NA, true));
    assert_int_equal(1, count_of(f, QUEUE_SOURCE_REG, true));
}

static void
test_handed_out_rows_are_pending_until_their_certificates_come(void **state)
{
    struct fixture *f = *state;
    put_new(f, FIXTURE_Q1);
    put_new(f, FIXTURE_Q2);
    assert_int_equal(0, count_of(f, QUEUE_SOURCE_REG_PENDING, false));
    assert_int_equal(2, count_of(f, QUEUE_SOURCE_REG, true));
    assert_int_equal(2, count_of(f, QUEUE_SOURCE_REG_PENDING, true)); /* a mark changes nothing */
    assert_int_equal(2, count_of(f, QUEUE_SOURCE_REG_PENDING, false));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    struct listed listed = list(f, QUEUE_SOURCE_REG_PENDING, false);
    assert_int_equal(1, listed.count);
    assert_string_equal(FIXTURE_Q2, listed.rows[0].id.qeid);
    assert_int_equal(QUEUE_DONE, listed.rows[0].state);
    listed_free(&listed);
}

static void
test_acknowledging_marks_by_key_and_ignores_the_unknown(void **state)
{
    struct fixture *f = *state;
    put_new(f, FIXTURE_Q1);
    assert_int_equal(0, put(f, row_of(FIXTURE_Q2, "", "", QUEUE_NEW), "", "0a"));
    fixture_sql(f,
                "INSERT INTO platforms_registered (qe_id, pce_id, cpu_svn, pce_svn, state,"
                " created_time, updated_time) VALUES ('NA', '0000', '', '', 1, " BEHIND_TIMES ")");
    struct queue_row rows[] = {
        row_of(FIXTURE_Q1, FIXTURE_CPUSVN, "0B00", QUEUE_NEW), /* another svn */
        row_of("UNKNOWN", "", "", QUEUE_NEW),
        row_of(FIXTURE_Q2, "", "", QUEUE_NEW),
        row_of("NA", "", "", QUEUE_NEW),
    };
    size_t count = 77;
    assert_int_equal(0, store_queue_mark_done(f->store, rows, 4, &count, NULL));
    assert_int_equal(2, count);
    assert_int_equal(1, count_of(f, QUEUE_SOURCE_REG, false));
    assert_int_equal(0, store_queue_mark_done(f->store, rows, 0, &count, NULL));
    assert_int_equal(0, count);
}

static void
test_what_is_beyond_the_ceiling_stays_for_the_next_call(void **state)
{
    struct fixture *f = *state;
    put_new(f, FIXTURE_Q1);
    put_new(f, FIXTURE_Q2);
    put_new(f, "THIRD");
    f->options.list_bytes_max = sizeof(struct queue_row) + 100;
    fixture_reopen(f);
    assert_int_equal(2, count_of(f, QUEUE_SOURCE_REG, true));
    assert_int_equal(1, count_of(f, QUEUE_SOURCE_REG, true));
    assert_int_equal(0, count_of(f, QUEUE_SOURCE_REG, true));
}

static void
test_a_failed_mark_hands_out_nothing(void **state)
{
    struct fixture *f = *state;
    put_new(f, FIXTURE_Q1);
    put_new(f, FIXTURE_Q2);
    fixture_fail(f, "UPDATE", "platforms_registered", FIXTURE_Q2);
    struct queue_row *rows = NULL;
    size_t count = 77;
    assert_int_equal(FAULT_STORE,
                     store_queue_list(f->store, QUEUE_SOURCE_REG, true, &rows, &count, NULL));
    assert_null(rows);
    assert_int_equal(77, count);
    fixture_fail_no_more(f);
    assert_int_equal(2, count_of(f, QUEUE_SOURCE_REG, true));
}

static void
test_rows_are_counted_by_state(void **state)
{
    struct fixture *f = *state;
    uint64_t counts[3] = {7, 7, 7};
    assert_int_equal(0, store_queue_counts(f->store, counts, NULL));
    assert_int_equal(0, counts[0] + counts[1] + counts[2]);
    fixture_sql(f, "INSERT INTO platforms_registered VALUES"
                   " ('A', '0000', '', '', '', '', 0, " BEHIND_TIMES "),"
                   " ('B', '0000', '', '', '', '', 0, " BEHIND_TIMES "),"
                   " ('C', '0000', '', '', '', '', 1, " BEHIND_TIMES "),"
                   " ('D', '0000', '', '', '', '', 9, " BEHIND_TIMES "),"
                   " ('E', '0000', '', '', '', '', 9, " BEHIND_TIMES "),"
                   " ('F', '0000', '', '', '', '', 9, " BEHIND_TIMES ")");
    assert_int_equal(0, store_queue_counts(f->store, counts, NULL));
    assert_int_equal(2, counts[0]);
    assert_int_equal(1, counts[1]);
    assert_int_equal(3, counts[2]);
}

struct every {
    struct fixture *f;
    unsigned count, stop_at;
    char seen[256];
};

/* Writes while it is called: no connection may be held then. */
static bool
on_each(void *self, const struct queue_row *row)
{
    struct every *every = self;
    size_t size = strlen(every->seen);
    snprintf(every->seen + size, sizeof every->seen - size, "%.1s%d%s%s ", row->id.qeid,
             (int)row->state, row->enc_ppid, row->manifest);
    struct queue_row same = *row;
    assert_int_equal(0, store_queue_put(every->f->store, &same, 1, NULL));
    return ++every->count != every->stop_at;
}

static void
test_every_row_is_met_once_whatever_its_state(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, put(f, row_of(FIXTURE_Q2, "", "", QUEUE_DONE), "ab", "cd"));
    assert_int_equal(
        0, put(f, row_of(FIXTURE_Q1, FIXTURE_CPUSVN, "0A00", QUEUE_NOT_AVAILABLE), "ef", ""));
    assert_int_equal(0, put(f, row_of(FIXTURE_Q1, FIXTURE_CPUSVN, "0B00", QUEUE_NEW), "", "01"));
    struct every every = {.f = f};
    assert_int_equal(0, store_each_queue_row(f->store, on_each, &every, NULL));
    if (every.seen[0] == 'F') { /* a server orders rows of the same second by their keys */
        assert_string_equal("F9abcd 01ef 0001 ", every.seen);
    } else {
        assert_string_equal("01ef 0001 F9abcd ", every.seen);
    }
    every = (struct every){.f = f, .stop_at = 2};
    assert_int_equal(0, store_each_queue_row(f->store, on_each, &every, NULL));
    assert_int_equal(2, every.count);
}

static bool
on_count(void *self, const struct queue_row *row)
{
    struct every *every = self;
    every->count += row->id.qeid[0] != '\0';
    return true;
}

static void
test_every_row_is_met_over_many_pages(void **state)
{
    enum { ROWS = 1234 };
    struct fixture *f = *state;
    struct queue_row *rows = calloc(ROWS, sizeof *rows);
    assert_non_null(rows);
    for (unsigned i = 0; i < ROWS; i++) {
        rows[i] = row_of(FIXTURE_Q1, fixture_raw(i).cpusvn, "0A00", QUEUE_NEW);
    }
    assert_int_equal(0, store_queue_put(f->store, rows, ROWS, NULL));
    free(rows);
    struct every every = {.f = f};
    assert_int_equal(0, store_each_queue_row(f->store, on_count, &every, NULL));
    assert_int_equal(ROWS, every.count);
}

static void
test_one_row_is_found_by_its_whole_key(void **state)
{
    struct fixture *f = *state;
    struct queue_row key = row_of(FIXTURE_Q1, FIXTURE_CPUSVN, "0A00", QUEUE_NEW);
    struct queue_row found = {0};
    assert_int_equal(FAULT_NOT_FOUND, store_load_queue_row(f->store, &key, &found, NULL));
    assert_int_equal(0, put(f, row_of(FIXTURE_Q1, FIXTURE_CPUSVN, "0B00", QUEUE_NEW), "01", ""));
    assert_int_equal(FAULT_NOT_FOUND, store_load_queue_row(f->store, &key, &found, NULL));
    assert_int_equal(0, put(f, row_of(FIXTURE_Q1, FIXTURE_CPUSVN, "0A00", QUEUE_DONE), "", "02"));
    assert_int_equal(0, store_load_queue_row(f->store, &key, &found, NULL));
    assert_int_equal(QUEUE_DONE, found.state);
    assert_string_equal("", found.enc_ppid);
    assert_string_equal("02", found.manifest);
    queue_row_done(&found);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_an_empty_queue_gives_no_rows),
        FIXTURE_TEST(test_refuses_a_row_that_is_not_hex_and_keeps_none_of_its_batch),
        FIXTURE_TEST(test_damaged_rows_are_neither_handed_out_nor_marked),
        FIXTURE_TEST(test_what_is_handed_out_is_marked_once),
        FIXTURE_TEST(test_rows_come_in_the_order_of_registration_in_lower_case),
        FIXTURE_TEST(test_the_next_manifest_replaces_the_row),
        FIXTURE_TEST(test_not_available_rows_have_a_queue_of_their_own),
        FIXTURE_TEST(test_handed_out_rows_are_pending_until_their_certificates_come),
        FIXTURE_TEST(test_acknowledging_marks_by_key_and_ignores_the_unknown),
        FIXTURE_TEST(test_what_is_beyond_the_ceiling_stays_for_the_next_call),
        FIXTURE_TEST(test_a_failed_mark_hands_out_nothing),
        FIXTURE_TEST(test_rows_are_counted_by_state),
        FIXTURE_TEST(test_every_row_is_met_once_whatever_its_state),
        FIXTURE_TEST(test_every_row_is_met_over_many_pages),
        FIXTURE_TEST(test_one_row_is_found_by_its_whole_key),
    };
    return FIXTURE_RUN(tests);
}
