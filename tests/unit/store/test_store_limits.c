/* SPDX-License-Identifier: BSD-3-Clause */
/* The largest and the oddest of what the contract allows comes back as it went, byte for byte. */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

enum { BLOB_BYTES = 120 * 1024, PAGE = 500 };

/* Every byte there is, over and over. */
static void
fill_bytes(struct proven *item, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(0, buf_add_byte(&item->body, (uint8_t)(i * 7 + i / 256)));
    }
}

static char *
hex_of(size_t digits, char start)
{
    char *hex = malloc(digits + 1);
    for (size_t i = 0; i < digits; i++) {
        hex[i] = "0123456789ABCDEF"[(i + (size_t)start + i / 16) % 16];
    }
    hex[digits] = '\0';
    return hex;
}

static void
assert_comes_back(struct fixture *f, const struct proven *item)
{
    assert_int_equal(0, fixture_put_item(f, item));
    struct raw_reply raw;
    struct fault why = {0};
    if (store_load_item(f->store, &item->key, &raw, &why) != 0) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(item->body.size, raw.body.size);
    assert_memory_equal(buf_text(&item->body), buf_text(&raw.body), raw.body.size);
    raw_reply_done(&raw);
}

static struct item_key
url_key(size_t size, char last)
{
    struct item_key key = {.kind = ITEM_CRL, .api_version = 4};
    memset(key.url, 'a', size);
    memcpy(key.url, "https://x/", 10);
    key.url[size - 1] = last;
    return key;
}

static void
test_large_bodies_of_every_kind_come_back(void **state)
{
    struct fixture *f = *state;
    const struct {
        struct item_key key;
        bool has_chain;
    } kinds[] = {
        {fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000"), true},
        {fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_NUMBERED, "00906EA10000"), true},
        {fixture_identity_key(ENCLAVE_QE, UPDATE_STANDARD), true},
        {fixture_identity_key(ENCLAVE_QAE, UPDATE_EARLY), true},
        {{.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM}, true},
        {{.kind = ITEM_ROOT_CRL, .api_version = 4}, false},
        {url_key(30, 'a'), false},
        {{.kind = ITEM_FMSPCS, .api_version = 4, .url = "all"}, false},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct proven *item = fixture_item(f, &kinds[i].key, "", kinds[i].has_chain ? "s" : NULL,
                                           kinds[i].has_chain ? "r" : NULL);
        fill_bytes(item, BLOB_BYTES);
        assert_comes_back(f, item);
    }
}

static void
test_a_body_of_megabytes_comes_back(void **state)
{
    struct fixture *f = *state;
    struct item_key key = url_key(30, 'b');
    struct proven *item = fixture_item(f, &key, "", NULL, NULL);
    fill_bytes(item, 6 * 1024 * 1024);
    assert_comes_back(f, item);
}

static void
test_the_largest_manifest_comes_back_from_platforms_and_from_the_queue(void **state)
{
    struct fixture *f = *state;
    char *manifest = hex_of(LIMIT_MANIFEST_HEX, 3), *ppid = hex_of(LIMIT_PPID_HEX, 5);
    const struct store_platform_put put = {
        .id = fixture_platform(FIXTURE_Q1),
        .manifest = span_of_text(manifest),
        .enc_ppid = span_of_text(ppid),
        .certs = fixture_pcks(f, FIXTURE_Q1, PCK_CA_PLATFORM, 1),
    };
    const struct store_batch batch = {.platforms = &put, .platform_count = 1};
    assert_int_equal(0, store_put(f->store, &batch, NULL));
    struct store_platform platform;
    assert_int_equal(0, store_load_platform(f->store, &put.id, &platform, NULL));
    assert_string_equal(manifest, platform.manifest);
    assert_string_equal(ppid, platform.enc_ppid);
    store_platform_done(&platform);

    struct queue_row row = {.id = put.id, .manifest = manifest, .enc_ppid = ppid};
    assert_int_equal(0, store_queue_put(f->store, &row, 1, NULL));
    struct queue_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(0, store_queue_list(f->store, QUEUE_SOURCE_REG, true, &rows, &count, NULL));
    assert_int_equal(1, count);
    for (char *digit = rows[0].manifest; *digit != '\0'; digit++) {
        *digit = (char)(*digit >= 'a' ? *digit - 'a' + 'A' : *digit);
    }
    assert_string_equal(manifest, rows[0].manifest);
    queue_row_done(&rows[0]);
    free(rows);
    free(manifest);
    free(ppid);
}

