/* SPDX-License-Identifier: BSD-3-Clause */
/* Databases of their own for the tests of MariaDB, made and looked at as the administrator. */
#ifndef MARIADB_BEHIND_H
#define MARIADB_BEHIND_H

#include <mysql.h>

#include "store_fixture.h"

/* Runs statements, separated by semicolons; anything that fails fails the test. */
void mariadb_sql(const char *text);
/* The rows of the last statement's first column, joined by line ends. In a static buffer. */
const char *mariadb_lines(const char *text);
/* Ends the connection, before the server is stopped. */
void mariadb_let_go(void);

/* An empty database that the fixture's options name from now on; dropped by mariadb_tear_down. */
void mariadb_new_database(struct fixture *f);
/* tests/vectors/databases/NAME in a new database. */
void mariadb_apply(struct fixture *f, const char *name);
int mariadb_tear_down(void **state);
#define MARIADB_TEST(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fixture_set_up_closed, mariadb_tear_down)
/* For main. */
#define MARIADB_RUN(tests) (setenv("PCCS_TEST_STORE", "mariadb", 1), FIXTURE_RUN(tests))

/* Opening must fail with this code and say this; the fault has no password in it. */
void mariadb_refused(struct fixture *f, int code, const char *words);

#endif
