/* SPDX-License-Identifier: BSD-3-Clause */
/* Several instances on one database server: who holds what, and who hears of which write
 * (docs/decisions/0007). */
#include "store_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SOON_MS = 1000, LONG_MS = 10000 };

/* What a store was told. */
struct heard {
    struct store *store;
    struct item_key *keys;
    size_t count, anything;
};

static void
hear_one(void *self, const struct item_key *key)
{
    struct heard *heard = self;
    if (key == NULL) {
        heard->anything += 1;
        return;
    }
    heard->keys = reallocarray(heard->keys, heard->count + 1, sizeof heard->keys[0]);
    assert_non_null(heard->keys);
    heard->keys[heard->count++] = *key;
}

static void
listen_once(struct heard *heard, int timeout_ms)
{
    struct fault why = {0};
    if (store_wait_changes(heard->store, timeout_ms, hear_one, heard, &why) != 0) {
        fail_msg("%s", why.text);
    }
}

/* Until so much was heard. */
static void
listen_for(struct heard *heard, size_t count, size_t anything)
{
    int64_t until_ms = clock_monotonic_ms(clock_system()) + LONG_MS;
    while (heard->count < count || heard->anything < anything) {
        assert_true(clock_monotonic_ms(clock_system()) < until_ms);
        listen_once(heard, 100);
    }
}

static bool
has_heard(const struct heard *heard, const struct item_key *key)
{
    for (size_t i = 0; i < heard->count; i++) {
        if (item_key_equal(&heard->keys[i], key)) {
            return true;
        }
    }
    return false;
}

static void
forget(struct heard *heard)
{
    free(heard->keys);
    *heard = (struct heard){.store = heard->store};
}

static struct item_key
platform_key(const char *qeid)
{
    return (struct item_key){.kind = ITEM_PCK, .platform = fixture_platform(qeid)};
}

static struct item_key
numbered_key(unsigned number)
{
    struct item_key key = fixture_identity_key(ENCLAVE_QE, UPDATE_NUMBERED);
    key.eval_number = number;
    return key;
}

static void
put(struct fixture *f, struct store *store, const struct item_key *key, const char *body)
{
    const struct proven *item = fixture_item(f, key, body, "signer", "root");
    const struct store_batch batch = {.items = &item, .item_count = 1};
    struct fault why = {0};
    if (store_put(store, &batch, &why) != 0) {
        fail_msg("%s", why.text);
    }
}

static void
put_platform(struct fixture *f, struct store *store, const char *qeid)
{
    const struct store_platform_put put = {
        .id = fixture_platform(qeid),
        .certs = fixture_pcks(f, qeid, PCK_CA_PLATFORM, 1),
    };
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    assert_int_equal(0, store_put(store, &batch, NULL));
}

/* ---- claims ---- */

static bool
claim(struct store *store, const char *name, int ttl_s)
{
    bool is_held = false;
    struct fault why = {0};
    if (store_claim(store, name, ttl_s, &is_held, &why) != 0) {
        fail_msg("%s", why.text);
    }
    return is_held;
}

static void
test_a_claim_is_one_instance_s_until_it_gives_it_back(void **state)
{
    struct fixture *f = *state;
    struct store *other = fixture_other(f);
    assert_true(store_is_shared(f->store));
    assert_true(claim(f->store, "refresh", 60));
    assert_false(claim(other, "refresh", 60));
    assert_true(claim(f->store, "refresh", 60));                /* renewed */
    assert_true(claim(other, "prefetch", 60));                  /* another one */
    assert_int_equal(0, store_release(other, "refresh", NULL)); /* not his */
    assert_false(claim(other, "refresh", 60));
    assert_int_equal(0, store_release(f->store, "refresh", NULL));
    assert_int_equal(0, store_release(f->store, "refresh", NULL));
    assert_true(claim(other, "refresh", 60));
    assert_false(claim(f->store, "refresh", 60));
}