/* ---- policies ---- */

struct policies {
    size_t count, stop_at;
    char last[97];
    size_t bytes;
};

static bool
meet_policy(void *self, const struct policy_row *row)
{
    struct policies *met = self;
    assert_true(met->count == 0 || strcmp(met->last, row->id) < 0);
    assert_string_equal("00906EA10000", row->fmspc.hex);
    assert_int_equal(met->count % 2, row->type);
    assert_int_equal(met->count < 2, row->is_default);
    snprintf(met->last, sizeof met->last, "%s", row->id);
    met->bytes += row->policy.size;
    met->count += 1;
    return met->count != met->stop_at;
}

static void
put_policy(struct fixture *f, unsigned number, bool is_default, struct span policy)
{
    struct policy_row row = {.type = (int)number % 2, .is_default = is_default, .policy = policy};
    snprintf(row.id, sizeof row.id, "%096x", number);
    snprintf(row.fmspc.hex, sizeof row.fmspc.hex, "00906EA10000");
    assert_int_equal(0, store_put_policy(f->store, &row, NULL));
}

static void
test_every_policy_is_met_once_over_pages(void **state)
{
    struct fixture *f = *state;
    char *large = hex_of(LIMIT_POLICY_BYTES, 1);
    struct policies none = {0};
    assert_int_equal(0, store_each_policy(f->store, meet_policy, &none, NULL));
    assert_int_equal(0, none.count);
    put_policy(f, 0, true, span_of_text(large));
    for (unsigned i = 1; i < 33; i++) {
        put_policy(f, i, i == 1, span_of_text("a.b.c"));
    }
    free(large);
    struct policies all = {0};
    assert_int_equal(0, store_each_policy(f->store, meet_policy, &all, NULL));
    assert_int_equal(33, all.count);
    assert_int_equal(LIMIT_POLICY_BYTES + 32 * 5, all.bytes);
    struct policies some = {.stop_at = 17};
    assert_int_equal(0, store_each_policy(f->store, meet_policy, &some, NULL));
    assert_int_equal(17, some.count);
}

static bool
count_policy(void *self, const struct policy_row *row)
{
    assert_int_equal(96, strlen(row->id));
    *(size_t *)self += 1;
    return true;
}

/* Neither the page that ends with it, nor one that has no other, ends the listing. */
static void
test_policies_with_damaged_keys_are_passed_over(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 15; i++) {
        put_policy(f, i, i < 2, span_of_text("a.b.c"));
    }
    fixture_sql(
        f,
        "INSERT INTO appraisal_policies"
        " WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 39)"
        " SELECT repeat('0', 89) || 'a' || hex_pad(i, 10), 0, 'x', 0, '00906EA10000', " BEHIND_TIMES
        " FROM n");
    put_policy(f, 0x10000000, false, span_of_text("a.b.c"));
    size_t count = 0;
    assert_int_equal(0, store_each_policy(f->store, count_policy, &count, NULL));
    assert_int_equal(16, count);
}

/* ---- keys ---- */

