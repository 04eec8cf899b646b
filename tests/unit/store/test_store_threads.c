/* SPDX-License-Identifier: BSD-3-Clause */
/* Many threads, and two stores on one database where that can be: nothing is lost, nothing is done
 * twice, no conflict between two shows. */
#include "store_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 16, ROUNDS = 4 };

struct worker {
    struct fixture *f;
    struct store *store;
    unsigned number;
    struct proven *certs[8], *items[4]; /* made beforehand: the fixture is one thread's */
    int code;
    struct fault why;
};

struct crew {
    struct worker workers[THREADS];
};

static void
crew_init(struct crew *crew, struct fixture *f)
{
    *crew = (struct crew){0};
    for (unsigned i = 0; i < THREADS; i++) {
        crew->workers[i] =
            (struct worker){.f = f, .store = i % 2 == 0 ? f->store : fixture_other(f), .number = i};
    }
}

/* All threads at once; each must succeed. */
static void
crew_work(struct crew *crew, void *(*work)(void *self))
{
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(0, pthread_create(&threads[i], NULL, work, &crew->workers[i]));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        if (crew->workers[i].code != 0) {
            fail_msg("thread %u: fault %d: %s", i, crew->workers[i].code,
                     crew->workers[i].why.text);
        }
    }
}

static void
note(struct worker *worker, int code)
{
    worker->code = worker->code != 0 ? worker->code : code;
}

static struct platform_id
numbered_platform(unsigned number)
{
    char qeid[16];
    snprintf(qeid, sizeof qeid, "Q%06u", number);
    struct platform_id id = {.pceid = "0000"};
    snprintf(id.qeid, sizeof id.qeid, "%s", qeid);
    return id;
}

/* ---- platforms ---- */

static int
put_platforms(struct worker *worker, const struct store_platform_put *puts, size_t count)
{
    const struct store_batch batch = {.platforms = puts, .platform_count = count};
    return store_put(worker->store, &batch, &worker->why);
}

static void *
put_own_platforms(void *self)
{
    struct worker *worker = self;
    for (unsigned i = 0; i < ROUNDS && worker->code == 0; i++) {
        struct store_mapping mapping = fixture_mapping(worker->number, FIXTURE_TCBM);
        const struct store_platform_put put = {
            .id = numbered_platform(100 * worker->number + i),
            .certs = worker->certs[0],
            .mappings = &mapping,
            .mapping_count = 1,
        };
        note(worker, put_platforms(worker, &put, 1));
    }
    return NULL;
}

static void
test_platforms_of_many_threads_are_all_there(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    crew_init(&crew, f);
    for (unsigned i = 0; i < THREADS; i++) {
        crew.workers[i].certs[0] =
            fixture_pcks(f, "X", i % 3 == 0 ? PCK_CA_PROCESSOR : PCK_CA_PLATFORM, 3);
    }
    crew_work(&crew, put_own_platforms);
    struct store_counts counts;
    assert_int_equal(0, store_counts(f->store, &counts, NULL));
    assert_int_equal(THREADS * ROUNDS, counts.platforms);
    assert_int_equal(THREADS * ROUNDS * 3, counts.pck_certs);
    assert_int_equal(THREADS * ROUNDS, counts.raw_tcbs);
}

/* Each writes its number into the manifest and has so many certificates and mappings; whoever was
 * last, what is there is one writer's. */
static void *
put_the_same_platform(void *self)
{
    struct worker *worker = self;
    char manifest[9];
    snprintf(manifest, sizeof manifest, "%08X", worker->number);
    struct store_mapping mappings[THREADS];
    for (unsigned i = 0; i <= worker->number; i++) {
        mappings[i] = fixture_mapping(i, "");
    }
    const struct store_platform_put put = {
        .id = numbered_platform(1),
        .manifest = span_of_text(manifest),
        .certs = worker->certs[0],
        .mappings = mappings,
        .mapping_count = worker->number + 1,
    };
    for (unsigned i = 0; i < ROUNDS && worker->code == 0; i++) {
        note(worker, put_platforms(worker, &put, 1));
        struct store_platform platform;
        note(worker, store_load_platform(worker->store, &put.id, &platform, &worker->why));
        if (worker->code == 0) {
            size_t writer = strtoul(platform.manifest, NULL, 16);
            bool is_whole =
                platform.certs.pck_count == writer + 1 && platform.mapping_count == writer + 1;
            note(worker, is_whole ? 0
                                  : fault_set(&worker->why, FAULT_INTERNAL, "test",
                                              "writer %zu: %zu certificates, %zu mappings", writer,
                                              platform.certs.pck_count, platform.mapping_count));
            store_platform_done(&platform);
        }
    }
    return NULL;
}