static void
test_claims_of_odd_names_are_each_their_own(void **state)
{
    struct fixture *f = *state;
    struct store *other = fixture_other(f);
    static char longest[3][301];
    for (size_t i = 0; i < 3; i++) {
        memset(longest[i], 'n', i == 0 ? 200 : 300);
    }
    longest[2][299] = 'm';
    const char *const names[] = {"a",   "A",  "a ",       " a",       "",        "ä",
                                 "Ä",   "a%", "a_",       "a'",       "a\"",     "\\",
                                 "a\n", "?1", longest[0], longest[1], longest[2]};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_true(claim(i % 2 == 0 ? f->store : other, names[i], 60));
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_false(claim(i % 2 == 0 ? other : f->store, names[i], 60));
    }
}

/* Whole seconds of the database's clock: after one second, and within three. */
static void
test_a_claim_is_lost_when_its_time_is_up_unless_renewed(void **state)
{
    struct fixture *f = *state;
    struct store *other = fixture_other(f);
    assert_true(claim(f->store, "dies", 1));
    assert_true(claim(f->store, "lives", 1));
    int64_t began_ms = clock_monotonic_ms(clock_system()), took_ms = 0;
    while (!claim(other, "dies", 60)) {
        assert_true(claim(f->store, "lives", 1));
        assert_false(claim(other, "lives", 60));
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 20000000}, NULL);
        took_ms = clock_monotonic_ms(clock_system()) - began_ms;
        assert_true(took_ms < LONG_MS);
    }
    took_ms = clock_monotonic_ms(clock_system()) - began_ms;
    assert_true(took_ms >= 1000);
    assert_true(took_ms < 3500);
    assert_false(claim(f->store, "dies", 60));
    assert_true(claim(f->store, "lives", 60));
}

enum { RIVALS = 10, TURNS = 12 };
static atomic_int holders, taken;

static void *
fight(void *self)
{
    struct store *store = self;
    struct fault why = {0};
    for (int turns = 0; turns < TURNS;) {
        bool is_held = false;
        if (store_claim(store, "bone", 30, &is_held, &why) != 0) {
            return "a claim failed";
        }
        if (is_held) {
            if (atomic_fetch_add(&holders, 1) != 0) {
                return "two hold it at once";
            }
            int failed = store_claim(store, "bone", 30, &is_held, &why);
            atomic_fetch_sub(&holders, 1);
            if (failed != 0 || !is_held || store_release(store, "bone", &why) != 0) {
                return "it was lost";
            }
            atomic_fetch_add(&taken, 1);
            turns += 1;
        }
    }
    return NULL;
}

static void
test_of_ten_instances_that_fight_for_a_claim_one_holds_it(void **state)
{
    struct fixture *f = *state;
    struct store *stores[RIVALS];
    pthread_t threads[RIVALS];
    atomic_store(&holders, 0);
    atomic_store(&taken, 0);
    for (size_t i = 0; i < RIVALS; i++) {
        assert_int_equal(0, fixture_open_store(f, &stores[i], NULL));
    }
    for (size_t i = 0; i < RIVALS; i++) {
        assert_int_equal(0, pthread_create(&threads[i], NULL, fight, stores[i]));
    }
    const char *trouble = NULL;
    for (size_t i = 0; i < RIVALS; i++) {
        void *said = NULL;
        pthread_join(threads[i], &said);
        trouble = said != NULL ? said : trouble;
    }
    for (size_t i = 0; i < RIVALS; i++) {
        store_close(stores[i]);
    }
    if (trouble != NULL) {
        fail_msg("%s", trouble);
    }
    assert_int_equal(RIVALS * TURNS, atomic_load(&taken));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM pccs_claims WHERE name = 'bone'"));
}

/* ---- news ---- */

