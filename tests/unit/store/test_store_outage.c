/* SPDX-License-Identifier: BSD-3-Clause */
/* The server goes, comes back, hangs: a write was acknowledged and is there, or failed; afterwards
 * everything works, and nothing has to be opened anew. */
#include "store_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WRITERS = 6, ROWS_MAX = 20000, BACK_MS = 15000, REFUSED_MS = 4000, PAUSED_MS = 16000 };

static int64_t
now_ms(void)
{
    return clock_monotonic_ms(clock_system());
}

static void
pause_ms(long milliseconds)
{
    struct timespec wait = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * 1000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
}

static int
put_row(struct store *store, unsigned number, struct fault *why)
{
    struct queue_row row = {.manifest = "0a0b"};
    snprintf(row.id.qeid, sizeof row.id.qeid, "Q%08u", number);
    snprintf(row.id.pceid, sizeof row.id.pceid, "0000");
    return store_queue_put(store, &row, 1, why);
}

static int
read_something(struct store *store, struct fault *why)
{
    uint64_t counts[3];
    return store_queue_counts(store, counts, why);
}

/* Everything works again, within so long. */
static void
assert_comes_back(struct fixture *f, struct store *store)
{
    int64_t until_ms = now_ms() + BACK_MS;
    struct fault why = {0};
    int code = FAULT_STORE;
    while (code != 0) {
        code = store_ping(store, &why);
        code = code != 0 ? code : put_row(store, 1, &why);
        code = code != 0 ? code : read_something(store, &why);
        if (code != 0 && now_ms() > until_ms) {
            fail_msg("%s", why.text);
        }
        pause_ms(code != 0 ? 20 : 0);
    }
    struct item_key key = fixture_identity_key(ENCLAVE_QE, UPDATE_STANDARD);
    const struct proven *item = fixture_item(f, &key, "{}", "signer", "root");
    const struct store_batch batch = {.items = &item, .item_count = 1};
    struct raw_reply raw;
    assert_int_equal(0, store_put(store, &batch, NULL));
    assert_int_equal(0, store_load_item(store, &key, &raw, NULL));
    raw_reply_done(&raw);
}

static void
ignore_change(void *self, const struct item_key *key)
{
    (void)key;
    *(size_t *)self += 1;
}

/* ---- a server that is not there ---- */

static void
test_while_the_server_is_down_everything_is_refused_soon(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, put_row(f->store, 1, NULL));
    behind_order("stop");
    for (unsigned i = 0; i < 20; i++) {
        struct fault why = {0};
        size_t heard = 0;
        bool is_held = false;
        int64_t began_ms = now_ms();
        assert_int_equal(FAULT_STORE, put_row(f->store, 2, &why));
        assert_true(why.text[0] != '\0');
        assert_null(strstr(why.text, f->server.password));
        assert_int_equal(FAULT_STORE, read_something(f->store, &why));
        assert_int_equal(FAULT_STORE, store_ping(f->store, &why));
        assert_int_equal(FAULT_STORE, store_claim(f->store, "refresh", 60, &is_held, &why));
        int code = store_wait_changes(f->store, 10, ignore_change, &heard, &why);
        assert_true(code == 0 || code == FAULT_STORE); /* alone, it has not much to ask */
        assert_true(now_ms() - began_ms < REFUSED_MS);
        assert_false(is_held);
    }
    struct store *another = NULL;
    struct fault why = {0};
    assert_int_equal(FAULT_STORE, fixture_open_store(f, &another, &why)); /* may pass: try again */
    behind_order("start");
    assert_comes_back(f, f->store);
    assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM platforms_registered"));
}

static void
test_after_a_restart_the_next_request_is_answered(void **state)
{
    struct fixture *f = *state;
    struct store *other = fixture_other(f);
    struct fault why = {0};
    bool is_held = false;
    assert_int_equal(0, put_row(f->store, 1, NULL));
    assert_int_equal(0, store_claim(f->store, "refresh", 60, &is_held, NULL));
    assert_true(is_held);
    behind_order("restart");
    if (read_something(f->store, &why) != 0 || put_row(f->store, 2, &why) != 0) {
        fail_msg("%s", why.text);
    }
    assert_comes_back(f, other);
    /* What was claimed stays claimed. */
    assert_int_equal(0, store_claim(other, "refresh", 60, &is_held, NULL));
    assert_false(is_held);
    assert_int_equal(0, store_claim(f->store, "refresh", 60, &is_held, NULL));
    assert_true(is_held);
}

/* ---- a server that is killed while threads write ---- */

enum { UNKNOWN, ACKNOWLEDGED, FAILED };
static atomic_uchar results[ROWS_MAX];
static atomic_uint next_row;
static atomic_int failures, is_over;

struct writer {
    struct store *store;
    int odd_code;
    int64_t longest_ms;
};

static void *
write_rows(void *self)
{
    struct writer *writer = self;
    while (atomic_load(&is_over) == 0) {
        unsigned number = atomic_fetch_add(&next_row, 1);
        if (number >= ROWS_MAX) {
            break;
        }
        int64_t began_ms = now_ms();
        int code = put_row(writer->store, number, NULL);
        int64_t took_ms = now_ms() - began_ms;
        writer->longest_ms = took_ms > writer->longest_ms ? took_ms : writer->longest_ms;
        if (code != 0 && code != FAULT_STORE) {
            writer->odd_code = code;
        }
        atomic_store(&results[number], code == 0 ? ACKNOWLEDGED : FAILED);
        if (code != 0) {
            atomic_fetch_add(&failures, 1);
            pause_ms(5);
        }
    }
    return NULL;
}

