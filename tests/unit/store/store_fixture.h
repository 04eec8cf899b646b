/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the store's tests share: an empty real database of the kind that PCCS_TEST_STORE names, a
 * clock that stands still, a second connection to look behind the store (store_behind.h: what SQL
 * may be used there), and items that look proven. (The store never looks into bodies or
 * certificates, so they are short texts here.)
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"
#include "store_behind.h"

#define FIXTURE_HOST "api.trustedservices.intel.com"
#define FIXTURE_NOW INT64_C(1751328000) /* 2025-07-01T00:00:00Z */
#define FIXTURE_NOW_TEXT "2025-07-01 00:00:00.000 +00:00"
#define FIXTURE_Q1 "0123456789ABCDEF0123456789ABCDEF"
#define FIXTURE_Q2 "FEDCBA9876543210FEDCBA9876543210"
#define FIXTURE_CPUSVN "0B0B0F0FFFFF00000000000000000000"
#define FIXTURE_TCBM FIXTURE_CPUSVN "0A00"

struct fixture {
    char folder[64];
    char path[128]; /* of the SQLite file */
    struct store_server_options server;
    struct store_options options;
    struct store *store; /* NULL while closed */
    struct store *other; /* see fixture_other */
    struct clock clock;
    int64_t now, monotonic_ms;
    char notices[1024];         /* one line each */
    struct proven *items[1024]; /* freed at the end */
    size_t item_count;
};

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
/* For main: 77 with a reason where there is no such database. */
#define FIXTURE_RUN(tests)                                                                         \
    (fixture_can_run() ? cmocka_run_group_tests(tests, NULL, fixture_group_tear_down) : 77)
bool fixture_can_run(void);
int fixture_group_tear_down(void **state);

int fixture_set_up(void **state);        /* an empty database and an open store in it */
int fixture_set_up_closed(void **state); /* the database only */
int fixture_tear_down(void **state);
bool fixture_is_sqlite(void);
/* Opens a store on the database as the options say. */
int fixture_open_store(struct fixture *f, struct store **ret_store, struct fault *why) must_check;
/* A second store on the same database, where that can be; with SQLite the first one. Closed with
 * the fixture. */
struct store *fixture_other(struct fixture *f);
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);
void fixture_reopen(struct fixture *f);

/* Through a connection of its own, store_behind.h. */
void fixture_sql(struct fixture *f, const char *text);
int64_t fixture_number(struct fixture *f, const char *text);
/* The first column of the first row; "no row", "NULL". In a static buffer. */
const char *fixture_text(struct fixture *f, const char *text);
/* Each INSERT into (or UPDATE of) the table fails, or only those of this qe_id; NULL: all. */
void fixture_fail(struct fixture *f, const char *verb, const char *table, const char *qeid);
void fixture_fail_no_more(struct fixture *f);
/* SQLite: tests/vectors/databases/NAME into f->path. */
void fixture_apply(struct fixture *f, const char *name);

struct item_key fixture_tcb_key(enum product product, unsigned version, enum update_type update,
                                const char *fmspc);
struct item_key fixture_identity_key(enum enclave enclave, enum update_type update);
struct platform_id fixture_platform(const char *qeid);
struct raw_tcb fixture_raw(unsigned number); /* distinct for distinct numbers */
struct store_mapping fixture_mapping(unsigned number, const char *tcbm);

/* An item whose chain is the certificates "signer" and "root"; signer NULL: no chain. */
struct proven *fixture_item(struct fixture *f, const struct item_key *key, const char *body,
                            const char *signer, const char *root);
/* Certificates of a platform, count of them; the last tcbm digits count up from 0A. */
struct proven *fixture_pcks(struct fixture *f, const char *qeid, enum pck_ca ca, size_t count);
/* A whole certificate in PEM named so, in one of four static buffers. */
const char *fixture_pem(const char *name);

int fixture_put_item(struct fixture *f, const struct proven *item);
/* A platform with count certificates and one mapping to the first. */
int fixture_put_platform(struct fixture *f, const char *qeid, size_t count);

#endif