static void
test_every_kind_of_key_comes_over_exactly(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)};
    struct item_key keys[] = {
        fixture_tcb_key(PRODUCT_SGX, 3, UPDATE_STANDARD, "00906EA10000"),
        fixture_tcb_key(PRODUCT_TDX, 4, UPDATE_EARLY, "30606A000000"),
        fixture_tcb_key(PRODUCT_TDX, 4, UPDATE_NUMBERED, "30606A000000"),
        fixture_identity_key(ENCLAVE_QE, UPDATE_STANDARD),
        fixture_identity_key(ENCLAVE_QAE, UPDATE_EARLY),
        {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PROCESSOR},
        {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM},
        {.kind = ITEM_ROOT_CRL, .api_version = 4},
        {.kind = ITEM_EVALNUMBERS, .api_version = 4, .product = PRODUCT_TDX},
        {.kind = ITEM_FMSPCS, .api_version = 4, .url = "all"},
        {.kind = ITEM_CRL, .api_version = 4, .url = "https://x/a b%20c?d=e&f\"'\\#~-"},
        {.kind = ITEM_CRL, .api_version = 4},
    };
    enum { COUNT = sizeof keys / sizeof keys[0] };
    keys[2].eval_number = UINT32_MAX;
    memset(keys[COUNT - 1].url, '%', LIMIT_URL_CHARS);
    for (size_t i = 0; i < COUNT; i++) {
        put(f, f->store, &keys[i], "x");
    }
    listen_for(&heard, COUNT, 0);
    assert_int_equal(COUNT, heard.count);
    assert_int_equal(0, heard.anything);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(item_key_equal(&keys[i], &heard.keys[i])); /* in the order of writing */
    }
    forget(&heard);
}

static void
test_platforms_and_policies_of_odd_names_come_over_exactly(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)};
    static char longest[LIMIT_QEID_CHARS * 4 + 1];
    for (size_t i = 0; i < LIMIT_QEID_CHARS; i++) {
        memcpy(longest + 4 * i, "😀", 4);
    }
    const char *const qeids[] = {FIXTURE_Q1, " A ", "A\nB",  "%20",  "é",
                                 "'",        "--",  "A B C", longest};
    enum { COUNT = sizeof qeids / sizeof qeids[0] };
    for (size_t i = 0; i < COUNT; i++) {
        put_platform(f, f->store, qeids[i]);
    }
    struct platform_id id = fixture_platform("A B C");
    struct store_mapping mapping = fixture_mapping(1, FIXTURE_TCBM);
    assert_int_equal(0, store_put_mapping(f->store, &id, &mapping, NULL));
    struct policy_row policy = {.id = "1", .policy = span_of_text("p"), .fmspc = {"00906EA10000"}};
    assert_int_equal(0, store_put_policy(f->store, &policy, NULL));
    listen_for(&heard, COUNT + 2, 0);
    assert_int_equal(0, heard.anything);
    for (size_t i = 0; i < COUNT; i++) {
        struct item_key key = platform_key(qeids[i]);
        assert_true(item_key_equal(&key, &heard.keys[i]));
    }
    struct item_key mapped = platform_key("A B C");
    assert_true(item_key_equal(&mapped, &heard.keys[COUNT]));
    assert_int_equal(ITEM_POLICIES, heard.keys[COUNT + 1].kind);
    assert_string_equal("00906EA10000", heard.keys[COUNT + 1].fmspc.hex);
    forget(&heard);
}

static void
test_the_root_crl_s_url_is_told_too(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)};
    struct item_key root = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    struct item_key url = {.kind = ITEM_CRL, .api_version = 4, .url = "https://x/root.der"};
    const struct proven *item = fixture_item(f, &root, "DER", NULL, NULL);
    const struct store_batch batch = {.items = &item, .item_count = 1, .root_crl_url = url.url};
    assert_int_equal(0, store_put(f->store, &batch, NULL));
    listen_for(&heard, 2, 0);
    assert_true(has_heard(&heard, &root));
    assert_true(has_heard(&heard, &url));
    forget(&heard);
}