static void
test_of_writers_of_one_platform_each_reader_sees_one_whole(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    crew_init(&crew, f);
    for (unsigned i = 0; i < THREADS; i++) {
        crew.workers[i].certs[0] = fixture_pcks(f, "X", PCK_CA_PLATFORM, i + 1);
    }
    crew_work(&crew, put_the_same_platform);
    assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM platforms"));
}

/* Batches over the same platforms, half of the threads the other way round. */
static void *
put_in_opposite_orders(void *self)
{
    struct worker *worker = self;
    struct store_platform_put puts[8];
    for (unsigned i = 0; i < 8; i++) {
        unsigned place = worker->number / 2 % 2 == 0 ? i : 7 - i;
        puts[place] =
            (struct store_platform_put){.id = numbered_platform(i), .certs = worker->certs[0]};
    }
    for (unsigned i = 0; i < ROUNDS && worker->code == 0; i++) {
        note(worker, put_platforms(worker, puts, 8));
    }
    return NULL;
}

static void
test_batches_in_opposite_orders_do_not_end_in_a_deadlock(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    crew_init(&crew, f);
    for (unsigned i = 0; i < THREADS; i++) {
        crew.workers[i].certs[0] =
            fixture_pcks(f, "X", i % 4 < 2 ? PCK_CA_PROCESSOR : PCK_CA_PLATFORM, 2);
    }
    crew_work(&crew, put_in_opposite_orders);
    struct store_counts counts;
    assert_int_equal(0, store_counts(f->store, &counts, NULL));
    assert_int_equal(8, counts.platforms);
    assert_int_equal(16, counts.pck_certs);
}

static void *
put_mappings(void *self)
{
    struct worker *worker = self;
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    for (unsigned i = 0; i < 3 && worker->code == 0; i++) {
        struct store_mapping mapping = fixture_mapping(10 * worker->number + i + 2, FIXTURE_TCBM);
        note(worker, store_put_mapping(worker->store, &id, &mapping, &worker->why));
    }
    return NULL;
}

static void
test_mappings_of_many_threads_are_all_there(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    crew_init(&crew, f);
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    crew_work(&crew, put_mappings);
    assert_int_equal(1 + 3 * THREADS, fixture_number(f, "SELECT count(*) FROM platform_tcbs"));
}

static void *
put_too_many_mappings(void *self)
{
    struct worker *worker = self;
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    for (unsigned i = 0; i < 8 && worker->code == 0; i++) {
        struct store_mapping mapping = fixture_mapping(10 * worker->number + i + 2, FIXTURE_TCBM);
        note(worker, store_put_mapping(worker->store, &id, &mapping, &worker->why));
    }
    return NULL;
}

static void
test_the_ceiling_on_mappings_holds_for_many_threads(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    crew_init(&crew, f);
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    crew_work(&crew, put_too_many_mappings); /* 128 */
    assert_int_equal(LIMIT_RAW_TCBS_PER_PLATFORM,
                     fixture_number(f, "SELECT count(*) FROM platform_tcbs"));
}

/* ---- items ---- */

static void *
put_items(void *self)
{
    struct worker *worker = self;
    for (unsigned i = 0; i < ROUNDS && worker->code == 0; i++) {
        const struct proven *item = worker->items[i];
        const struct store_batch batch = {.items = &item, .item_count = 1};
        note(worker, store_put(worker->store, &batch, &worker->why));
    }
    return NULL;
}

static void
test_items_of_many_threads_are_all_there_with_their_chains(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    crew_init(&crew, f);
    for (unsigned i = 0; i < THREADS; i++) {
        for (unsigned j = 0; j < ROUNDS; j++) {
            struct item_key key = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
            char fmspc[13], signer[16];
            snprintf(fmspc, sizeof fmspc, "%012X", 16 * i + j);
            snprintf(signer, sizeof signer, "signer%u", (i + j) % 5);
            assert_true(fmspc_parse(span_of_text(fmspc), &key.fmspc));
            crew.workers[i].items[j] = fixture_item(f, &key, "{}", signer, "root");
        }
    }
    crew_work(&crew, put_items);
    for (unsigned i = 0; i < THREADS; i++) {
        for (unsigned j = 0; j < ROUNDS; j++) {
            struct raw_reply raw;
            const struct proven *item = crew.workers[i].items[j];
            assert_int_equal(0, store_load_item(f->store, &item->key, &raw, NULL));
            assert_string_equal(item->chain_pem, raw.issuer_chain);
            raw_reply_done(&raw);
        }
    }
    assert_int_equal(5, fixture_number(f, "SELECT count(*) FROM pccs_chains"));
}

