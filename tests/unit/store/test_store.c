/* SPDX-License-Identifier: BSD-3-Clause */
/* store_put: all of a batch or nothing of it, and on disk before it returns. */
#include "store_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const tables[] = {
    "platforms",          "platform_tcbs",  "pck_cert",         "pck_certchain", "pck_crl",
    "pcs_certificates",   "fmspc_tcbs",     "crl_cache",        "pccs_items",    "pccs_chains",
    "enclave_identities", "pccs_platforms", "pccs_item_chains",
};

static int64_t
count_rows(struct fixture *f)
{
    int64_t count = 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "SELECT count(*) FROM %s", tables[i]);
        count += fixture_number(f, text);
    }
    return count;
}

/* A batch with something for every table. */
static int
put_everything(struct fixture *f, struct fault *why)
{
    struct item_key tcb = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    struct item_key numbered = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_NUMBERED, "00906EA10000");
    struct item_key qe = fixture_identity_key(ENCLAVE_QE, UPDATE_STANDARD);
    struct item_key crl = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM};
    struct item_key root_crl = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    const struct proven *items[] = {
        fixture_item(f, &tcb, "{}", "signer", "root"),
        fixture_item(f, &numbered, "{}", "signer", "root"),
        fixture_item(f, &qe, "{}", "signer", "root"),
        fixture_item(f, &crl, "DER", "platform", "root"),
        fixture_item(f, &root_crl, "DER", NULL, NULL),
    };
    struct store_mapping mapping = fixture_mapping(1, FIXTURE_TCBM);
    const struct store_platform_put platforms[] = {
        {.id = fixture_platform(FIXTURE_Q1),
         .certs = fixture_pcks(f, FIXTURE_Q1, PCK_CA_PROCESSOR, 3),
         .mappings = &mapping,
         .mapping_count = 1},
        {.id = fixture_platform(FIXTURE_Q2),
         .certs = fixture_pcks(f, FIXTURE_Q2, PCK_CA_PLATFORM, 2),
         .mappings = &mapping,
         .mapping_count = 1},
    };
    const struct store_batch batch = {.items = items,
                                      .item_count = 5,
                                      .platforms = platforms,
                                      .platform_count = 2,
                                      .root_crl_url = "https://x/IntelSGXRootCA.der"};
    return store_put(f->store, &batch, why);
}

static void
test_wherever_a_batch_fails_no_trace_of_it_stays(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        fixture_fail(f, "INSERT", tables[i], NULL);
        struct fault why = {0};
        assert_int_equal(FAULT_STORE, put_everything(f, &why));
        assert_string_equal("store", why.stage);
        fixture_fail_no_more(f);
        assert_int_equal(0, count_rows(f));
    }
    assert_int_equal(0, put_everything(f, NULL)); /* without being opened anew */
    assert_true(count_rows(f) > 20);
}

static void
test_a_batch_that_fails_late_leaves_what_was_there(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(0, put_everything(f, NULL));
    int64_t before = count_rows(f);
    fixture_fail(f, "INSERT", "pck_cert", FIXTURE_Q2);
    f->now += 60;
    assert_int_equal(FAULT_STORE, put_everything(f, NULL));
    assert_int_equal(before, count_rows(f));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM fmspc_tcbs"
                                          " WHERE stamp_text(updated_time) <> '" FIXTURE_NOW_TEXT
                                          "'"));
}

static void
test_an_empty_batch_is_fine(void **state)
{
    struct fixture *f = *state;
    const struct store_batch batch = {0};
    assert_int_equal(0, store_put(f->store, &batch, NULL));
    assert_int_equal(0, count_rows(f));
}

/* Writes mappings, telling each one's number once it was acknowledged, until it is killed. */
static void
write_until_killed(struct fixture *f, int acknowledged)
{
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    for (unsigned i = 1;; i++) {
        char qeid[33];
        snprintf(qeid, sizeof qeid, "%032X", i);
        id = fixture_platform(qeid);
        struct queue_row row = {.id = id, .state = QUEUE_NEW};
        if (store_queue_put(f->store, &row, 1, NULL) != 0 ||
            write(acknowledged, &i, sizeof i) != sizeof i) {
            _exit(1);
        }
    }
}

static void
test_what_was_acknowledged_survives_kill_9(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(0, pipe(ends));
    pid_t child = fork();
    if (child == 0) {
        fixture_open(f);
        write_until_killed(f, ends[1]);
    }
    close(ends[1]);
    unsigned last = 0, number;
    while (last < 20 && read(ends[0], &number, sizeof number) == sizeof number) {
        last = number;
    }
    assert_int_equal(0, kill(child, SIGKILL));
    while (read(ends[0], &number, sizeof number) == sizeof number) {
        last = number; /* told before it died */
    }
    close(ends[0]);
    int status;
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(WIFSIGNALED(status));
    assert_true(last >= 20);

    fixture_open(f); /* the dead one's lock is gone too */
    char text[128];
    snprintf(text, sizeof text, "SELECT count(*) FROM platforms_registered WHERE qe_id <= '%032X'",
             last);
    assert_int_equal(last, fixture_number(f, text));
    if (fixture_is_sqlite()) {
        assert_string_equal("ok", fixture_text(f, "PRAGMA integrity_check"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_wherever_a_batch_fails_no_trace_of_it_stays),
        FIXTURE_TEST(test_a_batch_that_fails_late_leaves_what_was_there),
        FIXTURE_TEST(test_an_empty_batch_is_fine),
        cmocka_unit_test_setup_teardown(test_what_was_acknowledged_survives_kill_9,
                                        fixture_set_up_closed, fixture_tear_down),
    };
    return FIXTURE_RUN(tests);
}