static void
test_a_write_is_told_within_a_second(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)}, back = {.store = f->store};
    for (unsigned i = 0; i < 5; i++) {
        struct heard *ear = i % 2 == 0 ? &heard : &back;
        struct item_key key = numbered_key(i);
        put(f, i % 2 == 0 ? f->store : heard.store, &key, "{}");
        int64_t began_ms = clock_monotonic_ms(clock_system());
        listen_for(ear, 1, 0);
        assert_true(clock_monotonic_ms(clock_system()) - began_ms < SOON_MS);
        assert_true(item_key_equal(&key, &ear->keys[0]));
        forget(ear);
    }
}

/* It must be found first. */
static void
test_the_first_write_of_a_new_instance_is_told_within_a_second(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = f->store};
    for (unsigned i = 0; i < 3; i++) {
        struct store *newcomer = NULL;
        struct item_key key = numbered_key(i);
        assert_int_equal(0, fixture_open_store(f, &newcomer, NULL));
        put(f, newcomer, &key, "{}");
        int64_t began_ms = clock_monotonic_ms(clock_system());
        store_close(newcomer);
        listen_for(&heard, 1, 0);
        assert_true(clock_monotonic_ms(clock_system()) - began_ms < SOON_MS);
        assert_true(item_key_equal(&key, &heard.keys[0]));
        assert_int_equal(0, heard.anything);
        forget(&heard);
    }
}

static void
test_one_s_own_writes_are_not_told_back(void **state)
{
    struct fixture *f = *state;
    struct heard own = {.store = f->store}, heard = {.store = fixture_other(f)};
    struct item_key mine = numbered_key(1), his = numbered_key(2);
    put(f, f->store, &mine, "{}");
    put(f, heard.store, &his, "{}");
    listen_for(&own, 1, 0);
    listen_for(&heard, 1, 0);
    listen_once(&own, 300);
    assert_int_equal(1, own.count);
    assert_int_equal(0, own.anything);
    assert_true(item_key_equal(&his, &own.keys[0]));
    forget(&own);
    forget(&heard);
}

static void
test_who_comes_later_is_not_told_of_old_writes(void **state)
{
    struct fixture *f = *state;
    struct item_key old = numbered_key(1), new = numbered_key(2);
    put(f, f->store, &old, "{}");
    struct heard heard = {.store = fixture_other(f)};
    put(f, f->store, &new, "{}");
    listen_for(&heard, 1, 0);
    assert_int_equal(1, heard.count);
    assert_true(item_key_equal(&new, &heard.keys[0]));
    assert_int_equal(0, heard.anything);
    forget(&heard);
}

static void
test_what_failed_is_not_told(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)};
    struct item_key key = numbered_key(1);
    fixture_fail(f, "INSERT", "pck_cert", FIXTURE_Q2);
    const struct store_platform_put puts[] = {
        {.id = fixture_platform(FIXTURE_Q1), .certs = fixture_pcks(f, "X", PCK_CA_PLATFORM, 1)},
        {.id = fixture_platform(FIXTURE_Q2), .certs = fixture_pcks(f, "X", PCK_CA_PLATFORM, 1)},
    };
    const struct store_batch batch = {.platforms = puts, .platform_count = 2};
    assert_int_equal(FAULT_STORE, store_put(f->store, &batch, NULL));
    put(f, f->store, &key, "{}");
    listen_for(&heard, 1, 0);
    assert_int_equal(1, heard.count);
    assert_int_equal(0, heard.anything);
    assert_true(item_key_equal(&key, &heard.keys[0]));
    forget(&heard);
}