static void
test_of_writers_of_one_item_one_is_the_last(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    crew_init(&crew, f);
    struct item_key key = fixture_identity_key(ENCLAVE_QE, UPDATE_STANDARD);
    for (unsigned i = 0; i < THREADS; i++) {
        char name[16];
        snprintf(name, sizeof name, "signer%u", i);
        for (unsigned j = 0; j < ROUNDS; j++) {
            crew.workers[i].items[j] = fixture_item(f, &key, name, name, "root");
        }
    }
    crew_work(&crew, put_items);
    struct raw_reply raw;
    assert_int_equal(0, store_load_item(f->store, &key, &raw, NULL));
    assert_int_equal(0, strncmp("signer", buf_text(&raw.body), 6));
    assert_non_null(strstr(raw.issuer_chain, buf_text(&raw.body))); /* the chain of this body */
    raw_reply_done(&raw);
}

/* ---- policies ---- */

static void *
put_default_policy(void *self)
{
    struct worker *worker = self;
    struct policy_row row = {.is_default = true, .policy = span_of_text("policy")};
    snprintf(row.id, sizeof row.id, "id%u", worker->number);
    snprintf(row.fmspc.hex, sizeof row.fmspc.hex, "00906EA10000");
    for (unsigned i = 0; i < ROUNDS && worker->code == 0; i++) {
        note(worker, store_put_policy(worker->store, &row, &worker->why));
    }
    return NULL;
}

static void
test_of_many_new_defaults_one_is_left(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    for (unsigned i = 0; i < 5; i++) {
        crew_init(&crew, f);
        crew_work(&crew, put_default_policy);
        assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM appraisal_policies"
                                              " WHERE is_default <> 0"));
        fixture_sql(f, "DELETE FROM appraisal_policies");
    }
}

/* ---- the queue ---- */

enum { QUEUED = 3000, QUEUED_LATER = 300 };
static atomic_int handed_out[QUEUED + QUEUED_LATER];
static atomic_int still_putting;

static void
queue_up(struct store *store, unsigned from, unsigned count, struct worker *worker)
{
    struct queue_row *rows = calloc(count, sizeof rows[0]);
    for (unsigned i = 0; i < count; i++) {
        rows[i] = (struct queue_row){.id = numbered_platform(from + i), .manifest = "0a0b"};
    }
    note(worker, store_queue_put(store, rows, count, &worker->why));
    free(rows);
}

static size_t
drain_once(struct worker *worker)
{
    struct queue_row *rows = NULL;
    size_t count = 0;
    note(worker,
         store_queue_list(worker->store, QUEUE_SOURCE_REG, true, &rows, &count, &worker->why));
    for (size_t i = 0; i < count; i++) {
        atomic_fetch_add(&handed_out[strtoul(rows[i].id.qeid + 1, NULL, 10)], 1);
        queue_row_done(&rows[i]);
    }
    free(rows);
    return count;
}

/* Threads 0 to 3 drain, from both stores; 4 and 5 put more. */
static void *
drain_or_put(void *self)
{
    struct worker *worker = self;
    if (worker->number == 4 || worker->number == 5) {
        for (unsigned i = 0; i < QUEUED_LATER / 2 && worker->code == 0; i++) {
            queue_up(worker->store, QUEUED + 2 * i + worker->number - 4, 1, worker);
        }
        atomic_fetch_sub(&still_putting, 1);
    }
    while (worker->number < 4 && worker->code == 0) {
        bool was_last = atomic_load(&still_putting) == 0;
        if (drain_once(worker) == 0 && was_last) {
            break;
        }
    }
    return NULL;
}

static void
test_each_queued_row_is_handed_out_to_one_drain_only(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    crew_init(&crew, f);
    memset(handed_out, 0, sizeof handed_out);
    atomic_store(&still_putting, 2);
    queue_up(f->store, 0, QUEUED, &crew.workers[0]);
    crew_work(&crew, drain_or_put);
    for (unsigned i = 0; i < QUEUED + QUEUED_LATER; i++) {
        if (atomic_load(&handed_out[i]) != 1) {
            fail_msg("row %u was handed out %d times", i, atomic_load(&handed_out[i]));
        }
    }
    assert_int_equal(
        0, fixture_number(f, "SELECT count(*) FROM platforms_registered WHERE state <> 9"));
}