/* One of the platform's own manifests comes back under each of its keys. */
static void
assert_all_different(struct fixture *f, const char *const *qeids, size_t count)
{
    for (unsigned i = 0; i < count; i++) {
        char manifest[9];
        snprintf(manifest, sizeof manifest, "%08X", i);
        struct store_mapping mapping = fixture_mapping(i, FIXTURE_TCBM);
        const struct store_platform_put put = {
            .id = fixture_platform(qeids[i]),
            .manifest = span_of_text(manifest),
            .certs = fixture_pcks(f, qeids[i], PCK_CA_PLATFORM, 1),
            .mappings = &mapping,
            .mapping_count = 1,
        };
        const struct store_batch batch = {.platforms = &put, .platform_count = 1};
        struct fault why = {0};
        if (store_put(f->store, &batch, &why) != 0) {
            fail_msg("%s: %s", qeids[i], why.text);
        }
        struct queue_row row = {.id = put.id, .manifest = manifest};
        assert_int_equal(0, store_queue_put(f->store, &row, 1, NULL));
    }
    for (unsigned i = 0; i < count; i++) {
        char manifest[9];
        snprintf(manifest, sizeof manifest, "%08X", i);
        struct platform_id id = fixture_platform(qeids[i]);
        struct store_platform platform;
        struct raw_tcb raw = fixture_raw(i);
        struct raw_reply pck;
        assert_int_equal(0, store_load_platform(f->store, &id, &platform, NULL));
        assert_string_equal(id.qeid, platform.id.qeid);
        assert_string_equal(manifest, platform.manifest);
        assert_int_equal(1, platform.certs.pck_count);
        assert_int_equal(1, platform.mapping_count);
        store_platform_done(&platform);
        assert_int_equal(0, store_load_pck(f->store, &id, &raw, &pck, NULL));
        raw_reply_done(&pck);
    }
    assert_int_equal(count, fixture_number(f, "SELECT count(*) FROM platforms"));
    assert_int_equal(count, fixture_number(f, "SELECT count(*) FROM platforms_registered"));
}

static void
test_odd_qeids_are_each_their_own(void **state)
{
    static const char *const qeids[] = {
        "'",
        "''",
        "\"",
        "`",
        "\\",
        "\\'",
        "\\\\",
        "%",
        "%%",
        "_",
        "A",
        "A ",
        "A  ",
        " A",
        "A\t",
        "A\n",
        "A\r",
        "A\r\n",
        " ",
        "  ",
        "-",
        "--",
        "?",
        "?1",
        "$1",
        ":A",
        "@A",
        ";",
        "NULL",
        "0",
        "00",
        "0 ",
        "{}",
        "\\X41",
        "\x01",
        "\x7f",
        "\n",
        "/*",
        "*/",
        "#",
        "'); DROP TABLE PLATFORMS; --",
    };
    assert_all_different(*state, qeids, sizeof qeids / sizeof qeids[0]);
}

/* ASCII letters are upper case everywhere (terms.h); nothing else is folded. */
static void
test_qeids_that_only_a_collation_holds_for_equal_are_different(void **state)
{
    static const char *const qeids[] = {
        "É",
        "é",
        "E",
        "E\xcc\x81",
        "ß",
        "SS",
        "Æ",
        "AE",
        "ﬁ",
        "FI",
        "Ａ",
        "A",
        "İ",
        "ı",
        "I",
        "😀",
        "😁",
        "\xc3\x85",
        "\xe2\x84\xab",
        "°C",
        "℃",
        "\xc2\xb5",
        "\xce\xbc",
        "①",
        "1",
        "\u200b1",
        "1\u00a0",
        "1 ",
    };
    assert_all_different(*state, qeids, sizeof qeids / sizeof qeids[0]);
    struct platform_id upper = fixture_platform("ABC"), lower = fixture_platform("abc");
    assert_string_equal(upper.qeid, lower.qeid);
}

static void
test_the_longest_qeids_are_told_apart_by_their_last_character(void **state)
{
    static char qeids[4][LIMIT_QEID_CHARS * 4 + 1];
    for (size_t i = 0; i < 4; i++) {
        for (size_t c = 0; c < LIMIT_QEID_CHARS; c++) {
            memcpy(qeids[i] + 4 * c, "😀", 4);
        }
    }
    memcpy(qeids[1] + 4 * (LIMIT_QEID_CHARS - 1), "😁", 4);
    memset(qeids[2], 'A', LIMIT_QEID_CHARS);
    qeids[2][LIMIT_QEID_CHARS] = '\0';
    memset(qeids[3], 'A', LIMIT_QEID_CHARS - 1);
    memcpy(qeids[3] + LIMIT_QEID_CHARS - 1, " ", 2);
    const char *const list[] = {qeids[0], qeids[1], qeids[2], qeids[3]};
    assert_all_different(*state, list, 4);
}

struct keys {
    size_t count;
    char last[LIMIT_URL_CHARS + 1];
};

static bool
keep_key(void *self, const struct item_key *key)
{
    struct keys *keys = self;
    keys->count += 1;
    snprintf(keys->last, sizeof keys->last, "%s", key->url);
    return true;
}