static void
test_reading_and_queueing_are_not_told(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)};
    struct queue_row row = {.id = fixture_platform(FIXTURE_Q1)};
    struct item_key key = numbered_key(1);
    assert_int_equal(0, store_queue_put(f->store, &row, 1, NULL));
    assert_int_equal(0, store_ping(f->store, NULL));
    assert_true(claim(f->store, "refresh", 60));
    put(f, f->store, &key, "{}");
    listen_for(&heard, 1, 0);
    assert_int_equal(1, heard.count);
    assert_int_equal(0, heard.anything);
    assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM pccs_changes"));
    forget(&heard);
}

/* ---- anything ---- */

static void
test_too_many_changes_are_told_as_anything(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)};
    enum { COUNT = 16 };
    struct store_platform_put puts[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        char qeid[LIMIT_QEID_CHARS * 4 + 1] = "";
        for (size_t c = 0; c < LIMIT_QEID_CHARS; c++) {
            memcpy(qeid + 4 * c, "😀", 4);
        }
        qeid[4 * (LIMIT_QEID_CHARS - 1)] = (char)('A' + i);
        qeid[4 * (LIMIT_QEID_CHARS - 1) + 1] = '\0';
        puts[i] = (struct store_platform_put){.id = fixture_platform(qeid),
                                              .certs = fixture_pcks(f, "X", PCK_CA_PLATFORM, 1)};
    }
    const struct store_batch batch = {.platforms = puts, .platform_count = COUNT};
    assert_int_equal(0, store_put(f->store, &batch, NULL));
    listen_for(&heard, 0, 1);
    assert_int_equal(0, heard.count);
    assert_int_equal(1, heard.anything);
    forget(&heard);
}

static void
test_a_gap_is_told_as_anything_and_what_follows_is_heard(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)};
    struct item_key keys[] = {numbered_key(1), numbered_key(2), numbered_key(3), numbered_key(4)};
    for (size_t i = 0; i < 3; i++) {
        put(f, f->store, &keys[i], "{}");
    }
    fixture_sql(f, "DELETE FROM pccs_changes WHERE seq = 2");
    listen_for(&heard, 0, 1);
    put(f, f->store, &keys[3], "{}");
    forget(&heard);
    listen_for(&heard, 1, 0);
    assert_int_equal(0, heard.anything);
    assert_true(item_key_equal(&keys[3], &heard.keys[0]));
    forget(&heard);
}

static void
test_lines_that_are_no_keys_are_told_as_anything(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)};
    static const char *const lines[] = {"",
                                        "nonsense",
                                        "0 4 0 0 0 0 0 - - -",
                                        "99 4 0 0 0 0 0 - - - -",
                                        "5 4 0 0 0 0 0 - %zz - -",
                                        "-1 4 0 0 0 0 0 - - - -"};
    for (size_t i = 1; i < sizeof lines / sizeof lines[0]; i++) {
        struct item_key key = numbered_key((unsigned)i);
        char text[256];
        put(f, f->store, &key, "{}");
        snprintf(text, sizeof text, "UPDATE pccs_changes SET changed = '%s' WHERE seq = %zu",
                 lines[i], i);
        fixture_sql(f, text);
        listen_for(&heard, 0, i);
    }
    assert_int_equal(0, heard.count);
    forget(&heard);
}

/* ---- many ---- */

enum { WRITERS = 8, EACH = 25 };

struct writer {
    struct store *store;
    const struct proven *items[EACH];
    int code;
};

static void *
write_all(void *self)
{
    struct writer *writer = self;
    for (size_t i = 0; i < EACH && writer->code == 0; i++) {
        const struct store_batch batch = {.items = &writer->items[i], .item_count = 1};
        writer->code = store_put(writer->store, &batch, NULL);
    }
    return NULL;
}

