/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of two things is newer, and when two are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pccsadmin/store_copy.h"

/* ---- items ---- */

static struct proven
item(const char *body, const char *chain, int64_t issued_at)
{
    return (struct proven){
        .body = {.data = (uint8_t *)body, .size = strlen(body), .size_max = 1000},
        .chain_pem = (char *)chain,
        .issued_at = issued_at,
    };
}

static void
test_an_item_that_was_issued_later_is_newer(void **state)
{
    (void)state;
    struct proven kept = item("{1}", "chain", 1000);
    struct proven same = item("{1}", "chain", 1000);
    struct proven older = item("{2}", "chain", 999);
    struct proven equal = item("{2}", "chain", 1000);
    struct proven newer = item("{2}", "chain", 1001);
    assert_int_equal(COPY_SAME, copy_item_judge(&same, &kept));
    assert_int_equal(COPY_NEWER, copy_item_judge(&older, &kept));
    assert_int_equal(COPY_DIFFERS, copy_item_judge(&equal, &kept)); /* trust.md, rule 6 */
    assert_int_equal(COPY_DIFFERS, copy_item_judge(&newer, &kept));
}

static void
test_an_item_with_another_chain_is_not_the_same(void **state)
{
    (void)state;
    struct proven kept = item("{1}", "chain", 1000);
    struct proven renewed = item("{1}", "renewed", 1000);
    struct proven without = item("{1}", NULL, 1000);
    assert_int_equal(COPY_DIFFERS, copy_item_judge(&renewed, &kept));
    assert_int_equal(COPY_DIFFERS, copy_item_judge(&without, &kept));
    assert_int_equal(COPY_SAME, copy_item_judge(&without, &without));
}

/* ---- platforms ---- */

enum { MANY = 3 };

/* A platform with its own arrays, so that a test may change one thing of it. */
struct sample {
    struct proven_pck pcks[MANY];
    struct raw_pck raw[MANY];
    struct store_mapping mappings[MANY];
    struct proven certs;
    struct copy_platform platform;
};

static void
sample_make(struct sample *s)
{
    static char *const pems[MANY] = {"pem 0", "pem 1", "pem 2"};
    *s = (struct sample){.certs = {.chain_pem = "chain", .pcks = s->pcks, .pck_count = MANY - 1}};
    snprintf(s->certs.fmspc.hex, sizeof s->certs.fmspc.hex, "00906EA10000");
    for (size_t i = 0; i < MANY; i++) {
        snprintf(s->pcks[i].tcbm, sizeof s->pcks[i].tcbm, "%036zu", i);
        s->pcks[i].pem = pems[i];
        s->pcks[i].not_after = 1000;
        memcpy(s->raw[i].tcbm, s->pcks[i].tcbm, sizeof s->raw[i].tcbm);
        s->raw[i].cert = pems[i];
        s->raw[i].available = true;
        snprintf(s->mappings[i].raw.cpusvn, sizeof s->mappings[i].raw.cpusvn, "%032zu", i);
        snprintf(s->mappings[i].raw.pcesvn, sizeof s->mappings[i].raw.pcesvn, "0A00");
    }
    s->platform = (struct copy_platform){
        .certs = &s->certs,
        .row = {.manifest = "AB",
                .enc_ppid = "CD",
                .fmspc = "00906EA10000",
                .ca = "PROCESSOR",
                .certs = {.issuer_chain = "chain", .pcks = s->raw, .pck_count = MANY - 1},
                .mappings = s->mappings,
                .mapping_count = MANY - 1},
    };
}

static void
test_a_platform_is_equal_in_any_order_and_in_no_other_way(void **state)
{
    (void)state;
    struct sample a, b;
    sample_make(&a);
    sample_make(&b);
    struct store_mapping mapping = b.mappings[0];
    b.mappings[0] = b.mappings[1];
    b.mappings[1] = mapping;
    struct raw_pck pck = b.raw[0];
    b.raw[0] = b.raw[1];
    b.raw[1] = pck;
    assert_true(copy_platform_is_equal(&a.platform.row, &b.platform.row));
    assert_true(copy_platform_is_put(&a.platform, &b.platform.row));
    b.raw[1] = b.raw[0];
    assert_false(copy_platform_is_equal(&a.platform.row, &b.platform.row));
    assert_false(copy_platform_is_put(&a.platform, &b.platform.row));
    struct store_platform *row = &b.platform.row;
    struct {
        char **place;
        char *other;
    } texts[] = {{&row->manifest, ""},
                 {&row->enc_ppid, "CE"},
                 {&row->certs.issuer_chain, "other"},
                 {&row->certs.issuer_chain, NULL}};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        sample_make(&b);
        *texts[i].place = texts[i].other;
        assert_false(copy_platform_is_equal(&a.platform.row, &b.platform.row));
        assert_false(copy_platform_is_put(&a.platform, &b.platform.row));
    }
    sample_make(&b);
    row->not_available_at = 1;
    assert_false(copy_platform_is_equal(&a.platform.row, row));
    assert_false(copy_platform_is_put(&a.platform, row));
    sample_make(&b);
    row->mapping_count = MANY;
    assert_false(copy_platform_is_equal(&a.platform.row, row));
    assert_false(copy_platform_is_put(&a.platform, row));
    sample_make(&b);
    snprintf(row->ca, sizeof row->ca, "PLATFORM");
    assert_false(copy_platform_is_equal(&a.platform.row, row));
    assert_false(copy_platform_is_put(&a.platform, row));
}