static void
test_the_longest_urls_are_told_apart_by_their_last_character(void **state)
{
    struct fixture *f = *state;
    struct item_key a = url_key(LIMIT_URL_CHARS, 'a'), b = url_key(LIMIT_URL_CHARS, 'b');
    struct item_key c = url_key(LIMIT_URL_CHARS, 'B');
    assert_comes_back(f, fixture_item(f, &a, "A", NULL, NULL));
    assert_comes_back(f, fixture_item(f, &b, "B", NULL, NULL));
    assert_comes_back(f, fixture_item(f, &c, "C", NULL, NULL));
    assert_comes_back(f, fixture_item(f, &a, "A2", NULL, NULL));
    size_t count = 0;
    assert_int_equal(0, store_count_crl_urls(f->store, &count, NULL));
    assert_int_equal(3, count);
    struct keys keys = {0};
    assert_int_equal(0, store_each_item(f->store, keep_key, &keys, NULL));
    assert_int_equal(3, keys.count);
    assert_int_equal(LIMIT_URL_CHARS, strlen(keys.last));
}

static void
test_items_of_every_number_are_told_apart(void **state)
{
    struct fixture *f = *state;
    static const uint32_t numbers[] = {0, 1, 17, 2147483647, 2147483648, UINT32_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct item_key key = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_NUMBERED, "00906EA10000");
        key.eval_number = numbers[i];
        char body[16];
        snprintf(body, sizeof body, "%u", numbers[i]);
        assert_comes_back(f, fixture_item(f, &key, body, "signer", "root"));
    }
    struct keys keys = {0};
    assert_int_equal(0, store_each_item(f->store, keep_key, &keys, NULL));
    assert_int_equal(sizeof numbers / sizeof numbers[0], keys.count);
}

/* ---- pages ---- */

struct met {
    size_t count;
    uint8_t seen[2 * PAGE + 2];
};

static bool
meet_numbered(void *self, const struct store_platform *platform)
{
    struct met *met = self;
    size_t number = strtoul(platform->manifest, NULL, 16);
    assert_true(number < sizeof met->seen);
    assert_int_equal(0, met->seen[number]++);
    met->count += 1;
    return true;
}

/* `count` platforms in all, of names that collations sort otherwise than their bytes. */
static void
make_up_to(struct fixture *f, size_t from, size_t count)
{
    static const char *const heads[] = {"_", "A-", "A B", "AB", "a'", "\\", "É", "😀", "~", "Z"};
    struct buf text = BUF_INIT(1 << 20);
    assert_int_equal(0, buf_add_text(&text, "INSERT INTO platforms VALUES"));
    for (size_t i = from; i < count; i++) {
        const char *head = heads[i % (sizeof heads / sizeof heads[0])];
        struct platform_id id = fixture_platform(head);
        char quoted[16] = "";
        for (const char *c = id.qeid; *c != '\0'; c++) {
            size_t size = strlen(quoted);
            bool twice = *c == '\'' || (*c == '\\' && behind_kind() == BEHIND_MARIADB);
            snprintf(quoted + size, sizeof quoted - size, twice ? "%c%c" : "%c", *c, *c);
        }
        assert_int_equal(0, buf_add_format(&text,
                                           "%s('%s%zu', '0000', unhex('%08zX'), '',"
                                           " '00906EA10000', 'PLATFORM', " BEHIND_TIMES ")",
                                           i > from ? "," : "", quoted, i, i));
    }
    fixture_sql(f, buf_text(&text));
    buf_done(&text);
}

static void
test_listings_that_end_at_a_page_s_end_meet_each_platform_once(void **state)
{
    struct fixture *f = *state;
    static const size_t counts[] = {1,        PAGE - 1,     PAGE,     PAGE + 1,
                                    PAGE + 2, 2 * PAGE - 1, 2 * PAGE, 2 * PAGE + 1};
    struct fmspc fmspc = {"00906EA10000"};
    for (size_t i = 0, made = 0; i < sizeof counts / sizeof counts[0]; i++) {
        make_up_to(f, made, counts[i]);
        made = counts[i];
        struct met all = {0}, of_fmspc = {0};
        assert_int_equal(0, store_each_platform(f->store, NULL, 0, meet_numbered, &all, NULL));
        assert_int_equal(made, all.count);
        assert_int_equal(0,
                         store_each_platform(f->store, &fmspc, 1, meet_numbered, &of_fmspc, NULL));
        assert_int_equal(made, of_fmspc.count);
    }
}