static void
test_of_many_writers_no_write_is_missed(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)}, back = {.store = f->store};
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.store = i % 2 == 0 ? f->store : heard.store};
        for (unsigned j = 0; j < EACH; j++) {
            struct item_key key = numbered_key(100 * i + j);
            writers[i].items[j] = fixture_item(f, &key, "{}", "signer", "root");
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(0, pthread_create(&threads[i], NULL, write_all, &writers[i]));
    }
    int64_t until_ms = clock_monotonic_ms(clock_system()) + LONG_MS;
    while ((heard.count < WRITERS / 2 * EACH || back.count < WRITERS / 2 * EACH) &&
           clock_monotonic_ms(clock_system()) < until_ms) {
        listen_once(&heard, 20);
        listen_once(&back, 20);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(0, heard.anything + back.anything);
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(0, writers[i].code);
        for (unsigned j = 0; j < EACH; j++) {
            assert_true(has_heard(i % 2 == 0 ? &heard : &back, &writers[i].items[j]->key));
        }
    }
    forget(&heard);
    forget(&back);
}

/* Who is told reads the write, not what was there before. */
static void
check_visible(void *self, const struct item_key *key)
{
    struct heard *heard = self;
    struct raw_reply raw;
    heard->count += 1;
    if (key == NULL || store_load_item(heard->store, key, &raw, NULL) != 0) {
        heard->anything += 1;
        return;
    }
    heard->anything += strtoul(buf_text(&raw.body), NULL, 10) < heard->count;
    raw_reply_done(&raw);
}

static void
test_what_is_told_can_be_read(void **state)
{
    struct fixture *f = *state;
    struct heard heard = {.store = fixture_other(f)};
    struct item_key key = numbered_key(7);
    struct writer writer = {.store = f->store};
    for (unsigned i = 0; i < EACH; i++) {
        char body[12];
        snprintf(body, sizeof body, "%u", i + 1);
        writer.items[i] = fixture_item(f, &key, body, "signer", "root");
    }
    pthread_t thread;
    assert_int_equal(0, pthread_create(&thread, NULL, write_all, &writer));
    int64_t until_ms = clock_monotonic_ms(clock_system()) + LONG_MS;
    int code = 0;
    while (code == 0 && heard.count < EACH && clock_monotonic_ms(clock_system()) < until_ms) {
        code = store_wait_changes(heard.store, 50, check_visible, &heard, NULL);
    }
    pthread_join(thread, NULL);
    assert_int_equal(0, code);
    assert_int_equal(0, writer.code);
    assert_int_equal(EACH, heard.count);
    assert_int_equal(0, heard.anything);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_a_claim_is_one_instance_s_until_it_gives_it_back),
        FIXTURE_TEST(test_claims_of_odd_names_are_each_their_own),
        FIXTURE_TEST(test_a_claim_is_lost_when_its_time_is_up_unless_renewed),
        FIXTURE_TEST(test_of_ten_instances_that_fight_for_a_claim_one_holds_it),
        FIXTURE_TEST(test_every_kind_of_key_comes_over_exactly),
        FIXTURE_TEST(test_platforms_and_policies_of_odd_names_come_over_exactly),
        FIXTURE_TEST(test_the_root_crl_s_url_is_told_too),
        FIXTURE_TEST(test_a_write_is_told_within_a_second),
        FIXTURE_TEST(test_the_first_write_of_a_new_instance_is_told_within_a_second),
        FIXTURE_TEST(test_one_s_own_writes_are_not_told_back),
        FIXTURE_TEST(test_who_comes_later_is_not_told_of_old_writes),
        FIXTURE_TEST(test_what_failed_is_not_told),
        FIXTURE_TEST(test_reading_and_queueing_are_not_told),
        FIXTURE_TEST(test_too_many_changes_are_told_as_anything),
        FIXTURE_TEST(test_a_gap_is_told_as_anything_and_what_follows_is_heard),
        FIXTURE_TEST(test_lines_that_are_no_keys_are_told_as_anything),
        FIXTURE_TEST(test_of_many_writers_no_write_is_missed),
        FIXTURE_TEST(test_what_is_told_can_be_read),
    };
    return FIXTURE_RUN(tests);
}