static void
test_certificates_that_end_later_are_newer(void **state)
{
    (void)state;
    struct sample a, b;
    sample_make(&a);
    sample_make(&b);
    b.pcks[1].pem = "renewed";
    b.pcks[1].not_after = 1001;
    assert_int_equal(COPY_NEWER, copy_platform_judge(&a.platform, &b.platform));
    assert_int_equal(COPY_DIFFERS, copy_platform_judge(&b.platform, &a.platform));
    b.pcks[1].not_after = 1000; /* nobody knows which: the source's */
    assert_int_equal(COPY_DIFFERS, copy_platform_judge(&a.platform, &b.platform));
}

static void
test_more_of_the_same_is_newer(void **state)
{
    (void)state;
    struct sample a, b;
    sample_make(&a);
    sample_make(&b);
    assert_int_equal(COPY_SAME, copy_platform_judge(&a.platform, &b.platform));
    b.platform.row.mapping_count = MANY;
    assert_int_equal(COPY_NEWER, copy_platform_judge(&a.platform, &b.platform));
    assert_int_equal(COPY_DIFFERS, copy_platform_judge(&b.platform, &a.platform));
    sample_make(&b);
    b.certs.pck_count = MANY;
    assert_int_equal(COPY_NEWER, copy_platform_judge(&a.platform, &b.platform));
    assert_int_equal(COPY_DIFFERS, copy_platform_judge(&b.platform, &a.platform));
}

static void
test_another_selection_or_identity_is_to_be_replaced(void **state)
{
    (void)state;
    struct sample a, b;
    sample_make(&a);
    sample_make(&b);
    b.mappings[0].tcbm[0] = 'F';
    assert_int_equal(COPY_DIFFERS, copy_platform_judge(&a.platform, &b.platform));
    sample_make(&b);
    b.platform.row.manifest = "";
    assert_int_equal(COPY_DIFFERS, copy_platform_judge(&a.platform, &b.platform));
    sample_make(&b);
    b.certs.chain_pem = "renewed";
    assert_int_equal(COPY_DIFFERS, copy_platform_judge(&a.platform, &b.platform));
}

/* ---- the queue ---- */

static struct queue_row
queue_row(enum queue_state state, const char *ppid, const char *manifest)
{
    return (struct queue_row){
        .state = state, .enc_ppid = (char *)ppid, .manifest = (char *)manifest};
}

static void
test_a_registration_that_was_handed_out_does_not_wait_again(void **state)
{
    (void)state;
    const struct {
        struct queue_row from, to;
        enum copy_verdict verdict;
    } cases[] = {
        {queue_row(QUEUE_NEW, "01", ""), queue_row(QUEUE_NEW, "01", ""), COPY_SAME},
        {queue_row(QUEUE_NEW, "01", ""), queue_row(QUEUE_DONE, "01", ""), COPY_NEWER},
        {queue_row(QUEUE_NEW, "01", ""), queue_row(QUEUE_NOT_AVAILABLE, "01", ""), COPY_NEWER},
        {queue_row(QUEUE_DONE, "01", ""), queue_row(QUEUE_NEW, "01", ""), COPY_DIFFERS},
        {queue_row(QUEUE_NEW, "01", ""), queue_row(QUEUE_DONE, "02", ""), COPY_DIFFERS},
        {queue_row(QUEUE_NEW, "01", ""), queue_row(QUEUE_NEW, "01", "AB"), COPY_NEWER},
        {queue_row(QUEUE_NEW, "01", "AB"), queue_row(QUEUE_DONE, "01", "CD"), COPY_DIFFERS},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(cases[i].verdict, copy_queue_row_judge(&cases[i].from, &cases[i].to));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_item_that_was_issued_later_is_newer),
        cmocka_unit_test(test_an_item_with_another_chain_is_not_the_same),
        cmocka_unit_test(test_a_platform_is_equal_in_any_order_and_in_no_other_way),
        cmocka_unit_test(test_certificates_that_end_later_are_newer),
        cmocka_unit_test(test_more_of_the_same_is_newer),
        cmocka_unit_test(test_another_selection_or_identity_is_to_be_replaced),
        cmocka_unit_test(test_a_registration_that_was_handed_out_does_not_wait_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