static void
test_a_queue_of_many_pages_is_handed_out_whole_and_once(void **state)
{
    struct fixture *f = *state;
    enum { ROWS = 2501 };
    struct queue_row *rows = calloc(ROWS, sizeof rows[0]);
    for (unsigned i = 0; i < ROWS; i++) {
        char qeid[16];
        snprintf(qeid, sizeof qeid, "%u", i);
        rows[i] = (struct queue_row){.id = fixture_platform(qeid)};
    }
    assert_int_equal(0, store_queue_put(f->store, rows, ROWS, NULL));
    free(rows);
    static uint8_t seen[ROWS];
    memset(seen, 0, sizeof seen);
    size_t count = 0;
    assert_int_equal(0, store_queue_list(f->store, QUEUE_SOURCE_REG, true, &rows, &count, NULL));
    assert_int_equal(ROWS, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(0, seen[strtoul(rows[i].id.qeid, NULL, 10)]++);
        queue_row_done(&rows[i]);
    }
    free(rows);
    uint64_t counts[3];
    assert_int_equal(0, store_queue_counts(f->store, counts, NULL));
    assert_int_equal(0, counts[0]);
    assert_int_equal(ROWS, counts[2]);
}

/* What does not fit a hand-out stays in the queue, over the pages too; in the end each came once.
 */
static void
test_a_queue_beyond_the_ceiling_is_handed_out_by_and_by(void **state)
{
    struct fixture *f = *state;
    enum { ROWS = 1300 };
    fixture_sql(
        f, "INSERT INTO platforms_registered"
           " WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1299)"
           " SELECT hex_pad(i, 8), '0000', '', '', zeroblob(0), zeroblob(100), 0, " BEHIND_TIMES
           " FROM n");
    f->options.list_bytes_max = 400 * (sizeof(struct queue_row) + 200);
    fixture_reopen(f);
    static uint8_t seen[ROWS];
    memset(seen, 0, sizeof seen);
    size_t counts[5] = {0};
    for (size_t turn = 0; turn < 5; turn++) {
        struct queue_row *rows = NULL;
        assert_int_equal(
            0, store_queue_list(f->store, QUEUE_SOURCE_REG, true, &rows, &counts[turn], NULL));
        for (size_t i = 0; i < counts[turn]; i++) {
            assert_int_equal(0, seen[strtoul(rows[i].id.qeid, NULL, 16)]++);
            queue_row_done(&rows[i]);
        }
        free(rows);
    }
    assert_int_equal(400, counts[0]);
    assert_int_equal(400, counts[2]);
    assert_int_equal(100, counts[3]);
    assert_int_equal(0, counts[4]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_large_bodies_of_every_kind_come_back),
        FIXTURE_TEST(test_a_body_of_megabytes_comes_back),
        FIXTURE_TEST(test_the_largest_manifest_comes_back_from_platforms_and_from_the_queue),
        FIXTURE_TEST(test_every_policy_is_met_once_over_pages),
        FIXTURE_TEST(test_policies_with_damaged_keys_are_passed_over),
        FIXTURE_TEST(test_odd_qeids_are_each_their_own),
        FIXTURE_TEST(test_qeids_that_only_a_collation_holds_for_equal_are_different),
        FIXTURE_TEST(test_the_longest_qeids_are_told_apart_by_their_last_character),
        FIXTURE_TEST(test_the_longest_urls_are_told_apart_by_their_last_character),
        FIXTURE_TEST(test_items_of_every_number_are_told_apart),
        FIXTURE_TEST(test_listings_that_end_at_a_page_s_end_meet_each_platform_once),
        FIXTURE_TEST(test_a_queue_of_many_pages_is_handed_out_whole_and_once),
        FIXTURE_TEST(test_a_queue_beyond_the_ceiling_is_handed_out_by_and_by),
    };
    return FIXTURE_RUN(tests);
}