/* All threads put the same rows, each batch in its own order, and mark them. */
static void *
put_and_mark_the_same_rows(void *self)
{
    struct worker *worker = self;
    struct queue_row rows[20];
    for (unsigned i = 0; i < 20; i++) {
        unsigned place = worker->number % 2 == 0 ? i : 19 - i;
        rows[place] = (struct queue_row){.id = numbered_platform(i), .manifest = "0a"};
    }
    for (unsigned i = 0; i < ROUNDS && worker->code == 0; i++) {
        size_t marked = 0;
        note(worker, store_queue_put(worker->store, rows, 20, &worker->why));
        note(worker, store_queue_mark_done(worker->store, rows, 20, &marked, &worker->why));
        note(worker, marked == 20 ? 0 : FAULT_INTERNAL);
    }
    return NULL;
}

static void
test_the_same_rows_queued_by_many_threads_are_there_once(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    crew_init(&crew, f);
    crew_work(&crew, put_and_mark_the_same_rows);
    assert_int_equal(20, fixture_number(f, "SELECT count(*) FROM platforms_registered"));
    assert_int_equal(
        20, fixture_number(f, "SELECT count(*) FROM platforms_registered WHERE state = 9"));
}

/* ---- all of it ---- */

static void *
do_everything(void *self)
{
    struct worker *worker = self;
    struct store_counts counts;
    uint64_t queued[3];
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct raw_tcb raw = fixture_raw(1);
    struct raw_reply reply;
    struct store_chains chains;
    for (unsigned i = 0; i < ROUNDS && worker->code == 0; i++) {
        queue_up(worker->store, 10 * worker->number + i, 1, worker);
        note(worker, store_load_pck(worker->store, &id, &raw, &reply, &worker->why));
        if (worker->code == 0) {
            raw_reply_done(&reply);
        }
        note(worker, store_load_chains(worker->store, &chains, &worker->why));
        if (worker->code == 0) {
            store_chains_done(&chains);
        }
        note(worker, store_counts(worker->store, &counts, &worker->why));
        note(worker, store_queue_counts(worker->store, queued, &worker->why));
        note(worker, store_ping(worker->store, &worker->why));
    }
    put_items(worker);
    put_own_platforms(worker);
    put_default_policy(worker);
    if (worker->number % 4 == 0) {
        (void)drain_once(worker);
    }
    return NULL;
}

static void
test_everything_at_once_is_no_trouble(void **state)
{
    struct fixture *f = *state;
    struct crew crew;
    crew_init(&crew, f);
    memset(handed_out, 0, sizeof handed_out);
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    for (unsigned i = 0; i < THREADS; i++) {
        crew.workers[i].certs[0] = fixture_pcks(f, "X", PCK_CA_PROCESSOR, 1);
        for (unsigned j = 0; j < ROUNDS; j++) {
            struct item_key key =
                fixture_identity_key(j % 2 == 0 ? ENCLAVE_QE : ENCLAVE_TDQE, UPDATE_STANDARD);
            crew.workers[i].items[j] = fixture_item(f, &key, "{}", i % 2 ? "a" : "b", "root");
        }
    }
    crew_work(&crew, do_everything);
    struct store_counts counts;
    assert_int_equal(0, store_counts(f->store, &counts, NULL));
    assert_int_equal(1 + THREADS * ROUNDS, counts.platforms);
    assert_int_equal(2, counts.identities);
    assert_int_equal(THREADS * ROUNDS,
                     fixture_number(f, "SELECT count(*) FROM platforms_registered"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_platforms_of_many_threads_are_all_there),
        FIXTURE_TEST(test_of_writers_of_one_platform_each_reader_sees_one_whole),
        FIXTURE_TEST(test_batches_in_opposite_orders_do_not_end_in_a_deadlock),
        FIXTURE_TEST(test_mappings_of_many_threads_are_all_there),
        FIXTURE_TEST(test_the_ceiling_on_mappings_holds_for_many_threads),
        FIXTURE_TEST(test_items_of_many_threads_are_all_there_with_their_chains),
        FIXTURE_TEST(test_of_writers_of_one_item_one_is_the_last),
        FIXTURE_TEST(test_of_many_new_defaults_one_is_left),
        FIXTURE_TEST(test_each_queued_row_is_handed_out_to_one_drain_only),
        FIXTURE_TEST(test_the_same_rows_queued_by_many_threads_are_there_once),
        FIXTURE_TEST(test_everything_at_once_is_no_trouble),
    };
    return FIXTURE_RUN(tests);
}