static void
wait_for_rows(unsigned more)
{
    unsigned until = atomic_load(&next_row) + more;
    int64_t until_ms = now_ms() + BACK_MS;
    while (atomic_load(&next_row) < until && now_ms() < until_ms) {
        pause_ms(5);
    }
}

/* Killed twice, at whatever moment that is. */
static void
kill_while_writing(void)
{
    for (int i = 0; i < 2; i++) {
        wait_for_rows(60);
        behind_order("kill");
        pause_ms(100);
        behind_order("start");
    }
    int64_t until_ms = now_ms() + BACK_MS;
    unsigned acknowledged = 0;
    for (unsigned seen = atomic_load(&next_row); acknowledged < 60 && now_ms() < until_ms;) {
        acknowledged += atomic_load(&results[seen]) == ACKNOWLEDGED;
        seen += atomic_load(&results[seen]) != UNKNOWN;
        pause_ms(1);
    }
    atomic_store(&is_over, 1);
}

static void
test_what_was_acknowledged_before_a_kill_is_there_after_it(void **state)
{
    struct fixture *f = *state;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    for (unsigned i = 0; i < ROWS_MAX; i++) {
        atomic_store(&results[i], UNKNOWN);
    }
    atomic_store(&next_row, 0);
    atomic_store(&failures, 0);
    atomic_store(&is_over, 0);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.store = i % 2 == 0 ? f->store : fixture_other(f)};
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(0, pthread_create(&threads[i], NULL, write_rows, &writers[i]));
    }
    kill_while_writing();
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(0, writers[i].odd_code);
        assert_true(writers[i].longest_ms < PAUSED_MS);
    }
    assert_true(atomic_load(&failures) > 0);
    static char text[128];
    unsigned acknowledged = 0;
    for (unsigned i = 0; i < ROWS_MAX && i < atomic_load(&next_row); i++) {
        acknowledged += atomic_load(&results[i]) == ACKNOWLEDGED;
        snprintf(text, sizeof text,
                 "SELECT count(*) FROM platforms_registered WHERE qe_id = 'Q%08u'", i);
        if (atomic_load(&results[i]) == ACKNOWLEDGED && fixture_number(f, text) != 1) {
            fail_msg("row %u was acknowledged and is lost", i);
        }
    }
    assert_true(acknowledged >= 180);
    assert_comes_back(f, f->store);
    assert_comes_back(f, fixture_other(f));
}

/* ---- news over a kill ---- */

struct ear {
    size_t heard, anything;
};

static void
note_change(void *self, const struct item_key *key)
{
    struct ear *ear = self;
    *(key != NULL ? &ear->heard : &ear->anything) += 1;
}

static void
test_news_over_a_kill_are_told_or_known_to_be_lost(void **state)
{
    struct fixture *f = *state;
    struct store *other = fixture_other(f);
    struct ear ear = {0};
    size_t written = 0;
    for (unsigned i = 0; i < 40; i++) {
        struct item_key key = fixture_identity_key(ENCLAVE_QE, UPDATE_NUMBERED);
        key.eval_number = i;
        const struct proven *item = fixture_item(f, &key, "{}", "signer", "root");
        const struct store_batch batch = {.items = &item, .item_count = 1};
        written += store_put(f->store, &batch, NULL) == 0;
        if (i == 20) {
            behind_order("kill");
        } else if (i == 25) {
            behind_order("start");
            assert_comes_back(f, f->store); /* one more, and counted below */
            written += 1;
        }
    }
    assert_true(written >= 35);
    int64_t until_ms = now_ms() + BACK_MS;
    while (ear.heard < written && ear.anything == 0 && now_ms() < until_ms) {
        (void)!store_wait_changes(other, 50, note_change, &ear, NULL);
    }
    assert_true(ear.heard >= written || ear.anything > 0);
}

/* ---- a server that hangs ---- */

struct asker {
    struct store *store;
    int code;
    int64_t took_ms;
};

static void *
ask_once(void *self)
{
    struct asker *asker = self;
    int64_t began_ms = now_ms();
    asker->code =
        asker->took_ms == 0 ? read_something(asker->store, NULL) : put_row(asker->store, 7, NULL);
    asker->took_ms = now_ms() - began_ms;
    return NULL;
}

static void
test_a_server_that_hangs_is_given_up_at_the_deadline(void **state)
{
    struct fixture *f = *state;
    enum { ASKERS = 8 }; /* more than there are connections */
    struct asker askers[ASKERS];
    pthread_t threads[ASKERS];
    assert_int_equal(0, put_row(f->store, 1, NULL));
    behind_order("pause");
    for (unsigned i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.store = f->store, .took_ms = i % 2};
        assert_int_equal(0, pthread_create(&threads[i], NULL, ask_once, &askers[i]));
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    behind_order("resume");
    for (unsigned i = 0; i < ASKERS; i++) {
        assert_int_equal(FAULT_STORE, askers[i].code);
        assert_true(askers[i].took_ms < PAUSED_MS);
    }
    assert_comes_back(f, f->store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_while_the_server_is_down_everything_is_refused_soon),
        FIXTURE_TEST(test_after_a_restart_the_next_request_is_answered),
        FIXTURE_TEST(test_what_was_acknowledged_before_a_kill_is_there_after_it),
        FIXTURE_TEST(test_news_over_a_kill_are_told_or_known_to_be_lost),
        FIXTURE_TEST(test_a_server_that_hangs_is_given_up_at_the_deadline),
    };
    return FIXTURE_RUN(tests);
}
