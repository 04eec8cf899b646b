/* SPDX-License-Identifier: BSD-3-Clause */
/* Full, locked, corrupt, many threads: plain words, nothing half-written, and on it goes. */
#include "store_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static int
put_queue_row(struct fixture *f, const char *qeid, struct fault *why)
{
    static char manifest[40001];
    memset(manifest, 'a', sizeof manifest - 1);
    struct queue_row row = {.id = fixture_platform(qeid), .state = QUEUE_NEW, .manifest = manifest};
    return store_queue_put(f->store, &row, 1, why);
}

/* ---- the disk ---- */

/* Returns the limit of before. */
static rlim_t
limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &limit));
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = bytes;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &limit));
    return before;
}

static void
test_a_disk_that_takes_no_more_is_told_and_survived(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    assert_int_equal(0, put_queue_row(f, "A", &why));
    signal(SIGXFSZ, SIG_IGN);
    rlim_t before = limit_file_size(16384);
    int code = put_queue_row(f, "B", &why);
    int ping = store_ping(f->store, NULL);
    limit_file_size(before);
    assert_int_equal(FAULT_STORE, code);
    assert_true(strstr(why.text, "full") != NULL || strstr(why.text, "written") != NULL);
    assert_int_not_equal(0, why.number);
    assert_int_equal(FAULT_STORE, ping); /* the failed write makes the next ping try one */
    assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM platforms_registered"));
    assert_int_equal(0, put_queue_row(f, "B", &why));
    assert_int_equal(0, store_ping(f->store, NULL));
    assert_int_equal(2, fixture_number(f, "SELECT count(*) FROM platforms_registered"));
}

/* ---- locks ---- */

static sqlite3 *
hold_lock(struct fixture *f)
{
    sqlite3 *other = NULL;
    assert_int_equal(SQLITE_OK, sqlite3_open(f->path, &other));
    assert_int_equal(SQLITE_OK, sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL));
    return other;
}

static void
test_a_locked_database_is_told_and_can_still_be_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, put_queue_row(f, "A", NULL));
    sqlite3 *other = hold_lock(f);
    struct fault why = {0};
    assert_int_equal(FAULT_STORE, put_queue_row(f, "B", &why));
    assert_non_null(strstr(why.text, "locked by another program"));
    uint64_t counts[3];
    assert_int_equal(0, store_queue_counts(f->store, counts, NULL));
    assert_int_equal(1, counts[0]);
    sqlite3_close(other);
    assert_int_equal(0, put_queue_row(f, "B", NULL));
}

static void
test_another_program_may_read_while_we_write(void **state)
{
    struct fixture *f = *state;
    sqlite3 *other = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(0, put_queue_row(f, "A", NULL));
    assert_int_equal(0, put_queue_row(f, "B", NULL));
    assert_int_equal(SQLITE_OK, sqlite3_open(f->path, &other));
    assert_int_equal(SQLITE_OK, sqlite3_prepare_v2(other, "SELECT qe_id FROM platforms_registered",
                                                   -1, &statement, NULL));
    assert_int_equal(SQLITE_ROW, sqlite3_step(statement));
    assert_int_equal(0, put_queue_row(f, "C", NULL));
    assert_int_equal(SQLITE_ROW, sqlite3_step(statement));
    assert_int_equal(SQLITE_DONE, sqlite3_step(statement)); /* of before C */
    sqlite3_finalize(statement);
    sqlite3_close(other);
}

/* ---- a damaged file ---- */

static void
test_a_corrupt_page_is_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 40));
    int64_t page = fixture_number(f, "SELECT rootpage FROM sqlite_master"
                                     " WHERE name = 'sqlite_autoindex_pck_cert_1'");
    fixture_close(f);
    FILE *file = fopen(f->path, "r+");
    assert_non_null(file);
    assert_int_equal(0, fseek(file, (long)(page - 1) * 4096, SEEK_SET));
    for (int i = 0; i < 4096; i++) {
        fputc(0xEE, file);
    }
    fclose(file);
    fixture_open(f);
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct store_platform platform;
    struct fault why = {0};
    assert_int_equal(FAULT_STORE, store_load_platform(f->store, &id, &platform, &why));
    assert_non_null(strstr(why.text, "corrupt"));
    assert_int_equal(0, put_queue_row(f, "A", NULL)); /* other tables go on */
}

/* ---- threads ---- */

enum { THREADS = 12, ROUNDS = 10 };

struct worker {
    struct fixture *f;
    unsigned number;
    int failed;
};

static void *
work(void *self)
{
    struct worker *worker = self;
    struct store *store = worker->f->store;
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct raw_tcb raw = fixture_raw(1);
    for (unsigned i = 0; i < ROUNDS && worker->failed == 0; i++) {
        struct raw_reply reply;
        struct store_mapping mapping = fixture_mapping(100 + worker->number, FIXTURE_TCBM);
        worker->failed = store_load_pck(store, &id, &raw, &reply, NULL);
        if (worker->failed == 0) {
            raw_reply_done(&reply);
        }
        if (worker->failed == 0 && i % 5 == 0) {
            worker->failed = store_put_mapping(store, &id, &mapping, NULL);
        }
    }
    return NULL;
}

static void
work_in_threads(struct fixture *f)
{
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 2));
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.f = f, .number = i};
        assert_int_equal(0, pthread_create(&threads[i], NULL, work, &workers[i]));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(0, workers[i].failed);
    }
    struct store_counts counts;
    assert_int_equal(0, store_counts(f->store, &counts, NULL));
    assert_int_equal(1 + THREADS, counts.raw_tcbs);
}

static void
test_more_threads_than_readers_share_the_store(void **state)
{
    work_in_threads(*state);
}

static void
test_threads_share_a_database_in_memory_too(void **state)
{
    struct fixture *f = *state;
    f->options.path = ":memory:";
    fixture_open(f);
    work_in_threads(f);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_disk_that_takes_no_more_is_told_and_survived),
        TEST(test_a_locked_database_is_told_and_can_still_be_read),
        TEST(test_another_program_may_read_while_we_write),
        TEST(test_a_corrupt_page_is_told),
        TEST(test_more_threads_than_readers_share_the_store),
        cmocka_unit_test_setup_teardown(test_threads_share_a_database_in_memory_too,
                                        fixture_set_up_closed, fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
